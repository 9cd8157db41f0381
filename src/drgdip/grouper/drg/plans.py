"""Plans of refining core groups, as TOML: the features, the criteria with their sources, and the trimming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.errors import CaseError
from drgdip.grouper.drg.features import Feature, read_feature
from drgdip.grouper.drg.splitting import SplitCriteria
from drgdip.grouper.tables import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Plan", "read_plan"]

_SECTIONS = ("criteria", "features", "trim")


class Plan(NamedTuple):
    """A plan: features, criteria, and the options of trimming ({} for none)."""

    features: tuple[Feature, ...]
    criteria: SplitCriteria
    trim: Mapping[str, Any]


def read_plan(path: Path) -> Plan:
    """Return the plan in a file (``docs/refine.md``).

    Raises
    ------
    SchemeError
        The file is no TOML.
    CaseError, UnknownNameError
        A section is missing or unknown, or a feature or criterion cannot be read.
    """
    if not path.is_file():
        raise CaseError(f"{path}: there is no such plan; docs/refine.md has one to copy")
    table = read_toml(path)
    for name in table:
        if name not in _SECTIONS:
            raise CaseError(f"{path}: unknown section {name!r}; the sections are {', '.join(_SECTIONS)}")
    for name in _SECTIONS[:2]:
        if not table.get(name):
            raise CaseError(f"{path}: the section {name} is missing; docs/refine.md has a plan to copy")
    if not isinstance(table["features"], list) or not isinstance(table["criteria"], dict):
        raise CaseError(f"{path}: write [criteria] once, and [[features]] for each feature")
    features = tuple(map(read_feature, table["features"]))
    return Plan(features, _criteria(path, table["criteria"]), table.get("trim", {}))


def _criteria(path: Path, table: Mapping[str, Any]) -> SplitCriteria:
    """Return criteria; each is a value, or a value with its source."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, value in table.items():
        if name == "sources" or name not in SplitCriteria.__slots__:
            raise CaseError(f"{path}: {name!r} is no criterion; docs/refine.md lists them")
        if isinstance(value, dict):
            if not {"value", "source"} >= value.keys() >= {"value"}:
                raise CaseError(f'{path}: write {name} as a value, or as {{ value = …, source = "…" }}')
            sources |= {name: value["source"]} if "source" in value else {}
            value = value["value"]  # noqa: PLW2901 - the value itself
        values[name] = value
    if "min_cases" not in values:
        raise CaseError(f"{path}: the criterion min_cases is missing; say how many cases a group needs")
    return SplitCriteria(**values, sources=sources)
