"""A place's own DRGs from history: what is found again, what must not matter, and what each criterion rules out."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import drgdip
from drgdip import Feature, SplitCriteria, build_scheme, points
from drgdip.errors import CaseError, UnknownNameError
from drgdip.grouper.drg.cells import Cells
from drgdip.grouper.drg.splitting import Wishes, divide, list_leaves
from drgdip.reasons import describe_reason, reasons_of

BASE = "chs-drg-2.0"
SEVERITY = Feature.severity()
AGE = Feature.bands("age", [17, 70], marks="04")
ALL = [
    SEVERITY,
    AGE,
    Feature.bands("los", [3], marks="S"),
    Feature.values("discharge", [4, 5], mark="7", label="死亡"),
    Feature.values("dept", ["ICU"], mark="U", label="重症医学科"),
    Feature.bands("icu_hours", [24], marks="H"),
    Feature.procedures("blood", ["99.0401", "99.0501"], mark="X", label="伴输血"),
    Feature.procedures("scopes", ["44.1300", "45.2302", "45.1600"], number=2, mark="E", label="伴多项内镜检查"),
]
CRITERIA = SplitCriteria(min_cases=60, difference=0.2, order=True, gain=0.02, halves=3, seed=7)
TRIM = functools.partial(points.trim_cases, trim=points.Trim("iqr", lower=3, upper=3, log=True), by="adrg")


def build(cases, features=(SEVERITY,), criteria=CRITERIA, **options):
    return build_scheme(cases, "mine", features=features, criteria=criteria, **options)


def groups_of(scheme, adrg):
    return [(drg.code, str(drg.rule)) for one in scheme.adrgs if one.code == adrg for drg in one.drgs]


def splits_of(built):
    return {row["adrg"]: row["split"] for row in built.decisions.to_pylist() if row["n"]}


@pytest.fixture(scope="module")
def pool():
    """Cases with as many of each severity in each core group as there can be: 130 of each, drawn with replacement."""
    cases = drgdip.sample_cases(40000, BASE, seed=3)
    found = drgdip.group(cases, BASE).select(["adrg", "severity", "status"]).to_pandas().astype(object).fillna("none")
    found = found[found["status"] == "grouped"]
    random = np.random.default_rng(11)
    rows = [
        random.choice(part.to_numpy(), 130)
        for _, core in found.groupby("adrg", sort=True)
        if core["severity"].nunique() == 3
        for part in (own.index for _, own in core.groupby("severity", sort=True))
    ]
    return cases.take(pa.array(np.concatenate(rows)))


def with_costs(cases, scheme, step, seed=5, sd=0.4):
    """The cases with costs by the group of a scheme: each group of a core group costs a step more than the next."""
    loaded = drgdip.load_scheme(scheme)
    means = {
        drg.code: 3000.0 * step ** (len(adrg.drgs) - place)
        for adrg in loaded.adrgs
        for place, drg in enumerate(adrg.drgs)
    }
    groups = drgdip.group(cases, loaded)["group"].to_pylist()
    noise = np.exp(sd * np.random.default_rng(seed).standard_normal(len(cases)))
    costs = np.array([means.get(group, 3000.0) for group in groups]) * noise
    place = cases.column_names.index("total_cost")
    return cases.set_column(place, "total_cost", pa.array(np.round(costs, 2)))


RULES = {
    (): None,
    ("QTZD in MCC",): "severity: MCC | CC+none",
    ("QTZD in {MCC, CC}",): "severity: MCC+CC | none",
    ("QTZD in MCC", "QTZD in {MCC, CC}"): "severity: MCC | CC | none",
}


def known_splits(scheme, adrgs):
    """The division of each core group by severity alone, as the rules of a place have it."""
    found = {}
    for adrg in drgdip.load_scheme(scheme).adrgs:
        *rules, last = [str(drg.rule) for drg in adrg.drgs] or ["-"]
        if adrg.code in adrgs and not last and tuple(rules) in RULES:
            found[adrg.code] = RULES[tuple(rules)]
    return found


@pytest.mark.parametrize("place", ["ankang-2025", "huaibei-2025", "hunan-2024", "tianjin-2025"])
def test_the_divisions_of_a_place_are_found_again(pool, place):
    place = f"{BASE}-{place}"
    found = splits_of(build(with_costs(pool, place, step=1.6)))
    known = known_splits(place, found)
    same = sum(found[adrg] == split for adrg, split in known.items())
    assert len(known) > 150
    assert len(set(known.values())) == 4
    assert same >= 0.95 * len(known)


def test_outliers_and_an_odd_hospital_do_not_change_what_is_found(pool):
    place = f"{BASE}-ankang-2025"
    cases = with_costs(pool, place, step=1.6)
    random = np.random.default_rng(2)
    costs = cases["total_cost"].to_numpy() * np.where(random.random(len(cases)) < 0.005, 60, 1)
    costs *= np.where(random.random(len(cases)) < 0.08, 1.8, 1)  # a hospital that is dearer in all
    odd = cases.set_column(cases.column_names.index("total_cost"), "total_cost", pa.array(costs))
    found = splits_of(build(odd, trim=TRIM))
    known = known_splits(place, found)
    assert sum(found[adrg] == split for adrg, split in known.items()) >= 0.95 * len(known)


def test_nothing_is_divided_where_costs_do_not_differ(pool):
    found = splits_of(build(with_costs(pool, BASE, step=1.0)))
    assert set(found.values()) == {None}


# --- what must not matter --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases():
    """Many cases of few core groups, whose costs differ by severity, age and stay."""
    found = drgdip.sample_cases(20000, BASE, seed=9)
    adrg = drgdip.group(found, BASE)["adrg"].to_pandas().astype(str)
    frequent = adrg.value_counts().index[:25]
    found = found.filter(pa.array(adrg.isin(frequent).to_numpy()))
    random = np.random.default_rng(8)
    age, los = found["age"].to_numpy(), found["los"].to_numpy()
    costs = found["total_cost"].cast(pa.float64()).to_numpy() * np.where(age >= 70, 1.5, 1) * np.where(los < 3, 0.6, 1)
    found = found.set_column(found.column_names.index("total_cost"), "total_cost", pa.array(np.round(costs, 2)))
    dept = pa.array(np.where(random.random(len(found)) < 0.3, "ICU", "内科"))
    hours = pa.array(random.integers(0, 60, len(found)))
    found = found.set_column(found.column_names.index("dept"), "dept", dept)
    return found.set_column(
        found.column_names.index("icu_hours"), "icu_hours", hours.cast(found.schema.field("icu_hours").type)
    )


LOOSE = SplitCriteria(min_cases=40, difference=0.1, gain=0.005, halves=2, seed=1, years=True, hospital_share=0.9)


@pytest.fixture(scope="module")
def built(cases):
    return build(cases, ALL[:4], LOOSE)


@pytest.mark.parametrize("change", ["order", "chunks", "records"])
def test_the_way_of_the_cases_does_not_matter(cases, built, change):
    if change == "order":
        changed = cases.take(pa.array(np.random.default_rng(1).permutation(len(cases))))
    elif change == "chunks":
        changed = pa.concat_tables([cases.slice(0, 3), cases.slice(3, 5000), cases.slice(5003)])
    else:
        changed = cases.to_pandas()
    found = build(changed, ALL[:4], LOOSE)
    assert found.files == built.files
    assert found.candidates.equals(built.candidates)
    assert found.decisions.equals(built.decisions)


def test_all_cases_twice_give_the_same_groups(cases, built):
    twice = SplitCriteria(**{name: getattr(LOOSE, name) for name in LOOSE.__slots__} | {"min_cases": 80})
    found = build(pa.concat_tables([cases, cases]), ALL[:4], twice)
    assert found.files["drg.csv"] == built.files["drg.csv"]
    assert b"NL < 70" in built.files["drg.csv"]


STRONGER = [
    {"min_cases": 100},
    {"min_share": 0.2},
    {"max_cv": 0.6},
    {"difference": 0.4},
    {"order": True},
    {"gain": 0.05},
    {"halves": 6, "seed": 1},
    {"years": True},
    {"hospital_share": 0.3},
    {"depth": 1},
]


WEAK = {"min_cases": 25, "difference": 0.05}


@pytest.fixture(scope="module")
def weakly(cases):
    return build(cases, ALL[:4], SplitCriteria(**WEAK)).decisions.to_pandas().set_index("adrg")


@pytest.mark.parametrize("stronger", STRONGER, ids=lambda one: next(iter(one)))
def test_a_stronger_criterion_never_gives_more_groups(cases, weakly, stronger):
    before = weakly
    after = build(cases, ALL[:4], SplitCriteria(**WEAK | stronger)).decisions.to_pandas().set_index("adrg")
    assert set(before["search"].dropna()) == {"exhaustive"}
    assert (after["groups"] <= before["groups"]).all()
    assert after["groups"].sum() < before["groups"].sum() or "years" in stronger  # all cases are of one year


def test_the_total_weight_is_kept(cases):
    made = build(cases, ALL[:2], LOOSE, weights=points.weights)
    before = points.weights(drgdip.group(cases, BASE))
    assert made.weights.column_names == before.column_names

    def total(table):
        return sum(row["n"] * row["weight"] for row in table.to_pylist() if row["group"])

    assert total(made.weights) == pytest.approx(total(before), rel=1e-12)
    assert total(before) == pytest.approx(sum(before["n"].to_pylist()), rel=1e-12)
    assert set(made.weights["group"].to_pylist()) != set(before["group"].to_pylist())


# --- the engines and the folder --------------------------------------------------------------------------------------


def test_a_built_scheme_loads_and_both_engines_agree(cases, tmp_path):
    forced = [
        {"adrg": adrg, "action": "force", "about": next(iter(map(feature.text, feature.divisions)))}
        for adrg, feature in zip(sorted(splits_of(build(cases))), itertools.cycle(ALL), strict=False)
    ]
    made = build(cases, ALL, LOOSE, decisions=forced)
    made.to_folder(tmp_path / "mine")
    loaded = drgdip.load_scheme(tmp_path / "mine")
    assert loaded.info.sha256 == made.scheme.info.sha256
    few = cases.slice(0, 6000)
    columnar = drgdip.group(few, loaded, engine="columnar")
    reference = drgdip.group(few, loaded, engine="reference")
    names = drgdip.GroupResult._fields
    assert columnar.select(names).to_pylist() == reference.select(names).to_pylist()
    assert drgdip.group(few, made.scheme).select(names).to_pylist() == columnar.select(names).to_pylist()
    own = {drg.code for adrg in loaded.adrgs for drg in adrg.drgs}
    marks = {code[3:] for code in set(columnar["group"].to_pylist()) - {None}}
    assert {"7", "U", "H", "S", "0", "4", "1", "9"} <= marks
    changes = drgdip.diff_schemes(BASE, loaded).to_pylist()
    assert {row["code"] for row in changes if row["change"] == "added" and row["table"] == "drg"} <= own
    assert {row["table"] for row in changes} == {"drg", "sets"}
    with pytest.raises(drgdip.SchemeError, match="files already"):
        made.to_folder(tmp_path / "mine")


def test_core_groups_stay_those_of_the_base(cases, built):
    columns = ["mdc", "adrg", "status", "severity"]
    before, after = drgdip.group(cases, BASE), drgdip.group(cases, built.scheme)
    assert before.select(columns).to_pylist() == after.select(columns).to_pylist()


def test_a_division_like_that_of_the_base_keeps_its_rows(pool):
    made = build(with_costs(pool, BASE, step=1.6))
    changed = {row["adrg"] for row in made.decisions.to_pylist() if row["changed"]}
    moved = {row["parent"] for row in drgdip.diff_schemes(BASE, made.scheme).to_pylist()}
    assert moved == changed
    kept = [row for row in made.decisions.to_pylist() if row["n"] and not row["changed"]]
    assert len(kept) > 0.95 * len(splits_of(made))


# --- figures and the search against slow twins -----------------------------------------------------------------------


def test_figures_of_candidates_are_those_of_pandas(cases):
    made = build(cases, [SEVERITY, AGE], SplitCriteria(min_cases=25, difference=0.05, gain=0.001))
    frame = cases.to_pandas().assign(cost=cases["total_cost"].to_pandas())
    found = drgdip.group(cases, BASE).select(["adrg", "severity", "status"]).to_pandas()
    frame[found.columns] = found.astype(object)
    frame = frame[frame["status"] == "grouped"]
    keys = {
        "severity": frame["severity"].map({"MCC": "MCC", "CC": "CC"}).fillna("none"),
        "age": pd.cut(frame["age"], [-1, 16, 69, 200], labels=["<17", "17-69", ">=70"]).astype(str),
    }
    seen = 0
    for row in made.candidates.to_pylist():
        name, _, division = row["split"].partition(": ")
        rows = frame["adrg"] == row["adrg"]
        for step in filter(None, row["within"].split(", ")):
            feature, key = step.split(" ")
            rows &= keys[feature].isin(key.split("+"))
        parts = [frame["cost"][rows & keys[name].isin(part.split("+"))] for part in division.split(" | ")]
        assert row["n"] == "|".join(str(len(part)) for part in parts)
        if min(map(len, parts)) < 2:
            continue
        seen += bool(row["within"])
        assert [float(mean) for mean in row["mean"].split("|")] == pytest.approx([p.mean() for p in parts], abs=0.006)
        cvs = [part.std() / part.mean() for part in parts]
        assert [float(cv) for cv in row["cv"].split("|")] == pytest.approx(cvs, abs=1e-6)
        whole = frame["cost"][rows]
        inner = sum(((part - part.mean()) ** 2).sum() for part in parts)
        assert row["riv"] == pytest.approx(1 - inner / ((whole - whole.mean()) ** 2).sum(), abs=1e-9)
    assert seen > 20


def slow_best(cells, features, free, criteria):
    """All trees of divisions that meet criteria, one by one: groups and squares explained of the best."""
    rows, best = np.arange(len(cells.n)), (1, 0.0)

    def sizes(rows):
        n, deviation = cells.n[rows].sum(), cells.deviation[rows].sum()
        return n, cells.mean + deviation / max(n, 1), cells.squares[rows].sum() - deviation**2 / max(n, 1)

    def trees(rows, free):
        yield 1, 0.0
        for number in free:
            for division in features[number].divisions:
                parts = [rows[np.isin(cells.parts[rows, number], part)] for part in division]
                figures = [sizes(part) for part in parts]
                means = [mean for _, mean, _ in figures]
                if min(n for n, _, _ in figures) < criteria.min_cases:
                    continue
                pairs = list(itertools.pairwise(means))
                if any(max(pair) / min(pair) - 1 < criteria.difference for pair in pairs):
                    continue
                explained = sizes(rows)[2] - sum(inner for _, _, inner in figures)
                rest = [other for other in free if other != number]
                for below in itertools.product(*(list(trees(part, rest)) for part in parts)):
                    yield sum(n for n, _ in below), explained + sum(more for _, more in below)

    for groups, explained in trees(rows, free):
        if groups > best[0] or (groups == best[0] and explained > best[1]):
            best = (groups, explained)
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_search_finds_the_best_of_all_trees(seed):
    random = np.random.default_rng(seed)
    features = [SEVERITY, Feature.bands("age", [17], marks="0"), Feature.bands("los", [3], marks="S")]
    parts = np.array(list(itertools.product(range(3), range(2), range(2))))
    n = random.integers(0, 60, len(parts))
    parts, n = parts[n > 0], n[n > 0]
    means = random.lognormal(0, 0.3, len(parts)) * 1000
    middle = float((n * means).sum() / n.sum())
    squares = n * ((means - middle) ** 2 + 90000)
    cells = Cells(parts, n, n * (means - middle), squares, middle)
    criteria = SplitCriteria(min_cases=int(random.integers(5, 60)), difference=0.15)
    branch, _, exhaustive = divide(cells, features, (0, 1, 2), criteria, Wishes())
    assert exhaustive
    groups, explained = slow_best(cells, features, [0, 1, 2], criteria)
    assert branch.groups == groups == len(list(list_leaves(branch)))
    assert branch.explained == pytest.approx(explained, rel=1e-6, abs=1e-3)


# --- each criterion --------------------------------------------------------------------------------------------------

YEAR = {"discharged": "2023-07-01"}
B = {"hospital": "B"}
GZ1 = {"sex": 1, "age": 60, "dx": ["K22.301"], "procs": [], "discharged": "2024-05-01", "hospital": "A"}


def stays(*kinds):
    """Cases of one core group: (number, cost, what else)."""
    return [GZ1 | {"total_cost": cost + at % 7} | more for number, cost, more in kinds for at in range(number)]


CHILD = {"age": 9}
YOUNG = [Feature.bands("age", [17], marks="0")]


def reason_of(cases, **criteria):
    (row,) = build(cases, YOUNG, SplitCriteria(**{"min_cases": 20} | criteria)).candidates.to_pylist()
    return row["reason"]


@pytest.mark.parametrize(
    ("cases", "criteria", "reason"),
    [
        (stays((20, 900, CHILD), (40, 500, {})), {"difference": 0.7}, None),
        (stays((19, 900, CHILD), (40, 500, {})), {}, "few_cases:20"),
        (stays((20, 900, CHILD), (180, 500, {})), {"min_share": 0.11}, "small_share:0.11"),
        (stays((20, 900, CHILD), (180, 500, {})), {"min_share": 0.1}, None),
        (stays((10, 90, CHILD), (10, 9000, CHILD), (40, 500, {})), {"max_cv": 0.9}, "high_cv:0.9"),
        (stays((20, 900, CHILD), (40, 500, {})), {"difference": 0.85}, "small_difference:0.85"),
        (stays((20, 520, CHILD), (10, 100, {}), (10, 900, {})), {"gain": 0.01}, "small_gain:0.01"),
        (
            stays((20, 900, CHILD), (40, 500, {}), (5, 400, CHILD | YEAR), (9, 500, YEAR)),
            {"years": True},
            "unstable_years",
        ),
        (
            stays((20, 900, CHILD), (40, 500, {}), (5, 800, CHILD | YEAR), (9, 500, YEAR)),
            {"years": True},
            None,
        ),
        (stays((20, 900, CHILD), (40, 500, {}), (9, 500, YEAR)), {"years": True}, "unstable_years"),
        (stays((20, 900, CHILD), (20, 500, {}), (10, 500, B)), {"hospital_share": 0.9}, "one_hospital:0.9"),
        (
            stays((30, 900, CHILD), (10, 900, CHILD | B), (20, 500, {}), (10, 500, B)),
            {"hospital_share": 0.75},
            None,
        ),
    ],
)
def test_each_criterion(cases, criteria, reason):
    assert reason_of(cases, **criteria) == reason


def test_halves_rule_out_what_few_cases_make():
    """One dear child among equal costs: the half without it does not differ."""
    cases = stays((40, 500, CHILD), (40, 500, {}), (1, 90000, CHILD))
    assert reason_of(cases, difference=0.2) is None
    assert reason_of(cases, difference=0.2, halves=4, seed=2) == "unstable_halves"
    steady = [
        case | {"total_cost": case["total_cost"] + at * 0.01}
        for at, case in enumerate(stays((80, 900, CHILD), (80, 500, {})))
    ]
    assert reason_of(steady, difference=0.2, halves=4, seed=2) is None


def test_order_is_asked_of_severity_alone():
    """Children cost less than others, which is no fault of an age; a severity that costs less is one."""
    cases = stays((20, 300, CHILD), (40, 500, {}))
    assert reason_of(cases, order=True) is None
    grave = stays((20, 300, {"dx": ["K22.301", "I50.900"]}), (40, 500, {}))
    assert drgdip.group(grave[:1], BASE)[0]["severity"] in {"MCC", "CC"}
    made = build(grave, criteria=SplitCriteria(min_cases=20, order=True))
    reasons = made.candidates["reason"].to_pylist()
    assert "wrong_order" in reasons
    assert splits_of(made) == {"GZ1": None}


# --- codes, names, decisions -----------------------------------------------------------------------------------------


def test_codes_and_names_follow_the_national_pattern():
    grave = {"dx": ["K22.301", "I50.900"]}
    level = drgdip.group([GZ1 | grave], BASE)[0]["severity"]
    cases = stays((30, 9000, CHILD), (30, 4000, {"age": 50}), (30, 2000, {"age": 80}), (30, 6000, grave | {"age": 50}))
    made = build(cases, [SEVERITY, AGE], SplitCriteria(min_cases=20, difference=0.2))
    drgs = [drg for adrg in made.scheme.adrgs if adrg.code == "GZ1" for drg in adrg.drgs]
    assert level == "MCC"
    assert [(drg.code, drg.name, str(drg.rule)) for drg in drgs] == [
        ("GZ10", "其他消化系统疾病，年龄＜17岁", "NL < 17"),
        ("GZ114", "其他消化系统疾病，年龄17-69岁，伴严重合并症或并发症", "NL < 70 and QTZD in MCC"),
        ("GZ154", "其他消化系统疾病，年龄17-69岁，不伴严重合并症或并发症", "NL < 70"),
        ("GZ19", "其他消化系统疾病，年龄≥70岁", ""),
    ]


MIXED = stays((30, 900, CHILD), (30, 500, {}))


@pytest.mark.parametrize(
    ("decision", "groups"),
    [
        ({"action": "keep", "about": None}, ["GZ19"]),
        ({"action": "merge", "about": ""}, ["GZ19"]),
        ({"action": "forbid", "about": "age: <17 | >=17"}, ["GZ19"]),
        ({"action": "forbid", "about": "age"}, ["GZ19"]),
        ({"action": "forbid", "about": "*"}, ["GZ19"]),
        ({"action": "", "about": ""}, ["GZ10", "GZ19"]),
        ({"action": "force", "about": "age: <17 | >=17"}, ["GZ10", "GZ19"]),
    ],
)
def test_manual_decisions_hold_and_survive_a_rebuild(decision, groups):
    options = {"features": YOUNG, "criteria": SplitCriteria(min_cases=500 if decision["action"] == "force" else 20)}
    made = build(MIXED, **options, decisions=[{"adrg": "GZ1", "note": "专家会"} | decision])
    assert [code for code, _ in groups_of(made.scheme, "GZ1")] == groups
    again = build(MIXED, **options, decisions=made.decisions)
    assert again.decisions.equals(made.decisions)
    assert again.files == made.files
    if decision["action"]:
        (row,) = [row for row in again.decisions.to_pylist() if row["adrg"] == "GZ1"]
        assert (row["action"], row["note"]) == (decision["action"], "专家会")


def test_decisions_hold_where_there_are_no_cases():
    """The base divides KS1 in two; nobody of the history has diabetes, and no child a part of its own."""
    rows = [
        {"adrg": "KS1", "action": "merge", "about": ""},
        {"adrg": "ES3", "action": "force", "about": "severity: MCC+CC | none"},
        {"adrg": "GZ1", "action": "force", "about": "age: <17 | 17-69+>=70"},
    ]
    cases = stays((30, 500, {"age": 50}), (30, 900, {"age": 80}))
    made = build(cases, [SEVERITY, AGE], SplitCriteria(min_cases=20, difference=0.2), decisions=rows)
    assert groups_of(made.scheme, "KS1") == [("KS19", "")]
    assert groups_of(made.scheme, "ES3") == [("ES33", "QTZD in {MCC, CC}"), ("ES35", "")]
    assert groups_of(made.scheme, "GZ1") == [("GZ10", "NL < 17"), ("GZ19", "")]
    assert "nan" not in str(made.candidates.to_pylist())


def test_a_base_in_a_folder_of_ones_own(tmp_path):
    drgdip.load_scheme(BASE).to_folder(tmp_path / "national")
    made = build(MIXED, YOUNG, SplitCriteria(min_cases=20), base=tmp_path / "national")
    made.to_folder(tmp_path / "mine")
    loaded = drgdip.load_scheme(tmp_path / "mine")
    assert loaded.info.sha256 == made.scheme.info.sha256
    assert groups_of(loaded, "GZ1") == [("GZ10", "NL < 17"), ("GZ19", "")]
    assert drgdip.group(MIXED, loaded)[0]["group"] == "GZ10"


def test_several_divisions_are_forbidden_and_the_others_stay():
    grave = {"dx": ["K22.301", "I50.900"]}
    cases = stays((30, 9000, CHILD), (30, 4000, {"age": 50}), (30, 2000, {"age": 80}), (30, 6000, grave | {"age": 50}))
    rows = [{"adrg": "GZ1", "action": "forbid", "about": about} for about in ("severity", "age: <17 | 17-69 | >=70")]
    options = {"features": [SEVERITY, AGE], "criteria": SplitCriteria(min_cases=20, difference=0.2)}
    made = build(cases, **options, decisions=rows)
    assert splits_of(made)["GZ1"] in {"age: <17+17-69 | >=70", "age: <17 | 17-69+>=70"}
    assert build(cases, **options, decisions=made.decisions).files == made.files


def test_core_groups_whose_rules_no_feature_has_keep_them():
    """Without severity among the features, the base's divisions by severity stay."""
    cases = drgdip.sample_cases(3000, BASE, seed=4)
    made = build(cases, YOUNG, SplitCriteria(min_cases=20))
    reasons = {row["adrg"]: row["reason"] for row in made.decisions.to_pylist()}
    assert reasons["KS1"] == "other_rules"
    assert groups_of(made.scheme, "KS1") == groups_of(drgdip.load_scheme(BASE), "KS1")
    assert reasons["BQY"] == "not_divisible"
    assert "no_case" in reasons.values()


