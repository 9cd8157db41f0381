"""Chinese medicine (中医): groups paid by the higher of two standards, and groups that need a share of treatment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import reads_once
from drgdip._columns import Columns, Reasons, add_columns, decode, nullable
from drgdip.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TCM_PARTS", "downgrade_tcm", "take_higher_group"]

#: The parts of cost in the ratio of Chinese medicine, the first three being its numerator.
TCM_PARTS = (
    "tcm_treatment",
    "patent_medicine",
    "decoction_pieces",
    "western_treatment",
    "western_drugs",
    "surgery",
    "materials",
)


@reads_once
def take_higher_group(cases: Any, weights: Any, *, columns: Mapping[str, str] | None = None) -> Any:
    """Take for a case the higher weight of its own Chinese-medicine group and of the matching Western group (就高).

    Parameters
    ----------
    cases
        Any table with a row a case: ``group``, and ``western_group``, the Western group that the case would be in (null
        where there is none).
    weights
        A table with ``group`` and ``weight``.
    columns
        The cases' names of columns by the library's names.

    Returns
    -------
    The caller's table with ``own_weight``, ``western_weight``, ``paid_weight`` and ``paid_group``. If one of
    the two has no weight, the other counts. Of equal ones, its own counts.

    Notes
    -----
    Source: 《江苏医改动态》第246期, the rule of Nanjing from 2022.

    Examples
    --------
    >>> weights = [{"group": "IU2F", "weight": 0.92}, {"group": "IU23", "weight": 1.1}]
    >>> take_higher_group([{"group": "IU2F", "western_group": "IU23"}], weights)[0]["paid_group"]
    'IU23'
    """
    table = Columns(cases, ["group", "western_group"], columns=columns or {})
    prices = Columns(weights, ["group", "weight"], what="the weights")
    weight = np.append(prices.numbers("weight"), np.nan)
    own = weight[table.match(["group"], prices)]
    western = weight[table.match(["western_group"], prices, ["group"])]
    other = (western > own) | (np.isnan(own) & ~np.isnan(western))
    return add_columns(
        cases,
        {
            "own_weight": nullable(own),
            "western_weight": nullable(western),
            "paid_weight": nullable(np.where(other, western, own)),
            "paid_group": _either(table, "group", "western_group", other),
        },
    )


@reads_once
def downgrade_tcm(
    cases: Any,
    *,
    minimum: float,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Move cases of Chinese-medicine groups with too small a share of Chinese medicine to the Western group.

    The share is (treatment + patent medicine + decoction pieces) over those and Western treatment, Western
    drugs, surgery and materials.

    Parameters
    ----------
    cases
        Any table with a row a case: ``group``; ``western_group``, to which it falls back (by severity where that is
        split); and some parts of the cost of `TCM_PARTS` (yuan, null is 0). A case whose Western group is null is in no
        Chinese-medicine group and stays.
    minimum
        The share from which a case stays in its group, such as 0.6.
    columns
        The table's names of columns by the library's names, such as ``{"surgery": "手术费"}``.

    Returns
    -------
    The caller's table with ``tcm_ratio`` (null where no part has a cost), ``paid_group``, ``downgraded``
    and ``downgrade_reason`` (a code). A case without a ratio is downgraded, since it has no Chinese medicine.

    Notes
    -----
    Source: 重庆某地区医保局〔2025〕27号, through a hospital's system documentation: 60 %.

    Examples
    --------
    >>> case = {"group": "IU2F", "western_group": "IU23", "tcm_treatment": 59, "western_drugs": 41}
    >>> downgrade_tcm([case], minimum=0.6)[0]["paid_group"]
    'IU23'
    """
    if not 0 <= minimum <= 1:
        raise PolicyError(f"minimum={minimum!r}: a share lies between 0 and 1")
    known = Columns(cases, columns=columns).names
    parts = [part for part in TCM_PARTS if part in known]
    if not parts:
        raise PolicyError(
            f"the cases have none of the parts of cost {', '.join(TCM_PARTS)}: name them by columns={{'surgery': ...}}"
        )
    table = Columns(cases, ["group", "western_group", *parts], columns=columns or {}, optional=TCM_PARTS)
    chinese, everything = np.zeros(table.rows), np.zeros(table.rows)
    negative = np.zeros(table.rows, bool)
    for part in parts:
        amount = np.nan_to_num(table.numbers(part))
        negative |= amount < 0
        everything += amount
        if part in TCM_PARTS[:3]:
            chinese += amount
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((everything > 0) & ~negative, chinese / everything, np.nan)
    codes, _ = table.codes("western_group")
    # A share that is the minimum but for a last digit of the division stays.
    down = (codes >= 0) & ~(ratio >= minimum * (1 - 1e-12)) & ~negative
    reasons = Reasons(table.rows)
    reasons.note(negative, "negative_part")
    reasons.note(down & np.isnan(ratio), "no_part_cost")
    reasons.note(down, f"small_tcm_share:{minimum:g}")
    return add_columns(
        cases,
        {
            "tcm_ratio": nullable(ratio),
            "downgraded": down,
            "downgrade_reason": reasons.column(),
            "paid_group": _either(table, "group", "western_group", down),
        },
    )


def _either(columns: Columns, first: str, second: str, other: Any) -> pa.Array:
    """Return the second column where ``other`` holds, else the first."""
    one, names = columns.codes(first)
    two, more = columns.codes(second)
    codes = np.where(other, np.where(two < 0, -1, two + len(names)), one)
    return decode(codes, pa.concat_arrays([names, more]))
