"""Policies: everything that a place decides about payment, as checked data with a citation beside each number."""

from __future__ import annotations

import datetime  # noqa: TC003 - pydantic reads the annotations when it runs
import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from drgdip._once import once
from drgdip.data import ROOT, toml_of
from drgdip.errors import DrgdipError, PolicyError, RuleError, UnknownNameError
from drgdip.points import Expression, OutlierPolicy, load_outlier_policy

__all__ = ["Citation", "Policy", "ShareBand", "list_presets", "preset", "read_policy"]

_PRESETS = ROOT / "policies"


def _no_float(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError(f"is a float, which cannot hold it exactly: give Decimal({str(value)!r})")  # noqa: TRY004
    if isinstance(value, bool):
        raise ValueError("is true or false: give a number")  # noqa: TRY004
    return value


Number = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0, le=1)]
Ratio = Annotated[Decimal, BeforeValidator(_no_float), Field(gt=0, le=1)]
Above = Annotated[Decimal, BeforeValidator(_no_float), Field(gt=0, allow_inf_nan=False)]
Rounded = Annotated[int, Field(ge=0, le=12)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Citation(_Rules):
    """Where a number or rule comes from: the document, the evidence grade (A, B, C, D) and a remark."""

    source: str
    grade: str = ""
    note: str = ""


class Rate(_Rules):
    """A base rate or estimated point value in yuan; a key that is not given holds for all."""

    base_rate: Above
    coefficient: Above = Decimal(1)
    pool: str | None = None
    level: str | None = None
    group: str | None = None
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None


class ShareBand(_Rules):
    """A stretch of the surplus or overspend, as a share of the budget, and what of it is the hospitals'.

    ``until`` is its upper edge; the last band has none. ``hospitals`` is the share that the hospitals keep of a
    surplus, or bear of an overspend.
    """

    until: Above | None = None
    hospitals: Share


class BudgetRules(_Rules):
    """How the budget is made, and what it is split by, in this order."""

    method: Literal["growth", "factors", "item", "share"]
    split: tuple[Literal["care", "form", "hospital", "month"], ...] = ()
    reserve: Share = Decimal(0)
    highest_growth: Number | None = None


class PointsRules(_Rules):
    """How points are made of weights."""

    scale: Above
    coefficients: str | None = None
    missing: dict[str, Number] = {}
    uniform: dict[str, Above] = {}
    incomplete: str | None = None
    bed_day_points: Above | None = None

    @model_validator(mode="after")
    def _formulas(self) -> Self:
        try:
            for text in filter(None, (self.coefficients, self.incomplete)):
                Expression(text)
        except RuleError as error:
            raise ValueError(str(error)) from error
        return self


class OutlierRules(_Rules):
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
        """The outlier policy."""
        return load_outlier_policy(self.variant, **{name: _plain(value) for name, value in self.given.items()})


def _plain(value: Any) -> Any:
    """A cost ratio of the policy as the float that the points work with."""
    return float(value) if isinstance(value, Decimal) else value


class CaseRules(_Rules):
    """What the fund owes for a case, and which cases are paid otherwise than by points."""

    payable: Literal["residual", "itemised", "ratio", "item"]
    floor: bool = False
    fund_share: dict[str, Ratio] = {}
    item_kinds: tuple[str, ...] = ()
    longest_stay: Annotated[int, Field(gt=0)] | None = None
    bed_day_rates: dict[str, Above] = {}
    cross_region: Literal["same", "fixed", "item"] = "same"
    cross_region_rates: tuple[Rate, ...] = ()
    incomplete_discharges: tuple[int, ...] = ()
    neutral_outliers: bool = False


class ReadmissionRules(_Rules):
    """A stay of the same group within some days makes the points of one of the two less."""

    days: Annotated[int, Field(ge=0)]
    factor: Share
    reduced: Literal["earlier", "later"] = "earlier"
    except_groups: tuple[str, ...] = ()


class MonthRules(_Rules):
    """What is paid each month; the rest of ``ratio`` to 1 is the reserve that waits for the year's clearing."""

    ratio: Ratio
    late: Literal["suspend", "pay"] = "suspend"


class PrepaymentRules(_Rules):
    """Working capital (周转金): how many mean months of last year's payments may be paid in advance."""

    months: Number


class ElasticRules(_Rules):
    """Base volume at a fixed value, increment floating."""

    base_share: Ratio
    base_points: dict[str, Above]
    cap: Above | None = None


class YearRules(_Rules):
    """What the pool pays for the year.

    ``fund`` says which money the hospitals get: the whole ``budget``; the ``standards`` of the cases, whatever
    they come to; or ``shared``, the spending with the hospitals' part of the surplus or overspend, where spending
    is what was ``booked`` by item or what is ``payable`` by the standards (``spending``).
    """

    fund: Literal["budget", "standards", "shared"]
    spending: Literal["booked", "payable"] | None = None
    surplus: tuple[ShareBand, ...] = ()
    overspend: tuple[ShareBand, ...] = ()
    bands: Literal["marginal", "whole"] = "marginal"
    preclearing_ratio: Ratio | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fund == "shared" and (self.spending is None or not self.surplus or not self.overspend):
            raise ValueError("fund = shared needs spending (booked or payable), surplus and overspend")
        if self.fund != "shared" and (self.surplus or self.overspend):
            raise ValueError(f"surplus and overspend contradict fund = {self.fund}, under which nothing is shared")
        for name, bands in (("surplus", self.surplus), ("overspend", self.overspend)):
            edges = [band.until for band in bands]
            if bands and (edges[-1] is not None or any(edge is None for edge in edges[:-1])):
                raise ValueError(f"the bands of {name}: every one but the last needs until, and the last has none")
            inner = [edge for edge in edges if edge is not None]
            if any(low >= high for low, high in itertools.pairwise(inner)):
                raise ValueError(f"the bands of {name}: until must rise, and is {', '.join(map(str, inner))}")
        return self


class AppraisalRules(_Rules):
    """The appraisal coefficient on a hospital's money, and who gets what it takes: the fund or all hospitals."""

    lowest: Number
    highest: Number
    difference: Literal["fund", "hospitals"]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"lowest = {self.lowest} is above highest = {self.highest}")
        return self


