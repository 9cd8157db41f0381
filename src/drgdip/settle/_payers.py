"""Payments of each payer (支付方) of a case, and its part of the price."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drgdip._money import to_yuan
from drgdip.settle.money_rules import FUNDS, PATIENT_PAYERS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from drgdip._columns import Columns
    from drgdip._money import Fen
    from drgdip.settle.money_rules import PayerRules

__all__ = ["Paid", "payer_columns", "read_paid"]


class Paid(NamedTuple):
    """Fen that were booked for each case.

    ``booked`` is the part of the payers whom the group payment concerns, ``by_payer`` that of each of them. ``others``
    is the part of all others, None where no rule on payers says who they are.
    """

    booked: Fen
    others: Fen | None
    by_payer: dict[str, Fen]

    def parts(self, payable: Fen, known: NDArray[np.bool_], rules: PayerRules | None) -> dict[str, pa.Array]:
        """Return the columns of the payers: the sums booked, and what each of them owes of the payable amount."""
        if rules is None or self.others is None:
            return {}
        owed = dict(self.by_payer)
        owed[rules.bears] = payable - (self.booked - self.by_payer[rules.bears])
        columns = {f"payable_{name}": to_yuan(fen, known) for name, fen in owed.items()}
        return {"fund_booked": to_yuan(self.booked), "patient_paid": to_yuan(self.others), **columns}


def payer_columns(rules: PayerRules | None) -> list[str]:
    """Return the columns that a rule on payers adds to priced cases."""
    return [] if rules is None else ["fund_booked", "patient_paid", *(f"payable_{name}" for name in rules.concerns)]


def read_paid(table: Columns, rules: PayerRules | None, read: Callable[[str], Fen]) -> Paid:
    """Return what was booked for each case: by payer where there is a rule on payers. ``read`` reads an amount."""
    if rules is None:
        return Paid(read("fund_booked"), None, {})
    table.require(f"paid_{name}" for name in rules.concerns)
    there = {name: read(f"paid_{name}") for name in (*FUNDS, *PATIENT_PAYERS) if f"paid_{name}" in table}
    nothing = np.zeros(table.rows, np.int64)
    concerned: dict[str, Fen] = {name: there[name] for name in rules.concerns}
    others = sum((fen for name, fen in there.items() if name not in concerned), nothing)
    return Paid(sum(concerned.values(), nothing), others, concerned)
