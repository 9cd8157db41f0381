"""DIP catalogues (病种目录库): what is in them, and loading them strictly from data."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip.codes import normalise_code
from drgdip.errors import RuleError, SchemeError, UnknownNameError
from drgdip.fields import Unreadable, read_fen
from drgdip.grouper.grammar import ALWAYS, VALUE_VARIABLES, Compare, Count, In, Rule, Severity, parse, walk
from drgdip.grouper.scheme import (
    DATA,
    Scheme,
    SchemeInfo,
    check_counts,
    check_digest,
    check_head,
    folder_of,
    grouped_codes,
    index_entries,
    index_of,
    info_of,
    is_path,
    load_once,
    load_scheme,
    path_of,
)
from drgdip.grouper.tables import CATALOGUE, SCHEME, Table, read_folder, read_table, read_toml

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = [
    "EXCLUDED",
    "MOST_TERMS",
    "PREFERENCES",
    "STAGES",
    "STRATEGIES",
    "TREATMENTS",
    "Catalogue",
    "Group",
    "Matching",
    "Term",
    "catalogue_of",
    "counts_of",
    "labels_of",
    "list_catalogues",
    "load_any",
    "load_catalogue",
    "newborn_weight_of",
    "prefixes_of",
    "value_columns",
]

#: The stage that refuses cases by the exclusion lists (排除列表).
EXCLUDED = "excluded"
#: Stages of matching; all but the first are kinds of group.
STAGES = (EXCLUDED, "pre", "merge", "burn", "tumor", "tb", "core", "primary-care", "mixed", "blank")
#: Kinds of treatment, the one that decides first. A case with none of them is conservative.
TREATMENTS = ("surgery", "therapeutic", "diagnostic", "other-procedure", "conservative")
#: What makes one of several groups that match the better one.
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
_NEAREST = "nearest_mean"
_HUBEI = ("most_terms", "most_matched", _NEAREST, "gravest_treatment", "core_first", "order")
_JINING = ("principal_first", "most_matched", _NEAREST, "order")
#: Options by the places whose services choose so, one implementer's reading each; ``national`` is the national text.
STRATEGIES: dict[str, dict[str, Any]] = {
    "national": {"prefer": ("most_terms", "longest_dx", "order")},
    "hubei": {"prefer": _HUBEI},
    "jingzhou": {"prefer": ("no_unmatched", "highest_score", "order")},
    "jining": {"prefer": _JINING},
    "taian": {"prefer": _JINING},
    "yichang": {"prefer": _HUBEI, "unnamed_surgery": "mixed"},
    "xiangyang": {"prefer": ("full_codes", *_HUBEI), "short_codes": "prefix"},
    "jingmen": {"prefer": ("full_codes", *_HUBEI), "short_codes": "prefix"},
    "xiaogan": {"stages": STAGES, "prefer": ("core_first", *(name for name in _HUBEI if name != "core_first"))},
}
_CHOICES = {
    "strategy": ("", *STRATEGIES),
    "procedures": ("principal", "any"),
    "interventional": ("surgery", "therapeutic"),
    "untyped": ("count", "ignore"),
    "not_principal": ("excluded", "conservative", "next"),
    "unnamed_surgery": ("core", "mixed"),
    "short_codes": ("whole", "prefix"),
    "newborn_weight": ("", "birth", "admission"),
}
_LISTED: dict[str, Collection[str]] = {"stages": STAGES, "prefer": PREFERENCES}
_TYPES = (*TREATMENTS[:4], "interventional")
_FLAGS = {"": False, "0": False, "1": True}
_ANYWHERE = ("", "dx", "procedures")
_RANGE = re.compile(r"([A-Z])(\d\d)-([A-Z])(\d\d)")
_PATTERN = re.compile(r"[A-Z](\d(\d(\.\S+|[A-Z0-9]\S*)?)?)?")
#: How many terms a group may have; the longest published one has 13.
MOST_TERMS = 16
#: Characters of a procedure that is short: with ``short_codes`` it stands for all that begin so.
_SHORT = range(4, 7)
_EMPTY: Mapping[str, Any] = MappingProxyType({})


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
        Those of ``dx`` that only a range of categories gives.
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
        """What is asked for, each part in the notation of ``groups.csv``."""
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
        What an interventional procedure (介入治疗) counts as: ``surgery`` or ``therapeutic``.
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
        What a procedure of four to six characters means in a group: ``whole``, a code like others, or ``prefix``, every
        procedure that begins so.
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
        """Whether the procedures of a group with this ``anywhere`` are about the principal one."""
        return self.procedures == "principal" and anywhere != "procedures"

    @property
    def reads_cost(self) -> bool:
        """Whether the total cost of a case matters."""
        return _NEAREST in self.prefer

    def without_cost(self) -> Matching:
        """The same options for a catalogue that has no mean costs yet."""
        prefer = tuple(name for name in self.prefer if name != _NEAREST)
        return dataclasses.replace(self, prefer=prefer or ("order",))


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalogue:
    """A DIP catalogue, immutable.

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
        By procedure that is no principal one, what it counts as (``conservative`` or ``not-principal``) and the
        prefixes of the principal diagnosis beside which it may be principal after all.
    ignored_procs
        Procedures that are dropped before matching.
    types
        Type and tier by procedure.
    sets
        Codes by name of set, for conditions.
    notes
        What the source says that matters when reading results.
    names
        Name by group, for groups that have one.
    by_dx
        The groups that ask for a principal diagnosis with this prefix; "" for those that take any.
    lengths
        The lengths of those prefixes, descending.
    variables
        The variables that conditions read.
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
    means: Mapping[str, int]
    annexes: Mapping[str, Table]
    folder: Path

    @property
    def id(self) -> str:
        """The catalogue's id, for example ``nhsa-dip-2.0``."""
        return self.info.id

    @classmethod
    def from_workbook(
        cls,
        path: str | os.PathLike[str],
        *,
        catalogue_id: str = "",
        title: str = "",
        issuer: str = "",
        place: str = "",
        published: str = "",
        like: str | Catalogue = "nhsa-dip-3.0",
    ) -> Catalogue:
        """A catalogue from a workbook in the layout of DIP 3.0 (国家医保局《按病种分值（DIP）付费3.0版分组方案》).

        Needs the extra ``excel``.

        Parameters
        ----------
        path
            The ``.xlsx`` file, with the ten sheets of that workbook (``docs/dip.md``).
        catalogue_id, title, issuer, place, published
            What a workbook does not say of itself; id and title are the name of the file if they are empty.
        like
            The catalogue whose options of matching, procedure types and code sets are to hold, which a workbook does
            not state.

        Returns
        -------
        The catalogue, checked as one from a folder. ``folder`` is the workbook, ``info.sha256`` its digest.

        Raises
        ------
        SchemeError
            The file is no workbook, lacks a sheet, or a sheet has a column, a note or a cell that is not understood:
            the message has the sheet and the row.

        Examples
        --------
        >>> Catalogue.from_workbook("my-catalogue.xlsx").to_folder("my-catalogue")  # doctest: +SKIP
        """
        from drgdip.grouper.dip_workbook import read_workbook

        head = {"id": catalogue_id, "title": title, "issuer": issuer, "place": place, "published": published}
        return read_workbook(Path(path), head, load_catalogue(like))

    def to_folder(self, path: str | os.PathLike[str]) -> None:
        """Write the catalogue as a folder in the format of ``docs/dip.md``.

        Parameters
        ----------
        path
            A new or empty folder.

        Raises
        ------
        SchemeError
            The folder has files already, or the files that the catalogue was read from have changed since.

        Examples
        --------
        >>> load_catalogue("nhsa-dip-2.0").to_folder("my-place")  # doctest: +SKIP
        """
        from drgdip.grouper.folders import write_catalogue

        write_catalogue(self, Path(path))

    def treatment_of(self, procedure: str) -> str | None:
        """What a procedure counts as, one of `TREATMENTS`; None where it has no type."""
        kind = self.types[procedure][0] if procedure in self.types else None
        return self.matching.interventional if kind == "interventional" else kind

    def label(self, group: str | None) -> str:
        """The name of a group or, where it has none, what it asks for.

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
        >>> catalogue = load_catalogue("nhsa-dip-3.0")
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

    def __repr__(self) -> str:
        kinds = Counter(group.kind for group in self.groups)
        counts = ", ".join(f"{kinds[stage]} {stage}" for stage in self.matching.stages if kinds[stage])
        return f"<Catalogue {self.id} revision {self.info.revision}: {counts}>"


#: Counts that a catalogue may state, with what its tables give for them.
_COUNTS: dict[str, Callable[[Catalogue], int]] = {
    "groups": lambda c: len(c.groups),
    **{stage: lambda c, stage=stage: sum(g.kind == stage for g in c.groups) for stage in STAGES[1:]},  # type: ignore[misc]
    "scored": lambda c: sum(bool(g.score) for g in c.groups),
    "primary_care": lambda c: len(c.primary_care) + sum(g.primary_care for g in c.groups),
    "excluded_diagnoses": lambda c: len(c.excluded_dx),
    "excluded_procedures": lambda c: len(c.excluded_procs),
    "ignored_procedures": lambda c: len(c.ignored_procs),
    "procedure_types": lambda c: len(c.annexes["procedure_types.csv"]) if "procedure_types.csv" in c.annexes else 0,
}


def list_catalogues() -> list[SchemeInfo]:
    """The DIP catalogues in the package, in order of id.

    Returns
    -------
    One `drgdip.SchemeInfo` a catalogue, read from ``data/index.toml`` without loading it.

    Examples
    --------
    >>> [info.id for info in list_catalogues()][-3:]
    ['nhsa-dip-1.0', 'nhsa-dip-2.0', 'nhsa-dip-3.0']
    """
    return list(index_of("catalogue").values())


def load_catalogue(catalogue: str | os.PathLike[str] | Catalogue, **matching: Any) -> Catalogue:
    """A DIP catalogue by its id, or from a folder.

    Parameters
    ----------
    catalogue
        The id of a catalogue in the package (`list_catalogues`), loaded once per process; the path of a folder in the
        format of ``docs/dip.md`` (a text with a path separator, or a path object); or a `Catalogue`.
    matching
        Options of the catalogue's ``[matching]`` table to have otherwise (``docs/dip.md``), such as
        ``interventional="therapeutic"``. ``strategy`` names a set of them: ``national``, ``hubei``, ``jingzhou``,
        ``jining``, ``taian``, ``yichang``, ``xiangyang``, ``jingmen``, ``xiaogan``; those beside it go first.

    Returns
    -------
    The catalogue, after its counts, its digest (of catalogues in the package) and every cross-reference are checked.

    Raises
    ------
    UnknownNameError
        There is no such catalogue, or no such option; the message has the nearest.
    SchemeError
        A file or an option breaks the format: the message says which, where, and what to do.

    Examples
    --------
    >>> load_catalogue("nhsa-dip-2.0")
    <Catalogue nhsa-dip-2.0 revision 1: 9520 core>
    >>> load_catalogue("dip-hainan-2023", interventional="therapeutic").matching.interventional
    'therapeutic'
    >>> load_catalogue("nhsa-dip-2.0", strategy="jingzhou").matching.prefer
    ('no_unmatched', 'highest_score', 'order')
    """
    if isinstance(catalogue, Catalogue):
        loaded = catalogue
    elif isinstance(catalogue, str) and not is_path(catalogue):
        loaded = _load_packaged(catalogue)
    else:
        loaded = _load_folder(folder_of(catalogue, "Give a catalogue's folder or id"))
    if not matching:
        return loaded
    known = [field.name for field in dataclasses.fields(Matching)]
    for name in matching:
        if name not in known:
            raise UnknownNameError("option of [matching]", name, known, hint=f"The options are {', '.join(known)}.")
    head, statistics = loaded.folder / CATALOGUE.head, loaded.annexes.get("statistics.csv")
    changed = _matching(head, matching, statistics, dataclasses.asdict(loaded.matching))
    for group in loaded.groups:
        if _asks_for_too_much(group, changed):
            what = f"procedures in [matching] is {changed.procedures!r}, and {group.code} asks for more than one"
            raise SchemeError("bad_value", what, file=head, fix="Give 'any'")
    types = loaded.types
    if changed.procedure_types != loaded.matching.procedure_types:
        types = _types(loaded.annexes.get("procedure_types.csv"), changed, head)
    return dataclasses.replace(
        loaded,
        matching=changed,
        types=types,
        means=_means(statistics, changed, loaded.groups),
        **_by_stages(loaded.groups, changed),
    )


def load_any(scheme: str | os.PathLike[str] | Scheme | Catalogue) -> Scheme | Catalogue:
    """A DRG scheme or a DIP catalogue by its id, or from a folder: what it is is told by the id or by the folder."""
    if isinstance(scheme, Scheme | Catalogue):
        return scheme
    if isinstance(scheme, str) and not is_path(scheme):
        catalogues, schemes = index_of("catalogue"), index_of("scheme")
        if scheme in catalogues or scheme in schemes:
            return _load_packaged(scheme) if scheme in catalogues else load_scheme(scheme)
        hint = "`drgdip schemes` lists all; a folder of your own is named by a path, such as ./" + scheme
        raise UnknownNameError("scheme or catalogue", scheme, [*schemes, *catalogues], hint=hint)
    folder = path_of(scheme, "Give the id or the folder of a DRG scheme or a DIP catalogue")
    if (folder / CATALOGUE.head).is_file():
        return load_catalogue(folder)
    if folder.is_dir() and not (folder / SCHEME.head).is_file():
        what = f"the folder has neither {SCHEME.head} nor {CATALOGUE.head}"
        raise SchemeError(
            "missing_file", what, file=folder, fix="Give the folder of a DRG scheme or of a DIP catalogue"
        )
    return load_scheme(folder)


def labels_of(scheme: Scheme | Catalogue) -> Mapping[str, str]:
    """What a reader is shown of each group: its name, or of a catalogue's group without one what it asks for."""
    return {group.code: group.label for group in scheme.groups} if isinstance(scheme, Catalogue) else scheme.names


