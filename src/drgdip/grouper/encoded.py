"""Cases with numbers for codes, and the reasons for which a scheme cannot take one, over columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, flags, from_lists, from_numpy, one_chunk, valid
from drgdip.cases.fields import UNREADABLE
from drgdip.cases.table import marked, with_fen
from drgdip.errors import CaseError
from drgdip.grouper.facts import ALWAYS_READ, NOT_NEGATIVE
from drgdip.grouper.grammar import VALUE_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from drgdip.grouper.numbering import HasNumbers, Numbers

__all__ = ["VALUES", "Encoded", "encode_columns", "longest_row", "refusal_reasons", "with_newborn_weight"]

#: The columns beside the codes that some scheme or catalogue may read, whichever the cases are encoded for.
VALUES = (*VALUE_VARIABLES.values(), "birth_weight", "admission_weight", "total_cost")


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Cases with numbers for codes, to be grouped again and again.

    Attributes
    ----------
    rows
        Number of cases.
    dx, dx_offsets, procs, proc_offsets
        Numbers of the codes of all cases, and where those of a case start.
    values
        Values by column as floats, NaN for missing; the total cost in fen.
    dept
        Departments, or None.
    unreadable
        Which columns cannot be read in a row, or null.
    codes_sha256
        Digest of the code tables that the numbers refer to: a scheme with the same ones can take them.
    """

    rows: int
    dx: np.ndarray
    dx_offsets: np.ndarray
    procs: np.ndarray
    proc_offsets: np.ndarray
    values: Mapping[str, np.ndarray]
    dept: pa.Array | None
    unreadable: pa.Array
    codes_sha256: str

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the cases beside their codes."""
        return frozenset(self.values) | (frozenset() if self.dept is None else {"dept"})

    def slice(self, start: int, rows: int) -> Encoded:
        """Return some of the cases, without copying."""
        end = min(start + rows, self.rows)
        return Encoded(
            rows=end - start,
            dx=self.dx,
            dx_offsets=self.dx_offsets[start : end + 1],
            procs=self.procs,
            proc_offsets=self.proc_offsets[start : end + 1],
            values={column: values[start:end] for column, values in self.values.items()},
            dept=None if self.dept is None else self.dept.slice(start, rows),
            unreadable=self.unreadable.slice(start, rows),
            codes_sha256=self.codes_sha256,
        )


def encode_columns(cases: pa.Table, compiled: HasNumbers, *, whole_case: bool = True) -> Encoded:
    """Return numbers and values of cases; of a case that does not matter as a whole, the principal diagnosis alone.

    Every column of `VALUES` that the cases have is kept: another scheme with the same codes may read others.
    """
    cases = with_fen(cases)
    values = {}
    for column in VALUES:
        if column != "dept" and column in cases.column_names:
            numbers = one_chunk(cases[column])
            values[column] = filled(numbers.cast(pa.float64(), safe=False), np.nan)
    dept = one_chunk(cases["dept"]) if "dept" in cases.column_names else None
    dx, dx_offsets = _encode_lists(one_chunk(cases["dx"]), compiled.dx, first_only=not whole_case)
    given = one_chunk(cases["procs"]) if "procs" in cases.column_names else from_lists([[]] * len(cases))
    procs, proc_offsets = _encode_lists(given, compiled.procs)
    return Encoded(
        rows=len(cases),
        dx=dx,
        dx_offsets=dx_offsets,
        procs=procs,
        proc_offsets=proc_offsets,
        values=values,
        dept=dept,
        unreadable=one_chunk(cases[UNREADABLE]),
        codes_sha256=compiled.codes_sha256,
    )


def with_newborn_weight(encoded: Encoded, kind: str) -> Encoded:
    """Return cases with the newborn weight filled in, where it is not given, from the one of a kind.

    It is `drgdip.cases.table.with_newborn_weight` over encoded cases: each scheme says which weight it means.
    """
    other = f"{kind}_weight"
    if other not in encoded.values:
        return encoded
    marks = encoded.unreadable
    given = encoded.values.get("newborn_weight", np.full(encoded.rows, np.nan))
    taken = np.isnan(given) & ~marked(marks, "newborn_weight")
    failed = taken & marked(marks, other)
    if failed.any():
        texts = [f"{text} newborn_weight" if bad else text for text, bad in zip(marks.to_pylist(), failed, strict=True)]
        marks = pa.array(texts, pa.string())
    weight = np.where(taken, encoded.values[other], given)
    return replace(encoded, values={**encoded.values, "newborn_weight": weight}, unreadable=marks)


def _encode_lists(lists: pa.Array, numbering: Numbers, *, first_only: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of all codes of the lists, or of the first of each, and where those of a list start."""
    if lists.null_count:  # a null list may stand over codes that are not its own
        lengths = filled(pc.list_value_length(lists), 0)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        codes = lists.flatten()
    else:
        offsets = filled(lists.offsets, 0)
        first, last = int(offsets[0]), int(offsets[-1])
        codes = lists.values.slice(first, last - first)
        if len(codes) != last - first or (len(offsets) > 1 and np.diff(offsets).min() < 0):
            raise CaseError("a list column is broken: its offsets do not fit its values")  # a kernel would crash
        offsets = offsets - first if first else offsets
    if first_only:
        there = offsets[:-1] < offsets[1:]
        codes = codes.take(from_numpy(offsets[:-1][there]))
        offsets = np.concatenate([[0], np.cumsum(there)])
    return _encode(codes, numbering), offsets.astype(np.int64, copy=False)


