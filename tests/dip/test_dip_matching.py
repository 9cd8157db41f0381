"""Matching a case: each stage by hand, every row of the national catalogues, and what nearly misses them."""

from __future__ import annotations

import itertools
import re
import shutil
from random import Random

import pytest
from test_dip_catalogues import NATIONAL, SMALL

import drgdip
from drgdip.grouper.dip.reference import fits, situation_of
from drgdip.grouper.dip.witness import dip_near_misses, dip_witness
from drgdip.grouper.facts import values_of

THREE = "nhsa-dip-3.0"
NEWBORN = {"dx": ["P07.100"], "procs": [], "age": 0, "age_days": 28}
RESISTANT = "U84.300"


def answer(case, catalogue):
    result = drgdip.group_one(case, catalogue)
    return result.group or result.reason


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # 五、不纳入分组的主要诊断
        ({"dx": "A00.000", "procs": ""}, "excluded_diagnosis"),
        ({"dx": "A00.000", "procs": "33.6x00"}, "excluded_diagnosis"),
        # 一、先期分组: transplants by the principal procedure, whatever the diagnosis
        ({"dx": "Q21.301", "procs": "33.6x00"}, "XQ-1"),
        ({"dx": "Q21.301", "procs": "39.0x01|33.6x00"}, "no_dx_group"),
        ({"dx": "I50.001", "procs": "89.5100|39.6500"}, "XQ-11"),  # anywhere among the procedures
        ({"dx": "J96.001", "procs": "96.7201|39.9500x007"}, "XQ-13"),  # both, before ventilation alone
        ({"dx": "J96.001", "procs": "96.7201"}, "XQ-14"),
        # newborns: days below 29 and a weight, at every edge
        (NEWBORN | {"newborn_weight": 999}, "XQ-16"),
        (NEWBORN | {"newborn_weight": 1000}, "XQ-17"),
        (NEWBORN | {"newborn_weight": 1499}, "XQ-17"),
        (NEWBORN | {"newborn_weight": 1500}, "XQ-18"),
        (NEWBORN | {"newborn_weight": 1999}, "XQ-18"),
        (NEWBORN | {"newborn_weight": 2000}, "XQ-19"),
        (NEWBORN | {"newborn_weight": 2499}, "XQ-19"),
        (NEWBORN | {"newborn_weight": 2500}, "JC-4478"),
        (NEWBORN | {"newborn_weight": None}, "JC-4478"),
        (NEWBORN | {"newborn_weight": 999, "age_days": 29}, "JC-4478"),
        # the weight at birth, unless one is given as the weight that counts
        (NEWBORN | {"birth_weight": 999, "admission_weight": 1000}, "XQ-16"),
        (NEWBORN | {"birth_weight": 999, "newborn_weight": 1500}, "XQ-18"),
        (NEWBORN | {"admission_weight": 999}, "JC-4478"),
        (NEWBORN | {"birth_weight": "many"}, "unreadable_newborn_weight"),
        (NEWBORN | {"newborn_weight": 999, "dx": ["P22.000", "P07.100"]}, "XQ-16"),
        # 二、并项: a category with like procedures, the related one before none
        ({"dx": "I21.001", "procs": "36.0601|00.2400x001"}, "BX-619"),
        ({"dx": "I21.001", "procs": "36.0601"}, "BX-623"),
        ({"dx": "I21.001", "procs": "00.2400x001|36.0601"}, "JC-3158"),  # another principal procedure, another group
        # + and |: one of a set and one of another
        ({"dx": "N80.001", "procs": "68.4100|54.5101|65.6300"}, "BX-1344"),
        ({"dx": "N80.001", "procs": "68.4100|65.6300"}, "BX-1348"),
        # 三、烧伤: degree by the diagnosis, area by another
        ({"dx": "T21.200x001|T31.000", "procs": ""}, "FZ-1745"),
        ({"dx": "T21.300x001|T31.100", "procs": "86.2201"}, "FZ-1761"),
        # 三、肿瘤: the most specific combination first
        ({"dx": "Z51.102|C34.900", "procs": "99.2503"}, "FZ-1770"),
        ({"dx": "Z51.102|C34.900", "procs": "99.2503|99.2800x006"}, "FZ-1772"),
        ({"dx": "Z51.102|C34.900", "procs": "99.2800x005|99.2503|99.2800x006"}, "FZ-1773"),
        ({"dx": "Z51.102|C91.000", "procs": "99.2503"}, "FZ-1790"),
        # 三、结核: resistant by the diagnosis or by U84.300 beside it
        ({"dx": "A15.001", "procs": ""}, "FZ-1837"),
        ({"dx": f"A15.001|{RESISTANT}", "procs": ""}, "FZ-1836"),
        ({"dx": "A15.000x016", "procs": "31.9400"}, "FZ-1812"),
        # 四、基础规则
        ({"dx": "M19.001", "procs": "81.5600"}, "JC-3953"),
        # 五、不纳入分组的主要手术操作
        ({"dx": "M19.001", "procs": "81.6300"}, "excluded_procedure"),
        ({"dx": "A15.001", "procs": "00.0100|33.2402"}, "FZ-1837"),  # conservative, whatever stands behind it
        # 45.1302 may be principal beside K25, not beside M19
        ({"dx": "M19.001", "procs": "45.1302"}, "JC-3954"),
    ],
)
def test_each_stage_of_the_national_scheme_3(case, expected):
    assert answer(case, THREE) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"dx": "A46.x00", "procs": ""}, "DIP139"),
        ({"dx": "S46.000", "procs": "81.9201"}, "DIP8635"),
        ({"dx": "S46.000", "procs": "81.9201|00.0001"}, "DIP8635"),  # a procedure more does not matter
        ({"dx": "S46.000", "procs": "00.0001|81.9201"}, "no_treatment_group"),
        ({"dx": "I21.000", "procs": "36.0700"}, "DIP2961"),
        ({"dx": "I21.000", "procs": "36.0700|17.5500x003"}, "DIP2967"),
        ({"dx": "I21.000", "procs": ""}, "DIP2965"),
        ({"dx": "I21.000", "procs": "99.9999"}, "no_treatment_group"),  # conservative only without any procedure
        ({"dx": "Y99", "procs": ""}, "no_dx_group"),
        ({"dx": "", "procs": "36.0700"}, "missing_principal_diagnosis"),
    ],
)
def test_the_national_list_2(case, expected):
    assert answer(case, "nhsa-dip-2.0") == expected


