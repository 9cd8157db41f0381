"""The explanation of a case: its result, every step to it, and how readers are told."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from drgdip.errors import UnknownNameError
from drgdip.grouper.lines import Line, as_html, as_text
from drgdip.grouper.result import REASONS, DipResult, GroupResult, path_text, status_word
from drgdip.grouper.telling import code_text, condition_text, group_name, lack_text, tongue_of
from drgdip.reasons import check_language, describe_reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.hints import Hint
    from drgdip.grouper.telling import Tongue
    from drgdip.grouper.trace import Neighbour, SeverityFinding, Step
    from drgdip.grouper.worth import Figure

__all__ = ["DETAILS", "Explanation", "Given", "fact", "figure_text", "path_of", "result_lines", "step_text"]

#: How much an explanation tells.
DETAILS = ("brief", "path", "full")
#: How deep the steps of a scheme stand in the text.
_LEVELS = {"mdc": 1, "adrg": 2, "drg": 3}
#: Groups beside the one that took the case that are told; the others are counted.
_NEIGHBOURS = 5

_Result_co = TypeVar("_Result_co", bound=GroupResult | DipResult, covariant=True)


class Given(NamedTuple):
    """A case as a scheme reads it: its words are looked up when they are asked for."""

    scheme: SchemeLike
    record: Mapping[str, Any]
    unreadable: frozenset[str]


@dataclass(frozen=True, slots=True)
class Explanation(Generic[_Result_co]):
    """A case, its result, and every step to it.

    ``hints`` say what may be wrong with the codes of a case that is not grouped. ``names`` has, of a catalogue's group
    without a name, what it asks for. ``figures`` has the weights and payment standards of the group that the caller
    gave. ``str`` of it (or `text`) is for a terminal, ``_repr_html_`` (or `to_html`) for a notebook, `to_json` for
    storing. Its words need the scheme, which a copy from pickle does not have: it tells codes without names.
    """

    scheme: str
    revision: int
    sha256: str
    case: dict[str, Any]
    result: _Result_co
    names: dict[str, str]
    severity: tuple[SeverityFinding, ...]
    steps: tuple[Step, ...]
    hints: tuple[Hint, ...] = ()
    figures: tuple[Figure, ...] = field(default=(), kw_only=True)
    given: Given | None = field(default=None, compare=False, kw_only=True)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        found = self.result.group or self.result.reason
        return f"<Explanation {self.scheme}: {self.result.status}, {found}, {len(self.steps)} steps>"

    def __getstate__(self) -> list[Any]:
        return [None if one.name == "given" else getattr(self, one.name) for one in dataclasses.fields(self)]

    def text(self, language: str = "en", *, detail: str = "path", steps: bool | None = None, width: int = 100) -> str:
        """Return the explanation as text.

        Parameters
        ----------
        language
            English (``"en"``) or Chinese (``"zh"``). Names of codes, ADRGs and DRGs stay Chinese.
        detail
            ``brief``: the result, and the codes with their names and severity. ``path``: besides, the rules that took
            the case, and what it lacks for the groups beside its own. ``full``: besides, every rule that was tried.
        steps
            The older way to say ``detail``: True is ``full``, False is ``brief``.
        width
            Columns of the terminal; longer lines are broken.

        Raises
        ------
        UnknownNameError
            There is no such language or detail.
        """
        if steps is not None:
            detail = "full" if steps else "brief"
        return as_text(self.lines(language, detail), language, width)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain dictionaries and lists; ``figures`` only where there are any."""
        names = [one.name for one in dataclasses.fields(self) if one.name != "given"]
        plain = {name: _plain(getattr(self, name)) for name in names if name != "figures" or self.figures}
        return plain | {"result": self.result._asdict()}

    def to_json(self, **options: Any) -> str:
        """Return the explanation as JSON; options are those of `json.dumps`."""
        given: dict[str, Any] = {"ensure_ascii": False, "default": str} | options
        return json.dumps(self.to_dict(), **given)

    def to_html(self, language: str = "en") -> str:
        """Return the explanation as HTML for a notebook: the path is open, the other rules are folded.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        """
        return as_html(self.lines(language, "full"), language, folded=("step",))

    def _repr_html_(self) -> str:
        return self.to_html()

    def lines(self, language: str = "en", detail: str = "path") -> Iterator[Line]:
        """Yield the lines of a text."""
        check_language(language)
        if detail not in DETAILS:
            raise UnknownNameError("detail", detail, DETAILS, hint=f"The details are {', '.join(DETAILS)}.")
        tongue = tongue_of(language, None if self.given is None else self.given.scheme)
        yield from self._facts(tongue)
        if detail != "brief":
            yield from self._path(tongue)
            yield from self._beside(tongue)
        if detail == "full" and self.steps:
            yield Line("step", 0, "", tongue.say("title.steps"), "")
            yield from (_step_line("step", step, tongue) for step in self.steps)

    def _facts(self, tongue: Tongue) -> Iterator[Line]:
        yield from result_lines(self, tongue)
        yield from (fact(tongue, "hint", _hinted(hint, tongue)) for hint in self.hints)
        yield from (fact(tongue, figure.measure, figure_text(figure, tongue)) for figure in self.figures)
        yield from self._codes(tongue)
        told = self.result._asdict()
        if told.get("treatment"):
            treatment = tongue.say(f"treatment.{told['treatment']}")
            care = tongue.say("join.codes") + tongue.say("title.primary_care") if told["primary_care"] else ""
            yield fact(tongue, "treatment", treatment + care)

    def _codes(self, tongue: Tongue) -> Iterator[Line]:
        found: dict[str, list[str]] = {}
        for finding in self.severity:
            found.setdefault(finding.code, []).append(_severity(finding, tongue))
        for column, first, rest in (
            ("dx", "principal_diagnosis", "other_diagnoses"),
            ("procs", "principal_procedure", "other_procedures"),
        ):
            codes = self.case.get(column) or []
            for code in codes[:1]:
                yield fact(tongue, first, tongue.say("title.blank") if code is None else code_text(code, tongue))
            if codes[1:]:
                yield fact(tongue, rest, "")
            for code in codes[1:]:
                marks = found.pop(code, []) if column == "dx" else []
                yield Line("fact", 1, "", "", " · ".join([code_text(code, tongue), *marks]))
        if not self.severity and "severity" in self.result._asdict():
            yield Line("fact", 0, "", "", tongue.say("title.severity_none"))
        if self.case.get("total_cost") is not None:
            yield fact(tongue, "total_cost", tongue.say("title.yuan", figure=self.case["total_cost"]))

    def _path(self, tongue: Tongue) -> Iterator[Line]:
        if not self.steps:
            return
        taken = path_of(self.steps)
        if all(step.level == "mdc" and not step.conditions for step in taken):
            taken = []  # an MDC without condition says nothing about the case
        yield Line("path", 0, "", tongue.say("title.path"), "")
        yield from (_step_line("path", step, tongue) for step in taken)
        others = [step for step in self.steps if step not in taken]
        for step in others:
            if step.holds and step.conditions and step.level in _LEVELS:
                name = group_name(step.code, step.name, tongue)
                yield Line("path", 1, "", "", tongue.say("step.nothing_taken", code=step.code, name=name))
        counts = {level: sum(step.level == level and not step.holds for step in others) for level in _LEVELS}
        if any(step.level in _LEVELS for step in self.steps):
            yield fact(tongue, "rejected", tongue.say("step.rejected", **counts), part="path", depth=1)
        else:
            groups = sum(step.behind is None for step in others)
            yield fact(tongue, "rejected", tongue.say("step.rejected_dip", groups=groups), part="path", depth=1)

    def _beside(self, tongue: Tongue) -> Iterator[Line]:
        near = () if self.given is None else self.given.scheme.neighbours(self.given.record, self.given.unreadable)
        if not near:
            return
        dip = isinstance(self.result, DipResult)
        title = "neighbours" if not dip else "neighbours_dip" if self.result.group else "neighbours_none"
        yield Line("near", 0, "", tongue.say(f"title.{title}"), "")
        for one in near[:_NEIGHBOURS]:
            yield Line("near", 1, "", _title(one.kind, one.code, one.name, tongue), _lacking(one, tongue))
        if near[_NEIGHBOURS:]:
            yield Line("near", 1, "", "", tongue.say("near.more", number=len(near) - _NEIGHBOURS))


