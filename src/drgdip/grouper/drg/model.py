"""The parts of a grouping scheme (分组方案): categories, core groups, groups, severity, options."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip._once import once_for
from drgdip.grouper.grammar import VALUE_VARIABLES, Compare, Count, In, Rule, sets_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo
    from drgdip.grouper.tables import Table

__all__ = [
    "COUNTS",
    "KINDS",
    "STATUS_OF_KIND",
    "Adrg",
    "Drg",
    "Evaluation",
    "Mdc",
    "SchemeTables",
    "SeverityCode",
    "codes_asked",
    "counts_of",
    "named_codes",
    "names_of",
    "options_of",
    "owners_of",
    "rules_of",
    "severity_rows",
    "variables_of",
]

#: Kinds of core group (ADRG); an ungroupable one (x00) takes what the other ADRGs of its MDC leave.
KINDS = ("surgical", "procedure", "medical", "ambiguous", "ungroupable")
#: Status and reason of the cases of a kind of core group; cases of all other kinds are grouped.
STATUS_OF_KIND = {"ambiguous": ("ambiguous", "unrelated_procedure"), "ungroupable": ("ungrouped", "no_group")}


@dataclass(frozen=True, slots=True)
class Drg:
    """A group (细分组): the last step of grouping."""

    code: str
    name: str
    adrg: str
    order: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Adrg:
    """A core group (核心组) with its groups in order.

    ``kind`` is one of `KINDS`. ``result_mdc`` is the MDC that the result of its cases names, which need not be the one
    that led to them.
    """

    code: str
    name: str
    mdc: str
    order: int
    kind: str
    rule: Rule
    result_mdc: str
    drgs: tuple[Drg, ...]


@dataclass(frozen=True, slots=True)
class Mdc:
    """A major diagnostic category (主要诊断大类) with its core groups in order."""

    code: str
    name: str
    order: int
    rule: Rule
    adrgs: tuple[Adrg, ...]


@dataclass(frozen=True, slots=True)
class SeverityCode:
    """The severity of a diagnosis that is not the principal one.

    ``levels`` are MCC, CC or, where a scheme lists the diagnosis under both, the two; ``exclusion`` names the table of
    principal diagnoses that cancel it, "" for none.
    """

    levels: tuple[str, ...]
    exclusion: str

    @property
    def level(self) -> str:
        """The gravest level."""
        return self.levels[0]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The options of a scheme's order of evaluation.

    Attributes
    ----------
    mdc_fallthrough
        After an MDC whose rule holds but none of whose ADRGs does: go on with the next MDC.
    adrg_fallthrough
        After an ADRG whose rule holds but none of whose DRGs does: true, go on with the next ADRG;
        false, the code of the ADRG is the group.
    ungroupable
        The group of a case that nothing took.
    required
        Variables without which a case is invalid. If sex (XB) is among them, it must be 1 (male) or 2 (female). If age
        (NL) is among them, infants (age 0) need an age in days, and newborns (28 days or less) a weight.
    retry_other_procedures
        When nothing took a case with several procedures: try again with each other procedure alone.
    blank_principal_diagnosis
        With a principal diagnosis required, a case that has diagnoses but a blank principal one is: false,
        invalid; true, evaluated, the blank being in no set.
    newborn_weight
        Which weight XSRTZ is where a case has both: ``birth`` or ``admission`` (that of the official workbook).
    """

    mdc_fallthrough: bool
    adrg_fallthrough: bool
    ungroupable: str
    required: tuple[str, ...]
    retry_other_procedures: bool = False
    blank_principal_diagnosis: bool = False
    newborn_weight: str = "admission"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class SchemeTables:
    """The contents of a grouping scheme, immutable: all that the engines read.

    Attributes
    ----------
    info
        Id, title, issuer, revision, digest and the like.
    evaluation
        The options of the order of evaluation.
    mdcs
        The MDCs in order, each with its ADRGs, each with its DRGs.
    sets
        Codes by name of set.
    severity
        CC and MCC by diagnosis code.
    exclusions
        Principal diagnoses by exclusion table (排除表).
    notes
        Remarks of the source that matter when reading results.
    names
        Name by code, of MDCs, ADRGs and DRGs.
    variables
        The variables that the rules or the requirements read.
    annexes
        The optional files, as far as there: ``unreachable.csv``, ``differences.csv``, ``set_sources.csv``,
        ``not_grouped.csv``, ``basic_groups.csv``.
    folder
        Where the scheme was read from.
    not_grouped
        Codes that take no part in grouping (不参与分组), by kind: ``diagnosis`` and ``procedure``. A local scheme
        without a list of its own has those of its base. Empty where no list is published.
    basic_groups
        Codes of the basic groups (基础病组), in order; () where no list is published.
    signed
        The columns that rules ask for numbers below 0.
    """

    info: SchemeInfo
    evaluation: Evaluation
    mdcs: tuple[Mdc, ...]
    sets: Mapping[str, frozenset[str]]
    severity: Mapping[str, SeverityCode]
    exclusions: Mapping[str, frozenset[str]]
    notes: Mapping[str, str]
    names: Mapping[str, str]
    variables: frozenset[str]
    annexes: Mapping[str, Table]
    folder: Path
    not_grouped: Mapping[str, frozenset[str]] = field(default_factory=dict)
    basic_groups: tuple[str, ...] = ()
    signed: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The scheme's id, for example ``chs-drg-2.0``."""
        return self.info.id

    @property
    def adrgs(self) -> Iterator[Adrg]:
        """The ADRGs in the order of evaluation."""
        return (adrg for mdc in self.mdcs for adrg in mdc.adrgs)

    @property
    def required(self) -> tuple[str, ...]:
        """The variables without which no case is grouped."""
        return self.evaluation.required

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns of a case beside its codes that grouping reads."""
        return tuple(column for variable, column in VALUE_VARIABLES.items() if variable in self.variables)

    @property
    def reads_cost(self) -> bool:
        """False: no rule of a scheme asks for the cost."""
        return False

    @property
    def newborn_weight(self) -> str:
        """The weight of a newborn that counts where ``newborn_weight`` is not given: birth or admission."""
        return self.evaluation.newborn_weight


#: Counts that a scheme may state, with what its tables give for them.
COUNTS: dict[str, Callable[[SchemeTables], int]] = {
    "mdc": lambda s: len(s.mdcs),
    "adrg": lambda s: len({a.code for a in s.adrgs if a.kind in KINDS[:3]}),
    "drg": lambda s: len({d.code for a in s.adrgs if a.kind in KINDS[:3] for d in a.drgs}),
    "ambiguous_groups": lambda s: len({a.code for a in s.adrgs if a.kind == "ambiguous"}),
    "ungroupable_groups": lambda s: len({a.code for a in s.adrgs if a.kind == "ungroupable"}),
    "mcc": lambda s: sum("MCC" in c.levels for c in s.severity.values()),
    "cc": lambda s: sum("CC" in c.levels for c in s.severity.values()),
    "exclusion_tables": lambda s: len(s.exclusions),
    "exclusion_rows": lambda s: sum(map(len, s.exclusions.values())),
    "sets": lambda s: len(s.sets),
    "set_rows": lambda s: sum(map(len, s.sets.values())),
    "valid_procedures": lambda s: len(s.sets.get("OP_VALID", ())),
}


def names_of(mdcs: tuple[Mdc, ...]) -> Mapping[str, str]:
    """Return the names of MDCs, ADRGs and DRGs by code."""
    adrgs = [adrg for mdc in mdcs for adrg in mdc.adrgs]
    names = {adrg.code: adrg.name for adrg in adrgs}
    names |= {drg.code: drg.name for adrg in adrgs for drg in adrg.drgs}
    return MappingProxyType(names | {mdc.code: mdc.name for mdc in mdcs})


def rules_of(mdcs: Iterable[Mdc]) -> Iterator[Rule]:
    """Yield the rules of MDCs, of their ADRGs and of the DRGs of these."""
    for mdc in mdcs:
        yield mdc.rule
        for adrg in mdc.adrgs:
            yield adrg.rule
            yield from (drg.rule for drg in adrg.drgs)


def variables_of(mdcs: Iterable[Mdc], required: tuple[str, ...]) -> frozenset[str]:
    """Return the variables that rules or requirements read."""
    found = set(required)
    for rule in rules_of(mdcs):
        for node in walk(rule):
            if isinstance(node, Compare):
                found.add(node.variable)
            elif isinstance(node, In | Count):
                found.update(node.variables)
    if "NL" in required:
        found |= {"XSRTL", "XSRTZ"}
    return frozenset(found)


def codes_asked(scheme: SchemeTables, variables: Iterable[str]) -> frozenset[str]:
    """Return the codes of every set that rules ask for with one of some variables."""
    wanted = set(variables)
    names = {
        name
        for rule in rules_of(scheme.mdcs)
        for node in walk(rule)
        if isinstance(node, In | Count) and wanted & set(node.variables)
        for name in sets_of(node)
    }
    return frozenset().union(*(scheme.sets[name] for name in names))


@once_for
def named_codes(scheme: SchemeTables) -> frozenset[str]:
    """Return every code that the tables of a scheme name."""
    return frozenset().union(scheme.severity, *scheme.sets.values(), *scheme.exclusions.values())


@once_for
def owners_of(scheme: SchemeTables) -> Mapping[str, str]:
    """Return the row that alone asks for a set, by set; a set that several rows ask for has none."""
    owners: dict[str, set[str]] = {}
    for mdc in scheme.mdcs:
        adrgs = [(adrg.code, adrg.rule) for adrg in mdc.adrgs]
        drgs = [(drg.code, drg.rule) for adrg in mdc.adrgs for drg in adrg.drgs]
        for code, rule in ((mdc.code, mdc.rule), *adrgs, *drgs):
            for node in walk(rule):
                for name in sets_of(node):
                    owners.setdefault(name, set()).add(code)
    return MappingProxyType({name: min(codes) for name, codes in owners.items() if len(codes) == 1})


def options_of(scheme: SchemeTables) -> dict[str, Any]:
    """Return the [evaluation] of a scheme, as in its head."""
    return dataclasses.asdict(scheme.evaluation) | {"required": list(scheme.evaluation.required)}


def counts_of(scheme: SchemeTables) -> dict[str, int]:
    """Count what the tables of a scheme have, for its [counts]."""
    return {name: count(scheme) for name, count in COUNTS.items()}


def severity_rows(scheme: SchemeTables) -> list[tuple[str, str, str]]:
    """Return the rows of ``severity.csv``, sorted: code, level, exclusion table."""
    return sorted((code, level, entry.exclusion) for code, entry in scheme.severity.items() for level in entry.levels)
