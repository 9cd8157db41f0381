"""Checks on cases before they are sent: findings as a table, by rules that are data (``data/checks/checks.csv``).

A check is a function of `drgdip.grouper.check_rules` that finds the rows in which a rule is broken. The rule's level,
field, citation and texts are a row of the file of the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy, one_chunk, to_kind
from drgdip._listing import Listing
from drgdip.cases.codes import walks_to
from drgdip.cases.crosswalks import map_cases
from drgdip.cases.fields import FAULTS
from drgdip.cases.messages import with_lists_read
from drgdip.cases.table import all_columns, to_cases, with_newborn_weight
from drgdip.errors import CaseError
from drgdip.grouper.check_rules import CHECKS, Check, rules_by_id
from drgdip.grouper.load import load_any
from drgdip.grouper.view import Finding, View, as_text

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import Frame, SchemeLike
    from drgdip.grouper.view import Limits

__all__ = ["LEVELS", "Check", "check_cases", "list_checks"]

#: How grave a finding is: an error is to be mended before the case is sent, a warning is to be looked at.
LEVELS = ("error", "warning")
#: Columns that limits may be given for.
_LIMITED = ("age", "age_days", "newborn_weight", "birth_weight", "admission_weight", "los", "icu_hours", "total_cost")


def list_checks() -> Listing[Check]:
    """List the rules of `check_cases`.

    Returns
    -------
    A `Listing` with a `Check` a rule: ``id, level, field, citation, english, chinese``. ``field`` is empty where the
    finding says which.

    Examples
    --------
    >>> list_checks().row("grey_principal_diagnosis").level
    'error'
    """
    return Listing(list(rules_by_id().values()), Check._fields)


@overload
def check_cases(
    cases: Frame,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    limits: Limits | None = None,
) -> Frame: ...
@overload
def check_cases(
    cases: Sequence[Mapping[str, Any]],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    limits: Limits | None = None,
) -> list[dict[str, Any]]: ...
@overload
def check_cases(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    limits: Limits | None = None,
) -> Any: ...
def check_cases(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    limits: Limits | None = None,
) -> Any:
    """Say what is wrong with cases.

    Parameters
    ----------
    cases
        A table of cases of any kind, as for `drgdip.group`; best what `drgdip.read_cases` gives. A check whose columns
        are not there is left out, but columns that the scheme requires are missed.
    scheme
        The scheme or DIP catalogue that the cases are to be grouped under, or its id: it says what is required, and
        names codes.
    columns, codes
        As for `drgdip.group`.
    limits
        Lowest and highest plausible value by column (age, weights in grams, stay, cost), both allowed. There are none
        by default, because sources differ (``docs/checks.md``).

    Returns
    -------
    Findings, in the kind of container that ``cases`` is, in order of row and rule: ``row`` (from 0), ``case_id``,
    ``rule`` (of `list_checks`), ``level`` (error or warning), ``field``, ``value`` (as text, null where something is
    missing), ``message`` and ``message_zh``.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group`; ``limits`` for a column that has none.

    Notes
    -----
    Source: quality control of settlement lists (医保基金结算清单), rule by rule in `list_checks`.

    Examples
    --------
    >>> cases = [{"case_id": "7", "sex": 1, "dx": ["O80.000", "O80.000"], "procs": []}]
    >>> [(finding["rule"], finding["value"]) for finding in check_cases(cases, "chs-drg-2.0")]
    [('sex_conflict', 'O80.000'), ('duplicate_diagnosis', 'O80.000')]
    """
    loaded = load_any(scheme)
    for column in limits or {}:
        if column not in _LIMITED:
            raise CaseError(f"limits are given for {column!r}; they can be for {', '.join(_LIMITED)}")
    given, columns = with_lists_read(cases, columns)
    table = all_columns(given, columns)
    read = to_cases(table, columns)
    if codes is not None:
        read = map_cases(read, walks_to(codes, loaded.info))
    faults = one_chunk(table[FAULTS].cast(pa.string())) if _has_faults(table) else None
    view = View(with_newborn_weight(read, loaded.newborn_weight), loaded, limits or {}, faults)
    found = [finding for check in CHECKS for finding in check(view)]
    return to_kind(_table(found, view), cases)


def _has_faults(table: pa.Table) -> bool:
    """Return whether a table has a reader's column of faults, and not one of the caller's of the same name."""
    kinds = {pa.string(), pa.large_string(), pa.string_view()}
    return table.column_names.count(FAULTS) == 1 and table.schema.field(FAULTS).type in kinds


def _table(found: list[Finding], view: View) -> pa.Table:
    """Return findings in order of row and rule."""
    rules = rules_by_id()
    number = {rule: place for place, rule in enumerate(rules)}
    found = [finding for finding in found if len(finding.rows)]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(finding.rows for finding in found)]).astype(np.int64)
    rule = np.repeat([number[finding.rule] for finding in found], [len(finding.rows) for finding in found])
    order = np.lexsort((rule, rows))
    values = pa.concat_arrays([from_list([], pa.string()), *(finding.values for finding in found)])
    fields = [finding.field or rules[finding.rule].field for finding in found]
    names = sorted(set(fields))
    field = np.repeat([names.index(name) for name in fields], [len(finding.rows) for finding in found])

    def words(place: np.ndarray, texts: list[str]) -> pa.Array:
        entries = sorted(set(texts))
        place = np.array([entries.index(text) for text in texts], dtype=np.int32)[place.astype(np.int64)]
        return pa.DictionaryArray.from_arrays(from_numpy(place[order]), from_list(entries, pa.string()))

    checks = list(rules.values())
    return pa.table(
        {
            "row": from_numpy(rows[order]),
            "case_id": as_text(view.column("case_id")).cast(pa.string()).take(from_numpy(rows[order])),
            "rule": words(rule, [check.id for check in checks]),
            "level": words(rule, [check.level for check in checks]),
            "field": words(field, names),
            "value": values.take(from_numpy(order)),
            "message": words(rule, [check.english for check in checks]),
            "message_zh": words(rule, [check.chinese for check in checks]),
        }
    )
