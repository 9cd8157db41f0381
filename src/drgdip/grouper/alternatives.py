"""Alternatives of a case: its group with another principal diagnosis or procedure, and without each of its codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._listing import Listing
from drgdip.grouper.explain import explained
from drgdip.grouper.explanation import fact, figure_text, path_of, result_lines, step_text
from drgdip.grouper.lines import Line, as_html, as_text
from drgdip.grouper.load import load_any
from drgdip.grouper.principal import faults_of
from drgdip.grouper.record import mapping_of, record_of
from drgdip.grouper.result import path_text, status_word
from drgdip.grouper.telling import code_text, tongue_of
from drgdip.grouper.worth import figures_by_group
from drgdip.reasons import check_language, describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from drgdip.cases.case import Case
    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.explanation import Explanation
    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.result import DipResult, GroupResult
    from drgdip.grouper.telling import Tongue
    from drgdip.grouper.trace import SeverityFinding, Step
    from drgdip.grouper.worth import Figure

__all__ = ["CHANGES", "Alternative", "Alternatives", "Weighty", "alternatives"]

#: The changes, in the order of the table.
CHANGES = ("principal_diagnosis", "principal_procedure", "without_diagnosis", "without_procedure")
#: The columns of a case by the changes to them.
_COLUMNS = {change: "dx" if change.endswith("diagnosis") else "procs" for change in CHANGES}
#: Statuses and reasons of a case whose procedure does not go with its principal diagnosis.
_UNRELATED = {"unrelated_procedure", "no_treatment_group"}


class Alternative(NamedTuple):
    """A case with one change, and the group that it then has.

    Attributes
    ----------
    change
        One of `CHANGES`: the code is the principal diagnosis or procedure, or is left out.
    code
        The code.
    group, status, reason
        The result with the change.
    moved
        Whether group or status differ from those of the case as it is.
    faults
        Codes of `drgdip.list_reasons` (area ``alternatives``) that speak against the code as principal diagnosis.
    result
        The whole result.
    name
        The name of the group, "" for none.
    decided_by
        The first rule that takes the changed case and did not take the case as it is; None where none does.
    figures
        Weights and payment standards of the group, where they were asked for.
    """

    change: str
    code: str
    group: str | None
    status: str
    reason: str | None
    moved: bool
    faults: tuple[str, ...]
    result: GroupResult | DipResult
    name: str
    decided_by: Step | None
    figures: tuple[Figure, ...]


class Weighty(NamedTuple):
    """A CC or MCC of a case: its exclusion, and whether the case has another group without this one code."""

    code: str
    level: str
    cancelled_by: str | None
    decides: bool


#: The columns of the table that `Alternatives.rows` prints as.
_SHOWN = ("change", "code", "group", "status", "reason", "moved", "faults")


@dataclass(frozen=True, slots=True, repr=False)
class Alternatives:
    """The groups of a case with other codes (`drgdip.alternatives`).

    Attributes
    ----------
    base
        The `Explanation` of the case as it is.
    rows
        A `Listing` of `Alternative`, in the order of `CHANGES` and then as the codes stand in the record. It is never
        in the order of weights or money.
    severity
        Each CC and MCC of the case (`Weighty`); none under a catalogue.
    findings
        The rules that speak against the principal diagnosis as it is: codes of `drgdip.list_reasons`, some with the
        code that they are about.
    """

    base: Explanation[Any]
    rows: Listing[Alternative]
    severity: tuple[Weighty, ...]
    findings: tuple[str, ...]

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        moved = sum(row.moved for row in self.rows)
        return f"<Alternatives {self.base.scheme}: {len(self.rows)} changes, {moved} of them move the case>"

    def text(self, language: str = "en", *, width: int = 100) -> str:
        """Return the alternatives as text.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        width
            Columns of the terminal; longer lines are broken.
        """
        return as_text(self._lines(language), language, width)

    def to_html(self, language: str = "en") -> str:
        """Return the alternatives as HTML for a notebook.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        """
        return as_html(self._lines(language), language)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_dict(self) -> dict[str, Any]:
        """Return the alternatives as plain dictionaries and lists."""
        base = self.base
        told = {"scheme": base.scheme, "revision": base.revision, "sha256": base.sha256, "case": base.case}
        return {
            **told,
            "result": base.result._asdict(),
            "findings": list(self.findings),
            "severity": [one._asdict() for one in self.severity],
            "alternatives": [_plain(row) for row in self.rows],
        }

    def _lines(self, language: str) -> Iterator[Line]:
        check_language(language)
        tongue = tongue_of(language, None if self.base.given is None else self.base.given.scheme)
        yield from result_lines(self.base, tongue)
        yield from (fact(tongue, figure.measure, figure_text(figure, tongue)) for figure in self.base.figures)
        for finding in self.findings:
            code = finding.partition(":")[2]
            text = describe_reason(finding, language)
            yield fact(tongue, "finding", text.replace(code, code_text(code, tongue)) if code else text)
        for change in CHANGES:
            mine = [row for row in self.rows if row.change == change]
            if not mine:
                continue
            yield Line(change, 0, "", tongue.say(f"what_if.{change}"), "")
            for row in mine:
                if row.moved or row.faults:
                    yield Line(change, 1, "", code_text(row.code, tongue), _told(row, tongue))
            same = [row.code for row in mine if not row.moved and not row.faults]
            if same:
                yield fact(tongue, "unchanged", tongue.say("join.codes").join(same), part=change, depth=1)
        if self.severity:
            yield Line("severity", 0, "", tongue.say("what_if.severity"), "")
        for one in self.severity:
            word = "cancelled" if one.cancelled_by else "decides" if one.decides else "counts"
            text = tongue.say(f"what_if.{word}", code=one.cancelled_by)
            yield Line("severity", 1, "", f"{one.level} {code_text(one.code, tongue)}", text)


def _told(row: Alternative, tongue: Tongue) -> str:
    """Return what becomes of the case with a change."""
    parts = [] if row.moved else [tongue.say("what_if.same")]
    path = path_text(row.result)
    if row.moved and path:
        parts.append(f"{path} {row.name}".rstrip())
    if row.moved and row.status not in {"grouped", "ambiguous"}:  # the name of an ambiguous group says what it is
        parts.append(status_word(row.status, tongue.language))
    if row.reason and row.reason not in row.faults:
        parts.append(describe_reason(row.reason, tongue.language))
    if row.decided_by is not None:
        parts.append(tongue.say("what_if.by", code=row.decided_by.code, text=step_text(row.decided_by, tongue)))
    parts += [tongue.say("what_if.fault", text=describe_reason(fault, tongue.language)) for fault in row.faults]
    parts += [f"{tongue.say(f'title.{figure.measure}')} {figure_text(figure, tongue)}" for figure in row.figures]
    return tongue.say("join.parts").join(parts)


def _plain(row: Alternative) -> dict[str, Any]:
    told: dict[str, Any] = {"change": row.change, "code": row.code, "result": row.result._asdict(), "name": row.name}
    told |= {"moved": row.moved, "faults": list(row.faults)}
    told["decided_by"] = None if row.decided_by is None else [row.decided_by.code, row.decided_by.rule]
    return told | ({"figures": [figure._asdict() for figure in row.figures]} if row.figures else {})


def alternatives(
    case: Case | Mapping[str, Any],
    scheme: str | os.PathLike[str] | SchemeLike,
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Any = None,
) -> Alternatives:
    """Group one case with other codes: another principal diagnosis or procedure, or without one of its codes.

    Parameters
    ----------
    case, scheme, columns, codes
        As for `drgdip.group_one`.
    weights
        Weights and payment standards to be told beside each group, as for `drgdip.explain`; None tells none.

    Returns
    -------
    An `Alternatives`. Its rows stand as the codes stand in the record: a list by weight would advise to choose codes by
    money. The principal diagnosis is that of the coding rules; ``faults`` of a row say which rule forbids a code.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.explain`.

    Notes
    -----
    Lists that bar principal diagnoses: ``not_grouped.csv`` of a scheme, else the excluded diagnoses of a catalogue or
    the annex of the national specification of DIP 3.0. Symptoms and external causes: ICD-10, chapters XVIII and XX.
    Sex and age: the conditions of the scheme's MDCs.

    Examples
    --------
    >>> found = alternatives({"sex": 1, "age": 71, "dx": ["R55.x00", "I63.900"]}, "chs-drg-2.0")
    >>> found.findings
    ('symptom_principal',)
    >>> [(row.change, row.code, row.group) for row in found.rows][0]
    ('principal_diagnosis', 'I63.900', 'BR25')
    """
    loaded = load_any(scheme)
    given = mapping_of(case)
    record, unreadable = record_of(given, loaded, codes, columns)
    figures = {} if weights is None else figures_by_group(weights)
    base = explained(given, record, unreadable, loaded, columns, figures)
    rows = [
        _alternative(change, code, record | {_COLUMNS[change]: changed}, unreadable, base, figures)
        for change, code, changed in _changes(record)
    ]
    left_out = {row.code: row.moved for row in rows if row.change == "without_diagnosis"}
    return Alternatives(
        base=base,
        rows=Listing(rows, _SHOWN),
        severity=tuple(_weighty(finding, left_out) for finding in base.severity),
        findings=tuple(_findings(record, base, rows)),
    )


def _changes(record: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str | None]]]:
    """Yield each change, its code, and the codes of the column after it; a code that stands twice is tried once."""
    for change in CHANGES[:2]:
        codes = record[_COLUMNS[change]]
        for place, code in enumerate(codes):
            if place and code is not None and code not in codes[:place]:
                yield change, code, [code, *codes[:place], *codes[place + 1 :]]
    for change in CHANGES[2:]:
        codes = record[_COLUMNS[change]]
        for code in dict.fromkeys(code for code in codes if code is not None):
            yield change, code, [other for other in codes if other != code]


def _alternative(
    change: str,
    code: str,
    record: Mapping[str, Any],
    unreadable: frozenset[str],
    base: Explanation[Any],
    figures: Mapping[str, tuple[Figure, ...]],
) -> Alternative:
    scheme = base.given.scheme  # type: ignore[union-attr]  # it was made here
    result = scheme.group_record(record, unreadable)
    moved = (result.group, result.status) != (base.result.group, base.result.status)
    names: Mapping[str, str] = base.names
    decided_by = None
    if moved:  # only then does one want to know the steps, which take several times as long
        _, names, _, steps = scheme.trace(record, unreadable)
        before = {(step.level, step.code) for step in path_of(base.steps)}
        decided_by = next((step for step in path_of(steps) if (step.level, step.code) not in before), None)
    return Alternative(
        change=change,
        code=code,
        group=result.group,
        status=result.status,
        reason=result.reason,
        moved=moved,
        faults=faults_of(code, record, scheme) if change == "principal_diagnosis" else (),
        result=result,
        name=names.get(result.group or "", ""),
        decided_by=decided_by,
        figures=figures.get(result.group or "", ()),
    )


def _weighty(finding: SeverityFinding, left_out: Mapping[str, bool]) -> Weighty:
    decides = finding.cancelled_by is None and left_out[finding.code]
    return Weighty(finding.code, finding.level, finding.cancelled_by, decides)


def _findings(record: Mapping[str, Any], base: Explanation[Any], rows: list[Alternative]) -> Iterator[str]:
    """Yield what speaks by rule against the principal diagnosis as it is."""
    dx = record["dx"]
    if dx and dx[0] is not None:
        yield from faults_of(dx[0], record, base.given.scheme)  # type: ignore[union-attr]  # it was made here
    if base.result.reason in _UNRELATED and any(record["procs"][:1]):
        for row in rows:
            if row.change == "principal_diagnosis" and row.status == "grouped" and not row.faults:
                yield f"procedure_of_other_diagnosis:{row.code}"
