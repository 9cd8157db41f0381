"""Grouping one case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from drgdip.grouper.load import load_any
from drgdip.grouper.record import mapping_of, record_of

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

__all__ = ["group_one"]


@overload
def group_one(
    case: Case | Mapping[str, Any],
    scheme: Scheme | NationalScheme,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> GroupResult: ...
@overload
def group_one(
    case: Case | Mapping[str, Any],
    scheme: Catalogue | NationalCatalogue,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> DipResult: ...
@overload
def group_one(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> GroupResult | DipResult: ...
def group_one(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> GroupResult | DipResult:
    """Group one case.

    Parameters
    ----------
    case
        A `drgdip.Case`, or a mapping with its columns under canonical names or aliases (``docs/cases.md``);
        ``dx`` and ``procs`` as lists or as text joined by ``|``, the principal code first. Other keys are passed
        over.
    scheme
        A scheme or a DIP catalogue, the id or the folder of one.
    columns
        Key of the case by case column, for keys that are no alias.
    codes
        The edition of the case's codes (``clinical-2.0``; `drgdip.map_codes`), to be mapped to those of the scheme;
        None takes them as they are.

    Returns
    -------
    A `GroupResult`: ``mdc, adrg, group, status, reason, severity, severity_code``; of a catalogue a `DipResult`:
    ``group, kind, treatment, primary_care, status, reason``. A value that cannot be read gives the status ``invalid``
    with a reason, never an error.

    Raises
    ------
    UnknownNameError
        There is no such scheme, catalogue or edition, or no such column or key as ``columns`` says.
    CaseError
        The case is neither a Case nor a mapping (a pandas Series counts as one), or two of its keys are aliases of
        one column; no cross-walk leads from ``codes`` to the scheme's.

    Notes
    -----
    Order of evaluation: the configuration workbook of scheme 3.0 (国家医保局《分组方案配置信息》); options are
    those of the scheme's ``[evaluation]`` table. Catalogues: ``docs/dip.md``.

    Examples
    --------
    >>> group_one({"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"], "procs": ["42.0902"]}, "chs-drg-2.0")[:4]
    ('MDCG', 'GC1', 'GC19', 'grouped')
    >>> group_one({"dx": ["I21.001"], "procs": ["36.0601", "00.2400x001"]}, "nhsa-dip-3.0")[:3]
    ('BX-619', 'merge', 'surgery')
    """
    loaded = load_any(scheme)
    return loaded.group_record(*record_of(mapping_of(case), loaded, codes, columns))
