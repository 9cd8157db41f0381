"""Cases: one as a model, many as an Arrow table under canonical names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import as_python, is_text, plain_texts, read_numbers, read_values, read_wholes, without_views
from drgdip._arrow import (
    filled,
    flags,
    from_list,
    from_lists,
    from_numpy,
    names_of,
    one_chunk,
    read_once,
    to_arrow,
    valid,
)
from drgdip._mixed import BYTES, CODES, MIXED, TEXT, plain_mixed, texts_of_mixed
from drgdip._money import read_amounts, to_yuan
from drgdip._text import MISSING, is_missing, text_of
from drgdip._values import Unreadable, code_items, read_codes, read_sex
from drgdip.cases.aliases import UNITS
from drgdip.cases.alike import alike_records
from drgdip.cases.case import TYPES, make_case_schema
from drgdip.cases.fields import READERS
from drgdip.cases.names import CODE_COLUMNS, COMPANIONS, UNREADABLE, Resolved, resolve
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from drgdip.cases.names import ColumnNames, Wide

__all__ = [
    "all_columns",
    "as_lists",
    "as_texts",
    "case_columns",
    "clean_codes",
    "marked",
    "read_code_lists",
    "resolve_columns",
    "to_cases",
    "used_names",
    "with_all_columns",
    "with_fen",
    "with_marks",
    "with_newborn_weight",
]


def to_cases(cases: Any, columns: ColumnNames | None = None, *, need_dx: bool = True) -> pa.Table:
    """Return any table of cases as Arrow under canonical names.

    Parameters
    ----------
    cases
        A table of any kind (`drgdip._arrow`), with case columns under canonical names or aliases
        (``docs/cases.md``). Codes are lists, text joined by ``|``, or numbered columns.
    columns
        Name in the table by case column, for names that are no alias (`drgdip.cases.names.resolve`).
    need_dx
        Whether a table without diagnoses is an error.

    Returns
    -------
    The case columns that the table has. The columns that grouping reads have the types of `make_case_schema`, others
    are as they were. The column ``unreadable`` names the columns whose value in a row cannot be read; they are null
    there.

    Raises
    ------
    CaseError
        No table; two columns for one; a column of ``columns`` that is not there; no diagnoses.
    """
    cases = alike_records(cases, columns)
    names = names_of(cases)
    resolved = resolve_columns(names, columns or {}, need_dx=need_dx)
    wide = [name for parts in resolved.wide.values() for name in parts.names]
    marked = [UNREADABLE] if UNREADABLE in names else []
    given = [*resolved.single.values(), *wide]
    table = to_arrow(cases, [*given, *marked], mixed=given)
    result: dict[str, Any] = {}
    failures: list[tuple[str, np.ndarray]] = []
    for column in TYPES:
        if column in COMPANIONS and column in resolved.wide:
            along = resolved.wide.get(COMPANIONS[column])
            if along is not None and len(along.numbered) == len(resolved.wide[column].numbered):
                result[column], _ = _gather(table, along, resolved.wide[column])
        elif column == "items_cost" and column in resolved.wide:
            result[column] = _sum([one_chunk(table[name]) for name in resolved.wide[column].names])
        elif column in resolved.wide or column in resolved.single:
            result[column], failed = _case_column(table, resolved, column)
            if failed.any():
                failures.append((column, failed))
    own = bool(marked) and is_text(table.schema.field(UNREADABLE).type)
    before = one_chunk(table[UNREADABLE]) if own else pa.nulls(len(table), pa.string())
    result[UNREADABLE] = _unreadable(before, failures)
    return pa.table(result)


def _case_column(table: pa.Table, resolved: Resolved, column: str) -> tuple[pa.Array, np.ndarray]:
    """Read a case column; return it, and which rows cannot be read."""
    if column in resolved.wide:
        return _gather(table, resolved.wide[column])
    given = one_chunk(table[resolved.single[column]])
    if column in CODE_COLUMNS:
        return read_code_lists(given)
    if column in READERS:
        return _read_column(given, column)
    plain = texts_of_mixed(given) if given.type == MIXED else _takeable(given)
    return plain, np.zeros(len(given), dtype=bool)


def _takeable(column: pa.Array) -> pa.Array:
    """Return views of texts, as Polars has them, as texts: Arrow takes no rows of views."""
    return plain_texts(column) if pa.types.is_string_view(column.type) else without_views(column)


def case_columns(
    names: list[str], columns: ColumnNames | None = None, *, need_dx: bool = True
) -> dict[str, tuple[str, ...]]:
    """Return the names in a table that hold each case column (and ``unreadable``), as `to_cases` finds them."""
    resolved = resolve_columns(names, columns or {}, need_dx=need_dx)
    found: dict[str, tuple[str, ...]] = {column: (name,) for column, name in resolved.single.items()}
    found |= {column: parts.names for column, parts in resolved.wide.items()}
    return found | ({UNREADABLE: (UNREADABLE,)} if UNREADABLE in names else {})


def used_names(names: list[str], columns: ColumnNames | None = None) -> set[str]:
    """Return the names in a table that hold a case column, or the marks of what cannot be read."""
    return {name for found in case_columns(names, columns).values() for name in found}


def all_columns(cases: Any, columns: ColumnNames | None = None) -> pa.Table:
    """Return a table of any kind as Arrow, read once, all columns under their own names, for `to_cases`."""
    cases = alike_records(read_once(cases), columns)
    return to_arrow(cases, mixed=used_names(names_of(cases), columns))


def resolve_columns(names: list[str], columns: ColumnNames, *, need_dx: bool = True) -> Resolved:
    """Return which names of a table hold which case column, those that the caller names before all others."""
    resolved = resolve(names, columns)
    single, wide = resolved.single, resolved.wide
    if need_dx and "dx" not in single and "dx" not in wide:
        raise CaseError(
            f"no column holds diagnoses; the columns are {', '.join(map(repr, names)) or 'none'}. Name it dx, use one "
            "of the aliases in docs/cases.md, or say which it is with columns={'dx': ...} (--columns dx=NAME on the "
            "command line)"
        )
    used = [*single.values(), *(name for parts in wide.values() for name in parts.names)]
    doubled = [name for name in used if names.count(name) > 1]
    if doubled:
        raise CaseError(
            f"column {doubled[0]!r} stands {names.count(doubled[0])} times in the table; rename all but one"
        )
    return resolved


def as_lists(column: pa.Array) -> pa.Array:
    """Return texts in any layout as lists of texts; text is cut at ``|``, and what is no text becomes one."""
    lists = _text_lists(column)
    if lists is not None:
        return lists
    column = plain_mixed(column) if column.type == MIXED else column
    listed = [_listed(row) for row in as_python(column)]
    return from_lists([[None if is_missing(item) else text_of(item) for item in items] for items in listed])


def _listed(row: Any) -> list[Any]:
    return row if isinstance(row, list) else [] if row is None else text_of(row).split("|")


def read_code_lists(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Read codes in any layout (`drgdip._values.read_codes`): lists of texts, and which rows cannot be read.

    Codes stay as they are written. A row that cannot be read has none.
    """
    lists = _text_lists(column)
    if lists is not None:
        return lists, np.zeros(len(column), dtype=bool)
    rows, failed = [], np.zeros(len(column), dtype=bool)
    for row, value in enumerate(_code_values(column)):
        try:
            rows.append(code_items(value))
        except Unreadable:
            rows.append([])
            failed[row] = True
    return from_lists(rows), failed


