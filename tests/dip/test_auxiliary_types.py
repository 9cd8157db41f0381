"""Auxiliary types of cases (辅助分型; DIP 3.0 draft, chapter 3): every type, edges, odd values, doors, the twin."""

from __future__ import annotations

import decimal
import random

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from auxiliary_twin import AMOUNTS, WHOLE, types_of
from hypothesis import given, settings
from hypothesis import strategies as st

import drgdip
from drgdip.grouper.dip.auxiliary import PLAIN_COLUMNS

RULES = "nhsa-dip-3.0"
LISTS = {
    "failure": ["I50.900", "R57.900"],
    "organ_damage": ["J18.900", "K72.900"],
    "severe": ["J96.000", "I50.900"],
    "moderate": ["E11.900", "J96.000"],
}
WEIGHTS = {"I50.900": 1, "E11.900": 2, "K72.900": 3, "C78.000": 6, "I10.x00": 0}
BANDS = {"cci": (1, 3, 5)}
ALL = ["tumor", "severity", "age", "icu", "cci"]
#: A case of malignancy, and one of none, without anything else.
PLAIN = {
    "age": 40,
    "age_days": None,
    "discharge": 1,
    "los": 3,
    "icu_days": 0,
    "total_cost": 9_000,
    "standard": 10_000,
    "treatment_cost": 100,
    "drug_cost": 100,
}
TUMOR = PLAIN | {"dx": ["C34.900"]}
OTHER = PLAIN | {"dx": ["J18.900"]}


def types(cases, catalogues=None, rules=RULES, **options):
    given = {"lists": LISTS, "cci_weights": WEIGHTS, "bands": BANDS} | options
    return drgdip.find_auxiliary_types(cases, rules, catalogues=catalogues, **given)


def one(case, catalogue, **options):
    """The type of a case in a catalogue, or None."""
    found = types([case], catalogue, **options)[0]["auxiliary_types"]
    assert len(found) <= 1
    return found[0].partition(" ")[2] if found else None


def costs(total, standard=10_000, treatment=0, drugs=0):
    return {"total_cost": total, "standard": standard, "treatment_cost": treatment, "drug_cost": drugs}


# --- every type, hit and nearly missed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 死亡
        ({"discharge": 5}, "death"),
        ({"discharge": 4}, "other"),
        # 费用 3 倍及以上, 非手术治疗费 50% 及以上
        (costs(30_000, treatment=15_000), "treatment"),
        (costs(30_000, treatment=14_999.99), "other"),
        (costs(29_999.99, treatment=29_000), "other"),
        # 费用 3 倍及以上, 药品费 50% 及以上
        (costs(30_000, drugs=15_000), "drugs"),
        (costs(30_000, drugs=14_999.99), "other"),
        (costs(29_999.99, drugs=29_000), "other"),
        # 其他诊断中有其他类目的恶性肿瘤, 住院 3 天以上
        ({"dx": ["C34.900", "C78.000"], "los": 4}, "second-malignancy"),
        ({"dx": ["C34.900", "C78.000"], "los": 3}, "other"),
        ({"dx": ["C34.900", "C34.100"], "los": 4}, "other"),
        ({"dx": ["C34.900", "D37.000"], "los": 4}, "other"),
        # 衰竭、休克、脓毒血症, 住院 3 天以上
        ({"dx": ["C34.900", "I50.900"], "los": 4}, "failure"),
        ({"dx": ["C34.900", "I50.900"], "los": 3}, "other"),
        ({"dx": ["C34.900", "I50.901"], "los": 4}, "other"),
        # 脏器损害或感染, 住院 3 天以上
        ({"dx": ["C34.900", "J18.900"], "los": 4}, "organ-damage"),
        ({"dx": ["C34.900", "J18.900"], "los": 3}, "other"),
        # 其他
        ({}, "other"),
        ({"dx": ["C97.x00"]}, "other"),
        ({"dx": ["C00.000"]}, "other"),
        ({"dx": ["D00.000"]}, None),
        ({"dx": ["B99.x00", "C34.900"]}, None),
    ],
)
def test_malignant_tumours(changes, expected):
    assert one(TUMOR | changes, "tumor") == expected


