"""The same doors for catalogues: containers, streams, encoded cases, batches, the command line; and the twins."""

from __future__ import annotations

from random import Random

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from generated import differences, table
from hypothesis import given
from hypothesis import strategies as st
from test_dip_catalogues import CATALOGUES, NATIONAL, SMALL

import drgdip
from drgdip.cli import main
from drgdip.grouper.dip.witness import dip_near_misses, dip_witness
from drgdip.grouper.result import DipResult

TWO, THREE = "nhsa-dip-2.0", "nhsa-dip-3.0"
_PUZZLING = ["U84.300", "P07.100", "C34.900", "T31.100", "B24.x00", None, "", "nonsense", "Ａ41.900", "a41.900", "A4"]


def adversarial(catalogue, least):
    """Cases made for every row and what nearly misses them, with puzzling codes, until there are enough."""
    random = Random(catalogue.id)
    records = []
    while len(records) < least:
        group = random.choice(catalogue.groups)
        case = dip_witness(group, catalogue, random, tries=3)
        if case is None:
            continue
        near = list(dip_near_misses(case, catalogue, random))
        records += [case, *near]
        other = random.choice(catalogue.groups).procedures
        mixed = [*case["procs"], *(other[0].codes[:2] if other else ())]
        random.shuffle(mixed)
        records.append(case | {"procs": mixed, "dx": [*case["dx"], *random.sample(_PUZZLING, 2)]})
        spelled = [random.choice([code, f" {code}", code.replace("x", "X")]) for code in case["dx"]]
        records.append(case | {"dx": [*random.sample(_PUZZLING, random.randint(0, 1)), *spelled]})
    return records


@pytest.mark.parametrize("name", CATALOGUES)
def test_the_engines_agree(name):
    catalogue = drgdip.load_catalogue(name)
    cases = table(adversarial(catalogue, 50_000 if name in NATIONAL else 10_000))
    assert differences(cases, catalogue)[:3] == []
    assert len(set(drgdip.group(cases, catalogue)["group"].to_pylist())) > 1_000