def _text_lists(column: pa.Array) -> pa.Array | None:
    """Return a column of texts or of lists of texts as lists, None for any other."""
    kind = column.type
    if is_text(kind) or pa.types.is_null(kind):
        return pc.split_pattern(plain_texts(column).cast(pa.string()), "|")
    if pa.types.is_fixed_size_list(kind) and is_text(kind.value_type):
        column = column.cast(pa.list_(kind.value_type))
    if (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)) and is_text(column.type.value_type):
        inner = column.type.value_type
        if pa.types.is_dictionary(inner) and pa.types.is_string_view(inner.value_type):
            kinds = pa.LargeListArray if pa.types.is_large_list(column.type) else pa.ListArray
            return kinds.from_arrays(column.offsets, without_views(column.values), mask=column.is_null())
        if not pa.types.is_string_view(inner):
            return column
        return column.cast((pa.large_list if pa.types.is_large_list(kind) else pa.list_)(pa.string()))
    return None  # views too, of which casts lose slices


def _code_values(column: pa.Array) -> list[Any]:
    """Return values for `drgdip._values.code_items`: what is neither text nor a list of texts stays what it is."""
    if column.type != MIXED:
        column = plain_texts(column)
        return as_python(column) if pa.types.is_nested(column.type) or _may_be_text(column.type) else _numbers(column)
    texts, kinds, items = (part.to_pylist() for part in column.flatten())
    chosen = {None: None, TEXT: 0, BYTES: 0, CODES: 1}
    return [
        (text, found)[place] if (place := chosen.get(kind, 2)) in (0, 1) else None if place is None else _NO_CODE
        for text, kind, found in zip(texts, kinds, items, strict=True)
    ]


