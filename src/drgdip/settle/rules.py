"""Sections of a policy: each a place's rules on one step, checked as they are read."""

from __future__ import annotations

import datetime  # noqa: TC003 - pydantic reads the annotations when it runs
import itertools
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drgdip.errors import DrgdipError, RuleError
from drgdip.points import Expression, OutlierPolicy, load_outlier_policy

__all__ = [
    "CROSS_REGION_WAYS",
    "LATE_WAYS",
    "AppraisalRules",
    "BudgetRules",
    "CalendarRules",
    "CaseRules",
    "Citation",
    "DepositRules",
    "ElasticRules",
    "MonthRules",
    "OutlierRules",
    "PointsRules",
    "Rate",
    "ReadmissionRules",
    "ReviewRules",
    "Rounding",
    "Rules",
    "ScoreBand",
    "ShareBand",
    "TcmRules",
    "YearRules",
    "check_bands",
    "no_float",
]


#: The ways of ``cases.cross_region``, for messages.
CROSS_REGION_WAYS = (
    "same (as any other case, from the local budget), fixed (at rates of its own), value (at local values) or item"
)
#: The ways of ``month.late``, for messages.
LATE_WAYS = "suspend (the list waits), suspend_hospital (its hospital waits with the month) or pay"


def no_float(value: Any) -> Any:
    """Return a number as it is. Raise ValueError for a float or a flag, which stand for no exact number."""
    if isinstance(value, float):
        raise ValueError(f"is a float, which cannot hold it exactly: give Decimal({str(value)!r})")  # noqa: TRY004
    if isinstance(value, bool):
        raise ValueError("is true or false: give a number")  # noqa: TRY004
    return value


Number = Annotated[Decimal, BeforeValidator(no_float), Field(ge=0, allow_inf_nan=False)]
# Shares are whole multiples of 10 ** -12 where money is worked out.
Share = Annotated[Decimal, BeforeValidator(no_float), Field(ge=0, le=1, decimal_places=12)]
Ratio = Annotated[Decimal, BeforeValidator(no_float), Field(gt=0, le=1, decimal_places=12)]
Above = Annotated[Decimal, BeforeValidator(no_float), Field(gt=0, allow_inf_nan=False)]
Yuan = Annotated[Decimal, BeforeValidator(no_float), Field(gt=0, lt=10**13, decimal_places=2)]
Rounded = Annotated[int, Field(ge=0, le=12)]


