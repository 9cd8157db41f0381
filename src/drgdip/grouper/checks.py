"""Checks on cases before they are sent: findings as a table, by rules that are data (``data/checks/checks.csv``).

A check is a function here that says in which rows a rule is broken; what the rule is called, how grave it is, where it
comes from and how it reads are a row of the file of the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_days, read_numbers
from drgdip._arrow import filled, from_list, from_numpy, kind_of, one_chunk, to_arrow, to_kind, valid
from drgdip._money import read_amounts
from drgdip._once import once
from drgdip.cases.codes import grey_codes, known_codes, walks_to
from drgdip.cases.crosswalks import map_cases
from drgdip.cases.derive import whole_years
from drgdip.cases.fields import FAULTS, UNREADABLE
from drgdip.cases.numbered import Codes, codes_of
from drgdip.cases.table import as_lists, marked, to_cases, with_newborn_weight
from drgdip.data import rows_of
from drgdip.errors import CaseError
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.load import load_any
from drgdip.grouper.result import REASONS
from drgdip.reasons import reasons_of

if TYPE_CHECKING:
    from drgdip.grouper.family import SchemeLike

__all__ = ["LEVELS", "Check", "check_cases", "list_checks"]

_CHECKS_TABLE = "checks/checks.csv"
#: Diagnoses that may not be principal ones where a scheme does not say: the list of the national specification of DIP.
_NOT_PRINCIPAL = "dip/nhsa-dip-3.0/excluded_diagnoses.csv"
#: How grave a finding is: an error is to be mended before the case is sent, a warning is to be looked at.
LEVELS = ("error", "warning")
#: Columns that limits may be given for.
_LIMITED = ("age", "age_days", "newborn_weight", "birth_weight", "admission_weight", "los", "icu_hours", "total_cost")
_DISCHARGES = (1, 2, 3, 4, 5, 9)
#: Days of life of the oldest newborn, and of a year.
_NEWBORN, _YEAR = 28, 365
#: Half a fen.
_TOLERANCE = 0.005
Limits = Mapping[str, tuple[float, float]]


class Check(NamedTuple):
    """A rule that cases are checked by: its id, level, field, source, and message in two languages."""

    id: str
    level: str
    field: str
    citation: str
    english: str
    chinese: str


@once
def list_checks() -> Mapping[str, Check]:
    """The rules of `check_cases`, by id.

    Returns
    -------
    One `Check` a rule: ``id, level, field, citation, english, chinese``. ``field`` is empty where the finding
    says which.

    Examples
    --------
    >>> list_checks()["grey_principal_diagnosis"].level
    'error'
    """
    reasons = reasons_of("checks")
    checks = {}
    for row in rows_of(_CHECKS_TABLE):
        reason = reasons[row["id"]]
        checks[reason.code] = Check(
            reason.code, reason.level, row["field"], row["citation"], reason.english, reason.chinese
        )
    return MappingProxyType(checks)


def check_cases(
    data: Any,
    scheme: str | SchemeLike,
    *,
    columns: Mapping[str, str] | None = None,
    codes: str | None = None,
    limits: Limits | None = None,
) -> Any:
    """Say what is wrong with cases.

    Parameters
    ----------
    data
        A table of cases of any kind, as for `drgdip.group`; best what `drgdip.read_cases` gives. A check whose columns
        are not there is left out, but columns that the scheme requires are missed.
    scheme
        The scheme or DIP catalogue that the cases are to be grouped under, or its id: it says what is required, and
        names codes.
    columns, codes
        As for `drgdip.group`.
    limits
        Lowest and highest plausible value by column (age, weights in grams, stay, cost), both allowed. There are none
        by default, because sources differ (``docs/checks.md``).

    Returns
    -------
    Findings, in the kind of container that ``data`` is, in order of row and rule: ``row`` (from 0), ``case_id``,
    ``rule`` (of `list_checks`), ``level`` (error or warning), ``field``, ``value`` (as text, null where something is
    missing), ``message`` and ``message_zh``.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group`; ``limits`` for a column that has none.

    Notes
    -----
    Source: quality control of settlement lists (医保基金结算清单), rule by rule in `list_checks`.

    Examples
    --------
    >>> cases = [{"case_id": "7", "sex": 1, "dx": ["O80.000", "O80.000"], "procs": []}]
    >>> [(finding["rule"], finding["value"]) for finding in check_cases(cases, "chs-drg-2.0")]
    [('sex_conflict', 'O80.000'), ('duplicate_diagnosis', 'O80.000')]
    """
    loaded = load_any(scheme)
    for column in limits or {}:
        if column not in _LIMITED:
            raise CaseError(f"limits are given for {column!r}; they can be for {', '.join(_LIMITED)}")
    if kind_of(data) == "lazy":
        data = data.collect()
    table = to_arrow(data)
    cases = to_cases(table, columns)
    if codes is not None:
        cases = map_cases(cases, walks_to(codes, loaded.info))
    faults = one_chunk(table[FAULTS].cast(pa.string())) if _has_faults(table) else None
    view = _View(with_newborn_weight(cases, loaded.newborn_weight), loaded, limits or {}, faults)
    found = [finding for check in _CHECKS for finding in check(view)]
    return to_kind(_table(found, view), data)


def _has_faults(table: pa.Table) -> bool:
    """Whether a table has the column of faults that a reader writes, not one of the caller's of the same name."""
    kinds = {pa.string(), pa.large_string(), pa.string_view()}
    return table.column_names.count(FAULTS) == 1 and table.schema.field(FAULTS).type in kinds


class _Finding(NamedTuple):
    """The rows in which a rule is broken, each with a value as text."""

    rule: str
    rows: np.ndarray
    values: pa.Array
    field: str = ""


@dataclass(frozen=True)
class _View:
    """Cases as the checks see them; columns are made ready when a check first asks for them."""

    cases: pa.Table
    scheme: SchemeLike
    limits: Limits
    faults: pa.Array | None

    def has(self, *names: str) -> bool:
        """Whether columns are there and hold anything."""
        there = self.cases.column_names
        return all(name in there and self.cases[name].null_count < len(self.cases) for name in names)

    def column(self, name: str) -> pa.Array:
        """A column as one array, all null if it is not there."""
        if name not in self.cases.column_names:
            return pa.nulls(len(self.cases))
        column = one_chunk(self.cases[name])
        return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers, NaN for missing ones."""
        return filled(self.column(name).cast(pa.float64(), safe=False), np.nan)

    def days(self, name: str) -> np.ndarray:
        """A column of days, NaT for missing ones."""
        return read_days(self.column(name))[0]

    def bad(self, name: str) -> np.ndarray:
        """In which rows a column cannot be read."""
        return marked(self.column(UNREADABLE), name)

    @cached_property
    def dx(self) -> Codes:
        """The diagnoses."""
        return codes_of(self.column("dx"))

    @cached_property
    def procs(self) -> Codes:
        """The procedures."""
        return codes_of(self.column("procs"))


def _at(rule: str, broken: np.ndarray, values: pa.Array | None = None, field: str = "") -> _Finding:
    """A rule broken in the rows that a mask says, with the value of a column there."""
    rows = np.flatnonzero(broken)
    if values is None:
        return _Finding(rule, rows, pa.nulls(len(rows), pa.string()), field)
    chosen = values.take(from_numpy(rows))
    return _Finding(rule, rows, chosen if pa.types.is_string(chosen.type) else _as_text(chosen), field)


def _as_text(values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return from_list([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def _of_codes(rule: str, broken: np.ndarray, codes: Codes) -> _Finding:
    """A rule broken by the codes that a mask says."""
    return _Finding(rule, codes.row[broken], codes.texts(broken))


def _required(view: _View) -> Iterator[_Finding]:
    """What the scheme requires, by the names of the reasons for which it would refuse a case."""
    required, rows = view.scheme.required, len(view.cases)
    used = [column for variable, column in VALUE_VARIABLES.items() if variable in view.scheme.variables]
    for column in ("row", *used):
        if f"unreadable_{column}" in REASONS:
            yield _at(f"unreadable_{column}", view.bad(column))
    newborn = view.numbers("age_days") <= _NEWBORN
    due = {VALUE_VARIABLES[name]: np.full(rows, True) for name in required if name in VALUE_VARIABLES}
    for column, when in (("age_days", view.numbers("age") == 0), ("newborn_weight", newborn)):
        if column in used:
            due.setdefault(column, when)
    for column, when in due.items():
        yield _at(f"missing_{column}", when & ~valid(view.column(column)) & ~view.bad(column))
    if "ZYZD" in required:
        yield _at("missing_principal_diagnosis", _without_principal(view, view.dx))
    if "ZYSS" in required:
        yield _at("missing_principal_procedure", _without_principal(view, view.procs))
    sex = view.numbers("sex")
    if "XB" in required:
        yield _at("invalid_sex", ~np.isnan(sex) & (sex != 1) & (sex != 2), view.column("sex"))
    if view.has("discharge"):
        mode = view.numbers("discharge")
        yield _at("unknown_discharge", ~np.isnan(mode) & ~np.isin(mode, _DISCHARGES), view.column("discharge"))


def _without_principal(view: _View, codes: Codes) -> np.ndarray:
    blank = np.full(len(view.cases), True)
    blank[codes.row[(codes.place == 0) & codes.known]] = False
    return blank


def _against_code_sets(view: _View) -> Iterator[_Finding]:
    """Codes that no one knows, grey ones, and those that may not be principal ones."""
    info = view.scheme.info
    kinds = ((view.dx, info.diagnosis_codes, "diagnosis"), (view.procs, info.procedure_codes, "procedure"))
    for codes, code_set, word in kinds:
        principal = codes.place == 0
        named = known_codes(code_set)
        if named:  # the codes of a code set that is not here cannot be called unknown
            unknown = codes.known & ~codes.among(named | view.scheme.named_codes)
            yield _of_codes(f"unknown_principal_{word}", unknown & principal, codes)
            yield _of_codes(f"unknown_other_{word}", unknown & ~principal, codes)
        grey = codes.among(grey_codes(code_set))
        yield _of_codes(f"grey_principal_{word}", grey & principal, codes)
        yield _of_codes(f"grey_other_{word}", grey & ~principal, codes)
    barred = view.dx.among(view.scheme.principal_barred or _not_principal()) & (view.dx.place == 0)
    yield _of_codes("not_principal", barred, view.dx)


@once
def _not_principal() -> frozenset[str]:
    return frozenset(row["code"] for row in rows_of(_NOT_PRINCIPAL))


def _against_mdcs(view: _View) -> Iterator[_Finding]:
    """Principal diagnoses that MDCs take only at another sex or another age than the case has.

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

    def taken(besides: tuple[str, ...]) -> np.ndarray:
        """Which cases some MDC would take if it did not look at these variables."""
        result = np.zeros(len(row), dtype=bool)
        for codes, comparisons in entrances:
            if comparisons and not (codes is None and besides):
                met = np.full(len(row), True) if codes is None else view.dx.among(codes)[bound]
                for condition, wanted in comparisons:
                    if condition.variable in values and condition.variable not in besides:
                        value = values[condition.variable]
                        holds = OPERATORS[condition.operator](value, condition.value) == wanted
                        # A missing value leaves open what the diagnosis asks for, but opens no way by itself.
                        met &= np.where(np.isnan(value), codes is not None, holds)
                result |= met
        return result

    left = ~taken(())
    by_sex = left & taken(("XB",))
    by_age = left & ~by_sex & taken(("NL", "XSRTL"))
    for rule, conflicts in (("sex_conflict", by_sex), ("age_conflict", by_age)):
        broken = np.zeros(len(bound), dtype=bool)
        broken[np.flatnonzero(bound)[conflicts]] = True
        yield _of_codes(rule, broken, view.dx)


def _duplicates(view: _View) -> Iterator[_Finding]:
    yield _of_codes("duplicate_diagnosis", _repeated(view.dx, None), view.dx)
    dates = _procedure_days(view)
    yield _of_codes("duplicate_procedure", _repeated(view.procs, dates[0] if dates else None), view.procs)
    if view.has("case_id"):
        parts = [view.column(name) for name in ("hospital", "case_id", "admitted", "discharged") if view.has(name)]
        key = np.zeros(len(view.cases), dtype=np.int64)
        for part in parts:
            encoded = _as_text(part).dictionary_encode()
            both = key * (len(encoded.dictionary) + 1) + filled(encoded.indices, -1) + 1
            key = np.unique(both, return_inverse=True)[1]  # one number for the values so far and this one
        repeated = np.bincount(key, minlength=1)[key] > 1
        yield _at("duplicate_case", repeated & valid(view.column("case_id")), view.column("case_id"))


def _repeated(codes: Codes, days: np.ndarray | None) -> np.ndarray:
    """Which codes stand in their row before, and on the same day."""
    key = codes.row * (len(codes.names) + 1) + codes.number
    if days is not None:
        distinct = np.unique(days, return_inverse=True)[1]
        key = key * (int(distinct.max(initial=0)) + 1) + distinct
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(len(key), dtype=bool)
    repeated[order[1:]] = key[order[1:]] == key[order[:-1]]
    repeated &= codes.known
    return repeated


def _ages(view: _View) -> Iterator[_Finding]:
    age, days, weight = view.numbers("age"), view.numbers("age_days"), view.numbers("newborn_weight")
    # Systems write 0 for an age in days that does not apply; more than a year is no infant's.
    mismatch = ((age >= 1) & (days >= 1) & (days < _YEAR)) | ((age == 0) & ((days > _YEAR) | (days < 0)))
    yield _at("age_days_mismatch", mismatch, view.column("age_days"))
    yield _at("weight_of_no_newborn", (weight > 0) & ((age >= 1) | (days > _NEWBORN)), view.column("newborn_weight"))
    for name, (low, high) in view.limits.items():
        if view.has(name):
            column = view.column(name)
            numbers = read_numbers(column)[0]
            yield _at("out_of_limits", (numbers < low) | (numbers > high), _as_text(column), name)


def _dates(view: _View) -> Iterator[_Finding]:
    for name in ("born", "admitted", "discharged"):
        if view.has(name):
            yield _at("unreadable_date", read_days(view.column(name))[1], _as_text(view.column(name)), name)
    born, admitted, discharged = (view.days(name) for name in ("born", "admitted", "discharged"))
    if view.has("born", "admitted"):
        yield _at("born_after_admission", born > admitted, _as_text(view.column("born")))
        age, years = view.numbers("age"), whole_years(born, admitted)
        yield _at("age_mismatch", ~np.isnan(age) & ~np.isnan(years) & (age != years), view.column("age"))
    if view.has("admitted", "discharged"):
        yield _at("discharge_before_admission", discharged < admitted, _as_text(view.column("discharged")))
        los, stay = view.numbers("los"), np.maximum(1, (discharged - admitted).astype(np.float64))
        wrong = ~np.isnan(los) & ~np.isnat(admitted) & (discharged >= admitted) & (los != stay)
        yield _at("los_mismatch", wrong, view.column("los"))
    dates = _procedure_days(view)
    if dates:
        days, bad, texts = dates
        shown = texts.take(from_numpy(np.flatnonzero(bad)))
        yield _Finding("unreadable_date", view.procs.row[bad], shown, "proc_dates")
        yield _of_codes("procedure_without_date", np.isnat(days) & ~bad & view.procs.known, view.procs)
        row = view.procs.row
        outside = ((days < admitted[row]) | (days > discharged[row])) & view.procs.known
        yield _of_codes("procedure_outside_stay", outside, view.procs)


def _procedure_days(view: _View) -> tuple[np.ndarray, np.ndarray, pa.Array] | None:
    """The day of each procedure, which of them is no date, and the dates as written; None without dates."""
    if not view.has("proc_dates"):
        return None
    given = view.column("proc_dates")
    lists = as_lists(given) if not _is_list(given.type) else given
    lengths = filled(pc.list_value_length(lists), 0)
    wanted = np.bincount(view.procs.row, minlength=len(lengths))
    if not np.array_equal(lengths, wanted):
        return _padded_days(lists, lengths, wanted)
    days, bad = read_days(lists.flatten())
    return days, bad, _as_text(lists.flatten())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _padded_days(lists: pa.Array, lengths: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    """As `_procedure_days`, for lists of another length than the procedures: what is too short is missing behind."""
    flat = lists.flatten()
    place = np.arange(wanted.sum()) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    index = np.repeat(np.cumsum(lengths) - lengths, wanted) + place
    there = place < np.repeat(lengths, wanted)
    chosen = flat.take(from_numpy(np.where(there, index, 0), there))
    days, bad = read_days(chosen)
    return days, bad, _as_text(chosen)


def _money(view: _View) -> Iterator[_Finding]:
    amounts = {}
    for name in ("total_cost", "items_cost"):
        if view.has(name):
            fen, known, bad = read_amounts(view.column(name))
            amounts[name] = np.where(known, fen / 100, np.nan)
            texts = _as_text(view.column(name))
            yield _at(f"unreadable_{name}", bad, texts)
            yield _at("negative_cost", amounts[name] < 0, texts, name)
    if len(amounts) > 1:
        wrong = np.abs(amounts["total_cost"] - amounts["items_cost"]) > _TOLERANCE
        yield _at("cost_mismatch", wrong, _as_text(view.column("total_cost")))


def _conditions(view: _View) -> Iterator[_Finding]:
    if view.has("dx_conditions"):
        conditions = codes_of(view.column("dx_conditions"))
        absent = (conditions.place == 0) & conditions.among(frozenset({"4"}))
        yield _of_codes("absent_principal", absent, conditions)


def _structure(view: _View) -> Iterator[_Finding]:
    """What the reader of nested records found (`drgdip.cases.settlement_list`)."""
    if view.faults is not None and view.faults.null_count < len(view.faults):
        for rule in list_checks():
            if rule not in REASONS:
                yield _at(rule, marked(view.faults, rule))


_CHECKS: tuple[Callable[[_View], Iterator[_Finding]], ...] = (
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


def _table(found: list[_Finding], view: _View) -> pa.Table:
    """Findings in order of row and rule."""
    rules = list_checks()
    number = {rule: place for place, rule in enumerate(rules)}
    found = [finding for finding in found if len(finding.rows)]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(finding.rows for finding in found)]).astype(np.int64)
    rule = np.repeat([number[finding.rule] for finding in found], [len(finding.rows) for finding in found])
    order = np.lexsort((rule, rows))
    values = pa.concat_arrays([from_list([], pa.string()), *(finding.values for finding in found)])
    fields = [finding.field or rules[finding.rule].field for finding in found]
    names = sorted(set(fields))
    field = np.repeat([names.index(name) for name in fields], [len(finding.rows) for finding in found])

    def words(place: np.ndarray, texts: list[str]) -> pa.Array:
        entries = sorted(set(texts))
        place = np.array([entries.index(text) for text in texts], dtype=np.int32)[place.astype(np.int64)]
        return pa.DictionaryArray.from_arrays(from_numpy(place[order]), from_list(entries, pa.string()))

    checks = list(rules.values())
    return pa.table(
        {
            "row": from_numpy(rows[order]),
            "case_id": _as_text(view.column("case_id")).cast(pa.string()).take(from_numpy(rows[order])),
            "rule": words(rule, [check.id for check in checks]),
            "level": words(rule, [check.level for check in checks]),
            "field": words(field, names),
            "value": values.take(from_numpy(order)),
            "message": words(rule, [check.english for check in checks]),
            "message_zh": words(rule, [check.chinese for check in checks]),
        }
    )
