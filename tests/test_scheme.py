"""Schemes: found, loaded strictly, once, and never changed. One bad fixture for each way to break the format."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from conftest import BAD, SCHEMES, SMALL, SOURCE

from drgdip import (
    DrgdipError,
    RuleError,
    SchemeError,
    UnknownNameError,
    group_one,
    list_schemes,
    load_scheme,
)
from drgdip.data import rows_of
from drgdip.grouper.drg import load as loading
from drgdip.grouper.drg.model import KINDS
from drgdip.grouper.tables import OPTIONAL

# --- the schemes of the package -------------------------------------------------------------------------------------


def test_the_package_has_four_national_schemes():
    assert SCHEMES == ["chs-drg-1.0-revised", "chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0"]


@pytest.mark.parametrize(
    ("scheme_id", "revision", "adrg", "drg"),
    [
        ("chs-drg-1.0-revised", 1, 376, 618),
        ("chs-drg-1.1", 2, 376, 628),
        ("chs-drg-2.0", 2, 409, 634),
        ("chs-drg-3.0", 2, 492, 825),
    ],
)
def test_counts_are_those_of_the_publications(scheme_id, revision, adrg, drg):
    scheme = load_scheme(scheme_id)
    usual = [row for row in scheme.adrgs if row.kind in {"surgical", "procedure", "medical"}]
    assert len(scheme.mdcs) == 26
    assert len({row.code for row in usual}) == adrg
    assert len({group.code for row in usual for group in row.drgs}) == drg
    assert repr(scheme) == f"<Scheme {scheme_id} revision {revision}: 26 MDC, {adrg} ADRG, {drg} DRG>"


NATIONAL = [info for info in list_schemes() if not info.extends]


@pytest.mark.parametrize("info", NATIONAL, ids=lambda info: info.id)
def test_the_index_says_what_the_scheme_says(info):
    assert info == load_scheme(info.id).info
    assert info.issuer == "国家医疗保障局"
    assert info.place == "全国"
    assert info.revision >= 1
    assert re.fullmatch(r"[0-9a-f]{64}", info.sha256)
    assert info.provenance


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_children_stand_in_order_under_their_parent(scheme_id):
    scheme = load_scheme(scheme_id)
    assert [mdc.order for mdc in scheme.mdcs] == list(range(1, len(scheme.mdcs) + 1))
    for mdc in scheme.mdcs:
        assert [adrg.order for adrg in mdc.adrgs] == list(range(1, len(mdc.adrgs) + 1))
        assert {adrg.mdc for adrg in mdc.adrgs} == {mdc.code}
        for adrg in mdc.adrgs:
            assert adrg.kind in KINDS
            assert [drg.order for drg in adrg.drgs] == list(range(1, len(adrg.drgs) + 1))
            assert {drg.adrg for drg in adrg.drgs} <= {adrg.code}


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_notes_and_differences_are_kept(scheme_id):
    scheme = load_scheme(scheme_id)
    assert scheme.notes
    on_disk = {path.name for path in scheme.folder.iterdir()}
    kept = set(OPTIONAL) & on_disk
    assert set(scheme.annexes) == kept
    for name in kept:
        lines = (scheme.folder / name).read_text(encoding="utf-8").splitlines()
        assert len(scheme.annexes[name]) == len(list(scheme.annexes[name].rows)) == len(lines) - 1


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_every_mdc_has_an_english_name(scheme_id):
    assert {mdc.code for mdc in load_scheme(scheme_id).mdcs} <= {row["code"] for row in rows_of("names/mdc.csv")}


# --- loading --------------------------------------------------------------------------------------------------------


def test_a_scheme_is_loaded_once():
    scheme = load_scheme("chs-drg-1.1")
    assert load_scheme("chs-drg-1.1") is scheme
    assert load_scheme(scheme) is scheme


@pytest.mark.usefixtures("unloaded")
def test_a_scheme_is_loaded_once_by_many_threads(monkeypatch):
    loads = []
    load = loading.load_folder
    monkeypatch.setattr(loading, "load_folder", lambda *a: loads.append(a) or load(*a))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        schemes = list(pool.map(load_scheme, ["chs-drg-1.0-revised"] * 16))
    assert len({id(scheme) for scheme in schemes}) == 1
    assert len(loads) == 1


def test_a_folder_of_ones_own_loads_the_same_way(small_folder):
    for path in (small_folder, str(small_folder)):
        scheme = load_scheme(path)
        assert scheme.id == "small"
        assert repr(scheme) == "<Scheme small revision 3: 3 MDC, 7 ADRG, 11 DRG>"
        assert scheme.info.valid_from == "2026-01-01"
        assert scheme.info.valid_to == ""
        assert scheme.folder == small_folder
        assert scheme.names["AB11"] == "多次操作，久"
        assert list(scheme.annexes["differences.csv"].rows) == [("adrg.csv", "BR2", "small", "large")]


def test_a_packaged_scheme_loads_from_its_folder_too():
    packaged = load_scheme("chs-drg-2.0")
    again = load_scheme(packaged.folder)
    assert again is not packaged
    assert again.info == packaged.info
    assert again.mdcs == packaged.mdcs
    assert again.sets == packaged.sets


def test_line_ends_and_a_byte_order_mark_do_not_matter(small_folder):
    expected = load_scheme(small_folder)
    for path in small_folder.glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    scheme = load_scheme(small_folder)
    assert scheme.mdcs == expected.mdcs
    assert scheme.severity == expected.severity
    assert scheme.info.sha256 != expected.info.sha256


def test_a_scheme_need_not_state_every_count(small_folder):
    head = small_folder / "scheme.toml"
    text = re.sub(r"\[counts\]\n(.+\n)+", "[counts]\n", head.read_text(encoding="utf-8"))
    head.write_text(text, encoding="utf-8")
    scheme = load_scheme(small_folder)
    assert not scheme.info.counts
    assert repr(scheme) == "<Scheme small revision 3: 3 MDC, 7 ADRG, 11 DRG>"


def test_optional_files_may_be_absent(small_folder):
    for name in ("differences.csv", "set_sources.csv"):
        (small_folder / name).unlink()
    assert dict(load_scheme(small_folder).annexes) == {}


def test_an_unreachable_row_may_be_listed(small_folder):
    (small_folder / "adrg.csv").write_bytes((BAD / "unreachable-adrg" / "adrg.csv").read_bytes())
    rows = "table,parent,order,code,reason\nadrg,MDCB,5,BQY,B00 takes all\n"
    (small_folder / "unreachable.csv").write_text(rows, encoding="utf-8")
    assert [adrg.code for adrg in load_scheme(small_folder).mdcs[1].adrgs][-2:] == ["B00", "BQY"]


def test_other_files_in_the_folder_do_not_matter(small_folder):
    before = load_scheme(small_folder).info.sha256
    (small_folder / "README.md").write_text("mine", encoding="utf-8")
    assert load_scheme(small_folder).info.sha256 == before


def test_the_digest_is_that_of_the_content(small_folder):
    before = load_scheme(small_folder).info.sha256
    path = small_folder / "differences.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("large", "Large"), encoding="utf-8")
    assert load_scheme(small_folder).info.sha256 != before


# --- immutable ------------------------------------------------------------------------------------------------------


def test_a_scheme_cannot_be_changed(small_folder):
    scheme = load_scheme(small_folder)
    for thing, name in (
        (scheme, "sets"),
        (scheme.info, "id"),
        (scheme.evaluation, "ungroupable"),
        (scheme.mdcs[0], "rule"),
        (scheme.mdcs[0].adrgs[0], "drgs"),
        (scheme.mdcs[0].adrgs[0].drgs[0], "code"),
        (scheme.severity["M01.100"], "levels"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, None)
    for mapping in (
        scheme.sets,
        scheme.severity,
        scheme.exclusions,
        scheme.notes,
        scheme.names,
        scheme.annexes,
        scheme.info.counts,
        scheme.info.provenance,
    ):
        with pytest.raises(TypeError):
            mapping["new"] = None
    assert isinstance(scheme.sets["OP_A"], frozenset)
    assert isinstance(scheme.mdcs, tuple)


def test_the_list_of_schemes_cannot_be_changed():
    with pytest.raises(TypeError):
        list_schemes()[0] = None
    assert [info.id for info in list_schemes() if not info.extends] == SCHEMES


# --- not found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("chs-drg-1.2", "chs-drg-1.1"),
        ("chs-drg-2", "chs-drg-2.0"),
        ("CHS-DRG-3.0", "chs-drg-3.0"),
        ("drg-1.0-revised", "chs-drg-1.0-revised"),
    ],
)
def test_an_unknown_id_names_the_nearest(name, nearest):
    with pytest.raises(UnknownNameError) as caught:
        load_scheme(name)
    assert caught.value.name == name
    assert nearest in caught.value.nearest
    assert f"there is no scheme {name!r}. Did you mean" in str(caught.value)
    assert repr(nearest) in str(caught.value)


def test_an_id_like_no_other_still_says_where_to_look():
    with pytest.raises(
        UnknownNameError, match="there is no scheme or catalogue 'zzz'. `drgdip schemes` lists all"
    ) as caught:
        group_one({"dx": ["A01"]}, "zzz")
    assert caught.value.nearest == ()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(SchemeError, match="there is no such folder. Give a scheme's folder or id") as caught:
        load_scheme(tmp_path / "nothing")
    assert (caught.value.problem, caught.value.row) == ("missing_file", None)


def test_a_changed_byte_in_the_package_is_found(unloaded, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(SOURCE / "data" / "drg" / "chs-drg-2.0", data / "drg" / "chs-drg-2.0")
    monkeypatch.setattr(loading, "ROOT", data)
    assert load_scheme("chs-drg-2.0").id == "chs-drg-2.0"
    path = data / "drg" / "chs-drg-2.0" / "adrg.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("心脏移植", "心肝移植", 1), encoding="utf-8")
    unloaded()
    with pytest.raises(SchemeError, match="Install the package anew") as caught:
        load_scheme("chs-drg-2.0")
    assert caught.value.problem == "wrong_digest"
    assert caught.value.file == str(data / "drg" / "chs-drg-2.0")
    assert NATIONAL[2].sha256 in str(caught.value)


# --- one bad fixture for each fault -----------------------------------------------------------------------------------

#: Fixture (the problem, and after a hyphen which of several), file, line, what the message says, how to mend it.
FAULTS = [
    ("absent_row", "unreachable.csv", 2, "adrg,MDCB,9,BZ1: the scheme has no such row", "Drop the row or mend it"),
    ("bad_csv-open_quote", "mdc.csv", 4, "the row is not CSV", "Close every quote"),
    ("bad_encoding", "sets.csv", None, "not UTF-8 (byte 9)", "Save the file as UTF-8"),
    ("bad_number-adrg", "adrg.csv", 6, "order '3.0' is not a whole number", "Count from 1 in the parent"),
    ("bad_number-drg", "drg.csv", 5, "order '-2' is not a whole number", "Count from 1 in the parent"),
    ("bad_number-mdc", "mdc.csv", 4, "order 'three' is not a whole number", "Count from 1 in the parent"),
    ("bad_order-adrg", "adrg.csv", 9, "order 0 in MDCC where 1 should be", "from 1 without gaps"),
    ("bad_order-drg", "drg.csv", 6, "order 3 in BB1 where 2 should be", "from 1 without gaps"),
    ("bad_order-drg_twice", "drg.csv", 5, "order 1 in BB1 where 2 should be", "from 1 without gaps"),
    ("bad_order-mdc", "mdc.csv", 4, "order 4 in the scheme where 3 should be", "from 1 without gaps"),
    ("bad_rule", "adrg.csv", 5, "the rule of BR1 cannot be read: expected a number to", "Mend the rule"),
    ("bad_rule-drg", "drg.csv", 4, "the rule of BB11 cannot be read: expected a condition", "Mend the rule"),
    ("bad_toml", "scheme.toml", None, "not a TOML file: Invalid value (at line 2, column 9)", "Mend the line named"),
    ("bad_toml-encoding", "scheme.toml", None, "not a TOML file: 'utf-8' codec", "Mend the line named"),
    ("bad_value-counts", "scheme.toml", None, "counts is [{'mdc': 3", "Give a table of its own"),
    ("bad_value-date", "scheme.toml", None, "valid_from is datetime.date(2026, 1, 1)", "Give a text in quotes"),
    ("bad_value-option", "scheme.toml", None, "mdc_fallthrough in [evaluation] is 'yes'", "Give true or false"),
    ("bad_value-required", "scheme.toml", None, "required in [evaluation] is 'XB'", "Give a list in brackets"),
    ("bad_value-revision", "scheme.toml", None, "revision is True", "Give a whole number"),
    ("duplicate-adrg_order", "adrg.csv", 6, "mdc and order MDCB, 2: already on line 5", "Keep one"),
    ("duplicate-drg", "drg.csv", 14, "code CR11: already on line 13", "Keep one of the two rows"),
    ("duplicate-exclusion", "exclusions.csv", 3, "exclusion and code x1, B01.100: already on line 2", "Keep one"),
    ("duplicate-mdc", "mdc.csv", 4, "code MDCB: already on line 3", "Keep one of the two rows"),
    ("duplicate-set_row", "sets.csv", 3, "set and code DX_B, B01.100: already on line 2", "Keep one"),
    ("duplicate-set_source", "set_sources.csv", 3, "set DX_B: already on line 2", "Keep one of the two rows"),
    (
        "duplicate-severity",
        "severity.csv",
        5,
        "code and level N01.100, CC: already on line 4",
        "Keep one of the two rows",
    ),
    ("empty_cell", "sets.csv", 6, "column 'set' is empty", "Fill it or drop the row"),
    ("empty_cell-order", "drg.csv", 5, "column 'order' is empty", "Fill it or drop the row"),
    ("missing_column", "adrg.csv", 1, "column 'kind' is missing", "The columns are code,name,mdc,order,kind,rule"),
    ("missing_column-empty_file", "exclusions.csv", 1, "column 'exclusion' is missing", "The columns are exclusion"),
    ("missing_key", "scheme.toml", None, "'issuer' is missing", "Add it"),
    ("missing_key-evaluation", "scheme.toml", None, "'evaluation' is missing", "Add it"),
    ("missing_key-option", "scheme.toml", None, "'adrg_fallthrough' is missing in [evaluation]", "Add it"),
    ("unknown_column", "mdc.csv", 1, "unknown column 'colour'", "The columns are code,name,order,rule"),
    ("unknown_column-order", "severity.csv", 1, "columns stand as level,code,exclusion", "The columns are code,level"),
    ("unknown_exclusion", "severity.csv", 5, "N02.200 names exclusion table 'x3'", "Add the table, or leave the cell"),
    ("unknown_key-count", "scheme.toml", None, "unknown count 'rules' in [counts]", "The counts are mdc, adrg, drg"),
    ("unknown_key-key", "scheme.toml", None, "unknown key 'effective'", "The keys are id, title, issuer"),
    ("unknown_key-option", "scheme.toml", None, "unknown option 'fall_through'", "The options are mdc_fallthrough"),
    ("unknown_key-table", "scheme.toml", None, "unknown table 'matching'", "The keys are id, title, issuer"),
    ("unknown_parent-adrg", "adrg.csv", 6, "ADRG BR2 belongs to MDC 'MDCD'", "Add the MDC or mend the code"),
    ("unknown_parent-drg", "drg.csv", 5, "DRG BB13 belongs to ADRG 'BB2'", "Add the ADRG or mend the code"),
    ("unknown_parent-result_mdc", "adrg.csv", 6, "the result of ADRG BR2 is to name MDC 'MDCX'", "Mend result_mdc, or"),
    ("unknown_parent-mdc_without_adrg", "mdc.csv", 4, "MDC MDCD has no ADRG", "Add its ADRGs to adrg.csv"),
    ("unknown_set", "mdc.csv", 3, "the rule of MDCB names set 'DX_BB'", "Add the set or mend the name"),
    ("unknown_set-in_count", "adrg.csv", 3, "the rule of AB1 names set 'OP_BB'", "Add the set or mend the name"),
    ("unknown_value-kind", "adrg.csv", 3, "kind 'operation' of ADRG AB1", "The kinds are surgical, procedure"),
    ("unknown_value-level", "severity.csv", 5, "level 'CCC' of N02.200", "The levels are MCC and CC"),
    ("unknown_variable-required", "scheme.toml", None, "unknown variable 'QTZD' among the required", "The variables"),
    ("unknown_variable-stated", "scheme.toml", None, "states the variables ICUXS, KS", "State what the rules use"),
    (
        "unreachable-adrg",
        "adrg.csv",
        7,
        "BQY can never be reached: B00 before it in MDCB",
        "unreachable.csv as adrg,MDCB,5",
    ),
    (
        "unreachable-drg",
        "drg.csv",
        5,
        "BB13 can never be reached: BB15 before it in BB1",
        "unreachable.csv as drg,BB1,2",
    ),
    (
        "wrong_count",
        "scheme.toml",
        None,
        "[counts] says drg = 12, the tables have 11",
        "Restore the lost or added rows",
    ),
    ("wrong_count-set_rows", "scheme.toml", None, "[counts] says sets = 9, the tables have 8", "Restore the lost"),
    ("wrong_length", "sets.csv", 3, "1 cells where there are 2 columns", "leave no blank line"),
    ("wrong_length-blank_line", "severity.csv", 3, "1 cells where there are 3 columns", "leave no blank line"),
    ("wrong_length-comma", "drg.csv", 12, "6 cells where there are 5 columns", "Quote a cell that holds a comma"),
    ("wrong_length-line_break_in_cell", "drg.csv", 13, "6 cells where there are 5 columns", "Quote a cell"),
]


@pytest.mark.parametrize(("fixture", "file", "row", "what", "fix"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_an_error_that_says_where_and_what_to_do(fixture, file, row, what, fix, small_folder):
    shutil.copytree(BAD / fixture, small_folder, dirs_exist_ok=True)
    with pytest.raises(SchemeError) as caught:
        load_scheme(small_folder)
    error = caught.value
    assert isinstance(error, DrgdipError)
    assert error.problem == fixture.partition("-")[0]
    assert Path(error.file) == small_folder / file
    assert error.row == row
    place = f"{small_folder / file}, line {row}: " if row else f"{small_folder / file}: "
    assert str(error).startswith(place + what) or (str(error).startswith(place) and what in str(error))
    assert fix in str(error)
    assert str(error).endswith(".")


def test_every_bad_fixture_is_tested():
    assert {path.name for path in BAD.iterdir()} == {fault[0] for fault in FAULTS}


@pytest.mark.parametrize("name", ["scheme.toml", "mdc.csv", "adrg.csv", "drg.csv", "sets.csv", "severity.csv"])
def test_a_file_that_is_missing(name, small_folder):
    (small_folder / name).unlink()
    with pytest.raises(SchemeError, match="the file is missing. The folder holds scheme.toml, mdc.csv") as caught:
        load_scheme(small_folder)
    assert caught.value.problem == "missing_file"
    assert Path(caught.value.file) == small_folder / name


def test_a_bad_rule_carries_the_error_of_the_grammar(small_folder):
    shutil.copytree(BAD / "bad_rule", small_folder, dirs_exist_ok=True)
    with pytest.raises(SchemeError) as caught:
        load_scheme(small_folder)
    cause = caught.value.__cause__
    assert isinstance(cause, RuleError)
    assert cause.rule == "XSRTL <= 28 and XSRTZ < heavy"
    assert cause.rule[cause.position :] == "heavy"


def test_a_cell_longer_than_csv_allows_is_a_scheme_error(small_folder):
    path = small_folder / "adrg.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("移植", '"' + "移" * 200_000, 1), encoding="utf-8")
    with pytest.raises(SchemeError) as caught:
        load_scheme(small_folder)
    assert (caught.value.problem, caught.value.row) == ("bad_csv", 2)


def test_the_docstring_lists_the_problems_that_are_raised():
    files = [
        SOURCE / "data" / "__init__.py",
        *(SOURCE / "grouper").glob("*.py"),
        *(SOURCE / "grouper" / "drg").glob("*.py"),
    ]
    sources = [path.read_text(encoding="utf-8") for path in files]
    raised = set(re.findall(r'(?:SchemeError|\.error)\(\s*"([a-z_]+)"', "\n".join(sources)))
    part = SchemeError.__doc__.partition("problem\n")[2].partition("    file\n")[0]
    documented = re.findall(r"``([a-z_]+)``", part)
    assert sorted(documented) == sorted(raised)
    tested = {fault[0].partition("-")[0] for fault in FAULTS} | {"missing_file", "wrong_digest"}
    tested |= {"bad_workbook", "unknown_base"}  # in tests/places
    assert tested == raised


def test_the_small_scheme_is_whole():
    """The base of the bad fixtures has no fault itself."""
    scheme = load_scheme(SMALL)
    assert scheme.info.counts["sets"] == len(scheme.sets)
    assert scheme.variables >= {"KS", "ICUXS", "ZYTS", "LYFS"}
