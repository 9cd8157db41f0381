"""Grouping schemes (分组方案): what is in them, and loading them strictly from data."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from drgdip._locks import ForkSafeLock
from drgdip.errors import RuleError, SchemeError, UnknownNameError
from drgdip.grouper.grammar import (
    ALWAYS,
    LEVELS,
    VALUE_VARIABLES,
    Compare,
    Count,
    In,
    Rule,
    parse,
    walk,
)
from drgdip.grouper.overlay import changed_codes, changed_rows
from drgdip.grouper.tables import COLUMNS, OPTIONAL, OVERLAY, Table, read_folder, read_table, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "Adrg",
    "Drg",
    "Evaluation",
    "Mdc",
    "Scheme",
    "SchemeInfo",
    "SeverityCode",
    "check_counts",
    "check_digest",
    "check_head",
    "folder_of",
    "grouped_codes",
    "index_entries",
    "index_of",
    "info_of",
    "is_path",
    "list_schemes",
    "load_once",
    "load_scheme",
    "mdc_names",
    "path_of",
]

DATA = Path(__file__).parent.parent / "data"

#: Kinds of core group (ADRG); an ungroupable one (x00) takes what the other ADRGs of its MDC leave.
KINDS = ("surgical", "procedure", "medical", "ambiguous", "ungroupable")

#: Counts that a scheme may state, with what its tables give for them.
_COUNTS: dict[str, Callable[[Scheme], int]] = {
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
#: Older names of the same counts, as the published tables of 1.0 and 1.1 have them.
COUNT_ALIASES = {
    "ambiguous": "ambiguous_groups",
    "exclusion_codes": "exclusion_rows",
    "valid_surgery": "valid_procedures",
}


#: What to write in scheme.toml for a value of a type.
_TYPE_WORDS: dict[type, str] = {
    bool: "true or false",
    str: "a text in quotes",
    int: "a whole number",
    list: "a list in brackets",
    dict: "a table of its own",
}


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
    """A core group (核心组) with its groups in order. ``kind`` is one of `KINDS`."""

    code: str
    name: str
    mdc: str
    order: int
    kind: str
    rule: Rule
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
    """What a diagnosis counts as when it is not the principal one.

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
        Variables without which a case is invalid. Sex (XB) must be 1 or 2. With age (NL) among them, infants
        (age 0) need an age in days, and newborns (28 days or less) a weight.
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


