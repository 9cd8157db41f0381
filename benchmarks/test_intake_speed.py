"""Mapping codes, checking cases and reading wide files, of `INTAKE_CASES` cases or codes (200,000 unless set)."""

import csv
import os

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from drgdip import check_cases, group, load_code_set, map_codes, read_cases, sample_cases, warmup

CASES = int(os.environ.get("INTAKE_CASES", "200000"))
SCHEME = "chs-drg-2.0"


@pytest.fixture(scope="module")
def codes():
    known = load_code_set("nhsa-icd10-2.0")["code"].combine_chunks()
    return known.take(pa.array([number * 7919 % len(known) for number in range(CASES)]))


@pytest.fixture(scope="module")
def cases():
    warmup(SCHEME)
    return sample_cases(CASES, SCHEME, seed=1)


@pytest.mark.benchmark(group="codes")
def test_index_in(benchmark, codes):
    """The yardstick: looking each code up in the code set."""
    known = load_code_set("nhsa-icd10-2.0")["code"].combine_chunks()
    benchmark(pc.index_in, codes, known)


@pytest.mark.benchmark(group="codes")
@pytest.mark.parametrize("from_", ["clinical-icd10-2.0", "beijing-icd10-7.0"])
def test_map_codes(benchmark, codes, from_):
    map_codes(["A"], from_)
    benchmark(map_codes, codes, from_)


@pytest.mark.benchmark(group="cases")
@pytest.mark.parametrize("codes", [None, "clinical-2.0"])
def test_group(benchmark, cases, codes):
    """The yardstick, without and with mapping on the way in."""
    benchmark(group, cases, SCHEME, codes=codes, threads=1)


@pytest.mark.benchmark(group="cases")
def test_check_cases(benchmark, cases):
    check_cases(cases.slice(0, 10), SCHEME)
    benchmark.pedantic(check_cases, (cases, SCHEME), rounds=3)


@pytest.mark.benchmark(group="files")
@pytest.mark.parametrize("others", [False, True], ids=["case columns", "all columns"])
def test_a_file_of_800_columns(benchmark, cases, tmp_path, others):
    """A fiftieth of the cases, each in a row of 800 cells."""
    path = tmp_path / "wide.csv"
    names = ["A48", "A12C", "A14", "C03C", *(f"C06x{n:02}C" for n in range(1, 41)), *(f"F{n}" for n in range(756))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for case in cases.slice(0, max(1, CASES // 50)).to_pylist():
            codes = [*case["dx"], *["-"] * 41][:41]
            writer.writerow([case["case_id"], case["sex"], case["age"], *codes, *["x"] * 756])
    benchmark.pedantic(read_cases, (path,), {"others": others}, rounds=3)