def test_the_first_type_of_a_tumour_whose_conditions_hold_counts():
    case = TUMOR | costs(40_000, treatment=20_000, drugs=20_000)
    case |= {"dx": ["C34.900", "C78.000", "I50.900", "J18.900"], "los": 9, "discharge": 5}
    order = []
    for changes in (
        {},
        {"discharge": 1},
        {"treatment_cost": 0},
        {"drug_cost": 0},
        {"dx": ["C34.900", "I50.900", "J18.900"]},
        {"dx": ["C34.900", "J18.900"]},
        {"dx": ["C34.900"]},
    ):
        case |= changes
        order.append(one(case, "tumor"))
    assert order == [kind.name for kind in drgdip.load_auxiliary(RULES).catalogues["tumor"].types]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"discharge": 5, "los": 1}, "death"),
        ({"dx": ["J18.900", "J96.000"], "los": 4}, "severe"),
        ({"dx": ["J18.900", "J96.000"], "los": 3}, None),
        ({"dx": ["J96.000"], "los": 4}, "mild"),
        ({"dx": ["J18.900", "E11.900"], "los": 4}, "moderate"),
        ({"dx": ["J18.900", "E11.900"], "los": 3}, None),
        ({"dx": ["J18.900", "E11.900", "J96.000"], "los": 4}, "severe"),
        ({"los": 4}, "mild"),
        ({"los": 3}, None),
        ({"dx": ["C34.900"], "los": 4, "discharge": 5}, None),
        ({"dx": ["J18.900", "C34.900"], "los": 4}, "mild"),
    ],
)
def test_severity_of_what_is_no_malignancy(changes, expected):
    """The stay of more than 3 days is read as a condition of severe, moderate and mild alike, not of death."""
    assert one(OTHER | changes, "severity") == expected


@pytest.mark.parametrize(
    ("age", "days", "expected"),
    [
        (0, 0, "0-28d"),
        (0, 28, "0-28d"),
        (0, 29, "29d-1y"),
        (0, 365, "29d-1y"),
        (1, None, "1-6"),
        (6, None, "1-6"),
        (7, None, "7-17"),
        (17, None, "7-17"),
        (18, None, None),
        (64, None, None),
        (65, None, "65+"),
        (120, None, "65+"),
        # Systems write an age in days of 0 for whom it does not apply to.
        (30, 0, None),
        (1, 0, "1-6"),
        (70, 28, "65+"),
        # What is missing makes a condition false.
        (0, None, None),
        (None, 28, "0-28d"),
        (None, 29, None),
        (None, None, None),
        (0, -1, None),
    ],
)
def test_ages(age, days, expected):
    assert one(OTHER | {"age": age, "age_days": days}, "age") == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (None, None),
        (0, None),
        (1, None),
        (2, "2-7"),
        (7, "2-7"),
        (8, "8-14"),
        (14, "8-14"),
        (15, "15-30"),
        (30, "15-30"),
        (31, "31+"),
        (400, "31+"),
    ],
)
def test_days_in_intensive_care(days, expected):
    assert one(OTHER | {"icu_days": days}, "icu") == expected


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        (["I10.x00"], None),
        (["I50.900"], "1-2"),
        (["E11.900"], "1-2"),
        (["I50.900", "E11.900"], "3-4"),
        (["E11.900", "E11.900", " E11.900"], "1-2"),
        (["E11.900", "K72.900"], "5+"),
        (["I50.900", "K72.900", "unknown"], "3-4"),
        (["C78.000"], "5+"),
    ],
)
def test_bands_of_the_cci(others, expected):
    """The sum of the weights of the distinct other diagnoses; one implementer's bands are 1-2, 3-4 and 5 and more."""
    assert one(OTHER | {"dx": ["E11.900", *others]}, "cci") == expected


def test_the_bands_are_the_places():
    case = OTHER | {"dx": ["J18.900", "E11.900"]}
    bands = [(1, 2, 3), (2,), (3,), (0, 1), (1, 5)]
    assert [one(case, "cci", bands={"cci": edges}) for edges in bands] == ["2", "2+", None, "1+", "1-4"]
    assert one(OTHER, "cci", bands={"cci": (0, 1)}) == "0"
    assert one(case, "cci", bands={"cci": np.array([1, 5])}) == "1-4"


