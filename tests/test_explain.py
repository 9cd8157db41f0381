"""The explanation of a case: the same result, the conditions that decided, in words, JSON and HTML."""

from __future__ import annotations

import html.parser
import json
import pickle
import re

import pytest
from conftest import DECKS, SCHEMES, question_of, read_deck
from generated import facts_of

from drgdip import (
    REASONS,
    STATUSES,
    CaseError,
    Explanation,
    UnknownNameError,
    explain,
    group_one,
    load_catalogue,
    load_scheme,
)
from drgdip._listing import width_of
from drgdip.cases.codes import names_of_codes
from drgdip.grouper.dip.options import PREFERENCES
from drgdip.grouper.drg.trace import decide
from drgdip.grouper.facts import holds
from drgdip.grouper.grammar import parse

CASE = {"case_id": "7", "sex": 2, "age": 59, "dx": ["K22.301", "J94.801"], "procs": ["42.0902"]}


@pytest.mark.parametrize("deck", DECKS)
def test_the_result_is_that_of_group_one(deck):
    scheme = load_scheme(DECKS[deck])
    for row in read_deck(deck)[::25]:
        case = question_of(row)
        trace = explain(case, scheme)
        assert trace.result == group_one(case, scheme)
        held = [step.code for step in trace.steps if step.holds]
        if trace.result.status in {"grouped", "ambiguous"}:
            assert held[-1] == trace.result.group
            assert trace.result.adrg in held
        if trace.result.status == "invalid":
            assert trace.steps == ()


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_decide_agrees_with_holds_on_every_rule(scheme_id):
    scheme = load_scheme(scheme_id)
    adrgs = list(scheme.adrgs)
    rules = {row.rule for rows in (scheme.mdcs, adrgs, [d for a in adrgs for d in a.drgs]) for row in rows}
    held = 0
    for row in read_deck(scheme_id)[::400]:
        facts, _ = facts_of(question_of(row), scheme)
        for rule in rules:
            value, conditions = decide(rule, facts, scheme)
            assert value is holds(rule, facts, scheme)
            held += value
            for condition in conditions:
                assert condition.holds is holds(parse(condition.text), facts, scheme)
    assert held > 0


@pytest.mark.parametrize(
    ("rule", "value", "decided"),
    [
        ("NL < 10 and XB = 2", False, ["NL < 10"]),
        ("NL > 10 and XB = 2", True, ["NL > 10", "XB = 2"]),
        ("NL < 10 or XB = 2", True, ["XB = 2"]),
        ("NL < 10 or XB = 1", False, ["NL < 10", "XB = 1"]),
        ("not (NL < 10 and XB = 2)", True, ["NL < 10"]),
        ("not (NL < 10 or XB = 1) and XB = 2", True, ["NL < 10", "XB = 1", "XB = 2"]),
        ("", True, []),
    ],
)
def test_the_conditions_that_decide(rule, value, decided):
    scheme = load_scheme("chs-drg-2.0")
    facts, _ = facts_of(CASE, scheme)
    found, conditions = decide(parse(rule), facts, scheme)
    assert (found, [condition.text for condition in conditions]) == (value, decided)


def test_a_condition_shows_what_it_found(make_scheme):
    scheme = make_scheme(
        {"MDCB": "{ZYZD, QTZD} in {D1, D2}"},
        {("MDCB", "BA1"): "length(P ∩ {ZYSS, QTSS}) >= 2 and NL > 3 and QTSS not in D1 or QTZD in MCC"},
        {("BA1", "BA11"): "XSRTZ > 1", ("BA1", "BA19"): ""},
        sets={"D1": ["A1"], "D2": ["A2"], "P": ["1.1", "2.1"]},
    )
    trace = explain({"dx": "X|A2|A1|A2", "procs": "2.1|1.1|2.1", "age": 4}, scheme)
    mdc, adrg, first, last = trace.steps
    assert [(c.text, c.holds, c.membership, c.codes, c.value) for c in mdc.conditions] == [
        ("{ZYZD, QTZD} in {D1, D2}", True, True, ("A2", "A1"), None)
    ]
    assert [(c.text, c.holds, c.membership, c.codes, c.value) for c in adrg.conditions] == [
        ("length(P ∩ {ZYSS, QTSS}) >= 2", True, False, ("1.1", "2.1"), 2),
        ("NL > 3", True, False, (), 4),
        ("QTSS not in D1", True, True, (), None),
    ]
    assert [(c.text, c.holds, c.value) for c in first.conditions] == [("XSRTZ > 1", False, None)]
    assert (last.code, last.holds, last.conditions) == ("BA19", True, ())
    assert [step.level for step in trace.steps] == ["mdc", "adrg", "drg", "drg"]
    text = trace.text(detail="full", width=400)
    assert (
        "2 any procedure in the procedure list of BA1 (P) (1.1, 2.1), asked for: >= 2; age is 4, asked for: > 3" in text
    )
    assert "✗ BA11: weight of the newborn in grams is missing, asked for: > 1" in text
    assert "✓ BA19: no condition" in text
    assert "BA11: lacks: weight of the newborn in grams > 1 (is missing)" in text
    chinese = trace.text("zh", detail="full", width=400)
    assert "BA1 的手术操作列表（P）中的任一手术操作有2项 (1.1、2.1)，要求 >= 2；年龄为4，要求 > 3" in chinese


