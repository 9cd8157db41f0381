"""Grouping columns of cases under a DIP catalogue: catalogues as arrays, conditions and results as columns."""

from __future__ import annotations

import hashlib
import weakref
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip._locks import ForkSafeLock
from drgdip.cases import with_fen, with_newborn_weight
from drgdip.codes import normalise_code
from drgdip.errors import DrgdipError
from drgdip.fields import MISSING
from drgdip.grouper import dip_kernels as kernels
from drgdip.grouper.catalogue import EXCLUDED, STAGES, TREATMENTS, value_columns
from drgdip.grouper.columns import result_texts
from drgdip.grouper.compile import numbering
from drgdip.grouper.dip_kernels import Tables, dx_bits_of_rows, match_rows
from drgdip.grouper.drg import encode_columns, refusal_reasons
from drgdip.grouper.grammar import ALWAYS, VALUE_VARIABLES, And, Compare, In, Not, Or
from drgdip.grouper.match import LAST, MEASURES, NAMING, closeness
from drgdip.grouper.reference import OPERATORS
from drgdip.grouper.result import REASONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from drgdip.grouper.catalogue import Catalogue, Group, Term
    from drgdip.grouper.compile import Numbering
    from drgdip.grouper.drg import Encoded
    from drgdip.grouper.grammar import Rule

__all__ = ["Compiled", "PrefixNumbering", "compile_catalogue", "encode_for", "match_encoded"]

#: Reasons by their numbers in the kernel, then those that are found over columns.
_REASONS = (*kernels.NO_GROUP, *kernels.DROPPED)
_DYNAMIC = ("principal_first", "no_unmatched", "most_matched", "nearest_mean")
#: Before a code that is meant whole; a prefix has none.
_WHOLE = "="
#: How many diagnoses are remembered with their number; the code sets have some 35,000.
_MOST_KNOWN = 200_000
_remembering = ForkSafeLock()
_NOT_PRINCIPAL = ("excluded", "conservative", "next")


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
        """The diagnoses that are known, as texts and as large texts, and their numbers."""
        return self._arrays

    def beginning(self, prefix: str) -> list[int]:
        """The numbers of prefixes and whole codes that begin so."""
        bounds = [bisect_left(self.codes, sign + prefix + end) for sign in ("", _WHOLE) for end in ("", LAST)]
        return [self.first + place for place in (*range(*bounds[:2]), *range(*bounds[2:]))]

    def look(self, codes: Sequence[str]) -> list[int]:
        """The numbers of diagnoses that the table has not; it has them from now on."""
        numbers = [self._number(code) for code in codes]
        with _remembering:
            if len(self._known) + len(codes) <= _MOST_KNOWN:
                self._known.update(zip(codes, numbers, strict=True))
                self._arrays = self._as_arrays()
        return numbers

    def _number(self, code: str) -> int:
        code = normalise_code(code)
        if code in MISSING:
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
    procs: Numbering | PrefixNumbering
    codes_sha256: str
    tables: Tables
    conditions: tuple[Rule, ...]
    set_bit: dict[str, int]
    whole_case: bool
    kinds: np.ndarray


_compiled: weakref.WeakKeyDictionary[Catalogue, Compiled] = weakref.WeakKeyDictionary()
_compiling = ForkSafeLock()


def compile_catalogue(catalogue: Catalogue) -> Compiled:
    """The arrays of a catalogue, made once per process."""
    with _compiling:
        if catalogue not in _compiled:
            _compiled[catalogue] = _compile(catalogue)
        return _compiled[catalogue]


def _compile(catalogue: Catalogue) -> Compiled:
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
    asked = ("", "total_cost") if catalogue.matching.reads_cost else ()  # cases encoded without it will not do
    digest = hashlib.sha256("\n".join((*dx.codes, "", *procs.codes, *asked)).encode())
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


def _procedure_numbers(catalogue: Catalogue, rows: Iterable[Group]) -> Numbering | PrefixNumbering:
    terms = [term for group in rows for term in (*(group.procedures or ()), *group.related)]
    codes = {code for term in terms for code in term.codes}
    lists = catalogue.types.keys() | catalogue.excluded_procs.keys() | catalogue.ignored_procs
    short = {code for term in terms for code in term.short}
    if catalogue.matching.short_codes == "whole" or not short:
        return numbering(codes | lists)
    return PrefixNumbering(short, (codes - short) | lists)


def _numbers_of(term: Term, procs: Numbering | PrefixNumbering) -> list[int]:
    """The numbers of the procedures that a term names."""
    if not isinstance(procs, PrefixNumbering):
        return [procs.number_of[code] for code in term.codes]
    whole = [procs.number_of[_WHOLE + code] for code in term.codes if code not in term.short]
    return list(dict.fromkeys([*whole, *(number for code in term.short for number in procs.beginning(code))]))