class ReviewRules(_Rules):
    """Special review: its cap as a share of the pool's discharges, what may be applied for, and the outcome."""

    cap: Ratio
    cost_ratio: Above | None = None
    stay_ratio: Above | None = None
    outcome: Literal["item", "standard", "points"]
    cycle: Literal["month", "quarter", "year"] | None = None


class CalendarRules(_Rules):
    """Dates of the year's work; a date is month-day of the year after, such as 03-31."""

    upload_days: Annotated[int, Field(gt=0)] | None = None
    working_days: bool | None = None
    presettle_day: Annotated[int, Field(ge=1, le=31)] | None = None
    prepayment_month: Annotated[int, Field(ge=1, le=12)] | None = None
    clear_by: Annotated[str, Field(pattern=r"^\d\d-\d\d$")] | None = None
    plan_by: Annotated[str, Field(pattern=r"^\d\d-\d\d$")] | None = None


class Rounding(_Rules):
    """Decimals of points and of rates and values, rounded half away from zero; money has whole fen.

    No source read states them. The defaults keep what places publish.
    """

    points: Rounded = 8
    values: Rounded = 8


class Policy(_Rules):
    """Everything that a place decides about payment.

    Any number or rule may be given alone or as ``{value, source, grade, note}``; the citations are then in
    ``citations`` by dotted path, such as ``month.ratio``. Numbers are Decimals or whole numbers: a float is
    refused. A section that is not given is a rule that the place does not have.

    Attributes
    ----------
    id, title, place, source, note
        What the policy is, and the document it comes from.
    family
        ``drg`` or ``dip``.
    pools
        The pools (险种) that are settled apart.
    form
        ``fixed``: weights x rate (固定费率); ``floating``: points share the fund (浮动费率); ``elastic``: a base
        volume is fixed, the increment floats (弹性费率).
    valid_from, valid_to
        The discharges that it holds for, both days included; None is open.
    rates
        Base rates, or the estimated point values used until the year is cleared.
    budget, points, outliers, cases, readmission, month, prepayment, elastic, year, appraisal, review, calendar
        The rules, each a section of the file, as is ``rounding``; docs/settlement/policies.md has every field.
    citations
        Where each number comes from, by dotted path.

    Raises
    ------
    PolicyError
        From `read_policy`, `preset` and `Policy.of`: the field, what it holds, and what is expected.
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
    cases: CaseRules
    readmission: ReadmissionRules | None = None
    month: MonthRules
    prepayment: PrepaymentRules | None = None
    elastic: ElasticRules | None = None
    year: YearRules
    appraisal: AppraisalRules | None = None
    review: ReviewRules | None = None
    calendar: CalendarRules = CalendarRules()
    rounding: Rounding = Rounding()
    citations: dict[str, Citation] = {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Policy:
        """A policy from nested values such as those of a TOML file.

        Examples
        --------
        >>> Policy.of({"id": "x"})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        drgdip.errors.PolicyError: policy 'x': title: is missing; family: is missing; pools: is missing; ...
        """
        plain, citations = _take_citations(values)
        try:
            return cls(**plain, citations={**citations, **values.get("citations", {})})
        except ValidationError as error:
            faults = "; ".join(_fault(fault) for fault in error.errors())
            raise PolicyError(f"policy {values.get('id', '')!r}: {faults}") from error

    def replace(self, **changes: Any) -> Policy:
        """The policy with some fields or whole sections replaced, whose old citations go with them.

        Raises
        ------
        PolicyError
            As `Policy.of`.

        Examples
        --------
        >>> read_policy("docs/examples/policy.toml").replace(month={"ratio": 1}).month.ratio
        Decimal('1')
        """
        values = self.model_dump(exclude_unset=True, exclude={"citations"})
        kept = {path: cited for path, cited in self.citations.items() if path.partition(".")[0] not in changes}
        return Policy.of({**values, **changes, "citations": kept})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.pools)) < len(self.pools):
            raise ValueError(f"pools: {', '.join(self.pools)} has one twice")
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError(f"valid_from {self.valid_from} is after valid_to {self.valid_to}")
        named = {
            "rates": [rate.pool for rate in self.rates],
            "cases.cross_region_rates": [rate.pool for rate in self.cases.cross_region_rates],
            "cases.fund_share": self.cases.fund_share,
            "cases.bed_day_rates": self.cases.bed_day_rates,
            "elastic.base_points": self.elastic.base_points if self.elastic else (),
        }
        for field, pools in named.items():
            for pool in pools:
                if pool is not None and pool not in self.pools:
                    raise ValueError(f"{field}: names the pool {pool!r}, and pools are {', '.join(self.pools)}")
        if self.form == "fixed" and not self.rates:
            raise ValueError("rates: form = fixed needs them, [[rates]] with base_rate in yuan")
        if (self.form == "elastic") != (self.elastic is not None):
            raise ValueError("elastic: the section and form = elastic belong together")
        if self.elastic and self.year.fund != "budget":
            raise ValueError(
                f"year.fund = {self.year.fund}: form = elastic shares the budget in its own way: fund = budget"
            )
        if self.elastic and set(self.elastic.base_points) != set(self.pools):
            raise ValueError("elastic.base_points: give the points of the base volume of every pool")
        if self.form != "fixed" and self.cases.payable not in {"residual", "ratio"}:
            raise ValueError(
                f"cases.payable = {self.cases.payable} does not float: form = {self.form} goes with residual or ratio"
            )
        if self.form != "fixed" and self.year.fund == "standards":
            raise ValueError(f"year.fund = standards pays fixed standards, and form = {self.form} has none")
        if self.cases.payable == "ratio" and self.form == "fixed" and set(self.cases.fund_share) != set(self.pools):
            raise ValueError("cases.fund_share: payable = ratio needs the fund's share of every pool")
        if (self.cases.cross_region == "fixed") != bool(self.cases.cross_region_rates):
            raise ValueError("cases.cross_region_rates and cross_region = fixed belong together")
        return self

    @property
    def uncited(self) -> list[str]:
        """The dotted paths of numbers and rules that no citation covers: those that whoever wrote the file decided."""
        free = {"id", "title", "place", "source", "note", "family", "valid_from", "valid_to", "citations"}
        dumped = self.model_dump(exclude=free, exclude_defaults=True)
        paths = [
            path
            for name, value in dumped.items()
            if name not in self.citations
            for path in ([f"{name}.{key}" for key in value] if isinstance(value, dict) else [name])
        ]
        return [path for path in paths if path not in self.citations]

    def to_toml(self) -> str:
        """The policy as the text of a TOML file, which `read_policy` reads back to an equal policy."""
        given = self.model_dump(exclude_unset=True, exclude={"citations"})
        dumped = {key: value for key, value in given.items() if value is not None}
        cited = {path: citation.model_dump(exclude_defaults=True) for path, citation in self.citations.items()}
        plain = {key: value for key, value in dumped.items() if not isinstance(value, dict) or key in cited}
        lines = [f"{key} = {_toml(value, key, cited)}" for key, value in plain.items()]
        for section, values in dumped.items():
            if section not in plain:
                lines += ["", f"[{section}]"]
                lines += [
                    f"{_key(key)} = {_toml(value, f'{section}.{key}', cited)}"
                    for key, value in values.items()
                    if value is not None
                ]
        return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else json.dumps(text, ensure_ascii=False)


def _toml(value: Any, path: str, cited: Mapping[str, Any]) -> str:
    if path in cited:
        return _toml(
            {"value": value, **cited[path]},
            f"{path} ",
            {f"{path} .value{key[len(path) :]}": cited[key] for key in cited if key.startswith(f"{path}.")},
        )
    if isinstance(value, Mapping):
        inner = [
            f"{_key(key)} = {_toml(part, f'{path}.{key}', cited)}" for key, part in value.items() if part is not None
        ]
        return f"{{ {', '.join(inner)} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(part, f'{path} ', {}) for part in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value)


def _take_citations(values: Mapping[str, Any], path: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """The values with every ``{value, source, …}`` made plain, and the citations by path."""
    plain: dict[str, Any] = {}
    citations: dict[str, Any] = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name == "citations" and not path:
            continue
        if not isinstance(value, Mapping):
            plain[name] = value
            continue
        inner = value
        if "value" in value and "source" in value:
            citations[where] = {key: part for key, part in value.items() if key != "value"}
            inner = value["value"]
        if isinstance(inner, Mapping):
            plain[name], more = _take_citations(inner, f"{where}.")
            citations |= more
        else:
            plain[name] = inner
    return plain, citations


def _fault(fault: Any) -> str:
    """One fault of a policy in words: where, what is there, what is expected."""
    where = ".".join(map(str, fault["loc"]))
    kind, told = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "there is no such field"
    elif kind in {"value_error", "assertion_error"}:
        text = told
    else:
        text = f"is {fault['input']!s}; {told[:1].lower()}{told[1:]}".replace("input should", "it should")
    return f"{where}: {text}" if where else text


def read_policy(path: str | Path) -> Policy:
    """Read a policy from a TOML file.

    Parameters
    ----------
    path
        The file. Any number or rule may stand as ``{ value = 0.85, source = "…", grade = "A" }``.

    Returns
    -------
    The policy.

    Raises
    ------
    PolicyError
        The file cannot be read, or what it says is missing, impossible or contradicts itself.

    Examples
    --------
    >>> read_policy("docs/examples/policy.toml").month.ratio
    Decimal('0.9')
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        shown = ""
        if str(path) in _preset_files():
            shown = f". It is a preset: `drgdip policies show {path}` prints its file, to be saved and filled in"
        raise PolicyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}{shown}") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is no TOML: {error}") from error
    if needs := values.get("needs"):
        raise PolicyError(
            f"{path}: is a preset that leaves open {', '.join(needs)}: "
            f"write its values for the $names and take out [needs]"
        )
    return Policy.of(values)


