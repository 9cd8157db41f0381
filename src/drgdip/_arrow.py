"""Doors: any table in as Arrow, and the same kind of table out.

Nothing is imported that the caller did not bring: a container is recognised by the module of its type.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from drgdip._mixed import from_mixed, is_alike, plain_mixed
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_P = ParamSpec("_P")
_R = TypeVar("_R")

__all__ = [
    "filled",
    "flags",
    "from_list",
    "from_lists",
    "from_numpy",
    "from_values",
    "given_back",
    "kind_of",
    "names_of",
    "one_chunk",
    "read_once",
    "reads_once",
    "to_arrow",
    "to_kind",
    "valid",
    "with_columns",
]

_KINDS = (
    "a pyarrow Table or RecordBatch, a pandas or Polars frame, a DuckDB relation, a list of dicts, "
    "or any object with __arrow_c_stream__"
)


def kind_of(data: object) -> str:
    """Return the kind of a table: pyarrow, batch, pandas, polars, lazy, duckdb, records or capsule."""
    module = type(data).__module__.partition(".")[0]
    name = type(data).__name__
    if isinstance(data, pa.Table):
        return "pyarrow"
    if isinstance(data, pa.RecordBatch):
        return "batch"
    if module == "pandas" and name == "DataFrame":
        return "pandas"
    if module == "polars" and name in {"DataFrame", "LazyFrame"}:
        return "polars" if name == "DataFrame" else "lazy"
    if "duckdb" in module and name == "DuckDBPyRelation":
        return "duckdb"
    if isinstance(data, list | tuple) and all(isinstance(row, dict) for row in data):
        return "records"
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return "capsule"
    hint = "; put one record into a list" if isinstance(data, dict) else ""
    raise CaseError(f"a {type(data).__name__} is no table: give {_KINDS}{hint}")


def names_of(data: Any) -> list[str]:
    """Return the column names of a table of any kind."""
    kind = kind_of(data)
    if kind in {"pandas", "polars", "duckdb"}:
        return [str(name) for name in data.columns]
    if kind == "lazy":
        return list(data.collect_schema().names())
    if kind == "records":
        return list(dict.fromkeys(str(name) for row in data for name in row))
    return list((data if kind in {"pyarrow", "batch"} else _from_capsule(data)).schema.names)


def to_arrow(data: Any, columns: list[str] | None = None, *, mixed: Collection[str] = ()) -> pa.Table:
    """Return a table as Arrow, of all columns or of those named (which must be there).

    Of the columns named in ``mixed``, those with values of several kinds are of `drgdip._mixed.MIXED`.
    """
    kind = kind_of(data)
    if kind == "pandas":
        place = {str(name): position for position, name in enumerate(data.columns)}  # names may be numbers
        names = list(place) if columns is None else columns
        return pa.table({name: _from_pandas(data.iloc[:, place[name]], name, mixed) for name in names})
    if kind == "lazy":
        data = data.collect()
    if kind == "records":
        names = list(dict.fromkeys(name for row in data for name in row)) if columns is None else columns
        table = pa.table(
            {name: from_values([row.get(name) for row in data], name, mixed=name in mixed) for name in names}
        )
    elif kind in {"polars", "lazy"}:
        table = _from_polars(data, columns, mixed)
    elif kind == "batch":
        table = pa.Table.from_batches([data])
    elif kind == "duckdb":
        table = pa.table(data.to_arrow_table() if hasattr(data, "to_arrow_table") else data.arrow())
    else:
        table = data if kind == "pyarrow" else _from_capsule(data)
    return _without_views(table if columns is None else table.select(columns))


def _without_views(table: pa.Table) -> pa.Table:
    """Return a table without views of texts: Arrow takes and filters no rows of them, before 18 it casts none."""
    kinds = [_without_view(field.type) for field in table.schema]
    if kinds != table.schema.types:
        fields = [field.with_type(kind) for field, kind in zip(table.schema, kinds, strict=True)]
        with contextlib.suppress(pa.ArrowNotImplementedError):
            return table.cast(pa.schema(fields, table.schema.metadata))
    return table


def _without_view(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lists = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return lists(kind.value_field.with_type(_without_view(kind.value_type)))
    return pa.large_string() if pa.types.is_string_view(kind) else kind


def _from_polars(frame: Any, columns: list[str] | None, mixed: Collection[str]) -> pa.Table:
    """Return columns of a Polars frame; those that it cannot hand to Arrow, objects and 128 bits, value by value."""
    frame = frame if columns is None else frame.select(list(dict.fromkeys(columns)))
    odd = [name for name, kind in frame.schema.items() if str(kind) in {"Object", "Int128", "UInt128"}]
    table = frame.drop(odd).to_arrow()  # without views of texts, which its stream has
    if not odd:
        return table
    read = {name: from_values(frame[name].to_list(), name, mixed=name in mixed) for name in odd}
    return pa.table({name: read[name] if name in read else table[name] for name in frame.columns})


def _from_capsule(data: Any) -> pa.Table:
    """Return a table from an Arrow capsule: ``pa.table`` would ask pandas whether it knows the object."""
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data).read_all()
    return pa.Table.from_batches([pa.record_batch(data)])


def from_numpy(values: np.ndarray, known: np.ndarray | None = None) -> pa.Array:
    """Return numbers or flags as an Arrow array, null where not known.

    ``pa.array`` would import pandas if it is installed: a caller without pandas need not wait.
    """
    content = np.packbits(values, bitorder="little") if values.dtype == bool else np.ascontiguousarray(values)
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [validity, pa.py_buffer(content)])


def from_list(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return texts, numbers or flags, None for null, as an Arrow array, without ``pa.array`` (see `from_numpy`)."""
    known = np.array([value is not None for value in values], dtype=bool)
    if kind != pa.string():
        filled = [0 if value is None else value for value in values]
        return from_numpy(np.array(filled, dtype=kind.to_pandas_dtype()), known)
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [np.packbits(known, bitorder="little"), offsets, b"".join(encoded)]
    return pa.Array.from_buffers(kind, len(encoded), [pa.py_buffer(buffer) for buffer in buffers])


