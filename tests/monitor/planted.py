"""Misuse planted in synthetic cases: 1 % of the cases of one hospital, one kind at a time."""

from __future__ import annotations

import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa

import drgdip

SCHEME = "chs-drg-2.0"
HOSPITAL = "H01"
SHARE = 0.01
RESULT = ["mdc", "adrg", "group", "status", "reason", "severity", "severity_code"]
FRIDAY = datetime.date(2025, 5, 16)


def days(n):
    return datetime.timedelta(days=int(n))


class Base:
    """Synthetic cases as records, with patients, parts of the cost, items and visits."""

    def __init__(self, n=40_000, seed=11):
        self.rng = rng = np.random.default_rng(seed)
        cases = drgdip.group(drgdip.sample_cases(n, SCHEME, seed=seed), SCHEME).to_pylist()
        # Most patients have one stay, some have two or three.
        patients = np.where(rng.random(n) < 0.8, np.arange(n), rng.integers(0, n, n))
        for case, patient in zip(cases, patients, strict=True):
            case["patient"] = f"P{patient}"
            case["dx_conditions"] = ["4" if rng.random() < 0.0005 else "1" for _ in case["dx"]]
            case["total_cost"] = float(case["total_cost"])
            case["drug_cost"] = case["total_cost"] * rng.uniform(0.25, 0.35)
            case["procedure_cost"] = case["total_cost"] * rng.uniform(0.1, 0.3) if rng.random() > 0.0005 else 0.0
        latest = {}
        for case in sorted(cases, key=lambda case: (case["admitted"], case["case_id"])):
            if latest.get(case["patient"], case["admitted"]) > case["admitted"]:
                case["patient"] = f"Q{case['case_id']}"  # in life no one lies in two beds
            latest[case["patient"]] = case["discharged"]
        self.cases = cases

    def copy(self):
        return [dict(case) for case in self.cases]

    @cached_property
    def means(self):
        """Mean cost and stay by group."""
        sums = {}
        for case in self.cases:
            cost, stay, n = sums.get(case["group"], (0, 0, 0))
            sums[case["group"]] = cost + case["total_cost"], stay + case["los"], n + 1
        return {group: (cost / n, stay / n, n) for group, (cost, stay, n) in sums.items()}

    def mine(self, cases, fits):
        """Places of 1 % of the hospital's cases, of those that fit."""
        own = [place for place, case in enumerate(cases) if case["hospital"] == HOSPITAL]
        number = round(len(own) * SHARE)
        fit = [place for place in own if cases[place]["status"] == "grouped" and fits(cases[place])]
        chosen = self.rng.permutation(len(fit))[:number]
        assert len(chosen) >= 10, "too few cases to plant in"
        return [fit[place] for place in chosen]


def table_of(cases):
    """The cases as a table, grouped anew where their codes changed."""
    table = pa.Table.from_pylist(cases)
    cents = pa.decimal128(18, 2)
    for name in ("total_cost", "drug_cost", "procedure_cost"):
        amounts = pa.array(np.round(np.array(table[name].to_pylist()), 2)).cast(cents)
        table = table.set_column(table.column_names.index(name), name, amounts)
    return drgdip.group(table.drop_columns(RESULT), SCHEME)


def regrouped(cases, changed):
    """The groups of cases with other codes."""
    names = ("sex", "age", "age_days", "newborn_weight", "los", "discharge", "dx", "procs")
    table = pa.Table.from_pylist(
        [{name: case[name] for name in names} | more for case, more in zip(cases, changed, strict=True)]
    )
    grouped = drgdip.group(table, SCHEME)
    status = grouped["status"].to_pylist()
    return [g if s == "grouped" else None for g, s in zip(grouped["group"].to_pylist(), status, strict=True)]


def medical(case):
    return not case["procs"] and case["discharge"] == 1


# Each kind returns the cases, the numbers of those planted, and further tables.


def duplicate_stay(base):
    cases = base.copy()
    more = [cases[place] | {"case_id": f"X{place}"} for place in base.mine(cases, lambda _: True)]
    return cases + more, [case["case_id"] for case in more], {}


def overlapping_stays(base):
    cases, more = base.copy(), []
    for place in base.mine(cases, lambda case: case["los"] > 4):
        begin = cases[place]["admitted"] + days(1)
        more.append(cases[place] | {"case_id": f"X{place}", "admitted": begin, "discharged": begin + days(2), "los": 2})
    return cases + more, [case["case_id"] for case in more], {}


def same_day_elsewhere(base):
    cases, more = base.copy(), []
    elsewhere = [case for case in cases if case["hospital"] != HOSPITAL and case["discharge"] == 1]
    for place in base.mine(cases, lambda _: True):
        other, case = elsewhere[place % len(elsewhere)], cases[place]
        begin, end = other["discharged"], other["discharged"] + days(case["los"])
        more.append(case | {"case_id": f"X{place}", "patient": other["patient"], "admitted": begin, "discharged": end})
    return cases + more, [case["case_id"] for case in more], {}


