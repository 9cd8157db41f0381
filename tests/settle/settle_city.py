"""A made-up city: grouped cases of a year, and what the presets leave open. Nothing in it is a fact."""

from decimal import Decimal

import numpy as np
import pyarrow as pa

from drgdip._money import to_yuan

HOSPITALS, GROUPS = 20, 30
POOLS = ("employee", "resident")
WEIGHTS = pa.table(
    {
        "group": [f"G{number:02}" for number in range(GROUPS)],
        "weight": [0.4 + 0.11 * number for number in range(GROUPS)],
        "mean": [(0.4 + 0.11 * number) * 9000 for number in range(GROUPS)],
    }
)
LEVELS = [{"level": level, "coefficient": value} for level, value in (("1", 0.8), ("2", 0.95), ("3", 1.1))]


def make_city(cases, seed=0):
    """Cases of 20 hospitals, 2 pools and 12 months, with every exception that settlement knows."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, GROUPS, cases)
    hospital = rng.integers(0, HOSPITALS, cases)
    mean = (0.4 + 0.11 * group) * 9000
    cost = np.maximum((mean * rng.lognormal(-0.1, 0.5, cases) * 100).astype(np.int64), 500)
    booked = (cost * rng.uniform(0.55, 0.8, cases)).astype(np.int64)
    ordinal = rng.integers(0, 365, cases)
    los = rng.integers(1, 21, cases)
    discharged = np.datetime64("2024-01-01") + ordinal
    draw = rng.random(cases)
    kinds = pa.array(np.where(draw < 0.01, "bed_day", "complete"))
    lists = pa.array(np.where(draw > 0.99, "failed", np.where(draw > 0.97, "late", "passed")))
    applied = rng.random(cases) < 0.004
    decided = rng.integers(0, 3, cases)
    texts = pa.array([f"H{number:02}" for number in range(HOSPITALS)])
    levels = pa.array([str(1 + number % 3) for number in range(HOSPITALS)])
    return pa.table(
        {
            "case_id": pa.array(np.arange(cases)).cast(pa.string()),
            "patient": pa.array(rng.integers(0, max(cases // 2, 1), cases)).cast(pa.string()),
            "hospital": texts.take(pa.array(hospital)),
            "level": levels.take(pa.array(hospital)),
            "pool": pa.array(POOLS).take(pa.array((rng.random(cases) < 0.4).astype(int))),
            "group": WEIGHTS["group"].combine_chunks().take(pa.array(group)),
            "month": pa.array(discharged.astype("datetime64[M]").astype(int) % 12 + 1),
            "admitted": pa.array((discharged - los).astype("datetime64[D]")),
            "discharged": pa.array(discharged.astype("datetime64[D]")),
            "los": los,
            "discharge": rng.choice([1, 2, 4, 5], cases, p=[0.94, 0.02, 0.03, 0.01]),
            "total_cost": to_yuan(cost),
            "fund_booked": to_yuan(booked),
            "patient_paid": to_yuan(cost - booked),
            "own_paid": to_yuan(cost // 50),
            "out_of_scope": to_yuan(cost // 40),
            "deductible": to_yuan(np.minimum(cost // 20, 30000)),
            "reimbursement_rate": np.full(cases, 0.8),
            "case_kind": kinds,
            "list_status": lists,
            "cross_region": pa.array(rng.random(cases) < 0.03),
            "review_applied": pa.array(applied),
            "review_approved": pa.array(decided == 1, mask=decided == 2),
            "reasonable_cost": to_yuan(cost * 9 // 10),
        }
    )


def money_of(city, share="1.02"):
    """A budget for each pool: what its fund booked, times something."""
    totals = city.group_by("pool").aggregate([("fund_booked", "sum")]).to_pylist()
    return {row["pool"]: (row["fund_booked_sum"] * Decimal(share)).quantize(Decimal("0.01")) for row in totals}


def rates(scale):
    return [
        {"pool": pool, "base_rate": Decimal(rate) / scale} for pool, rate in (("employee", 9100), ("resident", 8600))
    ]


BANDS = [{"hospitals": Decimal("0.7")}]
OUTLIERS = {"variant": "dip-1.0"}
ITEM = {"variant": "chongqing-2025-multiple"}
#: What the presets leave open, chosen for the made-up city.
GIVEN = {
    "jinhua": {
        "pools": POOLS,
        "rates": rates(100),
        "outliers": None,
        "highest_growth": None,
        "bed_day_points": 12,
        "payable": "residual",
        "fund_share": None,
        "incomplete_discharges": (2, 4),
        "readmission_factor": Decimal("0.5"),
        "readmission_exceptions": ("transfer",),
        "month_ratio": Decimal("0.85"),
        "month_late": "suspend",
        "spending": "booked",
        "preclearing_ratio": Decimal("0.95"),
        "review_outcome": "points",
    },
    **{
        f"measures-2025-{family}": {
            "pools": POOLS,
            "form": form,
            "rates": rates(scale),
            "outliers": None,
            "elastic": None,
            "scale": scale,
            "coefficients": "level",
            "payable": "residual",
            "fund_share": None,
            "cross_region": "same",
            "cross_region_rates": None,
            "month_ratio": Decimal("0.95"),
            "month_late": "suspend",
            "fund": "budget",
            "spending": None,
            "surplus": None,
            "overspend": None,
            "bands": None,
            "review_cycle": "quarter",
            "review_outcome": "item",
        }
        for family, form, scale in (("drg", "floating", 1), ("dip", "floating", 1000))
    },
    "nanjing": {
        "pools": POOLS,
        "form": "fixed",
        "rates": rates(1),
        "outliers": ITEM,
        "review": {"cap": Decimal("0.05"), "outcome": "item"},
        "scale": 1,
        "coefficients": "level",
        "uniform": {"G00": Decimal("0.9")},
        "payable": "itemised",
        "fund_share": None,
        "cross_region": "same",
        "cross_region_rates": None,
        "month_ratio": Decimal("0.95"),
        "month_late": "suspend",
        "prepayment_months": 1,
        "fund": "shared",
        "spending": "payable",
        "surplus": BANDS,
        "overspend": BANDS,
        "bands": None,
    },
    "tianjin-drg": {
        "pools": POOLS,
        "rates": rates(1000),
        "outliers": None,
        "budget_method": "growth",
        "scale": 1000,
        "uniform": {"G00": 1, "G01": 1},
        "bed_day_points": 120,
        "payable": "ratio",
        "fund_share": {"employee": Decimal("0.7"), "resident": Decimal("0.66")},
        "cross_region_rates": [{"base_rate": Decimal("8.5")}],
        "month_ratio": Decimal("0.9"),
        "month_late": "suspend",
        "prepayment_months": 1,
        "preclearing_ratio": None,
        "review_cycle": "quarter",
        "review_outcome": "standard",
    },
    "yunnan": {
        "form": "fixed",
        "rates": rates(1),
        "outliers": ITEM,
        "review": None,
        "scale": 1,
        "coefficients": "level",
        "payable": "ratio",
        "fund_share": {"employee": Decimal("0.7"), "resident": Decimal("0.66")},
        "cross_region": "same",
        "cross_region_rates": None,
        "month_ratio": 1,
        "fund": "standards",
        "spending": None,
        "surplus": None,
        "overspend": None,
        "bands": None,
    },
    "jilin-drg": {
        "pools": POOLS,
        "form": "fixed",
        "rates": rates(1),
        "outliers": ITEM,
        "budget_method": "share",
        "scale": 1,
        "coefficients": "level",
        "bed_day_points": Decimal("0.1"),
        "payable": "residual",
        "fund_share": None,
        "cross_region": "same",
        "cross_region_rates": None,
        "month_ratio": Decimal("0.9"),
        "month_late": "suspend",
        "fund": "shared",
        "spending": "payable",
        "surplus": BANDS,
        "overspend": [
            {"until": Decimal("0.05"), "hospitals": Decimal("0.4")},
            {"until": Decimal("0.1"), "hospitals": Decimal("0.5")},
            {"hospitals": 1},
        ],
        "bands": "marginal",
        "preclearing_ratio": Decimal("0.97"),
        "review_outcome": "item",
    },
}
GIVEN["tianjin-dip"] = GIVEN["tianjin-drg"] | {"outliers": OUTLIERS}
GIVEN["jilin-dip"] = GIVEN["jilin-drg"] | {
    "form": "floating",
    "rates": rates(1000),
    "outliers": OUTLIERS,
    "budget_method": "item",
    "scale": 1000,
    "bed_day_points": 110,
    "fund": "budget",
    "spending": None,
    "surplus": None,
    "overspend": None,
    "bands": None,
    "review_outcome": "points",
}


def inputs_of(policy, city, share="1.02"):
    """The keyword arguments of settle_year for a preset in the city."""
    scale = float(policy.points.scale)
    weights = WEIGHTS.set_column(1, "weight", pa.array(np.asarray(WEIGHTS["weight"]) * scale))
    named = {None: None, "level": {"level": LEVELS}, "tier": {"tier": LEVELS}}
    history = [
        {"hospital": f"H{h:02}", "group": f"G{g:02}", "coefficient": 0.9 + 0.01 * h}
        for h in range(HOSPITALS)
        for g in range(1, GROUPS)
    ]
    tables = named | {"cost": {"cost": history}}
    outliers = policy.outliers.policy() if policy.outliers else None
    reference = None
    if outliers is not None and outliers.denominator == "level_mean":
        reference = [
            {"group": row["group"], "level": level, "mean": row["mean"]}
            for row in WEIGHTS.to_pylist()
            for level in "123"
        ]
    elif outliers is not None:
        reference = "standard_mean"
    return {
        "weights": weights,
        "budget": money_of(city, share),
        "coefficients": tables[policy.points.coefficients],
        "reference": reference,
        "mean_cost": 9000.0,
    }


def prepare(city, policy):
    """The city with the kinds that the policy knows, and the column its outlier policy divides by."""
    if policy.points.bed_day_points is None:
        city = city.set_column(city.column_names.index("case_kind"), "case_kind", pa.array(["complete"] * len(city)))
    means = dict(zip(WEIGHTS["group"].to_pylist(), WEIGHTS["mean"].to_pylist(), strict=True))
    return city.append_column("standard_mean", pa.array([means[group] for group in city["group"].to_pylist()]))