# --- severity --------------------------------------------------------------------------------------------------------


def test_a_cancelled_cc_is_shown_with_what_cancels_it():
    scheme = load_scheme("chs-drg-2.0")
    code, entry = next((c, e) for c, e in scheme.severity.items() if scheme.exclusions.get(e.exclusion))
    principal = min(scheme.exclusions[entry.exclusion])
    trace = explain({"sex": 1, "age": 50, "dx": [principal, code]}, scheme)
    (finding,) = trace.severity
    assert (finding.code, finding.level, finding.exclusion) == (code, entry.level, entry.exclusion)
    assert finding.cancelled_by == principal
    assert trace.result.severity is None
    name = names_of_codes("nhsa-icd10-2.0")[code]
    why = f"{entry.level}, cancelled: exclusion table {entry.exclusion} has {principal}"
    assert f"  {code} {name} · {why}" in trace.text(width=200)
    assert f"{name} · {entry.level}，被排除：排除表 {entry.exclusion} 含主要诊断 {principal}" in trace.text(
        "zh", width=200
    )


def test_a_cc_that_stays_is_shown():
    trace = explain(CASE | {"dx": ["K22.301", "J96.900x001"]}, "chs-drg-1.1")
    assert [(finding.code, finding.cancelled_by) for finding in trace.severity] == [("J96.900x001", None)]
    assert f" · {trace.result.severity}, counts\n" in trace.text()
    assert "CC, MCC: none" in explain(CASE | {"dx": "K22.301"}, "chs-drg-1.1").text()


# --- in words --------------------------------------------------------------------------------------------------------


def test_the_text_in_english():
    trace = explain(CASE, "chs-drg-2.0")
    lines = trace.text().splitlines()
    assert lines[:4] == [
        "case 7 · chs-drg-2.0 · grouped",
        f"group: MDCG → GC1 → GC19  {trace.names['GC19']}",
        "principal diagnosis: K22.301 食管破裂",
        "other diagnoses:",
    ]
    assert any(line.startswith("  ✓ MDCG Digestive") for line in lines)
    assert any(line.startswith("    ✓ GC1 ") for line in lines)
    assert any(line.startswith("      ✓ GC19 ") for line in lines)
    assert str(trace) == trace.text()
    assert not any("✓" in line or "✗" in line for line in trace.text(steps=False).splitlines())


def test_the_text_in_chinese():
    trace = explain(CASE, "chs-drg-2.0")
    lines = trace.text("zh").splitlines()
    assert lines[0] == "病例 7 · chs-drg-2.0 · 分组成功"
    assert lines[1].startswith("病组：MDCG → GC1 → GC19  ")
    assert lines[2].startswith("主要诊断：K22.301 食管破裂")
    assert any(line.startswith("主要手术操作：42.0902 ") for line in lines)
    assert any("主要诊断 K22.301 食管破裂 属于" in line for line in lines)
    whole = trace.text("zh", detail="full").replace('detail="full" 或 --full', "").replace("chs-drg", "")
    assert not re.search("[a-z]{3}", whole.replace("dx", ""))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_status_and_reason_has_words(language):
    for status, chinese in STATUSES.items():
        assert status.isascii()
        assert not chinese.isascii()
    for english, chinese in REASONS.values():
        assert not chinese.isascii()
        assert english != chinese
    trace = explain({"sex": 3, "dx": "K22.301"}, "chs-drg-2.0")
    shown = {"en": "reason: sex is neither 1 (male) nor 2 (female)", "zh": "原因：性别不是1（男）或2（女）"}
    assert shown[language] in trace.text(language)


