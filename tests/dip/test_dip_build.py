"""Building a place's catalogue from history."""

from __future__ import annotations

from random import Random

import pytest
from test_dip_doors import table

import drgdip
from drgdip.grouper.build import related_increase
from drgdip.grouper.dip_witness import dip_witness
from drgdip.grouper.match import match_case

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
    built = build(history, tmp_path / "a", score=lambda mean, overall: mean / overall * 1000)
    assert groups_of(built) == [
        ("DIP4622", "core"),
        ("K35.8:46.9900x010", "core"),
        ("K35:surgery", "mixed"),
        ("K35:conservative", "mixed"),
    ]
    overall = (20 * 9000 + 20 * 7000 + 5 * 4000 + 8 * 2000) / 53
    assert float(built.groups[0].score) == pytest.approx(9000 / overall * 1000, abs=1e-6)
    answers = [row["reason"] or row["group"] for row in drgdip.group(history, built)]
    assert answers.count("untyped_procedure") == 3
    assert built.info.counts["mixed"] == 2


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
def test_cases_drawn_from_a_catalogue_give_its_groups_back(tmp_path, base):
    national, random = drgdip.load_catalogue(base), Random(base)
    history = []
    drawn = set()
    for group in random.sample(national.groups, 300):
        made = [dip_witness(group, national, random) for _ in range(16)]
        if any(match_case(case, national).group != group.code for case in made):
            continue
        drawn.add(group.code)
        history += [case | {"total_cost": 1000 + group.order} for case in made]
    built = build(table(history), tmp_path / "a", base=base)
    assert {group.code for group in built.groups} == drawn
    rows = {group.code: group for group in national.groups}
    for group in built.groups:
        own = rows[group.code]
        assert (group.dx, group.procedures, group.related, group.condition, group.kind) == (
            own.dx,
            own.procedures,
            own.related,
            own.condition,
            own.kind,
        )
    again = drgdip.group(table(history), built)["group"].to_pylist()
    assert again == drgdip.group(table(history), national)["group"].to_pylist()


def test_the_order_of_rows_does_not_matter(tmp_path):
    history = drgdip.sample_cases(4_000, TWO, seed=11)
    order = list(range(len(history)))
    Random(1).shuffle(order)
    for name, rows in (("a", history), ("b", history.take(order))):
        build(rows, tmp_path / name, score=lambda mean, overall: mean / overall)
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
        (ONE, {"base": "nhsa-dip-1.0"}, "procedures in any order"),
        ([{"dx": "A00", "procs": ""}], {}, "needs total_cost"),
        ([{"dx": "A00", "procs": "", "total_cost": "dear"}], {}, "no column of numbers"),
        ([{"dx": "", "procs": "", "total_cost": 5}], {}, "nothing to build from"),
        ([{"dx": "A00", "procs": "", "total_cost": 0}], {}, "nothing to build from"),
    ],
)
def test_what_cannot_be_built_is_said(tmp_path, history, options, said):
    with pytest.raises(drgdip.CaseError, match=said):
        build(history, tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(drgdip.CaseError, match="is there already"):
        build(ONE, tmp_path)
    with pytest.raises(drgdip.CaseError, match="is there already"):
        build(ONE, tmp_path / "mine.txt")
