"""Synthetic discharges, for demonstrations, tests and benchmarks. No case is a real patient's.

Shares, ages and costs are assumptions made to look plausible (``data/synthetic/``); nothing may be concluded from them
about any hospital or place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._money import to_yuan
from drgdip._once import once_for
from drgdip._version import __version__
from drgdip.cases.case import make_case_schema
from drgdip.data import rows_of
from drgdip.errors import CaseError
from drgdip.grouper.load import load_any

if TYPE_CHECKING:
    from drgdip.grouper.family import SchemeLike

__all__ = ["sample_cases"]

#: Every discharge mode and its share.
_DISCHARGE = ((1, 0.945), (2, 0.015), (3, 0.01), (4, 0.018), (5, 0.008), (9, 0.004))
_FIRST_DAY, _DAYS = np.datetime64("2025-01-01"), 365
_HOSPITALS = 24


def sample_cases(n: int, scheme: str | SchemeLike, seed: int = 0) -> pa.Table:
    """Make synthetic discharges, skewed as in hospitals: few groups are frequent, most are rare.

    Parameters
    ----------
    n
        Number of cases, 0 or more.
    scheme
        The scheme or DIP catalogue, or the id of one, whose groups the cases are made for. Most cases are in the group
        they were made for; comorbidities move some, as they do in life.
    seed
        Equal numbers, schemes and seeds give equal cases.

    Returns
    -------
    A table of `drgdip.make_case_schema`: newborns have an age in days and a weight, stays and costs follow the kind of
    group, hospitals and pools differ in size. The schema's metadata says ``synthetic``.

    Raises
    ------
    UnknownNameError
        There is no such scheme.
    CaseError
        ``n`` is negative.

    Examples
    --------
    >>> cases = sample_cases(1000, "chs-drg-2.0", seed=7)
    >>> len(cases), cases.equals(sample_cases(1000, "chs-drg-2.0", seed=7))
    (1000, True)
    """
    if n < 0:
        raise CaseError(f"n is {n}; give a number of cases, 0 or more")
    loaded = load_any(scheme)
    templates = _templates(loaded)
    draw = _Draw(n, seed)
    chosen = draw.choose(templates.share)
    sex = np.where(templates.sex[chosen] > 0, templates.sex[chosen], 1 + (draw.uniform() < templates.female[chosen]))
    age = np.clip(np.rint(templates.age_mean[chosen] + templates.age_sd[chosen] * draw.normal()), 1, 99)
    age = np.where(templates.age[chosen] >= 0, templates.age[chosen], age).astype(np.int64)

    more = draw.poisson(np.clip((age - 20) / 22, 0.2, 3.2))
    dx = _lists(draw, templates.dx, chosen, more, "comorbidities.csv")
    done = templates.procs.lengths[chosen] > 0
    procs = _lists(
        draw, templates.procs, chosen, draw.poisson(np.where(done, *loaded.more_procedures)), "procedures.csv"
    )

    los = np.maximum(1, np.rint(templates.stay[chosen] * np.exp(0.55 * draw.normal()))).astype(np.int64)
    ratio = (los / templates.stay[chosen]) ** 0.6 * (1 + 0.06 * more) * np.exp(0.3 * draw.normal())
    fen = np.rint(templates.cost[chosen] * ratio * 100).astype(np.int64)
    discharged = _FIRST_DAY + np.floor(draw.uniform() * _DAYS).astype("timedelta64[D]")
    hospital = draw.choose(1 / np.arange(1, _HOSPITALS + 1))
    modes, shares = zip(*_DISCHARGE, strict=True)
    columns = {
        "case_id": [f"SYN{number:08d}" for number in range(1, n + 1)],
        "sex": sex,
        "age": age,
        "age_days": pa.array(templates.age_days[chosen], mask=templates.age_days[chosen] < 0),
        "newborn_weight": pa.array(templates.weight[chosen], mask=templates.weight[chosen] < 0),
        "los": los,
        "discharge": np.array(modes)[draw.choose(np.array(shares))],
        "dx": dx,
        "procs": procs,
        "hospital": pa.array([f"H{number:02d}" for number in range(1, _HOSPITALS + 1)]).take(pa.array(hospital)),
        "pool": pa.array(["职工", "居民"]).take(pa.array((draw.uniform() < 0.55).astype(np.int64))),
        "admitted": discharged - los.astype("timedelta64[D]"),
        "discharged": discharged,
        "total_cost": to_yuan(fen),
    }
    schema = make_case_schema()
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(n, field.type)
        for field in schema
    ]
    note = f"made by drgdip {__version__} sample_cases({n}, {loaded.id!r}, seed={seed}); no real patients"
    return pa.Table.from_arrays(arrays, schema=schema.with_metadata({"synthetic": note}))


class _Draw:
    """Random numbers by inversion from uniform ones, whose stream numpy keeps from version to version."""

    def __init__(self, n: int, seed: int) -> None:
        self.n = n
        self.bits = np.random.Generator(np.random.PCG64(seed))

    def uniform(self) -> np.ndarray:
        return self.bits.random(self.n)

    def normal(self) -> np.ndarray:
        radius = np.sqrt(-2 * np.log1p(-self.uniform()))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform()))

    def choose(self, share: np.ndarray) -> np.ndarray:
        edges = np.cumsum(share / share.sum())
        edges[-1] = 1
        return np.searchsorted(edges, self.uniform(), side="right")

    def poisson(self, mean: np.ndarray, most: int = 12) -> np.ndarray:
        left, term, count = self.uniform(), np.exp(-mean), np.zeros(self.n, dtype=np.int64)
        for k in range(1, most + 1):
            left = left - term
            term = term * mean / k
            count += left > 0
        return count


@dataclass(frozen=True, slots=True)
class _CodeLists:
    """Lists of codes one behind the other."""

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True, slots=True)
class _Templates:
    """Cases that each reach one group; -1 stands for a value that the group leaves open."""

    share: np.ndarray
    sex: np.ndarray
    female: np.ndarray
    age: np.ndarray
    age_mean: np.ndarray
    age_sd: np.ndarray
    age_days: np.ndarray
    weight: np.ndarray
    stay: np.ndarray
    cost: np.ndarray
    dx: _CodeLists
    procs: _CodeLists


@once_for
def _templates(scheme: SchemeLike) -> _Templates:
    rows = scheme.templates()
    numbers: dict[str, Any] = {
        name: np.array([row[name] for row in rows]) for name in rows[0] if name not in {"dx", "procs"}
    }
    dx, procs = (_code_lists([row[name] for row in rows]) for name in ("dx", "procs"))
    return _Templates(**numbers, dx=dx, procs=procs)


def _code_lists(lists: list[list[str | None]]) -> _CodeLists:
    lengths = np.array([len(codes) for codes in lists])
    codes = np.array([code for codes in lists for code in codes], dtype=object)
    return _CodeLists(codes, np.cumsum(lengths) - lengths, lengths)


def _lists(draw: _Draw, base: _CodeLists, chosen: np.ndarray, more: np.ndarray, pool_file: str) -> pa.Array:
    """Return the templates' codes, each list followed by some of a pool."""
    pool = rows_of(f"synthetic/{pool_file}")
    shares = np.array([float(row["share"]) for row in pool])
    table = np.concatenate([base.codes, np.array([row["code"] for row in pool], dtype=object)])
    own = base.lengths[chosen]
    lengths = own + more
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    from_pool = place >= np.repeat(own, lengths)
    index = np.repeat(base.starts[chosen], lengths) + place
    added = _Draw(int(from_pool.sum()), 0)
    added.bits = draw.bits
    index[from_pool] = len(base.codes) + added.choose(shares)
    values = pa.array(table, pa.string()).take(pa.array(index))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
