"""Risk of death (死亡风险) of groups in four bands, and low-risk mortality with exact limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import read_once, to_kind
from drgdip._columns import Reasons, as_list, labels, nullable
from drgdip._sums import counts, total
from drgdip.errors import CaseError, UnknownNameError
from drgdip.monitor.binomial import check_confidence, share_limits
from drgdip.monitor.derived import Facts, keys_of
from drgdip.monitor.quantities import Sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drgdip._columns import Floats

__all__ = ["RISK_BANDS", "WITHOUT_DEATHS", "RiskGroups", "low_risk_mortality", "risk_groups"]

#: Bands of risk: below mean - sd; up to the mean; up to mean + sd, which is in it; above.
RISK_BANDS = ("low", "medium_low", "medium_high", "high")
#: Rules for groups without deaths. low: the band low, and they are not in the mean; count: their rate of 0 is in the
#: mean; leave_out: no band.
WITHOUT_DEATHS = ("low", "count", "leave_out")
TRANSFORMS = ("none", "log")


class RiskGroups(NamedTuple):
    """Groups by their risk of death.

    Attributes
    ----------
    table
        A row a group.
    mean, sd
        Of the rates that count, after the transform. None without two of them.
    low_risk
        The groups of low risk, as ``low_risk`` of `indicators` takes them.
    """

    table: Any
    mean: float | None
    sd: float | None
    low_risk: tuple[str, ...]


def risk_groups(
    cases: Any,
    *,
    transform: str,
    without_deaths: str,
    min_cases: int = 1,
    columns: Mapping[str, str] | None = None,
) -> RiskGroups:
    """Put groups into four bands by the mortality in hospital of their cases.

    Parameters
    ----------
    cases
        Any table with a row a case: ``group``, ``discharge`` (1 to 5, 9; 5 is death), ``status`` where it is there.
        Cases that are not grouped, or without a mode of discharge, do not count.
    transform
        ``"none"`` takes the rates as they are, ``"log"`` their natural logarithms.
    without_deaths
        One of `WITHOUT_DEATHS`. ``"count"`` needs the rates as they are, since 0 has no logarithm.
    min_cases
        Groups with fewer cases have no band, and are not in the mean.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    Table: ``group``, ``n``, ``deaths``, ``rate``, ``value`` (after the transform), ``counted`` (whether it is in the
    mean and sd), ``band`` (one of `RISK_BANDS`, or null) and ``band_reason`` (a code).

    Raises
    ------
    UnknownNameError
        A transform, a rule or a column that is not there.
    CaseError
        A logarithm of rates of 0.

    Notes
    -----
    The national manual (国家三级公立医院绩效考核操作手册, as quoted) sets the bands at the mean and one standard
    deviation of the groups, and names no logarithm. The logarithm is general practice. Rates are so skew that without
    it mean - sd is often below 0, and no group with a death is of low risk. Mean and sd weigh each group alike; the sd
    is that of a sample. The sources do not say what becomes of groups without deaths, so the rule has no default.

    Examples
    --------
    >>> deaths = {"A": 0, "B": 1, "C": 10, "D": 100}
    >>> cases = [{"group": g, "discharge": 5 if i < n else 1} for g, n in deaths.items() for i in range(1000)]
    >>> risk = risk_groups(cases, transform="log", without_deaths="low")
    >>> [row["band"] for row in risk.table], risk.low_risk
    (['low', 'medium_low', 'medium_high', 'medium_high'], ('A',))
    """
    _check("transform", transform, TRANSFORMS)
    _check("rule for groups without deaths", without_deaths, WITHOUT_DEATHS)
    if transform == "log" and without_deaths == "count":
        raise CaseError("a rate of 0 has no logarithm: say without_deaths='low' or 'leave_out', or transform='none'")
    facts = Facts(read_once(cases), ["group", "discharge"], columns=columns)
    codes, groups = facts.columns.codes("group")
    known, grouped = facts.known("discharge"), facts.flag("is_grouped").holds
    counted = np.where(grouped if known is None else grouped & known, codes, -1)
    number = counts(counted, len(groups))
    deaths = counts(np.where(facts.among("discharge", ["5"]), counted, -1), len(groups))
    kept = number > 0
    number, deaths, groups = number[kept], deaths[kept], groups.filter(pa.array(kept))
    rate = deaths / number
    with np.errstate(divide="ignore"):
        value = np.log(rate) if transform == "log" else rate
    few = number < min_cases
    used = ~few & ((deaths > 0) | (without_deaths == "count"))
    mean, sd = _spread(value[used])
    band = _bands(value, mean, sd)
    reasons = Reasons(len(groups))
    band[few] = -1
    reasons.note(few, f"few_cases:{min_cases}")
    none = ~few & (deaths == 0) & (without_deaths != "count")
    band[none] = 0 if without_deaths == "low" else -1
    reasons.note(none, "no_deaths")
    reasons.note(band < 0, "no_spread")
    table = pa.table(
        {
            "group": groups,
            "n": number,
            "deaths": deaths,
            "rate": rate,
            "value": nullable(np.where(np.isfinite(value), value, np.nan)),
            "counted": used,
            "band": labels(band, RISK_BANDS),
            "band_reason": reasons.column(),
        }
    )
    low = tuple(groups.filter(pa.array(band == 0)).to_pylist())
    return RiskGroups(to_kind(table, cases), mean, sd, low)


def _check(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError(what, str(name), known, hint=f"Say one of {', '.join(known)}.")


def _spread(values: Floats) -> tuple[float | None, float | None]:
    """Return the mean and the standard deviation of a sample, None with fewer than two values."""
    if len(values) < 2:
        return None, None
    mean = total(values) / len(values)
    return mean, float(np.sqrt(total((values - mean) ** 2) / (len(values) - 1)))


def _bands(values: Floats, mean: float | None, sd: float | None) -> Any:
    """Return the number of the band of each value, -1 without a spread."""
    if mean is None or sd is None:
        return np.full(len(values), -1, np.int8)
    return ((values >= mean - sd).astype(np.int8) + (values >= mean) + (values > mean + sd)).astype(np.int8)


def low_risk_mortality(
    cases: Any,
    by: str | Sequence[str] = "hospital",
    *,
    low_risk: Sequence[str],
    confidence: float,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute low-risk mortality (低风险组死亡率) by key, with its exact limits.

    Parameters
    ----------
    cases
        Any table with a row a case: the columns of ``by``, ``group``, ``discharge``, ``status`` where it is there.
    by
        The column of the key, or several. None takes all cases together.
    low_risk
        The groups of low risk, such as those of `risk_groups`.
    confidence
        Of the limits, such as 0.95.
    columns
        The table's names of columns by the library's names.

    Returns
    -------
    A table with a row a key: ``n`` (cases in groups of low risk), ``deaths``, ``rate``, ``lower`` and ``upper``, null
    without a case.

    Raises
    ------
    PolicyError, UnknownNameError
        A confidence that is none, or a column that is missing.

    Notes
    -----
    The limits are those of Clopper and Pearson. They hold at any number of cases, so a hospital without a death has an
    upper limit above 0.

    Examples
    --------
    >>> cases = [{"hospital": "H", "group": "A", "discharge": 5 if i == 0 else 1} for i in range(100)]
    >>> row = low_risk_mortality(cases, low_risk=["A"], confidence=0.95)[0]
    >>> row["rate"], round(row["lower"], 5), round(row["upper"], 5)
    (0.01, 0.00025, 0.05446)
    """
    check_confidence(confidence)
    names = [] if by is None else as_list(by)
    facts = Facts(read_once(cases), ["group", "discharge", *names], low_risk=low_risk, columns=columns)
    keys = keys_of(facts, names)
    deaths, number = (part.values for part in Sums(facts, keys).of("low_risk_deaths", "low_risk"))
    lower, upper = share_limits(deaths, number, confidence)
    rate = np.divide(deaths, number, out=np.full(len(number), np.nan), where=number > 0)
    limits = {"rate": nullable(rate), "lower": nullable(lower), "upper": nullable(upper)}
    return to_kind(pa.table({**keys.table, "n": number, "deaths": deaths, **limits}), cases)
