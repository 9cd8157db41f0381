"""Why a case is in its group: every rule or group tried, and in each the condition that decided."""

from __future__ import annotations

import dataclasses
import html
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip.errors import UnknownNameError
from drgdip.fields import is_missing, resolve
from drgdip.grouper.catalogue import Catalogue, load_any
from drgdip.grouper.grammar import VALUE_VARIABLES, And, Count, In, Not, Or, Rule, Severity
from drgdip.grouper.match import Trial, match, questions
from drgdip.grouper.reference import (
    Facts,
    Visit,
    counted,
    group_facts,
    holds,
    make_facts,
    mapping_of,
    record_of,
    refusal,
    severity_findings,
    values_of,
)
from drgdip.grouper.result import REASONS, STATUSES, DipResult, GroupResult
from drgdip.grouper.scheme import Adrg, Mdc, Scheme, mdc_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drgdip.cases import Case
    from drgdip.grouper.match import Situation

__all__ = ["Condition", "Explanation", "SeverityFinding", "Step", "explain"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that decided a rule.

    Attributes
    ----------
    text
        The condition as the rule has it.
    holds
        Whether it holds for the case.
    membership
        Whether it asks for codes in sets (or severity levels); if not, it compares a value.
    codes
        The codes of the case that it found.
    value
        What the case has, for a comparison; the number of distinct codes, for a count.
    """

    text: str
    holds: bool
    membership: bool
    codes: tuple[str, ...]
    value: int | float | str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that was tried: of an MDC, an ADRG or a DRG (``level``), or a group of a catalogue (its kind).

    ``holds`` says of a group of a catalogue that it was taken: one that fits may give way to another, and ``behind``
    is the preference or option that put it behind; None of all others.
    """

    level: str
    code: str
    name: str
    rule: str
    holds: bool
    conditions: tuple[Condition, ...]
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class SeverityFinding:
    """A CC or MCC among the other diagnoses, and the principal diagnosis that cancels it, if it does."""

    code: str
    level: str
    exclusion: str
    cancelled_by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A case, its result, and every step to it.

    ``names`` has, of a catalogue's group without a name, what it asks for.
    ``str`` of it (or `text`) is for a terminal, ``_repr_html_`` for a notebook, `to_json` for storing.
    """

    scheme: str
    revision: int
    sha256: str
    case: dict[str, Any]
    result: GroupResult | DipResult
    names: dict[str, str]
    severity: tuple[SeverityFinding, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en", *, steps: bool = True) -> str:
        """The trace as text, with or without the steps.

        In English (``"en"``) or Chinese (``"zh"``); names of ADRGs and DRGs stay Chinese.
        """
        if language not in _WORDS:
            raise UnknownNameError("language", language, _WORDS, hint=f"The languages are {', '.join(_WORDS)}.")
        lines = self._lines(_WORDS[language], language, steps=steps)
        return "\n".join(f"{'  ' * depth}{line}" for depth, line in lines)

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain dictionaries and lists."""
        plain = dataclasses.asdict(self)
        return plain | {"result": self.result._asdict()}

    def to_json(self, **options: Any) -> str:
        """The explanation as JSON; options are those of `json.dumps`."""
        return json.dumps(self.to_dict(), **({"ensure_ascii": False} | options))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓' if step.holds else '✗'}</td><td>{html.escape(step.level)}</td>"
            f"<td>{html.escape(step.code)}</td><td>{html.escape(step.name)}</td>"
            f"<td>{'<br>'.join(html.escape(_describe(c, _WORDS['en'])) for c in step.conditions)}</td></tr>"
            for step in self.steps
        )
        lines = [html.escape(line) for depth, line in self._lines(_WORDS["en"], "en", steps=False)]
        return (
            f"<div><b>{lines[0]}</b><br>{'<br>'.join(lines[1:])}</div>"
            "<table><thead><tr><th></th><th>level</th><th>code</th><th>name</th><th>decided by</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def _lines(self, words: Mapping[str, str], language: str, *, steps: bool = True) -> list[tuple[int, str]]:
        result = self.result
        status = STATUSES[result.status] if language == "zh" else result.status
        dip = isinstance(result, DipResult)
        codes = (result.group,) if isinstance(result, DipResult) else (result.mdc, result.adrg, result.group)
        path = " → ".join(code for code in dict.fromkeys(codes) if code)
        lines = [
            (
                0,
                f"{words['case']} {self.case.get('case_id') or ''} · {self.scheme} · {status}".replace("  ", " "),
            )
        ]
        if path:
            lines.append((0, f"{words['group']}: {path}  {self.names.get(result.group or '', '')}".rstrip()))
        if result.reason:
            lines.append((0, f"{words['reason']}: {REASONS[result.reason][language == 'zh']}"))
        lines += [(0, f"{words[name]}: {shown}") for name, shown in self._codes()]
        if isinstance(result, DipResult) and result.treatment:
            care = f", {words['primary_care']}" if result.primary_care else ""
            lines.append((0, f"{words['treatment']}: {result.treatment}{care}"))
        for finding in self.severity:
            cancelled = ""
            if finding.cancelled_by:
                cancelled = words["cancelled"].format(table=finding.exclusion, code=finding.cancelled_by)
            lines.append((0, f"{finding.level}: {finding.code}{cancelled}"))
        if not self.severity and not dip:
            lines.append((0, f"CC, MCC: {words['none']}"))
        for step in self.steps if steps else ():
            depth = {"adrg": 2, "drg": 3}.get(step.level, 1)
            name = step.name
            if language == "en" and step.level == "mdc":
                name = mdc_names().get(step.code, name)
            decided = "; ".join(_describe(condition, words) for condition in step.conditions)
            if step.behind:
                decided += f" ({words['passed']}: {step.behind})"
            title = f"{step.code} {name}" if not dip else f"{step.level} {step.code} {name}".rstrip()
            lines.append((depth, f"{'✓' if step.holds else '✗'} {title}: {decided or words['always']}"))
        return lines

    def _codes(self) -> list[tuple[str, str]]:
        lists = [(column, self.case.get(column) or []) for column in ("dx", "procs")]
        shown = [(column, " | ".join(code or "–" for code in codes)) for column, codes in lists if codes]
        cost = self.case.get("total_cost")
        return shown if cost is None else [*shown, ("total_cost", cost)]


_WORDS = {
    "en": {
        "case": "case",
        "group": "group",
        "reason": "reason",
        "dx": "diagnoses",
        "procs": "procedures",
        "total_cost": "total cost",
        "treatment": "treatment",
        "primary_care": "primary-care group",
        "passed": "fits, but another is preferred",
        "none": "none",
        "always": "no condition",
        "cancelled": ", cancelled: exclusion table {table} has {code}",
        "yes": "yes",
        "no": "no",
        "missing": "missing",
    },
    "zh": {
        "case": "病例",
        "group": "病组",
        "reason": "原因",
        "dx": "诊断",
        "procs": "手术操作",
        "total_cost": "总费用",
        "treatment": "治疗方式",
        "primary_care": "基层病种",
        "passed": "符合，但另有优先病种",
        "none": "无",
        "always": "无条件",
        "cancelled": "，被排除：排除表{table}含{code}",
        "yes": "是",
        "no": "否",
        "missing": "缺",
    },
}


#: What groups of a catalogue ask for, in Chinese; the longer phrase first where one begins another.
_ASKED = {
    "any diagnosis": "任一诊断",
    "other diagnosis": "其他诊断",
    "diagnosis": "主要诊断",
    "principal procedure": "主要手术操作",
    "related procedure": "相关手术操作",
    "a procedure for each": "各需一项手术操作",
    "procedure": "手术操作",
    "conservative treatment": "保守治疗",
    "treatment": "治疗方式",
}


def _asked(text: str, words: Mapping[str, str]) -> str:
    """A condition in the language of the words; a rule is the same in both."""
    if words is _WORDS["en"]:
        return text
    for english, chinese in _ASKED.items():
        if text.startswith(english):
            return chinese + text.removeprefix(english)
    return text


def _describe(condition: Condition, words: Mapping[str, str]) -> str:
    found = ", ".join(condition.codes)
    if not found and not condition.membership:
        found = words["missing"] if condition.value is None else str(condition.value)
    answer = words["yes"] if condition.holds else words["no"]
    return f"{_asked(condition.text, words)}: {answer}{f' ({found})' if found else ''}"


def explain(
    case: Case | Mapping[str, Any], scheme: str | Scheme | Catalogue, *, codes: str | None = None
) -> Explanation:
    """Group one case and say why.

    Parameters
    ----------
    case, scheme, codes
        As for `drgdip.group_one`.

    Returns
    -------
    An `Explanation`: the result, every CC and MCC found with what cancelled it, and in order every MDC, ADRG and
    DRG rule that was tried, each with the conditions that decided it and the codes they found. Under a catalogue, every
    group that the principal diagnosis leaves, down to the stage that took the case.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.group_one`.

    Examples
    --------
    >>> trace = explain({"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"]}, "chs-drg-2.0")
    >>> trace.result.group
    'GZ19'
    >>> [step.code for step in trace.steps if step.holds]
    ['MDCA', 'MDCG', 'GZ1', 'GZ19']
    >>> print(trace.text("zh").splitlines()[0])
    病例 · chs-drg-2.0 · 分组成功
    """
    scheme = load_any(scheme)
    record, unreadable = record_of(case, scheme, codes)
    steps: Iterable[Step]
    if isinstance(scheme, Catalogue):
        trials: list[Trial] = []
        result: GroupResult | DipResult
        result, situation = match(record, unreadable, scheme, trials)
        findings: Iterable[SeverityFinding] = ()
        steps = (_trial_step(trial, situation, scheme) for trial in trials)
        names = {} if result.group is None else {result.group: scheme.label(result.group)}
    else:
        result, findings, steps = _explain_drg(record, unreadable, scheme)
        named = (result.mdc, result.adrg, result.group)
        names = {code: scheme.names[code] for code in named if code is not None and code in scheme.names}
    return Explanation(
        scheme=scheme.id,
        revision=scheme.info.revision,
        sha256=scheme.info.sha256,
        case=_record(case, record),
        result=result,
        names=names,
        severity=tuple(findings),
        steps=tuple(steps),
    )


def _explain_drg(
    record: Mapping[str, Any], unreadable: frozenset[str], scheme: Scheme
) -> tuple[GroupResult, list[SeverityFinding], list[Step]]:
    facts = make_facts(record["dx"], record["procs"], values_of(record), scheme)
    visits: list[Visit] = []
    reason = refusal(facts, unreadable, scheme)
    if reason is None:
        result = group_facts(facts, scheme, visits)
    else:
        result = GroupResult(None, None, None, "invalid", reason, None, None)
    principal = facts.codes["ZYZD"][0] if facts.codes["ZYZD"] else None
    findings = [
        SeverityFinding(code, level, exclusion, principal if cancelled else None)
        for code, level, exclusion, cancelled in severity_findings(facts.codes, scheme)
    ]
    return result, findings, [_step(visit, scheme) for visit in visits]


def _record(case: Case | Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    given = mapping_of(case)
    name = resolve(tuple(name for name in given if isinstance(name, str))).single.get("case_id")
    shown: dict[str, Any] = {"case_id": None if name is None or is_missing(given[name]) else str(given[name])}
    shown |= {column: record[column] for column in VALUE_VARIABLES.values()}
    if record.get("total_cost") is not None:
        shown["total_cost"] = str(Decimal(record["total_cost"]).scaleb(-2))  # it is read in fen
    for column in ("dx", "procs"):
        codes = [*(record[column][:1] or (None,)), *(code for code in record[column][1:] if code is not None)]
        shown[column] = [] if codes == [None] else codes
    return shown


def _trial_step(trial: Trial, situation: Situation, catalogue: Catalogue) -> Step:
    group = trial.group
    asked = list(questions(group, situation, catalogue))
    deciding = asked if trial.holds else [next(one for one in asked if not one.holds)]
    conditions = [Condition(one.text, one.holds, one.value is None, one.codes, one.value) for one in deciding]
    rule = "; ".join(one.text for one in asked)
    return Step(group.kind, group.code, group.name, rule, trial.preferred, tuple(conditions), trial.behind)


def _step(visit: Visit, scheme: Scheme) -> Step:
    row = visit.row
    level = "mdc" if isinstance(row, Mdc) else "adrg" if isinstance(row, Adrg) else "drg"
    conditions = tuple(decide(row.rule, visit.facts, scheme)[1])
    return Step(level, row.code, row.name, str(row.rule), visit.holds, conditions)


def decide(rule: Rule, facts: Facts, scheme: Scheme) -> tuple[bool, list[Condition]]:
    """Whether a rule holds, and the conditions without which it would be otherwise.

    Of an ``and`` that fails, the first part that fails; of one that holds, every part; of an ``or`` the other way
    round.
    """
    if isinstance(rule, Not):
        value, conditions = decide(rule.part, facts, scheme)
        return not value, conditions
    if isinstance(rule, And | Or):
        stops = isinstance(rule, Or)
        gathered: list[Condition] = []
        for part in rule.parts:
            value, conditions = decide(part, facts, scheme)
            if value is stops:
                return value, conditions
            gathered += conditions
        return not stops, gathered
    value = holds(rule, facts, scheme)
    codes: tuple[str, ...] = ()
    compared = None
    if isinstance(rule, In):
        present = (code for variable in rule.variables for code in facts.codes[variable])
        codes = tuple(dict.fromkeys(c for c in present if any(c in scheme.sets[name] for name in rule.sets)))
    elif isinstance(rule, Severity):
        codes = tuple(facts.levels[level] for level in rule.levels if level in facts.levels)
    elif isinstance(rule, Count):
        codes = tuple(sorted(counted(rule, facts, scheme)))
        compared = len(codes)
    else:
        compared = facts.values[rule.variable]
    return value, [Condition(str(rule), value, isinstance(rule, In | Severity), codes, compared)]