@once
def _preset_files() -> dict[str, dict[str, Any]]:
    files = sorted(_PRESETS.glob("*.toml"))
    return {path.stem: dict(toml_of(f"policies/{path.name}", Decimal)) for path in files}


def list_presets() -> pa.Table:
    """List the policies of places that come with the library.

    Returns
    -------
    A table with a row a preset: ``id``, ``title``, ``place``, ``family``, ``form`` (null where it is to be given),
    ``needs`` (what the published documents do not give, and `preset` must be given) and ``source``.

    Examples
    --------
    >>> list_presets()["id"].to_pylist()
    ['jilin-dip', 'jilin-drg', 'jinhua', 'nanjing', 'tianjin-dip', 'tianjin-drg', 'yunnan']
    """
    rows = [
        {
            "id": name,
            "title": values["title"],
            "place": values["place"],
            "family": values["family"],
            "form": None if values["form"] == "$form" else values["form"]["value"],
            "needs": ", ".join(values.get("needs", {})),
            "source": values["source"],
        }
        for name, values in _preset_files().items()
    ]
    return pa.Table.from_pylist(rows)


def preset_text(name: str) -> str:
    """The file of a preset as it stands, with ``$names`` for what is to be given."""
    _known(name)
    return (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")


def _known(name: str) -> None:
    presets = _preset_files()
    if name not in presets:
        raise UnknownNameError("preset", name, presets, hint=f"There are {', '.join(presets)}.")


def preset(name: str, **given: Any) -> Policy:
    """Give the policy of a place, with what its documents do not say filled in by the caller.

    Parameters
    ----------
    name
        One of `list_presets`.
    given
        What the documents of this place leave open, all of it, and nothing else. Numbers are Decimals or whole
        numbers.

    Returns
    -------
    The policy. What was given has the source "given by the user" in ``citations``.

    Raises
    ------
    UnknownNameError
        There is no such preset, or it leaves no such thing open.
    PolicyError
        Something that the documents leave open is not given, with what it is; or a value is impossible.

    Examples
    --------
    >>> preset("jinhua")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    drgdip.errors.PolicyError: the documents of 'jinhua' do not give what must be given: pools (...
    """
    _known(name)
    values = dict(_preset_files()[name])
    needs: dict[str, str] = values.pop("needs", {})
    for key in given:
        if key not in needs:
            raise UnknownNameError("open number or rule", key, needs, hint=f"{name!r} leaves open: {', '.join(needs)}.")
    missing = [f"{key} ({why})" for key, why in needs.items() if key not in given]
    if missing:
        raise PolicyError(f"the documents of {name!r} do not give what must be given: {'; '.join(missing)}")
    return Policy.of(_filled(values, given))


def _filled(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with each ``$name`` replaced by what is given, and that cited as the user's; None takes it out."""
    filled: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            filled[key] = _filled(value, given)
            if "value" in value and "value" not in filled[key]:
                del filled[key]
        elif isinstance(value, str) and value.startswith("$"):
            chosen = given[value[1:]]
            if chosen is not None:
                filled[key] = chosen if key == "value" else {"value": chosen, "source": "given by the user"}
        else:
            filled[key] = value
    return filled
