"""Every condition of every rule decides: some case is taken because of it, and some case is missed because of it.

A condition decides a case if the rule would come out otherwise, were the condition the other way round. Where no such
case is found, it is proved that there is none: in rules that stand behind others, some conditions always hold.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace

import pytest
from conftest import SCHEMES
from generated import facts_of

from drgdip import load_scheme
from drgdip.grouper.drg.model import Drg
from drgdip.grouper.drg.reach import why_unreachable
from drgdip.grouper.drg.reference import group_facts, refusal
from drgdip.grouper.drg.witness import Target, draft, near_misses, targets, witness
from drgdip.grouper.facts import Facts, holds
from drgdip.grouper.grammar import ALWAYS, And, Not, Or, parse, walk
from drgdip.grouper.ways import alternatives

SEED = 20260102
#: How many cases are drafted for each way of a condition, and how many where there is no proof.
DRAFTS, MANY = 40, 4000
NEVER = Or(())
SIDES = ("taken", "missed")
#: Conditions without a case or a proof (MDC, row, condition, side), and why there is no case. A proof lets one row take
#: all that is alike in its codes; here several rows share it out by weight, by other diagnoses or by another MDC.
LIGHTER = "the rows before take every lighter newborn"
OPEN = {
    "chs-drg-1.1": {
        ("MDCP", "PS3", "XSRTZ >= 2000", "missed"): LIGHTER,
        ("MDCP", "PS4", "XSRTZ >= 2500", "missed"): LIGHTER,
    },
    "chs-drg-2.0": {
        ("MDCP", "PS3", "XSRTZ >= 2000", "missed"): LIGHTER,
        ("MDCP", "PS4", "XSRTZ >= 2500", "missed"): LIGHTER,
        ("MDCY", "YR2", "{ZYZD, QTZD} in DI_YR2", "missed"): "YR1 takes every other case of HIV",
        ("MDCN", "MDCN", "XB = 2", "missed"): "MDCM before it takes every man with a diagnosis of both sexes",
        (
            "MDCN",
            "MDCN",
            "ZYZD not in DI_MN",
            "missed",
        ): "MDCM before it takes every man with a diagnosis of both sexes",
    },
    "chs-drg-3.0": {
        ("MDCP", "PS3", "XSRTZ >= 1500", "missed"): LIGHTER,
        ("MDCP", "PS4", "XSRTZ >= 2000", "missed"): LIGHTER,
    },
}


def conditions(rule):
    return [node for node in walk(rule) if not isinstance(node, And | Or | Not)]


def answered(rule, condition, *, holds):
    """The rule with one of its conditions answered; the same condition may stand elsewhere in it."""
    if rule is condition:
        return ALWAYS if holds else NEVER
    if isinstance(rule, Not):
        return Not(answered(rule.part, condition, holds=holds))
    if isinstance(rule, And | Or):
        return replace(rule, parts=tuple([answered(part, condition, holds=holds) for part in rule.parts]))
    return rule


class Decided:
    """The conditions of a scheme's rules, each with the sides on which it has decided some case."""

    def __init__(self, scheme):
        self.scheme = scheme
        self.rows = {}  # by row its conditions, each with the rule as it is with the condition answered
        self.sides = {}
        for target in targets(scheme):
            for row in filter(None, target):
                if id(row) not in self.rows:
                    self.rows[id(row)] = [
                        (c, answered(row.rule, c, holds=True), answered(row.rule, c, holds=False))
                        for c in conditions(row.rule)
                    ]
                    self.sides |= {(id(row), id(c)): set() for c in conditions(row.rule)}

    def look(self, case):
        """Group a case and note which conditions decide it in the rows that are tried."""
        facts, unreadable = facts_of(case, self.scheme)
        if refusal(facts, unreadable, self.scheme) is not None:
            return
        visits = []
        group_facts(facts, self.scheme, visits)
        for visit in visits:
            for condition, true, false in self.rows.get(id(visit.row), ()):
                sides = self.sides[id(visit.row), id(condition)]
                if len(sides) < 2 and holds(true, facts, self.scheme) != holds(false, facts, self.scheme):
                    sides.add("taken" if visit.holds else "missed")

    def open_in(self, row):
        return [c for c, _, _ in self.rows[id(row)] if len(self.sides[id(row), id(c)]) < 2]