def test_all_of_and_any_of_over_all_procedures():
    """1.0: any order, more terms first, the principal one's row first, then the narrower."""
    one = "nhsa-dip-1.0"
    assert answer({"dx": "N20.000", "procs": "56.3100|56.0x02"}, one) == "N20.0_56.0x02+56.3100"
    assert answer({"dx": "N20.000", "procs": "56.0x02|57.3200x001"}, one) == "N20.0_56.0x02+56.3100/57.3200x001"
    assert answer({"dx": "N20.000", "procs": "56.0x02"}, one) == "N20.0_56.0x02"
    assert answer({"dx": "C20.x00", "procs": "48.5100"}, one) == "C20.x_48.5100"


@pytest.mark.parametrize(
    ("procs", "expected"),
    [
        ("06.4x00|40.4000|40.4000x003", "C73.x_06.4x00+40.4000+40.4000/40.4000x003"),
        ("40.4000|40.4000|06.4x00", "C73.x_06.4x00+40.4000+40.4000/40.4000x003"),  # twice, for two terms
        ("06.4x00|40.4000", "C73.x_06.4x00+40.4000"),
        (
            "06.4x00|06.4x00|40.4000",
            "C73.x_06.4x00+40.4000",
        ),  # three, but 40.4000 does for one term
        ("06.4x00|40.4000x003|40.4000x003", "C73.x_06.4x00+40.4000/40.4000x003"),
    ],
)
def test_a_procedure_does_for_one_term_only(procs, expected):
    for engine in ("reference", "columnar"):
        case = {"dx": "C73.x00", "procs": procs}
        assert drgdip.group([case], "nhsa-dip-1.0", engine=engine)[0]["group"] == expected


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_in_any_order_related_procedures_are_among_all_and_have_procedures_of_their_own(tmp_path, engine):
    """Where the order does not matter, neither does it for the columns that ask."""
    two = drgdip.load_catalogue("nhsa-dip-2.0", procedures="any")
    for procs in ("36.0700|17.5500x003", "17.5500x003|36.0700", "00.0001|17.5500x003|36.0700"):
        grouped = drgdip.group([{"dx": "I21.000", "procs": procs}], two, engine=engine)
        assert grouped[0]["group"] == "DIP2967", procs
    folder = shutil.copytree(SMALL, tmp_path / "small")
    with (folder / "groups.csv").open("a", encoding="utf-8") as file:
        file.write("TWICE,core,Q10,11.0001|12.0001,11.0001,,procedures,,,,,,,,\n")
    head = (SMALL / "catalogue.toml").read_text(encoding="utf-8")
    (folder / "catalogue.toml").write_text(re.sub(r"\[counts\][^\[]*", "[counts]\n", head), encoding="utf-8")
    small = drgdip.load_catalogue(folder)
    for procs, expected in (("99.0001|11.0001", None), ("12.0001|11.0001", "TWICE"), ("11.0001|11.0001", "TWICE")):
        grouped = drgdip.group([{"dx": "Q10.000", "procs": procs}], small, engine=engine)
        assert grouped[0]["group"] == expected, procs


