"""How one value of each kind is read: numbers, amounts, flags, days, texts and codes.

Every door goes through these readers (a record, a table, a file, a policy's table), so that a value means the same
everywhere. A door is stricter by a named argument only. `drgdip._arrays` and `drgdip._money` read columns; their tests
compare them with the readers here, value by value. Nothing here needs Arrow: one record is grouped without it.
"""

from __future__ import annotations

import datetime
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from drgdip._exact import EXACT
from drgdip._text import MISSING, fold_width, is_missing, normalise_code, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Unreadable",
    "read_codes",
    "read_day",
    "read_fen",
    "read_flag",
    "read_moment",
    "read_number",
    "read_sex",
    "read_text",
    "read_whole",
    "read_yuan",
]

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_EXPONENT = re.compile(r"[eE][+-]?\d{1,4}$", re.ASCII)
# Behind the day stands nothing, or a time.
_DAY = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?=$|[ T])|(\d{2})(\d{2})(?=$|[ T]|\d{6}$))", re.ASCII)
_CLOCK = re.compile(r"[ T](\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_LARGEST = 2**63 - 1  # Arrow's int64
_DEAREST = 10**13  # yuan, not reached: fen below are exact in floats
_LONGEST = 1000  # digits, zeros in front included; Python reads no more than 4,300
_SEXES = {"1": 1, "2": 2, "男": 1, "女": 2, "M": 1, "F": 2, "m": 1, "f": 2, "男性": 1, "女性": 2}
_FLAGS = {"true": True, "1": True, "yes": True, "是": True, "false": False, "0": False, "no": False, "否": False}


class Unreadable(ValueError):
    """A value that is not of its column's kind."""


def _plain(value: object) -> object:
    """Return a numpy scalar as Python's number; anything else as it is."""
    scalar = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return value.item() if scalar else value  # type: ignore[attr-defined]


def read_whole(value: object) -> int | None:
    """Return a whole number; text of one (``"3"``, ``"3.0"``) and floats without a fraction are taken."""
    if value is None or type(value) is int and -_LARGEST <= value <= _LARGEST:  # noqa: RUF021
        return value
    if is_missing(value):
        return None
    value = _plain(value)
    if isinstance(value, Decimal):  # its text may have an exponent of any size
        value = float(value) if not value.is_finite() or not -_LARGEST <= value <= _LARGEST else f"{value:f}"
    if isinstance(value, str):
        text = fold_width(value)
        if not _WHOLE.fullmatch(text):
            raise Unreadable("not a whole number")
        digits = text.partition(".")[0]
        number = int(digits) if len(digits) < _LONGEST else _LARGEST + 1
    elif hasattr(value, "__index__") and not isinstance(value, bool):
        number = value.__index__()
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    else:
        raise Unreadable("not a whole number")
    if not -_LARGEST - 1 <= number <= _LARGEST:
        raise Unreadable("a number without measure")
    return number


def read_number(value: object, *, exponent: bool = False) -> float | None:
    """Return a number, from one or from text of one; text with an exponent is taken only where the door says so."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        text = fold_width(value)
        if not _NUMBER.fullmatch(_EXPONENT.sub("", text) if exponent else text):
            raise Unreadable("not a number")
        value = float(text)
    value = _plain(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise Unreadable("not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise Unreadable("a number without measure")
    return number


def read_yuan(value: object) -> Decimal | None:
    """Return an amount in yuan, from a number or from text of one without exponent, as it is written."""
    if is_missing(value):
        return None
    value = fold_width(value) if isinstance(value, str) else _plain(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Unreadable("not an amount")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise Unreadable("not an amount")
    amount = Decimal(repr(value) if isinstance(value, float) else value)  # a float is the decimal that it prints as
    if not -_DEAREST < amount < _DEAREST:
        raise Unreadable("an amount without measure")
    return amount


def read_fen(value: object, *, exact: bool = False) -> int | None:
    """Return an amount in yuan (`read_yuan`) as fen.

    More than two decimals are rounded (四舍五入); with ``exact`` a fraction of a fen is refused.
    """
    amount = read_yuan(value)
    if amount is None:
        return None
    rounded = amount.quantize(Decimal("0.01"), ROUND_HALF_UP, EXACT)
    if exact and rounded != amount:
        raise Unreadable("an amount with a fraction of a fen")
    return int(rounded.scaleb(2, EXACT))


def read_flag(value: object) -> bool | None:
    """Return true or false, from one or from text: true, yes, 1, 是, or false, no, 0, 否."""
    if isinstance(value, bool):
        return value
    if is_missing(value):
        return None
    flag = _FLAGS.get(fold_width(value).lower()) if isinstance(value, str) else None
    if flag is None:
        raise Unreadable("not true or false")
    return flag


def read_sex(value: object) -> int | None:
    """Return 1 for male, 2 for female, from 1/2, 男/女 or M/F.

    Other whole numbers (0 unknown, 9 not stated) stay as they are.
    """
    if isinstance(value, str):
        sex = _SEXES.get(value) or _SEXES.get(fold_width(value))
        if sex is not None:
            return sex
    return read_whole(value)


def read_text(value: object) -> str | None:
    """Return a text without white space around it."""
    return None if is_missing(value) else str(value).strip()


def read_codes(value: object) -> list[str | None]:
    """Return codes from a list, or from text joined by ``|``: the principal one first, null where there is none.

    Missing codes among the others are left out. A value of another type counts by its text: no code is lost, and one
    that no code set has is merely unknown.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        items: Iterable[object] = value.split("|")
    elif hasattr(value, "__iter__") and not isinstance(value, dict):
        items = value
    else:
        items = (value,)
    codes: list[str | None] = []
    for item in items:
        code = "" if is_missing(item) else normalise_code(item if isinstance(item, str) else text_of(item))
        if code not in MISSING:
            codes.append(code)
        elif not codes:
            codes.append(None)
    return codes if codes != [None] else []


def read_day(value: object) -> datetime.date | None:
    """Return a day, from a date, a time, or text that begins with one.

    ``2024-05-01``, ``2024/5/1``, ``20240501``, ``2024年5月1日``, with or without a time of day behind it.
    """
    if is_missing(value):
        return None
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    match = _DAY.match(fold_width(str(value)))
    if match is None:
        raise Unreadable("not a date")
    try:
        return datetime.date(*map(int, filter(None, match.groups())))
    except ValueError as error:
        raise Unreadable("not a date") from error


def read_moment(value: object) -> datetime.datetime | None:
    """Return a point in time from text: a day (`read_day`) with a time of day behind it, or midnight."""
    day = read_day(value)
    if day is None:
        return None
    clock = _CLOCK.search(fold_width(str(value)))
    try:
        return datetime.datetime.combine(day, datetime.time(*map(int, filter(None, clock.groups())) if clock else ()))
    except ValueError as error:
        raise Unreadable("not a time") from error
