"""Catalogues as arrays: codes get numbers, groups become rows of candidates with their terms."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list
from drgdip._locks import ForkSafeLock
from drgdip._once import once_for
from drgdip._text import MISSING, code_of, normalise_code
from drgdip.errors import DrgdipError
from drgdip.grouper.dip import kernels
from drgdip.grouper.dip.kernels import Tables
from drgdip.grouper.dip.model import EXCLUDED, STAGES, TREATMENTS
from drgdip.grouper.dip.reference import LAST, MEASURES, NAMING, closeness
from drgdip.grouper.grammar import ALWAYS
from drgdip.grouper.numbering import numbering

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drgdip.grouper.dip.model import CatalogueTables, Group, Term
    from drgdip.grouper.grammar import Rule
    from drgdip.grouper.numbering import Numbers

__all__ = ["Compiled", "PrefixNumbering", "compile_catalogue"]

#: Before a code that is meant whole; a prefix has none.
_WHOLE = "="
#: How many diagnoses are remembered with their number; the code sets have some 35,000.
_MOST_KNOWN = 200_000
_remembering = ForkSafeLock()


class PrefixNumbering:
    """The numbers of diagnoses: that of the longest prefix a catalogue names, or of a code that it names whole.

    Diagnoses that were seen are remembered, so that each is cut into prefixes once. Procedures are numbered so where
    short ones are prefixes.
    """

    missing = 0
    first = 1

    def __init__(self, prefixes: Iterable[str], whole: Iterable[str]) -> None:
        self.codes = tuple(sorted({*prefixes, *(_WHOLE + code for code in whole)}))
        self.number_of = {code: number for number, code in enumerate(self.codes, start=self.first)}
        self.lengths = sorted({len(code) for code in self.codes if code[0] != _WHOLE}, reverse=True)
        self._known: dict[str | None, int] = dict.fromkeys((None, *sorted(MISSING)), self.missing)
        self._arrays = self._as_arrays()

    @property
    def unknown(self) -> int:
        """The number behind all others."""
        return self.first + len(self.codes)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.unknown + 1

    def table(self) -> tuple[pa.Array, pa.Array, np.ndarray]:
        """Return the diagnoses that are known, as texts and as large texts, and their numbers."""
        return self._arrays

    def beginning(self, prefix: str) -> list[int]:
        """Return the numbers of prefixes and whole codes that begin so."""
        bounds = [bisect_left(self.codes, sign + prefix + end) for sign in ("", _WHOLE) for end in ("", LAST)]
        return [self.first + place for place in (*range(*bounds[:2]), *range(*bounds[2:]))]

    def look(self, codes: Sequence[str]) -> list[int]:
        """Return the numbers of diagnoses that the table has not; it has them from now on."""
        numbers = [self._number(code) for code in codes]
        with _remembering:
            if len(self._known) + len(codes) <= _MOST_KNOWN:
                self._known.update(zip(codes, numbers, strict=True))
                self._arrays = self._as_arrays()
        return numbers

    def _number(self, text: str) -> int:
        code = code_of(text)
        if code is None:
            return self.missing
        if _WHOLE + code in self.number_of:
            return self.number_of[_WHOLE + code]
        if code.startswith(_WHOLE):  # no prefix does, and a whole code is not to be taken for one
            return self.unknown
        for length in self.lengths:
            if code[:length] in self.number_of:
                return self.number_of[code[:length]]
        return self.unknown

    def _as_arrays(self) -> tuple[pa.Array, pa.Array, np.ndarray]:
        values = from_list(list(self._known), pa.string())
        return values, values.cast(pa.large_string()), np.array(list(self._known.values()), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A catalogue for the kernels.

    ``conditions`` are the rules that groups add, in the order of their bits; ``set_bit`` has the bit of each set of
    diagnoses that they name; ``whole_case`` says whether other diagnoses matter.
    """

    dx: PrefixNumbering
    procs: Numbers
    codes_sha256: str
    tables: Tables
    conditions: tuple[Rule, ...]
    set_bit: dict[str, int]
    whole_case: bool
    kinds: np.ndarray


