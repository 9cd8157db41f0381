"""The policy of a place: all that it decides about payment, as checked data with a citation beside each number."""

from __future__ import annotations

import datetime  # noqa: TC003 - pydantic reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from drgdip import _toml
from drgdip._arrow import names_of
from drgdip._exact import EXACT
from drgdip._money import LARGEST, rounded
from drgdip.errors import PolicyError
from drgdip.settle._citations import fault_of, take_citations, with_citations
from drgdip.settle.money_rules import (  # noqa: TC001 - pydantic reads the annotations when it runs
    CapRules,
    ExclusionRules,
    InstitutionRules,
    PayerRules,
    PrepaymentRules,
)
from drgdip.settle.rules import (
    LATE_WAYS,
    AppraisalRules,
    BudgetRules,
    CalendarRules,
    CaseRules,
    Citation,
    DepositRules,
    ElasticRules,
    MonthRules,
    OutlierRules,
    PointsRules,
    Rate,
    ReadmissionRules,
    ReviewRules,
    Rounding,
    Rules,
    TcmRules,
    YearRules,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Policy"]


class Policy(Rules):
    """The policy of a place: all that it decides about payment.

    Any number or rule may be given alone or as ``{value, source, grade, note}``; the citations are then in
    ``citations`` by dotted path, such as ``month.ratio``. Numbers are Decimals or whole numbers: a float is
    refused. A section that is not given is a rule that the place does not have.

    Attributes
    ----------
    id, title, place, source, note
        Names of the policy, and the document it comes from.
    family
        ``drg`` or ``dip``.
    pools
        The pools (险种) that are settled apart.
    form
        ``fixed``: weights x rate (固定费率); ``floating``: points share the fund (浮动费率); ``elastic``: a base
        volume is fixed, the increment floats (弹性费率).
    valid_from, valid_to
        First and last day of the discharges that it holds for; None is open.
    rates
        Base rates, or the estimated point values used until the year is cleared.
    budget, points, outliers, tcm, cases, payers, exclusion, readmission, month, prepayment, elastic, year,
    institutions, caps, appraisal, deposit, review, calendar
        The rules, each a section of the file, as is ``rounding``; docs/settlement/policies.md has every field.
    citations
        Where each number comes from, by dotted path.

    Raises
    ------
    PolicyError
        From `read_policy`, `load_policy` and `Policy.of`: each field that is wrong, what it holds, and what is
        expected.
    """

    id: str
    title: str
    place: str = ""
    source: str = ""
    note: str = ""
    family: Literal["drg", "dip"]
    pools: Annotated[tuple[str, ...], Field(min_length=1)]
    form: Literal["fixed", "floating", "elastic"]
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None
    rates: tuple[Rate, ...] = ()
    budget: BudgetRules | None = None
    points: PointsRules
    outliers: OutlierRules | None = None
    tcm: TcmRules | None = None
    cases: CaseRules
    payers: PayerRules | None = None
    exclusion: ExclusionRules | None = None
    readmission: ReadmissionRules | None = None
    month: MonthRules
    prepayment: PrepaymentRules | None = None
    elastic: ElasticRules | None = None
    year: YearRules
    institutions: InstitutionRules | None = None
    caps: CapRules | None = None
    appraisal: AppraisalRules | None = None
    deposit: DepositRules | None = None
    review: ReviewRules | None = None
    calendar: CalendarRules = CalendarRules()
    rounding: Rounding = Rounding()
    citations: dict[str, Citation] = Field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Policy:
        """Return the policy of nested values such as those of a TOML file.

        Examples
        --------
        >>> Policy.of({"id": "x"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        drgdip.errors.PolicyError: policy 'x': title: is missing; family: is missing; pools: is missing; ...
        """
        plain, citations = take_citations(values)
        try:
            return cls(**plain, citations={**citations, **values.get("citations", {})})
        except ValidationError as error:
            faults = "; ".join(fault_of(fault) for fault in error.errors())
            raise PolicyError(f"policy {values.get('id', '')!r}: {faults}") from error

    def replace(self, **changes: Any) -> Policy:
        """Return the policy with some fields or whole sections replaced, without their old citations.

        Raises
        ------
        PolicyError
            As `Policy.of`.

        Examples
        --------
        >>> from drgdip.settle import read_policy
        >>> read_policy("docs/examples/policy.toml").replace(month={"ratio": 1}).month.ratio
        Decimal('1')
        """
        values = self.model_dump(exclude_unset=True, exclude={"citations"})
        kept = {path: cited for path, cited in self.citations.items() if path.partition(".")[0] not in changes}
        return Policy.of({**values, **changes, "citations": kept})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*_faults_of_head(self), *_faults_of_form(self), *_faults_of_cases(self), *_faults_of_rates(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def for_points(self, cases: Any, columns: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the arguments of `drgdip.points.case_points` that the policy decides.

        Parameters
        ----------
        cases
            The cases as `prepare_cases` gives them. Their ``case_kind`` is used where they have one.
        columns
            The table's names of columns by the library's names, such as ``{"case_kind": "病例类型"}``.

        Returns
        -------
        Keyword arguments: ``coefficient``, ``outliers``, ``kind``, ``incomplete``, ``bed_day_points``, ``scale`` and
        ``readmission``. The weights, ``reference`` and ``mean_cost`` are the caller's.

        Examples
        --------
        >>> from drgdip import points
        >>> from drgdip.settle import prepare_cases, read_policy
        >>> policy = read_policy("docs/examples/policy.toml")
        >>> cases = [{"group": "A", "total_cost": 9000, "level": "3"}]
        >>> cases = prepare_cases(cases, policy, coefficients={"level": [{"level": "3", "coefficient": 1.1}]})
        >>> points.case_points(cases, [{"group": "A", "weight": 100}], **policy.for_points(cases))[0]["points"]
        110.00000000000001
        """
        daily = self.points.bed_day_points
        return {
            "coefficient": None if self.points.coefficients is None else "coefficient",
            "outliers": None if self.outliers is None else self.outliers.policy(),
            "kind": "case_kind" if "case_kind" in (*names_of(cases), *(columns or {})) else None,
            "incomplete": self.points.incomplete,
            "bed_day_points": None if daily is None else float(daily),
            "scale": float(self.points.scale),
            "readmission": None if self.readmission is None else "readmission_factor",
        }

    @property
    def uncited(self) -> list[str]:
        """The dotted paths of numbers and rules that no citation covers."""
        free = {"id", "title", "place", "source", "note", "family", "valid_from", "valid_to", "citations"}
        dumped = self.model_dump(exclude=free, exclude_defaults=True)
        paths = [
            path
            for name, value in dumped.items()
            if name not in self.citations
            for path in ([f"{name}.{key}" for key in value] if isinstance(value, dict) else [name])
        ]
        return [path for path in paths if path not in self.citations]

    @property
    def defaulted(self) -> list[str]:
        """The dotted paths of rules that act though nobody gave them: the library's defaults."""
        acting = {"review": ("cap_over",), "prepayment": ("years", "divide")}
        sections = ((name, getattr(self, name), fields) for name, fields in acting.items())
        return [
            f"{name}.{field}"
            for name, section, fields in sections
            for field in fields
            if section is not None and field not in section.model_fields_set
        ]

    def to_toml(self) -> str:
        """Return the policy as the text of a TOML file, which `read_policy` reads back to an equal policy."""
        given = self.model_dump(exclude_unset=True, exclude={"citations"})
        cited = {path: citation.model_dump(exclude_defaults=True) for path, citation in self.citations.items()}
        return _toml.dumps(with_citations(given, cited))


def _faults_of_head(policy: Policy) -> Iterator[str]:
    """Yield what contradicts itself in pools and dates."""
    if len(set(policy.pools)) < len(policy.pools):
        yield f"pools: {', '.join(policy.pools)} has one twice"
    if policy.valid_from and policy.valid_to and policy.valid_from > policy.valid_to:
        yield f"valid_from {policy.valid_from} is after valid_to {policy.valid_to}"
    named: dict[str, Any] = {
        "rates": [rate.pool for rate in policy.rates],
        "cases.cross_region_rates": [rate.pool for rate in policy.cases.cross_region_rates],
        "cases.fund_share": policy.cases.fund_share,
        "cases.bed_day_rates": policy.cases.bed_day_rates,
        "prepayment.least_balance": policy.prepayment.least_balance if policy.prepayment else (),
        "elastic.base_points": policy.elastic.base_points if policy.elastic else (),
    }
    for field, pools in named.items():
        for pool in pools:
            if pool is not None and pool not in policy.pools:
                yield f"{field}: names the pool {pool!r}, and pools are {', '.join(policy.pools)}"


def _faults_of_rates(policy: Policy) -> Iterator[str]:
    """Yield the rates that are nothing, or too much, in the decimals of the policy."""
    for field, rates in (("rates", policy.rates), ("cases.cross_region_rates", policy.cases.cross_region_rates)):
        for number, rate in enumerate(rates):
            size = EXACT.multiply(rate.base_rate, rate.coefficient)
            if size >= LARGEST or not 0 < rounded(size, policy.rounding.values) < LARGEST:
                digits = policy.rounding.values
                yield f"{field}.{number}: {size} yuan cannot be held in the {digits} decimals of rounding"


def _faults_of_form(policy: Policy) -> Iterator[str]:
    """Yield what does not go with the form of the policy: fixed, floating or elastic."""
    form, elastic = policy.form, policy.elastic
    if form == "fixed" and not policy.rates:
        yield "rates: form = fixed needs them, [[rates]] with base_rate in yuan"
    if form != "fixed" and policy.year.fund == "standards":
        yield f"year.fund = standards pays fixed standards, and form = {form} has none"
    if (form == "elastic") != (elastic is not None):
        yield "elastic: the section and form = elastic belong together"
    if policy.calendar.upload_days is not None and policy.month.late is None:
        yield f"month.late: calendar.upload_days = {policy.calendar.upload_days} makes lists late: say {LATE_WAYS}"
    if policy.institutions is not None and policy.institutions.when == "before" and form != "fixed":
        yield f"institutions.when = before compares fixed standards, and form = {form} has none: say after"
    if elastic is None:
        return
    if policy.year.fund != "budget":
        yield f"year.fund = {policy.year.fund}: form = elastic shares the budget in its own way: fund = budget"
    if set(elastic.base_points) != set(policy.pools):
        yield "elastic.base_points: give the points of the base volume of every pool"


def _faults_of_cases(policy: Policy) -> Iterator[str]:
    """Yield what contradicts itself in the rules on cases."""
    form, cases = policy.form, policy.cases
    if form != "fixed" and cases.payable not in {"residual", "ratio"}:
        yield f"cases.payable = {cases.payable} does not float: form = {form} goes with residual or ratio"
    if cases.payable == "ratio" and form == "fixed" and set(cases.fund_share) != set(policy.pools):
        yield "cases.fund_share: payable = ratio needs the fund's share of every pool"
    if (cases.cross_region == "fixed") != bool(cases.cross_region_rates):
        yield "cases.cross_region_rates and cross_region = fixed belong together"
    if cases.cross_region is None and cases.cross_region_budget is not None:
        yield f"cases.cross_region_budget = {cases.cross_region_budget}: cross_region is missing, say how it is paid"
    if cases.cross_region == "value" and cases.cross_region_budget == "local" and form != "fixed":
        yield f"cases.cross_region = value from the local budget is what same does under form = {form}: say same"
    if cases.cross_region == "same" and cases.cross_region_budget == "account":
        yield "cases.cross_region = same shares the local budget: say value to settle at local values on an account"
