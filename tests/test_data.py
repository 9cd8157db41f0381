"""The tables of the package: the files as the format says, and the index as the files are."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import tomllib
from collections import Counter

import pyarrow as pa
import pytest
from conftest import ROOT, SCHEMES, SOURCE

import drgdip
from drgdip import SchemeError, list_schemes, load_scheme
from drgdip._text import normalise_code
from drgdip.cases.case import make_case_schema
from drgdip.cases.names import COMPANIONS, OTHER_CODES, fold_name
from drgdip.settle._inputs import NAMES

DATA = SOURCE / "data"
#: Every table of the package; the module that reads them stands beside them.
FILES = sorted(path for path in DATA.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"})
#: The columns by which the rows of a file are sorted, as whole numbers where they are.
SORTED = {
    "mdc.csv": ("order",),
    "sets.csv": ("set", "code"),
    "severity.csv": ("code",),
    "exclusions.csv": ("exclusion", "code"),
    "set_sources.csv": ("set",),
    "columns.csv": ("column", "alias"),
}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(DATA))) for path in paths]


# --- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", named(FILES))
def test_files_are_plain_text(path):
    """UTF-8 without byte order mark, LF, one line end at the end, no blank at a line's end."""
    assert path.suffix in {".csv", ".toml"}
    content = path.read_bytes()
    text = content.decode("utf-8")
    assert not text.startswith("\ufeff")
    assert b"\r" not in content
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


@pytest.mark.parametrize("path", named(path for path in FILES if path.suffix == ".csv"))
def test_tables_have_no_row_twice(path):
    rows = [tuple(row.values()) for row in rows_of(path)]
    assert rows
    assert all(None not in row for row in rows)
    assert [row for row, times in Counter(rows).items() if times > 1] == []


def natural(text):
    return (0, int(text), "") if text.isdigit() else (1, 0, text)


@pytest.mark.parametrize("path", named(path for path in FILES if path.name in SORTED and "synthetic" not in path.parts))
def test_tables_are_sorted(path):
    columns = ("code",) if path.parent.name == "names" else SORTED[path.name]
    plain = [tuple(row[column] for column in columns) for row in rows_of(path)]
    numbers = [tuple(natural(cell) for cell in row) for row in plain]
    assert plain == sorted(plain) or numbers == sorted(numbers)


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_rows_of_a_parent_stand_in_order(scheme_id):
    folder = DATA / "drg" / scheme_id
    for name, parent in (("adrg.csv", "mdc"), ("drg.csv", "adrg")):
        seen = Counter()
        for row in rows_of(folder / name):
            seen[row[parent]] += 1
            assert int(row["order"]) == seen[row[parent]]


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_codes_are_written_as_they_are_looked_up(scheme_id):
    """A code in a table that `normalise_code` changes would never be found."""
    scheme = load_scheme(scheme_id)
    codes = set().union(*scheme.sets.values(), *scheme.exclusions.values(), scheme.severity)
    assert [code for code in codes if normalise_code(code) != code] == []


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_exclusion_tables_are_used(scheme_id):
    scheme = load_scheme(scheme_id)
    named_tables = {entry.exclusion for entry in scheme.severity.values()} - {""}
    assert named_tables <= scheme.exclusions.keys()
    assert len(named_tables) > 0.9 * len(scheme.exclusions)


