"""Codes of diagnoses and procedures: how they are written, the code sets, and the cross-walks between them."""

from __future__ import annotations

import csv
import io
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._listing import Listing
from drgdip._once import once
from drgdip._text import fold_width, normalise_code
from drgdip.data import text_of, toml_of
from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from drgdip.data import SchemeInfo

__all__ = [
    "OUTCOMES",
    "CodeSet",
    "Walk",
    "crosswalk",
    "edition_of",
    "editions_to",
    "editions_with",
    "find_code_name",
    "grey_codes",
    "known_codes",
    "list_code_sets",
    "load_code_set",
    "names_of_codes",
    "walks_to",
]

#: The outcomes of mapping a code.
OUTCOMES = ("mapped", "kept", "no_counterpart", "unknown")


class CodeSet(NamedTuple):
    """A code set that is here with all its codes.

    Attributes
    ----------
    id
        The name for `drgdip.load_code_set`.
    kind
        ``dx`` (diagnoses) or ``procs`` (procedures).
    title
        The name in the field.
    rows
        How many codes it has.
    grey
        How many of them are grey codes (灰码).
    """

    id: str
    kind: str
    title: str
    rows: int
    grey: int


def list_code_sets() -> Listing[CodeSet]:
    """List the code sets that are here with all their codes.

    Returns
    -------
    One row a code set (`CodeSet`).

    Examples
    --------
    >>> list_code_sets()
    id                kind   title                  rows   grey
    nhsa-icd10-2.0    dx     ICD-10 医保版 2.0      33307  2695
    nhsa-icd9cm3-2.0  procs  ICD-9-CM-3 医保版 2.0  13686  2241
    """
    sets = [CodeSet(**{name: entry[name] for name in CodeSet._fields}) for entry in _index()["code_set"]]
    return Listing(sets, CodeSet._fields)


def load_code_set(
    name: str, *, under: str | None = None, search: str | None = None, grey: bool | None = None
) -> pa.Table:
    """Return a code set, or some of its codes.

    Parameters
    ----------
    name
        ``nhsa-icd10-2.0`` (diagnoses) or ``nhsa-icd9cm3-2.0`` (procedures), as `list_code_sets` lists them.
    under
        Only codes that begin with this: ``"I63"`` gives the category, ``"I63.9"`` what is under it.
    search
        Only codes whose code or name holds this text.
    grey
        True for grey codes (灰码: in the set, but not to be used for settlement) only, False for the others only.

    Returns
    -------
    A table in order of code: ``code, name, grey, chapter``, and for procedures ``category`` (surgery, therapeutic,
    diagnostic, interventional, or null).

    Raises
    ------
    UnknownNameError
        There is no such code set.

    Notes
    -----
    Source: the NHSA's lists ICD-10 医保版 2.0 and ICD-9-CM-3 医保版 2.0, through OpenDRG (``docs/codes.md``).

    Examples
    --------
    >>> load_code_set("nhsa-icd10-2.0", under="I63", search="脑干")["code"].to_pylist()
    ['I63.901']
    """
    import pyarrow as pa

    from drgdip._arrow import from_list

    columns = _code_set(name)
    rows = [
        row
        for row, (code, title, is_grey) in enumerate(
            zip(columns["code"], columns["name"], columns["grey"], strict=True)
        )
        if (under is None or code.startswith(under))
        and (search is None or search in code or search in title)
        and (grey is None or (is_grey == "1") is grey)
    ]
    chosen = {column: [cells[row] or None for row in rows] for column, cells in columns.items()}
    return pa.table(
        {
            "code": from_list(chosen["code"], pa.string()),
            "name": from_list(chosen["name"], pa.string()),
            "grey": from_list([cell == "1" for cell in chosen["grey"]], pa.bool_()),
            "chapter": from_list([int(cell or 0) for cell in chosen["chapter"]], pa.int64()),
            **({"category": from_list(chosen["category"], pa.string())} if "category" in chosen else {}),
        }
    )


