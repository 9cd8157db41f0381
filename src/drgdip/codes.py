"""Codes of diagnoses and procedures: how they are written, the code sets, and the cross-walks between them."""

from __future__ import annotations

import csv
import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.errors import CaseError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from drgdip.grouper.catalogue import Catalogue
    from drgdip.grouper.scheme import Scheme

__all__ = [
    "OUTCOMES",
    "MappedCodes",
    "code_name",
    "code_set",
    "crosswalk",
    "edition_of",
    "grey_codes",
    "known_codes",
    "map_codes",
    "normalise_code",
]

_DATA = Path(__file__).parent / "data" / "codes"
#: What may come of a code that is mapped.
OUTCOMES = ("mapped", "kept", "no_counterpart", "unknown")

# Full-width forms (！ to ～) lie at a fixed distance from the ASCII ones; the ideographic space stands alone.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20, 0xFEFF: None}
# An X that extends a code stands behind a digit or the point; the X of chapter XX begins a code.
_CAPITAL_X = re.compile(r"(?<=[0-9.])X")


def fold_width(text: str) -> str:
    """The text with full-width characters as ASCII and no white space around it."""
    return text.translate(_FULL_WIDTH).strip()


@lru_cache(maxsize=1 << 16)
def normalise_code(code: str) -> str:
    """A code as the code sets write it.

    White space around it goes, full-width characters become ASCII, and a capital X that extends a code becomes
    small. Nothing else is changed: neither the case of letters nor points nor length.

    Parameters
    ----------
    code
        A diagnosis or procedure code as found.

    Returns
    -------
    The code, "" for white space.

    Examples
    --------
    >>> normalise_code(" Ｊ11.000X001 "), normalise_code("X59.900"), normalise_code("c61.X00")
    ('J11.000x001', 'X59.900', 'c61.x00')
    """
    return _CAPITAL_X.sub("x", fold_width(code))


def code_set(name: str, *, under: str | None = None, search: str | None = None, grey: bool | None = None) -> pa.Table:
    """A code set, or some of its codes.

    Parameters
    ----------
    name
        ``nhsa-icd10-2.0`` (diagnoses) or ``nhsa-icd9cm3-2.0`` (procedures).
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
    >>> code_set("nhsa-icd10-2.0", under="I63", search="脑干")["code"].to_pylist()
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


def code_name(code: str, code_set: str) -> str | None:
    """The name of a code.

    Parameters
    ----------
    code
        A code in any spelling that `normalise_code` folds.
    code_set
        The name of a code set, as for `drgdip.code_set`.

    Returns
    -------
    The name, or None where the set has no such code.

    Raises
    ------
    UnknownNameError
        There is no such code set.

    Examples
    --------
    >>> code_name("I63.900", "nhsa-icd10-2.0"), code_name("I63.9", "nhsa-icd10-2.0")
    ('脑梗死', None)
    """
    return _names(code_set).get(normalise_code(code))


class MappedCodes(NamedTuple):
    """Mapped codes, and what came of each.

    Attributes
    ----------
    data
        What was given, of the same kind, with the codes of the other edition.
    report
        One row a distinct code: ``column`` (where it stood), ``from``, ``to``, ``count`` (how often it stood) and
        ``outcome``, one of `OUTCOMES`: it has another code there; it has the same; the cross-walk gives none or two;
        or neither the cross-walk nor the other code set knows it.
    """

    data: Any
    report: pa.Table


def map_codes(data: Any, from_: str, to: str = "nhsa-2.0", *, columns: Mapping[str, str] | None = None) -> MappedCodes:
    """Map codes from one edition to another by the published cross-walks.

    Parameters
    ----------
    data
        A table of cases of any kind (as for `drgdip.group`), whose diagnoses and procedures are mapped where they
        stand; or codes alone: a list of texts or an Arrow array.
    from_
        What the codes are: an edition (``clinical-2.0``, ``clinical-1.0``, ``nhsa-1.0``, ``beijing-7.0``), or one code
        set of it (``clinical-icd10-2.0``), which codes alone need.
    to
        What they are to be: an edition or a code set, ``nhsa-2.0`` or ``nhsa-1.0``.
    columns
        Name in the table by case column, for names that are no alias.

    Returns
    -------
    The mapped data and a report (`MappedCodes`). A code without another one stays as it is, normalised: none is lost.

    Raises
    ------
    UnknownNameError
        There is no such edition or code set.
    CaseError
        No cross-walk leads from the one to the other; no table; codes alone with an edition, which has two code sets.

    Notes
    -----
    Source: the cross-walks published with the code sets, through OpenDRG. A cross-walk holds what differs: any other
    code is the same in both.

    Examples
    --------
    >>> mapped = map_codes(["A19.000x001", "I63.900", "nonsense"], "clinical-icd10-2.0")
    >>> mapped.data
    ['A19.001', 'I63.900', 'nonsense']
    >>> mapped.report["outcome"].to_pylist()
    ['mapped', 'kept', 'unknown']
    """
    from drgdip.crosswalks import map_array, map_table

    sets = edition_of(from_)
    targets = edition_of(to)
    walks = {kind: crosswalk(sets[kind], targets[kind]) for kind in sets if kind in targets}
    if not walks:
        raise CaseError(f"{from_} and {to} are not of one kind: one is of diagnoses, the other of procedures")
    if type(data).__name__.endswith("Array") or (
        isinstance(data, list | tuple) and not any(isinstance(item, dict) for item in data)
    ):
        if len(walks) > 1:
            pair = " or ".join(f"{name!r}" for name in sets.values())
            raise CaseError(f"{from_} has diagnoses and procedures; for codes alone say which they are: {pair}")
        return map_array(data, next(iter(walks.values())))
    return map_table(data, walks, columns or {})


class Walk(NamedTuple):
    """A cross-walk, or several in a row.

    Attributes
    ----------
    counterparts
        The other code by code, where it differs.
    lost
        Codes of which the source gives no counterpart, or two.
    target
        The code set that it leads to.
    """

    counterparts: Mapping[str, str]
    lost: frozenset[str]
    target: str

    def step(self, code: str) -> tuple[str, str]:
        """The other code of a normalised code, and what came of it (`OUTCOMES`)."""
        if code in self.counterparts:
            return self.counterparts[code], "mapped"
        if code in self.lost:
            return code, "no_counterpart"
        known = known_codes(self.target)
        return code, "kept" if not known or code in known else "unknown"


@cache
def crosswalk(from_: str, to: str) -> Walk:
    """The cross-walk between two code sets, joined from several where none leads straight there.

    Raises
    ------
    CaseError
        None does.
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
            return Walk(MappingProxyType(counterparts), first.lost | (rest.lost - first.counterparts.keys()), to)
    leads = " and ".join(f"{step[0]} to {step[1]}" for step in steps)
    raise CaseError(f"no cross-walk leads from {from_} to {to}; there are those from {leads}")


