"""Compiled matching of cases with a DIP catalogue: one pass over the groups that a principal diagnosis leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drgdip._jit import inlined, kernel

__all__ = [
    "DROPPED",
    "DYNAMIC",
    "NOT_PRINCIPAL_RULES",
    "NO_GROUP",
    "REASONS",
    "Tables",
    "dx_bits_of_rows",
    "match_rows",
]

# How a procedure of the exclusion list is taken when it is the principal one.
CONSERVATIVE, NOT_PRINCIPAL = 1, 2
#: How a case is taken whose principal procedure may not be one: the option ``not_principal`` of ``[matching]``.
NOT_PRINCIPAL_RULES = ("excluded", "conservative", "next")
REFUSED, AS_CONSERVATIVE, _NEXT = range(len(NOT_PRINCIPAL_RULES))
# Treatments by number, the gravest first, in the order of `drgdip.grouper.dip.model.TREATMENTS`.
UNTYPED, SURGERY, CONSERVATIVE_TREATMENT = -1, 0, 4
# Bits of a sign. A row's has those of its first term's codes, or of what it asks instead; a case's those of its
# procedures and of what they come to. A row fits only a case that shares one; a sign of zero asks for nothing.
CODE_BITS, TREATMENT_BIT, CONSERVATIVE_BIT = 56, 56, 63
# Of which procedures a term is asked.
PRINCIPAL, OTHERS, ALL = 0, 1, 2
#: Measures that depend on the case, by number; a greater number is a measure by candidate.
DYNAMIC = ("principal_first", "no_unmatched", "most_matched", "nearest_mean")
PRINCIPAL_FIRST, NO_UNMATCHED, MOST_MATCHED, NEAREST_MEAN = range(len(DYNAMIC))
STATIC = len(DYNAMIC)
#: Why a case has no group, and why one is excluded: in the kernel, the place in both together.
NO_GROUP = ("no_dx_group", "no_treatment_group", "no_tier_group", "untyped_procedure")
DROPPED = ("excluded_diagnosis", "excluded_procedure")
REASONS = (*NO_GROUP, *DROPPED)
NO_DX_GROUP, NO_TREATMENT_GROUP, NO_TIER_GROUP, UNTYPED_PROCEDURE, EXCLUDED_DX, EXCLUDED_PROC = range(len(REASONS))
_ONE = np.uint64(1)


class Tables(NamedTuple):
    """A catalogue as arrays.

    ``cand_first`` and ``cand`` have by number of a diagnosis the rows that it leaves, by stage and preference; behind
    ``cand_care`` those of the list of primary-care groups; ``cand_sign`` is the sign of each row, ``cand_measure`` what
    it measures up to. ``dx_bits`` says of which sets of diagnoses a number is; a row asks for bits of
    any diagnosis (``row_any``) or of an other one (``row_other``). Terms of a row lie from ``row_term`` on, codes of a
    term from ``term_code`` on. ``row_mean`` is a mean cost in fen, NaN for none. Mixed rows go before a row of
    ``row_naming`` that does not name every surgery procedure.
    """

    cand_first: np.ndarray
    cand_care: np.ndarray
    cand: np.ndarray
    cand_sign: np.ndarray
    cand_measure: np.ndarray
    measures: np.ndarray
    dx_own: np.ndarray
    dx_mixed: np.ndarray
    dx_excluded: np.ndarray
    dx_allowed: np.ndarray
    dx_bits: np.ndarray
    proc_type: np.ndarray
    proc_tier: np.ndarray
    proc_dropped: np.ndarray
    proc_role: np.ndarray
    proc_allowed: np.ndarray
    row_stage: np.ndarray
    row_treatment: np.ndarray
    row_tier: np.ndarray
    row_any: np.ndarray
    row_other: np.ndarray
    row_condition: np.ndarray
    row_care: np.ndarray
    row_term: np.ndarray
    row_procedures: np.ndarray
    row_mean: np.ndarray
    row_naming: np.ndarray
    term_scope: np.ndarray
    term_times: np.ndarray
    term_code: np.ndarray
    codes: np.ndarray


@kernel
def dx_bits_of_rows(dx_bits, dx, offsets, principal, principal_bits, others_bits):
    """Write the principal diagnosis of each case, its sets, and those of its other diagnoses."""
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        principal[row] = dx[start] if end > start else 0
        principal_bits[row] = dx_bits[principal[row]]
        others = np.uint64(0)
        for at in range(start + 1, end):
            others |= dx_bits[dx[at]]
        others_bits[row] = others


@inlined
def _keep(t, procs, start, end, first_proc, kept):
    """Write the procedures that count to ``kept`` and return how many; a blank principal one keeps its place as -1."""
    last = 0
    for at in range(start, end):
        code = procs[at]
        if code < first_proc:
            if at == start:
                kept[last] = -1
                last += 1
        elif not t.proc_dropped[code]:
            kept[last] = code
            last += 1
    return last


@inlined
def _principal_of(t, dx, kept, last, not_principal):
    """Return the place of the principal procedure, whether it counts as conservative, and whether it bars the case."""
    first, conservative, barred = 0, False, False
    while first < last:
        code = kept[first]
        role = 0 if code < 0 else t.proc_role[code]
        if role == 0 or t.proc_allowed[code] & t.dx_allowed[dx] != 0:
            break
        if role == CONSERVATIVE or not_principal == AS_CONSERVATIVE:
            conservative = True
            break
        if not_principal == REFUSED:
            barred = True
            break
        first += 1
    return first, conservative, barred


@inlined
def _treatment_of(t, kept, first, last):
    """Return the gravest treatment of the procedures, its highest tier, and the number of procedures."""
    counted, treatment, tier = 0, UNTYPED, 0
    for at in range(first, last):
        code = kept[at]
        if code < 0:
            continue
        counted += 1
        kind = t.proc_type[code]
        if kind >= 0 and (treatment < 0 or kind < treatment):
            treatment, tier = kind, t.proc_tier[code]
        elif kind >= 0 and kind == treatment:
            tier = max(tier, t.proc_tier[code])
    return treatment, tier, counted


@inlined
def _sign_of(kept, first, last, treatment, conservative):
    """Return the sign of a case: bits of its procedures and of its treatment."""
    sign = np.uint64(0)
    for at in range(first, last):
        if kept[at] >= 0:
            sign |= _ONE << np.uint64(kept[at] % CODE_BITS)
    if conservative:
        sign |= _ONE << np.uint64(CONSERVATIVE_BIT)
    if treatment >= 0:
        sign |= _ONE << np.uint64(TREATMENT_BIT + treatment)
    return sign


@inlined
def _names_surgery(t, group, kept, first, last):
    """Return whether a row names every surgery procedure of the case."""
    code_first, code_last = t.term_code[t.row_term[group]], t.term_code[t.row_term[group + 1]]
    named = True
    for at in range(first, last):
        if kept[at] >= 0 and t.proc_type[kept[at]] == SURGERY:
            found = False
            for place in range(code_first, code_last):
                found |= t.codes[place] == kept[at]
            named &= found
    return named


@inlined
def _fits(t, group, treatment, tier, any_bits, other_bits, answers):
    """Return whether a row's treatment, diagnoses and condition fit the case."""
    if t.row_treatment[group] >= 0 and (
        t.row_treatment[group] != treatment or (t.row_tier[group] != 0 and t.row_tier[group] != tier)
    ):
        return False
    if t.row_any[group] != 0 and t.row_any[group] & any_bits == 0:
        return False
    if t.row_other[group] != 0 and t.row_other[group] & other_bits == 0:
        return False
    condition = t.row_condition[group]
    return condition < 0 or (answers >> np.uint64(condition)) & _ONE != 0


