"""Surplus and overspend of a budget, shared between hospitals and fund by bands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip._exact import exactly
from drgdip._money import fen_of, rounded, yuan_of
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip.settle.policy import Policy
    from drgdip.settle.rules import ShareBand

__all__ = ["hospitals_part", "share_surplus"]


@exactly
def share_surplus(budget: Any, spent: Any, policy: Policy) -> dict[str, Decimal]:
    """Share the surplus or overspend of a budget between hospitals and fund, by the policy's bands.

    Parameters
    ----------
    budget, spent
        Yuan.
    policy
        A policy with ``year.fund = shared``.

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
    Sources differ, and most do not say which holds.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> share_surplus(1000, 940, policy)["hospitals"], share_surplus(1000, 1100, policy)["hospitals"]
    (Decimal('51.00'), Decimal('-85.00'))
    """
    fen, used = fen_of(budget, "budget"), fen_of(spent, "spent")
    if policy.year.fund != "shared":
        raise PolicyError(f"policy {policy.id!r} shares nothing: year.fund is {policy.year.fund}")
    if fen <= 0:
        raise PolicyError(f"budget={budget}: give yuan above 0")
    left = fen - used
    hospitals = hospitals_part(left, fen, policy)
    return {"surplus": yuan_of(left), "hospitals": yuan_of(hospitals), "fund": yuan_of(left - hospitals)}


def hospitals_part(left: int, budget: int, policy: Policy) -> int:
    """Return the hospitals' part of a surplus (above 0) or an overspend (below 0), in fen."""
    bands = policy.year.surplus if left >= 0 else policy.year.overspend
    part = _by_bands(Decimal(abs(left)), Decimal(budget), bands, marginal=policy.year.bands == "marginal")
    return rounded(part) if left >= 0 else -rounded(part)


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
