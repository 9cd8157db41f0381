"""Cases made for a group of a DIP catalogue, and what nearly misses it: for tests and synthetic cases."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from drgdip.grouper.dip.model import TREATMENTS
from drgdip.grouper.dip.reference import fits, situation_of
from drgdip.grouper.facts import values_of
from drgdip.grouper.grammar import ALWAYS, VALUE_VARIABLES, Compare, In, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from drgdip.grouper.dip.model import CatalogueTables, Group, Term

__all__ = ["dip_near_misses", "dip_witness"]

#: Ends that make a prefix a whole code, the plainest first.
_ENDINGS = ("00", "01", "02", "03", "09", "00x001", "00x009", "01x099")


def dip_witness(group: Group, catalogue: CatalogueTables, random: Random, tries: int = 20) -> dict[str, Any] | None:
    """Return a case that is all that a group asks for and that no exclusion list refuses; None if none was found."""
    for _ in range(tries):
        for case in _with_condition(_plain_case(group, catalogue, random), group, catalogue):
            situation = situation_of(case["dx"], case["procs"], values_of(case), catalogue)
            if situation.excluded is None and fits(group, situation, catalogue):
                return case
    return None


def _plain_case(group: Group, catalogue: CatalogueTables, random: Random) -> dict[str, Any]:
    principal = _code(random.choice(group.dx), catalogue, random) if group.dx else "I10.x00x002"
    dx = [principal]
    if group.anywhere == "dx" and random.random() < 0.5:
        dx.insert(0, "I10.x00x002")
    if group.other_dx:
        dx.append(_code(random.choice(group.other_dx), catalogue, random))
    procs = [_procedure(term, catalogue, random) for term in group.procedures or () for _ in range(term.times)]
    related = [_procedure(term, catalogue, random) for term in group.related for _ in range(term.times)]
    if not catalogue.matching.asks_principal(group.anywhere):
        procs, related = [*procs, *related], []
        random.shuffle(procs)
    random.shuffle(related)
    if group.treatment not in {"", TREATMENTS[-1]}:
        procs = _typed(group, catalogue, random)
    plain: dict[str, Any] = dict.fromkeys(VALUE_VARIABLES.values())
    return plain | {"dx": dx, "procs": procs + related}


def _procedure(term: Term, catalogue: CatalogueTables, random: Random) -> str:
    """Return a procedure that a term names; of a short code mostly a longer one that begins so."""
    code = random.choice(term.codes)
    if catalogue.matching.short_codes == "prefix" and code in term.short:
        code += random.choice(("", "00", "01", "00x001"))
    return code


def _typed(group: Group, catalogue: CatalogueTables, random: Random) -> list[str]:
    """Return a procedure that makes the treatment, and the tier, of a mixed group, if there is one."""
    codes = [code for tier, code in _by_treatment(catalogue)[group.treatment] if group.tier in {"", tier}]
    return [random.choice(codes)] if codes else []


@lru_cache(maxsize=4)
def _by_treatment(catalogue: CatalogueTables) -> dict[str, list[tuple[str, str]]]:
    typed: dict[str, list[tuple[str, str]]] = {treatment: [] for treatment in TREATMENTS}
    for code, (_, tier) in catalogue.types.items():
        treatment = catalogue.treatment_of(code)
        assert treatment is not None  # it has a type
        typed[treatment].append((tier or catalogue.matching.untiered, code))
    return typed


@lru_cache(maxsize=4)
def _all_types(catalogue: CatalogueTables) -> tuple[str, ...]:
    return tuple(catalogue.types)


@lru_cache(maxsize=4)
def _excluded(catalogue: CatalogueTables) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(sorted(catalogue.excluded_dx)), tuple(sorted(catalogue.excluded_procs))


def _code(prefix: str, catalogue: CatalogueTables, random: Random) -> str:
    """Return a whole code with the prefix, none that may not be principal where there is another."""
    middle = f".{random.randrange(10)}" if len(prefix) == 3 else {1: "10.x", 2: "0.x"}.get(len(prefix), "")
    codes = [f"{prefix}{middle}{ending}" for ending in _ENDINGS]
    return next((code for code in codes if code not in catalogue.excluded_dx), codes[0])


def _with_condition(case: dict[str, Any], group: Group, catalogue: CatalogueTables) -> Iterator[dict[str, Any]]:
    """Yield the case with values and diagnoses that a group's condition may ask for."""
    yield case
    if group.condition == ALWAYS:
        return
    numbers: dict[str, set[int]] = {}
    for node in walk(group.condition):
        if isinstance(node, Compare):
            numbers.setdefault(VALUE_VARIABLES[node.variable], set()).update(
                int(node.value) + step for step in (-1, 0, 1)
            )
        elif isinstance(node, In):
            for name in node.sets:
                code = min(catalogue.sets[name])
                yield case | {"dx": [*case["dx"], code] if "QTZD" in node.variables else [code, *case["dx"][1:]]}
    for values in itertools.product(*(sorted(values) for values in numbers.values())):
        yield case | dict(zip(numbers, values, strict=True))


def dip_near_misses(case: dict[str, Any], catalogue: CatalogueTables, random: Random) -> Iterator[dict[str, Any]]:
    """Yield the case with one change: a procedure less, more or elsewhere, a diagnosis less or excluded."""
    dx, procs = case["dx"], case["procs"]
    for at in range(len(procs)):
        yield case | {"procs": procs[:at] + procs[at + 1 :]}
    yield case | {"procs": [*procs, random.choice(_all_types(catalogue))]}
    yield case | {"procs": [random.choice(_all_types(catalogue)), *procs]}
    yield case | {"procs": [None, *procs]}
    yield case | {"procs": [*procs[1:], *procs[:1]]}
    yield case | {"procs": [*procs, *procs[:1], "no such procedure"]}
    yield case | {"dx": [*dx[1:], *dx[:1]]}
    yield case | {"dx": [dx[0][:4], *dx[1:]]}
    for codes, column in zip(_excluded(catalogue), ("dx", "procs"), strict=True):
        if codes:
            yield case | {column: [random.choice(codes), *case[column][column == "dx" :]]}
    for column in ("age_days", "newborn_weight"):
        if case[column] is not None:
            yield from (case | {column: value} for value in (case[column] - 1, case[column] + 1, None))
