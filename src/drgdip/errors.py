"""The errors of the library: each says what is wrong, where, and how to mend it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


__all__ = [
    "CaseError",
    "DrgdipError",
    "InvariantError",
    "PolicyError",
    "RuleError",
    "SchemeChoiceError",
    "SchemeError",
    "UnknownNameError",
]


class DrgdipError(Exception):
    """Parent of every error that the library raises on purpose."""


class CaseError(DrgdipError):
    """A table, file or record of cases that cannot be read as cases.

    A single bad value is no error: its row gets the status ``invalid`` with a reason.
    """


class PolicyError(DrgdipError):
    """Numbers or rules of payment that are missing, impossible or contradict each other."""


class InvariantError(DrgdipError):
    """Sums of a settlement that do not agree.

    Attributes
    ----------
    step
        The step of settlement.
    invariant
        The rule that should hold.
    rows
        The places where it does not: an Arrow table with both sides, in the columns of a ledger.
    """

    def __init__(self, step: str, invariant: str, rows: pa.Table) -> None:
        shown = "; ".join(
            f"{row['where']}: {row['left'].normalize():f} {row['unit']} should be {row['relation']} "
            f"{row['right'].normalize():f}"
            for row in rows.slice(0, 5).to_pylist()
        )
        more = f"; and {len(rows) - 5} more" if len(rows) > 5 else ""
        super().__init__(
            f"{step}: {invariant} does not hold. {shown}{more}. Mend the input of these places; "
            f"if it is right, this is a fault of the library: please report it"
        )
        self.step = step
        self.invariant = invariant
        self.rows = rows


class SchemeError(DrgdipError):
    """A scheme's files that contradict the format or each other.

    Attributes
    ----------
    problem
        The kind of fault, for programs, one of: ``missing_file``, ``bad_toml``, ``missing_key``, ``unknown_key``,
        ``bad_value``, ``bad_encoding``, ``bad_csv``, ``bad_workbook``, ``unknown_column``, ``missing_column``,
        ``wrong_length``, ``empty_cell``, ``duplicate``, ``unknown_value``, ``bad_number``, ``bad_order``, ``bad_rule``,
        ``unknown_set``, ``unknown_variable``, ``unknown_exclusion``, ``unknown_parent``, ``unknown_base``,
        ``absent_row``, ``unreachable``, ``wrong_count``, ``wrong_digest``.
    file
        The file, as given.
    row
        The line of the file, the header being line 1; None where the whole file is meant.
    """

    def __init__(self, problem: str, what: str, *, file: object, row: int | None = None, fix: str) -> None:
        where = f"{file}" if row is None else f"{file}, line {row}"
        super().__init__(f"{where}: {what}{'' if what.endswith(chr(10)) else '. '}{fix}.")
        self.problem = problem
        self.file = str(file)
        self.row = row


class RuleError(DrgdipError):
    """A rule that is not in the grammar.

    Attributes
    ----------
    rule
        The text of the rule.
    position
        The index of the character that cannot be read, from 0; the length of the text for a missing end.
    """

    def __init__(self, rule: str, position: int, what: str) -> None:
        start = max(0, position - 60)
        shown = rule[start : position + 30].replace("\n", " ")
        pointer = " " * (position - start) + "^"
        super().__init__(f"{what} (character {position + 1})\n    {shown}\n    {pointer}")
        self.rule = rule
        self.position = position


class UnknownNameError(DrgdipError):
    """A name (of a scheme, a column, a case …) that does not exist.

    Attributes
    ----------
    name
        The name that was asked for.
    nearest
        Existing names like it, the likest first.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        self.name = name
        folded = {other.casefold(): other for other in known}
        close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
        self.nearest = tuple(folded[other] for other in close)
        meant = f" Did you mean {' or '.join(map(repr, self.nearest))}?" if self.nearest else ""
        super().__init__(f"there is no {kind} {name!r}.{meant}{' ' + hint if hint else ''}")


class Candidate(Protocol):
    """A scheme that might be chosen, as the index knows it."""

    @property
    def id(self) -> str:
        """The id."""

    @property
    def title(self) -> str:
        """The title."""

    @property
    def published(self) -> str:
        """The date of publication, "" for none."""

    @property
    def valid_from(self) -> str:
        """The first day of effect, "" where it is not known."""


class SchemeChoiceError(DrgdipError):
    """A place and a date for which there is no scheme, or more than one.

    Attributes
    ----------
    candidates
        Ids of the schemes of the place.
    """

    def __init__(self, what: str, candidates: Iterable[Candidate], fix: str) -> None:
        candidates = list(candidates)
        listed = [f"\n  {info.id}, {_date(info)}: {info.title}" for info in candidates]
        super().__init__(f"{what}. {fix}{':' if listed else ''}{''.join(listed)}")
        self.candidates = tuple(info.id for info in candidates)


def _date(info: Candidate) -> str:
    return info.valid_from or info.published or "no date"
