"""Mapping codes from one code set to another over columns: each distinct code is looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_list, from_numpy, kind_of, names_of, one_chunk, to_arrow, with_columns
from drgdip._text import MISSING, normalise_code
from drgdip.cases.codes import crosswalk, edition_of
from drgdip.cases.fields import CODE_COLUMNS
from drgdip.cases.table import case_columns
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.cases.codes import Walk
    from drgdip.cases.names import ColumnNames

__all__ = ["MappedCodes", "map_cases", "map_codes"]

_REPORT = {"column": pa.string(), "from": pa.string(), "to": pa.string(), "count": pa.int64(), "outcome": pa.string()}


class MappedCodes(NamedTuple):
    """Mapped codes, and what came of each.

    Attributes
    ----------
    data
        The table or the codes that were given, of the same kind, with the codes of the other edition.
    report
        One row a distinct code: ``column`` (where it stood), ``from``, ``to``, ``count`` (how often it stood) and
        ``outcome``: ``mapped`` (another code), ``kept`` (the same code), ``no_counterpart`` (the cross-walk gives
        none, or two), ``unknown`` (neither the cross-walk nor the other code set has it).
    """

    data: Any
    report: pa.Table


def map_codes(cases: Any, from_: str, to: str = "nhsa-2.0", *, columns: ColumnNames | None = None) -> MappedCodes:
    """Map codes from one edition to another by the published cross-walks.

    Parameters
    ----------
    cases
        A table of cases of any kind (as for `drgdip.group`), whose diagnoses and procedures are mapped where they
        stand; or codes alone: a list of texts or an Arrow array.
    from_
        The edition of the codes (``clinical-2.0``, ``clinical-1.0``, ``nhsa-1.0``, ``beijing-7.0``), or one of its code
        sets (``clinical-icd10-2.0``). Codes alone need a code set.
    to
        The wanted edition or code set, such as ``nhsa-2.0`` or ``nhsa-1.0``.
    columns
        Name in the table by case column, for names that are no alias.

    Returns
    -------
    The mapped data and a report (`MappedCodes`). A code without another one stays as it is, normalised: none is lost.

    Raises
    ------
    UnknownNameError
        There is no such edition or code set.
    CaseError
        No cross-walk leads from the one to the other; no table; codes alone with an edition, which has two code sets.

    Notes
    -----
    Source: the cross-walks published with the code sets, through OpenDRG. A cross-walk holds what differs: any other
    code is the same in both.

    Examples
    --------
    >>> mapped = map_codes(["A19.000x001", "I63.900", "nonsense"], "clinical-icd10-2.0")
    >>> mapped.data
    ['A19.001', 'I63.900', 'nonsense']
    >>> mapped.report["outcome"].to_pylist()
    ['mapped', 'kept', 'unknown']
    """
    sets = edition_of(from_)
    targets = edition_of(to)
    walks = {kind: crosswalk(sets[kind], targets[kind]) for kind in sets if kind in targets}
    if not walks:
        raise CaseError(f"{from_} and {to} are not of one kind: one is of diagnoses, the other of procedures")
    if type(cases).__name__.endswith("Array") or (
        isinstance(cases, list | tuple) and not any(isinstance(item, dict) for item in cases)
    ):
        if len(walks) > 1:
            pair = " or ".join(f"{name!r}" for name in sets.values())
            raise CaseError(f"{from_} has diagnoses and procedures; for codes alone say which they are: {pair}")
        return _map_array(cases, next(iter(walks.values())))
    return _map_table(cases, walks, columns or {})


def _map_array(cases: Any, walk: Walk) -> MappedCodes:
    """Map codes alone, for `map_codes`."""
    listed = isinstance(cases, list | tuple)
    given = from_list(list(cases), pa.string()) if listed else cases
    mapped, report = _map_column(one_chunk(given), walk, None)
    return MappedCodes(mapped.to_pylist() if listed else mapped, _report(report))


def _map_table(cases: Any, walks: Mapping[str, Walk], columns: ColumnNames) -> MappedCodes:
    """Map the code columns of a table, for `map_codes`."""
    if kind_of(cases) == "lazy":
        cases = cases.collect()
    found = case_columns(names_of(cases), columns)
    names = {name: walks[kind] for kind in CODE_COLUMNS if kind in walks for name in found.get(kind, ())}
    table = to_arrow(cases, list(names))
    mapped: dict[str, Any] = {}
    rows: list[tuple[Any, ...]] = []
    for name, walk in names.items():
        mapped[name], report = _map_column(one_chunk(table[name]), walk, name)
        rows += report
    return MappedCodes(with_columns(cases, pa.table(mapped), in_place=True), _report(rows))


def map_cases(cases: pa.Table, walks: Mapping[str, Walk]) -> pa.Table:
    """Return cases (`drgdip.cases.table.to_cases`) with mapped codes."""
    for kind, walk in walks.items():
        if kind in cases.column_names:
            mapped, _ = _map_column(one_chunk(cases[kind]), walk, kind)
            cases = cases.set_column(cases.column_names.index(kind), kind, mapped)
    return cases


def _report(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_REPORT)
    return pa.table(
        {name: from_list(cells, kind) for (name, kind), cells in zip(_REPORT.items(), columns, strict=True)}
    )


def _map_column(column: pa.Array, walk: Walk, name: str | None) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """Map a column of codes, of lists or of text joined by ``|``, in its own layout; return its rows of the report."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        codes, rows = _map_texts(column.values.slice(column.offsets[0].as_py(), column.offsets[-1].as_py()), walk, name)
        first = column.offsets[0].as_py()
        offsets = filled(column.offsets, 0) - first
        lists = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
        mask = None if not column.null_count else column.is_null()
        return lists.from_arrays(from_numpy(offsets), codes, mask=mask), rows
    texts = column.cast(pa.string())
    if pc.any(pc.match_substring(texts, "|")).as_py():
        lists = pc.split_pattern(texts, "|")
        codes, rows = _map_texts(lists.flatten(), walk, name)
        offsets = filled(lists.offsets, 0)
        joined = pc.binary_join(pa.ListArray.from_arrays(from_numpy(offsets), codes), "|")
        return pc.if_else(texts.is_valid(), joined, texts), rows
    return _map_texts(texts, walk, name)


def _map_texts(texts: pa.Array, walk: Walk, name: str | None) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    encoded = texts.cast(pa.string()).dictionary_encode() if not pa.types.is_dictionary(texts.type) else texts
    given = encoded.dictionary.to_pylist()
    counts = np.bincount(filled(encoded.indices, len(given)), minlength=len(given) + 1)
    others: list[str | None] = []
    rows: dict[str, tuple[Any, ...]] = {}
    for text, count in zip(given, counts[:-1].tolist(), strict=True):
        code = normalise_code(text)
        if code in MISSING:
            others.append(text)
            continue
        other, outcome = walk.step(code)
        others.append(other)
        before = rows[code][3] if code in rows else 0
        rows[code] = (name, code, other, before + count, outcome)
    return from_list(others, pa.string()).take(encoded.indices), list(rows.values())
