"""Local schemes: what they change of a base, assembled strictly."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import DATA, SMALL

from drgdip import SchemeError, group, group_one, load_scheme

LOCAL = DATA / "schemes" / "local"
BAD = DATA / "schemes" / "bad_local"
TABLES = ("sets.csv", "severity.csv", "exclusions.csv")


@pytest.fixture
def local(tmp_path):
    """A copy of the small local scheme, its base beside it, that a test may spoil."""
    shutil.copytree(SMALL, tmp_path / "small")
    shutil.copytree(LOCAL, tmp_path / "other")
    return Path(shutil.copytree(LOCAL, tmp_path / "local"))


def test_what_is_not_changed_is_the_base(local):
    base, scheme = load_scheme(SMALL), load_scheme(local)
    assert [(mdc.code, mdc.rule) for mdc in scheme.mdcs] == [(mdc.code, mdc.rule) for mdc in base.mdcs]
    assert [adrg.code for adrg in scheme.adrgs] == [adrg.code for adrg in base.adrgs]
    assert scheme.sets["DX_D"] is base.sets["DX_D"] or scheme.sets["DX_D"] == base.sets["DX_D"]
    assert scheme.info.extends == "../small"
    assert scheme.info.diagnosis_codes == base.info.diagnosis_codes
    assert not base.evaluation.adrg_fallthrough
    assert scheme.evaluation.adrg_fallthrough
    assert scheme.evaluation.required == base.evaluation.required
    assert set(scheme.annexes) == set()
    assert scheme.folder == local


def test_changes_are_made(local):
    scheme = load_scheme(local)
    assert scheme.sets["DX_B"] == {"B01.100", "B02.200", "B03.300"}
    assert scheme.sets["DX_C"] == {"C03.300", "C04.400"}
    assert scheme.sets["OP_NEW"] == {"50.1000"}
    assert "OP_UNUSED" not in scheme.sets
    assert scheme.sets["OP_VALID"] == {"10.1000", "20.1000", "20.2000", "30.1000", "50.1000"}
    assert scheme.exclusions == {"x1": {"B01.100", "C01.100"}, "x3": {"B02.200"}}
    assert scheme.severity["N01.100"].levels == ("MCC", "CC")
    assert scheme.severity["N02.200"].exclusion == "x3"
    assert scheme.severity["N04.400"].level == "CC"
    assert scheme.names["BR25"] == "神经内科轻，改名"
    assert load_scheme(SMALL).sets["DX_B"] == {"B01.100", "B02.200"}


def test_tables_that_do_not_change_may_be_absent(local):
    for name in (*TABLES, "drg.csv"):
        (local / name).unlink()
    head = local / "scheme.toml"
    text = re.sub(r"\[(counts|evaluation)\]\n([^\[\n]+\n)+", r"[\1]\n", head.read_text(encoding="utf-8"))
    head.write_text(text, encoding="utf-8")
    base, scheme = load_scheme(SMALL), load_scheme(local)
    assert scheme.mdcs == base.mdcs
    assert (scheme.sets, scheme.severity, scheme.exclusions) == (base.sets, base.severity, base.exclusions)
    assert scheme.evaluation == base.evaluation
    assert scheme.info.sha256 != base.info.sha256


def test_only_exclusions_may_change(local):
    for name in ("sets.csv", "severity.csv", "drg.csv"):
        (local / name).unlink()
    (local / "exclusions.csv").write_text("change,exclusion,code\n+,x1,B09.900\n", encoding="utf-8")
    head = local / "scheme.toml"
    head.write_text(re.sub(r"\[counts\]\n(.+\n)+", "[counts]\n", head.read_text(encoding="utf-8")), encoding="utf-8")
    assert load_scheme(local).exclusions["x1"] == {"B01.100", "C01.100", "B09.900"}


def test_the_digest_covers_the_base(local):
    before = load_scheme(local).info.sha256
    base = local.parent / "small" / "differences.csv"
    base.write_text(base.read_text(encoding="utf-8").replace("large", "Large"), encoding="utf-8")
    assert load_scheme(local).info.sha256 != before


def test_the_order_of_changes_does_not_matter(local):
    expected = load_scheme(local)
    for name in TABLES:
        header, *rows = (local / name).read_text(encoding="utf-8").splitlines()
        (local / name).write_text("\n".join([header, *reversed(rows)]) + "\n", encoding="utf-8")
    scheme = load_scheme(local)
    assert (scheme.sets, scheme.exclusions) == (expected.sets, expected.exclusions)
    assert dict(scheme.severity) == dict(expected.severity)


def test_a_code_that_is_mcc_and_cc_is_both(make_scheme):
    """Both engines: each level counts, and the gravest is reported."""
    scheme = make_scheme(
        {"MDCA": ""},
        {("MDCA", "AB1"): "QTZD in CC and QTZD not in MCC", ("MDCA", "AC1"): "QTZD in CC", ("MDCA", "AD1"): ""},
        {("AB1", "AB19"): "", ("AC1", "AC19"): "", ("AD1", "AD19"): ""},
        severity=[("N01", "CC", "x"), ("N01", "MCC", "x"), ("N02", "CC", ""), ("N03", "MCC", ""), ("N00", "MCC", "")],
        exclusions={"x": ["P01"]},
    )
    expected = {
        ("P00", "N01"): ("AC19", "MCC", "N01"),
        ("P01", "N01"): ("AD19", None, None),
        ("P00", "N02"): ("AB19", "CC", "N02"),
        ("P00", "N03"): ("AD19", "MCC", "N03"),
        ("P00", "N01", "N03"): ("AC19", "MCC", "N01"),
        ("P00", "N00", "N01"): ("AC19", "MCC", "N00"),
        ("P01", "N01", "N02", "N03"): ("AC19", "MCC", "N03"),
    }
    cases = [{"dx": list(dx), "procs": []} for dx in expected]
    one = [group_one(case, scheme) for case in cases]
    assert [(result.group, result.severity, result.severity_code) for result in one] == list(expected.values())
    for engine in ("reference", "columnar"):
        found = group(cases, scheme, engine=engine)
        assert [(row["group"], row["severity"], row["severity_code"]) for row in found] == list(expected.values())


#: Fixture (the problem, and after a hyphen which of several), file, line, what the message says.
FAULTS = [
    ("absent_row-exclusion", "exclusions.csv", 2, "- x1 B09.900: the base has no such row"),
    ("absent_row-set", "sets.csv", 2, "- DX_B B09.900: the base has no such row"),
    ("absent_row-set_taken_away", "sets.csv", 3, "- OP_UNUSED 99.9000: the base has no such row"),
    ("absent_row-severity", "severity.csv", 2, "- N01.100,CC,x2: the base has no such row"),
    ("absent_row-whole_set", "sets.csv", 2, "- DX_X: the base has no such row"),
    ("bad_value", "scheme.toml", None, "extends is 3. Give a text in quotes"),
    ("duplicate-change", "sets.csv", 3, "+, DX_B, B03.300: already on line 2"),
    ("duplicate-set_of_base", "sets.csv", 2, "+ DX_B B01.100: the base has this row already"),
    ("duplicate-severity_of_base", "severity.csv", 2, "+ N01.100,CC,x1: the base has this row already"),
    ("duplicate-tables_of_a_code", "severity.csv", 2, "N01.100 is MCC and CC, but its rows name different"),
    ("empty_cell-added_set", "sets.csv", 2, "column 'code' is empty. Only a - row may name a whole set"),
    ("empty_cell-change", "sets.csv", 2, "column 'change' is empty"),
    ("missing_column", "sets.csv", 1, "column 'change' is missing. The columns are change,set,code"),
    ("missing_key", "scheme.toml", None, "'issuer' is missing"),
    ("unknown_base-folder", "scheme.toml", None, "it extends '../nothing', where there is no folder"),
    ("unknown_base-id", "scheme.toml", None, "it extends 'chs-drg-9.9', which is no scheme"),
    ("unknown_base-local", "scheme.toml", None, "it extends '../other', which extends another scheme itself"),
    ("unknown_exclusion-added", "severity.csv", 2, "N05.500 names exclusion table 'x9'"),
    ("unknown_exclusion-taken_away", "exclusions.csv", None, "exclusion table x1 is taken away"),
    ("unknown_set-taken_away", "drg.csv", 14, "the rule of CR11 names set 'DX_D', which has no row"),
    ("unknown_value-change", "sets.csv", 2, "change '~'. The changes are + (not in the base)"),
    ("unknown_value-severity_change", "severity.csv", 2, "change '*'. The changes are"),
    ("unreachable", "drg.csv", 11, "BR25 can never be reached: BR24 before it in BR2 takes every case"),
    ("wrong_count", "scheme.toml", None, "[counts] says drg = 11, the tables have 12"),
]


@pytest.mark.parametrize(("fixture", "file", "row", "what"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_an_error_that_says_where(fixture, file, row, what, local):
    for name in TABLES:
        if not {"scheme.toml", "drg.csv"} & {path.name for path in (BAD / fixture).iterdir()} or "set" in fixture:
            (local / name).unlink()
    shutil.copytree(BAD / fixture, local, dirs_exist_ok=True)
    with pytest.raises(SchemeError) as caught:
        load_scheme(local)
    assert caught.value.problem == fixture.partition("-")[0]
    assert Path(caught.value.file) == local / file
    assert caught.value.row == row
    assert what in str(caught.value)
    assert str(caught.value).endswith(".")


def test_every_bad_fixture_is_tested():
    assert {path.name for path in BAD.iterdir()} == {fault[0] for fault in FAULTS}


def test_a_base_without_a_head_is_missing(local):
    (local.parent / "small" / "scheme.toml").unlink()
    with pytest.raises(SchemeError, match="the file is missing") as caught:
        load_scheme(local)
    assert Path(caught.value.file).name == "scheme.toml"
