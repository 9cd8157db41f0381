"""Code sets and cross-walks: what the files hold, and mapping against a slow twin."""

import csv
import random
import tomllib
from collections import Counter

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import SOURCE
from hypothesis import given
from hypothesis import strategies as st

import drgdip
from drgdip import CaseError, UnknownNameError, find_code_name, group, group_one, load_code_set, map_codes, sample_cases
from drgdip._text import normalise_code
from drgdip.cases.codes import OUTCOMES, crosswalk, edition_of, grey_codes, known_codes

FOLDER = SOURCE / "data" / "codes"
INDEX = tomllib.loads((FOLDER / "index.toml").read_text(encoding="utf-8"))
WALKS = [(entry["from"], entry["to"]) for entry in INDEX["cross_walk"]]


def rows_of(name):
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", INDEX["code_set"], ids=lambda entry: entry["id"])
def test_a_code_set_holds_what_the_index_says(entry):
    rows = rows_of(f"{entry['id']}.csv")
    assert len(rows) == entry["rows"]
    assert sum(row["grey"] == "1" for row in rows) == entry["grey"]
    assert {row["grey"] for row in rows} == {"0", "1"}
    written = [row["code"] for row in rows]
    assert written == sorted(set(written))
    assert all(normalise_code(code) == code for code in written)
    assert all(row["name"] for row in rows)
    assert known_codes(entry["id"]) == set(written)
    assert grey_codes(entry["id"]) == {row["code"] for row in rows if row["grey"] == "1"}


@pytest.mark.parametrize("entry", INDEX["cross_walk"], ids=lambda entry: entry["from"])
def test_a_cross_walk_holds_only_what_differs(entry):
    rows = rows_of(f"{entry['from']}_to_{entry['to']}.csv")
    assert len(rows) == entry["rows"] <= entry["codes"]
    times = Counter(row["from"] for row in rows)
    for row in rows:
        assert row["from"] != row["to"] or times[row["from"]] == 2
    assert [tuple(row.values()) for row in rows] == sorted({tuple(row.values()) for row in rows})
    walk = crosswalk(entry["from"], entry["to"])
    assert walk.lost == {row["from"] for row in rows if times[row["from"]] > 1 or not row["to"]}
    assert walk.counterparts == {row["from"]: row["to"] for row in rows if row["from"] not in walk.lost}


@pytest.mark.parametrize(
    ("from_", "to", "strangers"),
    [
        ("clinical-icd10-2.0", "nhsa-icd10-2.0", {"K30.x00x002"}),
        ("clinical-icd9cm3-3.0", "nhsa-icd9cm3-2.0", set()),
        ("nhsa-icd10-1.0", "nhsa-icd10-2.0", set()),
        ("nhsa-icd9cm3-1.0", "nhsa-icd9cm3-2.0", {"00.6400x007"}),
        ("beijing-icd10-7.0", "nhsa-icd10-2.0", {"K30.x00x002"}),
        ("beijing-icd9cm3-8.0", "nhsa-icd9cm3-2.0", {"46.93003"}),
    ],
)
def test_a_cross_walk_leads_into_its_code_set(from_, to, strangers):
    """But for the oddities of the source, which docs/codes.md tells."""
    assert set(crosswalk(from_, to).counterparts.values()) - known_codes(to) == strangers


@pytest.mark.parametrize("from_", ["clinical-icd10-1.0", "clinical-icd9cm3-2.0"])
def test_two_cross_walks_in_a_row(from_):
    via = next(to for start, to in WALKS if start == from_)
    to = next(to for start, to in WALKS if start == via)
    first, second, both = crosswalk(from_, via), crosswalk(via, to), crosswalk(from_, to)
    some = (
        sorted(first.counterparts) + sorted(first.lost) + sorted(second.counterparts) + sorted(known_codes(to))[:3000]
    )
    for code in some:
        halfway, outcome = first.step(code)
        assert both.step(code)[0] == (code if outcome == "no_counterpart" else second.step(halfway)[0])


# --- looking codes up ------------------------------------------------------------------------------------------------


