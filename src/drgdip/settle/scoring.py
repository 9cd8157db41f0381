"""Points under a policy: the columns that its rules on points read, added to the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._columns import Columns, add_columns
from drgdip._exact import exactly
from drgdip.errors import PolicyError
from drgdip.points import combine_coefficients, mark_readmissions
from drgdip.settle._inputs import NAMES, names_after, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drgdip.settle.policy import Policy

__all__ = ["PREPARED_COLUMNS", "prepare_cases"]

#: The columns that a policy's rules on points add.
PREPARED_COLUMNS = ("coefficient", "case_kind", "readmission_factor")


@exactly
def prepare_cases(
    cases: Any,
    policy: Policy,
    *,
    coefficients: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Add to cases the columns that a policy's rules on points read, for `drgdip.points.case_points`.

    Parameters
    ----------
    cases
        Grouped cases: ``group``, and the columns of the policy's rules: ``level``, ``discharge``, ``patient``,
        ``admitted``, ``discharged``. A ``case_kind`` of theirs (one of `drgdip.points.CASE_KINDS`) stays.
    policy
        The policy.
    coefficients
        The tables that the policy's expression ``points.coefficients`` names, as for
        `drgdip.points.combine_coefficients`; without an expression, None.
    columns
        The table's names of columns by the library's names, such as ``{"group": "病组"}``.

    Returns
    -------
    The caller's table with ``coefficient``, ``case_kind`` and ``readmission_factor``, each where the policy has a rule
    on it. `Policy.for_points` has the arguments that go with it.

    Raises
    ------
    PolicyError
        Coefficients are given without an expression or the other way round.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml")
    >>> level = [{"level": "3", "coefficient": 1.1}]
    >>> prepare_cases([{"group": "A", "level": "3"}], policy, coefficients={"level": level})[0]["coefficient"]
    1.1
    """
    rules, stays = policy.points, policy.readmission
    if rules.coefficients is None and coefficients is not None:
        raise PolicyError(f"policy {policy.id!r}: points.coefficients names no table, but coefficients= is given")
    if rules.coefficients is not None:
        if coefficients is None:
            raise PolicyError(
                f"policy {policy.id!r}: points.coefficients is {rules.coefficients!r}: give a table for each name in "
                "it, such as coefficients={'level': table} (--coefficients level=FILE on the command line)"
            )
        cases = combine_coefficients(
            cases,
            coefficients,
            rules.coefficients,
            uniform={group: float(value) for group, value in rules.uniform.items()} or None,
            missing={name: float(value) for name, value in rules.missing.items()} or None,
            columns=columns,
        )
    if policy.cases.incomplete_discharges:
        cases = add_columns(cases, {"case_kind": _kinds(cases, policy.cases.incomplete_discharges, columns)})
    if stays is not None:
        cases = mark_readmissions(
            cases,
            days=stays.days,
            factor=float(stays.factor),
            reduced=stays.reduced,
            except_groups=stays.except_groups,
            columns=names_after(columns, cases, PREPARED_COLUMNS),
        )
    return cases


def _kinds(cases: Any, modes: tuple[int, ...], columns: Mapping[str, str] | None) -> pa.Array:
    """Return the kind of each case, where some modes of discharge make a complete stay incomplete."""
    table = Columns(cases, ["discharge"], columns=columns, optional=NAMES)
    left = pa.array(np.isin(table.numbers("discharge"), modes))
    kinds = pc.coalesce(texts(table, "case_kind"), "complete")
    return pc.if_else(pc.and_(left, pc.equal(kinds, "complete")), "incomplete", kinds)
