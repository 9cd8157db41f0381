"""Diagnoses of Chinese medicine in settlement lists, under both numberings of ``diag_type``.

Three kinds: 1 Western, 2 disease and 3 syndrome of Chinese medicine. Four kinds: 1 the Western principal, 2 other
Western ones, 3 disease and 4 syndrome of Chinese medicine. Either part may have a main flag of its own.
"""

import json

import pytest

from drgdip import check_cases, explain, group, group_one, read_cases
from drgdip.cases.codes import known_codes
from drgdip.cases.settlement_list import is_tcm

SCHEME = "chs-drg-2.0"
PRINCIPAL, OTHER = "I63.900", "E87.600"
#: Numberings: the kinds of the Western principal, another Western, a disease and a syndrome of Chinese medicine.
NUMBERINGS = {"three kinds": "1123", "four kinds": "1234", "none": ["", "", "", ""]}
#: Codes of a disease and a syndrome, by the classifications that are in use.
CODES = {"of 1995": ("BNP120", "ZZBF10"), "of 2020": ("A07.01.01", "B04.02.01.03.01"), "short": ("A17.07", "B04.02")}


def listed(*diagnoses):
    names = ("diag_type", "diag_code", "maindiag_flag")
    return {
        "setlinfo": {"medcasno": "1", "gend": "1", "age": "71", "diag_code_cnt": str(len(diagnoses))},
        "diseinfo": [dict(zip(names, one, strict=True)) for one in diagnoses],
    }


def of(numbering, codes):
    """The four diagnoses of a list by their place: each part has a main one."""
    main, other, disease, syndrome = NUMBERINGS[numbering]
    return [
        (disease, CODES[codes][0], "1"),
        (syndrome, CODES[codes][1], "0"),
        (main, PRINCIPAL, "1"),
        (other, OTHER, "0"),
    ]


def doors(body):
    """The diagnoses and those of Chinese medicine, and the status at every door, which must be one."""
    message = {"infno": "4101A", "input": body}
    cases = read_cases(message)
    assert read_cases(json.dumps(message).encode(), format="json").equals(cases)
    results = {tuple(group(cases, SCHEME, engine=engine).to_pylist()[0][name] for name in ("group", "status", "reason"))
               for engine in ("reference", "columnar")}  # fmt: skip
    for door in (group_one(message, SCHEME), group_one(body, SCHEME), explain(message, SCHEME).result):
        results.add((door.group, door.status, door.reason))
    results |= {tuple(row[name] for name in ("group", "status", "reason")) for row in group([message, body], SCHEME)}
    assert len(results) == 1
    return cases["dx"].to_pylist()[0], cases["tcm_dx"].to_pylist()[0], results.pop(), cases


@pytest.mark.parametrize("order", ["chinese first", "western first"])
@pytest.mark.parametrize(
    ("numbering", "codes"),
    [(numbering, codes) for numbering in NUMBERINGS for codes in CODES if (numbering, codes) != ("none", "short")],
)
def test_the_western_main_diagnosis_is_the_principal_one(numbering, codes, order):
    given = of(numbering, codes)
    dx, tcm, result, cases = doors(listed(*(given if order == "chinese first" else given[2:] + given[:2])))
    assert (dx, tcm) == ([PRINCIPAL, OTHER], list(CODES[codes]))
    assert result == ("BR23", "grouped", None)
    # Neither their codes nor their number is a fault of the list.
    assert (
        check_cases(cases, SCHEME)["rule"].to_pylist()
        == check_cases(read_cases(listed(*given[2:])), SCHEME)["rule"].to_pylist()
    )


@pytest.mark.parametrize("numbering", ["three kinds", "four kinds"])
def test_if_chinese_medicine_alone_has_a_main_diagnosis_there_is_none(numbering):
    disease, syndrome, main, other = of(numbering, "of 1995")
    dx, tcm, result, _ = doors(listed(disease, syndrome, (main[0], main[1], "0"), other))
    assert (dx, tcm) == ([None, PRINCIPAL, OTHER], ["BNP120", "ZZBF10"])
    assert result == (None, "invalid", "missing_principal_diagnosis")


def test_a_western_diagnosis_of_kind_two_is_no_chinese_one():
    """In four kinds 2 is another Western diagnosis: it counts, and may make a complication."""
    dx, tcm, result, _ = doors(listed(("1", PRINCIPAL, "1"), ("2", OTHER, "0")))
    assert (dx, tcm, result[0]) == ([PRINCIPAL, OTHER], [], "BR23")


def test_a_principal_that_lost_a_zero_is_no_chinese_one():
    """A41.90 has the form of A17.07; its kind says Western, so that the reason is that of its code."""
    dx, tcm, result, _ = doors(listed(("1", "A41.90", "1"), ("2", OTHER, "0")))
    assert (dx, tcm) == (["A41.90", OTHER], [])
    assert result[2] != "missing_principal_diagnosis"


def test_of_several_main_ones_the_first_that_the_national_icd_10_has():
    dx, tcm, _, cases = doors(listed(("1", "X99.X", "1"), ("1", PRINCIPAL, "1"), ("2", "BNP120", "1")))
    assert (dx, tcm) == ([PRINCIPAL, "X99.x"], ["BNP120"])
    assert "several_main_diagnoses" in check_cases(cases, SCHEME)["rule"].to_pylist()


def test_no_code_of_the_national_icd_10_is_a_chinese_one():
    assert not [code for code in known_codes("nhsa-icd10-2.0") if is_tcm(code, "2")]


@pytest.mark.parametrize("code", [None, 7, "", "无", "I63", "I63.9", "M10.07", "S52.00", "I63.900x001"])
def test_what_is_no_code_of_chinese_medicine(code):
    assert not is_tcm(code, "2")


def test_a_file_of_lists_with_and_without_chinese_medicine(tmp_path):
    bodies = [listed(*of("four kinds", "of 2020")), listed(("1", PRINCIPAL, "1"), ("1", OTHER, "0"))]
    path = tmp_path / "lists.json"
    path.write_text(json.dumps([{"infno": "4101A", "input": body} for body in bodies]), encoding="utf-8")
    cases = read_cases(path)
    assert cases["tcm_dx"].to_pylist() == [list(CODES["of 2020"]), []]
    assert group(cases, SCHEME)["group"].to_pylist() == ["BR23", "BR23"]
