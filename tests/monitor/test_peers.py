"""Limits, z and ranks against their definitions, key by key."""

import math
import random
import statistics
from collections import defaultdict

import pyarrow as pa
import pytest
from monitor_cases import WEIGHTS, make_cases, weight_of

from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.monitor import compare_peers, indicators
from drgdip.monitor.binomial import likely_counts, share_limits

TABLE = [{"group": group, "weight": weight} for group, weight in WEIGHTS.items()]
WIDTH = statistics.NormalDist().inv_cdf(0.975)
#: Of indicators that are no shares of cases: the two parts of a case.
PARTS = {
    "mean_cost": lambda case: (case["total_cost"], 1),
    "mean_stay": lambda case: (case["los"], 1),
    "fund_per_discharge": lambda case: (case["fund_booked"], 1),
    "drug_share": lambda case: (case["drug_cost"], case["total_cost"]),
    "cmi": lambda case: (weight_of(case), 1),
    "cost_per_weight": lambda case: (case["total_cost"], weight_of(case)),
}


def parts_of(cases, name):
    found = [PARTS[name](case) for case in cases]
    return [(float(y), float(x)) for y, x in found if y is not None and x is not None]


def spread(parts, value):
    return sum((y - value * x) ** 2 for y, x in parts) / (len(parts) - 1)


def ratio(parts):
    return sum(y for y, _ in parts) / sum(x for _, x in parts)


def strata(cases, *names):
    found = defaultdict(list)
    for case in cases:
        found[tuple(case[name] for name in names)].append(case)
    return found


def ranges(rows, *, higher):
    """Ranks of rows, and the range that limits which do not overlap leave open."""
    for row in rows:
        others = [other for other in rows if other is not row]
        if higher:
            better = sum(other["value"] > row["value"] for other in others)
            surely = sum(other["lower"] > row["upper"] for other in others)
            worse = sum(other["upper"] < row["lower"] for other in others)
        else:
            better = sum(other["value"] < row["value"] for other in others)
            surely = sum(other["upper"] < row["lower"] for other in others)
            worse = sum(other["lower"] > row["upper"] for other in others)
        yield 1 + better, 1 + surely, len(rows) - worse


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("apart", [False, True])
def test_limits_of_means_and_ratios(name, apart):
    cases, region = make_cases(1, 500), make_cases(2, 700)
    found = compare_peers(
        cases, name, ["hospital"], within=["level"], confidence=0.95, weights=TABLE, reference=region if apart else None
    )
    of_strata, of_keys = strata(region if apart else cases, "level"), strata(cases, "level", "hospital")
    assert [(row["level"], row["hospital"]) for row in found] == sorted(of_keys)
    for row in found:
        own, whole = parts_of(of_keys[row["level"], row["hospital"]], name), parts_of(of_strata[(row["level"],)], name)
        value, target = ratio(own), ratio(whole)
        below = sum(x for _, x in own)
        error = math.sqrt(len(own) * spread(own, value)) / below
        chance = math.sqrt(len(own) * spread(whole, target)) / below
        wanted = {
            "value": value,
            "target": target,
            "lower": value - WIDTH * error,
            "upper": value + WIDTH * error,
            "limit_low": target - WIDTH * chance,
            "limit_high": target + WIDTH * chance,
            "z": (value - target) / chance,
        }
        assert {key: row[key] for key in wanted} == pytest.approx(wanted, rel=1e-9)
        assert row["n"] == len(own)
        outside = "below" if value < wanted["limit_low"] else "above" if value > wanted["limit_high"] else None
        assert row["outside"] == outside
    for level in {row["level"] for row in found}:
        rows = [row for row in found if row["level"] == level]
        wanted_ranks = list(ranges(rows, higher=name in ("cmi", "fund_per_discharge")))
        assert [(row["rank"], row["rank_best"], row["rank_worst"]) for row in rows] == wanted_ranks
        assert {row["peers"] for row in rows} == {len(rows)}


