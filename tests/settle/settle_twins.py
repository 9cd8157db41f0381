"""The slow obvious twins of settlement: one case, one hospital after the other, in whole numbers of Python."""

from decimal import ROUND_HALF_UP, Decimal

from drgdip.settle import split

CENT = Decimal("0.01")


def fen(value):
    return value.quantize(CENT, ROUND_HALF_UP)


def month_twin(cases, policy):
    """Paid, reserve and suspended by hospital, pool and month."""
    result = {}
    for case in cases:
        key = case["hospital"], case["pool"], case["month"]
        line = result.setdefault(key, {"payable": Decimal(0), "suspended": 0, "cases": 0})
        line["cases"] += 1
        late = case.get("list_status") == "late" and policy.month.late == "suspend"
        if late or case.get("list_status") == "failed":
            line["suspended"] += 1
        else:
            line["payable"] += case["payable"]
    for line in result.values():
        line["paid"] = fen(line["payable"] * policy.month.ratio)
    return result


def year_twin(cases, policy, budget):
    """Base and sharing by hospital and pool, of cases that are all paid by points under payable = residual."""
    result = {}
    for pool in policy.pools:
        mine = [case for case in cases if case["pool"] == pool and case.get("list_status") != "failed"]
        hospitals = sorted({case["hospital"] for case in cases if case["pool"] == pool})
        if not hospitals:
            continue
        spent = sum((case["fund_booked"] for case in mine), Decimal(0))
        left = budget[pool] - spent
        band = (policy.year.surplus if left >= 0 else policy.year.overspend)[0].hospitals
        shared = fen(left * band)
        points = [sum(Decimal(repr(case["points"])) for case in mine if case["hospital"] == name) for name in hospitals]
        patients = [
            sum((case["patient_paid"] for case in mine if case["hospital"] == name), Decimal(0)) for name in hospitals
        ]
        if not any(points):
            continue
        base = split(spent + sum(patients), points)
        sharing = split(shared, points)
        for name, one, two, own in zip(hospitals, base, sharing, patients, strict=True):
            result[name, pool] = one - own, two
    return result
