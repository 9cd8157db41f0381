"""The rule language of grouping schemes: text to tree and back.

The language is that of the National Healthcare Security Administration's (国家医保局) configuration workbook of
scheme 3.0: ``(ZYZD in DI_M00) and ((XB = 1) or (ZYZD not in DI_MN))``. A tree is made of six kinds of node;
what a node means for a case is said by the engines, not here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from drgdip.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ALWAYS",
    "CODE_VARIABLES",
    "DIAGNOSES",
    "LEVELS",
    "VALUE_VARIABLES",
    "And",
    "Compare",
    "Count",
    "In",
    "Not",
    "Or",
    "Rule",
    "Severity",
    "parse",
    "sets_of",
    "walk",
]

#: Variables that stand for codes, with what they are in a case.
CODE_VARIABLES = {
    "ZYZD": "principal diagnosis",
    "QTZD": "other diagnoses",
    "ZYSS": "principal procedure",
    "QTSS": "other procedures",
}
#: Those of them that stand for diagnoses.
DIAGNOSES = ("ZYZD", "QTZD")
#: Variables that stand for one value, with the case column that holds it.
VALUE_VARIABLES = {
    "NL": "age",
    "XSRTL": "age_days",
    "XSRTZ": "newborn_weight",
    "XB": "sex",
    "ZYTS": "los",
    "LYFS": "discharge",
    "KS": "dept",
    "ICUXS": "icu_hours",
}
#: Severity levels of other diagnoses, the gravest first.
LEVELS = ("MCC", "CC")

_DEEPEST = 100  # levels of parentheses; no published rule has more than five
_LONGEST = 15  # digits of a number: what a float holds exactly, so that both engines compare alike


@dataclass(frozen=True, slots=True)
class In:
    """Some code of the variables is in one of the sets; ``negated``: none is."""

    variables: tuple[str, ...]
    sets: tuple[str, ...]
    negated: bool = False
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{_braced(self.variables)} {'not in' if self.negated else 'in'} {_braced(self.sets)}"


@dataclass(frozen=True, slots=True)
class Severity:
    """Some other diagnosis has one of the levels and is not cancelled; ``negated``: none has."""

    levels: tuple[str, ...]
    negated: bool = False
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"QTZD {'not in' if self.negated else 'in'} {_braced(self.levels)}"


@dataclass(frozen=True, slots=True)
class Count:
    """The number of distinct codes of the variables in the set, compared with a number."""

    set: str
    variables: tuple[str, ...]
    operator: str
    number: int
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"length({self.set} ∩ {_braced(self.variables)}) {self.operator} {self.number}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A value of the case compared with a number, or with a word (``KS = ICU``)."""

    variable: str
    operator: str
    value: int | str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.variable} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Rule
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        # A chain of nots needs no parentheses, so that it nests no deeper when it is read again.
        return f"not {self.part}" if isinstance(self.part, Not) else f"not ({self.part})"


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds; with no parts it always holds (an empty rule)."""

    parts: tuple[Rule, ...]
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return " and ".join(_grouped(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds."""

    parts: tuple[Rule, ...]
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return " or ".join(_grouped(part) for part in self.parts)


Rule = In | Severity | Count | Compare | Not | And | Or

#: The tree of an empty rule: unconditional.
ALWAYS = And(())