def newborn_weight_of(scheme: Scheme | Catalogue) -> str:
    """Which weight of a newborn counts where ``newborn_weight`` is not given: birth, admission or "" for neither."""
    return scheme.matching.newborn_weight if isinstance(scheme, Catalogue) else scheme.evaluation.newborn_weight


def value_columns(scheme: Scheme | Catalogue) -> tuple[str, ...]:
    """The columns of a case beside its codes that grouping reads."""
    columns = tuple(column for variable, column in VALUE_VARIABLES.items() if variable in scheme.variables)
    return (*columns, "total_cost") if isinstance(scheme, Catalogue) and scheme.matching.reads_cost else columns


_loaded: dict[str, Catalogue] = {}


def _load_packaged(catalogue_id: str) -> Catalogue:
    return load_once(
        "catalogue", catalogue_id, _loaded, lambda expected: _load_folder(DATA / "dip" / catalogue_id, expected)
    )


def _load_folder(folder: Path, expected: SchemeInfo | None = None) -> Catalogue:
    tables, digest = read_folder(folder, CATALOGUE)
    head_path = folder / CATALOGUE.head
    head = read_toml(head_path)
    check_digest(folder, digest, expected)
    return catalogue_of(head_path, head, tables, sha256=digest, folder=folder)


def catalogue_of(
    path: Path, head: Mapping[str, Any], tables: Mapping[str, Table], *, sha256: str, folder: Path
) -> Catalogue:
    """A catalogue from its head, which errors call ``path``, and its tables as read."""
    check_head(path, head, "matching")
    statistics = tables.get("statistics.csv")
    matching = _matching(path, head["matching"], statistics)
    sets = grouped_codes(tables["sets.csv"]) if "sets.csv" in tables else _EMPTY
    groups = _groups(tables["groups.csv"], matching, sets)
    catalogue = Catalogue(
        info=dataclasses.replace(info_of(head), sha256=sha256),
        matching=matching,
        groups=groups,
        primary_care=_primary_care(tables.get("primary_care.csv"), matching),
        excluded_dx=_codes(tables.get("excluded_diagnoses.csv")),
        excluded_procs=_excluded_procs(tables.get("excluded_procedures.csv")),
        ignored_procs=_codes(tables.get("ignored_procedures.csv")),
        types=_types(tables.get("procedure_types.csv"), matching, path),
        sets=sets,
        notes=MappingProxyType(head.get("notes", {})),
        names=MappingProxyType({group.code: group.name for group in groups if group.name}),
        means=_means(statistics, matching, groups),
        annexes=MappingProxyType({name: tables[name] for name in tables if name != "groups.csv"}),
        folder=folder,
        **_by_stages(groups, matching),
    )
    check_counts(path, catalogue.info.counts, _COUNTS, catalogue)
    return catalogue


