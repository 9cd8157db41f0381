"""Catalogues: found, loaded strictly, once. One bad edit of a small catalogue for each way to break the format."""

from __future__ import annotations

import itertools
import shutil

import pytest
from conftest import DATA, ROOT, edited_copy

import drgdip
from drgdip.grouper.dip.model import Matching, Term
from drgdip.grouper.dip.options import _CHOICES, PREFERENCES, strategies
from drgdip.grouper.load import load_any
from drgdip.grouper.tables import CATALOGUE_COLUMNS

SMALL, PLACES = DATA / "catalogues" / "small", DATA / "catalogues" / "places"
NATIONAL = ["nhsa-dip-1.0", "nhsa-dip-2.0", "nhsa-dip-3.0"]
CATALOGUES = [info.id for info in drgdip.list_catalogues()]


def test_the_package_has_three_national_catalogues_and_ten_places():
    assert CATALOGUES[-3:] == NATIONAL
    assert len(CATALOGUES) == 13


@pytest.mark.parametrize(
    ("name", "groups"), [("nhsa-dip-1.0", 11_553), ("nhsa-dip-2.0", 9_520), ("nhsa-dip-3.0", 5_125)]
)
def test_counts_are_those_of_the_publications(name, groups):
    """The text of 3.0 says 5,061 and its parts sum to 5,051 (worked example P01); the workbook has 5,125 rows."""
    assert len(drgdip.load_catalogue(name).groups) == groups


@pytest.mark.parametrize("info", drgdip.list_catalogues(), ids=lambda info: info.id)
def test_the_index_says_what_the_catalogue_says(info):
    loaded = drgdip.load_catalogue(info.id)
    assert loaded.info == info
    assert load_any(info.id) is loaded
    assert load_any(loaded.folder).info == info
    assert {"matching", "mixed", "related", "edition"} & loaded.notes.keys()


def test_a_folder_of_ones_own_loads_the_same_way(tmp_path):
    folder = shutil.copytree(SMALL, tmp_path / "own")
    loaded = drgdip.load_catalogue(folder)
    assert repr(loaded) == "<Catalogue small revision 1: 1 pre, 4 core, 3 mixed>"
    assert loaded.groups[3].related == (Term(("12.0001", "12.0002"), 1), Term(("13.0001",), 1))
    assert loaded.groups[4].dx == ("B20", "B21", "B22", "B23", "B24")
    assert drgdip.load_catalogue(loaded) is loaded
    assert load_any(str(folder)).info.sha256 == loaded.info.sha256


def test_a_repeated_term_is_asked_for_twice():
    group = next(g for g in drgdip.load_catalogue("nhsa-dip-1.0").groups if g.code.endswith("32.2901+32.2901"))
    assert group.procedures == (Term(("32.2901",), 2),)
    assert str(group.procedures[0]) == "32.2901+32.2901"
    assert group.terms == 2


def test_options_may_be_had_otherwise():
    loaded = drgdip.load_catalogue(SMALL, strategy="jingzhou", interventional="therapeutic")
    assert loaded.matching.prefer == strategies()["jingzhou"]["prefer"]
    assert drgdip.load_catalogue(loaded, prefer=["order"]).matching.interventional == "therapeutic"
    with pytest.raises(drgdip.UnknownNameError, match="interventional"):
        drgdip.load_catalogue(SMALL, interventionel="surgery")
    typed = drgdip.load_catalogue(SMALL, procedure_types="zhongshan")
    assert typed.types["15.0001"] == ("therapeutic", "")
    assert len(typed.types) > 13_000


def test_every_choice_is_a_field_and_every_strategy_ends_in_the_order():
    assert set(_CHOICES) <= set(Matching.__slots__)
    assert all(set(options) < set(Matching.__slots__) for options in strategies().values())
    preferred = [options["prefer"] for options in strategies().values()]
    assert all(set(names) <= set(PREFERENCES) and names[-1] == "order" for names in preferred)


@pytest.mark.parametrize(("name", "nearest"), [("nhsa-dip-2", "nhsa-dip-2.0"), ("dip-yunfu", "dip-yunfu-2023")])
def test_an_unknown_id_names_the_nearest(name, nearest):
    for load in (drgdip.load_catalogue, load_any):
        with pytest.raises(drgdip.UnknownNameError) as caught:
            load(name)
        assert nearest in caught.value.nearest


@pytest.mark.parametrize("load", [drgdip.load_scheme, drgdip.load_catalogue, drgdip.load_auxiliary, load_any])
def test_what_is_neither_an_id_nor_a_path_is_said(load):
    for given in (None, 3, ["nhsa-dip-2.0"]):
        with pytest.raises(drgdip.SchemeError, match=r"is neither an id nor a path\. Give .* folder") as caught:
            load(given)
        assert caught.value.problem == "missing_file"


