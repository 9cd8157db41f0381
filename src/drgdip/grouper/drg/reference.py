"""The reference engine of DRG schemes: one case, the rules as trees, every step visible.

It is what `drgdip.group_one` and `drgdip.explain` run, and the twin that the columnar engine is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._once import once_for
from drgdip.cases.codes import known_codes
from drgdip.grouper.drg.model import STATUS_OF_KIND, codes_asked
from drgdip.grouper.facts import Facts, holds, unreadable_reason, values_of
from drgdip.grouper.grammar import ALWAYS, DIAGNOSES, LEVELS, VALUE_VARIABLES
from drgdip.grouper.result import GroupResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.grouper.drg.model import Adrg, Drg, Mdc, SchemeTables

__all__ = [
    "NOT_GROUPED",
    "UNKNOWN",
    "Log",
    "Visit",
    "facts_of",
    "group_facts",
    "group_record",
    "numbered_diagnoses",
    "refusal",
    "severity_findings",
]

#: The reasons of a case that no MDC takes because its principal diagnosis takes no part in grouping, or is no code.
NOT_GROUPED = "principal_diagnosis_not_grouped"
UNKNOWN = "unknown_principal_diagnosis"


class Visit(NamedTuple):
    """A rule that was tried, for a trace."""

    row: Mdc | Adrg | Drg
    holds: bool
    facts: Facts


#: The rules that the walk tried, for a trace; None where nobody listens.
Log = list[Visit] | None


def group_record(record: Mapping[str, Any], unreadable: frozenset[str], scheme: SchemeTables) -> GroupResult:
    """Group a case that has been read (`drgdip.grouper.record`)."""
    facts = facts_of(record, scheme)
    reason = refusal(facts, unreadable, scheme)
    if reason is not None:
        return GroupResult(None, None, None, "invalid", reason, None, None)
    return group_facts(facts, scheme)


def facts_of(record: Mapping[str, Any], scheme: SchemeTables) -> Facts:
    """Return a case that has been read as rules see it."""
    dx, procs = record["dx"], record["procs"]
    principal = dx[0] if dx else None
    procedure = procs[0] if procs else None
    codes = {
        "ZYZD": () if principal is None else (principal,),
        "QTZD": tuple([code for code in dx[1:] if code is not None]),
        "ZYSS": () if procedure is None else (procedure,),
        "QTSS": tuple([code for code in procs[1:] if code is not None]),
    }
    return Facts(codes, values_of(record), _levels(codes, scheme))


def _levels(codes: dict[str, tuple[str, ...]], scheme: SchemeTables) -> dict[str, str]:
    levels: dict[str, str] = {}
    for code, level, _, cancelled in severity_findings(codes, scheme):
        if not cancelled and (level not in levels or code < levels[level]):
            levels[level] = code
    return levels


def severity_findings(codes: dict[str, tuple[str, ...]], scheme: SchemeTables) -> list[tuple[str, str, str, bool]]:
    """Return code, level, exclusion table and whether it is cancelled, for each CC or MCC among the other diagnoses.

    Each code names its own exclusion table, which is tested against the principal diagnosis. A code that a scheme
    lists as MCC and as CC is both.
    """
    found = []
    for code in codes["QTZD"]:
        entry = scheme.severity.get(code)
        if entry is not None:
            table = scheme.exclusions.get(entry.exclusion, ())
            cancelled = any(principal in table for principal in codes["ZYZD"])
            found += [(code, level, entry.exclusion, cancelled) for level in entry.levels]
    return found


def refusal(facts: Facts, unreadable: frozenset[str], scheme: SchemeTables) -> str | None:
    """Return the reason why the scheme cannot take the case at all, or None."""
    values, required = facts.values, scheme.evaluation.required
    if unreadable and (reason := unreadable_reason(unreadable, scheme.value_columns)):
        return reason
    for variable in required:
        if variable in values:
            if values[variable] is None:
                return f"missing_{VALUE_VARIABLES[variable]}"
        elif variable == "ZYZD" and not facts.codes["ZYZD"]:
            if not (scheme.evaluation.blank_principal_diagnosis and facts.codes["QTZD"]):
                return "missing_principal_diagnosis"
        elif variable == "ZYSS" and not facts.codes["ZYSS"]:
            return "missing_principal_procedure"
    if "XB" in required and values["XB"] not in {1, 2}:
        return "invalid_sex"
    if "NL" in required:
        if values["NL"] == 0 and values["XSRTL"] is None:
            return "missing_age_days"
        if values["XSRTL"] is not None and values["XSRTL"] <= 28 and values["XSRTZ"] is None:
            return "missing_newborn_weight"
    return None


def group_facts(facts: Facts, scheme: SchemeTables, log: Log = None) -> GroupResult:
    """Walk the scheme: MDCs in order, their ADRGs in order, their DRGs in order; the first that holds wins."""
    result = _walk(facts, scheme, log)
    if result.group is None and scheme.evaluation.retry_other_procedures:
        for procedure in dict.fromkeys(facts.codes["QTSS"]):
            alone = facts._replace(codes=facts.codes | {"ZYSS": (procedure,), "QTSS": ()})
            retried = _walk(alone, scheme, log)
            if retried.group is not None:
                return retried
    if result.group is not None:
        return result
    if result.reason == "no_mdc":
        result = result._replace(reason=_why_no_mdc(facts, scheme))
    return result._replace(group=scheme.evaluation.ungroupable)


def _why_no_mdc(facts: Facts, scheme: SchemeTables) -> str:
    principal = facts.codes["ZYZD"]
    if not scheme.not_grouped.get("diagnosis", frozenset()).isdisjoint(principal):
        return NOT_GROUPED
    if known_codes(scheme.info.diagnosis_codes) and principal and numbered_diagnoses(scheme).isdisjoint(principal):
        return UNKNOWN
    return "no_mdc"


@once_for
def numbered_diagnoses(scheme: SchemeTables) -> frozenset[str]:
    """Return the diagnoses that a scheme or its code set has."""
    return codes_asked(scheme, DIAGNOSES).union(
        scheme.severity,
        *scheme.exclusions.values(),
        scheme.not_grouped.get("diagnosis", ()),
        known_codes(scheme.info.diagnosis_codes),
    )


def _walk(facts: Facts, scheme: SchemeTables, log: Log) -> GroupResult:
    reason = "no_mdc"
    for mdc in scheme.mdcs:
        if not _try(mdc, facts, scheme, log):
            continue
        for adrg in mdc.adrgs:
            if not _try(adrg, facts, scheme, log):
                continue
            for drg in adrg.drgs:
                if _try(drg, facts, scheme, log):
                    return _taken(adrg, drg.code, facts)
            if not scheme.evaluation.adrg_fallthrough:
                return _taken(adrg, adrg.code, facts)
        if mdc.rule != ALWAYS:  # an MDC without condition says nothing about the case
            reason = "no_group"
        if not scheme.evaluation.mdc_fallthrough:
            break
    return GroupResult(None, None, None, "ungrouped", reason, *_severity(facts))


def _taken(adrg: Adrg, group: str, facts: Facts) -> GroupResult:
    status, reason = STATUS_OF_KIND.get(adrg.kind, ("grouped", None))
    return GroupResult(adrg.result_mdc, adrg.code, group, status, reason, *_severity(facts))


def _severity(facts: Facts) -> tuple[str | None, str | None]:
    for level in LEVELS:
        if level in facts.levels:
            return level, facts.levels[level]
    return None, None


def _try(row: Mdc | Adrg | Drg, facts: Facts, scheme: SchemeTables, log: Log) -> bool:
    result = holds(row.rule, facts, scheme)
    if log is not None:
        log.append(Visit(row, result, facts))
    return result
