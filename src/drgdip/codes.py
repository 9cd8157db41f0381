"""Codes of diagnoses and procedures as they are written: the few spellings that are folded into one."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["normalise_code"]

# Full-width forms (！ to ～) lie at a fixed distance from the ASCII ones; the ideographic space stands alone.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20, 0xFEFF: None}
# An X that extends a code stands behind a digit or the point; the X of chapter XX begins a code.
_CAPITAL_X = re.compile(r"(?<=[0-9.])X")


def fold_width(text: str) -> str:
    """The text with full-width characters as ASCII and no white space around it."""
    return text.translate(_FULL_WIDTH).strip()


@lru_cache(maxsize=1 << 16)
def normalise_code(code: str) -> str:
    """A code as the code sets write it.

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
