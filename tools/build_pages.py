"""Write the generated parts of the pages anew: run it after a module, a public name or a table of the package changed.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; `PARTS` has the function of the name.
A test compares the pages with what this tool would write.
"""

from __future__ import annotations

import ast
import csv
import importlib
import inspect
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drgdip.data import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "drgdip"
SIGNAL_PAGES = ("docs/monitor/signals.md", "docs/monitor/signals.zh-CN.md")
PAGES = (
    "ARCHITECTURE.md",
    "docs/api.md",
    "docs/cases.md",
    "docs/cases.zh-CN.md",
    "docs/monitor/indicators.md",
    "docs/monitor/indicators.zh-CN.md",
    *SIGNAL_PAGES,
)
_PART = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def first_sentence(docstring: str | None) -> str:
    """Return the first sentence of a docstring, without marks of reStructuredText."""
    text = " ".join((docstring or "").split("\n\n")[0].split())
    return re.sub(r"`+([^`]+)`+", r"`\1`", text).rstrip(".")


def modules() -> str:
    """Return a line a module, folder by folder: its path and what it is for."""
    lines = []
    for folder in sorted({path.parent for path in SOURCE.rglob("*.py")}):
        paths = sorted(folder.glob("*.py"), key=lambda path: (path.name != "__init__.py", path.name))
        lines.append(f"\n### `{folder.relative_to(SOURCE.parent)}/`\n\n| module | for |\n| --- | --- |")
        for path in paths:
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            lines.append(f"| `{path.relative_to(SOURCE)}` | {first_sentence(docstring)} |")
    return "\n".join(lines) + "\n\n"


def names_of(package: str) -> Callable[[], str]:
    """Return a function that gives a table of the public names of a package."""

    def table() -> str:
        lines = ["| name | does |", "| --- | --- |"]
        module = importlib.import_module(package)
        for name in sorted(module.__all__, key=str.casefold):
            value = inspect.unwrap(getattr(module, name))
            if not inspect.ismodule(value):
                lines.append(f"| {_shown(name, value)} | {_does(value)} |")
        return "\n".join(lines) + "\n"

    return table


def _shown(name: str, value: object) -> str:
    """Return a name, of a function with the names of its parameters."""
    if not inspect.isfunction(value):
        return f"`{name}`"
    return f"`{name}({', '.join(_parameters(value))})`"


def _parameters(function: Callable[..., object]) -> Iterator[str]:
    starred = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            yield "*"
            starred = True
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        sign = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        optional = "=…" if parameter.default is not parameter.empty else ""
        yield f"{sign}{parameter.name}{optional}"


def _does(value: object) -> str:
    if inspect.isfunction(value) or inspect.isclass(value):
        return first_sentence(value.__doc__).replace("|", "\\|")
    return f"{type(value).__name__}" if not isinstance(value, str) else f"`{value!r}`"


_VALUE_WORDS = {
    "english": ("| column | written | read as | why |", "unreadable", "missing", ", "),
    "chinese": ("| 列 | 写法 | 读作 | 说明 |", "读不出", "空值", "、"),
}


def values(language: str) -> str:
    """Return the table of values that stand in files, by what they are read as (``data/values.csv``)."""
    head, unreadable, missing, between = _VALUE_WORDS[language]
    lines = [head, "| --- | --- | --- | --- |"]
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in rows_of("values.csv"):
        grouped.setdefault((row["column"], row["read"], row[language]), []).append(row["written"])
    for (column, read, why), written in grouped.items():
        shown = between.join(f"`{_cell(text)}`" for text in written)
        answer = unreadable if read == "unreadable" else missing if read in {"null", "[]"} else f"`{_cell(read)}`"
        lines.append(f"| `{column}` | {shown} | {answer} | {_cell(why)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_SOURCES = {
    "Chinese header": "中文表头",
    "front page": "病案首页",
    "settlement list": "结算清单",
    "scheme variable": "分组方案变量",
    "drgdip": "本库",
}


