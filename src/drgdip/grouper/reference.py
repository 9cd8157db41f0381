"""The reference engine: one case, the rules as trees, every step visible.

It is what `group_one` and `explain` run, and the twin that the columnar engine is compared with.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from drgdip.codes import walks_to
from drgdip.errors import CaseError
from drgdip.fields import read_record
from drgdip.grouper.catalogue import Catalogue, load_any, newborn_weight_of, value_columns
from drgdip.grouper.grammar import (
    ALWAYS,
    LEVELS,
    VALUE_VARIABLES,
    And,
    Compare,
    Count,
    In,
    Not,
    Or,
    Rule,
    Severity,
)
from drgdip.grouper.result import DipResult, GroupResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drgdip.cases import Case
    from drgdip.grouper.scheme import Adrg, Drg, Mdc, Scheme

__all__ = [
    "Facts",
    "Log",
    "Visit",
    "facts_of",
    "group_facts",
    "group_one",
    "holds",
    "mapping_of",
    "record_of",
    "severity_findings",
    "unreadable_reason",
    "values_of",
]


class Facts(NamedTuple):
    """A case as rules see it.

    Attributes
    ----------
    codes
        Codes by variable (ZYZD, QTZD, ZYSS, QTSS); an absent principal code is an empty tuple.
    values
        Values by variable (NL, XB …); None for a missing one.
    levels
        Code by severity level, for the levels that some other diagnosis has and keeps.
    """

    codes: dict[str, tuple[str, ...]]
    values: dict[str, Any]
    levels: dict[str, str]


class HasSets(Protocol):
    """What rules ask for sets: a scheme or a catalogue."""

    @property
    def sets(self) -> Mapping[str, frozenset[str]]:
        """Codes by name of set."""


class Visit(NamedTuple):
    """A rule that was tried, for a trace."""

    row: Mdc | Adrg | Drg
    holds: bool
    facts: Facts


#: What the walk tells of the rules it tries; None where nobody listens.
Log = list[Visit] | None


def group_one(
    case: Case | Mapping[str, Any], scheme: str | Scheme | Catalogue, *, codes: str | None = None
) -> GroupResult | DipResult:
    """Group one case.

    Parameters
    ----------
    case
        A `drgdip.Case`, or a mapping with its columns under canonical names or aliases (``docs/cases.md``);
        ``dx`` and ``procs`` as lists or as text joined by ``|``, the principal code first. Other keys are passed
        over.
    scheme
        A scheme or a DIP catalogue, or the id of one.
    codes
        The edition of the case's codes (``clinical-2.0``; `drgdip.map_codes`), to be mapped to those of the scheme;
        None takes them as they are.

    Returns
    -------
    A `GroupResult`: ``mdc, adrg, group, status, reason, severity, severity_code``; of a catalogue a `DipResult`:
    ``group, kind, treatment, primary_care, status, reason``. A value that cannot be read gives the status ``invalid``
    with a reason, never an error.

    Raises
    ------
    UnknownNameError
        There is no such scheme, catalogue or edition.
    CaseError
        The case is neither a Case nor a mapping (a pandas Series counts as one), or two of its keys are aliases of
        one column; no cross-walk leads from ``codes`` to the scheme's.

    Notes
    -----
    Order of evaluation: the configuration workbook of scheme 3.0 (国家医保局《分组方案配置信息》); options are
    those of the scheme's ``[evaluation]`` table. Catalogues: ``docs/dip.md``.

    Examples
    --------
    >>> group_one({"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"], "procs": ["42.0902"]}, "chs-drg-2.0")[:4]
    ('MDCG', 'GC1', 'GC19', 'grouped')
    >>> group_one({"dx": ["I21.001"], "procs": ["36.0601", "00.2400x001"]}, "nhsa-dip-3.0")[:3]
    ('BX-619', 'merge', 'surgery')
    """
    scheme = load_any(scheme)
    if isinstance(scheme, Catalogue):
        from drgdip.grouper.match import match_case  # which builds on this module

        return match_case(case, scheme, codes)
    facts, unreadable = facts_of(case, scheme, codes)
    reason = refusal(facts, unreadable, scheme)
    if reason is not None:
        return GroupResult(None, None, None, "invalid", reason, None, None)
    return group_facts(facts, scheme)


def facts_of(case: Case | Mapping[str, Any], scheme: Scheme, codes: str | None = None) -> tuple[Facts, frozenset[str]]:
    """A case as rules see it, and the columns that cannot be read."""
    record, unreadable = record_of(case, scheme, codes)
    return make_facts(record["dx"], record["procs"], values_of(record), scheme), unreadable


def record_of(
    case: Case | Mapping[str, Any], scheme: Scheme | Catalogue, codes: str | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """The columns of a case with mapped codes and the weight that the scheme means, and those that cannot be read."""
    asks = isinstance(scheme, Catalogue) and scheme.matching.reads_cost
    record, unreadable = read_record(mapping_of(case), cost=asks)
    if codes is not None:
        for kind, walk in walks_to(codes, scheme).items():
            record[kind] = [None if code is None else walk.step(code)[0] for code in record[kind]]
    kind = newborn_weight_of(scheme)
    if kind and record["newborn_weight"] is None and "newborn_weight" not in unreadable:
        weight = f"{kind}_weight"
        record["newborn_weight"] = record[weight]
        if weight in unreadable:
            unreadable |= {"newborn_weight"}
    return record, unreadable


def values_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Values by variable of a case's columns."""
    return {variable: record[column] for variable, column in VALUE_VARIABLES.items()}