def test_three_times_and_half_are_met_exactly():
    """0.3 / 0.1 is a little less than 3 in floats: it is three times all the same."""
    for fen in (10, 4_110, 123_457, 1_000_001, 98_765_432_1):
        standard, total = fen / 100, 3 * fen / 100
        assert one(TUMOR | costs(total, standard, treatment=total), "tumor") == "treatment"
        assert one(TUMOR | costs((3 * fen - 1) / 100, standard, treatment=total), "tumor") == "other"
        assert one(TUMOR | costs(2 * total, standard, drugs=total), "tumor") == "drugs"
        assert one(TUMOR | costs(2 * total, standard, drugs=(3 * fen - 1) / 100), "tumor") == "other"


def test_a_ratio_may_be_of_any_size():
    assert one(TUMOR | costs(1e307, 1e-9, treatment=1e307), "tumor") == "treatment"
    assert one(TUMOR | costs(1e-9, 1e307, treatment=1e-9), "tumor") == "other"


def test_a_case_may_have_a_type_of_every_catalogue():
    case = TUMOR | {"dx": ["C34.900", "C78.000"], "los": 40, "age": 66, "icu_days": 31}
    found = types([case])[0]
    assert found["auxiliary_types"] == ["tumor second-malignancy", "age 65+", "icu 31+", "cci 5+"]
    assert found["auxiliary_reason"] is None


def test_parameters_are_the_places():
    """Yichang counts from 66 years; some systems take 3 days and more."""
    place = drgdip.load_auxiliary(RULES, elderly=66, long_stay=2, high_cost=2, main_share=0.35)
    assert one(OTHER | {"age": 66}, "age", rules=place) == "66+"
    assert one(OTHER | {"age": 65}, "age", rules=place) is None
    assert one(OTHER | {"los": 3}, "severity", rules=place) == "mild"
    assert one(TUMOR | costs(20_000, drugs=7_000), "tumor", rules=place) == "drugs"
    assert one(TUMOR | costs(20_000, drugs=6_999.99), "tumor", rules=place) == "other"


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        ({"icu_days": "8 days"}, ["tumor other"], "unusable_value:icu_days"),
        ({"icu_days": 7.5}, ["tumor other"], "unusable_value:icu_days"),
        ({"icu_days": "8"}, ["tumor other", "icu 8-14"], None),
        ({"discharge": "dead"}, ["icu 2-7"], "unusable_value:discharge"),
        ({"los": "x", "standard": "y"}, ["icu 2-7"], "unusable_value:standard, los"),
        ({"standard": 0}, ["icu 2-7"], "unusable_value:standard"),
        ({"standard": -1}, ["icu 2-7"], "unusable_value:standard"),
        ({"total_cost": -1}, ["icu 2-7"], "unusable_value:total_cost"),
        ({"treatment_cost": -0.01}, ["icu 2-7"], "unusable_value:treatment_cost"),
        ({"drug_cost": "a lot"}, ["icu 2-7"], "unusable_value:drug_cost"),
        ({"total_cost": 0}, ["tumor other", "icu 2-7"], None),
        ({"standard": None, "total_cost": None}, ["tumor other", "icu 2-7"], None),
        ({"age": "old", "dx": None}, ["icu 2-7"], None),
        ({"unreadable": "row"}, [], "unusable_value:row"),
        ({"unreadable": "los sex"}, ["icu 2-7"], "unusable_value:los"),
        ({"unreadable": "total_cost", "total_cost": None}, ["icu 2-7"], "unusable_value:total_cost"),
        ({"dx": []}, ["icu 2-7"], None),
        ({"dx": [None, "C34.900"]}, ["icu 2-7"], None),
        ({"dx": " Ｃ34.900|c78.000"}, ["tumor other", "icu 2-7"], None),
    ],
)
def test_a_value_that_cannot_be_used_is_never_silent(changes, expected, reason):
    """It leaves the case without a type of the catalogues that would read it, and the row says which it was."""
    case = TUMOR | {"icu_days": 2} | changes
    found = types([case, TUMOR | {"icu_days": 2}], ["tumor", "icu"])
    assert (found[0]["auxiliary_types"], found[0]["auxiliary_reason"]) == (expected, reason)
    assert (found[1]["auxiliary_types"], found[1]["auxiliary_reason"]) == (["tumor other", "icu 2-7"], None)


