"""Random cases with every column that indicators read, and indicators computed case by case as a slow twin."""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

GROUPS = [f"G{number:02d}" for number in range(12)]
WEIGHTS = {group: 0.3 + 0.37 * number for number, group in enumerate(GROUPS) if group != "G07"}
LOW_RISK = ["G01", "G04", "G05"]
BASIC = ["G02", "G04"]
DAYS = 15


def make_cases(seed, size=400, *, gaps=True):
    """Random cases as records; with gaps, any value may be missing."""
    draw = random.Random(seed)

    def maybe(value, share=0.06):
        return None if gaps and draw.random() < share else value

    def yuan(most):
        return Decimal(draw.randrange(0, most * 100)) / 100

    cases = []
    for number in range(size):
        admitted = datetime.date(2024, 1, 1) + datetime.timedelta(days=draw.randrange(150))
        los = draw.randrange(0, 25)
        status = draw.choices(["grouped", "ambiguous", "ungrouped", "invalid", "excluded"], [85, 5, 5, 3, 2])[0]
        cost = yuan(40_000)
        standard = yuan(40_000)
        cases.append(
            {
                "case_id": str(number),
                "hospital": draw.choice(["H1", "H2", "H3", "H4"]),
                "level": draw.choice(["1", "2", "3"]),
                "pool": draw.choice(["employee", "resident"]),
                "month": 1 + number % 3,
                "patient": maybe(f"P{draw.randrange(size // 3)}"),
                "admitted": admitted,
                "discharged": maybe(admitted + datetime.timedelta(days=los), 0.02),
                "los": maybe(los),
                "group": draw.choice(GROUPS) if status == "grouped" else None,
                "status": maybe(status, 0.02),
                "matched": maybe(draw.random() < 0.9),
                "discharge": maybe(draw.choices([1, 2, 3, 4, 5, 9, 7], [80, 4, 3, 4, 5, 2, 2])[0]),
                "total_cost": maybe(cost),
                "fund_booked": maybe(yuan(20_000)),
                "patient_paid": maybe(yuan(10_000)),
                "own_paid": maybe(yuan(5_000)),
                "drug_cost": maybe(yuan(9_000)),
                "consumable_cost": maybe(yuan(9_000)),
                "examination_cost": maybe(yuan(9_000)),
                "service_cost": maybe(yuan(9_000)),
                "surgery_level": maybe(draw.randrange(5)),
                "outlier": maybe(draw.choice(["very_low", "low", "normal", "normal", "high", "extreme"])),
                "review_status": maybe(
                    draw.choice(["none", "none", "approved", "refused", "pending", "ineligible", "over_cap"])
                ),
                "points": maybe(round(draw.random() * 300, 2)),
                "standard": maybe(standard),
                "payable": maybe(yuan(20_000)),
                "profit": maybe(standard - cost),
                "cross_region": maybe(draw.random() < 0.1),
                "day_surgery": maybe(draw.random() < 0.1),
                "tcm": maybe(draw.random() < 0.1),
            }
        )
    return cases


def _given(case, *names):
    return all(case[name] is not None for name in names)


def _mean(cases, value):
    cases = list(cases)
    return sum(map(value, cases)) / len(cases) if cases else None


def _over(above, below):
    return above / below if below else None


def _shares(name, value):
    """An indicator that is the share of cases with a property, of those where it is known."""
    return lambda cases: _mean([case for case in cases if name(case)], lambda case: Fraction(bool(value(case))))


def _money(name):
    return lambda cases: sum((case[name] for case in cases if _given(case, name)), Decimal(0))


def _per(name, below=None):
    """Sums of one column over another, or per case, of the cases that have both."""
    names = [name, *([below] if below else [])]

    def quotient(cases):
        used = [case for case in cases if _given(case, *names)]
        return _over(
            Fraction(sum(map(Fraction, (case[name] for case in used)))),
            sum(Fraction(case[below]) for case in used) if below else len(used),
        )

    return quotient


def _known(name, values):
    return lambda case: case[name] in values


MODES = (1, 2, 3, 4, 5, 9)
LEVELS = (0, 1, 2, 3, 4)
BANDS = ("very_low", "low", "normal", "high", "extreme")
DECISIONS = ("none", "approved", "refused", "pending", "ineligible", "over_cap")


def is_grouped(case):
    return case["status"] == "grouped" and case["group"] is not None


def weight_of(case):
    return Fraction(WEIGHTS[case["group"]]) if is_grouped(case) and case["group"] in WEIGHTS else None


def _index(name):
    def index(cases, region):
        means = {}
        for group in GROUPS:
            means[group] = _mean(
                (case for case in region if is_grouped(case) and case["group"] == group and _given(case, name)),
                lambda case: Fraction(case[name]),
            )
        used = [case for case in cases if is_grouped(case) and _given(case, name) and means[case["group"]]]
        return _mean(used, lambda case: Fraction(case[name]) / means[case["group"]])

    return index


def _cmi(cases):
    return _mean([case for case in cases if weight_of(case) is not None], weight_of)


def _cost_per_weight(cases):
    used = [case for case in cases if weight_of(case) is not None and _given(case, "total_cost")]
    return _over(sum(Fraction(case["total_cost"]) for case in used), sum(map(weight_of, used)))


