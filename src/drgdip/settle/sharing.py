"""Surplus and overspend of a budget, shared between hospitals and fund by bands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns, add_columns, nullable
from drgdip._exact import exactly
from drgdip._money import fen_of, rounded, to_yuan, yuan_of
from drgdip.errors import PolicyError
from drgdip.settle._inputs import money
from drgdip.settle._sections import section_of
from drgdip.settle.money_rules import InstitutionRules
from drgdip.settle.rules import YearRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from drgdip._money import Fen
    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import ShareBand

__all__ = ["changes_of", "hospitals_part", "share_by_institution", "share_surplus"]


@exactly
@reads_once
def share_surplus(budget: Any, spent: Any, policy: Policy | YearRules) -> dict[str, Decimal]:
    """Share the surplus or overspend of a budget between hospitals and fund, by the policy's bands.

    Parameters
    ----------
    budget, spent
        Yuan.
    policy
        A policy with ``year.fund = shared``, or its section ``year``.

    Returns
    -------
    ``surplus`` (negative: overspend), ``hospitals`` (their part: negative where they bear it) and ``fund`` (the rest),
    in yuan. The two parts make the surplus.

    Raises
    ------
    PolicyError
        Float money, a budget that is not above 0, or a policy that shares nothing.

    Notes
    -----
    With ``bands = marginal`` each stretch has its own share. With ``whole`` the band of the last fen decides for all.
    Sources differ, and most do not say which holds: a policy with several bands must. One band is the same under both.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> share_surplus(1000, 940, policy)["hospitals"], share_surplus(1000, 1100, policy)["hospitals"]
    (Decimal('51.00'), Decimal('-85.00'))
    """
    fen, used = fen_of(budget, "budget"), fen_of(spent, "spent")
    rules = section_of(policy, "year", YearRules)
    if rules.fund != "shared":
        raise PolicyError(f"the policy shares nothing: year.fund is {rules.fund}")
    if fen <= 0:
        raise PolicyError(f"budget={budget}: give yuan above 0")
    left = fen - used
    hospitals = hospitals_part(left, fen, rules)
    return {"surplus": yuan_of(left), "hospitals": yuan_of(hospitals), "fund": yuan_of(left - hospitals)}


@exactly
@reads_once
def share_by_institution(
    institutions: Any, policy: Policy | InstitutionRules, *, columns: Mapping[str, str] | None = None
) -> Any:
    """Share the surplus or overspend of each institution between it and the fund, by its cost against its standard.

    Parameters
    ----------
    institutions
        A table with a row an institution: ``standard`` and ``total_cost`` (yuan).
    policy
        A policy with ``institutions``, or that section.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    The caller's table with ``cost_of_standard`` (cost / standard, null without a standard) and ``difference`` (standard
    - cost). ``hospitals`` is the part of the institution (negative where it bears it), ``fund`` the rest (yuan).

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or money that is missing or negative.
    PolicyError
        The policy has no rule on institutions.

    Examples
    --------
    >>> from drgdip.settle.money_rules import InstitutionRules
    >>> bands = [{"until": Decimal("0.15"), "hospitals": 1}, {"hospitals": 0}], [{"hospitals": Decimal("0.5")}]
    >>> ways = {"surplus_bands": "whole", "overspend_bands": "marginal", "when": "before"}
    >>> rules = InstitutionRules(surplus=bands[0], overspend=bands[1], **ways)
    >>> rows = [{"standard": 1000, "total_cost": cost} for cost in (800, 900, 1100)]
    >>> [str(row["hospitals"]) for row in share_by_institution(rows, rules)]
    ['0.00', '100.00', '-50.00']
    """
    rules = section_of(policy, "institutions", InstitutionRules)
    table = Columns(institutions, ["standard", "total_cost"], what="the institutions", columns=columns)
    standard, cost = money(table, "standard"), money(table, "total_cost")
    left = standard - cost
    change = changes_of(left, standard, rules)
    ratio = np.divide(cost, standard, out=np.full(table.rows, np.nan), where=standard > 0)
    added: dict[str, pa.Array] = {"cost_of_standard": nullable(ratio), "difference": to_yuan(left)}
    return add_columns(institutions, added | {"hospitals": to_yuan(left + change), "fund": to_yuan(-change)})


def changes_of(left: Fen, standard: Fen, rules: InstitutionRules) -> Fen:
    """Return how the money of each institution changes: below 0 what it gives up, above 0 what the fund bears."""
    changes = []
    for amount, base in zip(left.tolist(), standard.tolist(), strict=True):
        bands, way = (rules.surplus, rules.surplus_bands) if amount >= 0 else (rules.overspend, rules.overspend_bands)
        changes.append(_part(amount, max(base, 0), bands, marginal=way == "marginal") - amount)
    return np.array(changes, np.int64)


def hospitals_part(left: int, budget: int, rules: YearRules) -> int:
    """Return the hospitals' part of a surplus (above 0) or an overspend (below 0), in fen."""
    return _part(left, budget, rules.surplus if left >= 0 else rules.overspend, marginal=rules.bands != "whole")


def _part(left: int, base: int, bands: Sequence[ShareBand], *, marginal: bool) -> int:
    """Return the part that bands give of a surplus (above 0) or an overspend (below 0), in fen."""
    part = rounded(_by_bands(Decimal(abs(left)), Decimal(base), bands, marginal=marginal))
    return part if left >= 0 else -part


def _by_bands(amount: Decimal, base: Decimal, bands: Sequence[ShareBand], *, marginal: bool) -> Decimal:
    """Return the part of an amount that the bands give to hospitals; their edges are shares of the base."""
    part, low = Decimal(0), Decimal(0)
    for band in bands:
        high = amount if band.until is None else min(amount, band.until * base)
        if not marginal and amount <= high:
            return amount * band.hospitals
        part += max(high - low, Decimal(0)) * band.hospitals
        low = max(low, high)
    return part