def _encode(codes: pa.Array, numbering: Numbers) -> np.ndarray:
    """Return numbers of codes. Codes that are not found as they stand are normalised and looked up again."""
    if pa.types.is_dictionary(codes.type):
        dictionary = np.append(_encode(codes.dictionary, numbering), np.int32(numbering.missing))
        numbers: np.ndarray = dictionary[filled(codes.indices, -1)]
        return numbers
    if pa.types.is_string_view(codes.type):
        codes = codes.cast(pa.string())
    if pa.types.is_null(codes.type):
        return np.full(len(codes), numbering.missing, dtype=np.int32)
    texts, large_texts, number_at = numbering.table()
    found = pc.index_in(codes, large_texts if pa.types.is_large_string(codes.type) else texts)
    result = filled(found, 0)
    if number_at is not None:
        result = number_at[result]
    if found.null_count:
        missed = found.is_null()
        distinct = codes.filter(missed).dictionary_encode()
        looked = np.array(numbering.look(distinct.dictionary.to_pylist()), dtype=np.int32)
        result[flags(missed)] = looked[filled(distinct.indices, 0)]
    return result


def longest_row(offsets: np.ndarray) -> int:
    """Return how many codes the longest row has, 1 at least: the room that a kernel needs for one."""
    return int(np.diff(offsets).max(initial=1))


def refusal_reasons(
    encoded: Encoded,
    required: tuple[str, ...],
    columns: Iterable[str],
    compiled: HasNumbers,
    *,
    signed: frozenset[str],
    blank_principal: bool = False,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each reason for which a case is invalid, the one that counts first, and the cases that it holds of."""

    def value(variable: str) -> np.ndarray:
        column = VALUE_VARIABLES[variable]
        return encoded.values[column] if column in encoded.values else np.full(encoded.rows, np.nan)

    def missing(variable: str) -> np.ndarray:
        if variable == "KS":
            return np.full(encoded.rows, True) if encoded.dept is None else np.asarray(~valid(encoded.dept))
        return np.asarray(np.isnan(value(variable)))

    negative = {
        column: encoded.values[column] < 0
        for column in columns
        if column in NOT_NEGATIVE - signed and column in encoded.values
    }
    any_marked = encoded.unreadable.null_count < encoded.rows
    for column in (*ALWAYS_READ, *columns):
        if any_marked:
            yield f"unreadable_{column}", marked(encoded.unreadable, column) | negative.get(column, False)
        elif column in negative:
            yield f"unreadable_{column}", negative[column]
    for variable in required:
        if variable in VALUE_VARIABLES:
            yield f"missing_{VALUE_VARIABLES[variable]}", missing(variable)
        elif variable == "ZYZD":
            blank = _blank(encoded.dx, encoded.dx_offsets, compiled.dx)
            if blank_principal:
                blank[blank] = [not _has_other(encoded, row, compiled) for row in np.flatnonzero(blank).tolist()]
            yield "missing_principal_diagnosis", blank
        elif variable == "ZYSS":
            yield "missing_principal_procedure", _blank(encoded.procs, encoded.proc_offsets, compiled.procs)
    if "XB" in required:
        sex = value("XB")
        yield "invalid_sex", (sex != 1) & (sex != 2)
    if "NL" in required:
        age, days, weight = value("NL"), value("XSRTL"), value("XSRTZ")
        yield "missing_age_days", (age == 0) & np.isnan(days)
        yield "missing_newborn_weight", (days <= 28) & np.isnan(weight)


def _blank(numbers: np.ndarray, offsets: np.ndarray, numbering: Numbers) -> np.ndarray:
    """Return which cases have no principal code."""
    starts = offsets[:-1]
    blank: np.ndarray = starts == offsets[1:]
    if len(numbers):
        blank |= numbers[np.minimum(starts, len(numbers) - 1)] < numbering.first
    return blank


def _has_other(encoded: Encoded, row: int, compiled: HasNumbers) -> bool:
    others = encoded.dx[encoded.dx_offsets[row] + 1 : encoded.dx_offsets[row + 1]]
    return bool((others >= compiled.dx.first).any())