def path_of(steps: tuple[Step, ...]) -> list[Step]:
    """Return the steps that took the case, from the category to the group, as far as they went."""
    path: list[Step] = []
    deepest = len(_LEVELS) + 1
    for step in reversed(steps):
        depth = _LEVELS.get(step.level, 1)
        if step.holds and depth < deepest:
            path.insert(0, step)
            deepest = depth
    return path


def result_lines(told: Any, tongue: Tongue) -> Iterator[Line]:
    """Yield the case, its scheme, status, group and reason of an explanation, or of what has the same attributes."""
    result = told.result
    status = status_word(result.status, tongue.language)
    number = told.case.get("case_id") or ""
    words = [f"{tongue.say('title.case')} {number}".rstrip(), told.scheme, status]
    yield Line("fact", 0, "", "", " · ".join(words))
    path = path_text(result)
    if path:
        title = "group_dip" if isinstance(result, DipResult) else "group"
        yield fact(tongue, title, f"{path}  {told.names.get(result.group or '', '')}".rstrip())
    if result.reason:
        yield fact(tongue, "reason", REASONS[result.reason][tongue.language == "zh"])


def figure_text(figure: Figure, tongue: Tongue) -> str:
    """Return a weight or a payment standard as a text."""
    measure, value, of = figure
    text = tongue.say("title.yuan", figure=value) if measure in {"standard", "base_rate"} else str(value)
    return f"{text} ({of})" if of else text


