"""One case as a record: any mapping of a caller, read as grouping under a scheme wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drgdip.cases.codes import walks_to
from drgdip.cases.fields import read_record
from drgdip.cases.settlement_list import body_of
from drgdip.errors import CaseError
from drgdip.grouper.facts import impossible

if TYPE_CHECKING:
    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import SchemeLike

__all__ = ["mapping_of", "record_of"]


def record_of(
    case: Mapping[str, Any], scheme: SchemeLike, codes: str | None = None, columns: ColumnNames | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the columns of a case, with the codes and the weight that the scheme means, and the unreadable ones."""
    record, unreadable = read_record(case, columns, cost=scheme.reads_cost, derived=True)
    if codes is not None:
        for kind, walk in walks_to(codes, scheme.info).items():
            record[kind] = [None if code is None else walk.step(code)[0] for code in record[kind]]
    kind = scheme.newborn_weight
    if kind and record["newborn_weight"] is None and "newborn_weight" not in unreadable:
        weight = f"{kind}_weight"
        record["newborn_weight"] = record[weight]
        if weight in unreadable:
            unreadable |= {"newborn_weight"}
    return record, unreadable | impossible(record, scheme.signed)


def _of_list(message: Mapping[str, Any]) -> Mapping[str, Any]:
    from drgdip.cases.readers import read_cases  # it needs Arrow, which one record does not

    case: dict[str, Any] = read_cases(dict(message)).to_pylist()[0]
    return case


def mapping_of(case: Any) -> Mapping[str, Any]:
    """Return a case as a mapping: it is a `drgdip.Case`, a mapping, or a row with keys, such as a pandas Series.

    A settlement list (a message 4101A, or its nodes) is read as `drgdip.read_cases` reads it.
    """
    if isinstance(case, Mapping):
        kinds = set(map(type, case.values()))  # a settlement list has nodes of nodes, a plain record seldom
        nested = dict in kinds or (list in kinds and "dx" not in case)
        return _of_list(case) if nested and body_of(case) is not None else case
    if hasattr(type(case), "model_fields"):
        return dict(vars(case))
    if hasattr(case, "keys") and hasattr(case, "__getitem__") and not hasattr(case, "columns"):
        return {name: case[name] for name in case.keys()}  # noqa: SIM118 - a Series iterates over its values
    raise CaseError(f"a case is a drgdip.Case or a mapping, not a {type(case).__name__}; make it dict(...)")