def test_without_a_principal_diagnosis_a_case_is_neither_malignant_nor_not():
    for dx in ([], None, [None, "J18.900"]):
        assert one(OTHER | {"dx": dx, "los": 9}, "severity") is None
        assert one(OTHER | {"dx": dx, "los": 9}, "tumor") is None


# --- what must be given ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalogue", ALL)
def test_a_column_that_is_needed_must_be_there(catalogue):
    loaded = drgdip.load_auxiliary(RULES).catalogues[catalogue]
    for column in loaded.columns or ("dx",):
        rest = {name: value for name, value in TUMOR.items() if name != column}
        with pytest.raises(drgdip.CaseError, match=f"{catalogue} needs '{column}', for which there is no column"):
            types([rest], catalogue)


def test_only_what_is_needed_must_be_there():
    assert types([{"icu_days": 8}], "icu")[0]["auxiliary_types"] == ["icu 8-14"]
    assert types([{"dx": "A00|E11.900"}], "cci")[0]["auxiliary_types"] == ["cci 1-2"]
    found = drgdip.find_auxiliary_types([{"age": 3, "age_days": None}], RULES, catalogues=["age"])
    assert found == [{"age": 3, "age_days": None, "auxiliary_types": ["age 1-6"], "auxiliary_reason": None}]


@pytest.mark.parametrize(
    ("catalogue", "options", "said"),
    [
        ("tumor", {"lists": None}, "tumor needs the list 'failure', which nhsa-dip-3.0 names and does not hold"),
        ("tumor", {"lists": {"failure": ["A"], "organ_damage": []}}, "tumor needs the list 'organ_damage'"),
        ("severity", {"lists": {"severe": ["A"]}}, "severity needs the list 'moderate'"),
        ("tumor", {"lists": {"failure": ["A", None], "organ_damage": ["B"]}}, "of 'failure' a code is missing"),
        ("tumor", {"lists": [{"list": "failure", "kode": "A"}]}, "needs one column 'code'; the columns are list, kode"),
        ("tumor", {"lists": "failure"}, "a str is no table"),
        ("cci", {"cci_weights": None}, "cci needs the weights of the CCI"),
        ("cci", {"cci_weights": {"A": 1.5}}, "A has the weight 1.5: give a whole number"),
        ("cci", {"cci_weights": {"A": -1}}, "A has the weight -1"),
        ("cci", {"cci_weights": {"A": None}}, "A has the weight None"),
        ("cci", {"cci_weights": {"A": "one"}}, "A has the weight 'one'"),
        ("cci", {"cci_weights": {"": 1}}, "cci_weights: a code is missing"),
        ("cci", {"cci_weights": {"A": 1, " A": 2}}, "A has the weights 1 and 2"),
        ("cci", {"bands": None}, "cci has bands of cci, whose edges each place draws"),
        ("cci", {"bands": (1, 3, 5)}, "bands=(1, 3, 5): give a dict of the lower edges by catalogue (cci)"),
        ("cci", {"bands": {"cci": 2.5}}, "give whole numbers that rise"),
        ("cci", {"bands": {"cci": ()}}, "give whole numbers that rise"),
        ("cci", {"bands": {"cci": (3, 1)}}, "give whole numbers that rise"),
        ("cci", {"bands": {"cci": (1, 2.5)}}, "give whole numbers that rise"),
        ("cci", {"bands": {"cci": (True, 2)}}, "give whole numbers that rise"),
        ([], {}, "asks for nothing: give some of tumor, severity, age, icu, cci"),
    ],
)
def test_what_is_not_given_is_never_invented(catalogue, options, said):
    with pytest.raises(drgdip.CaseError) as caught:
        types([TUMOR], catalogue, **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        ({"catalogues": ["tumour"]}, "tumor"),
        ({"lists": {"organ-damage": ["A"]}}, "organ_damage"),
        ({"lists": {"malignancies": ["A"]}}, None),
        ({"bands": {"cc": (1,)}}, "cci"),
        ({"bands": {"age": (1,)}}, None),
        ({"columns": {"icu_day": "x"}}, "icu_days"),
        ({"columns": {"icu_days": "iku"}}, None),
        ({"columns": {"los": "iku"}}, None),
        ({"rules": "nhsa-dip-3"}, "nhsa-dip-3.0"),
    ],
)
def test_a_name_that_does_not_exist_has_its_nearest(options, nearest):
    with pytest.raises(drgdip.UnknownNameError) as caught:
        types([TUMOR], **options)
    assert nearest is None or nearest in caught.value.nearest


