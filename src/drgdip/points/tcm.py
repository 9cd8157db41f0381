"""Chinese medicine (中医): groups paid by the higher of two standards, and groups that need a share of treatment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from drgdip._columns import Columns, add_columns, decode, labels, nullable
from drgdip.errors import PolicyError

__all__ = ["TCM_PARTS", "downgrade_tcm", "higher_of_groups"]

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


def higher_of_groups(
    cases: Any,
    weights: Any,
    *,
    group: str = "group",
    western_group: str = "western_group",
) -> Any:
    """Pay a case of a Chinese-medicine group by the higher of its own and the matching Western group's weight (就高).

    Parameters
    ----------
    cases
        Any table with a row a case.
    weights
        A table with the group and ``weight``.
    group, western_group
        The columns of the case's own group and of the Western group that it would be in; null where there is
        none.

    Returns
    -------
    The caller's table with ``own_weight``, ``western_weight``, ``paid_weight`` and ``paid_group``. Where one of
    the two has no weight the other counts; of equal ones, its own.

    Notes
    -----
    Source: 《江苏医改动态》第246期, the rule of Nanjing from 2022.

    Examples
    --------
    >>> weights = [{"group": "IU2F", "weight": 0.92}, {"group": "IU23", "weight": 1.1}]
    >>> higher_of_groups([{"group": "IU2F", "western_group": "IU23"}], weights)[0]["paid_group"]
    'IU23'
    """
    columns = Columns(cases, [group, western_group])
    prices = Columns(weights, [group, "weight"], what="the weights")
    weight = np.append(prices.numbers("weight"), np.nan)
    own = weight[columns.match([group], prices)]
    western = weight[columns.match([western_group], prices, [group])]
    other = (western > own) | (np.isnan(own) & ~np.isnan(western))
    return add_columns(
        cases,
        {
            "own_weight": nullable(own),
            "western_weight": nullable(western),
            "paid_weight": nullable(np.where(other, western, own)),
            "paid_group": _either(columns, group, western_group, other),
        },
    )


def downgrade_tcm(
    cases: Any,
    *,
    minimum: float,
    group: str = "group",
    western_group: str = "western_group",
    parts: dict[str, str] | None = None,
) -> Any:
    """Move cases of Chinese-medicine groups with too small a share of Chinese medicine to the Western group.

    The share is (treatment + patent medicine + decoction pieces) over those and Western treatment, Western
    drugs, surgery and materials.

    Parameters
    ----------
    cases
        Any table with a row a case. A case whose Western group is null is in no Chinese-medicine group and
        stays.
    minimum
        The share from which a case stays in its group, such as 0.6.
    group, western_group
        The columns of the group and of the Western group that it falls back to (by severity where that is
        split).
    parts
        The columns of the parts of the cost (yuan) by their names in `TCM_PARTS`, where they differ; null
        counts as 0.

    Returns
    -------
    The caller's table with ``tcm_ratio`` (null where no part has a cost), ``paid_group``, and ``downgraded``; a
    case without a ratio is downgraded, for it has no Chinese medicine.

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
    names = {part: (parts or {}).get(part, part) for part in TCM_PARTS}
    for given in parts or {}:
        if given not in TCM_PARTS:
            raise PolicyError(f"parts= names {given!r}: the parts are {', '.join(TCM_PARTS)}")
    known = Columns(cases)
    there = {part: name for part, name in names.items() if name in known or part in (parts or {})}
    if not there:
        raise PolicyError(f"the cases have none of the parts of cost {', '.join(names.values())}: name them by parts=")
    columns = Columns(cases, [group, western_group, *there.values()])
    chinese, everything = np.zeros(columns.rows), np.zeros(columns.rows)
    negative = np.zeros(columns.rows, bool)
    for part, name in there.items():
        amount = np.nan_to_num(columns.numbers(name))
        negative |= amount < 0
        everything += amount
        if part in TCM_PARTS[:3]:
            chinese += amount
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((everything > 0) & ~negative, chinese / everything, np.nan)
    codes, _ = columns.codes(western_group)
    # A share that is the minimum but for a last digit of the division stays.
    down = (codes >= 0) & ~(ratio >= minimum * (1 - 1e-12)) & ~negative
    why = np.where(negative, 1, np.where(down & np.isnan(ratio), 2, np.where(down, 0, -1)))
    reasons = [
        f"the share of Chinese medicine is below {minimum:g}",
        "a part of the cost is negative",
        "no part has a cost",
    ]
    return add_columns(
        cases,
        {
            "tcm_ratio": nullable(ratio),
            "downgraded": down,
            "downgrade_reason": labels(why, reasons),
            "paid_group": _either(columns, group, western_group, down),
        },
    )


def _either(columns: Columns, first: str, second: str, other: Any) -> pa.Array:
    """The second column where ``other`` holds, else the first."""
    one, names = columns.codes(first)
    two, more = columns.codes(second)
    codes = np.where(other, np.where(two < 0, -1, two + len(names)), one)
    return decode(codes, pa.concat_arrays([names, more]))
