"""Cases: one as a model, many as an Arrow table under canonical names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import as_python, is_text, read_numbers, read_values, read_wholes
from drgdip._arrow import filled, flags, from_list, from_lists, from_numpy, names_of, one_chunk, to_arrow, valid
from drgdip._money import read_amounts, to_yuan
from drgdip._text import MISSING, is_missing, text_of
from drgdip._values import read_codes, read_number, read_whole
from drgdip.cases.case import TYPES, make_case_schema
from drgdip.cases.fields import READERS
from drgdip.cases.names import CODE_COLUMNS, COMPANIONS, UNREADABLE, Resolved, resolve
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from drgdip.cases.names import ColumnNames, Wide

__all__ = [
    "as_lists",
    "case_columns",
    "clean_codes",
    "marked",
    "resolve_columns",
    "to_cases",
    "used_names",
    "with_all_columns",
    "with_fen",
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
    names = names_of(cases)
    resolved = resolve_columns(names, columns or {}, need_dx=need_dx)
    wide = [name for parts in resolved.wide.values() for name in parts.names]
    marked = [UNREADABLE] if UNREADABLE in names else []
    table = to_arrow(cases, [*resolved.single.values(), *wide, *marked])
    result: dict[str, Any] = {}
    failures: list[tuple[str, np.ndarray]] = []
    for column in TYPES:
        if column in COMPANIONS and column in resolved.wide:
            along = resolved.wide.get(COMPANIONS[column])
            if along is not None and len(along.numbered) == len(resolved.wide[column].numbered):
                result[column] = _gather(table, along, resolved.wide[column])
        elif column == "items_cost" and column in resolved.wide:
            result[column] = _sum([one_chunk(table[name]) for name in resolved.wide[column].names])
        elif column in resolved.wide:
            result[column] = _gather(table, resolved.wide[column])
        elif column in resolved.single:
            given = one_chunk(table[resolved.single[column]])
            if column in CODE_COLUMNS:
                given = as_lists(given)
            elif column in READERS:
                given, failed = _read_column(given, column)
                if failed.any():
                    failures.append((column, failed))
            result[column] = given
    own = bool(marked) and is_text(table.schema.field(UNREADABLE).type)
    before = one_chunk(table[UNREADABLE]) if own else pa.nulls(len(table), pa.string())
    result[UNREADABLE] = _unreadable(before, failures)
    return pa.table(result)


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
    """Return codes in any layout as lists of texts; text is cut at ``|``. Codes stay as they are written."""
    kind = column.type
    if is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return pc.split_pattern(column.cast(pa.string()), "|")
    if pa.types.is_fixed_size_list(kind) and is_text(kind.value_type):
        column = column.cast(pa.list_(kind.value_type))
    if (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)) and is_text(column.type.value_type):
        inner = column.type.value_type
        if not pa.types.is_string_view(inner):
            return column
        return column.cast((pa.large_list if pa.types.is_large_list(kind) else pa.list_)(pa.string()))
    # Seldom: views, of which casts lose slices, and codes that are no texts.
    return from_lists([[] if row is None else read_codes(row) for row in as_python(column)])


def _texts(column: pa.Array) -> pa.Array:
    """Return a column of single codes as texts."""
    if is_text(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.string())
    return from_list([None if is_missing(value) else text_of(value) for value in as_python(column)], pa.string())


def _gather(table: pa.Table, wide: Wide, companion: Wide | None = None) -> pa.Array:
    """Return codes that stand in several columns as lists, without the empty cells behind the principal one.

    With a companion, the lists hold the cells of its columns in the places of the codes that are kept.
    """
    rows = len(table)
    wide = _plain_head(table, wide)
    if wide.head is not None and companion is not None:
        return pa.nulls(rows, pa.large_list(pa.string()))  # nothing says which place of the list a cell belongs to
    cells = _cells(table, wide)
    empty = from_list([*sorted(MISSING), None], pa.string())
    kept = np.empty((rows, len(cells)), dtype=bool)
    for place, column in enumerate(cells):
        missing = pc.is_in(pc.utf8_trim_whitespace(column), empty)
        kept[:, place] = ~flags(missing)
    kept[:, 0] |= kept.any(axis=1)
    row, position = np.nonzero(kept)
    texts = pa.concat_arrays(cells if companion is None else _cells(table, companion))
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    lists = pa.LargeListArray.from_arrays(from_numpy(offsets), texts.take(from_numpy(position * rows + row)))
    if companion is not None or (wide.head is None and not wide.listed):
        return lists
    begun = lists.to_pylist()
    if wide.head is not None:
        whole = as_lists(one_chunk(table[wide.head])).to_pylist()
        begun = [[*(first or [None]), *more[1:]] for first, more in zip(whole, begun, strict=True)]
    further = [as_lists(one_chunk(table[name])).to_pylist() for name in wide.listed]
    return from_lists(
        [
            [*(row or [None]), *(code for more in others for code in more or ())]
            for row, *others in zip(begun, *further, strict=True)
        ]
    )


def _plain_head(table: pa.Table, wide: Wide) -> Wide:
    """Return the columns with a head that has one code a row as what it is, a column of principal codes."""
    if wide.head is None:
        return wide
    column = one_chunk(table[wide.head])
    scalar = is_text(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)
    if not scalar or (is_text(column.type) and pc.any(pc.match_substring(column.cast(pa.string()), "|")).as_py()):
        return wide
    return wide._replace(head=None, principal=wide.head)


def _cells(table: pa.Table, wide: Wide) -> list[pa.Array]:
    """Return the principal and the numbered columns as texts, nulls for a principal one that is not there."""
    names = [*([wide.principal] if wide.principal is not None else []), *wide.numbered]
    cells = [_texts(one_chunk(table[name])) for name in names]
    return cells if wide.principal is not None else [pa.nulls(len(table), pa.string()), *cells]


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
    read, wanted = READERS[name], TYPES[name]
    if read is read_number:
        numbers, failed = read_numbers(column)
        return from_numpy(numbers, ~np.isnan(numbers)), failed
    plain = pa.types.is_integer(column.type) or pa.types.is_null(column.type)
    if read is read_whole or (plain and wanted == pa.int64()):
        return read_wholes(column)
    return (column.cast(wanted), np.zeros(len(column), dtype=bool)) if plain else read_values(column, read, wanted)


def _unreadable(before: pa.Array, failures: list[tuple[str, np.ndarray]]) -> pa.Array:
    if not failures:
        return before.cast(pa.string())
    names = np.array([f"{name or ''} " for name in before.to_pylist()], dtype=object)
    for column, failed in failures:
        names[failed] += column + " "
    return from_list([" ".join(dict.fromkeys(name.split())) or None for name in names], pa.string())


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
    if failed.any():
        marks = _unreadable(marks, [("newborn_weight", failed)])
        cases = cases.set_column(cases.column_names.index(UNREADABLE), UNREADABLE, marks)
    return cases


def with_fen(cases: pa.Table) -> pa.Table:
    """Return cases whose total cost is in whole fen, as floats; rows in which it cannot be read are marked for it."""
    if "total_cost" not in cases.column_names:
        return cases
    fen, known, failed = read_amounts(one_chunk(cases["total_cost"]))
    column = from_numpy(fen.astype(np.float64), known)
    cases = cases.set_column(cases.column_names.index("total_cost"), "total_cost", column)
    if failed.any():
        marks = _unreadable(one_chunk(cases[UNREADABLE]), [("total_cost", failed)])
        cases = cases.set_column(cases.column_names.index(UNREADABLE), UNREADABLE, marks)
    return cases


def marked(marks: pa.Array, column: str) -> np.ndarray:
    """Return in which rows a column cannot be read, by the column `drgdip.cases.fields.UNREADABLE`."""
    if marks.null_count == len(marks):
        return np.zeros(len(marks), dtype=bool)
    found = pc.match_substring_regex(marks, rf"(^| ){column}( |$)")
    return flags(pc.if_else(marks.is_valid(), found, from_numpy(np.zeros(len(marks), dtype=bool))))


def clean_codes(lists: pa.Array) -> pa.Array:
    """Return lists of codes with every code normalised and without missing ones behind the first."""
    codes = lists.flatten()
    if pa.types.is_dictionary(codes.type):
        codes = codes.cast(codes.type.value_type)
    encoded = codes.dictionary_encode()
    cleaned = [read_codes(code) for code in encoded.dictionary.to_pylist()]
    if codes.null_count or any(len(found) != 1 for found in cleaned):
        return from_lists([read_codes(row) for row in lists.to_pylist()])
    lengths = filled(pc.list_value_length(lists), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = from_list([found[0] for found in cleaned], pa.string()).take(encoded.indices)
    return pa.ListArray.from_arrays(from_numpy(offsets), values)
