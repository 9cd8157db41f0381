"""Moving from one scheme to another: every case is counted once, and its reason is the one that a slow twin finds."""

from __future__ import annotations

import dataclasses
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pyarrow as pa
import pytest
from conftest import ROOT, question_of, read_deck

from drgdip import (
    CaseError,
    DrgdipError,
    UnknownNameError,
    describe_reason,
    diff_cases,
    explain,
    group,
    group_one,
    load_scheme,
    move_cases,
    points,
    read_cases,
    sample_cases,
)
from drgdip.cli import main
from drgdip.data import rows_of
from drgdip.grouper.drg.model import SeverityCode
from drgdip.grouper.drg.pairs import GONE, pair_schemes
from drgdip.grouper.drg.reference import facts_of
from drgdip.grouper.drg.swaps import SWAPS, Swaps
from drgdip.grouper.facts import holds
from drgdip.grouper.group import results_of
from drgdip.grouper.move import FORMATS
from drgdip.grouper.moves import _REASONS
from drgdip.reasons import reasons_of

OLD, NEW = "chs-drg-2.0", "chs-drg-3.0"
SIDES = ("before", "after")
PAIRS = [
    (OLD, NEW),
    (NEW, OLD),
    ("chs-drg-1.1", OLD),
    (OLD, "chs-drg-2.0-nanjing-2024"),
    ("chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026"),
    ("chs-drg-2.0-tianjin-2025", NEW),
    ("chs-drg-1.1-wuxi-2022", OLD),
    ("chs-drg-2.0-chongqing-tcm-2025", NEW),
    ("chs-drg-1.0-revised", NEW),
]


def many(scheme, rows=600):
    """Random cases, some of which say too little to be grouped."""
    table = sample_cases(rows, scheme, seed=11)
    sexes = [None if row % 97 == 0 else sex for row, sex in enumerate(table["sex"].to_pylist())]
    return table.set_column(table.column_names.index("sex"), "sex", pa.array(sexes, pa.int64()))


@pytest.fixture(scope="module")
def national():
    cases = many(OLD, 3000)
    return cases, move_cases(cases, OLD, NEW)


# --- what is counted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_case_is_counted_once(pair):
    cases = many(pair[0])
    move = move_cases(cases, *pair)
    rows = move.cases.to_pylist()
    for side, scheme in zip(("before", "after"), pair, strict=True):
        results = group(cases, scheme)
        assert [row[f"{side}_group"] for row in rows] == results["group"].to_pylist()
        assert [row[f"{side}_status"] for row in rows] == results["status"].to_pylist()
        adrgs = zip(results["adrg"].to_pylist(), results["group"].to_pylist(), strict=True)
        assert [row[f"{side}_adrg"] for row in rows] == [adrg or code for adrg, code in adrgs]
    for level, flows, reason in (("adrg", move.adrg_flows, "adrg_reason"), ("group", move.drg_flows, "reason")):
        keys = (f"before_{level}", "before_status", f"after_{level}", "after_status", reason)
        expected = Counter(tuple(row[key] for key in keys) for row in rows)
        names = ("before", "before_status", "after", "after_status", "reason")
        found = flows.to_pylist()
        assert {tuple(row[name] for name in names): row["cases"] for row in found} == expected
        assert sum(row["cases"] for row in found) == len(cases)
        whole = Counter((row[keys[0]], row[keys[1]]) for row in rows)
        assert all(
            math.isclose(row["share"], row["cases"] / whole[row["before"], row["before_status"]]) for row in found
        )
        # A flow has a reason if, and only if, it leads to another group or status.
        for row in found:
            same = (row["before"], row["before_status"]) == (row["after"], row["after_status"])
            assert (row["reason"] is None) is same, row
            example = rows[row["example_row"]]
            assert [example[key] for key in keys] == [row[name] for name in names]
    statuses = Counter((row["before_status"], row["after_status"]) for row in rows)
    assert {(row["before_status"], row["after_status"]): row["cases"] for row in move.statuses.to_pylist()} == statuses
    assert move.moved == sum(row["reason"] is not None for row in rows)
    assert sum(move.mdcs["cases_before"].to_pylist()) == sum(move.mdcs["cases_after"].to_pylist()) == len(cases)
    lost = [row["row"] for row in rows if row["before_status"] == "grouped" != row["after_status"]]
    assert move.lost["row"].to_pylist() == lost


def test_it_agrees_with_diff_cases(national):
    cases, move = national
    moved = sum(row["cases"] for row in diff_cases(cases, OLD, NEW).to_pylist() if row["moved"])
    assert move.moved == moved


