"""Facts of cases that indicators read, by the kinds of their columns, and those that are derived from other columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_numbers
from drgdip._arrow import filled, flags, one_chunk, valid
from drgdip._columns import Columns, Keys, as_list
from drgdip._money import add_up, read_amounts
from drgdip._once import once
from drgdip._sums import blocks, counts, sums
from drgdip._values import Unreadable, read_flag
from drgdip.data import rows_of
from drgdip.errors import CaseError
from drgdip.points import mark_readmissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip._money import Fen

    Rows = NDArray[np.bool_]

__all__ = ["OF_GROUPED", "Column", "Facts", "Flag", "case_columns", "grouped_of", "keys_of", "needs_of", "rows_of_keys"]


class Column(NamedTuple):
    """A column that indicators read.

    ``kind`` is money (yuan), number, code (one of ``values``), flag or key; ``needs`` says what gives it.
    """

    column: str
    kind: str
    values: tuple[str, ...]
    needs: str
    english: str
    chinese: str


class Flag(NamedTuple):
    """Which cases have a property, and of which cases it is known (None: of all)."""

    holds: Rows
    known: Rows | None


class _Found(NamedTuple):
    """A number of each case: the number of its code in a table, or its own number over that of its code."""

    table: Floats
    codes: Codes
    own: Any = None
    unit: float = 1.0

    def __getitem__(self, part: Any) -> Any:  # a block of rows, so that no column as long as the table is made
        found = self.table[self.codes[part]]
        return found if self.own is None else self.own[part] / self.unit / found


@once
def case_columns() -> Mapping[str, Column]:
    """Return the columns that indicators read, by name (``data/monitor/indicator_columns.csv``)."""
    found = {}
    for row in rows_of("monitor/indicator_columns.csv"):
        values = tuple(filter(None, row["values"].split("|")))
        found[row["column"]] = Column(row["column"], row["kind"], values, row["needs"], row["english"], row["chinese"])
    return found


def needs_of(names: Iterable[str]) -> str:
    """Return in words what gives some columns."""
    return "; ".join(dict.fromkeys(case_columns()[name].needs for name in names))


#: Columns that only a grouped case has a value in.
OF_GROUPED = frozenset({"weight", "relative_cost", "relative_stay", "low_risk", "basic"})
#: Columns that derived ones are made of, beside those of `case_columns`.
_SOURCES = ("status", "group", "discharged", "admitted", "patient", "treatment", "primary_care", "hospital")


class Facts:
    """The cases of a table, each column read once as its kind asks.

    Parameters
    ----------
    table
        Any table that can be read again.
    by
        Names of columns that must be there. ``month`` comes from ``discharged`` where it is not.
    region
        The facts of the cases that group means come from; None for the cases themselves.
    weights, low_risk, basic, readmission_days, columns
        As in `drgdip.monitor.indicators`.
    what
        Name of the table in messages.
    """

    def __init__(
        self,
        table: Any,
        by: Iterable[str] = (),
        *,
        region: Facts | None = None,
        weights: Any = None,
        low_risk: Sequence[str] | None = None,
        basic: Sequence[str] | None = None,
        readmission_days: int | None = None,
        what: str = "the cases",
        columns: Mapping[str, str] | None = None,
    ) -> None:
        names = [*case_columns(), *_SOURCES]
        by = list(by)
        self.columns = Columns(table, what=what, columns=columns or {}, optional=[*names, *by])
        if "month" in by and "month" not in self.columns and "discharged" in self.columns:
            self.columns.add("month", *_months(self.columns))
        self.columns.require(by)
        self.rows = self.columns.rows
        self._region = self if region is None else region
        self._money: dict[str, tuple[Fen, Rows | None]] = {}
        self._numbers: dict[str, tuple[Any, Rows | None]] = {}
        self._flags: dict[str, Flag] = {}
        self._known: dict[str, Rows | None] = {}
        self._add_flags(low_risk, basic, readmission_days)
        self._add_numbers(weights)

    def has(self, name: str) -> bool:
        """Return whether a column is in the table, or derived."""
        return name in self._flags or name in self._numbers or (name in self.columns and name in case_columns())

    def money(self, name: str) -> tuple[Fen, Rows | None]:
        """Return a column of yuan as fen, and which rows have an amount (None: all)."""
        if name not in self._money:
            column = one_chunk(self.columns.column(name))
            fen, known = np.empty(len(column), np.int64), np.empty(len(column), bool)
            # Texts are told apart once, so that they are read in one piece.
            plain = pa.types.is_decimal128(column.type)
            for part in blocks(len(column)) if plain else [slice(0, len(column))]:
                piece = column.slice(part.start, part.stop - part.start)
                fen[part], known[part], failed = read_amounts(piece)
                self._refuse(name, failed, "yuan", part.start)
            self._money[name] = fen, _all_or(known)
        return self._money[name]

    def numbers(self, name: str) -> tuple[Any, Rows | None]:
        """Return a column of numbers, to be read by blocks of rows, and which rows have one (None: all)."""
        if name not in self._numbers:
            numbers, failed = read_numbers(one_chunk(self.columns.column(name)))
            self._refuse(name, failed, "numbers")
            missing = np.isnan(numbers)
            self._numbers[name] = numbers, ~missing if missing.any() else None
        return self._numbers[name]

    def flag(self, name: str) -> Flag:
        """Return a column of true and false."""
        if name not in self._flags:
            column = one_chunk(self.columns.column(name))
            if pa.types.is_boolean(column.type) and len(column):
                known = valid(column)
                self._flags[name] = Flag(flags(column) & known, _all_or(known))
                return self._flags[name]
            codes, values = self.columns.codes(name)
            try:
                read = [read_flag(value) for value in values.to_pylist()]
            except Unreadable as error:
                self._refuse(name, codes >= 0, "true or false")
                raise AssertionError from error
            self._flags[name] = Flag(_of(codes, [value is True for value in read]), _all_or(codes >= 0))
        return self._flags[name]

    def among(self, name: str, values: Sequence[str]) -> Rows:
        """Return which cases hold one of some texts."""
        return self.holding(name, values)(slice(None))

    def holding(self, name: str, values: Sequence[str]) -> Callable[[slice], Rows]:
        """Return a function that says of a block of rows which of them hold one of some texts."""
        codes, held = self.columns.codes(name)
        table = np.append(np.asarray(pc.is_in(held, value_set=pa.array(list(values), pa.string()))), False)
        return lambda part: table[codes[part]]

    def known(self, name: str) -> Rows | None:
        """Return which cases have a value that can count in a column, None for all."""
        if name not in self._known:
            kind, domain = case_columns()[name].kind, case_columns()[name].values
            if kind == "flag":
                self._known[name] = self.flag(name).known
            elif kind == "money":
                self._known[name] = self.money(name)[1]
            elif kind == "number":
                self._known[name] = self.numbers(name)[1]
            else:
                codes = self.columns.codes(name)[0]
                self._known[name] = _all_or(self.among(name, domain) if domain else codes >= 0)
        return self._known[name]

    def _refuse(self, name: str, failed: Rows, wanted: str, first: int = 0) -> None:
        if failed.any():
            row = first + int(np.flatnonzero(failed)[0])
            held = self.columns.column(name)[row].as_py()
            raise CaseError(f"column {name!r} of {self.columns.what} holds {held!r} in row {row}: give {wanted}")

    def _add_flags(self, low_risk: Any, basic: Any, readmission_days: int | None) -> None:
        """Derive the flags that the table does not have itself."""
        there = self.columns
        if "status" in there or "group" in there:
            self._flags["is_grouped"] = self._grouped()
        for name, groups in (("low_risk", low_risk), ("basic", basic)):
            own = "primary_care" if name == "basic" and name not in there else name
            if groups is not None:
                there.require(["group"])
                grouped = self._flags["is_grouped"].holds
                self._flags[name] = Flag(grouped & self.among("group", list(map(str, as_list(groups)))), grouped)
            elif own in there:
                self._flags[name] = self._of_grouped(self.flag(own))
        if "surgical" not in there and "surgery_level" in there:
            self._flags["surgical"] = Flag(self.among("surgery_level", list("1234")), self.known("surgery_level"))
        elif "surgical" not in there and "treatment" in there:
            codes = there.codes("treatment")[0]
            self._flags["surgical"] = Flag(self.among("treatment", ["surgery"]), _all_or(codes >= 0))
        if readmission_days is not None:
            self._flags["readmitted"] = self._readmitted(readmission_days)

    def _of_grouped(self, flag: Flag) -> Flag:
        """Return a flag of groups, which no case without a group has."""
        if "is_grouped" not in self._flags:
            return flag
        grouped = self._flags["is_grouped"].holds
        return Flag(flag.holds & grouped, _all_or(grouped if flag.known is None else flag.known & grouped))

    def _grouped(self) -> Flag:
        known = None
        if "status" in self.columns:
            known = _all_or(self.among("status", ["grouped", "ambiguous", "ungrouped", "invalid"]))
        return Flag(grouped_of(self.columns), known)

    def _readmitted(self, days: int) -> Flag:
        self.columns.require(["patient", "admitted", "discharged"])
        patient = self.columns.alike(["patient"])
        begin, end = (self.columns.dates(name) for name in ("admitted", "discharged"))
        table = {"patient": pa.array(patient, mask=patient < 0), "admitted": begin, "discharged": end}
        marked = mark_readmissions(pa.table(table), days=days, factor=0, same=[])
        unknown = np.asarray(pc.fill_null(pc.equal(marked["readmission_reason"], "unknown_stay"), fill_value=False))
        follows = np.asarray(marked["readmission_factor"]) == 0
        follows[_twins(patient, begin, end)] = True
        return Flag(follows, _all_or(~unknown))

    def _add_numbers(self, weights: Any) -> None:
        """Derive the weights of grouped cases, and costs and stays over the region's mean of the group."""
        if "is_grouped" in self._flags and weights is None and "weight" in self.columns:
            numbers, known = self.numbers("weight")
            grouped = self._flags["is_grouped"].holds
            self._numbers["weight"] = numbers, _all_or(grouped if known is None else grouped & known)
        if weights is not None:
            self.columns.require(["group"])
        if "group" not in self.columns:
            return
        grouped = self._flags["is_grouped"].holds
        codes, values = self.columns.codes("group")
        if weights is not None:
            table = Columns(weights, ["group", "weight"], what="the table weights=")
            place = Columns(pa.table({"group": values}), ["group"]).match(["group"], table)
            self._numbers["weight"] = _looked_up(np.append(table.numbers("weight"), np.nan)[place], codes, grouped)
        for name, target in (("total_cost", "relative_cost"), ("los", "relative_stay")):
            if name in self.columns and name in self._region.columns and "group" in self._region.columns:
                own, known, unit = self.amounts(name)
                mean = self._region.means(name, values)
                found = _looked_up(mean, codes, grouped if known is None else grouped & known)
                self._numbers[target] = found[0]._replace(own=own, unit=unit), found[1]

    def amounts(self, name: str) -> tuple[Any, Rows | None, float]:
        """Return the numbers of a column, which rows have one, and how many of them make one unit (100 fen)."""
        if case_columns()[name].kind == "money":
            return *self.money(name), 100.0
        return *self.numbers(name), 1.0

    def means(self, name: str, groups: pa.Array) -> Floats:
        """Return the means of a column for some groups, NaN where no grouped case has a number or the mean is 0."""
        numbers, known, unit = self.amounts(name)
        codes, values = self.columns.codes("group")
        counted = np.where(
            self._flags["is_grouped"].holds if known is None else self._flags["is_grouped"].holds & known, codes, -1
        )
        total = add_up(counted, numbers, len(values)) if unit > 1 else sums(counted, numbers, len(values))
        number = counts(counted, len(values))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.append(total / (number * unit), np.nan)
        place = pc.fill_null(pc.index_in(groups, value_set=values), -1).to_numpy(zero_copy_only=False)
        return cast("Floats", np.where(mean > 0, mean, np.nan)[place])