def step_text(step: Step, tongue: Tongue) -> str:
    """Return what decided a step."""
    decided = [condition_text(condition, tongue) for condition in step.conditions]
    if step.behind:
        decided.insert(0, tongue.say("step.behind", why=tongue.say(f"prefer.{step.behind}")))
    return tongue.say("join.parts").join(decided) or tongue.say("step.always")


def _step_line(part: str, step: Step, tongue: Tongue) -> Line:
    """Return a step as a line."""
    # The code of a category or core group tells its level; a catalogue's group does not tell its kind.
    kind = "" if step.level in _LEVELS else step.level
    title = _title(kind, step.code, step.name, tongue)
    return Line(part, _LEVELS.get(step.level, 1), "✓" if step.holds else "✗", title, step_text(step, tongue))


def _title(kind: str, code: str, name: str, tongue: Tongue) -> str:
    word = tongue.say(f"kind.{kind}") if kind else ""
    return " ".join(filter(None, (word, code, group_name(code, name, tongue))))


def _lacking(one: Neighbour, tongue: Tongue) -> str:
    told = [tongue.say("step.behind", why=tongue.say(f"prefer.{one.behind}"))] if one.behind else []
    told += [tongue.say("near.first", code=one.first)] if one.first else []
    lacks = tongue.say("join.parts").join(lack_text(condition, tongue) for condition in one.lacks)
    return tongue.say("join.parts").join([*told, *([tongue.say("near.lacks", what=lacks)] if lacks else [])])


def _severity(finding: SeverityFinding, tongue: Tongue) -> str:
    if finding.cancelled_by is None:
        return tongue.say("severity.counts", level=finding.level)
    code = finding.cancelled_by
    return tongue.say("severity.cancelled", level=finding.level, table=finding.exclusion, code=code)


def _hinted(hint: Hint, tongue: Tongue) -> str:
    """Return a hint as a text."""
    text = describe_reason(f"{hint.reason}:{hint.code}", tongue.language)
    if hint.editions:
        text += f" {', '.join(hint.editions)}"
    if not hint.nearest:
        return text
    nearest = tongue.say("join.codes").join(code_text(code, tongue) for code in hint.nearest)
    return tongue.say("join.parts").join([text, tongue.say("title.nearest", codes=nearest)])


def fact(tongue: Tongue, title: str, text: str, *, part: str = "fact", depth: int = 0) -> Line:
    """Return a line with a title from the table of words."""
    return Line(part, depth, "", tongue.say(f"title.{title}"), text)


def _plain(value: Any) -> Any:
    """Return a value of an explanation as `dataclasses.asdict` would."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return copy.deepcopy(value)
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
