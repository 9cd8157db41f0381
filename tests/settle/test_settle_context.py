"""The caller's decimal context does not matter: no fen moves under a short precision, another rounding, or traps."""

import decimal
import inspect
from decimal import Decimal

import pyarrow as pa
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip import points, settle
from drgdip.errors import PolicyError

D = Decimal
HOSTILE = {
    "precision 6": decimal.Context(prec=6),
    "precision 1, up": decimal.Context(prec=1, rounding=decimal.ROUND_UP),
    "rounding up": decimal.Context(rounding=decimal.ROUND_UP),
    "rounding down": decimal.Context(prec=12, rounding=decimal.ROUND_DOWN),
    "every trap": decimal.Context(prec=6, traps=list(decimal.Context().flags)),
    "no trap": decimal.Context(prec=6, traps=[]),
    "small exponents": decimal.Context(prec=6, Emax=3, Emin=-3),
}
#: Public functions that work out no number.
LISTINGS = {"list_coverage_minima", "list_exclusions", "list_policies", "read_settlement"}
EXAMPLE = settle.read_policy("docs/examples/policy.toml")
CASES = settle.read_settlement("docs/examples/settlement.csv")
BUDGET = {"employee": D("63000.01"), "resident": D("44100.07")}


CITY = make_city(400)
KEEP = {"unpriced": "by_item", "same_stay": "keep"}
#: What the arithmetic of the tests gives stands before.
INPUTS = {name: inputs_of(settle.load_policy(name, **given), CITY) for name, given in GIVEN.items()}


def year_of(preset):
    policy = settle.load_policy(preset, **GIVEN[preset])
    return settle.settle_year(prepare(CITY, policy), policy, accept=KEEP, **INPUTS[preset])


def year_of_example():
    return settle.settle_year(CASES, EXAMPLE, budget=BUDGET)


def capped_year():
    caps = {"volume_factor": D("0.3"), "total_share": D("0.123456789012"), "growth_of": "fund_booked"}
    rule = EXAMPLE.replace(caps=caps | {"highest_growth": D("0.0512345678"), "growth_share": D("0.7")})
    days = pa.array([f"2024-03-{1 + row % 28:02}" for row in range(len(CASES))])
    last = [{"hospital": "City Hospital", "pool": "employee", "cases": 3, "fund_booked": D("15000.01")}]
    tables = {"volume_caps": [{"group": "IU23", "cap": 3}], "money_caps": [{"group": "BR23", "cap": D("40000.03")}]}
    accept = {"month_differs": "keep"}
    dated = CASES.append_column("discharged", days)
    year = settle.settle_year(dated, rule, budget=BUDGET, last_year=last, accept=accept, **tables)
    return year.clearing, settle.make_statements(year.clearing)


def simulation():
    found = settle.simulate(CASES, EXAMPLE, EXAMPLE.replace(id="b"), inputs_a={"budget": BUDGET}, by="pool")
    return found.table, found.a.clearing


STEPS = {
    **{preset: lambda preset=preset: year_of(preset) for preset in GIVEN},
    "example": year_of_example,
    "statements": lambda: settle.make_statements(year_of_example().clearing),
    "caps": capped_year,
    "simulation": simulation,
    "growth": lambda: settle.budget_by_growth(
        {"a": D("123456789012.34")}, {"x": D("0.0512345678")}, highest=D("0.0512345677")
    ),
    "factors": lambda: settle.budget_by_factors({"a": D("123456789012.34")}, {"x": D("0.05"), "y": D("-0.0123456789")}),
    "item": lambda: settle.budget_by_item({"a": D("123456789012.34")}, {"x": {"a": D("9876543210.12")}}),
    "share": lambda: settle.budget_by_share({"a": D("123456789012.34")}, {"a": D("0.912345678")}),
    "reserve": lambda: settle.hold_reserve(
        [{"amount": D("123456789012.34")}],
        EXAMPLE.replace(budget={"method": "growth", "reserve": D("0.0512345678")}),
    ),
    "split budget": lambda: settle.split_budget(
        [{"amount": D("123456789012.34")}], [{"m": 1, "share": D("1.2345678")}, {"m": 2, "share": D("7.6543219")}], "m"
    ),
    "split": lambda: settle.split(D("123456789012.34"), [D("1.2345678"), D("7.6543219"), 0.1]),
    "sharing": lambda: settle.share_surplus(D("123456789012.34"), D("120000000000.01"), EXAMPLE),
    "capital": lambda: settle.advance_capital(
        [{"hospital": "H", "pool": "employee", "paid": D("123456789012.34")}], EXAMPLE
    ),
    "review cap": lambda: settle.cap_reviews(123456789, EXAMPLE),
    "prices at values of points": lambda: settle.price_cases(
        CASES,
        EXAMPLE,
        values=points.point_value(
            [{"pool": pool, "points": 1234567.891} for pool in BUDGET],
            fund=dict.fromkeys(BUDGET, 123456789.12),
            fund_share=0.7,
        ),
    ),
    "policy": lambda: settle.load_policy("jinhua", **GIVEN["jinhua"]).to_toml(),
}


def rows_of(found):
    """A result with its tables as rows."""
    if isinstance(found, tuple):
        return [rows_of(part) for part in found]
    return found.to_pylist() if hasattr(found, "to_pylist") else found


EXPECTED = {name: rows_of(step()) for name, step in STEPS.items()}


@pytest.mark.parametrize("context", HOSTILE)
@pytest.mark.parametrize("name", STEPS)
def test_no_number_moves_under_a_hostile_context(name, context):
    with decimal.localcontext(HOSTILE[context]) as hostile:
        found = STEPS[name]()
        assert decimal.getcontext() is hostile  # the caller's context is as it was
    assert rows_of(found) == EXPECTED[name]


def test_every_function_that_computes_runs_in_the_own_context():
    """A function that is new is not forgotten: `exactly` wraps it, or it works out no number."""
    functions = {name for name in settle.__all__ if inspect.isfunction(getattr(settle, name))}
    plain = {name for name in functions if inspect.unwrap(getattr(settle, name)) is getattr(settle, name)}
    assert plain - {"split"} == LISTINGS


def test_an_error_gives_the_context_back():
    before = decimal.getcontext()
    with pytest.raises(PolicyError):
        settle.split(0.1, [1])
    assert decimal.getcontext() is before
