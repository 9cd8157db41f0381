"""The report of a year: statements and every table behind them, as a workbook or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from drgdip._arrow import to_arrow
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip.errors import PolicyError
from drgdip.settle._inputs import NAMES, plain
from drgdip.settle._pages import write_excel, write_html
from drgdip.settle.statements import make_statements
from drgdip.settle.surplus import measure_surplus

if TYPE_CHECKING:
    import os

    from drgdip.settle.policy import Policy
    from drgdip.settle.year import Year

__all__ = ["REPORT_FORMATS", "write_report"]

#: The endings of the files that a report can be written to.
REPORT_FORMATS = (".xlsx", ".html")


@exactly
def write_report(year: Year, policy: Policy, path: str | os.PathLike[str]) -> Path:
    """Write the report of a year: statements, pools, months, three layers of surplus, review, ledger, sources.

    Parameters
    ----------
    year
        The result of `settle_year`.
    policy
        Its policy, whose citations are listed.
    path
        ``….xlsx`` (extra ``excel``): a sheet a table, in which entitlement and final are formulas over the cells
        beside them; or ``….html``: one file with the tables and plots that loads nothing from outside.

    Returns
    -------
    The path.

    Raises
    ------
    PolicyError
        An ending that is neither, a folder that does not exist, or the extra is not installed.

    Examples
    --------
    >>> from drgdip.settle import read_policy, read_settlement, settle_year
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> cases = read_settlement("docs/examples/settlement.csv")
    >>> year = settle_year(cases, policy, budget={"employee": 60000, "resident": 40000})
    >>> import tempfile
    >>> write_report(year, policy, tempfile.mkdtemp() + "/year.html").name
    'year.html'
    """
    path = Path(path)
    tables = _tables(year, policy)
    if path.suffix.lower() not in REPORT_FORMATS:
        raise PolicyError(f"{path}: a report is written as {' or '.join(REPORT_FORMATS)}")
    write = write_excel if path.suffix.lower() == ".xlsx" else write_html
    try:
        write(path, tables, policy)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _tables(year: Year, policy: Policy) -> dict[str, pa.Table]:
    """Return the tables of the report by title."""
    clearing = year.clearing
    citations = [
        {"field": field, "source": citation.source, "grade": citation.grade, "note": citation.note}
        for field, citation in sorted(policy.citations.items())
    ]
    citations += [{"field": field, "source": "not cited", "grade": "", "note": ""} for field in policy.uncited]
    layers = {"Surplus by pool": ["pool"], "Surplus by hospital": ["pool", "hospital"]}
    if "group" in Columns(year.cases, columns=year.columns, optional=NAMES):
        layers["Surplus by group"] = ["pool", "group"]
    tables = {
        "Statements": make_statements(clearing),
        "Hospitals": clearing.table,
        "Pools": clearing.pools,
        "Months": year.months,
        **{title: measure_surplus(year.cases, by, columns=year.columns).table for title, by in layers.items()},
        **({"Special review": year.review.publication} if year.review else {}),
        "Ledger": year.ledger,
        "Sources": pa.Table.from_pylist(citations),
    }
    return {title: plain(to_arrow(table)) for title, table in tables.items()}
