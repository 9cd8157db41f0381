"""The reference engine: order of evaluation, options, missing values, severity, and every form of one case."""

from __future__ import annotations

import decimal
import random

import numpy as np
import pandas as pd
import pytest
from conftest import SCHEMES, SMALL, question_of, read_deck
from generated import facts_of
from hypothesis import given
from hypothesis import strategies as st

from drgdip import REASONS, Case, CaseError, GroupResult, group_one, load_scheme
from drgdip.grouper.facts import holds
from drgdip.grouper.grammar import parse

SETS = {"D1": ["A1"], "D2": ["A2"], "D12": ["A1", "A2"], "P1": ["1.1"], "P2": ["2.1"], "P12": ["1.1", "2.1"]}


def group(scheme, dx="A1", procs="", **values):
    return group_one({"dx": dx, "procs": procs, **values}, scheme)


# --- the order of evaluation -----------------------------------------------------------------------------------------


def test_the_first_row_that_holds_wins(make_scheme):
    scheme = make_scheme(
        {"MDCB": "ZYZD in D12", "MDCC": "ZYZD in D12"},
        {("MDCB", "BA1"): "ZYSS in P12", ("MDCB", "BB1"): "ZYSS in P12", ("MDCC", "CA1"): ""},
        {("BA1", "BA11"): "NL < 10", ("BA1", "BA13"): "NL < 20", ("BB1", "BB19"): "", ("CA1", "CA19"): ""},
        sets=SETS,
    )
    assert group(scheme, procs="1.1", age=5)[:4] == ("MDCB", "BA1", "BA11", "grouped")
    assert group(scheme, procs="1.1", age=15).group == "BA13"
    assert group(scheme, procs="1.1", age=25).group == "BB19"
    assert group(scheme, age=5)[:4] == ("MDCC", "CA1", "CA19", "grouped")


def test_order_is_that_of_the_order_column_not_of_the_file(make_scheme):
    scheme = make_scheme({"MDCB": ""}, {("MDCB", "BA1"): ""}, {("BA1", "X1"): "NL < 10", ("BA1", "X2"): ""})
    path = scheme.folder / "drg.csv"
    head, first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{head}\n{second}\n{first}\n", encoding="utf-8")
    assert group(load_scheme(scheme.folder), age=5).group == "X1"


@pytest.mark.parametrize(("option", "expected"), [(True, ("MDCC", "CA19")), (False, (None, "0000"))])
def test_mdc_fallthrough(make_scheme, option, expected):
    """An MDC whose rule holds but none of whose ADRGs does: on to the next MDC, or the end."""
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1", "MDCC": "ZYZD in D1"},
        {("MDCB", "BA1"): "ZYSS in P1", ("MDCC", "CA1"): ""},
        {("BA1", "BA19"): "", ("CA1", "CA19"): ""},
        sets=SETS,
        mdc_fallthrough=option,
    )
    result = group(scheme)
    assert (result.mdc, result.group) == expected
    assert result.reason == (None if option else "no_group")


@pytest.mark.parametrize(("option", "expected"), [(True, ("BB1", "BB19")), (False, ("BA1", "BA1"))])
def test_adrg_fallthrough(make_scheme, option, expected):
    """An ADRG whose rule holds but none of whose DRGs does: on to the next ADRG, or the ADRG is the group."""
    scheme = make_scheme(
        {"MDCB": ""},
        {("MDCB", "BA1"): "ZYZD in D1", ("MDCB", "BB1"): ""},
        {("BA1", "BA11"): "NL < 10", ("BB1", "BB19"): ""},
        sets=SETS,
        adrg_fallthrough=option,
    )
    result = group(scheme, age=30)
    assert (result.adrg, result.group, result.status) == (*expected, "grouped")
    assert group(scheme, age=3).group == "BA11"


def test_an_adrg_without_groups(make_scheme):
    rules = ({"MDCB": ""}, {("MDCB", "BA1"): "ZYZD in D1"}, {})
    assert group(make_scheme(*rules, sets=SETS, adrg_fallthrough=False)).group == "BA1"
    assert group(make_scheme(*rules, sets=SETS, adrg_fallthrough=True))[:4] == (None, None, "0000", "ungrouped")


