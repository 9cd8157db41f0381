"""Speed of DIP catalogues: end to end, as a multiple of looking up the same codes in the same run; building one."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import drgdip

ROWS = 1_000_000


@pytest.mark.parametrize("catalogue", ["nhsa-dip-1.0", "nhsa-dip-2.0", "nhsa-dip-3.0", "dip-yunfu-2023"])
@pytest.mark.parametrize("what", ["group", "index_in"])
def test_dip(benchmark, catalogue, what):
    cases = drgdip.sample_cases(ROWS, catalogue, seed=1).select(["dx", "procs", "age_days", "newborn_weight"])
    drgdip.warmup(catalogue)
    benchmark.group = catalogue
    if what == "group":
        benchmark(drgdip.group, cases, catalogue)
        return
    codes = [cases[name].combine_chunks().flatten() for name in ("dx", "procs")]
    tables = [pc.unique(column) for column in codes]
    benchmark(lambda: [pc.index_in(column, pa.array(table)) for column, table in zip(codes, tables, strict=True)])


def test_build_catalogue(benchmark, tmp_path_factory):
    """A place's own catalogue from its history."""
    cases = drgdip.sample_cases(ROWS if benchmark.enabled else 1_000, "nhsa-dip-2.0", seed=1)
    drgdip.warmup("nhsa-dip-2.0")
    benchmark.group = "build_catalogue"
    benchmark.pedantic(
        lambda: drgdip.build_catalogue(cases, tmp_path_factory.mktemp("built"), threshold=15), rounds=3, warmup_rounds=1
    )
