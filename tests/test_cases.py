"""Cases: one as a model, many as a table, under canonical names from any of their aliases and in any layout."""

from __future__ import annotations

import csv
import datetime
import decimal
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from conftest import SOURCE
from hypothesis import given
from hypothesis import strategies as st

from drgdip import Case, CaseError, DrgdipError, UnknownNameError, make_case_schema, normalise_code
from drgdip._values import Unreadable
from drgdip.cases.case import TYPES
from drgdip.cases.fields import READERS, read_record
from drgdip.cases.names import CASE_COLUMNS, COMPANIONS, OTHER_CODES, find_name, name_of, resolve
from drgdip.cases.table import clean_codes, to_cases

# --- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (" J96.900 ", "J96.900"),
        ("\tJ96.900\n", "J96.900"),
        ("\u3000J96.900\u3000", "J96.900"),
        ("\ufeffJ96.900", "J96.900"),
        ("Ｊ９６．９００", "J96.900"),
        ("J11.000X001", "J11.000x001"),
        ("C61.X00", "C61.x00"),
        ("Ｃ６１．Ｘ００", "C61.x00"),
        ("60.5X02", "60.5x02"),
        ("X59.900", "X59.900"),
        ("X59.900X001", "X59.900x001"),
        ("", ""),
        (" \u3000", ""),
    ],
)
def test_the_spellings_that_are_folded(written, code):
    assert normalise_code(written) == code


@pytest.mark.parametrize(
    "code", ["j96.900", "J96900", "J96.9", "J96.900x", "C61.x00", "J96. 900", "J96.900+G01*", "M80000/3", "自编码", "?"]
)
def test_nothing_else_is_changed(code):
    assert normalise_code(code) == code


@given(st.text())
def test_a_normal_code_stays_as_it_is(text):
    once = normalise_code(text)
    assert normalise_code(once) == once


# --- the model -------------------------------------------------------------------------------------------------------


def test_a_case_reads_values_as_every_door_does():
    case = Case(
        case_id="7", sex="女", age=" 59 ", age_days="", los=3.0, discharge="1.0", dx=" Ｋ22.301||J94.801", dept=5
    )
    assert (case.sex, case.age, case.age_days, case.los, case.discharge, case.dept) == (2, 59, None, 3, 1, "5")
    assert case.dx == ["K22.301", "J94.801"]
    assert case.procs == []
    assert Case(dx=[None, "A1", None, " ", "A2"]).dx == [None, "A1", "A2"]
    assert Case() == Case(sex=None, dx=None, procs="")


