"""One case as a record: any mapping of a caller, read as grouping under a scheme wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drgdip.cases.codes import walks_to
from drgdip.cases.fields import read_record
from drgdip.cases.names import resolve
from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    from drgdip.cases.case import Case
    from drgdip.grouper.family import SchemeLike

__all__ = ["mapping_of", "record_of"]


def record_of(
    case: Mapping[str, Any], scheme: SchemeLike, codes: str | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the columns of a case, with the codes and the weight that the scheme means, and the unreadable ones."""
    record, unreadable = read_record(case, cost=scheme.reads_cost)
    if codes is not None:
        for kind, walk in walks_to(codes, scheme.info).items():
            record[kind] = [None if code is None else walk.step(code)[0] for code in record[kind]]
    kind = scheme.newborn_weight
    if kind and record["newborn_weight"] is None and "newborn_weight" not in unreadable:
        weight = f"{kind}_weight"
        record["newborn_weight"] = record[weight]
        if weight in unreadable:
            unreadable |= {"newborn_weight"}
    return record, unreadable


def mapping_of(case: Case | Mapping[str, Any], columns: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Return a case as a mapping under names that are ours where ``columns`` says so.

    A case is a `drgdip.Case`, a mapping, or a row that has keys, such as a pandas Series.
    """
    given = _mapping(case)
    return _renamed(given, columns) if columns else given


def _renamed(case: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    for column, name in columns.items():
        if column not in resolve((column,)).single:
            from drgdip.cases.case import TYPES

            raise UnknownNameError("case column", column, TYPES, hint=f"The columns are {', '.join(TYPES)}.")
        if name not in case:
            raise UnknownNameError("key of the case", name, [key for key in case if isinstance(key, str)])
    taken = {*columns, *columns.values()}
    others = {name: value for name, value in case.items() if name not in taken}
    return others | {column: case[name] for column, name in columns.items()}


def _mapping(case: Any) -> Mapping[str, Any]:
    if isinstance(case, Mapping):
        return case
    if hasattr(type(case), "model_fields"):
        return dict(vars(case))
    if hasattr(case, "keys") and hasattr(case, "__getitem__") and not hasattr(case, "columns"):
        return {name: case[name] for name in case.keys()}  # noqa: SIM118 - a Series iterates over its values
    raise CaseError(f"a case is a drgdip.Case or a mapping, not a {type(case).__name__}; make it dict(...)")