@inlined
def _has_terms(t, group, kept, first, last, conservative):
    """Return whether the case has the procedures of each term of a row."""
    held = True
    for term in range(t.row_term[group], t.row_term[group + 1]):
        scope = t.term_scope[term]
        start = first + 1 if scope == OTHERS else first
        stop = min(first + 1, last) if scope == PRINCIPAL else last
        times = 0
        for at in range(start, stop):
            for place in range(t.term_code[term], t.term_code[term + 1]):
                if t.codes[place] == kept[at]:
                    times += 1
                    break
        if times < t.term_times[term] or (scope == PRINCIPAL and conservative):
            held = False
            break
    return held


@inlined
def _named_by(t, group, measure, kept, first, last, counted, conservative):
    """Return a measure of the procedures that a row names: how many, whether all, or whether the principal one."""
    terms = t.row_term[group]
    code_first, code_last = t.term_code[terms], t.term_code[t.row_term[group + 1]]
    named, named_first = 0, False
    for at in range(first, last):
        for place in range(code_first, code_last):
            if t.codes[place] == kept[at]:
                named += 1
                in_first = place < t.term_code[terms + 1] and t.row_procedures[group] > 0
                named_first |= in_first and at == first
                break
    value = 0.0
    if measure == MOST_MATCHED:
        value = float(named)
    elif measure == NO_UNMATCHED:
        value = 1.0 if named == counted else 0.0
    elif measure == PRINCIPAL_FIRST:
        value = 1.0 if named_first and not conservative else 0.0
    return value


