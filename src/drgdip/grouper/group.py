"""Grouping at the doors: any table or stream in, the same kind out, with the columns of the result."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, overload

import pyarrow as pa

from drgdip._arrow import from_list, given_back, names_of, read_once, to_arrow, with_columns
from drgdip._version import __version__
from drgdip.cases.alike import alike_records
from drgdip.cases.codes import walks_to
from drgdip.cases.derive import SOURCES, derive
from drgdip.cases.messages import with_lists_read
from drgdip.cases.names import keep_columns
from drgdip.cases.table import case_columns, to_cases
from drgdip.data import sha256_of
from drgdip.errors import CaseError
from drgdip.grouper.encoded import VALUES, Encoded
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.load import load_any
from drgdip.grouper.record import record_of
from drgdip.grouper.result import GroupResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import Frame, SchemeLike

__all__ = [
    "encode",
    "group",
    "group_batches",
    "make_result_fields",
    "name_required",
    "results_of",
    "taken_names",
    "warmup",
]

#: Rows that one thread reads, numbers and groups at a time.
CHUNK = 131_072
#: Below this many rows the reference engine is quicker: when the kernels are loaded, and when they are not.
_SMALL, _SMALL_COLD = 40, 10_000
_RESULT = pa.dictionary(pa.int32(), pa.string())
#: Columns of results that are no texts.
_FLAGS = frozenset({"primary_care"})


@overload
def group(
    cases: Frame,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> Frame: ...
@overload
def group(
    cases: Sequence[Mapping[str, Any]],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> list[dict[str, Any]]: ...
@overload
def group(
    cases: Encoded,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> pa.Table: ...
@overload
def group(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> Any: ...
def group(
    cases: Any,
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> Any:
    """Group a table of cases.

    Parameters
    ----------
    cases
        A pyarrow Table or RecordBatch, a pandas or Polars frame, a DuckDB relation, a list of dicts, or anything with
        ``__arrow_c_stream__`` or ``__arrow_c_array__``; a stream (a pyarrow RecordBatchReader, Dataset or Scanner); or
        what `encode` gives. The case columns stand under canonical names or aliases (``docs/cases.md``), codes as
        lists, as text joined by ``|`` or in numbered columns.
    scheme
        A scheme or a DIP catalogue, the id or the folder of one.
    columns
        Name in the table by case column, for names that are no alias.
    prefix
        Put before the names of the result's columns.
    codes
        The edition of the cases' codes, such as ``clinical-2.0``, to be mapped to those of the scheme on the way in
        (`drgdip.map_codes`; the caller's columns stay as they are); None takes them as they are.
    engine
        ``reference`` (one case after the other, no compiler), ``columnar`` (compiled kernels), or ``auto``: the one
        that is quicker for so many rows. Both give the same.
    threads
        How many threads the columnar engine may use; None takes one for each core.

    Returns
    -------
    The same kind of container with every row in its place, the caller's columns and index untouched. On their right
    stand ``mdc, adrg, group, status, reason, severity, severity_code`` (`drgdip.GroupResult`). Under a catalogue they
    are ``group, kind, treatment, primary_care, status, reason`` (`drgdip.DipResult`). Texts are dictionary-encoded
    where the container can. A stream gives a RecordBatchReader that holds a few batches at a time. Anything with only
    an Arrow capsule gives a pyarrow Table. Encoded cases give a pyarrow Table of the result alone. An Arrow schema's
    metadata say ``drgdip.scheme``, ``drgdip.revision``, ``drgdip.sha256``, ``drgdip.version`` and, with ``codes``,
    ``drgdip.codes``.

    Raises
    ------
    UnknownNameError
        There is no such scheme, catalogue or edition, or no such column as ``columns`` says.
    CaseError
        ``cases`` is no table, lacks a column that the scheme requires, or has one of the result's names already; no
        cross-walk leads from ``codes`` to the scheme's.

    Notes
    -----
    Order of evaluation: as `drgdip.group_one`.

    Examples
    --------
    >>> cases = [{"sex": 2, "age": 59, "dx": ["K22.301"], "procs": []}, {"sex": 0, "age": 3, "dx": "A00", "procs": ""}]
    >>> [(case["group"], case["status"], case["reason"]) for case in group(cases, "chs-drg-2.0")]
    [('GZ19', 'grouped', None), (None, 'invalid', 'invalid_sex')]
    >>> [case["group"] for case in group([{"dx": "A46.x00", "procs": ""}], "nhsa-dip-2.0")]
    ['DIP139']
    """
    if engine not in {"auto", "reference", "columnar"}:
        raise CaseError(f"engine {engine!r} is not one of auto, reference, columnar")
    loaded = load_any(scheme)
    workers = _workers(threads)
    if isinstance(cases, Encoded):
        if codes is not None:
            raise CaseError("encoded cases have the scheme's own numbers for codes: map them first, with map_codes")
        return _group_encoded(cases, loaded, prefix, workers)
    if codes is not None:
        walks_to(codes, loaded.info)  # so that a wrong edition is an error before the first batch of a stream
    if _is_stream(cases):
        return _group_stream(cases, loaded, columns, prefix, codes, engine, workers)

    table = read_once(cases)
    names = names_of(table)
    _check_names(names, loaded, prefix)
    needed = _read(table, loaded, columns)
    results = _group_table(needed, loaded, columns, codes, engine, workers)
    return given_back(with_columns(table, _labelled(results, loaded, prefix, codes)), cases)


def encode(cases: Any, scheme: str | os.PathLike[str] | SchemeLike, *, columns: ColumnNames | None = None) -> Encoded:
    """Turn the codes of cases into a scheme's numbers, once for several groupings.

    Parameters
    ----------
    cases, columns
        As for `group`, but no stream.
    scheme
        The scheme or catalogue whose code tables give the numbers.

    Returns
    -------
    `Encoded` cases, for `group` with the same scheme or one with the same codes; ``codes_sha256`` is the digest of the
    code tables. All columns and codes of the cases are kept that any scheme may read.

    Raises
    ------
    UnknownNameError, CaseError
        As for `group`.

    Examples
    --------
    >>> encoded = encode([{"sex": 2, "age": 59, "dx": ["K22.301"], "procs": []}], "chs-drg-2.0")
    >>> group(encoded, "chs-drg-2.0")["group"].to_pylist()
    ['GZ19']
    """
    loaded = load_any(scheme)
    table = read_once(cases)
    needed = _read(table, loaded, columns, VALUES)
    return loaded.encode(derive(to_cases(needed, keep_columns(columns, needed.column_names))), every_code=True)


def group_batches(
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    prefix: str = "",
    codes: str | None = None,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return a function over record batches, for engines that hand them out: Spark's ``mapInArrow`` takes it as it is.

    Parameters
    ----------
    scheme, columns, prefix, codes
        As for `group`. A worker process loads the scheme once.

    Returns
    -------
    A function from an iterator of record batches to one of the same batches with the result's columns as plain text.
    `make_result_fields` gives those columns for a schema.

    Raises
    ------
    UnknownNameError, CaseError
        As for `group`, when the first batch comes.

    Examples
    --------
    >>> batch = pa.RecordBatch.from_pylist([{"sex": 2, "age": 59, "dx": ["K22.301"], "procs": []}])
    >>> [grouped["group"].to_pylist() for grouped in group_batches("chs-drg-2.0")(iter([batch]))]
    [['GZ19']]
    """

    def function(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        loaded = load_any(scheme)
        for batch in batches:
            grouped = group(batch, loaded, columns=columns, prefix=prefix, codes=codes, threads=1)
            plain = {field.name: field for field in make_result_fields(loaded, prefix=prefix)}
            yield grouped.cast(pa.schema([plain.get(field.name, field) for field in grouped.schema]))

    return function


def make_result_fields(
    scheme: str | os.PathLike[str] | SchemeLike | None = None, *, prefix: str = ""
) -> list[pa.Field]:
    """Return the columns of a result as plain text, for the schema of an engine that wants one beforehand.

    Parameters
    ----------
    scheme
        A scheme or a catalogue, the id or the folder of one; None stands for any DRG scheme.
    prefix
        As for `group`.

    Returns
    -------
    One Arrow field a column.

    Raises
    ------
    UnknownNameError
        There is no such scheme or catalogue.

    Examples
    --------
    >>> ", ".join(f"{field.name} {field.type}" for field in make_result_fields())
    'mdc string, adrg string, group string, status string, reason string, severity string, severity_code string'
    >>> [field.name for field in make_result_fields("nhsa-dip-3.0", prefix="dip_")]
    ['dip_group', 'dip_kind', 'dip_treatment', 'dip_primary_care', 'dip_status', 'dip_reason']
    """
    names = GroupResult._fields if scheme is None else load_any(scheme).result._fields
    return [pa.field(prefix + name, pa.bool_() if name in _FLAGS else pa.string()) for name in names]


def warmup(*schemes: str | os.PathLike[str] | SchemeLike) -> None:
    """Compile the kernels and prepare schemes now, so that the first batch need not wait.

    Run it when an image is built, with ``NUMBA_CACHE_DIR`` naming a folder of the image that stays writable, and no
    process compiles again (``docs/embedding.md``).

    Parameters
    ----------
    schemes
        Schemes, catalogues or ids of those to prepare; none takes CHS-DRG 2.0 for the kernels' sake.

    Raises
    ------
    UnknownNameError
        There is no such scheme.

    Examples
    --------
    >>> warmup("chs-drg-2.0")
    """
    for scheme in schemes or ("chs-drg-2.0",):
        group([{"sex": 1, "age": 50, "dx": ["A00"], "procs": []}], scheme, engine="columnar", threads=1)


def results_of(table: pa.Table, scheme: SchemeLike, columns: ColumnNames | None, codes: str | None = None) -> pa.Table:
    """Return the result columns of a table of cases, without the table."""
    needed = table.select(_needed(table.column_names, scheme, columns))
    return _group_table(needed, scheme, columns, codes, "auto", _workers(None))


def _workers(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise CaseError(f"threads is {threads}; give 1 or more, or None for all cores")
    return threads


def _is_stream(data: object) -> bool:
    if isinstance(data, pa.RecordBatchReader):
        return True
    dataset = sys.modules.get("pyarrow.dataset")
    return dataset is not None and isinstance(data, dataset.Dataset | dataset.Scanner)


def taken_names(names: list[str], scheme: SchemeLike, prefix: str) -> list[str]:
    """Return the names of the result's columns that a table has already."""
    return [prefix + name for name in scheme.result._fields if prefix + name in names]


def _check_names(names: list[str], scheme: SchemeLike, prefix: str) -> None:
    taken = taken_names(names, scheme, prefix)
    if taken:
        raise CaseError(
            f"the table has columns {', '.join(taken)} already; give a prefix for the result's, such as prefix='new_'"
        )


def name_required(scheme: SchemeLike) -> list[str]:
    """Return the columns that a scheme cannot do without."""
    return ["dx", *(VALUE_VARIABLES[v] for v in scheme.required if v in VALUE_VARIABLES)]


def _needed(names: list[str], scheme: SchemeLike, columns: ColumnNames | None, more: tuple[str, ...] = ()) -> list[str]:
    """Return the columns of a table that grouping reads, and more of a case where they are asked for.

    The columns that the scheme cannot do without must be there.
    """
    found = case_columns(names, columns)
    wanted = name_required(scheme)
    read = {*wanted, "procs", *scheme.value_columns, "unreadable", *more}
    days = {column: sources for column, sources in SOURCES.items() if column in read and set(sources) <= set(found)}
    absent = [column for column in wanted if column not in found and column not in days]
    if absent:
        raise CaseError(
            f"{scheme.id} needs {' and '.join(absent)}, for which there is no column among "
            f"{', '.join(map(repr, names))}. Use a name of docs/cases.md, say columns={{{absent[0]!r}: ...}} "
            "(--columns on the command line), or, where every value is missing, add a column of nulls"
        )
    read.update(*days.values())
    if "newborn_weight" in read and (kind := scheme.newborn_weight):
        read.add(f"{kind}_weight")
    return list(dict.fromkeys(name for column in found for name in found[column] if column in read))


def _read(cases: Any, scheme: SchemeLike, columns: ColumnNames | None, more: tuple[str, ...] = ()) -> pa.Table:
    """Return the columns of a table that grouping reads (`_needed`) as Arrow."""
    cases, columns = with_lists_read(cases, columns)
    alike = alike_records(cases, columns)
    wanted = _needed(names_of(alike), scheme, columns, more)
    return to_arrow(alike, wanted, mixed=wanted)


def _group_table(
    needed: pa.Table,
    scheme: SchemeLike,
    columns: ColumnNames | None,
    codes: str | None,
    engine: str,
    workers: int,
) -> pa.Table:
    """Return the result columns of a table that has the needed columns."""
    columns = keep_columns(columns, needed.column_names)
    if engine == "auto":
        loaded = "drgdip._jit" in sys.modules
        engine = "reference" if len(needed) < (_SMALL if loaded else _SMALL_COLD) else "columnar"
    if engine == "reference":
        return _group_with_reference(derive(to_cases(needed, columns), scheme.value_columns), scheme, codes)
    from drgdip.cases.crosswalks import map_cases

    walks = {} if codes is None else walks_to(codes, scheme.info)

    def task(start: int) -> dict[str, pa.Array]:
        cases = derive(to_cases(needed.slice(start, CHUNK), columns), scheme.value_columns)
        cases = map_cases(cases, walks)
        return scheme.group_encoded(scheme.encode(cases))

    return _gathered(_each(task, range(0, len(needed), CHUNK), workers), scheme)


def _group_with_reference(cases: pa.Table, scheme: SchemeLike, codes: str | None) -> pa.Table:
    results = [
        scheme.group_record(*record_of(case, scheme, codes))
        for batch in cases.to_batches(10_000)
        for case in batch.to_pylist()
    ]
    names = scheme.result._fields
    columns = zip(*results, strict=True) if results else [()] * len(names)
    texts = scheme.texts()
    return pa.table(
        {
            name: from_list(values, pa.bool_()) if name in _FLAGS else texts[name].column(values)
            for name, values in zip(names, columns, strict=True)
        }
    )


def _group_encoded(encoded: Encoded, scheme: SchemeLike, prefix: str, workers: int) -> pa.Table:
    if encoded.codes_sha256 != scheme.codes_sha256:
        raise CaseError(f"the cases were encoded for a scheme with other codes than {scheme.id}; encode them for it")
    absent = [column for column in name_required(scheme)[1:] if column not in encoded.columns]
    if absent:
        raise CaseError(
            f"{scheme.id} needs {' and '.join(absent)}, which the encoded cases do not have; encode a table that has "
            "it, with nulls where every value is missing"
        )

    def task(start: int) -> dict[str, pa.Array]:
        return scheme.group_encoded(encoded.slice(start, CHUNK))

    return _labelled(_gathered(_each(task, range(0, encoded.rows, CHUNK), workers), scheme), scheme, prefix)


def _each(task: Callable[[int], dict[str, pa.Array]], starts: range, workers: int) -> list[dict[str, pa.Array]]:
    """Return the results of the parts, in order."""
    if workers == 1 or len(starts) <= 1:
        return [task(start) for start in starts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, starts))


def _gathered(parts: list[dict[str, pa.Array]], scheme: SchemeLike) -> pa.Table:
    kinds = {name: pa.bool_() if name in _FLAGS else _RESULT for name in scheme.result._fields}
    return pa.table({name: pa.chunked_array([part[name] for part in parts], kind) for name, kind in kinds.items()})


def _labelled(results: pa.Table, scheme: SchemeLike, prefix: str, codes: str | None = None) -> pa.Table:
    """Return results under their names, with what they are a result of."""
    return results.rename_columns([prefix + name for name in results.column_names]).replace_schema_metadata(
        {
            "drgdip.scheme": scheme.id,
            "drgdip.revision": str(scheme.info.revision),
            "drgdip.sha256": scheme.info.sha256,
            "drgdip.version": __version__,
            "drgdip.files": json.dumps(_files_used(scheme, codes)),
            **({} if codes is None else {"drgdip.codes": codes}),
        }
    )


def _files_used(scheme: SchemeLike, codes: str | None) -> dict[str, str]:
    """Return the SHA-256 of the files beside the scheme's own that may change a result, by name."""
    walks = {} if codes is None else walks_to(codes, scheme.info)
    names = ("columns.csv", *scheme.files, *(name for walk in walks.values() for name in walk.files))
    return {name: sha256_of(name) for name in names}


def _group_stream(
    data: Any,
    scheme: SchemeLike,
    columns: ColumnNames | None,
    prefix: str,
    codes: str | None,
    engine: str,
    workers: int,
) -> pa.RecordBatchReader:
    reader = data if isinstance(data, pa.RecordBatchReader) else _reader_of(data)
    _check_names(reader.schema.names, scheme, prefix)
    needed = _needed(reader.schema.names, scheme, columns)
    engine = "columnar" if engine == "auto" else engine

    def task(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        table = pa.Table.from_batches([batch])
        results = _group_table(table.select(needed), scheme, columns, codes, engine, 1)
        grouped: pa.Table = with_columns(table, _labelled(results, scheme, prefix, codes))
        return list(grouped.to_batches())

    empty = reader.schema.empty_table()
    results = _labelled(_gathered([], scheme), scheme, prefix, codes)
    return pa.RecordBatchReader.from_batches(with_columns(empty, results).schema, _ahead(task, reader, workers))


def _reader_of(data: Any) -> pa.RecordBatchReader:
    scanner = data if hasattr(data, "to_reader") else data.scanner(batch_size=CHUNK)
    return scanner.to_reader()


def _ahead(
    task: Callable[[pa.RecordBatch], list[pa.RecordBatch]], reader: pa.RecordBatchReader, workers: int
) -> Iterator[pa.RecordBatch]:
    """Yield the results in order, with no more batches under way than workers."""
    if workers == 1:
        for batch in reader:
            yield from task(batch)
        return
    with ThreadPoolExecutor(workers) as pool:
        under_way: deque[Future[list[pa.RecordBatch]]] = deque()
        for batch in reader:
            under_way.append(pool.submit(task, batch))
            if len(under_way) > workers:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
