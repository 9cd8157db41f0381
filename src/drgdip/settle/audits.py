"""Audits (审核扣款): deductions by case with their state, and what a violation cost the fund."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip._money import YUAN, fen_of, to_yuan, yuan_of
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle._inputs import NAMES, amounts_by, keys_of, numbers_by_pool, optional_money, places, texts
from drgdip.settle.ledger import Ledger, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Keys
    from drgdip._money import Fen

__all__ = ["AUDIT_STATES", "charge_audits", "deducted_by", "measure_losses", "remove_violations"]

#: How far an audit is. A notified hospital may appeal; an appeal ends as upheld or withdrawn.
AUDIT_STATES = ("found", "notified", "appealed", "upheld", "withdrawn")
_DIGITS = 6
_NEEDED = ("audit_id", "hospital", "pool", "month", "state")


@exactly
@reads_once
def charge_audits(
    audits: Any,
    *,
    charged: Sequence[str],
    values: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Step:
    """Return the deductions of audits as they come and go with the audits' states.

    Parameters
    ----------
    audits
        A row for each state of an audit: ``audit_id``, ``hospital``, ``pool``, ``month``, ``state`` (one of
        `AUDIT_STATES`), and ``amount`` (yuan) or ``points``. The month is that in which the audit takes effect, of the
        type of the cases' month. The stay may be of an earlier year. Optional: ``case_id``, ``reason``, ``multiple``
        (such as 2 for twice the loss; 1 without it), and ``as_of``, the day from which the state counts.
    charged
        The states in which an audit is deducted, such as ``["upheld"]``: no source read says which, so that it must be
        given.
    values
        Point values by pool (yuan), which turn points into money. None leaves them points.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    Table: a row for each change, with ``audit_id``, ``hospital``, ``pool``, ``month``, ``case_id``, ``reason``,
    ``state``, ``as_of``, ``deductions`` (yuan; negative where an earlier deduction falls away) and ``points_change``.
    `month`, `clear_year` and `settle_year` take it as ``deductions``, and count it up to their ``as_of``; `clear_year`
    takes it as ``points_change``. Ledger: the changes of all audits are what their last states charge.

    Raises
    ------
    CaseError
        An audit with both amount and points, or neither; a negative one; two states of one audit on one day.
    UnknownNameError
        A state that does not exist.
    PolicyError
        `values` without a pool that has points.

    Examples
    --------
    >>> import datetime
    >>> audit = {"audit_id": "7", "hospital": "H1", "pool": "resident", "month": 3, "amount": 100, "multiple": 2}
    >>> states = [
    ...     audit | {"state": "upheld", "as_of": datetime.date(2024, 4, 2)},
    ...     audit | {"state": "withdrawn", "as_of": datetime.date(2024, 5, 9)},
    ... ]
    >>> [(row["state"], str(row["deductions"])) for row in charge_audits(states, charged=["upheld"]).table]
    [('upheld', '200.00'), ('withdrawn', '-200.00')]
    """
    for name in charged:
        if name not in AUDIT_STATES:
            raise UnknownNameError("state", name, AUDIT_STATES, hint="charged= names it.")
    table = Columns(audits, _NEEDED, what="the audits", columns=columns)
    keys_of(table, _NEEDED)
    for name in table.codes("state")[1].to_pylist():
        if name not in AUDIT_STATES:
            raise UnknownNameError("state", name, AUDIT_STATES, hint="The audits name it.")
    rows = _read(table, charged, None if values is None else numbers_by_pool(values, "value", "values"))
    changes: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["audit_id"], row["as_of"] is not None, row["as_of"])):
        before = last.get(row["audit_id"])
        if before is not None and before["as_of"] == row["as_of"]:
            raise CaseError(f"the audits have two states of {row['audit_id']!r} on one day: give as_of to each")
        last[row["audit_id"]] = row
        same = before is not None and all(before[name] == row[name] for name in ("hospital", "pool", "month"))
        if before is not None and not same:
            undone = {"fen": -before["fen"], "points": -before["points"]}
            changes.append({**before, "as_of": row["as_of"], "state": row["state"], **undone})
        fen, points = (row[name] - (before[name] if before is not None and same else 0) for name in ("fen", "points"))
        changes.append({**row, "fen": fen, "points": points})
    ledger = Ledger("audits")
    for name, digits, unit in (("fen", 2, "yuan"), ("points", _DIGITS, "points")):
        both = (sum(row[name] for row in part) for part in (changes, last.values()))
        ledger.check(f"changes = charged, in {unit}", ["all"], *both, digits=digits, unit=unit)
    return Step(to_kind(_table(changes, table.column("month").type), audits), ledger.table())


def _read(table: Columns, charged: Sequence[str], values: dict[str, Decimal] | None) -> list[dict[str, Any]]:
    """Return the audits, with what the state of each charges in fen and in millionths of points."""
    amount, money = optional_money(table, "amount")
    points = table.numbers("points") if "points" in table else np.full(table.rows, np.nan)
    bad = np.flatnonzero((money == ~np.isnan(points)) | (amount < 0) | (points < 0))
    if len(bad):
        raise CaseError(f"the audit of row {bad[0]} needs either an amount or points, of at least 0")
    multiple = table.numbers("multiple") if "multiple" in table else np.ones(table.rows)
    if not (multiple >= 0).all():
        raise CaseError(f"column 'multiple' of the audits is missing or negative in row {np.argmin(multiple >= 0)}")
    names = ("audit_id", "hospital", "pool", "state", "case_id", "reason")
    columns = {name: texts(table, name).to_pylist() for name in names}
    columns["month"] = table.column("month").to_pylist()
    columns["as_of"] = table.dates("as_of").to_pylist() if "as_of" in table else [None] * table.rows
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for row, fen, point, times in zip(rows, amount, points, multiple, strict=True):
        factor = Decimal(repr(float(times))) if row["state"] in charged else Decimal(0)
        row["fen"] = _whole(Decimal(int(fen)) * factor)
        row["points"] = 0 if np.isnan(point) else _whole(Decimal(repr(float(point))) * factor * 10**_DIGITS)
        if row["points"] and values is not None:
            if row["pool"] not in values:
                raise PolicyError(f"values= has none for the pool {row['pool']!r}, which has audits in points: give it")
            row["fen"] = _whole(Decimal(row["points"]) / 10**_DIGITS * values[row["pool"]] * 100)
            row["points"] = 0
    return rows


def _whole(number: Decimal) -> int:
    """Return a number of at least 0 rounded half up, in whole arithmetic."""
    top, bottom = number.as_integer_ratio()
    return (2 * top + bottom) // (2 * bottom)


def _table(changes: list[dict[str, Any]], month: pa.DataType) -> pa.Table:
    """Return the changes that change something."""
    kept = [row for row in changes if row["fen"] or row["points"]]
    schema = [("audit_id", pa.string()), ("hospital", pa.string()), ("pool", pa.string()), ("month", month)]
    schema += [(name, pa.string()) for name in ("case_id", "reason", "state")]
    schema += [("as_of", pa.date32())]
    table = pa.Table.from_pylist(kept, pa.schema(schema))
    if table["as_of"].null_count == len(table):
        table = table.drop_columns(["as_of"])
    fen, points = (np.array([row[name] for row in kept], np.int64) for name in ("fen", "points"))
    table = table.append_column("deductions", to_yuan(fen))
    return table.append_column("points_change", pa.array(-points / 10**_DIGITS))


def deducted_by(given: Any, keys: Keys) -> Fen:
    """Return the deductions of each key in fen. Rows below 0 are of audits alone, and take back what these deducted."""
    signed = given is not None and "audit_id" in Columns(given)
    taken = amounts_by(given, "deductions", keys, "deductions", signed=signed)
    if (taken < 0).any():
        place = places(keys)[int(np.flatnonzero(taken < 0)[0])]
        raise PolicyError(f"deductions= takes back more at {place} than it deducted: give the earlier rows too")
    return taken


@exactly
@reads_once
def remove_violations(cases: Any, violations: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Return the cases of violations as they would have been without them, to be grouped and priced again.

    Parameters
    ----------
    cases
        A table with ``case_id``, ``dx`` and ``procs`` (lists of codes), and the columns that grouping and pricing need.
    violations
        A row for each violating code or item, with ``case_id``. Optional: ``code``, a diagnosis or procedure that goes
        out; ``amount`` (yuan that go out of ``total_cost``); ``fund_amount``, the part of it that the fund booked. The
        fund's part goes out of ``fund_booked``, the patient's out of ``patient_paid``.
    columns
        The names of columns of the cases by the library's names.

    Returns
    -------
    The cases that violations name, one row each, without the codes and items.

    Raises
    ------
    CaseError
        A case or a code that is not there, the principal diagnosis, or more money than the case has.

    Examples
    --------
    >>> case = {"case_id": "1", "dx": ["I21.000", "J96.000"], "procs": [], "total_cost": 9000}
    >>> remove_violations([case, case | {"case_id": "2"}], [{"case_id": "1", "code": "J96.000"}])
    [{'case_id': '1', 'dx': ['I21.000'], 'procs': [], 'total_cost': 9000}]
    """
    table = Columns(cases, ["case_id"], columns=columns, optional=NAMES)
    given = Columns(violations, ["case_id"], what="the violations")
    number = given.match(["case_id"], table)
    bad = np.flatnonzero(number < 0)
    if len(bad):
        name = given.column("case_id")[int(bad[0])]
        raise CaseError(f"the violations name the case {name} in row {bad[0]}, which is not there: check its case_id")
    chosen = np.unique(number)
    rows = to_arrow(cases).take(pa.array(chosen))
    found = rows.to_pylist()
    own = {name: table.own_name(name) for name in ("dx", "procs", "total_cost", "fund_booked", "patient_paid")}
    for violation, row in zip(to_arrow(violations).to_pylist(), np.searchsorted(chosen, number), strict=True):
        _remove_code(found[row], violation, own)
        _remove_money(found[row], violation, own)
    return to_kind(pa.Table.from_pylist(found, _schema(rows.schema, own)), cases)


