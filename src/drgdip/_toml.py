"""Writing TOML: the standard library only reads it."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

__all__ = ["Inline", "dumps"]


class Inline(dict[str, Any]):
    """A table that is written within its line: ``{ value = 1, source = "…" }``."""


def dumps(table: Mapping[str, Any]) -> str:
    """Return a table as TOML text.

    Parameters
    ----------
    table
        Texts, numbers (Decimals too), truth values, dates, lists and tables of these. A table among the values gets a
        section of its own, unless it is `Inline` or stands in a list beside other things. A list of tables gets a
        section each. None leaves its key out.

    Examples
    --------
    >>> print(dumps({"id": "a", "month": {"ratio": Decimal("0.9"), "late": None}, "rate": [{"pool": "p"}]}), end="")
    id = "a"
    <BLANKLINE>
    [month]
    ratio = 0.9
    <BLANKLINE>
    [[rate]]
    pool = "p"
    """
    return "\n".join([_lines(table), *_sections(table, "")])


def _lines(table: Mapping[str, Any]) -> str:
    """Return the lines of the values that have no section of their own."""
    plain = {key: value for key, value in table.items() if value is not None and not _tables(value)}
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in plain.items())


def _sections(table: Mapping[str, Any], above: str) -> Iterator[str]:
    """Yield the sections of a table, each with those within it."""
    for key, value in table.items():
        name = f"{above}{_key(key)}"
        head = f"[{name}]" if isinstance(value, Mapping) else f"[[{name}]]"
        for part in _tables(value):
            yield "".join([f"{head}\n", _lines(part), *_sections(part, f"{name}.")])


def _tables(value: object) -> list[Mapping[str, Any]]:
    """Return the tables that a value has sections for: it is one, or a list of some and of nothing else."""
    if isinstance(value, Mapping) and not isinstance(value, Inline):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(part, Mapping) for part in value):
        return [] if any(isinstance(part, Inline) for part in value) else list(value)
    return []


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _value(key)


def _value(value: object) -> str:
    """Return a value as it stands behind its key. TOML writes texts and truth values as JSON does, but for DEL."""
    if isinstance(value, Mapping):
        inner = [f"{_key(key)} = {_value(part)}" for key, part in value.items() if part is not None]
        return f"{{ {', '.join(inner)} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float):
        return float.__repr__(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
