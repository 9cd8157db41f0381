"""Every public function reads each of its tables once: the order of a source may change between readings.

The examples of the functions run over such sources in place of their tables, and must give what they give over the
same rows in memory. So do calls over many rows, and those that the examples do not show. A parameter that takes a
table and is in neither fails here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import doctest
import inspect
import io
import sys
import tempfile
from datetime import date
from decimal import Decimal

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from conftest import ROOT, Restless
from points_cases import make_cases
from settle_city import GIVEN, inputs_of, make_city, prepare
from settle_city import WEIGHTS as CITY_WEIGHTS

import drgdip
from drgdip import points, sample_cases, settle
from drgdip._arrow import kind_of, to_arrow
from drgdip.errors import CaseError
from drgdip.grouper.moves import move_cases
from drgdip.settle import load_policy
from drgdip.settle.money_rules import PrepaymentRules
from drgdip.settle.rules import CalendarRules, ReviewRules

PUBLIC = {
    f"{module.__name__}.{name}": function
    for module in (drgdip, points, settle)
    for name in module.__all__
    if inspect.isroutine(function := getattr(module, name))
}


class Counted:
    """A source that counts its readings; ``given`` is what a function is given."""

    def __init__(self, table):
        self.given = self.source = Restless(table)

    @property
    def readings(self):
        return self.source.readings


class CountedPlan:
    """A Polars plan that gives its rows in another order at each run, and counts its runs."""

    def __init__(self, table):
        self.readings = 0
        frame = pl.DataFrame(table)
        self.given = frame.lazy().map_batches(self._shuffled, schema=frame.schema)

    def _shuffled(self, frame):
        self.readings += 1
        return frame.sample(fraction=1, shuffle=True, seed=self.readings)


class Relation:
    """A DuckDB relation in any order; nobody counts its readings, so that results alone tell."""

    readings = 1

    def __init__(self, table):
        self.given = duckdb.from_arrow(table).order("random()")


def is_table(value):
    """Whether a value is a table of rows in memory."""
    try:
        kind = kind_of(value)
    except CaseError:
        return False
    return len(value) > 0 if kind == "records" else kind in {"pyarrow", "batch"}


def swapped(value, give):
    """A value with each table in it, also within dictionaries and lists, given as something else."""
    if is_table(value):
        return give(to_arrow(value))
    if isinstance(value, dict):
        return {key: swapped(part, give) for key, part in value.items()}
    return tuple(swapped(part, give) for part in value) if type(value) is tuple else value


def plain(value):
    """What a result holds, whatever the container and the order of its rows."""
    if is_table(value) or type(value).__name__ in {"DataFrame", "LazyFrame", "DuckDBPyRelation"}:
        rows = to_arrow(value).to_pylist()  # the numbers of rows follow the order of the source
        return sorted(repr(sorted((name, cell) for name, cell in row.items() if name != "row")) for row in rows)
    if isinstance(value, drgdip.Catalogue):
        return sorted(map(repr, value.groups))
    if isinstance(value, drgdip.Encoded):
        return plain(drgdip.group(value, "chs-drg-2.0"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(part) for name, part in zip(value._fields, value, strict=True)}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return repr(value)


def check(function, args, kwargs, kind):
    """Call a function over sources in place of tables, compare, and return the parameters that held any."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    sources, held = [], set()

    def give(table):
        sources.append(kind(table))
        return sources[-1].given

    for name, value in bound.arguments.items():
        before = len(sources)
        bound.arguments[name] = swapped(value, give)
        held |= {name} if len(sources) > before else set()
    if sources:
        found = function(*bound.args, **bound.kwargs)
        expected = function(*(swapped(value, pa.table) for value in args), **swapped(kwargs, pa.table))
        assert plain(found) == plain(expected)
        assert [source.readings for source in sources] == [1] * len(sources)
    return held


# The examples


def examples_of(function):
    inner = inspect.unwrap(function)
    return doctest.DocTestFinder(recurse=False).find(inner, inner.__name__, globs=vars(sys.modules[inner.__module__]))


