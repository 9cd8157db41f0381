"""Citations of a policy: taken off its values on the way in, put beside them on the way out, and faults in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drgdip._toml import Inline

__all__ = ["fault_of", "take_citations", "with_citations"]


def take_citations(values: Mapping[str, Any], path: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values with every ``{value, source, …}`` made plain, and the citations by dotted path."""
    plain: dict[str, Any] = {}
    citations: dict[str, Any] = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name == "citations" and not path:
            continue
        inner = value
        if isinstance(value, Mapping) and "value" in value and "source" in value:
            citations[where] = {key: part for key, part in value.items() if key != "value"}
            inner = value["value"]
        if isinstance(inner, Mapping):
            plain[name], more = take_citations(inner, f"{where}.")
            citations |= more
        else:
            plain[name] = inner
    return plain, citations


def with_citations(value: Any, citations: Mapping[str, Mapping[str, Any]], path: str = "") -> Any:
    """Return values with each cited one as ``{value, source, …}``; tables below sections are written within a line."""
    if isinstance(value, Mapping):
        prefix = f"{path}." if path else ""
        parts = {key: with_citations(part, citations, f"{prefix}{key}") for key, part in value.items()}
        value = Inline(parts) if "." in path else parts
    elif isinstance(value, list | tuple):
        value = [Inline(part) if isinstance(part, Mapping) else part for part in value]
    return Inline({"value": value, **citations[path]}) if path in citations else value


def fault_of(fault: Any) -> str:
    """Return one fault of a policy in words: where it is, what stands there, what is expected."""
    where = ".".join(map(str, fault["loc"]))
    kind, told = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "there is no such field"
    elif kind in {"value_error", "assertion_error"}:
        text = told
    else:
        text = f"is {fault['input']!s}; {told[:1].lower()}{told[1:]}".replace("input should", "it should")
    return f"{where}: {text}" if where else text