@pytest.mark.parametrize(
    ("field", "value"),
    [("sex", "X"), ("age", "old"), ("age", 3.5), ("los", True), ("icu_hours", "two"), ("total_cost", "dear")],
)
def test_a_value_of_the_wrong_kind_is_a_validation_error(field, value):
    with pytest.raises(pydantic.ValidationError) as caught:
        Case(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_a_field_that_is_none_is_a_validation_error():
    with pytest.raises(pydantic.ValidationError, match="ward"):
        Case(ward=3)


def test_a_case_cannot_be_changed():
    with pytest.raises(pydantic.ValidationError):
        Case(sex=1).sex = 2


def test_a_case_goes_through_json():
    case = Case(
        case_id="7",
        sex=1,
        dx=[None, "A1"],
        icu_hours=1.5,
        admitted=datetime.date(2025, 1, 2),
        total_cost=decimal.Decimal("12.30"),
    )
    assert Case.model_validate_json(case.model_dump_json()) == case


def test_the_json_schema_describes_every_field():
    schema = Case.model_json_schema()
    assert list(schema["properties"]) == make_case_schema().names
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    for field in schema["properties"].values():
        assert field["description"]
    assert schema["properties"]["dx"]["type"] == "array"


def test_the_arrow_schema():
    schema = make_case_schema()
    assert schema.names == list(Case.model_fields)
    assert schema.field("dx").type == schema.field("procs").type == pa.list_(pa.string())
    assert schema.field("age").type == pa.int64()
    assert schema.field("total_cost").type == pa.decimal128(18, 2)
    for field in schema:
        assert field.nullable
        assert field.metadata[b"description"].decode() == Case.model_fields[field.name].description


# --- names -----------------------------------------------------------------------------------------------------------

with (SOURCE / "data" / "columns.csv").open(encoding="utf-8", newline="") as _file:
    ALIASES = [(row["column"], row["alias"]) for row in csv.DictReader(_file)]


@pytest.mark.parametrize(("column", "alias"), ALIASES)
def test_every_alias_is_known(column, alias):
    """Alone, in capitals, in full width and with blanks around it, in a record and in a table."""
    name = alias.replace("{n}", "1").replace("{n:1}", "1")
    target, part = re.fullmatch("(.+?)(_principal|_others|_numbered)?", column).groups()
    wide = part is not None
    for written in (
        name,
        name.upper(),
        f" {name} ",
        "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name),
    ):
        assert name_of(written) == column
        found = resolve((written,))
        if target not in TYPES:
            assert (found.single, found.wide) == ({}, {})
            assert column == OTHER_CODES or find_name([written], column) == written
        elif wide:
            assert written in found.wide[target].names
        else:
            assert found.single == {target: written}
    table = pa.table({name: ["1"]} | ({} if target == "dx" else {"dx": ["A1"]}))
    if target in TYPES and (not wide or target not in COMPANIONS):  # what goes with wide codes is nothing without them
        assert target in to_cases(table).column_names


def test_the_columns_of_a_case_are_those_that_have_types():
    assert tuple(TYPES) == CASE_COLUMNS


def test_a_canonical_name_goes_before_an_alias():
    assert resolve(("性别", "sex", "gender")).single == {"sex": "sex"}
    assert to_cases(pa.table({"dx": ["A1"], "sex": [1], "性别": [2]}))["sex"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("names", "column"),
    [(["性别", "gender"], "sex"), (["XSRTZ", "新生儿体重"], "newborn_weight"), (["C03C", "ZYZD"], "dx_principal")],
)
def test_two_aliases_of_one_column_must_be_told_apart(names, column):
    others = {} if column.startswith("dx") else {"dx": ["A1"]}
    with pytest.raises(CaseError, match=f"{names[0]!r} and {names[1]!r} both stand for {column!r}"):
        to_cases(pa.table({name: ["1"] for name in names} | others))


def test_two_weights_of_a_newborn_are_two_columns():
    both = to_cases(pa.table({"nwb_adm_wt": [1], "nwb_bir_wt": [2], "dx": ["A1"]}))
    assert both.select(["birth_weight", "admission_weight"]).to_pylist() == [{"birth_weight": 2, "admission_weight": 1}]
    told = to_cases(pa.table({"nwb_adm_wt": [1], "nwb_bir_wt": [2], "dx": ["A1"]}), {"newborn_weight": "nwb_bir_wt"})
    assert told["newborn_weight"].to_pylist() == [2]


def test_columns_name_what_is_no_alias():
    table = pa.table({"Diagnosen": ["A1|A2"], "Geschlecht": ["M"], "sex": [2]})
    cases = to_cases(table, {"dx": "Diagnosen", "sex": "Geschlecht"})
    assert cases["dx"].to_pylist() == [["A1", "A2"]]
    assert cases["sex"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"diagnoses": "d"}, "there is no case column 'diagnoses'"),
        ({"dx": "dd"}, "there is no column in the table 'dd'. Did you mean 'd'"),
        ({"agee": "d"}, "there is no case column 'agee'. Did you mean 'age'"),
    ],
)
def test_columns_that_name_nothing(columns, words):
    with pytest.raises(UnknownNameError, match=words):
        to_cases(pa.table({"d": ["A1"]}), columns)


def test_a_table_without_diagnoses():
    with pytest.raises(CaseError, match="no column holds diagnoses; the columns are 'sex', 'age'. Name it dx"):
        to_cases(pa.table({"sex": [1], "age": [2]}))


@pytest.mark.parametrize("thing", [None, 5, "A1", [1, 2], {"dx": ["A1"]}, object()])
def test_what_is_no_table(thing):
    with pytest.raises(CaseError, match="is no table: give a pyarrow Table"):
        to_cases(thing)


# --- wide columns ----------------------------------------------------------------------------------------------------


