"""Bands of risk against their definition, and exact limits against whole-number sums and another library."""

import math
import statistics
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from monitor_cases import LOW_RISK, is_grouped, make_cases

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.monitor import RISK_BANDS, indicators, low_risk_mortality, risk_groups
from drgdip.monitor.binomial import likely_counts, share_limits, tail_below
from drgdip.reasons import describe_reason


def made(**deaths):
    return [{"group": g, "discharge": 5 if i < n else 1} for g, (n, size) in deaths.items() for i in range(size)]


def twin(cases, transform, without_deaths, min_cases):
    """Bands by group, straight from the definition."""
    modes = defaultdict(list)
    for case in cases:
        if is_grouped(case) and case["discharge"] in (1, 2, 3, 4, 5, 9):
            modes[case["group"]].append(case["discharge"] == 5)
    rates = {group: sum(dead) / len(dead) for group, dead in modes.items() if len(dead) >= min_cases}
    counted = {group: rate for group, rate in rates.items() if rate or without_deaths == "count"}
    values = {group: math.log(rate) if transform == "log" else rate for group, rate in counted.items()}
    mean, sd = statistics.fmean(values.values()), statistics.stdev(values.values())
    bands = dict.fromkeys(modes)
    for group in rates:
        if group not in values:
            bands[group] = "low" if without_deaths == "low" else None
        elif values[group] < mean - sd:
            bands[group] = "low"
        elif values[group] < mean:
            bands[group] = "medium_low"
        else:
            bands[group] = "medium_high" if values[group] <= mean + sd else "high"
    return bands, mean, sd


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("transform", "rule"),
    [("none", "low"), ("none", "count"), ("none", "leave_out"), ("log", "low"), ("log", "leave_out")],
)
def test_bands_are_their_definition(seed, transform, rule):
    cases = make_cases(seed, 250)
    for min_cases in (1, 12):
        found = risk_groups(cases, transform=transform, without_deaths=rule, min_cases=min_cases)
        bands, mean, sd = twin(cases, transform, rule, min_cases)
        assert {row["group"]: row["band"] for row in found.table} == bands
        assert (found.mean, found.sd) == (pytest.approx(mean), pytest.approx(sd))
        assert found.low_risk == tuple(group for group in sorted(bands) if bands[group] == "low")
        shuffled = pa.Table.from_pylist(cases).take(np.random.default_rng(seed).permutation(len(cases)))
        again = risk_groups(shuffled, transform=transform, without_deaths=rule, min_cases=min_cases)
        assert again.table.to_pylist() == found.table
        assert again.mean == found.mean


def test_edges_of_the_bands():
    """Rates of 0, 2 and 4 in 8 have mean and sd 0.25: a rate at mean - sd is not low, one at mean + sd is not high."""
    found = risk_groups(made(A=(0, 8), B=(2, 8), C=(4, 8)), transform="none", without_deaths="count")
    assert [row["band"] for row in found.table] == ["medium_low", "medium_high", "medium_high"]
    assert RISK_BANDS == ("low", "medium_low", "medium_high", "high")


def test_reasons_say_why_a_group_has_no_band():
    found = risk_groups(made(A=(0, 10), B=(1, 10), C=(1, 3)), transform="log", without_deaths="leave_out", min_cases=5)
    reasons = [row["band_reason"] for row in found.table]
    assert reasons == ["no_deaths", "no_spread", "few_cases:5"]
    assert found.mean is None
    assert all(describe_reason(code, language) for code in reasons for language in ("en", "zh"))


def test_what_is_not_declared_is_asked_for():
    cases = made(A=(0, 10), B=(1, 10))
    with pytest.raises(TypeError):
        risk_groups(cases)
    with pytest.raises(CaseError, match="no logarithm"):
        risk_groups(cases, transform="log", without_deaths="count")
    with pytest.raises(UnknownNameError):
        risk_groups(cases, transform="square", without_deaths="low")
    with pytest.raises(UnknownNameError):
        risk_groups(cases, transform="none", without_deaths="ignore")
    with pytest.raises(PolicyError, match="confidence"):
        low_risk_mortality([], low_risk=["A"], confidence=95)


def test_low_risk_mortality_is_the_indicator_with_limits():
    cases = make_cases(4, 900)
    rows = low_risk_mortality(cases, ["hospital"], low_risk=LOW_RISK, confidence=0.9)
    wanted = indicators(cases, which=["low_risk_mortality"], low_risk=LOW_RISK, parts=True)
    for row, own in zip(rows, wanted, strict=True):
        assert row["rate"] == own["low_risk_mortality"]
        assert row["n"] == own["low_risk_mortality_denominator"]
        assert row["lower"] <= row["rate"] <= row["upper"]


def below(hits, cases, share):
    return sum(math.comb(cases, k) * share**k * (1 - share) ** (cases - k) for k in range(hits + 1))


@pytest.mark.parametrize(("hits", "cases"), [(0, 1), (1, 1), (0, 30), (3, 30), (29, 30), (30, 30), (7, 200)])
def test_limits_are_where_the_tails_are_even(hits, cases):
    """In fractions of whole numbers, without rounding."""
    lower, upper = (float(limit[0]) for limit in share_limits([hits], [cases], 0.95))
    if hits:
        assert float(1 - below(hits - 1, cases, Fraction(lower))) == pytest.approx(0.025, rel=1e-9)
    else:
        assert lower == 0
    if hits < cases:
        assert float(below(hits, cases, Fraction(upper))) == pytest.approx(0.025, rel=1e-9)
    else:
        assert upper == 1


def test_no_case_has_no_limits():
    assert np.isnan(share_limits([0], [0], 0.95)).all()


def test_limits_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    cases = np.concatenate([rng.integers(1, 60, 300), rng.integers(60, 5000, 200), rng.integers(5000, 2_000_000, 20)])
    hits = np.floor(rng.random(len(cases)) ** 3 * (cases + 1)).astype(int)
    lower, upper = share_limits(hits, cases, 0.95)
    with np.errstate(all="ignore"):
        wanted = stats.beta.ppf(0.025, hits, cases - hits + 1), stats.beta.ppf(0.975, hits + 1, cases - hits)
    assert lower == pytest.approx(np.where(hits == 0, 0, wanted[0]), rel=1e-8)
    assert upper == pytest.approx(np.where(hits == cases, 1, wanted[1]), rel=1e-8)
    share = rng.random(len(cases)) ** 3
    assert tail_below(hits, cases, share) == pytest.approx(stats.binom.cdf(hits, cases, share), abs=1e-10)
    for found, edge in zip(likely_counts(share, cases, 0.998), (0.001, 0.999), strict=True):
        assert (found == stats.binom.ppf(edge, cases, share)).all()