def test_the_reason_of_an_ungrouped_case(make_scheme):
    scheme = make_scheme(
        {"MDCA": "", "MDCB": "ZYZD in D1"},
        {("MDCA", "AA1"): "ZYSS in P2", ("MDCB", "BA1"): "ZYSS in P1"},
        {("AA1", "AA19"): "", ("BA1", "BA19"): ""},
        sets=SETS,
        ungroupable="ZZZ",
    )
    assert group(scheme, dx="A1") == GroupResult(None, None, "ZZZ", "ungrouped", "no_group", None, None)
    assert group(scheme, dx="A2") == GroupResult(None, None, "ZZZ", "ungrouped", "no_mdc", None, None)


def test_an_ambiguous_case_is_in_the_mdc_its_code_names(make_scheme):
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1", "MDCC": "ZYZD in D2"},
        {("MDCB", "CQY"): "ZYSS in P1", ("MDCC", "CA1"): "", ("MDCB", "BA1"): ""},
        {("CQY", "CQY"): "", ("CA1", "CA19"): "", ("BA1", "BA19"): ""},
        sets=SETS,
    )
    assert group(scheme, procs="1.1")[:5] == ("MDCC", "CQY", "CQY", "ambiguous", "unrelated_procedure")
    assert group(scheme)[:5] == ("MDCB", "BA1", "BA19", "grouped", None)


def test_an_ungroupable_row_keeps_its_codes(make_scheme):
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1"},
        {("MDCB", "BA1"): "ZYSS in P1", ("MDCB", "B00"): ""},
        {("BA1", "BA19"): "", ("B00", "B000"): ""},
        sets=SETS,
    )
    assert group(scheme)[:5] == ("MDCB", "B00", "B000", "ungrouped", "no_group")


@pytest.mark.parametrize("option", [True, False])
def test_retry_other_procedures(make_scheme, option):
    """Nothing matched: each other procedure is tried alone as principal, in order."""
    scheme = make_scheme(
        {"MDCB": "ZYZD in D1"},
        {("MDCB", "BA1"): "ZYSS in P1", ("MDCB", "BB1"): "ZYSS in P2 and QTSS not in P12"},
        {("BA1", "BA19"): "", ("BB1", "BB19"): ""},
        sets=SETS,
        retry_other_procedures=option,
    )
    assert group(scheme, procs="1.1|9.9").group == "BA19"
    assert group(scheme, procs="9.9|1.1").group == ("BA19" if option else "0000")
    assert group(scheme, procs="9.9|2.1|1.1").group == ("BB19" if option else "0000")
    assert group(scheme, procs="9.9|8.8|9.9").group == "0000"
    assert group(scheme, procs="|1.1").group == ("BA19" if option else "0000")


# --- what a scheme requires ------------------------------------------------------------------------------------------


def refused(scheme, case):
    result = group_one(case, scheme)
    if result.status == "invalid":
        assert result == (None, None, None, "invalid", result.reason, None, None)
        assert result.reason in REASONS
    return result.reason if result.status == "invalid" else None


@pytest.fixture
def open_scheme(make_scheme):
    """A function that makes a scheme of one group with the options given."""

    def make(**options):
        return make_scheme({"MDCB": ""}, {("MDCB", "BA1"): ""}, {("BA1", "BA19"): ""}, sets=SETS, **options)

    return make


@pytest.mark.parametrize(
    ("variable", "column", "reason"),
    [
        ("XB", "sex", "missing_sex"),
        ("NL", "age", "missing_age"),
        ("XSRTL", "age_days", "missing_age_days"),
        ("XSRTZ", "newborn_weight", "missing_newborn_weight"),
        ("ZYTS", "los", "missing_los"),
        ("LYFS", "discharge", "missing_discharge"),
        ("KS", "dept", "missing_dept"),
        ("ICUXS", "icu_hours", "missing_icu_hours"),
        ("ZYZD", "dx", "missing_principal_diagnosis"),
        ("ZYSS", "procs", "missing_principal_procedure"),
    ],
)
def test_a_required_value_that_is_missing(open_scheme, variable, column, reason):
    scheme = open_scheme(required=[variable])
    whole = {
        "sex": 1,
        "age": 40,
        "age_days": 400,  # below 365 they would tell the age in years
        "newborn_weight": 3000,
        "los": 3,
        "discharge": 1,
        "dept": "A",
        "icu_hours": 1,
        "dx": "A1",
        "procs": "1.1",
    }
    assert refused(scheme, whole) is None
    for empty in (None, "", "-", "NULL", float("nan"), pd.NA, pd.NaT, np.float32("nan"), decimal.Decimal("NaN")):
        assert refused(scheme, whole | {column: empty}) == reason
    del whole[column]
    assert refused(scheme, whole) == reason


