"""A row gives at every door what `group_one` gives for it alone, whatever stands in the rows beside it."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drgdip import CaseError, check_cases, encode, explain, group, group_one, load_scheme, map_codes, read_cases
from drgdip.data import rows_of

SCHEMES = ("chs-drg-2.0", "chs-drg-1.1-hefei-2023", "nhsa-dip-3.0")
WRITTEN = {
    column: [] for column in ("sex", "age", "age_days", "birth_weight", "los", "icu_hours", "dept", "dx", "procs")
}
for row in rows_of("values.csv"):
    if row["column"] in WRITTEN:
        WRITTEN[row["column"]].append(json.loads(row["written"]))
WRITTEN["dx"] += ["I63.900", "P07.300|P22.000", "Ｋ22.301", "O80.000", ["I63.900", None, "E87.600"], [None, "E87.600"]]
WRITTEN["procs"] += ["38.9300", "00.4500x001|36.0601", ["42.0902"], [None, "42.0902"], "", None]
#: Values of any column that JSON has, and those that only Python has.
ANYWHERE = [
    "",
    None,
    "-",
    "无",
    0,
    1,
    -1,
    3,
    71.0,
    2.5,
    -1.0,
    True,
    False,
    "False",
    "0x10",
    "1e3",
    2**53 + 1,
    2**70,
    -(2**63),
]
ANYWHERE += [[], ["x"], [1, 2], [None], {"a": 1}, {}, "71岁", "3天", "3200g", "2小时", 20240501, "ＮＵＬＬ", "N/A"]
PYTHON = [
    np.True_,
    np.int64(7),
    np.float64(7.0),
    np.float64("nan"),
    float("nan"),
    float("inf"),
    pd.NA,
    pd.NaT,
    b"I63.900",
]
PYTHON += [
    np.array(["I63.900", "E87.600"]),
    np.array([1, 2]),
    np.array(5),
    ("I63.900",),
    b"\xff",
    Decimal("7.00"),
    10**400,
]
PYTHON += [
    Decimal("NaN"),
    datetime.date(2024, 5, 1),
    datetime.datetime(2024, 5, 1, 8, tzinfo=datetime.UTC),
    np.datetime64("NaT"),
    1e300,
    "\x00",
]


def rows_from(seed, *, python):
    """Some rows of values that may stand in the column, and of any others."""
    chance = random.Random(seed)
    others = ANYWHERE + PYTHON if python else ANYWHERE

    def value(column):
        return chance.choice(WRITTEN[column] if chance.random() < 0.75 else others)

    rows = []
    for _ in range(8):
        good = {"sex": 1, "age": 0, "age_days": 3, "birth_weight": 1500, "dx": "P07.300", "procs": ""}
        changed = chance.sample(sorted(WRITTEN), chance.randint(1, 4))
        rows.append(dict.fromkeys(WRITTEN) | good | {column: value(column) for column in changed})
    return rows


def results_of(grouped, scheme):
    fields = group_one({}, scheme)._fields
    rows = grouped if isinstance(grouped, list) else pa.table(grouped).select(list(fields)).to_pylist()
    return [{name: row[name] for name in fields} for row in rows]


def assert_rows_alone(table, rows, scheme):
    alone = [group_one(row, scheme)._asdict() for row in rows]
    for engine in ("reference", "columnar"):
        grouped = group(table, scheme, engine=engine, threads=1)
        if isinstance(grouped, pd.DataFrame | pl.DataFrame):
            names = list(alone[0])
            grouped = (
                grouped[names].to_dict("records") if isinstance(grouped, pd.DataFrame) else grouped[names].to_dicts()
            )
            grouped = [{name: None if value != value else value for name, value in row.items()} for row in grouped]
        assert results_of(grouped, scheme) == alone, engine
    assert results_of(group(encode(table, scheme), scheme), scheme) == alone


def frame_of(rows):
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(25))
def test_records_and_objects(seed, scheme):
    rows = rows_from(seed, python=True)
    assert_rows_alone(rows, rows, scheme)
    assert_rows_alone(frame_of(rows), rows, scheme)


@pytest.mark.parametrize("seed", range(15))
def test_objects_of_polars(seed):
    rows = rows_from(100 + seed, python=True)
    frame = pl.DataFrame({name: pl.Series(name, [row[name] for row in rows], dtype=pl.Object) for name in rows[0]})
    assert_rows_alone(frame, rows, "chs-drg-2.0")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(15))
def test_a_file_of_json(seed, scheme, tmp_path):
    rows = rows_from(200 + seed, python=False)
    for row in rows:  # a file derives an age of 0 from the age in days
        row["age_days"] = row["age_days"] if row["age"] == 0 else None
    (tmp_path / "cases.json").write_text(json.dumps(rows), encoding="utf-8")
    alone = [group_one(row, scheme)._asdict() for row in rows]
    assert results_of(group(read_cases(tmp_path / "cases.json"), scheme), scheme) == alone


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(15))
def test_texts_in_every_layout(seed, scheme):
    rows = [
        {name: value if value is None or isinstance(value, str) else None for name, value in row.items()}
        for row in rows_from(300 + seed, python=False)
    ]
    arrays = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.uint8(), pa.string())]
    kind = kinds[seed % 4]
    if pa.types.is_dictionary(kind):
        table = pa.table({name: array.dictionary_encode().cast(kind) for name, array in arrays.items()})
    else:
        table = pa.table({name: array.cast(kind) for name, array in arrays.items()})
    assert_rows_alone(table, rows, scheme)
    frame = pl.DataFrame(
        {name: array.to_pylist() for name, array in arrays.items()}, schema=dict.fromkeys(arrays, pl.String)
    )
    assert_rows_alone(frame, rows, scheme)
    assert_rows_alone(frame.with_columns(pl.all().cast(pl.Categorical)), rows, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", range(15))
def test_findings(seed, scheme):
    rows = rows_from(400 + seed, python=True)
    many = [(f["row"], f["rule"], f["field"], f["value"]) for f in check_cases(rows, scheme)]
    alone = [
        (place, f["rule"], f["field"], f["value"]) for place, row in enumerate(rows) for f in check_cases([row], scheme)
    ]
    assert many == alone


DX = (["I63.900", "E87.600"], ["I63.900", None], None, ["A46.x00", None])


@pytest.mark.parametrize(
    "inner", [pa.string(), pa.large_string(), pa.string_view(), "uint8", "uint32", "int16"], ids=str
)
@pytest.mark.parametrize("outer", [pa.list_, pa.large_list, pa.list_view, pa.large_list_view, "fixed"])
def test_lists_in_every_layout(outer, inner):
    """A null among dictionaries with unsigned indices was a code: an MCC was invented."""
    texts = pa.array([code for codes in DX for code in (codes or [None, None])], pa.string())
    values = texts.cast(inner) if not isinstance(inner, str) else None
    if values is None:
        encoded = texts.dictionary_encode()
        values = pa.DictionaryArray.from_arrays(encoded.indices.cast(inner), encoded.dictionary)
    if outer == "fixed":
        plain = pa.FixedSizeListArray.from_arrays(values, 2)
    elif "view" in outer.__name__:
        kind = pa.ListViewArray if outer is pa.list_view else pa.LargeListViewArray
        plain = kind.from_arrays([0, 2, 4, 6], [2, 2, 0, 2], values)
    else:
        kind = pa.ListArray if outer is pa.list_ else pa.LargeListArray
        missing = pa.array([False, False, True, False])
        plain = kind.from_arrays(
            pa.array([0, 2, 4, 6, 8], pa.int32() if outer is pa.list_ else pa.int64()), values, mask=missing
        )
    rows = [{"sex": 1, "dx": codes, "procs": None} for codes in DX]
    table = pa.table({"sex": [1] * 4, "dx": plain, "procs": pa.nulls(4)})
    for scheme in ("chs-drg-2.0", "nhsa-dip-3.0"):
        assert_rows_alone(table, rows, scheme)
        assert_rows_alone(table.slice(1), rows[1:], scheme)


def test_types_of_polars():
    rows = [
        {"sex": sex, "age": age, "dx": dx, "procs": None}
        for sex, age, dx in zip((1, 2, 1, 9), (71, 2**70, None, 3), DX, strict=True)
    ]
    frame = pl.DataFrame(
        {
            "sex": pl.Series([1, 2, 1, 9], dtype=pl.Int128),
            "age": pl.Series([71, 2**70, None, 3], dtype=pl.Int128),
            "dx": pl.Series(list(DX), dtype=pl.List(pl.String)),
            "procs": pl.Series([None] * 4, dtype=pl.String),
        }
    )
    for kind in (pl.String, pl.Categorical, pl.Enum(["A46.x00", "E87.600", "I63.900"])):
        for scheme in ("chs-drg-2.0", "nhsa-dip-3.0"):
            assert_rows_alone(frame.with_columns(pl.col("dx").cast(pl.List(kind))), rows, scheme)
    assert group(frame.lazy(), "chs-drg-2.0").collect()["reason"].to_list() == [
        None,
        "unreadable_age",
        "missing_principal_diagnosis",
        "invalid_sex",
    ]


def test_records_that_name_their_columns_in_different_ways(tmp_path):
    """The diagnoses of records with other names than the first were lost."""
    rows = [
        {"sex": 1, "dx": "I63.900", "procs": None, "id": "1"},
        {"sex": 1, "dx_principal": "I63.900", "dx_other_1": None, "dx_other_2": "E87.600", "id": "2"},
        {"性别": "男", "诊断": ["A46.x00"], "手术": "38.9300"},
        {"gender": "女", "dx_principal": "K22.301", "dx_other": "J94.801", "procs_principal": "42.0902", "ward": 3},
        {"sex": 1, "dx_principal": "I63.900", "dx_other": {"a": 1}},
        {"sex": 1, "dx_principal": 51.23},
        {},
    ]
    for scheme in SCHEMES[::2]:
        assert_rows_alone(rows, rows, scheme)
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    alone = [group_one(row, "chs-drg-2.0")._asdict() for row in rows]
    assert results_of(group(read_cases(tmp_path / "a.json"), "chs-drg-2.0"), "chs-drg-2.0") == alone
    assert group(rows, "chs-drg-2.0")[3]["ward"] == 3
    many = [(f["row"], f["rule"], f["value"]) for f in check_cases(rows[:4], "chs-drg-2.0")]
    assert many == [
        (place, f["rule"], f["value"]) for place, row in enumerate(rows[:4]) for f in check_cases([row], "chs-drg-2.0")
    ]


def test_a_row_whose_own_codes_cannot_be_read_has_none():
    """Neither those of other columns nor those of other rows."""
    rows = [
        {"sex": 1, "age": 71, "dx": 51.23, "dx_other_1": "I63.900", "procs": "38.9300"},
        {"sex": 1, "age": 71, "dx": "I63.900", "dx_other_1": "A46.x00", "procs": ["38.9300", 3]},
    ]
    for scheme in SCHEMES:
        results = group(rows, scheme)
        assert [row["reason"] for row in results] == ["unreadable_dx", "unreadable_procs"]
        assert [row["group"] for row in results] == [None, None]
        assert_rows_alone(rows, rows, scheme)


@pytest.mark.parametrize("column", ["age", "age_days", "newborn_weight", "los", "icu_hours"])
def test_numbers_below_0_and_the_rules_that_name_them(column, tmp_path):
    """Hefei closes groups with NL < 0; other schemes read no number below 0."""
    scheme = load_scheme("chs-drg-2.0")
    scheme.to_folder(tmp_path / "plain")
    assert scheme.signed == frozenset()
    assert load_scheme("chs-drg-1.1-hefei-2023").signed == {"age"}
    case = {"sex": 1, "age": 0, "age_days": 3, "newborn_weight": 1500, "dx": "P07.300", "procs": None}
    rows = [case | {column: value} for value in (-1, "-1", -1.0, "-0", 0, None)]
    reasons = [row["reason"] for row in group(rows, scheme, engine="columnar")]
    read = column in scheme.value_columns
    assert [reason == f"unreadable_{column}" for reason in reasons] == [read] * 3 + [False] * 3
    assert_rows_alone(rows, rows, scheme)
    assert_rows_alone(rows, rows, "chs-drg-1.1-hefei-2023")
    found = {(f["row"], f["rule"]) for f in check_cases(rows, scheme)}
    assert {row for row, rule in found if rule == f"unreadable_{column}"} == ({0, 1, 2} if read else set())


def test_numbers_that_floats_do_not_hold():
    """Whole numbers are compared as they are: rules have numbers of 15 digits at most."""
    rows = [
        {"sex": 1, "age": age, "dx": "I63.900", "procs": None} for age in (2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63)
    ]
    for scheme in SCHEMES:
        assert_rows_alone(rows, rows, scheme)
    assert [row["reason"] for row in group(rows, "chs-drg-2.0")][3:] == ["unreadable_age"] * 2


@pytest.mark.parametrize("values", [["A46.x00", 51.23], [51.23, 38.0], [["A46.x00"], ["A46.x00", 3]]])
def test_numbers_do_not_become_codes_by_being_mapped(values):
    frame = pd.DataFrame({"dx": values, "procs": ["", ""]})
    with pytest.raises(CaseError, match="column 'dx' holds a value that is no code in row [01] .a number may have"):
        map_codes(frame, "clinical-2.0")


def test_lists_beside_texts_are_mapped():
    frame = pd.DataFrame({"dx": [["A19.000x001"], "I63.900|A19.000x001", None], "procs": ["", "", ""]})
    mapped = map_codes(frame, "clinical-2.0").data["dx"].tolist()
    assert mapped == [["A19.001"], ["I63.900", "A19.001"], []]


def test_explanations_name_the_column_and_how_to_read_it():
    for scheme in ("chs-drg-2.0", "nhsa-dip-3.0"):
        trace = explain({"sex": 1, "dx": 51.23, "procs": None}, scheme)
        assert trace.result.reason == "unreadable_dx"
        assert "read the column as text (dtype=str in pandas" in str(trace)
