"""Words of explanations in English and Chinese, from one table (``data/explain/words.csv``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._once import once
from drgdip.data import rows_of
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["has_word", "names_beginning", "say"]


@once
def _words() -> Mapping[str, tuple[str, str]]:
    return {row["name"]: (row["english"], row["chinese"]) for row in rows_of("explain/words.csv")}


@once
def names_beginning(prefix: str) -> tuple[str, ...]:
    """Return what stands behind a prefix in the names of words, the longest first."""
    names = (name.removeprefix(prefix) for name in _words() if name.startswith(prefix))
    return tuple(sorted(names, key=len, reverse=True))


def has_word(name: str) -> bool:
    """Return whether the table has a word."""
    return name in _words()


def say(name: str, language: str, /, **values: Any) -> str:
    """Return a word in a language with values in their places."""
    return _words()[name][LANGUAGES.index(language)].format(**values)
