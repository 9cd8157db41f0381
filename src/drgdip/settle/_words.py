"""Words of the papers of settlement in English and Chinese (``data/settle/words.csv``)."""

from __future__ import annotations

from drgdip.data import words_of
from drgdip.reasons import LANGUAGES

__all__ = ["heading", "say"]

_TABLE = "settle/words.csv"


def say(name: str, language: str) -> str:
    """Return a word in a language; a name that has none stands for itself."""
    return words_of(_TABLE).get(name, (name, name))[LANGUAGES.index(language)]


def heading(name: str, language: str, family: str) -> str:
    """Return the heading of a column: its name in English; a group of DRG is 病组, one of DIP 病种."""
    if language == "en":
        return name
    return say("group_dip" if (name, family) == ("group", "dip") else name, language)