def find_code_name(code: str, code_set: str) -> str | None:
    """Return the name of a code.

    Parameters
    ----------
    code
        A code in any spelling that `normalise_code` folds.
    code_set
        The name of a code set, as for `drgdip.load_code_set`.

    Returns
    -------
    The name, or None where the set has no such code.

    Raises
    ------
    UnknownNameError
        There is no such code set.

    Examples
    --------
    >>> find_code_name("I63.900", "nhsa-icd10-2.0"), find_code_name("I63.9", "nhsa-icd10-2.0")
    ('脑梗死', None)
    """
    return names_of_codes(code_set).get(normalise_code(code))


class Walk(NamedTuple):
    """A cross-walk, or several in a row.

    Attributes
    ----------
    counterparts
        The other code by code, where it differs.
    lost
        Codes for which the source gives no counterpart, or two.
    target
        The code set that it leads to.
    files
        The files of the package that it was read from.
    """

    counterparts: Mapping[str, str]
    lost: frozenset[str]
    target: str
    files: tuple[str, ...] = ()

    def step(self, code: str) -> tuple[str, str]:
        """Return the other code of a normalised code, and the outcome (`OUTCOMES`)."""
        if code in self.counterparts:
            return self.counterparts[code], "mapped"
        if code in self.lost:
            return code, "no_counterpart"
        known = known_codes(self.target)
        return code, "kept" if not known or code in known else "unknown"


@once
def crosswalk(from_: str, to: str) -> Walk:
    """Return the cross-walk between two code sets, joined from several where none leads straight there.

    Raises
    ------
    CaseError
        No cross-walk leads there.
    """
    if from_ == to:
        return Walk(MappingProxyType({}), frozenset(), to)
    steps = [(entry["from"], entry["to"]) for entry in _index()["cross_walk"]]
    for start, via in steps:
        if start == from_ and (via == to or any(step == (via, to) for step in steps)):
            first = _one_walk(from_, via)
            rest = crosswalk(via, to)
            counterparts = {code: rest.counterparts.get(other, other) for code, other in first.counterparts.items()}
            straight = rest.counterparts.keys() - counterparts.keys() - first.lost
            counterparts |= {code: rest.counterparts[code] for code in straight}
            lost = first.lost | (rest.lost - first.counterparts.keys())
            return Walk(MappingProxyType(counterparts), lost, to, (*first.files, *rest.files))
    leads = " and ".join(f"{step[0]} to {step[1]}" for step in steps)
    raise CaseError(f"no cross-walk leads from {from_} to {to}; there are those from {leads}")


def _one_walk(from_: str, to: str) -> Walk:
    """Return a cross-walk as its file has it."""
    counterparts: dict[str, str] = {}
    lost: set[str] = set()
    name = f"{from_}_to_{to}.csv"
    for code, _, other in _rows(name):
        if not other or code in counterparts:  # a code with two counterparts has none that is certain
            lost.add(code)
        else:
            counterparts[code] = other
    for code in lost & counterparts.keys():
        del counterparts[code]
    return Walk(counterparts, frozenset(lost), to, (f"codes/{name}",))


def edition_of(name: str) -> Mapping[str, str]:
    """Return the code sets of an edition by kind (dx, procs), or a code set as the edition of one.

    Raises
    ------
    UnknownNameError
        There is neither an edition nor a code set of this name.
    """
    editions = {entry["id"]: {kind: entry[kind] for kind in ("dx", "procs")} for entry in _index()["edition"]}
    name = _edition_named(name) or name
    if name in editions:
        return editions[name]
    alone = {code_set: {kind: code_set} for edition in editions.values() for kind, code_set in edition.items()}
    if name not in alone:
        titles = ", ".join(f"{entry['id']} ({entry['title']})" for entry in _index()["edition"])
        hint = f"The editions are {titles}; the code sets {', '.join(alone)}."
        raise UnknownNameError("edition or code set", name, [*editions, *alone], hint=hint)
    return alone[name]


