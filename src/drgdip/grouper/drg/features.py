"""Features (细分因素) that divide the cases of a core group: severity, bands, values, lists of procedures."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from drgdip._text import normalise_code
from drgdip.errors import CaseError, RuleError, UnknownNameError
from drgdip.grouper.grammar import VALUE_VARIABLES, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["SEVERITY", "Feature", "FeaturePart", "check_features", "read_feature"]

#: The name of the feature that severity is, and what the last character of a group's code says of it.
SEVERITY = "severity"
_SEVERITY_MARKS = "1359"
_KEYS = ("MCC", "CC", "none")
_SEVERITY_NAMES = {
    "MCC": "伴严重合并症或并发症",
    "CC": "伴一般合并症或并发症",
    "none": "不伴合并症或并发症",
    "MCC+CC": "伴合并症或并发症",
    "CC+none": "不伴严重合并症或并发症",
}
#: More parts would give more ways to join them than a panel can read.
_MOST_PARTS = 8
_MARK = re.compile(r"[A-Z0-9]", re.ASCII)
_WORD = re.compile(r"[^\W\d]\w*")
#: The words of a value with its unit, and the variable of rules, by case column.
_WORDS = {
    "age": ("年龄", "岁"),
    "age_days": ("日龄", "天"),
    "newborn_weight": ("体重", "g"),
    "los": ("住院天数", "天"),
    "icu_hours": ("重症监护", "小时"),
}
_VARIABLES = {column: variable for variable, column in VALUE_VARIABLES.items()}


class FeaturePart(NamedTuple):
    """A part of the cases: its key in tables, its rule, its mark in the codes of groups, its words in their names."""

    key: str
    rule: str
    mark: str
    name: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature (细分因素) that the cases of a core group may be divided by.

    A case is of the first part whose rule it meets. The last part has no rule and takes the others. Neighbouring parts
    may be joined, so that three parts give three divisions. The methods `severity`, `bands`, `values` and `procedures`
    make the usual features.

    Attributes
    ----------
    name
        A word, such as ``age``.
    parts
        The parts, in order.
    joined
        The name of joined parts by their keys with + between them; else their names with 或 between them.
    nested
        The rule of a part holds for the cases of the parts before it too, as ``NL < 70`` does behind ``NL < 17``.
    ordered
        Mean costs are expected to fall from part to part: see ``order`` of `SplitCriteria`.
    sets
        The codes of each set that the rules name, beside those of the base.
    adrgs
        The core groups that the feature is for; () for all.

    Examples
    --------
    >>> [part.key for part in Feature.bands("age", [17, 70], marks="04").parts]
    ['<17', '17-69', '>=70']
    """

    name: str
    parts: tuple[FeaturePart, ...]
    joined: Mapping[str, str] = field(default_factory=dict)
    nested: bool = False
    ordered: bool = False
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    adrgs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"feature {self.name!r}"
        if not _WORD.fullmatch(self.name):
            raise CaseError(f"{where}: the name is a word, such as age or robot")
        if not 2 <= len(self.parts) <= _MOST_PARTS:
            raise CaseError(f"{where} has {len(self.parts)} parts; give 2 to {_MOST_PARTS}")
        if len({part.key for part in self.parts}) < len(self.parts):
            raise CaseError(f"{where} has two parts of one key; name each otherwise")
        for part in self.parts[:-1]:
            if not part.rule:
                raise CaseError(f"{where}: only the last part has no rule, and {part.key!r} has none")
            try:
                parse(part.rule)
            except RuleError as error:
                raise CaseError(f"{where}: the rule of {part.key!r} cannot be read: {error}") from error
            if not _MARK.fullmatch(part.mark):
                raise CaseError(
                    f"{where}: part {part.key!r} has the mark {part.mark!r}; give a capital letter or digit"
                )
        if self.parts[-1].rule or (self.parts[-1].mark and self.name != SEVERITY):
            raise CaseError(f"{where}: the last part takes the other cases; it has neither rule nor mark")

    @classmethod
    def severity(cls, *, adrgs: Sequence[str] = ()) -> Self:
        """Return the severity of other diagnoses: MCC, CC, none; marks and names are those of the national scheme."""
        rules = ("QTZD in MCC", "QTZD in {MCC, CC}", "")
        parts = [
            FeaturePart(key, rule, mark, _SEVERITY_NAMES[key])
            for key, rule, mark in zip(_KEYS, rules, _SEVERITY_MARKS, strict=False)
        ]
        joined = {key: name for key, name in _SEVERITY_NAMES.items() if "+" in key}
        return cls(SEVERITY, tuple(parts), joined, nested=True, ordered=True, adrgs=tuple(adrgs))

    @classmethod
    def bands(
        cls, column: str, limits: Sequence[int], *, marks: Sequence[str], name: str = "", adrgs: Sequence[str] = ()
    ) -> Self:
        """Return bands of a value: below the first limit, from each limit on, and from the last one on.

        Parameters
        ----------
        column
            ``age`` (years), ``age_days``, ``newborn_weight`` (g), ``los`` (days) or ``icu_hours``.
        limits
            Whole numbers that rise. A case whose value is missing is of the last band.
        marks
            A capital letter or digit for each band but the last, such as ``"0"``.
        name
            The feature's name; that of the column if it is empty.
        adrgs
            The core groups that the feature is for; () for all.
        """
        if column not in _WORDS:
            raise UnknownNameError("column", column, _WORDS, hint=f"Bands are of {', '.join(_WORDS)}.")
        numbers = [*limits]
        whole = all(isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 for limit in numbers)
        if not numbers or not whole or sorted(set(numbers)) != numbers:
            raise CaseError(f"limits of {column} are {numbers}; give whole numbers above 0 that rise")
        edges = [None, *numbers, None]
        spans = {
            (first, last): _band(column, edges[first], edges[last + 1])
            for first in range(len(edges) - 1)
            for last in range(first, len(edges) - 1)
        }
        keys = [spans[place, place][0] for place in range(len(edges) - 1)]
        rules = [f"{_VARIABLES[column]} < {limit}" for limit in numbers]
        joined = {"+".join(keys[first : last + 1]): spans[first, last][1] for first, last in spans if first < last}
        parts = [
            FeaturePart(key, rule, mark, spans[place, place][1])
            for place, (key, rule, mark) in enumerate(
                zip(keys, [*rules, ""], [*_marks(marks, len(rules), column), ""], strict=True)
            )
        ]
        return cls(name or column, tuple(parts), joined, nested=True, adrgs=tuple(adrgs))

    @classmethod
    def values(
        cls,
        column: str,
        values: Sequence[Any],
        *,
        mark: str,
        label: str,
        name: str = "",
        adrgs: Sequence[str] = (),
    ) -> Self:
        """Return the cases with some values of a column, and the others.

        Parameters
        ----------
        column
            ``discharge`` (such as 4 and 5) or ``dept`` (words, such as ICU).
        values
            The values of the first part.
        mark, label
            Its mark in the codes of groups, and its words in their names.
        name, adrgs
            As for `bands`.
        """
        if column not in {"discharge", "dept"}:
            raise UnknownNameError("column", column, ("discharge", "dept"), hint="Values are of discharge and dept.")
        if not values:
            raise CaseError(f"values of {column} are empty; name the values of the first part")
        rule = " or ".join(f"{_VARIABLES[column]} = {value}" for value in values)
        return cls(name or column, _two(rule, mark, label), adrgs=tuple(adrgs))

    @classmethod
    def procedures(
        cls,
        name: str,
        codes: Sequence[str],
        *,
        mark: str,
        label: str,
        number: int = 1,
        principal: bool = False,
        adrgs: Sequence[str] = (),
    ) -> Self:
        """Return the cases with procedures of a list, and the others.

        Parameters
        ----------
        name
            The feature's name, such as ``robot``.
        codes
            The procedures of the list, in the scheme's code set.
        mark, label
            The mark of the cases with the procedures in the codes of groups, and their words in the names.
        number
            Different procedures of the list that a case needs.
        principal
            Only the principal procedure counts.
        adrgs
            As for `bands`.
        """
        if not codes:
            raise CaseError(f"feature {name!r} lists no procedure")
        if principal and number != 1:
            raise CaseError(f"feature {name!r}: there is one principal procedure, and number is {number}")
        own = f"OP_LOCAL_{name}"
        rule = f"{'ZYSS' if principal else '{ZYSS, QTSS}'} in {own}"
        if number != 1:
            rule = f"length({own} ∩ {{ZYSS, QTSS}}) >= {number}"
        listed = frozenset(normalise_code(code) for code in codes)
        return cls(name, _two(rule, mark, label), sets={own: listed}, adrgs=tuple(adrgs))

    @property
    def divisions(self) -> Iterator[tuple[tuple[int, ...], ...]]:
        """The ways to join neighbouring parts, each as the places of the parts joined; the coarsest first."""
        for cuts in range(1, len(self.parts)):
            for places in itertools.combinations(range(1, len(self.parts)), cuts):
                bounds = [0, *places, len(self.parts)]
                yield tuple(tuple(range(*span)) for span in itertools.pairwise(bounds))

    def key(self, places: tuple[int, ...]) -> str:
        """Return the keys of joined parts."""
        return "+".join(self.parts[place].key for place in places)

    def text(self, division: tuple[tuple[int, ...], ...]) -> str:
        """Return a division as tables have it: ``severity: MCC | CC+none``."""
        return f"{self.name}: {' | '.join(map(self.key, division))}"

    def rule(self, places: tuple[int, ...]) -> str:
        """Return the rule of joined parts, "" where the last one is among them."""
        rules = [self.parts[place].rule for place in places]
        if not rules[-1]:
            return ""
        return rules[-1] if self.nested or len(rules) == 1 else " or ".join(f"({rule})" for rule in rules)

    def label(self, places: tuple[int, ...]) -> str:
        """Return the words of joined parts in the names of groups."""
        names = [self.parts[place].name for place in places]
        return self.joined.get(self.key(places), "或".join(filter(None, names)) if all(names) else "")

    def is_for(self, adrg: str) -> bool:
        """Return whether the feature may divide a core group."""
        return not self.adrgs or adrg in self.adrgs


