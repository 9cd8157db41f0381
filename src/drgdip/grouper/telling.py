"""Codes, conditions and rules in words, for explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drgdip._once import once
from drgdip.cases.codes import known_codes, names_of_codes
from drgdip.data import rows_of
from drgdip.grouper.grammar import DIAGNOSES, VALUE_VARIABLES, And, Compare, Count, In, Not, Or, Severity, parse
from drgdip.grouper.words import has_word, names_beginning, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.grammar import Rule
    from drgdip.grouper.trace import Condition

__all__ = ["Tongue", "code_text", "codes_text", "condition_text", "group_name", "lack_text", "rule_text", "tongue_of"]

#: Codes that a condition of a catalogue shows before the others are counted.
_MOST = 4
#: A rule of a catalogue begins with a variable of rules or a parenthesis, a demand with one of its words.
_VARIABLES = ("(", "{", "not ", "length(", "ZYZD", "QTZD", "ZYSS", "QTSS", *VALUE_VARIABLES)


class Tongue(NamedTuple):
    """A language and what its texts name: the names of codes, and the scheme (None where it is not known any more)."""

    language: str
    scheme: SchemeLike | None
    names: tuple[Mapping[str, str], ...]

    def say(self, name: str, /, **values: object) -> str:
        """Return a word with values in their places."""
        return say(name, self.language, **values)


def tongue_of(language: str, scheme: SchemeLike | None) -> Tongue:
    """Return a language with the names of a scheme's codes."""
    sets = () if scheme is None else (scheme.info.diagnosis_codes, scheme.info.procedure_codes)
    return Tongue(language, scheme, tuple(names_of_codes(name) for name in sets if known_codes(name)))


@once
def _english_mdcs() -> Mapping[str, str]:
    """Return the English names of the MDCs by code; a translation of ours, for display only."""
    return {row["code"]: row["english"] for row in rows_of("names/mdc.csv")}


def group_name(code: str, name: str, tongue: Tongue) -> str:
    """Return the name of a row of a scheme; MDCs alone have English names."""
    return _english_mdcs().get(code, name) if tongue.language == "en" else name


def code_text(code: str, tongue: Tongue) -> str:
    """Return a code with its name, where the code set has one."""
    name = next((names[code] for names in tongue.names if code in names), "")
    return f"{code} {name}".rstrip()


def codes_text(codes: Iterable[str], tongue: Tongue) -> str:
    """Return codes with their names."""
    return tongue.say("join.codes").join(code_text(code, tongue) for code in codes)


def condition_text(condition: Condition, tongue: Tongue) -> str:
    """Return what a condition found in the case."""
    rule = _rule_of(condition.text)
    if rule is None:
        return _demand_text(condition, tongue)
    if isinstance(rule, In):
        places = {"variable": _variables(rule.variables, tongue), "lists": _lists(rule.sets, rule.variables, tongue)}
        if not condition.codes:
            return tongue.say("fact.not_in", **places)
        return tongue.say("fact.in", codes=codes_text(condition.codes, tongue), **places)
    if isinstance(rule, Severity):
        levels = _levels(rule, tongue)
        if not condition.codes:
            return tongue.say("fact.no_severity", levels=levels)
        return tongue.say("fact.severity", codes=codes_text(condition.codes, tongue), levels=levels)
    if isinstance(rule, Count):
        codes = f" ({codes_text(condition.codes, tongue)})" if condition.codes else ""
        return tongue.say(
            "fact.count",
            number=condition.value,
            variable=_variables(rule.variables, tongue),
            lists=_lists((rule.set,), rule.variables, tongue),
            codes=codes,
            operator=rule.operator,
            wanted=rule.number,
        )
    if isinstance(rule, Compare):
        variable = tongue.say(f"variable.{rule.variable}")
        value, wanted = (_value(rule.variable, one, tongue) for one in (condition.value, rule.value))
        return tongue.say("fact.compare", variable=variable, value=value, operator=rule.operator, wanted=wanted)
    return tongue.say("fact.rule" if condition.holds else "fact.not_rule", rule=rule_text(rule, tongue))


def lack_text(condition: Condition, tongue: Tongue) -> str:
    """Return what a case would have to have for a condition to be otherwise than it is."""
    rule = _rule_of(condition.text)
    if rule is None:
        what, of = _demand_parts(condition.text)
        if what == "conservative treatment":
            return tongue.say("want.conservative")
        if what == "treatment":
            return tongue.say("want.asked", what=tongue.say("asked.treatment"), of=_treatment(of, tongue))
        return tongue.say("want.asked", what=tongue.say(f"asked.{what}"), of=_asked_codes(of, tongue))
    text = rule_text(Not(rule) if condition.holds else rule, tongue)
    if isinstance(rule, Compare):
        return tongue.say("want.is", what=text, value=_value(rule.variable, condition.value, tongue))
    return tongue.say("want.is", what=text, value=condition.value) if isinstance(rule, Count) else text


