"""Signals of misuse (疑点): reasons to look at cases, each with what was compared and the amount in question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import from_numpy, names_of, read_once, reads_once, to_kind
from drgdip._columns import Columns, nullable
from drgdip._money import to_yuan
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.grouper.group import group
from drgdip.grouper.load import load_any
from drgdip.monitor.signal_cases import Cases, clinical_names
from drgdip.monitor.signal_codes import CODE_SIGNALS
from drgdip.monitor.signal_costs import COST_SIGNALS
from drgdip.monitor.signal_hospitals import HOSPITAL_SIGNALS
from drgdip.monitor.signal_rules import parameters_of, read_parameters, signals_by_id
from drgdip.monitor.signal_stays import STAY_SIGNALS
from drgdip.monitor.signal_view import View

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from drgdip.grouper.family import SchemeLike
    from drgdip.monitor.signal_rules import Signal
    from drgdip.monitor.signal_view import Found

__all__ = ["plan_signals", "signals", "table_of_signals"]

_FINDERS = {**STAY_SIGNALS, **COST_SIGNALS, **CODE_SIGNALS, **HOSPITAL_SIGNALS}
#: The columns of the further tables.
_TABLES = {"items": ("case_id", "item"), "outpatient": ("patient", "date", "cost")}


@reads_once
def plan_signals(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike | None = None,
    *,
    which: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str] | None = None,
    previous: Any = None,
    outpatient: Any = None,
    items: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Tell which signals would run on cases, and what each other one lacks.

    Parameters
    ----------
    cases, scheme, which, parameters, previous, outpatient, items, columns
        As for `signals`.

    Returns
    -------
    A table with a row a signal that runs, and a row for everything that another one lacks: ``signal``, ``runs``, and
    ``reason``, a code such as ``signal_parameter:days`` (`drgdip.describe_reason`), null for a signal that runs.

    Raises
    ------
    UnknownNameError, PolicyError, CaseError
        As for `signals`.

    Examples
    --------
    >>> cases = [{"group": "A", "los": 3}]
    >>> for row in plan_signals(cases, which=["long_stay", "short_stay"], parameters={"long_stay": {"ratio": 3}}):
    ...     print(row)
    {'signal': 'long_stay', 'runs': True, 'reason': None}
    {'signal': 'short_stay', 'runs': False, 'reason': 'signal_parameter:ratio'}
    """
    scheme = None if scheme is None else load_any(scheme)  # once: a folder is compiled anew for each scheme made of it
    given = {"scheme": scheme, "previous": previous, "outpatient": outpatient, "items": items}
    found = _cases(cases, "the cases", scheme, columns)
    before = None if previous is None else _cases(previous, "previous=", scheme, columns)
    known = read_parameters(parameters)
    rows: list[tuple[str, bool, str | None]] = []
    for signal in _asked(which):
        lacks = _lacks(signal, found, known[signal.id], given, before)
        rows += [(signal.id, False, reason) for reason in lacks] if lacks else [(signal.id, True, None)]
    names, runs, reasons = zip(*rows, strict=True) if rows else ((), (), ())
    table = {"signal": pa.array(names, pa.string()), "runs": pa.array(runs, pa.bool_())}
    return to_kind(pa.table(table | {"reason": pa.array(reasons, pa.string())}), cases)


