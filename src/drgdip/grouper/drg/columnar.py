"""Grouping columns of cases under a DRG scheme: numbers for codes, kernels over rows, columns of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import filled, from_list, from_numpy, valid
from drgdip.grouper.drg.compile import compile_scheme
from drgdip.grouper.drg.kernels import group_rows
from drgdip.grouper.encoded import encode_columns, longest_row, refusal_reasons, with_newborn_weight
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.result import GroupResult

if TYPE_CHECKING:
    from drgdip.grouper.drg.compile import Compiled
    from drgdip.grouper.drg.model import SchemeTables
    from drgdip.grouper.encoded import Encoded

__all__ = ["encode_cases", "group_encoded"]


def encode_cases(cases: pa.Table, scheme: SchemeTables) -> Encoded:
    """Return numbers for the codes of cases (`drgdip.cases.table.to_cases`), and values as floats."""
    return encode_columns(cases, compile_scheme(scheme))


def group_encoded(encoded: Encoded, scheme: SchemeTables) -> dict[str, pa.Array]:
    """Return the result columns of encoded cases."""
    compiled = compile_scheme(scheme)
    encoded = with_newborn_weight(encoded, scheme.newborn_weight)
    outcome = _refusals(encoded, scheme, compiled)
    severity = np.zeros(encoded.rows, dtype=np.uint8)
    severity_code = np.empty(encoded.rows, dtype=np.int32)
    tables = compiled.tables
    group_rows(
        tables,
        compiled.dx.missing,
        compiled.procs.missing,
        compiled.nothing,
        scheme.evaluation.retry_other_procedures,
        encoded.dx,
        encoded.dx_offsets,
        encoded.procs,
        encoded.proc_offsets,
        _value_matrix(encoded, compiled),
        np.empty(tables.dx_sets.shape[1], dtype=np.uint64),
        np.empty(tables.proc_sets.shape[1], dtype=np.uint64),
        np.empty(max(longest_row(encoded.dx_offsets), longest_row(encoded.proc_offsets)), dtype=np.int32),
        outcome,
        severity,
        severity_code,
    )
    _tell_why_no_mdc(outcome, encoded, compiled)
    severity_code[severity == 0] = 0  # the number of a missing code, whose entry is null
    by_outcome = from_numpy(outcome)
    results = {name: compiled.results[name].take(by_outcome) for name in GroupResult._fields[:5]}
    results["severity"] = compiled.results["severity"].take(from_numpy(severity))
    results["severity_code"] = compiled.results["severity_code"].take(from_numpy(severity_code))
    return results


def _tell_why_no_mdc(outcome: np.ndarray, encoded: Encoded, compiled: Compiled) -> None:
    """Give cases that no MDC took the outcome that the principal diagnosis tells: it is unknown, or does not group."""
    rows = np.flatnonzero(outcome == compiled.no_mdc)
    starts = encoded.dx_offsets[rows]
    there = starts < encoded.dx_offsets[rows + 1]
    outcome[rows[there]] = compiled.no_mdc_of[encoded.dx[starts[there]]]


def _value_matrix(encoded: Encoded, compiled: Compiled) -> np.ndarray:
    """Return values by variable and row; a department is the place of its word among those that rules name."""
    matrix = np.full((len(compiled.variables), encoded.rows), np.nan)
    for row, variable in enumerate(compiled.variables):
        column = VALUE_VARIABLES[variable]
        if column in encoded.values:
            matrix[row] = encoded.values[column]
        elif column == "dept" and encoded.dept is not None:
            place = pc.index_in(encoded.dept, from_list(compiled.words, pa.string()))
            matrix[row] = np.where(valid(encoded.dept), filled(place, -1), np.nan)
    return matrix


def _refusals(encoded: Encoded, scheme: SchemeTables, compiled: Compiled) -> np.ndarray:
    """Return the outcome of refused cases, -1 for all others (`drgdip.grouper.drg.reference.refusal`)."""
    outcome = np.full(encoded.rows, -1, dtype=np.int32)
    # The first reason is the one that counts, so that the last is written first.
    evaluation, columns = scheme.evaluation, scheme.value_columns
    found = refusal_reasons(
        encoded,
        evaluation.required,
        columns,
        compiled,
        signed=scheme.signed,
        blank_principal=evaluation.blank_principal_diagnosis,
    )
    for reason, refused in reversed(list(found)):
        outcome[refused] = compiled.refusals[reason]
    return outcome