def test_a_column_that_stands_twice_is_an_error():
    frame = pd.DataFrame([[8, 9]], columns=["icu_days", "icu_days"])
    with pytest.raises(drgdip.CaseError, match="'icu_days' twice"):
        types(frame, "icu")


# --- names, containers -----------------------------------------------------------------------------------------------


def test_other_names_of_columns():
    case = {"主要诊断编码": "C34.900", "其他诊断编码1": "C78.000", "住院天数": 4, "离院方式": 1, "D01": 1}
    own = {"standard": "std", "treatment_cost": "非手术治疗费", "drug_cost": "药费"}
    found = types([case | dict.fromkeys(own.values(), 1)], "tumor", columns=own)
    assert found[0]["auxiliary_types"] == ["tumor second-malignancy"]
    found = types([{"a": 70, "d": None}], "age", columns={"age": "a", "age_days": "d"})
    assert found[0]["auxiliary_types"] == ["age 65+"]


RECORDS = [
    TUMOR | {"dx": ["C34.900", "C78.000"], "los": 4, "icu_days": 8},
    OTHER | {"age": 70, "los": 9},
    PLAIN | {"dx": []},
    OTHER | {"icu_days": 31, "total_cost": -5},
]
EXPECTED = [
    ["tumor second-malignancy", "icu 8-14", "cci 5+"],
    ["severity mild", "age 65+"],
    [],
    ["icu 31+"],
]
CONTAINERS = {
    "records": lambda table: table.to_pylist(),
    "pyarrow": lambda table: table,
    "chunks": lambda table: pa.concat_tables([table.slice(0, 1), table.slice(1)]),
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "pandas": lambda table: table.to_pandas(),
    "polars": pl.DataFrame,
    "lazy": lambda table: pl.DataFrame(table).lazy(),
    "duckdb": duckdb.from_arrow,
}


def rows_of(result):
    result = result.collect() if isinstance(result, pl.LazyFrame) else result
    if isinstance(result, pl.DataFrame):
        return result.to_dicts()
    if isinstance(result, pd.DataFrame):
        return result.to_dict("records")
    if isinstance(result, duckdb.DuckDBPyRelation):
        return result.to_arrow_table().to_pylist()
    return result if isinstance(result, list) else result.to_pylist()


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_table_in_the_same_out(kind):
    table = pa.Table.from_pylist(RECORDS)
    data = CONTAINERS[kind](table)
    found = types(data)
    assert type(found) is type(data)
    rows = rows_of(found)
    assert [list(row["auxiliary_types"]) for row in rows] == EXPECTED
    assert [index for index, row in enumerate(rows) if isinstance(row["auxiliary_reason"], str)] == [3]
    assert rows[3]["auxiliary_reason"] == "unusable_value:total_cost"
    assert [list(row["dx"]) for row in rows] == [record["dx"] for record in RECORDS]
    # A step can be run again: its columns are replaced.
    again = rows_of(types(found, ["icu"]))
    assert [list(row["auxiliary_types"]) for row in again] == [["icu 8-14"], [], [], ["icu 31+"]]


def test_empty_tables():
    with pytest.raises(drgdip.CaseError, match="needs 'dx', for which there is no column among none"):
        types([])
    schema = pa.Table.from_pylist(RECORDS).schema
    found = types(schema.empty_table())
    assert found.column_names == [*schema.names, "auxiliary_types", "auxiliary_reason"]
    assert found.schema.field("auxiliary_types").type == pa.list_(pa.string())
    assert found.schema.field("auxiliary_reason").type == pa.string()