def from_lists(lists: Sequence[Sequence[str | None]]) -> pa.Array:
    """Return lists of texts as an Arrow array, without ``pa.array`` (see `from_numpy`)."""
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    return pa.ListArray.from_arrays(
        from_numpy(offsets), from_list([text for row in lists for text in row], pa.string())
    )


def filled(numbers: pa.Array, instead: float) -> np.ndarray:
    """Return an Arrow array of numbers as a numpy one, with something instead of nulls.

    ``fill_null`` would import pandas, and so would ``to_numpy`` where it copies.
    """
    kind = np.dtype(numbers.type.to_pandas_dtype())
    if instead < 0 and kind.kind == "u" and numbers.null_count:  # there is no -1 among unsigned numbers
        numbers, kind = numbers.cast(pa.int64()), np.dtype(np.int64)
    values = np.frombuffer(numbers.buffers()[1], kind, count=len(numbers), offset=kind.itemsize * numbers.offset)
    return np.where(valid(numbers), values, instead) if numbers.null_count else values


def flags(array: pa.Array) -> np.ndarray:
    """Return an Arrow array of flags without nulls as a numpy one."""
    return _bits(array.buffers()[1], array.offset, len(array))


def valid(array: pa.Array) -> np.ndarray:
    """Return which values of an Arrow array are not null."""
    return flags(array.is_valid())


