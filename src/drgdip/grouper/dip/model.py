"""The parts of a DIP catalogue (病种目录库): groups with their terms, options of matching, lists."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drgdip._once import once_for
from drgdip.errors import UnknownNameError
from drgdip.grouper.grammar import VALUE_VARIABLES, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo
    from drgdip.grouper.tables import Table

__all__ = [
    "COUNTS",
    "EXCLUDED",
    "NEAREST_MEAN",
    "STAGES",
    "TREATMENTS",
    "CatalogueTables",
    "Group",
    "Matching",
    "Term",
    "counts_of",
    "named_codes",
]

#: The stage that refuses cases by the exclusion lists (排除列表).
EXCLUDED = "excluded"


#: Stages of matching; all but the first are kinds of group.
STAGES = (EXCLUDED, "pre", "merge", "burn", "tumor", "tb", "core", "primary-care", "mixed", "blank")


#: Kinds of treatment, the one that decides first. A case with none of them is conservative.
TREATMENTS = ("surgery", "therapeutic", "diagnostic", "other-procedure", "conservative")
#: The preference that reads the total cost of a case.
NEAREST_MEAN = "nearest_mean"


@dataclass(frozen=True, slots=True)
class Term:
    """Procedures of which one must be there, and how often; ``short`` are those of its codes that are short."""

    codes: tuple[str, ...]
    times: int
    short: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join(["|".join(self.codes)] * self.times)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a catalogue (病种): one row of ``groups.csv``.

    Attributes
    ----------
    code, name
        The group's id, an opaque text, and its name.
    kind
        The stage it belongs to, one of `STAGES`.
    order
        Its place in the catalogue, from 0.
    dx
        Prefixes of the principal diagnosis, any of which will do; () for every diagnosis.
    ranged
        Prefixes of ``dx`` that only a range of categories gives.
    procedures
        Terms that must hold, together; () for conservative treatment; None where procedures do not matter.
    related
        Terms that must hold besides: of the procedures other than the principal one where ``procedures`` is about the
        principal one (`Matching.asks_principal`), else of all.
    shared
        The terms that must hold besides, since a procedure does for one only: those of ``related``, and those of both
        columns where both are about all procedures.
    other_dx
        Prefixes, one of which an other diagnosis must have; () for no such condition.
    anywhere
        ``dx``: any diagnosis will do for the principal one; ``procedures``: ``procedures`` is about all procedures.
    condition
        A further rule, in the language of schemes.
    treatment, tier
        Of mixed groups: the treatment, one of `TREATMENTS`, and its tier, "" for every one.
    score
        As published, "" for none.
    primary_care
        Whether it is a primary-care group (基层病种).
    dx_text
        ``dx`` as the catalogue writes it.
    """

    code: str
    name: str
    kind: str
    order: int
    dx: tuple[str, ...]
    ranged: frozenset[str]
    procedures: tuple[Term, ...] | None
    related: tuple[Term, ...]
    shared: tuple[tuple[Term, ...], tuple[Term, ...]]
    other_dx: tuple[str, ...]
    anywhere: str
    condition: Rule
    treatment: str
    tier: str
    score: str
    primary_care: bool
    dx_text: str

    @property
    def terms(self) -> int:
        """How many procedures are asked for."""
        return sum(term.times for term in (*(self.procedures or ()), *self.related))

    @property
    def alternatives(self) -> int:
        """How many procedures would do, of all terms together."""
        return sum(len(term.codes) for term in (*(self.procedures or ()), *self.related))

    @property
    def asks(self) -> dict[str, str]:
        """The parts that a group asks for, each in the notation of ``groups.csv``."""
        diagnoses = [self.dx_text or "*", f"other {'|'.join(self.other_dx)}" if self.other_dx else ""]
        procedures = ["*" if self.procedures is None else "+".join(map(str, self.procedures))]
        procedures.append(f"related {'+'.join(map(str, self.related))}" if self.related else "")
        for part, texts in (("dx", diagnoses), ("procedures", procedures)):
            if self.anywhere == part:
                texts[0] = f"anywhere {texts[0]}"
        return {
            "diagnosis": _joined(diagnoses),
            "procedures": _joined(procedures),
            "rule": str(self.condition),
            "treatment": f"{self.treatment} {self.tier}".strip(),
        }

    @property
    def label(self) -> str:
        """The name, or what is asked for where there is none: ``I21; 36.0601; related 00.2400x001``."""
        if self.name:
            return self.name
        asks = self.asks
        return _joined([asks["diagnosis"], asks["procedures"] or TREATMENTS[-1], asks["rule"], asks["treatment"]])


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(filter(None, texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How a catalogue's groups are matched: its ``[matching]`` table.

    Attributes
    ----------
    strategy
        The one of `STRATEGIES` that gives the options that are not given by themselves, "" for none.
    stages
        The stages in order, of `STAGES`; within a stage the preferred group wins.
    procedures
        ``principal``: the column ``procedures`` is about the principal procedure, ``related`` about the others;
        ``any``: about all procedures, in any order.
    prefer
        Which of several groups of a stage is taken: the first of `PREFERENCES` that tells them apart.
        In the mixed stage it is always the longest diagnosis, then the order.
    procedure_types
        The list in the package that types procedures, "" for none; ``procedure_types.csv`` of the folder goes first.
    interventional
        The type of an interventional procedure (介入治疗): ``surgery`` or ``therapeutic``.
    untyped
        A procedure without a type: ``count`` makes the case other than conservative; ``ignore`` drops it.
    untiered
        The tier of a procedure without one, "" for none.
    not_principal
        A procedure that may not be the principal one: ``excluded`` refuses the case, ``conservative`` takes it as
        conservative treatment, ``next`` goes on to the next procedure.
    unnamed_surgery
        Where a core or primary-care group would be taken that does not name some surgery procedure of the case:
        ``core`` takes it, ``mixed`` rather a mixed group of surgery, if one fits.
    short_codes
        The meaning of a procedure of four to six characters in a group: ``whole``, a code like others, or ``prefix``,
        every procedure that begins so.
    newborn_weight
        Which weight XSRTZ is where none is given as such: ``birth`` or ``admission``, "" for neither.
    """

    strategy: str = ""
    stages: tuple[str, ...]
    procedures: str
    prefer: tuple[str, ...]
    procedure_types: str = ""
    interventional: str = "surgery"
    untyped: str = "count"
    untiered: str = ""
    not_principal: str = "excluded"
    unnamed_surgery: str = "core"
    short_codes: str = "whole"
    newborn_weight: str = ""

    def asks_principal(self, anywhere: str) -> bool:
        """Return whether the procedures of a group with this ``anywhere`` are about the principal one."""
        return self.procedures == "principal" and anywhere != "procedures"

    @property
    def reads_cost(self) -> bool:
        """Whether the total cost of a case matters."""
        return NEAREST_MEAN in self.prefer

    def without_cost(self) -> Matching:
        """Return the same options for a catalogue that has no mean costs yet."""
        prefer = tuple(name for name in self.prefer if name != NEAREST_MEAN)
        return dataclasses.replace(self, prefer=prefer or ("order",))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CatalogueTables:
    """The contents of a DIP catalogue, immutable: all that the engines read.

    Attributes
    ----------
    info
        Id, title, issuer, revision, digest and the like.
    matching
        How cases are matched.
    groups
        The groups in the order of the catalogue.
    primary_care
        Groups of a list of primary-care groups (基层病种) that stands beside the others.
    excluded_dx
        Codes that may not be a principal diagnosis.
    excluded_procs
        Procedures that are no principal ones. Each has the word for how it counts (``conservative`` or
        ``not-principal``). It also has the prefixes of the principal diagnosis beside which it may be principal.
    ignored_procs
        Procedures that are dropped before matching.
    types
        Type and tier by procedure.
    sets
        Codes by name of set, for conditions.
    notes
        Remarks of the source that matter when reading results.
    names
        Name by group, for groups that have one.
    by_dx
        The groups that ask for a principal diagnosis with this prefix; "" for those that take any.
    lengths
        The lengths of those prefixes, descending.
    variables
        The variables that conditions read.
    signed
        The columns that conditions ask for numbers below 0.
    means
        Mean cost by group in fen, where preferences ask for it.
    annexes
        The other tables of the folder.
    folder
        Where the catalogue was read from.
    """

    info: SchemeInfo
    matching: Matching
    groups: tuple[Group, ...]
    primary_care: tuple[Group, ...]
    excluded_dx: frozenset[str]
    excluded_procs: Mapping[str, tuple[str, tuple[str, ...]]]
    ignored_procs: frozenset[str]
    types: Mapping[str, tuple[str, str]]
    sets: Mapping[str, frozenset[str]]
    notes: Mapping[str, str]
    names: Mapping[str, str]
    by_dx: Mapping[str, tuple[Group, ...]]
    lengths: tuple[int, ...]
    variables: frozenset[str]
    signed: frozenset[str]
    means: Mapping[str, int]
    annexes: Mapping[str, Table]
    folder: Path

    @property
    def id(self) -> str:
        """The catalogue's id, for example ``nhsa-dip-2.0``."""
        return self.info.id

    @property
    def required(self) -> tuple[str, ...]:
        """The variables without which no case is grouped."""
        return ("ZYZD",)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns of a case beside its codes that grouping reads."""
        columns = tuple(column for variable, column in VALUE_VARIABLES.items() if variable in self.variables)
        return (*columns, "total_cost") if self.reads_cost else columns

    @property
    def reads_cost(self) -> bool:
        """Whether a preference asks for the total cost of a case."""
        return self.matching.reads_cost

    @property
    def newborn_weight(self) -> str:
        """The weight of a newborn that counts where ``newborn_weight`` is not given; "" for neither."""
        return self.matching.newborn_weight

    def treatment_of(self, procedure: str) -> str | None:
        """Return the treatment of a procedure, one of `TREATMENTS`; None where it has no type."""
        kind = self.types[procedure][0] if procedure in self.types else None
        return self.matching.interventional if kind == "interventional" else kind

    def label(self, group: str | None) -> str:
        """Return the name of a group or, where it has none, what it asks for.

        Parameters
        ----------
        group
            A group's id; None, as cases without a group have.

        Returns
        -------
        The name, or what is asked for in the notation of ``groups.csv``; "" for None.

        Raises
        ------
        UnknownNameError
            There is no such group; the message has the nearest.

        Examples
        --------
        >>> import drgdip
        >>> catalogue = drgdip.load_catalogue("nhsa-dip-3.0")
        >>> catalogue.label("XQ-6"), catalogue.label("JC-3953"), catalogue.label("JC-1858")
        ('肾移植', 'M19; 81.5600', 'A01.0; conservative')
        """
        if group is None:
            return ""
        for one in self.groups:
            if one.code == group:
                return one.label
        known = (one.code for one in self.groups)
        raise UnknownNameError("group", group, known, hint=f"{self.id} has {len(self.groups):,} groups.")


#: Counts that a catalogue may state, with what its tables give for them.
COUNTS: dict[str, Callable[[CatalogueTables], int]] = {
    "groups": lambda c: len(c.groups),
    **{stage: lambda c, stage=stage: sum(g.kind == stage for g in c.groups) for stage in STAGES[1:]},  # type: ignore[misc]
    "scored": lambda c: sum(bool(g.score) for g in c.groups),
    "primary_care": lambda c: len(c.primary_care) + sum(g.primary_care for g in c.groups),
    "excluded_diagnoses": lambda c: len(c.excluded_dx),
    "excluded_procedures": lambda c: len(c.excluded_procs),
    "ignored_procedures": lambda c: len(c.ignored_procs),
    "procedure_types": lambda c: len(c.annexes["procedure_types.csv"]) if "procedure_types.csv" in c.annexes else 0,
}


def counts_of(catalogue: CatalogueTables) -> dict[str, int]:
    """Count what the tables of a catalogue have, for its [counts]."""
    counts = {name: count(catalogue) for name, count in COUNTS.items()}
    return {name: count for name, count in counts.items() if count}


@once_for
def named_codes(catalogue: CatalogueTables) -> frozenset[str]:
    """Return every code that the tables of a catalogue name; a prefix is no code."""
    groups = (*catalogue.groups, *catalogue.primary_care)
    terms = {term.codes for group in groups for term in (*(group.procedures or ()), *group.related)}
    listed = (catalogue.types, catalogue.excluded_procs, catalogue.ignored_procs, catalogue.excluded_dx)
    return frozenset().union(*terms, *listed, *catalogue.sets.values())