def held_by_examples(function, kind):
    """Run the examples of a function over sources, and return the parameters that held any."""
    held = set()

    def over_sources(*args, **kwargs):
        held.update(check(function, args, kwargs, kind))
        return function(*args, **kwargs)

    for example in (
        examples_of(function) if function is not drgdip.build_catalogue else ()
    ):  # whose folder is there then
        example.globs = example.globs | {function.__name__: over_sources}
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            failed, _ = doctest.DocTestRunner(verbose=False).run(example)
        assert not failed, told.getvalue()
    return held


# Many rows, and tables that the examples do not show

STROKE = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": []}
STROKES = pa.table({"group": ["BR21", "BR23", "BR25", "KZ15"], "weight": [2.0, 1.1, 0.9, 0.6]})
CASES = sample_cases(300, "chs-drg-2.0", seed=5)
POLICY = load_policy("jinhua", **GIVEN["jinhua"])
APPRAISED = POLICY.replace(appraisal={"lowest": Decimal("0.9"), "highest": Decimal("1.1"), "difference": "fund"})
CITY = prepare(make_city(200), POLICY)
INPUTS = inputs_of(POLICY, CITY)
PRICED = settle.settle_year(CITY, POLICY, **INPUTS).cases
CAPS = {"total_share": Decimal("0.5"), "growth_of": "payable"}
CAPS |= {"highest_growth": Decimal("0.1"), "growth_share": Decimal("0.5")}
GROUPED = make_cases(300, seed=7, groups=6)
WEIGHTS = points.weights(GROUPED, scale=100)
ALONE = pa.table({"group": ["G01", "G02"], "points": [1.0, 2.0]})
PREPAID = PrepaymentRules(months=Decimal(1), least_balance={"p": Decimal(12)})


def money(*pools, column="amount"):
    return pa.table({"pool": pools, column: [Decimal(90 + place) for place, _ in enumerate(pools)]})


def of_hospitals(column, value, **more):
    """A value for each hospital and pool of the city."""
    keys = CITY.group_by(["hospital", "pool"]).aggregate([])
    for name, one in {column: value, **more}.items():
        keys = keys.append_column(name, pa.array([one] * len(keys)))
    return keys


def amounts(by_pool):
    return pa.table({"pool": list(by_pool), "amount": list(by_pool.values())})


