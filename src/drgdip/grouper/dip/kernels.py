"""Compiled matching of cases with a DIP catalogue: one pass over the groups that a principal diagnosis leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drgdip._jit import kernel

__all__ = ["DROPPED", "NO_GROUP", "Tables", "dx_bits_of_rows", "match_rows"]

# How a procedure of the exclusion list is taken when it is the principal one.
CONSERVATIVE, NOT_PRINCIPAL = 1, 2
# What becomes of a case with one that may not be principal, in the order of `drgdip.grouper.dip.catalogue`.
REFUSED, AS_CONSERVATIVE = 0, 1
# Bits of a sign. A row's has those of its first term's codes, or of what it asks instead; a case's those of its
# procedures and of what they come to. A row fits only a case that shares one; a sign of zero asks for nothing.
CODE_BITS, TREATMENT_BIT, CONSERVATIVE_BIT = 56, 56, 63
# Of which procedures a term is asked.
PRINCIPAL, OTHERS, ALL = 0, 1, 2
# Measures that depend on the case; all others are numbers by candidate.
PRINCIPAL_FIRST, NO_UNMATCHED, MOST_MATCHED, NEAREST_MEAN, STATIC = 0, 1, 2, 3, 4
# Why a case has no group, in the order of `drgdip.grouper.dip.columnar.REASONS_HERE`.
NO_GROUP = ("no_dx_group", "no_treatment_group", "no_tier_group", "untyped_procedure")
DROPPED = ("excluded_diagnosis", "excluded_procedure")


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
    """The principal diagnosis of each case, its sets, and those of its other diagnoses."""
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        principal[row] = dx[start] if end > start else 0
        principal_bits[row] = dx_bits[principal[row]]
        others = np.uint64(0)
        for at in range(start + 1, end):
            others |= dx_bits[dx[at]]
        others_bits[row] = others


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
    taken,
    reason,
    treatments,
    care,
):
    """The row that takes each case (-1 for none), the reason if none does, its treatment and its primary-care flag.

    Costs are whole fen, NaN for none; there are some if a measure asks for them.
    Reasons are numbers: first those of `NO_GROUP`, then those of `DROPPED`. Cases that are refused stay as they are.
    """
    longest = 1
    for row in range(len(refused)):
        longest = max(longest, offsets[row + 1] - offsets[row])
    kept = np.empty(longest, dtype=np.int32)
    for row in range(len(refused)):
        taken[row] = -1
        reason[row] = -1
        treatments[row] = -1
        care[row] = False
        if refused[row]:
            continue
        dx = principal[row]

        # The procedures that count; a blank principal one keeps its place.
        first, last = 0, 0
        for at in range(offsets[row], offsets[row + 1]):
            code = procs[at]
            if code < first_proc:
                if at == offsets[row]:
                    kept[last] = -1
                    last += 1
            elif not t.proc_dropped[code]:
                kept[last] = code
                last += 1
        conservative, dropped = False, False
        if excluding:
            while first < last:
                code = kept[first]
                role = 0 if code < 0 else t.proc_role[code]
                if role == 0 or t.proc_allowed[code] & t.dx_allowed[dx] != 0:
                    break
                if role == CONSERVATIVE:
                    conservative = True
                    break
                if not_principal == REFUSED:
                    dropped = True
                    break
                if not_principal == AS_CONSERVATIVE:
                    conservative = True
                    break
                first += 1
        counted = 0
        treatment, tier = -1, 0
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
        conservative = conservative or counted == 0
        if conservative:
            treatment, tier = 4, 0
        treatments[row] = treatment
        if excluding and t.dx_excluded[dx]:
            reason[row] = len(NO_GROUP)
            continue
        if dropped:
            reason[row] = len(NO_GROUP) + 1
            continue

        sign = np.uint64(0)
        for at in range(first, last):
            if kept[at] >= 0:
                sign |= np.uint64(1) << np.uint64(kept[at] % CODE_BITS)
        if conservative:
            sign |= np.uint64(1) << np.uint64(CONSERVATIVE_BIT)
        if treatment >= 0:
            sign |= np.uint64(1) << np.uint64(TREATMENT_BIT + treatment)

        # Groups first, by stage; when one is taken, the primary-care rows, unless its own flag says it.
        any_bits = principal_bits[row] | others_bits[row]
        best, best_candidate, stage = -1, -1, -1
        decided = False
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
                    unnamed = False
                    if t.row_naming[best] and treatment == 0:
                        code_first, code_last = t.term_code[t.row_term[best]], t.term_code[t.row_term[best + 1]]
                        for at in range(first, last):
                            if kept[at] >= 0 and t.proc_type[kept[at]] == 0:
                                named_here = False
                                for place in range(code_first, code_last):
                                    named_here |= t.codes[place] == kept[at]
                                unnamed |= not named_here
                    if not unnamed:
                        candidate = care_from
                        continue
                if t.row_stage[group] != mixed_stage:
                    continue
            # Treatment, diagnoses, condition, then terms: nothing here calls another function, since a call with the
            # tables would count the references of each.
            if t.row_treatment[group] >= 0 and (
                t.row_treatment[group] != treatment or (t.row_tier[group] != 0 and t.row_tier[group] != tier)
            ):
                continue
            if t.row_any[group] != 0 and t.row_any[group] & any_bits == 0:
                continue
            if t.row_other[group] != 0 and t.row_other[group] & others_bits[row] == 0:
                continue
            condition = t.row_condition[group]
            if condition >= 0 and (conditions[row] >> np.uint64(condition)) & np.uint64(1) == 0:
                continue
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
            if not held:
                continue
            if this >= care_from:
                care[row] = True
                break

            better = best < 0 or decided
            if not better:
                for number in range(len(t.measures)):
                    measure = t.measures[number]
                    if measure >= STATIC:
                        mine = t.cand_measure[measure - STATIC, this]
                        other = t.cand_measure[measure - STATIC, best_candidate]
                    elif measure == NEAREST_MEAN:
                        mine, other = 0.0, 0.0
                        if not np.isnan(costs[row]):
                            mine, other = -abs(costs[row] - t.row_mean[group]), -abs(costs[row] - t.row_mean[best])
                            mine = -np.inf if np.isnan(mine) else mine
                            other = -np.inf if np.isnan(other) else other
                    else:
                        mine, other = 0.0, 0.0
                        for which in range(2):
                            rival = group if which == 0 else best
                            terms = t.row_term[rival]
                            code_first, code_last = t.term_code[terms], t.term_code[t.row_term[rival + 1]]
                            named, named_first = 0, False
                            for at in range(first, last):
                                for place in range(code_first, code_last):
                                    if t.codes[place] == kept[at]:
                                        named += 1
                                        in_first = place < t.term_code[terms + 1] and t.row_procedures[rival] > 0
                                        named_first |= in_first and at == first
                                        break
                            value = float(named)
                            if measure == NO_UNMATCHED:
                                value = 1.0 if named == counted else 0.0
                            elif measure == PRINCIPAL_FIRST:
                                value = 1.0 if named_first and not conservative else 0.0
                            if which == 0:
                                mine = value
                            else:
                                other = value
                    if mine != other:
                        better = mine > other
                        break
            if better:
                best, best_candidate, stage = group, this, t.row_stage[group]
                care[row] = t.row_care[group]
            if stage == mixed_stage or (len(t.measures) == 0 and not t.row_naming[best]):
                candidate = care_from
        taken[row] = best
        if best >= 0:
            continue
        if not t.dx_own[dx]:
            reason[row] = 0
        elif treatment >= 0 and (t.dx_mixed[dx] >> treatment) & 1 != 0:
            reason[row] = 2
        elif treatment < 0 and t.dx_mixed[dx] != 0:
            reason[row] = 3
        else:
            reason[row] = 1