def check_features(features: Sequence[Feature]) -> None:
    """Refuse features that share a name, a mark or a set."""
    marks: dict[str, str] = {}
    names: set[str] = set()
    for feature in features:
        if feature.name in names:
            raise CaseError(f"two features are named {feature.name!r}; name one otherwise")
        names.add(feature.name)
        for mark in filter(None, (part.mark for part in feature.parts)):
            if feature.name != SEVERITY and mark in _SEVERITY_MARKS:
                raise CaseError(
                    f"feature {feature.name!r} has the mark {mark}, which stands for severity; give another"
                )
            if mark in marks:
                raise CaseError(f"features {marks[mark]!r} and {feature.name!r} have the mark {mark} both; change one")
            marks[mark] = feature.name


def _two(rule: str, mark: str, label: str) -> tuple[FeaturePart, ...]:
    return FeaturePart("yes", rule, mark, label), FeaturePart("no", "", "", "")


def _marks(marks: Sequence[str], number: int, column: str) -> Sequence[str]:
    if len(marks) != number:
        raise CaseError(f"bands of {column} have {number} limits and {len(marks)} marks; give each limit one mark")
    return marks


def _band(column: str, low: int | None, high: int | None) -> tuple[str, str]:
    """Return the key of a band and its words in names of groups; those of all values are empty."""
    word, unit = _WORDS[column]
    if low is None:
        return (f"<{high}", f"{word}＜{high}{unit}") if high is not None else ("", "")
    if high is None:
        return f">={low}", f"{word}≥{low}{unit}"
    return f"{low}-{high - 1}", f"{word}{low}-{high - 1}{unit}"


def read_feature(row: Mapping[str, Any]) -> Feature:
    """Return the feature that a table of a plan declares."""
    options = dict(row)
    kind = options.pop("kind", None)
    makers = {
        "severity": Feature.severity,
        "bands": Feature.bands,
        "values": Feature.values,
        "procedures": Feature.procedures,
    }
    if kind not in makers:
        raise UnknownNameError("kind of feature", str(kind), makers, hint=f"There are {', '.join(makers)}.")
    try:
        made: Feature = makers[kind](**options)  # type: ignore[operator]
    except TypeError as error:
        raise CaseError(f"a feature of kind {kind!r} cannot be read: {error}") from error
    return made
