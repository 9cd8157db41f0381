"""Words of explanations in English and Chinese, from one table (``data/explain/words.csv``)."""

from __future__ import annotations

from typing import Any

from drgdip._once import once
from drgdip.data import words_of
from drgdip.reasons import LANGUAGES

__all__ = ["has_word", "names_beginning", "say"]

_TABLE = "explain/words.csv"


@once
def names_beginning(prefix: str) -> tuple[str, ...]:
    """Return what stands behind a prefix in the names of words, the longest first."""
    names = (name.removeprefix(prefix) for name in words_of(_TABLE) if name.startswith(prefix))
    return tuple(sorted(names, key=len, reverse=True))


def has_word(name: str) -> bool:
    """Return whether the table has a word."""
    return name in words_of(_TABLE)


def say(name: str, language: str, /, **values: Any) -> str:
    """Return a word in a language with values in their places."""
    return words_of(_TABLE)[name][LANGUAGES.index(language)].format(**values)