def aliases(language: str) -> str:
    """Return the names of the columns of cases in the field, a line a column and source."""
    chinese = language == "chinese"
    found: dict[tuple[str, str], list[str]] = {}
    with (SOURCE / "data" / "columns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["column"], row["source"]), []).append(f"`{row['alias']}`")
    between = "、" if chinese else ", "
    lines = [
        f"| `{column}` | {_SOURCES.get(source, source) if chinese else source} | {between.join(names)} |"
        for (column, source), names in found.items()
    ]
    head = "| 列 | 来源 | 名称 |" if chinese else "| column | found in | names |"
    return "\n".join([head, "| --- | --- | --- |", *lines]) + "\n"


_UNITS = {
    "count": "人次（个）",
    "ratio": "比例",
    "index": "指数",
    "weight": "权重",
    "points": "点",
    "days": "天",
    "yuan": "元",
}
_DIRECTIONS = {"higher": "越高越好", "lower": "越低越好", "none": ""}


def indicators(language: str) -> str:
    """Return the table of indicators (``data/monitor/indicators.csv``)."""
    names = {row["quantity"]: row["chinese"] for row in rows_of("monitor/quantities.csv")}
    lines = ["| id | name | formula | unit | better | source | grade |", "| --- | --- | --- | --- | --- | --- | --- |"]
    if language == "chinese":
        lines[0] = "| 编号 | 名称 | 算法 | 单位 | 方向 | 依据 | 等级 |"
    for row in rows_of("monitor/indicators.csv"):
        if language == "chinese":
            formula = " / ".join(names[part] for part in (row["numerator"], row["denominator"]) if part)
            cells = [row["chinese"], formula, _UNITS[row["unit"]], _DIRECTIONS[row["direction"]]]
        else:
            better = "" if row["direction"] == "none" else row["direction"]
            cells = [row["english"], row["formula"], row["unit"], better]
        lines.append("| " + " | ".join([f"`{row['id']}`", *cells, row["source"], row["grade"]]) + " |")
    return "\n".join(lines) + "\n"


_KINDS = {
    "chinese": {"flag": "是否", "money": "元", "number": "数", "code": "代码", "key": "文本"},
    "english": {"flag": "true or false", "money": "yuan", "number": "number", "code": "code", "key": "text"},
}


def indicator_columns(language: str) -> str:
    """Return the table of the columns that indicators read (``data/monitor/indicator_columns.csv``)."""
    head = "| 列 | 类型 | 含义 |" if language == "chinese" else "| column | kind | what it holds |"
    lines = [head, "| --- | --- | --- |"]
    for row in rows_of("monitor/indicator_columns.csv"):
        values = ", ".join(f"`{value}`" for value in row["values"].split("|") if value)
        kind = _KINDS[language][row["kind"]] + (f": {values}" if values else "")
        lines.append(f"| `{row['column']}` | {kind} | {row[language]} |")
    return "\n".join(lines) + "\n"


def signals(language: str) -> str:
    """Return the tables of signals and of their parameters (``data/monitor``)."""
    chinese = language == "chinese"
    suffix = "_zh" if chinese else ""
    head = (
        "| 疑点 | 含义 | `value`、`expected`、`limit` | 所需列和表 | 金额对照 | 来源（等级） |"
        if chinese
        else "| signal | meaning | `value`, `expected`, `limit` | needs | amount against | source (grade) |"
    )
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for row in rows_of("monitor/signals.csv"):
        needs = [f"`{name}`" for name in row["columns"].split("|")]
        needs += [f"`{name}=`" for name in row["tables"].split("|") if name]
        first = f"`{row['id']}`<br>{row['chinese' if chinese else 'english']}"
        cells = [first, row[f"definition{suffix}"], row[f"compared{suffix}"], " ".join(needs)]
        cells += [f"`{row['counterfactual']}`", f"{row['source']} ({row['grade']})"]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def signal_parameters(language: str) -> str:
    """Return the table of the parameters of signals (``data/monitor``)."""
    chinese = language == "chinese"
    head = (
        "| 疑点 | 参数 | 含义 | 来源中的数值 |" if chinese else "| signal | parameter | meaning | numbers in sources |"
    )
    lines = [head, "| --- | --- | --- | --- |"]
    for row in rows_of("monitor/signal_parameters.csv"):
        seen = row["seen"].replace("|", "、" if chinese else ", ")
        cells = [f"`{row['signal']}`", f"`{row['parameter']}`", row[language], seen]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def learned_signals(language: str) -> str:
    """Return the table of learned signals (``data/monitor``)."""
    suffix = "_zh" if language == "chinese" else ""
    head = ("| 模型疑点 | 含义 |" if suffix else "| learned signal | meaning |") + " `value`, `expected`, `limit` |"
    lines = [head, "| --- | --- | --- |"]
    for row in rows_of("monitor/learned.csv"):
        cells = [f"`{row['id']}`<br>{row[language]}", row[f"definition{suffix}"], row[f"compared{suffix}"]]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "modules": modules,
    "signals": partial(signals, "english"),
    "signals_zh": partial(signals, "chinese"),
    "signal_parameters": partial(signal_parameters, "english"),
    "signal_parameters_zh": partial(signal_parameters, "chinese"),
    "values": partial(values, "english"),
    "values_zh": partial(values, "chinese"),
    "aliases": partial(aliases, "english"),
    "aliases_zh": partial(aliases, "chinese"),
    "indicators": partial(indicators, "english"),
    "indicators_zh": partial(indicators, "chinese"),
    "indicator_columns": partial(indicator_columns, "english"),
    "indicator_columns_zh": partial(indicator_columns, "chinese"),
    "learned_signals": partial(learned_signals, "english"),
    "learned_signals_zh": partial(learned_signals, "chinese"),
    "drgdip": names_of("drgdip"),
    "drgdip.points": names_of("drgdip.points"),
    "drgdip.settle": names_of("drgdip.settle"),
    "drgdip.monitor": names_of("drgdip.monitor"),
}


def built(page: str) -> str:
    """Return a page with its generated parts as they should be."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return _PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], text)


if __name__ == "__main__":
    for page in PAGES:
        (ROOT / page).write_text(built(page), encoding="utf-8", newline="\n")