def test_refusals_come_in_the_order_of_the_requirements(open_scheme):
    assert refused(open_scheme(required=["XB", "ZYZD"]), {}) == "missing_sex"
    assert refused(open_scheme(required=["ZYZD", "XB"]), {}) == "missing_principal_diagnosis"
    assert refused(open_scheme(required=["XB", "ZYZD"]), {"sex": 9}) == "missing_principal_diagnosis"
    assert refused(open_scheme(required=["XB", "ZYZD"]), {"sex": 9, "dx": "A1"}) == "invalid_sex"


@pytest.mark.parametrize(("sex", "reason"), [(1, None), (2, None), (0, "invalid_sex"), (9, "invalid_sex")])
def test_a_sex_that_is_neither(open_scheme, sex, reason):
    assert refused(open_scheme(required=["XB"]), {"sex": sex}) == reason
    assert refused(open_scheme(required=[]), {"sex": sex}) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"age": 0}, "missing_age_days"),
        ({"age": 0, "age_days": 29}, None),
        ({"age": 0, "age_days": 28}, "missing_newborn_weight"),
        ({"age": 0, "age_days": 0, "newborn_weight": 3000}, None),
        ({"age": 1}, None),
        ({"age": 1, "age_days": 28}, "missing_newborn_weight"),
        ({"age": 40, "age_days": 14600}, None),
    ],
)
def test_infants_and_newborns(open_scheme, values, reason):
    """Only where age is required: infants need an age in days, newborns (28 days or less) a weight."""
    assert refused(open_scheme(required=["NL"]), values) == reason
    assert refused(open_scheme(required=[]), values) is None


def test_a_blank_principal_diagnosis(open_scheme):
    strict = open_scheme(required=["ZYZD"])
    lenient = open_scheme(required=["ZYZD"], blank_principal_diagnosis=True)
    for dx in ("|A1", [None, "A1"], ["", "A1"]):
        assert refused(strict, {"dx": dx}) == "missing_principal_diagnosis"
        assert group_one({"dx": dx}, lenient).group == "BA19"
    for dx in ("", [], None, "|", [None]):
        assert refused(lenient, {"dx": dx}) == "missing_principal_diagnosis"


@pytest.mark.parametrize("column", ["sex", "age", "age_days", "newborn_weight", "los", "discharge", "icu_hours"])
def test_a_value_that_cannot_be_read(make_scheme, column):
    """It makes a case invalid where a rule reads the variable, and nowhere else."""
    variables = ["XB", "NL", "XSRTL", "XSRTZ", "ZYTS", "LYFS", "ICUXS"]
    rule = " or ".join(f"{variable} > 0" for variable in variables)
    tree = ({"MDCB": ""}, {("MDCB", "BA1"): ""}, {("BA1", "BA11"): rule, ("BA1", "BA19"): ""})
    asking = make_scheme(*tree)
    other = make_scheme({"MDCB": ""}, {("MDCB", "BA1"): ""}, {("BA1", "BA19"): ""})
    for value in ("many", "3 kg", "1e3", True, [1], {}, "9" * 5000, 10**400, float("inf"), decimal.Decimal("Infinity")):
        assert refused(asking, {"dx": "A1", column: value}) == f"unreadable_{column}"
        assert group_one({"dx": "A1", column: value}, other).group == "BA19"
    assert refused(other, {"dx": "A1", "unreadable": "row"}) == "unreadable_row"
    assert refused(asking, {"dx": "A1", "unreadable": column}) == f"unreadable_{column}"
    assert refused(asking, {"dx": "A1", "unreadable": 7}) is None