def test_forty_numbered_columns_in_any_order():
    codes = [f"B{number:02}.100" for number in range(1, 41)]
    wide = {f"其他诊断编码{number}": [code] for number, code in enumerate(codes, start=1)}
    names = sorted(wide)  # 1, 10, 11 …
    table = pa.table({"主要诊断编码": ["A01.100"]} | {name: wide[name] for name in names})
    assert to_cases(table)["dx"].to_pylist() == [["A01.100", *codes]]
    record = {name: column[0] for name, column in table.to_pydict().items()}
    assert read_record(record)[0]["dx"] == ["A01.100", *codes]


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        (["A1", "B1", "B2", "B3"], ["A1", "B1", "B2", "B3"]),
        (["A1", None, "B2", ""], ["A1", "B2"]),
        (["A1", "-", " ", "NULL"], ["A1"]),
        ([None, "B1", None, None], [None, "B1"]),
        (["", None, None, "B3"], [None, "B3"]),
        ([None, None, None, None], []),
        (["", "-", " ", "nan"], []),
    ],
)
def test_empty_cells_of_wide_columns(row, codes):
    names = ["dx_principal", "dx_other_1", "dx_other_2", "dx_other_3"]
    table = pa.table({name: pa.array([value, "Z"], pa.string()) for name, value in zip(names, row, strict=True)})
    found = clean_codes(to_cases(table)["dx"].combine_chunks()).to_pylist()
    assert found == [codes, ["Z", "Z", "Z", "Z"]]
    assert read_record(dict(zip(names, row, strict=True)))[0]["dx"] == codes


def test_a_principal_column_and_a_list_of_the_others():
    table = pa.table({"dx": ["A1"], "主要手术": ["1.1"], "其他手术操作": ["2.1|3.1"]})
    assert clean_codes(to_cases(table)["procs"].combine_chunks()).to_pylist() == [["1.1", "2.1", "3.1"]]


def test_others_without_a_principal_one():
    table = pa.table({"dx": ["A1", "A1"], "其他手术1": ["2.1", None]})
    assert clean_codes(to_cases(table)["procs"].combine_chunks()).to_pylist() == [[None, "2.1"], []]


def test_a_table_that_the_library_wrote_has_its_list_in_one_column():
    table = pa.table({"dx": ["A1|A2"], "主要诊断": ["B1"], "其他诊断编码1": ["B2"], "unreadable": [None]})
    assert to_cases(table)["dx"].to_pylist() == [["A1", "A2"]]


# --- sex -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sex"),
    [
        *[(value, 1) for value in (1, "1", "男", "M", "m", "男性", " 男 ", "１", "Ｍ", 1.0, "1.0", np.int8(1))],
        *[(value, 2) for value in (2, "2", "女", "F", "f", "女性", "2.0")],
        *[(value, None) for value in (None, "", "-", "NULL", "nan", float("nan"), pd.NA)],
        *[(value, int(value)) for value in (0, 9, "9", "0")],
    ],
)
def test_the_forms_of_sex(written, sex):
    assert READERS["sex"](written) == sex


@pytest.mark.parametrize("written", ["X", "male", "男女", "1.5", 1.5, True])
def test_what_is_no_sex(written):
    with pytest.raises(Unreadable):
        READERS["sex"](written)


# --- layouts ---------------------------------------------------------------------------------------------------------

TEXTS = ["3", None, "many", "", "7.0", "４"]
WHOLE = [3, None, None, None, 7, 4]
MARKS = [None, None, "age", None, None, None]
_STRINGS = pa.array(TEXTS, pa.string())


@pytest.mark.parametrize(
    "column",
    [
        _STRINGS,
        _STRINGS.cast(pa.large_string()),
        _STRINGS.cast(pa.string_view()),
        _STRINGS.dictionary_encode(),
        pa.chunked_array([_STRINGS.slice(0, 2), _STRINGS.slice(2)]),
        pa.chunked_array([_STRINGS.slice(0, 2).dictionary_encode(), _STRINGS.slice(2).dictionary_encode()]),
        pa.concat_arrays([_STRINGS, _STRINGS]).slice(6),
    ],
    ids=["string", "large_string", "string_view", "dictionary", "chunked", "chunked dictionary", "sliced"],
)
def test_numbers_as_texts_in_every_layout(column):
    cases = to_cases(pa.table({"dx": ["A1"] * 6, "age": column}))
    assert cases["age"].to_pylist() == WHOLE
    assert cases["age"].type == pa.int64()
    assert cases["unreadable"].to_pylist() == MARKS


