"""The explanation of a case: the same result, the conditions that decided, in words, JSON and HTML."""

from __future__ import annotations

import html.parser
import json

import pytest
from conftest import DECKS, SCHEMES, question_of, read_deck
from generated import facts_of

from drgdip import REASONS, STATUSES, Explanation, UnknownNameError, explain, group_one, load_scheme
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
    text = trace.text()
    assert "length(P ∩ {ZYSS, QTSS}) >= 2: yes (1.1, 2.1)" in text
    assert "XSRTZ > 1: no (missing)" in text
    assert "✓ BA19 : no condition" in text


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
    assert f"{entry.level}: {code}, cancelled: exclusion table {entry.exclusion} has {principal}" in trace.text()
    assert f"{entry.level}: {code}，被排除：排除表{entry.exclusion}含{principal}" in trace.text("zh")


def test_a_cc_that_stays_is_shown():
    trace = explain(CASE | {"dx": ["K22.301", "J96.900x001"]}, "chs-drg-1.1")
    assert [(finding.code, finding.cancelled_by) for finding in trace.severity] == [("J96.900x001", None)]
    assert f"{trace.result.severity}: J96.900x001\n" in trace.text()
    assert "CC, MCC: none" in explain(CASE | {"dx": "K22.301"}, "chs-drg-1.1").text()


# --- in words --------------------------------------------------------------------------------------------------------


def test_the_text_in_english():
    trace = explain(CASE, "chs-drg-2.0")
    lines = trace.text().splitlines()
    assert lines[:4] == [
        "case 7 · chs-drg-2.0 · grouped",
        f"group: MDCG → GC1 → GC19  {trace.names['GC19']}",
        "diagnoses: K22.301 | J94.801",
        "procedures: 42.0902",
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
    assert lines[1].startswith("病组: MDCG → GC1 → GC19  ")
    assert lines[2:4] == ["诊断: K22.301 | J94.801", "手术操作: 42.0902"]
    assert not any(word in trace.text("zh") for word in (" yes", ": no", "missing", "cancelled"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_status_and_reason_has_words(language):
    for status, chinese in STATUSES.items():
        assert status.isascii()
        assert not chinese.isascii()
    for english, chinese in REASONS.values():
        assert not chinese.isascii()
        assert english != chinese
    trace = explain({"sex": 3, "dx": "K22.301"}, "chs-drg-2.0")
    shown = {"en": "reason: sex is neither 1 (male) nor 2 (female)", "zh": "原因: 性别不是1（男）或2（女）"}
    assert shown[language] in trace.text(language)


def test_a_blank_principal_code_is_shown_as_one():
    trace = explain({"sex": 1, "age": 30, "dx": [None, "J94.801"], "procs": ["", "42.0902"]}, "chs-drg-1.1")
    assert trace.case["dx"] == [None, "J94.801"]
    assert "diagnoses: – | J94.801" in trace.text()
    assert "procedures: – | 42.0902" in trace.text()


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
        assert tags.seen <= {"div", "b", "br", "table", "thead", "tbody", "tr", "th", "td"}
        assert row["case_id"] in tags.text
        assert tags.text.count("✓") == sum(step.holds for step in trace.steps)


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


def test_a_language_that_is_not_known():
    with pytest.raises(UnknownNameError, match="there is no language 'fr'. The languages are en, zh"):
        explain(CASE, "chs-drg-2.0").text("fr")


def test_an_explanation_is_a_value():
    one, other = explain(CASE, "chs-drg-2.0"), explain(CASE, "chs-drg-2.0")
    assert isinstance(one, Explanation)
    assert one == other
    with pytest.raises(AttributeError):
        one.result = None