def follow(case, number, gap):
    begin = case["discharged"] + days(gap)
    return case | {"case_id": f"{case['case_id']}-{number}", "admitted": begin, "discharged": begin + days(case["los"])}


def split_stay(base):
    cases, more = base.copy(), []
    for place in base.mine(cases, lambda case: case["los"] > 5 and case["discharge"] == 1):
        case = cases[place]
        half = case["los"] // 2
        case |= {"los": half, "total_cost": case["total_cost"] / 2, "discharged": case["admitted"] + days(half)}
        more.append(follow(case, 2, 2))
    return cases + more, [case["case_id"] for case in more], {}


def readmission_chain(base):
    cases, more = base.copy(), []
    for place in base.mine(cases, lambda case: case["discharge"] == 1):
        second = follow(cases[place], 2, 3)
        more += [cases[place], second, follow(second, 3, 4)]
    added = [case for place, case in enumerate(more) if place % 3]
    return cases + added, [case["case_id"] for case in more], {}


def altered(base, fits, change):
    cases = base.copy()
    places = base.mine(cases, fits)
    for place in places:
        cases[place] |= change(cases[place], *base.means[cases[place]["group"]])
    return cases, [cases[place]["case_id"] for place in places], {}


def low_standard_admission(base):
    return altered(
        base,
        medical,
        lambda case, cost, *_: {"total_cost": cost * 0.15, "los": 2, "discharged": case["admitted"] + days(2)},
    )


def weekend_hanging_bed(base):
    def change(_, cost, stay, *__):
        return {"total_cost": 3 * cost / stay * 0.2, "los": 3, "admitted": FRIDAY, "discharged": FRIDAY + days(3)}

    return altered(base, medical, change)


def long_stay(base):
    return altered(base, lambda _: True, lambda _, __, stay, *___: {"los": int(4 * stay) + 2})


def short_stay(base):
    return altered(base, lambda case: base.means[case["group"]][1] > 7, lambda *_: {"los": 1})


def low_cost(base):
    return altered(base, lambda _: True, lambda _, cost, *__: {"total_cost": cost * 0.15})


def high_cost(base):
    return altered(base, lambda case: base.means[case["group"]][2] > 20, lambda _, cost, *__: {"total_cost": cost * 5})


def swapped(base, fits):
    """Put another diagnosis first where the group then fits."""
    cases = base.copy()
    own = [case for case in cases if case["hospital"] == HOSPITAL and case["status"] == "grouped"]
    tried = [(case, code) for case in own for code in dict.fromkeys(case["dx"][1:]) if code != case["dx"][0]]
    changed = [{"dx": [code, *(other for other in case["dx"] if other != code)]} for case, code in tried]
    groups = regrouped([case for case, _ in tried], changed)
    fit, number = {}, {}
    for (case, _), change, group in zip(tried, changed, groups, strict=True):
        # Few in any group: many would move the mean that they are compared with.
        if group in base.means and fits(case, group) and number.get(group, 0) < base.means[group][2] / 30:
            fit[case["case_id"]] = change
            number[group] = number.get(group, 0) + 1
    places = base.mine(cases, lambda case: case["case_id"] in fit)
    for place in places:
        cases[place] |= fit[cases[place]["case_id"]]
    return cases, [cases[place]["case_id"] for place in places], {}


def principal_swap(base):
    def fits(case, group):
        cost = case["total_cost"]
        return (
            base.means[group][2] > 20
            and base.means[group][0] > 3.5 * cost
            and cost < 1.5 * base.means[case["group"]][0]
        )

    return swapped(base, fits)


def principal_absent(base):
    cases, names, tables = swapped(base, lambda case, group: group != case["group"])
    for case in cases:
        if case["case_id"] in names:
            case["dx_conditions"] = ["4", *["1"] * (len(case["dx"]) - 1)]
    return cases, names, tables


def low_coding(base):
    def fits(case, group):
        cost, mean = case["total_cost"], base.means[group]
        return mean[2] > 30 and cost > 3.5 * mean[0] and cost < 2 * base.means[case["group"]][0]

    return swapped(base, fits)


def reversed_codes(base, name):
    cases = base.copy()
    pairs = {}
    for case in cases:
        for code in set(case[name][1:]) - set(case[name][:1]) if case["hospital"] != HOSPITAL else ():
            pairs[case[name][0], code] = pairs.get((case[name][0], code), 0) + 1
    own = [case for case in cases if case["hospital"] == HOSPITAL and case["status"] == "grouped"]
    tried = [
        (case, code)
        for case in own
        for code in dict.fromkeys(case[name][1:])
        if pairs.get((case[name][0], code), 0) >= 40 and pairs.get((code, case[name][0]), 0) == 0
    ]
    changed = [{name: [code, *(other for other in case[name] if other != code)]} for case, code in tried]
    groups = regrouped([case for case, _ in tried], changed)
    fit = {
        case["case_id"]: change
        for (case, _), change, group in zip(tried, changed, groups, strict=True)
        if group not in (None, case["group"])
    }
    places = base.mine(cases, lambda case: case["case_id"] in fit)
    for place in places:
        cases[place] |= fit[cases[place]["case_id"]]
    return cases, [cases[place]["case_id"] for place in places], {}


