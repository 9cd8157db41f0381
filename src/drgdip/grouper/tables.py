"""The files of a scheme or a catalogue, read strictly: every fault is an error that names the file and the line."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drgdip._text import normalise_code
from drgdip.errors import SchemeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "AUXILIARY",
    "AUXILIARY_COLUMNS",
    "CATALOGUE",
    "CHANGES",
    "COLUMNS",
    "OPTIONAL",
    "OVERLAY",
    "SCHEME",
    "Layout",
    "Table",
    "check_cells",
    "read_contents",
    "read_folder",
    "read_table",
    "read_toml",
]

#: Columns of each file of a scheme folder, in order. The first six must be there, unless the scheme extends another.
COLUMNS = {
    "mdc.csv": ("code", "name", "order", "rule"),
    "adrg.csv": ("code", "name", "mdc", "order", "kind", "rule", "result_mdc"),
    "drg.csv": ("code", "name", "adrg", "order", "rule"),
    "sets.csv": ("set", "code"),
    "severity.csv": ("code", "level", "exclusion"),
    "exclusions.csv": ("exclusion", "code"),
    "unreachable.csv": ("table", "parent", "order", "code", "reason"),
    "differences.csv": (),  # what the sources disagree on: columns as its provenance needs
    "set_sources.csv": ("set", "source"),
    "not_grouped.csv": ("kind", "code"),  # diagnoses and procedures that take no part in grouping
    "basic_groups.csv": ("code", "kind"),
}
OPTIONAL = ("unreachable.csv", "differences.csv", "set_sources.csv", "not_grouped.csv", "basic_groups.csv")
#: Columns that tell the rows of a table apart.
KEYS = {
    "mdc.csv": ("code",),
    "adrg.csv": ("mdc", "order"),
    "drg.csv": ("code",),
    "sets.csv": ("set", "code"),
    "severity.csv": ("code", "level"),
    "exclusions.csv": ("exclusion", "code"),
    "unreachable.csv": ("table", "parent", "order"),
    "set_sources.csv": ("set",),
    "not_grouped.csv": ("kind", "code"),
    "basic_groups.csv": ("code",),
}
#: Columns of the tables that hold changes to the base where the scheme extends another. All of them tell rows apart.
CHANGES = {name: ("change", *COLUMNS[name]) for name in ("sets.csv", "severity.csv", "exclusions.csv")}
#: Columns of each file of a catalogue folder, in order. The first must be there.
CATALOGUE_COLUMNS = {
    "groups.csv": (
        "group",
        "kind",
        "dx",
        "procedures",
        "related",
        "other_dx",
        "anywhere",
        "condition",
        "treatment",
        "tier",
        "score",
        "primary_care",
        "origin",
        "name",
        "note",
    ),
    "primary_care.csv": ("dx", "procedures", "name"),
    "excluded_diagnoses.csv": ("code",),
    "excluded_procedures.csv": ("code", "treatment", "allowed_with"),
    "ignored_procedures.csv": ("code",),
    "procedure_types.csv": ("code", "type", "tier"),
    "sets.csv": ("set", "code"),
    "statistics.csv": ("group", "n", "mean", "cv"),
    "differences.csv": (),
}


#: The tables whose column ``code`` holds codes of diagnoses or procedures.
_HOLD_CODES = frozenset(
    {
        "sets.csv",
        "severity.csv",
        "exclusions.csv",
        "excluded_diagnoses.csv",
        "excluded_procedures.csv",
        "ignored_procedures.csv",
        "procedure_types.csv",
        "not_grouped.csv",
    }
)
#: Signs that some code of a column is not written as the code sets write it.
_UNCLEAN = re.compile(r"[^!-~]|[0-9.]X")


@dataclass(frozen=True, slots=True)
class Layout:
    """The contents of a folder.

    Attributes
    ----------
    head
        The TOML file that states id, title, counts and options.
    columns
        Columns by file, in order; none stand for any.
    optional
        The files that may be absent.
    keys
        Columns that tell the rows of a file apart.
    may_be_empty
        Columns whose cells may be empty.
    """

    head: str
    columns: Mapping[str, tuple[str, ...]]
    optional: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]]
    may_be_empty: Collection[str]


SCHEME = Layout("scheme.toml", COLUMNS, OPTIONAL, KEYS, {"name", "rule", "exclusion", "parent", "result_mdc"})
#: That of a scheme that extends another: it may leave out any table.
OVERLAY = Layout(SCHEME.head, COLUMNS | CHANGES, tuple(COLUMNS), KEYS | CHANGES, SCHEME.may_be_empty)
CATALOGUE = Layout(
    "catalogue.toml",
    CATALOGUE_COLUMNS,
    tuple(CATALOGUE_COLUMNS)[1:],
    {
        "groups.csv": ("group",),
        "primary_care.csv": ("dx", "procedures"),
        "excluded_diagnoses.csv": ("code",),
        "excluded_procedures.csv": ("code",),
        "ignored_procedures.csv": ("code",),
        "procedure_types.csv": ("code",),
        "sets.csv": ("set", "code"),
        "statistics.csv": ("group",),
    },
    {*CATALOGUE_COLUMNS["groups.csv"][3:], "allowed_with", "cv"},
)
#: Columns of each file of a folder of auxiliary types, in order. All must be there.
AUXILIARY_COLUMNS = {
    "catalogues.csv": ("catalogue", "name", "bands"),
    "types.csv": ("catalogue", "type", "meaning"),
    "conditions.csv": ("catalogue", "type", "measure", "operator", "value"),
    "lists.csv": ("list", "dx", "meaning"),
}
AUXILIARY = Layout(
    "auxiliary.toml",
    AUXILIARY_COLUMNS,
    (),
    {
        "catalogues.csv": ("catalogue",),
        "types.csv": ("catalogue", "type"),
        "conditions.csv": ("catalogue", "type", "measure", "operator"),
        "lists.csv": ("list",),
    },
    {"bands", "dx"},
)


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file: its path and its columns as read.

    ``lines`` has the line of each row where cells hold line breaks, ``paths`` where each row stands if not in one file.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: tuple[int, ...] = ()
    paths: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows, in the order of the file."""
        return zip(*self.columns.values(), strict=True)

    def error(self, problem: str, row: int, what: str, fix: str) -> SchemeError:
        """Return an error about the row of this index; the header is line 1 of the file."""
        line = self.lines[row] if self.lines else row + 2
        path = self.paths[row] if self.paths else self.path
        return SchemeError(problem, what, file=path, row=line, fix=fix)


