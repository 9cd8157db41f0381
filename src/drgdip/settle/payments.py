"""Payments (拨付台账): the money that moved between fund and hospitals, which settlement reads and never redoes."""

from __future__ import annotations

import datetime  # noqa: TC003 - the examples use it
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns, Keys
from drgdip._exact import exactly
from drgdip._money import add_up, to_yuan
from drgdip.errors import CaseError, UnknownNameError
from drgdip.settle._inputs import keys_of, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip._money import Fen

__all__ = ["PAYMENT_KINDS", "join_keys", "paid_by", "paid_on", "read_payments", "sum_payments"]

#: What a payment is. The money of a recovery, a deduction and a deposit goes from the hospital to the fund.
PAYMENT_KINDS = ("monthly", "prepayment", "supplement", "recovery", "deduction", "deposit", "return")
_SIGNS = np.array([1, 1, 1, -1, -1, -1, 1])
# Prepayments are settled and deposits returned at the year.
_OF_THE_YEAR = ("prepayment", "return")


class Payments(NamedTuple):
    """Payments as read: the table's columns, fen with the sign of the kind, the kind and the day of each row."""

    table: Columns
    fen: Fen
    kind: NDArray[np.integer]
    day: NDArray[np.datetime64]

    def of(self, *kinds: str) -> NDArray[np.bool_]:
        """Return which rows are of some kinds."""
        return np.isin(self.kind, [PAYMENT_KINDS.index(kind) for kind in kinds])

    def monthly(self) -> NDArray[np.bool_]:
        """Return which rows pay for a month."""
        return ~self.of(*_OF_THE_YEAR)


@exactly
@reads_once
def sum_payments(payments: Any, by: Sequence[str] = ("hospital", "pool"), *, as_of: datetime.date | None = None) -> Any:
    """Return what was paid, by kind.

    Parameters
    ----------
    payments
        A row for each payment: ``hospital``, ``pool``, ``month`` (null where it is for no month), ``kind`` (one of
        `PAYMENT_KINDS`), ``amount`` (yuan of at least 0; the kind says which way it went), ``date`` and
        ``reference``.

        - monthly: paid for a month; supplement: paid later for a month or the year.
        - prepayment: working capital (周转金), settled at the year.
        - recovery: taken back; deduction: withheld or collected after an audit.
        - deposit: withheld as quality deposit (质量保证金); return: the deposit that is given back.

        A month that is entered net has no rows for what was withheld.
    by
        The columns to add up by, such as ``("hospital", "pool", "month")``.
    as_of
        Payments after this day do not count. None counts all.

    Returns
    -------
    A row for each key: ``payments`` (their number), the amount of each kind, and ``net``: the money that the hospital
    got, less the money that went back.

    Raises
    ------
    CaseError, UnknownNameError
        An amount that is negative or missing, a kind that does not exist, a payment that is entered twice under one
        reference, or no day where `as_of` asks for it.

    Examples
    --------
    >>> place = {"hospital": "H1", "pool": "resident", "month": 1, "date": datetime.date(2024, 2, 20)}
    >>> payments = [{**place, "kind": "monthly", "amount": 1000}, {**place, "kind": "deposit", "amount": 50}]
    >>> sum_payments(payments)[0]["net"]
    Decimal('950.00')
    """
    read = read_payments(payments, as_of)
    keys = keys_of(read.table, by)
    size = keys.size
    sums = {
        kind: to_yuan(add_up(keys.codes, np.where(read.of(kind), np.abs(read.fen), 0), size)) for kind in PAYMENT_KINDS
    }
    table = {
        **keys.table,
        "payments": np.bincount(keys.codes, minlength=size),
        **sums,
        "net": to_yuan(add_up(keys.codes, read.fen, size)),
    }
    return to_kind(pa.table(table), payments)