@pytest.mark.parametrize("name", ["nhsa-dip-1.0", "dip-guiyang-2023"])
def test_terms_that_share_procedures_hold_if_each_can_have_its_own(name):
    """Against trying every way to give each term procedures of its own."""
    catalogue, random = drgdip.load_catalogue(name), Random(f"shared {name}")
    sharing = [group for group in catalogue.groups if group.shared[1] and group.terms <= 6]
    seen = set()
    for group in sharing:
        codes = sorted({code for term in group.procedures for code in term.codes})
        slots = [set(term.codes) for term in group.procedures for _ in range(term.times)]
        for _ in range(60):
            procs = random.choices(codes, k=random.randint(len(slots) - 1, len(slots) + 1))
            expected = any(
                all(code in slot for code, slot in zip(way, slots, strict=True))
                for way in set(itertools.permutations(procs, len(slots)))
            )
            situation = situation_of([group.dx[0]], procs, {}, catalogue)
            assert fits(group, situation, catalogue) is expected, (group.code, procs)
            seen.add(expected)
    assert sharing
    assert seen == {True, False}


def test_the_order_of_equal_combinations_is_that_of_the_principal_procedure():
    """72 combinations of Yunfu stand in two orders."""
    yunfu = "dip-yunfu-2023"
    assert answer({"dx": "C11.800", "procs": "86.0701|99.2503"}, yunfu) == "C11.8_86.0701+99.2503"
    assert answer({"dx": "C11.800", "procs": "99.2503|86.0701"}, yunfu) == "C11.8_99.2503+86.0701"


def test_mixed_groups_go_by_category_then_letter_and_by_the_gravest_treatment():
    yunfu = drgdip.load_catalogue("dip-yunfu-2023")
    kind = {code: kind for code, (kind, _) in yunfu.types.items()}
    surgery = next(code for code in kind if kind[code] == "surgery")
    diagnostic = next(code for code in kind if kind[code] == "diagnostic")
    for procs, expected in (([], "A02_0"), ([diagnostic], "A_1"), ([diagnostic, surgery], "A_3")):
        result = drgdip.group_one({"dx": ["A02.900"], "procs": procs}, yunfu)
        assert (result.group, result.kind) == (expected, "mixed")
    assert answer({"dx": "A02.900", "procs": "no such"}, yunfu) == "untyped_procedure"
    assert answer({"dx": "A02.900", "procs": "no such"}, drgdip.load_catalogue(yunfu, untyped="ignore")) == "A02_0"


