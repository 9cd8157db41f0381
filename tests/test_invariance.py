"""What must not matter does not: chunks, slices, threads, order of rows and of codes, spelling, layout, duplicates."""

from __future__ import annotations

import itertools
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drgdip
from drgdip.grouper import group as door
from drgdip.grouper.result import GroupResult

SCHEMES = [info.id for info in drgdip.list_schemes() if not info.extends]
FIELDS = list(GroupResult._fields)
#: Each example groups hundreds of cases.
few = settings(max_examples=20)
COLUMNS = ["sex", "age", "age_days", "newborn_weight", "dx", "procs"]


def results(cases: pa.Table, scheme: str, **options) -> list[tuple]:
    options = {"engine": "columnar", "threads": 1, **options}
    return [tuple(row.values()) for row in drgdip.group(cases, scheme, **options).select(FIELDS).to_pylist()]


@pytest.fixture(scope="module", params=SCHEMES)
def sample(request) -> tuple[str, pa.Table, list[tuple]]:
    cases = drgdip.sample_cases(400, request.param, seed=8).select(COLUMNS)
    return request.param, cases, results(cases, request.param)


@few
@given(edges=st.lists(st.integers(0, 400), max_size=6), rows=st.integers(1, 500), threads=st.integers(1, 3))
def test_chunks_of_the_input_rows_at_a_time_and_threads(sample, edges, rows, threads):
    scheme, cases, expected = sample
    points = [0, *sorted(edges), len(cases)]
    chunked = pa.concat_tables([cases.slice(a, b - a) for a, b in itertools.pairwise(points)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "CHUNK", rows)
        assert results(chunked, scheme, threads=threads) == expected


@few
@given(start=st.integers(0, 400), length=st.integers(0, 400))
def test_slices(sample, start, length):
    scheme, cases, expected = sample
    assert results(cases.slice(start, length), scheme) == expected[start : start + length]


@few
@given(order=st.permutations(range(60)))
def test_order_of_rows(sample, order):
    scheme, cases, expected = sample
    assert results(cases.take(pa.array(order)), scheme) == [expected[row] for row in order]


@few
@given(seed=st.integers(0, 2**32))
def test_order_and_duplicates_of_other_codes(sample, seed):
    random = Random(seed)
    scheme, cases, expected = sample
    rows = cases.slice(0, 80).to_pylist()
    for row in rows:
        for column in ("dx", "procs"):
            others = row[column][1:]
            others += random.choices(others, k=2) if others else []
            random.shuffle(others)
            row[column] = row[column][:1] + others
    assert results(pa.Table.from_pylist(rows, cases.schema), scheme) == expected[:80]


@few
@given(seed=st.integers(0, 2**32))
def test_spelling_that_is_folded(sample, seed):
    random = Random(seed)
    scheme, cases, expected = sample
    wide = {ord("0") + digit: ord("０") + digit for digit in range(10)} | {ord("."): ord("．")}
    rows = cases.slice(0, 80).to_pylist()
    for row in rows:
        for column in ("dx", "procs"):
            changes = (
                lambda c: c,
                lambda c: f"\u3000{c}\t",
                lambda c: c.translate(wide),
                lambda c: c.replace("x", "X"),
            )
            row[column] = [random.choice(changes)(code) for code in row[column]]
    assert results(pa.Table.from_pylist(rows, cases.schema), scheme) == expected[:80]


@few
@given(unknown=st.lists(st.text(max_size=8).filter(lambda code: "|" not in code), max_size=5))
def test_unknown_codes_among_the_others_are_harmless(sample, unknown):
    scheme, cases, expected = sample
    known = {code for codes in drgdip.load_scheme(scheme).sets.values() for code in codes}
    unknown = [code for code in unknown if drgdip.normalise_code(code) not in known]
    rows = cases.slice(0, 30).to_pylist()
    for row in rows:
        row["dx"] = row["dx"] + unknown
        if row["procs"]:
            row["procs"] = row["procs"] + unknown
    assert results(pa.Table.from_pylist(rows, cases.schema), scheme) == expected[:30]


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "sex": st.none() | st.integers(-1, 3) | st.sampled_from(["男", "F", "?", ""]),
                "age": st.none() | st.integers() | st.floats() | st.text(max_size=3),
                "dx": st.none() | st.text(max_size=20) | st.lists(st.none() | st.text(max_size=9), max_size=4),
                "procs": st.none() | st.text(max_size=20) | st.lists(st.none() | st.text(max_size=9), max_size=4),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_nothing_but_our_own_errors_from_any_records(rows):
    """Whatever the values, both engines give every row the same status, or both refuse the table alike."""
    outcomes = []
    for engine in ("reference", "columnar"):
        try:
            outcomes.append(
                [(row["group"], row["status"], row["reason"]) for row in drgdip.group(rows, SCHEMES[1], engine=engine)]
            )
        except drgdip.DrgdipError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
