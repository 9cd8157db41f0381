"""The columns of a case: which values each holds, and how one record is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from drgdip._values import Unreadable, read_codes, read_day, read_fen, read_number, read_sex, read_text, read_whole
from drgdip.cases.aliases import UNITS
from drgdip.cases.names import CODE_COLUMNS, COMPANIONS, UNREADABLE, resolve

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Collection, Mapping

    from drgdip.cases.names import ColumnNames, Wide

__all__ = [
    "CODE_COLUMNS",
    "COMPANIONS",
    "FAULTS",
    "INFANT",
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
_DAYS = ("born", "admitted", "discharged")
#: Days of age below which a case is 0 years old.
INFANT = 365
_READERS_AND_COST = READERS | {"total_cost": read_fen}


def read_record(
    record: Mapping[str, Any], columns: ColumnNames | None = None, *, cost: bool = False, derived: bool = False
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the values of one record by column, and the columns whose value cannot be read (null in the values).

    Names that are no case column are passed over. The total cost, in fen, is read where it is asked for (``cost``).
    With ``derived``, days give the ages and the stay that are missing.
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
    if derived:
        _fill_in(values, unreadable, {name: record[resolved.single[name]] for name in _DAYS if name in resolved.single})
    return values, frozenset(unreadable)


def _fill_in(values: dict[str, Any], unreadable: Collection[str], days_of: Mapping[str, Any]) -> None:
    """Fill in the ages and the stay where days give them: what `drgdip.cases.derive.derive` does for columns."""

    def between(first: str, last: str) -> tuple[datetime.date, datetime.date] | None:
        try:
            one, other = read_day(days_of.get(first)), read_day(days_of.get(last))
        except Unreadable:
            return None
        return (one, other) if one is not None and other is not None and one <= other else None

    def lacks(column: str) -> bool:
        return values[column] is None and column not in unreadable

    if (lacks("age") or (lacks("age_days") and not values["age"])) and (days := between("born", "admitted")):
        born, admitted = days
        years = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
        if lacks("age"):
            values["age"] = years
        if years == 0 and lacks("age_days") and not values["age"]:
            values["age_days"] = (admitted - born).days
    if lacks("age") and (infant := values["age_days"]) is not None and 0 <= infant < INFANT:
        values["age"] = 0
    if lacks("los") and (days := between("admitted", "discharged")):
        values["los"] = max(1, (days[1] - days[0]).days)


def join_wide(record: Mapping[str, Any], wide: Wide) -> list[object]:
    """Return the codes of a wide record as one list."""
    codes: list[object] = [None if wide.principal is None else record[wide.principal]]
    if wide.head is not None:
        codes = [*read_codes(record[wide.head])] or [None]
    codes += [record[name] for name in wide.numbered]
    return [*codes, *(code for name in wide.listed for code in read_codes(record[name]))]
