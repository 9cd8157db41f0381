"""The checks: each says in which rows of a view a rule is broken (`drgdip.check_cases`)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_days, read_numbers
from drgdip._arrow import filled, from_numpy, valid
from drgdip._money import read_amounts
from drgdip._once import once
from drgdip.cases.codes import grey_codes, known_codes
from drgdip.cases.derive import whole_years
from drgdip.cases.numbered import Codes, codes_of
from drgdip.cases.table import as_lists, marked
from drgdip.data import rows_of
from drgdip.grouper.facts import ALWAYS_READ, NOT_NEGATIVE, OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.hints import reason_of_unknown
from drgdip.grouper.principal import barred_codes
from drgdip.grouper.result import REASONS
from drgdip.grouper.view import Finding, View, as_text, at, of_codes
from drgdip.reasons import reasons_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from drgdip.grouper.grammar import Compare

__all__ = ["CHECKS", "Check", "rules_by_id"]

_CHECKS_TABLE = "checks/checks.csv"
_DISCHARGES = (1, 2, 3, 4, 5, 9)
#: Days of life of the oldest newborn, and of a year.
_NEWBORN, _YEAR = 28, 365
#: Half a fen.
_TOLERANCE = 0.005


class Check(NamedTuple):
    """A rule that cases are checked by: its id, level, field, source, and message in two languages."""

    id: str
    level: str
    field: str
    citation: str
    english: str
    chinese: str


@once
def rules_by_id() -> Mapping[str, Check]:
    """Return the rules by id."""
    reasons = reasons_of("checks")
    checks = {}
    for row in rows_of(_CHECKS_TABLE):
        reason = reasons[row["id"]]
        checks[reason.code] = Check(
            reason.code, reason.level, row["field"], row["citation"], reason.english, reason.chinese
        )
    return MappingProxyType(checks)


def _required(view: View) -> Iterator[Finding]:
    """Find values that the scheme requires, by the names of the reasons for which it would refuse a case."""
    required, rows = view.scheme.required, len(view.cases)
    used = [column for variable, column in VALUE_VARIABLES.items() if variable in view.scheme.variables]
    impossible = {column: view.numbers(column) < 0 for column in NOT_NEGATIVE.intersection(used) - view.scheme.signed}
    for column in (*ALWAYS_READ, *used):
        if f"unreadable_{column}" in REASONS:
            yield at(f"unreadable_{column}", view.bad(column) | impossible.get(column, False))
    newborn = view.numbers("age_days") <= _NEWBORN
    due = {VALUE_VARIABLES[name]: np.full(rows, True) for name in required if name in VALUE_VARIABLES}
    for column, when in (("age_days", view.numbers("age") == 0), ("newborn_weight", newborn)):
        if column in used:
            due.setdefault(column, when)
    for column, when in due.items():
        yield at(f"missing_{column}", when & ~valid(view.column(column)) & ~view.bad(column))
    if "ZYZD" in required:
        yield at("missing_principal_diagnosis", _without_principal(view, view.dx) & ~view.bad("dx"))
    if "ZYSS" in required:
        yield at("missing_principal_procedure", _without_principal(view, view.procs) & ~view.bad("procs"))
    sex = view.numbers("sex")
    if "XB" in required:
        yield at("invalid_sex", ~np.isnan(sex) & (sex != 1) & (sex != 2), view.column("sex"))
    if view.has("discharge"):
        mode = view.numbers("discharge")
        yield at("unknown_discharge", ~np.isnan(mode) & ~np.isin(mode, _DISCHARGES), view.column("discharge"))


def _without_principal(view: View, codes: Codes) -> np.ndarray:
    blank = np.full(len(view.cases), True)
    blank[codes.row[(codes.place == 0) & codes.known]] = False
    return blank


def _against_code_sets(view: View) -> Iterator[Finding]:
    """Find unknown codes, grey ones, and those that may not be principal ones."""
    info = view.scheme.info
    kinds = ((view.dx, info.diagnosis_codes, "diagnosis"), (view.procs, info.procedure_codes, "procedure"))
    for codes, code_set, word in kinds:
        principal = codes.place == 0
        named = known_codes(code_set)
        if named:  # the codes of a code set that is not here cannot be called unknown
            unknown = codes.known & ~codes.among(named | view.scheme.named_codes)
            yield of_codes(f"unknown_principal_{word}", unknown & principal, codes)
            yield of_codes(f"unknown_other_{word}", unknown & ~principal, codes)
            yield from _of_unknown(codes, unknown, code_set, word)
        grey = codes.among(grey_codes(code_set))
        yield of_codes(f"grey_principal_{word}", grey & principal, codes)
        yield of_codes(f"grey_other_{word}", grey & ~principal, codes)
    yield from _against_own_list(view)


def _against_own_list(view: View) -> Iterator[Finding]:
    """Find codes that the scheme's own list takes out of grouping; the national list of DIP where it has none."""
    for reason, codes in barred_codes(view.scheme).items():
        yield of_codes(reason, view.dx.among(codes) & (view.dx.place == 0), view.dx)
    if view.scheme.not_grouped:
        procedures = view.procs.among(view.scheme.not_grouped.get("procedure", frozenset()))
        yield of_codes("procedure_not_grouped", procedures, view.procs)