def mapping_of(case: Any) -> Mapping[str, Any]:
    """A case as a mapping: a `drgdip.Case`, a mapping, or a row that has keys, such as a pandas Series."""
    if isinstance(case, Mapping):
        return case
    if hasattr(type(case), "model_fields"):
        return dict(vars(case))
    if hasattr(case, "keys") and hasattr(case, "__getitem__") and not hasattr(case, "columns"):
        return {name: case[name] for name in case.keys()}  # noqa: SIM118 - a Series iterates over its values
    raise CaseError(f"a case is a drgdip.Case or a mapping, not a {type(case).__name__}; make it dict(...)")


def make_facts(dx: list[str | None], procs: list[str | None], values: dict[str, Any], scheme: Scheme) -> Facts:
    """Facts from codes and values that have been read."""
    principal = dx[0] if dx else None
    procedure = procs[0] if procs else None
    codes = {
        "ZYZD": () if principal is None else (principal,),
        "QTZD": tuple([code for code in dx[1:] if code is not None]),
        "ZYSS": () if procedure is None else (procedure,),
        "QTSS": tuple([code for code in procs[1:] if code is not None]),
    }
    return Facts(codes, values, _levels(codes, scheme))


def _levels(codes: dict[str, tuple[str, ...]], scheme: Scheme) -> dict[str, str]:
    levels: dict[str, str] = {}
    for code, level, _, cancelled in severity_findings(codes, scheme):
        if not cancelled and (level not in levels or code < levels[level]):
            levels[level] = code
    return levels