def _braced(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"


def _grouped(rule: Rule) -> str:
    return f"({rule})" if isinstance(rule, And | Or) else str(rule)


def walk(rule: Rule) -> Iterator[Rule]:
    """Yield every node of a tree, the node itself first, parts from left to right."""
    yield rule
    if isinstance(rule, Not):
        yield from walk(rule.part)
    elif isinstance(rule, And | Or):
        for part in rule.parts:
            yield from walk(part)


def sets_of(node: Rule) -> tuple[str, ...]:
    """Return the sets of codes that a node itself names, none for one of another kind."""
    return node.sets if isinstance(node, In) else (node.set,) if isinstance(node, Count) else ()


_TOKEN = re.compile(r"\s*(?:(?P<word>[^\W\d]\w*)|(?P<number>\d+)|(?P<sign><=|>=|[<>=(){},∩])|(?P<end>\Z))")
_OPERATORS = ("<", "<=", ">", ">=", "=")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise RuleError(text, at, f"{text[at]!r} has no meaning in a rule")
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent, one method for each level of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def fail(self, what: str, token: _Token | None = None) -> NoReturn:
        raise RuleError(self.text, (token or self.token).position, what)

    def take(self) -> _Token:
        token = self.token
        self.next += 1
        return token

    def accept(self, text: str) -> bool:
        if self.token.text == text and self.token.kind != "end":
            self.next += 1
            return True
        return False

    def expect(self, text: str, after: str) -> None:
        if not self.accept(text):
            found = repr(self.token.text) if self.token.text else "the end of the rule"
            self.fail(f"expected {text!r} {after}, found {found}")

    def rule(self) -> Rule:
        if self.token.kind == "end":
            return ALWAYS
        tree = self.any_of()
        if self.token.kind != "end":
            self.fail(f"expected 'and', 'or' or the end of the rule, found {self.token.text!r}")
        return tree

    def any_of(self) -> Rule:
        start = self.token.position
        parts = [self.all_of()]
        while self.accept("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts), start)

    def all_of(self) -> Rule:
        start = self.token.position
        parts = [self.one()]
        while self.accept("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts), start)

    def one(self) -> Rule:
        start = self.token
        if self.depth > _DEEPEST:
            self.fail(f"parentheses are nested more than {_DEEPEST} deep")
        self.depth += 1
        try:
            if self.accept("not"):
                return Not(self.one(), start.position)
            if self.accept("("):
                inside = self.any_of()
                self.expect(")", "to close the parenthesis")
                return inside
        finally:
            self.depth -= 1
        return self.atom()

    def atom(self) -> Rule:
        start = self.token
        if start.text == "length":
            return self.count()
        if start.text in VALUE_VARIABLES:
            return self.compare()
        if start.text == "{" or start.text in CODE_VARIABLES:
            return self.membership()
        if start.kind == "end":
            self.fail("expected a condition, found the end of the rule")
        known = ", ".join([*CODE_VARIABLES, *VALUE_VARIABLES])
        self.fail(f"expected a condition, found {start.text!r}; the variables are {known}")

    def membership(self) -> Rule:
        start = self.token.position
        variables = self.code_variables()
        negated = self.accept("not")
        self.expect("in", "before the name of a set")
        where = self.token
        sets = self.names("the name of a set")
        if not set(sets) & set(LEVELS):
            return In(variables, sets, negated, start)
        if variables != ("QTZD",):
            self.fail("only QTZD can be tested for MCC and CC", where)
        if not set(sets) <= set(LEVELS):
            self.fail("MCC and CC cannot be mixed with sets; write them as a condition of their own", where)
        return Severity(sets, negated, start)

    def count(self) -> Rule:
        start = self.take().position
        self.expect("(", "after 'length'")
        name = self.word("the name of a set")
        self.expect("∩", "after the set")
        variables = self.code_variables()
        self.expect(")", "to close 'length'")
        operator = self.operator()
        if self.token.kind != "number":
            self.fail("expected a number")
        return Count(name, variables, operator, self.number(), start)

    def compare(self) -> Rule:
        variable = self.take()
        sign = self.token
        operator = self.operator()
        value = self.token
        if variable.text == "KS":
            if operator != "=":
                self.fail("KS is the name of a department and can only be tested with '='", sign)
            if value.kind not in {"word", "number"}:
                self.fail("expected the name of a department")
            return Compare(variable.text, operator, self.take().text, variable.position)
        if value.kind == "number":
            return Compare(variable.text, operator, self.number(), variable.position)
        self.fail(f"expected a number to compare {variable.text} with")

    def code_variables(self) -> tuple[str, ...]:
        where = self.token
        variables = self.names("a variable")
        for variable in variables:
            if variable not in CODE_VARIABLES:
                self.fail(f"{variable!r} does not stand for codes; those are {', '.join(CODE_VARIABLES)}", where)
        return variables

    def names(self, what: str) -> tuple[str, ...]:
        if not self.accept("{"):
            return (self.word(what),)
        names = [self.word(what)]
        while self.accept(","):
            names.append(self.word(what))
        self.expect("}", "to close the braces")
        return tuple(names)

    def word(self, what: str) -> str:
        if self.token.kind != "word" or self.token.text in {"and", "or", "not", "in", "length"}:
            self.fail(f"expected {what}")
        return self.take().text

    def number(self) -> int:
        if len(self.token.text) > _LONGEST:
            self.fail(f"a number of more than {_LONGEST} digits")
        return int(self.take().text)

    def operator(self) -> str:
        if self.token.text not in _OPERATORS:
            self.fail(f"expected one of {' '.join(_OPERATORS)}")
        return self.take().text


def parse(text: str) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text
        The rule; an empty one is unconditional.

    Returns
    -------
    The tree. ``str`` of it is a rule that parses to an equal tree; a node's ``position`` is the index of its
    first character in the text and does not count for equality.

    Raises
    ------
    RuleError
        The text is not in the grammar; the message points at the character.

    Notes
    -----
    Grammar: that of the NHSA's 3.0 configuration workbook; ``and`` binds tighter than ``or``.

    Examples
    --------
    >>> parse("(NL < 17)")
    Compare(variable='NL', operator='<', value=17, position=1)
    >>> str(parse("NL<17  or not(QTZD in {MCC,CC})"))
    'NL < 17 or not (QTZD in {MCC, CC})'
    """
    return _Parser(text).rule()