def _twins(patient: Codes, begin: pa.Array, end: pa.Array) -> Any:
    """Return the rows of stays without a night that the patient has several of on one day: each follows the other."""
    first, last = (filled(days.cast(pa.int32()), -1) for days in (begin, end))
    rows = np.flatnonzero((first == last) & (first >= 0) & (patient >= 0))
    stays = patient[rows].astype(np.int64) << 32 | first[rows].astype(np.int64)
    _, place, number = np.unique(stays, return_inverse=True, return_counts=True)
    return rows[number[place] > 1]


def grouped_of(columns: Columns) -> Rows:
    """Return which cases are grouped: those of that status, and with a group; what a table lacks is not asked."""
    grouped = np.ones(columns.rows, bool)
    if "status" in columns:
        codes, values = columns.codes("status")
        grouped = _of(codes, pc.equal(values, "grouped"))
    if "group" in columns:
        grouped = grouped & (columns.codes("group")[0] >= 0)
    return grouped


def _of(codes: Codes, held: Any) -> Rows:
    """Return a property of values as one of rows; a row without a value does not have it."""
    return cast("Rows", np.append(np.asarray(held, bool), False)[codes])


def _all_or(known: Rows) -> Rows | None:
    return None if known.all() else known


def _looked_up(table: Floats, codes: Codes, counted: Rows) -> tuple[_Found, Rows | None]:
    """Return numbers by code, and which of the rows that may count have one."""
    table = np.append(table, np.nan)
    return _Found(table, codes), _all_or(counted & ~np.isnan(table)[codes])


