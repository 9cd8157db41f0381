"""Texts: full-width forms, how codes are written, and the texts that stand for nothing."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache

__all__ = ["MISSING", "code_of", "fold_width", "is_missing", "normalise_code", "shown", "text_of"]

#: Texts that hospital systems write for a missing value; the case of letters and full-width forms do not count.
MISSING = frozenset(
    {
        *("", "-", "--", "—", "——", "/", "无", "\\N", "\\n"),
        *("NULL", "null", "NaN", "nan", "None", "none", "N/A", "n/a", "NA", "na", "#N/A", "#n/a"),
    }
)

_LONGEST = 1000  # digits; the text of a decimal may have an exponent of any size
# Full-width forms (！ to ～) lie at a fixed distance from the ASCII ones; the ideographic space stands alone.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20, 0xFEFF: None}
# An X that extends a code stands behind a digit or the point; the X of chapter XX begins a code.
_CAPITAL_X = re.compile(r"(?<=[0-9.])X")
# Characters that move the cursor, colour a terminal or turn the direction of writing.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def fold_width(text: str) -> str:
    """Return a text with full-width characters as ASCII and no white space around it."""
    return text.translate(_FULL_WIDTH).strip()


@lru_cache(maxsize=1 << 16)
def normalise_code(code: str) -> str:
    """Return a code as the code sets write it.

    White space around it goes, full-width characters become ASCII, and a capital X that extends a code becomes
    small. Nothing else is changed: neither the case of letters nor points nor length.

    Parameters
    ----------
    code
        A diagnosis or procedure code as found.

    Returns
    -------
    The code, "" for white space.

    Examples
    --------
    >>> normalise_code(" Ｊ11.000X001 "), normalise_code("X59.900"), normalise_code("c61.X00")
    ('J11.000x001', 'X59.900', 'c61.x00')
    """
    return _CAPITAL_X.sub("x", fold_width(code))


@lru_cache(maxsize=1 << 16)
def code_of(text: str) -> str | None:
    """Return a code as `normalise_code` does, None for a text that stands for nothing."""
    code = normalise_code(text)
    return None if is_missing(code) else code


def is_missing(value: object) -> bool:
    """Return whether a scalar stands for nothing: None, NaN, pandas' NA and NaT, or one of `MISSING`."""
    if value is None:
        return True
    if isinstance(value, str):
        return value in MISSING or fold_width(value).casefold() in MISSING
    # NaN and NaT differ from themselves; pandas' NA answers a comparison with itself.
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, float) or type(value).__module__ == "numpy":
        return getattr(value, "ndim", 0) == 0 and bool(value != value)
    return type(value).__name__ in {"NAType", "NaTType"}


def text_of(value: object) -> str:
    """Return the text of any value: of a number without exponent, of a whole one without fraction.

    Bytes, as old Parquet files have for texts, are UTF-8. A float is the decimal that it prints as.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(float(value))):f}"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _LONGEST:
        return str(int(value)) if value == value.to_integral_value() else f"{value:f}"
    return str(value)


def shown(text: str) -> str:
    r"""Return a text as a line of a terminal may show it: control characters are written as escapes.

    >>> print(shown("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
