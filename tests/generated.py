"""Generated cases for comparing the engines: every way through a scheme, what nearly misses it, and nonsense."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa

import drgdip
from drgdip.cases.case import make_case_schema
from drgdip.cases.fields import read_record
from drgdip.grouper.drg import reference
from drgdip.grouper.drg.witness import near_misses, targets, witness
from drgdip.grouper.load import load_any

if TYPE_CHECKING:
    from drgdip.grouper.dip.catalogue import Catalogue

_SCHEMA = pa.schema([field.remove_metadata() for field in make_case_schema()])


def facts_of(case, scheme):
    """A case as rules see it, and the columns that cannot be read."""
    record, unreadable = read_record(case)
    return reference.facts_of(record, scheme), unreadable


def differences(cases: pa.Table, scheme: str | Catalogue) -> list[tuple]:
    """Rows where the engines differ: number, column, columnar and reference value."""
    one = drgdip.group(cases, scheme, engine="columnar")
    other = drgdip.group(cases, scheme, engine="reference")
    assert one.schema.equals(other.schema)
    found = []
    for name in load_any(scheme).result._fields:
        pairs = zip(one[name].to_pylist(), other[name].to_pylist(), strict=True)
        found += [(row, name, a, b) for row, (a, b) in enumerate(pairs) if a != b]
    return found


def table(records: list[dict]) -> pa.Table:
    """Cases as an Arrow table under canonical names."""
    return pa.Table.from_pylist([{name: record.get(name) for name in _SCHEMA.names} for record in records], _SCHEMA)


def adversarial(scheme: str, least: int, seed: int) -> list[dict]:
    """Witnesses of every way through a scheme, what nearly misses them, and nonsense, until there are enough."""
    loaded, rng = drgdip.load_scheme(scheme), random.Random(f"{scheme} {seed}")
    pools = {"dx": sorted({code for codes in loaded.sets.values() for code in codes}), "procs": []}
    pools["procs"] = [code for code in pools["dx"] if code[0].isdigit()]
    records: list[dict] = []
    while len(records) < least:
        for target in targets(loaded):
            case = witness(target, loaded, rng, tries=20)
            if case is not None:
                records += [case, *near_misses(case, loaded, rng), noisy(case, pools, rng), noisy(case, pools, rng)]
        records += [nonsense(pools, rng) for _ in range(300)]
    return records


def noisy(case: dict, pools: dict[str, list[str]], rng: random.Random) -> dict:
    """The case with codes added, doubled, moved, unknown, odd in spelling or missing."""
    changed = dict(case)
    for column in ("dx", "procs"):
        codes = [
            *changed[column],
            *rng.choices(pools[column], k=rng.randint(0, 4)),
            *rng.sample(changed[column], min(1, len(changed[column]))),
        ]
        rng.shuffle(codes)
        for _ in range(rng.randint(0, 2)):
            codes.insert(rng.randint(0, len(codes)), rng.choice(["unknown", "", "-", " ", None, "Ａ00.0", "zz9", "X"]))
        changed[column] = [code and rng.choice([code, code, f" {code} ", code.replace("x", "X")]) for code in codes]
    return changed


def nonsense(pools: dict[str, list[str]], rng: random.Random) -> dict:
    extreme = [None, 0, 1, -1, 28, 29, 365, 366, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63) + 1]
    return {
        "sex": rng.choice([None, 0, 1, 2, 3, 9, -1]),
        "age": rng.choice(extreme),
        "age_days": rng.choice(extreme),
        "newborn_weight": rng.choice(extreme),
        "los": rng.choice(extreme),
        "discharge": rng.choice(extreme),
        "dx": rng.choice([None, [], [None], [None, None, "A00"], rng.choices(pools["dx"], k=rng.randint(1, 30))]),
        "procs": rng.choice([None, [], [None], [None, "00.1"], rng.choices(pools["procs"], k=rng.randint(1, 30))]),
    }