def _codes_of(catalogue: Catalogue, name: str) -> frozenset[str]:
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
    """By number of a diagnosis, a bit for each tuple of prefixes and each set that it belongs to."""
    words = np.zeros(len(texts), dtype=np.uint64)
    for number, text in enumerate(texts):
        word = sum(1 << bit for asked, bit in prefixes if _begins(text, asked))
        word += sum(1 << bit for codes, bit in sets.values() if _whole(text) in codes)
        words[number] = word
    return words


def _candidates(
    catalogue: Catalogue, rows: tuple[Group, ...], texts: list[str | None], procs: Numbering | PrefixNumbering
) -> dict[str, Any]:
    """By number of a diagnosis, the rows that it leaves, in the order in which they are preferred."""
    matching = catalogue.matching
    stages = {stage: place for place, stage in enumerate(matching.stages)}
    dynamic = [name for name in matching.prefer if name in _DYNAMIC]
    static = [name for name in matching.prefer if name not in _DYNAMIC]
    measures = {name: [_static(name, group, catalogue) for group in catalogue.groups] for name in static}
    cand, measured, cand_first, cand_care = [], [], [0], []
    own, mixed = [], []
    care_by_dx: dict[str, list[int]] = {}
    for number, row in enumerate(rows[len(catalogue.groups) :], start=len(catalogue.groups)):
        for prefix in row.dx or ("",):
            care_by_dx.setdefault(prefix, []).append(number)
    for text in texts:
        plain = (text or "").removeprefix(_WHOLE)
        cuts = [plain[:length] for length in range(len(plain) + 1)]
        found = {group.order: group for cut in cuts for group in catalogue.by_dx.get(cut, ())}
        ranked = []
        for group in found.values():
            length = closeness(group, plain)
            values = [length if name == "longest_dx" else measures[name][group.order] for name in static]
            ahead = [] if dynamic and group.kind != "mixed" else [-value for value in values]
            key = [-length] if group.kind == "mixed" else ahead
            ranked.append((stages[group.kind], key, group.order, values))
        ranked.sort(key=lambda item: item[:3])
        cand += [order for _, _, order, _ in ranked]
        measured += [values for *_, values in ranked]
        cand_care.append(len(cand))
        care = sorted({number for cut in cuts for number in care_by_dx.get(cut, ())})
        cand += care
        measured += [[0.0] * len(static)] * len(care)
        cand_first.append(len(cand))
        told = [group for group in found.values() if group.dx and group.anywhere != "dx"]
        own.append(bool(told))
        mixed.append(sum({1 << TREATMENTS.index(group.treatment) for group in told if group.kind == "mixed"}))
    places = {name: kernels.STATIC + place for place, name in enumerate(static)}
    places |= {name: place for place, name in enumerate(_DYNAMIC)}
    return {
        "cand_first": np.array(cand_first, dtype=np.int32),
        "cand_care": np.array(cand_care, dtype=np.int32),
        "cand": np.array(cand, dtype=np.int32),
        "cand_sign": np.array([_sign(group, procs) for group in rows], dtype=np.uint64)[cand],
        "cand_measure": np.array(measured, dtype=np.float64).reshape(len(cand), len(static)).T.copy(),
        "measures": np.array([places[name] for name in matching.prefer] if dynamic else [], dtype=np.int64),
        "dx_own": np.array(own, dtype=bool),
        "dx_mixed": np.array(mixed, dtype=np.int64),
    }


def _sign(group: Group, procs: Numbering | PrefixNumbering) -> int:
    """The sign of a row (`drgdip.grouper.dip_kernels`)."""
    if group.treatment:
        return 1 << kernels.TREATMENT_BIT + TREATMENTS.index(group.treatment)
    if group.procedures == ():
        return 1 << kernels.CONSERVATIVE_BIT
    if group.procedures is None:
        return 0
    bits = {number % kernels.CODE_BITS for number in _numbers_of(group.procedures[0], procs)}
    return sum(1 << bit for bit in bits)


def _static(name: str, group: Group, catalogue: Catalogue) -> float:
    if name == "longest_dx":
        return 0.0  # it goes by the diagnosis, and is none of the group's
    return MEASURES[name](group, None, catalogue)  # type: ignore[arg-type]  # these do not look at the case


