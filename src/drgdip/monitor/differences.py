"""Differences between a group of ours and one that came back: their classes and likely causes, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.grouper.flows import texts_of
from drgdip.grouper.result import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from drgdip.grouper.family import SchemeLike

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

__all__ = ["NONE", "UNKNOWN", "Answers", "Difference", "Words", "answers_of", "classify", "ids_of", "list_differences"]

#: The numbers of no text, and of one that cannot be known. No text has the number of another answer's unknown one.
NONE, UNKNOWN = -1, -2


class Difference(NamedTuple):
    """A class of differences between groups, or a likely cause of them.

    Attributes
    ----------
    id
        The name in the columns of results.
    kind
        ``class`` or ``cause``. Classes and causes stand in the order in which they are tried.
    english, chinese, english_meaning, chinese_meaning
        Names and meanings.
    source, grade
        Where it comes from, and the grade of the evidence.
    """

    id: str
    kind: str
    english: str
    chinese: str
    english_meaning: str
    chinese_meaning: str
    source: str
    grade: str


@once
def _listed() -> Listing[Difference]:
    return Listing([Difference(**row) for row in rows_of("monitor/differences.csv")], Difference._fields)


def list_differences() -> Listing[Difference]:
    """List the classes and likely causes of differences between own and returned groups.

    Returns
    -------
    A row a `Difference`; of classes and of causes, the one that is tried first stands first.

    Examples
    --------
    >>> list_differences().row("severity_only").chinese, list_differences().row("code_unknown").kind
    ('仅细分组不同', 'cause')
    """
    return _listed()


@once
def ids_of(kind: str) -> tuple[str, ...]:
    """Return the ids of a kind (``class`` or ``cause``) in order."""
    return tuple(row.id for row in _listed() if row.kind == kind)


class Words:
    """Texts with a number for each, the same for both answers that are compared."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._numbers: dict[str | None, int] = {None: NONE} | {text: place for place, text in enumerate(texts)}
        self.texts = list(texts)

    def number(self, text: str | None) -> int:
        """Return the number of a text, a new one where it has none."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(str(text))
        return self._numbers[text]

    def column(self, column: pa.ChunkedArray | pa.Array) -> Numbers:
        """Return a column of texts as numbers."""
        found = texts_of(column)
        return np.array([self.number(text) for text in found.values], np.int64)[found.numbers]

    def at(self, numbers: Numbers) -> list[str | None]:
        """Return texts by number, None for `NONE` and `UNKNOWN`."""
        return [self.texts[number] if number >= 0 else None for number in numbers]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answers of one side for some cases, as numbers of `Words`.

    Attributes
    ----------
    levels
        The group, what stands above it, and the status, by name.
    elsewhere
        Which groups are not of the scheme but of another one; only theirs can be.
    """

    levels: Mapping[str, Numbers]
    elsewhere: Flags | None = None

    def __getitem__(self, level: str) -> Numbers:
        return self.levels[level]

    def take(self, rows: Numbers) -> Answers:
        """Return the answers of some rows."""
        elsewhere = None if self.elsewhere is None else self.elsewhere[rows]
        return Answers({name: numbers[rows] for name, numbers in self.levels.items()}, elsewhere)


def answers_of(result: pa.Table, scheme: SchemeLike, words: Mapping[str, Words]) -> Answers:
    """Return the result columns of cases (`drgdip.grouper.group.results_of`) as answers."""
    return Answers({name: words[name].column(result[name]) for name in (*scheme.levels, "group", "status")})


def classify(ours: Answers, theirs: Answers, levels: Sequence[str]) -> Numbers:
    """Return the class of each pair of answers that differ, as its place in ``ids_of("class")``."""
    names = ids_of("class")
    found = np.full(len(ours["group"]), names.index("status_only"), np.int64)
    for name, holds in reversed(list(_conditions(ours, theirs, levels))):
        found[holds] = names.index(name)
    return found


def _conditions(ours: Answers, theirs: Answers, levels: Sequence[str]) -> Iterator[tuple[str, Flags]]:
    """Yield classes with the rows that belong to them unless an earlier class has them."""
    assert theirs.elsewhere is not None
    yield "other_version", theirs.elsewhere
    yield "unknown_group", (theirs["group"] >= 0) & (theirs[levels[0]] == UNKNOWN)
    statuses = list(STATUSES)
    other = ours["status"] != theirs["status"]
    for side, answers in (("there", theirs), ("here", ours)):
        for status in ("invalid", "ungrouped", "ambiguous", "excluded"):
            yield f"{status}_{side}", other & (answers["status"] == statuses.index(status))
    for level in levels:
        yield f"other_{level}", ours[level] != theirs[level]
    yield ("severity_only" if len(levels) > 1 else "other_group"), ours["group"] != theirs["group"]
