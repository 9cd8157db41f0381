"""Cases that synthetic ones under a DIP catalogue are made from."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np

from drgdip.cases.fields import read_record
from drgdip.grouper.dip.reference import group_record
from drgdip.grouper.dip.witness import dip_witness
from drgdip.grouper.plausible import COST, KIND_SHARE, STAY

if TYPE_CHECKING:
    from drgdip.grouper.dip.model import CatalogueTables
    from drgdip.grouper.family import Template

__all__ = ["templates"]

#: Kind of ADRG whose costs and stays a treatment's are like.
_TREATMENT_KIND = {"conservative": "medical", "surgery": "surgical"}


def templates(catalogue: CatalogueTables) -> list[Template]:
    """Return a case for each group of a catalogue that has one, with how frequent and how dear it is."""
    random = Random(catalogue.id)  # noqa: S311 - not for secrets
    ranks = random.sample(range(1, len(catalogue.groups) + 1), len(catalogue.groups))
    rows = []
    for group, rank in zip(catalogue.groups, ranks, strict=True):
        case = dip_witness(group, catalogue, random, tries=5)
        if case is None:
            continue
        kind = _TREATMENT_KIND.get(group_record(*read_record(case), catalogue).treatment or "", "procedure")
        dear = np.exp(0.5 * random.gauss(0, 1))
        newborn = case["age_days"] is not None
        rows.append(
            {
                "share": KIND_SHARE[kind] / (10 + rank),
                "sex": -1,
                "female": 0.5,
                "age": 0 if newborn else -1,
                "age_mean": 52.0,
                "age_sd": 19.0,
                "age_days": case["age_days"] if newborn else -1,
                "weight": case["newborn_weight"] if newborn else -1,
                "stay": STAY[kind] * dear**0.4,
                "cost": COST[kind] * dear,
                "dx": case["dx"],
                "procs": case["procs"],
            }
        )
    return rows
