"""A value means the same at every door: a column is read as each of its values is, and files as records are."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drgdip import CaseError, check_cases, group_one, read_cases
from drgdip._arrays import from_days, read_days, read_flags, read_numbers, read_wholes
from drgdip._columns import Columns
from drgdip._money import read_amounts, read_money
from drgdip._values import Unreadable, read_day, read_fen, read_flag, read_number, read_whole, read_yuan
from drgdip.settle import read_settlement

#: Texts near what each reader takes, and near what Arrow takes besides.
_WRITTEN = (
    *("", " ", "-", "NULL", "nan", "NaN", "NAN", "None", "inf", "-inf", "infinity", "x", "天"),
    *("3", " 3", "3 ", "+3", "-3", "３", "3.0", "3.", ".5", ".", "3.5", "-0", "007", "3_000", "3,000", "1e3", "1E+03"),
    *("0x1F", "0X1f", "1.005", "-1.005", "12345.67", "9999999999999.99", "10000000000000", "9" * 18, "9" * 30),
    *("9223372036854775807", "-9223372036854775808", "9223372036854775808", "0." + "0" * 40 + "1", "1e999"),
    *("2024-05-01", "2024-5-1", "2024/05/01", "20240501", "2024年5月1日", "2024-05-01 8:05", "2024-02-30", "45000"),
    *("2024-05-01T08:05:00", "2024-05-01x", "1969-12-31", "true", "TRUE", "False", "yes", "no", "是", "否", "1", "0"),
)
_TEXTS = st.lists(st.none() | st.sampled_from(_WRITTEN) | st.text(max_size=6), max_size=8)
_PLAIN = st.lists(st.none() | st.integers(-(10**6), 10**6).map(str), max_size=8)
_KINDS = st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
_NUMBERS = (
    st.tuples(st.just(pa.float64()), st.lists(st.none() | st.floats(), max_size=8))
    | st.tuples(st.just(pa.float32()), st.lists(st.none() | st.floats(width=32), max_size=8))
    | st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=8))
    | st.tuples(st.just(pa.uint64()), st.lists(st.none() | st.integers(0, 2**64 - 1), max_size=8))
    | st.tuples(st.just(pa.bool_()), st.lists(st.none() | st.booleans(), max_size=8))
    | st.tuples(
        st.just(pa.decimal128(20, 2)),
        st.lists(st.none() | st.integers(-(10**19), 10**19).map(lambda fen: Decimal(fen) / 100), max_size=8),
    )
    | st.tuples(
        st.just(pa.decimal128(20, 4)),
        st.lists(st.none() | st.integers(-(10**9), 10**9).map(lambda parts: Decimal(parts) / 10_000), max_size=8),
    )
)


def _column(kind, values):
    plain = pa.array(values, pa.string() if kind == pa.string_view() or pa.types.is_dictionary(kind) else kind)
    return plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain.cast(kind)


def _one_by_one(read, values):
    """What a reader makes of each value, None for what it refuses, and which it refuses."""
    found, failed = [], []
    for value in values:
        try:
            found.append(read(value))
            failed.append(False)
        except Unreadable:
            found.append(None)
            failed.append(True)
    return found, failed


def _read_wholes(column):
    values, failed = read_wholes(column)
    return values.to_pylist(), failed.tolist()


def _read_numbers(column, **options):
    values, failed = read_numbers(column, **options)
    return [None if value != value else value for value in values.tolist()], failed.tolist()


def _read_amounts(column, **options):
    fen, known, failed = read_amounts(column, **options)
    assert not fen[~known].any()
    return [value if there else None for value, there in zip(fen.tolist(), known, strict=True)], failed.tolist()


def _read_flags(column):
    values, failed = read_flags(column)
    return values.to_pylist(), failed.tolist()


def _read_days(column):
    days, failed = read_days(column)
    assert from_days(days).to_pylist() == days.astype(object).tolist()
    return days.astype(object).tolist(), failed.tolist()


TWINS = {
    "wholes": (read_whole, _read_wholes),
    "numbers": (read_number, _read_numbers),
    "numbers with exponents": (partial(read_number, exponent=True), partial(_read_numbers, exponent=True)),
    "amounts": (read_fen, _read_amounts),
    "exact amounts": (partial(read_fen, exact=True), partial(_read_amounts, exact=True)),
    "flags": (read_flag, _read_flags),
    "days": (read_day, _read_days),
}


@pytest.mark.parametrize("name", TWINS)
@given(_KINDS, _TEXTS | _PLAIN)
def test_a_column_of_texts_is_read_as_each_of_them_is(name, kind, values):
    one, many = TWINS[name]
    assert many(_column(kind, values)) == _one_by_one(one, values)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("text", _WRITTEN)
def test_a_text_alone_is_read_as_among_others(name, text):
    """Alone it may take the short way of a whole column."""
    one, many = TWINS[name]
    assert many(pa.array([text])) == _one_by_one(one, [text])
    assert many(pa.array(["no kind at all", text, None]).slice(1)) == _one_by_one(one, [text, None])


@pytest.mark.parametrize("name", ["wholes", "numbers", "amounts", "exact amounts"])
@given(_NUMBERS)
def test_a_column_of_numbers_is_read_as_each_of_them_is(name, column):
    kind, values = column
    one, many = TWINS[name]
    array = pa.array(values, kind)
    assert many(array) == _one_by_one(one, array.to_pylist())


_MOMENTS = st.datetimes(*map(datetime.datetime.fromisoformat, ("1900-01-01", "2100-01-01")))


@given(st.lists(st.none() | _MOMENTS, max_size=8), st.sampled_from(["s", "ms", "us"]))
def test_a_column_of_times_is_read_as_each_of_them_is(values, unit):
    array = pa.array(values, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    days = [None if value is None else value.date() for value in values]
    assert _read_days(array) == (days, [False] * len(values))
    assert _read_days(pa.array(days, pa.date32())) == (days, [False] * len(values))
    assert _read_days(pa.array(days, pa.date64())) == (days, [False] * len(values))
    assert Columns(pa.table({"day": array})).dates("day").to_pylist() == days


@pytest.mark.parametrize("value", [True, "x", [1], {"a": 1}, float("inf"), "1e3", b"1"])
def test_what_is_no_amount(value):
    with pytest.raises(Unreadable):
        read_yuan(value)


# --- doors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "age"), [("31", 31), (" 31", 31), ("３１", 31), ("31.0", 31), ("-", None), ("0x1F", False), ("1e1", False)]
)
def test_an_age_at_every_door(text, age, tmp_path):
    """False is a value that cannot be read."""
    record = {"sex": 1, "age": text, "dx": ["I63.900"]}
    expected = (None if age is False else age, "age" if age is False else None)
    paths = [tmp_path / name for name in ("a.csv", "a.json", "a.jsonl")]
    paths[0].write_text(f"sex,age,dx\n1,{text},I63.900\n", encoding="utf-8")
    paths[1].write_text(json.dumps([record]), encoding="utf-8")
    paths[2].write_text(json.dumps(record), encoding="utf-8")
    for path in paths:
        row = read_cases(path).to_pylist()[0]
        assert (row["age"], row["unreadable"]) == expected
    assert (group_one(record, "chs-drg-2.0").reason == "unreadable_age") is (age is False)


@pytest.mark.parametrize(
    ("text", "fen"),
    [("12.50", 1250), ("１２.5", 1250), (" 12.5 ", 1250), ("1e3", None), ("dear", None), ("10000000000000", None)],
)
def test_an_amount_at_every_door(text, fen, tmp_path):
    """Checks, grouping and settlement; settlement takes no fraction of a fen besides."""
    table = pa.table({"sex": [1], "dx": [["I63.900"]], "procs": [[]], "total_cost": [text]})
    found = set(check_cases(table, "chs-drg-2.0")["rule"].to_pylist())
    assert ("unreadable_total_cost" in found) is (fen is None)
    path = tmp_path / "cases.csv"
    path.write_text(f"total_cost\n{text}\n", encoding="utf-8")
    column = read_settlement(path)["total_cost"]
    if fen is None:
        with pytest.raises(CaseError, match=r"at most two decimals \('.*' in row 0\)"):
            read_money(column, "'total_cost'")
    else:
        assert read_money(column, "'total_cost'")[0].tolist() == [fen]


@pytest.mark.parametrize("text", ["2024-03-01", "2024/3/1", "20240301", "2024年3月1日", "2024-03-01 08:00"])
def test_a_day_at_every_door(text, tmp_path):
    """Files of settlement, tables of settlement, checks and lists."""
    day = datetime.date(2024, 3, 1)
    path = tmp_path / "cases.csv"
    path.write_text(f"discharged\n{text}\n", encoding="utf-8")
    assert read_settlement(path)["discharged"].to_pylist() == [day]
    assert Columns([{"discharged": text}]).dates("discharged").to_pylist() == [day]
    assert read_days(pa.array([text]))[0].tolist() == [day] == [read_day(text)]


def test_numbers_of_settlement_may_have_exponents(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text("group,weight\nA,1e-05\nB, 1.5 \nC,\n", encoding="utf-8")
    assert read_settlement(path)["weight"].to_pylist() == [0.00001, 1.5, None]
    assert np.isnan(read_numbers(pa.array(["1e-05"]))[0]).all()
