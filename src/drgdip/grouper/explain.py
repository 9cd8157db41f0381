"""Why a case is in its group: every rule or group tried, for a terminal, a notebook or storage."""

from __future__ import annotations

import dataclasses
import html
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from drgdip._once import once
from drgdip._text import is_missing, shown
from drgdip.cases.names import resolve
from drgdip.data import rows_of
from drgdip.errors import UnknownNameError
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.hints import hints_of
from drgdip.grouper.load import load_any
from drgdip.grouper.record import mapping_of, record_of
from drgdip.grouper.result import REASONS, STATUSES, DipResult, GroupResult
from drgdip.reasons import describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from drgdip.cases.case import Case
    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.dip.catalogue import Catalogue
    from drgdip.grouper.drg.scheme import Scheme
    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.hints import Hint
    from drgdip.grouper.load import NationalCatalogue, NationalScheme
    from drgdip.grouper.trace import Condition, SeverityFinding, Step

__all__ = ["Explanation", "explain"]


_Result_co = TypeVar("_Result_co", bound=GroupResult | DipResult, covariant=True)


@dataclass(frozen=True, slots=True)
class Explanation(Generic[_Result_co]):
    """A case, its result, and every step to it.

    ``hints`` say what may be wrong with the codes of a case that is not grouped. ``names`` has, of a catalogue's group
    without a name, what it asks for.
    ``str`` of it (or `text`) is for a terminal, ``_repr_html_`` for a notebook, `to_json` for storing.
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

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en", *, steps: bool = True) -> str:
        """Return the trace as text, with or without the steps.

        The language is English (``"en"``) or Chinese (``"zh"``); names of ADRGs and DRGs stay Chinese.
        """
        if language not in _WORDS:
            raise UnknownNameError("language", language, _WORDS, hint=f"The languages are {', '.join(_WORDS)}.")
        lines = self._lines(_WORDS[language], language, steps=steps)
        return "\n".join(f"{'  ' * depth}{shown(line)}" for depth, line in lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain dictionaries and lists."""
        plain = dataclasses.asdict(self)
        return plain | {"result": self.result._asdict()}

    def to_json(self, **options: Any) -> str:
        """Return the explanation as JSON; options are those of `json.dumps`."""
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
        path = " → ".join(code for code in dict.fromkeys(result.path) if code)
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
        lines += [(0, _hinted(hint, words, language)) for hint in self.hints]
        lines += [(0, f"{words[name]}: {shown}") for name, shown in self._codes()]
        told = result._asdict()
        if told.get("treatment"):
            care = f", {words['primary_care']}" if told["primary_care"] else ""
            lines.append((0, f"{words['treatment']}: {told['treatment']}{care}"))
        for finding in self.severity:
            cancelled = ""
            if finding.cancelled_by:
                cancelled = words["cancelled"].format(table=finding.exclusion, code=finding.cancelled_by)
            lines.append((0, f"{finding.level}: {finding.code}{cancelled}"))
        if not self.severity and "severity" in told:
            lines.append((0, f"CC, MCC: {words['none']}"))
        for step in self.steps if steps else ():
            depth = _LEVELS.get(step.level, 1)
            name = step.name
            if language == "en" and step.level == "mdc":
                name = _english().get(step.code, name)
            decided = "; ".join(_describe(condition, words) for condition in step.conditions)
            if step.behind:
                decided += f" ({words['passed']}: {step.behind})"
            # The code of a category or core group tells its level; a catalogue's group does not tell its kind.
            title = f"{step.code} {name}" if step.level in _LEVELS else f"{step.level} {step.code} {name}".rstrip()
            lines.append((depth, f"{'✓' if step.holds else '✗'} {title}: {decided or words['always']}"))
        return lines

    def _codes(self) -> list[tuple[str, str]]:
        lists = [(column, self.case.get(column) or []) for column in ("dx", "procs")]
        shown = [(column, " | ".join(code or "–" for code in codes)) for column, codes in lists if codes]
        cost = self.case.get("total_cost")
        return shown if cost is None else [*shown, ("total_cost", cost)]


#: How deep the steps of a scheme stand in the text.
_LEVELS = {"mdc": 1, "adrg": 2, "drg": 3}


@once
def _english() -> Mapping[str, str]:
    """Return the English names of the MDCs by code; a translation of ours, for display only."""
    return {row["code"]: row["english"] for row in rows_of("names/mdc.csv")}


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
        "hint": "hint",
        "nearest": "nearest",
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
        "hint": "提示",
        "nearest": "最接近的编码",
    },
}


#: Demands of a catalogue's groups in Chinese; the longer phrase first where one begins another.
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
    """Return a condition in the language of the words; a rule is the same in both."""
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


def _hinted(hint: Hint, words: Mapping[str, str], language: str) -> str:
    """Return a hint as a line."""
    text = f"{words['hint']}: {describe_reason(f'{hint.reason}:{hint.code}', language)}"
    if hint.editions:
        text += f" {', '.join(hint.editions)}"
    return f"{text}; {words['nearest']}: {', '.join(hint.nearest)}" if hint.nearest else text


@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: Scheme | NationalScheme,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Explanation[GroupResult]: ...
@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: Catalogue | NationalCatalogue,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Explanation[DipResult]: ...
@overload
def explain(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Explanation[GroupResult | DipResult]: ...
def explain(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Explanation[Any]:
    """Group one case and say why.

    Parameters
    ----------
    case, scheme, columns, codes
        As for `drgdip.group_one`.

    Returns
    -------
    An `Explanation`: the result, and every CC and MCC found with the table that cancelled it. Its steps are the MDC,
    ADRG and DRG rules tried, in order, each with the conditions that decided it and the codes they found. Under a
    catalogue, they are the groups that the principal diagnosis leaves, down to the stage that took the case.

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
    loaded = load_any(scheme)
    given = mapping_of(case)
    record, unreadable = record_of(given, loaded, codes, columns)
    trace = loaded.trace(record, unreadable)
    return Explanation(
        scheme=loaded.id,
        revision=loaded.info.revision,
        sha256=loaded.info.sha256,
        case=_record(given, record, columns),
        result=trace.result,
        names=dict(trace.names),
        severity=trace.severity,
        steps=trace.steps,
        hints=() if trace.result.status == "grouped" else hints_of(record, loaded),
    )


def _record(given: Mapping[str, Any], record: Mapping[str, Any], columns: ColumnNames | None) -> dict[str, Any]:
    name = resolve([name for name in given if isinstance(name, str)], columns).single.get("case_id")
    shown: dict[str, Any] = {"case_id": None if name is None or is_missing(given[name]) else str(given[name])}
    shown |= {column: record[column] for column in VALUE_VARIABLES.values()}
    if record.get("total_cost") is not None:
        shown["total_cost"] = str(Decimal(record["total_cost"]).scaleb(-2))  # it is read in fen
    for column in ("dx", "procs"):
        codes = [*(record[column][:1] or (None,)), *(code for code in record[column][1:] if code is not None)]
        shown[column] = [] if codes == [None] else codes
    return shown