def _schema(schema: pa.Schema, own: Mapping[str, str]) -> pa.Schema:
    """Return the schema of the cases with their money as yuan: texts and whole numbers hold no difference."""
    for name in ("total_cost", "fund_booked", "patient_paid"):
        place = schema.get_field_index(own[name])
        if place >= 0 and not pa.types.is_integer(schema.types[place]):
            schema = schema.set(place, pa.field(own[name], YUAN))
    return schema


def _remove_code(case: dict[str, Any], violation: dict[str, Any], own: Mapping[str, str]) -> None:
    """Take a code out of a case."""
    code = violation.get("code")
    if code is None:
        return
    for name in ("dx", "procs"):
        codes = list(case.get(own[name]) or [])
        if code in codes:
            if name == "dx" and codes[0] == code:
                raise CaseError(
                    f"{code} is the principal diagnosis of case {violation['case_id']}: give the corrected case itself"
                )
            case[own[name]] = [other for other in codes if other != code]
            return
    raise CaseError(f"case {violation['case_id']} has no code {code}: check dx and procs")


def _remove_money(case: dict[str, Any], violation: dict[str, Any], own: Mapping[str, str]) -> None:
    """Take an item out of the amounts of a case."""
    if violation.get("amount") is None:
        if violation.get("fund_amount") is not None:
            raise CaseError(f"the violation of case {violation['case_id']} has a fund_amount and no amount: give both")
        return
    whole = fen_of(violation["amount"], "amount")
    fund = fen_of(violation.get("fund_amount") or 0, "fund_amount")
    for name, fen in (("total_cost", whole), ("fund_booked", fund), ("patient_paid", whole - fund)):
        if case.get(own[name]) is None:
            continue
        rest = fen_of(case[own[name]], own[name]) - fen
        if rest < 0 or fen < 0:
            raise CaseError(f"the item of case {violation['case_id']} is not within its {own[name]}: check the amounts")
        case[own[name]] = yuan_of(rest)


