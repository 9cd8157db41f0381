"""Grouping columns of cases under a DIP catalogue: numbers for codes, kernels over rows, columns of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._arrow import from_numpy
from drgdip.grouper.dip import kernels
from drgdip.grouper.dip.compile import compile_catalogue
from drgdip.grouper.dip.kernels import dx_bits_of_rows, match_rows
from drgdip.grouper.dip.model import EXCLUDED, STAGES
from drgdip.grouper.dip.texts import result_texts
from drgdip.grouper.encoded import encode_columns, longest_row, refusal_reasons, with_newborn_weight
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES, And, Compare, In, Not, Or
from drgdip.grouper.result import REASONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from drgdip.grouper.dip.compile import Compiled
    from drgdip.grouper.dip.model import CatalogueTables
    from drgdip.grouper.encoded import Encoded
    from drgdip.grouper.grammar import Rule

__all__ = ["encode_cases", "group_encoded"]


def encode_cases(cases: pa.Table, catalogue: CatalogueTables, *, every_code: bool) -> Encoded:
    """Return numbers for the codes of cases (`drgdip.cases.table.to_cases`), and values as floats.

    Without ``every_code``, other diagnoses are passed over where the catalogue does not ask for them.
    """
    compiled = compile_catalogue(catalogue)
    return encode_columns(cases, compiled, whole_case=every_code or compiled.whole_case)


def group_encoded(encoded: Encoded, catalogue: CatalogueTables) -> dict[str, pa.Array]:
    """Return the result columns of encoded cases."""
    compiled = compile_catalogue(catalogue)
    encoded = with_newborn_weight(encoded, catalogue.newborn_weight)
    rows = encoded.rows
    principal = np.zeros(rows, dtype=np.int32)
    principal_bits, others_bits = np.zeros(rows, dtype=np.uint64), np.zeros(rows, dtype=np.uint64)
    dx_bits_of_rows(compiled.tables.dx_bits, encoded.dx, encoded.dx_offsets, principal, principal_bits, others_bits)
    status_reason = np.full(rows, -1, dtype=np.int32)
    reasons = list(REASONS)
    # The first reason is the one that counts, so that the last is written first.
    found = refusal_reasons(encoded, ("ZYZD",), catalogue.value_columns, compiled, signed=catalogue.signed)
    for reason, refused in reversed(list(found)):
        status_reason[refused] = reasons.index(reason)
    refused = status_reason >= 0
    matching = catalogue.matching
    taken, reason = np.empty(rows, dtype=np.int32), np.empty(rows, dtype=np.int8)
    treatment, care = np.empty(rows, dtype=np.int8), np.empty(rows, dtype=bool)
    match_rows(
        compiled.tables,
        compiled.procs.first,
        EXCLUDED in matching.stages,
        kernels.NOT_PRINCIPAL_RULES.index(matching.not_principal),
        STAGES.index("mixed"),
        refused,
        principal,
        principal_bits,
        others_bits,
        _conditions(encoded, compiled, principal_bits, others_bits),
        _costs(encoded, catalogue),
        encoded.procs,
        encoded.proc_offsets,
        np.empty(longest_row(encoded.proc_offsets), dtype=np.int32),
        taken,
        reason,
        treatment,
        care,
    )
    grouped, left = taken >= 0, reason >= 0
    numbers = np.array([reasons.index(name) for name in kernels.REASONS], dtype=np.int32)
    status_reason[left] = numbers[reason[left]]
    statuses = list(STATUSES)
    status = np.full(rows, statuses.index("invalid"), dtype=np.int32)
    status[grouped] = statuses.index("grouped")
    status[left] = np.where(
        reason[left] < len(kernels.NO_GROUP), statuses.index("ungrouped"), statuses.index("excluded")
    )
    kind = np.where(grouped, compiled.kinds[np.maximum(taken, 0)], -1) if len(compiled.kinds) else taken
    texts = result_texts(catalogue)
    return {
        "group": texts["group"].numbered(taken),
        "kind": texts["kind"].numbered(kind.astype(np.int32)),
        "treatment": texts["treatment"].numbered(treatment.astype(np.int32)),
        "primary_care": from_numpy(care, grouped),
        "status": texts["status"].numbered(status),
        "reason": texts["reason"].numbered(status_reason),
    }


def _costs(encoded: Encoded, catalogue: CatalogueTables) -> np.ndarray:
    """Return total costs in fen, NaN for none; no values where nobody asks."""
    if not catalogue.matching.reads_cost:
        return np.empty(0)
    return encoded.values.get("total_cost", np.full(encoded.rows, np.nan))


def _conditions(
    encoded: Encoded, compiled: Compiled, principal_bits: np.ndarray, others_bits: np.ndarray
) -> np.ndarray:
    """Return the answers to all conditions of each case, as bits."""
    answers = np.zeros(encoded.rows, dtype=np.uint64)
    for bit, rule in enumerate(compiled.conditions):
        holds = _holds(rule, encoded, compiled, principal_bits, others_bits)
        answers |= holds.astype(np.uint64) << np.uint64(bit)
    return answers


def _holds(
    rule: Rule, encoded: Encoded, compiled: Compiled, principal_bits: np.ndarray, others_bits: np.ndarray
) -> np.ndarray:
    """Return `drgdip.grouper.facts.holds` over columns, for what a condition of a group may ask."""

    def each(part: Rule) -> np.ndarray:
        return _holds(part, encoded, compiled, principal_bits, others_bits)

    if isinstance(rule, Not):
        return ~each(rule.part)
    if isinstance(rule, And | Or):
        combine: Callable[..., Any] = np.logical_and if isinstance(rule, And) else np.logical_or
        return np.asarray(combine.reduce([each(part) for part in rule.parts]))  # type: ignore[attr-defined]
    if isinstance(rule, In):
        asked = np.uint64(sum(1 << compiled.set_bit[name] for name in rule.sets))
        words = {"ZYZD": principal_bits, "QTZD": others_bits}
        held = np.logical_or.reduce([words[variable] & asked != 0 for variable in rule.variables])
        return np.asarray(held != rule.negated)
    assert isinstance(rule, Compare)  # the loader takes no other
    column = VALUE_VARIABLES[rule.variable]
    if column not in encoded.values:
        return np.zeros(encoded.rows, dtype=bool)
    return np.asarray(OPERATORS[rule.operator](encoded.values[column], rule.value))
