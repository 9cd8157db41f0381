"""Ledgers: sums that must be equal after a step of settlement, with both sides. A difference is an error."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._notebook import shown
from drgdip.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LEDGER", "Ledger", "Step"]

#: The columns of a ledger: the step, the invariant, where it must hold, both sides, their unit (yuan, points, cases),
#: the relation.
LEDGER = pa.schema(
    [
        ("step", pa.string()),
        ("invariant", pa.string()),
        ("where", pa.string()),
        ("left", pa.decimal128(38, 9)),
        ("relation", pa.string()),
        ("right", pa.decimal128(38, 9)),
        ("unit", pa.string()),
    ]
)


@shown
class Step(NamedTuple):
    """The result of a step of settlement.

    Attributes
    ----------
    table
        The step's table, in the caller's kind of container.
    ledger
        Sums that were checked: an Arrow table with the columns of `LEDGER`. Every row holds; otherwise the step would
        have raised `InvariantError`.
    findings
        The findings on the cases that the caller accepted, each with the way and the treatment of its row; None for a
        step that takes no ``accept=``.
    """

    table: Any
    ledger: pa.Table
    findings: pa.Table | None = None


class Ledger:
    """The checks of one step."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.rows: list[tuple[str, str, Decimal, str, Decimal, str]] = []

    def check(
        self,
        invariant: str,
        where: Sequence[str],
        left: Any,
        right: Any,
        *,
        relation: str = "=",
        digits: int = 2,
        unit: str = "yuan",
        total: bool = True,
    ) -> None:
        """Note an invariant at each place. Raise `InvariantError` with the places where it fails.

        Left and right are whole multiples of ``10 ** -digits``. With ``total``, all places are checked and one line
        with their sums is noted, so that a ledger stays short.
        """
        one, other = (np.broadcast_to(np.asarray(side, np.int64), len(where)) for side in (left, right))
        holds = one == other if relation == "=" else one <= other
        if not holds.all():
            bad = np.flatnonzero(~holds)
            rows = self._table(
                [self._row(invariant, where, one, other, int(row), relation, digits, unit) for row in bad]
            )
            raise InvariantError(self.step, invariant, rows)
        if total:
            place = f"{len(where)} {'place' if len(where) == 1 else 'places'}, each checked"
            sums = (sum(map(int, side)) for side in (one, other))
            first, second = (Decimal(side).scaleb(-digits) for side in sums)
            self.rows.append((invariant, place, first, relation, second, unit))
        else:
            self.rows += [
                self._row(invariant, where, one, other, row, relation, digits, unit) for row in range(len(where))
            ]

    @staticmethod
    def _row(
        invariant: str, where: Sequence[str], left: Any, right: Any, row: int, relation: str, digits: int, unit: str
    ) -> tuple[str, str, Decimal, str, Decimal, str]:
        sides = (Decimal(int(side[row])).scaleb(-digits) for side in (left, right))
        return invariant, where[row], next(sides), relation, next(sides), unit

    def _table(self, rows: Sequence[tuple[str, str, Decimal, str, Decimal, str]]) -> pa.Table:
        names = LEDGER.names[1:]
        return pa.Table.from_pylist([{"step": self.step, **dict(zip(names, row, strict=True))} for row in rows], LEDGER)

    def table(self) -> pa.Table:
        """Return the ledger as a table."""
        return self._table(self.rows)