@pytest.mark.parametrize(
    ("column", "numbers", "marks"),
    [
        (pa.array([1, None, 3], pa.int8()), [1, None, 3], [None, None, None]),
        (pa.array([1, None, 2**64 - 1], pa.uint64()), [1, None, None], [None, None, "age"]),
        (pa.array([1.0, None, 3.5]), [1, None, None], [None, None, "age"]),
        (pa.array([1.0, float("nan"), float("inf")]), [1, None, None], [None, None, "age"]),
        (pa.array([1.0, float("nan"), 3.5], pa.float32()), [1, None, None], [None, None, "age"]),
        (pa.array([1, None, decimal.Decimal("3.50")]), [1, None, None], [None, None, "age"]),
        (pa.array([decimal.Decimal("1.00"), None, decimal.Decimal("3.00")]), [1, None, 3], [None, None, None]),
        (pa.array([True, None, False]), [None, None, None], ["age", None, "age"]),
        (pa.nulls(3), [None, None, None], [None, None, None]),
        (pa.array([[1], None, []]), [None, None, None], ["age", None, "age"]),
        (pa.array([{"a": 1}, None, {"a": 2}]), [None, None, None], ["age", None, "age"]),
        (pa.array([datetime.date(2025, 1, 1), None, None]), [None, None, None], ["age", None, None]),
        (pa.array([b"1", None, b"x"]), [None, None, None], ["age", None, "age"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_numbers_in_every_type(column, numbers, marks):
    cases = to_cases(pa.table({"dx": ["A1"] * 3, "age": column}))
    assert cases["age"].to_pylist() == numbers
    assert cases["unreadable"].to_pylist() == marks


@pytest.mark.parametrize("column", sorted(READERS.keys() - {"dx", "procs", "dept"}))
def test_every_column_marks_what_it_cannot_read(column):
    cases = to_cases(pa.table({"dx": ["A1", "A1", "A1"], column: ["1", "what", ""]}))
    assert cases[column].to_pylist() == [1, None, None]
    assert cases["unreadable"].to_pylist() == [None, column, None]


def test_several_values_that_cannot_be_read_are_all_named():
    table = pa.table({"dx": ["A1", "A1"], "age": ["x", "1"], "los": ["y", "z"], "unreadable": ["row age", None]})
    assert [set(mark.split()) for mark in to_cases(table)["unreadable"].to_pylist()] == [{"row", "age", "los"}, {"los"}]


_LISTS = [["A1", "A2"], None, [], [None, "A3"]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(_LISTS, pa.list_(pa.string())),
        pa.array(_LISTS, pa.large_list(pa.string())),
        pa.array(_LISTS, pa.list_(pa.large_string())),
        pa.array(_LISTS, pa.list_(pa.string_view())),
        pa.array(_LISTS, pa.list_view(pa.string())),
        pa.array(_LISTS, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        pa.array([["A1", "A2"], None, None, [None, "A3"]], pa.list_(pa.string(), 2)),
        pa.array(["A1|A2", None, "", "|A3"]),
        pa.array(["A1|A2", None, "", "|A3"], pa.large_string()),
        pa.array(["A1|A2", None, "", "|A3"], pa.string_view()),
        pa.array(["A1|A2", None, "", "|A3"]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_codes_in_every_layout(column):
    for given_column in (column, pa.chunked_array([column.slice(0, 1), column.slice(1)])):
        codes = clean_codes(to_cases(pa.table({"dx": given_column}))["dx"].combine_chunks())
        assert codes.type == pa.list_(pa.string())
        assert codes.to_pylist() == [["A1", "A2"], [], [], [None, "A3"]]


@pytest.mark.parametrize(
    "column",
    [pa.array([[1, 2], None]), pa.array([12.5, None]), pa.nulls(2), pa.array([[True], [None]]), pa.array([b"A1", b""])],
    ids=lambda column: str(column.type),
)
def test_codes_that_are_no_texts_are_taken_by_their_texts(column):
    table = pa.table({"dx": column})
    codes = clean_codes(to_cases(table)["dx"].combine_chunks())
    assert codes.to_pylist() == [read_record(row)[0]["dx"] for row in table.to_pylist()]


def test_containers():
    rows = [{"dx": ["A1", "A2"], "sex": 1, "age": None}, {"dx": [], "sex": 2, "age": 3}]
    expected = to_cases(pa.Table.from_pylist(rows))
    for table in (
        rows,
        pa.RecordBatch.from_pylist(rows),
        pl.DataFrame(rows),
        pl.DataFrame(rows).lazy(),
        pd.DataFrame(rows),
    ):
        assert to_cases(table).to_pylist() == expected.to_pylist()


def test_no_rows():
    for table in ([{"dx": ["A1"]}][:0], pa.table({"sex": [1]}).slice(1)):
        with pytest.raises(CaseError, match="no column holds diagnoses"):
            to_cases(table)
    cases = to_cases(make_case_schema().empty_table())
    assert len(cases) == 0
    assert cases.column_names == [*make_case_schema().names, "unreadable"]


# --- properties ------------------------------------------------------------------------------------------------------

_TEXTS = st.one_of(
    st.sampled_from(["", "1", " 2 ", "３", "男", "F", "-", "NULL", "A01.X00", "x|y", "|z", "1e5", "0.0", "9" * 30]),
    st.text(max_size=4),
)
_OTHERS = st.one_of(
    _TEXTS,
    st.none(),
    st.booleans(),
    st.dates(),
    st.binary(max_size=3),
    st.dictionaries(st.sampled_from("ab"), _TEXTS),
)
_NUMBERS = [st.integers(-(2**70), 2**70), st.floats(), st.decimals(min_value=-1000, max_value=1000, places=2)]
_KINDS = st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])


@st.composite
def _columns(draw, rows, name):
    kind = draw(st.integers(0, 3))
    if kind == 0:
        # Numbers of one kind with anything else: Arrow has whole and other numbers in one column as one kind.
        cells = st.one_of(draw(st.sampled_from(_NUMBERS)), _OTHERS)
        if name in READERS and draw(st.booleans()):
            cells = st.one_of(st.none(), st.lists(cells, max_size=3))
        return draw(st.lists(cells, min_size=rows, max_size=rows))
    if kind == 1:
        texts = draw(st.lists(st.one_of(st.none(), _TEXTS), min_size=rows, max_size=rows))
        return pa.array(texts, draw(_KINDS))
    if kind == 2:
        lists = st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=3)
        inner = draw(_KINDS)
        outer = draw(st.sampled_from([pa.list_, pa.large_list, pa.list_view]))
        return pa.array(draw(st.lists(st.one_of(st.none(), lists), min_size=rows, max_size=rows)), outer(inner))
    numbers = draw(st.lists(st.one_of(st.none(), st.integers(0, 120)), min_size=rows, max_size=rows))
    return pa.array(
        numbers, draw(st.sampled_from([pa.int8(), pa.uint16(), pa.int64(), pa.float32(), pa.decimal128(9, 2)]))
    )


@st.composite
def _tables(draw):
    rows = draw(st.integers(1, 4))
    names = draw(
        st.lists(st.sampled_from([*READERS, "性别", "主要诊断", "dx_other_1", "unreadable", "ward"]), unique=True)
    )
    columns = {name: draw(_columns(rows, name)) for name in names}
    if all(isinstance(column, list) for column in columns.values()):
        return [{name: column[row] for name, column in columns.items()} for row in range(rows)]
    return pa.table({n: c for n, c in columns.items() if not isinstance(c, list)})


@given(_tables())
def test_any_table_is_read_as_its_records_are(table):
    """Nothing but a DrgdipError, and value by value what one record gives."""
    try:
        cases = to_cases(table)
    except DrgdipError:
        return
    rows = table if isinstance(table, list) else table.to_pylist()
    expected = [read_record(row) for row in rows]
    for name in READERS:
        if name in cases.column_names:
            column = cases[name].combine_chunks()
            found = clean_codes(column).to_pylist() if name in {"dx", "procs"} else column.to_pylist()
            assert found == [values[name] for values, _ in expected]
    marks = [set((mark or "").split()) for mark in cases["unreadable"].to_pylist()]
    assert marks == [set(unreadable) for _, unreadable in expected]
