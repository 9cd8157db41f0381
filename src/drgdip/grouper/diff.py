"""What changed between two schemes or two catalogues: in their tables, and for cases."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_list, kind_of, to_arrow
from drgdip.errors import DrgdipError
from drgdip.grouper.catalogue import Catalogue, labels_of, load_any
from drgdip.grouper.changes import (
    Change,
    code_changes,
    displaced,
    option_changes,
    renamed_sets,
    set_changes,
    with_names,
)
from drgdip.grouper.dip_diff import asks_of, catalogue_changes
from drgdip.grouper.group import results_of
from drgdip.grouper.scheme import Adrg, Drg, Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from drgdip.grouper.dip_diff import Asks
    from drgdip.grouper.scheme import Mdc

    _Rows = Mapping[tuple[str, str], Mdc | Adrg | Drg]
    _Answer = tuple[str | None, str]

__all__ = ["diff_cases", "diff_schemes"]

#: What is told of a group, behind the name of the side.
_PARTS = ("", "_status", "_name", "_cases")
#: Cases that moved stand first, then those of which no one can say, then those that stayed.
_FIRST = (True, None, False)


def diff_schemes(before: str | Scheme | Catalogue, after: str | Scheme | Catalogue) -> pa.Table:
    """What changed from one scheme to another, or from one catalogue to another, row by row.

    Parameters
    ----------
    before, after
        Two schemes, two DIP catalogues, or ids of them.

    Returns
    -------
    A pyarrow Table of text: ``table`` (of schemes evaluation, mdc, adrg, drg, sets, severity, exclusions; of catalogues
    matching, groups, primary_care, excluded_diagnoses, excluded_procedures, ignored_procedures, procedure_types, sets),
    ``change`` (one of `drgdip.grouper.changes.CHANGES`), ``parent`` (MDC of an ADRG, ADRG of a DRG; else null),
    ``code`` (of the row; the option), ``before`` and ``after``: the names, rules, kinds, parents, sets or levels; null
    where there is none. A row that is ``order`` has its places. A group that is added or gone and has no name is shown
    by what it asks for.

    Raises
    ------
    UnknownNameError
        There is no such scheme or catalogue.
    DrgdipError
        One is a scheme and the other a catalogue: they share no table.

    Notes
    -----
    Ids of a catalogue's groups mean nothing in another edition: a group is the one that asks for the same, and only
    where none does the one with the same id. What is asked for is compared as far as both catalogues tell it apart:
    where one of them takes procedures in any order, so are both; the first procedure counts where both prefer by it.

    Examples
    --------
    >>> changes = diff_schemes("chs-drg-2.0", "chs-drg-2.0-liaocheng-2025").to_pylist()
    >>> [(row["code"], row["before"], row["after"]) for row in changes if row["change"] == "order"]
    [('ID1', '2', '8'), ('ID2', '3', '9')]
    >>> changes = diff_schemes("nhsa-dip-2.0", "nhsa-dip-3.0").to_pylist()
    >>> [(row["before"], row["after"]) for row in changes if row["change"] == "id"][:2]
    [('DIP1213', 'BX-309'), ('DIP1546', 'BX-409')]
    """
    one, other = load_any(before), load_any(after)
    if isinstance(one, Scheme) and isinstance(other, Scheme):
        changes = list(_scheme_changes(one, other))
    elif isinstance(one, Catalogue) and isinstance(other, Catalogue):
        changes = list(catalogue_changes(one, other))
    else:
        scheme, catalogue = (one.id, other.id) if isinstance(one, Scheme) else (other.id, one.id)
        raise DrgdipError(
            f"{scheme} is a DRG scheme and {catalogue} a DIP catalogue: they have no table in common. Compare them on "
            "cases: diff_cases(cases, before, after), or drgdip diff BEFORE AFTER FILE on the command line"
        )
    columns = zip(*changes, strict=True) if changes else [()] * len(Change._fields)
    return pa.table(
        {name: from_list(values, pa.string()) for name, values in zip(Change._fields, columns, strict=True)}
    )


def diff_cases(
    data: Any,
    before: str | Scheme | Catalogue,
    after: str | Scheme | Catalogue,
    *,
    columns: Mapping[str, str] | None = None,
    codes: str | None = None,
) -> pa.Table:
    """How cases move from the groups of one scheme or catalogue to those of another.

    Parameters
    ----------
    data, columns
        As for `drgdip.group`; no stream, since the cases are grouped twice.
    before, after
        Schemes or DIP catalogues, also one of each, or ids of them.
    codes
        As for `drgdip.group`; the cases' codes are mapped to those of each of the two.

    Returns
    -------
    A pyarrow Table with one row for each pair of groups that some case has: ``before, before_status, before_name,
    before_cases`` (all cases with this group and status), the same for ``after``, ``cases`` and ``moved``. A group
    of a catalogue without a name is named by what it asks for. Those that moved stand first, the commonest first. A
    case has moved if its status is another or

    - between two schemes, its group code is another; the name may differ all the same;
    - between two catalogues, its group asks for something else than the one before (`diff_schemes`): one that is only
      numbered otherwise is the same;
    - between a scheme and a catalogue: groups of the two cannot be told to be the same, so that ``moved`` is null where
      both have one.

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
    >>> moves = diff_cases(cases, "chs-drg-2.0", "nhsa-dip-2.0")
    >>> [(row["before"], row["after"], row["cases"], row["moved"]) for row in moves.to_pylist()]
    [('BR23', 'DIP3437', 3, None)]
    """
    if kind_of(data) == "lazy":
        data = data.collect()
    table = to_arrow(data)
    sides = load_any(before), load_any(after)
    results = [results_of(table, side, columns, codes).select(["group", "status"]) for side in sides]
    answers = [list(zip(*(column.to_pylist() for column in result.columns), strict=True)) for result in results]
    totals = [Counter(side) for side in answers]
    moved = _moved(*sides)
    labels = [labels_of(side) for side in sides]
    rows = []
    for pair, cases in Counter(zip(*answers, strict=True)).items():
        row: dict[str, Any] = {}
        for name, answer, known, total in zip(("before", "after"), pair, labels, totals, strict=True):
            parts = (*answer, known.get(answer[0]), total[answer])
            row |= {f"{name}{part}": value for part, value in zip(_PARTS, parts, strict=True)}
        rows.append(row | {"cases": cases, "moved": moved(*pair)})
    texts = [f"{name}{part}" for name in ("before", "after") for part in ("", "_status")]
    rows.sort(key=lambda row: (_FIRST.index(row["moved"]), -row["cases"], *(row[name] or "" for name in texts)))
    types = {"before_cases": pa.int64(), "after_cases": pa.int64(), "cases": pa.int64(), "moved": pa.bool_()}
    names = [*(f"{name}{part}" for name in ("before", "after") for part in _PARTS), "cases", "moved"]
    return pa.table({name: from_list([row[name] for row in rows], types.get(name, pa.string())) for name in names})


def _moved(before: Scheme | Catalogue, after: Scheme | Catalogue) -> Callable[[_Answer, _Answer], bool | None]:
    """A function that says of two answers, each a group and a status, whether the case has moved; None: no one can."""
    if isinstance(before, Catalogue) and isinstance(after, Catalogue):
        asks = asks_of(before, after)
        asked: list[dict[str | None, Asks]]
        asked = [{group.code: asks(group) for group in side.groups} for side in (before, after)]
        return lambda was, now: was[1] != now[1] or asked[0].get(was[0]) != asked[1].get(now[0])
    if isinstance(before, Scheme) and isinstance(after, Scheme):
        return lambda was, now: was != now
    return lambda was, now: was[1] != now[1] or (None if was[0] is not None and now[0] is not None else False)


def _scheme_changes(before: Scheme, after: Scheme) -> Iterator[Change]:
    yield from option_changes("evaluation", before.evaluation, after.evaluation)
    renamed = renamed_sets(before.sets, after.sets)
    mdcs = [{("", mdc.code): mdc for mdc in scheme.mdcs} for scheme in (before, after)]
    yield from _rows("mdc", mdcs[0], mdcs[1], renamed)
    yield from _rows("adrg", _adrgs(before), _adrgs(after), renamed)
    yield from _rows("drg", _drgs(before), _drgs(after), renamed)
    yield from set_changes(before.sets, after.sets)
    yield from _severity(before, after)
    yield from code_changes("exclusions", before.exclusions, after.exclusions)


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
    places = displaced(old, new)
    for key, earlier in pairs.items():
        was, now = old[earlier], new[key]
        found = [("parent", earlier[0], key[0])] if key in moved else []
        found += [("renamed", was.name, now.name)] if was.name != now.name else []
        if was.rule != now.rule and with_names(was.rule, renamed) != str(now.rule):
            found.append(("rule", str(was.rule), str(now.rule)))
        if isinstance(was, Adrg) and isinstance(now, Adrg) and was.kind != now.kind:
            found.append(("kind", was.kind, now.kind))
        if key in places:
            found.append(("order", str(was.order), str(now.order)))
        for change, one, other in found:
            yield Change(table, change, key[0] or None, key[1], one, other)


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
