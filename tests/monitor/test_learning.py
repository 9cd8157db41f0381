"""The learned layer: seeded, honest about hospitals it did not see, finds what is planted, refuses few cases."""

from __future__ import annotations

import json
import sys
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest

import drgdip
from drgdip import monitor
from drgdip.errors import CaseError, DrgdipError, PolicyError, UnknownNameError

SCHEME = "chs-drg-2.0"
FEW = {"folds": 2, "rounds": 25}


def synthetic(n):
    return drgdip.group(drgdip.sample_cases(n, SCHEME, seed=4), SCHEME)


@pytest.fixture(scope="module")
def cases():
    """Enough cases; in 20 of hospital H01 the cost is thirty times what it was, in 20 a thirtieth."""
    table = synthetic(20_500)
    own = np.flatnonzero(np.array(table["hospital"].to_pylist()) == "H01")[:40]
    cost = np.array(table["total_cost"].cast(pa.float64()).to_pylist())
    cost[own[:20]] *= 30
    cost[own[20:]] /= 30
    return table.set_column(table.column_names.index("total_cost"), "total_cost", pa.array(np.round(cost, 2)))


@pytest.fixture(scope="module")
def learned(cases):
    pytest.importorskip("sklearn")
    return monitor.learn_expected(cases, **FEW)


def test_few_cases_are_refused():
    pytest.importorskip("sklearn")
    with pytest.raises(CaseError, match="19,9.* grouped cases are too few to learn from: give at least 20,000"):
        monitor.learn_expected(synthetic(20_000))  # some of which are not grouped


def test_without_scikit_learn_the_error_says_so(cases):
    with patch.dict(sys.modules, {"sklearn": None}), pytest.raises(DrgdipError, match=r"drgdip\[monitor\]"):
        monitor.learn_expected(cases)


def test_what_cannot_be_learned(cases):
    with pytest.raises(UnknownNameError, match="no target 'cost'"):
        monitor.learn_expected(cases, targets=["cost"])
    with pytest.raises(PolicyError, match="folds=1"):
        monitor.learn_expected(cases, folds=1)
    with pytest.raises(CaseError, match="a column 'hospital'"):
        monitor.learn_expected(cases.drop_columns(["hospital"]))
    alone = cases.set_column(cases.column_names.index("hospital"), "hospital", pa.array(["H"] * len(cases)))
    with pytest.raises(CaseError, match="of one hospital"):
        monitor.learn_expected(alone)


def test_expectations_are_better_than_the_mean(cases, learned):
    found = learned.table.to_pydict()
    assert found["row"] == list(range(len(cases)))
    assert found["case_id"] == cases["case_id"].to_pylist()
    quality = {row.target: row.measures for row in learned.card.qualities}
    assert quality["total_cost"]["r2_of_logs"] > 0.3
    assert quality["total_cost"]["mean_error"] < quality["total_cost"]["mean_error_of_mean"]
    assert quality["severity"]["auc"] > 0.65
    ungrouped = [status != "grouped" for status in cases["status"].to_pylist()]
    assert any(ungrouped)
    assert [value is None for value in found["expected_cost"]] == ungrouped
    assert all(0 <= value <= 1 for value in found["expected_severity"] if value is not None)


def test_no_model_judges_a_hospital_that_it_saw(cases):
    """The cost of a hospital has no part in what is expected of its own cases."""
    pytest.importorskip("sklearn")
    hospital = np.array(cases["hospital"].to_pylist())
    cost = np.array(cases["total_cost"])
    changed = np.where(hospital == "H01", cost * 3, cost)
    other = cases.set_column(cases.column_names.index("total_cost"), "total_cost", pa.array(changed))
    one, two = (
        np.array(monitor.learn_expected(table, targets=["total_cost"], **FEW).table["expected_cost"].to_pylist(), float)
        for table in (cases, other)
    )
    mine = (hospital == "H01") & ~np.isnan(one)
    assert np.array_equal(one[mine], two[mine])
    assert not np.array_equal(one[~mine], two[~mine], equal_nan=True)


def test_equal_cases_give_equal_numbers_in_any_order(cases, learned):
    order = np.random.default_rng(3).permutation(len(cases))
    again = monitor.learn_expected(cases.take(pa.array(order)), **FEW)
    for name in ("expected_cost", "expected_stay", "expected_severity", "isolation"):
        mine = np.array(learned.table[name].to_pylist(), float)
        assert np.array_equal(mine[order], np.array(again.table[name].to_pylist(), float), equal_nan=True), name
    assert again.card == learned.card


def test_signals_of_what_was_learned(cases, learned):
    found = monitor.learned_signals(learned, share=0.002)
    assert (
        found.column_names
        == monitor.signals(cases, which=["duplicate_stay"], columns={"patient": "case_id"}).column_names
    )
    rows = found.to_pylist()
    assert {row["signal"] for row in rows} == set(monitor.list_learned_signals()["id"])
    planted = np.flatnonzero(np.array(cases["hospital"].to_pylist()) == "H01")[:40]
    high = {row["row"] for row in rows if row["signal"] == "learned_high_cost"}
    low = {row["row"] for row in rows if row["signal"] == "learned_low_cost"}
    assert len(high & set(planted[:20].tolist())) >= 18
    assert len(low & set(planted[20:].tolist())) >= 18
    number = sum(status == "grouped" for status in cases["status"].to_pylist())
    assert len(high) == round(0.002 * number)
    for row in rows:
        assert row["amount_reason"] == "no_counterfactual"
        if row["signal"] == "learned_high_cost":
            assert row["value"] / row["expected"] >= row["limit"] * (1 - 1e-12)
        if row["signal"] == "learned_short_stay":
            assert row["value"] / row["expected"] <= row["limit"] * (1 + 1e-12)
        if row["signal"] == "learned_severity":
            assert row["value"] == 1
            assert row["expected"] <= row["limit"] + 1e-12
    some = monitor.learned_signals(learned, share=0.002, which=["learned_isolation"]).to_pylist()
    assert some == [row for row in rows if row["signal"] == "learned_isolation"]
    with pytest.raises(PolicyError, match="share"):
        monitor.learned_signals(learned, share=1)
    with pytest.raises(UnknownNameError, match="no learned signal"):
        monitor.learned_signals(learned, share=0.1, which=["learned_cost"])


def test_the_card(learned):
    card = learned.card
    plain = json.loads(json.dumps(card.to_dict()))
    assert plain["cases"] == card.cases > 20_000
    assert plain["hospitals"] == 24
    assert plain["parameters"] == {"folds": 2, "rounds": 25, "seed": 0}
    assert set(plain["limits"]) == {"en", "zh"}
    importance = plain["qualities"][0]["importance"]
    assert list(importance.values()) == sorted(importance.values(), reverse=True)
    assert importance["principal_diagnosis"] > 0
    # A severity is not explained by what makes it.
    assert not any(name.startswith(("other_", "diagnoses")) for name in plain["qualities"][2]["importance"])
    assert "total_cost" in repr(learned)
    assert card.to_markdown().startswith("# Model card")
    assert "局限" in card.to_markdown("zh")
    assert card._repr_markdown_() == card.to_markdown()
    with pytest.raises(UnknownNameError):
        card.to_markdown("fr")
