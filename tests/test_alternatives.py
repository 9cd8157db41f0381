"""What if: other principal codes, codes left out, several schemes: what group_one gives for the altered record."""

from __future__ import annotations

import html.parser
import json
from random import Random

import pyarrow as pa
import pytest

import drgdip
from drgdip import CaseError, UnknownNameError, alternatives, check_cases, compare_case, explain, group_one
from drgdip.cli import main
from drgdip.grouper.alternatives import CHANGES
from drgdip.grouper.principal import barred_codes, conflict_of
from drgdip.grouper.record import record_of
from drgdip.reasons import reasons_of

UNDER = ("chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0", "nhsa-dip-2.0", "nhsa-dip-3.0")
STROKE = {"sex": 1, "age": 71, "dx": ["I63.900", "I69.300", "E87.600", "I10.x00x002"], "procs": []}


@pytest.fixture(scope="module")
def cases():
    return drgdip.sample_cases(300, "chs-drg-2.0", seed=5).to_pylist()


def altered(case, change, code):
    """The record that the hand of a coder would write."""
    name = "dx" if change.endswith("diagnosis") else "procs"
    codes = list(case[name])
    if change.startswith("without"):
        return case | {name: [one for one in codes if one != code]}
    codes.remove(code)
    return case | {name: [code, *codes]}


@pytest.mark.parametrize("scheme", UNDER)
def test_each_row_is_what_grouping_gives_for_the_altered_record(cases, scheme):
    moved = 0
    for case in cases:
        found = alternatives(case, scheme)
        assert found.base.result == group_one(case, scheme)
        for row in found.rows:
            assert row.result == group_one(altered(case, row.change, row.code), scheme)
            was = found.base.result
            assert row.moved is ((row.group, row.status) != (was.group, was.status))
            moved += row.moved
        dx, procs = list(dict.fromkeys(case["dx"])), list(dict.fromkeys(case["procs"]))
        # As the codes stand in the record, whatever their groups.
        assert [(row.change, row.code) for row in found.rows] == [
            *(("principal_diagnosis", code) for code in dx[1:]),
            *(("principal_procedure", code) for code in procs[1:]),
            *(("without_diagnosis", code) for code in dx),
            *(("without_procedure", code) for code in procs),
        ]
    assert moved > 50


def test_weights_tell_and_never_order():
    case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600", "K80.002", "J18.900"], "procs": []}
    plain = alternatives(case, "chs-drg-2.0")
    assert all(row.figures == () for row in plain.rows)
    assert "weight" not in plain.text()
    assert "figures" not in json.dumps(plain.to_dict())
    groups = [row.group for row in plain.rows]
    for weights in (dict(zip(groups, range(99), strict=False)), dict(zip(groups, range(99, 0, -1), strict=False))):
        told = alternatives(case, "chs-drg-2.0", weights=weights)
        assert [(row.change, row.code, row.group) for row in told.rows] == [
            (row.change, row.code, row.group) for row in plain.rows
        ]
        assert [row.figures[0].value for row in told.rows] == [weights[group] for group in groups]
        order = [told.text("zh").index(row.code, told.text("zh").index("改选主要诊断")) for row in told.rows[:3]]
        assert order == sorted(order)


def test_rules_against_a_principal_diagnosis():
    for scheme in map(drgdip.load_scheme, UNDER[:3]):
        ((reason, barred),) = barred_codes(scheme).items()
        assert (reason == "principal_diagnosis_not_grouped") is bool(scheme.not_grouped)
        code = min(barred)
        (row, *_) = alternatives(STROKE | {"dx": ["I63.900", code]}, scheme).rows
        assert (row.code, reason in row.faults) == (code, True)
    dx = ["I63.900", "R55.x00", "W01.x00", "Z99.900", "I63"]
    found = {row.code: row.faults for row in alternatives({"sex": 2, "age": 71, "dx": dx}, "chs-drg-2.0").rows[:4]}
    assert "symptom_principal" in found["R55.x00"]
    assert "external_cause_principal" in found["W01.x00"]
    woman = {"sex": 2, "age": 71, "age_days": None, "dx": ["I63.900", "N40.x00"]}
    assert "sex_conflict" in alternatives(woman, "chs-drg-3.0").rows[0].faults
    assert "sex_conflict" not in alternatives(woman | {"sex": 1}, "chs-drg-3.0").rows[0].faults
    assert "unknown_principal_diagnosis" in found["I63"]
    dip = {row.code: row.faults for row in alternatives({"dx": ["I63.900", "A00.000"]}, "nhsa-dip-3.0").rows[:1]}
    assert "not_principal" in dip["A00.000"]
    assert {fault for faults in found.values() for fault in faults} <= set(reasons_of("alternatives"))


