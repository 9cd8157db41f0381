"""The rule language: text to tree, tree to text, and messages that point at the character."""

from __future__ import annotations

import pytest
from conftest import SCHEMES
from hypothesis import given
from hypothesis import strategies as st

from drgdip import RuleError, load_scheme
from drgdip.grouper.grammar import (
    ALWAYS,
    CODE_VARIABLES,
    LEVELS,
    VALUE_VARIABLES,
    And,
    Compare,
    Count,
    In,
    Not,
    Or,
    Severity,
    parse,
    walk,
)

A = In(("ZYZD",), ("A",))
B = In(("ZYSS",), ("B",))
C = Compare("NL", "<", 17)

# --- every form of condition ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("ZYZD in A", In(("ZYZD",), ("A",))),
        ("ZYSS not in A", In(("ZYSS",), ("A",), negated=True)),
        ("ZYSS in {A, B}", In(("ZYSS",), ("A", "B"))),
        ("{ZYSS, QTSS} in A", In(("ZYSS", "QTSS"), ("A",))),
        ("{ZYZD,QTZD} not in {A,B,C}", In(("ZYZD", "QTZD"), ("A", "B", "C"), negated=True)),
        ("QTZD in MCC", Severity(("MCC",))),
        ("QTZD in {MCC, CC}", Severity(("MCC", "CC"))),
        ("QTZD not in CC", Severity(("CC",), negated=True)),
        ("QTZD in A", In(("QTZD",), ("A",))),
        ("length(A ∩ {ZYSS, QTSS}) >= 2", Count("A", ("ZYSS", "QTSS"), ">=", 2)),
        ("length(A∩QTSS)=1", Count("A", ("QTSS",), "=", 1)),
        ("NL < 17", Compare("NL", "<", 17)),
        ("XSRTZ >= 1500", Compare("XSRTZ", ">=", 1500)),
        ("XSRTL<=28", Compare("XSRTL", "<=", 28)),
        ("ICUXS > 96", Compare("ICUXS", ">", 96)),
        ("XB = 1", Compare("XB", "=", 1)),
        ("KS = ICU", Compare("KS", "=", "ICU")),
        ("KS = 重症医学科", Compare("KS", "=", "重症医学科")),
        ("KS = 12", Compare("KS", "=", "12")),
        ("not ZYZD in A", Not(A)),
        ("not (ZYZD in A)", Not(A)),
        ("not not ZYZD in A", Not(Not(A))),
        ("((ZYZD in A))", A),
        ("ZYZD in DX_心脏", In(("ZYZD",), ("DX_心脏",))),
    ],
)
def test_a_condition_is_read(text, tree):
    assert parse(text) == tree
    assert parse(str(tree)) == tree


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_rule_is_unconditional(text):
    assert parse(text) == ALWAYS
    assert str(ALWAYS) == ""


def test_white_space_does_not_count():
    assert parse("  ZYZD\n in\t{A ,B}and NL<17") == And((In(("ZYZD",), ("A", "B")), C))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("ZYZD in A or ZYSS in B and NL < 17", Or((A, And((B, C))))),
        ("ZYZD in A and ZYSS in B or NL < 17", Or((And((A, B)), C))),
        ("(ZYZD in A or ZYSS in B) and NL < 17", And((Or((A, B)), C))),
        ("not ZYZD in A and NL < 17", And((Not(A), C))),
        ("not (ZYZD in A and NL < 17)", Not(And((A, C)))),
        ("ZYZD in A and ZYSS in B and NL < 17", And((A, B, C))),
        ("(ZYZD in A and ZYSS in B) and NL < 17", And((And((A, B)), C))),
        ("ZYZD in A or ZYSS in B or NL < 17", Or((A, B, C))),
        ("ZYZD in A or (ZYSS in B or NL < 17)", Or((A, Or((B, C))))),
    ],
)
def test_and_binds_tighter_than_or(text, tree):
    assert parse(text) == tree


# --- round trip -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_every_rule_of_a_scheme_parses_back(scheme_id):
    scheme = load_scheme(scheme_id)
    adrgs = list(scheme.adrgs)
    rules = {row.rule for rows in (scheme.mdcs, adrgs, [d for a in adrgs for d in a.drgs]) for row in rows}
    assert len(rules) > 100
    for rule in rules:
        assert parse(str(rule)) == rule


