"""Throughput of two groupers of another country's scheme, in an environment of their own.

drgpy and msdrg group under MS-DRG, the American scheme, so that nothing can be said of their groups here, only how
many cases of their own kind they take in a second. Install them in an environment of their own::

    python -m venv /tmp/peers && /tmp/peers/bin/python -m pip install drgpy msdrg
    /tmp/peers/bin/python benchmarks/peers.py

Cases are drawn from drgpy's own tables (seeded): one principal diagnosis, 0 to 8 others, 0 to 3 procedures.
"""

import random
import time
from importlib.metadata import version

CASES, ROUNDS = 20_000, 3


def made():
    """Random cases: diagnoses and procedures."""
    from drgpy.msdrg import DRGEngine

    engine, rng = DRGEngine(version="v43"), random.Random(1)
    diagnoses, procedures = sorted(engine.dxmap), sorted(engine.prmap)
    return engine, [
        (rng.choices(diagnoses, k=rng.randint(1, 9)), rng.choices(procedures, k=rng.randint(0, 3)))
        for _ in range(CASES)
    ]


def claims(cases):
    """The cases as msdrg wants them."""
    return [
        {
            "version": 430,
            "age": 65,
            "sex": 0,
            "discharge_status": 1,
            "pdx": {"code": dx[0]},
            "sdx": [{"code": code} for code in dx[1:]],
            "procedures": [{"code": code} for code in procs],
        }
        for dx, procs in cases
    ]


def main():
    import msdrg

    engine, cases = made()
    given = claims(cases)
    with msdrg.MsdrgGrouper() as grouper:
        ways = {
            f"drgpy {version('drgpy')}": lambda: [engine.get_drg(dx, procs) for dx, procs in cases],
            f"msdrg {version('msdrg')}": lambda: [grouper.group(claim) for claim in given],
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(ROUNDS):
            for name, function in ways.items():
                started = time.perf_counter()
                function()
                best[name] = min(best[name], time.perf_counter() - started)
    for name, seconds in best.items():
        print(f"{name}: {CASES / seconds:,.0f} cases/s, one thread, best of {ROUNDS}")


if __name__ == "__main__":
    main()
