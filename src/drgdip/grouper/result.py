"""The result of grouping a case: the same words for one case and for columns."""

from __future__ import annotations

from typing import Any, NamedTuple

from drgdip.reasons import reasons_of

__all__ = ["REASONS", "STATUSES", "DipResult", "GroupResult", "path_text", "status_word"]

#: Every status with its Chinese name.
STATUSES = {
    "grouped": "分组成功",
    "ambiguous": "歧义病案",
    "ungrouped": "未入组",
    "invalid": "信息校验不通过",
    "excluded": "不纳入分组",
}

#: Every reason for a status other than grouped, in English and Chinese.
REASONS = {code: (reason.english, reason.chinese) for code, reason in reasons_of("grouping").items()}


def status_word(status: str, language: str) -> str:
    """Return a status for a reader: its Chinese name (``zh``), or itself."""
    return STATUSES[status] if language == "zh" else status


def path_text(result: GroupResult | DipResult) -> str:
    """Return the codes from the category of a result to its group, in a row; "" where there is none."""
    return " → ".join(code for code in dict.fromkeys(result.path) if code)


class GroupResult(NamedTuple):
    """The group of a case, and why.

    Attributes
    ----------
    mdc, adrg, group
        Codes; None where there is none. A group code is an opaque text.
    status
        One of `STATUSES`.
    reason
        Why the status is not grouped, one of `REASONS`; None if it is.
    severity
        Gravest level among the other diagnoses that is not cancelled by its exclusion table: MCC or CC, or None.
    severity_code
        The diagnosis that has it; of several, the first in order of code. None without severity.
    """

    mdc: str | None
    adrg: str | None
    group: str | None
    status: str
    reason: str | None
    severity: str | None
    severity_code: str | None

    @property
    def path(self) -> tuple[str | None, ...]:
        """The codes from the category to the group."""
        return self.mdc, self.adrg, self.group

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dictionary by attribute, as `drgdip.make_json_schema` describes it."""
        return self._asdict()


class DipResult(NamedTuple):
    """The group of a case under a DIP catalogue (病种目录库), and why.

    Attributes
    ----------
    group
        The group's id, an opaque text; None where there is none.
    kind
        The stage that took the case: core (核心病种), mixed (综合病种), or another kind of the catalogue.
    treatment
        The treatment that the procedures come to: surgery (手术), therapeutic (治疗性操作), diagnostic (诊断性操作),
        other-procedure, conservative (保守治疗); None where they have no type.
    primary_care
        Whether the group is a primary-care one (基层病种); None without a group.
    status
        One of `STATUSES`: grouped, ungrouped, invalid or excluded.
    reason
        Why the status is not grouped, one of `REASONS`; None if it is.
    """

    group: str | None
    kind: str | None
    treatment: str | None
    primary_care: bool | None
    status: str
    reason: str | None

    @property
    def path(self) -> tuple[str | None, ...]:
        """The group alone: a catalogue has nothing above it."""
        return (self.group,)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dictionary by attribute, as `drgdip.make_json_schema` describes it."""
        return self._asdict()