_WORDS = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True).filter(
    lambda word: word not in {*LEVELS, *CODE_VARIABLES, *VALUE_VARIABLES}
)
_CODES = st.lists(st.sampled_from(list(CODE_VARIABLES)), min_size=1, max_size=3).map(tuple)
_NUMBERS = st.integers(0, 10**6)
_OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "="])
_ATOMS = st.one_of(
    st.builds(In, _CODES, st.lists(_WORDS, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(Severity, st.sampled_from([("MCC",), ("CC",), ("MCC", "CC")]), st.booleans()),
    st.builds(Count, _WORDS, _CODES, _OPERATORS, _NUMBERS),
    st.builds(Compare, st.sampled_from(sorted(VALUE_VARIABLES.keys() - {"KS"})), _OPERATORS, _NUMBERS),
    st.builds(Compare, st.just("KS"), st.just("="), _WORDS),
)
_TREES = st.recursive(
    _ATOMS,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(And, st.lists(part, min_size=2, max_size=4).map(tuple)),
        st.builds(Or, st.lists(part, min_size=2, max_size=4).map(tuple)),
    ),
    max_leaves=12,
)


@given(_TREES)
def test_any_tree_parses_back(tree):
    assert parse(str(tree)) == tree


@given(_TREES, st.data())
def test_a_broken_rule_is_a_rule_error_inside_the_text(tree, data):
    """Whatever character is lost or put in, the answer is a tree or a RuleError with a position in the text."""
    text = str(tree)
    at = data.draw(st.integers(0, len(text) - 1))
    broken = text[:at] + data.draw(st.sampled_from(["", "(", "}", "?", " and ", "9", "∩", "<"])) + text[at + 1 :]
    try:
        again = parse(broken)
    except RuleError as error:
        assert 0 <= error.position <= len(broken)
        assert error.rule == broken
        assert f"character {error.position + 1}" in str(error)
    else:
        assert parse(str(again)) == again


# --- positions ------------------------------------------------------------------------------------------------------


def test_a_node_knows_where_it_begins():
    text = "(ZYZD in A) and not (NL < 17 or QTZD in MCC) and length(B ∩ ZYSS) > 1"
    begins = {type(node).__name__: node.position for node in walk(parse(text))}
    assert begins == {
        "And": 0,
        "In": text.index("ZYZD"),
        "Not": text.index("not"),
        "Or": text.index("NL"),
        "Compare": text.index("NL"),
        "Severity": text.index("QTZD"),
        "Count": text.index("length"),
    }


def test_positions_do_not_count_for_equality():
    assert parse("   ZYZD in A") == parse("ZYZD in A")
    assert hash(parse("   ZYZD in A")) == hash(parse("ZYZD in A"))


def test_walk_goes_from_left_to_right():
    rule = parse("ZYZD in A and not (ZYSS in B or NL < 17)")
    assert list(walk(rule)) == [rule, A, Not(Or((B, C))), Or((B, C)), B, C]


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "position", "words"),
    [
        ("ZYZD in A ? NL < 1", 10, "'?' has no meaning in a rule"),
        ("ZYZD in A   #", 12, "'#' has no meaning in a rule"),
        ("NL < -1", 5, "'-' has no meaning in a rule"),
        ("ZYZD in A NL < 1", 10, "expected 'and', 'or' or the end of the rule, found 'NL'"),
        ("ZYZD in A)", 9, "expected 'and', 'or' or the end of the rule, found ')'"),
        ("(ZYZD in A", 10, "expected ')' to close the parenthesis, found the end of the rule"),
        ("(ZYZD in A; NL < 1)", 10, "';' has no meaning in a rule"),
        ("(ZYZD in A, NL < 1)", 10, "expected ')' to close the parenthesis, found ','"),
        ("ZYZD in A and", 13, "expected a condition, found the end of the rule"),
        ("()", 1, "expected a condition, found ')'; the variables are ZYZD, "),
        ("not", 3, "expected a condition, found the end of the rule"),
        ("AGE < 17", 0, "expected a condition, found 'AGE'; the variables are ZYZD, QTZD, ZYSS, QTSS, NL, "),
        ("ZYZD = A", 5, "expected 'in' before the name of a set, found '='"),
        ("ZYZD not A", 9, "expected 'in' before the name of a set, found 'A'"),
        ("ZYZD in", 7, "expected the name of a set"),
        ("ZYZD in 7", 8, "expected the name of a set"),
        ("ZYZD in and", 8, "expected the name of a set"),
        ("ZYZD in {A B}", 11, "expected '}' to close the braces, found 'B'"),
        ("ZYZD in {A,}", 11, "expected the name of a set"),
        ("{ZYZD, NL} in A", 0, "'NL' does not stand for codes; those are ZYZD, QTZD, ZYSS, QTSS"),
        ("{} in A", 1, "expected a variable"),
        ("ZYZD in MCC", 8, "only QTZD can be tested for MCC and CC"),
        ("{ZYZD, QTZD} in CC", 16, "only QTZD can be tested for MCC and CC"),
        ("QTZD in {MCC, A}", 8, "MCC and CC cannot be mixed with sets; write them as a condition of their own"),
        ("length A", 7, "expected '(' after 'length', found 'A'"),
        ("length(", 7, "expected the name of a set"),
        ("length(A, ZYSS) > 1", 8, "expected '∩' after the set, found ','"),
        ("length(A ∩ NL) > 1", 11, "'NL' does not stand for codes"),
        ("length(A ∩ ZYSS > 1", 16, "expected ')' to close 'length', found '>'"),
        ("length(A ∩ ZYSS)", 16, "expected one of < <= > >= ="),
        ("length(A ∩ ZYSS) in A", 17, "expected one of < <= > >= ="),
        ("length(A ∩ ZYSS) > A", 19, "expected a number"),
        ("NL 17", 3, "expected one of < <= > >= ="),
        ("NL < XB", 5, "expected a number to compare NL with"),
        ("NL <", 4, "expected a number to compare NL with"),
        ("KS < ICU", 3, "KS is the name of a department and can only be tested with '='"),
        ("KS >= 12", 3, "KS is the name of a department and can only be tested with '='"),
        ("KS = (", 5, "expected the name of a department"),
    ],
)
def test_a_message_says_what_was_expected_and_points_at_the_character(rule, position, words):
    with pytest.raises(RuleError) as caught:
        parse(rule)
    error = caught.value
    message, shown, pointer = str(error).splitlines()
    assert error.position == position
    assert error.rule == rule
    assert message.startswith(words)
    assert message.endswith(f"(character {position + 1})")
    assert pointer.index("^") == position + 4
    assert shown == f"    {rule}"


