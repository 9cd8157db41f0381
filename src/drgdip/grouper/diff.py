"""Changes between two schemes or two catalogues: in their tables, and for cases."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_list
from drgdip.cases.messages import with_lists_read
from drgdip.cases.table import all_columns
from drgdip.errors import DrgdipError
from drgdip.grouper.changes import Change
from drgdip.grouper.group import results_of
from drgdip.grouper.load import load_any

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import Answer, SchemeLike

__all__ = ["diff_cases", "diff_schemes"]

#: Columns about a group, behind the name of the side.
_PARTS = ("", "_status", "_name", "_cases")
#: Cases that moved stand first, then those of which no one can say, then those that stayed.
_FIRST = (True, None, False)


def diff_schemes(before: str | os.PathLike[str] | SchemeLike, after: str | os.PathLike[str] | SchemeLike) -> pa.Table:
    """Compare two schemes or two catalogues, and return every change of a row.

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
    Ids of a catalogue's groups mean nothing in another edition. A group is paired with the one that asks for the same,
    or, if none does, with the one of the same id. Demands of groups are compared as far as both catalogues tell them
    apart. If either catalogue ignores the order of procedures, the comparison ignores it too. The first procedure
    matters only if both catalogues prefer by it.

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
    if one.family != other.family:
        raise DrgdipError(
            f"{one.id} is a {one.family} {one.word} and {other.id} a {other.family} {other.word}: they have no "
            "table in common. Compare them on cases: diff_cases(cases, before, after), or drgdip diff BEFORE AFTER "
            "FILE on the command line"
        )
    changes = list(one.changes_to(other))
    columns = zip(*changes, strict=True) if changes else [()] * len(Change._fields)
    return pa.table(
        {name: from_list(values, pa.string()) for name, values in zip(Change._fields, columns, strict=True)}
    )


def diff_cases(
    cases: Any,
    before: str | os.PathLike[str] | SchemeLike,
    after: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> pa.Table:
    """Count how cases move from the groups of one scheme or catalogue to those of another.

    Parameters
    ----------
    cases, columns
        As for `drgdip.group`; no stream, since the cases are grouped twice.
    before, after
        Schemes or DIP catalogues, also one of each, or ids of them.
    codes
        As for `drgdip.group`; the cases' codes are mapped to those of each of the two.

    Returns
    -------
    A pyarrow Table with one row for each pair of groups that some case has: ``before, before_status, before_name,
    before_cases`` (all cases with this group and status), the same for ``after``, ``cases`` and ``moved``. A group
    of a catalogue without a name is named by what it asks for. Moves stand first, the commonest before the others. A
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
    read, columns = with_lists_read(cases, columns)
    table = all_columns(read, columns)
    sides = load_any(before), load_any(after)
    results = [results_of(table, side, columns, codes).select(["group", "status"]) for side in sides]
    answers = [list(zip(*(column.to_pylist() for column in result.columns), strict=True)) for result in results]
    totals = [Counter(side) for side in answers]
    moved = _moved(*sides)
    labels = [side.labels for side in sides]
    rows = []
    for pair, number in Counter(zip(*answers, strict=True)).items():
        row: dict[str, Any] = {}
        for name, answer, known, total in zip(("before", "after"), pair, labels, totals, strict=True):
            parts = (*answer, known.get(answer[0]), total[answer])
            row |= {f"{name}{part}": value for part, value in zip(_PARTS, parts, strict=True)}
        rows.append(row | {"cases": number, "moved": moved(*pair)})
    texts = [f"{name}{part}" for name in ("before", "after") for part in ("", "_status")]
    rows.sort(key=lambda row: (_FIRST.index(row["moved"]), -row["cases"], *(row[name] or "" for name in texts)))
    types = {"before_cases": pa.int64(), "after_cases": pa.int64(), "cases": pa.int64(), "moved": pa.bool_()}
    names = [*(f"{name}{part}" for name in ("before", "after") for part in _PARTS), "cases", "moved"]
    return pa.table({name: from_list([row[name] for row in rows], types.get(name, pa.string())) for name in names})


def _moved(before: SchemeLike, after: SchemeLike) -> Callable[[Answer, Answer], bool | None]:
    """Return a function that says of two answers, each a group and a status, whether the case moved; None: unknown."""
    if before.family == after.family:
        return before.moves_to(after)
    return lambda was, now: was[1] != now[1] or (None if was[0] is not None and now[0] is not None else False)