def test_a_blank_principal_code_is_shown_as_one():
    trace = explain({"sex": 1, "age": 30, "dx": [None, "J94.801"], "procs": ["", "42.0902"]}, "chs-drg-1.1")
    assert trace.case["dx"] == [None, "J94.801"]
    assert "principal diagnosis: blank\nother diagnoses:\n  J94.801 " in trace.text()
    assert "principal procedure: blank\nother procedures:\n  42.0902 " in trace.text()
    assert "主要手术操作：空缺" in trace.text("zh")


def test_the_number_of_the_case_is_found_under_its_aliases():
    assert explain({"病案号": 77, "sex": 1, "dx": "K22.301"}, "chs-drg-2.0").case["case_id"] == "77"
    assert explain({"sex": 1, "dx": "K22.301"}, "chs-drg-2.0").case["case_id"] is None


# --- JSON and HTML ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_json_holds_the_whole_explanation(scheme_id):
    for row in read_deck(scheme_id)[::500]:
        trace = explain(question_of(row), scheme_id)
        again = json.loads(trace.to_json())
        assert again == json.loads(json.dumps(trace.to_dict()))
        assert again["result"] == trace.result._asdict()
        assert again["scheme"] == scheme_id
        assert again["sha256"] == load_scheme(scheme_id).info.sha256
        assert again["case"]["case_id"] == row["case_id"]
        assert [step["code"] for step in again["steps"]] == [step.code for step in trace.steps]
    assert trace.to_json(ensure_ascii=True, indent=1).isascii()


