"""Why a case is in its group: the door that groups one case and keeps every step."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, overload

from drgdip._text import is_missing
from drgdip.cases.names import resolve
from drgdip.grouper.explanation import Explanation, Given
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.hints import hints_of
from drgdip.grouper.load import load_any
from drgdip.grouper.record import mapping_of, record_of
from drgdip.grouper.worth import figures_by_group

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from drgdip.cases.case import Case
    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.dip.catalogue import Catalogue
    from drgdip.grouper.drg.scheme import Scheme
    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.load import NationalCatalogue, NationalScheme
    from drgdip.grouper.result import DipResult, GroupResult
    from drgdip.grouper.worth import Figure

__all__ = ["explain", "explained"]


@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: Scheme | NationalScheme,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Any = None,
) -> Explanation[GroupResult]: ...
@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: Catalogue | NationalCatalogue,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Any = None,
) -> Explanation[DipResult]: ...
@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Any = None,
) -> Explanation[GroupResult | DipResult]: ...
def explain(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Any = None,
) -> Explanation[Any]:
    """Group one case and say why.

    Parameters
    ----------
    case, scheme, columns, codes
        As for `drgdip.group_one`.
    weights
        Weights by group, or a table with ``group`` and ``weight``, ``score``, ``base_rate`` or ``standard``, as
        `drgdip.points.load_weights` and `drgdip.points.load_standards` give: those of the group are told.

    Returns
    -------
    An `Explanation`: the result, and every CC and MCC found with the table that cancelled it. Its steps are the MDC,
    ADRG and DRG rules tried, in order, each with the conditions that decided it and the codes they found. Under a
    catalogue, they are the groups that the principal diagnosis leaves, down to the stage that took the case.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group_one`; a table of weights without these columns.

    Examples
    --------
    >>> trace = explain({"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"]}, "chs-drg-2.0")
    >>> trace.result.group
    'GZ19'
    >>> [step.code for step in trace.steps if step.holds]
    ['MDCA', 'MDCG', 'GZ1', 'GZ19']
    >>> print(trace.text("zh").splitlines()[0])
    病例 · chs-drg-2.0 · 分组成功
    """
    loaded = load_any(scheme)
    given = mapping_of(case)
    record, unreadable = record_of(given, loaded, codes, columns)
    figures = {} if weights is None else figures_by_group(weights)
    return explained(given, record, unreadable, loaded, columns, figures)


def explained(
    given: Mapping[str, Any],
    record: Mapping[str, Any],
    unreadable: frozenset[str],
    scheme: SchemeLike,
    columns: ColumnNames | None,
    figures: Mapping[str, tuple[Figure, ...]],
) -> Explanation[Any]:
    """Return the explanation of a case that has been read."""
    trace = scheme.trace(record, unreadable)
    return Explanation(
        scheme=scheme.id,
        revision=scheme.info.revision,
        sha256=scheme.info.sha256,
        case=_record(given, record, columns),
        result=trace.result,
        names=dict(trace.names),
        severity=trace.severity,
        steps=trace.steps,
        hints=() if trace.result.status == "grouped" else hints_of(record, scheme),
        figures=figures.get(trace.result.group or "", ()),
        given=Given(scheme, record, unreadable),
    )


def _record(given: Mapping[str, Any], record: Mapping[str, Any], columns: ColumnNames | None) -> dict[str, Any]:
    name = resolve([name for name in given if isinstance(name, str)], columns).single.get("case_id")
    shown: dict[str, Any] = {"case_id": None if name is None or is_missing(given[name]) else str(given[name])}
    shown |= {column: record[column] for column in VALUE_VARIABLES.values()}
    if record.get("total_cost") is not None:
        shown["total_cost"] = str(Decimal(record["total_cost"]).scaleb(-2))  # it is read in fen
    for column in ("dx", "procs"):
        codes = [*(record[column][:1] or (None,)), *(code for code in record[column][1:] if code is not None)]
        shown[column] = [] if codes == [None] else codes
    return shown