@reads_once
def signals(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike | None = None,
    *,
    which: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str] | None = None,
    weights: Any = None,
    rates: Any = None,
    reference: Any = None,
    previous: Any = None,
    outpatient: Any = None,
    items: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Find signals of misuse (疑点) in grouped cases: rows to look at with their evidence, never a verdict.

    Parameters
    ----------
    cases
        Any table with a row a case, and the columns that the signals name (`list_signals`). Without a column ``group``
        the cases are grouped under the scheme.
    scheme
        The scheme or DIP catalogue of the groups, or its id: it groups cases again with other codes.
    which
        The ids of `list_signals`. None takes every signal whose columns, tables and parameters are given;
        `plan_signals` says what the others lack.
    parameters
        By signal and name, such as ``{"split_stay": {"days": 15}}``, or the path of a TOML file with a table a signal.
        Sources differ or are silent, so that no threshold is built in; `list_signals` names those needed.
    weights
        A table of ``group`` and ``weight``, for amounts.
    rates
        Rates as for `drgdip.points.build_rate_table`, for amounts: ``base_rate`` in yuan per weight, by ``pool``,
        ``level`` and ``group`` as far as they differ.
    reference
        Grouped cases to compare with, under the same names. None takes the cases themselves.
    previous
        Grouped cases of an earlier period, under the same names, for ``volume_growth`` and ``refusal``.
    outpatient
        A table of ``patient``, ``date`` and ``cost`` (yuan), with ``hospital`` where known, for ``cost_shift``.
    items
        A table of ``case_id`` and ``item``, a row an item of a case, with ``hospital`` where numbers are not unique.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A table in order of row and signal. ``row`` (from 0), ``case_id``, ``hospital`` and ``group`` are of the case; a row
    about a hospital has no case. ``value``, ``expected`` and ``limit`` are compared as `list_signals` says, and
    ``cases`` counts the cases behind them. ``code`` is the code or item in question, ``other_group`` the group of the
    altered case, ``other_row`` and ``other_case_id`` the other stay. ``amount`` is the payment above that of the
    counterfactual (yuan, Decimal), null with a code in ``amount_reason``.

    Raises
    ------
    UnknownNameError
        A signal, a parameter, a scheme or a column that there is not.
    PolicyError
        A signal of ``which`` lacks a parameter, or a parameter has no possible value.
    CaseError
        A signal of ``which`` lacks a column or a table.

    Notes
    -----
    Sources and grades are a signal's own (`list_signals`). A mean is of the reference's cases of the same group. Sums
    are exact, so that the order of the rows changes nothing but the numbers of rows.

    Examples
    --------
    >>> cases = [{"case_id": str(n), "group": "A", "los": days} for n, days in enumerate((4, 5, 6, 5, 40))]
    >>> found = signals(cases, which=["long_stay"], parameters={"long_stay": {"ratio": 3}})
    >>> [(row["case_id"], row["signal"], round(row["value"], 2), row["limit"], row["cases"]) for row in found]
    [('4', 'long_stay', 3.33, 3.0, 5)]
    """
    scheme = None if scheme is None else load_any(scheme)  # once: a folder is compiled anew for each scheme made of it
    given = {"scheme": scheme, "previous": previous, "outpatient": outpatient, "items": items}
    mine = _cases(cases, "the cases", scheme, columns)
    known = read_parameters(parameters)
    before = None if previous is None else _cases(previous, "previous=", scheme, columns)
    compared = None if reference is None else _cases(reference, "reference=", scheme, columns)
    chosen = []
    for signal in _asked(which):
        lacks = _lacks(signal, mine, known[signal.id], given, before)
        if lacks and which is not None:
            _refuse(signal, lacks[0])
        if not lacks:
            chosen.append(signal)
    tables = {
        name: Columns(given[name], needed, what=f"the table {name}=", optional=["hospital"])
        for name, needed in _TABLES.items()
        if given[name] is not None
    }
    view = View(
        mine,
        scheme=scheme,
        reference=compared,
        previous=before,
        tables=tables,
        weights=weights,
        rates=rates,
    )
    found = [(signal.id, _FINDERS[signal.id](view, **known[signal.id])) for signal in chosen]
    return to_kind(table_of_signals(mine, found), cases)


def _cases(table: Any, what: str, scheme: Any, columns: Mapping[str, str] | None) -> Cases:
    """Return a table of cases, with the groups of the scheme where it has none."""
    read = read_once(table)
    if scheme is not None and (columns or {}).get("group", "group") not in names_of(read):
        read = group(read, scheme, columns=clinical_names(columns or {}))
    return Cases(read, what, columns)


def _asked(which: Sequence[str] | None) -> list[Signal]:
    """Return the signals asked for, in the order of the data."""
    for name in which or ():
        if name not in signals_by_id():
            raise UnknownNameError("signal", str(name), signals_by_id(), hint="See list_signals().")
    return [signal for signal in signals_by_id().values() if which is None or signal.id in which]


def _lacks(
    signal: Signal, cases: Cases, parameters: Mapping[str, Any], given: Mapping[str, Any], previous: Cases | None
) -> list[str]:
    """Return reasons why a signal cannot run, as codes."""
    absent = [name for name in signal.columns if not cases.has(name)]
    absent += [name for name in parameters.get("same", ()) if not cases.has(name)]
    if previous is not None and "previous" in signal.tables:
        absent += [name for name in signal.columns if not previous.has(name)]
    found = [f"signal_column:{name}" for name in dict.fromkeys(absent)]
    found += [f"signal_table:{name}" for name in signal.tables if given[name] is None]
    return found + [f"signal_parameter:{name}" for name in signal.parameters if name not in parameters]


def _refuse(signal: Signal, reason: str) -> None:
    """Raise the error of a signal that was asked for and cannot run."""
    kind, _, name = reason.partition(":")
    if kind == "signal_parameter":
        row = parameters_of()[signal.id][name]
        seen = f"; sources name {row.seen.replace('|', ', ')}" if row.seen else "; no source names a number"
        raise PolicyError(
            f"signal {signal.id} needs the parameter {name}, the {row.english}{seen}: give "
            f"parameters={{{signal.id!r}: {{{name!r}: ...}}}}"
        )
    if kind == "signal_table":
        raise CaseError(f"signal {signal.id} needs {name}=, which is not given")
    raise CaseError(f"signal {signal.id} needs a column {name!r}: name it so, or say columns={{{name!r}: ...}}")


def table_of_signals(cases: Cases, found: Sequence[tuple[str, Found]]) -> pa.Table:
    """Return what signals found as one table, in order of row and signal; rows of hospitals stand last."""
    parts = [_part(cases, number, signal, one) for number, (signal, one) in enumerate(found)]
    empty = pa.table({name: pa.array([], kind) for name, kind in _KINDS.items()})
    whole = pa.concat_tables([empty, *parts])
    keys = [(name, "ascending") for name in ("row", "order", "hospital")]
    order = pc.sort_indices(whole, sort_keys=keys)
    return whole.take(order).drop_columns(["order"]).combine_chunks()


_TEXTS = pa.string()
_KINDS = {
    "row": pa.int64(),
    "case_id": _TEXTS,
    "hospital": _TEXTS,
    "group": _TEXTS,
    "signal": _TEXTS,
    "value": pa.float64(),
    "expected": pa.float64(),
    "limit": pa.float64(),
    "cases": pa.int64(),
    "code": _TEXTS,
    "other_group": _TEXTS,
    "other_row": pa.int64(),
    "other_case_id": _TEXTS,
    "amount": pa.decimal128(18, 2),
    "amount_reason": _TEXTS,
    "order": pa.int64(),
}


def _part(cases: Cases, number: int, signal: str, found: Found) -> pa.Table:
    """Return what one signal found as columns."""
    rows, size = np.asarray(found.rows, np.int64), len(found.rows)
    known = rows >= 0
    at = pa.array(rows, mask=~known)
    other = None if found.other_row is None else from_numpy(np.asarray(found.other_row, np.int64))
    columns: dict[str, Any] = {
        "row": at,
        "case_id": cases.texts("case_id", at),
        "hospital": cases.texts("hospital", at) if found.hospital is None else found.hospital,
        "group": cases.texts("group", at),
        "signal": pa.array([signal]).take(from_numpy(np.zeros(size, np.int64))),
        "value": nullable(np.asarray(found.value, np.float64)),
        "expected": None if found.expected is None else nullable(np.asarray(found.expected, np.float64)),
        "limit": None if found.limit is None else pa.array(np.full(size, found.limit)),
        "cases": None if found.counted is None else from_numpy(np.asarray(found.counted, np.int64)),
        "code": found.code,
        "other_group": found.other_group,
        "other_row": other,
        "other_case_id": None if other is None else cases.texts("case_id", other),
        "amount": to_yuan(found.amounts.fen, found.amounts.known),
        "amount_reason": found.amounts.reasons,
        "order": from_numpy(np.full(size, number)),
    }
    nothing = {name: pa.nulls(size, kind) for name, kind in _KINDS.items()}
    return pa.table({name: nothing[name] if columns[name] is None else columns[name] for name in _KINDS}).cast(
        pa.schema(list(_KINDS.items()))
    )
