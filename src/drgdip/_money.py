"""Money: whole fen inside, decimals of yuan at the doors, 四舍五入 where it is rounded, nothing lost in a split."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import holds_letter, is_text, plain_texts, read_values
from drgdip._arrow import filled, from_numpy, one_chunk, valid
from drgdip._exact import EXACT, exactly
from drgdip._values import read_fen
from drgdip.errors import CaseError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Fen = NDArray[np.int64]

__all__ = [
    "LARGEST",
    "YUAN",
    "add_up",
    "exact",
    "exact_rate",
    "fen_of",
    "from_yuan",
    "multiply_over",
    "read_amounts",
    "read_money",
    "round_over",
    "rounded",
    "scaled",
    "split",
    "split_fen",
    "to_yuan",
    "yuan_of",
]

#: The type of a column of money: yuan with two decimals.
YUAN = pa.decimal128(18, 2)

#: Sums and divisors stay below, so that twice a remainder fits 64 bits.
LARGEST = 1 << 61
_LONGEST = 30  # characters of a text that Arrow reads as a decimal
_DEAREST = 10**15  # fen that `drgdip._values.read_fen` does not reach: those below are exact in floats
_SURE = float(1 << 50)  # a quotient below can be estimated in floats to within one


def fen_of(amount: Any, what: str) -> int:
    """Return an amount of yuan (Decimal, int or text) as fen. Raise PolicyError for floats and fractions of a fen."""
    fen = EXACT.multiply(exact(amount, what), 100)
    if fen != int(fen):
        raise PolicyError(f"{what}={amount}: has a fraction of a fen; round it to two decimals first")
    return int(fen)


def exact(number: Any, what: str) -> Decimal:
    """Return a number (Decimal, int or text) as Decimal. Raise PolicyError for floats and for all that is no number."""
    if isinstance(number, float):
        raise PolicyError(f"{what}={number!r} is a float, which cannot hold it exactly: give Decimal({str(number)!r})")
    if not isinstance(number, Decimal | int | str) or isinstance(number, bool):
        raise PolicyError(f"{what}={number!r}: give a Decimal, a whole number, or the text of one")
    try:
        value = Decimal(number)
    except InvalidOperation as error:
        raise PolicyError(
            f"{what}={number!r} is no number: give a Decimal, a whole number, or the text of one"
        ) from error
    if not value.is_finite():
        raise PolicyError(f"{what}={number}: give a number")
    return value


def exact_rate(number: Any, what: str) -> Decimal:
    """Return a rate, value or share as Decimal. A float stands for the decimal that it prints as, as with points."""
    return exact(float.__repr__(number) if isinstance(number, float) else number, what)


def rounded(number: Decimal, digits: int = 0) -> int:
    """Return a number as a whole multiple of ``10 ** -digits``, rounded half away from zero (四舍五入)."""
    return int(EXACT.scaleb(EXACT.quantize(number, Decimal(1).scaleb(-digits, EXACT)), digits))


def yuan_of(fen: int) -> Decimal:
    """Return fen as yuan with two decimals."""
    return Decimal(int(fen)).scaleb(-2, EXACT)


def read_money(column: pa.ChunkedArray | pa.Array, where: str) -> tuple[Fen, NDArray[np.bool_]]:
    """Read a column of yuan that must be exact.

    Parameters
    ----------
    column
        Decimals, whole numbers or texts of decimals; floats and fractions of a fen are refused.
    where
        The column's name and table, for messages.

    Returns
    -------
    Fen (0 where null), and which rows have a value.

    Raises
    ------
    CaseError
        A column of another type, or a value that is not yuan with at most two decimals.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    if pa.types.is_floating(kind):
        raise CaseError(
            f"{where} holds floats, which cannot hold fen exactly: read files with drgdip.settle.read_settlement, "
            f"which keeps money as it is written, or turn the column into decimals, as with Decimal(str(value))"
        )
    if is_text(kind):
        return _read_exact_texts(one_chunk(column), where)
    if not (pa.types.is_decimal(kind) or pa.types.is_integer(kind)):
        raise CaseError(f"{where} holds {kind}, not money: give yuan as decimals or whole numbers")
    try:
        same = pa.types.is_decimal128(kind) and kind.scale == YUAN.scale
        return from_yuan(column if same else column.cast(pa.decimal128(38, 2)), where)
    except pa.ArrowInvalid as error:
        raise CaseError(
            f"{where} holds a value that is not yuan with at most two decimals ({error}): mend it, or round it first"
        ) from error


def _read_exact_texts(texts: pa.Array, where: str) -> tuple[Fen, NDArray[np.bool_]]:
    fen, known, failed = read_amounts(texts, exact=True)
    if failed.any():
        row = int(np.flatnonzero(failed)[0])
        raise CaseError(
            f"{where} holds a value that is not yuan with at most two decimals ({texts[row].as_py()!r} in row {row}): "
            "mend it, or round it first"
        )
    return fen, known