def test_interventional_is_a_setting():
    hainan = drgdip.load_catalogue("dip-hainan-2023")
    code = next(code for code, (kind, _) in hainan.types.items() if kind == "interventional")
    case = {"dx": ["A01.900"], "procs": [code]}
    assert drgdip.group_one(case, hainan).treatment == "surgery"
    assert (
        drgdip.group_one(case, drgdip.load_catalogue(hainan, interventional="therapeutic")).treatment == "therapeutic"
    )


def test_ignored_procedures_count_as_none():
    assert answer({"dx": "A02.000", "procs": "02.2101"}, "dip-hainan-2023") == "A02.0"


def test_tiers():
    small = drgdip.load_catalogue(SMALL)
    assert answer({"dx": "A41.000", "procs": "11.0001"}, small) == "M1"
    assert answer({"dx": "A41.000", "procs": "11.0001|12.0001"}, small) == "M2"
    assert answer({"dx": "A41.000", "procs": "13.0001"}, small) == "no_tier_group"
    assert answer({"dx": "A41.000", "procs": "13.0001"}, drgdip.load_catalogue(small, untiered="2")) == "M2"
    assert answer({"dx": "A41.000", "procs": "15.0001"}, small) == "no_treatment_group"
    assert answer({"dx": "A42.000", "procs": ""}, small) == "M3"
    # Nanyang has tiers, but no list that says which procedure is in which
    assert answer({"dx": "A00.000", "procs": "43.4100"}, "dip-nanyang-2023") == "no_tier_group"


@pytest.mark.parametrize(
    ("not_principal", "expected"), [("excluded", "excluded_procedure"), ("conservative", "C1"), ("next", "C2")]
)
def test_a_procedure_that_may_not_be_principal(not_principal, expected):
    small = drgdip.load_catalogue(SMALL, not_principal=not_principal)
    assert answer({"dx": "A41.900", "procs": "14.0002|11.0001"}, small) == expected
    assert answer({"dx": "A41.900", "procs": "11.0001|14.0002"}, small) == "C2"


def test_conservative_procedures_and_where_they_may_be_principal():
    small = drgdip.load_catalogue(SMALL)
    assert answer({"dx": "A41.900", "procs": "14.0001|11.0001"}, small) == "C1"
    assert answer({"dx": "A41.900", "procs": "14.0003"}, small) == "untyped_procedure"  # allowed, and without a type
    assert answer({"dx": "A42.900", "procs": "14.0003"}, small) == "M3"


def test_primary_care_is_a_flag_beside_the_group():
    small = drgdip.load_catalogue(SMALL)
    flags = [drgdip.group_one({"dx": "A41.900", "procs": procs}, small)[:4] for procs in ("", "11.0001")]
    assert flags == [("C1", "core", "conservative", True), ("C2", "core", "surgery", True)]
    assert drgdip.group_one({"dx": "K35.801", "procs": "47.0100"}, THREE).primary_care is True
    assert drgdip.group_one({"dx": "M47.001+G99.2*", "procs": ""}, THREE).primary_care is True
    assert drgdip.group_one({"dx": "J96.001", "procs": "96.7201"}, THREE).primary_care is False
    assert drgdip.group_one({"dx": "Y99", "procs": ""}, THREE).primary_care is None


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (["most_terms", "longest_dx"], "C3"),
        (["no_unmatched"], "C3"),
        (["order"], "C2"),
        (["highest_score"], "C3"),
        (["fewest_alternatives"], "C2"),
    ],
)
def test_a_preference_chooses_among_those_that_fit(prefer, expected):
    case = {"dx": "A41.900", "procs": "11.0001|12.0002|13.0001"}
    assert answer(case, drgdip.load_catalogue(SMALL, prefer=prefer)) == expected


#: Rows of a national catalogue whose case another row takes, and why.
TAKEN_BY = {
    # two merge rows ask for a procedure alike: a tie, which the order of the workbook decides
    (THREE, "BX-326"): "BX-325",
    (THREE, "BX-924"): "BX-923",
    (THREE, "BX-932"): "BX-931",
    # a merge row has the same diagnosis and procedure, and merging comes before the basic rule
    (THREE, "JC-2339"): "BX-361",
    (THREE, "JC-3992"): "BX-1143",
}


