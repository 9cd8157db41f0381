"""The columns of a case: which values each holds, and how one record is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from drgdip._values import Unreadable, read_codes, read_fen, read_number, read_sex, read_text, read_whole
from drgdip.cases.aliases import UNITS
from drgdip.cases.names import CODE_COLUMNS, COMPANIONS, UNREADABLE, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drgdip.cases.names import ColumnNames, Wide

__all__ = [
    "CODE_COLUMNS",
    "COMPANIONS",
    "FAULTS",
    "READERS",
    "UNREADABLE",
    "join_wide",
    "read_record",
]

#: The column that names the faults in the structure of a nested record: rules of ``checks.csv``, or null.
FAULTS = "faults"


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


def read_record(
    record: Mapping[str, Any], columns: ColumnNames | None = None, *, cost: bool = False
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the values of one record by column, and the columns whose value cannot be read (null in the values).

    Names that are no case column are passed over. The total cost, in fen, is read where it is asked for.
    """
    resolved = resolve([name for name in record if isinstance(name, str)], columns, what="key of the case")
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
    codes: list[object] = [None if wide.principal is None else record[wide.principal]]
    if wide.head is not None:
        codes = [*read_codes(record[wide.head])] or [None]
    codes += [record[name] for name in wide.numbered]
    return [*codes, *(code for name in wide.listed for code in read_codes(record[name]))]
