"""The names of the columns of a case in the field: which name of a table or record is which column."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from drgdip._text import fold_width
from drgdip.cases.aliases import CASE_COLUMNS, CERTAIN, CODE_COLUMNS, Found, base_of, fold_name, look_up
from drgdip.errors import CaseError, UnknownNameError

__all__ = [
    "CASE_COLUMNS",
    "CODE_COLUMNS",
    "COMPANIONS",
    "OTHER_CODES",
    "UNREADABLE",
    "ColumnNames",
    "Resolved",
    "Wide",
    "expand_columns",
    "find_name",
    "fold_name",
    "keep_columns",
    "name_of",
    "resolve",
    "write_options",
]

#: Lists that say something of each code of another list, place by place.
COMPANIONS = {"dx_conditions": "dx", "proc_dates": "procs"}
#: The column that names the columns that cannot be read in a row, joined by blanks, or null.
UNREADABLE = "unreadable"
#: What ``columns.csv`` calls columns of codes that grouping does not read, such as diagnoses at admission.
OTHER_CODES = "other_codes"

#: The table's name by our name, as callers give it: a name, a pattern with ``*``, or several of them.
ColumnNames: TypeAlias = Mapping[str, str | Sequence[str]]

_PARTS = tuple(f"{column}_{part}" for column in CODE_COLUMNS for part in ("principal", "others"))
_LISTS = (*CODE_COLUMNS, *COMPANIONS, "items_cost")
_EXACT = 0  # the rank of the canonical name
_PLAIN = re.compile(r"[\w=.]+")  # a shell takes it as it is


class Wide(NamedTuple):
    """The columns that hold one list: of the principal code, of each other code, and of lists of the others.

    The column ``head`` holds the principal code or a whole list, which stands before the others.
    """

    principal: str | None
    numbered: tuple[str, ...]
    listed: tuple[str, ...]
    head: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns that are there."""
        return tuple(name for name in (self.head, self.principal, *self.numbered, *self.listed) if name is not None)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which names of a table or record hold which column.

    Attributes
    ----------
    single
        Name by column.
    wide
        For lists that stand in several columns: those columns.
    passed_over
        Column by name, for names of columns that another name stands for.
    """

    single: Mapping[str, str]
    wide: Mapping[str, Wide] = field(default_factory=dict)
    passed_over: Mapping[str, str] = field(default_factory=dict)


def resolve(names: Sequence[str], columns: ColumnNames | None = None, *, what: str = "column in the table") -> Resolved:
    """Find the case columns among the names of a table.

    Only names count, never values: all parts of a stream agree. White space, full-width characters, the case of
    letters, underscores, brackets and units do not count. The canonical name goes before a name that says code
    (编码), and that before a bare one (主要诊断). Columns of one list are joined.

    Parameters
    ----------
    names
        The names of the table, or the keys of a record.
    columns
        Names that the caller gives, before all others: by case column, or by ``dx_principal``, ``dx_others``,
        ``procs_principal`` and ``procs_others``.
    what
        The noun for a name, in errors.

    Raises
    ------
    CaseError
        Two names of one rank stand for one column, or a list of codes stands beside another principal code.
    UnknownNameError
        ``columns`` has a column that is none, or a name that is not there.
    """
    given = expand_columns(columns, names, what=what) if columns else {}
    return _resolve(tuple(names), tuple(given.items()))


def expand_columns(
    columns: ColumnNames, names: Sequence[str], *, more: Sequence[str] = (), what: str = "column in the table"
) -> dict[str, tuple[str, ...]]:
    """Return the names that a caller gives for columns, each as a tuple, with patterns (``*``) filled in.

    ``more`` are columns beside those of a case. Patterns give their names in the order of the numbers in them.
    """
    known = (*CASE_COLUMNS, *_PARTS, *more)
    result: dict[str, tuple[str, ...]] = {}
    for column, theirs in columns.items():
        if column not in known:
            raise UnknownNameError("case column", column, known, hint=f"The columns are {', '.join(known)}.")
        found_by = {one: _matches(one, names) for one in _listed(theirs)}
        for one, matches in found_by.items():
            if not matches:
                raise UnknownNameError(what, str(one), list(names))
        found = tuple(dict.fromkeys(name for matches in found_by.values() for name in matches))
        if not (len(found) == 1 or column.endswith("_others") or (found and column in _LISTS)):
            raise CaseError(
                f"columns= gives {len(found)} names for {column!r}; give one name, such as "
                f"columns={{{column!r}: {(found or ('NAME',))[0]!r}}}"
            )
        result[column] = found
    return result


def keep_columns(columns: ColumnNames | None, names: Sequence[str]) -> dict[str, str | Sequence[str]]:
    """Return, of the names that a caller gives, those of columns that are among ``names``."""
    return {
        column: theirs
        for column, theirs in (columns or {}).items()
        if all(_matches(one, names) for one in _listed(theirs))
    }


def _listed(theirs: str | Sequence[str]) -> Sequence[str]:
    return theirs if isinstance(theirs, list | tuple) else [theirs]  # type: ignore[list-item]


def _matches(wanted: str, names: Sequence[str]) -> list[str]:
    if wanted in names or not isinstance(wanted, str) or "*" not in wanted:
        return [wanted] if wanted in names else []
    pattern = "*".join(re.sub(r"([\[?])", r"[\1]", part) for part in wanted.split("*"))
    return sorted((name for name in names if fnmatchcase(name, pattern)), key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which 其他诊断编码2 stands before 其他诊断编码10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", fold_width(name))]


def find_name(names: Sequence[str], column: str) -> str | None:
    """Return the name in a table of any column of ``columns.csv`` that stands in one piece, None where there is none.

    Raises
    ------
    CaseError
        Two names of one rank stand for the column.
    """
    found = {name: known for name in names if (known := look_up(name)) and known.column == column}
    return _choose(column, found) if found else None


def name_of(name: str) -> str | None:
    """Return the column of ``columns.csv`` (or the part of a list) that a name stands for, None for no known name."""
    found = look_up(name)
    return None if found is None else found.column


@lru_cache(maxsize=256)
def _resolve(names: tuple[str, ...], given: tuple[tuple[str, tuple[str, ...]], ...]) -> Resolved:
    by_hand = dict(given)
    taken = {name for found in by_hand.values() for name in found}
    candidates: dict[str, dict[str, Found]] = {}
    for name in dict.fromkeys(names):
        known = None if name in taken else look_up(name)
        if known is not None and base_of(known.column) in CASE_COLUMNS:
            candidates.setdefault(known.column, {})[name] = known
    single: dict[str, str] = {}
    wide: dict[str, Wide] = {}
    for column in _LISTS:
        parts = _parts_of(column, candidates, by_hand, understood=UNREADABLE in names)
        if parts.names == (parts.head,):
            single[column] = parts.names[0]
        elif parts.names:
            wide[column] = parts
    for column in CASE_COLUMNS:
        if column not in _LISTS and column in by_hand:
            single[column] = by_hand[column][0]
        elif column not in _LISTS and column in candidates:
            single[column] = _choose(column, candidates[column])
    used = {*single.values(), *(name for parts in wide.values() for name in parts.names)}
    passed = {name: base_of(column) for column, found in candidates.items() for name in found if name not in used}
    return Resolved(single, wide, passed)


def _parts_of(
    column: str,
    candidates: Mapping[str, Mapping[str, Found]],
    by_hand: Mapping[str, tuple[str, ...]],
    *,
    understood: bool,
) -> Wide:
    """Return the columns that hold one list.

    A table that the library wrote (``understood``) has the whole list under the canonical name: other names are of
    columns that were passed over before.
    """
    whole, main = candidates.get(column, {}), candidates.get(f"{column}_principal", {})
    told = by_hand.get(f"{column}_others", ())
    if column in by_hand and len(by_hand[column]) > 1:
        return Wide(by_hand[column][0], by_hand[column][1:] + told, ())
    alone = column not in CODE_COLUMNS or understood
    if alone and (column in by_hand or column in whole or (whole and column not in CODE_COLUMNS)):
        return Wide(None, (), (), by_hand[column][0] if column in by_hand else _choose(column, whole))
    head, principal = _beginning(column, whole, main, by_hand)
    series, others = _best(candidates.get(f"{column}_numbered", {}), candidates.get(f"{column}_others", {}))
    numbered = _in_order(series)
    if head is None and principal is None and numbered and series[numbered[0]].number in {0, 1}:
        principal, numbered = _first(column, numbered, series), numbered[1:]
    if f"{column}_others" in by_hand:
        return Wide(principal, numbered + (told if len(told) > 1 else ()), told if len(told) == 1 else (), head)
    listed = tuple(name for name, known in others.items() if known.number is None)
    return Wide(principal, numbered + _in_order(others), listed, head)


def _beginning(
    column: str,
    whole: Mapping[str, Found],
    main: Mapping[str, Found],
    by_hand: Mapping[str, tuple[str, ...]],
) -> tuple[str | None, str | None]:
    """Return the column that a list begins with: one of a whole list or a code, or one of the principal code."""
    part = f"{column}_principal"
    if column in by_hand and part in by_hand:
        raise CaseError(
            f"columns= gives both {column!r} and {part!r}, of which each says the principal code; "
            f"{_advice({part: by_hand[part][0], f'{column}_others': by_hand[column][0]})} joins them"
        )
    if column in by_hand or part in by_hand:
        return (by_hand[column][0], None) if column in by_hand else (None, by_hand[part][0])
    whole, main = _best(whole, main)
    head = _choose(column, whole) if whole else None
    principal = _choose(part, main) if main else None
    if head is not None and principal is not None:
        raise CaseError(
            f"columns {head!r} and {principal!r} may each say the principal code of {column!r}; say which: "
            f"{_advice({column: head})} takes the first code of {head!r}; {_advice({part: principal})} passes "
            f"{head!r} over; {_advice({part: principal, f'{column}_others': head})} joins both"
        )
    return head, principal


def _best(*found: Mapping[str, Found]) -> list[dict[str, Found]]:
    """Return names of parts of one list: the certain ones alone, where there is any."""
    certain = any(known.rank <= CERTAIN for part in found for known in part.values())
    return [{name: known for name, known in part.items() if known.rank <= CERTAIN or not certain} for part in found]


def _in_order(found: Mapping[str, Found]) -> tuple[str, ...]:
    numbers = {name: known.number for name, known in found.items() if known.number is not None}
    return tuple(sorted(numbers, key=lambda name: numbers[name] or 0))


def _first(column: str, numbered: Sequence[str], series: Mapping[str, Found]) -> str:
    """Return the first column of a series, whose code is the principal one."""
    number = series[numbered[0]].number
    return _choose(f"{column}_principal", {name: series[name] for name in numbered if series[name].number == number})


def _choose(column: str, found: Mapping[str, Found]) -> str:
    """Return the name of the lowest rank."""
    ranks = {name: _EXACT if name == column else known.rank for name, known in found.items()}
    best = [name for name in found if ranks[name] == min(ranks.values())]
    if len(best) == 1:
        return best[0]
    both = " and ".join(map(repr, best))
    raise CaseError(
        f"columns {both} both stand for {column!r}; say which with {_advice({column: best[0]})}, "
        f"or name the right one {column!r}"
    )


def _advice(columns: Mapping[str, str]) -> str:
    """Return how a caller says which columns are meant, in Python and on the command line."""
    return f"columns={dict(columns)!r} ({write_options(columns)} on the command line)"


def write_options(columns: Mapping[str, str]) -> str:
    """Return names of columns as options of the command line, quoted where a shell needs it."""
    pairs = [f"{column}={name}" for column, name in columns.items()]
    return " ".join(f"--columns {pair if _PLAIN.fullmatch(pair) else shlex.quote(pair)}" for pair in pairs)
