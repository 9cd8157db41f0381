"""Changes between the tables of two DRG schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.grouper.changes import (
    Change,
    code_changes,
    displaced,
    option_changes,
    renamed_sets,
    set_changes,
    with_names,
)
from drgdip.grouper.drg.model import Adrg, Drg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.drg.model import Mdc, SchemeTables

    _Rows = Mapping[tuple[str, str], Mdc | Adrg | Drg]

__all__ = ["scheme_changes"]


def scheme_changes(before: SchemeTables, after: SchemeTables) -> Iterator[Change]:
    """Yield every change from one scheme to another (`drgdip.diff_schemes`)."""
    yield from option_changes("evaluation", before.evaluation, after.evaluation)
    renamed = renamed_sets(before.sets, after.sets)
    mdcs = [{("", mdc.code): mdc for mdc in scheme.mdcs} for scheme in (before, after)]
    yield from _rows("mdc", mdcs[0], mdcs[1], renamed)
    yield from _rows("adrg", _adrgs(before), _adrgs(after), renamed)
    yield from _rows("drg", _drgs(before), _drgs(after), renamed)
    yield from set_changes(before.sets, after.sets)
    yield from _severity(before, after)
    yield from code_changes("exclusions", before.exclusions, after.exclusions)


def _adrgs(scheme: SchemeTables) -> _Rows:
    return {(adrg.mdc, adrg.code): adrg for adrg in scheme.adrgs}


def _drgs(scheme: SchemeTables) -> _Rows:
    return {(drg.adrg, drg.code): drg for adrg in scheme.adrgs for drg in adrg.drgs}


def _rows(table: str, old: _Rows, new: _Rows, renamed: Mapping[str, str]) -> Iterator[Change]:
    """Yield changes of rows that have a name, a rule and a place; by parent and code.

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
    places = displaced(old, new)
    for key, earlier in pairs.items():
        was, now = old[earlier], new[key]
        found = [("parent", earlier[0], key[0])] if key in moved else []
        found += [("renamed", was.name, now.name)] if was.name != now.name else []
        if was.rule != now.rule and with_names(was.rule, renamed) != str(now.rule):
            found.append(("rule", str(was.rule), str(now.rule)))
        if isinstance(was, Adrg) and isinstance(now, Adrg) and was.kind != now.kind:
            found.append(("kind", was.kind, now.kind))
        if isinstance(was, Adrg) and isinstance(now, Adrg) and _other_mdc(was, now):
            found.append(("result_mdc", was.result_mdc, now.result_mdc))
        if key in places:
            found.append(("order", str(was.order), str(now.order)))
        for change, one, other in found:
            yield Change(table, change, key[0] or None, key[1], one, other)


def _other_mdc(was: Adrg, now: Adrg) -> bool:
    """Return whether results name another MDC, and not only since the ADRG stands under another one."""
    both_own = was.result_mdc == was.mdc and now.result_mdc == now.mdc
    return was.result_mdc != now.result_mdc and not both_own


def _severity(before: SchemeTables, after: SchemeTables) -> Iterator[Change]:
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
