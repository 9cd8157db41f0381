"""What grouping a case gives: the same words for one case and for columns."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["REASONS", "STATUSES", "DipResult", "GroupResult"]

#: Every status with its Chinese name.
STATUSES = {
    "grouped": "分组成功",
    "ambiguous": "歧义病案",
    "ungrouped": "未入组",
    "invalid": "信息校验不通过",
    "excluded": "不纳入分组",
}

#: Every reason for a status other than grouped, in English and Chinese.
REASONS = {
    "missing_sex": ("sex is missing", "缺性别"),
    "invalid_sex": ("sex is neither 1 (male) nor 2 (female)", "性别不是1（男）或2（女）"),
    "missing_age": ("age in years is missing", "缺年龄"),
    "missing_age_days": ("age in days of an infant (age 0) is missing", "不足1周岁而缺日龄"),
    "missing_newborn_weight": (
        "weight of a newborn (28 days or less) is missing",
        "新生儿（28天及以内）缺体重",
    ),
    "missing_principal_diagnosis": ("principal diagnosis is missing", "缺主要诊断"),
    "missing_principal_procedure": ("principal procedure is missing", "缺主要手术操作"),
    "missing_los": ("length of stay is missing", "缺住院天数"),
    "missing_discharge": ("discharge mode is missing", "缺离院方式"),
    "missing_dept": ("department is missing", "缺科室"),
    "missing_icu_hours": ("hours in intensive care are missing", "缺重症监护小时数"),
    "unreadable_row": (
        "the row has another number of cells than the header, or is no record",
        "该行列数与表头不符或不是记录",
    ),
    "unreadable_sex": ("sex cannot be read: give 1/2, 男/女 or M/F", "性别无法识别：应为1/2、男/女或M/F"),
    "unreadable_age": ("age in years is not a whole number", "年龄不是整数"),
    "unreadable_age_days": ("age in days is not a whole number", "日龄不是整数"),
    "unreadable_newborn_weight": (
        "weight of the newborn is not a whole number of grams",
        "新生儿体重不是整数克",
    ),
    "unreadable_los": ("length of stay is not a whole number of days", "住院天数不是整数"),
    "unreadable_discharge": ("discharge mode is not a number", "离院方式不是数字"),
    "unreadable_icu_hours": ("hours in intensive care are not a number", "重症监护小时数不是数字"),
    "unreadable_total_cost": ("total cost is not an amount in yuan", "总费用不是金额"),
    "no_mdc": ("no MDC takes the case", "没有可进入的主要诊断大类"),
    "no_group": ("an MDC takes the case, but none of its groups does", "可进入主要诊断大类，但无病组可入"),
    "unrelated_procedure": (
        "the principal procedure is valid, but no surgical or procedure ADRG of the MDC has it",
        "主要手术操作有效，但与主要诊断所在大类的手术操作组均不符",
    ),
    "excluded_diagnosis": (
        "the catalogue says that the diagnosis may not be a principal one",
        "目录规定该诊断不得作为主要诊断",
    ),
    "excluded_procedure": (
        "the catalogue says that the procedure may not be a principal one",
        "目录规定该手术操作不得作为主要手术操作",
    ),
    "no_dx_group": ("no group of the catalogue has the principal diagnosis", "目录中没有该主要诊断的病种"),
    "no_treatment_group": (
        "groups of the catalogue have the principal diagnosis, but none the procedures of the case",
        "目录中有该主要诊断的病种，但均与本例手术操作不符",
    ),
    "no_tier_group": (
        "the mixed groups of the diagnosis and treatment are for tiers that the procedures do not have",
        "该诊断与治疗方式的综合病种均有级别要求，本例手术操作无此级别",
    ),
    "untyped_procedure": (
        "no core group takes the case, and its procedures have no type that names a mixed group",
        "无核心病种可入，且手术操作无操作类型，不能确定综合病种",
    ),
}


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


class DipResult(NamedTuple):
    """The group of a case under a DIP catalogue (病种目录库), and why.

    Attributes
    ----------
    group
        The group's id, an opaque text; None where there is none.
    kind
        The stage that took the case: core (核心病种), mixed (综合病种), or another kind of the catalogue.
    treatment
        What the case's procedures come to: surgery (手术), therapeutic (治疗性操作), diagnostic (诊断性操作),
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
