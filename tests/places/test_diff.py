"""What changed between two schemes."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pyarrow as pa
import pytest
from conftest import DATA, SCHEMES, SMALL

from drgdip import CaseError, UnknownNameError, diff_cases, diff_schemes, group_one, load_scheme, sample_cases
from drgdip.grouper.changes import CHANGES

LOCAL = DATA / "schemes" / "local"


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_a_scheme_does_not_differ_from_itself(scheme_id):
    assert diff_schemes(scheme_id, scheme_id).num_rows == 0


def test_every_change_of_a_small_scheme():
    rows = [tuple(row.values()) for row in diff_schemes(load_scheme(SMALL), load_scheme(LOCAL)).to_pylist()]
    assert rows == [
        ("evaluation", "option", None, "adrg_fallthrough", "false", "true"),
        ("drg", "added", "BR2", "BR24", None, "神经内科老"),
        ("drg", "renamed", "BR2", "BR25", "神经内科轻", "神经内科轻，改名"),
        ("drg", "rule", "BR2", "BR25", "NL >= 18", ""),
        ("sets", "gone", None, "40.1000", "OP_VALID", None),
        ("sets", "added", None, "50.1000", None, "OP_NEW"),
        ("sets", "added", None, "50.1000", None, "OP_VALID"),
        ("sets", "gone", None, "99.9000", "OP_UNUSED", None),
        ("sets", "added", None, "B03.300", None, "DX_B"),
        ("sets", "gone", None, "C01.100", "DX_C", None),
        ("sets", "added", None, "C03.300", None, "DX_C"),
        ("sets", "added", None, "C04.400", None, "DX_C"),
        ("severity", "level", None, "N01.100", "CC", "MCC and CC"),
        ("severity", "exclusion", None, "N02.200", "x2", "x3"),
        ("severity", "added", None, "N04.400", None, "CC"),
        ("exclusions", "moved", None, "B02.200", "x2", "x3"),
    ]


def test_a_difference_read_backwards():
    there = diff_schemes("chs-drg-2.0", "chs-drg-2.0-nanjing-2024").to_pylist()
    back = diff_schemes("chs-drg-2.0-nanjing-2024", "chs-drg-2.0").to_pylist()
    opposite = {"added": "gone", "gone": "added"}
    turned = Counter(
        (row["table"], opposite.get(row["change"], row["change"]), row["before"], row["after"]) for row in there
    )
    assert turned == Counter((row["table"], row["change"], row["after"], row["before"]) for row in back)
    assert {row["change"] for row in there} <= CHANGES.keys()


def test_rows_that_moved_or_changed_their_kind(make_scheme):
    sets = {"A": ["1"], "B": ["2"], "C": ["3"]}
    before = make_scheme(
        {"MDCA": "", "MDCB": "ZYZD in A"},
        {("MDCA", "AA1"): "ZYZD in A", ("MDCA", "AB1"): "ZYZD in B", ("MDCA", "AC1"): "", ("MDCB", "BA1"): ""},
        {("AA1", "AA11"): "NL < 5", ("AA1", "AA15"): "", ("AB1", "AB19"): "", ("AC1", "AC19"): "", ("BA1", "BA19"): ""},
        sets=sets,
    )
    after = make_scheme(
        {"MDCB": "ZYZD in NEW", "MDCA": ""},
        {
            ("MDCA", "AB1"): "ZYZD in B",
            ("MDCA", "AA1"): "ZYZD in NEW",
            ("MDCA", "AC1"): "",
            ("MDCB", "BA1"): "ZYZD in B",
        },
        {("AA1", "AA15"): "", ("AB1", "AA11"): "NL < 5", ("AB1", "AB19"): "", ("AC1", "AC19"): "", ("BA1", "BA19"): ""},
        sets={"NEW": ["1"], "B": ["2"], "C": ["3", "4"]},
    )
    rows = [tuple(row.values()) for row in diff_schemes(before, after).to_pylist()]
    assert rows == [
        ("mdc", "order", None, "MDCB", "2", "1"),
        ("adrg", "rule", "MDCB", "BA1", "", "ZYZD in B"),
        ("adrg", "order", "MDCA", "AB1", "2", "1"),
        ("drg", "parent", "AB1", "AA11", "AA1", "AB1"),
        ("sets", "renamed", None, "NEW", "A", "NEW"),
        ("sets", "added", None, "4", None, "C"),
    ]


def test_a_result_that_names_another_mdc(small_folder, tmp_path):
    path = small_folder / "adrg.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("ambiguous,ZYSS in OP_VALID,", "ambiguous,ZYSS in OP_VALID,MDCC"), encoding="utf-8")
    rows = diff_schemes(SMALL, small_folder).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("adrg", "result_mdc", "MDCB", "BQY", "MDCB", "MDCC")]
    case = {"sex": 1, "age": 60, "dx": ["B01.100"], "procs": ["30.1000"]}
    assert [group_one(case, folder)[:3] for folder in (SMALL, small_folder)] == [
        ("MDCB", "BQY", "BQY0"),
        ("MDCC", "BQY", "BQY0"),
    ]
    written = load_scheme(small_folder)
    written.to_folder(tmp_path / "written")
    assert diff_schemes(small_folder, tmp_path / "written").num_rows == 0


def test_a_changed_kind(make_scheme):
    sides = [
        make_scheme({"MDCA": ""}, {("MDCA", "A00"): ""}, {("A00", "A009"): ""}),
        load_scheme(SMALL),
    ]
    rows = diff_schemes(*sides).to_pylist()
    assert ("adrg", "gone", "MDCA", "A00") in {tuple(row.values())[:4] for row in rows}


def test_an_unknown_scheme():
    with pytest.raises(UnknownNameError):
        diff_schemes("chs-drg-2.0", "chs-drg-9.0")


# --- cases -----------------------------------------------------------------------------------------------------------

BEFORE, AFTER = "chs-drg-2.0", "chs-drg-2.0-nanjing-2024"


def test_every_case_is_counted_once_and_moves_stand_first():
    cases = sample_cases(1000, BEFORE, seed=5)
    rows = diff_cases(cases, BEFORE, AFTER).to_pylist()
    expected = Counter(
        (one.group, one.status, other.group, other.status)
        for one, other in ((group_one(case, BEFORE), group_one(case, AFTER)) for case in cases.to_pylist())
    )
    names = ("before", "before_status", "after", "after_status")
    assert {tuple(row[name] for name in names): row["cases"] for row in rows} == expected
    assert all(
        row["moved"] == ((row["before"], row["before_status"]) != (row["after"], row["after_status"])) for row in rows
    )
    moved = [row["moved"] for row in rows]
    assert any(moved)
    assert moved == sorted(moved, reverse=True)
    counts = [row["cases"] for row in rows if row["moved"]]
    assert counts == sorted(counts, reverse=True)
    assert rows[0]["after_name"] == load_scheme(AFTER).names[rows[0]["after"]]


def test_any_container_of_cases():
    cases = sample_cases(60, BEFORE, seed=6)
    expected = diff_cases(cases, BEFORE, AFTER)
    for data in (cases.to_pylist(), cases.to_pandas(), pl.from_arrow(cases), pl.from_arrow(cases).lazy()):
        assert diff_cases(data, BEFORE, AFTER).equals(expected)
    renamed = cases.rename_columns({"dx": "Diagnosen"})
    assert diff_cases(renamed, BEFORE, AFTER, columns={"dx": "Diagnosen"}).equals(expected)


def test_cases_that_are_no_group():
    rows = diff_cases([{"sex": 0, "age": 1, "dx": "A00", "procs": ""}], BEFORE, AFTER).to_pylist()
    assert rows == [
        {
            "before": None,
            "before_status": "invalid",
            "before_name": None,
            "before_cases": 1,
            "after": None,
            "after_status": "invalid",
            "after_name": None,
            "after_cases": 1,
            "cases": 1,
            "moved": False,
        }
    ]
    assert diff_cases(sample_cases(5, BEFORE).slice(0, 0), BEFORE, AFTER).num_rows == 0


@pytest.mark.parametrize("data", [3, {"dx": "A00"}, pa.table({"a": [1]})])
def test_what_is_no_cases(data):
    with pytest.raises(CaseError):
        diff_cases(data, BEFORE, AFTER)