def test_weights_of_the_same_cases(national):
    cases, move = national
    rows = move.cases.to_pylist()
    for side, scheme in (("before", OLD), ("after", NEW)):
        results = group(cases, scheme)
        answers = zip(results["group"].to_pylist(), results["status"].to_pylist(), strict=True)
        groups = [code if status == "grouped" else None for code, status in answers]
        table = pa.table({"group": pa.array(groups, pa.string()), "total_cost": cases["total_cost"]})
        weights = {row["group"]: row["weight"] for row in points.weights(table).to_pylist()}
        expected = [weights[row[f"{side}_group"]] if row[f"{side}_status"] == "grouped" else 0 for row in rows]
        assert [row[f"weight_{side}"] for row in rows] == expected
        totals = {row["measure"]: row[side] for row in move.totals.to_pylist()}
        grouped = sum(row[f"{side}_status"] == "grouped" for row in rows)
        assert totals["cases"] == len(rows)
        assert totals["grouped"] == totals["weighted"] == grouped
        assert math.isclose(totals["total_weight"], math.fsum(expected))
        assert math.isclose(totals["cmi"], math.fsum(expected) / grouped)
        for mdc in move.mdcs.to_pylist():
            mine = [w for w, code in zip(expected, results["mdc"].to_pylist(), strict=True) if code == mdc["mdc"] and w]
            assert mdc[f"weight_{side}"] is None or math.isclose(mdc[f"weight_{side}"], math.fsum(mine))
            assert mdc[f"cmi_{side}"] is None or math.isclose(mdc[f"cmi_{side}"], math.fsum(mine) / len(mine))
    for flows in (move.adrg_flows, move.drg_flows):
        changes = [(row["weight_change"], row["reason"]) for row in flows.to_pylist()]
        moved = [change for change, reason in changes if reason is not None]
        assert changes[: len(moved)] == [(c, r) for c, r in changes if r is not None]
        assert moved == sorted(moved)
        total = math.fsum(change for change, _ in changes)
        assert math.isclose(total, math.fsum(row["weight_after"] - row["weight_before"] for row in rows), abs_tol=1e-6)


def test_given_weights():
    cases = sample_cases(300, OLD, seed=3)
    lists = []
    for scheme in (OLD, NEW):
        groups = sorted({code for code in group(cases, scheme)["group"].to_pylist() if code != "0000"})
        lists.append({code: 1 + number / 100 for number, code in enumerate(groups)})
    missing = next(iter(lists[1]))
    lists[1][missing] = None
    table = pa.table({"group": list(lists[0]), "weight": list(lists[0].values())})
    move = move_cases(cases, OLD, NEW, weights=(table, lists[1]))
    for row in move.cases.to_pylist():
        for side, given in zip(("before", "after"), lists, strict=True):
            grouped = row[f"{side}_status"] == "grouped"
            assert row[f"weight_{side}"] == (given[row[f"{side}_group"]] if grouped else 0)
    unknown = [row for row in move.drg_flows.to_pylist() if row["after"] == missing]
    assert unknown
    assert all(row["weight_after"] is None and row["weight_change"] is None for row in unknown)


def test_weights_that_are_none():
    cases = sample_cases(5, OLD, seed=3)
    for weights in ({"A": 1}, [{"A": 1}], ({"A": "heavy"}, {})):
        with pytest.raises(CaseError):
            move_cases(cases, OLD, NEW, weights=weights)
    doubled = pa.table({"group": ["A", "A"], "weight": [1.0, 2.0]})
    with pytest.raises(CaseError, match="twice"):
        move_cases(cases, OLD, NEW, weights=(doubled, {}))
    move = move_cases(cases.drop_columns(["total_cost"]), OLD, NEW)
    assert set(move.cases["weight_before"].to_pylist()) == {None}
    cases = [row["cases"] for row in move.drg_flows.to_pylist() if row["reason"]]
    assert cases == sorted(cases, reverse=True)
    assert [row["before"] for row in move.totals.to_pylist()][3:] == [None, None]


# --- why a case moves --------------------------------------------------------------------------------------------

RULES = {"MDCA": "ZYZD in D"}
ADRGS = {("MDCA", "AB1"): "ZYSS in O", ("MDCA", "AC1"): "ZYSS in O2", ("MDCA", "AR1"): "ZYZD in DR"}
DRGS = {("AB1", "AB11"): "QTZD in MCC", ("AB1", "AB15"): "", ("AC1", "AC19"): "", ("AR1", "AR19"): ""}
SETS = {"D": ["P1", "P2"], "O": ["1"], "O2": ["1", "2"], "DR": ["P1", "P2"]}
SEVERE = {"severity": [["X1", "MCC", "T"], ["X2", "MCC", "T"]], "exclusions": {"T": ["P2"]}}
CASE = {"sex": 1, "age": 50, "dept": None, "dx": ["P1", "X1"], "procs": ["1"]}