#: What names of editions in the field begin with, by the beginning of ours.
_EDITIONS = {
    "clinical": re.compile(r"(国家?)?(临床?)(版|标准版)?v?(\d\.\d)版?"),
    "nhsa": re.compile(r"(国家?)?(医保)(局)?(版|标准版)?v?(\d\.\d)版?"),
    "beijing": re.compile(r"(北京)(市)?(临床)?版?v?(\d\.\d)版?"),
}


def _edition_named(name: str) -> str | None:
    """Return the id of an edition that is named as in the field, such as 国临2.0 or 医保版 2.0."""
    folded = "".join(fold_width(name).casefold().split())
    known = {entry["id"] for entry in _index()["edition"]}
    for beginning, pattern in _EDITIONS.items():
        found = pattern.fullmatch(folded)
        if found and f"{beginning}-{found.groups()[-1]}" in known:
            return f"{beginning}-{found.groups()[-1]}"
    return None


def editions_with(code: str, kind: str, target: str) -> list[str]:
    """Return the editions that have a code of a kind (dx, procs) and give it another meaning or none in a code set."""
    found = []
    for entry in _index()["edition"]:
        if entry[kind] == target:
            continue
        try:
            walk = crosswalk(entry[kind], target)
        except CaseError:  # none leads there
            continue
        if code in walk.counterparts or code in walk.lost:
            found.append(entry["id"])
    return found


def editions_to(info: SchemeInfo) -> list[str]:
    """Return the editions that cross-walks lead from to the code sets of a scheme or a catalogue."""
    found = []
    for entry in _index()["edition"]:
        try:
            walks = walks_to(entry["id"], info)
        except CaseError:  # none leads there
            continue
        if any(walk.counterparts for walk in walks.values()):
            found.append(entry["id"])
    return found


def walks_to(edition: str, info: SchemeInfo) -> dict[str, Walk]:
    """Return the cross-walks from an edition to the code sets of a scheme or a catalogue, by kind (dx, procs)."""
    sets = edition_of(edition)
    targets = {"dx": info.diagnosis_codes, "procs": info.procedure_codes}
    return {kind: crosswalk(code_set, targets[kind]) for kind, code_set in sets.items()}


@once
def known_codes(code_set: str) -> frozenset[str]:
    """Return the codes of a code set; none for one that is only named by a cross-walk or a scheme of someone's own."""
    if code_set not in _code_sets():
        return frozenset()
    lines = text_of(f"codes/{code_set}.csv").splitlines()[1:]
    return frozenset([line.partition(",")[0] for line in lines])  # the whole table would take five times as long


@once
def grey_codes(code_set: str) -> frozenset[str]:
    """Return the grey codes of a code set; none for one that is not here."""
    if code_set not in _code_sets():
        return frozenset()
    columns = _code_set(code_set)
    return frozenset(code for code, grey in zip(columns["code"], columns["grey"], strict=True) if grey == "1")


@once
def names_of_codes(code_set: str) -> Mapping[str, str]:
    """Return the name of each code of a code set."""
    columns = _code_set(code_set)
    return dict(zip(columns["code"], columns["name"], strict=True))


@once
def _code_set(code_set: str) -> Mapping[str, tuple[str, ...]]:
    """Return a code set by column, as its file has it."""
    if code_set not in _code_sets():
        raise UnknownNameError("code set", code_set, _code_sets(), hint=f"There are {' and '.join(_code_sets())}.")
    header, *rows = _rows(f"{code_set}.csv", header=True)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _code_sets() -> list[str]:
    return [entry["id"] for entry in _index()["code_set"]]


def _index() -> Mapping[str, Any]:
    return toml_of("codes/index.toml")


def _rows(name: str, *, header: bool = False) -> Iterable[list[str]]:
    rows = csv.reader(io.StringIO(text_of(f"codes/{name}"), newline=""))
    if not header:
        next(rows)
    return list(rows)