PAYMENTS = of_hospitals("kind", "monthly", month=1, amount=Decimal(7), date=date(2024, 2, 20))
CAPPED = {"ratio": Decimal("0.9"), "value": "budget"}
MONTHS = pa.table(
    {
        "pool": ["employee", "resident"] * 12,
        "month": [1 + number // 2 for number in range(24)],
        "amount": [Decimal(1000 + number) for number in range(24)],
    }
)
OUTLYING = APPRAISED.replace(outliers={"variant": "dip-1.0"}, month=CAPPED)
LEVELLED = {name: inputs_of(OUTLYING, CITY)[name] for name in ("weights", "coefficients", "reference")}


def built(cases):
    with tempfile.TemporaryDirectory() as folder:
        return drgdip.build_catalogue(cases, folder, threshold=1, score=points.weights)


def refined(cases, decisions):
    features, criteria = [drgdip.Feature.severity()], drgdip.SplitCriteria(min_cases=2, hospital_share=0.9)
    options = {"features": features, "criteria": criteria, "decisions": decisions, "weights": points.weights}
    return drgdip.build_scheme(cases, "own", **options).decisions


def described(cases):
    """Without the examples of values, which are the first of the source."""
    return to_arrow(drgdip.describe_cases(cases, "chs-drg-2.0")).drop(["examples"])


def heights(figure):
    return sorted(patch.get_height() for axes in figure.axes for patch in axes.patches)


#: Public functions, or what calls them, with arguments of which some are tables; what follows a blank tells two apart.
CALLS = {
    "drgdip.alternatives": (
        lambda weights: drgdip.alternatives(STROKE, "chs-drg-2.0", weights=weights).text(),
        {"weights": STROKES},
    ),
    "drgdip.explain": (
        lambda weights: drgdip.explain(STROKE, "chs-drg-2.0", weights=weights).text(),
        {"weights": STROKES},
    ),
    "drgdip.build_catalogue": (built, {"cases": CASES}),
    "drgdip.build_scheme": (
        refined,
        {"cases": CASES, "decisions": pa.table({"adrg": ["KS1"], "action": ["keep"], "about": [""]})},
    ),
    "drgdip.check_cases": (drgdip.check_cases, {"cases": CASES, "scheme": "chs-drg-2.0"}),
    "drgdip.describe_cases": (described, {"cases": CASES}),
    "drgdip.diff_cases": (drgdip.diff_cases, {"cases": CASES, "before": "chs-drg-2.0", "after": "chs-drg-3.0"}),
    "drgdip.encode": (drgdip.encode, {"cases": CASES, "scheme": "chs-drg-2.0"}),
    "drgdip.find_auxiliary_types": (
        drgdip.find_auxiliary_types,
        {
            "cases": CASES,
            "rules": "nhsa-dip-3.0",
            "catalogues": ["cci", "severity"],
            "bands": {"cci": (1, 3)},
            "cci_weights": pa.table({"code": ["I10.x00", "E11.900"], "weight": [1, 2]}),
            "lists": pa.table({"list": ["failure", "organ_damage", "severe", "moderate"], "code": ["I50.900"] * 4}),
        },
    ),
    "drgdip.group": (drgdip.group, {"cases": CASES, "scheme": "chs-drg-2.0", "engine": "reference"}),
    "drgdip.group in columns": (drgdip.group, {"cases": CASES, "scheme": "chs-drg-2.0", "engine": "columnar"}),
    "drgdip.group of another edition": (
        drgdip.group,
        {"cases": CASES, "scheme": "chs-drg-2.0", "codes": "clinical-2.0"},
    ),
    "drgdip.map_codes": (drgdip.map_codes, {"cases": CASES, "from_": "clinical-2.0", "to": "nhsa-2.0"}),
    "drgdip.move_cases": (
        lambda cases, weights: move_cases(cases, "chs-drg-2.0", "chs-drg-3.0", weights=weights).cases,
        {"cases": CASES, "weights": (WEIGHTS, WEIGHTS.slice(0, 3))},
    ),
    "drgdip.points.add_points": (points.add_points, {"cases": PRICED, "added": ALONE}),
    "drgdip.points.case_points": (
        points.case_points,
        {
            "cases": GROUPED,
            "weights": WEIGHTS,
            "outliers": "dip-1.0",
            "reference": points.weights(GROUPED, by=["group", "level"]),
        },
    ),
    "drgdip.points.derive_parent_weights": (
        points.derive_parent_weights,
        {"weights": WEIGHTS, "parents": pa.table({"group": [f"G{n:02}" for n in range(6)], "parent": ["P", "Q"] * 3})},
    ),
    "drgdip.points.plot_ratios": (
        lambda cases: heights(points.plot_ratios(cases, edges=[0.5, 2.0])),
        {"cases": pa.table({"cost_ratio": [0.2, 1.0, 9.0]})},
    ),
    "drgdip.points.plot_weights": (
        lambda before, after: heights(points.plot_weights(before, after)),
        {"before": WEIGHTS, "after": WEIGHTS.slice(1)},
    ),
    "drgdip.settle.advance_capital": (
        settle.advance_capital,
        {
            "last_year": pa.table({"hospital": ["A", "B", "C"], "pool": ["p"] * 3, "paid": [1200, 600, 60]}),
            "policy": PREPAID,
            "applications": pa.table({"hospital": ["A", "B", "C"], "pool": ["p"] * 3, "applied": [50, 40, 5]}),
            "pools": [{"pool": "p", "balance": 1200, "spending": 1200, "result": 0, "forecast": 0}],
        },
    ),
    "drgdip.settle.audit_cases": (
        settle.audit_cases,
        {"cases": CITY, "policy": POLICY, "year": 2024, "lists": CITY.select(["case_id", "hospital"]).slice(50)},
    ),
    "drgdip.settle.budget_by_factors": (
        settle.budget_by_factors,
        {"last_year": money("p", "q"), "factors": {"price": Decimal("0.01")}},
    ),
    "drgdip.settle.budget_by_growth": (
        settle.budget_by_growth,
        {"last_year": money("p", "q"), "growth": {"price": Decimal("0.01")}, "highest": Decimal("0.5")},
    ),
    "drgdip.settle.charge_audits": (
        settle.charge_audits,
        {
            "audits": pa.table(
                {
                    "audit_id": ["1", "2"],
                    "hospital": ["A", "B"],
                    "pool": ["p", "q"],
                    "month": [1, 2],
                    "state": ["upheld", "upheld"],
                    "points": [10.0, 20.0],
                }
            ),
            "charged": ("upheld",),
            "values": money("p", "q", column="value"),
        },
    ),
    "drgdip.settle.clear_year": (
        settle.clear_year,
        {
            "cases": PRICED,
            "policy": APPRAISED,
            "budget": amounts(INPUTS["budget"]),
            "paid": of_hospitals("paid", Decimal(10)),
            "deductions": of_hospitals("deductions", Decimal(1)),
            "appraisal": of_hospitals("appraisal", Decimal("0.95")),
            "points_change": of_hospitals("points_change", Decimal(3)),
            "working_capital": of_hospitals("working_capital", Decimal(2)),
            "deposits_kept": of_hospitals("deposit_kept", Decimal(2)),
        },
    ),
    "drgdip.settle.clear_year of caps": (
        settle.clear_year,
        {
            "cases": PRICED,
            "policy": POLICY.replace(caps=CAPS),
            "budget": amounts(INPUTS["budget"]),
            "money_caps": money("G01", "G02", column="cap").rename_columns(["group", "cap"]),
            "last_year": of_hospitals("payable", Decimal(100), cases=1),
        },
    ),
    "drgdip.settle.clear_year of payments": (
        settle.clear_year,
        {"cases": PRICED, "policy": POLICY, "budget": INPUTS["budget"], "payments": PAYMENTS},
    ),
    "drgdip.settle.list_deadlines": (
        settle.list_deadlines,
        {
            "months": pa.table({"month": list(range(1, 13))}),
            "policy": CalendarRules(upload_days=7, working_days=True),
            "year": 2024,
            "calendar": pa.table({"day": [date(2024, 5, 1), date(2024, 5, 2)], "working": [False, False]}),
        },
    ),
    "drgdip.settle.month": (
        settle.month,
        {
            "cases": PRICED,
            "policy": POLICY,
            "before": PRICED.slice(20),
            "payments": PAYMENTS,
            "deductions": of_hospitals("deductions", Decimal(1), month=1),
        },
    ),
    "drgdip.settle.month of budgets": (
        settle.month,
        {"cases": PRICED, "policy": POLICY.replace(month=CAPPED), "budget": MONTHS},
    ),
    "drgdip.settle.price_cases of shares": (
        settle.price_cases,
        {
            "cases": PRICED,
            "policy": POLICY.replace(
                cases={
                    "payable": "ratio",
                    "cross_region": "same",
                    "fund_share": {"employee": Decimal("0.5"), "resident": Decimal("0.5")},
                }
            ),
            "ratios": pa.table({"pool": ["employee", "resident"], "fund_share": [Decimal("0.7"), Decimal("0.6")]}),
        },
    ),
    "drgdip.settle.review_cases": (
        settle.review_cases,
        {
            "cases": CITY.append_column("cost_ratio", pa.array([number % 7 for number in range(len(CITY))])),
            "policy": ReviewRules(cap=Decimal("0.05"), cap_over="year", cost_ratio=Decimal(2), outcome="item"),
            "so_far": pa.table({"pool": ["employee", "resident"], "discharges": [500, 700], "approved": [5, 9]}),
        },
    ),
    "drgdip.settle.score_cases": (
        settle.score_cases,
        {"cases": CITY, "policy": OUTLYING, **LEVELLED, "added": ALONE, "mean_cost": 9000.0},
    ),
    "drgdip.settle.settle_year of all": (
        settle.settle_year,
        {
            "cases": CITY,
            "policy": OUTLYING,
            **LEVELLED,
            "mean_cost": 9000.0,
            "added_points": ALONE,
            "budget": amounts(INPUTS["budget"]),
            "values": money("employee", "resident", column="point_value"),
            "deductions": of_hospitals("deductions", Decimal(1), month=1),
            "appraisal": of_hospitals("appraisal", Decimal("0.95")),
            "points_change": of_hospitals("points_change", Decimal(3)),
            "working_capital": of_hospitals("working_capital", Decimal(2)),
            "deposits_kept": of_hospitals("deposit_kept", Decimal(2)),
            "month_budget": MONTHS,
        },
    ),
    "drgdip.settle.settle_year of payments": (
        settle.settle_year,
        {"cases": CITY, "policy": POLICY, **INPUTS, "payments": PAYMENTS},
    ),
    "drgdip.settle.make_budget": (
        settle.make_budget,
        {
            "policy": POLICY.replace(budget={"method": "growth", "highest_growth": Decimal("0.5")}),
            "last_year": money("employee", "resident"),
            "growth": {"price": Decimal("0.01")},
        },
    ),
    "drgdip.settle.price_cases": (
        settle.price_cases,
        {"cases": PRICED, "policy": POLICY, "values": money("employee", "resident", column="point_value")},
    ),
    "drgdip.settle.settle_year": (settle.settle_year, {"cases": CITY, "policy": POLICY, **INPUTS}),
    "drgdip.settle.settle_year of caps": (
        settle.settle_year,
        {
            "cases": CITY.append_column("excluded_cost", CITY["total_cost"]).append_column(
                "excluded_kind", pa.array(["drug"] * len(CITY))
            ),
            "policy": POLICY.replace(
                caps=CAPS | {"volume_factor": Decimal("0.5")}, exclusion={"variant": "beijing-2022"}
            ),
            **INPUTS,
            "money_caps": money("G01", "G02", column="cap").rename_columns(["group", "cap"]),
            "last_year": of_hospitals("payable", Decimal(100), cases=1),
            "volume_caps": pa.table({"group": ["G01", "G02"], "cap": [2, 3]}),
            "exclusion_means": pa.table(
                {"group": CITY_WEIGHTS["group"], "mean": CITY_WEIGHTS["mean"], "mean_drug": CITY_WEIGHTS["mean"]}
            ),
        },
    ),
    "drgdip.settle.simulate": (
        settle.simulate,
        {
            "cases": CITY,
            "policy_a": POLICY,
            "policy_b": POLICY.replace(month={"ratio": Decimal("0.9")}),
            "inputs_a": INPUTS,
        },
    ),
}

#: Parameters of any type that are no tables: numbers, paths, what presets leave open.
NO_TABLES = {
    *(
        "axes",
        "fund",
        "fund_share",
        "given",
        "highest",
        "matching",
        "month",
        "options",
        "source",
        "total",
        "base_points",
    ),
    *("drgdip.points.base_rate budget", "drgdip.settle.share_surplus budget", "drgdip.settle.share_surplus spent"),
}
#: Parameters that hold several tables by name.
OF_TABLES = {"coefficients", "inputs", "inputs_a", "inputs_b", "sources", "tables"}


def tables_of(name):
    """The parameters of a public function that may be tables."""
    return {
        parameter.name
        for parameter in inspect.signature(PUBLIC[name]).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
        and (parameter.annotation == "Any" or parameter.name in OF_TABLES)
        and not {parameter.name, f"{name} {parameter.name}"} & NO_TABLES
    }


WITH_TABLES = [name for name in PUBLIC if tables_of(name)]
KINDS = pytest.mark.parametrize("kind", [Counted, CountedPlan, Relation])


@pytest.mark.parametrize("name", WITH_TABLES)
def test_every_table_of_every_public_function_is_read_once(name, monkeypatch):
    """A parameter that takes a table is in an example of the function, or in the calls above."""
    monkeypatch.chdir(ROOT)
    held = held_by_examples(PUBLIC[name], Counted)
    for called, (_, given) in CALLS.items():
        if called.partition(" ")[0] == name:
            held |= {parameter for parameter, value in given.items() if repr(swapped(value, id)) != repr(value)}
    assert tables_of(name) <= held


@pytest.mark.parametrize("name", WITH_TABLES)
def test_the_examples_give_the_same_over_plans_without_an_order(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    held_by_examples(PUBLIC[name], CountedPlan)


@KINDS
@pytest.mark.parametrize("name", CALLS)
def test_many_rows_give_the_same_over_sources_without_an_order(name, kind):
    function, given = CALLS[name]
    assert check(function, (), given, kind)


def test_a_table_that_is_given_twice_is_read_once():
    source = Restless(WEIGHTS)
    points.borrow_weights(WEIGHTS, {"one": source, "another": source})
    assert source.readings == 1
