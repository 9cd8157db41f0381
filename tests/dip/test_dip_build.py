"""Building a place's catalogue from history."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import partial
from random import Random

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from generated import table
from test_dip_matching import TAKEN_BY

import drgdip
from drgdip.grouper.build import related_increase
from drgdip.grouper.dip.witness import dip_witness
from drgdip.grouper.history import _numbered_lists, _parts, parts_of
from drgdip.points import CaseRule, Trim, weights

HEAD = {"id": "mine", "title": "本地目录", "issuer": "本地"}
TWO, THREE = "nhsa-dip-2.0", "nhsa-dip-3.0"


def cases(*parts):
    """Cases of (number, diagnosis, procedures, cost)."""
    return [
        {"dx": [dx], "procs": procs.split("|") if procs else [], "total_cost": cost, "hospital": f"H{at % 4}"}
        for number, dx, procs, cost in parts
        for at in range(number)
    ]


def build(history, folder, base=TWO, **options):
    return drgdip.build_catalogue(history, folder, base=base, **HEAD, **({"threshold": 15} | options))


def groups_of(catalogue):
    return [(group.code, group.kind) for group in catalogue.groups]


def test_worked_example_p03_a_related_procedure_of_less_than_ten_per_cent_is_not_kept():
    assert related_increase(28033, 28849) == pytest.approx(0.0291, abs=0.0001)
    assert related_increase(28033, 28849) < 0.10


def test_worked_example_p04_a_related_procedure_of_more_than_ten_per_cent_is_kept():
    assert related_increase(28033, 44003) == pytest.approx(0.5697, abs=0.0001)


def test_related_procedures_are_kept_apart_where_they_cost_more(tmp_path):
    """The published example, I21.0 with a stent: with angiography of two vessels (P03), with ultrasound (P04)."""
    stent, angiography, ultrasound = "36.0700x004", "88.5600", "00.2400x001"
    history = cases(
        (20, "I21.000", stent, 28033),
        (20, "I21.000", f"{stent}|{angiography}", 28849),
        (20, "I21.000", f"{stent}|{ultrasound}", 44003),
    )
    built = build(history, tmp_path / "a")
    assert groups_of(built) == [(f"I21.0:{stent}", "core"), (f"I21.0:{stent}+{ultrasound}", "core")]
    rows = (tmp_path / "a" / "statistics.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1:] == [f"I21.0:{stent},40,28441.00,0.014345", f"I21.0:{stent}+{ultrasound},20,44003.00,0.000000"]
    assert len(build(history, tmp_path / "b", increase=0.02).groups) == 3
    assert len(build(history, tmp_path / "c", increase=0.57).groups) == 1


def test_national_groups_then_local_ones_then_mixed_ones(tmp_path):
    history = cases(
        (20, "K35.801", "47.0100", 9000),  # a national group
        (20, "K35.801", "46.9900x010", 7000),  # none, and enough cases
        (5, "K35.801", "54.2100", 4000),  # too few
        (5, "K35.901", "", 2000),
        (3, "K35.901", "no such procedure", 2000),  # no type, no group
    )
    built = build(history, tmp_path / "a", score=partial(weights, base="overall", scale=1000))
    assert groups_of(built) == [
        ("DIP4622", "core"),
        ("K35.8:46.9900x010", "core"),
        ("K35:surgery", "mixed"),
        ("K35:conservative", "mixed"),
    ]
    overall = (20 * 9000 + 20 * 7000 + 5 * 4000 + 5 * 2000) / 50  # of the cases that have a group
    assert built.info.counts["scored"] == 4
    assert float(built.groups[0].score) == pytest.approx(9000 / overall * 1000, abs=1e-6)
    answers = [row["reason"] or row["group"] for row in drgdip.group(history, built)]
    assert answers.count("untyped_procedure") == 3
    assert built.info.counts["mixed"] == 2


def test_a_case_whose_cost_cannot_be_read_is_left_out(tmp_path):
    history = [case | {"total_cost": str(case["total_cost"])} for case in cases((20, "K35.801", "47.0100", 9000))]
    odd = [history[0] | {"total_cost": written} for written in ("dear", "", "-5", "0")]
    built = build(history + odd, tmp_path / "a")
    assert built.annexes["statistics.csv"].columns == build(history, tmp_path / "b").annexes["statistics.csv"].columns


@pytest.mark.parametrize(("coverage", "core"), [(0.4, 1), (0.6, 2), (0.95, 3), (1.0, 4)])
def test_the_threshold_that_covers_a_share(tmp_path, coverage, core):
    history = cases(*((number, f"K{at}5.801", "", 1000) for at, number in enumerate((50, 30, 15, 5), start=1)))
    built = build(history, tmp_path / "a", threshold=None, coverage=coverage)
    assert sum(group.kind == "core" for group in built.groups) == core


def test_primary_care_groups_are_those_of_low_hospitals_and_even_costs(tmp_path):
    history = cases((40, "K35.801", "47.0100", 9000), (20, "K35.802", "", 100), (20, "K35.803", "", 9900))
    options = {"low_level": {"H0", "H1", "H2"}, "low_share": 0.75}
    flags = {group.code: group.primary_care for group in build(history, tmp_path / "a", **options).groups}
    assert list(flags.values()) == [True, False]  # the conservative cases cost from 100 to 9,900
    stricter = build(history, tmp_path / "b", **options | {"low_share": 0.76})
    assert not any(group.primary_care for group in stricter.groups)
    looser = build(history, tmp_path / "c", **options, cv_limit=1.0)
    assert all(group.primary_care for group in looser.groups)


@pytest.mark.parametrize("base", [TWO, THREE])
def test_cases_drawn_from_a_catalogue_give_it_back(tmp_path, base):
    """All of its groups, but for those whose cases another group takes."""
    national, random = drgdip.load_catalogue(base), Random(base)
    twice = [group for group in national.groups for _ in range(2)]
    history = table([dip_witness(group, national, random) | {"total_cost": 1000 + group.order} for group in twice])
    taken = drgdip.group(history, national)["group"].to_pylist()
    rows = {group.code: group for group in national.groups}
    for group, other in zip(twice, map(rows.get, taken), strict=True):
        tie = (other.kind, other.dx, other.terms) == (group.kind, group.dx, group.terms) and other.order < group.order
        assert other is group or tie or TAKEN_BY[base, group.code] == other.code
    drawn = set(taken)
    wanted = [group for group in national.groups if group.code in drawn]
    assert len(national.groups) - len(wanted) < 9
    built = build(history, tmp_path / "a", base=base, threshold=1)
    assert len(built.groups) == len(wanted)
    for one, other in zip(built.groups, wanted, strict=True):
        for field in ("code", "kind", "name", "dx", "procedures", "related", "other_dx", "anywhere", "condition"):
            assert getattr(one, field) == getattr(other, field), (other.code, field)
    assert drgdip.group(history, built)["group"].to_pylist() == taken


SCORED = cases((20, "K35.801", "47.0100", 9000), (20, "K35.801", "", 3000), (3, "K35.801", "54.2100", 5000))


def scores_of(history, folder, score, **options):
    return {group.code: group.score for group in build(history, folder, score=score, **options).groups}


def test_scores_are_what_a_function_of_the_grouped_cases_gives(tmp_path):
    history = [row | {"year": 2022 + at % 2, "total_cost": row["total_cost"] + at % 3} for at, row in enumerate(SCORED)]
    options = {"scale": 1000, "years": {2022: 1, 2023: 3}, "trim": Trim("iqr", lower=1.5, upper=1.5), "min_cases": 5}
    options["rules"] = (CaseRule("hospital", without=("H0",)),)
    found = scores_of(history, tmp_path / "a", partial(weights, **options))
    grouped = drgdip.group(history, tmp_path / "a")
    own = {row["group"]: row["weight"] for row in weights(grouped, **options)}
    assert {code: float(text or "nan") for code, text in found.items()} == pytest.approx(
        {code: float("nan") if own[code] is None else own[code] for code in found}, abs=1e-6, nan_ok=True
    )
    assert list(found) == ["DIP4622", "DIP4626", "K35:surgery"]
    assert found["K35:surgery"] == ""  # three cases are unstable, and have no weight


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (1, "1"),
        (1000.0, "1000"),
        (0, "0"),
        (-0.0, "0"),
        (2 / 3 * 1000, "666.666667"),
        (Decimal("12.3456785"), "12.345679"),  # halves are rounded up
        (0.0078125, "0.007813"),
        (Decimal("0.0000004"), "0"),
        (123456789012.125, "123456789012.125"),
        (None, ""),
    ],
)
def test_a_score_is_written_the_same_everywhere(tmp_path, weight, text):
    table_of_one = pa.table({"group": ["DIP4622"], "weight": [weight]})
    assert scores_of(SCORED, tmp_path / "a", lambda _: table_of_one) == {
        "DIP4622": text,
        "DIP4626": "",
        "K35:surgery": "",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda _: 7.5, "a float is no table"),
        (lambda _: [{"group": "DIP4622", "score": 1}], "no column weight; it must have group and weight"),
        (lambda _: [{"code": 1}], "no column group and weight"),
        (lambda _: [{"group": "DIP1", "weight": 1}], "names group 'DIP1', which the catalogue has not"),
        (lambda _: [{"group": "DIP4622", "weight": 1}] * 2, "has group 'DIP4622' twice"),
        (lambda _: [{"group": "DIP4622", "weight": -1}], "'DIP4622' the weight -1; give a number of 0 or more"),
        (lambda _: [{"group": "DIP4622", "weight": "dear"}], "the weight 'dear'"),
        (lambda _: pa.table({"group": ["DIP4622"], "weight": [float("nan")]}), "the weight nan"),
        (lambda _: pa.table({"group": ["DIP4622"], "weight": [float("inf")]}), "the weight inf"),
    ],
)
def test_what_is_no_table_of_scores_is_said_and_nothing_written(tmp_path, given, said):
    with pytest.raises(drgdip.CaseError, match=said):
        build(SCORED, tmp_path / "a", score=given)
    assert not (tmp_path / "a").exists()


def test_the_score_sees_the_callers_table(tmp_path):
    """Of the caller's kind, with columns of its own, case columns under their names, and the new groups."""
    seen = {}

    def look(name):
        def score(grouped):
            seen[name] = grouped
            return pa.table({"group": pa.array([], pa.string()), "weight": pa.array([], pa.float64())})

        return score

    renamed = [
        {"dx": row["dx"], "procs": row["procs"], "费用": row["total_cost"], "group": "old", "note": at}
        for at, row in enumerate([*SCORED, *cases((1, "K35.801", "", 0))])
    ]
    for name, kind in (
        ("list", list),
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("arrow", pa.Table.from_pylist),
    ):
        build(kind(renamed), tmp_path / name, columns={"total_cost": "费用"}, score=look(name))
        assert type(seen[name]) is type(kind(renamed))
        table = pa.table(seen[name]) if name != "list" else pa.Table.from_pylist(seen[name])
        assert {"dx", "procs", "费用", "note", "total_cost", "group", "kind", "status"} <= set(table.column_names)
        assert table["note"].to_pylist() == list(range(43))  # the case without a cost is left out
        assert table["total_cost"].to_pylist() == table["费用"].to_pylist()
        assert table["group"].to_pylist()[::20] == ["DIP4622", "DIP4626", "K35:surgery"]


