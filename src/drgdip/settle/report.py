"""Reports: a statement for each hospital and the account of each pool, to be checked by hand."""

from __future__ import annotations

import html
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import to_arrow, to_kind
from drgdip._money import YUAN
from drgdip.errors import PolicyError
from drgdip.settle._inputs import plain
from drgdip.settle.annual import surplus

if TYPE_CHECKING:
    import os

    from drgdip.settle.annual import Clearing
    from drgdip.settle.policy import Policy
    from drgdip.settle.simulation import Year

__all__ = ["REPORT_FORMATS", "statements", "write_report"]

#: The endings of the files that a report can be written to.
REPORT_FORMATS = (".xlsx", ".html")

# Line, column of the clearing, whether it is added (+), taken off (-) or a result (=), English, Chinese.
_LINES = (
    ("base", "+", "money by points or standards", "按点数（标准）分配"),
    ("sharing", "+", "part of the surplus or overspend", "结余分享或超支分担"),
    ("outside", "+", "cases paid otherwise than by points", "点数外支付"),
    ("appraisal_change", "+", "appraisal", "考核增减"),
    ("deductions", "-", "audit deductions", "审核扣款"),
    ("entitlement", "=", "entitlement of the year", "年度应付"),
    ("paid", "-", "paid in months and pre-clearing", "已付"),
    ("working_capital", "-", "working capital advanced", "周转金"),
    ("final", "=", "still to be paid", "应补付"),
)


def statements(clearing: Clearing) -> Any:
    """Give each hospital its account as lines that add up from top to bottom.

    Parameters
    ----------
    clearing
        The result of `clear_year`.

    Returns
    -------
    A table with, for each hospital and pool, a row a line: ``hospital, pool, line`` (from 1), ``sign`` (+ added, -
    taken off, = the sum so far), ``item``, ``item_zh``, ``amount`` (yuan), and ``how``: what the amount comes from.

    Examples
    --------
    >>> from drgdip.settle import clear_year, read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> case = {"hospital": "H", "pool": "resident", "points": 100, "payment_rule": "points", "standard": 9550}
    >>> case |= {"payable": 6550, "total_cost": 9000, "fund_booked": 6000, "patient_paid": 3000}
    >>> for row in statements(clear_year([case], policy, budget={"resident": 6600, "employee": 1})):
    ...     if row["amount"]:
    ...         print(row["sign"], row["amount"], row["item"], "|", row["how"])
    + 6000.00 money by points or standards | 100 of 100 points
    + 510.00 part of the surplus or overspend | of 510.00 shared in the pool
    = 6510.00 entitlement of the year | sum of the lines above
    = 6510.00 still to be paid | sum of the lines above
    """
    pools = {row["pool"]: row for row in to_arrow(clearing.pools).to_pylist()}
    rows = []
    for account in to_arrow(clearing.table).to_pylist():
        pool = pools[account["pool"]]
        how = {
            "base": f"{account['points']:g} of {pool['points']:g} points",
            "sharing": f"of {pool['shared']} shared in the pool",
            "appraisal_change": f"coefficient {account['appraisal']:g}",
            "entitlement": "sum of the lines above",
            "final": "sum of the lines above",
        }
        for number, (name, sign, item, chinese) in enumerate(_LINES, start=1):
            line = {"line": number, "sign": sign, "item": item, "item_zh": chinese, "amount": account[name]}
            rows.append({"hospital": account["hospital"], "pool": account["pool"], **line, "how": how.get(name, "")})
    kinds = {"line": pa.int64(), "amount": YUAN}
    names = ("hospital", "pool", "line", "sign", "item", "item_zh", "amount", "how")
    table = pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))
    return to_kind(table, clearing.table)