def _surplus_groups(cases):
    sums = defaultdict(Decimal)
    for case in cases:
        if is_grouped(case) and _given(case, "profit"):
            sums[case["group"]] += case["profit"]
    return _mean(sums.values(), lambda value: Fraction(value >= 0))


def add_readmissions(cases):
    """Mark each stay that the next stay of the patient follows: the stay that ended last before that one began."""
    known = [case for case in cases if _given(case, "patient", "admitted", "discharged")]
    for case in cases:
        case["readmitted"] = False if _given(case, "patient", "admitted", "discharged") else None
    for later in known:
        before = [
            case
            for case in known
            if case is not later and case["patient"] == later["patient"] and case["discharged"] <= later["admitted"]
        ]
        # Two stays that end on one day: the one that began later is the nearer.
        nearest = max(before, key=lambda case: (case["discharged"], case["admitted"]), default=None)
        if nearest is not None and (later["admitted"] - nearest["discharged"]).days <= DAYS:
            nearest["readmitted"] = True
    return cases


_modes = _known("discharge", MODES)
_levels = _known("surgery_level", LEVELS)
_bands = _known("outlier", BANDS)
_decided = _known("review_status", DECISIONS)


def _count(condition):
    return lambda cases: sum(1 for case in cases if condition(case))


#: Every indicator, from its definition, over a list of cases.
TWINS = {
    "discharges": len,
    "grouped": _count(is_grouped),
    "grouping_rate": _shares(_known("status", ("grouped", "ambiguous", "ungrouped", "invalid")), is_grouped),
    "match_rate": _shares(lambda case: _given(case, "matched"), lambda case: case["matched"]),
    "groups": lambda cases: len({case["group"] for case in cases if is_grouped(case)}),
    "total_weight": lambda cases: sum(weight_of(case) or 0 for case in cases),
    "cmi": _cmi,
    "cost_index": _index("total_cost"),
    "time_index": _index("los"),
    "cost_to_standard": _per("total_cost", "standard"),
    "total_cost": _money("total_cost"),
    "mean_cost": _per("total_cost"),
    "mean_stay": _per("los"),
    "cost_per_weight": _cost_per_weight,
    "fund": _money("fund_booked"),
    "fund_per_discharge": _per("fund_booked"),
    "fund_rate": _per("fund_booked", "total_cost"),
    "burden_per_discharge": _per("patient_paid"),
    "burden_rate": _per("patient_paid", "total_cost"),
    "own_paid_rate": _per("own_paid", "total_cost"),
    "drug_share": _per("drug_cost", "total_cost"),
    "consumable_share": _per("consumable_cost", "total_cost"),
    "examination_share": _per("examination_cost", "total_cost"),
    "service_share": _per("service_cost", "total_cost"),
    "surgical_share": _shares(_levels, lambda case: case["surgery_level"] > 0),
    "high_surgery_share": _shares(
        lambda case: _levels(case) and case["surgery_level"] > 0, lambda case: case["surgery_level"] >= 3
    ),
    "low_outlier_share": _shares(_bands, lambda case: case["outlier"] in ("very_low", "low")),
    "high_outlier_share": _shares(_bands, lambda case: case["outlier"] in ("high", "extreme")),
    "reviews": _count(lambda case: _decided(case) and case["review_status"] != "none"),
    "review_share": _shares(_decided, lambda case: case["review_status"] == "approved"),
    "review_rate": _shares(
        lambda case: _decided(case) and case["review_status"] != "none",
        lambda case: case["review_status"] == "approved",
    ),
    "points": lambda cases: sum(case["points"] for case in cases if _given(case, "points")),
    "standard": _money("standard"),
    "payable": _money("payable"),
    "profit": _money("profit"),
    "mean_profit": _per("profit"),
    "profit_rate": _per("profit", "standard"),
    "gain_share": _shares(lambda case: _given(case, "profit"), lambda case: case["profit"] >= 0),
    "surplus_group_share": _surplus_groups,
    "deaths": _count(lambda case: case["discharge"] == 5),
    "mortality": _shares(_modes, lambda case: case["discharge"] == 5),
    "low_risk_mortality": _shares(
        lambda case: is_grouped(case) and case["group"] in LOW_RISK and _modes(case),
        lambda case: case["discharge"] == 5,
    ),
    "readmission_rate": _shares(lambda case: case["readmitted"] is not None, lambda case: case["readmitted"]),
    "basic_share": _shares(is_grouped, lambda case: case["group"] in BASIC),
    "cross_region_share": _shares(lambda case: _given(case, "cross_region"), lambda case: case["cross_region"]),
    "transfers": _count(lambda case: case["discharge"] in (2, 3)),
    "transfer_share": _shares(_modes, lambda case: case["discharge"] in (2, 3)),
    "day_surgery_share": _shares(lambda case: _given(case, "day_surgery"), lambda case: case["day_surgery"]),
    "tcm_share": _shares(lambda case: _given(case, "tcm"), lambda case: case["tcm"]),
}
OF_REGION = ("cost_index", "time_index")


def twin(cases, by, region=None):
    """Return indicators by key as dictionaries, computed from their definitions."""
    region = cases if region is None else region
    found = defaultdict(list)
    for case in cases:
        found[tuple(case[name] for name in by)].append(case)
    return {
        key: {
            name: indicator(rows, region) if name in OF_REGION else indicator(rows) for name, indicator in TWINS.items()
        }
        for key, rows in found.items()
    }
