"""Case sheets: the cases of each hospital and month with what decided their payment, to be confirmed or objected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import reads_once, to_kind
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip._money import YUAN, add_up, to_yuan
from drgdip.errors import CaseError
from drgdip.reasons import check_language, describe_reason
from drgdip.settle._inputs import NAMES, keys_of, optional_money, texts
from drgdip.settle._words import say
from drgdip.settle.payment import PAYMENT_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip._columns import Keys

__all__ = ["SHEET", "make_case_sheets"]

_PLACE = ("hospital", "pool", "month")
# The first two are read where they are there.
_MONEY = ("excluded_amount", "patient_paid", "standard", "total_cost", "fund_booked", "payable", "profit")
#: The columns of a case sheet (病例明细): place, number of cases of the row, case, group, money, reason, and what the
#: hospital writes.
SHEET = pa.schema(
    [
        ("hospital", pa.string()),
        ("pool", pa.string()),
        ("month", pa.int64()),
        ("cases", pa.int64()),
        ("case_id", pa.string()),
        ("group", pa.string()),
        ("group_name", pa.string()),
        ("points", pa.float64()),
        ("excluded_amount", YUAN),
        *((name, YUAN) for name in ("standard", "total_cost", "fund_booked", "patient_paid", "payable")),
        ("difference", YUAN),
        ("payment_rule", pa.string()),
        ("reason", pa.string()),
        ("confirmed", pa.string()),
        ("objection", pa.string()),
    ]
)
# How the sheets call a rule of payment, where it is not its own word.
_RULES = {"points": "by_points", "item": "by_item"}


@exactly
@reads_once
def make_case_sheets(
    cases: Any,
    *,
    names: Mapping[str, str] | None = None,
    language: str = "en",
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Make the case sheets (病例明细) of all hospitals and months, each with its total below.

    Parameters
    ----------
    cases
        Cases as `price_cases` or `settle_year` gives them: ``case_id``, ``hospital``, ``pool``, ``month``, ``points``,
        ``payment_rule``, ``standard``, ``payable``, ``profit``, ``payment_reason``, ``total_cost``, ``fund_booked``;
        ``group``, ``patient_paid``, ``excluded_amount`` (`pay_exclusions`) and ``volume_reason`` (`cap_volumes`) where
        they are.
    names
        The name of each group, such as ``scheme.labels``; None leaves ``group_name`` empty.
    language
        Language of the words: ``"en"`` or ``"zh"``.
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A table with the columns of `SHEET`, by hospital, pool, month and case number. ``cases`` is 1 in the row of a case.
    The row after the last case of a hospital, pool and month is its total: it has no group and no reason, and its
    ``case_id`` is "total" (合计). ``difference`` is the standard less the cost. An amount that is missing stays empty
    and is in no total. ``confirmed`` and ``objection`` are empty, for the hospital to write in.

    Raises
    ------
    CaseError, UnknownNameError
        A column that is missing, float money, or no such language.

    Examples
    --------
    >>> from drgdip.settle import price_cases, read_policy, read_settlement
    >>> priced = price_cases(read_settlement("docs/examples/settlement.csv"), read_policy("docs/examples/policy.toml"))
    >>> for row in make_case_sheets(priced.table, names={"BR23": "脑缺血性疾患"}).to_pylist()[:3]:
    ...     print(row["case_id"], row["group_name"], row["points"], row["standard"], row["difference"])
    S001 脑缺血性疾患 79.2 7920.00 1101.59
    S007 None 70.4 7040.00 1169.95
    total None 149.6 14960.00 2271.54
    """
    check_language(language)
    table = Columns(cases, columns=columns, optional=NAMES)
    table.require(["case_id", *_PLACE, "points", "payment_rule", "payment_reason", *_MONEY[2:]])
    if not pa.types.is_integer(table.column("month").type):
        raise CaseError(f"column 'month' of the cases holds {table.column('month').type}: give whole numbers")
    keys = keys_of(table, list(_PLACE))
    sheet = _rows(table, names or {}, language)
    totals = _totals(table, keys, language)
    place = pa.array(np.concatenate([keys.codes, np.arange(keys.size)]))
    last = pa.array(np.repeat([0, 1], [table.rows, keys.size]))
    both = pa.concat_tables([sheet, totals])
    order = pc.sort_indices(
        pa.table({"place": place, "last": last, "case_id": both["case_id"]}),
        sort_keys=[(name, "ascending") for name in ("place", "last", "case_id")],
    )
    return to_kind(both.take(order), cases)


def _rows(table: Columns, names: Mapping[str, str], language: str) -> pa.Table:
    """Return a row a case, in the order of the cases."""
    money = {name: to_yuan(*optional_money(table, name)) for name in _MONEY}
    groups = texts(table, "group")
    told = ("payment_reason", "volume_reason", "exclusion_reason")
    reasons = pc.coalesce(*(texts(table, name) for name in told))
    found = {
        "hospital": texts(table, "hospital"),
        "pool": texts(table, "pool"),
        "month": table.column("month"),
        "cases": np.ones(table.rows, np.int64),
        "case_id": texts(table, "case_id"),
        "group": groups,
        "group_name": _told(groups, names.get),
        "points": pa.array(table.numbers("points"), from_pandas=True),
        "payment_rule": _told(texts(table, "payment_rule"), lambda rule: _rule(rule, language)),
        "reason": _told(reasons, lambda reason: describe_reason(reason, language)),
        "difference": money.pop("profit"),
        **money,
    }
    empty = pa.nulls(table.rows, pa.string())
    return pa.table([found.get(name, empty) for name in SHEET.names], names=SHEET.names).cast(SHEET)


def _rule(rule: str, language: str) -> str:
    """Return how a case is paid in words."""
    return say(_RULES.get(rule, rule), language) if rule in PAYMENT_RULES else rule


def _told(codes: pa.Array, tell: Any) -> pa.Array:
    """Return texts in the place of codes, each code told once."""
    coded = pc.dictionary_encode(codes)
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    told = pa.array([tell(code) for code in coded.dictionary.to_pylist()], pa.string())
    return told.take(coded.indices)


def _totals(table: Columns, keys: Keys, language: str) -> pa.Table:
    """Return the total of each hospital, pool and month."""
    points = np.nan_to_num(table.numbers("points"))
    found: dict[str, Any] = {
        **{name: pa.array(keys.table[name]) for name in _PLACE},
        "cases": np.bincount(keys.codes, minlength=keys.size),
        "case_id": pa.array([say("total", language)] * keys.size),
        "points": np.bincount(keys.codes, weights=points, minlength=keys.size).round(8),
    }
    for name in _MONEY:
        amounts, known = optional_money(table, name)
        sums = to_yuan(add_up(keys.codes, np.where(known, amounts, 0), keys.size))
        found["difference" if name == "profit" else name] = sums
    empty = pa.nulls(keys.size, pa.string())
    return pa.table([found.get(name, empty) for name in SHEET.names], names=SHEET.names).cast(SHEET)
