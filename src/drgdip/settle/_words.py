"""Words of the papers of settlement in English and Chinese (``data/settle/words.csv``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import UnknownNameError
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["check_language", "headed", "say"]


def check_language(language: str) -> None:
    """Raise UnknownNameError for a language that papers are not written in."""
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES, hint=f"The languages are {', '.join(LANGUAGES)}.")


@once
def _words() -> Mapping[str, tuple[str, str]]:
    return {row["name"]: (row["english"], row["chinese"]) for row in rows_of("settle/words.csv")}


def say(name: str, language: str) -> str:
    """Return a word in a language; a name that has none stands for itself."""
    return _words().get(name, (name, name))[LANGUAGES.index(language)]


def headed(table: pa.Table, language: str, family: str) -> pa.Table:
    """Return a table with Chinese headings for Chinese readers: a DRG is 病组, a group of DIP 病种."""
    if language == "en":
        return table
    special = {"group": "group_dip"} if family == "dip" else {}
    return table.rename_columns([say(special.get(name, name), language) for name in table.column_names])