def test_dates_that_python_has_none_for_are_no_numbers():
    beyond = pa.array([-719_163, 9_999_999], pa.int32()).view(pa.date32())
    for cells in (beyond, beyond.cast(pa.timestamp("s"))):
        found = types(pa.table({"icu_days": cells}), "icu")
        assert found["auxiliary_reason"].to_pylist() == ["unusable_value:icu_days"] * 2
        assert types(pa.table({"dx": cells}), "cci")["auxiliary_types"].to_pylist() == [[], []]


@pytest.mark.parametrize("kind", [pa.int32(), pa.float64(), pa.decimal128(18, 2), pa.string(), pa.large_string()])
def test_numbers_in_every_layout(kind):
    values = {"total_cost": 30_000, "standard": 10_000, "treatment_cost": 100, "drug_cost": 15_000, "icu_days": 8}
    cells = {name: pa.array([value, None], pa.int32()).cast(kind) for name, value in values.items()}
    table = pa.table({"dx": ["C34.900", "C34.900"], "los": [1, 1], "discharge": [1, 1], **cells})
    expected = [["tumor drugs", "icu 8-14"], ["tumor other"]]
    assert types(table, ["tumor", "icu"])["auxiliary_types"].to_pylist() == expected


@pytest.mark.parametrize(
    "given",
    [
        LISTS,
        {name: "|".join(codes) for name, codes in LISTS.items()},
        [{"list": name, "code": f" {code} "} for name, codes in LISTS.items() for code in codes],
        pl.DataFrame({"code": list(LISTS.values()), "list": list(LISTS)}).explode("code"),
        pd.DataFrame([(n, c) for n, codes in LISTS.items() for c in codes], columns=["list", "code"]),
    ],
    ids=["mapping", "texts", "records", "polars", "pandas"],
)
def test_lists_in_every_shape(given):
    assert types(RECORDS, lists=given) == types(RECORDS)


@pytest.mark.parametrize(
    "given",
    [
        [{"code": code, "weight": weight} for code, weight in WEIGHTS.items()],
        pl.DataFrame({"weight": [str(weight) for weight in WEIGHTS.values()], "code": list(WEIGHTS)}),
        {code: decimal.Decimal(weight) for code, weight in WEIGHTS.items()},
    ],
    ids=["records", "polars", "decimals"],
)
def test_weights_in_every_shape(given):
    assert types(RECORDS, cci_weights=given) == types(RECORDS)


# --- the twin --------------------------------------------------------------------------------------------------------

EDGES = {
    "discharge": [1, 2, 5, 5, 9, None, "5", "x", -1],
    "los": [0, 1, 3, 4, 4, 9, None, "4", "3.0", "4.5", 2**53 + 1],
    "age": [0, 0, 1, 6, 7, 17, 18, 64, 65, 66, None, "65", "old", -1, 2**62],
    "age_days": [None, None, 0, 1, 28, 29, 364, 365, 366, -1, "28", "?"],
    "icu_days": [None, 0, 1, 2, 7, 8, 14, 15, 30, 31, 99, "8", 7.5, "x", -3],
    "standard": [None, 0, 100, 0.1, 33.33, 4110.07, 10_000, "10000", -1, "?"],
    "dx": ["C34.900", "C34.100", "C78.000", "C97.x00", "D00.000", "J18.900", "I50.900", "J96.000", "E11.900"],
}
ODD = [None, "", "-", " E11.900 ", "Ｃ78.000", "C97.X00", "c34.900", "unknown", "I10.x00", "K72.900", "C"]


def adversarial(count, seed):
    """Cases on every edge, with amounts at, just under and just over three times and half, and with nonsense."""
    draw = random.Random(seed)
    for _ in range(count):
        case = {name: draw.choice(values) for name, values in EDGES.items() if name != "dx"}
        pool = EDGES["dx"] * 3 + ODD
        case["dx"] = draw.choice([None, [], *[draw.choices(pool, k=draw.randint(1, 6)) for _ in range(12)]])
        base = case["standard"] if isinstance(case["standard"], (int, float)) else 1_000
        fen = round(base * 100) * draw.choice([1, 2, 3, 3, 3, 3, 4]) + draw.choice([0, 0, 0, -1, 1])
        case["total_cost"] = draw.choice([fen / 100] * 8 + [f"{fen / 100:.2f}", None, 0, "x", -5])
        for name in ("treatment_cost", "drug_cost"):
            half = (fen + 1) // 2 + draw.choice([0, 0, -1, 1, 500])
            case[name] = draw.choice([half / 100] * 8 + [f"{half / 100:.2f}", 0, None, "x", -0.01])
        if draw.random() < 0.02:
            case["unreadable"] = draw.choice(["row", "age", "los discharge", "sex"])
        yield case