def read_amounts(column: pa.Array, *, exact: bool = False) -> tuple[Fen, NDArray[np.bool_], NDArray[np.bool_]]:
    """Read a column of amounts in yuan (`drgdip._values.read_fen`).

    Parameters
    ----------
    column
        Numbers or texts. A float is the decimal that it prints as; more than two decimals are rounded (四舍五入).
    exact
        Whether a fraction of a fen cannot be read.

    Returns
    -------
    Fen (0 where there is none), which rows have an amount, and which rows hold something that is none.
    """
    column = plain_texts(column)
    if pa.types.is_float64(column.type):
        return _read_floats(column, exact=exact)
    plain = _plain_yuan(column)
    if plain is not None:
        try:
            fen, known = from_yuan(plain, "")
            too_large = np.abs(fen) >= _DEAREST
            return np.where(too_large, 0, fen), known & ~too_large, too_large
        except CaseError:  # an amount beyond 64 bits: the others are read one by one
            pass
    read, failed = read_values(column, partial(read_fen, exact=exact), pa.int64())
    return filled(read, 0), valid(read), failed


def _plain_yuan(column: pa.Array) -> pa.Array | None:
    """Return a column of whole numbers, of decimals or of their texts as yuan, None if a value has no such form."""
    kind = column.type
    if is_text(kind):
        # Arrow's decimals may have an exponent, and of a text with very many digits it drops some.
        if holds_letter(column, "e") or (pc.max(pc.binary_length(column)).as_py() or 0) > _LONGEST:
            return None
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        return None
    if pa.types.is_decimal128(kind) and kind.scale == YUAN.scale:
        return column
    try:
        return column.cast(pa.decimal128(38, 2))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _read_floats(column: pa.Array, *, exact: bool) -> tuple[Fen, NDArray[np.bool_], NDArray[np.bool_]]:
    """Read floats as the decimals that they print as: where that has two places, the nearest fen gives it back."""
    yuan = filled(column, np.nan)
    known = ~np.isnan(yuan)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.rint(yuan * 100)
        odd = known & ~((near / 100 == yuan) & (np.abs(near) < _DEAREST))
    fen = np.where(known & ~odd, near, 0).astype(np.int64)
    failed = np.zeros(len(yuan), dtype=bool)
    if odd.any():
        read, failed[odd] = read_values(from_numpy(yuan[odd]), partial(read_fen, exact=exact), pa.int64())
        fen[odd], known[odd] = filled(read, 0), valid(read)
    return fen, known, failed


def from_yuan(column: pa.ChunkedArray | pa.Array, where: str) -> tuple[Fen, NDArray[np.bool_]]:
    """Return a decimal128 column with two decimals as fen (0 where null), and which rows have a value."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    fen, known = [np.zeros(0, np.int64)], [np.zeros(0, bool)]
    for chunk in filter(len, chunks):
        halves = np.frombuffer(chunk.buffers()[1], np.int64)[2 * chunk.offset :][: 2 * len(chunk)].reshape(-1, 2)
        there = np.asarray(pc.is_valid(chunk)) if chunk.null_count else np.ones(len(chunk), bool)
        low, high = halves[:, 0], halves[:, 1]
        if (((low >> 63 != high) | (low >= LARGEST) | (low <= -LARGEST)) & there).any():
            raise CaseError(f"{where} holds an amount without measure: no sum of money is that large")
        fen.append(np.where(there, low, 0) if chunk.null_count else low.copy())
        known.append(there)
    if len(fen) == 2:
        return fen[1], known[1]  # one chunk: nothing to join
    return np.concatenate(fen), np.concatenate(known)


def to_yuan(fen: Fen, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return fen as a column of yuan, null where not known: exact, as a decimal is its 128-bit number of fen."""
    halves = np.empty((len(fen), 2), np.int64)
    halves[:, 0] = fen
    halves[:, 1] = halves[:, 0] >> 63
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(YUAN, len(fen), [validity, pa.py_buffer(halves)])


def scaled(values: Any, digits: int, what: str) -> Fen:
    """Return numbers as whole multiples of ``10 ** -digits``, rounded half away from zero (四舍五入). NaN is 0.

    A float stands for the decimal that it prints as: 1.005 to two digits is 1.01.
    """
    numbers = np.asarray(values, np.float64) * 10.0**digits
    if len(numbers) and float(np.nanmax(np.abs(numbers), initial=0.0)) >= LARGEST:
        raise CaseError(f"{what}: too large for {digits} decimals; give fewer digits in the policy's rounding")
    size = np.abs(np.nan_to_num(numbers))
    return np.asarray(np.sign(np.nan_to_num(numbers)) * np.floor(size * (1 + 4e-16) + 0.5), np.int64)


