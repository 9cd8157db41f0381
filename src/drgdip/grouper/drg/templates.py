"""Cases that synthetic ones under a DRG scheme are made from."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np

from drgdip.cases.fields import read_record
from drgdip.data import rows_of
from drgdip.grouper.drg.reference import group_record
from drgdip.grouper.drg.witness import targets, witness
from drgdip.grouper.plausible import COST, KIND_SHARE, STAY

if TYPE_CHECKING:
    from drgdip.grouper.drg.model import SchemeTables
    from drgdip.grouper.family import Template

__all__ = ["templates"]


def templates(scheme: SchemeTables) -> list[Template]:
    """Return up to three cases for each way through the scheme, with how frequent and how dear they are."""
    mdcs = {row["mdc"]: row for row in rows_of("synthetic/mdc.csv")}
    random = Random(scheme.id)  # noqa: S311 - not for secrets
    rank: dict[str, float] = {}
    for mdc in scheme.mdcs:
        shuffled = random.sample([adrg.code for adrg in mdc.adrgs], len(mdc.adrgs))
        rank |= {code: place for place, code in enumerate(shuffled, start=1)}
    rows = []
    for target in targets(scheme):
        adrg = target.adrg
        plain = mdcs.get(target.mdc.code, {"share": "1", "age_mean": "50", "age_sd": "18", "female": "0.5"})
        usual = float(plain["share"]) * KIND_SHARE[adrg.kind] / rank[adrg.code] / max(1, len(adrg.drgs))
        dear = np.exp(0.5 * random.gauss(0, 1)) * (1.35 if target.drg and target.drg.order == 1 else 1.0)
        for place in range(1, 4):
            case = witness(target, scheme, random, tries=40)
            if case is not None:
                free = _open_values(case, scheme)
                rows.append(
                    {
                        "share": usual / place,
                        "sex": -1 if "sex" in free else case["sex"],
                        "female": float(plain["female"]),
                        "age": -1 if "age" in free else case["age"],
                        "age_mean": float(plain["age_mean"]),
                        "age_sd": float(plain["age_sd"]),
                        "age_days": -1 if case["age_days"] is None else case["age_days"],
                        "weight": -1 if case["newborn_weight"] is None else case["newborn_weight"],
                        "stay": STAY[adrg.kind] * dear**0.4,
                        "cost": COST[adrg.kind] * dear,
                        "dx": case["dx"],
                        "procs": case["procs"],
                    }
                )
    return rows


def _open_values(case: dict[str, object], scheme: SchemeTables) -> set[str]:
    """Return the values of a case that may change without moving it."""

    def group_of(changed: dict[str, object]) -> str | None:
        return group_record(*read_record(changed), scheme).group

    group = group_of(case)
    free = set()
    if group_of(case | {"sex": 3 - case["sex"]}) == group:  # type: ignore[operator]
        free.add("sex")
    ages = (1, 3, 6, 8, 16, 18, 40, 69, 71, 90)
    if case["age_days"] is None and all(group_of(case | {"age": age}) == group for age in ages):
        free.add("age")
    return free