@dataclass(frozen=True, slots=True)
class SchemeInfo:
    """What is known about a scheme without loading it.

    Dates are text (YYYY, YYYY-MM or YYYY-MM-DD); "" where the source does not give one. ``extends`` is the id of the
    scheme that a local one changes, "" for a scheme that stands alone.
    """

    id: str
    title: str
    issuer: str
    place: str
    published: str
    effective_from: str
    effective_to: str
    revision: int
    diagnosis_codes: str
    procedure_codes: str
    counts: Mapping[str, int]
    provenance: Mapping[str, str]
    sha256: str
    extends: str = ""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Scheme:
    """A grouping scheme, immutable.

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
        What the source says that matters when reading results.
    names
        Name by code, of MDCs, ADRGs and DRGs.
    variables
        The variables that the rules or the requirements read.
    annexes
        The optional files: ``unreachable.csv``, ``differences.csv``, ``set_sources.csv``, as far as there.
    folder
        Where the scheme was read from.
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

    @property
    def id(self) -> str:
        """The scheme's id, for example ``chs-drg-2.0``."""
        return self.info.id

    @property
    def adrgs(self) -> Iterator[Adrg]:
        """The ADRGs in the order of evaluation."""
        return (adrg for mdc in self.mdcs for adrg in mdc.adrgs)

    @classmethod
    def from_workbook(
        cls,
        path: str | os.PathLike[str],
        *,
        scheme_id: str = "",
        title: str = "",
        issuer: str = "",
        place: str = "",
        published: str = "",
        like: str | Scheme = "chs-drg-3.0",
    ) -> Scheme:
        """A scheme from a workbook in the layout of scheme 3.0 (国家医保局《分组方案配置信息》).

        Needs the extra ``excel``.

        Parameters
        ----------
        path
            The ``.xlsx`` file, with the sheets MDC, ADRG, DRG, 集合, CC and 排除表 (``docs/schemes.md``).
        scheme_id, title, issuer, place, published
            What a workbook does not say of itself; id and title are the name of the file if they are empty.
        like
            The scheme whose options of evaluation and code sets are to hold, which a workbook does not state.

        Returns
        -------
        The scheme, checked as one from a folder. Rows behind an unconditional one are not refused: they are listed in
        ``annexes["unreachable.csv"]``. ``folder`` is the workbook, ``info.sha256`` its digest.

        Raises
        ------
        SchemeError
            The file is no workbook, lacks a sheet, or a sheet breaks the format: the message has the sheet and the row.

        Examples
        --------
        >>> Scheme.from_workbook("my-scheme.xlsx").to_folder("my-scheme")  # doctest: +SKIP
        """
        from drgdip.grouper.drg_workbook import read_workbook

        head = {"id": scheme_id, "title": title, "issuer": issuer, "place": place, "published": published}
        return read_workbook(Path(path), head, load_scheme(like))

    def to_folder(self, path: str | os.PathLike[str]) -> None:
        """Write the scheme as a folder in the format of ``docs/scheme-format.md``, that of a local scheme in full.

        Parameters
        ----------
        path
            A new or empty folder.

        Raises
        ------
        SchemeError
            The folder has files already.

        Examples
        --------
        >>> load_scheme("chs-drg-2.0").to_folder("my-place")  # doctest: +SKIP
        """
        from drgdip.grouper.folders import write_folder

        write_folder(self, Path(path))

    def __repr__(self) -> str:
        counts = ", ".join(f"{_COUNTS[name](self)} {name.upper()}" for name in ("mdc", "adrg", "drg"))
        return f"<Scheme {self.id} revision {self.info.revision}: {counts}>"


def _names(mdcs: tuple[Mdc, ...]) -> Mapping[str, str]:
    adrgs = [adrg for mdc in mdcs for adrg in mdc.adrgs]
    names = {adrg.code: adrg.name for adrg in adrgs}
    names |= {drg.code: drg.name for adrg in adrgs for drg in adrg.drgs}
    return MappingProxyType(names | {mdc.code: mdc.name for mdc in mdcs})


def _variables(mdcs: Iterable[Mdc], required: tuple[str, ...]) -> frozenset[str]:
    adrgs = [adrg for mdc in mdcs for adrg in mdc.adrgs]
    found = set(required)
    drgs = [drg for adrg in adrgs for drg in adrg.drgs]
    for rule in (*(m.rule for m in mdcs), *(a.rule for a in adrgs), *(d.rule for d in drgs)):
        for node in walk(rule):
            if isinstance(node, Compare):
                found.add(node.variable)
            elif isinstance(node, In | Count):
                found.update(node.variables)
    if "NL" in required:
        found |= {"XSRTL", "XSRTZ"}
    return frozenset(found)


def list_schemes() -> list[SchemeInfo]:
    """The schemes in the package, in order of id.

    Returns
    -------
    One `SchemeInfo` a scheme, read from ``data/index.toml`` without loading the scheme.

    Examples
    --------
    >>> [info.id for info in list_schemes() if not info.extends]
    ['chs-drg-1.0-revised', 'chs-drg-1.1', 'chs-drg-2.0', 'chs-drg-3.0']
    """
    return list(index_of("scheme").values())


