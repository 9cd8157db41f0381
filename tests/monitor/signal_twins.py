"""Every signal once more, slow and obvious: plain Python over records, one case after the other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal

from drgdip import group_one

TRANSFERS = (2, 3)


class World:
    """The cases, what they are compared with, and what prices and groups them again."""

    def __init__(self, cases, scheme, *, weights=None, rate=None, reference=None, previous=None, **tables):
        self.cases = [dict(case, row=row) for row, case in enumerate(cases)]
        self.scheme, self.weights, self.rate, self.previous = scheme, weights, rate, previous
        self.reference = self.cases if reference is None else reference
        self.tables = tables

    # prices: an amount, or the reason for none

    def price(self, group):
        if self.weights is None:
            return "prices_not_given"
        if group is None:
            return "without_group"
        if group not in self.weights:
            return "no_weight"
        return Decimal(self.weights[group] * self.rate).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def own(self, case):
        return self.price(group_of(case))

    def regroup(self, case, **changed):
        result = group_one({name: case[name] for name in CLINICAL if name in case} | changed, self.scheme)
        return result.group if result.status == "grouped" else None

    # means of the reference's groups

    def among(self, group, name):
        return [case[name] for case in self.reference if group_of(case) == group and case[name] is not None]

    def mean(self, group, name):
        values = [] if group is None else self.among(group, name)
        if not values:
            return math.nan
        total = sum(round(value * 100) for value in values) / 100 if name == "total_cost" else sum(values)
        return float(total) / len(values) if total > 0 else math.nan

    def ratio(self, case, name):
        value = math.nan if case[name] is None else float(case[name])
        return value / self.mean(group_of(case), name)


CLINICAL = (
    "sex",
    "age",
    "age_days",
    "newborn_weight",
    "birth_weight",
    "admission_weight",
    "los",
    "discharge",
    "dx",
    "procs",
)


def group_of(case):
    return case["group"] if case["status"] == "grouped" else None


def minus(a, b):
    return a if isinstance(a, str) else b if isinstance(b, str) else a - b


def row_of(case, signal, value, amount, **more):
    reason = amount if isinstance(amount, str) else None
    return {
        "row": case["row"],
        "signal": signal,
        "value": value,
        "amount": None if reason else amount,
        "amount_reason": reason,
        "expected": None,
        "limit": None,
        "cases": None,
        "code": None,
        "other_group": None,
        "other_row": None,
        **more,
    }


def others_of(codes):
    """The codes behind a known first one that are not like it, each once."""
    if not codes or codes[0] is None:
        return []
    return list(dict.fromkeys(code for code in codes[1:] if code is not None and code != codes[0]))


def put_first(codes, code):
    place = codes.index(code)
    return [code, *codes[:place], *codes[place + 1 :]]


# --- stays ---


def stays_of(world):
    """The known stays in order, and of each the first of the same stay."""
    known = [
        case
        for case in world.cases
        if case["patient"] and case["hospital"] and case["admitted"] and case["discharged"]
        if case["admitted"] <= case["discharged"]
    ]
    known.sort(key=lambda c: (c["patient"], c["admitted"], c["discharged"], c["hospital"], c["case_id"]))
    first = {}
    for case in known:
        first.setdefault((case["patient"], case["admitted"], case["discharged"], case["hospital"]), case)
    return known, first


def duplicate_stay(world):
    known, first = stays_of(world)
    key = lambda c: (c["patient"], c["admitted"], c["discharged"], c["hospital"])  # noqa: E731
    size = Counter(map(key, known))
    for case in known:
        other = first[key(case)]
        if other is not case:
            n = size[key(case)]
            yield row_of(case, "duplicate_stay", n, world.own(case), cases=n, other_row=other["row"])


def as_one(world, stays):
    paid = [world.own(stay) for stay in stays]
    whole = next((p for p in paid if isinstance(p, str)), None) or sum(paid)
    joined = {
        "dx": [code for stay in stays for code in stay["dx"]],
        "procs": [code for stay in stays for code in stay["procs"]],
        "los": None if None in [stay["los"] for stay in stays] else sum(stay["los"] for stay in stays),
        "discharge": stays[-1]["discharge"],
    }
    return minus(whole, world.price(world.regroup(stays[0], **joined)))


def overlapping_stays(world):
    latest = None
    for case in stays_of(world)[1].values():
        if latest and latest["patient"] == case["patient"] and case["admitted"] < latest["discharged"]:
            shared = (min(case["discharged"], latest["discharged"]) - case["admitted"]).days
            yield row_of(case, "overlapping_stays", shared, as_one(world, [latest, case]), other_row=latest["row"])
        if not latest or latest["patient"] != case["patient"] or case["discharged"] > latest["discharged"]:
            latest = case


def before(stays, case, same):
    """The stay of the same key that ended last before a stay began."""
    order = lambda c: (c["discharged"], c["admitted"], c["hospital"], c["case_id"])  # noqa: E731
    key = lambda c: [c[name] for name in same]  # noqa: E731
    if None in key(case):
        return None
    fit = [c for c in stays if key(c) == key(case) and c["discharged"] <= case["admitted"] and order(c) < order(case)]
    return max(fit, key=order, default=None)


def same_day_elsewhere(world):
    stays = list(stays_of(world)[1].values())
    for case in stays:
        other = before(stays, case, ["patient"])
        if not other or other["discharged"] != case["admitted"] or other["discharge"] in TRANSFERS:
            continue
        if other["hospital"] != case["hospital"]:
            yield row_of(case, "same_day_elsewhere", 0, as_one(world, [other, case]), other_row=other["row"])


def readmission(stays, case, same, days):
    other = before(stays, case, same)
    if other is None or (case["admitted"] - other["discharged"]).days > days or other["discharge"] in TRANSFERS:
        return None
    moved = other["hospital"] != case["hospital"] and other["discharged"] == case["admitted"]
    return None if moved else other


def split_stay(world, days, same=("group",)):
    stays = list(stays_of(world)[1].values())
    for case in stays:
        other = readmission(stays, case, ["patient", "hospital", *same], days)
        if other:
            gap = (case["admitted"] - other["discharged"]).days
            amount = as_one(world, [other, case])
            yield row_of(case, "split_stay", gap, amount, limit=days, other_row=other["row"])


def readmission_chain(world, days, stays):
    known = list(stays_of(world)[1].values())
    head, chains = {}, defaultdict(list)
    for case in sorted(known, key=lambda c: (c["discharged"], c["admitted"], c["hospital"], c["case_id"])):
        other = readmission(known, case, ["patient"], days)
        head[case["row"]] = case["row"] if other is None else head[other["row"]]
    for case in known:
        chains[head[case["row"]]].append(case)
    for first, chain in chains.items():
        if len(chain) >= max(stays, 2):
            for place, case in enumerate(chain):
                amount = "at_first_stay" if place else as_one(world, chain)
                n = len(chain)
                yield row_of(case, "readmission_chain", n, amount, limit=stays, cases=n, other_row=first)


# --- cost and stay ---


def against_mean(world, signal, name, fires, limit, amount):
    for case in world.cases:
        value = world.ratio(case, name)
        if group_of(case) is not None and fires(value, case):
            n = len(world.among(group_of(case), name))
            yield row_of(case, signal, value, amount(case), limit=limit, cases=n)


def no_counterfactual(_):
    return "no_counterfactual"


def has_procedure(case):
    return any(code is not None for code in case["procs"])


def low_standard_admission(world, ratio, days):
    def fires(value, case):
        short = case["los"] is not None and case["los"] <= days
        return value < ratio and short and not has_procedure(case) and case["discharge"] == 1

    return against_mean(world, "low_standard_admission", "total_cost", fires, ratio, world.own)


def weekend_hanging_bed(world, ratio):
    for case in world.cases:
        if group_of(case) is None or has_procedure(case) or not case["admitted"] or not case["discharged"]:
            continue
        weekday = case["admitted"].isoweekday()
        if weekday not in (5, 6) or (case["discharged"] - case["admitted"]).days < 8 - weekday or not case["los"]:
            continue
        if case["total_cost"] is None:
            continue
        daily = world.mean(group_of(case), "total_cost") / world.mean(group_of(case), "los")
        value = float(case["total_cost"]) / case["los"] / daily
        if value < ratio:
            n = len(world.among(group_of(case), "total_cost"))
            yield row_of(case, "weekend_hanging_bed", value, world.own(case), limit=ratio, cases=n)


def long_stay(world, ratio):
    return against_mean(world, "long_stay", "los", lambda value, _: value > ratio, ratio, no_counterfactual)


def short_stay(world, ratio):
    return against_mean(world, "short_stay", "los", lambda value, _: value < ratio, ratio, no_counterfactual)


def low_cost(world, ratio):
    amount = lambda case: minus(world.own(case), case["total_cost"])  # noqa: E731
    return against_mean(world, "low_cost", "total_cost", lambda value, _: value < ratio, ratio, amount)


def high_cost(world, ratio):
    amount = lambda case: minus(case["total_cost"], world.own(case))  # noqa: E731
    return against_mean(world, "high_cost", "total_cost", lambda value, _: value > ratio, ratio, amount)


def procedure_without_cost(world):
    for case in world.cases:
        if group_of(case) is None or not has_procedure(case) or case["procedure_cost"] != 0:
            continue
        other = world.regroup(case, procs=[])
        if other != group_of(case):
            code = next(code for code in case["procs"] if code is not None)
            amount = minus(world.own(case), world.price(other))
            yield row_of(case, "procedure_without_cost", 0, amount, code=code, other_group=other)


def missing_service(world, usual, share):
    held = defaultdict(set)
    for line in world.tables["items"]:
        held[line["case_id"]].add(line["item"])
    cases = [case for case in world.cases if case["case_id"] in held and group_of(case) is not None]
    for case in cases:
        peers = [held[c["case_id"]] for c in cases if group_of(c) == group_of(case)]
        number = Counter(item for items in peers for item in items)
        due = [item for item, n in number.items() if n / len(peers) >= usual]
        absent = [item for item in due if item not in held[case["case_id"]]]
        if absent and len(absent) / len(due) >= share:
            code = min(absent, key=lambda item: (-number[item], item))
            value, n = len(absent) / len(due), len(peers)
            yield row_of(
                case, "missing_service", value, "no_counterfactual", expected=len(due), limit=share, cases=n, code=code
            )


def cost_shift(world, days, share):
    for case in world.cases:
        if not case["admitted"] or not case["total_cost"]:
            continue
        moved = sum(
            visit["cost"]
            for visit in world.tables["outpatient"]
            if visit["patient"] == case["patient"] and visit["hospital"] == case["hospital"]
            if 0 <= (case["admitted"] - visit["date"]).days <= days
        )
        if moved > 0 and float(moved) / float(case["total_cost"]) >= share:
            yield row_of(case, "cost_shift", float(moved) / float(case["total_cost"]), moved, limit=share)


# --- codes ---


def swaps(world, case, name):
    absent = {code for code, mark in zip(case["dx"], case.get("dx_conditions") or [], strict=False) if mark == "4"}
    for code in others_of(case[name]):
        if name != "dx" or code not in absent:
            yield code, world.regroup(case, **{name: put_first(case[name], code)})


def nearest(world, signal, ratio, low):
    for case in world.cases:
        own = world.ratio(case, "total_cost")
        if group_of(case) is None or not (own < ratio if low else own > ratio):
            continue
        found = []
        for code, group in swaps(world, case, "dx"):
            cost, mean = float(case["total_cost"]), world.mean(group, "total_cost")
            if math.isnan(mean):
                continue
            distance = abs(math.log(cost / mean))
            mine = world.mean(group_of(case), "total_cost")
            if mean < mine and distance < abs(math.log(own)) if low else mean > mine and cost <= ratio * mean:
                found.append((distance, group, code, cost / mean))
        if found:
            _, group, code, value = min(found, key=lambda row: row[:2])
            paid = world.own(case) if low else case["total_cost"]
            n = len(world.among(group_of(case), "total_cost"))
            amount = minus(paid, world.price(group))
            evidence = {"expected": value, "limit": ratio, "cases": n, "code": code, "other_group": group}
            yield row_of(case, signal, own, amount, **evidence)


def principal_swap(world, ratio):
    return nearest(world, "principal_swap", ratio, low=True)


def principal_absent(world):
    for case in world.cases:
        marks = case["dx_conditions"]
        if group_of(case) is None or marks[:1] != ["4"]:
            continue
        code = next((code for code in others_of(case["dx"]) if marks[case["dx"].index(code)] != "4"), None)
        other = code and world.regroup(case, dx=put_first(case["dx"], code))
        if other not in (None, group_of(case)):
            amount = minus(world.own(case), world.price(other))
            place = case["dx"].index(code) + 1
            yield row_of(case, "principal_absent", place, amount, code=code, other_group=other)


def low_coding(world, ratio):
    return nearest(world, "low_coding", ratio, low=False)


def in_reverse(world, signal, name, share, min_cases):
    def number(first, second, hospital):
        return sum(
            case[name][0] == first and second in others_of(case[name])
            for case in world.reference
            if case[name] and case["hospital"] != hospital
        )

    for case in world.cases:
        if group_of(case) is None:
            continue
        found = []
        for code in others_of(case[name]):
            this = number(case[name][0], code, case["hospital"])
            usual = number(code, case[name][0], case["hospital"])
            if this + usual >= max(min_cases, 1) and this / (this + usual) <= share:
                other = world.regroup(case, **{name: put_first(case[name], code)})
                if other not in (None, group_of(case)):
                    found.append((this / (this + usual), code, this + usual, other))
        if found:
            value, code, n, other = min(found)
            amount = minus(world.own(case), world.price(other))
            yield row_of(case, signal, value, amount, limit=share, cases=n, code=code, other_group=other)


def reversed_diagnosis(world, share, min_cases):
    return in_reverse(world, "reversed_diagnosis", "dx", share, min_cases)


def reversed_procedure(world, share, min_cases):
    return in_reverse(world, "reversed_procedure", "procs", share, min_cases)


def without(world, case):
    """The group of a case without the code that gives it its severity, where that is another group."""
    if group_of(case) is None or case["severity"] not in ("CC", "MCC") or not case["severity_code"]:
        return None
    dx = [case["dx"][0], *(code for code in case["dx"][1:] if code != case["severity_code"])]
    other = world.regroup(case, dx=dx)
    return None if other == group_of(case) else other


def lone(world, signal, case, value, limit, cases, other):
    amount = minus(world.own(case), world.price(other))
    evidence = {"limit": limit, "cases": cases, "code": case["severity_code"], "other_group": other}
    return row_of(case, signal, value, amount, **evidence)


def lone_rare_severity(world, share, min_cases):
    for case in world.cases:
        peers = [
            c
            for c in world.reference
            if group_of(c) is not None and c["adrg"] == case["adrg"] and c["hospital"] != case["hospital"]
        ]
        if len(peers) < max(min_cases, 1):
            continue
        value = sum(c["severity_code"] == case["severity_code"] for c in peers) / len(peers)
        if value <= share and (other := without(world, case)):
            yield lone(world, "lone_rare_severity", case, value, share, len(peers), other)


def lone_unsupported_severity(world, ratio):
    for case in world.cases:
        other = without(world, case)
        if other is None:
            continue
        names = ("total_cost", "los", "drug_cost")
        shares = [math.nan if case[n] is None else float(case[n]) / world.mean(other, n) for n in names]
        if not any(map(math.isnan, shares)) and max(shares) < ratio:
            n = len(world.among(other, "total_cost"))
            yield lone(world, "lone_unsupported_severity", case, max(shares), ratio, n, other)


# --- hospitals ---


def of_hospital(signal, hospital, value, expected, limit, cases):
    evidence = {"expected": expected, "limit": limit, "cases": cases, "hospital": hospital}
    return row_of({"row": None}, signal, value, "no_counterfactual", **evidence)


def is_severe(case):
    return group_of(case) is not None and case["severity"] in ("CC", "MCC")


def severity_share(world, z, ratio):
    grouped = [case for case in world.cases if group_of(case) is not None and case["hospital"]]
    for hospital in sorted({case["hospital"] for case in grouped}):
        seen = due = spread = total = 0
        for adrg in {case["adrg"] for case in grouped}:
            mine = [c for c in grouped if c["hospital"] == hospital and c["adrg"] == adrg]
            peers = [c for c in grouped if c["hospital"] != hospital and c["adrg"] == adrg]
            if mine and peers:
                rate = sum(map(is_severe, peers)) / len(peers)
                seen, total = seen + sum(map(is_severe, mine)), total + len(mine)
                due += len(mine) * rate
                spread += len(mine) * rate * (1 - rate) * (1 + len(mine) / len(peers))
        if spread > 0 and (seen - due) / math.sqrt(spread) > z and seen / due > ratio:
            yield of_hospital("severity_share", hospital, seen / total, due / total, ratio, total)


def volume_growth(world, z, ratio):
    now, then = (Counter(c["hospital"] for c in cases if c["hospital"]) for cases in (world.cases, world.previous))
    for hospital in sorted(now):
        size, old = now[hospital], then[hospital]
        peers_old = then.total() - old
        if not old or not peers_old:
            continue
        peers = (now.total() - size) / peers_old
        score = (size - old * peers) / math.sqrt(size + old * peers**2)
        if score > z and size / old > ratio * peers:
            yield of_hospital("volume_growth", hospital, size / old, peers, ratio, size)


def refusal(world, z):
    def score(hospital, holds):
        parts = []
        for cases in (world.cases, world.previous):
            mine = [case for case in cases if case["hospital"] == hospital and group_of(case) is not None]
            parts += [sum(map(holds, mine)), len(mine)]
        a, n, b, m = parts
        pooled = (a + b) / (n + m) if n and m else 0
        if pooled in (0, 1):
            return None
        return (a / n - b / m) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)), a / n, b / m, n

    for hospital in sorted({case["hospital"] for case in world.cases if case["hospital"]}):
        fell, rose = score(hospital, is_severe), score(hospital, lambda case: case["discharge"] in TRANSFERS)
        if fell and rose and -fell[0] > z and rose[0] > z:
            yield of_hospital("refusal", hospital, fell[1], fell[2], z, fell[3])