@pytest.mark.parametrize("name", NATIONAL)
def test_every_row_takes_the_case_made_for_it(name):
    catalogue, random = drgdip.load_catalogue(name), Random(name)
    rows = {group.code: group for group in catalogue.groups}
    for group in catalogue.groups:
        case = dip_witness(group, catalogue, random)
        assert case is not None, group.code
        taken = rows[drgdip.group_one(case, catalogue).group]
        if taken is group:
            continue
        if name == "nhsa-dip-1.0":  # of overlapping any-of rows: as many terms, and no wider
            assert taken.terms >= group.terms
            assert taken.alternatives <= group.alternatives or principal_only(taken, case) > principal_only(group, case)
        else:
            assert TAKEN_BY[name, group.code] == taken.code


def principal_only(group, case):
    return case["procs"][0] in group.procedures[0].codes


@pytest.mark.parametrize("name", NATIONAL)
def test_what_nearly_misses_a_row_is_taken_only_by_rows_that_fit(name):
    catalogue, random = drgdip.load_catalogue(name), Random(f"near {name}")
    rows = {group.code: group for group in catalogue.groups}
    reasons = set()
    for group in random.sample(catalogue.groups, 600):
        case = dip_witness(group, catalogue, random)
        for near in dip_near_misses(case, catalogue, random):
            result = drgdip.group_one(near, catalogue)
            reasons.add(result.reason)
            if result.group:
                situation = situation_of(near["dx"], near["procs"], values_of(near), catalogue)
                assert fits(rows[result.group], situation, catalogue)
    assert {None, "no_treatment_group", "no_dx_group"} <= reasons
    assert ({"excluded_diagnosis", "excluded_procedure"} <= reasons) is (name == THREE)


@pytest.mark.parametrize("group", ["DIP2967", "DIP8635"])
def test_one_related_procedure_less_falls_back_to_diagnosis_and_principal_procedure(group):
    catalogue = drgdip.load_catalogue("nhsa-dip-2.0")
    row = next(row for row in catalogue.groups if row.code == group)
    case = dip_witness(row, catalogue, Random(0))
    assert drgdip.group_one(case, catalogue).group == group
    bare = drgdip.group_one(case | {"procs": case["procs"][:1]}, catalogue).group
    assert next(row for row in catalogue.groups if row.code == bare).related == ()


def test_a_trace_has_every_group_tried():
    trace = drgdip.explain({"case_id": 7, "dx": "I21.001", "procs": "36.0601|00.2400x001"}, THREE)
    assert trace.result.group == "BX-619"
    assert [step.code for step in trace.steps if step.holds] == ["BX-619"]
    text = trace.text(detail="full", width=400)
    assert text.startswith("case 7 · nhsa-dip-3.0 · grouped\ngroup: BX-619  I21; 36.0601|")
    assert "✗ merge BX-620: related procedure: none of 00.5902 冠状动脉血流储备分数检查" in text
    assert "✗ merge BX-623: fits, but another is preferred: it asks for more procedures" in text
    chinese = trace.text("zh", detail="full", width=400)
    assert "符合，但另有优先病种：要求的手术操作更多" in chinese
    assert "✗ 并项核心病种 BX-620：相关手术操作不在 00.5902 冠状动脉血流储备分数检查 中" in chinese
    assert trace.to_dict()["result"]["kind"] == "merge"
    assert "<b>case 7" in trace._repr_html_()
    refused = drgdip.explain({"dx": "A00.000", "procs": ""}, THREE)
    assert refused.steps == ()
    assert "may not be a principal one" in str(refused)


def test_what_cannot_be_read_is_invalid_only_where_it_is_asked_for():
    case = {"dx": "A46.x00", "procs": "", "newborn_weight": "many"}
    assert answer(case, "nhsa-dip-2.0") == "DIP139"
    assert answer(case, THREE) == "unreadable_newborn_weight"
