"""New drugs and technology outside the group (除外支付): which cases are eligible, and what they get on top."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, nullable
from drgdip._exact import exactly
from drgdip._listing import Listing
from drgdip._money import rounded, to_yuan
from drgdip.points import Expression
from drgdip.settle._inputs import NAMES, money, optional_money
from drgdip.settle._sections import section_of
from drgdip.settle.money_rules import ExclusionRules, exclusions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.settle.policy import Policy

__all__ = ["EXCLUDED_COLUMNS", "EXCLUDED_KINDS", "Exclusion", "list_exclusions", "pay_exclusions"]

#: The kinds of new item. Each is compared with the group's mean cost of its kind: ``mean_drug`` and so on.
EXCLUDED_KINDS = ("drug", "consumable", "service")


#: The columns that `pay_exclusions` adds.
EXCLUDED_COLUMNS = ("excluded_ratio", "excluded_share", "excluded_amount", "exclusion_reason")


class Exclusion(NamedTuple):
    """A published variant, as `list_exclusions` shows it."""

    name: str
    title: str
    grade: str
    cost_ratio: Decimal
    item_share: Decimal
    amount: str
    source: str
    note: str


def list_exclusions() -> Listing[Exclusion]:
    """List the published variants of paying new items outside the group.

    Returns
    -------
    A listing with an `Exclusion` for each. Grades of evidence are A (read in full), B (in part), C (reproduced by a
    third party) and D (one implementer's reading).

    Examples
    --------
    >>> [(row.name, str(row.item_share), row.amount) for row in list_exclusions()]
    [('beijing-2022', '0.64', 'item - mean_part')]
    """
    rows = [Exclusion(**{name: row[name] for name in Exclusion._fields}) for row in exclusions().values.values()]
    return Listing(rows, Exclusion._fields)


@exactly
@reads_once
def pay_exclusions(
    cases: Any, means: Any, policy: Policy | ExclusionRules, *, columns: Mapping[str, str] | None = None
) -> Any:
    """Find what cases with new drugs or technology get on top of their standard.

    Parameters
    ----------
    cases
        Cases with ``group``, ``total_cost``, ``excluded_cost`` (yuan of the new item, null for none) and
        ``excluded_kind`` (one of `EXCLUDED_KINDS`).
    means
        A table with ``group``, ``mean`` (yuan a case), and of ``mean_drug``, ``mean_consumable`` and ``mean_service``
        (yuan of that kind a case) those that the cases need.
    policy
        A policy with ``exclusion``, or that section.
    columns
        The table's names of columns by the library's names, such as ``{"excluded_cost": "新药费用"}``.

    Returns
    -------
    The caller's table with ``excluded_ratio`` (cost / mean), ``excluded_share`` (item / cost), ``excluded_amount``
    (yuan; 0 for a case that is not eligible, null where it is unknown) and ``exclusion_reason`` (a code). `price_cases`
    adds the amount to the standard under a fixed form; `score_cases` adds its worth in points under the others.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, or money that is missing or negative.
    PolicyError
        The policy has no exclusion.

    Notes
    -----
    The cited variants: `list_exclusions`. The sources do not say what an amount below 0 does: it adds nothing.

    Examples
    --------
    >>> from drgdip.settle.money_rules import ExclusionRules
    >>> case = {"group": "A", "total_cost": 30000, "excluded_cost": 21000, "excluded_kind": "drug"}
    >>> means = [{"group": "A", "mean": 10000, "mean_drug": 3000}]
    >>> row = pay_exclusions([case], means, ExclusionRules(variant="beijing-2022"))[0]
    >>> row["excluded_ratio"], row["excluded_share"], row["excluded_amount"]
    (3.0, 0.7, Decimal('18000.00'))
    """
    rules = section_of(policy, "exclusion", ExclusionRules)
    names = ["group", "total_cost", "excluded_cost", "excluded_kind"]
    table = Columns(cases, names, columns=columns, optional=NAMES)
    cost, (item, there) = money(table, "total_cost"), optional_money(table, "excluded_cost")
    rows = np.flatnonzero(there & (item != 0))
    kinds, texts = table.codes("excluded_kind")
    kind = np.array([*(EXCLUDED_KINDS.index(t) if t in EXCLUDED_KINDS else -1 for t in texts.to_pylist()), -1])[kinds]
    used = [EXCLUDED_KINDS[number] for number in np.unique(kind[rows]) if number >= 0]
    prices = Columns(means, ["group", "mean", *(f"mean_{name}" for name in used)], what="the means")
    place = table.match(["group"], prices)
    whole = np.append(prices.numbers("mean"), np.nan)[place]
    part = np.full(table.rows, np.nan)
    for name in used:
        mine = kind == EXCLUDED_KINDS.index(name)
        part[mine] = np.append(prices.numbers(f"mean_{name}"), np.nan)[place[mine]]

    reasons, open_rows = Reasons(table.rows), np.zeros(table.rows, bool)
    open_rows[rows] = True
    reasons.note(open_rows & ((item < 0) | (item > cost)), "excluded_above_cost")
    reasons.note(open_rows & (kind < 0), "unknown_excluded_kind")
    reasons.note(open_rows & ~((whole > 0) & (part >= 0)), "no_group_mean")
    known = ~reasons.noted
    fen, formula = np.zeros(table.rows, np.int64), Expression(rules.amount)
    dear, large = np.zeros(table.rows, bool), np.zeros(table.rows, bool)
    # New items are few, so that each case is worked out by itself, exactly at its edges.
    for row in np.flatnonzero(open_rows & known).tolist():
        dear[row] = Decimal(int(cost[row])) > rules.cost_ratio * 100 * Decimal(repr(float(whole[row])))
        large[row] = Decimal(int(item[row])) > rules.item_share * int(cost[row])
        values = {"item": item[row] / 100, "mean_part": part[row], "cost": cost[row] / 100, "mean": whole[row]}
        fen[row] = max(rounded(Decimal(repr(float(formula(values)))), 2), 0) if dear[row] and large[row] else 0
    reasons.note(open_rows & known & ~dear, f"small_cost_ratio:{rules.cost_ratio:f}")
    reasons.note(open_rows & known & ~large, f"small_item_share:{rules.item_share:f}")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(open_rows & (whole > 0), cost / 100 / whole, np.nan)
        share = np.where(open_rows & (cost > 0), item / cost, np.nan)
    added = {"excluded_ratio": nullable(ratio), "excluded_share": nullable(share)}
    return add_columns(cases, {**added, "excluded_amount": to_yuan(fen, known), "exclusion_reason": reasons.column()})
