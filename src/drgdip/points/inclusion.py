"""Rules of inclusion and of trimming (截尾), as a caller declares them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._columns import as_list
from drgdip.errors import PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Columns

__all__ = ["GROUPED", "TRIM_METHODS", "CaseRule", "Trim", "with_statuses"]

#: How limits of cost are found.
TRIM_METHODS = ("iqr", "percentile", "sd", "bounds")
#: The statuses of grouping that count where a caller does not say others.
GROUPED = ("grouped",)


@dataclass(frozen=True, slots=True)
class CaseRule:
    """A rule of inclusion: what a column of a case must hold for the case to count.

    Parameters
    ----------
    column
        The column that is looked at.
    minimum, maximum
        Limits that still count. A case without a number does not.
    only
        The values that count.
    without
        The values that do not count. A missing value counts.

    Examples
    --------
    >>> CaseRule("los", maximum=60).reason
    'excluded_by_rule:los <= 60'
    """

    column: str
    minimum: float | None = None
    maximum: float | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("only", "without"):
            values = getattr(self, name)
            object.__setattr__(self, name, tuple(map(str, [values] if isinstance(values, str) else values)))
        if not (self.minimum is not None or self.maximum is not None or self.only or self.without):
            raise PolicyError(f"the rule about {self.column!r} says nothing: give minimum, maximum, only or without")

    @property
    def reason(self) -> str:
        """The reason of a case that the rule leaves out: a code, and the rule in signs."""
        parts = [
            f"{sign} {value:g}" for sign, value in ((">=", self.minimum), ("<=", self.maximum)) if value is not None
        ]
        parts += [f"{sign} {'|'.join(values)}" for sign, values in (("=", self.only), ("!=", self.without)) if values]
        return f"excluded_by_rule:{self.column} {', '.join(parts)}"

    def violated(self, columns: Columns) -> NDArray[np.bool_]:
        """Return which cases the rule leaves out."""
        out = np.zeros(columns.rows, bool)
        if self.minimum is not None or self.maximum is not None:
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            numbers = columns.numbers(self.column)
            out |= ~((numbers >= low) & (numbers <= high))
        if self.only or self.without:
            codes, values = columns.codes(self.column)
            known = np.append(np.asarray(pc.is_in(values, value_set=pa.array(self.only, pa.string()))), False)
            if self.only:
                out |= ~known[codes]
            banned = np.append(np.asarray(pc.is_in(values, value_set=pa.array(self.without, pa.string()))), False)
            out |= banned[codes]
        return out


@dataclass(frozen=True, slots=True)
class Trim:
    """How far from the others a cost may lie.

    Costs at a limit are kept.

    Parameters
    ----------
    method
        Which costs are kept. ``"iqr"``: from Q1 - lower x IQR to Q3 + upper x IQR, where IQR is Q3 - Q1.
        ``"percentile"``: from the lower to the upper percentile, which lies between two costs in proportion.
        ``"sd"``: from mean - lower x sd to mean + upper x sd, where sd is that of a sample. ``"bounds"``: from lower
        to upper, in yuan.
    lower, upper
        The factor, percentile (0 to 100) or bound of each side. None leaves the side open.
    log
        Find the limits on the logarithm of the cost.
    within
        The columns whose values divide the cases into sets with limits of their own. None takes the key of the
        means, () takes all cases together.
    min_cases
        Sets with fewer cases are not trimmed.

    Notes
    -----
    No factor is built in. Places use 1.5 on both sides of the quartiles, and a study of one city 0.5 and 1.5. The DIP
    3.0 draft (chapter 5) has the percentiles 2.5 and 97.5.

    Examples
    --------
    >>> Trim("percentile", lower=2.5, upper=97.5).within is None
    True
    """

    method: str
    lower: float | None = None
    upper: float | None = None
    log: bool = False
    within: tuple[str, ...] | None = None
    min_cases: int = 0

    def __post_init__(self) -> None:
        if self.method not in TRIM_METHODS:
            raise UnknownNameError(
                "method of trimming", self.method, TRIM_METHODS, hint=f"There are {', '.join(TRIM_METHODS)}."
            )
        if self.within is not None:
            object.__setattr__(self, "within", tuple(as_list(self.within)))
        sides = {"lower": self.lower, "upper": self.upper}
        for side, value in sides.items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise PolicyError(
                    f"{side}={value!r} of trimming by {self.method}: give a number of at least 0, or None"
                )
            if value is not None and self.method == "percentile" and value > 100:
                raise PolicyError(f"{side}={value!r}: a percentile lies between 0 and 100")
        if self.lower is None and self.upper is None:
            raise PolicyError(f"trimming by {self.method} needs lower=, upper= or both")
        if self.method in {"percentile", "bounds"} and None not in sides.values() and self.lower > self.upper:  # type: ignore[operator]
            raise PolicyError(f"lower={self.lower!r} is above upper={self.upper!r}: exchange them")


def with_statuses(rules: Sequence[CaseRule], statuses: Sequence[str] | None, columns: Columns) -> tuple[CaseRule, ...]:
    """Return rules behind the rule that a case has one of some statuses, where the table has the column ``status``."""
    if statuses is None or "status" not in columns:
        return tuple(rules)
    return (CaseRule("status", only=tuple(as_list(statuses))), *rules)