def test_codes_by_prefix_name_and_greyness():
    whole = load_code_set("nhsa-icd10-2.0")
    assert whole.schema.names == ["code", "name", "grey", "chapter"]
    assert load_code_set("nhsa-icd9cm3-2.0").schema.names == [*whole.schema.names, "category"]
    by_twin = [
        row for row in whole.to_pylist() if row["code"].startswith("I63") and "脑" in row["name"] and not row["grey"]
    ]
    assert load_code_set("nhsa-icd10-2.0", under="I63", search="脑", grey=False).to_pylist() == by_twin != []
    assert load_code_set("nhsa-icd10-2.0", under="no such").num_rows == 0
    assert load_code_set("nhsa-icd10-2.0", grey=True).num_rows == INDEX["code_set"][0]["grey"]
    assert load_code_set("nhsa-icd9cm3-2.0", under="00.0101")["category"].to_pylist() == ["therapeutic"]


def test_the_name_of_a_code():
    assert find_code_name(" Ｉ63.900", "nhsa-icd10-2.0") == "脑梗死"
    assert find_code_name("I63", "nhsa-icd10-2.0") is None


@pytest.mark.parametrize(
    "ask", [load_code_set, lambda name: find_code_name("A", name), edition_of, lambda name: map_codes([], name)]
)
def test_a_code_set_that_there_is_not(ask):
    with pytest.raises(UnknownNameError, match="'nhsa-icd10-2'"):
        ask("nhsa-icd10-2")


# --- mapping ---------------------------------------------------------------------------------------------------------


def slow_map(code, from_, to):
    """The twin: the rows of the file, one by one."""
    code = normalise_code(code)
    found = [row["to"] for row in rows_of(f"{from_}_to_{to}.csv") if row["from"] == code]
    if len(found) == 1 and found[0]:
        return found[0], "mapped"
    if found:
        return code, "no_counterpart"
    here = {row["code"] for row in rows_of(f"{to}.csv")} if (FOLDER / f"{to}.csv").exists() else {code}
    return code, "kept" if code in here else "unknown"


@pytest.mark.parametrize(("from_", "to"), WALKS)
def test_mapping_against_the_twin(from_, to):
    draw = random.Random(from_)
    pool = [row["from"] for row in rows_of(f"{from_}_to_{to}.csv")] + sorted(known_codes("nhsa-icd10-2.0"))
    some = [
        *draw.choices(pool, k=12),
        *sorted(crosswalk(from_, to).lost)[:2],
        "nonsense",
        " " + pool[0].replace("x", "X"),
    ]
    result = map_codes(some, from_, to)
    expected = [slow_map(code, from_, to) for code in some]
    assert result.data == [code for code, _ in expected]
    told = {row["from"]: (row["to"], row["outcome"]) for row in result.report.to_pylist()}
    assert told == {normalise_code(code): answer for code, answer in zip(some, expected, strict=True)}
    assert {outcome for _, outcome in told.values()} <= set(OUTCOMES)


@given(st.lists(st.none() | st.sampled_from(["A19.000x001", "I63.900", " a19.000X001", "", "-", "医"])))
def test_mapping_loses_nothing(some):
    result = map_codes(some, "clinical-icd10-2.0")
    assert len(result.data) == len(some)
    assert [code is None for code in result.data] == [code is None for code in some]
    counted = sum(1 for code in some if code is not None and code not in {"", "-"})
    assert sum(result.report["count"].to_pylist()) == counted
    assert result.report.num_rows == len(set(result.report["from"].to_pylist()))
    array = map_codes(pa.array(some, pa.large_string()), "clinical-icd10-2.0").data
    assert array.to_pylist() == result.data


ROWS = [
    {"dx": ["A19.000x001", "I10.x00"], "procs": ["00.6500x014"], "sex": 1},
    {"dx": [None, "A19.000x001"], "procs": None, "sex": 2},
    {"dx": [], "procs": [], "sex": 2},
]
MAPPED = [
    {"dx": ["A19.001", "I10.x00"], "procs": ["00.6501"], "sex": 1},
    {"dx": [None, "A19.001"], "procs": None, "sex": 2},
    {"dx": [], "procs": [], "sex": 2},
]


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (list, lambda data: data),
        (pa.Table.from_pylist, lambda data: data.to_pylist()),
        (pa.RecordBatch.from_pylist, lambda data: data.to_pylist()),
        (pl.DataFrame, lambda data: data.to_dicts()),
        (pl.LazyFrame, lambda data: data.to_dicts()),
        (lambda rows: duckdb.from_arrow(pa.Table.from_pylist(rows)), lambda data: data.to_arrow_table().to_pylist()),
        (lambda rows: pa.Table.from_pylist([rows[0], *rows]).slice(1), lambda data: data.to_pylist()),
    ],
    ids=["records", "arrow", "batch", "polars", "lazy", "duckdb", "sliced"],
)
def test_the_same_container_comes_back(make, rows):
    assert rows(map_codes(make(ROWS), "clinical-2.0").data) == MAPPED