def rule_text(rule: Rule, tongue: Tongue) -> str:
    """Return a rule as a demand in words."""
    if isinstance(rule, Not):
        part = rule.part
        if isinstance(part, In):
            return rule_text(In(part.variables, part.sets, not part.negated), tongue)
        if isinstance(part, Severity):
            return rule_text(Severity(part.levels, not part.negated), tongue)
        return tongue.say("want.not", rule=rule_text(part, tongue))
    if isinstance(rule, And | Or):
        parts = [rule_text(part, tongue) for part in rule.parts]
        parts = [
            tongue.say("rule.group", rule=text) if isinstance(part, And | Or) else text
            for part, text in zip(rule.parts, parts, strict=True)
        ]
        return tongue.say("rule.or" if isinstance(rule, Or) else "rule.and").join(parts)
    if isinstance(rule, In):
        word = "want.not_in" if rule.negated else "want.in"
        return tongue.say(
            word, variable=_variables(rule.variables, tongue), lists=_lists(rule.sets, rule.variables, tongue)
        )
    if isinstance(rule, Severity):
        return tongue.say("want.no_severity" if rule.negated else "want.severity", levels=_levels(rule, tongue))
    if isinstance(rule, Count):
        places = {"variable": _variables(rule.variables, tongue), "lists": _lists((rule.set,), rule.variables, tongue)}
        return tongue.say("want.count", operator=rule.operator, wanted=rule.number, **places)
    wanted = _value(rule.variable, rule.value, tongue)
    return tongue.say(
        "want.compare", variable=tongue.say(f"variable.{rule.variable}"), operator=rule.operator, wanted=wanted
    )


def _rule_of(text: str) -> Rule | None:
    """Return the rule that a condition has as its text; None for a demand of a catalogue's group."""
    return parse(text) if text.startswith(_VARIABLES) else None


def _variables(variables: tuple[str, ...], tongue: Tongue) -> str:
    together = f"variable.{'+'.join(variables)}"
    if has_word(together):
        return tongue.say(together)
    return tongue.say("list.or").join(tongue.say(f"variable.{name}") for name in variables)


def _lists(sets: tuple[str, ...], variables: tuple[str, ...], tongue: Tongue) -> str:
    kind = "dx" if variables[0] in DIAGNOSES else "procs"
    return tongue.say("list.or").join(_list(name, kind, tongue) for name in sets)


def _list(name: str, kind: str, tongue: Tongue) -> str:
    """Return a set in words: by the row that alone asks for it, or by its name."""
    if has_word(f"list:{name}"):
        return tongue.say(f"list:{name}")
    owner = None if tongue.scheme is None else tongue.scheme.owners.get(name)
    if owner is not None:
        return tongue.say(f"list.{kind}", of=owner, set=name)
    return tongue.say("list.other", set=name)


def _levels(rule: Severity, tongue: Tongue) -> str:
    return tongue.say("list.levels").join(rule.levels)


def _value(variable: str, value: object, tongue: Tongue) -> str:
    if value is None:
        return tongue.say("fact.missing")
    word = f"value.{variable}.{value}"
    return tongue.say(word) if has_word(word) else str(value)


# Demands of a catalogue's groups


def _demand_parts(text: str) -> tuple[str, str]:
    """Return what a demand is about, and what it asks for."""
    what = next(name for name in names_beginning("asked.") if text == name or text.startswith(name + " "))
    return what, text[len(what) + 1 :]


def _demand_text(condition: Condition, tongue: Tongue) -> str:
    what, of = _demand_parts(condition.text)
    if what == "conservative treatment":
        return tongue.say("fact.conservative" if condition.holds else "fact.not_conservative")
    if what == "treatment":
        value = tongue.say("title.none") if condition.value is None else _treatment(str(condition.value), tongue)
        return tongue.say("fact.treatment", value=value, of=_treatment(of, tongue))
    word, asked = tongue.say(f"asked.{what}"), _asked_codes(of, tongue)
    if not condition.holds:
        return tongue.say("fact.not_asked", what=word, of=asked)
    return tongue.say("fact.asked", what=word, codes=codes_text(condition.codes, tongue), of=asked)


def _treatment(text: str, tongue: Tongue) -> str:
    kind, _, tier = text.partition(" ")
    return f"{tongue.say(f'treatment.{kind}')} {tier}".rstrip() if has_word(f"treatment.{kind}") else text


def _asked_codes(text: str, tongue: Tongue) -> str:
    """Return codes that are asked for: with names where they are few, else the first ones."""
    first, *again = text.split("+")
    codes = first.split("|")
    shown = codes if len(codes) <= _MOST else [*codes[:_MOST], "…"]
    named = code_text(codes[0], tongue) if len(codes) == 1 else "|".join(shown)
    return tongue.say("fact.times", of=named, times=len(again) + 1) if again else named