def drafts(target, level, condition, scheme, random, number):
    """Cases that come to a row of the target and are made for a condition of its rule: as it is, and turned round."""
    before = [alternatives(row.rule) for row in target[:level]]
    for way in alternatives(target[level].rule):
        for place, literal in enumerate(way):
            if literal.atom is condition:
                turned = (*way[:place], literal._replace(holds=not literal.holds), *way[place + 1 :])
                for own in (way, turned) * number:
                    case = draft((*sum((random.choice(ways) for ways in before), ()), *own), scheme, random)
                    if case is not None:
                        yield case


def decided_by(rule, condition, side):
    """A rule that holds for the cases that the condition decides on one side."""
    true, false = (answered(rule, condition, holds=value) for value in (True, False))
    if side == "missed":
        true, false = false, true
    return Or((And((condition, true, Not(false))), And((Not(condition), false, Not(true)))))


def with_rule(scheme, target, level, rule):
    """The scheme with another rule in one row, which takes for good what it takes; and the way through that row."""
    mdc, adrg, drg = target
    end = Drg(code="end", name="", adrg=adrg.code, order=0, rule=ALWAYS)
    if level == 2:
        drg = replace(drg, rule=rule)
        adrg = replace(adrg, drgs=swapped(adrg.drgs, target.drg, drg))
    else:
        drg = end
        adrg = replace(adrg, rule=rule if level else ALWAYS, order=adrg.order if level else 0, drgs=(end,))
    adrgs = swapped(mdc.adrgs, target.adrg, adrg) if level else (adrg, *mdc.adrgs)
    mdc = replace(mdc, rule=mdc.rule if level else rule, adrgs=adrgs)
    return replace(scheme, mdcs=swapped(scheme.mdcs, target.mdc, mdc)), Target(mdc, adrg, drg)


def swapped(rows, old, new):
    return tuple([new if row is old else row for row in rows])


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_every_condition_decides_both_ways_or_provably_cannot(scheme_id):
    scheme, random = load_scheme(scheme_id), Random(SEED)
    decided = Decided(scheme)

    def undecided():
        for target in targets(scheme):
            for level, row in enumerate(target):
                for condition in decided.open_in(row) if row else ():
                    yield target, level, condition, set(SIDES) - decided.sides[id(row), id(condition)]

    for target in targets(scheme):
        case = witness(target, scheme, random)
        for made in (case, *near_misses(case, scheme, random)) if case else ():
            decided.look(made)
    for target, level, condition, _ in undecided():
        for made in drafts(target, level, condition, scheme, random, DRAFTS):
            decided.look(made)
    for target, level, condition, sides in undecided():
        for side in sides:
            variant, way = with_rule(scheme, target, level, decided_by(target[level].rule, condition, side))
            if why_unreachable(way, variant):
                decided.sides[id(target[level]), id(condition)].add(side)
    listed = OPEN.get(scheme_id, {})
    for target, level, condition, sides in undecided():
        if not {name_of(target, level, condition, side) for side in sides} <= listed.keys():
            for made in drafts(target, level, condition, scheme, random, MANY):
                decided.look(made)
    left = {name_of(*place, side) for *place, sides in undecided() for side in sides}
    assert left == listed.keys()


def name_of(target, level, condition, side):
    return target.mdc.code, target[level].code, str(condition), side


def test_a_decided_condition_is_seen():
    """Of `a and (b or c)`, b decides where a holds and c fails."""
    rule = parse("ZYZD in DX_A and (NL < 17 or XB = 1)")
    decided = decided_by(rule, conditions(rule)[1], "taken")
    for age, sex, expected in ((5, 2, True), (5, 1, False), (50, 2, False), (50, 1, False)):
        facts = Facts({"ZYZD": ("A01",)}, {"NL": age, "XB": sex}, {})
        assert holds(decided, facts, SimpleNamespace(sets={"DX_A": {"A01"}})) is expected
