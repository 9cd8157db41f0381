"""Audit of the cases that are to be settled: findings, one a row and kind, with the ways to accept each kind."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import one_chunk, reads_once, to_kind
from drgdip._columns import Columns, decode, labels
from drgdip._exact import exactly
from drgdip._money import to_yuan
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, holds, on_account, optional_money, texts
from drgdip.settle._twins import Found, find_reversals, find_twins, plain_column
from drgdip.settle.money_rules import FUNDS, PATIENT_PAYERS
from drgdip.settle.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from drgdip._money import Fen

__all__ = ["FINDINGS", "FINDING_KINDS", "audit_cases", "find_all"]

#: The kinds of findings, and the ways in which each can be accepted.
FINDING_KINDS: dict[str, tuple[str, ...]] = {
    "duplicate": ("first", "last", "leave_out"),
    "same_stay": ("first", "last", "keep", "leave_out"),
    "refund": ("cancel", "by_item", "leave_out"),
    "negative": ("by_item", "leave_out"),
    "missing_amount": ("leave_out",),
    "no_hospital": ("leave_out",),
    "no_pool": ("leave_out",),
    "no_month": ("leave_out",),
    "outside_dates": ("keep", "leave_out"),
    "month_differs": ("keep", "leave_out"),
    "payers_differ": ("keep", "leave_out"),
    "above_cost": ("keep", "leave_out"),
    "cross_region": ("keep", "leave_out"),
    "list_never_sent": ("keep", "leave_out"),
    "not_grouped": ("keep", "by_item", "leave_out"),
    "unpriced": ("by_item", "leave_out"),
}
#: The columns of findings.
FINDINGS = pa.schema(
    [
        ("row", pa.int64()),
        ("case_id", pa.string()),
        ("hospital", pa.string()),
        ("pool", pa.string()),
        ("month", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("columns", pa.string()),
        ("amount", pa.decimal128(18, 2)),
        ("accepts", pa.string()),
    ]
)
# Two amounts show who paid a case; a table that has the payers apart has one amount for each.
_BOTH = ("fund_booked", "patient_paid")
_EACH = tuple(f"paid_{name}" for name in (*FUNDS, *PATIENT_PAYERS))
_STATUSES = ("grouped", "ambiguous", "ungrouped", "invalid")
_YEAR_MONTH = re.compile(r"(?:(\d{4})\s*[-/.年]?\s*)?(\d{1,2})\s*月?")


@exactly
@reads_once
def audit_cases(
    cases: Any,
    policy: Policy,
    *,
    year: int | tuple[datetime.date, datetime.date] | None = None,
    lists: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Audit the cases that are to enter a settlement: which rows must be decided on first, and why.

    `month`, `clear_year` and `settle_year` run the audit, and refuse cases with findings that their ``accept=`` does
    not name.

    Parameters
    ----------
    cases
        Cases with any of the columns that settlement reads: what a column would tell is found where it is there.
    policy
        The policy: its pools, dates, pays and cross-region rules.
    year
        The year that is settled, or its first and last day; None checks the policy's dates only.
    lists
        The settlement lists that were sent: a table with ``case_id`` and, where numbers are a hospital's own,
        ``hospital``. None takes the column ``submitted`` of the cases, where it is there.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A table with a row for each case and kind, by row, with the columns of `FINDINGS`:

    - ``row``: place of the case, from 0; ``case_id, hospital, pool, month`` as far as they are known.
    - ``kind``: one of `FINDING_KINDS`. ``reason``: a code, see `drgdip.describe_reason`.
    - ``columns``: the columns that say so, joined by blanks. ``amount``: ``fund_booked`` of the case in yuan, else its
      ``payable`` or ``total_cost``.
    - ``accepts``: the ways in which the kind can be accepted, joined by blanks.

    The kinds:

    - ``duplicate``: the same number and day at one hospital. ``same_stay``: the same patient and days at one hospital.
    - ``refund``: takes back a case that is there. ``negative``: other amounts below 0. ``missing_amount``: none.
    - ``no_hospital``, ``no_pool``, ``no_month``: the case has no place. ``outside_dates``: its discharge is not of the
      year or the policy. ``month_differs``: the month is not that of the discharge.
    - ``payers_differ``: fund and patient do not make the cost. ``above_cost``: one of them is above it.
    - ``cross_region``: care on an account, and no insured region. ``list_never_sent``. ``not_grouped``: the status of
      grouping. ``unpriced``: the case has no price, with the reason of `price_cases`.

    The ways:

    - ``leave_out`` settles nothing. ``keep`` settles the row as it is. ``by_item`` pays the amount booked.
    - ``first`` and ``last`` keep one of the rows. ``cancel`` leaves out a refund and the case that it takes back.

    Raises
    ------
    CaseError, UnknownNameError
        A column whose values cannot be read, or a name of ``columns=`` that the table does not have.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"case_id": "1", "hospital": "H1", "pool": "resident", "total_cost": 9000, "fund_booked": 6000}
    >>> cases = [case | {"patient_paid": 3000}, case | {"case_id": "2", "patient_paid": 2999}]
    >>> [(row["row"], row["kind"], row["accepts"]) for row in audit_cases(cases, policy)]
    [(1, 'payers_differ', 'keep leave_out')]
    """
    table = Columns(cases, columns=columns, optional=NAMES)
    return to_kind(find_all(table, policy, year=year, lists=lists).table(table), cases)


