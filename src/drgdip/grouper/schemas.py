"""JSON schemas of what programs exchange: a case, and the result of grouping it."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from drgdip.errors import UnknownNameError
from drgdip.grouper.grammar import LEVELS
from drgdip.grouper.result import REASONS, STATUSES, DipResult, GroupResult

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["make_json_schema"]

_RESULTS: dict[str, type[GroupResult | DipResult]] = {"group_result": GroupResult, "dip_result": DipResult}
_TYPES = {str: "string", bool: "boolean", types.NoneType: "null"}
#: Fields of results that hold one of a few texts.
_ONE_OF: dict[str, Iterable[str]] = {"status": STATUSES, "reason": REASONS, "severity": LEVELS}


def make_json_schema(name: str) -> dict[str, Any]:
    """Make the JSON schema (draft 2020-12) of a case or of a result.

    Parameters
    ----------
    name
        ``case`` (`Case`, for `group_one` and `explain`), ``group_result`` (`GroupResult.to_dict`) or ``dip_result``
        (`DipResult.to_dict`).

    Returns
    -------
    The schema as a dictionary, for ``json.dumps`` or a validator.

    Raises
    ------
    UnknownNameError
        There is no schema of that name.

    Examples
    --------
    >>> make_json_schema("group_result")["properties"]["status"]["enum"]
    ['grouped', 'ambiguous', 'ungrouped', 'invalid', 'excluded']
    """
    if name == "case":
        from drgdip.cases.case import Case

        return {"$schema": _DIALECT, **Case.model_json_schema()}
    if name not in _RESULTS:
        raise UnknownNameError("JSON schema", name, ["case", *_RESULTS])
    kind = _RESULTS[name]
    hints = typing.get_type_hints(kind)
    return {
        "$schema": _DIALECT,
        "title": kind.__name__,
        "type": "object",
        "properties": {field: _property(field, hints[field]) for field in kind._fields},
        "required": list(kind._fields),
        "additionalProperties": False,
    }


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _property(field: str, hint: Any) -> dict[str, Any]:
    kinds = [_TYPES[kind] for kind in typing.get_args(hint) or (hint,)]
    found: dict[str, Any] = {"type": kinds if len(kinds) > 1 else kinds[0]}
    if field in _ONE_OF:
        found["enum"] = [*_ONE_OF[field], *([None] if "null" in kinds else [])]
    return found