def _one_walk(from_: str, to: str) -> Walk:
    """A cross-walk as its file has it."""
    counterparts: dict[str, str] = {}
    lost: set[str] = set()
    for code, _, other in _rows(f"{from_}_to_{to}.csv"):
        if not other or code in counterparts:  # a code with two counterparts has none that is certain
            lost.add(code)
        else:
            counterparts[code] = other
    for code in lost & counterparts.keys():
        del counterparts[code]
    return Walk(counterparts, frozenset(lost), to)


def edition_of(name: str) -> Mapping[str, str]:
    """The code sets of an edition by kind (dx, procs), or a code set as the edition of one.

    Raises
    ------
    UnknownNameError
        There is neither an edition nor a code set of this name.
    """
    editions = {entry["id"]: {kind: entry[kind] for kind in ("dx", "procs")} for entry in _index()["edition"]}
    if name in editions:
        return editions[name]
    alone = {code_set: {kind: code_set} for edition in editions.values() for kind, code_set in edition.items()}
    if name not in alone:
        hint = f"The editions are {', '.join(editions)}; the code sets {', '.join(alone)}."
        raise UnknownNameError("edition or code set", name, [*editions, *alone], hint=hint)
    return alone[name]


def walks_to(edition: str, scheme: Scheme | Catalogue) -> dict[str, Walk]:
    """The cross-walks from an edition to the code sets that a scheme or a catalogue names, by kind (dx, procs)."""
    sets = edition_of(edition)
    targets = {"dx": scheme.info.diagnosis_codes, "procs": scheme.info.procedure_codes}
    return {kind: crosswalk(code_set, targets[kind]) for kind, code_set in sets.items()}


@cache
def known_codes(code_set: str) -> frozenset[str]:
    """The codes of a code set; none for one that is only named by a cross-walk or a scheme of someone's own."""
    if code_set not in _code_sets():
        return frozenset()
    lines = (_DATA / f"{code_set}.csv").read_text(encoding="utf-8").splitlines()[1:]
    return frozenset([line.partition(",")[0] for line in lines])  # the whole table would take five times as long


@cache
def grey_codes(code_set: str) -> frozenset[str]:
    """The grey codes of a code set; none for one that is not here."""
    if code_set not in _code_sets():
        return frozenset()
    columns = _code_set(code_set)
    return frozenset(code for code, grey in zip(columns["code"], columns["grey"], strict=True) if grey == "1")


@cache
def _names(code_set: str) -> Mapping[str, str]:
    columns = _code_set(code_set)
    return dict(zip(columns["code"], columns["name"], strict=True))


@cache
def _code_set(code_set: str) -> Mapping[str, tuple[str, ...]]:
    """A code set by column, as its file has it."""
    if code_set not in _code_sets():
        raise UnknownNameError("code set", code_set, _code_sets(), hint=f"There are {' and '.join(_code_sets())}.")
    header, *rows = _rows(f"{code_set}.csv", header=True)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _code_sets() -> list[str]:
    return [entry["id"] for entry in _index()["code_set"]]


@cache
def _index() -> dict[str, Any]:
    return tomllib.loads((_DATA / "index.toml").read_text(encoding="utf-8"))


def _rows(name: str, *, header: bool = False) -> Iterable[list[str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if not header:
            next(rows)
        return list(rows)
