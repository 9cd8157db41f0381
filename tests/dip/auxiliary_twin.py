"""The obvious way to the auxiliary types of one case: one condition after the other, in plain Python and exactly."""

from __future__ import annotations

from fractions import Fraction

from drgdip._values import Unreadable, read_number, read_whole
from drgdip.cases.fields import read_record

WHOLE = ("discharge", "los", "age", "age_days", "icu_days")
AMOUNTS = ("total_cost", "standard", "treatment_cost", "drug_cost")


def types_of(record, rules, catalogues, lists, weights, bands):
    """The types of a case under canonical names, and the columns whose value cannot be used."""
    read, unusable = read_record(record)
    values = {"dx": read["dx"], **{name: read[name] for name in WHOLE if name in read}}
    unusable = {name for name in unusable if name in (*WHOLE, "row")}
    for name, reader in (("icu_days", read_whole), *((name, read_number) for name in AMOUNTS)):
        try:
            values[name] = reader(record.get(name))
        except Unreadable:
            values[name] = None
            unusable.add(name)
        if name in AMOUNTS and values[name] is not None:
            values[name] = Fraction(str(values[name]))
            if values[name] < 0 or (name == "standard" and values[name] == 0):
                unusable.add(name)
    found, reasons = [], set()
    for name in catalogues:
        catalogue = rules.catalogues[name]
        asked = set(catalogue.columns) if not catalogue.bands else {"dx"}
        reasons |= unusable & (asked | {"row"})
        if unusable & (asked | {"row"}):
            continue
        if not all(holds(condition, values, rules, lists, weights) for condition in catalogue.conditions):
            continue
        kinds = [(kind.name, kind.conditions) for kind in catalogue.types]
        if catalogue.bands:
            total = number(catalogue.bands, values, weights)
            below = [edge for edge in bands[name] if edge <= total]
            if below:
                above = [edge for edge in bands[name] if edge > total]
                low = below[-1]
                last = f"-{above[0] - 1}" if above and above[0] - 1 > low else ""
                found.append(f"{name} {low}{last}" if above else f"{name} {low}+")
            continue
        for kind, conditions in kinds:
            if all(holds(condition, values, rules, lists, weights) for condition in conditions):
                found.append(f"{name} {kind}")
                break
    return found, reasons


def number(measure, values, weights):
    if measure == "cci":
        return sum(weights.get(code, 0) for code in set(values["dx"][1:]) if code is not None)
    if measure == "age_days":
        return None if values["age"] is not None and values["age"] >= 1 else values["age_days"]
    pairs = {
        "cost_ratio": ("total_cost", "standard"),
        "treatment_share": ("treatment_cost", "total_cost"),
        "drug_share": ("drug_cost", "total_cost"),
    }
    if measure not in pairs:
        return values[measure]
    part, whole = (values[name] for name in pairs[measure])
    return None if part is None or not whole else round(part / whole, 12)


def holds(condition, values, rules, lists, weights):
    measure, operator, value = condition.measure, condition.operator, condition.value
    if not isinstance(value, str):
        found = number(measure, values, weights)
        if found is None:
            return False
        value = Fraction(str(value))
        return {"<": found < value, "<=": found <= value, ">": found > value, ">=": found >= value}.get(
            operator, found == value
        )
    principal = values["dx"][0] if values["dx"] else None
    others = [code for code in values["dx"][1:] if code is not None]
    asked = {
        "principal_dx": [] if principal is None else [principal],
        "other_dx": others,
        "other_category_dx": [code for code in others if principal is not None and code[:3] != principal[:3]],
    }[measure]
    prefixes = rules.lists[value]
    within = any(code.startswith(prefixes) if prefixes else code in lists[value] for code in asked)
    return within if operator == "in" else principal is not None and not within