def reversed_diagnosis(base):
    return reversed_codes(base, "dx")


def reversed_procedure(base):
    return reversed_codes(base, "procs")


def with_code(base, fits, codes):
    """Add a code to cases without severity where it lifts the group."""
    cases = base.copy()
    own = [case for case in cases if case["hospital"] == HOSPITAL and not case["severity"] and fits(case)]
    tried = [(case, code) for case in own for code in codes(case)]
    changed = [{"dx": [*case["dx"], code]} for case, code in tried]
    groups = regrouped([case for case, _ in tried], changed)
    fit = {
        case["case_id"]: change
        for (case, _), change, group in zip(tried, changed, groups, strict=True)
        if group not in (None, case["group"])
    }
    places = base.mine(cases, lambda case: case["case_id"] in fit)
    for place in places:
        cases[place] |= fit[cases[place]["case_id"]]
    return cases, [cases[place]["case_id"] for place in places], {}


def lone_rare_severity(base):
    adrgs, known = {}, {}
    for case in base.cases:
        if case["hospital"] != HOSPITAL:
            adrgs[case["adrg"]] = adrgs.get(case["adrg"], 0) + 1
        if case["severity"] == "MCC":
            known.setdefault(case["severity_code"], set()).add(case["adrg"])
    codes = sorted(known)

    def rare(case):
        return [code for code in base.rng.permutation(codes)[:6].tolist() if case["adrg"] not in known[code]]

    return with_code(base, lambda case: adrgs.get(case["adrg"], 0) >= 100, rare)


def lone_unsupported_severity(base):
    def cheap(case):
        cost, stay, n = base.means[case["group"]]
        return n > 20 and case["total_cost"] < 0.45 * cost and case["los"] < 0.45 * stay

    often = [case["severity_code"] for case in base.cases if case["severity"]]
    codes = sorted(set(often), key=lambda code: (-often.count(code), code))[:5]
    return with_code(base, cheap, lambda _: codes)


def procedure_without_cost(base):
    own = [case for case in base.cases if case["hospital"] == HOSPITAL and case["procs"]]
    groups = regrouped(own, [{"procs": []} for _ in own])
    fit = {case["case_id"] for case, group in zip(own, groups, strict=True) if group != case["group"]}
    return altered(base, lambda case: case["case_id"] in fit, lambda *_: {"procedure_cost": 0.0})


def missing_service(base):
    cases = base.copy()
    places = set(base.mine(cases, lambda _: True))
    items = []
    for place, case in enumerate(cases):
        held = base.rng.random(10) < 0.96
        held[4:] &= place not in places
        items += [{"case_id": case["case_id"], "item": f"{case['group']}-{item}"} for item in np.flatnonzero(held)]
    return cases, [cases[place]["case_id"] for place in places], {"items": pa.Table.from_pylist(items)}


def cost_shift(base):
    cases, visits = base.copy(), []
    places = base.mine(cases, lambda _: True)

    def visit(case, before, cost):
        visits.append(
            {
                "patient": case["patient"],
                "hospital": case["hospital"],
                "date": case["admitted"] - days(before),
                "cost": round(cost, 2),
            }
        )

    for case in cases:
        if base.rng.random() < 0.5:
            visit(case, base.rng.integers(1, 200), base.rng.lognormal(6, 0.7))
    for place in places:
        visit(cases[place], base.rng.integers(0, 7), cases[place]["total_cost"] * 0.5)
        cases[place]["total_cost"] *= 0.7
    return cases, [cases[place]["case_id"] for place in places], {"outpatient": pa.Table.from_pylist(visits)}


# A hospital is the subject: the pattern is stronger than 1 %.
LIFTED = "H05"


def severity_share(base):
    cases = base.copy()
    for case in cases:
        if case["hospital"] == LIFTED and not case["severity"] and base.rng.random() < 0.4:
            case["dx"] = [*case["dx"], "J96.000"]
    return cases, [LIFTED], {}


def volume_growth(base):
    cases = base.copy()
    more = [
        case | {"case_id": f"X{place}"}
        for place, case in enumerate(cases)
        if case["hospital"] == LIFTED and base.rng.random() < 0.4
    ]
    return cases + more, [LIFTED], {"previous": table_of(base.cases)}


def refusal(base):
    cases = base.copy()
    kept = [case for case in cases if case["hospital"] != LIFTED or not case["severity"] or base.rng.random() < 0.6]
    for case in kept:
        if case["hospital"] == LIFTED and base.rng.random() < 0.05:
            case["discharge"] = 2
    return kept, [LIFTED], {"previous": table_of(base.cases)}


def plant(base, signal):
    """Plant a kind, by chance of its own, so that the kinds planted before do not matter."""
    base.rng = np.random.default_rng(7)
    return globals()[signal](base)