def read_folder(folder: Path, layout: Layout = SCHEME, base_digest: str = "") -> tuple[dict[str, Table], str]:
    """Return the tables of a folder by file name, and the SHA-256 over its files.

    The digest covers the names and contents of the head and the tables, in order of name. For a scheme that extends
    another (`OVERLAY`), it covers the base's digest after them.
    """
    contents: dict[str, bytes] = {}
    for name in (layout.head, *layout.columns):
        path = folder / name
        if path.is_file():
            contents[name] = path.read_bytes()
        elif name not in layout.optional:
            raise _missing(path, layout)
    return read_contents(folder, contents, layout, base_digest)


def read_contents(
    folder: Path, contents: Mapping[str, bytes], layout: Layout, base_digest: str = ""
) -> tuple[dict[str, Table], str]:
    """Return the tables of a folder whose files are in memory, by file name, and the SHA-256 that it would have."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\n{len(contents[name])}\n".encode())
        digest.update(contents[name])
    digest.update(base_digest.encode())
    tables = {name: read_table(folder / name, layout, contents[name]) for name in layout.columns if name in contents}
    return tables, digest.hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file as a dictionary."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path, CATALOGUE if path.name == CATALOGUE.head else SCHEME) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemeError("bad_toml", f"not a TOML file: {error}", file=path, fix="Mend the line named") from error


def _missing(path: Path, layout: Layout) -> SchemeError:
    needed = ", ".join(name for name in layout.columns if name not in layout.optional)
    fix = f"The folder holds {layout.head}, {needed}"
    return SchemeError("missing_file", "the file is missing", file=path, fix=fix)


def read_table(path: Path, layout: Layout = SCHEME, content: bytes | None = None) -> Table:
    """Return one CSV file of a folder; with the content of one that has been read already."""
    content = path.read_bytes() if content is None else content
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 (byte {error.start})"
        raise SchemeError("bad_encoding", what, file=path, fix="Save the file as UTF-8") from error
    text = text.replace("\r\n", "\n")
    header_line, _, body = text.partition("\n")
    header = next(csv.reader([header_line]), [])
    _check_header(path, tuple(header), layout.columns[path.name])
    table = _table(path, header, body)
    if path.name in _HOLD_CODES:
        _normalise_codes(table)
    check_cells(table, path.name, layout)
    return table


def _normalise_codes(table: Table) -> None:
    """Write the codes of a table as the code sets write them, so that both engines find them."""
    codes = table.columns["code"]
    if _UNCLEAN.search(",".join(codes)):
        table.columns["code"] = [normalise_code(code) for code in codes]


def _check_header(path: Path, header: tuple[str, ...], expected: tuple[str, ...]) -> None:
    if not expected:
        return
    fix = f"The columns are {','.join(expected)}"
    for column in header:
        if column not in expected:
            raise SchemeError("unknown_column", f"unknown column {column!r}", file=path, row=1, fix=fix)
    for column in expected:
        if column not in header:
            raise SchemeError("missing_column", f"column {column!r} is missing", file=path, row=1, fix=fix)
    if header != expected:
        raise SchemeError("unknown_column", f"columns stand as {','.join(header)}", file=path, row=1, fix=fix)


def _table(path: Path, header: list[str], body: str) -> Table:
    """Return the cells by column. Files without quotes, the long ones, are cut without a list for each row."""
    width = len(header)
    body = body.removesuffix("\n")
    lines: list[int] = []
    if '"' in body:
        rows = _quoted_rows(path, body)
        lines = [line for line, _ in rows]
        widths = [len(row) for _, row in rows]
        cells = [cell for _, row in rows for cell in row]
    else:
        texts = body.split("\n") if body else []
        widths = [text.count(",") + 1 for text in texts]
        cells = body.replace("\n", ",").split(",") if body else []
    if not set(widths) <= {width}:
        row = next(i for i, found in enumerate(widths) if found != width)
        what = f"{widths[row]} cells where there are {width} columns"
        fix = "Quote a cell that holds a comma, and leave no blank line"
        raise SchemeError("wrong_length", what, file=path, row=lines[row] if lines else row + 2, fix=fix)
    columns = {column: cells[position::width] for position, column in enumerate(header)}
    return Table(path, columns, tuple(lines))


def _quoted_rows(path: Path, body: str) -> list[tuple[int, list[str]]]:
    """Return the rows with the line that each begins on."""
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    rows = []
    line = 2
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 2
    except csv.Error as error:
        fix = "Close every quote, and double one inside a quoted cell"
        raise SchemeError("bad_csv", f"the row is not CSV ({error})", file=path, row=line, fix=fix) from error
    return rows


def check_cells(table: Table, name: str, layout: Layout) -> None:
    """Refuse empty cells and rows that stand twice in the table of this name."""
    columns = layout.columns[name]
    # The change of a whole set names no code.
    may_be_empty = {*layout.may_be_empty, "code"} if "change" in columns else layout.may_be_empty
    for column in columns:
        cells = table.columns[column]
        if column not in may_be_empty and "" in cells:
            raise table.error("empty_cell", cells.index(""), f"column {column!r} is empty", "Fill it or drop the row")
    keys_of = layout.keys.get(name)
    if keys_of is None:
        return
    keys = list(zip(*(table.columns[column] for column in keys_of), strict=True))
    if len(set(keys)) == len(keys):
        return
    first: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(keys):
        if key in first:
            line = table.lines[first[key]] if table.lines else first[key] + 2
            what = f"{' and '.join(keys_of)} {', '.join(key)}: already on line {line}"
            raise table.error("duplicate", row, what, "Keep one of the two rows")
        first[key] = row
