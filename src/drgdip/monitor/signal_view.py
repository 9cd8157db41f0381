"""All that signals read: cases, means of groups, cases grouped again with other codes, and prices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_numpy, one_chunk
from drgdip._columns import Columns, Reasons
from drgdip._money import add_up
from drgdip._sums import counts
from drgdip.grouper.group import group
from drgdip.monitor.signal_cases import Cases, Lists
from drgdip.points import set_payment_standards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from drgdip._columns import Codes, Floats
    from drgdip._money import Fen

__all__ = ["Amounts", "Finder", "Found", "View"]

#: Altered cases that are made and grouped at a time, so that they stay small beside the table.
_BATCH = 1 << 19


class Amounts(NamedTuple):
    """Amounts in fen, which rows have one, and the reason of each other row as a code."""

    fen: Fen
    known: NDArray[np.bool_]
    reasons: pa.Array

    @classmethod
    def none(cls, rows: int, reason: str) -> Amounts:
        """Return no amounts, all for one reason."""
        texts = pa.array([reason]).take(from_numpy(np.zeros(rows, np.int64)))
        return cls(np.zeros(rows, np.int64), np.zeros(rows, bool), texts)

    def minus(self, other: Amounts) -> Amounts:
        """Return differences; the reason for none is that of the first side, or else of the other."""
        known = self.known & other.known
        fen = np.where(known, self.fen - other.fen, 0)
        return Amounts(fen, known, pc.coalesce(self.reasons, other.reasons))


class Found(NamedTuple):
    """The rows of one signal, and their evidence; a row below 0 is a hospital's."""

    rows: Codes
    amounts: Amounts
    value: Floats
    expected: Floats | None = None
    limit: float | None = None
    counted: Codes | None = None
    code: pa.Array | None = None
    other_group: pa.Array | None = None
    other_row: Codes | None = None
    hospital: pa.Array | None = None


#: A function that finds one signal, by its parameters.
Finder: TypeAlias = "Callable[..., Found]"