def _by_stages(groups: tuple[Group, ...], matching: Matching) -> dict[str, Any]:
    """What of a catalogue is about the groups of its stages: ``by_dx``, ``lengths``, ``variables``."""
    staged = [group for group in groups if group.kind in matching.stages]
    by_dx: dict[str, list[Group]] = defaultdict(list)
    for group in staged:
        for prefix in group.dx if group.anywhere != "dx" and group.dx else ("",):
            by_dx[prefix].append(group)
    return {
        "by_dx": MappingProxyType({prefix: tuple(found) for prefix, found in by_dx.items()}),
        "lengths": tuple(sorted({len(prefix) for prefix in by_dx}, reverse=True)),
        "variables": _variables(staged),
    }


def _matching(
    path: Path, options: Mapping[str, Any], statistics: Table | None, before: Mapping[str, Any] = _EMPTY
) -> Matching:
    """Options, checked; under them those of the strategy that they name, under these what there was before."""
    defaults = {field.name: field.default for field in dataclasses.fields(Matching)}
    for key, value in options.items():
        if key not in defaults:
            fix = f"The options are {', '.join(defaults)}"
            raise SchemeError("unknown_key", f"unknown option {key!r} in [matching]", file=path, fix=fix)
        kinds = (list, tuple) if key in _LISTED else str
        if not isinstance(value, kinds):
            fix = "Give a text in quotes" if kinds is str else "Give a list of texts"
            raise SchemeError("bad_value", f"{key} in [matching] is {value!r}", file=path, fix=fix)
        wanted = _CHOICES.get(key)
        if wanted is not None and value not in wanted:
            what = f"{key} in [matching] is {value!r}"
            raise SchemeError("bad_value", what, file=path, fix=f"Give {' or '.join(filter(None, wanted))}")
    if "strategy" in options:  # another strategy goes without what the one before set
        was = STRATEGIES.get(before.get("strategy", ""), {})
        before = {
            key: value for key, value in before.items() if defaults[key] is dataclasses.MISSING or was.get(key) != value
        }
    named = dict(STRATEGIES.get(options.get("strategy", ""), {}))
    if statistics is None and "prefer" in named:  # a strategy does without mean costs where there are none
        named["prefer"] = tuple(name for name in named["prefer"] if name != _NEAREST)
    values = {**before, **named, **options}
    for key, default in defaults.items():
        if default is dataclasses.MISSING and key not in values:
            raise SchemeError("missing_key", f"{key!r} is missing in [matching]", file=path, fix="Add it")
    for key, known in _LISTED.items():
        names = values[key] = tuple(values[key])
        odd = [name for name in names if not isinstance(name, str) or name not in known]
        if odd or len(set(names)) != len(names) or not names:
            what = f"{key} in [matching] is {list(names)!r}"
            raise SchemeError("bad_value", what, file=path, fix=f"Give each once, of {', '.join(known)}")
    if EXCLUDED in values["stages"][1:]:
        what = f"{EXCLUDED!r} is not the first of the stages in [matching]"
        raise SchemeError("bad_value", what, file=path, fix="Put it first: what is excluded is not matched")
    if statistics is None and _NEAREST in values["prefer"]:
        what = f"prefer in [matching] has {_NEAREST}, and no mean costs are there to compare with"
        fix = f"Add statistics.csv with the means, or leave {_NEAREST} out"
        raise SchemeError("missing_file", what, file=path.parent / "statistics.csv", fix=fix)
    return Matching(**values)