class Findings:
    """The findings on a table: parts, each with the rows of one kind and reason."""

    def __init__(self, parts: list[Found]) -> None:
        self.parts = [part for part in parts if part.rows.any()]

    @property
    def kinds(self) -> list[str]:
        """Return the kinds that were found, in the order of `FINDING_KINDS`."""
        return [kind for kind in FINDING_KINDS if any(part.kind == kind for part in self.parts)]

    def rows(self, kind: str) -> NDArray[np.bool_]:
        """Return the rows of a kind that was found."""
        rows = [part.rows for part in self.parts if part.kind == kind]
        return np.asarray(np.logical_or.reduce(rows), bool)

    def table(self, cases: Columns) -> pa.Table:
        """Return the findings as a table in the order of the rows, with what the cases say of each."""
        kinds = list(FINDING_KINDS)
        places = [np.flatnonzero(part.rows) for part in self.parts]
        part = np.repeat(np.arange(len(places)), [len(rows) for rows in places])
        row = np.concatenate([np.zeros(0, np.int64), *places])
        order = np.lexsort((np.array([kinds.index(one.kind) for one in self.parts], int)[part], row))
        row, part = row[order], part[order]
        take = pa.array(row)

        def said(name: str) -> pa.Array:
            if name not in cases:
                return pa.nulls(len(row), pa.string())
            return texts(Columns(pa.table({name: plain_column(cases, name).take(take)})), name)

        def of(parts: list[str]) -> pa.Array:
            return labels(part, parts).cast(pa.string())

        amount, known = amounts_of(cases)
        found = {
            "row": take,
            **{name: said(name) for name in ("case_id", "hospital", "pool", "month")},
            "kind": of([one.kind for one in self.parts]),
            "reason": of([one.reason for one in self.parts]),
            "columns": of([one.columns for one in self.parts]),
            "amount": to_yuan(amount[row], known[row]),
            "accepts": of([" ".join(FINDING_KINDS[one.kind]) for one in self.parts]),
        }
        return pa.table(found).cast(FINDINGS)


def amounts_of(cases: Columns) -> tuple[Fen, NDArray[np.bool_]]:
    """Return what the fund booked of each case, else its payable or cost, and which rows have an amount."""
    name = next((name for name in ("fund_booked", "payable", "total_cost") if name in cases), "fund_booked")
    return optional_money(cases, name)