# --- the index -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def build_index():
    spec = importlib.util.spec_from_file_location("build_index", ROOT / "tools" / "build_index.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_index_is_what_the_tool_makes(build_index):
    assert (DATA / "index.toml").read_text(encoding="utf-8") == build_index.index()


def test_the_index_lists_every_folder():
    assert [info.id for info in list_schemes()] == sorted(path.name for path in (DATA / "drg").iterdir())


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_a_scheme_names_its_folder(scheme_id):
    head = tomllib.loads((DATA / "drg" / scheme_id / "scheme.toml").read_text(encoding="utf-8"))
    assert head["id"] == scheme_id
    assert head["provenance"]
    assert head["notes"]


# --- names of columns ------------------------------------------------------------------------------------------------


def test_an_alias_stands_for_one_column():
    rows = rows_of(DATA / "columns.csv")
    lists = ("dx", "procs", *COMPANIONS)
    columns = {*make_case_schema().names, *NAMES, OTHER_CODES, "items_cost_others"}
    columns |= {f"{name}_{part}" for name in lists for part in ("principal", "others", "numbered")}
    assert {row["column"] for row in rows} <= columns
    folded = Counter(fold_name(row["alias"]) for row in rows)
    assert [alias for alias, times in folded.items() if times > 1] == []
    own = {fold_name(column): column for column in columns}
    for row in rows:
        assert own.get(fold_name(row["alias"]), row["column"]) == row["column"]
        assert row["source"]
        assert int(row["rank"]) >= 1


# --- synthetic data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [("comorbidities.csv", r"[A-Z]\d\d\.[\dx]\d\d(x\d{3})?"), ("procedures.csv", r"\d\d\.\d{4}(x\d{3})?")],
)
def test_the_codes_of_synthetic_cases_are_codes(name, form):
    rows = rows_of(DATA / "synthetic" / name)
    assert len({row["code"] for row in rows}) == len(rows)
    for row in rows:
        assert re.fullmatch(form, row["code"])
        assert float(row["share"]) > 0


def test_comorbidities_are_of_every_severity():
    codes = {row["code"] for row in rows_of(DATA / "synthetic" / "comorbidities.csv")}
    for scheme_id in SCHEMES:
        levels = {scheme.level if scheme else None for scheme in map(load_scheme(scheme_id).severity.get, codes)}
        assert levels == {"MCC", "CC", None}


def test_the_mdcs_of_synthetic_cases_are_those_of_the_schemes():
    rows = rows_of(DATA / "synthetic" / "mdc.csv")
    for scheme_id in SCHEMES:
        assert {mdc.code for mdc in load_scheme(scheme_id).mdcs} <= {row["mdc"] for row in rows}
    for row in rows:
        assert 0 <= float(row["female"]) <= 1
        assert float(row["share"]) > 0


# --- digests ---------------------------------------------------------------------------------------------------------

#: The files whose digest stands in files.csv, by folder: one of each kind is changed.
LISTED = [row["file"] for row in rows_of(DATA / "files.csv")]


def test_every_file_has_a_digest():
    own = {
        path.relative_to(DATA).as_posix() for path in FILES if path.parent.parent.name in {"drg", "dip", "auxiliary"}
    }
    every = {path.relative_to(DATA).as_posix() for path in FILES}
    assert set(LISTED) == every - own - {"index.toml", "files.csv"}


@pytest.mark.parametrize("name", LISTED)
def test_a_changed_byte_is_refused(name, tmp_path, monkeypatch):
    from drgdip import data

    content = (DATA / name).read_bytes()
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "files.csv").write_bytes((DATA / "files.csv").read_bytes())
    monkeypatch.setattr(data, "ROOT", tmp_path)
    assert data.text_of(name).encode() == content
    (tmp_path / name).write_bytes(content[:-2] + b"~\n")
    with pytest.raises(SchemeError, match="files.csv says") as caught:
        data.text_of(name)
    assert caught.value.problem == "wrong_digest"


def test_results_name_the_files_they_used():
    case = {"sex": 1, "age": 50, "dx": ["A01.000x002"], "procs": []}
    table = pa.Table.from_pylist([case])
    mapped = drgdip.group(table, "chs-drg-2.0", codes="clinical-2.0").schema.metadata[b"drgdip.files"]
    assert [name.partition("_")[0] for name in json.loads(mapped)] == [
        "columns.csv",
        "codes/clinical-icd10-2.0",
        "codes/clinical-icd9cm3-3.0",
    ]
    typed = drgdip.group(table, "nhsa-dip-3.0").schema.metadata[b"drgdip.files"]
    listed = {row["file"]: row["sha256"] for row in rows_of(DATA / "files.csv")}
    assert {name: listed[name] for name in json.loads(typed)} == json.loads(typed)
