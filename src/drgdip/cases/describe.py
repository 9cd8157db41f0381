"""How the columns of a table of cases were understood: which are used, passed over, or hold codes that nobody reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from drgdip._arrays import as_python, is_text
from drgdip._arrow import from_list, one_chunk
from drgdip._text import fold_width, is_missing, normalise_code, text_of
from drgdip._values import read_codes
from drgdip.cases.aliases import base_of
from drgdip.cases.codes import edition_of, known_codes
from drgdip.cases.names import CODE_COLUMNS, OTHER_CODES, name_of, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drgdip.cases.names import ColumnNames

__all__ = ["FIELDS", "Understood", "describe_table", "understand"]

#: The columns of a description.
FIELDS = {
    "column": pa.string(),
    "used_as": pa.string(),
    "filled": pa.int64(),
    "examples": pa.string(),
    "note": pa.string(),
}
# Rows whose values are looked at, the share of them that must be codes, and how much an example may say.
_ROWS, _SHARE, _EXAMPLES, _ROOM = 1000, 0.5, 3, 24
_EDITION = "nhsa-2.0"
# Codes that are written in full are codes even where no set has them; shorter ones count if the set has them.
_FORMS = {"dx": re.compile(r"[A-Z]\d\d\.[\dx]\d\d(x\d{3})?"), "procs": re.compile(r"\d\d\.\d\d\d\d(x\d{3})?")}
_LIKE = {"dx": re.compile(r"[A-Z]\d\d(\.\w+)?"), "procs": re.compile(r"\d\d\.\w{1,8}")}
_APART = re.compile(r"[|,;，；、\s]+")
_SAYS = {"dx": re.compile("诊断|疾病"), "procs": re.compile("手术|操作")}
_CODE = re.compile("编码|代码|icd|code", re.IGNORECASE)


class Understood(NamedTuple):
    """How the names of a table were understood.

    ``used`` has the column, or the part of a list, by name; ``passed_over`` the name that was taken instead; ``codes``
    the column (``dx``, ``procs``) whose codes a column holds that is not used.
    """

    used: dict[str, str]
    passed_over: dict[str, str]
    codes: dict[str, str]

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns of a case that the table has."""
        return frozenset(map(base_of, self.used.values()))


def understand(names: Sequence[str], columns: ColumnNames | None = None, table: pa.Table | None = None) -> Understood:
    """Return how the names of a table are understood; with the table, also which other columns hold codes."""
    resolved = resolve(names, columns)
    used = {name: column for column, name in resolved.single.items()}
    for column, parts in resolved.wide.items():
        used |= dict.fromkeys(parts.names, f"{column}_others")
        used |= {name: column for name in (parts.head,) if name is not None}
        used |= {name: f"{column}_principal" for name in (parts.principal,) if name is not None}
    taken: dict[str, str] = {}
    for name, column in used.items():
        taken.setdefault(base_of(column), name)
    passed = {name: taken[column] for name, column in resolved.passed_over.items() if column in taken}
    there = set() if table is None else set(table.column_names)
    codes: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name not in used and name not in passed and name_of(name) != OTHER_CODES:
            kind = _said(name) or (_kind_of_codes(one_chunk(table[name])) if table and name in there else None)
            if kind is not None:
                codes[name] = kind
    return Understood(used, passed, codes)


def describe_table(
    table: pa.Table, columns: ColumnNames | None, needed: Iterable[str], read: Iterable[str]
) -> pa.Table:
    """Return a row a column of a table: what it is used as, how many rows are filled, examples, and a note.

    A row without a name stands for a column that is missing: ``needed`` cannot be done without, ``read`` counts where
    it is there.
    """
    understood = understand(table.column_names, columns, table)
    rows: list[tuple[Any, ...]] = []
    for name in table.column_names:
        filled, examples = _seen(one_chunk(table[name]))
        rows.append((name, understood.used.get(name), filled, examples, _note(name, understood)))
    held = understood.columns
    needed = list(dict.fromkeys(needed))
    rows += [(None, column, 0, None, f"column_needed:{column}") for column in needed if column not in held]
    more = [column for column in dict.fromkeys(read) if column not in held and column not in needed]
    rows += [(None, column, 0, None, f"column_absent:{column}") for column in more]
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(FIELDS)
    fields = zip(FIELDS.items(), cells, strict=True)
    return pa.table({name: from_list(list(cell), kind) for (name, kind), cell in fields})


def _note(name: str, understood: Understood) -> str | None:
    if name in understood.passed_over:
        return f"column_passed_over:{understood.passed_over[name]}"
    if name in understood.codes:
        return f"column_unused_{understood.codes[name]}"
    return "column_other_codes" if name not in understood.used and name_of(name) == OTHER_CODES else None


def _seen(column: pa.Array) -> tuple[int, str | None]:
    """Return how many rows hold something, and a few examples."""
    if is_text(column.type):
        counts = column.cast(pa.string()).value_counts()
        values = [(entry["values"].as_py(), entry["counts"].as_py()) for entry in counts]
    else:
        values = [(value, 1) for value in as_python(column)]
    filled = [(value, times) for value, times in values if not _is_empty(value)]
    examples = list(dict.fromkeys(_shortened(value) for value, _ in filled[:_ROWS]))[:_EXAMPLES]
    return sum(times for _, times in filled), "; ".join(examples) or None


def _is_empty(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(is_missing(item) for item in value)
    return is_missing(value)


def _shortened(value: object) -> str:
    text = "|".join(map(str, value)) if isinstance(value, list | tuple) else text_of(value)
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"


def _said(name: str) -> str | None:
    """Return which codes an unknown name says that it holds, None for one that does not say it."""
    folded = fold_width(name)
    if not _CODE.search(folded):
        return None
    return next((kind for kind in CODE_COLUMNS if _SAYS[kind].search(folded)), None)


def _kind_of_codes(column: pa.Array) -> str | None:
    """Return which codes the first rows of a column hold, None where most of them are no codes."""
    if not (is_text(column.type) or pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return None
    rows = as_python(column.drop_null().slice(0, _ROWS))
    codes = [normalise_code(code) for row in rows for text in read_codes(row) if text for code in _APART.split(text)]
    codes = [code for code in codes if code]
    for kind in CODE_COLUMNS:
        if sum(_LIKE[kind].fullmatch(code) is not None for code in codes) > _SHARE * len(codes):
            known = known_codes(edition_of(_EDITION)[kind])
            if sum(code in known or _FORMS[kind].fullmatch(code) is not None for code in codes) > _SHARE * len(codes):
                return kind
    return None
