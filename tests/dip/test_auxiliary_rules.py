"""Rules of auxiliary types: what the package has, and one bad edit for each way to break the format."""

from __future__ import annotations

import math
import shutil
import tomllib

import pytest
from conftest import SOURCE, edited_copy

import drgdip
from drgdip.data import index_of
from drgdip.grouper.dip.auxiliary_rules import DIAGNOSES, NUMBERS
from drgdip.grouper.tables import AUXILIARY_COLUMNS

RULES = "nhsa-dip-3.0"
FOLDER = SOURCE / "data" / "auxiliary" / RULES


def test_the_counts_are_those_of_the_specification():
    loaded = drgdip.load_auxiliary(RULES)
    assert {name: len(part.types) for name, part in loaded.catalogues.items()} == {
        "tumor": 7,
        "severity": 4,
        "age": 5,
        "icu": 4,
        "cci": 0,
    }
    assert repr(loaded) == "<AuxiliaryRules nhsa-dip-3.0 revision 1: 7 tumor, 4 severity, 5 age, 4 icu, cci by cci>"
    assert dict(loaded.parameters) == {"long_stay": 3, "high_cost": 3, "main_share": 0.5, "elderly": 65}


def test_the_index_says_what_the_rules_say():
    loaded = drgdip.load_auxiliary(RULES)
    assert index_of("auxiliary") == {RULES: loaded.info}
    assert drgdip.load_auxiliary(RULES) is loaded
    assert drgdip.load_auxiliary(loaded) is loaded
    assert [path.name for path in FOLDER.parent.iterdir()] == list(index_of("auxiliary"))
    assert drgdip.load_auxiliary(FOLDER).info == drgdip.load_auxiliary(str(FOLDER)).info == loaded.info
    assert loaded.notes["draft"]


def test_every_number_and_every_list_is_used():
    loaded = drgdip.load_auxiliary(RULES)
    conditions = [condition for part in loaded.catalogues.values() for condition in part.all_conditions]
    assert {condition.measure for condition in conditions} == {*NUMBERS, *DIAGNOSES} - {"cci"}
    assert {condition.value for condition in conditions if isinstance(condition.value, str)} == set(loaded.lists)
    assert {name for name, prefixes in loaded.lists.items() if prefixes} == {"malignancies"}
    assert loaded.lists["malignancies"] == tuple(f"C{number:02}" for number in range(98))
    values = (FOLDER / "conditions.csv").read_text(encoding="utf-8").replace("\n", ",").split(",")
    assert set(loaded.parameters) <= set(values)