def _may_be_text(kind: pa.DataType) -> bool:
    return not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind))


def _numbers(column: pa.Array) -> list[Any]:
    """Return what stands for no code where a number, a day or a flag stands, None where there is none."""
    missing = pc.is_null(column, nan_is_null=True).to_pylist()
    return [None if none else _NO_CODE for none in missing]


#: A value that is no code.
_NO_CODE = 0


def as_texts(column: pa.Array) -> pa.Array:
    """Return values in any layout as texts."""
    return _texts(column, codes=False)[0]


def _texts(column: pa.Array, *, codes: bool) -> tuple[pa.Array, np.ndarray]:
    """Return a column of single codes as texts, and which rows hold no code; of others every value is its text."""
    failed = np.zeros(len(column), dtype=bool)
    if is_text(column.type) or pa.types.is_null(column.type):
        return plain_texts(column).cast(pa.string()), failed
    if not codes:
        column = plain_mixed(column) if column.type == MIXED else column
        texts = [None if is_missing(value) else text_of(value) for value in as_python(column)]
        return from_list(texts, pa.string()), failed
    found: list[str | None] = []
    for row, value in enumerate(_code_values(column)):
        try:
            found += code_items([value])
        except Unreadable:
            found.append(None)
            failed[row] = True
    return from_list(found, pa.string()), failed


def _gather(table: pa.Table, wide: Wide, companion: Wide | None = None) -> tuple[pa.Array, np.ndarray]:
    """Return codes that stand in several columns as lists, without the empty cells behind the principal one.

    The rows that cannot be read come second. With a companion, the lists hold the cells of its columns in the places
    of the codes that are kept.
    """
    rows = len(table)
    wide = _plain_head(table, wide)
    if wide.head is not None and companion is not None:
        return pa.nulls(rows, pa.large_list(pa.string())), np.zeros(rows, dtype=bool)  # no cell has a place in the list
    cells, failed = _cells(table, wide, codes=True)
    kept = np.empty((rows, len(cells)), dtype=bool)
    for place, column in enumerate(cells):
        kept[:, place] = ~_stand_for_nothing(column)
    kept[:, 0] |= kept.any(axis=1)
    heads, further = pa.nulls(rows), []
    if companion is None:
        read = [read_code_lists(one_chunk(table[name])) for name in wide.listed]
        further = [found for found, _ in read]
        if wide.head is not None:
            heads, bad = read_code_lists(one_chunk(table[wide.head]))
            failed = failed | bad
        failed = np.logical_or.reduce([failed, *(bad for _, bad in read)])
    kept[failed] = False
    row, position = np.nonzero(kept)
    texts = pa.concat_arrays(cells if companion is None else _cells(table, companion, codes=False)[0])
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    lists = pa.LargeListArray.from_arrays(from_numpy(offsets), texts.take(from_numpy(position * rows + row)))
    if companion is not None or (wide.head is None and not wide.listed):
        return lists, failed
    begun = lists.to_pylist()
    if wide.head is not None:
        whole = heads.to_pylist()
        begun = [[*(first or [None]), *more[1:]] for first, more in zip(whole, begun, strict=True)]
    rows_of = zip(begun, failed.tolist(), *(found.to_pylist() for found in further), strict=True)
    return from_lists(
        [
            [] if bad else [*(row or [None]), *(code for more in others for code in more or ())]
            for row, bad, *others in rows_of
        ]
    ), failed


