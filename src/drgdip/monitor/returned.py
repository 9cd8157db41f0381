"""Own groups against those that came back: agreement, classes of difference, likely causes, and a fall as an alarm."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import read_days
from drgdip._arrow import from_list, from_numpy, one_chunk, read_once
from drgdip._columns import Columns, as_list, labels
from drgdip._text import fold_width, is_missing
from drgdip.cases.alike import alike_records
from drgdip.cases.derive import derive
from drgdip.cases.names import CASE_COLUMNS
from drgdip.cases.table import to_cases
from drgdip.data import index_of
from drgdip.errors import CaseError
from drgdip.grouper.group import results_of
from drgdip.grouper.load import load_any
from drgdip.grouper.result import STATUSES
from drgdip.monitor.agreement import View, agreement, counts_table, falls, view_of
from drgdip.monitor.causes import Causes, find_causes
from drgdip.monitor.comparison import Comparison
from drgdip.monitor.differences import NONE, UNKNOWN, Answers, Words, answers_of, classify, ids_of
from drgdip.monitor.examples import pick_examples

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import SchemeLike
    from drgdip.monitor.differences import Flags, Numbers

__all__ = ["compare_returned"]

_MONTH = "month"
_NATIONAL = "全国"
_TRIALS = {
    "cause": pa.string(),
    "tried": pa.string(),
    "altered": pa.int64(),
    "explains": pa.int64(),
    "alone": pa.int64(),
}


def compare_returned(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    returned: str = "returned_group",
    returned_status: str | None = None,
    by: str | Sequence[str] | None = _MONTH,
    schemes: Sequence[str | os.PathLike[str] | SchemeLike] | None = None,
    editions: Sequence[str] | None = None,
    drop: Decimal | float | str | None = None,
    examples: int = 1,
    anonymise: bool = False,
    salt: str | bytes | None = None,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Comparison:
    """Compare own groups with those that the agency returned (经办返回的分组).

    Parameters
    ----------
    cases
        As for `drgdip.group`, with a column of returned groups.
    scheme
        The scheme or the catalogue that the agency should use.
    returned
        The column of returned groups. The name of a status in it (未入组, ``invalid`` …) is a status without a group.
    returned_status
        The column of returned statuses, by the ids or the Chinese names of `drgdip.STATUSES`. None takes the status
        that the returned group has in its scheme.
    by
        The column of periods, or several with the period last; None for none. Without a column ``month``, the month is
        that of ``discharged``.
    schemes
        Other schemes to try, such as an earlier revision in a folder. None tries the national ones of the family and
        the one that the scheme extends.
    editions
        Other editions of codes to try; None tries all from which a cross-walk leads to the scheme's.
    drop
        A fall of agreement by so much (0.05: five points of a hundred) against the period before, or against all
        earlier ones together, is an alarm. None gives the falls without alarms.
    examples
        How many cases are shown for each class and cause.
    anonymise, salt
        Whether the examples are made anonymous (`drgdip.monitor.anonymise`), and the salt for it.
    columns, codes
        As for `drgdip.group`. ``columns`` may name the returned group, its status and the periods as well.

    Returns
    -------
    A `Comparison`: tables as attributes, and a report as a page or a workbook.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group`; no column of returned groups or of periods; a ``drop`` that is no share; ``anonymise``
        without a salt.

    Notes
    -----
    Every row counts. A row without a returned group is counted apart. A row without a readable date has the period
    null: a hospital lost 185 rows silently to dates of mixed kind.

    A case differs if its group differs, or its status where that is known. Trials look for a cause in each such case
    (`drgdip.monitor.list_differences`). A trial of one form stands before one of many, which hits more often by
    chance; the column ``also`` has the others.

    A hospital in Chongqing takes a fall by five points in a month as the sign that the agency's rules changed
    (grade C).

    Examples
    --------
    >>> case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": [], "month": "2025-01"}
    >>> cases = [case | {"returned_group": "BR23"}, case | {"returned_group": "BR25"}]
    >>> found = compare_returned(cases, "chs-drg-2.0")
    >>> found
    <Comparison chs-drg-2.0: 2 cases, 2 compared, group 50.00 %, 1 differs>
    >>> [(row["class"], row["cause"]) for row in found.cases.to_pylist()]
    [('severity_only', 'only_principal')]
    """
    loaded = load_any(scheme)
    threshold = _share(drop)
    if anonymise and salt is None:
        raise CaseError("anonymise=True needs salt=: a secret text that only you keep")
    keys = [] if by is None else as_list(by)
    own = [returned, *([] if returned_status is None else [returned_status]), *keys]
    table = alike_records(read_once(cases), _case_names(columns, own))
    known = derive(to_cases(table, _case_names(columns, own)))
    tried = _schemes(loaded, schemes)
    levels = (*loaded.levels, "group", "status")
    words = {name: Words(list(STATUSES) if name == "status" else ()) for name in levels}
    results = results_of(known, loaded, None, codes)
    ours = answers_of(results, loaded, words)
    extra = Columns(table, own[: len(own) - len(keys)], columns=_own_names(columns, own))
    theirs, unread = _theirs(extra, returned, returned_status, (loaded, *tried), words)
    compared = (theirs["group"] != NONE) | (theirs["status"] > 0)  # grouped, the first status, needs a group
    same = {name: compared & (ours[name] == theirs[name]) for name in levels}
    agrees = same["group"] & (same["status"] | (theirs["status"] == UNKNOWN))
    rows = np.flatnonzero(compared & ~agrees)
    some = known.take(from_numpy(rows))
    causes = find_causes(some, theirs.take(rows), loaded, words, schemes=tried, editions=editions, codes=codes)
    classes = classify(ours.take(rows), theirs.take(rows), loaded.levels)
    periods, undated = _periods(keys, extra, known)
    shares = {
        name: agreement(view, compared, same, loaded.labels if f"{name}s" in ("mdcs", "adrgs") else None)
        for name, view in _views(loaded, ours, known, words).items()
    }
    by_period = agreement(periods, compared, same) if keys else None
    differing = _case_table(rows, some, results, periods, theirs, words, classes, causes, loaded)
    return Comparison(
        scheme=loaded.id,
        levels=levels,
        counts=counts_table(compared, agrees, undated, unread),
        overall=agreement(view_of({}, len(known)), compared, same),
        periods=by_period,
        mdcs=shares.get("mdc"),
        adrgs=shares.get("adrg"),
        kinds=shares.get("kind"),
        hospitals=shares.get("hospital"),
        falls=None if by_period is None else falls(by_period, keys, levels, threshold),
        trials=pa.Table.from_pylist(causes.trials, pa.schema(_TRIALS)),
        examples=pick_examples(
            differing, some, (loaded, *tried), number=examples, salt=salt if anonymise else None, codes=codes
        ),
        cases=differing,
    )


def _share(drop: Decimal | float | str | None) -> Fraction | None:
    if drop is None:
        return None
    try:
        share = Fraction(Decimal(str(drop)))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise CaseError(f"drop={drop!r}: give a share between 0 and 1, such as 0.05") from error
    if not 0 < share <= 1:
        raise CaseError(f"drop={drop!r}: give a share above 0 and at most 1, such as 0.05 for five points of a hundred")
    return share


# Columns beside those of a case


def _case_names(columns: ColumnNames | None, own: Sequence[str]) -> dict[str, Any] | None:
    """Return of `columns` what is said of case columns."""
    if columns is None:
        return None
    return {name: theirs for name, theirs in columns.items() if name not in own or name in CASE_COLUMNS}


def _own_names(columns: ColumnNames | None, own: Sequence[str]) -> dict[str, str]:
    """Return of `columns` what is said of the columns that are read here."""
    return {name: str(theirs) for name, theirs in (columns or {}).items() if name in own and name not in CASE_COLUMNS}


def _schemes(scheme: SchemeLike, given: Sequence[Any] | None) -> list[SchemeLike]:
    """Return the other schemes to try."""
    if given is None:
        known = index_of(scheme.word)
        names = [name for name, info in known.items() if info.place == _NATIONAL or name == scheme.info.extends]
        given = [name for name in names if known[name].sha256 != scheme.info.sha256]
    found = [load_any(one) for one in given]
    for one in found:
        if one.family != scheme.family:
            raise CaseError(f"schemes= has {one.id}, which is of {one.family}: {scheme.id} is of {scheme.family}")
    return found


def _theirs(
    extra: Columns, returned: str, status: str | None, schemes: Sequence[SchemeLike], words: Mapping[str, Words]
) -> tuple[Answers, Flags]:
    """Return what came back, and which rows hold a status that is none."""
    levels = (*schemes[0].levels, "group", "status")
    codes, values = extra.codes(returned)
    places = [one.places() for one in schemes]
    rows, elsewhere = [], [False]
    for value in values.to_pylist():
        answer, other = _answer(value, levels, places, words)
        rows.append(answer)
        elsewhere.append(other)
    # The place -1, the last one, is of rows without a text.
    by_text = np.array([*rows, [NONE] * len(levels)], np.int64)
    elsewhere = [*elsewhere[1:], False]
    found = {name: by_text[codes, place] for place, name in enumerate(levels)}
    unread = np.zeros(extra.rows, bool)
    if status is not None:
        codes, values = extra.codes(status)
        numbers = [_STATUS_WORDS.get(fold_width(text), UNKNOWN) for text in values.to_pylist()]
        said = np.array([*numbers, NONE], np.int64)[codes]
        unread = said == UNKNOWN
        found["status"] = np.where(said >= 0, said, found["status"])
    return Answers(found, np.array(elsewhere)[extra.codes(returned)[0]]), unread


_STATUS_WORDS = {word: place for place, pair in enumerate(STATUSES.items()) for word in pair}


def _answer(
    value: str, levels: Sequence[str], places: Sequence[Mapping[str, Any]], words: Mapping[str, Words]
) -> tuple[list[int], bool]:
    """Return a returned text as the numbers of its levels, and whether it is a group of another scheme."""
    text = fold_width(value)
    if is_missing(text):
        return [NONE] * len(levels), False
    if text in _STATUS_WORDS:
        return [*[NONE] * (len(levels) - 1), _STATUS_WORDS[text]], False
    place = next((number for number, groups in enumerate(places) if text in groups), None)
    group = words["group"].number(text)
    if place is None:
        return [*[UNKNOWN] * (len(levels) - 2), group, UNKNOWN], False
    above, status = places[place][text]
    upper = [words[level].number(part) for level, part in zip(levels, above, strict=False)]
    upper += [NONE] * (len(levels) - 2 - len(upper))
    return [*upper, group, words["status"].number(status)], place > 0


# Keys


def _periods(keys: Sequence[str], extra: Columns, known: pa.Table) -> tuple[View, Flags]:
    """Return the rows by period, and which rows have no period."""
    parts: dict[str, tuple[Any, pa.Array]] = {}
    for name in keys:
        if name in extra:
            parts[name] = extra.codes(name)
        elif name in known.column_names:
            parts[name] = Columns(known.select([name])).codes(name)
        elif name == _MONTH and "discharged" in known.column_names:
            parts[name] = _months(known["discharged"])
        elif name == _MONTH:
            raise CaseError(
                "by='month' needs a column month or discharged: say columns={'month': ...} or "
                "columns={'discharged': ...}, or give by=None"
            )
        else:
            extra.require([name])
    undated = np.asarray(parts[keys[-1]][0]) < 0 if keys else np.zeros(len(known), bool)
    return view_of(parts, len(known)), undated


def _months(column: pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    days, _ = read_days(column)
    months, codes = np.unique(days.astype("datetime64[M]"), return_inverse=True)
    known = months[~np.isnat(months)]  # those that are not known stand last
    texts = from_list([str(month) for month in known], pa.string())
    codes = codes.reshape(-1)
    return np.where(codes < len(known), codes, -1), texts


def _views(scheme: SchemeLike, ours: Answers, known: pa.Table, words: Mapping[str, Words]) -> dict[str, View]:
    """Return the rows by what stands above our group, and by hospital."""
    parts: dict[str, tuple[Any, pa.Array]] = {}
    for level in scheme.levels:
        texts = from_list(words[level].texts, pa.string())
        order = np.asarray(pc.sort_indices(texts)).astype(np.int64)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        parts[level] = np.append(rank, -1)[ours[level]], texts.take(from_numpy(order))
    if "hospital" in known.column_names:
        parts["hospital"] = Columns(known.select(["hospital"])).codes("hospital")
    return {name: view_of({name: part}, len(known)) for name, part in parts.items()}


# The differing cases


def _case_table(
    rows: Numbers,
    some: pa.Table,
    results: pa.Table,
    periods: View,
    theirs: Answers,
    words: Mapping[str, Words],
    classes: Numbers,
    causes: Causes,
    scheme: SchemeLike,
) -> pa.Table:
    """Return every differing case with both answers, the class and the causes."""
    mine = results.take(from_numpy(rows))
    ids = one_chunk(some["case_id"]).cast(pa.string()) if "case_id" in some.column_names else None
    columns: dict[str, Any] = {
        "row": from_numpy(rows),
        "case_id": from_list([None] * len(rows), pa.string()) if ids is None else ids,
        **periods.columns(rows),
        **{name: mine[name] for name in (*scheme.levels, "group", "status", "reason")},
        "returned": from_list(words["group"].at(theirs["group"][rows]), pa.string()),
        "returned_status": from_list(words["status"].at(theirs["status"][rows]), pa.string()),
        "class": labels(classes, ids_of("class")),
        "cause": labels(causes.cause, ids_of("cause")),
        "tried": from_list(causes.tried, pa.string()),
        "also": from_list(causes.also, pa.string()),
    }
    return pa.table(columns)