# --- missing values in rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "="])
@pytest.mark.parametrize("variable", ["NL", "XSRTL", "XSRTZ", "XB", "ZYTS", "LYFS", "ICUXS"])
def test_a_missing_number_makes_a_comparison_false(open_scheme, variable, operator):
    scheme = open_scheme()
    facts, _ = facts_of({"dx": "A1"}, scheme)
    assert not holds(parse(f"{variable} {operator} 5"), facts, scheme)
    assert holds(parse(f"not ({variable} {operator} 5)"), facts, scheme)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1]), ("=", [0, 1, 0])],
)
def test_comparisons(open_scheme, operator, expected):
    scheme = open_scheme()
    found = [holds(parse(f"NL {operator} 5"), facts_of({"age": age}, scheme)[0], scheme) for age in (4, 5, 6)]
    assert found == [bool(number) for number in expected]


def test_a_department_is_compared_as_text(open_scheme):
    scheme = open_scheme()
    assert holds(parse("KS = ICU"), facts_of({"dept": " ICU "}, scheme)[0], scheme)
    assert holds(parse("KS = 12"), facts_of({"dept": "12"}, scheme)[0], scheme)
    assert holds(parse("KS = 12"), facts_of({"dept": 12}, scheme)[0], scheme)
    assert not holds(parse("KS = ICU"), facts_of({"dept": "NICU"}, scheme)[0], scheme)
    assert not holds(parse("KS = ICU"), facts_of({}, scheme)[0], scheme)


@pytest.mark.parametrize(
    ("rule", "dx", "procs", "expected"),
    [
        ("ZYSS in P1", "", "1.1", True),
        ("ZYSS in P1", "", "2.1|1.1", False),
        ("ZYSS in P1", "", "", False),
        ("ZYSS not in P1", "", "", True),
        ("ZYSS not in P1", "", "1.1", False),
        ("QTSS in P1", "", "1.1", False),
        ("QTSS in P1", "", "|1.1", True),
        ("QTSS not in P1", "", "2.1|9|1.1", False),
        ("{ZYSS, QTSS} in P1", "", "9|1.1", True),
        ("{ZYSS, QTSS} not in P1", "", "9|1.1", False),
        ("{ZYSS, QTSS} not in P1", "", "9|8", True),
        ("{ZYSS, QTSS} not in P1", "", "", True),
        ("ZYSS in {P1, P2}", "", "2.1", True),
        ("ZYZD in D1", "A1|A2", "", True),
        ("ZYZD in D1", "A2|A1", "", False),
        ("QTZD in D1", "A2|A1", "", True),
        ("QTZD in D1", "A1|A1", "", True),
        ("{ZYZD, QTZD} in {D1, D2}", "X|Y|A2", "", True),
        ("ZYZD not in D1", "", "", True),
        ("length(P12 ∩ {ZYSS, QTSS}) >= 2", "", "1.1|2.1", True),
        ("length(P12 ∩ {ZYSS, QTSS}) >= 2", "", "1.1|1.1|1.1", False),
        ("length(P12 ∩ QTSS) = 1", "", "1.1|2.1", True),
        ("length(P12 ∩ QTSS) < 1", "", "1.1", True),
    ],
)
def test_conditions_on_codes(open_scheme, rule, dx, procs, expected):
    scheme = open_scheme()
    assert holds(parse(rule), facts_of({"dx": dx, "procs": procs}, scheme)[0], scheme) is expected


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_unknown_codes_and_duplicates_are_harmless(scheme_id):
    scheme = load_scheme(scheme_id)
    for row in read_deck(scheme_id)[::40]:
        case = question_of(row)
        if not case["dx"]:
            continue
        expected = group_one(case, scheme)
        dx, procs = case["dx"].split("|"), case["procs"].split("|") if case["procs"] else []
        more = case | {"dx": [*dx, "NO.SUCH", *dx[1:], dx[-1]] if dx[1:] else [*dx, "NO.SUCH"]}
        more |= {"procs": [*procs, "00.NONE", *procs[1:]] if procs else []}
        assert group_one(more, scheme) == expected


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_the_order_of_other_codes_does_not_matter(scheme_id):
    scheme = load_scheme(scheme_id)
    shuffle = random.Random(5).shuffle
    for row in read_deck(scheme_id)[::20]:
        case = question_of(row)
        dx, procs = case["dx"].split("|"), case["procs"].split("|")
        others, done = dx[1:], procs[1:]
        shuffle(others)
        shuffle(done)
        assert group_one(case | {"dx": [dx[0], *others], "procs": [procs[0], *done]}, scheme) == group_one(case, scheme)


# --- severity --------------------------------------------------------------------------------------------------------