@once_for
def compile_catalogue(catalogue: CatalogueTables) -> Compiled:
    """Return the arrays of a catalogue, made once per process."""
    rows = (*catalogue.groups, *catalogue.primary_care)
    excluding = EXCLUDED in catalogue.matching.stages
    allowed = {
        prefixes: bit for bit, prefixes in enumerate({p: None for _, p in catalogue.excluded_procs.values() if p})
    }
    sets = {name: _codes_of(catalogue, name) for name in catalogue.sets}
    prefix_sets = dict.fromkeys(
        prefixes
        for group in rows
        for prefixes in ((group.dx if group.anywhere == "dx" else ()), group.other_dx)
        if prefixes
    )
    prefixes = {prefix for group in rows for prefix in (*group.dx, *group.other_dx)}
    prefixes.update(prefix for group in allowed for prefix in group)
    whole = set(catalogue.excluded_dx if excluding else ()).union(*sets.values())
    dx = PrefixNumbering(prefixes, whole)
    procs = _procedure_numbers(catalogue, rows)
    conditions = tuple(dict.fromkeys(group.condition for group in rows if group.condition != ALWAYS))
    if max(len(allowed), len(conditions)) > 64 or len(sets) + len(prefix_sets) > 64:
        what = f"{catalogue.id} asks for more than 64 conditions or sets of diagnoses"
        raise DrgdipError(f"{what}; the columnar engine has no room for them: use engine='reference'")
    bits = {prefixes: bit for bit, prefixes in enumerate(prefix_sets)}
    set_bit = {name: bit for bit, name in enumerate(sets, start=len(bits))}
    texts = [None, *dx.codes, None]
    # Prefixes have other numbers than whole codes: the first number of a procedure tells which they are.
    digest = hashlib.sha256("\n".join((*dx.codes, "", *procs.codes, str(procs.first))).encode())
    return Compiled(
        dx=dx,
        procs=procs,
        codes_sha256=digest.hexdigest(),
        tables=Tables(
            **_candidates(catalogue, rows, texts, procs),
            **_rows(catalogue, rows, procs, bits, conditions),
            **_procedures(catalogue, procs, allowed),
            dx_excluded=np.array([_whole(text) in catalogue.excluded_dx for text in texts]),
            dx_allowed=_bits(texts, list(allowed.items()), {}),
            dx_bits=_bits(texts, list(bits.items()), {name: (codes, set_bit[name]) for name, codes in sets.items()}),
        ),
        conditions=conditions,
        set_bit=set_bit,
        whole_case=bool(prefix_sets or sets),
        kinds=np.array([STAGES.index(group.kind) for group in catalogue.groups], dtype=np.int32),
    )


def _procedure_numbers(catalogue: CatalogueTables, rows: Iterable[Group]) -> Numbers:
    terms = [term for group in rows for term in (*(group.procedures or ()), *group.related)]
    codes = {code for term in terms for code in term.codes}
    lists = catalogue.types.keys() | catalogue.excluded_procs.keys() | catalogue.ignored_procs
    short = {code for term in terms for code in term.short}
    if catalogue.matching.short_codes == "whole" or not short:
        return numbering(codes | lists)
    return PrefixNumbering(short, (codes - short) | lists)


def _numbers_of(term: Term, procs: Numbers) -> list[int]:
    """Return the numbers of the procedures that a term names."""
    if not isinstance(procs, PrefixNumbering):
        return [procs.number_of[code] for code in term.codes]
    whole = [procs.number_of[_WHOLE + code] for code in term.codes if code not in term.short]
    return list(dict.fromkeys([*whole, *(number for code in term.short for number in procs.beginning(code))]))


def _codes_of(catalogue: CatalogueTables, name: str) -> frozenset[str]:
    return frozenset(map(normalise_code, catalogue.sets[name]))


def _whole(text: str | None) -> str | None:
    return text[1:] if text is not None and text[0] == _WHOLE else None


def _begins(text: str | None, prefixes: tuple[str, ...]) -> bool:
    return text is not None and text.removeprefix(_WHOLE).startswith(prefixes)


def _bits(
    texts: list[str | None],
    prefixes: list[tuple[tuple[str, ...], int]],
    sets: dict[str, tuple[frozenset[str], int]],
) -> np.ndarray:
    """Return by number of a diagnosis a bit for each tuple of prefixes and each set that it belongs to."""
    words = np.zeros(len(texts), dtype=np.uint64)
    for number, text in enumerate(texts):
        word = sum(1 << bit for asked, bit in prefixes if _begins(text, asked))
        word += sum(1 << bit for codes, bit in sets.values() if _whole(text) in codes)
        words[number] = word
    return words


