"""The columnar engine gives what the reference engine gives, on every case."""

from __future__ import annotations

import random

import pytest
from generated import adversarial, differences, table

import drgdip

SCHEMES = [info.id for info in drgdip.list_schemes() if not info.extends]
#: Generated cases a scheme, on every run.
LEAST = 50_000


@pytest.mark.parametrize("scheme", SCHEMES)
def test_generated_cases_agree(scheme):
    records = adversarial(scheme, LEAST, seed=1)
    assert len(records) >= LEAST
    assert differences(table(records), scheme) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_status_and_most_groups_are_among_the_generated_cases(scheme):
    grouped = drgdip.group(table(adversarial(scheme, 15_000, seed=2)), scheme)
    found = set(grouped["status"].to_pylist())
    loaded = drgdip.load_scheme(scheme)
    possible = {"grouped", "ungrouped", "invalid"} | (
        {"ambiguous"} if loaded.info.counts["ambiguous_groups"] else set()
    )
    assert found == possible
    assert len(set(grouped["group"].to_pylist())) > 0.9 * loaded.info.counts["drg"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_synthetic_hospital_cases_agree(scheme):
    assert differences(drgdip.sample_cases(5_000, scheme, seed=11), scheme) == []


def test_rows_of_a_thousand_codes_agree():
    loaded, rng = drgdip.load_scheme("chs-drg-3.0"), random.Random(3)
    codes = sorted({code for members in loaded.sets.values() for code in members})
    records = [
        {"sex": 1, "age": 50, "dx": rng.choices(codes, k=1000), "procs": rng.choices(codes, k=1000)} for _ in range(40)
    ]
    records.append({"sex": 2, "age": 50, "dx": rng.choices(codes, k=10_000), "procs": rng.choices(codes, k=10_000)})
    assert differences(table(records), "chs-drg-3.0") == []


def test_the_comparison_would_see_a_difference(monkeypatch):
    """The twin test can fail: with one outcome of the kernels changed it does."""
    from drgdip.grouper.drg import columnar

    real = columnar.group_rows

    def changed(*arguments):
        real(*arguments)
        arguments[-3][0] = arguments[-3][1]

    monkeypatch.setattr(columnar, "group_rows", changed)
    cases = table(
        [{"sex": 1, "age": 50, "dx": ["K22.301"], "procs": []}, {"sex": 1, "age": 50, "dx": ["none"], "procs": []}]
    )
    assert {name for _, name, _, _ in differences(cases, "chs-drg-2.0")} >= {"group", "status"}
