"""Each row of data/values.csv, how values are read: through every door, and among neighbours of all kinds."""

from __future__ import annotations

import datetime
import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest

from drgdip import Case, check_cases, encode, group, group_one, read_cases
from drgdip._arrays import read_days
from drgdip._arrow import one_chunk
from drgdip._values import Unreadable, read_day
from drgdip.cases.fields import READERS, read_record
from drgdip.cases.table import clean_codes, to_cases
from drgdip.data import rows_of

CODES = ("dx", "procs")
#: Values of other kinds that stand below in the same column.
NEIGHBOURS = (5, "x", 2.5, True, ["y"], None, {"a": 1}, [1, None], float("nan"))
ROWS = [(row["column"], json.loads(row["written"]), row["read"]) for row in rows_of("values.csv")]
IDS = [f"{column} {row['written']}" for (column, _, _), row in zip(ROWS, rows_of("values.csv"), strict=True)]


def expected_of(column, read):
    """The value, and whether it cannot be read."""
    if read == "unreadable":
        return ([] if column in CODES else None), True
    value = json.loads(read)
    return (datetime.date.fromisoformat(value) if column == "born" and value else value), False


def first_of(cases, column):
    """The first value of a column of cases, and whether it cannot be read."""
    values, marks = one_chunk(cases[column]), (cases["unreadable"][0].as_py() or "").split()
    if column == "born":
        days, failed = read_days(values)
        return days.astype(object)[0], bool(failed[0]) or column in marks
    if column in CODES:
        values = clean_codes(values)
    return values.to_pylist()[0], column in marks


def record_of(column, value):
    return {"sex": 1, "dx": "I63.900", "procs": None, column: value}


@pytest.mark.parametrize(("column", "value", "read"), ROWS, ids=IDS)
def test_a_record(column, value, read):
    expected = expected_of(column, read)
    if column == "born":
        try:
            assert (read_day(value), False) == expected
        except Unreadable:
            assert expected == (None, True)
    else:
        values, unreadable = read_record(record_of(column, value))
        assert (values[column], column in unreadable) == expected
    if expected[1]:
        with pytest.raises(pydantic.ValidationError):
            Case(**{column: value})
    elif column not in CODES or value is not None:
        assert getattr(Case(**{column: value}), column) == expected[0]


@pytest.mark.parametrize(("column", "value", "read"), ROWS, ids=IDS)
def test_tables(column, value, read):
    expected = expected_of(column, read)
    rows = [record_of(column, each) for each in (value, *NEIGHBOURS)]
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})
    tables = {"records": rows, "one record": rows[:1], "pandas": frame, "one row of pandas": frame.iloc[:1]}
    if isinstance(value, str):
        plain = [pa.array([value], pa.string())]
        plain += [plain[0].cast(pa.large_string()), plain[0].cast(pa.string_view()), plain[0].dictionary_encode()]
        tables |= {str(each.type): pa.table({"dx": ["I63.900"]} | {column: each}) for each in plain}
        tables["polars"] = pl.DataFrame({"dx": ["I63.900"]} | {column: [value]})
    elif not isinstance(value, dict | list) and value is not None:
        tables["arrow"] = pa.table({"dx": ["I63.900"]} | {column: [value]})
    for name, table in tables.items():
        assert first_of(to_cases(table), column) == expected, name


@pytest.mark.parametrize(("column", "value", "read"), ROWS, ids=IDS)
def test_files(column, value, read, tmp_path):
    expected = expected_of(column, read)
    rows = [record_of(column, value), *(record_of(column, each) for each in NEIGHBOURS if each == each)]
    for name, chosen in (("many.json", rows), ("one.json", rows[:1])):
        (tmp_path / name).write_text(json.dumps(chosen), encoding="utf-8")
        assert first_of(read_cases(tmp_path / name), column) == expected, name
    if isinstance(value, str) and "|" not in column:
        other = "" if column == "dx" else "dx,"
        text = f'{other}{column}\n{"I63.900," if other else ""}"{value}"\n'
        (tmp_path / "a.csv").write_text(text, encoding="utf-8")
        assert first_of(read_cases(tmp_path / "a.csv"), column) == expected
    if not isinstance(value, dict | list):
        xlsxwriter = pytest.importorskip("xlsxwriter")
        scalars = [row for row in rows if not isinstance(row[column], dict | list)]
        for count in (1, len(scalars)):
            with xlsxwriter.Workbook(str(tmp_path / "a.xlsx"), {"strings_to_numbers": False}) as book:
                sheet = book.add_worksheet()
                sheet.write_row(0, 0, list(rows[0]))
                for place, row in enumerate(scalars[:count], start=1):
                    for at, cell in enumerate(row.values()):
                        write = sheet.write_string if isinstance(cell, str) else sheet.write
                        write(place, at, cell)
            assert first_of(read_cases(tmp_path / "a.xlsx"), column) == expected, count


@pytest.mark.parametrize(("column", "value", "read"), ROWS, ids=IDS)
def test_doors_of_grouping(column, value, read):
    """Codes of a number, a flag or a list of lists: the same reason at every door, and a finding of the checks."""
    rows = [record_of(column, each) for each in (value, *NEIGHBOURS)]
    unreadable = read == "unreadable"
    found = {row["rule"] for row in check_cases(rows, "chs-drg-2.0") if row["row"] == 0}
    alone = {row["rule"] for row in check_cases(rows[:1], "chs-drg-2.0")}
    assert found - {"duplicate_case"} == alone
    if column in {*CODES, "sex", "age", "age_days"}:
        assert (f"unreadable_{column}" in found) == unreadable
    elif column == "born":
        assert ("unreadable_date" in found) == unreadable
    for scheme in ("chs-drg-2.0", "nhsa-dip-3.0"):
        result = group_one(rows[0], scheme)
        if column in CODES:
            assert (result.reason == f"unreadable_{column}") == unreadable
        for engine in ("reference", "columnar"):
            many = group(rows, scheme, engine=engine)
            assert {name: many[0][name] for name in result._fields} == result._asdict()
        if column in READERS:
            assert group(encode(rows, scheme), scheme).to_pylist()[0] == result._asdict()
