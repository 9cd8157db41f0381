"""DIP catalogues from workbooks in the official layout of DIP 3.0.

Every sheet has a row of column names above its groups or codes; one has a second such row for groups of another
kind. The names say what a cell means. A name, a note or a cell that is not understood is refused, never passed over.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._text import fold_width, normalise_code
from drgdip.errors import SchemeError
from drgdip.grouper.dip.load import catalogue_of
from drgdip.grouper.tables import CATALOGUE, Table, check_cells
from drgdip.grouper.workbook import cell_text, head_of, read_sheets, sheet_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from drgdip.grouper.dip.model import CatalogueTables

__all__ = ["COLUMNS", "SHEETS", "read_tables", "read_workbook"]

_GROUP = ("category", "seq", "dx")
_RESISTANT = "附表—结核耐药诊断"
#: By sheet: the table it is read into, the kind of its groups, and the columns that it must have.
SHEETS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "一、先期分组": ("groups.csv", "pre", (*_GROUP, "note")),
    "二、并项规则下的核心病种": ("groups.csv", "merge", (*_GROUP, "procedures", "related")),
    "三、诊断辅助细分-烧伤类病种": ("groups.csv", "burn", (*_GROUP, "other_dx", "procedures", "related")),
    "三、诊断辅助细分-肿瘤类病种": ("groups.csv", "tumor", (*_GROUP, "other_dx", "any_procedures")),
    "三、诊断辅助细分-结核类病种": ("groups.csv", "tb", (*_GROUP, "procedures", "resistant", "resistance")),
    "四、基础规则下的核心病种": ("groups.csv", "core", (*_GROUP, "procedures")),
    _RESISTANT: ("sets.csv", "", ("dx",)),
    "五、不纳入分组的主要诊断": ("excluded_diagnoses.csv", "", ("dx",)),
    "五、不纳入分组的主要手术操作": ("excluded_procedures.csv", "", ("procedures", "note")),
    "六、基层病种": ("primary_care.csv", "", ("dx", "procedures")),
}
#: By column: its names in a workbook, without white space (编码 may be 代码).
COLUMNS = {
    "category": ("分类",),
    "seq": ("序号",),
    "name": ("分组名称", "病种名称"),
    "dx": ("主要诊断编码", "诊断编码"),
    "dx_name": ("主要诊断名称", "诊断名称"),
    "degree": ("烧伤腐蚀伤程度", "烧伤程度"),
    "other_dx": ("其他诊断编码",),
    "other_dx_name": ("其他诊断名称",),
    "area": ("烧伤腐蚀伤面积", "烧伤面积"),
    "procedures": ("主要手术操作编码", "手术操作编码"),
    "procedures_name": ("主要手术操作名称", "手术操作名称"),
    "any_procedures": ("主要手术操作/相关手术操作编码",),
    "any_procedures_name": ("主要手术操作/相关手术操作名称",),
    "related": ("相关手术操作编码",),
    "related_name": ("相关手术操作名称",),
    "days": ("天龄",),
    "weight": ("出生体重",),
    "resistant": ("是否耐药",),
    "resistance": ("是否耐药说明",),
    "note": ("说明",),
    "score": ("分值", "病种分值"),
}
_NAMED = {name: column for column, names in COLUMNS.items() for name in names}
#: A row of column names has one of these.
_CODES = frozenset({"dx", "procedures", "any_procedures"})
#: Columns that make the name of a group that has none of its own, in order.
_NAMES = ("dx_name", "degree", "other_dx_name", "area", "procedures_name", "any_procedures_name", "related_name")
#: Columns that any sheet may have, for they decide nothing.
_LABELS = frozenset({"category", "seq", "name", *_NAMES})
_ALL = "所有诊断"
#: Codes have four characters or more behind the point; a number in a cell would have lost its zeros.
_PROCEDURE = re.compile(r"\d\d\.[\dA-Zx]{4,}")
#: A diagnosis, or its beginning, or a procedure, within a text.
_CODE = re.compile(r"[A-Z]\d\d[.\dx]*|\d\d\.[\dA-Zx]+")
_WHOLE_DX = re.compile(r"[A-Z]\d\d(\.\S+)?")
_NOTES = {"不限定为主要手术操作": "procedures", "不限定为主要诊断": "dx"}
_DAYS = re.compile(r"<(\d+)天")
_WEIGHT = re.compile(r"(?:出生体重)?(\d+)[-~～—–](\d+)克")
_MAY_BE = re.compile(r"(.+)作为主要诊断,可作为主要手术操作")
_EXCLUDED = {"按保守治疗入组": "conservative", "不可作为主要手术操作": "not-principal"}
#: The conditions of groups for resistant tuberculosis and for the other, and what they are called.
_IS_RESISTANT = "(ZYZD in RESISTANT or QTZD in RESISTANT_OTHER)"
_RESISTANCE = {"是": (_IS_RESISTANT, "耐药结核"), "否": (f"not {_IS_RESISTANT}", "非耐药结核")}


class _Row(NamedTuple):
    """A row of a sheet: its texts by column, as they are and without white space and full-width characters."""

    path: Path
    line: int
    named: dict[str, str]
    plain: dict[str, str]

    def error(self, problem: str, what: str, fix: str) -> SchemeError:
        return SchemeError(problem, what, file=self.path, row=self.line, fix=fix)

    def filled(self, column: str) -> str:
        """Return a cell that may not be empty."""
        if not self.plain.get(column):
            what = f"the cell under {COLUMNS[column][0]} is empty"
            raise self.error("empty_cell", what, "Fill it, in merged cells each row of its own, or drop the row")
        return self.plain[column]


def read_workbook(path: Path, head: Mapping[str, str], like: CatalogueTables) -> CatalogueTables:
    """Return the catalogue of a workbook: see `Catalogue.from_workbook`."""
    tables, digest = read_tables(path)
    taken = {name: table for name, table in like.annexes.items() if name == "procedure_types.csv"}
    options = asdict(like.matching.without_cost())
    whole = head_of(path, head, like.info, tables="groups", title="matching", options=options)
    return catalogue_of(path, whole, tables | taken, sha256=digest, folder=path)


def read_tables(path: Path) -> tuple[dict[str, Table], str]:
    """Return the tables of a workbook by file name, and the SHA-256 of the workbook."""
    sheets = read_sheets(path, SHEETS, "catalogue")
    read: dict[str, list[tuple[_Row, tuple[str, ...]]]] = {name: [] for name, _, _ in SHEETS.values()}
    resistant: list[_Row] = []
    for sheet, (name, kind, needed) in SHEETS.items():
        found = list(_rows(sheet_path(path, sheet), sheets[sheet], needed))
        read[name] += [(row, _READERS[name](row, kind)) for row in found]
        resistant += [row for row in found if "resistance" in row.plain]
    read["sets.csv"] += _resistant_others(resistant)
    tables = {name: _table(name, rows) for name, rows in read.items() if rows}
    if "groups.csv" not in tables:
        raise SchemeError("empty_cell", "there is no group", file=path, fix="Fill the sheets of groups")
    return tables, hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(path: Path, sheet: list[list[Any]], needed: tuple[str, ...]) -> Iterator[_Row]:
    """Yield the rows of a sheet under its column names; what stands above the first row of them is a title."""
    columns: dict[int, str] = {}
    for line, cells in enumerate(sheet, start=1):
        texts = {place: text for place, cell in enumerate(cells) if (text := cell_text(cell))}
        words = {place: _word(text) for place, text in texts.items()}
        if _CODES & {_NAMED.get(word) for word in words.values()}:
            columns = _header(path, line, columns, words, needed)
        elif columns and texts:
            for place in texts.keys() - columns.keys():
                what = f"{texts[place]!r} stands under no column name"
                raise SchemeError("unknown_column", what, file=path, row=line, fix="Name the column, or empty the cell")
            named = {column: texts.get(place, "") for place, column in columns.items()}
            yield _Row(path, line, named, {column: _plain(text) for column, text in named.items()})
    if not columns and any(cell_text(cell) for cells in sheet[1:] for cell in cells):
        names = ", ".join(COLUMNS[column][0] for column in needed)
        raise SchemeError("missing_column", "there is no row of column names", file=path, fix=f"Name {names}")


def _header(
    path: Path, line: int, before: dict[int, str], words: dict[int, str], needed: tuple[str, ...]
) -> dict[int, str]:
    """Return the columns by place from a row of names. An empty cell of a second such row keeps the name above it."""
    columns = dict(before)
    for place, word in words.items():
        column = _NAMED.get(word, word)
        known = [*COLUMNS] if "category" in needed else [*needed, *_LABELS]
        if column not in known and not word.endswith("名称"):  # names decide nothing
            what = f"the column {word!r} is not understood in this sheet"
            fix = f"The columns are {', '.join(COLUMNS[name][0] for name in COLUMNS if name in known)}"
            raise SchemeError("unknown_column", what, file=path, row=line, fix=fix)
        columns[place] = column
    named = [column for column in columns.values() if column in COLUMNS]
    kinds = [column.removeprefix("any_") for column in named]
    for column, kind in zip(named, kinds, strict=True):
        if kinds.count(kind) > 1:
            what = f"there are two columns {COLUMNS[column][0]}"
            raise SchemeError("duplicate", what, file=path, row=line, fix="Keep one of them")
    if "category" in needed:
        newborn = "days" in named or "weight" in named
        needed = (*needed, *(("days", "weight") if newborn else () if "any_procedures" in named else ("procedures",)))
    for column in needed:
        if column not in named:
            what = f"the column {COLUMNS[column][0]!r} is missing"
            raise SchemeError("missing_column", what, file=path, row=line, fix="Add it, with empty cells if need be")
    return columns


def _word(text: str) -> str:
    return _plain(text).replace("代码", "编码")


def _plain(text: str) -> str:
    """Return a text without white space, with ASCII for full-width characters."""
    return fold_width("".join(text.split()))


def _table(name: str, rows: list[tuple[_Row, tuple[str, ...]]]) -> Table:
    cells = zip(*(row for _, row in rows), strict=True)
    columns = dict(zip(CATALOGUE.columns[name], map(list, cells), strict=True))
    lines, paths = (tuple([getattr(row, part) for row, _ in rows]) for part in ("line", "path"))
    table = Table(paths[0], columns, lines, paths)
    check_cells(table, name, CATALOGUE)
    return table


def _group(row: _Row, kind: str) -> tuple[str, ...]:
    """Return a row of ``groups.csv``."""
    if not row.filled("seq").isdecimal():
        what = f"{row.plain['seq']!r} under 序号 is no number"
        raise row.error("bad_number", what, "Give a number, or drop the row if it is a remark")
    cells = dict.fromkeys(CATALOGUE.columns["groups.csv"], "")
    cells |= {"group": f"{row.filled('category')}-{row.plain['seq']}", "kind": kind}
    cells["dx"] = "*" if row.filled("dx") == _ALL else _diagnoses(row, "dx")
    cells["procedures"], cells["anywhere"] = _procedures_of(row)
    cells["related"] = _procedures(row, "related")
    cells["score"] = row.plain.get("score", "")
    if "other_dx" in row.plain:
        row.filled("other_dx")
        cells["other_dx"] = _diagnoses(row, "other_dx")
    condition, name = _condition(row)
    cells["condition"] = condition
    names = [row.named.get(column, "") for column in _NAMES]
    cells["name"] = row.named.get("name") or "_".join(filter(None, (*names, name)))
    return tuple(cells.values())


def _procedures_of(row: _Row) -> tuple[str, str]:
    """Return the procedures of a group and the word for ``anywhere``, from their column and the note."""
    column = next((name for name in ("any_procedures", "procedures") if name in row.plain), None)
    procedures = "*" if column is None else _procedures(row, column)
    note = row.plain.get("note", "")
    anywhere = next((where for words, where in _NOTES.items() if note.endswith(words)), "")
    asked = row.plain["dx"] if anywhere == "dx" else procedures
    if note and (not anywhere or set(_CODE.findall(note)) != set(_CODE.findall(asked))):
        what = f"the note {row.named['note']!r} is not understood"
        fix = f"Name the codes of the row and end with {' or '.join(_NOTES)}, or empty the cell"
        raise row.error("unknown_value", what, fix)
    return procedures, "procedures" if column == "any_procedures" else anywhere


def _condition(row: _Row) -> tuple[str, str]:
    """Return the condition of a group beyond its codes, and what it adds to the name."""
    parts, name = [], ""
    if "resistant" in row.plain:
        if row.filled("resistant") not in _RESISTANCE:
            what = f"{row.plain['resistant']!r} under 是否耐药 is not understood"
            raise row.error("unknown_value", what, f"Give {' or '.join(_RESISTANCE)}")
        condition, name = _RESISTANCE[row.plain["resistant"]]
        parts.append(condition)
    if "days" in row.plain:
        days, weight = _DAYS.fullmatch(row.filled("days")), _WEIGHT.fullmatch(row.filled("weight"))
        if days is None or weight is None:
            what = f"age {row.named['days']!r} and weight {row.named['weight']!r} are not understood"
            raise row.error("unknown_value", what, "Write them as <29天 and 出生体重1000-1499克")
        least, most = map(int, weight.groups())
        parts += [f"XSRTL < {int(days[1])}", *([f"XSRTZ >= {least}"] if least else []), f"XSRTZ <= {most}"]
    return " and ".join(parts), name


def _excluded_diagnosis(row: _Row, _: str) -> tuple[str, ...]:
    """Return a row of ``excluded_diagnoses.csv``."""
    return (_whole_diagnosis(row),)


def _excluded_procedure(row: _Row, _: str) -> tuple[str, ...]:
    """Return a row of ``excluded_procedures.csv``."""
    row.filled("procedures")
    code, note = _procedures(row, "procedures"), row.filled("note")
    if note in _EXCLUDED:
        return code, _EXCLUDED[note], ""
    allowed = _MAY_BE.fullmatch(note)
    if allowed is None:
        what = f"the note {row.named['note']!r} is not understood"
        fix = f"Write {', '.join(_EXCLUDED)} or, with the diagnoses, A00-A09|K25作为主要诊断，可作为主要手术操作"
        raise row.error("unknown_value", what, fix)
    return code, "conservative", allowed[1]


def _primary_care(row: _Row, _: str) -> tuple[str, ...]:
    """Return a row of ``primary_care.csv``."""
    row.filled("dx")
    name = "_".join(filter(None, (row.named.get("dx_name"), row.named.get("procedures_name"))))
    return _diagnoses(row, "dx"), _procedures(row, "procedures"), name


def _resistant(row: _Row, _: str) -> tuple[str, ...]:
    """Return a row of ``sets.csv``: a diagnosis that is itself one of resistance."""
    return "RESISTANT", _whole_diagnosis(row)


def _resistant_others(rows: list[_Row]) -> list[tuple[_Row, tuple[str, ...]]]:
    """Return rows of ``sets.csv``: the other diagnoses that make a case resistant, named by the rules of all groups."""
    found: dict[str, _Row] = {}
    for row in rows:
        codes = _CODE.findall(row.filled("resistance"))
        text = row.plain["resistance"]
        if not codes or (found and set(codes) != found.keys()) or not ("主要诊断" in text and "其他诊断" in text):
            what = f"the rule {row.named['resistance']!r} is not understood"
            fix = "Let each row speak of 主要诊断 and 其他诊断, and name the same other diagnoses"
            raise row.error("unknown_value", what, fix)
        found = found or dict.fromkeys(codes, row)
    return [(row, ("RESISTANT_OTHER", code)) for code, row in found.items()]


def _whole_diagnosis(row: _Row) -> str:
    code = normalise_code(row.filled("dx"))
    if not _WHOLE_DX.fullmatch(code):
        raise row.error("bad_value", f"{row.named['dx']!r} is no diagnosis", "Write one code a row, such as A41.900")
    return code


def _diagnoses(row: _Row, column: str) -> str:
    """Return prefixes of diagnoses without the sign of aetiology (M47.0+); the loader checks the rest."""
    return "|".join(part.removesuffix("+") for part in row.plain[column].split("|"))


def _procedures(row: _Row, column: str) -> str:
    text = normalise_code(row.plain.get(column, ""))
    for code in re.split(r"[|+]", text) if text else ():
        if not _PROCEDURE.fullmatch(code):
            fix = "Write codes such as 36.0601, joined by | (one of them) and + (all of them)"
            raise row.error("bad_value", f"{code!r} is no procedure", fix)
    return text


_READERS: Mapping[str, Callable[[_Row, str], tuple[str, ...]]] = {
    "groups.csv": _group,
    "sets.csv": _resistant,
    "excluded_diagnoses.csv": _excluded_diagnosis,
    "excluded_procedures.csv": _excluded_procedure,
    "primary_care.csv": _primary_care,
}