def _of_unknown(codes: Codes, unknown: np.ndarray, code_set: str, word: str) -> Iterator[Finding]:
    """Find why codes are unknown: several in one text, of another edition, names in their place."""
    column = "dx" if word == "diagnosis" else "procs"
    distinct = {codes.names[number] for number in np.unique(codes.number[unknown]).tolist()}
    reasons = {code: reason_of_unknown(code, column, code_set)[0] for code in distinct}
    for reason in ("joined", "edition", "name"):
        among = frozenset(code for code, found in reasons.items() if found == f"hint_{reason}")
        if among:
            yield of_codes(f"{reason}_{word}", unknown & codes.among(among), codes)


def _against_mdcs(view: View) -> Iterator[Finding]:
    """Find principal diagnoses that MDCs take only at another sex or another age than the case has.

    Conditions of an MDC on other diagnoses and on procedures count as met: only sex and age are in question. A missing
    value is another finding: it conflicts with nothing. A catalogue has no MDCs.
    """
    entrances = list(view.scheme.entrances())
    if not entrances:
        return
    free = frozenset().union(*(codes for codes, comparisons in entrances if codes is not None and not comparisons))
    bound = (view.dx.place == 0) & view.dx.known & ~view.dx.among(free)
    row = view.dx.row[bound]
    values = {variable: view.numbers(VALUE_VARIABLES[variable])[row] for variable in ("XB", "NL", "XSRTL")}
    values["XB"] = np.where(np.isin(values["XB"], (1, 2)), values["XB"], np.nan)
    bounded = [
        (None if codes is None else view.dx.among(codes)[bound], comparisons)
        for codes, comparisons in entrances
        if comparisons
    ]
    left = ~_taken(bounded, values, len(row))
    by_sex = left & _taken(bounded, values, len(row), ("XB",))
    by_age = left & ~by_sex & _taken(bounded, values, len(row), ("NL", "XSRTL"))
    for rule, conflicts in (("sex_conflict", by_sex), ("age_conflict", by_age)):
        broken = np.zeros(len(bound), dtype=bool)
        broken[np.flatnonzero(bound)[conflicts]] = True
        yield of_codes(rule, broken, view.dx)


def _taken(
    entrances: Iterable[tuple[np.ndarray | None, list[tuple[Compare, bool]]]],
    values: Mapping[str, np.ndarray],
    size: int,
    besides: tuple[str, ...] = (),
) -> np.ndarray:
    """Return which cases some MDC would take if it did not look at the variables ``besides``.

    An entrance has the cases whose principal diagnosis it takes (None for all), and its comparisons.
    """
    result = np.zeros(size, dtype=bool)
    for members, comparisons in entrances:
        if members is None and besides:
            continue
        met = np.full(size, True) if members is None else members.copy()
        for condition, wanted in comparisons:
            if condition.variable in values and condition.variable not in besides:
                value = values[condition.variable]
                holds = OPERATORS[condition.operator](value, condition.value) == wanted
                # A missing value leaves open what the diagnosis asks for, but opens no way by itself.
                met &= np.where(np.isnan(value), members is not None, holds)
        result |= met
    return result


def _duplicates(view: View) -> Iterator[Finding]:
    yield of_codes("duplicate_diagnosis", _repeated(view.dx, None), view.dx)
    dates = _procedure_days(view)
    yield of_codes("duplicate_procedure", _repeated(view.procs, dates[0] if dates else None), view.procs)
    if view.has("case_id"):
        parts = [view.column(name) for name in ("hospital", "case_id", "admitted", "discharged") if view.has(name)]
        key = np.zeros(len(view.cases), dtype=np.int64)
        for part in parts:
            encoded = as_text(part).dictionary_encode()
            both = key * (len(encoded.dictionary) + 1) + filled(encoded.indices, -1) + 1
            key = np.unique(both, return_inverse=True)[1]  # one number for the values so far and this one
        repeated = np.bincount(key, minlength=1)[key] > 1
        yield at("duplicate_case", repeated & valid(view.column("case_id")), view.column("case_id"))


def _repeated(codes: Codes, days: np.ndarray | None) -> np.ndarray:
    """Return which codes stand in their row before, and on the same day."""
    key = codes.row * (len(codes.names) + 1) + codes.number
    if days is not None:
        distinct = np.unique(days, return_inverse=True)[1]
        key = key * (int(distinct.max(initial=0)) + 1) + distinct
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(len(key), dtype=bool)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    repeated &= codes.known
    return repeated


