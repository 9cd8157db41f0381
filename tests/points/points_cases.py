"""Synthetic cases for the tests of points."""

import numpy as np
import pyarrow as pa


def make_cases(rows=4000, seed=0, groups=40):
    """Seeded cases with skewed costs, three years, three levels and two pools."""
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, rows) * random.integers(0, 2, rows)
    level = random.integers(1, 4, rows)
    cost = np.exp(random.normal(8 + group / groups, 0.7)) * (0.8 + 0.2 * level)
    return pa.table(
        {
            "case_id": pa.array(range(rows)),
            "group": pa.array([f"G{number:02}" for number in group]),
            "level": pa.array(level),
            "pool": pa.array(random.choice(["employee", "resident"], rows)),
            "hospital": pa.array([f"H{number}" for number in random.integers(0, 9, rows)]),
            "year": pa.array(random.integers(2022, 2025, rows)),
            "los": pa.array(random.integers(1, 90, rows)),
            "total_cost": pa.array(np.round(cost, 2)),
        }
    )
