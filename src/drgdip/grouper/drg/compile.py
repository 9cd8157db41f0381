"""Schemes as arrays: codes get numbers, rules become bits and short lists of remaining conditions.

An *entrance* is one alternative of an MDC's rule together with one of an ADRG's; a *way* is an entrance together with
one alternative of a DRG's rule, and leads to an outcome. An entrance's conditions on the principal diagnosis or the
principal procedure alone are bits, looked up by code. Conditions that many ways share are bits too, looked up by their
answers. The remaining conditions are asked only for the ways whose bits are left. Ways at the end, one for each MDC,
catch the cases that an MDC but none of its groups takes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard, TypeVar

import numpy as np

from drgdip._once import once_for
from drgdip.cases.codes import known_codes
from drgdip.grouper.drg import kernels
from drgdip.grouper.drg.kernels import Tables
from drgdip.grouper.drg.model import STATUS_OF_KIND, codes_asked, rules_of
from drgdip.grouper.drg.reference import NOT_GROUPED, UNKNOWN, numbered_diagnoses
from drgdip.grouper.drg.texts import result_texts
from drgdip.grouper.grammar import ALWAYS, DIAGNOSES, LEVELS, VALUE_VARIABLES, Compare, Count, In, Severity, walk
from drgdip.grouper.numbering import numbering
from drgdip.grouper.result import REASONS, GroupResult
from drgdip.grouper.ways import Literal, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from drgdip.grouper.drg.model import Adrg, SchemeTables
    from drgdip.grouper.grammar import Rule
    from drgdip.grouper.numbering import Numbering

__all__ = ["Compiled", "compile_scheme"]

#: Conditions that are asked of every case at once; the table of their answers has 2 ** 5 rows.
_GUARDS = 5
_Node = TypeVar("_Node")
Way = tuple[Literal, ...]
_DX, _PROC = DIAGNOSES, ("ZYSS", "QTSS")
# In the order of `drgdip.grouper.drg.kernels`.
_OPERATORS = ("<", "<=", ">", ">=", "=")
#: Severity as a number in the kernel; as bits, CC is 1 and MCC is 2.
LEVEL_NUMBER = {level: number for number, level in enumerate(reversed(LEVELS), start=1)}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A scheme for the kernels.

    ``results`` holds for each outcome the result columns, as dictionary arrays; ``refusals`` the outcome by reason of
    an invalid case; ``no_mdc`` is the outcome of a case that no MDC takes, ``no_mdc_of`` has it by the number of the
    principal diagnosis. ``variables`` has the values that rules read, in the order of their rows in the kernel;
    ``words`` the departments that rules name, by their number.
    """

    dx: Numbering
    procs: Numbering
    codes_sha256: str
    tables: Tables
    nothing: int
    no_mdc: int
    no_mdc_of: np.ndarray
    results: Mapping[str, pa.DictionaryArray]
    refusals: Mapping[str, int]
    variables: tuple[str, ...]
    words: tuple[str, ...]


@once_for
def compile_scheme(scheme: SchemeTables) -> Compiled:
    """Return the arrays of a scheme, made once per process."""
    return _Compiler(scheme).compiled()