def _plain_head(table: pa.Table, wide: Wide) -> Wide:
    """Return the columns with a head that has one code a row as what it is, a column of principal codes."""
    if wide.head is None:
        return wide
    column = one_chunk(table[wide.head])
    scalar = is_text(column.type) or pa.types.is_null(column.type)
    if not scalar or (is_text(column.type) and pc.any(pc.match_substring(column.cast(pa.string()), "|")).as_py()):
        return wide
    return wide._replace(head=None, principal=wide.head)


def _cells(table: pa.Table, wide: Wide, *, codes: bool) -> tuple[list[pa.Array], np.ndarray]:
    """Return the principal and the numbered columns as texts, nulls for a principal one that is not there.

    The rows in which one of them holds no code come second.
    """
    names = [*([wide.principal] if wide.principal is not None else []), *wide.numbered]
    read = [_texts(one_chunk(table[name]), codes=codes) for name in names]
    cells = [texts for texts, _ in read]
    failed = np.logical_or.reduce([np.zeros(len(table), dtype=bool), *(bad for _, bad in read)])
    return (cells if wide.principal is not None else [pa.nulls(len(table), pa.string()), *cells]), failed


def _stand_for_nothing(texts: pa.Array) -> np.ndarray:
    """Return which texts stand for no code (`drgdip._text.is_missing`)."""
    if texts.null_count == len(texts):
        return np.full(len(texts), True)
    trimmed = pc.utf8_trim_whitespace(texts)
    missing = np.array(flags(pc.is_in(trimmed, from_list([*sorted(MISSING), None], pa.string()))))
    # Written in another case or another width they are as short.
    short = ~missing & (filled(pc.utf8_length(trimmed), 0) <= _LONGEST_MISSING)
    if short.any():
        encoded = trimmed.filter(from_numpy(short)).dictionary_encode()
        nothing = np.array([is_missing(text) for text in encoded.dictionary.to_pylist()], dtype=bool)
        missing[short] = nothing[filled(encoded.indices, 0)]
    return missing


_LONGEST_MISSING = max(map(len, MISSING))


def _sum(columns: list[pa.Array]) -> pa.Array:
    """Return the sum of amounts in yuan without missing ones; null where all are, or where one cannot be read."""
    fen, known, failed = (np.zeros(len(columns[0]), dtype=kind) for kind in (np.int64, bool, bool))
    for column in columns:
        amounts, there, bad = read_amounts(column)
        fen += amounts
        known |= there
        failed |= bad
    return to_yuan(fen, known & ~failed)


def _read_column(column: pa.Array, name: str) -> tuple[pa.Array, np.ndarray]:
    """Read a column by the reader of its values; return it, and which rows cannot be read."""
    wanted, units = TYPES[name], UNITS.get(name, ())
    if wanted == pa.float64():
        numbers, failed = read_numbers(column, units=units)
        return from_numpy(numbers, ~np.isnan(numbers)), failed
    plain = pa.types.is_integer(column.type) or pa.types.is_null(column.type)
    if wanted == pa.int64() and (plain or READERS[name] is not read_sex):
        return read_wholes(column, units=units)
    if plain:
        return column.cast(wanted), np.zeros(len(column), dtype=bool)
    return read_values(column, READERS[name], wanted)


