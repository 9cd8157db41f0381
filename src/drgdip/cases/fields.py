"""The columns of a case: their names in the field, which values each holds, and how one record is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._once import once
from drgdip._text import fold_width
from drgdip._values import Unreadable, read_codes, read_fen, read_number, read_sex, read_text, read_whole
from drgdip.data import rows_of
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "CODE_COLUMNS",
    "COMPANIONS",
    "FAULTS",
    "READERS",
    "UNITS",
    "UNREADABLE",
    "Resolved",
    "Wide",
    "join_wide",
    "read_record",
    "resolve",
]

#: The column that names the columns that cannot be read in a row, joined by blanks, or null.
UNREADABLE = "unreadable"
#: The column that names the faults in the structure of a nested record: rules of ``checks.csv``, or null.
FAULTS = "faults"
#: The two list columns: element 0 is the principal code and may be null.
CODE_COLUMNS = ("dx", "procs")
#: Lists that say something of each code of another list, place by place.
COMPANIONS = {"dx_conditions": "dx", "proc_dates": "procs"}

#: The units that may stand behind a number of a column: its own, in small letters, a longer one first.
UNITS = {
    "age": ("周岁", "岁"),
    "age_days": ("天", "日"),
    "newborn_weight": ("克", "g"),
    "birth_weight": ("克", "g"),
    "admission_weight": ("克", "g"),
    "los": ("天", "日"),
    "icu_hours": ("小时", "h"),
}


def _whole(column: str) -> Callable[[object], Any]:
    return partial(read_whole, units=UNITS[column])


#: How a value of each column is read that grouping may use.
READERS: dict[str, Callable[[object], Any]] = {
    "sex": read_sex,
    "age": _whole("age"),
    "age_days": _whole("age_days"),
    "newborn_weight": _whole("newborn_weight"),
    "birth_weight": _whole("birth_weight"),
    "admission_weight": _whole("admission_weight"),
    "los": _whole("los"),
    "discharge": read_whole,
    "dept": read_text,
    "icu_hours": partial(read_number, units=UNITS["icu_hours"]),
    "dx": read_codes,
    "procs": read_codes,
}
_READERS_AND_COST = READERS | {"total_cost": read_fen}


class Wide(NamedTuple):
    """The columns that hold one list: of the principal code, of each numbered other code, a list of the others."""

    principal: str | None
    numbered: tuple[str, ...]
    listed: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns that are there."""
        return tuple(name for name in (self.principal, *self.numbered, self.listed) if name is not None)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which names of a table or record hold which column.

    Attributes
    ----------
    single
        Name by column.
    wide
        For lists that stand in several columns: those columns.
    """

    single: Mapping[str, str]
    wide: Mapping[str, Wide] = field(default_factory=dict)


@lru_cache(maxsize=256)
def resolve(names: tuple[str, ...]) -> Resolved:
    """Find the case columns among the names of a table.

    A canonical name is taken before an alias; white space, full-width characters and the case of letters do not
    count. Several numbered columns (``其他诊断编码1`` …) make one list.

    Raises
    ------
    CaseError
        Two names are aliases of one column, so that it must be said which is meant.
    """
    plain, patterns = _aliases()
    candidates: dict[str, list[str]] = {}
    series: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        folded = fold_width(name).casefold()
        if folded in plain:
            candidates.setdefault(plain[folded], []).append(name)
            continue
        for pattern, column in patterns:
            match = pattern.fullmatch(folded)
            if match:
                series.setdefault(column, []).append((int(match[1]), name))
                break
    single = {column: _choose(column, found) for column, found in candidates.items()}
    wide: dict[str, Wide] = {}
    for column in (*CODE_COLUMNS, *COMPANIONS, "items_cost"):
        numbered = tuple(name for _, name in sorted(series.get(f"{column}_other", ())))
        parts = Wide(single.pop(f"{column}_principal", None), numbered, single.pop(f"{column}_other", None))
        if column not in single and parts.names:
            wide[column] = parts
    return Resolved(single, wide)


def _choose(column: str, found: Sequence[str]) -> str:
    if column in found or len(found) == 1:
        return column if column in found else found[0]
    both = " and ".join(map(repr, found))
    raise CaseError(
        f"columns {both} both stand for {column!r}; say which with columns={{{column!r}: {found[0]!r}}} "
        f"(--columns {column}={found[0]} on the command line), or name the right one {column!r}"
    )


@once
def _aliases() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return the column by folded alias, and the patterns of numbered columns."""
    plain: dict[str, str] = {}
    numbered = []
    for row in rows_of("columns.csv"):
        column, alias = row["column"], fold_width(row["alias"]).casefold()
        plain.setdefault(column, column)
        if "{n" in alias:
            digits = r"(\\d{2})" if "{n:02}" in alias else r"(\\d)" if "{n:1}" in alias else r"(\\d{1,2})"
            text = re.sub(r"\\\{n(:02|:1)?\\\}", digits, re.escape(alias))
            numbered.append((re.compile(text), column))
        else:
            plain[alias] = column
    return plain, numbered


def read_record(record: Mapping[str, Any], *, cost: bool = False) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the values of one record by column, and the columns whose value cannot be read (null in the values).

    Names that are no case column are passed over. The total cost, in fen, is read where it is asked for.
    """
    resolved = resolve(tuple(name for name in record if isinstance(name, str)))
    values: dict[str, Any] = {}
    marks = record.get(UNREADABLE)
    unreadable = set(marks.split()) if isinstance(marks, str) else set()
    for column, read in (_READERS_AND_COST if cost else READERS).items():
        name = resolved.single.get(column)
        try:
            if name is not None:
                values[column] = read(record[name])
            elif column in resolved.wide:
                values[column] = read(join_wide(record, resolved.wide[column]))
            else:
                values[column] = read(None)
        except Unreadable:
            values[column] = [] if column in CODE_COLUMNS else None
            unreadable.add(column)
    return values, frozenset(unreadable)


def join_wide(record: Mapping[str, Any], wide: Wide) -> list[object]:
    """Return the codes of a wide record as one list."""
    codes = [None if wide.principal is None else record[wide.principal]]
    codes += [record[name] for name in wide.numbered]
    return codes if wide.listed is None else [*codes, *read_codes(record[wide.listed])]
