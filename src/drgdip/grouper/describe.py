"""How the columns of a table of cases are understood, and which columns of a scheme are missing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drgdip._arrow import read_once, to_arrow, to_kind
from drgdip.cases.describe import describe_table
from drgdip.cases.messages import has_lists
from drgdip.cases.readers import read_table
from drgdip.grouper.group import name_required
from drgdip.grouper.load import load_any

if TYPE_CHECKING:
    import os

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import SchemeLike

__all__ = ["describe_cases"]


def describe_cases(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike | None = None,
    *,
    columns: ColumnNames | None = None,
) -> Any:
    """Return how the columns of a table of cases are understood.

    Parameters
    ----------
    cases
        A table of cases of any kind, as for `drgdip.group`.
    scheme
        A scheme or a DIP catalogue, or its id or folder: the columns that it reads and the table lacks are rows too.
        None leaves them out.
    columns
        As for `drgdip.group`.

    Returns
    -------
    A row a column, in the kind of container that ``cases`` is. Its ``column`` is the name in the table, null for a
    column that is missing. ``used_as`` is a case column or a part of one (``dx_others``), null for one not used.
    ``filled`` counts rows that hold something, and ``examples`` has up to three values, shortened. ``note`` is a reason
    of ``drgdip.list_reasons("columns")``, or null.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group`: two names for one column are not described but refused, with the choice.

    Notes
    -----
    Codes are known by the code sets of healthcare security (医保版 2.0) and by their form, in the first 1,000 rows.

    Examples
    --------
    >>> cases = [{"主要诊断": "脑梗死", "主要诊断编码": "I63.900", "医保编码": "I63.900"}]
    >>> [(row["column"], row["used_as"], row["note"]) for row in describe_cases(cases)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('主要诊断', None, 'column_passed_over:主要诊断编码'), ('主要诊断编码', 'dx_principal', None),
     ('医保编码', None, 'column_unused_dx')]
    """
    needed, read = ([], []) if scheme is None else _columns_of(load_any(scheme))
    once = read_once(cases)
    table = read_table(list(once)) if has_lists(once) else to_arrow(once)
    return to_kind(describe_table(table, columns, needed, read), cases)


def _columns_of(scheme: SchemeLike) -> tuple[list[str], list[str]]:
    """Return the columns that a scheme cannot do without, and those that it reads besides."""
    weight = [f"{scheme.newborn_weight}_weight"] if scheme.newborn_weight else []
    return name_required(scheme), ["procs", *scheme.value_columns, *weight]