@pytest.mark.parametrize(
    ("reason", "moved", "changed"),
    [
        (None, None, {}),
        ("list_changed", "AC19", {"sets": {"O": ["9"]}}),
        ("list_changed", None, {"sets": {"D": ["P2"]}}),
        ("severity_list_changed", "AB15", {"severity": [["X2", "MCC", "T"]]}),
        ("severity_list_changed", "AB15", {"severity": [["X1", "CC", "T"]]}),
        ("exclusion_changed", "AB15", {"exclusions": {"T": ["P1"]}}),
        ("exclusion_changed", "AB15", {"severity": [["X1", "MCC", "U"]], "exclusions": {"T": ["P2"], "U": ["P1"]}}),
        (None, None, {"severity": [["X1", "MCC", "U"]], "exclusions": {"T": ["P1"], "U": ["P2"]}}),
        ("rule_changed", "AC19", {"adrgs": {("MDCA", "AB1"): "ZYSS in O and NL < 20"}}),
        ("rule_changed", "AB15", {"drgs": {("AB1", "AB11"): "QTZD in MCC and NL < 20"}}),
        (
            "new_group",
            "AA19",
            {"adrgs": {("MDCA", "AA1"): "ZYSS in O", **ADRGS}, "drgs": {("AA1", "AA19"): "", **DRGS}},
        ),
        ("new_group", "AB1F", {"drgs": {("AB1", "AB1F"): "QTZD in MCC and NL > 40", **DRGS}}),
        ("group_gone", "AC19", {"without": "AB1"}),
        ("group_gone", "AB15", {"without": "AB11"}),
        ("order_changed", "AC19", {"order": ["AC1", "AB1", "AR1"]}),
        ("option_changed", None, {"options": {"required": ["KS"]}}),
        ("renumbered", "AX11", {"renumber": ("AB1", "AX1")}),
    ],
)
def test_each_reason(make_scheme, reason, moved, changed):
    """One change of tables, and the reason that it gives the case."""
    adrgs = dict(ADRGS) | changed.get("adrgs", {}) if reason != "new_group" else changed.get("adrgs", ADRGS)
    drgs = dict(DRGS) | changed.get("drgs", {}) if reason != "new_group" else changed.get("drgs", DRGS)
    if "order" in changed:
        adrgs = {("MDCA", code): ADRGS["MDCA", code] for code in changed["order"]}
    adrgs = {key: rule for key, rule in adrgs.items() if key[1] != changed.get("without")}
    drgs = {key: rule for key, rule in drgs.items() if changed.get("without") not in key}
    before = make_scheme(RULES, ADRGS, DRGS, sets=SETS, **SEVERE)
    severe = {name: changed.get(name, SEVERE[name]) for name in SEVERE}
    after = make_scheme(RULES, adrgs, drgs, sets=SETS | changed.get("sets", {}), **severe, **changed.get("options", {}))
    if "renumber" in changed:
        before, after = (named(scheme) for scheme in (before, after))
        after = renumbered(after, *changed["renumber"])
    move = move_cases([CASE], before, after)
    row = move.cases.to_pylist()[0]
    assert row["before_group"] == "AB11"
    assert row["reason"] == reason
    if moved is not None:
        assert row["after_group"] == moved
    # One by one and in columns the same.
    assert move_cases([CASE] * 60, before, after).reasons.to_pylist() == [
        {"reason": reason, "cases": 60} for _ in [0] if reason
    ]


def test_several_changes(make_scheme):
    """The list and the rule must both change before the case moves."""
    sides = []
    for codes, rule in ((["1"], "ZYSS in O or ZYSS in O3"), (["9"], "ZYSS in O")):
        adrgs = ADRGS | {("MDCA", "AB1"): rule}
        sides.append(make_scheme(RULES, adrgs, DRGS, sets=SETS | {"O": codes, "O3": ["1"]}, **SEVERE))
    assert move_cases([CASE], *sides).cases["reason"].to_pylist() == ["several_changes"]


def with_adrgs(scheme, change):
    mdcs = [dataclasses.replace(mdc, adrgs=tuple(change(adrg) for adrg in mdc.adrgs)) for mdc in scheme.mdcs]
    return dataclasses.replace(scheme, mdcs=tuple(mdcs))


def named(scheme):
    return with_adrgs(scheme, lambda adrg: dataclasses.replace(adrg, name=f"组 {adrg.code}"))


def renumbered(scheme, old, new):
    def change(adrg):
        if adrg.code != old:
            return adrg
        drgs = tuple(dataclasses.replace(drg, code=drg.code.replace(old, new), adrg=new) for drg in adrg.drgs)
        return dataclasses.replace(adrg, code=new, drgs=drgs)

    return with_adrgs(scheme, change)


