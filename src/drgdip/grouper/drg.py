"""Grouping tables of cases under a DRG scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from drgdip.grouper.reference import group_one
from drgdip.grouper.result import GroupResult

if TYPE_CHECKING:
    from drgdip.grouper.scheme import Scheme

__all__ = ["group_cases"]


def group_cases(cases: pa.Table, scheme: Scheme) -> pa.Table:
    """The result columns of a table from `drgdip.cases.to_cases`, by the reference engine."""
    results = [group_one(case, scheme) for batch in cases.to_batches(10_000) for case in batch.to_pylist()]
    columns = zip(*results, strict=True) if results else [()] * len(GroupResult._fields)
    kind = pa.dictionary(pa.int32(), pa.string())
    return pa.table(
        {
            name: pa.array(values, pa.string()).cast(kind)
            for name, values in zip(GroupResult._fields, columns, strict=True)
        }
    )