def differences(cases, rules, catalogues=ALL, **options):
    given = {"lists": LISTS, "cci_weights": WEIGHTS, "bands": BANDS} | options
    found = drgdip.find_auxiliary_types(cases, rules, catalogues=catalogues, **given)
    lists = {name: frozenset(codes) for name, codes in given["lists"].items()}
    for case, row in zip(cases, found, strict=True):
        expected, reasons = types_of(case, rules, catalogues, lists, given["cci_weights"], given["bands"])
        said = (row["auxiliary_reason"] or "unusable_value:").removeprefix("unusable_value:")
        if row["auxiliary_types"] != expected or set(filter(None, said.split(", "))) != reasons:
            yield case, row["auxiliary_types"], expected, said, reasons


@pytest.mark.parametrize(
    ("count", "parameters"),
    [(24_000, {}), (4_000, {"long_stay": 2, "elderly": 66, "high_cost": 2, "main_share": 0.35})],
    ids=["draft", "place"],
)
def test_the_columns_agree_with_the_twin(count, parameters):
    rules = drgdip.load_auxiliary(RULES, **parameters)
    cases = list(adversarial(count, seed=7))
    assert list(differences(cases, rules))[:3] == []
    every = {text for row in types(cases, rules=rules) for text in row["auxiliary_types"]}
    declared = {f"{name} {kind.name}" for name, part in rules.catalogues.items() for kind in part.types}
    assert every == declared | {"cci 1-2", "cci 3-4", "cci 5+"}


@given(
    cases=st.lists(
        st.fixed_dictionaries(
            {
                **{name: st.sampled_from(values) for name, values in EDGES.items() if name != "dx"},
                "dx": st.none() | st.lists(st.sampled_from(EDGES["dx"] + ODD), max_size=5),
                **{name: st.none() | st.integers(-1, 40_000) for name in AMOUNTS if name != "standard"},
            }
        ),
        min_size=1,
        max_size=12,
    ),
    catalogues=st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    bands=st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_the_columns_agree_with_the_twin_on_anything(cases, catalogues, bands):
    rules = drgdip.load_auxiliary(RULES)
    ordered = [name for name in ALL if name in catalogues]
    assert list(differences(cases, rules, ordered, bands={"cci": bands})) == []


def test_the_order_of_catalogues_and_rows_does_not_matter():
    cases = list(adversarial(300, seed=1))
    found = [row["auxiliary_types"] for row in types(cases)]
    assert [row["auxiliary_types"] for row in types(cases, ALL[::-1])] == found
    assert [row["auxiliary_types"] for row in types(cases[::-1])][::-1] == found


def test_the_twin_knows_every_column():
    columns = {column for part in drgdip.load_auxiliary(RULES).catalogues.values() for column in part.columns}
    assert columns == {*WHOLE, *AMOUNTS, "dx"}
    assert set(PLAIN_COLUMNS) < columns


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.dates(),
    st.decimals(allow_nan=True, allow_infinity=True, places=2),
    st.lists(st.sampled_from(["C34.900", "I50.900", None, 3, ""]), max_size=3),
    st.binary(max_size=2),
)
COLUMN = st.lists(SCALARS, min_size=3, max_size=3) | st.sampled_from([[1, 2, 3], ["5", None, "x"], [1.5, 4.0, None]])


@settings(max_examples=400)
@given(columns=st.fixed_dictionaries(dict.fromkeys((*WHOLE, *AMOUNTS, "dx"), COLUMN)))
def test_whatever_stands_in_a_table_every_row_has_an_answer_or_the_table_an_error(columns):
    cases = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    try:
        found = types(cases)
    except drgdip.DrgdipError:
        return
    assert len(found) == 3
    assert all(isinstance(row["auxiliary_types"], list) for row in found)