def _unreadable(before: pa.Array, failures: list[tuple[str, np.ndarray]]) -> pa.Array:
    if not failures:
        return before.cast(pa.string())
    names = np.array([f"{name or ''} " for name in before.to_pylist()], dtype=object)
    for column, failed in failures:
        names[failed] += column + " "
    return from_list([" ".join(dict.fromkeys(name.split())) or None for name in names], pa.string())


def with_marks(cases: pa.Table, failures: list[tuple[str, np.ndarray]]) -> pa.Table:
    """Return cases with more columns marked as unreadable in some rows."""
    failures = [failure for failure in failures if failure[1].any()]
    if not failures:
        return cases
    marks = _unreadable(one_chunk(cases[UNREADABLE]), failures)
    return cases.set_column(cases.column_names.index(UNREADABLE), UNREADABLE, marks)


def with_all_columns(cases: pa.Table) -> pa.Table:
    """Return cases with nulls for the columns that they do not have: a file is grouped as far as it goes."""
    for field in make_case_schema():
        if field.name not in cases.column_names:
            cases = cases.append_column(field, pa.nulls(len(cases), field.type))
    return cases


def with_newborn_weight(cases: pa.Table, kind: str) -> pa.Table:
    """Fill in the newborn weight of cases, where it is not given, from the one of a kind (birth, admission).

    A row in which that one cannot be read is marked for it.
    """
    other = f"{kind}_weight"
    if other not in cases.column_names:
        return cases
    marks, weight = one_chunk(cases[UNREADABLE]), one_chunk(cases[other])
    if "newborn_weight" not in cases.column_names:
        cases = cases.append_column("newborn_weight", pa.nulls(len(cases), pa.int64()))
    given = one_chunk(cases["newborn_weight"])
    taken = ~(valid(given) | marked(marks, "newborn_weight"))
    values = pc.if_else(from_numpy(taken), weight, given)
    cases = cases.set_column(cases.column_names.index("newborn_weight"), "newborn_weight", values)
    failed = taken & marked(marks, other)
    return with_marks(cases, [("newborn_weight", failed)])


def with_fen(cases: pa.Table) -> pa.Table:
    """Return cases whose total cost is in whole fen, as floats; rows in which it cannot be read are marked for it."""
    if "total_cost" not in cases.column_names:
        return cases
    fen, known, failed = read_amounts(one_chunk(cases["total_cost"]))
    column = from_numpy(fen.astype(np.float64), known)
    cases = cases.set_column(cases.column_names.index("total_cost"), "total_cost", column)
    return with_marks(cases, [("total_cost", failed)])


def marked(marks: pa.Array, column: str) -> np.ndarray:
    """Return in which rows a column cannot be read, by the column `drgdip.cases.fields.UNREADABLE`."""
    if marks.null_count == len(marks):
        return np.zeros(len(marks), dtype=bool)
    found = pc.match_substring_regex(marks, rf"(^| ){column}( |$)")
    return flags(pc.if_else(marks.is_valid(), found, from_numpy(np.zeros(len(marks), dtype=bool))))


def clean_codes(lists: pa.Array) -> pa.Array:
    """Return lists of codes with every code normalised and without missing ones behind the first."""
    codes = plain_texts(lists.flatten())
    encoded = codes.dictionary_encode()
    cleaned = [read_codes(code) for code in encoded.dictionary.to_pylist()]
    if codes.null_count or any(len(found) != 1 for found in cleaned):
        return from_lists([read_codes(row) for row in lists.to_pylist()])
    lengths = filled(pc.list_value_length(lists), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = from_list([found[0] for found in cleaned], pa.string()).take(encoded.indices)
    return pa.ListArray.from_arrays(from_numpy(offsets), values)
