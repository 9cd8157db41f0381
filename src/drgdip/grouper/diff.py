"""What changed between two schemes: in their tables, and for cases."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from drgdip._arrow import from_list, kind_of, to_arrow
from drgdip.grouper.group import results_of
from drgdip.grouper.scheme import Adrg, Drg, load_scheme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.grammar import Rule
    from drgdip.grouper.scheme import Mdc, Scheme

    _Rows = Mapping[tuple[str, str], Mdc | Adrg | Drg]

__all__ = ["CHANGES", "Change", "diff_cases", "diff_schemes"]

#: What may have happened to a row, with its meaning.
CHANGES = {
    "added": "only the second scheme has it",
    "gone": "only the first scheme has it",
    "renamed": "it has another name; a set, another name and the same codes",
    "rule": "it has another rule",
    "kind": "an ADRG is of another kind",
    "parent": "it stands under another parent",
    "order": "it stands before or behind others that it stood behind or before",
    "moved": "a code left one set (or exclusion table) and came into another",
    "level": "a diagnosis is MCC instead of CC or the other way round",
    "exclusion": "an MCC or CC names another exclusion table",
    "option": "an option of the evaluation has another value",
}


class Change(NamedTuple):
    """One row of `diff_schemes`."""

    table: str
    change: str
    parent: str | None
    code: str
    before: str | None
    after: str | None


def diff_schemes(before: str | Scheme, after: str | Scheme) -> pa.Table:
    """What changed from one scheme to another, row by row.

    Parameters
    ----------
    before, after
        Schemes or ids of them.

    Returns
    -------
    A pyarrow Table of text: ``table`` (evaluation, mdc, adrg, drg, sets, severity, exclusions), ``change`` (one of
    `CHANGES`), ``parent`` (MDC of an ADRG, ADRG of a DRG; else null), ``code`` (of the row; the option of the
    evaluation), ``before`` and ``after``: the names, rules, kinds, parents, sets or levels; null where there is none. A
    row that is ``order`` has its places.

    Raises
    ------
    UnknownNameError
        There is no such scheme.

    Examples
    --------
    >>> changes = diff_schemes("chs-drg-2.0", "chs-drg-2.0-liaocheng-2025").to_pylist()
    >>> [(row["code"], row["before"], row["after"]) for row in changes if row["change"] == "order"]
    [('ID1', '2', '8'), ('ID2', '3', '9')]
    """
    changes = list(_changes(load_scheme(before), load_scheme(after)))
    columns = zip(*changes, strict=True) if changes else [()] * len(Change._fields)
    return pa.table(
        {name: from_list(values, pa.string()) for name, values in zip(Change._fields, columns, strict=True)}
    )


def diff_cases(
    data: Any, before: str | Scheme, after: str | Scheme, *, columns: Mapping[str, str] | None = None
) -> pa.Table:
    """How cases move from the groups of one scheme to those of another.

    Parameters
    ----------
    data, columns
        As for `drgdip.group`; no stream, since the cases are grouped twice.
    before, after
        Schemes or ids of them.

    Returns
    -------
    A pyarrow Table with one row for each pair of groups that some case has: ``before, before_status, before_name,
    after, after_status, after_name, cases, moved``. A case has moved if its group code or its status is another; the
    name may differ all the same. Those that moved stand first, the commonest first.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group`.

    Examples
    --------
    >>> cases = [{"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": []}] * 3
    >>> moves = diff_cases(cases, "chs-drg-1.1", "chs-drg-2.0")
    >>> [(row["before"], row["after"], row["cases"]) for row in moves.to_pylist()]
    [('BR23', 'BR23', 3)]
    """
    if kind_of(data) == "lazy":
        data = data.collect()
    table = to_arrow(data)
    schemes = load_scheme(before), load_scheme(after)
    results = [results_of(table, scheme, columns).select(["group", "status"]) for scheme in schemes]
    pairs = zip(*(column.to_pylist() for result in results for column in result.columns), strict=True)
    counts = Counter(pairs)
    rows = [
        {
            "before": was,
            "before_status": was_status,
            "before_name": schemes[0].names.get(was),
            "after": now,
            "after_status": now_status,
            "after_name": schemes[1].names.get(now),
            "cases": cases,
            "moved": (was, was_status) != (now, now_status),
        }
        for (was, was_status, now, now_status), cases in counts.items()
    ]
    rows.sort(key=lambda row: (not row["moved"], -row["cases"], row["before"] or "", row["after"] or ""))
    types = {"cases": pa.int64(), "moved": pa.bool_()}
    names = [f"{side}{part}" for side in ("before", "after") for part in ("", "_status", "_name")] + list(types)
    return pa.table({name: from_list([row[name] for row in rows], types.get(name, pa.string())) for name in names})


def _changes(before: Scheme, after: Scheme) -> Iterator[Change]:
    old, new = asdict(before.evaluation), asdict(after.evaluation)
    for option in old:
        if old[option] != new[option]:
            yield Change("evaluation", "option", None, option, _shown(old[option]), _shown(new[option]))
    renamed = _renamed_sets(before.sets, after.sets)
    mdcs = [{("", mdc.code): mdc for mdc in scheme.mdcs} for scheme in (before, after)]
    yield from _rows("mdc", mdcs[0], mdcs[1], renamed)
    yield from _rows("adrg", _adrgs(before), _adrgs(after), renamed)
    yield from _rows("drg", _drgs(before), _drgs(after), renamed)
    yield from (Change("sets", "renamed", None, now, was, now) for was, now in renamed.items())
    yield from _codes("sets", {renamed.get(name, name): codes for name, codes in before.sets.items()}, after.sets)
    yield from _severity(before, after)
    yield from _codes("exclusions", before.exclusions, after.exclusions)


def _shown(value: object) -> str:
    return (
        ", ".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _renamed_sets(old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Sets that have another name and the same codes: the new name by the old one."""
    names = {new[name]: name for name in sorted(new.keys() - old.keys(), reverse=True)}
    found = {old[name]: name for name in sorted(old.keys() - new.keys(), reverse=True) if old[name] in names}
    return {was: names[codes] for codes, was in sorted(found.items(), key=lambda item: item[1])}


def _with_names(rule: Rule, renamed: Mapping[str, str]) -> str:
    return re.sub(r"\w+", lambda word: renamed.get(word[0], word[0]), str(rule))


def _adrgs(scheme: Scheme) -> _Rows:
    return {(adrg.mdc, adrg.code): adrg for adrg in scheme.adrgs}


def _drgs(scheme: Scheme) -> _Rows:
    return {(drg.adrg, drg.code): drg for adrg in scheme.adrgs for drg in adrg.drgs}


def _rows(table: str, old: _Rows, new: _Rows, renamed: Mapping[str, str]) -> Iterator[Change]:
    """Changes of rows that have a name, a rule and a place; by parent and code.

    A rule that names a renamed set has not changed for that.
    """
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    # A code that has one parent before and another one after has moved.
    parents = {code: parent for parent, code in gone}
    moved = {(parent, code): parents[code] for parent, code in come if code in parents}
    left = {(parent, code) for (_, code), parent in moved.items()}
    for key in sorted(gone - left):
        yield Change(table, "gone", key[0] or None, key[1], old[key].name, None)
    for key in [key for key in new if key in come]:
        if key not in moved:
            yield Change(table, "added", key[0] or None, key[1], None, new[key].name)
    pairs = {key: (moved[key], key[1]) if key in moved else key for key in new if key in old or key in moved}
    displaced = _displaced(old, new)
    for key, earlier in pairs.items():
        was, now = old[earlier], new[key]
        found = [("parent", earlier[0], key[0])] if key in moved else []
        found += [("renamed", was.name, now.name)] if was.name != now.name else []
        if was.rule != now.rule and _with_names(was.rule, renamed) != str(now.rule):
            found.append(("rule", str(was.rule), str(now.rule)))
        if isinstance(was, Adrg) and isinstance(now, Adrg) and was.kind != now.kind:
            found.append(("kind", was.kind, now.kind))
        if key in displaced:
            found.append(("order", str(was.order), str(now.order)))
        for change, one, other in found:
            yield Change(table, change, key[0] or None, key[1], one, other)


def _displaced(old: _Rows, new: _Rows) -> set[tuple[str, str]]:
    """The rows of both that stand in another order among the rows of both under their parent."""
    siblings: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for place, rows in enumerate((old, new)):
        for key, row in sorted(rows.items(), key=lambda item: item[1].order):
            if key in old and key in new:
                siblings[key[0]][place].append(row.code)
    displaced = set()
    for parent, (was, now) in siblings.items():
        if was != now:
            blocks = difflib.SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
            kept = {code for block in blocks for code in was[block.a : block.a + block.size]}
            displaced |= {(parent, code) for code in was if code not in kept}
    return displaced


def _codes(table: str, old: Mapping[str, frozenset[str]], new: Mapping[str, frozenset[str]]) -> Iterator[Change]:
    """Codes that came into sets (or exclusion tables) or left them; one that did both once has moved."""
    left: dict[str, list[str]] = defaultdict(list)
    came: dict[str, list[str]] = defaultdict(list)
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, frozenset()), new.get(name, frozenset())
        for code in was - now:
            left[code].append(name)
        for code in now - was:
            came[code].append(name)
    for code in sorted(left.keys() | came.keys()):
        if len(left[code]) == len(came[code]) == 1:
            yield Change(table, "moved", None, code, left[code][0], came[code][0])
        else:
            yield from (Change(table, "gone", None, code, name, None) for name in left[code])
            yield from (Change(table, "added", None, code, None, name) for name in came[code])


def _severity(before: Scheme, after: Scheme) -> Iterator[Change]:
    for code in sorted(before.severity.keys() | after.severity.keys()):
        was, now = before.severity.get(code), after.severity.get(code)
        levels = [None if entry is None else " and ".join(entry.levels) for entry in (was, now)]
        if was is None or now is None:
            yield Change("severity", "added" if was is None else "gone", None, code, *levels)
            continue
        if was.levels != now.levels:
            yield Change("severity", "level", None, code, *levels)
        if was.exclusion != now.exclusion:
            yield Change("severity", "exclusion", None, code, was.exclusion or None, now.exclusion or None)