def load_scheme(scheme: str | os.PathLike[str] | Scheme) -> Scheme:
    """A scheme by its id, or from a folder.

    Parameters
    ----------
    scheme
        The id of a scheme in the package (`list_schemes`), loaded once per process; the path of a folder in the
        format of ``docs/scheme-format.md`` (a text with a path separator, or a path object); or a `Scheme`,
        which comes back as it is.

    Returns
    -------
    The scheme, after its counts, its digest (of schemes in the package) and every cross-reference are checked.

    Raises
    ------
    UnknownNameError
        There is no such scheme; the message has the nearest ids.
    SchemeError
        A file breaks the format: the message says which, where, and what to do.

    Examples
    --------
    >>> load_scheme("chs-drg-2.0")
    <Scheme chs-drg-2.0 revision 1: 26 MDC, 409 ADRG, 634 DRG>
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and not is_path(scheme):
        return _load_packaged(scheme)
    return _load_folder(folder_of(scheme, "Give a scheme's folder or id"))


def is_path(text: str) -> bool:
    """Whether a text names a folder and no id."""
    return any(sign in text for sign in "/\\")


def path_of(given: object, fix: str) -> Path:
    """What was given as a path; what to give if it is none."""
    if not isinstance(given, str | os.PathLike):
        raise SchemeError("missing_file", "is neither an id nor a path", file=repr(given), fix=fix)
    return Path(given)


def folder_of(path: str | os.PathLike[str], fix: str) -> Path:
    """The folder that is to be loaded, which must be there; what to give if it is not."""
    folder = path_of(path, fix)
    if folder.is_file():
        fix = "A workbook becomes a folder in Python: Scheme.from_workbook or Catalogue.from_workbook, then to_folder"
        raise SchemeError("missing_file", "is a file, and a folder is wanted", file=folder, fix=fix)
    if not folder.is_dir():
        raise SchemeError("missing_file", "there is no such folder", file=folder, fix=fix)
    return folder


def check_digest(folder: Path, digest: str, expected: SchemeInfo | None) -> None:
    """Refuse files of the package that are not those of the index."""
    if expected is not None and expected.sha256 != digest:
        what = f"the digest of the files is {digest}, the index says {expected.sha256}"
        fix = "Install the package anew; what is published is never edited, a correction is a new revision"
        raise SchemeError("wrong_digest", what, file=folder, fix=fix)


@cache
def mdc_names() -> Mapping[str, str]:
    """English names of the MDCs, by code; a translation of ours, for display only."""
    with (DATA / "names" / "mdc.csv").open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["code"]: row["english"] for row in csv.DictReader(file)})


_Loaded = TypeVar("_Loaded")
_loaded: dict[str, Scheme] = {}
_loading = ForkSafeLock()  # taken twice: loading a local scheme loads its base


def _load_packaged(scheme_id: str) -> Scheme:
    return load_once("scheme", scheme_id, _loaded, lambda expected: _load_folder(DATA / "drg" / scheme_id, expected))


def load_once(kind: str, name: str, loaded: dict[str, _Loaded], load: Callable[[SchemeInfo], _Loaded]) -> _Loaded:
    """A scheme or a catalogue of the package, which is loaded once per process."""
    if name not in loaded:
        index = index_of(kind)
        if name not in index:
            other = "catalogue" if kind == "scheme" else "scheme"
            if name in index_of(other):
                raise UnknownNameError(kind, name, (), hint=f"It is a {other}, which load_{other} loads.")
            hint = "`drgdip schemes` lists all; a folder of your own is named by a path, such as ./" + name
            raise UnknownNameError(kind, name, index, hint=hint)
        with _loading:
            if name not in loaded:
                loaded[name] = load(index[name])
    return loaded[name]


@cache
def index_of(kind: str) -> dict[str, SchemeInfo]:
    """The schemes, catalogues or auxiliary rules (``auxiliary``) in the package by id."""
    return {entry["id"]: info_of(entry) for entry in index_entries(kind)}


def index_entries(kind: str) -> list[dict[str, Any]]:
    """The entries of a kind in the index of the package."""
    entries: list[dict[str, Any]] = _index_file()[kind]
    return entries


@cache
def _index_file() -> dict[str, Any]:
    return read_toml(DATA / "index.toml")  # some milliseconds, and each kind would read it anew


def info_of(entry: Mapping[str, Any]) -> SchemeInfo:
    """What the index or the head of a folder says."""
    defaults: dict[str, Any] = {
        "place": "",
        "effective_from": "",
        "effective_to": "",
        "revision": 1,
        "sha256": "",
        "provenance": {},
        "extends": "",
    }
    fields = [field.name for field in dataclasses.fields(SchemeInfo)]
    values: dict[str, Any] = {name: entry[name] if name in entry else defaults[name] for name in fields}
    values["counts"] = MappingProxyType({COUNT_ALIASES.get(k, k): v for k, v in values["counts"].items()})
    values["provenance"] = MappingProxyType(values["provenance"])
    return SchemeInfo(**values)


def _load_folder(folder: Path, expected: SchemeInfo | None = None) -> Scheme:
    head_path = folder / "scheme.toml"
    head = read_toml(head_path)
    base = _base(head_path, head)
    tables, digest = read_folder(folder, OVERLAY, base.info.sha256) if base else read_folder(folder)
    check_digest(folder, digest, expected)
    return build_scheme(head_path, head, tables, base=base, sha256=digest, folder=folder)


def build_scheme(
    path: Path,
    head: Mapping[str, Any],
    tables: Mapping[str, Table],
    *,
    base: Scheme | None = None,
    sha256: str,
    folder: Path,
    list_closed: bool = False,
) -> Scheme:
    """A scheme from its head, which errors call ``path``, and its tables as read.

    ``list_closed`` lists rows behind an unconditional one as unreachable instead of refusing them.
    """
    check_head(path, head, "evaluation", () if base is None else _INHERITED)
    if base is not None:
        head = {**_inherited(base), **head, "evaluation": options_of(base) | head.get("evaluation", {})}
    info = dataclasses.replace(info_of(head), sha256=sha256)
    if base is None:
        sets, exclusions = grouped_codes(tables["sets.csv"]), grouped_codes(tables["exclusions.csv"])
        severity = _severity(tables["severity.csv"], exclusions)
    else:
        sets, exclusions, severity = _assembled(base, tables)
        tables = {name: read_table(base.folder / name) for name in _SMALL if name not in tables} | dict(tables)
    evaluation = _evaluation(path, head["evaluation"])
    mdcs = _mdcs(tables, sets)
    scheme = Scheme(
        info=info,
        evaluation=evaluation,
        mdcs=mdcs,
        sets=sets,
        severity=severity,
        exclusions=exclusions,
        notes=MappingProxyType(head.get("notes", {})),
        names=_names(mdcs),
        variables=_variables(mdcs, evaluation.required),
        annexes=MappingProxyType({name: tables[name] for name in OPTIONAL if name in tables}),
        folder=folder,
    )
    _check_variables(path, scheme, head["evaluation"].get("variables"))
    if list_closed:
        scheme = dataclasses.replace(scheme, annexes=_with_closed(scheme))
    else:
        _check_reachable(scheme, tables)
    check_counts(path, scheme.info.counts, _COUNTS, scheme)
    return scheme


#: Tables that a local scheme has whole, or takes whole from its base.
_SMALL = ("mdc.csv", "adrg.csv", "drg.csv")
#: Keys of scheme.toml that a local scheme takes from its base where it does not state them.
_INHERITED = ("diagnosis_codes", "procedure_codes", "evaluation")


def _base(path: Path, head: Mapping[str, Any]) -> Scheme | None:
    """The scheme that a local one extends: one of the package by its id, or a folder by its path from the local one."""
    name = head.get("extends")
    if name is None:
        return None
    if not isinstance(name, str):
        raise SchemeError("bad_value", f"extends is {name!r}", file=path, fix=f"Give {_TYPE_WORDS[str]}")
    packaged = not is_path(name)
    fix = "Give the id of a national scheme, or the path of a scheme's folder from this one"
    if packaged and name not in index_of("scheme"):
        raise SchemeError("unknown_base", f"it extends {name!r}, which is no scheme", file=path, fix=fix)
    folder = DATA / "drg" / name if packaged else path.parent / name
    if not folder.is_dir():
        raise SchemeError("unknown_base", f"it extends {name!r}, where there is no folder", file=path, fix=fix)
    if "extends" in read_toml(folder / "scheme.toml"):
        what = f"it extends {name!r}, which extends another scheme itself"
        raise SchemeError("unknown_base", what, file=path, fix="Extend the scheme that stands alone")
    return _load_packaged(name) if packaged else _load_folder(folder)


def _inherited(base: Scheme) -> dict[str, Any]:
    return {"diagnosis_codes": base.info.diagnosis_codes, "procedure_codes": base.info.procedure_codes}


def options_of(scheme: Scheme) -> dict[str, Any]:
    """The [evaluation] of a scheme, as in its head."""
    return dataclasses.asdict(scheme.evaluation) | {"required": list(scheme.evaluation.required)}


def counts_of(scheme: Scheme) -> dict[str, int]:
    """What the tables of a scheme have, for its [counts]."""
    return {name: count(scheme) for name, count in _COUNTS.items()}


def _assembled(
    base: Scheme, changes: Mapping[str, Table]
) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]], Mapping[str, SeverityCode]]:
    """Sets, exclusion tables and severity codes of a base after the changes of a local scheme."""
    sets, exclusions, severity = base.sets, base.exclusions, base.severity
    if "sets.csv" in changes:
        sets = MappingProxyType(changed_codes(sets, changes["sets.csv"]))
    if "exclusions.csv" in changes:
        exclusions = MappingProxyType(changed_codes(exclusions, changes["exclusions.csv"]))
    if "severity.csv" in changes:
        severity = _severity(changed_rows(severity_rows(base), changes["severity.csv"]), exclusions)
    elif "exclusions.csv" in changes:
        lost = {entry.exclusion for entry in severity.values()} - {"", *exclusions}
        if lost:
            what = f"exclusion table {min(lost)} is taken away, but severity codes of the base name it"
            fix = "Keep the table, or change those codes in severity.csv"
            raise SchemeError("unknown_exclusion", what, file=changes["exclusions.csv"].path, fix=fix)
    return sets, exclusions, severity


def severity_rows(scheme: Scheme) -> list[tuple[str, str, str]]:
    """The rows of ``severity.csv``, sorted: code, level, exclusion table."""
    return sorted((code, level, entry.exclusion) for code, entry in scheme.severity.items() for level in entry.levels)


def check_head(path: Path, head: Mapping[str, Any], options: str, inherited: tuple[str, ...] = ()) -> None:
    """Refuse the head of a folder that lacks a key, such as its table of options, or holds an unknown or wrong one."""
    texts = ("id", "title", "issuer", "published", "diagnosis_codes", "procedure_codes")
    for key in (*texts, "counts", options):
        if key not in head and key not in inherited:
            raise SchemeError("missing_key", f"{key!r} is missing", file=path, fix="Add it")
    types: dict[str, type] = dict.fromkeys((*texts, "place", "effective_from", "effective_to"), str)
    types |= {"extends": str} if options == "evaluation" else {}
    types |= {"revision": int} | dict.fromkeys(("counts", options, "provenance", "notes"), dict)
    for key, value in head.items():
        if key not in types:
            what = f"unknown {'table' if isinstance(value, dict) else 'key'} {key!r}"
            raise SchemeError("unknown_key", what, file=path, fix=f"The keys are {', '.join(types)}")
        if not isinstance(value, types[key]) or isinstance(value, bool):
            raise SchemeError("bad_value", f"{key} is {value!r}", file=path, fix=f"Give {_TYPE_WORDS[types[key]]}")


def _evaluation(path: Path, options: Mapping[str, Any]) -> Evaluation:
    types = {
        "mdc_fallthrough": bool,
        "adrg_fallthrough": bool,
        "ungroupable": str,
        "required": list,
        "retry_other_procedures": bool,
        "blank_principal_diagnosis": bool,
        "newborn_weight": str,
    }
    for key, value in options.items():
        if key == "variables":
            continue
        if key not in types:
            fix = f"The options are {', '.join(types)} and variables"
            raise SchemeError("unknown_key", f"unknown option {key!r} in [evaluation]", file=path, fix=fix)
        if not isinstance(value, types[key]):
            what = f"{key} in [evaluation] is {value!r}"
            raise SchemeError("bad_value", what, file=path, fix=f"Give {_TYPE_WORDS[types[key]]}")
    for key in list(types)[:4]:
        if key not in options:
            raise SchemeError("missing_key", f"{key!r} is missing in [evaluation]", file=path, fix="Add it")
    if options.get("newborn_weight", "birth") not in {"birth", "admission"}:
        what = f"newborn_weight in [evaluation] is {options['newborn_weight']!r}"
        raise SchemeError("bad_value", what, file=path, fix="Give birth or admission")
    for variable in options["required"]:
        if variable not in ("ZYZD", "ZYSS", *VALUE_VARIABLES):
            what = f"unknown variable {variable!r} among the required ones"
            fix = f"The variables are ZYZD, ZYSS, {', '.join(VALUE_VARIABLES)}"
            raise SchemeError("unknown_variable", what, file=path, fix=fix)
    values = {key: value for key, value in options.items() if key in types}
    return Evaluation(**(values | {"required": tuple(options["required"])}))


def grouped_codes(table: Table) -> Mapping[str, frozenset[str]]:
    """Codes by name of set, or by exclusion table."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, code in table.rows:
        groups[name].append(code)
    return MappingProxyType({name: frozenset(codes) for name, codes in groups.items()})