def _means(table: Table | None, matching: Matching, groups: Iterable[Group]) -> Mapping[str, int]:
    """Mean costs in fen (四舍五入), if the preferences ask for them."""
    if table is None or not matching.reads_cost:
        return _EMPTY
    known = {group.code for group in groups}
    means = {}
    for index, (code, mean) in enumerate(zip(table.columns["group"], table.columns["mean"], strict=True)):
        if code not in known:
            raise table.error("unknown_value", index, f"{code!r} is no group of groups.csv", "Mend or drop the row")
        try:
            fen = read_fen(mean) if _is_number(mean) else None
        except Unreadable:
            fen = None
        if fen is None:
            raise table.error("bad_number", index, f"mean {mean!r} of {code} is no amount", "Write yuan, as 12345.67")
        means[code] = fen
    return MappingProxyType(means)


def _codes(table: Table | None) -> frozenset[str]:
    return frozenset() if table is None else frozenset(map(normalise_code, table.columns["code"]))


def prefixes_of(table: Table, index: int, text: str) -> tuple[str, ...]:
    """Prefixes of diagnoses: ``|`` separates, ``A15-A16`` is a range of categories, ``*`` any (no prefix)."""
    if text in {"", "*"}:
        return ()
    prefixes = []
    for part in text.split("|"):
        span = _RANGE.fullmatch(part)
        if span is None:
            if not _PATTERN.fullmatch(part):
                what = f"{part!r} is no prefix of a diagnosis"
                raise table.error(
                    "bad_value", index, what, "Write A41.9, A46.x, A41, A4, A, or a range such as A15-A16"
                )
            prefixes.append(normalise_code(part))
            continue
        first, last = (100 * ord(span[at]) + int(span[at + 1]) for at in (1, 3))
        if first > last:
            raise table.error("bad_value", index, f"the range {part!r} ends before it begins", "Turn it round")
        numbers = (number for number in range(first, last + 1))
        prefixes += [f"{chr(number // 100)}{number % 100:02d}" for number in numbers]
    return tuple(dict.fromkeys(prefixes))