def test_a_code_that_takes_no_part_in_grouping(make_scheme):
    before = make_scheme(RULES, ADRGS, DRGS, sets=SETS, **SEVERE)
    after = make_scheme(RULES, ADRGS, DRGS, sets=SETS | {"D": ["P2"]}, **SEVERE)
    listed = dataclasses.replace(after, not_grouped={"diagnosis": frozenset({"P1"}), "procedure": frozenset({"P2"})})
    other = dataclasses.replace(after, not_grouped={"diagnosis": frozenset({"P2"})})
    assert move_cases([CASE], before, listed).lost["reason"].to_pylist() == ["not_grouped_code"]
    assert move_cases([CASE], before, other).lost["reason"].to_pylist() == ["list_changed"]


def test_the_reasons_have_texts():
    assert set(reasons_of("moves")) == set(_REASONS)
    for reason in _REASONS:
        assert describe_reason(reason)
        assert describe_reason(reason, "zh") != describe_reason(reason)


# The slow twin: the tables of the scheme after, one in the place of another, by their plain names; one case at a time.


def swapped(before, after, change):
    """The scheme before with one table of the other: for two schemes whose groups have the same codes."""
    if change == "list_changed":
        return dataclasses.replace(before, sets={**before.sets, **after.sets})
    if change in {"severity_list_changed", "exclusion_changed"}:
        return severity_twin(before, after, change)
    if change == "rule_changed":
        rules = {}
        for mdc in after.mdcs:
            rules[mdc.code] = mdc.rule
            rules |= {(mdc.code, adrg.code): adrg.rule for adrg in mdc.adrgs}
            rules |= {(mdc.code, adrg.code, drg.code): drg.rule for adrg in mdc.adrgs for drg in adrg.drgs}
        mdcs = []
        for mdc in before.mdcs:
            adrgs = []
            for adrg in mdc.adrgs:
                way = mdc.code, adrg.code
                drgs = [dataclasses.replace(d, rule=rules.get((*way, d.code), d.rule)) for d in adrg.drgs]
                adrgs.append(dataclasses.replace(adrg, rule=rules.get(way, adrg.rule), drgs=tuple(drgs)))
            mdcs.append(dataclasses.replace(mdc, rule=rules.get(mdc.code, mdc.rule), adrgs=tuple(adrgs)))
        return dataclasses.replace(before, mdcs=tuple(mdcs), sets={**after.sets, **before.sets})
    assert change == "group_gone"
    kept = {drg.code for adrg in after.adrgs for drg in adrg.drgs}
    there = {adrg.code for adrg in after.adrgs}
    mdcs = []
    for mdc in before.mdcs:
        adrgs = [
            dataclasses.replace(adrg, drgs=tuple(drg for drg in adrg.drgs if drg.code in kept))
            for adrg in mdc.adrgs
            if adrg.code in there
        ]
        mdcs.append(dataclasses.replace(mdc, adrgs=tuple(adrgs)))
    return dataclasses.replace(before, mdcs=tuple(mdcs))


def severity_twin(before, after, change):
    """The scheme before with the levels, or with the exclusions, of the other; a table of exclusions for each code."""
    severity, exclusions = {}, {}
    for code in before.severity.keys() | after.severity.keys():
        old, new = before.severity.get(code), after.severity.get(code)
        level = new if change == "severity_list_changed" else old
        if level is None:
            continue
        scheme = after if old is None or (new is not None and change == "exclusion_changed") else before
        exclusions[code] = scheme.exclusions.get(scheme.severity[code].exclusion, frozenset())
        severity[code] = SeverityCode(level.levels, code)
    return dataclasses.replace(before, severity=severity, exclusions=exclusions)


TWIN_PAIRS = [
    (OLD, "chs-drg-2.0-nanjing-2024"),
    (OLD, "chs-drg-2.0-hunan-2024"),
    ("chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026"),
    ("chs-drg-1.1", "chs-drg-1.1-qingdao-2023"),
]
TWINS = ("list_changed", "severity_list_changed", "exclusion_changed", "rule_changed", "group_gone")


@pytest.mark.parametrize("pair", TWIN_PAIRS, ids="-".join)
def test_the_slow_twin_agrees(pair):
    """The change that is named moves the case when it alone is made, and no change that is asked for before it does."""
    before, after = map(load_scheme, pair)
    pairs = pair_schemes(before, after)
    assert all(old == new for old, new in pairs.adrgs.items())
    cases = sample_cases(400, before, seed=7)
    rows = move_cases(cases, before, after).cases.to_pylist()
    twins = {change: swapped(before, after, change) for change in TWINS}
    found = Counter()
    for row, case in zip(rows, cases.to_pylist(), strict=True):
        if row["reason"] is None:
            continue
        was, now = answer(case, before), answer(case, after)
        depth = 2 if was[:2] != now[:2] else 3
        then = {change: answer(case, twin)[:depth] for change, twin in twins.items()}
        leads = [change for change in TWINS if then[change] == now[:depth]]
        leaves = [change for change in TWINS if then[change] != was[:depth]]
        named_one = row["reason"]
        if named_one in TWINS:
            assert leaves[0] == named_one if not leads else leads[0] == named_one
        else:
            assert not [change for change in leads if SWAPS.index(change) < order_of(named_one)]
        found[named_one] += 1
    assert found