def _months(columns: Columns) -> tuple[Codes, pa.Array]:
    """Return the month of each discharge, such as 2024-05, as codes and texts in order."""
    days = columns.dates("discharged").to_numpy(zero_copy_only=False)
    months = np.asarray(days, "datetime64[M]")
    known = ~np.isnat(months)
    number = np.where(known, months.astype(np.int64), 0)
    if not known.any():
        return np.full(len(number), -1, np.int32), pa.array([], pa.string())
    first = int(number[known].min())
    present = np.bincount(number[known] - first) > 0
    place = np.cumsum(present) - 1
    codes = np.where(known, place[np.where(known, number - first, 0)], -1)
    texts = (first + np.flatnonzero(present)).astype("datetime64[M]").astype(str)
    return codes.astype(np.int32), pa.array(texts.tolist(), pa.string())


def keys_of(facts: Facts, by: Sequence[str]) -> Keys:
    """Return the keys of the cases, in order; a missing part of a key is a value of its own, null, after the others."""
    names = []
    for name in by:
        names.append(f"key {name}")
        if names[-1] in facts.columns:
            continue
        codes, values = facts.columns.codes(name)
        missing = codes < 0
        if missing.any():
            values = pa.concat_arrays([values, pa.nulls(1, values.type)])
            codes = np.where(missing, np.int32(len(values) - 1), codes)
        facts.columns.add(names[-1], codes, values)
    keys = facts.columns.keys(names)
    return Keys(keys.codes, dict(zip(by, keys.table.values(), strict=True)), keys.size)


def rows_of_keys(keys: Keys) -> list[tuple[Any, ...]]:
    """Return the keys as rows; without columns there is one, without parts."""
    columns = [values.to_pylist() for values in keys.table.values()]
    return list(zip(*columns, strict=True)) if columns else [()]
