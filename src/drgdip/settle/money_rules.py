"""Sections of a policy on money: payers, retention by institution, caps, working capital, exclusions."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from drgdip._once import once
from drgdip._presets import Presets
from drgdip.data import toml_of
from drgdip.errors import DrgdipError
from drgdip.points import Expression
from drgdip.settle.rules import Above, Number, Rules, Share, ShareBand, check_bands

__all__ = [
    "EXCLUSION_NAMES",
    "FUNDS",
    "PATIENT_PAYERS",
    "CapRules",
    "ExclusionRules",
    "InstitutionRules",
    "PayerRules",
    "PrepaymentRules",
    "ScoreBand",
    "exclusions",
]

#: Funds that pay for a case: basic (基本医保统筹基金), large_amount (大额医疗费用补助), serious_illness (大病保险),
#: civil_servant (公务员医疗补助), supplementary (企业补充医疗保险), medical_aid (医疗救助), other (其他基金).
FUNDS = ("basic", "large_amount", "serious_illness", "civil_servant", "supplementary", "medical_aid", "other")
#: The patient's own payments: from the account (个人账户), and in cash (个人现金).
PATIENT_PAYERS = ("account", "cash")
Fund = Literal["basic", "large_amount", "serious_illness", "civil_servant", "supplementary", "medical_aid", "other"]


class PayerRules(Rules):
    """The funds that the group payment concerns, and the one that bears its difference from the booked sums."""

    concerns: Annotated[tuple[Fund, ...], Field(min_length=1)]
    bears: Fund

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.concerns)) < len(self.concerns):
            raise ValueError(f"concerns: {', '.join(self.concerns)} has one twice")
        if self.bears not in self.concerns:
            raise ValueError(f"bears = {self.bears} is none of those concerned: {', '.join(self.concerns)}")
        return self


class InstitutionRules(Rules):
    """Retention (结余留用) and sharing by institution: its cost against its standard, in bands.

    The edges of the bands are shares of the standard: a surplus band ``until = 0.15`` holds for costs of 85 to 100 %.
    ``hospitals`` is the share of the surplus that the institution keeps, or of the overspend that it bears. Under
    ``whole`` the band that the amount reaches decides for all of it, so that a last band of 0 pays at cost.
    The pool's money is shared afterwards (``before``) or was shared already (``after``); then the ``difference`` is
    the fund's, or goes among the hospitals.
    """

    surplus: Annotated[tuple[ShareBand, ...], Field(min_length=1)]
    surplus_bands: Literal["marginal", "whole"]
    overspend: Annotated[tuple[ShareBand, ...], Field(min_length=1)]
    overspend_bands: Literal["marginal", "whole"]
    when: Literal["before", "after"]
    difference: Literal["fund", "hospitals"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_bands("surplus", self.surplus)
        check_bands("overspend", self.overspend)
        if (self.when == "after") != (self.difference is not None):
            raise ValueError("difference and when = after belong together; before, the pool's bands share what is left")
        return self


class CapRules(Rules):
    """Caps (总量控制) on volume, money and growth.

    ``volume_factor`` is left of the points of cases above a cap of volume, ``total_share`` of the money above a cap is
    paid. Of a growth of the mean of ``growth_of`` per discharge above ``highest_growth`` the ``growth_share`` is
    deducted. Each of the three caps stands by itself.
    """

    volume_factor: Share | None = None
    total_share: Share | None = None
    growth_of: Literal["total_cost", "fund_booked", "patient_paid", "payable"] | None = None
    highest_growth: Number | None = None
    growth_share: Share | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        growth = {name: getattr(self, name) for name in ("growth_of", "highest_growth", "growth_share")}
        if any(value is not None for value in growth.values()):
            lacking = [name for name, value in growth.items() if value is None]
            if lacking:
                raise ValueError(f"{', '.join(lacking)}: a cap on growth needs growth_of, highest_growth, growth_share")
        return self


class ScoreBand(Rules):
    """A score from which a share of the highest working capital may be had."""

    score: Number
    share: Share


class PrepaymentRules(Rules):
    """Working capital (周转金, 预付金): how many mean months of the last years' payments may be paid in advance.

    ``least_balance`` is how many months of spending a pool's balance must cover. Hospitals apply from ``apply_from`` to
    ``apply_by`` (month-day). A pool that has less divides it in proportion to the requests, or to points. It is repaid
    in equal parts in ``repay_months``.
    """

    months: Number
    years: Annotated[int, Field(ge=1, le=3)] = 1
    least_balance: dict[str, Number] = Field(default_factory=dict)
    apply_from: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = None
    apply_by: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = None
    scores: tuple[ScoreBand, ...] = ()
    divide: Literal["requests", "points"] = "requests"
    repay_months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.apply_from is None) != (self.apply_by is None) or (self.apply_by or "") < (self.apply_from or ""):
            raise ValueError("apply_from and apply_by belong together, the first day before the last")
        edges = [band.score for band in self.scores]
        if any(low >= high for low, high in itertools.pairwise(edges)):
            raise ValueError(f"scores: they must rise, and are {', '.join(map(str, edges))}")
        if len(set(self.repay_months)) < len(self.repay_months):
            raise ValueError("repay_months: a month stands twice")
        return self


#: The names that the amount of an exclusion may use, in yuan.
EXCLUSION_NAMES = ("item", "mean_part", "cost", "mean")


@once
def exclusions() -> Presets:
    """Return the published variants of exclusion by name."""
    values = {row["name"]: row for row in toml_of("settle/exclusions.toml", Decimal)["exclusion"]}
    return Presets("exclusion", "list_exclusions", values)


class ExclusionRules(Rules):
    """New drugs and technology outside the group (除外支付): a `variant` of `list_exclusions`, or its three parts.

    A case is eligible if its cost is above ``cost_ratio`` x the group's mean, and the item above ``item_share`` of its
    cost. It gets the ``amount`` on top of its standard: a formula over item, mean_part, cost and mean, in yuan. Below 0
    it is 0.
    """

    variant: str | None = None
    cost_ratio: Above
    item_share: Share
    amount: str

    @model_validator(mode="before")
    @classmethod
    def _of_variant(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("variant") is None:
            return values
        try:
            known = exclusions().get(values["variant"])
        except DrgdipError as error:
            raise ValueError(str(error)) from error
        return {name: known[name] for name in ("cost_ratio", "item_share", "amount")} | values

    @model_validator(mode="after")
    def _formula(self) -> Self:
        try:
            Expression(self.amount, EXCLUSION_NAMES)
        except DrgdipError as error:
            raise ValueError(str(error)) from error
        return self