class View:
    """Everything that signals read: the cases, what they are compared with, and what groups and prices them."""

    def __init__(
        self,
        cases: Cases,
        *,
        scheme: Any,
        reference: Cases | None,
        previous: Cases | None,
        tables: Mapping[str, Columns],
        weights: Any,
        rates: Any,
    ) -> None:
        self.cases, self.scheme, self.previous, self.tables = cases, scheme, previous, tables
        self.reference = cases if reference is None else reference
        self._weights = None if weights is None else Columns(weights, ["group", "weight"], what="the table weights=")
        self._rates = rates
        self._kept: dict[str, Any] = {}

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what several signals need, made once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    # --- means of the reference's groups ---

    def means(self, name: str) -> tuple[Floats, Codes]:
        """Return the mean of a number (total_cost, los …) by group of the reference, and how many cases it is of."""
        found: tuple[Floats, Codes] = self.kept(f"mean {name}", lambda: self._means(name))
        return found

    def _means(self, name: str) -> tuple[Floats, Codes]:
        reference = self.reference
        number: Codes
        if name == "total_cost":
            fen, known = reference.fen
            codes, groups = reference.group
            counted = np.where(known, codes, -1)
            number, total = counts(counted, len(groups)), add_up(counted, fen, len(groups)) / 100
        else:
            number, total = reference.sum_by_group(reference.numbers(name))
        mean = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
        return np.where(mean > 0, mean, np.nan), number

    @cached_property
    def place(self) -> Codes:
        """The place of each case's group among those of the reference, -1 where it has none."""
        codes, groups = self.cases.group
        if self.reference is self.cases:
            return codes
        return np.append(self.places(groups), -1)[codes]

    def places(self, groups: pa.Array) -> Codes:
        """Return the places of groups among those of the reference, -1 where it has none."""
        return filled(pc.index_in(groups.cast(pa.string()), value_set=self.reference.group[1]), -1)

    def mean_of(self, name: str, places: Codes) -> Floats:
        """Return the mean of a number by place of the group, NaN where there is none."""
        return np.append(self.means(name)[0], np.nan)[places]

    def counted(self, name: str, places: Codes) -> Codes:
        """Return the number of cases that the mean is of."""
        return np.append(self.means(name)[1], 0)[places]

    def ratio(self, name: str) -> Floats:
        """Return the cost or stay of each case over the mean of its group."""

        def make() -> Floats:
            values = self.cases.cost if name == "total_cost" else self.cases.los
            with np.errstate(invalid="ignore"):
                return np.asarray(values / self.mean_of(name, self.place))

        found: Floats = self.kept(f"ratio {name}", make)
        return found

    # --- cases grouped again ---

    def regroup(self, rows: Codes, **changed: Any) -> pa.Array:
        """Return the groups of cases with other codes or values, null where such a case has none.

        Parameters
        ----------
        rows
            The row of the cases that each altered case is like.
        changed
            New columns by name: a column, or `Lists`.
        """
        found = []
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            table = self.cases.clinical.take(from_numpy(np.asarray(rows[part], np.int64)))
            for name, new in changed.items():
                piece = new.take(np.arange(len(rows))[part]).column() if isinstance(new, Lists) else new[part]
                place = table.column_names.index(name) if name in table.column_names else table.num_columns
                table = table.remove_column(place) if place < table.num_columns else table
                table = table.add_column(place, name, piece)
            grouped = group(table, self.scheme)
            kept = pc.is_in(grouped["status"].cast(pa.string()), value_set=pa.array(["grouped"]))
            text = grouped["group"].cast(pa.string())
            found.append(one_chunk(pc.if_else(kept, text, pa.scalar(None, pa.string()))))
        return pa.concat_arrays(found) if found else pa.array([], pa.string())

    # --- prices ---

    @property
    def priced(self) -> bool:
        """Whether weights and rates are given."""
        return self._weights is not None and self._rates is not None

    def prices(self, rows: Codes, groups: pa.Array) -> Amounts:
        """Return what cases would be paid in groups: weight x base rate x coefficient, to the fen."""
        if self._weights is None or self._rates is None:
            return Amounts.none(len(rows), "prices_not_given")
        columns = {"group": groups}
        for name in ("level", "pool"):
            if name in self.cases.columns:
                columns[name] = self.cases.texts(name, rows)
        dated = "discharged" in self.cases.columns
        if dated:
            columns["discharged"] = self.cases.columns.dates("discharged").take(from_numpy(rows))
        table = Columns(pa.table({"group": groups}))
        weight = np.append(self._weights.numbers("weight"), np.nan)[table.match(["group"], self._weights)]
        columns["weight"] = pa.array(weight, from_pandas=True)
        priced = set_payment_standards(pa.table(columns), self._rates, digits=2, date="discharged" if dated else None)
        standard = filled(one_chunk(priced["standard"]), np.nan)
        reasons = Reasons(len(rows))
        reasons.note(np.asarray(pc.is_null(groups)), "without_group")
        text = pc.coalesce(reasons.column().cast(pa.string()), one_chunk(priced["standard_reason"]).cast(pa.string()))
        known = ~np.isnan(standard) & np.asarray(pc.is_null(text))
        return Amounts(np.rint(np.where(known, standard, 0) * 100).astype(np.int64), known, text)

    def own_prices(self, rows: Codes) -> Amounts:
        """Return what cases are paid in their own groups."""
        return self.prices(rows, self.cases.group_texts(rows))

    def costs(self, rows: Codes) -> Amounts:
        """Return the costs of cases."""
        fen, known = self.cases.fen
        reasons = Reasons(len(rows))
        reasons.note(~known[rows], "missing_cost")
        return Amounts(fen[rows], known[rows], reasons.column().cast(pa.string()))
