"""Signals: each equals its slow twin, whatever the container and order; parameters are asked for; nothing is hidden."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import signal_twins as twins

import drgdip
from drgdip import monitor
from drgdip.errors import CaseError, PolicyError, UnknownNameError

IDS = drgdip.monitor.list_signals()["id"]
PARAMETERS = {
    "split_stay": {"days": 15},
    "readmission_chain": {"days": 10, "stays": 3},
    "low_standard_admission": {"ratio": 0.5, "days": 5},
    "weekend_hanging_bed": {"ratio": 0.9},
    "long_stay": {"ratio": 1.5},
    "short_stay": {"ratio": 0.6},
    "low_cost": {"ratio": 0.6},
    "high_cost": {"ratio": 1.6},
    "principal_swap": {"ratio": 0.8},
    "low_coding": {"ratio": 1.3},
    "reversed_diagnosis": {"share": 0.4, "min_cases": 3},
    "reversed_procedure": {"share": 0.4, "min_cases": 2},
    "lone_rare_severity": {"share": 0.1, "min_cases": 4},
    "lone_unsupported_severity": {"ratio": 1.2},
    "missing_service": {"usual": 0.6, "share": 0.5},
    "cost_shift": {"days": 7, "share": 0.2},
    "severity_share": {"z": 0.5, "ratio": 1.02},
    "volume_growth": {"z": 0.5, "ratio": 1.05},
    "refusal": {"z": 0.1},
}
DAY = datetime.date(2025, 3, 1)
SCHEMES = {"drg": "chs-drg-2.0", "dip": "nhsa-dip-3.0"}


def small_cases(scheme, n=260, seed=0, hospitals=4):
    """A few patients and groups with many stays, some doubled, lapping or with values missing."""
    rng = np.random.default_rng(seed)
    pool = drgdip.sample_cases(3000, scheme, seed=seed).to_pylist()
    by_principal = {}
    for case in pool:
        by_principal.setdefault(case["dx"][0], []).append(case)
    often = sorted(by_principal.values(), key=lambda cases: (-len(cases), cases[0]["dx"][0]))[:12]
    chosen = list(itertools.chain.from_iterable(cases[:30] for cases in often))
    picked = [dict(chosen[i]) for i in rng.integers(0, len(chosen), n)]
    for number, case in enumerate(picked):
        case["case_id"] = f"C{number:04d}"
        case["patient"] = f"P{rng.integers(0, n // 4)}"
        case["hospital"] = f"H{rng.integers(0, hospitals)}"
        case["admitted"] = DAY + datetime.timedelta(days=int(rng.integers(0, 70)))
        case["los"] = int(rng.integers(1, 12))
        case["discharged"] = case["admitted"] + datetime.timedelta(days=case["los"] if rng.random() > 0.1 else 0)
        case["total_cost"] = Decimal(int(rng.lognormal(12.8, 0.7))) / 100
        case["drug_cost"] = (case["total_cost"] * Decimal("0.3")).quantize(Decimal("0.01"))
        case["procedure_cost"] = Decimal(0) if rng.random() < 0.5 else Decimal("812.50")
        case["discharge"] = int(rng.choice([1, 1, 1, 1, 2, 5]))
        if len(case["dx"]) > 1 and rng.random() < 0.5:
            case["dx"] = case["dx"][::-1]
        if len(case["procs"]) > 1 and rng.random() < 0.5:
            case["procs"] = case["procs"][::-1]
        case["dx_conditions"] = [str(mark) for mark in rng.choice([1, 1, 2, 4], len(case["dx"]))]
    for case in picked[-12:]:  # the same stays again, under other numbers
        like = picked[int(rng.integers(0, 60))]
        case |= {name: like[name] for name in ("patient", "hospital", "admitted", "discharged")}
    for name, number in (("total_cost", 5), ("patient", 6), ("los", 7), ("admitted", 8)):
        picked[number][name] = None
    return drgdip.group(pa.Table.from_pylist(picked), scheme).to_pylist()


class Given:
    """All that signals may read, for one family."""

    def __init__(self, family):
        self.scheme = SCHEMES[family]
        self.cases = small_cases(self.scheme)
        self.previous = small_cases(self.scheme, seed=1, n=200)
        if family == "dip":  # a table of a catalogue may have a severity of its own
            for number, case in enumerate(self.cases + self.previous):
                case |= {"adrg": case["group"], "severity": ("CC", "", "MCC")[number % 3], "severity_code": None}
        # At H0 fewer cases than before are severe, and more are sent elsewhere.
        light = [case for case in self.previous if case["severity"] not in ("CC", "MCC")]
        self.previous = [case for case in self.previous if case["hospital"] != "H0" or case not in light]
        for case in self.previous:
            case["discharge"] = 1 if case["hospital"] == "H0" else case["discharge"]
        rng = np.random.default_rng(5)
        groups = sorted({case["group"] for case in self.cases if case["group"]})
        # A group without a weight leaves its cases without an amount.
        self.weights = {group: round(0.3 + 0.07 * place, 2) for place, group in enumerate(groups[:-2])}
        some = [case for case in self.cases if case["case_id"][-1] != "3"]
        self.items = [
            {"case_id": case["case_id"], "item": f"I{item}"}
            for case in some
            for item in range(7)
            if rng.random() < 0.9 - 0.1 * item
        ]
        self.outpatient = [
            {
                "patient": case["patient"],
                "hospital": case["hospital"],
                "date": case["admitted"] - datetime.timedelta(days=int(rng.integers(-2, 12))),
                "cost": Decimal(int(rng.integers(1, 300000))) / 100,
            }
            for case in self.cases
            if case["patient"] and case["admitted"] and rng.random() < 0.6
        ]

    def signals(self, cases=None, **options):
        given = {
            "parameters": PARAMETERS,
            "weights": [{"group": group, "weight": weight} for group, weight in self.weights.items()],
            "rates": [{"base_rate": 9000.0}],
            "previous": pa.Table.from_pylist(self.previous),
            "items": self.items,
            "outpatient": self.outpatient,
        }
        table = pa.Table.from_pylist(self.cases) if cases is None else cases
        return monitor.signals(table, self.scheme, **(given | options))

    def world(self, **options):
        tables = {"items": self.items, "outpatient": self.outpatient, "previous": self.previous}
        return twins.World(self.cases, self.scheme, **({"weights": self.weights, "rate": 9000.0} | tables | options))


@pytest.fixture(scope="module", params=SCHEMES)
def given(request):
    return Given(request.param)


def in_order(rows):
    return sorted(rows, key=lambda row: (row["row"] is None, row["row"] or 0, row.get("hospital") or ""))


def agree(found, expected, signal):
    found = [row for row in found if row["signal"] == signal]
    expected = in_order(expected)
    assert [row["row"] for row in found] == [row["row"] for row in expected]
    for mine, twin in zip(found, expected, strict=True):
        for name, value in twin.items():
            if name == "hospital" and twin["row"] is not None:
                continue
            if isinstance(value, float):
                assert mine[name] == pytest.approx(value, rel=1e-12), (signal, name, twin)
            else:
                assert mine[name] == value, (signal, name, mine, twin)


@pytest.mark.parametrize("signal", IDS)
def test_each_signal_equals_its_twin(given, signal):
    expected = list(getattr(twins, signal)(given.world(), **PARAMETERS.get(signal, {})))
    agree(given.signals(which=[signal]).to_pylist(), expected, signal)
    if given.scheme == SCHEMES["drg"] or not signal.startswith("lone"):
        assert expected, "the twin finds nothing: the test says nothing"


@pytest.mark.parametrize(
    "signal", ["low_cost", "principal_swap", "reversed_diagnosis", "lone_rare_severity", "lone_unsupported_severity"]
)
def test_a_reference_takes_the_place_of_the_cases(signal):
    given = Given("drg")
    reference = small_cases(given.scheme, n=400, seed=3, hospitals=6)
    world = given.world(reference=reference)
    expected = list(getattr(twins, signal)(world, **PARAMETERS[signal]))
    found = given.signals(which=[signal], reference=pa.Table.from_pylist(reference)).to_pylist()
    assert expected
    agree(found, expected, signal)


def key_of(row):
    return tuple((name, value) for name, value in row.items() if name not in ("row", "other_row"))


@pytest.fixture(scope="module")
def drg():
    return Given("drg")


def test_order_and_chunks_change_nothing(drg):
    whole = drg.signals()
    assert set(whole["signal"].to_pylist()) == set(IDS)
    expected = sorted(map(key_of, whole.to_pylist()), key=repr)
    table = pa.Table.from_pylist(drg.cases)
    order = np.random.default_rng(8).permutation(len(table))
    shuffled = drg.signals(table.take(pa.array(order)))
    assert sorted(map(key_of, shuffled.to_pylist()), key=repr) == expected
    back = sorted(int(order[row]) for row in shuffled["row"].drop_null().to_pylist())
    assert back == whole["row"].drop_null().to_pylist()
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 100), table.slice(107)])
    assert drg.signals(chunked).equals(whole)


def test_rows_are_in_order_and_name_their_cases(drg):
    found = drg.signals().to_pylist()
    rows = [row["row"] for row in found if row["row"] is not None]
    assert rows == sorted(rows)
    assert all(row["row"] is None for row in found[len(rows) :])
    for row in found[: len(rows)]:
        case = drg.cases[row["row"]]
        assert (row["case_id"], row["hospital"], row["group"]) == (case["case_id"], case["hospital"], case["group"])
        if row["other_row"] is not None:
            assert row["other_case_id"] == drg.cases[row["other_row"]]["case_id"]
        assert (row["amount"] is None) != (row["amount_reason"] is None)
        assert row["amount"] is None or isinstance(row["amount"], Decimal)


@pytest.mark.parametrize(
    "kind", [lambda t: t.to_pylist(), lambda t: t.to_pandas(), pl.from_arrow, lambda t: pl.from_arrow(t).lazy()]
)
def test_a_table_of_any_kind(drg, kind):
    table = pa.Table.from_pylist(drg.cases)
    which = ["split_stay", "low_cost", "principal_swap", "lone_rare_severity", "severity_share"]
    expected = drg.signals(table, which=which)
    found = drg.signals(kind(table), which=which)
    assert type(found) is type(kind(table))
    back = found.collect() if isinstance(found, pl.LazyFrame) else found
    rows = (
        back if isinstance(back, list) else pa.table(back).to_pylist() if not isinstance(back, pd.DataFrame) else None
    )
    if rows is None:
        assert back["case_id"].fillna("").tolist() == [text or "" for text in expected["case_id"].to_pylist()]
        assert back["value"].tolist() == expected["value"].to_pylist()
    else:
        assert rows == expected.to_pylist()


def test_names_of_the_table(drg):
    table = pa.Table.from_pylist(drg.cases)
    theirs = {
        "patient": "身份",
        "hospital": "机构X",
        "group": "组",
        "total_cost": "总价",
        "dx": "诊断们",
        "case_id": "号",
    }
    renamed = table.rename_columns([theirs.get(name, name) for name in table.column_names])
    which = ["split_stay", "principal_swap", "low_cost"]
    assert drg.signals(renamed, which=which, columns=theirs, previous=None).equals(drg.signals(table, which=which))


def test_cases_without_groups_are_grouped(drg):
    table = pa.Table.from_pylist(drg.cases)
    bare = table.drop_columns(["mdc", "adrg", "group", "status", "reason", "severity", "severity_code"])
    which = ["low_cost", "lone_rare_severity"]
    assert drg.signals(bare, which=which).equals(drg.signals(table, which=which))


def test_amounts_say_why_they_are_missing(drg):
    which = ["low_standard_admission", "split_stay", "principal_swap"]
    for options in ({"weights": None}, {"rates": None}):
        found = drg.signals(which=which, **options)
        assert set(found["amount_reason"].to_pylist()) == {"prices_not_given"}
    table = pa.Table.from_pylist(drg.cases)
    priced = {"weights": [{"group": "A", "weight": 1.0}], "rates": [{"base_rate": 1.0}]}
    alone = monitor.signals(table, which=["split_stay"], parameters=PARAMETERS, **priced)
    assert set(alone["amount_reason"].to_pylist()) == {"not_regrouped"}
    for reason in {
        *found["amount_reason"].to_pylist(),
        "not_regrouped",
        "at_first_stay",
        "no_counterfactual",
        "no_weight",
    }:
        assert drgdip.describe_reason(reason, "zh")
        assert reason in list(drgdip.list_reasons("monitor")["code"])


def test_rates_by_pool_and_date(drg):
    rates = [
        {"pool": "职工", "base_rate": 9000.0, "valid_from": datetime.date(2025, 1, 1)},
        {"pool": "居民", "base_rate": 4500.0, "valid_from": datetime.date(2025, 1, 1)},
    ]
    one = drg.signals(which=["low_standard_admission"])
    two = drg.signals(which=["low_standard_admission"], rates=rates)
    halved = [drg.cases[row]["pool"] == "居民" for row in one["row"].to_pylist()]
    assert any(halved)
    assert not all(halved)
    for half, a, b in zip(halved, one["amount"].to_pylist(), two["amount"].to_pylist(), strict=True):
        assert b is None if a is None else b == (a / 2 if half else a)


# --- asking ---


def test_every_signal_is_written_down():
    rows = monitor.list_signals()
    assert rows.columns[:3] == ("id", "english", "chinese")
    for row in rows:
        assert row.definition
        assert row.definition_zh
        assert row.compared
        assert row.compared_zh
        assert row.source
        assert row.grade in {"A", "A (name)", "B", "C", "R"}, row.id
        assert row.scope in {"case", "hospital"}
        for name in row.parameters:
            parameter = monitor.signal_rules.parameters_of()[row.id][name]
            assert parameter.english
            assert parameter.chinese
            # A number that sources give differently, or not at all, is no default.
            assert parameter.is_text or not parameter.default
    assert set(PARAMETERS) == {row.id for row in rows if row.parameters}


def test_without_which_only_what_is_given_runs(drg):
    table = pa.Table.from_pylist(drg.cases)
    few = {"long_stay": {"ratio": 1.5}}
    found = set(monitor.signals(table, parameters=few)["signal"].to_pylist())
    plan = monitor.plan_signals(table, parameters=few).to_pylist()
    runs = {row["signal"] for row in plan if row["runs"]}
    assert runs == {"duplicate_stay", "overlapping_stays", "same_day_elsewhere", "long_stay"}
    assert found <= runs
    assert "long_stay" in found
    assert {row["signal"] for row in plan} == set(IDS)
    reasons = {(row["signal"], row["reason"]) for row in plan if not row["runs"]}
    assert ("split_stay", "signal_parameter:days") in reasons
    assert ("refusal", "signal_table:previous") in reasons
    assert ("principal_swap", "signal_table:scheme") in reasons
    bare = monitor.plan_signals(table.drop_columns(["patient"]), drg.scheme, parameters=PARAMETERS).to_pylist()
    assert {"signal": "split_stay", "runs": False, "reason": "signal_column:patient"} in bare
    for row in plan:
        assert row["runs"] or drgdip.describe_reason(row["reason"], "zh")


def test_what_is_asked_for_and_cannot_run_is_an_error(drg):
    table = pa.Table.from_pylist(drg.cases)
    with pytest.raises(PolicyError, match="split_stay needs the parameter days.*10, 14, 15"):
        monitor.signals(table, which=["split_stay"])
    with pytest.raises(CaseError, match="cost_shift needs outpatient="):
        monitor.signals(table, which=["cost_shift"], parameters=PARAMETERS)
    with pytest.raises(CaseError, match="long_stay needs a column 'los'"):
        monitor.signals(table.drop_columns(["los"]), which=["long_stay"], parameters=PARAMETERS)
    with pytest.raises(UnknownNameError, match="split_stay"):
        monitor.signals(table, which=["split_stays"])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"split": {}}, UnknownNameError, "no signal 'split'"),
        ({"long_stay": {"ration": 2}}, UnknownNameError, "Did you mean 'ratio'"),
        ({"long_stay": 2}, PolicyError, "give a mapping"),
        ({"long_stay": {"ratio": "2"}}, PolicyError, "give a number"),
        ({"long_stay": {"ratio": True}}, PolicyError, "give a number"),
        ({"long_stay": {"ratio": -1}}, PolicyError, "at least 0"),
        ({"long_stay": {"ratio": float("nan")}}, PolicyError, "give a number"),
        ({"missing_service": {"usual": 1.5}}, PolicyError, "from 0 to 1"),
        ({"split_stay": {"same": 3}}, PolicyError, "names of columns"),
    ],
)
def test_parameters_that_cannot_be(drg, parameters, error, message):
    with pytest.raises(error, match=message):
        monitor.signals(pa.Table.from_pylist(drg.cases), parameters=parameters)


def test_parameters_from_a_file(drg, tmp_path):
    path = tmp_path / "signals.toml"
    path.write_text("[split_stay]\ndays = 15\nsame = 'hospital|adrg'\n\n[long_stay]\nratio = 1.5\n", encoding="utf-8")
    same = {"split_stay": {"days": 15, "same": ["hospital", "adrg"]}, "long_stay": {"ratio": 1.5}}
    table = pa.Table.from_pylist(drg.cases)
    assert monitor.signals(table, parameters=path).equals(monitor.signals(table, parameters=same))
    path.write_text("[split_stay\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"signals\.toml"):
        monitor.signals(table, parameters=path)
    with pytest.raises(PolicyError, match="no TOML"):
        monitor.signals(table, parameters=tmp_path / "none.toml")


def test_a_table_without_rows(drg):
    table = pa.Table.from_pylist(drg.cases).slice(0, 0)
    previous = pa.Table.from_pylist(drg.previous).slice(0, 0)
    found = drg.signals(table, previous=previous)
    assert len(found) == 0
    assert found.column_names == drg.signals(which=["low_cost"]).column_names


# --- doors ---


def test_codes_in_several_columns(drg):
    which = ["principal_swap", "lone_rare_severity", "reversed_diagnosis", "procedure_without_cost"]
    table = pa.Table.from_pylist(drg.cases)
    longest = max(len(case["dx"]) for case in drg.cases)
    wide = {"dx_principal": [case["dx"][0] for case in drg.cases]}
    for place in range(1, longest):
        wide[f"dx_other_{place}"] = [case["dx"][place] if place < len(case["dx"]) else "" for case in drg.cases]
    bare = table.drop_columns(["dx", "dx_conditions", "procs"])
    for name, values in (wide | {"procs": ["|".join(case["procs"]) for case in drg.cases]}).items():
        bare = bare.append_column(name, pa.array(values))
    assert drg.signals(bare, which=which).equals(drg.signals(table.drop_columns(["dx_conditions"]), which=which))


def test_a_misspelt_name_is_an_error(drg):
    with pytest.raises(UnknownNameError, match="total_costs"):
        drg.signals(columns={"total_costs": "total_cost"}, previous=None)


@pytest.mark.parametrize(("signal", "name"), [("long_stay", "los"), ("low_cost", "total_cost"), ("cost_shift", "cost")])
def test_a_number_that_cannot_be_read_is_an_error(drg, signal, name):
    table = pa.Table.from_pylist([case | {"los": str(case["los"] or "")} for case in drg.cases])
    assert drg.signals(table, which=["long_stay"]).equals(drg.signals(which=["long_stay"]))  # texts of numbers are read
    if name == "cost":
        options = {"outpatient": [visit | {"cost": "many"} for visit in drg.outpatient]}
    else:
        options = {"cases": pa.Table.from_pylist([case | {name: "many"} for case in drg.cases])}
    with pytest.raises(CaseError, match=f"column '{name}' of .* holds 'many' in row 0"):
        drg.signals(which=[signal], **options)


def test_other_tables_of_any_kind(drg):
    which = ["missing_service", "cost_shift", "volume_growth", "low_cost"]
    tables = {name: pa.Table.from_pylist(getattr(drg, name)) for name in ("items", "outpatient", "previous")}
    tables["reference"] = tables["previous"]
    expected = drg.signals(which=which, **tables)
    assert len(expected)
    assert drg.signals(which=which, **{name: pl.from_arrow(t).lazy() for name, t in tables.items()}).equals(expected)
    chunked = {name: pa.concat_tables([t.slice(0, 9), t.slice(9)]) for name, t in tables.items()}
    assert drg.signals(which=which, **chunked).equals(expected)


def test_cases_without_codes_or_groups_raise_no_error():
    """Values that are missing leave a case out, and stop nothing."""
    blank = {
        "case_id": None,
        "patient": None,
        "hospital": None,
        "admitted": None,
        "discharged": None,
        "los": None,
        "total_cost": None,
        "dx": None,
        "procs": None,
        "drug_cost": None,
        "procedure_cost": None,
        "discharge": None,
        "sex": None,
        "age": None,
    }
    full = Given("drg")
    rows = [blank, blank | {"dx": [None, "J18.900"], "sex": 1, "age": 50}, *full.cases[:40]]
    names = list(blank)
    table = pa.Table.from_pylist([{name: row[name] for name in names} for row in rows])
    previous = pa.Table.from_pylist([{name: row[name] for name in names} for row in full.previous])
    found = full.signals(table, previous=previous).to_pylist()
    assert not {0, 1} & {row["row"] for row in found}
    assert any(row["row"] is not None for row in found)


@pytest.mark.parametrize("seed", [21, 22])
def test_more_random_cases(seed):
    other = Given("drg")
    other.cases = small_cases(other.scheme, n=120, seed=seed, hospitals=3)
    for signal in IDS:
        if signal not in ("missing_service", "cost_shift"):
            expected = list(getattr(twins, signal)(other.world(), **PARAMETERS.get(signal, {})))
            agree(other.signals(which=[signal]).to_pylist(), expected, signal)
