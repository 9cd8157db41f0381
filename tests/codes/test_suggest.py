"""Names and codes that are not quite right lead to the codes that are meant."""

from __future__ import annotations

import pytest

import drgdip

DX, PROCS = "nhsa-icd10-2.0", "nhsa-icd9cm3-2.0"
CASE = {"sex": 1, "age": 60, "procs": ""}


@pytest.mark.parametrize(
    ("text", "first", "match"),
    [
        ("I63.900", "I63.900", "code"),
        ("i63900", "I63.900", "code"),
        ("Ｉ63.900", "I63.900", "code"),
        ("脑梗死", "I63.900", "name"),
        ("I63.9", "I63.900", "beginning"),
    ],
)
def test_the_first_suggestion(text, first, match):
    found = drgdip.suggest_codes(text, DX)[0]
    assert (found.code, found.match) == (first, match)


def test_mistyped_codes_and_names_find_their_like():
    assert "I63.900" in drgdip.suggest_codes("I63.9OO", DX)["code"]
    assert "I63.900" in drgdip.suggest_codes("脑梗塞死", DX, limit=30)["code"]


def test_codes_of_both_kinds_and_limits():
    found = drgdip.suggest_codes("阑尾", limit=500)
    assert set(found["code_set"]) == {DX, PROCS}
    assert len(drgdip.suggest_codes("阑尾", limit=3)) == 3
    assert len(drgdip.suggest_codes("")) == 0
    with pytest.raises(drgdip.UnknownNameError, match="code set"):
        drgdip.suggest_codes("A00", "icd")
    with pytest.raises(drgdip.CaseError, match="limit"):
        drgdip.suggest_codes("A00", limit=0)


def test_codes_for_settlement_stand_before_grey_ones():
    found = drgdip.suggest_codes("高血压", DX, limit=200)
    within = [row.grey for row in found if row.match == "beginning"]
    assert within == sorted(within)


def hints(dx, **more):
    return drgdip.explain(CASE | {"dx": dx} | more, "chs-drg-2.0").hints


@pytest.mark.parametrize("separator", [",", "，", "、", ";", "；", "/", " "])
def test_several_codes_in_one_text(separator):
    (hint,) = hints(f"I63.900{separator}I10.x00")
    assert (hint.reason, hint.nearest) == ("hint_joined", ("I63.900", "I10.x00"))


def test_a_name_in_the_place_of_a_code():
    (hint,) = hints("脑梗死")
    assert hint.reason == "hint_name"
    assert hint.nearest[0] == "I63.900"


def test_a_mistyped_code_has_its_nearest():
    (hint,) = hints("I63900")
    assert (hint.reason, hint.nearest[0]) == ("hint_unknown", "I63.900")


def test_a_code_of_another_edition_is_named():
    from drgdip.cases.codes import crosswalk, known_codes

    walk = crosswalk("clinical-icd10-2.0", DX)
    code = min(code for code in walk.counterparts if code not in known_codes(DX))
    (hint,) = hints(code)
    assert hint.reason == "hint_edition"
    assert "clinical-2.0" in hint.editions
    text = drgdip.explain(CASE | {"dx": code}, "chs-drg-2.0").text()
    assert "codes=" in text
    assert "clinical-2.0" in text


def test_a_grey_code_is_named():
    from drgdip.cases.codes import grey_codes

    results = {code: drgdip.explain(CASE | {"dx": code}, "chs-drg-2.0") for code in sorted(grey_codes(DX))[:50]}
    told = {code: found.hints[0].reason for code, found in results.items() if found.result.status != "grouped"}
    assert told
    assert set(told.values()) == {"hint_grey"}


def test_a_grouped_case_has_no_hints():
    found = drgdip.explain({"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"]}, "chs-drg-2.0")
    assert found.result.status == "grouped"
    assert found.hints == ()


def test_hints_are_told_in_chinese():
    text = drgdip.explain(CASE | {"dx": "脑梗死"}, "chs-drg-2.0").text("zh")
    assert "提示: 脑梗死是名称，不是编码; 最接近的编码: I63.900" in text


@pytest.mark.parametrize(
    ("name", "edition"),
    [
        ("国临2.0", "clinical-2.0"),
        ("国家临床版 2.0", "clinical-2.0"),
        ("临床版１.0", "clinical-1.0"),
        ("医保版2.0", "nhsa-2.0"),
        ("医保1.0版", "nhsa-1.0"),
        ("北京临床版7.0", "beijing-7.0"),
    ],
)
def test_editions_are_understood_by_their_names_in_the_field(name, edition):
    from drgdip.cases.codes import edition_of

    assert edition_of(name) == edition_of(edition)


def test_an_edition_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(drgdip.UnknownNameError, match=r"clinical-2.0 \(国家临床版 2.0"):
        drgdip.group([CASE | {"dx": "A00"}], "chs-drg-2.0", codes="国临9.0")


@pytest.mark.parametrize("place", ["南京", "南京市", "Nanjing"])
def test_a_place_as_a_scheme_is_answered_with_its_ids(place):
    with pytest.raises(drgdip.UnknownNameError, match="is a place: give one of its ids, chs-drg-2.0-nanjing-2024"):
        drgdip.group([CASE | {"dx": "A00"}], place)


@pytest.mark.parametrize(
    ("place", "said"), [("金华", "its province has zj-drg-1.0-zhejiang-2022"), ("拉萨", "here: find_")]
)
def test_a_place_without_a_scheme_is_answered_with_what_its_province_has(place, said):
    with pytest.raises(drgdip.UnknownNameError, match=f"{place} is a place without a scheme or catalogue.*{said}"):
        drgdip.group([CASE | {"dx": "A00"}], place)


def test_checks_tell_why_codes_are_unknown():
    from drgdip.cases.codes import crosswalk, known_codes

    walk = crosswalk("clinical-icd10-2.0", DX)
    other = min(code for code in walk.counterparts if code not in known_codes(DX))
    texts = {"I63.900，I10.x00": "joined_diagnosis", "脑梗死": "name_diagnosis", other: "edition_diagnosis", "Q": None}
    cases = [CASE | {"age_days": None, "newborn_weight": None, "los": 3, "discharge": 1, "dx": text} for text in texts]
    found = drgdip.check_cases(cases, "chs-drg-2.0")
    why = {"joined_diagnosis", "name_diagnosis", "edition_diagnosis"}
    told = {row["row"]: row["rule"] for row in found if row["rule"] in why}
    assert [told.get(row) for row in range(4)] == list(texts.values())