def test_scheme_3_0_writes_severity_otherwise_and_keeps_its_rows():
    """CC behind MCC is either of both: with costs by its groups, 3.0 gets its own rows again."""
    cases = with_costs(drgdip.sample_cases(20000, "chs-drg-3.0", seed=4), "chs-drg-3.0", step=2.0, sd=0.1)
    made = build(cases, criteria=SplitCriteria(min_cases=4, difference=0.5), base="chs-drg-3.0")
    by_three = {
        adrg.code
        for adrg in made.scheme.adrgs
        if [str(drg.rule) for drg in adrg.drgs][:2] == ["QTZD in MCC", "QTZD in CC"]
    }
    decided = {row["adrg"] for row in made.decisions.to_pylist() if row["groups"] == 3 and row["reason"] is None}
    assert len(decided & by_three) >= 5
    assert decided <= by_three


def test_reasons_have_texts():
    for code in reasons_of("building"):
        assert describe_reason(f"{code}:0.2", "zh")


def test_more_ways_than_can_be_tried_are_followed_one_step_at_a_time(cases):
    made = build(cases, ALL, SplitCriteria(min_cases=200, difference=0.2))
    assert set(made.decisions["search"].to_pylist()) == {"best-first", None}
    shallow = build(cases, ALL, SplitCriteria(min_cases=200, difference=0.2, depth=1))
    assert set(shallow.decisions["search"].to_pylist()) == {"exhaustive", None}


