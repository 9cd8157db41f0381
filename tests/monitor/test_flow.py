"""Flows against counts by hand, and the figures of a bulletin as it prints them."""

import random
from collections import Counter

import pyarrow as pa
import pytest
from monitor_cases import BASIC, is_grouped, make_cases

from drgdip.errors import UnknownNameError
from drgdip.monitor import flows


def twin(cases, origin, to, groups):
    used = [case for case in cases if groups is None or (is_grouped(case) and case["group"] in groups)]
    number = Counter(tuple(case[name] for name in [*origin, *to]) for case in used)
    whole = Counter(tuple(case[name] for name in origin) for case in used)
    return {key: (n, n / whole[key[: len(origin)]]) for key, n in number.items()}, whole


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("origin", "to"), [([], ["level"]), (["pool"], ["level"]), (["pool"], ["hospital", "level"])])
@pytest.mark.parametrize("groups", [None, BASIC])
def test_flows_are_counts(seed, origin, to, groups):
    now, then = make_cases(seed, 120), make_cases(seed + 50, 20)
    wanted, _ = twin(now, origin, to, groups)
    before, whole = twin(then, origin, to, groups)
    random.Random(seed).shuffle(now)
    rows = flows(pa.Table.from_pylist(now), to, origin=origin, groups=groups, previous=then).to_pylist()
    keys = [tuple(row[name] for name in [*origin, *to]) for row in rows]
    assert keys == sorted({*wanted, *before})
    for key, row in zip(keys, rows, strict=True):
        known = whole[key[: len(origin)]] > 0
        assert (row["cases"], row["cases_previous"]) == (wanted.get(key, (0,))[0], before.get(key, (0,))[0])
        assert row["share"] == pytest.approx(wanted.get(key, (0, 0.0))[1])
        earlier = before.get(key, (0, 0.0))[1] if known else None
        assert row["share_previous"] == (pytest.approx(earlier) if known else None)
        assert row["change"] == (pytest.approx((row["share"] - earlier) * 100) if known else None)
    alone = flows(now, to, origin=origin, groups=groups)
    assert {tuple(row[name] for name in [*origin, *to]): (row["cases"], row["share"]) for row in alone} == {
        key: (n, pytest.approx(share)) for key, (n, share) in wanted.items()
    }


def test_a_place_that_is_not_known_stands_apart():
    rows = flows([{"insured_region": "A", "region": "B"}, {"insured_region": "A"}], "region", origin="insured_region")
    assert [(row["region"], row["share"]) for row in rows] == [("B", 0.5), (None, 0.5)]
    with pytest.raises(UnknownNameError, match="level"):
        flows(rows)