def _rows(
    catalogue: Catalogue,
    rows: tuple[Group, ...],
    procs: Numbering | PrefixNumbering,
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


def _tiers(catalogue: Catalogue) -> list[str]:
    """Every tier in order; none is the first."""
    named = {group.tier for group in catalogue.groups} | {tier for _, tier in catalogue.types.values()}
    return sorted({"", catalogue.matching.untiered, *named})


def _procedures(
    catalogue: Catalogue, procs: Numbering | PrefixNumbering, allowed: dict[tuple[str, ...], int]
) -> dict[str, Any]:
    """By number of a procedure: type, tier, whether it is dropped, and what it is as the principal one."""
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


def encode_for(cases: pa.Table, catalogue: Catalogue) -> Encoded:
    """Numbers for the codes of cases (`drgdip.cases.to_cases`), and the values that the catalogue reads."""
    compiled = compile_catalogue(catalogue)
    cases = with_newborn_weight(cases, catalogue.matching.newborn_weight)
    if catalogue.matching.reads_cost:
        cases = with_fen(cases)
    return encode_columns(cases, compiled, value_columns(catalogue), has_dept=False, whole_case=compiled.whole_case)


def match_encoded(encoded: Encoded, catalogue: Catalogue, compiled: Compiled) -> dict[str, pa.Array]:
    """The result columns of encoded cases."""
    rows = encoded.rows
    principal = np.zeros(rows, dtype=np.int32)
    principal_bits, others_bits = np.zeros(rows, dtype=np.uint64), np.zeros(rows, dtype=np.uint64)
    dx_bits_of_rows(compiled.tables.dx_bits, encoded.dx, encoded.dx_offsets, principal, principal_bits, others_bits)
    status_reason = np.full(rows, -1, dtype=np.int32)
    reasons = list(REASONS)
    # The first reason is the one that counts, so that the last is written first.
    found = refusal_reasons(encoded, ("ZYZD",), value_columns(catalogue), compiled)
    for reason, refused in reversed(list(found)):
        status_reason[refused] = reasons.index(reason)
    refused = status_reason >= 0
    matching = catalogue.matching
    taken, reason = np.empty(rows, dtype=np.int32), np.empty(rows, dtype=np.int8)
    treatment, care = np.empty(rows, dtype=np.int8), np.empty(rows, dtype=bool)
    match_rows(
        compiled.tables,
        compiled.procs.first,
        EXCLUDED in matching.stages,
        _NOT_PRINCIPAL.index(matching.not_principal),
        STAGES.index("mixed"),
        refused,
        principal,
        principal_bits,
        others_bits,
        _conditions(encoded, compiled, principal_bits, others_bits),
        _costs(encoded, catalogue),
        encoded.procs,
        encoded.proc_offsets,
        taken,
        reason,
        treatment,
        care,
    )
    grouped, left = taken >= 0, reason >= 0
    numbers = np.array([reasons.index(name) for name in _REASONS], dtype=np.int32)
    status_reason[left] = numbers[reason[left]]
    statuses = list(STATUSES)
    status = np.full(rows, statuses.index("invalid"), dtype=np.int32)
    status[grouped] = statuses.index("grouped")
    status[left] = np.where(
        reason[left] < len(kernels.NO_GROUP), statuses.index("ungrouped"), statuses.index("excluded")
    )
    kind = np.where(grouped, compiled.kinds[np.maximum(taken, 0)], -1) if len(compiled.kinds) else taken
    texts = result_texts(catalogue)
    return {
        "group": texts["group"].numbered(taken),
        "kind": texts["kind"].numbered(kind.astype(np.int32)),
        "treatment": texts["treatment"].numbered(treatment.astype(np.int32)),
        "primary_care": from_numpy(care, grouped),
        "status": texts["status"].numbered(status),
        "reason": texts["reason"].numbered(status_reason),
    }


def _costs(encoded: Encoded, catalogue: Catalogue) -> np.ndarray:
    """Total costs in fen, NaN for none; no values where nobody asks."""
    rows = encoded.rows if catalogue.matching.reads_cost else 0
    return encoded.values.get("total_cost", np.full(rows, np.nan))


def _conditions(
    encoded: Encoded, compiled: Compiled, principal_bits: np.ndarray, others_bits: np.ndarray
) -> np.ndarray:
    """The answers to all conditions of each case, as bits."""
    answers = np.zeros(encoded.rows, dtype=np.uint64)
    for bit, rule in enumerate(compiled.conditions):
        holds = _holds(rule, encoded, compiled, principal_bits, others_bits)
        answers |= holds.astype(np.uint64) << np.uint64(bit)
    return answers


def _holds(
    rule: Rule, encoded: Encoded, compiled: Compiled, principal_bits: np.ndarray, others_bits: np.ndarray
) -> np.ndarray:
    """`drgdip.grouper.reference.holds` over columns, for what a condition of a group may ask."""

    def each(part: Rule) -> np.ndarray:
        return _holds(part, encoded, compiled, principal_bits, others_bits)

    if isinstance(rule, Not):
        return ~each(rule.part)
    if isinstance(rule, And | Or):
        combine: Callable[..., Any] = np.logical_and if isinstance(rule, And) else np.logical_or
        return np.asarray(combine.reduce([each(part) for part in rule.parts]))  # type: ignore[attr-defined]
    if isinstance(rule, In):
        asked = np.uint64(sum(1 << compiled.set_bit[name] for name in rule.sets))
        words = {"ZYZD": principal_bits, "QTZD": others_bits}
        held = np.logical_or.reduce([words[variable] & asked != 0 for variable in rule.variables])
        return np.asarray(held != rule.negated)
    assert isinstance(rule, Compare)  # the loader takes no other
    column = VALUE_VARIABLES[rule.variable]
    if column not in encoded.values:
        return np.zeros(encoded.rows, dtype=bool)
    return np.asarray(OPERATORS[rule.operator](encoded.values[column], rule.value))
