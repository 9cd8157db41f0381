"""Money keeps every fen: doors, rounding, splits, each beside its slow obvious twin."""

import decimal
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drgdip._money import (
    add_up,
    exact,
    fen_of,
    multiply_over,
    read_money,
    round_over,
    scaled,
    split,
    split_fen,
    to_yuan,
    yuan_of,
)
from drgdip.errors import CaseError, PolicyError

FEN = st.integers(-(10**13), 10**13)
WHOLE = st.integers(0, 1 << 60)


def test_a_float_is_refused_and_the_message_says_what_to_write():
    with pytest.raises(PolicyError, match=r"total=0.1 is a float.*Decimal\('0.1'\)"):
        split(0.1, [1])
    with pytest.raises(CaseError, match="'x' holds floats"):
        read_money(pa.chunked_array([[1.0]]), "'x'")


@pytest.mark.parametrize("bad", [True, None, [1], "a", "NaN", Decimal("Infinity")])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(PolicyError, match="total="):
        fen_of(bad, "total")


def test_fractions_of_a_fen_are_refused():
    with pytest.raises(PolicyError, match="fraction of a fen"):
        fen_of(Decimal("1.005"), "total")
    for column in (pa.array([Decimal("1.005")]), pa.array(["1.005"]), pa.array(["a"])):
        with pytest.raises(CaseError, match="at most two decimals"):
            read_money(column, "'x'")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([Decimal("1.50"), None, Decimal("-2.00")]),
        pa.array([Decimal("1.5"), None, Decimal("-2.0")], pa.decimal128(5, 1)),
        pa.array(["1.50", "", " -2 "]),
        pa.array(["1.50", None, "-2"], pa.large_string()),
        pa.array(["1.50", None, "-2"]).dictionary_encode(),
        pa.array([Decimal(9), Decimal("1.50"), None, Decimal("-2.00")]).slice(1),
        pa.chunked_array([pa.array([Decimal("1.50")]), pa.array([None, Decimal("-2.00")], pa.decimal128(3, 2))]),
    ],
    ids=str,
)
def test_every_exact_column_is_read(column):
    fen, known = read_money(column, "'x'")
    assert known.tolist() == [True, False, True]
    assert fen.tolist() == [150, 0, -200]


def test_whole_numbers_are_yuan_and_nulls_stay():
    fen, known = read_money(pa.array([3, None]), "'x'")
    assert (fen.tolist(), known.tolist()) == ([300, 0], [True, False])
    assert read_money(pa.nulls(2), "'x'")[1].tolist() == [False, False]
    with pytest.raises(CaseError, match="not money"):
        read_money(pa.array([True]), "'x'")


def test_amounts_without_measure_are_refused():
    with pytest.raises(CaseError, match="without measure"):
        read_money(pa.array([Decimal(10) ** 30]), "'x'")
    with pytest.raises(CaseError, match="fewer digits"):
        scaled([1e12], 8, "the points")
    with pytest.raises(CaseError, match="fewer digits"):
        round_over(1 << 60, 1 << 60, 1)
    with pytest.raises(CaseError, match="fewer digits"):
        add_up(np.zeros(4, int), np.full(4, 1 << 60), 1)


@given(st.lists(FEN, max_size=30))
def test_yuan_out_and_in_again(amounts):
    column = to_yuan(np.array(amounts, np.int64))
    assert column.to_pylist() == [yuan_of(fen) for fen in amounts]
    assert read_money(column, "'x'")[0].tolist() == amounts


@given(WHOLE, st.integers(0, 1 << 60), st.integers(1, 1 << 60))
def test_products_of_128_bits_equal_whole_numbers(a, b, c):
    if a * b // c >= 1 << 50:
        return
    quotient, rest = multiply_over(a, b, c)
    assert (int(quotient[0]), int(rest[0])) == divmod(a * b, c)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**6), st.integers(1, 10**9))
def test_rounding_equals_whole_numbers(a, b, c):
    assert int(round_over(a, b, c)[0]) == round_half_away(a * b, c)


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_rounding_equals_decimal_half_up(a, digits):
    expected = Decimal(a).scaleb(-digits).quantize(Decimal(1), decimal.ROUND_HALF_UP)
    assert int(round_over(a, 1, 10**digits)[0]) == int(expected)


def round_half_away(number, divisor):
    sign = -1 if number < 0 else 1
    return sign * ((2 * abs(number) + divisor) // (2 * divisor))


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(1.005, 2, 101), (-1.005, 2, -101), (0.125, 2, 13), (2.675, 2, 268), (1.0049, 2, 100), (float("nan"), 2, 0)],
)
def test_a_float_counts_as_the_decimal_that_it_prints(value, digits, expected):
    assert scaled([value], digits, "x").tolist() == [expected]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(1 << 58), 1 << 58)), max_size=8))
def test_sums_are_exact(rows):
    codes = np.array([code for code, _ in rows], int)
    found = add_up(codes - 1, np.array([value for _, value in rows], np.int64), 3)
    assert found.tolist() == [sum(value for code, value in rows if code == wanted) for wanted in (1, 2, 3)]


@given(FEN, st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any))
def test_the_columnar_split_equals_the_plain_one(fen, shares):
    expected = [int(amount * 100) for amount in split(yuan_of(fen), shares)]
    codes = np.zeros(len(shares), int)
    assert split_fen(np.array([fen]), np.array(shares, np.int64), codes).tolist() == expected


@given(
    FEN,
    st.lists(
        st.one_of(st.integers(0, 10**6), st.floats(0, 1e6), st.decimals(0, 10**6, places=4)), min_size=1, max_size=20
    ).filter(any),
)
def test_a_split_keeps_every_fen_and_the_order_of_the_shares(fen, shares):
    parts = split(yuan_of(fen), shares)
    assert sum(parts) == yuan_of(fen)
    values = [exact(repr(share) if isinstance(share, float) else share, "x") for share in shares]
    for one, value in zip(parts, values, strict=True):
        assert abs(one * 100 - fen * value / sum(values)) < Decimal("1.000001")
        assert value or not one
        for other, less in zip(parts, values, strict=True):
            if less < value:
                assert abs(one) >= abs(other)


@given(st.lists(FEN, min_size=1, max_size=5), st.data())
def test_several_totals_are_split_apart(totals, data):
    rows = [
        (code, data.draw(st.integers(0, 1000)))
        for code in range(len(totals))
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    rows = data.draw(st.permutations([*rows, *((code, 1) for code in range(len(totals)))]))
    codes, shares = (np.array(side, np.int64) for side in zip(*rows, strict=True))
    found = split_fen(np.array(totals), shares, codes, np.arange(len(rows)))
    for code, total in enumerate(totals):
        mine = codes == code
        assert found[mine].tolist() == [int(amount * 100) for amount in split(yuan_of(total), shares[mine].tolist())]


def test_ties_go_to_the_earlier_share_or_the_lower_rank():
    assert split(Decimal("0.02"), [1, 1, 1]) == [Decimal("0.01"), Decimal("0.01"), Decimal("0.00")]
    assert split_fen(np.array([2]), np.array([1, 1, 1]), np.zeros(3, int), np.array([2, 1, 0])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [-1, 2]])
def test_shares_that_cannot_be_split_over_are_refused(shares):
    with pytest.raises(PolicyError, match="above 0"):
        split(1, shares)
