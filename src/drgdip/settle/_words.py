"""Words of the papers of settlement in English and Chinese (``data/settle/words.csv``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._once import once
from drgdip.data import rows_of
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["heading", "say"]


@once
def _words() -> Mapping[str, tuple[str, str]]:
    return {row["name"]: (row["english"], row["chinese"]) for row in rows_of("settle/words.csv")}


def say(name: str, language: str) -> str:
    """Return a word in a language; a name that has none stands for itself."""
    return _words().get(name, (name, name))[LANGUAGES.index(language)]


def heading(name: str, language: str, family: str) -> str:
    """Return the heading of a column: its name in English; a group of DRG is 病组, one of DIP 病种."""
    if language == "en":
        return name
    return say("group_dip" if (name, family) == ("group", "dip") else name, language)
