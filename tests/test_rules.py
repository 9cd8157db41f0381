"""Every way through every scheme is reached by some case, or listed as unreachable with the reason."""

from __future__ import annotations

from random import Random

import pytest
from conftest import SCHEMES

from drgdip import group_one, load_scheme
from drgdip.grouper.drg.reach import why_unreachable
from drgdip.grouper.drg.witness import near_misses, reached, targets, witness
from drgdip.grouper.grammar import ALWAYS

SEED = 20260101
TRIES = 400


def key_of(target):
    return target.mdc.code, target.adrg.order, target.drg.code if target.drg else None


def listed_ways(scheme):
    """The ways that the scheme's unreachable.csv lists, ADRG rows with all ways through them."""
    annex = scheme.annexes.get("unreachable.csv")
    rows = set(annex.rows) if annex else set()
    adrgs = {(row[1], row[2]) for row in rows if row[0] == "adrg"}
    drgs = {(row[1], row[2]) for row in rows if row[0] == "drg"}
    ways = set()
    for target in targets(scheme):
        by_adrg = (target.mdc.code, str(target.adrg.order)) in adrgs
        by_drg = target.drg is not None and (target.adrg.code, str(target.drg.order)) in drgs
        if by_adrg or by_drg:
            ways.add(key_of(target))
    return ways


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_every_way_is_reached_or_listed(scheme_id):
    scheme = load_scheme(scheme_id)
    random = Random(SEED)
    ways = {key_of(target): witness(target, scheme, random, TRIES) for target in targets(scheme)}
    unreached = {key for key, case in ways.items() if case is None}
    assert unreached == listed_ways(scheme)


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_a_witness_is_grouped_where_it_should_be(scheme_id):
    scheme = load_scheme(scheme_id)
    random = Random(SEED + 1)
    for target in targets(scheme):
        case = witness(target, scheme, random, TRIES)
        if case is None:
            continue
        result = group_one(case, scheme)
        assert result.adrg == target.adrg.code
        assert result.group == (target.drg.code if target.drg else target.adrg.code)
        expected = {"ambiguous": "ambiguous", "ungroupable": "ungrouped"}.get(target.adrg.kind, "grouped")
        assert result.status == expected


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_the_ways_are_all_the_rows_of_the_tables(scheme_id):
    """No DRG of a scheme is left out by `targets`, nor an ADRG that can be a group by itself."""
    scheme = load_scheme(scheme_id)
    ways = list(targets(scheme))
    through = {target.drg.code for target in ways if target.drg}
    assert through == {drg.code for adrg in scheme.adrgs for drg in adrg.drgs}
    alone = {target.adrg.code for target in ways if target.drg is None}
    open_ended = {adrg.code for adrg in scheme.adrgs if all(drg.rule != ALWAYS for drg in adrg.drgs)}
    assert alone == (set() if scheme.evaluation.adrg_fallthrough else open_ended)


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_listed_rows_exist_and_say_why(scheme_id):
    scheme = load_scheme(scheme_id)
    annex = scheme.annexes.get("unreachable.csv")
    adrgs = {(adrg.mdc, str(adrg.order)): adrg.code for adrg in scheme.adrgs}
    drgs = {(drg.adrg, str(drg.order)): drg.code for adrg in scheme.adrgs for drg in adrg.drgs}
    for table, parent, order, code, reason in annex.rows if annex else ():
        assert {"adrg": adrgs, "drg": drgs}[table][parent, order] == code
        assert reason


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_what_is_listed_is_proved_unreachable(scheme_id):
    scheme = load_scheme(scheme_id)
    listed = listed_ways(scheme)
    assert [key_of(way) for way in targets(scheme) if key_of(way) in listed and not why_unreachable(way, scheme)] == []


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_what_is_reached_is_not_proved_unreachable(scheme_id):
    scheme = load_scheme(scheme_id)
    listed = listed_ways(scheme)
    ways = [way for way in targets(scheme) if key_of(way) not in listed]
    assert [key_of(way) for way in ways[::61] if why_unreachable(way, scheme)] == []


@pytest.mark.parametrize("scheme_id", SCHEMES)
def test_near_misses_are_grouped_and_some_miss(scheme_id):
    """One change away from a witness: always a result, and for most ways some change leads elsewhere."""
    scheme = load_scheme(scheme_id)
    random = Random(SEED + 2)
    moved = total = 0
    for target in list(targets(scheme))[::7]:
        case = witness(target, scheme, random, TRIES)
        if case is None:
            continue
        ways = [reached(miss, scheme) for miss in near_misses(case, scheme, random)]
        total += 1
        moved += any(way != target for way in ways)
    assert moved > 0.95 * total