def order_of(reason):
    return SWAPS.index(reason) if reason in SWAPS else len(SWAPS)


def answer(case, scheme):
    result = group_one(case, scheme)
    return result.status, result.adrg or result.group, result.group


def test_severity_and_exclusions_from_2_to_3(national):
    """Between the national schemes groups have other codes, but not diagnoses: these two swaps need no names."""
    cases, move = national
    before, after = load_scheme(OLD), load_scheme(NEW)
    rows = move.cases.to_pylist()
    listed = cases.to_pylist()
    found = Counter()
    for change in ("severity_list_changed", "exclusion_changed"):
        twin = severity_twin(before, after, change)
        for row, case in zip(rows, listed, strict=True):
            if row["reason"] == change:
                assert answer(case, twin) != answer(case, before)
                found[change] += 1
    assert found["severity_list_changed"] > 100


def test_a_reason_has_its_ground_in_the_tables(national):
    """What a reason says can be seen: the code, the level, the exclusion, the rule or the group that changed."""
    cases, move = national
    before, after = load_scheme(OLD), load_scheme(NEW)
    pairs = pair_schemes(before, after)
    lists = paired_lists(before, after)
    found = Counter()
    for row, case in zip(move.cases.to_pylist(), cases.to_pylist(), strict=True):
        dx, reason = case["dx"], row["reason"]
        found[reason] += 1
        if reason == "list_changed":
            codes = [*dx, *case["procs"]]
            assert any((code in old) != (code in new) for code in codes for old, new in lists)
        elif reason == "severity_list_changed":
            levels = [
                [scheme.severity[c].levels if c in scheme.severity else () for c in dx[1:]]
                for scheme in (before, after)
            ]
            assert levels[0] != levels[1]
        elif reason == "exclusion_changed":
            sides = []
            for scheme in (before, after):
                tables = [
                    scheme.exclusions.get(scheme.severity[c].exclusion, ()) for c in dx[1:] if c in scheme.severity
                ]
                sides.append([dx[0] in table for table in tables])
            assert sides[0] != sides[1]
        elif reason == "group_gone":
            labels = {pairs.labels[code] for code in (row["before_adrg"], row["before_group"])}
            assert any(label.endswith(GONE) for label in labels) or row["before_status"] == "ambiguous"
        elif reason == "renumbered":
            assert pairs.labels[row["before_group"]] == row["after_group"] != row["before_group"]
        elif reason == "new_group":
            known = set(pairs.labels.values())
            assert (
                row["after_group"] not in known or row["after_adrg"] not in known or row["after_status"] == "ambiguous"
            )
    assert {"list_changed", "severity_list_changed", "new_group", "group_gone", "renumbered", "rule_changed"} <= set(
        found
    )


def paired_lists(before, after):
    """The lists of both schemes that rules of the same group ask for: of one name, of the new code, or in one place."""
    lists = {(name, name) for name in before.sets if name in after.sets}
    rows = [{(adrg.mdc, adrg.code, 0): adrg for adrg in scheme.adrgs} for scheme in (before, after)]
    for old, new in pair_schemes(before, after).adrgs.items():
        renamed = {name: name.replace(old[1], new[1]) for name in before.sets if old[1] in name}
        lists |= {pair for pair in renamed.items() if pair[1] in after.sets}
        if old in rows[0] and new in rows[1]:
            texts = str(rows[0][old].rule), str(rows[1][new].rule)
            was, now = (re.findall(r"\b(?:DI|OP)\w*", text) for text in texts)
            lists |= set(zip(was, now, strict=True)) if len(was) == len(now) else set()
    return [(before.sets[old], after.sets[new]) for old, new in sorted(lists)]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_no_change_is_the_scheme_before(pair):
    before, after = map(load_scheme, pair)
    swaps = Swaps(before, after)
    cases = many(pair[0], 300)
    plain = results_of(cases, before, None)
    called = results_of(cases, swaps.scheme(""), None)
    labels = swaps.pairs.labels
    assert called["status"].to_pylist() == plain["status"].to_pylist()
    assert called["severity"].to_pylist() == plain["severity"].to_pylist()
    for name in ("adrg", "group"):
        assert called[name].to_pylist() == [labels.get(code, code) for code in plain[name].to_pylist()]