def read_payments(payments: Any, as_of: datetime.date | None = None) -> Payments:
    """Read payments up to a day. Raise CaseError or UnknownNameError for those that cannot be counted."""
    table = Columns(payments, ["hospital", "pool", "kind", "amount"], what="the table payments=")
    if as_of is not None:
        table.require(["date"])
        day = _days(table)
        missing = np.flatnonzero(np.isnat(day))
        if len(missing):
            raise CaseError(f"payments= has no date in row {missing[0]}: as_of= asks for the day of each payment")
        table = Columns(_rows(table, day <= np.datetime64(as_of)), what=table.what)
    keys_of(table, ["hospital", "pool", "kind"])
    codes, values = table.codes("kind")
    for name in values.to_pylist():
        if name not in PAYMENT_KINDS:
            raise UnknownNameError("kind of payment", name, PAYMENT_KINDS, hint="It is named in payments=.")
    kind = np.array([*(PAYMENT_KINDS.index(name) for name in values.to_pylist()), 0])[codes]
    _refuse_twice(table)
    return Payments(table, money(table, "amount") * _SIGNS[kind], kind, _days(table))


def _days(table: Columns) -> NDArray[np.datetime64]:
    """Return the day of each payment, NaT where there is none."""
    if "date" not in table:
        return np.full(table.rows, np.datetime64("NaT"), "datetime64[D]")
    return np.asarray(table.dates("date").to_numpy(zero_copy_only=False), "datetime64[D]")


def _rows(table: Columns, kept: NDArray[np.bool_]) -> pa.Table:
    """Return some rows of a table."""
    return pa.table({name: table.column(name).filter(pa.array(kept)) for name in table.names})


def _refuse_twice(table: Columns) -> None:
    """Raise CaseError where two payments under one reference agree in all that they say."""
    if "reference" not in table:
        return
    names = [name for name in ("reference", "hospital", "pool", "kind", "amount", "month", "date") if name in table]
    rows = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    seen: dict[Any, int] = {}
    for number, row in enumerate(rows):
        if row[0] is not None and seen.setdefault(row, number) != number:
            raise CaseError(
                f"payments= has reference {row[0]!r} twice with the same content, in rows {seen[row]} and {number}: "
                "leave one of them, or give the second payment a reference of its own"
            )


def paid_by(payments: Payments, chosen: NDArray[np.bool_], keys: Keys) -> Fen:
    """Return the net fen of some payments for each key; `join_keys` has put their keys in."""
    names = list(keys.table)
    row = payments.table.match(names, Columns(pa.table(keys.table), what="the keys"))
    return add_up(row[chosen], payments.fen[chosen], keys.size)


def paid_on(payments: Payments) -> datetime.date | None:
    """Return the day of the last payment for a month, None where none has a day."""
    days = payments.day[payments.monthly()]
    days = days[~np.isnat(days)]
    return cast("datetime.date", days.max().astype(object)) if len(days) else None


def join_keys(keys: Keys, *others: Keys) -> Keys:
    """Return keys with those of other tables put in, in their order, and the codes of the first table's rows."""
    names = list(keys.table)
    whole = pa.table(keys.table)
    parts = [whole]
    for other in others:
        columns = {name: _as(other.table[name], whole[name].type, name) for name in names}
        parts.append(pa.table(columns, schema=whole.schema))
    joined = pa.concat_tables(parts).group_by(names).aggregate([])
    if len(joined) == keys.size:
        return keys
    joined = joined.select(names).sort_by([(name, "ascending") for name in names]).combine_chunks()
    place = Columns(whole, what="the keys").match(names, Columns(joined, what="the keys"))
    table = {name: joined[name].combine_chunks() for name in names}
    return Keys(np.append(place, -1).astype(np.int32)[keys.codes], table, len(joined))


def _as(values: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """Return the values of a key in the type that the cases have."""
    try:
        return pc.cast(values, kind)
    except pa.ArrowInvalid as error:
        raise CaseError(
            f"{name} is {kind} in the cases and not in another table ({error}): write both alike"
        ) from error