class _Compiler:
    """Builds the arrays of one scheme; sets get their bits when a condition first asks for them."""

    def __init__(self, scheme: SchemeTables) -> None:
        self.scheme = scheme
        # Codes that no rule names are numbered as well: one that is not found is looked at twice.
        self.dx = numbering(numbered_diagnoses(scheme))
        self.procs = numbering(codes_asked(scheme, _PROC) | known_codes(scheme.info.procedure_codes))
        self.numbers = {_DX: self.dx.number_of, _PROC: self.procs.number_of}
        self.members: dict[tuple[tuple[str, str], tuple[str, ...]], np.ndarray] = {}
        self.features: dict[tuple[str, str], dict[tuple[str, ...], int]] = {_DX: {}, _PROC: {}}
        self.words = tuple(sorted({str(node.value) for node in self._nodes(Compare) if isinstance(node.value, str)}))
        self.variables = tuple(variable for variable in VALUE_VARIABLES if variable in scheme.variables)
        self.outcomes: list[GroupResult] = []
        self.outcome_number: dict[GroupResult, int] = {}

    def _nodes(self, kind: type[_Node]) -> Iterable[_Node]:
        return (node for rule in rules_of(self.scheme.mdcs) for node in walk(rule) if isinstance(node, kind))

    def compiled(self) -> Compiled:
        """Return the arrays of the scheme."""
        # Outcomes of cases that nothing took come first: `group_rows` tells them by their numbers.
        nothing = [self._left(reason) for reason in ("no_mdc", "no_group")]
        refusals = {
            reason: self._outcome(None, None, None, "invalid", reason)
            for reason in REASONS
            if reason.partition("_")[0] in {"missing", "invalid", "unreadable"}
        }
        tables = self._tables(*self._ways())
        digest = hashlib.sha256("\n".join((*self.dx.codes, "", *self.procs.codes)).encode())
        return Compiled(
            dx=self.dx,
            procs=self.procs,
            codes_sha256=digest.hexdigest(),
            tables=tables,
            nothing=len(nothing),
            no_mdc=nothing[0],
            no_mdc_of=self._outcomes_without_mdc(nothing[0]),
            results=_result_columns(self.outcomes, self.scheme, self.dx),
            refusals=refusals,
            variables=self.variables,
            words=self.words,
        )

    def _outcomes_without_mdc(self, no_mdc: int) -> np.ndarray:
        """Return the outcome of a case that no MDC takes by the number of its principal diagnosis."""
        outcomes = np.full(self.dx.size, no_mdc, dtype=np.int32)
        barred = self.scheme.not_grouped.get("diagnosis", ())
        outcomes[[self.dx.number_of[code] for code in barred]] = self._left(NOT_GROUPED)
        if known_codes(self.scheme.info.diagnosis_codes):
            outcomes[self.dx.unknown] = self._left(UNKNOWN)
        return outcomes

    def _outcome(self, mdc: str | None, adrg: str | None, group: str | None, status: str, reason: str | None) -> int:
        result = GroupResult(mdc, adrg, group, status, reason, None, None)
        if result not in self.outcome_number:
            self.outcome_number[result] = len(self.outcomes)
            self.outcomes.append(result)
        return self.outcome_number[result]

    def _ways(self) -> tuple[list[Way], list[tuple[int, Way, int]]]:
        """Return the entrances, and the ways in order: number of the entrance, more conditions, outcome."""
        entrances: list[Way] = []
        ways: list[tuple[int, Way, int]] = []
        evaluation = self.scheme.evaluation

        def add(into: list[Way], onward: Iterable[tuple[Way, int]]) -> None:
            numbers = range(len(entrances), len(entrances) + len(into))
            entrances.extend(into)
            ways.extend((number, more, outcome) for more, outcome in onward for number in numbers)

        for mdc in self.scheme.mdcs:
            into = alternatives(mdc.rule)
            for adrg in mdc.adrgs:
                both = itertools.product(into, alternatives(adrg.rule))
                onward = [(way, self._taken(adrg, drg.code)) for drg in adrg.drgs for way in alternatives(drg.rule)]
                if not evaluation.adrg_fallthrough:
                    onward.append(((), self._taken(adrg, adrg.code)))
                add([tuple(dict.fromkeys((*one, *other))) for one, other in both], onward)
            if not evaluation.mdc_fallthrough:
                add(into, [((), self._left("no_mdc" if mdc.rule == ALWAYS else "no_group"))])
        for mdc in self.scheme.mdcs:
            if mdc.rule != ALWAYS:
                add(alternatives(mdc.rule), [((), self._left("no_group"))])
        return entrances, ways

    def _left(self, reason: str) -> int:
        """Return the outcome of a case that nothing takes."""
        return self._outcome(None, None, self.scheme.evaluation.ungroupable, "ungrouped", reason)

    def _taken(self, adrg: Adrg, group: str) -> int:
        """Return the outcome of a case that an ADRG takes."""
        return self._outcome(adrg.result_mdc, adrg.code, group, *STATUS_OF_KIND.get(adrg.kind, ("grouped", None)))

    def _literal(self, literal: Literal) -> tuple[int, int, int, bool, int, int, float]:
        """Return a condition as the kernel has it: kind, scope, operator, wanted, word, bit, number."""
        atom, wanted = literal
        if isinstance(atom, Severity):
            bits = sum(LEVEL_NUMBER[level] for level in atom.levels)
            return kernels.SEVERITY, 0, 0, wanted is not atom.negated, 0, bits, 0.0
        if isinstance(atom, Compare):
            number = self.words.index(atom.value) if isinstance(atom.value, str) else atom.value
            operator = _OPERATORS.index(atom.operator)
            return kernels.COMPARE, 0, operator, wanted, self.variables.index(atom.variable), 0, float(number)
        assert isinstance(atom, In | Count)
        kind = _DX if atom.variables[0] in _DX else _PROC
        scope = sum({kind[0]: kernels.PRINCIPAL, kind[1]: kernels.OTHER}[variable] for variable in set(atom.variables))
        sets = (atom.set,) if isinstance(atom, Count) else atom.sets
        word, place = divmod(self.features[kind].setdefault(sets, len(self.features[kind])), 64)
        if isinstance(atom, In):
            member = kernels.MEMBER_DX if kind is _DX else kernels.MEMBER_PROC
            return member, scope, 0, wanted is not atom.negated, word, 1 << place, 0.0
        count = kernels.COUNT_DX if kind is _DX else kernels.COUNT_PROC
        return count, scope, _OPERATORS.index(atom.operator), wanted, word, 1 << place, float(atom.number)

    def _members(self, kind: tuple[str, str], sets: tuple[str, ...]) -> np.ndarray:
        """Return which numbers are codes of one of the sets."""
        key = (kind, sets)
        if key not in self.members:
            numbers = self.numbers[kind]
            member = np.zeros((self.dx if kind is _DX else self.procs).size, dtype=bool)
            for name in sets:
                member[[numbers[code] for code in self.scheme.sets[name]]] = True
            self.members[key] = member
        return self.members[key]

    def _tables(self, entrances: list[Way], ways: list[tuple[int, Way, int]]) -> Tables:
        dx_allowed = np.ones((len(entrances), self.dx.size), dtype=bool)
        proc_allowed = np.ones((len(entrances), self.procs.size), dtype=bool)
        remaining: list[Way] = []
        for at, entrance in enumerate(entrances):
            remaining.append(tuple(literal for literal in entrance if not _is_principal(literal.atom)))
            for atom, wanted in entrance:
                if _is_principal(atom):
                    kind, allowed = (_DX, dx_allowed) if atom.variables[0] in _DX else (_PROC, proc_allowed)
                    member = self._members(kind, atom.sets)
                    allowed[at] &= member if wanted is not atom.negated else ~member

        conditions = [(*remaining[entrance], *more) for entrance, more, _ in ways]
        guards = _guards(conditions, [dx_allowed[entrance].all() for entrance, _, _ in ways])
        answers = np.arange(1 << len(guards))
        guard_allowed = np.ones((len(ways), len(answers)), dtype=bool)
        questions: list[Way] = [(Literal(guard, holds=True),) for guard in guards]
        for at, way in enumerate(conditions):
            questions.append(tuple(literal for literal in way if literal.atom not in guards))
            for atom, wanted in way:
                if atom in guards:
                    guard_allowed[at] &= (answers >> guards.index(atom) & 1 == 1) == wanted

        rows = [self._literal(literal) for question in questions for literal in question]
        kinds, scopes, operators, wanteds, words, bits, numbers = zip(*rows, strict=True)
        through = [entrance for entrance, _, _ in ways]
        dx_first, dx_class = _classes(dx_allowed)
        proc_first, proc_class = _classes(proc_allowed)
        level, exclusion, excludes = self._severity()
        exclusion_first, dx_exclusion_class = _classes(excludes)
        return Tables(
            dx_class=dx_class,
            proc_class=proc_class,
            dx_bits=_packed(dx_allowed[:, dx_first][through]),
            proc_bits=_packed(proc_allowed[:, proc_first][through]),
            guards=len(guards),
            guard_bits=_packed(guard_allowed),
            outcome=np.array([outcome for _, _, outcome in ways], dtype=np.int32),
            dx_sets=self._sets(_DX),
            proc_sets=self._sets(_PROC),
            level=level,
            exclusion=exclusion,
            dx_exclusion_class=dx_exclusion_class,
            dx_excludes=_packed(excludes[:, exclusion_first]),
            first=np.cumsum([0, *map(len, questions)], dtype=np.int32),
            kind=np.array(kinds, dtype=np.uint8),
            scope=np.array(scopes, dtype=np.uint8),
            word=np.array(words, dtype=np.int32),
            bit=np.array(bits, dtype=np.uint64),
            operator=np.array(operators, dtype=np.uint8),
            number=np.array(numbers, dtype=np.float64),
            wanted=np.array(wanteds, dtype=bool),
        )

    def _sets(self, kind: tuple[str, str]) -> np.ndarray:
        """Return the sets that remaining conditions ask for, as bits by number of a code."""
        size = (self.dx if kind is _DX else self.procs).size
        asked = self.features[kind]
        member = np.zeros((max(64, -(-len(asked) // 64) * 64), size), dtype=bool)
        for sets, place in asked.items():
            member[place] = self._members(kind, sets)
        return _packed(member)

    def _severity(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return level and exclusion table by number of a diagnosis, and the tables that hold one."""
        numbers = self.numbers[_DX]
        level = np.zeros(self.dx.size, dtype=np.uint8)
        exclusion = np.full(self.dx.size, -1, dtype=np.int16)
        table_number = {name: number for number, name in enumerate(self.scheme.exclusions)}
        for code, entry in self.scheme.severity.items():
            level[numbers[code]] = sum(LEVEL_NUMBER[one] for one in entry.levels)
            exclusion[numbers[code]] = table_number.get(entry.exclusion, -1)
        excludes = np.zeros((max(1, len(table_number)), self.dx.size), dtype=bool)
        for name, codes in self.scheme.exclusions.items():
            excludes[table_number[name], [numbers[code] for code in codes]] = True
        return level, exclusion, excludes


def _is_principal(atom: Rule) -> TypeGuard[In]:
    """Return whether a condition asks for the principal diagnosis or the principal procedure alone."""
    return isinstance(atom, In) and atom.variables in {_DX[:1], _PROC[:1]}


def _guards(conditions: list[Way], free: list[bool]) -> list[Rule]:
    """Return the conditions to ask of every case: those that most ways share, first of all ways free of the diagnosis.

    Without them, every case would try every way of the newborns' MDC. There is one at least.
    """
    shared: Counter[Rule] = Counter()
    for way, is_free in zip(conditions, free, strict=True):
        shared.update({atom: 1000 if is_free else 1 for atom, _ in way if not isinstance(atom, Count)})
    return [atom for atom, _ in shared.most_common(_GUARDS)] or [Severity(LEVELS)]


def _packed(member: np.ndarray) -> np.ndarray:
    """Return rows of flags as words of 64 bits by column: flags × columns to columns × words."""
    padded = np.zeros((member.shape[1], -(-len(member) // 64) * 64), dtype=bool)
    padded[:, : len(member)] = member.T
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def _classes(member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns that differ, and for each column its place among them: few codes differ in what they allow."""
    words = _packed(member)
    keys = [row.tobytes() for row in words]
    seen: dict[bytes, int] = {}
    place = np.fromiter((seen.setdefault(key, len(seen)) for key in keys), dtype=np.int32, count=len(keys))
    first = np.zeros(len(seen), dtype=np.int64)
    first[place[::-1]] = np.arange(len(place))[::-1]
    return first, place


def _result_columns(
    outcomes: Sequence[GroupResult], scheme: SchemeTables, dx: Numbering
) -> dict[str, pa.DictionaryArray]:
    """Return by column the value of each outcome; for severity columns, that of each number in the kernel."""
    texts = result_texts(scheme)
    columns = {
        name: texts[name].column([getattr(result, name) for result in outcomes]) for name in GroupResult._fields[:5]
    }
    columns["severity"] = texts["severity"].column([None, *reversed(LEVELS)])
    known = [code if code in scheme.severity else None for code in dx.codes]
    columns["severity_code"] = texts["severity_code"].column([None] * dx.first + known + [None])
    return columns