def find_all(
    table: Columns,
    policy: Any,
    *,
    year: int | tuple[datetime.date, datetime.date] | None = None,
    lists: Any = None,
    needs: tuple[str, ...] = (),
    priced: bool = True,
) -> Findings:
    """Return the findings on a table; ``needs`` are the columns that the step cannot do without."""
    return Findings(
        [
            *_of_places(table, policy, needs),
            *_of_money(table, policy),
            *find_twins(table),
            *_of_dates(table, policy, year),
            *_of_months(table),
            *_of_regions(table, policy),
            *_of_lists(table, lists),
            *_of_status(table),
            *(find_unpriced(table) if priced else ()),
        ]
    )


def _of_places(table: Columns, policy: Any, needs: tuple[str, ...]) -> Iterator[Found]:
    """Yield cases without hospital, pool or month, or with a pool that the policy does not have."""
    for name in ("hospital", "pool", "month"):
        if name in table or name in needs:
            codes, values = table.codes(name)
            yield Found(f"no_{name}", codes < 0, f"missing_{name}", name)
            if name == "pool" and isinstance(policy, Policy):
                unknown = [value not in policy.pools for value in values.to_pylist()]
                yield Found("no_pool", np.array([*unknown, False])[codes], "unknown_pool", name)


def _of_money(table: Columns, policy: Any) -> Iterator[Found]:
    """Yield cases whose amounts are missing, below 0, above the cost, or do not make the cost."""
    each, both = ([name for name in names if name in table] for names in (_EACH, _BOTH))
    apart = each and (len(both) < len(_BOTH) or (isinstance(policy, Policy) and policy.payers is not None))
    payers = each if apart else both
    amounts = {name: optional_money(table, name) for name in ("total_cost", *payers) if name in table}
    needed = {"total_cost", "fund_booked", *_EACH}
    if isinstance(policy, Policy) and policy.cases.payable == "residual":
        needed.add("patient_paid")
    below = np.zeros(table.rows, bool)
    for name, (fen, known) in amounts.items():
        if name in needed:
            yield Found("missing_amount", ~known, "missing_amount", name)
        below |= fen < 0
    refunds = find_reversals(table, amounts["total_cost"][0]) if "total_cost" in amounts and below.any() else None
    if refunds is not None:
        yield Found("refund", refunds.rows, "refund", "total_cost")
        below = below & ~refunds.rows
    yield Found("negative", below, "negative_amount", " ".join(amounts))
    if "total_cost" not in amounts:
        return
    cost, known_cost = amounts["total_cost"]
    for name in payers:
        fen, known = amounts[name]
        if known.any():
            yield Found("above_cost", known & known_cost & (cost >= 0) & (fen > cost), "paid_above_cost", name)
    if apart or len(payers) == len(_BOTH):
        paid = sum((amounts[name][0] for name in payers), np.zeros(table.rows, np.int64))
        known = np.logical_and.reduce([known_cost, *(amounts[name][1] for name in payers)])
        yield Found("payers_differ", known & (np.abs(paid - cost) > 1), "payers_differ", " ".join(amounts))


def _of_dates(table: Columns, policy: Any, year: Any) -> Iterator[Found]:
    """Yield cases that were discharged outside the dates of the policy or of the year, or on no known day."""
    spans = {}
    if isinstance(policy, Policy) and (policy.valid_from or policy.valid_to):
        spans["outside_policy_dates"] = (policy.valid_from, policy.valid_to)
    if year is not None:
        spans["outside_year"] = _span_of(year)
    if not spans or ("discharged" not in table and year is None):
        return
    table.require(["discharged"])
    dates = table.dates("discharged")
    days = np.asarray(dates.to_numpy(zero_copy_only=False), "datetime64[D]")
    for reason, (first, last) in spans.items():
        outside = np.isnat(days)
        for limit, beyond in ((first, np.less), (last, np.greater)):
            if limit is not None:
                outside = outside | beyond(days, np.datetime64(limit))
        yield Found("outside_dates", outside, reason, "discharged")


