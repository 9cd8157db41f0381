"""One context for all arithmetic with decimals, so that the caller's precision, rounding and traps do not matter."""

from __future__ import annotations

import functools
from decimal import ROUND_HALF_UP, Context, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXACT", "exactly"]

#: No sum of money and no rate has as many digits: products and sums are exact. What is no number raises.
EXACT = Context(
    prec=100,
    rounding=ROUND_HALF_UP,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def exactly(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Return a function that computes in `EXACT`; the caller's context is as before when it returns."""

    @functools.wraps(function)
    def computed(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        with localcontext(EXACT):
            return function(*given, **named)

    return computed