def _terms(table: Table, index: int, text: str) -> tuple[Term, ...]:
    """Terms joined by ``+``; one that stands twice must occur twice."""
    if not text:
        return ()
    terms = [tuple([normalise_code(code) for code in part.split("|")]) for part in text.split("+")]
    if any("" in codes for codes in terms):
        raise table.error("bad_value", index, f"an empty code in {text!r}", "Drop the sign that joins nothing")
    return tuple([Term(codes, terms.count(codes), _short(codes)) for codes in dict.fromkeys(terms)])


def _short(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([code for code in codes if len(code) in _SHORT])


def _ranged(prefixes: tuple[str, ...], text: str) -> frozenset[str]:
    """The prefixes that stand in the text by a range alone."""
    return frozenset(prefixes).difference(map(normalise_code, text.split("|"))) if "-" in text else frozenset()


def _shared(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """What terms ask for together, where one procedure could do for two of them.

    Each can have procedures of its own if, and only if, for any of them together as many are there as they ask for
    (Hall's theorem); it is enough to look at those that hang together.
    """
    places = range(len(terms))
    beside = [[other for other in places if other != one and _meet(terms[one], terms[other])] for one in places]
    found: set[frozenset[int]] = set()
    growing = {frozenset((one, other)) for one in places for other in beside[one]}
    while growing:
        found |= growing
        growing = {some | {other} for some in growing for one in some for other in beside[one]} - found
    return tuple([_together([terms[place] for place in some]) for some in sorted(map(sorted, found))])


def _meet(one: Term, other: Term) -> bool:
    """Whether both name some procedure, perhaps by a short code."""
    return any(code in one.codes or code.startswith(one.short) for code in other.codes) or any(
        code.startswith(other.short) for code in one.codes
    )


def _together(terms: list[Term]) -> Term:
    codes = dict.fromkeys(code for term in terms for code in term.codes)
    short = dict.fromkeys(code for term in terms for code in term.short)
    return Term(tuple(codes), sum(term.times for term in terms), tuple(short))


def _groups(table: Table, matching: Matching, sets: Mapping[str, frozenset[str]]) -> tuple[Group, ...]:
    groups = []
    seen: dict[tuple[Any, ...], str] = {}
    rules: dict[str, Rule] = {"": ALWAYS}
    terms: dict[str, tuple[Term, ...]] = {}  # texts come again and again
    prefixes: dict[str, tuple[str, ...]] = {}
    for index, row in enumerate(table.rows):
        code, kind, dx, procedures, related, other_dx, anywhere, condition, treatment, tier, score, primary, _, name = (
            row[:14]
        )
        if kind not in matching.stages or kind == EXCLUDED:
            what = f"kind {kind!r} of {code} is no stage of [matching]"
            raise table.error("unknown_value", index, what, f"The stages are {', '.join(matching.stages)}")
        for column, value, known in (
            ("anywhere", anywhere, _ANYWHERE),
            ("primary_care", primary, _FLAGS),
            ("treatment", treatment, TREATMENTS if kind == "mixed" else ("",)),
        ):
            if value not in known:
                what = f"{column} {value!r} of {code}"
                raise table.error(
                    "unknown_value", index, what, f"Give one of {', '.join(v or 'nothing' for v in known)}"
                )
        if score and not _is_number(score):
            raise table.error("bad_number", index, f"score {score!r} of {code} is no number", "Write it as 12.5")
        if condition not in rules:
            rules[condition] = _rule(table, index, code, condition, sets)
        if procedures not in terms:
            terms[procedures] = _terms(table, index, procedures)
        if dx not in prefixes:
            prefixes[dx] = prefixes_of(table, index, dx)
        asked = None if procedures == "*" else terms[procedures]
        others = _terms(table, index, related)
        if len(asked or ()) + len(others) > MOST_TERMS:
            what = f"{code} asks for more than {MOST_TERMS} different procedures"
            raise table.error("bad_value", index, what, "Ask for those that tell the group from others")
        group = Group(
            code=code,
            name=name,
            kind=kind,
            order=index,
            dx=prefixes[dx],
            ranged=_ranged(prefixes[dx], dx),
            procedures=asked,
            related=others,
            shared=(_shared(others), _shared((*(asked or ()), *others))),
            other_dx=prefixes_of(table, index, other_dx),
            anywhere=anywhere,
            condition=rules[condition],
            treatment=treatment,
            tier=tier,
            score=score,
            primary_care=kind == "primary-care" or _FLAGS[primary],
            dx_text=dx,
        )
        if _asks_for_too_much(group, matching):
            what = f"{code} asks for more than one principal procedure"
            fix = "Put the others in related, or let anywhere say procedures"
            raise table.error("bad_value", index, what, fix)
        key = (kind, dx, _unordered(asked), _unordered(group.related), other_dx, condition, treatment, tier, anywhere)
        first_term = asked[0] if asked else None  # the order matters where the first is the principal one
        if (*key, first_term) in seen:
            what = f"{code} asks for the same as {seen[*key, first_term]}"
            raise table.error("duplicate", index, what, "Keep one of the two rows")
        seen[*key, first_term] = code
        groups.append(group)
    return tuple(groups)


def _asks_for_too_much(group: Group, matching: Matching) -> bool:
    """Whether a group asks for more than one principal procedure, which no case has."""
    return matching.asks_principal(group.anywhere) and sum(term.times for term in group.procedures or ()) > 1


def _unordered(terms: tuple[Term, ...] | None) -> frozenset[Term] | None:
    return None if terms is None else frozenset(terms)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) is not None


def _rule(table: Table, index: int, code: str, text: str, sets: Mapping[str, frozenset[str]]) -> Rule:
    try:
        rule = parse(text)
    except RuleError as error:
        what = f"the condition of {code} cannot be read: {error}\n"
        fix = "Mend it; the language is in docs/scheme-format.md"
        raise table.error("bad_rule", index, what, fix) from error
    for node in walk(rule):
        words = isinstance(node, Compare) and isinstance(node.value, str)
        codes = isinstance(node, In) and not set(node.variables) <= {"ZYZD", "QTZD"}
        if words or codes or isinstance(node, Severity | Count):
            what = f"the condition of {code} asks for more than diagnoses and values: {node}"
            raise table.error("bad_rule", index, what, "Put procedures in the columns procedures and related")
        for name in node.sets if isinstance(node, In) else ():
            if name not in sets:
                what = f"the condition of {code} names set {name!r}, which has no row in sets.csv"
                raise table.error("unknown_set", index, what, "Add the set or mend the name")
    return rule


def _variables(groups: Iterable[Group]) -> frozenset[str]:
    nodes = (node for rule in {group.condition for group in groups} for node in walk(rule))
    return frozenset(node.variable for node in nodes if isinstance(node, Compare))


def _primary_care(table: Table | None, matching: Matching) -> tuple[Group, ...]:
    """Rows of the list of primary-care groups, as groups that are matched beside the others."""
    if table is None:
        return ()
    rows = [
        (f"{dx}:{procedures}", "core", dx, procedures, "", "", "", "", "", "", "", "1", "", name, "")
        for dx, procedures, name in table.rows
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = CATALOGUE.columns["groups.csv"]
    stand_in = Table(table.path, dict(zip(names, columns, strict=True)), table.lines, table.paths)
    return _groups(stand_in, dataclasses.replace(matching, stages=("core",)), _EMPTY)


def _excluded_procs(table: Table | None) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    if table is None:
        return _EMPTY
    excluded = {}
    for index, (code, treatment, allowed) in enumerate(table.rows):
        if treatment not in {"conservative", "not-principal"}:
            what = f"treatment {treatment!r} of {code}"
            raise table.error("unknown_value", index, what, "Give conservative or not-principal")
        excluded[normalise_code(code)] = (treatment, prefixes_of(table, index, allowed))
    return MappingProxyType(excluded)


def _types(own: Table | None, matching: Matching, head: Path) -> Mapping[str, tuple[str, str]]:
    """Type and tier by procedure: the list in the package, and over it that of the folder."""
    types: dict[str, tuple[str, str]] = {}
    if matching.procedure_types:
        known = _type_digests()
        if matching.procedure_types not in known:
            what = f"procedure_types in [matching] is {matching.procedure_types!r}"
            raise SchemeError("bad_value", what, file=head, fix=f"Give one of {', '.join(known)}")
        types |= _shared_types(matching.procedure_types)
    if own is not None:
        types |= _typed(own)
    return MappingProxyType(types)


@cache
def _type_digests() -> dict[str, str]:
    return {entry["id"]: entry["sha256"] for entry in index_entries("procedure_types")}


@cache
def _shared_types(name: str) -> dict[str, tuple[str, str]]:
    path = DATA / "procedure_types" / f"{name}.csv"
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != _type_digests()[name]:
        what = f"the digest of the file is {digest}, the index says {_type_digests()[name]}"
        raise SchemeError("wrong_digest", what, file=path, fix="Install the package anew")
    layout = dataclasses.replace(
        CATALOGUE,
        columns={path.name: CATALOGUE.columns["procedure_types.csv"]},
        keys={path.name: CATALOGUE.keys["procedure_types.csv"]},
    )
    return _typed(read_table(path, layout, content))


def _typed(table: Table) -> dict[str, tuple[str, str]]:
    types = {}
    for index, (code, kind, tier) in enumerate(table.rows):
        if kind not in _TYPES:
            raise table.error("unknown_value", index, f"type {kind!r} of {code}", f"The types are {', '.join(_TYPES)}")
        types[normalise_code(code)] = (kind, tier)
    return types


def counts_of(catalogue: Catalogue) -> dict[str, int]:
    """What the tables of a catalogue have, for its [counts]."""
    counts = {name: count(catalogue) for name, count in _COUNTS.items()}
    return {name: count for name, count in counts.items() if count}