def _bits(buffer: pa.Buffer, offset: int, length: int) -> np.ndarray:
    first, last = offset // 8, -(-(offset + length) // 8)
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8)[first:last], bitorder="little")
    return bits[offset - 8 * first :][:length].view(bool)


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array, copied only where it has several chunks."""
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def from_values(values: list[Any], name: str, *, mixed: bool = False) -> pa.Array:
    """Return Python values as an Arrow array.

    Values of several kinds become their texts, or lists of texts; with ``mixed`` each keeps what it is
    (`drgdip._mixed`).
    """
    if not mixed or is_alike(values):
        with contextlib.suppress(pa.ArrowException, OverflowError, TypeError, ValueError):
            return pa.array(values, from_pandas=True)
    try:
        kept = from_mixed(values)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CaseError(f"column {name!r} holds values that no table can hold: {error}") from error
    return kept if mixed else plain_mixed(kept)


def _from_pandas(series: Any, name: str, mixed: Collection[str]) -> pa.Array | pa.ChunkedArray:
    if series.dtype != object:
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            return pa.array(series, from_pandas=True)
    return from_values(series.tolist(), name, mixed=name in mixed)


def to_kind(table: pa.Table, like: Any) -> Any:
    """Return an Arrow table as the kind of container that another table is."""
    kind = kind_of(like)
    if kind == "batch":
        return table.combine_chunks().to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], table.schema)
    if kind == "pandas":
        return table.to_pandas()
    if kind in {"polars", "lazy"}:
        import polars as pl

        frame = pl.DataFrame(table)
        return frame if kind == "polars" else frame.lazy()
    if kind == "duckdb":
        import duckdb

        return duckdb.from_arrow(table)
    if kind == "records":
        return table.to_pylist()
    return table


def read_once(data: Any) -> Any:
    """Return a table that can be read again: a second reading of the source might give another order, or nothing."""
    kind = kind_of(data)
    if kind == "lazy":
        return data.collect()
    return to_arrow(data) if kind in {"duckdb", "capsule"} else data


def reads_once(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function read each of its tables once, though it asks for them several times.

    A second reading of a lazy frame, a relation or a stream might give another order, or nothing: results would be
    joined to other rows. Such a table is collected at the door, and stays the kind that it is.
    """

    @functools.wraps(function)
    def door(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        seen: dict[int, Any] = {}

        def held(value: Any) -> Any:
            if isinstance(value, dict) and any(map(_holds_source, value.values())):
                return {key: held(part) for key, part in value.items()}
            if _is_source(value) and id(value) not in seen:
                seen[id(value)] = _held(value)
            return seen.get(id(value), value)

        arguments = [held(value) for value in args], {name: held(value) for name, value in kwargs.items()}
        return function(*arguments[0], **arguments[1])

    return door


def _holds_source(value: object) -> bool:
    """Return whether a value is such a table, or a dictionary that holds one."""
    return any(map(_holds_source, value.values())) if isinstance(value, dict) else _is_source(value)


def _is_source(value: object) -> bool:
    """Return whether a value is a table that a second reading may give otherwise."""
    module = type(value).__module__.partition(".")[0]
    if module in {"pandas", "numpy"} or isinstance(value, pa.Table | pa.RecordBatch | pa.Array | pa.ChunkedArray):
        return False
    if module == "polars":
        return type(value).__name__ == "LazyFrame"
    return "duckdb" in module or hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def _held(table: Any) -> Any:
    """Return a table that has been read as one of the same kind, in memory."""
    kind = kind_of(table)
    if kind == "lazy":
        return table.collect().lazy()
    return to_kind(to_arrow(table), table)


def given_back(result: Any, data: Any) -> Any:
    """Return the result of a table that `read_once` gave, as the kind of container that the caller has."""
    kind = kind_of(data)
    return to_kind(result, data) if kind == "duckdb" else result.lazy() if kind == "lazy" else result


def with_columns(data: Any, new: pa.Table, *, in_place: bool = False) -> Any:
    """Return the caller's table with columns set; its own of the same names go.

    A frame or a record has the new column where the old one was. An Arrow table has it there with ``in_place``, else
    on the right.
    """
    kind = kind_of(data)
    if kind == "pandas":
        plain = [name for name in new.column_names if not pa.types.is_nested(new.schema.field(name).type)]
        frame = new.select(plain).to_pandas()
        frame.index = data.index
        # A list stays a list: pandas would have an array for it.
        added = {name: frame[name] if name in plain else new[name].to_pylist() for name in new.column_names}
        return data.assign(**added)
    if kind == "records":
        return [{**row, **more} for row, more in zip(data, new.to_pylist(), strict=True)]
    if kind in {"polars", "lazy"}:
        import polars as pl

        return data.with_columns(pl.DataFrame(new).get_columns())
    table = to_arrow(data)
    for field, column in zip(new.schema, new.columns, strict=True):
        place = table.column_names.index(field.name) if field.name in table.column_names else None
        if place is not None:
            table = table.remove_column(place)
        table = table.add_column(table.num_columns if place is None or not in_place else place, field, column)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **(new.schema.metadata or {})})
    return to_kind(table, data)