def test_pairs_by_name_and_by_code():
    pairs = pair_schemes(load_scheme(OLD), load_scheme(NEW))
    assert pairs.adrgs["MDCC", "CB7", 0] == ("MDCC", "CB9", 0)  # 角膜、巩膜、结膜手术
    assert pairs.labels["CB79"] == "CB99"
    assert len(set(pairs.adrgs.values())) == len(pairs.adrgs)
    kept = [label for label in pairs.labels.values() if not label.endswith(GONE)]
    groups = {drg.code for adrg in load_scheme(NEW).adrgs for drg in adrg.drgs} | {
        a.code for a in load_scheme(NEW).adrgs
    }
    assert set(kept) <= groups
    same = pair_schemes(load_scheme(OLD), load_scheme(OLD))
    assert all(code == label for code, label in same.labels.items())


# --- cases that are lost -----------------------------------------------------------------------------------------


def test_the_condition_that_fails_is_that_of_the_trace(national):
    cases, move = national
    before, after = load_scheme(OLD), load_scheme(NEW)
    lost = move.lost.to_pylist()
    assert lost
    seen, traced = Counter(), 0
    for row in lost:
        case = cases.slice(row["row"], 1).to_pylist()[0]
        trace = explain(case, NEW)
        assert (trace.result.group, trace.result.status, trace.result.reason) == tuple(
            row[name] for name in ("after", "after_status", "after_reason")
        )
        assert group_one(case, OLD).group == row["before"]
        assert row["before_name"] == before.names[row["before"]]
        assert row["principal_diagnosis"] == case["dx"][0]
        assert row["case_id"] == case["case_id"]
        steps = {(step.level, step.code): step for step in trace.steps}
        seen[row["where"]] += 1
        if row["where"] in {"mdc", "adrg", "drg"}:
            step = steps.get((row["where"], row["turned_away_by"]))
            if step is None:  # an MDC before it took the case: its own would not have taken it either
                assert row["where"] == "mdc"
                mdc = next(mdc for mdc in after.mdcs if mdc.code == row["turned_away_by"])
                assert not holds(mdc.rule, facts_of(case, after), after)
                continue
            assert not step.holds
            assert set(row["condition"].split("; ")) <= {condition.text for condition in step.conditions}
            traced += 1
        elif row["where"] == "before":
            assert steps["adrg", row["turned_away_by"]].holds
        elif row["where"] == "gone":
            assert ("adrg", row["turned_away_by"]) not in steps
        for code in (row["codes"] or "").split("|"):
            assert not code or code in case["dx"] + case["procs"]
    assert seen["adrg"]
    assert seen["mdc"]
    assert traced


def test_lost_for_want_of_a_value(make_scheme):
    before = make_scheme(RULES, ADRGS, DRGS, sets=SETS, **SEVERE)
    after = make_scheme(RULES, ADRGS, DRGS, sets=SETS, **SEVERE, required=["KS"])
    row = move_cases([CASE], before, after).lost.to_pylist()[0]
    assert (row["where"], row["condition"], row["reason"]) == ("values", "missing_dept", "option_changed")
    gone = make_scheme(RULES, {("MDCA", "AQY"): ""}, {("AQY", "AQY"): ""}, sets=SETS, **SEVERE)
    row = move_cases([CASE], before, gone).lost.to_pylist()[0]
    assert (row["where"], row["turned_away_by"]) == ("gone", "AB1")
    first = make_scheme(
        RULES, {("MDCA", "AQY"): "ZYSS in O", **ADRGS}, {("AQY", "AQY"): "", **DRGS}, sets=SETS, **SEVERE
    )
    row = move_cases([CASE], before, first).lost.to_pylist()[0]
    assert (row["where"], row["turned_away_by"]) == ("before", "AQY")
    # Groups of the first MDC are of the MDC that their letter names, and stand under it all the same.
    leading = {("MDCX", "AT1"): "ZYSS in O", **ADRGS}
    sides = [
        make_scheme({"MDCX": "", **RULES}, leading, {("AT1", "AT19"): "", **DRGS}, sets=sets, **SEVERE)
        for sets in (SETS, SETS | {"O": ["9"], "O2": ["9"], "DR": ["P2"]})
    ]
    row = move_cases([CASE], *sides).lost.to_pylist()[0]
    assert (row["before"], row["where"], row["condition"], row["codes"]) == ("AT19", "adrg", "ZYSS in O", "1")
    none = make_scheme({"MDCB": ""}, {("MDCB", "BQY"): ""}, {("BQY", "BQY"): ""}, sets=SETS, **SEVERE)
    row = move_cases([CASE], before, none).lost.to_pylist()[0]
    assert (row["where"], row["turned_away_by"]) == ("gone", "MDCA")


