"""Local schemes as what they change: ``+`` and ``-`` rows over the big tables of a base."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from drgdip.grouper.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["changed_codes", "changed_rows"]

_CHANGES = ("+", "-")


def changed_codes(base: Mapping[str, frozenset[str]], table: Table) -> dict[str, frozenset[str]]:
    """Return codes by name (of a set or an exclusion table) after the changes of ``sets.csv`` or ``exclusions.csv``.

    A ``-`` row without a code takes the whole set away; ``+`` rows of the same name then build it anew.
    """
    gone = {name for change, name, code in table.rows if change == "-" and not code}
    taken: dict[str, set[str]] = defaultdict(set)
    added: dict[str, set[str]] = defaultdict(set)
    for index, (change, name, code) in enumerate(table.rows):
        _check_change(table, index, change)
        here = base.get(name, frozenset())
        if change == "-" and (not here if not code else name in gone or code not in here):
            raise _absent(table, index, f"{name} {code}".strip())
        if change == "+" and not code:
            raise table.error("empty_cell", index, "column 'code' is empty", "Only a - row may name a whole set")
        if change == "+" and name not in gone and code in here:
            raise _present(table, index, f"{name} {code}")
        if code:
            (added if change == "+" else taken)[name].add(code)
    result = dict(base)
    for name in gone | taken.keys() | added.keys():
        result[name] = ((frozenset() if name in gone else base.get(name, frozenset())) - taken[name]) | added[name]
        if not result[name]:
            del result[name]
    return result


def changed_rows(base: Iterable[tuple[str, ...]], table: Table) -> Table:
    """Return rows after the changes of ``severity.csv``. Errors about rows of the base name its header."""
    rows = dict.fromkeys(base, 1)
    before = frozenset(rows)
    for index, (change, *cells) in enumerate(table.rows):
        _check_change(table, index, change)
        row = tuple(cells)
        if change == "-":
            if row not in before:
                raise _absent(table, index, ",".join(row))
            del rows[row]
        elif row in before:
            raise _present(table, index, ",".join(row))
        else:
            rows[row] = table.lines[index] if table.lines else index + 2
    ordered = sorted(rows)
    columns = {name: [row[place] for row in ordered] for place, name in enumerate(list(table.columns)[1:])}
    return Table(table.path, columns, tuple(rows[row] for row in ordered))


def _check_change(table: Table, index: int, change: str) -> None:
    if change not in _CHANGES:
        what = f"change {change!r}"
        raise table.error("unknown_value", index, what, "The changes are + (not in the base) and - (in the base only)")


def _absent(table: Table, index: int, row: str) -> Exception:
    return table.error("absent_row", index, f"- {row}: the base has no such row", "Drop the row or mend it")


def _present(table: Table, index: int, row: str) -> Exception:
    return table.error("duplicate", index, f"+ {row}: the base has this row already", "Drop the row")
