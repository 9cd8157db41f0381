"""Rules of auxiliary types (辅助分型): their parts, and loading them strictly from data."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip._once import once
from drgdip.data import ROOT, SchemeInfo, check_digest, info_of
from drgdip.errors import SchemeError, UnknownNameError
from drgdip.grouper.dip.load import prefixes_of
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.loading import check_counts, check_head, entry_of, folder_of, is_path
from drgdip.grouper.tables import AUXILIARY, read_folder, read_toml

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from drgdip.grouper.tables import Table

__all__ = [
    "DIAGNOSES",
    "NUMBERS",
    "AuxiliaryCatalogue",
    "AuxiliaryRules",
    "AuxiliaryType",
    "Condition",
    "load_auxiliary",
]

#: Numbers that a condition compares, with the columns that each is made of.
NUMBERS = {
    "discharge": ("discharge",),
    "los": ("los",),
    "age": ("age",),
    "age_days": ("age_days", "age"),
    "icu_days": ("icu_days",),
    "cost_ratio": ("total_cost", "standard"),
    "treatment_share": ("treatment_cost", "total_cost"),
    "drug_share": ("drug_cost", "total_cost"),
    "cci": ("dx",),
}
#: Diagnoses of which a condition asks whether one is in a list.
DIAGNOSES = ("principal_dx", "other_dx", "other_category_dx")
_MEMBERSHIP = ("in", "not in")
#: In place of a type: the condition is one of the whole catalogue.
_EVERY = "*"
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """A number of the case compared with another, or its diagnoses with a list.

    Attributes
    ----------
    measure
        One of `NUMBERS` or `DIAGNOSES`.
    operator
        ``<``, ``<=``, ``>``, ``>=``, ``=``; of diagnoses ``in``, ``not in``.
    value
        The number, or the name of the list.
    """

    measure: str
    operator: str
    value: float | str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the case that it reads."""
        return NUMBERS.get(self.measure, ("dx",))