@pytest.fixture
def severity_scheme(make_scheme):
    """M1, M2 are MCC, N1 to N3 CC; M1 is cancelled by A1, N1 by A2, each with a table of its own; N2 by A1."""
    return make_scheme(
        {"MDCB": ""},
        {("MDCB", "BA1"): ""},
        {("BA1", "BA11"): "QTZD in MCC", ("BA1", "BA13"): "QTZD in CC", ("BA1", "BA15"): ""},
        severity=[["M1", "MCC", "x1"], ["M2", "MCC", ""], ["N1", "CC", "x2"], ["N2", "CC", "x1"], ["N3", "CC", ""]],
        exclusions={"x1": ["A1"], "x2": ["A2"], "x3": ["A1", "A2"]},
    )


@pytest.mark.parametrize(
    ("dx", "level", "code", "drg"),
    [
        ("A3|M1", "MCC", "M1", "BA11"),
        ("A1|M1", None, None, "BA15"),
        ("A2|M1", "MCC", "M1", "BA11"),
        ("A1|N1", "CC", "N1", "BA13"),
        ("A2|N1", None, None, "BA15"),
        ("A1|M1|N1", "CC", "N1", "BA13"),
        ("A1|M1|M2", "MCC", "M2", "BA11"),
        ("A1|N2|N3", "CC", "N3", "BA13"),
        ("A3|N3|N1|N2", "CC", "N1", "BA13"),
        ("A3|N1|M2|M1", "MCC", "M1", "BA11"),
        ("M1", None, None, "BA15"),
        ("M1|M1", "MCC", "M1", "BA11"),
        ("|M1", "MCC", "M1", "BA11"),
        ("A3", None, None, "BA15"),
    ],
)
def test_each_severity_code_has_its_own_exclusion_table(severity_scheme, dx, level, code, drg):
    result = group(severity_scheme, dx=dx)
    assert (result.severity, result.severity_code, result.group) == (level, code, drg)


@pytest.mark.parametrize(
    ("rule", "dx", "expected"),
    [
        ("QTZD in {MCC, CC}", "A3|N1", True),
        ("QTZD in {MCC, CC}", "A1|M1|N2", False),
        ("QTZD not in MCC", "A1|M1", True),
        ("QTZD not in {MCC, CC}", "A3|N3", False),
        ("QTZD in CC", "A3|M1", False),
    ],
)
def test_conditions_on_severity(severity_scheme, rule, dx, expected):
    facts = facts_of({"dx": dx}, severity_scheme)[0]
    assert holds(parse(rule), facts, severity_scheme) is expected


_SMALL_CODES = st.sampled_from(
    ["B01.100", "B02.200", "C01.100", "C02.200", "D01.100", "M01.100", "M02.200", "N01.100", "N02.200", "N03.300", "?"]
)


@given(_SMALL_CODES, st.lists(_SMALL_CODES, max_size=6), st.randoms(use_true_random=False))
def test_severity_does_not_depend_on_the_order_of_diagnoses(principal, others, shuffler):
    scheme = load_scheme_once(SMALL)
    shuffled = others.copy()
    shuffler.shuffle(shuffled)
    one = group_one({"sex": 1, "dx": [principal, *others]}, scheme)
    other = group_one({"sex": 1, "dx": [principal, *shuffled, *others]}, scheme)
    assert one == other
    if one.severity is not None:
        assert one.severity_code in others


_loaded = {}


def load_scheme_once(path):
    """hypothesis calls a test many times; the scheme is read once."""
    if path not in _loaded:
        _loaded[path] = load_scheme(path)
    return _loaded[path]


# --- every form of a case --------------------------------------------------------------------------------------------