def test_a_folder_and_a_threshold_will_do(tmp_path):
    built = drgdip.build_catalogue(SCORED, tmp_path / "本地", threshold=15)
    assert (built.id, built.info.title, built.info.issuer) == ("本地", "本地", "")
    assert built.info.provenance["base"].startswith("nhsa-dip-2.0 revision ")
    head = tomllib.loads((tmp_path / "本地" / "catalogue.toml").read_text(encoding="utf-8"))
    assert head["counts"] == {"groups": 3, "core": 2, "mixed": 1}


def test_upon_a_catalogue_of_ones_own(tmp_path):
    low = {"low_level": {"H0", "H1"}, "low_share": 0.5}
    first = build(SCORED, tmp_path / "a", score=partial(weights, scale=1000), **low)
    assert all(group.score and group.primary_care for group in first.groups)
    again = build(SCORED, tmp_path / "b", base=first)
    assert groups_of(again) == groups_of(first)
    assert not any(group.score or group.primary_care for group in again.groups)


def test_codes_of_another_edition_are_mapped_on_the_way_in(tmp_path):
    older = cases((20, "K35.000", "", 2000), (20, "I63.900", "00.6400x007", 9000))
    built = build(older, tmp_path / "a", codes="clinical-2.0")
    walked = drgdip.map_codes(older, "clinical-2.0").data
    assert groups_of(built) == groups_of(build(walked, tmp_path / "b"))
    assert groups_of(built) != groups_of(build(older, tmp_path / "c"))
    assert drgdip.group(older, built, codes="clinical-2.0") == [
        {**row, **{name: other[name] for name in drgdip.DipResult._fields}}
        for row, other in zip(older, drgdip.group(walked, built), strict=True)
    ]
    with pytest.raises(drgdip.UnknownNameError, match="clinical-9"):
        build(older, tmp_path / "d", codes="clinical-9")