class _Tags(html.parser.HTMLParser):
    """Refuses tags that are not closed in order, and gathers the text and the tags."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], set(), ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_html_is_well_formed(scheme_id):
    for row in read_deck(scheme_id)[::1000]:
        trace = explain(question_of(row), scheme_id)
        tags = _Tags(trace._repr_html_())
        assert tags.seen <= {"div", "b", "br", "table", "tbody", "tr", "td", "details", "summary"}
        assert row["case_id"] in tags.text
        rules = tags.text.partition("every rule tried")[2]
        assert rules.count("✓") == sum(step.holds for step in trace.steps)
        assert rules.count("✗") == sum(not step.holds for step in trace.steps)


def test_html_escapes_what_comes_from_the_case(make_scheme):
    nasty = "<script>alert('&')</script>"
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1"}, {("MDCB", "BA1"): "NL < 3 or QTZD in D1"}, {("BA1", "BA19"): ""}, sets={"D1": [nasty]}
    )
    trace = explain({"case_id": nasty, "dx": [nasty, nasty], "procs": nasty, "dept": nasty}, scheme)
    assert trace.result.group == "BA19"
    page = trace._repr_html_()
    assert "<script" not in page
    assert _Tags(page).text.count(nasty) >= 4
    assert "<script" not in trace.to_html("zh")


def test_a_language_that_is_not_known():
    with pytest.raises(UnknownNameError, match="there is no language 'fr'. The languages are en, zh"):
        explain(CASE, "chs-drg-2.0").text("fr")


def test_an_explanation_is_a_value():
    one, other = explain(CASE, "chs-drg-2.0"), explain(CASE, "chs-drg-2.0")
    assert isinstance(one, Explanation)
    assert one == other
    with pytest.raises(AttributeError):
        one.result = None


# --- details, neighbours, figures ------------------------------------------------------------------------------------

STROKE = {"sex": 1, "age": 71, "dx": ["I63.900", "I69.300", "E87.600", "I10.x00x002"]}


def test_each_detail_tells_what_the_one_before_tells_and_more():
    trace = explain(STROKE, "chs-drg-2.0")
    for language in ("en", "zh"):
        brief, path, full = (trace.text(language, detail=detail) for detail in ("brief", "path", "full"))
        assert path.startswith(brief + "\n")
        assert full.startswith(path + "\n")
        assert trace.text(language) == path
        assert (trace.text(language, steps=False), trace.text(language, steps=True)) == (brief, full)
        assert not any(sign in brief for sign in "✓✗")
        assert "✗" not in path
        assert full.count("✗") == sum(not step.holds for step in trace.steps)
    with pytest.raises(UnknownNameError, match="The details are brief, path, full"):
        trace.text(detail="long")


@pytest.mark.parametrize("width", [40, 72, 100])
def test_a_text_fits_a_terminal(width):
    for case, scheme in ((STROKE, "chs-drg-2.0"), ({"dx": "I21.001", "procs": "36.0601"}, "nhsa-dip-3.0")):
        for language in ("en", "zh"):
            wide = explain(case, scheme).text(language, detail="full", width=10_000)
            lines = explain(case, scheme).text(language, detail="full", width=width).splitlines()
            assert max(map(width_of, lines)) <= width
            assert "".join("".join(lines).split()) == "".join(wide.split())  # nothing is lost


@pytest.mark.parametrize("scheme_id", ["chs-drg-2.0", "chs-drg-3.0"])
def test_a_neighbour_is_another_group_of_the_adrg_whose_rule_would_hold(scheme_id):
    """The slow twin: of each rule, the conditions that are told, and no other ones, turn it over."""
    scheme = load_scheme(scheme_id)
    rules = {drg.code: drg.rule for adrg in scheme.adrgs for drg in adrg.drgs}
    told = 0
    for row in read_deck(scheme_id)[::250]:
        trace = explain(question_of(row), scheme)
        near = scheme.neighbours(trace.given.record, trace.given.unreadable)
        order = list(rules)
        for one in near:
            told += 1
            assert one.code[:3] == trace.result.group[:3] != one.code
            assert bool(one.first) is (order.index(one.code) > order.index(trace.result.group))
            facts = facts_of(question_of(row), scheme)[0]
            assert (one.lacks == ()) is holds(rules[one.code], facts, scheme)
            assert all(holds(parse(lack.text), facts, scheme) is lack.holds for lack in one.lacks)
    assert told > 10


def test_the_neighbours_of_a_case():
    trace = explain(STROKE, "chs-drg-2.0")
    assert "BR21 其他脑缺血性疾病，伴严重合并症或并发症：还需：其他诊断中另有有效的 MCC" in trace.text("zh")
    assert "BR25 其他脑缺血性疾病，不伴合并症或并发症：排在 BR23 之后" in trace.text("zh")
    richer = STROKE | {"dx": [*STROKE["dx"], "J96.000"]}
    assert group_one(richer, "chs-drg-2.0").group == "BR21"  # as it was told


def test_figures_are_told_where_a_list_is_given():
    plain = explain(STROKE, "chs-drg-2.0")
    assert plain.figures == ()
    assert "figures" not in plain.to_dict()
    told = explain(STROKE, "chs-drg-2.0", weights={"BR23": 0.8123, "BR21": 1.5})
    assert "weight: 0.8123" in told.text(detail="brief")
    assert "权重：0.8123" in told.text("zh")
    assert json.loads(told.to_json())["figures"] == [["weight", 0.8123, ""]]
    table = [{"group": "BR23", "level": "3", "standard": 8000.5}, {"group": "BR23", "level": "2", "standard": 7000}]
    text = explain(STROKE, "chs-drg-2.0", weights=table).text("zh")
    assert "支付标准：8000.5 元 (level 3)\n支付标准：7000.0 元 (level 2)" in text
    with pytest.raises(CaseError, match="give group and weight"):
        explain(STROKE, "chs-drg-2.0", weights=[{"group": "BR23", "price": 1}])


def test_every_preference_and_kind_has_words():
    from drgdip.grouper.dip.model import STAGES, TREATMENTS
    from drgdip.grouper.words import has_word

    wanted = [f"prefer.{name}" for name in (*PREFERENCES, "unnamed_surgery")]
    wanted += [f"kind.{name}" for name in STAGES[1:]] + [f"treatment.{name}" for name in TREATMENTS]
    assert [name for name in wanted if not has_word(name)] == []


def test_dip_in_chinese_words():
    text = explain({"dx": "I21.001", "procs": "36.0601|00.2400x001"}, "nhsa-dip-3.0").text("zh", width=400)
    assert "主要诊断 I21.001 急性前壁心肌梗死 符合 I21；主要手术操作 36.0601 冠状动脉药物涂层支架置入术 符合" in text
    assert "治疗方式：手术" in text
    assert "并项核心病种 BX-623：符合，但另有优先病种：要求的手术操作更多" in text
    catalogue = load_catalogue("dip-guiyang-2023")
    text = explain({"dx": "K64.001", "procs": "49.4900"}, catalogue).text("zh", width=400)
    assert "治疗方式为手术，要求手术" in text


def test_a_repr_is_short_and_a_copy_keeps_all_but_the_names():
    trace = explain(STROKE | {"case_id": "x" * 999}, "chs-drg-2.0")
    assert repr(trace) == "<Explanation chs-drg-2.0: grouped, BR23, 38 steps>"
    copy = pickle.loads(pickle.dumps(trace))
    assert copy == trace
    assert copy.to_json() == trace.to_json()
    assert "principal diagnosis: I63.900\n" in copy.text()