PLAIN = {
    "case_id": "7",
    "sex": 2,
    "age": 59,
    "los": 12,
    "discharge": 1,
    "dx": ["K22.301", "J94.801", "J96.900x001"],
    "procs": ["42.0902", "34.0401"],
}
FORMS = {
    "Case": Case(**PLAIN),
    "joined text": PLAIN | {"dx": "K22.301|J94.801|J96.900x001", "procs": "42.0902|34.0401"},
    "text numbers": PLAIN | {"sex": "2", "age": "59", "los": "12.0", "discharge": " 1 "},
    "full width": PLAIN | {"age": "５９", "dx": "Ｋ２２．３０１|J94.801|J96.900X001"},
    "floats": PLAIN | {"sex": 2.0, "age": 59.0, "los": 12.0},
    "decimals": PLAIN | {"age": decimal.Decimal("59.00"), "los": decimal.Decimal("1.2E+1")},
    "numpy": PLAIN | {"sex": np.int8(2), "age": np.float32(59), "los": np.float64(12), "dx": np.array(PLAIN["dx"])},
    "tuples": PLAIN | {"dx": tuple(PLAIN["dx"]), "procs": tuple(PLAIN["procs"])},
    "Chinese words": PLAIN | {"sex": "女"},
    "letters": PLAIN | {"sex": "f"},
    "Chinese aliases": {
        "病案号": "7",
        "性别": "女",
        "年龄": 59,
        "住院天数": 12,
        "离院方式": 1,
        "诊断": PLAIN["dx"],
        "手术": PLAIN["procs"],
    },
    "settlement list": {
        "medcasno": "7",
        "gend": "2",
        "age": "59",
        "act_ipt_days": "12",
        "dscg_way": "1",
        "dx": PLAIN["dx"],
        "procs": PLAIN["procs"],
    },
    "front page": {
        "A48": "7",
        "A12C": "2",
        "A14": "59",
        "B20": "12",
        "B34C": "1",
        "C03C": "K22.301",
        "C06x01C": "J94.801",
        "C06x02C": "J96.900x001",
        "C06x03C": None,
        "C14x01C": "42.0902",
        "C35x01C": "34.0401",
    },
    "wide": {
        "sex": 2,
        "age": 59,
        "los": 12,
        "dx_principal": "K22.301",
        "dx_other_2": "J96.900x001",
        "dx_other_1": "J94.801",
        "procs_principal": "42.0902",
        "procs_other": "34.0401",
    },
    "series": pd.Series(PLAIN),
    "other keys": PLAIN | {"ward": 3, 5: "five", None: 0, "unreadable": None},
}


@pytest.mark.parametrize("scheme_id", SCHEMES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_case_gives_the_same(scheme_id, form):
    expected = group_one(PLAIN, scheme_id)
    assert expected.status == "grouped"
    assert expected.severity is not None
    assert group_one(FORMS[form], scheme_id) == expected


@pytest.mark.parametrize("thing", [None, 5, "K22.301", ["K22.301"], object(), pd.DataFrame({"dx": ["A1"]}), print])
def test_what_is_no_case(thing):
    with pytest.raises(CaseError, match=r"a case is a drgdip.Case or a mapping, not a \w+; make it dict"):
        group_one(thing, "chs-drg-2.0")


def test_two_names_for_one_value():
    with pytest.raises(CaseError, match="'性别' and 'gender' both stand for 'sex'"):
        group_one({"性别": 1, "gender": 1, "dx": "A1"}, "chs-drg-2.0")
    assert group_one({"sex": 2, "性别": 1, "dx": "K22.301"}, "chs-drg-2.0").status == "grouped"


@pytest.mark.parametrize("scheme_id", SCHEMES)
@pytest.mark.parametrize("case", [{}, {"dx": None, "procs": None}, {"sex": 1, "age": 40, "dx": []}])
def test_an_empty_case_is_invalid(scheme_id, case):
    assert group_one(case, scheme_id).status == "invalid"


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_ten_thousand_codes(scheme_id):
    many = [f"Z{number:05}" for number in range(10_000)]
    expected = group_one(PLAIN, scheme_id)
    case = PLAIN | {"dx": [*PLAIN["dx"], *many], "procs": [*PLAIN["procs"], *many]}
    assert group_one(case, scheme_id) == expected
    assert group_one(case | {"dx": "|".join(case["dx"])}, scheme_id) == expected


def test_the_case_given_is_not_changed():
    case = {"sex": "2", "age": "59", "dx": ["K22.301", None, " J94.801 "], "procs": []}
    before = {name: list(value) if isinstance(value, list) else value for name, value in case.items()}
    group_one(case, "chs-drg-2.0")
    assert case == before


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.one_of(st.none(), st.text(max_size=6), st.integers()), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from([*Case.model_fields, "unreadable", "ward"]), _VALUES))
def test_any_record_gets_a_status(record):
    result = group_one(record, "chs-drg-2.0")
    assert (result.reason in REASONS) is (result.status != "grouped")
