"""The names of the columns of a case in the field: which name of a table or record is which column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from drgdip._once import once
from drgdip._text import fold_width
from drgdip.data import rows_of
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CODE_COLUMNS", "COMPANIONS", "Resolved", "Wide", "resolve"]

#: The two list columns: element 0 is the principal code and may be null.
CODE_COLUMNS = ("dx", "procs")
#: Lists that say something of each code of another list, place by place.
COMPANIONS = {"dx_conditions": "dx", "proc_dates": "procs"}


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