def severity_findings(codes: dict[str, tuple[str, ...]], scheme: Scheme) -> list[tuple[str, str, str, bool]]:
    """Code, level, exclusion table and whether it is cancelled, for each CC or MCC among the other diagnoses.

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


def refusal(facts: Facts, unreadable: frozenset[str], scheme: Scheme) -> str | None:
    """The reason why the scheme cannot take the case at all, or None."""
    values, required = facts.values, scheme.evaluation.required
    if unreadable and (reason := unreadable_reason(unreadable, value_columns(scheme))):
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


def group_facts(facts: Facts, scheme: Scheme, log: Log = None) -> GroupResult:
    """Walk the scheme: MDCs in order, their ADRGs in order, their DRGs in order; the first that holds wins."""
    result = _walk(facts, scheme, log)
    if result.group is None and scheme.evaluation.retry_other_procedures:
        for procedure in dict.fromkeys(facts.codes["QTSS"]):
            alone = facts._replace(codes=facts.codes | {"ZYSS": (procedure,), "QTSS": ()})
            retried = _walk(alone, scheme, log)
            if retried.group is not None:
                return retried
    return result if result.group is not None else result._replace(group=scheme.evaluation.ungroupable)


def unreadable_reason(unreadable: frozenset[str], columns: Iterable[str]) -> str | None:
    """The reason of a row that cannot be read, or of a column that grouping would read; None without one."""
    return next((f"unreadable_{column}" for column in ("row", *columns) if column in unreadable), None)


def _walk(facts: Facts, scheme: Scheme, log: Log) -> GroupResult:
    reason = "no_mdc"
    for mdc in scheme.mdcs:
        if not _try(mdc, facts, scheme, log):
            continue
        for adrg in mdc.adrgs:
            if not _try(adrg, facts, scheme, log):
                continue
            for drg in adrg.drgs:
                if _try(drg, facts, scheme, log):
                    return _taken(mdc, adrg, drg.code, facts)
            if not scheme.evaluation.adrg_fallthrough:
                return _taken(mdc, adrg, adrg.code, facts)
        if mdc.rule != ALWAYS:  # an MDC without condition says nothing about the case
            reason = "no_group"
        if not scheme.evaluation.mdc_fallthrough:
            break
    return GroupResult(None, None, None, "ungrouped", reason, *_severity(facts))


def _taken(mdc: Mdc, adrg: Adrg, group: str, facts: Facts) -> GroupResult:
    if adrg.kind == "ambiguous":
        # The MDC of an ambiguous case is the one that the code names, which need not be the one that led to it.
        return GroupResult(
            f"MDC{adrg.code[0]}", adrg.code, group, "ambiguous", "unrelated_procedure", *_severity(facts)
        )
    if adrg.kind == "ungroupable":
        return GroupResult(mdc.code, adrg.code, group, "ungrouped", "no_group", *_severity(facts))
    return GroupResult(mdc.code, adrg.code, group, "grouped", None, *_severity(facts))


def _severity(facts: Facts) -> tuple[str | None, str | None]:
    for level in LEVELS:
        if level in facts.levels:
            return level, facts.levels[level]
    return None, None


def _try(row: Mdc | Adrg | Drg, facts: Facts, scheme: Scheme, log: Log) -> bool:
    result = holds(row.rule, facts, scheme)
    if log is not None:
        log.append(Visit(row, result, facts))
    return result


def holds(rule: Rule, facts: Facts, scheme: HasSets) -> bool:
    """Whether a rule holds for a case."""
    return _HOLDS[type(rule)](rule, facts, scheme)


def _in(rule: In, facts: Facts, scheme: HasSets) -> bool:
    for variable in rule.variables:
        for code in facts.codes[variable]:
            for name in rule.sets:
                if code in scheme.sets[name]:
                    return not rule.negated
    return rule.negated


def _severity_is(rule: Severity, facts: Facts, _: HasSets) -> bool:
    return any(level in facts.levels for level in rule.levels) is not rule.negated


def _count(rule: Count, facts: Facts, scheme: HasSets) -> bool:
    return OPERATORS[rule.operator](len(counted(rule, facts, scheme)), rule.number)


def counted(rule: Count, facts: Facts, scheme: HasSets) -> set[str]:
    """The distinct codes that a count counts."""
    return {code for variable in rule.variables for code in facts.codes[variable] if code in scheme.sets[rule.set]}


def _compare(rule: Compare, facts: Facts, _: HasSets) -> bool:
    value = facts.values[rule.variable]
    return value is not None and OPERATORS[rule.operator](value, rule.value)


def _not(rule: Not, facts: Facts, scheme: HasSets) -> bool:
    return not holds(rule.part, facts, scheme)


def _and(rule: And, facts: Facts, scheme: HasSets) -> bool:
    return all(_HOLDS[type(part)](part, facts, scheme) for part in rule.parts)


def _or(rule: Or, facts: Facts, scheme: HasSets) -> bool:
    return any(_HOLDS[type(part)](part, facts, scheme) for part in rule.parts)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_HOLDS: dict[type, Callable[[Any, Facts, HasSets], bool]] = {
    In: _in,
    Severity: _severity_is,
    Count: _count,
    Compare: _compare,
    Not: _not,
    And: _and,
    Or: _or,
}
