"""Reprs: results of several tables, and what is loaded by name, short in a prompt and small in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["facts_html", "info_html", "parts_html", "parts_repr", "shown"]

_Result = TypeVar("_Result")

#: Rows of a table that a notebook shows; the others are counted.
_ROWS = 10


def facts_html(title: str, facts: Iterable[tuple[str, Any]]) -> str:
    """Return a title and named facts as HTML; facts that are empty are passed over."""
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in facts
        if value not in (None, "", (), {})
    )
    return f"<div><b>{html.escape(title)}</b></div><table><tbody>{rows}</tbody></table>"


def info_html(thing: Any, names: Iterable[str]) -> str:
    """Return what is loaded by name as HTML: its repr, its title, some facts of its ``info``, and its counts."""
    info = thing.info
    facts = ((name, getattr(info, name)) for name in ("title", *names))
    return facts_html(repr(thing).strip("<>"), [*facts, *info.counts.items()])


def shown(kind: type[_Result]) -> type[_Result]:
    """Give a kind of named tuple that holds tables a short repr, and its first rows in a notebook."""
    kind.__repr__ = parts_repr  # type: ignore[method-assign]
    kind._repr_html_ = parts_html  # type: ignore[attr-defined]
    return kind


def parts_repr(result: Any) -> str:
    """Return the tables of a named tuple in short: ``<Clearing: table 12 rows, pools 2 rows>``."""
    told = [f"{name} {rows:,} row{'' if rows == 1 else 's'}" for name, _, rows in _tables(result)]
    told += [f"{name} {part!r}" for name, part in _results(result)]
    return f"<{type(result).__name__}: {', '.join(told)}>"


def parts_html(result: Any) -> str:
    """Return the first rows of the tables of a named tuple as HTML."""
    from drgdip._books import html_table  # it needs Arrow, which loading a scheme does not

    page = f"<div><b>{html.escape(type(result).__name__)}</b></div>"
    for name, part, rows in _tables(result):
        page += f"<div>{html.escape(name)} ({min(rows, _ROWS):,} / {rows:,})</div>{html_table(_first(part))}"
    return page + "".join(f"<div>{name}</div>{parts_html(part)}" for name, part in _results(result))


def _tables(result: Any) -> Iterator[tuple[str, Any, int]]:
    """Yield the tables of a named tuple that are in memory, with their rows."""
    for name, part in zip(result._fields, result, strict=True):
        shape = None if type(part).__module__.startswith(("duckdb", "_duckdb")) else getattr(part, "shape", None)
        if isinstance(shape, tuple) and len(shape) == 2:
            yield name, part, shape[0]


def _results(result: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a named tuple that are results with tables themselves."""
    parts = zip(result._fields, result, strict=True)
    return ((name, part) for name, part in parts if hasattr(part, "_fields") and hasattr(part, "_repr_html_"))


def _first(table: Any) -> Any:
    from drgdip._arrow import to_arrow

    return to_arrow(table.slice(0, _ROWS) if hasattr(table, "slice") else table.head(_ROWS))
