"""A function takes its own section of a policy, or the whole policy."""

from decimal import Decimal

import pytest

from drgdip._columns import Columns
from drgdip.errors import PolicyError
from drgdip.settle import read_policy
from drgdip.settle._sections import pools_of, rounding_of, section_of
from drgdip.settle.rules import MonthRules, ReviewRules, Rounding

POLICY = read_policy("docs/examples/policy.toml")


def test_a_section_is_given_alone_or_taken_from_the_policy():
    alone = MonthRules(ratio=Decimal("0.5"))
    assert section_of(alone, "month", MonthRules) is alone
    assert section_of(POLICY, "month", MonthRules) is POLICY.month


def test_a_section_that_the_policy_lacks_is_named_with_the_remedy():
    with pytest.raises(PolicyError, match=rf"{POLICY.id}.*add the section \[review\]"):
        section_of(POLICY.replace(review=None), "review", ReviewRules)


@pytest.mark.parametrize("other", [None, 0.9, ReviewRules(cap=Decimal("0.05"), outcome="item")])
def test_what_is_neither_policy_nor_the_section_is_refused(other):
    with pytest.raises(PolicyError, match=r"give a Policy, or its section \[month\] as a MonthRules"):
        section_of(other, "month", MonthRules)


def test_rounding_and_pools_go_with_the_policy_and_else_are_the_default_and_those_of_the_cases():
    cases = Columns([{"pool": "b"}, {"pool": None}, {"pool": "a"}, {"pool": "b"}])
    rounded = POLICY.replace(rounding={"points": 2})
    assert (rounding_of(rounded).points, pools_of(POLICY, cases)) == (2, POLICY.pools)
    alone = MonthRules(ratio=Decimal("0.5"))
    assert (rounding_of(alone), pools_of(alone, cases)) == (Rounding(), ("a", "b"))