# --- doors -------------------------------------------------------------------------------------------------------


def test_the_order_of_cases_does_not_matter(national):
    cases, move = national
    turned = move_cases(cases.take(list(range(len(cases)))[::-1]), OLD, NEW)
    for name in ("statuses", "totals", "mdcs"):
        assert getattr(turned, name).equals(getattr(move, name))
    for name in ("adrg_flows", "drg_flows"):
        sides = [getattr(one, name).drop_columns(["example_row"]) for one in (turned, move)]
        assert sides[0].equals(sides[1])
    again = move_cases(cases, OLD, NEW)
    assert again.to_svg() == move.to_svg() == turned.to_svg()


def test_containers_and_names_of_columns():
    cases = sample_cases(30, OLD, seed=2)
    expected = move_cases(cases, OLD, NEW)
    for other in (cases.to_pandas(), cases.to_pylist(), cases.to_batches()[0]):
        found = move_cases(other, OLD, load_scheme(NEW))
        assert found.drg_flows.to_pylist() == expected.drg_flows.to_pylist()
    renamed = cases.rename_columns(["费用总计" if name == "total_cost" else name for name in cases.column_names])
    found = move_cases(renamed, OLD, NEW, columns={"total_cost": "费用总计"})
    assert found.totals.equals(expected.totals)


def test_codes_of_another_edition():
    cases = [{"sex": 1, "age": 60, "dx": ["I21.900"], "procs": []}] * 3
    expected = diff_cases(cases, "chs-drg-1.1", OLD, codes="clinical-2.0").to_pylist()
    found = move_cases(cases, "chs-drg-1.1", OLD, codes="clinical-2.0").drg_flows.to_pylist()
    assert [(row["before"], row["after"]) for row in found] == [(row["before"], row["after"]) for row in expected]


def test_no_cases():
    move = move_cases(sample_cases(5, OLD, seed=1).slice(0, 0), OLD, NEW)
    assert (len(move.drg_flows), len(move.lost), move.moved) == (0, 0, 0)
    assert "0 cases" in move.text()
    assert "0例" in move.text("zh")
    assert ET.fromstring(move.to_svg())


def test_decks_have_no_case_twice():
    """A deck with cases that cannot be grouped, and without costs and numbers of cases."""
    cases = [question_of(row) for row in read_deck(OLD)[:400]]
    move = move_cases(cases, OLD, NEW)
    assert sum(move.drg_flows["cases"].to_pylist()) == len(cases)


def test_catalogues_are_refused():
    for pair in (("nhsa-dip-2.0", "nhsa-dip-3.0"), (OLD, "nhsa-dip-3.0")):
        with pytest.raises(DrgdipError, match="diff_cases"):
            move_cases([CASE], *pair)
    with pytest.raises(UnknownNameError):
        move_cases([CASE], OLD, "chs-drg-9.0")