def test_pandas_keeps_index_and_order():
    frame = pd.DataFrame(
        {"sex": [1, 2], "主要诊断编码": ["A19.000x001", "I63.900"], "其他诊断编码1": [None, "A19.000x001"]}, [7, 3]
    )
    mapped = map_codes(frame, "clinical-2.0").data
    assert mapped.index.tolist() == [7, 3]
    assert mapped.columns.tolist() == frame.columns.tolist()
    assert mapped["主要诊断编码"].tolist() == ["A19.001", "I63.900"]
    assert frame["主要诊断编码"].tolist() == ["A19.000x001", "I63.900"]


def test_joined_text_stays_joined():
    table = pa.table({"dx": ["A19.000x001|I10.x00", None, "|A19.000x001", ""]})
    assert map_codes(table, "clinical-2.0").data["dx"].to_pylist() == ["A19.001|I10.x00", None, "|A19.001", ""]


def test_what_cannot_be_mapped_is_said():
    with pytest.raises(CaseError, match="say which they are: 'clinical-icd10-2.0' or 'clinical-icd9cm3-3.0'"):
        map_codes(["I63.900"], "clinical-2.0")
    with pytest.raises(CaseError, match="no cross-walk leads from nhsa-icd10-2.0 to clinical-icd10-2.0"):
        map_codes(["I63.900"], "nhsa-icd10-2.0", "clinical-2.0")
    with pytest.raises(CaseError, match="not of one kind"):
        map_codes(["I63.900"], "clinical-icd10-2.0", "nhsa-icd9cm3-2.0")
    with pytest.raises(CaseError, match="is no table"):
        map_codes(5, "clinical-2.0")


# --- grouping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["clinical-2.0", "beijing-7.0"])
def test_group_maps_on_the_way_in(edition):
    """Both engines, one case and many, a stream and a table give what mapping first gives."""
    cases = sample_cases(600, "chs-drg-2.0", seed=5)
    expected = group(map_codes(cases, edition).data, "chs-drg-2.0")
    for engine in ("reference", "columnar"):
        grouped = group(cases, "chs-drg-2.0", codes=edition, engine=engine)
        assert grouped["dx"].to_pylist() == cases["dx"].to_pylist()
        assert (
            grouped.select(drgdip.GroupResult._fields).to_pylist()
            == expected.select(drgdip.GroupResult._fields).to_pylist()
        )
        assert grouped.schema.metadata[b"drgdip.codes"].decode() == edition
    stream = group(cases.to_reader(max_chunksize=100), "chs-drg-2.0", codes=edition)
    assert stream.schema.metadata[b"drgdip.codes"].decode() == edition
    assert stream.read_all()["group"].to_pylist() == expected["group"].to_pylist()
    first = cases.slice(0, 30).to_pylist()
    assert [group_one(case, "chs-drg-2.0", codes=edition).group for case in first] == expected["group"].to_pylist()[:30]
    assert expected["group"].to_pylist() != group(cases, "chs-drg-2.0")["group"].to_pylist()


def test_without_codes_nothing_is_said_of_them():
    assert (
        b"drgdip.codes" not in group(pa.table({"sex": [1], "dx": ["A"], "procs": [""]}), "chs-drg-2.0").schema.metadata
    )


def test_an_edition_that_there_is_not_is_an_error_at_once():
    with pytest.raises(UnknownNameError, match="there is no edition or code set 'clinical'"):
        group(sample_cases(3, "chs-drg-2.0").to_reader(), "chs-drg-2.0", codes="clinical")
    encoded = drgdip.encode(sample_cases(3, "chs-drg-2.0"), "chs-drg-2.0")
    with pytest.raises(CaseError, match="map them first"):
        group(encoded, "chs-drg-2.0", codes="clinical-2.0")