def write_report(year: Year, policy: Policy, path: str | os.PathLike[str]) -> Path:
    """Write a year's report: statements, hospitals, pools, months, three layers of surplus, review, ledger, sources.

    Parameters
    ----------
    year
        The result of `settle_year`.
    policy
        Its policy, whose citations are listed.
    path
        ``….xlsx`` (extra ``excel``): a sheet a table, in which entitlement and final are formulas over the cells
        beside them; or ``….html``: one file with the tables and plots, without anything from outside.

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
    write = _write_excel if path.suffix.lower() == ".xlsx" else _write_html
    try:
        write(path, tables, policy)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _tables(year: Year, policy: Policy) -> dict[str, pa.Table]:
    """The tables of the report by title."""
    clearing = year.clearing
    citations = [
        {"field": field, "source": citation.source, "grade": citation.grade, "note": citation.note}
        for field, citation in sorted(policy.citations.items())
    ]
    citations += [{"field": field, "source": "not cited", "grade": "", "note": ""} for field in policy.uncited]
    priced = year.cases
    layers = {"Surplus by pool": ["pool"], "Surplus by hospital": ["pool", "hospital"]}
    if "group" in to_arrow(priced).column_names:
        layers["Surplus by group"] = ["pool", "group"]
    tables = {
        "Statements": statements(clearing),
        "Hospitals": clearing.table,
        "Pools": clearing.pools,
        "Months": year.months,
        **{title: surplus(priced, by).table for title, by in layers.items()},
        **({"Special review": year.review.publication} if year.review else {}),
        "Ledger": year.ledger,
        "Sources": pa.Table.from_pylist(citations),
    }
    return {title: plain(to_arrow(table)) for title, table in tables.items()}


def _write_excel(path: Path, tables: dict[str, pa.Table], policy: Policy) -> None:
    try:
        import xlsxwriter
    except ImportError as error:
        raise PolicyError(
            "Excel files need the extra: python -m pip install 'drgdip[excel]'; .html does not"
        ) from error
    from xlsxwriter.exceptions import FileCreateError
    from xlsxwriter.utility import xl_col_to_name

    try:
        with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
            book.set_properties({"title": f"drgdip: {policy.title}"})
            bold = book.add_format({"bold": True})
            money = book.add_format({"num_format": "#,##0.00"})
            for title, table in tables.items():
                sheet = book.add_worksheet(title)
                names = table.column_names
                sheet.write_row(0, 0, names, bold)
                sheet.freeze_panes(1, 0)
                sheet.set_column(0, len(names) - 1, 16)
                place = {name: xl_col_to_name(number) for number, name in enumerate(names)}
                for number, row in enumerate(table.to_pylist(), start=1):
                    for column, (name, value) in enumerate(row.items()):
                        formula = _formula(name, place, number + 1) if title == "Hospitals" else None
                        if formula:
                            sheet.write_formula(number, column, formula, money, float(value))
                        elif isinstance(value, Decimal):
                            sheet.write_number(
                                number, column, float(value), money if table.schema.field(name).type == YUAN else None
                            )
                        elif isinstance(value, int | float):
                            sheet.write_number(number, column, value)
                        elif value is not None:
                            sheet.write_string(number, column, str(value))
    except FileCreateError as error:
        raise PolicyError(f"{path}: cannot be written: {error}") from error


def _formula(name: str, place: dict[str, str], row: int) -> str | None:
    """The sum of the cells beside it that a result of an account is."""
    if name not in {"entitlement", "final"}:
        return None
    lines = [(line, sign) for line, sign, _, _ in _LINES]
    end = [line for line, _ in lines].index(name)
    parts = [f"{sign}{place[line]}{row}" for line, sign in lines[:end] if sign != "="]
    return "=" + "".join(parts).removeprefix("+")


_STYLE = (
    "body{font:14px sans-serif;margin:2em;max-width:80em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{border:1px solid #ccc;padding:2px 8px}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "th{background:#eee;text-align:left}"
)


def _write_html(path: Path, tables: dict[str, pa.Table], policy: Policy) -> None:
    parts = [
        "<!doctype html><html><head><meta charset='utf-8'>",
        f"<title>{html.escape(policy.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(policy.title)}</h1><p>{html.escape(policy.source or 'policy ' + policy.id)}</p>",
    ]
    plots = {
        "Hospitals": ("entitlement", "Entitlement of the year, yuan"),
        "Surplus by hospital": ("profit", "Standards less costs, yuan"),
    }
    for title, table in tables.items():
        parts.append(f"<h2>{html.escape(title)}</h2>")
        if title in plots:
            name, caption = plots[title]
            labels = [f"{row['hospital']} {row['pool']}" for row in table.to_pylist()]
            parts.append(_bars(caption, labels, [float(value) for value in table[name].to_pylist()]))
        parts.append(_html_table(table))
    parts.append("</body></html>\n")
    path.write_text("".join(parts), encoding="utf-8")


def _html_table(table: pa.Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.column_names)
    body = "".join("<tr>" + "".join(_cell(value) for value in row.values()) + "</tr>" for row in table.to_pylist())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        exponent = int(value.as_tuple().exponent)
        shown = value if exponent >= -2 else value.normalize()
        return f"<td class='n'>{shown:,f}</td>"
    if isinstance(value, int | float):
        return f"<td class='n'>{value:,.10g}</td>"
    return f"<td>{'' if value is None else html.escape(str(value))}</td>"


def _bars(caption: str, labels: list[str], values: list[float]) -> str:
    """A bar chart as inline SVG, values below 0 to the left."""
    low, high = min([0.0, *values]), max([0.0, *values])
    unit = 480 / ((high - low) or 1.0)
    rows = []
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        left, top = 200 + (min(value, 0.0) - low) * unit, 24 + 18 * number
        colour = "#4878a8" if value >= 0 else "#b85450"
        rows.append(
            f"<text x='195' y='{top + 11}' text-anchor='end'>{html.escape(label)}</text>"
            f"<rect x='{left:.1f}' y='{top}' width='{abs(value) * unit:.1f}' height='14' fill='{colour}'>"
            f"<title>{value:,.2f}</title></rect>"
        )
    height = 30 + 18 * len(values)
    return (
        f"<svg width='720' height='{height}' font-size='11' role='img'><title>{html.escape(caption)}</title>"
        f"<text x='200' y='14' font-weight='bold'>{html.escape(caption)}</text>{''.join(rows)}</svg>"
    )