def add_up(codes: NDArray[np.integer], values: Fen, size: int) -> Fen:
    """Return the exact sum of the values of each code; rows with a code below 0 do not count."""
    mask = (1 << 26) - 1
    chosen = codes if len(codes) == 0 or codes.min() >= 0 else codes[codes >= 0]
    values = values if chosen is codes else values[codes >= 0]
    if float(np.abs(values).sum(dtype=np.float64)) < _SURE:
        return np.bincount(chosen, values, size).astype(np.int64)  # floats add whole numbers of this size exactly
    # Two halves, so that a float adds each of them without rounding.
    high = np.bincount(chosen, values >> 26, size)
    low = np.bincount(chosen, values & mask, size)
    if len(values) and (np.abs(high) >= 1 << 35).any():
        raise CaseError("a sum is without measure: give fewer digits in the policy's rounding")
    return (high.astype(np.int64) << 26) + low.astype(np.int64)


def multiply_over(a: Any, b: Any, c: Any) -> tuple[Fen, Fen]:
    """Return quotient and remainder of a * b / c for whole numbers of at least 0, exact although a * b needs 128 bits.

    The quotient is estimated in floats, to within one; 64-bit arithmetic, which wraps, then gives the remainder.
    """
    a, b, c = np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, np.int64)) for value in (a, b, c)))
    estimate = np.floor(a.astype(np.float64) * b / c)
    if len(estimate) and (estimate.max() >= _SURE or c.max() >= LARGEST):
        raise CaseError("an amount is without measure: give fewer digits in the policy's rounding")
    quotient = estimate.astype(np.int64)
    rest = a * b - quotient * c
    quotient, rest = np.where(rest < 0, quotient - 1, quotient), np.where(rest < 0, rest + c, rest)
    more = rest >= c
    return np.where(more, quotient + 1, quotient), np.where(more, rest - c, rest)


def round_over(a: Any, b: Any, c: Any) -> Fen:
    """Return a * b / c as a whole number, rounded half away from zero (四舍五入). b and c are at least 0."""
    a = np.asarray(a, np.int64)
    quotient, rest = multiply_over(np.abs(a), b, c)
    return np.asarray(np.sign(a) * (quotient + (2 * rest >= np.asarray(c, np.int64))), np.int64)


def split_fen(totals: Fen, shares: Fen, codes: NDArray[np.integer], rank: NDArray[np.integer] | None = None) -> Fen:
    """Split the total of each code over its rows in proportion to their shares, by largest remainder.

    Ties go to the lower rank, then to the earlier row. Totals may be negative; shares are at least 0, and those of
    a code with a total add up to more than 0, which the caller checks.
    """
    size = len(totals)
    whole = add_up(codes, shares, size)
    sizes = np.abs(totals)
    quotient, rest = multiply_over(sizes[codes], shares, np.maximum(whole, 1)[codes])
    left = sizes - add_up(codes, quotient, size)
    rank = np.zeros(len(codes), np.int64) if rank is None else rank
    order = np.lexsort((rank, -rest, codes))
    first = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=size))])[:-1]
    place = np.arange(len(codes)) - first[codes[order]]
    quotient[order] += place < left[codes[order]]
    return np.asarray(quotient * np.sign(totals)[codes], np.int64)


@exactly
def split(total: Decimal | int | str, shares: Sequence[Any]) -> list[Decimal]:
    """Split money in proportion to shares, to the fen, by largest remainder (最大余数法).

    Parameters
    ----------
    total
        Yuan with at most two decimals, of either sign. A float is refused.
    shares
        Numbers of at least 0, not all 0: whole numbers, Decimals, or floats such as points. A float stands for the
        decimal that it prints as.

    Returns
    -------
    One amount a share, in order; they add up to the total. The fen that remain after rounding down go to the
    largest remainders; where these are equal, to the earlier share.

    Raises
    ------
    PolicyError
        A total that is a float or has a fraction of a fen, or shares that cannot be split over.

    Examples
    --------
    >>> split(Decimal("100.00"), [1, 1, 1])
    [Decimal('33.34'), Decimal('33.33'), Decimal('33.33')]
    """
    fen = fen_of(total, "total")
    parts = [exact(repr(share) if isinstance(share, float) else share, "shares") for share in shares]
    if not parts or min(parts) < 0 or not any(parts):
        raise PolicyError(f"shares={list(shares)!r}: give numbers of at least 0, and at least one above 0")
    places = max(0, *(-int(part.as_tuple().exponent) for part in parts))
    whole = [int(part.scaleb(places)) for part in parts]
    amounts = [divmod(abs(fen) * part, sum(whole)) for part in whole]
    left = abs(fen) - sum(amount for amount, _ in amounts)
    favoured = set(sorted(range(len(whole)), key=lambda row: (-amounts[row][1], row))[:left])
    sign = -1 if fen < 0 else 1
    return [yuan_of(sign * (amount + (row in favoured))) for row, (amount, _) in enumerate(amounts)]