def test_mixed_groups_may_be_left_out(tmp_path):
    history = cases((20, "K35.801", "47.0100", 9000), (4, "K35.801", "54.2100", 5000), (3, "K36.x00", "", 100))
    history += cases((3, "K36.x00", "", 9900))
    whole = build(history, tmp_path / "a")
    assert groups_of(whole) == [("DIP4622", "core"), ("K35:surgery", "mixed"), ("K36:conservative", "mixed")]
    for name, options, codes in (
        ("b", {"mixed_threshold": 4}, ["DIP4622", "K35:surgery", "K36:conservative"]),
        ("c", {"mixed_threshold": 5}, ["DIP4622", "K36:conservative"]),
        ("d", {"mixed_cv_limit": 0.5}, ["DIP4622", "K35:surgery"]),
        ("e", {"mixed_threshold": 5, "mixed_cv_limit": 0.5}, ["DIP4622"]),
    ):
        built = build(history, tmp_path / name, **options)
        assert [group.code for group in built.groups] == codes
        assert built.annexes["statistics.csv"].columns["group"] == codes
    assert [row["group"] for row in drgdip.group(history, built)] == ["DIP4622"] * 20 + [None] * 10


def test_primary_care_groups_are_common_ones(tmp_path):
    history = cases((40, "K35.801", "47.0100", 9000), (4, "K35.801", "54.2100", 5000))
    options = {"low_level": {"H0", "H1"}, "low_share": 0.5}
    for name, common, flags in (("a", None, [True, True]), ("b", 5, [True, False]), ("c", 41, [False, False])):
        built = build(history, tmp_path / name, **options, common=common)
        assert [group.primary_care for group in built.groups] == flags