def test_a_symptom_is_a_fault_only_beside_a_definite_diagnosis():
    alone = {"sex": 1, "age": 71, "dx": ["R55.x00", "R50.900"]}
    assert "symptom_principal" not in alternatives(alone, "chs-drg-2.0").findings
    beside = {"sex": 1, "age": 71, "dx": ["R55.x00", "R50.900", "I63.900"]}
    assert "symptom_principal" in alternatives(beside, "chs-drg-2.0").findings
    assert alternatives(STROKE, "chs-drg-2.0").findings == ()


def test_a_procedure_that_goes_with_another_diagnosis_is_found():
    case = {"sex": 2, "age": 60, "dx": ["I63.900", "K80.002"], "procs": ["51.2300"]}
    found = alternatives(case, "chs-drg-2.0")
    assert found.base.result.status == "ambiguous"
    assert found.findings == ("procedure_of_other_diagnosis:K80.002",)
    assert "主要手术操作与主要诊断不符，而与其他诊断相符：K80.002 " in found.text("zh", width=400)
    right = case | {"dx": ["K80.002", "I63.900"]}
    assert alternatives(right, "chs-drg-2.0").findings == ()


@pytest.mark.parametrize("scheme", UNDER[:3])
def test_conflicts_of_sex_and_age_are_those_of_the_checks(scheme):
    """The slow twin of the check over columns."""
    loaded = drgdip.load_scheme(scheme)
    free = sorted({code for codes, comparisons in loaded.entrances() if comparisons for code in codes or ()})
    random = Random(3)
    picked = [*random.sample(free, min(len(free), 300)), "I63.900", "Q99.900"]
    rows = []
    for at, code in enumerate(picked):
        age = random.choice([0, 5, 40, 71, None])
        days = random.choice([None, 3, 200]) if age == 0 else None  # of days alone, an age is reckoned
        sex = random.choice([1, 2, 9, None])
        rows.append({"case_id": str(at), "sex": sex, "age": age, "age_days": days, "dx": [code], "procs": []})
    findings = check_cases(rows, loaded)
    table = findings if isinstance(findings, list) else pa.table(findings).to_pylist()
    told = {(row["row"], row["rule"]) for row in table if row["rule"] in {"sex_conflict", "age_conflict"}}
    mine = set()
    for at, row in enumerate(rows):
        conflict = conflict_of(row["dx"][0], record_of(row, loaded)[0], loaded)
        if conflict:
            mine.add((at, conflict))
    assert mine == told
    assert {rule for _, rule in mine} >= {"sex_conflict"}


def test_the_cc_that_counts():
    one = alternatives(STROKE, "chs-drg-2.0").severity
    assert [(row.code, row.level, row.cancelled_by, row.decides) for row in one] == [
        ("I69.300", "CC", "I63.900", False),
        ("E87.600", "CC", None, True),
    ]
    two = alternatives(STROKE | {"dx": [*STROKE["dx"], "T13.100"]}, "chs-drg-2.0")
    assert [row.decides for row in two.severity] == [False, False, False]  # either of the two is enough
    assert alternatives({"dx": "I21.001"}, "nhsa-dip-2.0").severity == ()


def test_a_change_is_named_by_the_rule_that_takes_the_case():
    found = alternatives(STROKE, "chs-drg-2.0")
    row = next(row for row in found.rows if (row.change, row.code) == ("without_diagnosis", "E87.600"))
    assert (row.group, row.decided_by.code) == ("BR25", "BR25")
    assert all((row.decided_by is None) is not (row.moved and row.group is not None) for row in found.rows)


@pytest.mark.parametrize("scheme", ["chs-drg-2.0", "nhsa-dip-3.0"])
def test_both_languages(scheme):
    case = {"sex": 1, "age": 71, "dx": ["I21.001", "E11.900", "I63.900"], "procs": ["36.0601", "00.2400x001"]}
    found = alternatives(case, scheme)
    english, chinese = found.text(), found.text("zh")
    assert str(found) == english
    for change in ("another principal diagnosis", "another principal procedure", "without a diagnosis"):
        assert f"{change}:" in english
    for change in ("改选主要诊断：", "改选主要手术操作：", "去掉某项诊断：", "去掉某项手术操作："):
        assert change in chinese
    assert "E11.900 2型糖尿病" in chinese
    with pytest.raises(UnknownNameError, match="The languages are en, zh"):
        found.text("fr")
    plain = json.loads(json.dumps(found.to_dict()))
    assert [row["code"] for row in plain["alternatives"]] == [row.code for row in found.rows]
    assert repr(found).startswith(f"<Alternatives {scheme}: {len(found.rows)} changes, ")
    assert len(found.rows.to_pylist()) == len(found.rows)


