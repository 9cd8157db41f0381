"""Headings for readers: names of indicators and columns in English and Chinese, with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from drgdip._once import once
from drgdip.data import words_of
from drgdip.monitor.indicators import translate_indicators
from drgdip.monitor.period import Indicator, list_indicators
from drgdip.reasons import LANGUAGES, check_language

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["heading", "indicator_of", "unit_of"]

_TABLE = "headings.csv"

#: What follows the id of an indicator in the names of its columns.
_ENDINGS = ("reference", "previous", "change", "numerator", "denominator")


@once
def _indicators() -> Mapping[str, Indicator]:
    return {row.id: row for row in list_indicators()}


def indicator_of(name: str) -> tuple[Indicator | None, str]:
    """Return the indicator that a column has the name of, None for others, and what follows the indicator's id."""
    if name in _indicators():
        return _indicators()[name], ""
    start, _, ending = name.rpartition("_")
    return (_indicators().get(start), ending) if ending in _ENDINGS else (None, "")


def unit_of(name: str) -> str:
    """Return the unit of a column: that of its indicator, ratio for a change, "" where none is known."""
    indicator, ending = indicator_of(name)
    if indicator is None or ending in {"numerator", "denominator"}:
        return ""
    return "ratio" if ending == "change" else indicator.unit


def heading(name: str, language: str = "en", *, unit: bool = False) -> str:
    """Return the heading of a column in a language, with its unit on demand; a name without one stands for itself."""
    check_language(language)
    place = LANGUAGES.index(language)
    indicator, _ = indicator_of(name)
    if indicator is None:
        return words_of(_TABLE).get(name, (name, name))[place]
    (text,) = translate_indicators(pa.table({name: pa.nulls(0)}), language).column_names
    known = f"unit_{unit_of(name)}" if unit else ""
    return words_of(_TABLE).get(known, ("{}", "{}"))[place].format(text)