def _candidates(
    catalogue: CatalogueTables, rows: tuple[Group, ...], texts: list[str | None], procs: Numbers
) -> dict[str, Any]:
    """Return by number of a diagnosis the rows that it leaves, in the order in which they are preferred."""
    ranking = _Ranking.of(catalogue)
    care_by_dx = _care_by_dx(catalogue, rows)
    cand: list[int] = []
    measured: list[list[float]] = []
    cand_first, cand_care, own, mixed = [0], [], [], []
    for text in texts:
        plain = (text or "").removeprefix(_WHOLE)
        cuts = [plain[:length] for length in range(len(plain) + 1)]
        found = {group.order: group for cut in cuts for group in catalogue.by_dx.get(cut, ())}.values()
        for order, values in ranking.ranked(found, plain):
            cand.append(order)
            measured.append(values)
        cand_care.append(len(cand))
        care = sorted({number for cut in cuts for number in care_by_dx.get(cut, ())})
        cand += care
        measured += [[0.0] * len(ranking.static)] * len(care)
        cand_first.append(len(cand))
        told = [group for group in found if group.dx and group.anywhere != "dx"]
        own.append(bool(told))
        mixed.append(sum({1 << TREATMENTS.index(group.treatment) for group in told if group.kind == "mixed"}))
    return {
        "cand_first": np.array(cand_first, dtype=np.int32),
        "cand_care": np.array(cand_care, dtype=np.int32),
        "cand": np.array(cand, dtype=np.int32),
        "cand_sign": np.array([_sign(group, procs) for group in rows], dtype=np.uint64)[cand],
        "cand_measure": np.array(measured, dtype=np.float64).reshape(len(cand), len(ranking.static)).T.copy(),
        "measures": np.array(ranking.numbers, dtype=np.int64),
        "dx_own": np.array(own, dtype=bool),
        "dx_mixed": np.array(mixed, dtype=np.int64),
    }