def _ages(view: View) -> Iterator[Finding]:
    age, days, weight = view.numbers("age"), view.numbers("age_days"), view.numbers("newborn_weight")
    # Systems write 0 for an age in days that does not apply; more than a year is no infant's.
    mismatch = ((age >= 1) & (days >= 1) & (days < _YEAR)) | ((age == 0) & ((days > _YEAR) | (days < 0)))
    yield at("age_days_mismatch", mismatch, view.column("age_days"))
    yield at("weight_of_no_newborn", (weight > 0) & ((age >= 1) | (days > _NEWBORN)), view.column("newborn_weight"))
    for name, (low, high) in view.limits.items():
        if view.has(name):
            column = view.column(name)
            numbers = read_numbers(column)[0]
            yield at("out_of_limits", (numbers < low) | (numbers > high), as_text(column), name)


def _dates(view: View) -> Iterator[Finding]:
    for name in ("born", "admitted", "discharged"):
        if view.has(name):
            bad = read_days(view.column(name))[1] | view.bad(name)
            yield at("unreadable_date", bad, as_text(view.column(name)), name)
    born, admitted, discharged = (view.days(name) for name in ("born", "admitted", "discharged"))
    if view.has("born", "admitted"):
        yield at("born_after_admission", born > admitted, as_text(view.column("born")))
        age, years = view.numbers("age"), whole_years(born, admitted)
        yield at("age_mismatch", ~np.isnan(age) & ~np.isnan(years) & (age != years), view.column("age"))
    if view.has("admitted", "discharged"):
        yield at("discharge_before_admission", discharged < admitted, as_text(view.column("discharged")))
        los, stay = view.numbers("los"), np.maximum(1, (discharged - admitted).astype(np.float64))
        wrong = ~np.isnan(los) & ~np.isnat(admitted) & (discharged >= admitted) & (los != stay)
        yield at("los_mismatch", wrong, view.column("los"))
    dates = _procedure_days(view)
    if dates:
        days, bad, texts = dates
        shown = texts.take(from_numpy(np.flatnonzero(bad)))
        yield Finding("unreadable_date", view.procs.row[bad], shown, "proc_dates")
        yield at("unreadable_date", view.bad("proc_dates"), field="proc_dates")
        row = view.procs.row
        bad = bad | view.bad("proc_dates")[row]
        yield of_codes("procedure_without_date", np.isnat(days) & ~bad & view.procs.known, view.procs)
        outside = ((days < admitted[row]) | (days > discharged[row])) & view.procs.known
        yield of_codes("procedure_outside_stay", outside, view.procs)


def _procedure_days(view: View) -> tuple[np.ndarray, np.ndarray, pa.Array] | None:
    """Return the day of each procedure, which of them is no date, and the dates as written; None without dates."""
    if not view.has("proc_dates"):
        return None
    given = view.column("proc_dates")
    lists = as_lists(given) if not _is_list(given.type) else given
    lengths = filled(pc.list_value_length(lists), 0)
    wanted = np.bincount(view.procs.row, minlength=len(lengths))
    if not np.array_equal(lengths, wanted):
        return _padded_days(lists, lengths, wanted)
    days, bad = read_days(lists.flatten())
    return days, bad, as_text(lists.flatten())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _padded_days(lists: pa.Array, lengths: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    """Return the same as `_procedure_days` for lists of another length than the procedures; missing dates are null."""
    flat = lists.flatten()
    place = np.arange(wanted.sum()) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    index = np.repeat(np.cumsum(lengths) - lengths, wanted) + place
    there = place < np.repeat(lengths, wanted)
    chosen = flat.take(from_numpy(np.where(there, index, 0), there))
    days, bad = read_days(chosen)
    return days, bad, as_text(chosen)


def _money(view: View) -> Iterator[Finding]:
    amounts = {}
    for name in ("total_cost", "items_cost"):
        if view.has(name):
            fen, known, bad = read_amounts(view.column(name))
            amounts[name] = np.where(known, fen / 100, np.nan)
            texts = as_text(view.column(name))
            yield at(f"unreadable_{name}", bad | view.bad(name), texts)
            yield at("negative_cost", amounts[name] < 0, texts, name)
    if len(amounts) > 1:
        wrong = np.abs(amounts["total_cost"] - amounts["items_cost"]) > _TOLERANCE
        yield at("cost_mismatch", wrong, as_text(view.column("total_cost")))


def _conditions(view: View) -> Iterator[Finding]:
    if view.has("dx_conditions"):
        conditions = codes_of(view.column("dx_conditions"))
        absent = (conditions.place == 0) & conditions.among(frozenset({"4"}))
        yield of_codes("absent_principal", absent, conditions)


def _structure(view: View) -> Iterator[Finding]:
    """Find the faults that the reader of nested records wrote down (`drgdip.cases.settlement_list`)."""
    if view.faults is not None and view.faults.null_count < len(view.faults):
        for rule in rules_by_id():
            if rule not in REASONS:
                yield at(rule, marked(view.faults, rule))


CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = (
    _required,
    _against_code_sets,
    _against_mdcs,
    _conditions,
    _duplicates,
    _ages,
    _dates,
    _money,
    _structure,
)
