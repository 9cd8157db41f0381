"""The report of a year: statements and every table behind them, as a workbook or a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import to_arrow
from drgdip._columns import Columns
from drgdip._exact import exactly
from drgdip.errors import PolicyError
from drgdip.reasons import check_language, describe_reason
from drgdip.settle._inputs import NAMES, plain
from drgdip.settle._pages import write_excel, write_html
from drgdip.settle._words import say
from drgdip.settle.audit import FINDINGS
from drgdip.settle.sheets import make_case_sheets
from drgdip.settle.statements import make_statements
from drgdip.settle.surplus import measure_surplus

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from drgdip.settle.policy import Policy
    from drgdip.settle.year import Year

__all__ = ["REPORT_FORMATS", "write_papers", "write_report"]

#: The endings of the files that a report can be written to.
REPORT_FORMATS = (".xlsx", ".html")
# A hospital redoes the amounts of its cases with these columns of its pools.
_VALUES = ["pool", "fund", "outside", "shared", "points", "point_value", "fund_share"]


@exactly
def write_report(year: Year, policy: Policy, path: str | os.PathLike[str], *, language: str = "en") -> Path:
    """Write the report of a year: statements, pools, months, three layers of surplus, review, findings, sources.

    Parameters
    ----------
    year
        The result of `settle_year`.
    policy
        Its policy, whose citations are listed.
    path
        ``….xlsx`` (extra ``excel``): a sheet a table, in which entitlement and final are formulas over the cells
        beside them; or ``….html``: one file with the tables and plots that loads nothing from outside.
    language
        Language of titles, headings and words: ``"en"`` or ``"zh"``.

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
    check_language(language)
    _write(path, _tables(year, policy, language), policy, language)
    return path


@exactly
def write_papers(
    year: Year,
    policy: Policy,
    folder: str | os.PathLike[str],
    *,
    names: Mapping[str, str] | None = None,
    form: str = ".html",
    language: str = "en",
) -> list[Path]:
    """Write the papers of each hospital to a file of its own: statement, pools, accepted findings, case sheets.

    With point value and payment ratio a calculator gives the standard of a case and the fund's part.

    Parameters
    ----------
    year, policy
        The result of `settle_year`, and its policy.
    folder
        The folder of the files; it is made where there is none.
    names
        The name of each group, such as ``scheme.labels``.
    form
        One of `REPORT_FORMATS`.
    language
        Language of titles, headings and words: ``"en"`` or ``"zh"``.

    Returns
    -------
    The paths, by hospital: a number and the hospital's name, in which all but letters and digits are ``_``.

    Raises
    ------
    PolicyError
        As `write_report`.

    Examples
    --------
    >>> from drgdip.settle import read_policy, read_settlement, settle_year
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> cases = read_settlement("docs/examples/settlement.csv")
    >>> year = settle_year(cases, policy, budget={"employee": 60000, "resident": 40000})
    >>> import tempfile
    >>> [path.name for path in write_papers(year, policy, tempfile.mkdtemp())]
    ['1_City_Hospital.html', '2_County_Hospital.html', '3_Town_Hospital.html']
    """
    check_language(language)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PolicyError(f"{folder}: cannot be made: {error.strerror or error}") from error
    statements = _statements(year, language)
    sheets = to_arrow(make_case_sheets(year.cases, names=names, language=language, columns=year.columns))
    pools = plain(to_arrow(year.clearing.pools)).select(_VALUES)
    findings = _told(FINDINGS.empty_table() if year.findings is None else year.findings, language)
    hospitals = pc.unique(statements["hospital"]).to_pylist()
    paths = []
    for number, hospital in enumerate(hospitals, start=1):
        tables = {"Statement": statements.filter(pc.equal(statements["hospital"], hospital))}
        own = pc.unique(tables["Statement"]["pool"])
        tables["Pools"] = pools.filter(pc.is_in(pools["pool"], own))
        accepted = findings.filter(pc.equal(findings["hospital"], hospital))
        tables |= {"Accepted findings": accepted} if len(accepted) else {}
        mine = sheets.filter(pc.equal(sheets["hospital"], hospital))
        for month in sorted(pc.unique(mine["month"]).to_pylist()):
            title = say("sheet", language).format(month)
            tables[title] = mine.filter(pc.equal(mine["month"], month))
        # A name is no path: whatever else it holds, the file stays in the folder.
        safe = re.sub(r"\W", "_", hospital)[:60]
        path = folder / f"{number:0{len(str(len(hospitals)))}d}_{safe}{form}"
        _write(path, tables, policy, language)
        paths.append(path)
    return paths


def _write(path: Path, tables: dict[str, pa.Table], policy: Policy, language: str) -> None:
    """Write tables by title as the ending of the path says."""
    if path.suffix.lower() not in REPORT_FORMATS:
        raise PolicyError(f"{path}: a report is written as {' or '.join(REPORT_FORMATS)}")
    write = write_excel if path.suffix.lower() == ".xlsx" else write_html
    try:
        write(path, tables, policy, language)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be written: {error.strerror or error}") from error


def _tables(year: Year, policy: Policy, language: str) -> dict[str, pa.Table]:
    """Return the tables of the report by title."""
    clearing = year.clearing
    citations = [
        {"field": field, "source": citation.source, "grade": citation.grade, "note": citation.note}
        for field, citation in sorted(policy.citations.items())
    ]
    for source, fields in (("not cited", policy.uncited), ("default", policy.defaulted)):
        told = say(source, language)
        citations += [{"field": field, "source": told, "grade": "", "note": ""} for field in fields]
    layers = {"Surplus by pool": ["pool"], "Surplus by hospital": ["pool", "hospital"]}
    if "group" in Columns(year.cases, columns=year.columns, optional=NAMES):
        layers["Surplus by group"] = ["pool", "group"]
    tables = {
        "Statements": _statements(year, language),
        "Hospitals": clearing.table,
        "Pools": clearing.pools,
        **({"Caps": _caps(clearing.caps, language)} if clearing.caps is not None else {}),
        "Months": year.months,
        **{title: measure_surplus(year.cases, by, columns=year.columns).table for title, by in layers.items()},
        **({"Special review": year.review.publication} if year.review else {}),
        **(
            {"Accepted findings": _told(year.findings, language)}
            if year.findings is not None and len(year.findings)
            else {}
        ),
        **({"Cross-region": year.cross_region} if year.cross_region is not None else {}),
        "Ledger": year.ledger,
        "Sources": pa.Table.from_pylist(citations),
    }
    return {title: plain(to_arrow(table)) for title, table in tables.items()}


def _statements(year: Year, language: str) -> pa.Table:
    """Return the statements with the items in one language."""
    table = plain(to_arrow(make_statements(year.clearing, language=language)))
    return table.drop_columns(["item" if language == "zh" else "item_zh"])


def _caps(caps: pa.Table, language: str) -> pa.Table:
    """Return the deductions by caps with the items of the statement in words."""
    items = [say(item, language) for item in caps["item"].to_pylist()]
    return caps.set_column(caps.schema.get_field_index("item"), "item", pa.array(items, pa.string()))


def _told(findings: pa.Table, language: str) -> pa.Table:
    """Return findings with their reasons in words."""
    reasons = [None if code is None else describe_reason(code, language) for code in findings["reason"].to_pylist()]
    return findings.set_column(findings.schema.get_field_index("reason"), "reason", pa.array(reasons, pa.string()))