@exactly
@reads_once
def measure_losses(cases: Any, without: Any, *, columns: Mapping[str, str] | None = None) -> Step:
    """Return what violations cost the fund: the payment of each case less its payment without the violation.

    Parameters
    ----------
    cases
        The cases as they were paid, as `price_cases` gives them, with ``case_id``, ``hospital``, ``pool``, ``payable``.
    without
        The same cases without the violation (`remove_violations`), grouped and priced again.
    columns
        The names of columns of both tables by the library's names.

    Returns
    -------
    Table: a row for each case of `without`, in its order: ``case_id``, ``hospital``, ``pool``, ``group`` and
    ``group_without`` where the tables have groups, ``payable``, ``payable_without`` and ``loss`` (yuan; negative where
    the violation cost the hospital), null where one of the two has no price. Ledger: payable - without = loss.

    Raises
    ------
    CaseError
        A case of `without` that is not among the cases.

    Notes
    -----
    The loss of a violation is the difference of group and payment with and without it: reading of 2024 of the nine
    kinds of violations.

    Examples
    --------
    >>> case = {"case_id": "1", "hospital": "A", "pool": "resident", "payable": 6000}
    >>> measure_losses([case], [case | {"payable": 4500}]).table[0]["loss"]
    Decimal('1500.00')
    """
    needed = ["case_id", "hospital", "pool", "payable"]
    paid = Columns(cases, needed, columns=columns, optional=NAMES)
    what = "the cases without violations"
    other = Columns(without, ["case_id", "payable"], what=what, columns=columns, optional=NAMES)
    row = other.match(["case_id"], paid)
    if (row < 0).any():
        raise CaseError(f"row {int(np.argmin(row))} of {what} has no case that was paid: check case_id")
    owed, has_price = optional_money(paid, "payable")
    one, known = owed[row], has_price[row]
    two, priced = optional_money(other, "payable")
    both = known & priced
    ledger = Ledger("losses")
    loss = np.where(both, one - two, 0)
    ledger.check("payable without + loss = payable", ["all"], int((two + loss)[both].sum()), int(one[both].sum()))
    place = pa.array(row)
    table = {name: texts(paid, name).take(place) for name in needed[:3]}
    if "group" in paid and "group" in other:
        table |= {"group": texts(paid, "group").take(place), "group_without": texts(other, "group")}
    table |= {"payable": to_yuan(one, known), "payable_without": to_yuan(two, priced), "loss": to_yuan(loss, both)}
    return Step(to_kind(pa.table(table), cases), ledger.table())