def _care_by_dx(catalogue: CatalogueTables, rows: tuple[Group, ...]) -> dict[str, list[int]]:
    """Return the rows of the list of primary-care groups by prefix of the diagnosis."""
    found: dict[str, list[int]] = {}
    for number, row in enumerate(rows[len(catalogue.groups) :], start=len(catalogue.groups)):
        for prefix in row.dx or ("",):
            found.setdefault(prefix, []).append(number)
    return found


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The order in which groups of one diagnosis are preferred, as far as it does not depend on the case.

    ``static`` are the preferences that do not, ``measures`` their values by group; ``numbers`` are all preferences for
    the kernel, none where the order of candidates says it all.
    """

    stages: dict[str, int]
    static: list[str]
    measures: dict[str, list[float]]
    numbers: list[int]

    @classmethod
    def of(cls, catalogue: CatalogueTables) -> _Ranking:
        prefer = catalogue.matching.prefer
        static = [name for name in prefer if name not in kernels.DYNAMIC]
        places = {name: kernels.STATIC + place for place, name in enumerate(static)}
        places |= {name: place for place, name in enumerate(kernels.DYNAMIC)}
        return cls(
            stages={stage: place for place, stage in enumerate(catalogue.matching.stages)},
            static=static,
            measures={name: [_static(name, group, catalogue) for group in catalogue.groups] for name in static},
            numbers=[places[name] for name in prefer] if len(static) < len(prefer) else [],
        )

    def ranked(self, groups: Iterable[Group], dx: str) -> Iterator[tuple[int, list[float]]]:
        """Yield the groups of a diagnosis by their order in the catalogue, each with its measures."""
        found = []
        for group in groups:
            length = closeness(group, dx)
            values = [length if name == "longest_dx" else self.measures[name][group.order] for name in self.static]
            ahead = [] if self.numbers and group.kind != "mixed" else [-value for value in values]
            key = [-length] if group.kind == "mixed" else ahead
            found.append((self.stages[group.kind], key, group.order, values))
        found.sort(key=lambda item: item[:3])
        return ((order, values) for _, _, order, values in found)


def _sign(group: Group, procs: Numbers) -> int:
    """Return the sign of a row (`drgdip.grouper.dip.kernels`)."""
    if group.treatment:
        return 1 << kernels.TREATMENT_BIT + TREATMENTS.index(group.treatment)
    if group.procedures == ():
        return 1 << kernels.CONSERVATIVE_BIT
    if group.procedures is None:
        return 0
    bits = {number % kernels.CODE_BITS for number in _numbers_of(group.procedures[0], procs)}
    return sum(1 << bit for bit in bits)


def _static(name: str, group: Group, catalogue: CatalogueTables) -> float:
    if name == "longest_dx":
        return 0.0  # it goes by the diagnosis, and is none of the group's
    return MEASURES[name](group, None, catalogue)  # type: ignore[arg-type]  # these do not look at the case


def _rows(
    catalogue: CatalogueTables,
    rows: tuple[Group, ...],
    procs: Numbers,
    bits: dict[tuple[str, ...], int],
    conditions: tuple[Rule, ...],
) -> dict[str, Any]:
    tiers = _tiers(catalogue)
    scopes, times, term_code, codes, row_term = [], [], [0], [], [0]
    for group in rows:
        principal = catalogue.matching.asks_principal(group.anywhere)
        first, others = (kernels.PRINCIPAL, kernels.OTHERS) if principal else (kernels.ALL, kernels.ALL)
        asked = [(term, first) for term in group.procedures or ()]
        asked += [(term, others) for term in (*group.related, *group.shared[0 if principal else 1])]
        for term, scope in asked:
            scopes.append(scope)
            times.append(term.times)
            codes += _numbers_of(term, procs)
            term_code.append(len(codes))
        row_term.append(len(scopes))

    def word(prefixes: tuple[str, ...]) -> int:
        return 1 << bits[prefixes] if prefixes else 0

    mixed_first = catalogue.matching.unnamed_surgery == "mixed"
    condition = [-1 if group.condition == ALWAYS else conditions.index(group.condition) for group in rows]
    treatment = [TREATMENTS.index(group.treatment) if group.treatment else -1 for group in rows]
    return {
        "row_stage": np.array([STAGES.index(group.kind) for group in rows], dtype=np.int8),
        "row_treatment": np.array(treatment, dtype=np.int8),
        "row_tier": np.array([tiers.index(group.tier) for group in rows], dtype=np.int32),
        "row_any": np.array([word(group.dx if group.anywhere == "dx" else ()) for group in rows], dtype=np.uint64),
        "row_other": np.array([word(group.other_dx) for group in rows], dtype=np.uint64),
        "row_condition": np.array(condition, dtype=np.int8),
        "row_care": np.array([group.primary_care for group in rows], dtype=bool),
        "row_term": np.array(row_term, dtype=np.int32),
        "row_procedures": np.array([len(group.procedures or ()) for group in rows], dtype=np.int32),
        "row_mean": np.array([catalogue.means.get(group.code, np.nan) for group in rows], dtype=np.float64),
        "row_naming": np.array([mixed_first and group.kind in NAMING for group in rows], dtype=bool),
        "term_scope": np.array(scopes, dtype=np.int8),
        "term_times": np.array(times, dtype=np.int32),
        "term_code": np.array(term_code, dtype=np.int32),
        "codes": np.array(codes, dtype=np.int32),
    }


def _tiers(catalogue: CatalogueTables) -> list[str]:
    """Return every tier in order; none is the first."""
    named = {group.tier for group in catalogue.groups} | {tier for _, tier in catalogue.types.values()}
    return sorted({"", catalogue.matching.untiered, *named})


def _procedures(catalogue: CatalogueTables, procs: Numbers, allowed: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """Return by number of a procedure its type and tier, whether it is dropped, and its role as the principal one."""
    matching = catalogue.matching
    tiers = _tiers(catalogue)
    size = procs.size
    kind, tier = np.full(size, -1, dtype=np.int8), np.zeros(size, dtype=np.int32)
    dropped, role = np.full(size, matching.untyped == "ignore"), np.zeros(size, dtype=np.uint8)
    allowed_bits = np.zeros(size, dtype=np.uint64)
    for text, number in procs.number_of.items():
        code = text
        if isinstance(procs, PrefixNumbering):
            if text[0] != _WHOLE:  # it stands for codes that no list has
                continue
            code = text[1:]
        treatment = catalogue.treatment_of(code)
        if treatment is not None:
            kind[number] = TREATMENTS.index(treatment)
            tier[number] = tiers.index(catalogue.types[code][1] or matching.untiered)
        dropped[number] = code in catalogue.ignored_procs or (matching.untyped == "ignore" and treatment is None)
        if code in catalogue.excluded_procs:
            counts_as, prefixes = catalogue.excluded_procs[code]
            role[number] = kernels.CONSERVATIVE if counts_as == "conservative" else kernels.NOT_PRINCIPAL
            allowed_bits[number] = 1 << allowed[prefixes] if prefixes else 0
    return {
        "proc_type": kind,
        "proc_tier": tier,
        "proc_dropped": dropped,
        "proc_role": role,
        "proc_allowed": allowed_bits,
    }
