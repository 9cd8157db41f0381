"""Anonymous cases group alike, under every kind of scheme, and tell no one's name."""

import datetime
import hashlib
import hmac

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drgdip import CaseError, DrgdipError, group, load_catalogue, load_scheme, sample_cases
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.load import load_any
from drgdip.monitor import anonymise
from drgdip.monitor.anonymise import edges_of

SALT = "a salt of sixteen"
PLACE = "chs-drg-2.0-chongqing-tcm-2025"
CHANGZHOU = "chs-drg-1.0-revised-changzhou-2022"


def answers(table, scheme):
    result = group(table, scheme)
    return result.select(load_any(scheme).result._fields).to_pylist()


@pytest.mark.parametrize(
    "scheme",
    ["chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0", PLACE, CHANGZHOU, "nhsa-dip-3.0", "dip-guiyang-2023"],
)
def test_anonymous_cases_group_alike(scheme):
    table = sample_cases(4000, scheme, seed=11)
    found = anonymise(table, scheme, salt=SALT)
    kept = [name for name in found.cases.column_names if not name.endswith("_band")]
    assert answers(found.cases.select(kept), scheme) == answers(table, scheme)


@pytest.mark.parametrize("scheme", ["chs-drg-3.0", PLACE, CHANGZHOU, "nhsa-dip-3.0"])
def test_no_rule_tells_the_numbers_of_a_band_apart(scheme):
    """The slow twin of the edges: each number of a wide range answers every comparison as the least of its band."""
    loaded = load_any(scheme)
    for column in ("age", "age_days", "newborn_weight", "los"):
        edges = edges_of([loaded], column)
        nodes = [node for node in loaded.comparisons if VALUE_VARIABLES[node.variable] == column]
        for value in range(5000 if column == "newborn_weight" else 500):
            least = max(edge for edge in edges if edge <= value)
            for node in nodes:
                holds = OPERATORS[node.operator]
                assert holds(value, node.value) == holds(least, node.value), (column, value, str(node))


def test_ages_of_rules_stand_in_different_bands():
    """Without an edge of a rule, a case of 3.0 would group otherwise: bands are no coarser than that."""
    ages = list(range(120))
    cases = [{"sex": 1, "age": age, "dx": ["I63.900"], "procs": []} for age in ages]
    found = anonymise(cases, "chs-drg-3.0", salt=SALT).cases
    bands = {}
    for age, case in zip(ages, found, strict=True):
        bands.setdefault(case["age"], []).append(age)
    assert [(least, max(held)) for least, held in bands.items()] == [(0, 0), (1, 6), (7, 69), (70, 119)]
    assert found[30]["age_band"] == "7-69"
    assert found[99]["age_band"] == "70+"


def test_the_edges_of_several_schemes_are_all_kept():
    schemes = [load_scheme("chs-drg-2.0"), load_scheme("chs-drg-3.0"), load_catalogue("nhsa-dip-3.0")]
    both = edges_of(schemes, "newborn_weight")
    assert set(both) == {edge for one in schemes for edge in edges_of([one], "newborn_weight")}
    cases = [{"sex": 1, "age": 75, "dx": ["I63.900"], "procs": []}]
    assert anonymise(cases, ["chs-drg-2.0", "chs-drg-3.0"], salt=SALT).cases[0]["age"] == 70
    assert anonymise(cases, "chs-drg-2.0", salt=SALT).cases[0]["age"] == 1


STAYS = [
    {"case_id": f"C{number}", "patient": patient, "admitted": datetime.date(2025, 1, first), "discharged": last}
    for number, (patient, first, last) in enumerate(
        [
            ("李四", 1, datetime.date(2025, 1, 9)),
            ("李四", 20, datetime.date(2025, 2, 1)),
            ("王五", 2, "2025/1/3 10:00"),
            ("王五", 5, None),
        ]
    )
]
CASE = {
    "sex": 2,
    "age": 59,
    "dx": ["K22.301"],
    "procs": [],
    "hospital": "市一院",
    "born": "1965-05-05",
    "备注": "住3床",
}


def test_dates_keep_stays_and_intervals_of_a_patient():
    found = anonymise([CASE | stay for stay in STAYS], "chs-drg-2.0", salt=SALT).cases
    shifts = [case["admitted"] - stay["admitted"] for case, stay in zip(found, STAYS, strict=True)]
    assert shifts[0] == shifts[1] != shifts[2] == shifts[3]
    assert all(shift.days and abs(shift.days) <= 365 for shift in shifts)
    assert found[0]["discharged"] - found[0]["admitted"] == datetime.timedelta(days=8)
    assert found[2]["discharged"] - found[2]["admitted"] == datetime.timedelta(days=1)
    assert found[3]["discharged"] is None
    assert (found[1]["admitted"] - found[0]["discharged"]).days == 11


def test_shifts_go_to_both_sides_and_are_never_nothing():
    cases = [CASE | {"case_id": str(number), "admitted": datetime.date(2025, 1, 1)} for number in range(300)]
    found = anonymise(cases, "chs-drg-2.0", salt=SALT, shift_days=3).cases
    days = {(case["admitted"] - datetime.date(2025, 1, 1)).days for case in found}
    assert days == {-3, -2, -1, 1, 2, 3}


def test_ids_are_hashed_with_the_salt_and_alike_for_alike():
    found = anonymise([CASE | stay for stay in STAYS], "chs-drg-2.0", salt=SALT).cases
    expected = hmac.new(SALT.encode(), "patient:李四".encode(), hashlib.sha256).hexdigest()[:32]
    assert [case["patient"] == expected for case in found] == [True, True, False, False]
    assert len({case["case_id"] for case in found}) == 4
    other = anonymise([CASE | stay for stay in STAYS], "chs-drg-2.0", salt=SALT + "!").cases
    assert not {case["case_id"] for case in found} & {case["case_id"] for case in other}
    again = anonymise([CASE | STAYS[1]], "chs-drg-2.0", salt=SALT.encode()).cases
    assert again == [found[1]]


