"""Rules on the principal diagnosis: which codes may not be one, by the reason, for checks and for what-if."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drgdip._once import once, once_for
from drgdip.cases.codes import codes_of_chapter, grey_codes, known_codes
from drgdip.data import rows_of
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.family import Entrance, SchemeLike

__all__ = ["CHAPTERS", "barred_codes", "conflict_of", "faults_of"]

#: Diagnoses that may not be principal ones where a scheme has no list: that of the national specification of DIP 3.0.
_NOT_PRINCIPAL = "checks/not_principal.csv"
#: Chapters of the ICD-10 whose codes are no principal diagnoses, or not beside a diagnosis of another chapter.
CHAPTERS = "checks/chapters.csv"
#: The reason of a symptom, which may be a principal diagnosis where nothing else is known.
_SYMPTOM = "symptom_principal"


@once
def _not_principal() -> frozenset[str]:
    return frozenset(row["code"] for row in rows_of(_NOT_PRINCIPAL))


def barred_codes(scheme: SchemeLike) -> Mapping[str, frozenset[str]]:
    """Return the diagnoses that may not be principal ones by a scheme's own list, or by the national one of DIP.

    The key is the reason: `principal_diagnosis_not_grouped` of a scheme with a list, else `not_principal`.
    """
    if scheme.not_grouped:
        return MappingProxyType({"principal_diagnosis_not_grouped": scheme.not_grouped.get("diagnosis", frozenset())})
    return MappingProxyType({"not_principal": scheme.principal_barred or _not_principal()})


def faults_of(code: str, record: Mapping[str, Any], scheme: SchemeLike) -> tuple[str, ...]:
    """Return the reasons why a diagnosis may not be, or should not be, the principal one of a case.

    Parameters
    ----------
    code
        A diagnosis of the case.
    record
        The case as it was read (`drgdip.grouper.record`).
    scheme
        The scheme or catalogue.

    Returns
    -------
    Codes of `drgdip.list_reasons`; none where no rule speaks against it. A symptom counts only where another diagnosis
    of the case could be the principal one.
    """
    found = list(_by_lists(code, scheme))
    others = (other for other in record["dx"] if other is not None and other != code)
    if _SYMPTOM in found and all(any(_by_lists(other, scheme)) for other in others):
        found.remove(_SYMPTOM)
    conflict = conflict_of(code, record, scheme)
    return tuple([*found, conflict] if conflict else found)


def _by_lists(code: str, scheme: SchemeLike) -> Iterator[str]:
    """Yield the reasons that the lists and the code set have against a code."""
    code_set = scheme.info.diagnosis_codes
    known = known_codes(code_set)
    if known and code not in known and code not in scheme.named_codes:
        yield "unknown_principal_diagnosis"
    if code in grey_codes(code_set):
        yield "grey_principal_diagnosis"
    for reason, codes in barred_codes(scheme).items():
        if code in codes:
            yield reason
    for row in rows_of(CHAPTERS):
        if code in codes_of_chapter(code_set, row["chapter"]):
            yield row["reason"]


def conflict_of(code: str, record: Mapping[str, Any], scheme: SchemeLike) -> str | None:
    """Return ``sex_conflict`` or ``age_conflict`` if MDCs take a principal diagnosis only at another sex or age.

    Conditions of an MDC on other diagnoses and on procedures count as met; a missing value conflicts with nothing.
    `drgdip.grouper.check_rules` asks the same of columns.
    """
    ways = [(codes, comparisons) for codes, comparisons in _entrances(scheme) if codes is None or code in codes]
    if any(codes is not None and not comparisons for codes, comparisons in ways):
        return None
    values = {variable: record[VALUE_VARIABLES[variable]] for variable in ("XB", "NL", "XSRTL")}
    if values["XB"] not in {1, 2}:
        values["XB"] = None
    if _taken(ways, values):
        return None
    if _taken(ways, values, ("XB",)):
        return "sex_conflict"
    return "age_conflict" if _taken(ways, values, ("NL", "XSRTL")) else None


@once_for
def _entrances(scheme: SchemeLike) -> tuple[Entrance, ...]:
    return tuple(scheme.entrances())


def _taken(ways: list[Entrance], values: Mapping[str, Any], besides: tuple[str, ...] = ()) -> bool:
    """Return whether some MDC would take a case if it did not look at the variables ``besides``."""
    for codes, comparisons in ways:
        if not comparisons or (codes is None and besides):
            continue
        met = True
        for condition, wanted in comparisons:
            if condition.variable in values and condition.variable not in besides:
                value = values[condition.variable]
                # A missing value leaves open what the diagnosis asks for, but opens no way by itself.
                met = met and (
                    codes is not None
                    if value is None
                    else OPERATORS[condition.operator](value, condition.value) is wanted
                )
        if met:
            return True
    return False
