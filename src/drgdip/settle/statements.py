"""Statements: the account of each hospital, line by line, to be redone by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import reads_once, to_arrow, to_kind
from drgdip._exact import exactly
from drgdip._money import YUAN
from drgdip.reasons import LANGUAGES, check_language
from drgdip.settle.annual import Clearing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.settle.year import Year

__all__ = ["LINES", "make_statements"]

#: Column of the clearing, whether it is added (+), taken off (-) or a result (=), English, Chinese.
LINES = (
    ("base", "+", "money by points or standards", "按点数（标准）分配"),
    ("sharing", "+", "part of the surplus or overspend", "结余分享或超支分担"),
    ("retention", "+", "own surplus or overspend kept or borne", "本院结余留用或超支分担"),
    ("outside", "+", "cases paid otherwise than by points", "点数外支付"),
    ("appraisal_change", "+", "appraisal", "考核增减"),
    ("over_cap", "-", "money above a cap", "总量控制扣减"),
    ("over_growth", "-", "growth of the mean above the limit", "次均费用增长超限扣减"),
    ("deductions", "-", "audit deductions", "审核扣款"),
    ("deposit_kept", "-", "quality deposit that is not given back", "质量保证金扣留"),
    ("entitlement", "=", "entitlement of the year", "年度应付"),
    ("paid", "-", "paid in months and pre-clearing", "已付"),
    ("working_capital", "-", "working capital advanced", "周转金"),
    ("final", "=", "still to be paid", "应补付"),
)

_RESIDUAL, _BY_POINTS, _STANDARDS = "residual", "by_points", "standards"
#: How a line comes about, in English and Chinese. The formula beside it has the numbers in the same order.
_HOW = {
    _RESIDUAL: (
        "(fund - outside points - shared + patients' payments) x points / those of the pool - own patients' payments",
        "（基金总额 - 点数外支付 - 结余分享或超支分担 + 个人支付）× 本院点数 / 统筹区点数 - 本院个人支付",
    ),
    _BY_POINTS: (
        "(fund - outside points - shared) x points / points of the pool",
        "（基金总额 - 点数外支付 - 结余分享或超支分担）× 本院点数 / 统筹区点数",
    ),
    _STANDARDS: ("sum of the fund's part of the cases paid by standards", "按标准支付病例的基金应付之和"),
    "sharing_points": (
        "shared in the pool x points / points of the pool",
        "统筹区分享（分担）额 × 本院点数 / 统筹区点数",
    ),
    "sharing_standards": (
        "shared in the pool x own standards / standards of the pool",
        "统筹区分享（分担）额 × 本院应付 / 统筹区应付",
    ),
    "outside": ("sum of the fund's part of these cases", "点数外病例基金应付之和"),
    "retention": (
        "own cost against own standard, by the bands of the policy; it comes off the fund in the line of the points",
        "本院费用与支付标准之差，按政策分段计算；点数分配时先从基金总额中扣除",
    ),
    "appraisal_fund": ("money x (coefficient - 1)", "应付额 ×（考核系数 - 1）"),
    "appraisal_hospitals": (
        "money x (coefficient - 1) + taken in the pool x money after appraisal / that of the pool",
        "应付额 ×（考核系数 - 1）+ 统筹区考核扣减额 × 本院考核后额 / 统筹区考核后额",
    ),
    "over_cap": (
        "(payable under the cap - cap) x (1 - share that is paid) x own payable / payable under the cap, for each cap",
        "（控制范围内应付额 - 控制总量）×（1 - 超量支付比例）× 本院应付额 / 控制范围内应付额，逐项相加",
    ),
    "over_growth": (
        "(amount - cases x last year's amount / cases x (1 + highest growth)) x share that is deducted",
        "（本年金额 - 本年例数 × 上年金额 / 上年例数 ×（1 + 增幅上限））× 扣减比例",
    ),
    "sum": ("sum of the lines above", "以上各行之和"),
}
# New items are part of the standards, or of the points.
_EXCLUDED = ("; of it for new items outside the group: {} yuan", "；其中除外支付 {} 元")


@exactly
@reads_once
def make_statements(clearing: Clearing | Year, *, language: str = "en") -> Any:
    """Make the statement (结算单) of each hospital: its account as lines that add up from top to bottom.

    Parameters
    ----------
    clearing
        The result of `clear_year`, or of `settle_year`.
    language
        Language of ``how``: ``"en"`` or ``"zh"``.

    Returns
    -------
    A table with, for each hospital and pool, a row a line: ``hospital, pool, line`` (from 1), ``sign`` (+ added, -
    taken off, = the sum so far), ``item``, ``item_zh``, ``amount`` (yuan). ``formula`` has every factor in full:
    a calculator gives the amount up to the fen left over, which goes by largest remainder; each cap leaves its own.
    ``how`` names the factors in the same order. Both are empty where an amount was given.

    Raises
    ------
    UnknownNameError
        There are no papers in this language.

    Examples
    --------
    >>> from drgdip.settle import clear_year, read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H", "pool": "resident", "points": 100, "payment_rule": "points", "standard": 9550}
    >>> case |= {"payable": 6550, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> for row in make_statements(clear_year([case], policy, budget={"resident": 6600, "employee": 1})):
    ...     if row["amount"] and row["sign"] == "+":
    ...         print(row["sign"], row["amount"], row["item"], "|", row["formula"])
    + 6000.00 money by points or standards | (6510.00 - 0.00 - 510.00 + 3000.00) × 100 / 100 - 3000.00
    + 510.00 part of the surplus or overspend | 510.00 × 100 / 100
    """
    check_language(language)
    clearing = clearing if isinstance(clearing, Clearing) else clearing.clearing
    accounts = to_arrow(clearing.table).to_pylist()
    pools = {row["pool"]: row | _sums_of(row["pool"], accounts) for row in to_arrow(clearing.pools).to_pylist()}
    caps = _formulas_of(clearing.caps)
    rows = [
        {"hospital": account["hospital"], "pool": account["pool"], **line}
        for account in accounts
        for line in _lines(account, pools[account["pool"]], caps, LANGUAGES.index(language))
    ]
    kinds = {"line": pa.int64(), "amount": YUAN}
    names = ("hospital", "pool", "line", "sign", "item", "item_zh", "amount", "formula", "how")
    table = pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))
    return to_kind(table, clearing.table)


def _formulas_of(caps: Any) -> dict[tuple[str, str, str], str]:
    """Return the formulas of what caps take, by hospital, pool and line."""
    found: dict[tuple[str, str, str], str] = {}
    for row in [] if caps is None else to_arrow(caps).to_pylist():
        key = row["hospital"], row["pool"], row["item"]
        found[key] = f"{found[key]} + {row['formula']}" if key in found else row["formula"]
    return found


def _lines(
    account: Mapping[str, Any], pool: Mapping[str, Any], caps: Mapping[tuple[str, str, str], str], language: int
) -> Iterator[dict[str, Any]]:
    """Yield the lines of the account of one hospital and pool."""
    hows = _hows(account, pool)
    for name in ("over_cap", "over_growth"):
        if (key := (account["hospital"], account["pool"], name)) in caps:
            hows[name] = (caps[key], name)
    above = ""
    for number, (name, sign, item, chinese) in enumerate(LINES, start=1):
        amount = account[name]
        formula, how = (above, "sum") if sign == "=" else hows.get(name, ("", ""))
        if sign != "=":
            above = f"{above} {sign} {_signed(amount)}" if above else _signed(amount)
        line = {"line": number, "sign": sign, "item": item, "item_zh": chinese, "amount": amount, "formula": formula}
        told = _HOW[how][language] if how else ""
        if name == "base" and account["excluded"]:
            told += _EXCLUDED[language].format(account["excluded"])
        yield {**line, "how": told}


def _hows(account: Mapping[str, Any], pool: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the formula of each line that has one, with the key of its words."""
    points = f"× {_plain(account['points'])} / {_plain(pool['points'])}"
    shared, fund = _signed(pool["shared"]), f"{pool['fund']} - {_signed(pool['outside'])}"
    if pool["retained"]:
        fund = f"{fund} - {_signed(pool['retained'])}"
    hows = {"outside": ("", "outside"), "retention": ("", "retention")}
    if not pool["points"] or pool["point_value"] is None:
        change = pool["fund"] - pool["standards"]
        mine = max(account["base"] + account["outside"], Decimal(0))
        hows["base"] = ("", _STANDARDS)
        # Retention by institution comes before or after the sharing: the policy knows, the account does not.
        if change and not pool["retained"] and not account["retention"]:
            hows["sharing"] = (f"{_signed(change)} × {mine} / {pool['positive']}", "sharing_standards")
    else:
        base = (f"({fund} - {shared}) {points}", _BY_POINTS)
        if pool["fund_share"] is None:
            base = (f"({fund} - {shared} + {pool['patient_paid']}) {points} - {account['patient_paid']}", _RESIDUAL)
        hows |= {"base": base, "sharing": (f"{shared} {points}", "sharing_points")}
    if pool["taken"] or account["appraisal"] != 1:
        factor, earned = _plain(account["appraisal"]), _signed(_earned(account))
        own = (f"{earned} × ({factor} - 1)", "appraisal_fund")
        if pool["taken"] and not pool["appraisal_change"]:
            part = f"{_signed(pool['taken'])} × {max(_appraised(account), Decimal(0))} / {pool['appraised']}"
            own = (f"{own[0]} + {part}", "appraisal_hospitals")
        hows["appraisal_change"] = own
    return hows


def _sums_of(pool: str, accounts: list[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return the sums over the hospitals of a pool that the formulas of its statements have."""
    mine = [account for account in accounts if account["pool"] == pool]
    standards = [account["base"] + account["outside"] for account in mine]
    zero = Decimal(0)
    return {
        "standards": sum(standards, zero),
        "positive": sum((max(amount, zero) for amount in standards), zero),
        "taken": sum((_earned(account) - _appraised(account) for account in mine), zero),
        "appraised": sum((max(_appraised(account), zero) for account in mine), zero),
    }


def _earned(account: Mapping[str, Any]) -> Decimal:
    """Return the money of a hospital before its appraisal: the sum of the lines above it."""
    names = [name for name, _, _, _ in LINES]
    return sum((account[name] for name in names[: names.index("appraisal_change")]), Decimal(0))


def _appraised(account: Mapping[str, Any]) -> Decimal:
    """Return the money of a hospital after its own coefficient, before money moves between hospitals."""
    earned = _earned(account)
    return (earned * Decimal(_plain(account["appraisal"]))).quantize(Decimal("0.01"))


def _plain(number: float) -> str:
    """Return a number with all of its decimals, and without an exponent."""
    text = f"{Decimal(repr(float(number))):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(amount: Decimal) -> str:
    """Return an amount, in brackets where it is below 0."""
    return str(amount) if amount >= 0 else f"({amount})"
