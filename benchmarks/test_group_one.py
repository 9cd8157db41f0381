"""One case at a time, warm: the cases of the sample file one after the other, and the load of a scheme."""

import shutil
from itertools import cycle

import pytest

from drgdip import explain, group_one, list_schemes, load_scheme, read_cases

SCHEMES = [info.id for info in list_schemes() if not info.extends]


@pytest.fixture(scope="module")
def cases():
    return read_cases("docs/examples/discharges.csv").to_pylist()


def each(benchmark, function, cases, scheme, rounds):
    """One round is one case; every case of the file comes up equally often."""
    scheme = load_scheme(scheme)
    for case in cases:
        function(case, scheme)
    turn = cycle(cases)
    benchmark.pedantic(function, setup=lambda: ((next(turn), scheme), {}), rounds=rounds * len(cases))


@pytest.mark.benchmark(group="one case")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_group_one(benchmark, cases, scheme):
    each(benchmark, group_one, cases, scheme, 20)


@pytest.mark.benchmark(group="one case")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_explain(benchmark, cases, scheme):
    each(benchmark, explain, cases, scheme, 5)


@pytest.mark.benchmark(group="load")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_load(benchmark, tmp_path, scheme):
    """A folder loaded by its path, which is not kept."""
    folder = tmp_path / scheme
    shutil.copytree(load_scheme(scheme).folder, folder)
    benchmark.pedantic(load_scheme, (folder,), rounds=10, warmup_rounds=1)