def test_nothing_that_names_someone_is_left_and_it_is_said():
    found = anonymise([CASE | stay for stay in STAYS], "chs-drg-2.0", salt=SALT)
    text = str(found.cases)
    for secret in ("李四", "王五", "市一院", "住3床", "1965", "C0"):
        assert secret not in text
    told = {row["column"]: row["treatment"] for row in found.columns.to_pylist()}
    assert told == {
        **dict.fromkeys(("case_id", "patient", "hospital"), "hashed"),
        **dict.fromkeys(("admitted", "discharged"), "shifted"),
        **dict.fromkeys(("born", "备注"), "dropped"),
        "sex": "kept",
        "age": "band",
        **dict.fromkeys(("dx", "procs"), "codes"),
    }


def test_what_is_no_code_does_not_stay_among_the_codes():
    dx = ["K22.301", "张三的食管破裂", "330702198001011234", "J94.801"]
    cases = [CASE | {"dx": dx, "procs": ["42.8200", "手术 13812345678"]}]
    found = anonymise(cases, "chs-drg-2.0", salt=SALT).cases
    assert found[0]["dx"] == ["K22.301", "other", "other", "J94.801"]
    assert found[0]["procs"] == ["42.8200", "other"]


def test_departments_stay_only_as_words_of_rules():
    scheme = load_scheme("chs-drg-2.0")
    cases = [CASE | {"dept": "张三病区", "unreadable": "张三 age"}]
    found = anonymise(cases, scheme, salt=SALT).cases
    assert "dept" not in found[0]
    assert found[0]["unreadable"] == "age"
    assert group(cases, scheme)[0]["reason"] == group(found, scheme)[0]["reason"] == "unreadable_age"


def test_dates_of_no_one_are_dropped():
    case = {name: value for name, value in CASE.items() if name != "case_id"}
    found = anonymise([case | {"admitted": "2025-01-01"}], "chs-drg-2.0", salt=SALT)
    assert "admitted" not in found.cases[0]
    assert {"column": "admitted", "case_column": "admitted", "treatment": "dropped"} in found.columns.to_pylist()
    none = anonymise([CASE | STAYS[0] | {"patient": None}], "chs-drg-2.0", salt=SALT)
    assert none.cases[0]["admitted"] is None


def test_a_case_that_would_group_otherwise_never_leaves(monkeypatch):
    """The check of the result can fail: with an edge taken away, the door stays shut."""
    module = __import__("sys").modules["drgdip.monitor.anonymise"]
    monkeypatch.setattr(module, "edges_of", lambda *_: [0])
    newborn = {"sex": 1, "age": 0, "age_days": 1, "dx": ["P07.300"], "procs": [], "birth_weight": 1480}
    with pytest.raises(DrgdipError, match="would group otherwise"):
        anonymise([newborn], "chs-drg-2.0", salt=SALT)


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_the_container_is_that_of_the_caller(container):
    rows = [CASE | stay | {"discharged": None} for stay in STAYS]
    found = anonymise(container(rows), "chs-drg-2.0", salt=SALT).cases
    assert type(found) is type(container(rows))
    plain = anonymise(rows, "chs-drg-2.0", salt=SALT).cases
    held = found.to_pylist() if isinstance(found, pa.Table) else pa.table(found).to_pylist()
    for name in ("case_id", "patient", "hospital", "age", "admitted"):
        assert [row[name] for row in held] == [row[name] for row in plain]


def test_the_order_of_rows_changes_no_case():
    table = sample_cases(500, "chs-drg-3.0", seed=4)
    order = pa.array(np.random.default_rng(1).permutation(500))
    one = anonymise(table, "chs-drg-3.0", salt=SALT).cases.take(order)
    assert one.equals(anonymise(table.take(order), "chs-drg-3.0", salt=SALT).cases)


def test_columns_that_the_caller_vouches_for_stay():
    found = anonymise([CASE | {"returned_group": "GZ19"}], "chs-drg-2.0", salt=SALT, keep=["returned_group"])
    assert found.cases[0]["returned_group"] == "GZ19"
    assert found.columns.to_pylist()[-1]["treatment"] == "kept"
    renamed = anonymise([CASE | {"病人": "赵六"}], "chs-drg-2.0", salt=SALT, columns={"patient": "病人"})
    assert "赵六" not in str(renamed.cases)
    assert len(renamed.cases[0]["patient"]) == 32


def test_what_cannot_be_is_said():
    with pytest.raises(CaseError, match="16 or more"):
        anonymise([CASE], "chs-drg-2.0", salt="short")
    with pytest.raises(CaseError, match="keep="):
        anonymise([CASE], "chs-drg-2.0", salt=SALT, keep=["none"])
    with pytest.raises(CaseError, match="shift_days"):
        anonymise([CASE], "chs-drg-2.0", salt=SALT, shift_days=0)


def test_codes_of_another_edition_are_grouped_as_such():
    """The check of the result groups as the caller does: codes of another edition are mapped on the way."""
    case = {"case_id": "1", "sex": 1, "age": 40, "dx": ["A19.000x001"], "procs": []}
    found = anonymise([case], "chs-drg-2.0", salt=SALT, codes="clinical-2.0")
    assert found.cases[0]["dx"] == ["A19.000x001"]