class Rules(BaseModel):
    """A section: it has no other fields, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Citation(Rules):
    """Where a number or rule comes from: the document, the evidence grade (A, B, C, D) and a remark."""

    source: str
    grade: str = ""
    note: str = ""


class Rate(Rules):
    """A base rate or estimated point value in yuan; a key that is not given holds for all."""

    base_rate: Above
    coefficient: Above = Decimal(1)
    pool: str | None = None
    level: str | None = None
    group: str | None = None
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None


class ShareBand(Rules):
    """A stretch of the surplus or overspend, as a share of the budget, and what of it is the hospitals'.

    ``until`` is its upper edge; the last band has none. ``hospitals`` is the share that the hospitals keep of a
    surplus, or bear of an overspend.
    """

    until: Above | None = None
    hospitals: Share


class BudgetRules(Rules):
    """How the budget is made, and what it is split by, in this order."""

    method: Literal["growth", "factors", "item", "share"]
    split: tuple[Literal["care", "form", "hospital", "month"], ...] = ()
    reserve: Share = Decimal(0)
    highest_growth: Number | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.highest_growth is not None and self.method != "growth":
            raise ValueError(f"highest_growth caps method = growth, and method = {self.method}")
        return self


class PointsRules(Rules):
    """How points are made of weights; ``added`` are points by group on top of them."""

    scale: Above
    coefficients: str | None = None
    missing: dict[str, Number] = {}
    uniform: dict[str, Above] = {}
    incomplete: str | None = None
    bed_day_points: Above | None = None
    added: dict[str, Number] = {}

    @model_validator(mode="after")
    def _formulas(self) -> Self:
        try:
            for text in filter(None, (self.coefficients, self.incomplete)):
                Expression(text)
        except RuleError as error:
            raise ValueError(str(error)) from error
        return self


class OutlierRules(Rules):
    """A variant of `drgdip.points.list_outlier_policies`, and what it leaves open."""

    variant: str
    given: dict[str, Any] = {}

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            self.policy()
        except DrgdipError as error:
            raise ValueError(str(error)) from error
        return self

    def policy(self) -> OutlierPolicy:
        """Return the outlier policy."""
        return load_outlier_policy(self.variant, **{name: _plain(value) for name, value in self.given.items()})


def _plain(value: Any) -> Any:
    """Return a cost ratio of the policy as the float that the points work with."""
    return float(value) if isinstance(value, Decimal) else value


class TcmRules(Rules):
    """Chinese medicine (中医).

    Under ``higher`` the higher points of a case's own and its Western group count (就高). A case with a share of
    Chinese medicine below ``minimum`` falls back to its Western group.
    """

    higher: bool = False
    minimum: Share | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.higher and self.minimum is None:
            raise ValueError("tcm: give higher = true, or minimum, or leave the section out")
        return self


class CaseRules(Rules):
    """The fund's part of a standard, and the cases that are not paid by points.

    Cross-region care is paid as any other case (same), at rates of its own (fixed), at the values of local cases
    (value), or by item: a policy says so where there is such care. Under the last three the insured region pays for it
    (``cross_region_budget = account``), unless the policy says that the local budget does (``local``).
    """

    payable: Literal["residual", "itemised", "ratio", "item"]
    floor: bool = False
    fund_share: dict[str, Ratio] = {}
    item_kinds: tuple[str, ...] = ()
    longest_stay: Annotated[int, Field(gt=0)] | None = None
    bed_day_rates: dict[str, Yuan] = {}
    cross_region: Literal["same", "fixed", "value", "item"] | None = None
    cross_region_rates: tuple[Rate, ...] = ()
    cross_region_budget: Literal["local", "account"] | None = None
    incomplete_discharges: tuple[int, ...] = ()
    neutral_outliers: bool = False

    @property
    def has_account(self) -> bool:
        """Whether the insured regions pay for cross-region care, and the local budget does not."""
        return self.cross_region_budget == "account" or (
            self.cross_region_budget is None and self.cross_region not in {None, "same"}
        )


class ReadmissionRules(Rules):
    """A stay of the same patient and pool within some days makes the points of one of the two less.

    ``same`` is the column that both stays share: group, adrg, mdc, another, or ``any`` for none. ``reduced`` is the
    stay that loses points, ``except_for`` the kinds that do not count (or none). Places differ in all three. The
    exceptions are those of `drgdip.points.mark_readmissions`.
    """

    days: Annotated[int, Field(ge=0)]
    factor: Share
    same: str
    reduced: Literal["earlier", "later"]
    except_for: tuple[Literal["transfer", "planned", "death"], ...]
    except_groups: tuple[str, ...] = ()
    except_diagnoses: tuple[str, ...] = ()


class MonthRules(Rules):
    """The share of a month that is paid at once. The rest is the reserve that waits for the year's clearing.

    ``late`` says what a late list does: it waits (``suspend``), is paid (``pay``), or its hospital waits with the whole
    month (``suspend_hospital``); a policy whose lists are never late needs none. ``value = budget`` divides the month's
    budget by the month's points; ``cap`` cuts what the estimated values come to at the month's budget.
    """

    ratio: Ratio
    late: Literal["suspend", "suspend_hospital", "pay"] | None = None
    value: Literal["estimated", "budget"] = "estimated"
    cap: bool = False


class ElasticRules(Rules):
    """Base volume at a fixed value, increment floating."""

    base_share: Ratio
    base_points: dict[str, Above]
    cap: Above | None = None


class YearRules(Rules):
    """The money of the hospitals for the year.

    ``fund = budget`` gives them all of the budget, ``standards`` the sum of the standards of their cases. ``shared``
    gives them the spending with their part of the surplus or overspend. Spending is the amount ``booked`` by item or
    ``payable`` by the standards. With more than one band ``bands`` says whether each stretch has its own share
    (``marginal``), or the band that is reached holds for all (``whole``).
    """

    fund: Literal["budget", "standards", "shared"]
    spending: Literal["booked", "payable"] | None = None
    surplus: tuple[ShareBand, ...] = ()
    overspend: tuple[ShareBand, ...] = ()
    bands: Literal["marginal", "whole"] | None = None
    preclearing_ratio: Ratio | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fund == "shared" and (self.spending is None or not self.surplus or not self.overspend):
            raise ValueError("fund = shared needs spending (booked or payable), surplus and overspend")
        if self.fund != "shared" and (self.surplus or self.overspend):
            raise ValueError(f"surplus and overspend contradict fund = {self.fund}, under which nothing is shared")
        check_bands("surplus", self.surplus)
        check_bands("overspend", self.overspend)
        if self.bands is None and max(len(self.surplus), len(self.overspend)) > 1:
            raise ValueError(
                "bands: there are several: say marginal (each stretch has its own share) or whole (the band that is "
                "reached holds for all)"
            )
        return self


def check_bands(name: str, bands: tuple[ShareBand, ...]) -> None:
    """Raise ValueError where bands do not follow each other up to one without an edge."""
    edges = [band.until for band in bands]
    if bands and (edges[-1] is not None or any(edge is None for edge in edges[:-1])):
        raise ValueError(f"the bands of {name}: every one but the last needs until, and the last has none")
    inner = [edge for edge in edges if edge is not None]
    if any(low >= high for low, high in itertools.pairwise(inner)):
        raise ValueError(f"the bands of {name}: until must rise, and is {', '.join(map(str, inner))}")


class ScoreBand(Rules):
    """Scores of at least some number, and what they give: a coefficient, or a share of the deposit."""

    at_least: Number
    gives: Number


def _check_falling(bands: tuple[ScoreBand, ...]) -> None:
    """Raise ValueError where the bands of scores do not fall."""
    edges = [band.at_least for band in bands]
    if any(high <= low for high, low in itertools.pairwise(edges)):
        raise ValueError(f"the bands: at_least must fall, and is {', '.join(map(str, edges))}")


class AppraisalRules(Rules):
    """The appraisal coefficient on a hospital's money, and who gets what it takes: the fund or all hospitals.

    ``weights`` make one score of several, and ``bands`` a coefficient of the score.
    """

    lowest: Number
    highest: Number
    difference: Literal["fund", "hospitals"]
    weights: dict[str, Above] = {}
    bands: tuple[ScoreBand, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"lowest = {self.lowest} is above highest = {self.highest}")
        if self.weights and sum(self.weights.values()) != 1:
            raise ValueError(f"weights add up to {sum(self.weights.values())}: they must add up to 1")
        _check_falling(self.bands)
        return self


class DepositRules(Rules):
    """The share of the quality deposit (质量保证金) that is given back at the year, by score."""

    bands: tuple[ScoreBand, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _shares(self) -> Self:
        _check_falling(self.bands)
        if any(band.gives > 1 for band in self.bands):
            raise ValueError("the bands: gives is a share of the deposit, at most 1")
        return self


class ReviewRules(Rules):
    """Special review: its cap as a share of the pool's discharges, the ratios to apply with, and the outcome.

    ``cycle`` is when panels meet. The cap runs over the year, or each cycle has its own.
    """

    cap: Ratio
    cap_over: Literal["year", "cycle"] = "year"
    cost_ratio: Above | None = None
    stay_ratio: Above | None = None
    outcome: Literal["item", "standard", "points"]
    cycle: Literal["month", "quarter", "year"] | None = None


class CalendarRules(Rules):
    """Dates of the year's work; a date is month-day of the year after, such as 03-31."""

    upload_days: Annotated[int, Field(gt=0)] | None = None
    working_days: bool | None = None
    presettle_day: Annotated[int, Field(ge=1, le=31)] | None = None
    prepayment_month: Annotated[int, Field(ge=1, le=12)] | None = None
    clear_by: Annotated[str, Field(pattern=r"^\d\d-\d\d$")] | None = None
    plan_by: Annotated[str, Field(pattern=r"^\d\d-\d\d$")] | None = None


class Rounding(Rules):
    """Decimals of points and of rates and values, rounded half away from zero; money has whole fen.

    No source read states them. The defaults keep what places publish.
    """

    points: Rounded = 8
    values: Rounded = 8

    @model_validator(mode="after")
    def _fits(self) -> Self:
        # Points x value is worked out in whole steps of both, which must hold a fen and fit 64 bits.
        if not 2 <= self.points + self.values <= 20:
            raise ValueError(
                f"points = {self.points} and values = {self.values}: together they must be from 2 to 20 decimals"
            )
        return self
