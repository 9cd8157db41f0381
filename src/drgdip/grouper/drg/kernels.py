"""Compiled kernels: the walk of `drgdip.grouper.drg.reference` over numbered codes.

A case has one bit for each way to a group. Its principal diagnosis, its principal procedure and a few conditions that
many ways share decide which bits are set. The lowest bit whose remaining conditions hold is the first rule of the
scheme that takes the case.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drgdip._jit import inlined, kernel

__all__ = [
    "COMPARE",
    "COUNT_DX",
    "COUNT_PROC",
    "MEMBER_DX",
    "MEMBER_PROC",
    "OTHER",
    "PRINCIPAL",
    "SEVERITY",
    "Tables",
    "group_rows",
]

# Kinds of condition.
MEMBER_DX, MEMBER_PROC, SEVERITY, COMPARE, COUNT_DX, COUNT_PROC = range(6)
# Which codes of the case a condition looks at.
PRINCIPAL, OTHER = 1, 2
# Operators of comparisons, by place in grammar order: < <= > >= =.
_LT, _LE, _GT, _GE, _EQ = range(5)

_DE_BRUIJN = np.uint64(0x022FDD63CC95386D)
_BIT_OF = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _BIT_OF[((1 << _bit) * int(_DE_BRUIJN) & (2**64 - 1)) >> 58] = _bit


class Tables(NamedTuple):
    """A scheme as arrays (`drgdip.grouper.drg.compile`).

    Attributes
    ----------
    dx_class, proc_class
        Row of ``dx_bits`` or ``proc_bits`` by number of a code.
    dx_bits, proc_bits
        Ways (bits) that a principal diagnosis or procedure allows: classes × words.
    guards, guard_bits
        How many conditions are asked of every case, because many ways share them, and the ways (bits) that each
        combination of their answers allows: 2 ** guards × words.
    outcome
        Outcome by way.
    dx_sets, proc_sets
        Sets (bits) that a code is in, of those that conditions ask for: codes × words.
    level, exclusion
        Severity (0 none, 1 CC, 2 MCC, 3 both) and number of the exclusion table (-1 none) by number of a diagnosis.
    dx_exclusion_class, dx_excludes
        Row of ``dx_excludes`` by number of a principal diagnosis; the exclusion tables (bits) that hold it.
    first
        Where the conditions of a question start, one longer than the questions: the guards, then the ways.
    kind, scope, word, bit, operator, number, wanted
        The conditions: kind, codes looked at, place of the set or value, operator and number, and whether the
        condition is to hold.
    """

    dx_class: np.ndarray
    proc_class: np.ndarray
    dx_bits: np.ndarray
    proc_bits: np.ndarray
    guards: int
    guard_bits: np.ndarray
    outcome: np.ndarray
    dx_sets: np.ndarray
    proc_sets: np.ndarray
    level: np.ndarray
    exclusion: np.ndarray
    dx_exclusion_class: np.ndarray
    dx_excludes: np.ndarray
    first: np.ndarray
    kind: np.ndarray
    scope: np.ndarray
    word: np.ndarray
    bit: np.ndarray
    operator: np.ndarray
    number: np.ndarray
    wanted: np.ndarray


@inlined
def _compare(operator, value, number):
    """Return whether a comparison holds; a missing number is NaN, with which none does."""
    return (
        (operator == _LT and value < number)
        or (operator == _LE and value <= number)
        or (operator == _GT and value > number)
        or (operator == _GE and value >= number)
        or (operator == _EQ and value == number)
    )


@inlined
def _member(scope, own, other, bit):
    """Return whether a set has one of the codes looked at."""
    return (scope & PRINCIPAL != 0 and own & bit != 0) or (scope & OTHER != 0 and other & bit != 0)


@kernel
def _count(sets, place, bit, scope, codes, start, end, most, found):
    """Return the number of distinct codes in a set, counted up to a most; ``found`` is room for them."""
    number = 0
    for position in range(start, end):
        if number == most:
            break
        if scope & (PRINCIPAL if position == start else OTHER) == 0:
            continue
        code = codes[position]
        if sets[code, place] & bit:
            known = False
            for earlier in range(number):
                known = known or found[earlier] == code
            if not known:
                found[number] = code
                number += 1
    return number


@inlined
def _severity_of(t, dx, start, end, principal, other_dx):
    """Return the levels of the other diagnoses as bits, the gravest and its code; write their sets to ``other_dx``."""
    for word in range(len(other_dx)):
        other_dx[word] = 0
    levels = np.uint64(0)
    gravest, gravest_code = 0, -1
    excluding = t.dx_exclusion_class[principal]
    for position in range(start + 1, end):
        code = dx[position]
        for word in range(len(other_dx)):
            other_dx[word] |= t.dx_sets[code, word]
        level = t.level[code]
        if level == 0:
            continue
        table = t.exclusion[code]
        if table >= 0 and (t.dx_excludes[excluding, table >> 6] >> np.uint64(table & 63)) & np.uint64(1) != 0:
            continue
        levels |= np.uint64(level)
        level = min(level, 2)  # a code that is both counts as MCC
        if level > gravest or (level == gravest and code < gravest_code):
            gravest, gravest_code = level, code
    return levels, gravest, gravest_code


@inlined
def _sets_of_others(t, procs, start, end, other_proc):
    """Write the sets of the other procedures to ``other_proc``."""
    for word in range(len(other_proc)):
        other_proc[word] = 0
    for position in range(start + 1, end):
        for word in range(len(other_proc)):
            other_proc[word] |= t.proc_sets[procs[position], word]


@kernel
def group_rows(
    t,
    missing_dx,
    missing_proc,
    nothing,
    retry,
    dx,
    dx_offsets,
    procs,
    proc_offsets,
    values,
    other_dx,
    other_proc,
    distinct,
    outcome,
    severity,
    severity_code,
):
    """Group the rows whose outcome is -1.

    Parameters
    ----------
    t
        `Tables` of the scheme.
    missing_dx, missing_proc
        Numbers that stand for a missing code.
    nothing
        Outcomes below this number are of cases that nothing took; 0 is that of a case that no way is left for.
    retry
        Whether such cases are tried again with each other procedure alone.
    dx, dx_offsets, procs, proc_offsets
        Numbers of codes of all rows, and where those of a row start (one longer than the rows).
    values
        Values by variable and row, NaN for missing.
    other_dx, other_proc, distinct
        Room to work in: the words of ``dx_sets`` and of ``proc_sets``, and as many codes as the longest row has.
    outcome, severity, severity_code
        Written: number of the outcome, 0 none / 1 CC / 2 MCC, number of the diagnosis that has it (-1 none).
    """
    words = t.dx_bits.shape[1]
    for row in range(len(outcome)):
        severity_code[row] = -1
        if outcome[row] >= 0:
            continue
        dx_start, dx_end = dx_offsets[row], dx_offsets[row + 1]
        principal = dx[dx_start] if dx_end > dx_start else missing_dx
        levels, gravest, gravest_code = _severity_of(t, dx, dx_start, dx_end, principal, other_dx)
        severity[row] = gravest
        severity_code[row] = gravest_code

        # The whole case, then, where the scheme says so, each other procedure alone.
        last_procedure = proc_offsets[row + 1]
        for attempt in range(max(1, last_procedure - proc_offsets[row] if retry else 1)):
            proc_start = proc_offsets[row] + attempt
            proc_end = last_procedure if attempt == 0 else proc_start + 1
            procedure = procs[proc_start] if proc_end > proc_start else missing_proc
            if attempt > 0 and procedure == missing_proc:
                continue
            _sets_of_others(t, procs, proc_start, proc_end, other_proc)

            # Questions are asked one by one: the guards, then the ways whose bits are left, lowest first.
            by_dx, by_proc = t.dx_class[principal], t.proc_class[procedure]
            question, answers, found = 0, 0, 0
            word, left = -1, np.uint64(0)
            while True:
                held = True
                for at in range(t.first[question], t.first[question + 1]):
                    kind, scope, place, bit = t.kind[at], t.scope[at], t.word[at], t.bit[at]
                    if kind == MEMBER_DX:
                        held = _member(scope, t.dx_sets[principal, place], other_dx[place], bit)
                    elif kind == MEMBER_PROC:
                        held = _member(scope, t.proc_sets[procedure, place], other_proc[place], bit)
                    elif kind == SEVERITY:
                        held = levels & bit != 0
                    elif kind == COMPARE:
                        held = _compare(t.operator[at], values[place, row], t.number[at])
                    else:
                        most = np.int64(t.number[at]) + 1
                        if kind == COUNT_DX:
                            count = _count(t.dx_sets, place, bit, scope, dx, dx_start, dx_end, most, distinct)
                        else:
                            count = _count(t.proc_sets, place, bit, scope, procs, proc_start, proc_end, most, distinct)
                        held = _compare(t.operator[at], np.float64(count), t.number[at])
                    held = held == t.wanted[at]
                    if not held:
                        break
                if question < t.guards:
                    answers |= held << question
                    question += 1
                    if question < t.guards:
                        continue
                elif held:
                    found = t.outcome[question - t.guards]
                    break
                while left == 0 and word + 1 < words:
                    word += 1
                    left = t.dx_bits[by_dx, word] & t.proc_bits[by_proc, word] & t.guard_bits[answers, word]
                if left == 0:
                    break
                lowest = left & (~left + np.uint64(1))
                left ^= lowest
                question = t.guards + 64 * word + _BIT_OF[(lowest * _DE_BRUIJN) >> np.uint64(58)]
            if attempt == 0 or found >= nothing:
                outcome[row] = found
            if found >= nothing:
                break
