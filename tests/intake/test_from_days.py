"""Ages and stays from days: filled in where they are missing, alike at every door."""

import datetime
import random

import pyarrow as pa
import pytest

import drgdip
from drgdip.cases.derive import derive
from drgdip.cases.fields import read_record
from drgdip.cases.table import to_cases

NEWBORN = {"sex": 1, "born": "2026-02-20", "admitted": "2026-03-01", "discharged": "2026-03-09", "dx": "P22.000"}
SCHEMES = ["chs-drg-2.0", "chs-drg-3.0"]


def of(row, result):
    return result._replace(**{name: row[name] for name in result._fields}) == result


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_a_newborn_without_an_age_is_one_at_every_door(scheme, engine):
    """The table was taken as it is: the newborn was ungrouped there, and grouped by read_cases."""
    given = drgdip.group_one(NEWBORN | {"age": 0, "age_days": 9, "los": 8}, scheme)
    assert given.group == "PR15"
    assert drgdip.group_one(NEWBORN, scheme) == given
    assert drgdip.explain(NEWBORN, scheme).result == given
    for table in ([NEWBORN], pa.Table.from_pylist([NEWBORN]), drgdip.read_cases([NEWBORN])):
        row = drgdip.group(table, scheme, engine=engine)
        assert of((row if isinstance(row, list) else row.to_pylist())[0], given)
    encoded = drgdip.group(drgdip.encode([NEWBORN], scheme), scheme)
    assert encoded["group"].to_pylist() == ["PR15"]
    stream = drgdip.group(pa.Table.from_pylist([NEWBORN]).to_reader(), scheme, engine=engine).read_all()
    assert stream["group"].to_pylist() == ["PR15"]


def test_a_scheme_that_demands_an_age_takes_days_for_one():
    """Neither ``age`` nor a column of nulls for it need be there."""
    adult = {"sex": 1, "born": "1950-01-01", "admitted": "2026-03-01", "dx": "I63.900"}
    scheme = "chs-drg-1.0-revised"
    assert drgdip.group([adult], scheme)[0]["group"] == drgdip.group([adult | {"age": 76}], scheme)[0]["group"]
    assert drgdip.group([adult], scheme)[0]["status"] == "grouped"
    without = {name: value for name, value in adult.items() if name != "born"}
    with pytest.raises(drgdip.CaseError, match=r"needs age"):
        drgdip.group([without], scheme)


def any_day(rng):
    day = datetime.date(2026, 3, 1) + datetime.timedelta(days=rng.randint(-800, 3))
    return rng.choice([None, "", "x", day.isoformat(), f"{day:%Y/%m/%d} 08:30", f"{day:%Y%m%d}", "2024-02-29"])


def test_columns_and_one_record_fill_in_the_same():
    rng = random.Random(8)
    values = [None, None, None, 0, 1, 40, "x", -3]
    cases = [
        {
            "dx": "A00",
            **{name: any_day(rng) for name in ("born", "admitted", "discharged")},
            **{name: rng.choice(values) for name in ("age", "age_days", "los")},
        }
        for _ in range(20_000)
    ]
    found = derive(to_cases(cases)).to_pylist()
    seen = set()
    for case, row in zip(cases, found, strict=True):
        record, unreadable = read_record(case, derived=True)
        expected = {name: record[name] for name in ("age", "age_days", "los")}
        assert {name: row[name] for name in expected} == expected, case
        assert unreadable == set((row["unreadable"] or "").split()) - {"born", "admitted", "discharged"}
        seen |= {name for name, value in expected.items() if value is not None and case[name] is None}
    assert seen == {"age", "age_days", "los"}