#: Problem, file, line, what is edited, and what the message says.
FAULTS = [
    ("unknown_value", "groups.csv", 3, ("C1,core", "C1,kern"), "the stages are excluded, pre, core, mixed"),
    ("unknown_value", "groups.csv", 3, ("C1,core", "C1,excluded"), "is no stage"),
    ("unknown_value", "groups.csv", 7, ("surgery,1", "operation,1"), "treatment 'operation' of M1"),
    ("unknown_value", "groups.csv", 3, ("100,1,", "100,yes,"), "primary_care 'yes' of C1"),
    ("unknown_value", "groups.csv", 2, (",dx,XSRTL", ",all,XSRTL"), "anywhere 'all' of P1"),
    ("bad_value", "groups.csv", 3, ("A41.9,,", "4A.9,,"), "'4A.9' is no prefix of a diagnosis"),
    ("bad_value", "groups.csv", 6, ("B20-B24", "B24-B20"), "ends before it begins"),
    ("bad_value", "groups.csv", 4, ("A41.9,11.0001,,", "A41.9,11.0001+12.0001,,"), "more than one principal procedure"),
    ("bad_value", "groups.csv", 4, ("A41.9,11.0001,,", "A41.9,11.0001|,,"), "an empty code"),
    ("bad_value", "groups.csv", 5, ("12.0001", "+".join(f"12.{n:04}" for n in range(17))), "C3 asks for more than 16"),
    ("bad_number", "groups.csv", 3, (",100,1", ",1e2,1"), "score '1e2' of C1 is no number"),
    ("bad_rule", "groups.csv", 2, ("XSRTL < 29", "XSRTL << 29"), "the condition of P1 cannot be read"),
    ("bad_rule", "groups.csv", 6, ("ZYZD in WHOLE", "ZYSS in WHOLE"), "more than diagnoses and values"),
    ("bad_rule", "groups.csv", 6, ("ZYZD in WHOLE", "KS = ICU"), "more than diagnoses and values"),
    ("unknown_set", "groups.csv", 6, ("in WHOLE", "in HALF"), "names set 'HALF'"),
    ("duplicate", "groups.csv", 4, ("C2,core,A41.9,11.0001", "C2,core,A41.9,"), "C2 asks for the same as C1"),
    ("duplicate", "groups.csv", 4, ("C2,core", "C1,core"), "already on line 3"),
    ("empty_cell", "groups.csv", 4, ("C2,core", ",core"), "column 'group' is empty"),
    ("wrong_length", "groups.csv", 4, ("C2,core", "C2,core,core"), "16 cells"),
    ("missing_column", "groups.csv", 1, (",note", ""), "column 'note' is missing"),
    ("unknown_column", "groups.csv", 1, ("tier,", "level,"), "unknown column 'level'"),
    ("unknown_value", "excluded_procedures.csv", 2, ("14.0001,conservative", "14.0001,none"), "treatment 'none'"),
    ("bad_value", "excluded_procedures.csv", 4, ("C00-C10", "C1-C10"), "is no prefix"),
    ("unknown_value", "procedure_types.csv", 2, ("surgery", "operation"), "type 'operation' of 11.0001"),
    ("bad_value", "primary_care.csv", 2, ("A41.9", "41.9"), "is no prefix"),
    ("wrong_count", "catalogue.toml", None, ("core = 4", "core = 5"), "core = 5, the tables have 4"),
    ("unknown_key", "catalogue.toml", None, ('id = "small"', 'extends = "a"\nid = "small"'), "unknown key 'extends'"),
    ("unknown_key", "catalogue.toml", None, ("core = 4", "cores = 4"), "unknown count 'cores'"),
    ("unknown_key", "catalogue.toml", None, ("prefer =", "preferred ="), "unknown option 'preferred'"),
    ("missing_key", "catalogue.toml", None, ("[matching]", "[evaluation]"), "'matching' is missing"),
    ("missing_key", "catalogue.toml", None, ('procedures = "principal"\n', ""), "'procedures' is missing"),
    ("bad_value", "catalogue.toml", None, ('"most_terms"', '"most"'), "prefer in [matching]"),
    ("bad_value", "catalogue.toml", None, ('["most_terms", "longest_dx", "order"]', '"best"'), "Give a list"),
    ("bad_value", "catalogue.toml", None, ('["most_terms", "longest_dx", "order"]', "3"), "Give a list"),
    ("bad_value", "catalogue.toml", None, ('"principal"', '"first"'), "Give principal or any"),
    ("bad_value", "catalogue.toml", None, ('"principal"', "1"), "Give a text"),
    ("bad_value", "catalogue.toml", None, ('"excluded", "pre"', '"pre", "excluded"'), "Put it first"),
    ("bad_value", "catalogue.toml", None, ('"pre", "core"', '"core", "core"'), "Give each once"),
    ("bad_value", "catalogue.toml", None, ("[notes]", 'procedure_types = "x"\n[notes]'), "Give one of"),
    ("bad_toml", "catalogue.toml", None, ("[notes]", "[notes"), "not a TOML file"),
]


@pytest.mark.parametrize(("problem", "file", "line", "edit", "said"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_file_and_line(tmp_path, problem, file, line, edit, said):
    folder = edited_copy(SMALL, tmp_path / "bad", file, edit)
    with pytest.raises(drgdip.SchemeError) as caught:
        drgdip.load_catalogue(folder)
    assert caught.value.problem == problem
    assert caught.value.file == str(folder / file)
    assert caught.value.row == line
    assert said.casefold() in str(caught.value).casefold()


def test_a_folder_without_groups(tmp_path):
    (tmp_path / "catalogue.toml").write_text("", encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match=r"The folder holds catalogue\.toml, groups\.csv"):
        drgdip.load_catalogue(tmp_path)
    with pytest.raises(drgdip.SchemeError, match="there is no such folder"):
        drgdip.load_catalogue(tmp_path / "none")


def test_the_page_has_the_tables_of_the_loader():
    page = (ROOT / "docs" / "dip.md").read_text(encoding="utf-8")

    def first(header):
        lines = page[page.index(header) :].splitlines()[2:]
        return [
            line.split("|")[1].strip().strip("`") for line in itertools.takewhile(lambda x: x.startswith("|"), lines)
        ]

    assert first("| option | meaning |") == list(Matching.__slots__)
    assert first("| preference |") == list(PREFERENCES)
    assert first("| strategy |") == list(strategies())
    assert first("| file | columns |") == list(CATALOGUE_COLUMNS)
    assert first("| column | what it holds |") == ["group", "kind", "treatment", "primary_care", "status`, `reason"]
    assert all(f"`{column}`" in page for columns in CATALOGUE_COLUMNS.values() for column in columns)