def _severity(table: Table, exclusions: Mapping[str, frozenset[str]]) -> Mapping[str, SeverityCode]:
    kept: dict[tuple[tuple[str, ...], str], SeverityCode] = {}
    codes: dict[str, SeverityCode] = {}
    for index, (code, level, exclusion) in enumerate(table.rows):
        if level not in LEVELS:
            what = f"level {level!r} of {code}"
            raise table.error("unknown_value", index, what, f"The levels are {' and '.join(LEVELS)}")
        if exclusion and exclusion not in exclusions:
            what = f"{code} names exclusion table {exclusion!r}, which has no row in exclusions.csv"
            raise table.error("unknown_exclusion", index, what, "Add the table, or leave the cell empty")
        levels: tuple[str, ...] = (level,)
        if code in codes:
            levels = LEVELS
            if codes[code].exclusion != exclusion:
                what = f"{code} is {' and '.join(LEVELS)}, but its rows name different exclusion tables"
                raise table.error("duplicate", index, what, "Let both rows name one table, or keep one of them")
        codes[code] = kept.setdefault((levels, exclusion), SeverityCode(levels, exclusion))
    return MappingProxyType(codes)


def _mdcs(tables: Mapping[str, Table], sets: Mapping[str, frozenset[str]]) -> tuple[Mdc, ...]:
    """The three rule tables as a tree, children in order."""
    mdc_table, adrg_table, drg_table = (tables[name] for name in ("mdc.csv", "adrg.csv", "drg.csv"))
    adrg_codes = set(adrg_table.columns["code"])
    mdc_codes = set(mdc_table.columns["code"])
    rules = _Rules(sets)

    drgs: dict[str, list[tuple[int, Drg]]] = {}
    for index, (code, name, adrg, order, text) in enumerate(drg_table.rows):
        if adrg not in adrg_codes:
            what = f"DRG {code} belongs to ADRG {adrg!r}, which is not in adrg.csv"
            raise drg_table.error("unknown_parent", index, what, "Add the ADRG or mend the code")
        row = Drg(code, name, adrg, _order(drg_table, index, order), rules.read(drg_table, index, text))
        drgs.setdefault(adrg, []).append((index, row))
    children = {adrg: _in_order(drg_table, adrg, rows) for adrg, rows in drgs.items()}

    adrgs: dict[str, list[tuple[int, Adrg]]] = {}
    for index, (code, name, mdc, order, kind, text) in enumerate(adrg_table.rows):
        if mdc not in mdc_codes:
            what = f"ADRG {code} belongs to MDC {mdc!r}, which is not in mdc.csv"
            raise adrg_table.error("unknown_parent", index, what, "Add the MDC or mend the code")
        if kind not in KINDS:
            what = f"kind {kind!r} of ADRG {code}"
            raise adrg_table.error("unknown_value", index, what, f"The kinds are {', '.join(KINDS)}")
        number = _order(adrg_table, index, order)
        rule = rules.read(adrg_table, index, text)
        adrgs.setdefault(mdc, []).append((index, Adrg(code, name, mdc, number, kind, rule, children.get(code, ()))))
    under = {mdc: _in_order(adrg_table, mdc, rows) for mdc, rows in adrgs.items()}

    mdcs = []
    for index, (code, name, order, text) in enumerate(mdc_table.rows):
        if code not in under:
            what = f"MDC {code} has no ADRG"
            raise mdc_table.error("unknown_parent", index, what, "Add its ADRGs to adrg.csv or drop the row")
        rule = rules.read(mdc_table, index, text)
        mdcs.append((index, Mdc(code, name, _order(mdc_table, index, order), rule, under[code])))
    return _in_order(mdc_table, "the scheme", mdcs)


