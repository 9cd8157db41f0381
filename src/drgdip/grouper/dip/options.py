"""Options of matching: the ``[matching]`` table of a catalogue, checked, and the strategies that places use."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip._once import once
from drgdip.data import toml_of
from drgdip.errors import SchemeError
from drgdip.grouper.dip.model import EXCLUDED, NEAREST_MEAN, STAGES, Matching

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from drgdip.grouper.tables import Table

__all__ = ["PREFERENCES", "matching_of", "strategies"]

#: Reasons to prefer one of several groups that match.
PREFERENCES = {
    "most_terms": "more procedures are asked for",
    "longest_dx": "the diagnosis is named more precisely",
    "principal_first": "the first procedure asked for is the principal one",
    "no_unmatched": "every procedure of the case is asked for",
    "most_matched": "more of the case's procedures are asked for",
    "fewest_alternatives": "fewer procedures would do as well",
    "full_codes": "no procedure asked for is a short code",
    "highest_score": "the score is higher",
    "nearest_mean": "the mean cost is nearer to the total cost of the case",
    "gravest_treatment": "the procedures asked for come to the graver treatment, surgery first and conservative last",
    "core_first": "it is no primary-care group",
    "order": "it stands earlier in the catalogue",
}
#: The values of options that are one of a few.
_CHOICES: dict[str, tuple[str, ...]] = {
    "procedures": ("principal", "any"),
    "interventional": ("surgery", "therapeutic"),
    "untyped": ("count", "ignore"),
    "not_principal": ("excluded", "conservative", "next"),
    "unnamed_surgery": ("core", "mixed"),
    "short_codes": ("whole", "prefix"),
    "newborn_weight": ("", "birth", "admission"),
}
_LISTED: dict[str, Collection[str]] = {"stages": STAGES, "prefer": PREFERENCES}


@once
def strategies() -> Mapping[str, Mapping[str, Any]]:
    """Return the options that each strategy of a place sets, by its name (``data/dip/strategies.toml``)."""
    known = {field.name for field in dataclasses.fields(Matching)}
    return MappingProxyType(
        {
            entry["id"]: {
                key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key in known
            }
            for entry in toml_of("dip/strategies.toml")["strategy"]
        }
    )


def matching_of(
    path: Path, options: Mapping[str, Any], statistics: Table | None, before: Mapping[str, Any] = MappingProxyType({})
) -> Matching:
    """Return the options, checked. Below them are those of the strategy that they name, and below these ``before``."""
    defaults = {field.name: field.default for field in dataclasses.fields(Matching)}
    _check_given(path, options, defaults)
    values = _layered(options, before, defaults, has_means=statistics is not None)
    for key, default in defaults.items():
        if default is dataclasses.MISSING and key not in values:
            raise SchemeError("missing_key", f"{key!r} is missing in [matching]", file=path, fix="Add it")
    for key, known in _LISTED.items():
        values[key] = _listed(path, key, tuple(values[key]), known)
    if EXCLUDED in values["stages"][1:]:
        what = f"{EXCLUDED!r} is not the first of the stages in [matching]"
        raise SchemeError("bad_value", what, file=path, fix="Put it first: what is excluded is not matched")
    if statistics is None and NEAREST_MEAN in values["prefer"]:
        what = f"prefer in [matching] has {NEAREST_MEAN}, and no mean costs are there to compare with"
        fix = f"Add statistics.csv with the means, or leave {NEAREST_MEAN} out"
        raise SchemeError("missing_file", what, file=path.parent / "statistics.csv", fix=fix)
    return Matching(**values)


def _check_given(path: Path, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse an option that is none, or a value of the wrong type or none of its choices."""
    for key, value in options.items():
        if key not in defaults:
            fix = f"The options are {', '.join(defaults)}"
            raise SchemeError("unknown_key", f"unknown option {key!r} in [matching]", file=path, fix=fix)
        kinds = (list, tuple) if key in _LISTED else str
        if not isinstance(value, kinds):
            fix = "Give a text in quotes" if kinds is str else "Give a list of texts"
            raise SchemeError("bad_value", f"{key} in [matching] is {value!r}", file=path, fix=fix)
        wanted = ("", *strategies()) if key == "strategy" else _CHOICES.get(key)
        if wanted is not None and value not in wanted:
            what = f"{key} in [matching] is {value!r}"
            raise SchemeError("bad_value", what, file=path, fix=f"Give {' or '.join(filter(None, wanted))}")


def _layered(
    options: Mapping[str, Any], before: Mapping[str, Any], defaults: Mapping[str, Any], *, has_means: bool
) -> dict[str, Any]:
    """Return the options over those of their strategy over those before."""
    if "strategy" in options:  # another strategy goes without what the one before set
        was = strategies().get(before.get("strategy", ""), {})
        before = {
            key: value for key, value in before.items() if defaults[key] is dataclasses.MISSING or was.get(key) != value
        }
    named = dict(strategies().get(options.get("strategy", ""), {}))
    if not has_means and "prefer" in named:  # a strategy does without mean costs where there are none
        named["prefer"] = tuple(name for name in named["prefer"] if name != NEAREST_MEAN)
    return {**before, **named, **options}


def _listed(path: Path, key: str, names: tuple[Any, ...], known: Collection[str]) -> tuple[str, ...]:
    """Refuse a list of names that is empty, or holds an unknown name or one twice."""
    odd = [name for name in names if not isinstance(name, str) or name not in known]
    if odd or len(set(names)) != len(names) or not names:
        what = f"{key} in [matching] is {list(names)!r}"
        raise SchemeError("bad_value", what, file=path, fix=f"Give each once, of {', '.join(known)}")
    return names