def test_a_long_rule_is_shown_around_the_fault():
    rule = " and ".join(["ZYZD in A"] * 40) + " ? " + " and ".join(["NL < 1"] * 40)
    with pytest.raises(RuleError) as caught:
        parse(rule)
    _, shown, pointer = str(caught.value).splitlines()
    assert shown[pointer.index("^")] == "?"
    assert len(shown) < 110


def test_a_line_break_in_a_rule_does_not_break_the_message():
    with pytest.raises(RuleError) as caught:
        parse("ZYZD in A\nand ?")
    assert len(str(caught.value).splitlines()) == 3
    assert caught.value.position == 14


def test_deep_nesting_is_read_up_to_a_limit():
    for opening in ("(", "not "):
        closing = ")" if opening == "(" else ""
        assert parse(opening * 100 + "NL < 17" + closing * 100) is not None
        with pytest.raises(RuleError, match="nested more than 100 deep") as caught:
            parse(opening * 101 + "NL < 17" + closing * 101)
        assert caught.value.position == 101 * len(opening)
    with pytest.raises(RuleError, match="nested more than 100 deep"):
        parse("(" * 100_000)


def test_a_chain_of_nots_parses_back():
    rule = parse("not " * 90 + "NL < 17")
    assert parse(str(rule)) == rule


def test_many_parts_are_no_depth():
    rule = parse(" or ".join(["ZYZD in A"] * 5000))
    assert len(rule.parts) == 5000
    assert parse(str(rule)) == rule


def test_a_number_beyond_measure_is_a_rule_error():
    with pytest.raises(RuleError, match="number") as caught:
        parse("NL < " + "9" * 5000)
    assert caught.value.position == 5