# --- what readers get --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_written(national, tmp_path, language):
    from python_calamine import CalamineWorkbook

    _, move = national
    for ending in FORMATS:
        path = move.write(tmp_path / f"move{ending}", language=language)
        assert path.stat().st_size
    words = {row["name"]: row["chinese" if language == "zh" else "english"] for row in rows_of("headings.csv")}
    book = CalamineWorkbook.from_path(tmp_path / "move.xlsx")
    tables = ("statuses", "totals", "reasons", "mdcs", "adrg_flows", "drg_flows", "lost")
    assert book.sheet_names == [words[name] for name in tables]
    for name in tables:
        sheet = book.get_sheet_by_name(words[name]).to_python()
        assert len(sheet) == len(getattr(move, name)) + 1
        assert len(set(sheet[0])) == len(sheet[0])
    flows = book.get_sheet_by_name(words["drg_flows"]).to_python()
    assert sum(row[flows[0].index(words["cases"])] for row in flows[1:]) == len(move.cases)
    page = (tmp_path / "move.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == len(tables)
    assert ET.fromstring((tmp_path / "move.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    text = move.text(language, limit=3)
    assert all(words[name] in text for name in ("statuses", "totals", "reasons", "adrg_flows", "lost"))


def test_the_picture_has_the_greatest_flows(national):
    _, move = national
    moved = [row for row in move.adrg_flows.to_pylist() if row["reason"]]
    top = max(moved, key=lambda row: row["cases"])
    picture = move.to_svg(limit=5)
    assert picture.count("<path") == 5
    assert f": {top['cases']:,}</title>" in picture


def test_paths_and_languages_that_are_none(national, tmp_path):
    _, move = national
    with pytest.raises(DrgdipError, match=r"\.xlsx, \.html or \.svg"):
        move.write(tmp_path / "move.docx")
    for ending in FORMATS:
        with pytest.raises(DrgdipError, match="cannot be written"):
            move.write(tmp_path / "none" / f"move{ending}")
    for call in (move.text, move.to_svg):
        with pytest.raises(UnknownNameError):
            call("fr")
    with pytest.raises(UnknownNameError):
        move.write(tmp_path / "move.svg", language="fr")


def test_it_shows_itself(national):
    _, move = national
    assert (
        repr(move) == f"<Move {OLD} -> {NEW}: 3,000 cases, {move.moved:,} change their group, {len(move.lost):,} lost>"
    )
    assert "<table>" in move._repr_html_()


# --- the pages ---------------------------------------------------------------------------------------------------

DOCS = ROOT / "docs"
PAGES = {"en": DOCS / "moving-to-3.0.md", "zh": DOCS / "moving-to-3.0.zh-CN.md"}


@pytest.mark.parametrize("language", PAGES)
def test_the_picture_of_the_page_is_the_one_that_is_drawn(language):
    """`drgdip diff chs-drg-2.0 chs-drg-3.0 --cases docs/examples/discharges.csv -o …svg` draws it anew."""
    name = PAGES[language].name.removesuffix(".md")
    move = move_cases(read_cases(DOCS / "examples" / "discharges.csv"), OLD, NEW)
    assert (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8") == move.to_svg(language)


@pytest.mark.parametrize("language", PAGES)
def test_the_page_has_every_reason(language):
    text = PAGES[language].read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", text, flags=re.MULTILINE)
    assert rows == [(code, reason.english, reason.chinese) for code, reason in reasons_of("moves").items()]


def test_the_two_pages_show_the_same():
    """Commands and code are the same but for the language of the words."""
    shown = []
    for page in PAGES.values():
        text = page.read_text(encoding="utf-8")
        code = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        commands = re.findall(r"^\$ (.*)$", text, flags=re.MULTILINE)
        shown.append((code, [" ".join(c.replace(" --language zh", "").split()) for c in commands], text.count("\n## ")))
    assert shown[0] == shown[1]


# --- the command -------------------------------------------------------------------------------------------------

CASES = DOCS / "examples" / "discharges.csv"


@pytest.fixture
def run(capfd):
    """A function that runs ``drgdip diff``: exit code, standard output, standard error."""

    def run(*words):
        code = main(["diff", *map(str, words)])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_the_command_prints_the_summary(run):
    move = move_cases(read_cases(CASES), OLD, NEW)
    assert run(OLD, NEW, "--cases", CASES) == (0, move.text() + "\n", "")
    assert run(OLD, NEW, "--cases", CASES, "--limit", 2, "--language", "zh") == (0, move.text("zh", 2) + "\n", "")


def test_the_command_writes(run, tmp_path):
    weights = tmp_path / "weights.csv"
    groups = {
        row[f"{side}_group"] for row in move_cases(read_cases(CASES), OLD, NEW).cases.to_pylist() for side in SIDES
    }
    weights.write_text("group,weight\n" + "".join(f"{group},2\n" for group in sorted(groups)), encoding="utf-8")
    path = tmp_path / "move.xlsx"
    code, said, _ = run(OLD, NEW, "--cases", CASES, "-o", path, "--weights", weights, weights)
    assert code == 0
    assert said.splitlines()[1:] == [f"wrote {path}"]
    code, said, _ = run(OLD, NEW, "--cases", CASES, "--weights", weights, weights)
    assert re.search(r"CMI +2 +2 +0 +1\n", said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((OLD, NEW, CASES, "--cases", CASES), "give the cases once"),
        ((OLD, NEW, "--cases", CASES, "-o", "move.csv"), ".xlsx, .html or .svg"),
        ((OLD, NEW, "--cases", CASES, "-o", "move.html", "--format", "csv"), ".xlsx, .html or .svg"),
        ((OLD, NEW, "--weights", "a", "b"), "--weights goes with --cases"),
        (("nhsa-dip-2.0", NEW, "--cases", CASES), "diff_cases"),
    ],
)
def test_wrong_words(run, words, message):
    code, _, said = run(*words)
    assert code == 1
    assert message in said


def test_polars_frames_move_as_tables_do():
    """Polars hands texts over as views, of which Arrow takes no rows."""
    polars = pytest.importorskip("polars")
    table = many(OLD, 200).select(["case_id", "sex", "age", "age_days", "dx", "procs", "hospital"])
    moved = move_cases(polars.DataFrame(table), OLD, NEW)
    assert moved.drg_flows.equals(move_cases(table, OLD, NEW).drg_flows)
    assert moved.lost.equals(move_cases(table, OLD, NEW).lost)