def _span_of(year: Any) -> tuple[datetime.date, datetime.date]:
    """Return the first and the last day of a year."""
    if isinstance(year, int) and not isinstance(year, bool) and datetime.MINYEAR <= year <= datetime.MAXYEAR:
        return datetime.date(year, 1, 1), datetime.date(year, 12, 31)
    if isinstance(year, tuple) and len(year) == 2 and all(isinstance(day, datetime.date) for day in year):
        return year
    raise PolicyError(f"year={year!r}: give a year such as 2024, or its first and last day as two dates")


def _of_months(table: Columns) -> Iterator[Found]:
    """Yield cases whose month is not that of their discharge; a month that names none is not compared."""
    if "month" not in table or "discharged" not in table:
        return
    codes, values = table.codes("month")
    months = [_months_of(value) for value in values.to_pylist()]
    number, of_year = (np.array([*(month[part] for month in months), 0])[codes] for part in (0, 1))
    days = np.asarray(table.dates("discharged").to_numpy(zero_copy_only=False), "datetime64[D]")
    since = days.astype("datetime64[M]").astype(np.int64)
    differs = (number > 0) & ~np.isnat(days)
    differs &= (since % 12 + 1 != number) | ((of_year > 0) & (since // 12 + 1970 != of_year))
    yield Found("month_differs", differs, "month_differs", "month discharged")


def _months_of(text: str) -> tuple[int, int]:
    """Return the month and the year that a text names, 0 for each that it does not."""
    match = _YEAR_MONTH.fullmatch(text.strip()) or re.fullmatch(r"(\d{4})-(\d\d)-01", text)
    if match is None or not 1 <= int(match[2]) <= 12:
        return 0, 0
    return int(match[2]), int(match[1] or 0)


def _of_regions(table: Columns, policy: Any) -> Iterator[Found]:
    """Yield cross-region cases that the policy settles apart, and that name no insured region."""
    named = isinstance(policy, Policy) and policy.cases.has_account
    if named and "cross_region" in table and "insured_region" in table:
        lacking = on_account(table, policy) & (table.codes("insured_region")[0] < 0)
        yield Found("cross_region", lacking, "no_insured_region", "cross_region insured_region")


def _of_lists(table: Columns, lists: Any) -> Iterator[Found]:
    """Yield cases whose list was never sent, by the lists that came or by the day of submission."""
    if lists is not None:
        sent = Columns(lists, ["case_id"], what="the table lists=")
        table.require(["case_id"])
        names = ["hospital", "case_id"] if "hospital" in sent else ["case_id"]
        keys = sent.keys(names)
        came = Columns(pa.table(keys.table), what=sent.what)
        yield Found("list_never_sent", table.match(names, came) < 0, "list_never_sent", "case_id")
    elif "submitted" in table:
        missing = np.asarray(pc.is_null(one_chunk(table.column("submitted"))))
        marked = holds(table, "list_status", "late", "failed")
        yield Found("list_never_sent", missing & ~marked, "list_never_sent", "submitted")


def _of_status(table: Columns) -> Iterator[Found]:
    """Yield cases that grouping gave no group, where the table has the status of grouping."""
    if "status" in table and pa.types.is_string(decode(*table.codes("status")).type):
        _, values = table.codes("status")
        if set(values.to_pylist()) <= set(_STATUSES):
            yield Found("not_grouped", holds(table, "status", *_STATUSES[1:]), "not_grouped", "status")


def find_unpriced(table: Columns) -> Iterator[Found]:
    """Yield the cases without a price, where they were priced, by the reason that pricing or the points give."""
    if "payable" not in table:
        return
    _, known = optional_money(table, "payable")
    if known.all():
        return
    left = ~known
    for name in ("points_reason", "payment_reason"):
        if name in table:
            codes, values = table.codes(name)
            for code, reason in enumerate(values.to_pylist()):
                if reason != "bad_points" or "points_reason" not in table:
                    yield Found("unpriced", left & (codes == code), reason, "payable")
            left = left & (codes < 0)
    yield Found("unpriced", left, "no_price", "payable")