@pytest.mark.parametrize("kind", ["sliced", "chunked", "dictionary"])
def test_every_layout_of_a_table_gives_the_same(tmp_path, kind):
    history = drgdip.sample_cases(3_000, TWO, seed=5).select(["dx", "procs", "total_cost", "hospital"])
    low = {"low_level": set(history["hospital"].to_pylist()[:5]), "low_share": 0.3}
    build(history, tmp_path / "a", **low)
    if kind == "sliced":
        other = pa.concat_tables([history.slice(0, 7), history]).combine_chunks().slice(7)
    elif kind == "chunked":
        other = pa.concat_tables([history.slice(0, 1_000), history.slice(1_000)])
    else:
        lists = pa.list_(pa.dictionary(pa.int32(), pa.string()))
        coded = history["hospital"].dictionary_encode()
        other = history.set_column(3, "hospital", coded).set_column(1, "procs", history["procs"].cast(lists))
    build(other, tmp_path / "b", **low)
    for name in ("groups.csv", "statistics.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_statistics_are_those_of_the_cases_of_each_group(tmp_path):
    """Group by group, with nothing but Python."""
    history = drgdip.sample_cases(3_000, TWO, seed=6)
    built = build(history, tmp_path / "a")
    held = {}
    for code, cost in zip(
        drgdip.group(history, built)["group"].to_pylist(), history["total_cost"].to_pylist(), strict=True
    ):
        held.setdefault(code, []).append(float(cost))
    for code, n, mean, cv in built.annexes["statistics.csv"].rows:
        own = held[code]
        average = sum(own) / len(own)
        spread = (sum((cost - average) ** 2 for cost in own) / len(own)) ** 0.5
        assert (int(n), float(mean)) == (len(own), pytest.approx(average, abs=0.0051))
        assert float(cv) == pytest.approx(spread / average, abs=1e-6)
    assert held.keys() - {None} == set(built.annexes["statistics.csv"].columns["group"])


@pytest.mark.parametrize("base", [TWO, THREE])
def test_what_cases_are_made_of_is_found_list_by_list(base):
    """The slow twin looks at each case by itself."""
    national = drgdip.load_catalogue(base)
    history = drgdip.sample_cases(2_000, base, seed=3)
    rows = np.arange(0, len(history), 3)
    made = parts_of(history, national, rows)
    for at, row in enumerate(rows.tolist()):
        dx, procs = history["dx"][row].as_py(), history["procs"][row].as_py()
        combination, mix = _parts(dx[0], tuple(procs), national)
        assert (made.combinations[made.combination[at]] if made.combination[at] >= 0 else None) == combination
        assert (made.pairs[made.pair[at]] if made.pair[at] >= 0 else None) == (combination and combination[:2])
        assert (made.mixes[made.mix[at]] if made.mix[at] >= 0 else None) == mix


def test_lists_have_one_number_if_and_only_if_they_are_equal():
    random = Random(4)
    lists = [[random.randrange(3) for _ in range(random.choice((0, 0, 1, 2, 2, 3, 7)))] for _ in range(4_000)]
    heads = [random.randrange(4) for _ in lists]
    stops = np.cumsum([len(one) for one in lists])
    ids = np.array([number for one in lists for number in one])
    numbers, where = _numbered_lists(np.array(heads), ids, stops - [len(one) for one in lists], stops)
    keys = [(head, *one) for head, one in zip(heads, lists, strict=True)]
    assert len(set(zip(keys, numbers.tolist(), strict=True))) == len(set(keys)) == len(set(numbers.tolist()))
    assert [keys[at] for at in where[numbers]] == keys


def test_the_order_of_rows_does_not_matter(tmp_path):
    history = drgdip.sample_cases(4_000, TWO, seed=11)
    order = list(range(len(history)))
    Random(1).shuffle(order)
    for name, rows in (("a", history), ("b", history.take(order))):
        build(rows, tmp_path / name, score=partial(weights, scale=1000))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["catalogue.toml", "groups.csv", "statistics.csv"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_every_case_with_a_type_is_grouped_by_what_was_built_from_it(tmp_path):
    history = drgdip.sample_cases(4_000, TWO, seed=12)
    built = build(history, tmp_path / "a")
    reasons = set(drgdip.group(history, built)["reason"].to_pylist())
    assert reasons <= {None, "untyped_procedure", "no_dx_group"}
    assert sum(map(int, built.annexes["statistics.csv"].columns["n"])) > 3_950


ONE = cases((1, "K35.801", "", 1000))


@pytest.mark.parametrize(
    ("history", "options", "said"),
    [
        (ONE, {"threshold": None}, "give either threshold"),
        (ONE, {"coverage": 0.9}, "give either threshold"),
        (ONE, {"threshold": 0}, "threshold is 0"),
        (ONE, {"threshold": None, "coverage": 95}, "coverage is 95"),
        (ONE, {"low_level": {"H1"}}, "go together"),
        (ONE, {"low_share": 0.5}, "go together"),
        (ONE, {"low_level": {"H1"}, "low_share": 50}, "low_share is 50"),
        (ONE, {"common": 5}, "common .* goes with low_level"),
        (ONE, {"mixed_threshold": 0}, "mixed_threshold is 0; give 1 or more"),
        (ONE, {"mixed_cv_limit": float("nan")}, "mixed_cv_limit is nan"),
        (ONE, {"increase": -0.1}, "increase is -0.1; give 0 or more"),
        (ONE, {"base": "nhsa-dip-1.0"}, "procedures in any order"),
        ([{"dx": "A00", "procs": ""}], {}, "needs total_cost"),
        ([{"dx": "A00", "procs": "", "total_cost": "dear"}], {}, "nothing to build from"),
        (ONE, {"threshold": "15"}, "threshold is '15'; give a number"),
        (cases((3, "k35.801", "", 1000)), {}, "no group comes of these cases"),
        (ONE, {"mixed_threshold": 2}, "no group comes of these cases"),
        ([{"dx": "", "procs": "", "total_cost": 5}], {}, "nothing to build from"),
        ([{"dx": "A00", "procs": "", "total_cost": 0}], {}, "nothing to build from"),
    ],
)
def test_what_cannot_be_built_is_said(tmp_path, history, options, said):
    with pytest.raises(drgdip.CaseError, match=said):
        build(history, tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("dx", ["I21-00", "I21|22", "I21XX0", "I21 00", "I21.|0", "I21/X0"])
def test_codes_that_no_core_group_could_name_make_mixed_groups(tmp_path, dx):
    """One odd code among many must not stop the others."""
    odd = cases((20, dx, "36.0700", 900), (20, "K35.801", "36.0700|a b", 900), (20, "i21.0", "36.0700", 900))
    built = build(odd + cases((20, "I21.000", "36.0700", 900)), tmp_path / "a")
    assert groups_of(built) == [("DIP2961", "core"), ("I21:surgery", "mixed"), ("K35:surgery", "mixed")]
    statuses = [row["group"] for row in drgdip.group(odd, built)]
    assert statuses == ["I21:surgery"] * 20 + ["K35:surgery"] * 20 + [None] * 20


def test_more_procedures_than_a_group_may_name_are_not_kept_apart(tmp_path):
    many = "|".join(["36.0700", *(f"88.{at:04}" for at in range(16))])
    history = cases((20, "I21.000", many, 9000), (20, "I21.000", "36.0700", 900))
    assert groups_of(build(history, tmp_path / "a")) == [("DIP2961", "core")]
    fewer = cases((20, "I21.000", many[: -len("|88.0015")], 9000), (20, "I21.000", "36.0700", 900))
    assert len(groups_of(build(fewer, tmp_path / "b"))) == 2


@pytest.mark.parametrize("low_level", ["H1", ["H1"], pd.Series(["H1"]), np.array(["H1"])])
def test_the_hospitals_of_a_low_level_are_named_whole(tmp_path, low_level):
    history = [case | {"hospital": hospital} for case, hospital in zip(ONE * 40, ["H", "1"] * 20, strict=True)]
    for at, hospitals, flags in (("a", history, {""}), ("b", [case | {"hospital": "H1"} for case in history], {"1"})):
        build(hospitals, tmp_path / at, low_level=low_level, low_share=0.5)
        rows = pd.read_csv(tmp_path / at / "groups.csv", dtype=str, keep_default_na=False)
        assert set(rows["primary_care"]) == flags


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(drgdip.CaseError, match="is there already"):
        build(ONE, tmp_path)
    with pytest.raises(drgdip.CaseError, match="is there already"):
        build(ONE, tmp_path / "mine.txt")
