"""A function's own section of a policy: given alone, or taken from the whole policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from drgdip.errors import PolicyError
from drgdip.settle._inputs import keys_of, pool_rows
from drgdip.settle.policy import Policy
from drgdip.settle.rules import Rounding, Rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drgdip._columns import Columns

__all__ = ["pool_numbers", "pools_of", "rounding_of", "section_of"]

Section = TypeVar("Section", bound=Rules)


def section_of(policy: Any, name: str, kind: type[Section]) -> Section:
    """Return a section: ``policy`` itself where it is one, else the section of that name of a whole policy.

    Raise PolicyError where the policy lacks the section, or where ``policy`` is neither.
    """
    if isinstance(policy, kind):
        return policy
    if not isinstance(policy, Policy):
        raise PolicyError(
            f"policy= is a {type(policy).__name__}: give a Policy, or its section [{name}] as a {kind.__name__}"
        )
    section = getattr(policy, name)
    if section is None:
        raise PolicyError(f"policy {policy.id!r} has no rules for this: add the section [{name}]")
    return cast("Section", section)


def rounding_of(policy: Any) -> Rounding:
    """Return the rounding of a whole policy; a section alone has the rounding that a policy has by default."""
    return policy.rounding if isinstance(policy, Policy) else Rounding()


def pools_of(policy: Any, cases: Columns) -> tuple[str, ...]:
    """Return the pools of a whole policy; with a section alone, the pools that the cases name, in order."""
    if isinstance(policy, Policy):
        return policy.pools
    codes, values = cases.codes("pool")
    used = np.unique(codes[codes >= 0])
    return tuple(values.to_pylist()[code] for code in used)


def pool_numbers(policy: Any, cases: Columns) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """Return the pool of each row as its number, and the pools; every row must have one that a whole policy has."""
    pools = pools_of(policy, cases)
    if isinstance(policy, Policy):
        return pool_rows(cases, policy), pools
    return keys_of(cases, ["pool"]).codes, pools