@dataclass(frozen=True, slots=True)
class AuxiliaryType:
    """An auxiliary type: its name, what it means, and the conditions that must all hold."""

    name: str
    meaning: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AuxiliaryCatalogue:
    """An auxiliary catalogue (辅助目录).

    Attributes
    ----------
    id, name
        Its id, and its name in the field.
    conditions
        Conditions that every case with a type must meet.
    types
        The types in the order in which they are tried.
    bands
        The measure whose bands are the types, with edges that each place draws; "" where ``types`` has the types.
    """

    id: str
    name: str
    conditions: tuple[Condition, ...]
    types: tuple[AuxiliaryType, ...]
    bands: str

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """The conditions of the catalogue and of its types."""
        return (*self.conditions, *(condition for kind in self.types for condition in kind.conditions))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a case that it reads, each once."""
        return tuple(dict.fromkeys(column for condition in self.all_conditions for column in condition.columns))


@dataclass(frozen=True, slots=True, eq=False)
class AuxiliaryRules:
    """Auxiliary types as a folder declares them, immutable.

    Attributes
    ----------
    info
        Id, title, issuer, revision, digest and the like.
    parameters
        Numbers that conditions name.
    lists
        The lists of diagnoses that conditions name: their prefixes, or () for one that is given with the cases.
    catalogues
        The catalogues by id, in order.
    notes
        Remarks of the source that matter when reading results.
    folder
        Where the rules were read from.
    """

    info: SchemeInfo
    parameters: Mapping[str, float]
    lists: Mapping[str, tuple[str, ...]]
    catalogues: Mapping[str, AuxiliaryCatalogue]
    notes: Mapping[str, str]
    folder: Path

    @property
    def id(self) -> str:
        """The id of the rules, for example ``nhsa-dip-3.0``."""
        return self.info.id

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name} by {catalogue.bands}" if catalogue.bands else f"{len(catalogue.types)} {name}"
            for name, catalogue in self.catalogues.items()
        )
        return f"<AuxiliaryRules {self.id} revision {self.info.revision}: {counts}>"


_COUNTS: dict[str, Callable[[AuxiliaryRules], int]] = {
    "types": lambda rules: sum(len(catalogue.types) for catalogue in rules.catalogues.values()),
    "conditions": lambda rules: sum(len(catalogue.all_conditions) for catalogue in rules.catalogues.values()),
}


def load_auxiliary(rules: str | os.PathLike[str] | AuxiliaryRules, **parameters: float) -> AuxiliaryRules:
    """Load the rules of auxiliary types by their id, or from a folder.

    Parameters
    ----------
    rules
        ``nhsa-dip-3.0``, the national draft; the path of a folder in the format of ``docs/auxiliary.md`` (a text with
        a path separator, or a path object); or `AuxiliaryRules`.
    parameters
        Numbers of the rules' ``[parameters]`` to have otherwise, such as ``elderly=66``.

    Returns
    -------
    The rules, after their counts, their digest (of rules in the package) and every cross-reference are checked.

    Raises
    ------
    UnknownNameError
        There are no such rules, or no such parameter; the message has the nearest.
    SchemeError
        A file or a parameter breaks the format: the message says which, where, and what to do.

    Examples
    --------
    >>> load_auxiliary("nhsa-dip-3.0")
    <AuxiliaryRules nhsa-dip-3.0 revision 1: 7 tumor, 4 severity, 5 age, 4 icu, cci by cci>
    >>> load_auxiliary("nhsa-dip-3.0", elderly=66).catalogues["age"].types[-1].name
    '66+'
    """
    if isinstance(rules, AuxiliaryRules):
        loaded = rules
    elif isinstance(rules, str) and not is_path(rules):
        loaded = _load_packaged(rules)
    else:
        loaded = _load_folder(folder_of(rules, "Give a folder of auxiliary types or an id"))
    for name in parameters:
        if name not in loaded.parameters:
            hint = f"The parameters are {', '.join(loaded.parameters)}."
            raise UnknownNameError("parameter", name, loaded.parameters, hint=hint)
    return _load_folder(loaded.folder, parameters={**loaded.parameters, **parameters}) if parameters else loaded


@once
def _load_packaged(name: str) -> AuxiliaryRules:
    return _load_folder(ROOT / "auxiliary" / name, entry_of("auxiliary", name))


def _load_folder(
    folder: Path, expected: SchemeInfo | None = None, parameters: Mapping[str, Any] | None = None
) -> AuxiliaryRules:
    tables, digest = read_folder(folder, AUXILIARY)
    path = folder / AUXILIARY.head
    head = read_toml(path)
    check_head(path, head, "parameters")
    check_digest(folder, digest, expected)
    numbers = _parameters(path, head["parameters"] if parameters is None else parameters)
    lists = _lists(tables["lists.csv"])
    rules = AuxiliaryRules(
        info=dataclasses.replace(info_of(head), sha256=digest),
        parameters=MappingProxyType(numbers),
        lists=MappingProxyType(lists),
        catalogues=MappingProxyType(_catalogues(tables, numbers, lists)),
        notes=MappingProxyType(head.get("notes", {})),
        folder=folder,
    )
    check_counts(path, rules.info.counts, _COUNTS, rules)
    return rules


def _parameters(path: Path, parameters: Mapping[str, Any]) -> dict[str, float]:
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            what = f"{name} in [parameters] is {value!r}"
            raise SchemeError("bad_value", what, file=path, fix="Give a number of at least 0")
    return dict(parameters)


def _lists(table: Table) -> dict[str, tuple[str, ...]]:
    return {name: prefixes_of(table, index, dx) for index, (name, dx, _) in enumerate(table.rows)}


def _catalogues(
    tables: Mapping[str, Table], parameters: Mapping[str, float], lists: Mapping[str, tuple[str, ...]]
) -> dict[str, AuxiliaryCatalogue]:
    table, types = tables["catalogues.csv"], tables["types.csv"]
    bands = _bands(table)
    labels = _labels(types, bands, parameters)
    conditions = _conditions(
        tables["conditions.csv"], {*labels, *((name, _EVERY) for name in bands)}, parameters, lists
    )
    found: dict[str, list[AuxiliaryType]] = defaultdict(list)
    for index, (catalogue, name, meaning) in enumerate(types.rows):
        before = found[catalogue]
        if before and not before[-1].conditions:
            what = f"{name} stands behind {before[-1].name}, which has no condition"
            raise types.error("unreachable", index, what, "Turn their order round, or add the condition")
        before.append(AuxiliaryType(labels[catalogue, name], meaning, conditions[catalogue, name]))
    catalogues = {}
    for index, (catalogue, name, measure) in enumerate(table.rows):
        if not measure and not found[catalogue]:
            what = f"{catalogue} has neither types nor bands"
            raise table.error("unknown_parent", index, what, "Add its types to types.csv, or name the measure")
        loaded = AuxiliaryCatalogue(catalogue, name, conditions[catalogue, _EVERY], tuple(found[catalogue]), measure)
        if not measure and not loaded.all_conditions:
            what = f"{catalogue} has no condition: every case would have its type"
            raise table.error("bad_value", index, what, "Add one to conditions.csv")
        catalogues[catalogue] = loaded
    return catalogues


def _bands(table: Table) -> dict[str, str]:
    """Return the measure whose bands each catalogue has, "" for one that has types."""
    for index, (catalogue, _, measure) in enumerate(table.rows):
        if set(" |") & set(catalogue):
            what = f"the id {catalogue!r} holds a blank or |"
            raise table.error("bad_value", index, what, "Write it as one word: the id is the first word of a type")
        if measure and measure not in NUMBERS:
            what = f"{catalogue} has bands of {measure!r}"
            raise table.error("unknown_variable", index, what, f"The numbers are {', '.join(NUMBERS)}")
    return dict(zip(table.columns["catalogue"], table.columns["bands"], strict=True))


def _labels(table: Table, bands: Mapping[str, str], parameters: Mapping[str, float]) -> dict[tuple[str, str], str]:
    """Return the names of the types by catalogue and by the name in the table."""
    labels: dict[tuple[str, str], str] = {}
    for index, (catalogue, name, _) in enumerate(table.rows):
        if bands.get(catalogue, _EVERY):
            known = [other for other, measure in bands.items() if not measure]
            what = f"{name} is a type of {catalogue!r}, which is no catalogue that has types"
            raise table.error("unknown_parent", index, what, f"These have: {', '.join(known)}")
        label = _label(table, index, name, parameters)
        if (catalogue, label) in [(other, said) for (other, _), said in labels.items()]:
            raise table.error("duplicate", index, f"{catalogue} has the type {label} before", "Name them apart")
        labels[catalogue, name] = label
    return labels


def _label(table: Table, index: int, text: str, parameters: Mapping[str, float]) -> str:
    """Return the name of a type, with the numbers of the parameters that it names in braces."""
    label = text
    for name, value in parameters.items():
        label = label.replace(f"{{{name}}}", f"{value:g}")
    if set("{}|") & set(label) or text == _EVERY:
        what = f"the type {text!r} cannot be named so"
        raise table.error("bad_value", index, what, f"In braces stands one of {', '.join(parameters)}; | joins types")
    return label


def _conditions(
    table: Table,
    known: set[tuple[str, str]],
    parameters: Mapping[str, float],
    lists: Mapping[str, tuple[str, ...]],
) -> dict[tuple[str, str], tuple[Condition, ...]]:
    """Return the conditions of each type, and under `_EVERY` those of each catalogue."""
    found: dict[tuple[str, str], tuple[Condition, ...]] = defaultdict(tuple)
    for index, (catalogue, name, measure, operator, value) in enumerate(table.rows):
        if (catalogue, name) not in known:
            what = f"there is no type {name!r} of {catalogue!r}"
            raise table.error("unknown_parent", index, what, "Add it to types.csv, or mend the names")
        if measure not in NUMBERS and measure not in DIAGNOSES:
            what = f"unknown measure {measure!r}"
            raise table.error("unknown_variable", index, what, f"The measures are {', '.join((*NUMBERS, *DIAGNOSES))}")
        operators = OPERATORS if measure in NUMBERS else _MEMBERSHIP
        if operator not in operators:
            what = f"the operator {operator!r} for {measure}"
            raise table.error("unknown_value", index, what, f"Give one of {', '.join(operators)}")
        compared: float | str = value
        if measure in NUMBERS:
            if value not in parameters and not _NUMBER.fullmatch(value):
                what = f"{value!r} is neither a number nor a parameter"
                raise table.error("bad_number", index, what, f"The parameters are {', '.join(parameters)}")
            compared = parameters[value] if value in parameters else float(value)
        elif value not in lists:
            what = f"the list {value!r} has no row in lists.csv"
            raise table.error("unknown_set", index, what, "Add the list or mend the name")
        found[catalogue, name] += (Condition(measure, operator, compared),)
    return found
