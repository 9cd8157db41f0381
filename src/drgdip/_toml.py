"""Writing TOML: the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["dumps"]


def dumps(table: Mapping[str, Any]) -> str:
    """Return a table of texts, numbers, truth values, lists of texts and tables of these as TOML text."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    parts = [_lines(plain)] + [f"[{_key(k)}]\n{_lines(v)}" for k, v in table.items() if isinstance(v, Mapping)]
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _value(key)


def _value(value: object) -> str:
    """Return a text, number, truth value or list of texts, which TOML writes as JSON does."""
    return json.dumps(value, ensure_ascii=False)