class _Rules:
    """Reads rules, each text once, and checks the sets they name."""

    def __init__(self, sets: Mapping[str, frozenset[str]]) -> None:
        self.sets = sets
        self.read_already: dict[str, Rule] = {}

    def read(self, table: Table, index: int, text: str) -> Rule:
        if text in self.read_already:
            return self.read_already[text]
        code = table.columns["code"][index]
        try:
            rule = parse(text)
        except RuleError as error:
            what = f"the rule of {code} cannot be read: {error}\n"
            raise table.error(
                "bad_rule", index, what, "Mend the rule; the language is in docs/scheme-format.md"
            ) from error
        for node in walk(rule):
            for name in node.sets if isinstance(node, In) else (node.set,) if isinstance(node, Count) else ():
                if name not in self.sets:
                    what = f"the rule of {code} names set {name!r}, which has no row in sets.csv"
                    raise table.error("unknown_set", index, what, "Add the set or mend the name")
        self.read_already[text] = rule
        return rule


def _order(table: Table, index: int, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise table.error("bad_number", index, f"order {text!r} is not a whole number", "Count from 1 in the parent")
    return int(text)


_Row = TypeVar("_Row", Mdc, Adrg, Drg)


def _in_order(table: Table, parent: str, rows: list[tuple[int, _Row]]) -> tuple[_Row, ...]:
    rows = sorted(rows, key=lambda item: item[1].order)
    for expected, (index, row) in enumerate(rows, start=1):
        if row.order != expected:
            what = f"order {row.order} in {parent} where {expected} should be"
            raise table.error("bad_order", index, what, "Count the rows of a parent from 1 without gaps")
    return tuple(row for _, row in rows)


def _check_variables(path: Path, scheme: Scheme, stated: list[str] | None) -> None:
    if stated is None:
        return
    used = scheme.variables & VALUE_VARIABLES.keys()
    if set(stated) != used:
        what = f"[evaluation] states the variables {', '.join(sorted(stated))}; the rules use {', '.join(sorted(used))}"
        raise SchemeError("unknown_variable", what, file=path, fix="State what the rules use, or leave the key out")


def _check_reachable(scheme: Scheme, tables: Mapping[str, Table]) -> None:
    """Refuse rows behind an unconditional one, unless they are listed in unreachable.csv."""
    annex = scheme.annexes.get("unreachable.csv")
    listed = {row[:3] for row in annex.rows} if annex else set()
    if annex:
        _check_listed(scheme, annex)
    for name, parent, order, code, closed in _closed_rows(scheme):
        if (name, parent, order) not in listed:
            table = tables[f"{name}.csv"]
            parents = table.columns[{"adrg": "mdc", "drg": "adrg"}[name]]
            orders = map(int, table.columns["order"])
            index = list(zip(parents, orders, strict=True)).index((parent, int(order)))
            what = f"{code} can never be reached: {closed} before it in {parent} takes every case"
            fix = f"Mend the order or the rules, or list it in unreachable.csv as {name},{parent},{order}"
            raise table.error("unreachable", index, what, fix)


def _check_listed(scheme: Scheme, annex: Table) -> None:
    """Refuse rows of unreachable.csv that name no row of the scheme."""
    rows = {("adrg", adrg.mdc, str(adrg.order), adrg.code) for adrg in scheme.adrgs}
    rows |= {("drg", adrg.code, str(drg.order), drg.code) for adrg in scheme.adrgs for drg in adrg.drgs}
    for index, row in enumerate(annex.rows):
        if row[:4] not in rows:
            what = f"{','.join(row[:4])}: the scheme has no such row"
            raise annex.error("absent_row", index, what, "Drop the row or mend it")


def _closed_rows(scheme: Scheme) -> Iterator[tuple[str, str, str, str, str]]:
    """The rows behind an unconditional one: table, parent, order, code, and the code of that one."""

    def closed_in(name: str, parent: str, rows: Iterable[Adrg | Drg], ends: Callable[[Any], bool]) -> Iterator[Any]:
        closed = ""
        for row in rows:
            if closed:
                yield name, parent, str(row.order), row.code, closed
            elif ends(row):
                closed = row.code

    def takes_all(adrg: Adrg) -> bool:
        if adrg.rule != ALWAYS:
            return False
        return not scheme.evaluation.adrg_fallthrough or any(drg.rule == ALWAYS for drg in adrg.drgs)

    for mdc in scheme.mdcs:
        yield from closed_in("adrg", mdc.code, mdc.adrgs, takes_all)
    for adrg in {adrg.code: adrg for adrg in scheme.adrgs}.values():
        yield from closed_in("drg", adrg.code, adrg.drgs, lambda drg: drg.rule == ALWAYS)


def _with_closed(scheme: Scheme) -> Mapping[str, Table]:
    """The annexes with the rows behind unconditional ones listed."""
    rows = [(*row, f"{closed} before it takes every case") for *row, closed in _closed_rows(scheme)]
    if not rows:
        return scheme.annexes
    columns = {
        name: list(cells) for name, cells in zip(COLUMNS["unreachable.csv"], zip(*rows, strict=True), strict=True)
    }
    return MappingProxyType({**scheme.annexes, "unreachable.csv": Table(scheme.folder / "unreachable.csv", columns)})


def check_counts(
    path: Path, stated: Mapping[str, int], counts: Mapping[str, Callable[[_Loaded], int]], loaded: _Loaded
) -> None:
    """Refuse counts of a head that are none of the known ones, or not what the tables give."""
    for name, number in stated.items():
        if name not in counts:
            fix = f"The counts are {', '.join(counts)}"
            raise SchemeError("unknown_key", f"unknown count {name!r} in [counts]", file=path, fix=fix)
        found = counts[name](loaded)
        if found != number:
            what = f"[counts] says {name} = {number}, the tables have {found}"
            fix = "Restore the lost or added rows, or mend the count"
            raise SchemeError("wrong_count", what, file=path, fix=fix)