def test_a_mean_has_the_error_of_a_mean():
    cases = [{"hospital": "H", "los": days} for days in (2, 4, 9, 1)]
    row = compare_peers(cases, "mean_stay", confidence=0.95)[0]
    error = statistics.stdev((2, 4, 9, 1)) / 2
    assert (row["lower"], row["upper"]) == (pytest.approx(4 - WIDTH * error), pytest.approx(4 + WIDTH * error))


@pytest.mark.parametrize("name", ["mortality", "grouping_rate", "low_risk_mortality"])
def test_limits_of_shares_are_exact(name):
    cases = make_cases(3, 600)
    groups = ["G01", "G02", "G03"]
    found = compare_peers(cases, name, confidence=0.9, low_risk=groups)
    own = indicators(cases, which=[name], low_risk=groups, parts=True)
    whole = indicators(cases, None, which=[name], low_risk=groups)[0][name]
    for row, part in zip(found, own, strict=True):
        hits, number = part[f"{name}_numerator"], part[f"{name}_denominator"]
        assert (row["n"], row["value"], row["target"]) == (number, part[name], whole)
        assert (row["lower"], row["upper"]) == tuple(float(limit[0]) for limit in share_limits([hits], [number], 0.9))
        low, high = (float(limit[0]) for limit in likely_counts([whole], [number], 0.9))
        assert (row["limit_low"], row["limit_high"]) == (low / number, high / number)
        assert row["outside"] == ("below" if hits < low else "above" if hits > high else None)
        assert row["z"] == pytest.approx((part[name] - whole) / math.sqrt(whole * (1 - whole) / number))


def test_the_order_of_the_rows_does_not_matter():
    cases = make_cases(5)
    wanted = compare_peers(cases, "drug_share", within="level", confidence=0.95)
    shuffled = random.Random(1).sample(cases, len(cases))
    found = compare_peers(pa.Table.from_pylist(shuffled), "drug_share", within="level", confidence=0.95)
    assert found.to_pylist() == wanted


def test_keys_without_limits_have_no_rank():
    cases = [{"hospital": "H1", "los": 3}, {"hospital": "H2", "los": 4}, {"hospital": "H2", "los": 6}]
    rows = compare_peers([*cases, {"hospital": "H3", "los": None}], "mean_stay", confidence=0.95)
    assert [row["rank"] for row in rows] == [None, 1, None]
    assert [row["n"] for row in rows] == [1, 2, 0]


def test_a_stratum_that_the_reference_lacks_has_no_target():
    cases = [{"hospital": "H", "level": "3", "discharge": 1}]
    row = compare_peers(
        cases, "mortality", within="level", confidence=0.95, reference=[{"level": "2", "discharge": 1}]
    )[0]
    assert (row["target"], row["limit_low"], row["z"], row["outside"]) == (None, None, None, None)


def test_what_cannot_be_compared_is_refused():
    cases = [{"hospital": "H", "los": 3}]
    for name in ("discharges", "groups", "surplus_group_share"):
        with pytest.raises(CaseError, match="no quotient"):
            compare_peers(cases, name, confidence=0.95)
    with pytest.raises(CaseError, match="needs a column 'discharge', which the cases"):
        compare_peers(cases, "mortality", confidence=0.95)
    with pytest.raises(UnknownNameError):
        compare_peers(cases, "mean_stays", confidence=0.95)
    with pytest.raises(PolicyError):
        compare_peers(cases, "mean_stay", confidence=1)
    with pytest.raises(TypeError):
        compare_peers(cases, "mean_stay")


def test_limits_that_touch_overlap():
    cases = [{"hospital": hospital, "los": 2} for hospital in ("H1", "H1", "H2", "H2")]
    rows = compare_peers(cases, "mean_stay", confidence=0.95)
    assert [(row["lower"], row["upper"], row["rank"], row["rank_best"], row["rank_worst"]) for row in rows] == [
        (2, 2, 1, 1, 2)
    ] * 2