@inlined
def _nearness(cost, mean):
    """Return how near a mean cost is to a cost: 0 at best, minus infinity where either is missing."""
    distance = abs(cost - mean)
    return -np.inf if np.isnan(distance) else -distance


@inlined
def _is_better(t, group, candidate, best, best_candidate, costs, row, kept, first, last, counted, conservative):
    """Return whether the measures put a row before the best one so far; the first measure that differs decides."""
    better = False
    for number in range(len(t.measures)):
        measure = t.measures[number]
        if measure >= STATIC:
            mine = t.cand_measure[measure - STATIC, candidate]
            other = t.cand_measure[measure - STATIC, best_candidate]
        elif measure == NEAREST_MEAN:
            mine, other = _nearness(costs[row], t.row_mean[group]), _nearness(costs[row], t.row_mean[best])
        else:
            mine = _named_by(t, group, measure, kept, first, last, counted, conservative)
            other = _named_by(t, best, measure, kept, first, last, counted, conservative)
        if mine != other:
            better = mine > other
            break
    return better


@inlined
def _why_none(t, dx, treatment):
    """Return why no row takes a case."""
    if not t.dx_own[dx]:
        reason = NO_DX_GROUP
    elif treatment >= 0 and (t.dx_mixed[dx] >> treatment) & 1 != 0:
        reason = NO_TIER_GROUP
    elif treatment < 0 and t.dx_mixed[dx] != 0:
        reason = UNTYPED_PROCEDURE
    else:
        reason = NO_TREATMENT_GROUP
    return reason


@kernel
def match_rows(
    t,
    first_proc,
    excluding,
    not_principal,
    mixed_stage,
    refused,
    principal,
    principal_bits,
    others_bits,
    conditions,
    costs,
    procs,
    offsets,
    kept,
    taken,
    reason,
    treatments,
    care,
):
    """Match each case: the row that takes it (-1 for none), the reason if none does, treatment, primary-care flag.

    The phases are inlined: a call with the tables would count the references of each. Costs are whole fen, NaN for
    none, and empty where no measure asks for them. A reason is a place in `REASONS`. Refused cases stay as they are.
    """
    for row in range(len(refused)):
        taken[row], reason[row], treatments[row], care[row] = -1, -1, UNTYPED, False
        if refused[row]:
            continue
        dx = principal[row]

        # What the procedures come to.
        first, conservative, barred = 0, False, False
        last = _keep(t, procs, offsets[row], offsets[row + 1], first_proc, kept)
        if excluding:
            first, conservative, barred = _principal_of(t, dx, kept, last, not_principal)
        treatment, tier, counted = _treatment_of(t, kept, first, last)
        conservative = conservative or counted == 0
        if conservative:
            treatment, tier = CONSERVATIVE_TREATMENT, 0
        treatments[row] = treatment
        if excluding and t.dx_excluded[dx]:
            reason[row] = EXCLUDED_DX
            continue
        if barred:
            reason[row] = EXCLUDED_PROC
            continue

        # Groups first, by stage; when one is taken, the primary-care rows, unless its own flag says it.
        sign = _sign_of(kept, first, last, treatment, conservative)
        any_bits, other_bits = principal_bits[row] | others_bits[row], others_bits[row]
        best, best_candidate, stage, decided = -1, -1, -1, False
        care_from = t.cand_care[dx]
        candidate, end = t.cand_first[dx], t.cand_first[dx + 1]
        while candidate < end:
            this = candidate
            candidate += 1
            if this >= care_from and (best < 0 or care[row]):
                break
            asked = t.cand_sign[this]
            if asked != 0 and asked & sign == 0:
                continue
            group = t.cand[this]
            if this < care_from and best >= 0 and (decided or t.row_stage[group] != stage):
                # The stage is through. A mixed row that goes before what it gave is looked for, nothing else.
                if not decided:
                    decided = True
                    naming = t.row_naming[best] and treatment == SURGERY
                    if not naming or _names_surgery(t, best, kept, first, last):
                        candidate = care_from
                        continue
                if t.row_stage[group] != mixed_stage:
                    continue
            if not _fits(t, group, treatment, tier, any_bits, other_bits, conditions[row]):
                continue
            if not _has_terms(t, group, kept, first, last, conservative):
                continue
            if this >= care_from:
                care[row] = True
                break
            if (
                best < 0
                or decided
                or _is_better(
                    t, group, this, best, best_candidate, costs, row, kept, first, last, counted, conservative
                )
            ):
                best, best_candidate, stage = group, this, t.row_stage[group]
                care[row] = t.row_care[group]
            if stage == mixed_stage or (len(t.measures) == 0 and not t.row_naming[best]):
                candidate = care_from
        taken[row] = best
        if best < 0:
            reason[row] = _why_none(t, dx, treatment)