class _Text(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def test_html_escapes_what_comes_from_the_case(make_scheme):
    nasty = "<script>alert('&')</script>"
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1"}, {("MDCB", "BA1"): ""}, {("BA1", "BA11"): "QTZD in D1", ("BA1", "BA19"): ""},
        sets={"D1": [nasty, "b<i>"]},
    )  # fmt: skip
    case = {"case_id": nasty, "dx": ["b<i>", nasty], "procs": [nasty, "c<i>"]}
    for page in (
        alternatives(case, scheme)._repr_html_(),
        alternatives(case, scheme).to_html("zh"),
        compare_case(case, [scheme, scheme]).to_html(),
    ):
        assert "<script" not in page
        assert "<i>" not in page
        assert not _Text(page).tags & {"script", "i"}
    assert nasty in _Text(alternatives(case, scheme)._repr_html_()).text


# --- several schemes --------------------------------------------------------------------------------------------------


def test_a_case_under_several_schemes(cases):
    for case in cases[:60]:
        found = compare_case(case, UNDER)
        assert [side.scheme for side in found.sides] == list(UNDER)
        assert [side.result for side in found.sides] == [group_one(case, scheme) for scheme in UNDER]
        assert [row["group"] for row in found.to_pylist()] == [side.result.group for side in found.sides]
    assert found.to_dict()["sides"][0] == explain(case, UNDER[0]).to_dict()


def test_a_comparison_in_words():
    found = compare_case(STROKE, ["chs-drg-3.0", "chs-drg-2.0", "nhsa-dip-3.0"], weights={"chs-drg-2.0": {"BR23": 0.8}})
    english, chinese = found.text(), found.text("zh")
    assert english.index("chs-drg-3.0") < english.index("chs-drg-2.0") < english.index("nhsa-dip-3.0")
    assert "  weight: 0.8" in english
    assert "  权重：0.8" in chinese
    assert "  状态：分组成功" in chinese
    assert "  严重程度：CC E87.600 低钾血症" in chinese
    assert _Text(found._repr_html_()).tags <= {"table", "thead", "tbody", "tr", "th", "td", "br"}
    assert repr(found).startswith("<CaseComparison chs-drg-3.0 ")
    for wrong in ("chs-drg-2.0", []):
        with pytest.raises(CaseError, match="give a list of schemes"):
            compare_case(STROKE, wrong)


def test_changes_have_words():
    from drgdip.grouper.words import has_word

    assert all(has_word(f"what_if.{change}") for change in CHANGES)


# --- the command line -------------------------------------------------------------------------------------------------

STROKE_OPTIONS = ["--sex", "1", "--age", "71", "--dx", "|".join(STROKE["dx"]), "--scheme", "chs-drg-2.0"]


def test_the_command_line(tmp_path, capsys):
    def said(*more):
        assert main(["explain", *STROKE_OPTIONS, *more]) == 0
        return capsys.readouterr().out

    case = {name: value for name, value in STROKE.items() if name != "procs"}
    assert said() == explain(case, "chs-drg-2.0").text() + "\n"
    assert said("--full", "--language", "zh") == explain(case, "chs-drg-2.0").text("zh", detail="full") + "\n"
    assert said("--alternatives") == alternatives(case, "chs-drg-2.0").text() + "\n"
    assert json.loads(said("--alternatives", "--json"))["result"]["group"] == "BR23"
    schemes = ["chs-drg-2.0", "chs-drg-3.0", "nhsa-dip-3.0"]
    assert said("--compare", *schemes[1:], "--language", "zh") == compare_case(case, schemes).text("zh") + "\n"
    weights = tmp_path / "weights.csv"
    weights.write_text("group,weight\nBR23,0.8\nBR25,0.7\n", encoding="utf-8")
    assert "weight: 0.8" in said("--weights", str(weights))
    assert "weight 0.7" in said("--weights", str(weights), "--alternatives")
    assert main(["explain", *STROKE_OPTIONS, "--compare", "chs-drg-3.0", "--weights", str(weights)]) == 1
    assert "without --compare" in capsys.readouterr().err
