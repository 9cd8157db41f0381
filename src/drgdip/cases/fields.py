"""The columns of a case: which values each holds, and how one record is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._values import Unreadable, read_codes, read_fen, read_number, read_sex, read_text, read_whole
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
    "read_record",
]

#: The column that names the faults in the structure of a nested record: rules of ``checks.csv``, or null.
FAULTS = "faults"

#: How a value of each column is read that grouping may use.
READERS: dict[str, Callable[[object], Any]] = {
    "sex": read_sex,
    "age": read_whole,
    "age_days": read_whole,
    "newborn_weight": read_whole,
    "birth_weight": read_whole,
    "admission_weight": read_whole,
    "los": read_whole,
    "discharge": read_whole,
    "dept": read_text,
    "icu_hours": read_number,
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
        if name is not None:
            value = record[name]
        elif column in resolved.wide:
            value = _join(record, resolved.wide[column])
        else:
            value = None
        try:
            values[column] = read(value)
        except Unreadable:
            values[column] = None
            unreadable.add(column)
    return values, frozenset(unreadable)


def _join(record: Mapping[str, Any], wide: Wide) -> list[object]:
    """Return the codes of a wide record as one list."""
    codes: list[object] = [None if wide.principal is None else record[wide.principal]]
    if wide.head is not None:
        codes = [*read_codes(record[wide.head])] or [None]
    codes += [record[name] for name in wide.numbered]
    return [*codes, *(code for name in wide.listed for code in read_codes(record[name]))]