def test_a_parameter_has_its_source_beside_it():
    lines = (FOLDER / "auxiliary.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("[parameters]")
    stated = tomllib.loads("\n".join(lines))["parameters"]
    for number, line in enumerate(lines[start + 1 : lines.index("[provenance]") - 1], start + 1):
        if not line.startswith("#"):
            assert line.partition(" = ")[0] in stated
            assert lines[number - 1].startswith("# ")
            assert "3.0 draft" in lines[number - 1]


def test_parameters_may_be_had_otherwise():
    loaded = drgdip.load_auxiliary(RULES, elderly=66, main_share=0.45)
    assert loaded.parameters["elderly"] == 66
    assert drgdip.load_auxiliary(loaded, long_stay=2).parameters == {
        "long_stay": 2,
        "high_cost": 3,
        "main_share": 0.45,
        "elderly": 66,
    }
    assert [kind.name for kind in loaded.catalogues["age"].types][-1] == "66+"
    with pytest.raises(drgdip.UnknownNameError, match="no parameter 'elder'. Did you mean 'elderly'"):
        drgdip.load_auxiliary(RULES, elder=66)


@pytest.mark.parametrize("value", ["66", None, True, -1, math.nan, math.inf])
def test_a_parameter_is_a_number(value):
    with pytest.raises(drgdip.SchemeError, match=r"elderly in \[parameters\] is") as caught:
        drgdip.load_auxiliary(RULES, elderly=value)
    assert caught.value.problem == "bad_value"


def test_rules_of_ones_own(tmp_path):
    """A place may have other catalogues, in other bands, and lists of its own."""
    folder = shutil.copytree(FOLDER, tmp_path / "own")
    texts = {
        "catalogues.csv": "catalogue,name,bands\nstay,住院天数,los\nheart,心脏,\n",
        "types.csv": "catalogue,type,meaning\nheart,I50,heart failure\nheart,I21 to I25,others of the heart\n",
        "conditions.csv": (
            "catalogue,type,measure,operator,value\nstay,*,principal_dx,not in,births\nheart,*,los,<,31\n"
            "heart,I50,principal_dx,in,failing\nheart,I21 to I25,principal_dx,in,ischaemic\n"
        ),
        "lists.csv": "list,dx,meaning\nbirths,O80-O84,births\nfailing,I50,failing\nischaemic,I20|I21-I25,ischaemic\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    head = (folder / "auxiliary.toml").read_text(encoding="utf-8")
    head = head.replace("types = 20", "types = 2").replace("conditions = 35", "conditions = 4")
    (folder / "auxiliary.toml").write_text(head, encoding="utf-8")
    assert repr(drgdip.load_auxiliary(folder)) == "<AuxiliaryRules nhsa-dip-3.0 revision 1: stay by los, 2 heart>"
    cases = [{"dx": ["I50.900"], "los": 31}, {"dx": "I25.100", "los": 9}, {"dx": "O80.000", "los": 9}]
    found = drgdip.find_auxiliary_types(cases, str(folder), bands={"stay": (1, 10)})
    assert [row["auxiliary_types"] for row in found] == [["stay 10+"], ["stay 1-9", "heart I21 to I25"], []]


#: Problem, file, line, what is edited, and what the message says.
FAULTS = [
    ("missing_key", "auxiliary.toml", None, ("[parameters]", "[matching]"), "'parameters' is missing"),
    ("missing_key", "auxiliary.toml", None, ('issuer = "', 'issuing = "'), "'issuer' is missing"),
    ("unknown_key", "auxiliary.toml", None, ("[notes]", "[remarks]"), "unknown table 'remarks'"),
    ("unknown_key", "auxiliary.toml", None, ("types = 20", "typen = 20"), "unknown count 'typen'"),
    ("wrong_count", "auxiliary.toml", None, ("types = 20", "types = 21"), "the tables have 20"),
    ("wrong_count", "auxiliary.toml", None, ("conditions = 35", "conditions = 3"), "the tables have 35"),
    ("bad_value", "auxiliary.toml", None, ("elderly = 65", 'elderly = "65"'), "elderly in [parameters] is '65'"),
    ("bad_value", "auxiliary.toml", None, ("elderly = 65", "elderly = -1"), "Give a number of at least 0"),
    ("bad_toml", "auxiliary.toml", None, ("[notes]", "[notes"), "not a TOML file"),
    ("unknown_column", "types.csv", 1, ("meaning", "name"), "unknown column 'name'"),
    ("missing_column", "lists.csv", 1, (",meaning", ""), "column 'meaning' is missing"),
    ("wrong_length", "types.csv", 2, ("tumor,death", "tumor;death"), "2 cells"),
    ("empty_cell", "conditions.csv", 3, ("tumor,death,", "tumor,,"), "column 'type' is empty"),
    ("duplicate", "types.csv", 3, ("tumor,treatment", "tumor,death"), "already on line 2"),
    ("duplicate", "conditions.csv", 5, ("treatment_share", "cost_ratio"), "already on line 4"),
    ("duplicate", "catalogues.csv", 3, ("severity,", "tumor,"), "already on line 2"),
    ("duplicate", "lists.csv", 3, ("failure,", "malignancies,"), "already on line 2"),
    ("bad_value", "catalogues.csv", 2, ("tumor,", "tumor 1,"), "holds a blank"),
    ("unknown_variable", "catalogues.csv", 6, (",cci\n", ",cc\n"), "bands of 'cc'"),
    ("unknown_variable", "catalogues.csv", 6, (",cci\n", ",other_dx\n"), "bands of 'other_dx'"),
    ("unknown_parent", "catalogues.csv", 6, (",cci\n", ",\n"), "cci has neither types nor bands"),
    ("unknown_parent", "types.csv", 2, ("tumor,death", "tumour,death"), "no catalogue that has types"),
    ("unknown_parent", "types.csv", 9, ("severity,death", "cci,death"), "no catalogue that has types"),
    ("bad_value", "types.csv", 17, ("{elderly}+", "{old}+"), "'{old}+' cannot be named so"),
    ("bad_value", "types.csv", 16, ("7-17", "7|17"), "'7|17' cannot be named so"),
    ("bad_value", "types.csv", 2, ("tumor,death", "tumor,*"), "'*' cannot be named so"),
    ("unknown_parent", "conditions.csv", 3, ("tumor,death", "tumor,dead"), "no type 'dead' of 'tumor'"),
    ("unknown_parent", "conditions.csv", 2, ("tumor,*", "tumour,*"), "no type '*' of 'tumour'"),
    ("unknown_variable", "conditions.csv", 3, ("discharge", "outcome"), "unknown measure 'outcome'"),
    ("unknown_value", "conditions.csv", 3, ("discharge,=", "discharge,=="), "the operator '=='"),
    ("unknown_value", "conditions.csv", 3, ("discharge,=", "discharge,in"), "Give one of <, <=, >, >=, ="),
    ("unknown_value", "conditions.csv", 2, ("principal_dx,in", "principal_dx,="), "Give one of in, not in"),
    ("bad_number", "conditions.csv", 3, ("=,5", "=,five"), "'five' is neither a number nor a parameter"),
    ("bad_number", "conditions.csv", 9, ("los,>,long_stay", "los,>,-3"), "'-3' is neither"),
    ("unknown_set", "conditions.csv", 2, ("in,malignancies", "in,malignant"), "the list 'malignant' has no row"),
    ("bad_value", "lists.csv", 2, ("C00-C97", "C97-C00"), "ends before it begins"),
    ("bad_value", "lists.csv", 2, ("C00-C97", "cancer"), "is no prefix of a diagnosis"),
]


@pytest.mark.parametrize(("problem", "file", "line", "edit", "said"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_file_and_line(tmp_path, problem, file, line, edit, said):
    folder = edited_copy(FOLDER, tmp_path / "bad", file, edit)
    with pytest.raises(drgdip.SchemeError) as caught:
        drgdip.load_auxiliary(folder)
    assert caught.value.problem == problem
    assert caught.value.file == str(folder / file)
    assert caught.value.row == line
    assert said.casefold() in str(caught.value).casefold()


def test_labels_that_parameters_make_equal_are_an_error(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "bad")
    for name, extra in (("types.csv", "age,65+,again\n"), ("conditions.csv", "age,65+,age,>=,99\n")):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + extra, encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match="age has the type 65\\+ before") as caught:
        drgdip.load_auxiliary(folder)
    assert (caught.value.problem, caught.value.row) == ("duplicate", 22)


def test_a_type_behind_one_without_conditions_is_unreachable(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "bad")
    path = folder / "types.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[6:8] = lines[7], lines[6]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match="organ-damage stands behind other") as caught:
        drgdip.load_auxiliary(folder)
    assert (caught.value.problem, caught.value.row) == ("unreachable", 8)


def test_a_catalogue_that_asks_for_nothing_is_an_error(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "bad")
    for name, extra in (("types.csv", "all,all,every case\n"), ("catalogues.csv", "all,全部,\n")):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8") + extra, encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match="all has no condition") as caught:
        drgdip.load_auxiliary(folder)
    assert (caught.value.problem, caught.value.row) == ("bad_value", 7)


@pytest.mark.parametrize("name", ["auxiliary.toml", *AUXILIARY_COLUMNS])
def test_every_file_must_be_there(tmp_path, name):
    folder = shutil.copytree(FOLDER, tmp_path / "bad")
    (folder / name).unlink()
    with pytest.raises(drgdip.SchemeError, match=r"The folder holds auxiliary\.toml, catalogues\.csv") as caught:
        drgdip.load_auxiliary(folder)
    assert caught.value.problem == "missing_file"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(drgdip.SchemeError, match="no such folder") as caught:
        drgdip.load_auxiliary(tmp_path / "none")
    assert caught.value.problem == "missing_file"
    with pytest.raises(drgdip.UnknownNameError, match="There are nhsa-dip-3.0") as unknown:
        drgdip.load_auxiliary("nhsa-dip-2.0")
    assert unknown.value.nearest == ("nhsa-dip-3.0",)


def test_files_of_the_package_that_were_edited_are_not_loaded(tmp_path, monkeypatch):
    from drgdip.grouper.dip import auxiliary_rules

    folder = shutil.copytree(FOLDER, tmp_path / "auxiliary" / RULES)
    path = folder / "auxiliary.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("elderly = 65", "elderly = 66"), encoding="utf-8")
    index_of("auxiliary")
    monkeypatch.setattr(auxiliary_rules, "ROOT", tmp_path)
    auxiliary_rules._load_packaged.made.clear()
    with pytest.raises(drgdip.SchemeError) as caught:
        drgdip.load_auxiliary(RULES)
    assert caught.value.problem == "wrong_digest"