@pytest.mark.parametrize(
    ("call", "error", "what"),
    [
        (lambda: build(MIXED, base=f"{BASE}-tianjin-2025"), CaseError, "build upon that"),
        (lambda: build([GZ1]), CaseError, "no column"),
        (lambda: build([GZ1 | {"total_cost": 0}]), CaseError, "nothing to build from"),
        (lambda: build(MIXED, [SEVERITY, SEVERITY]), CaseError, "two features are named"),
        (lambda: build(MIXED, [Feature.bands("age", [9], marks="1")]), CaseError, "stands for severity"),
        (lambda: build(MIXED, [*YOUNG, Feature.bands("los", [9], marks="0")]), CaseError, "have the mark 0 both"),
        (lambda: Feature.bands("age", [9, 8], marks="AB"), CaseError, "that rise"),
        (lambda: Feature.bands("age", [9], marks="AB"), CaseError, "each limit one mark"),
        (lambda: Feature.bands("cost", [9], marks="A"), UnknownNameError, "Bands are of age"),
        (lambda: Feature.values("sex", [1], mark="A", label=""), UnknownNameError, "discharge and dept"),
        (lambda: Feature.procedures("x", [], mark="A", label=""), CaseError, "lists no procedure"),
        (lambda: Feature.procedures("x y", ["1"], mark="A", label=""), CaseError, "the name is a word"),
        (lambda: Feature.values("dept", ["a b"], mark="A", label=""), CaseError, "cannot be read"),
        (lambda: SplitCriteria(min_cases=0), CaseError, "min_cases is 0"),
        (lambda: SplitCriteria(min_cases=1, gain=1), CaseError, "gain is 1"),
        (lambda: SplitCriteria(min_cases=1, halves=3), CaseError, "go together"),
        (lambda: SplitCriteria(min_cases=1, sources={"cv": "x"}), CaseError, "no criterion"),
        (lambda: build(MIXED, trim=lambda cases: cases), CaseError, "trim_status"),
        (lambda: build(MIXED, decisions=[{"adrg": "GZ1"}]), CaseError, "action and about"),
        (lambda: build(MIXED, decisions=[{"adrg": "GZ1", "action": "cut", "about": ""}]), CaseError, "'cut' is none"),
        (lambda: build(MIXED, decisions=[{"adrg": "Q", "action": "keep", "about": ""}]), CaseError, "no core group"),
        (lambda: build(MIXED, decisions=[{"adrg": "GZ1", "action": "force", "about": "x"}]), CaseError, "no division"),
        (
            lambda: build(MIXED, decisions=[{"adrg": "GZ1", "action": one, "about": ""} for one in ("keep", "merge")]),
            CaseError,
            "decision keep already",
        ),
    ],
)
def test_errors_say_what_to_mend(call, error, what):
    with pytest.raises(error, match=what):
        call()