@pytest.mark.parametrize(
    "options",
    [
        {"prefer": ["most_terms", "most_matched", "order"]},
        {"prefer": ["no_unmatched", "highest_score"]},
        {"prefer": ["principal_first", "most_matched"]},
        {"untyped": "ignore"},
        {"untiered": "2", "interventional": "therapeutic"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["dip-yunfu-2023", THREE])
def test_the_engines_agree_on_every_option(name, options):
    catalogue = drgdip.load_catalogue(name, **options)
    assert differences(table(adversarial(catalogue, 4_000)), catalogue)[:3] == []


_CODES = ["A41.900", "A41.999", "B24.x00", "B24.x01", "B22", "C46.100", "P07.0", "A42", None, "", " A41.900 ", "zz"]
_PROCS = ["11.0001", "12.0001", "12.0002", "13.0001", "14.0001", "14.0002", "14.0003", "15.0001", None, "-", "zz"]
_NUMBERS = st.sampled_from([None, 0, 28, 29, 999, 1000])


@given(
    cases=st.lists(
        st.fixed_dictionaries(
            {
                "dx": st.none() | st.lists(st.sampled_from(_CODES), max_size=4),
                "procs": st.none() | st.lists(st.sampled_from(_PROCS), max_size=6),
                "age_days": _NUMBERS,
                "newborn_weight": _NUMBERS,
                "birth_weight": _NUMBERS,
                "admission_weight": _NUMBERS,
            }
        ),
        min_size=1,
        max_size=20,
    ),
    not_principal=st.sampled_from(["excluded", "conservative", "next"]),
    prefer=st.permutations(["most_terms", "most_matched", "principal_first", "no_unmatched", "highest_score"]),
    procedures=st.sampled_from(["principal", "any"]),
    newborn_weight=st.sampled_from(["", "birth", "admission"]),
)
def test_the_engines_agree_on_anything(cases, **options):
    catalogue = drgdip.load_catalogue(SMALL, **options)
    assert differences(table(cases), catalogue) == []


@pytest.fixture(scope="module")
def cases():
    return table(adversarial(drgdip.load_catalogue(THREE), 600))


def answers(grouped):
    return [grouped[name].to_pylist() for name in DipResult._fields]


def test_order_chunks_and_other_rows_do_not_matter(cases):
    whole = drgdip.group(cases, THREE)
    backwards = drgdip.group(cases.take(pa.array(range(len(cases) - 1, -1, -1))), THREE)
    assert [values[::-1] for values in answers(backwards)] == answers(whole)
    chunked = pa.concat_tables([cases.slice(start, 77) for start in range(0, len(cases), 77)])
    assert answers(drgdip.group(chunked, THREE, engine="columnar", threads=2)) == answers(whole)


def test_other_diagnoses_and_related_procedures_have_no_order(cases):
    def turned(codes):
        return codes[:1] + codes[:0:-1]

    rows = cases.to_pylist()
    again = table([row | {"dx": turned(row["dx"]), "procs": turned(row["procs"])} for row in rows])
    assert answers(drgdip.group(again, THREE)) == answers(drgdip.group(cases, THREE))


def test_every_container(cases):
    expected = answers(drgdip.group(cases, THREE))
    frame = drgdip.group(cases.to_pandas(), THREE)
    assert isinstance(frame, pd.DataFrame)
    assert frame["group"].astype(object).where(frame["group"].notna(), None).tolist() == expected[0]
    polars = drgdip.group(pl.DataFrame(cases), THREE)
    assert polars["primary_care"].to_list() == expected[3]
    assert [row["reason"] for row in drgdip.group(cases.to_pylist(), THREE)] == expected[5]
    stream = drgdip.group(pa.RecordBatchReader.from_batches(cases.schema, cases.to_batches(100)), THREE)
    assert answers(stream.read_all()) == expected
    assert answers(drgdip.group(drgdip.encode(cases, THREE), THREE)) == expected
    with pytest.raises(drgdip.CaseError, match="encoded for a scheme with other codes"):
        drgdip.group(drgdip.encode(cases, THREE), "nhsa-dip-2.0")


def test_metadata_and_taken_names(cases):
    grouped = drgdip.group(cases, THREE, prefix="dip_")
    assert grouped.schema.metadata[b"drgdip.scheme"] == THREE.encode()
    assert grouped.column_names[-6:] == ["dip_" + name for name in DipResult._fields]
    with pytest.raises(drgdip.CaseError, match="kind"):
        drgdip.group(cases.append_column("kind", cases["case_id"]), THREE)
    assert (
        drgdip.group(drgdip.group(cases, "chs-drg-2.0", prefix="drg_"), THREE)["group"].to_pylist()
        == answers(grouped.rename_columns([name.removeprefix("dip_") for name in grouped.column_names]))[0]
    )


def test_batches_have_the_fields_that_are_told(cases):
    batches = list(drgdip.group_batches(THREE)(iter(cases.to_batches(200))))
    assert [batch.num_rows for batch in batches] == [batch.num_rows for batch in cases.to_batches(200)]
    assert list(batches[0].schema)[-6:] == drgdip.make_result_fields(scheme=THREE)


@pytest.mark.parametrize("engine", ["columnar", "reference"])
def test_the_weight_at_birth_at_the_doors(engine):
    newborn = {"dx": "P07.100", "procs": "", "age_days": 3, "birth_weight": 1480, "admission_weight": 1510}
    cases = [newborn, newborn | {"birth_weight": "many"}]
    grouped = drgdip.group(cases, THREE, engine=engine)
    assert [(case["group"], case["reason"]) for case in grouped] == [
        ("XQ-17", None),
        (None, "unreadable_newborn_weight"),
    ]
    at_admission = drgdip.load_catalogue(THREE, newborn_weight="admission")
    assert [case["group"] for case in drgdip.group(cases, at_admission, engine=engine)] == ["XQ-18", "XQ-18"]


@pytest.mark.parametrize("engine", ["columnar", "reference"])
def test_codes_of_another_edition(engine):
    clinical, ours = ({"dx": dx, "procs": ""} for dx in ("A19.000x001", "A19.001"))
    expected = drgdip.group_one(ours, "nhsa-dip-2.0")
    assert expected.status == "grouped"
    grouped = drgdip.group(pa.Table.from_pylist([clinical]), "nhsa-dip-2.0", codes="clinical-2.0", engine=engine)
    assert [column[0] for column in answers(grouped)] == list(expected)
    assert grouped.schema.metadata[b"drgdip.codes"] == b"clinical-2.0"
    assert drgdip.group_one(clinical, "nhsa-dip-2.0", codes="clinical-2.0") == expected
    trace = drgdip.explain(clinical, "nhsa-dip-2.0", codes="clinical-2.0")
    assert (trace.result, trace.case["dx"]) == (expected, ["A19.001"])


def test_no_rows_and_a_table_without_procedures():
    assert len(drgdip.group(table([]), THREE)) == 0
    case = {"dx": "A00.000"}
    assert drgdip.group([case], THREE)[0] | {"procs": []} == drgdip.group([case | {"procs": []}], THREE)[0]


def test_synthetic_cases_are_made_for_a_catalogue():
    made = drgdip.sample_cases(2_000, "nhsa-dip-2.0", seed=3)
    assert made.equals(drgdip.sample_cases(2_000, "nhsa-dip-2.0", seed=3))
    statuses = drgdip.group(made, "nhsa-dip-2.0")["status"].to_pylist()
    assert statuses.count("grouped") > 1_800


def test_the_command_line_takes_catalogues(tmp_path, capsys):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,dx,procs,kind\n1,I21.001,36.0601|00.2400x001,a\n2,A00.000,,b\n", encoding="utf-8")
    assert main(["group", str(path), "--scheme", THREE]) == 1
    assert "columns kind already" in capsys.readouterr().err
    out = tmp_path / "out.csv"
    assert main(["group", str(path), "--scheme", THREE, "--prefix", "dip_", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "50.00% in 1 group" in said
    assert "excluded_diagnosis: the catalogue says" in said
    assert (
        out.read_text(encoding="utf-8").splitlines()[1]
        == "1,I21.001,36.0601|00.2400x001,a,BX-619,merge,surgery,false,grouped,"
    )
    assert main(["explain", str(path), "--case", "1", "--scheme", THREE, "--brief"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "group: BX-619  I21; 36.0601|36.0602|36.0700|36.0700x004; related 00.2400x001|38.2400"
    )
    assert main(["group", str(path), "--scheme", TWO, "--prefix", "dip_"]) == 0
    said, notes = capsys.readouterr()
    assert "ambiguous" not in said
    assert [line.split()[0] for line in said.splitlines()[1:5]] == ["grouped", "ungrouped", "invalid", "excluded"]
    assert "1  DIP2960 I21.0; 36.0601" in said
    assert "has no mixed groups" not in notes  # nothing is ungrouped
    path.write_text("dx,procs\nZ99.900,\n", encoding="utf-8")
    assert main(["group", str(path), "--scheme", TWO]) == 0
    assert f"note: {TWO} has no mixed groups" in capsys.readouterr().err
    assert main(["group", str(path), "--scheme", "dip-yunfu-2023"]) == 0
    assert "has no mixed groups" not in capsys.readouterr().err
    assert main(["schemes", "show", "dip-yunfu-2023"]) == 0
    assert "principal_first" in capsys.readouterr().out


def test_a_group_is_named_by_its_name_or_by_what_it_asks_for():
    catalogue = drgdip.load_catalogue(THREE)
    assert catalogue.label("XQ-6") == "肾移植"
    assert catalogue.label(None) == ""
    assert catalogue.label("BX-619") == "I21; 36.0601|36.0602|36.0700|36.0700x004; related 00.2400x001|38.2400"
    assert drgdip.load_catalogue(TWO).label("DIP1") == "A00.0; conservative"
    with pytest.raises(drgdip.UnknownNameError, match="there is no group 'XQ-99'. Did you mean"):
        catalogue.label("XQ-99")


def test_an_id_of_the_other_kind_says_which_function_loads_it():
    with pytest.raises(drgdip.UnknownNameError, match="It is a catalogue, which load_catalogue loads"):
        drgdip.load_scheme(TWO)
    with pytest.raises(drgdip.UnknownNameError, match="It is a scheme, which load_scheme loads"):
        drgdip.load_catalogue("chs-drg-2.0")


def test_what_is_no_folder_of_either_kind(tmp_path):
    (tmp_path / "mine.xlsx").touch()
    case = {"dx": ["A41.900"]}
    with pytest.raises(drgdip.SchemeError, match="is a file, and a folder is wanted. A workbook becomes a folder"):
        drgdip.group_one(case, tmp_path / "mine.xlsx")
    with pytest.raises(drgdip.SchemeError, match="neither scheme.toml nor catalogue.toml"):
        drgdip.group_one(case, tmp_path)
