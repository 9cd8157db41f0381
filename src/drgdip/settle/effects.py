"""The effect of a rule: the same year with it and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._arrow import reads_once
from drgdip._exact import exactly
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle.simulation import Simulation, simulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip.settle.policy import Policy

__all__ = ["RULES_WITH_EFFECT", "measure_effect"]

#: The rules whose effect can be measured: sections that a policy can be without, and the points on top.
RULES_WITH_EFFECT = ("tcm", "exclusion", "readmission", "review", "outliers", "institutions", "caps", "added_points")
# The inputs of `settle_year` that go with a rule alone.
_INPUTS = {
    "added_points": ("added_points",),
    "exclusion": ("exclusion_means",),
    "caps": ("volume_caps", "money_caps", "last_year"),
}


@exactly
@reads_once
def measure_effect(
    cases: Any,
    policy: Policy,
    rule: str,
    *,
    inputs: Mapping[str, Any],
    by: str | Sequence[str] = ("pool", "hospital"),
    columns: Mapping[str, str] | None = None,
) -> Simulation:
    """Measure what a rule moves: settle the year without it (a) and with it (b).

    Parameters
    ----------
    cases
        Grouped cases, as for `settle_year`.
    policy
        A policy that has the rule.
    rule
        One of `RULES_WITH_EFFECT`. ``added_points`` takes out ``points.added`` and the input ``added_points``.
    inputs
        The keyword arguments of `settle_year`, without ``columns``.
    by
        The columns to report by.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A `Simulation`: ``points_a`` and ``payable_a`` are without the rule, ``points_b`` and ``payable_b`` with it, and
    ``moved`` is what it moves (yuan). The hospitals' money to the fen, retention included, is in ``a.clearing`` and
    ``b.clearing``.

    Raises
    ------
    UnknownNameError
        There is no such rule.
    PolicyError
        The policy does not have it.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> policy = policy.replace(points={"scale": 100}, tcm={"higher": True})
    >>> case = {"case_id": "1", "hospital": "H", "pool": "resident", "level": "3", "month": 1, "total_cost": 9000}
    >>> case |= {"fund_booked": 6000, "patient_paid": 3000, "group": "IU2F", "western_group": "IU23"}
    >>> weights = [{"group": "IU2F", "weight": 92}, {"group": "IU23", "weight": 110}]
    >>> budget = {"resident": 7000, "employee": 1}
    >>> found = measure_effect([case], policy, "tcm", inputs={"weights": weights, "budget": budget})
    >>> found.table[0]["points_a"], found.table[0]["points_b"]
    (92.0, 110.0)
    """
    if rule not in RULES_WITH_EFFECT:
        raise UnknownNameError("rule", rule, RULES_WITH_EFFECT)
    without = {name: value for name, value in inputs.items() if name not in _INPUTS.get(rule, ())}
    if rule == "added_points":
        there = bool(policy.points.added) or inputs.get("added_points") is not None
        bare = policy.replace(points=policy.points.model_dump(exclude_unset=True, exclude={"added"}))
    else:
        there = getattr(policy, rule) is not None
        bare = policy.replace(**{rule: None})
    if not there:
        raise PolicyError(f"policy {policy.id!r} has no {rule}: there is no effect to measure")
    return simulate(cases, bare, policy, inputs_a=without, inputs_b=inputs, by=by, columns=columns)
