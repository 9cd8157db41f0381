"""Flows of cases between the groups of two schemes, and what is counted of both sides, as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip._columns import nullable
from drgdip._sums import counts, sums, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Side", "Texts", "flow_table", "mdc_table", "status_table", "texts_of", "total_table"]


class Texts(NamedTuple):
    """A column of texts as numbers: each distinct text once, null as None."""

    numbers: NDArray[np.int64]
    values: list[str | None]

    def at(self, rows: NDArray[np.int64]) -> list[str | None]:
        """Return the texts of some rows."""
        return [self.values[number] for number in self.numbers[rows]]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The cases under one of the schemes.

    Attributes
    ----------
    adrg, group, mdc, status
        The result; for ``adrg`` the group where a case has no ADRG.
    weights
        The weight of each case: 0 of a case that is not grouped, NaN where the weight of its group is not known.
    names
        Names of groups by code.
    """

    adrg: Texts
    group: Texts
    mdc: Texts
    status: Texts
    weights: NDArray[np.float64]
    names: Mapping[str, str]


def texts_of(column: pa.ChunkedArray | pa.Array) -> Texts:
    """Return a column of texts as numbers."""
    parts = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    number_of: dict[str | None, int] = {}
    found = [np.zeros(0, np.int64)]
    for part in parts:
        encoded = part if pa.types.is_dictionary(part.type) else part.dictionary_encode()
        places = [number_of.setdefault(text, len(number_of)) for text in [*encoded.dictionary.to_pylist(), None]]
        indices = encoded.indices.fill_null(len(places) - 1) if encoded.null_count else encoded.indices
        found.append(np.array(places)[indices.to_numpy(zero_copy_only=False)])
    return Texts(np.concatenate(found), list(number_of))


def _rows_by(*columns: Texts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each row the number of its combination of texts, and for each combination its first row."""
    joined = np.zeros(len(columns[0].numbers), np.int64)
    for column in columns:
        joined = np.unique(joined * max(len(column.values), 1) + column.numbers, return_inverse=True)[1]
    _, first, codes = np.unique(joined, return_index=True, return_inverse=True)
    return codes, first


def flow_table(before: Side, after: Side, reason: Texts, *, level: str) -> pa.Table:
    """Return the flows between the groups of both sides (``level`` is ``adrg`` or ``group``), worst first.

    Flows with a reason, which moved, stand first: those that lose most weight, or where no weight is known, those of
    most cases.
    """
    keys = [getattr(before, level), before.status, getattr(after, level), after.status, reason]
    codes, first = _rows_by(*keys)
    cases = counts(codes, len(first))
    whole, whole_first = _rows_by(*keys[:2])
    share = cases / np.maximum(counts(whole, len(whole_first))[whole[first]], 1)
    weights = [_sums_or_unknown(codes, side.weights, len(first)) for side in (before, after)]
    change = weights[1] - weights[0]
    columns = [key.at(first) for key in keys]
    order = sorted(
        range(len(first)),
        key=lambda row: (
            columns[4][row] is None,
            np.isnan(change[row]),
            0.0 if np.isnan(change[row]) else change[row],
            -cases[row],
            *(column[row] or "" for column in columns),
        ),
    )

    def texts(values: Sequence[str | None]) -> pa.Array:
        return from_list([values[row] for row in order], pa.string())

    def named(values: Sequence[str | None], side: Side) -> pa.Array:
        return texts([None if code is None else side.names.get(code) for code in values])

    return pa.table(
        {
            "before": texts(columns[0]),
            "before_name": named(columns[0], before),
            "before_status": texts(columns[1]),
            "after": texts(columns[2]),
            "after_name": named(columns[2], after),
            "after_status": texts(columns[3]),
            "reason": texts(columns[4]),
            "cases": from_numpy(cases[order]),
            "share": from_numpy(share[order]),
            "weight_before": nullable(weights[0][order]),
            "weight_after": nullable(weights[1][order]),
            "weight_change": nullable(change[order]),
            "example_row": from_numpy(first[order].astype(np.int64)),
        }
    )


def _sums_or_unknown(codes: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return sums by code, NaN where one of the values is not known."""
    unknown = np.isnan(values)
    found = sums(codes, np.where(unknown, 0.0, values), size)
    return np.where(counts(np.where(unknown, codes, -1), size) > 0, np.nan, found)


def status_table(before: Side, after: Side) -> pa.Table:
    """Return the cases by their statuses under both schemes, most cases first."""
    codes, first = _rows_by(before.status, after.status)
    cases = counts(codes, len(first))
    statuses = before.status.at(first), after.status.at(first)
    order = sorted(range(len(first)), key=lambda row: (-cases[row], str(statuses[0][row]), str(statuses[1][row])))
    return pa.table(
        {
            "before_status": from_list([statuses[0][row] for row in order], pa.string()),
            "after_status": from_list([statuses[1][row] for row in order], pa.string()),
            "cases": from_numpy(cases[order]),
            "share": from_numpy(cases[order] / max(len(codes), 1)),
        }
    )


def mdc_table(before: Side, after: Side) -> pa.Table:
    """Return MDC by MDC the cases, their weight and their CMI under both schemes; null stands for cases without MDC."""
    present = {
        code for side in (before, after) for code in np.array(side.mdc.values, object)[np.unique(side.mdc.numbers)]
    }
    codes = sorted(present, key=lambda code: (code is None, code or ""))
    columns: dict[str, pa.Array] = {
        "mdc": from_list(codes, pa.string()),
        "name": from_list([_name(code, before, after) for code in codes], pa.string()),
    }
    for name, side in (("before", before), ("after", after)):
        place = np.array([codes.index(code) if code in present else -1 for code in side.mdc.values], np.int64)
        rows = place[side.mdc.numbers]
        cases, weight, weighted = _weighed(rows, side, len(codes))
        columns[f"cases_{name}"] = from_numpy(cases)
        columns[f"weight_{name}"] = nullable(np.where(weighted > 0, weight, np.nan))
        columns[f"cmi_{name}"] = nullable(_ratio(weight, weighted))
    return pa.table(columns)


def _name(code: str | None, before: Side, after: Side) -> str | None:
    return None if code is None else after.names.get(code, before.names.get(code))


def _weighed(
    codes: NDArray[np.int64], side: Side, size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return by code the cases, their weight, and how many of them are grouped with a weight that is known."""
    known = _grouped(side) & ~np.isnan(side.weights)
    used = np.where(known, codes, -1)
    return counts(codes, size), sums(used, np.where(known, side.weights, 0.0), size), counts(used, size)


def _grouped(side: Side) -> NDArray[np.bool_]:
    return np.array([status == "grouped" for status in side.status.values], bool)[side.status.numbers]


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(bottom > 0, top / np.maximum(bottom, 1), np.nan)


def total_table(before: Side, after: Side) -> pa.Table:
    """Return cases, grouped cases, cases with a weight, total weight and CMI under both schemes, and their ratio."""
    values = []
    for side in (before, after):
        grouped = _grouped(side)
        known = grouped & ~np.isnan(side.weights)
        weight = total(np.where(known, side.weights, 0.0)) if known.any() else np.nan
        cmi = weight / known.sum() if known.any() else np.nan
        values.append([len(grouped), grouped.sum(), known.sum(), weight, cmi])
    old, new = np.array(values, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(old != 0, new / old, np.nan)
    return pa.table(
        {
            "measure": from_list(["cases", "grouped", "weighted", "total_weight", "cmi"], pa.string()),
            "before": nullable(old),
            "after": nullable(new),
            "change": nullable(new - old),
            "ratio": nullable(ratio),
        }
    )
