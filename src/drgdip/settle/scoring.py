"""Points under a policy: the columns that its rules on points read, added to the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import names_of, reads_once, to_arrow
from drgdip._columns import Columns, add_columns, nullable
from drgdip._exact import exactly
from drgdip.errors import PolicyError
from drgdip.points import add_points, case_points, combine_coefficients, downgrade_tcm, mark_readmissions
from drgdip.points.addons import added_to
from drgdip.settle._inputs import NAMES, names_after, optional_money, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from numpy.typing import NDArray

    from drgdip.settle.policy import Policy

__all__ = ["PREPARED_COLUMNS", "SCORED_COLUMNS", "prepare_cases", "score_again", "score_cases"]

#: The columns that a policy's rules on points add.
PREPARED_COLUMNS = ("coefficient", "case_kind", "readmission_factor")
# The columns that marking readmissions adds.
_MARKS = ("readmission_days", "readmission_factor", "readmission_reason")
#: The columns that scoring adds: those, those of `drgdip.points.case_points`, of Chinese medicine and of added points.
SCORED_COLUMNS = (
    *PREPARED_COLUMNS,
    "weight",
    "auxiliary",
    "reference_cost",
    "cost_ratio",
    "outlier",
    "factor",
    "points_rule",
    "points",
    "points_status",
    "points_reason",
    "tcm_ratio",
    "downgraded",
    "downgrade_reason",
    "own_points",
    "western_points",
    "paid_group",
    "added_points",
)


@exactly
@reads_once
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
        ``pool``, ``admitted``, ``discharged`` and those of the exceptions of a readmission. A ``case_kind`` of theirs
        (one of `drgdip.points.CASE_KINDS`) stays.
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
    return _prepare(cases, policy, coefficients, columns, marked=False)


def _prepare(
    cases: Any,
    policy: Policy,
    coefficients: Mapping[str, Any] | None,
    columns: Mapping[str, str] | None,
    *,
    marked: bool,
) -> Any:
    """Return cases with the columns that rules on points read; readmissions may be marked already."""
    rules, stays = policy.points, policy.readmission
    if rules.coefficients is None and coefficients is not None:
        raise PolicyError(f"policy {policy.id!r}: points.coefficients names no table, but coefficients= is given")
    cases = _with_coefficients(cases, policy, coefficients, columns)
    if policy.cases.incomplete_discharges:
        cases = add_columns(cases, {"case_kind": _kinds(cases, policy.cases.incomplete_discharges, columns)})
    if stays is not None and marked:  # the marks stay, in the place where marking would put them
        table = Columns(cases)
        cases = add_columns(cases, {name: table.column(name) for name in _MARKS})
    elif stays is not None:
        cases = mark_readmissions(
            cases,
            days=stays.days,
            factor=float(stays.factor),
            same=["pool", *([] if stays.same == "any" else [stays.same])],
            reduced=stays.reduced,
            except_for=stays.except_for,
            except_groups=stays.except_groups,
            except_diagnoses=stays.except_diagnoses,
            columns=names_after(columns, cases, PREPARED_COLUMNS),
        )
    return cases


def _with_coefficients(cases: Any, policy: Policy, tables: Mapping[str, Any] | None, columns: Any) -> Any:
    """Return the cases with the coefficients of their groups, where the policy has some."""
    rules = policy.points
    if rules.coefficients is None:
        return cases
    if tables is None:
        raise PolicyError(
            f"policy {policy.id!r}: points.coefficients is {rules.coefficients!r}: give a table for each name in "
            "it, such as coefficients={'level': table} (--coefficients level=FILE on the command line)"
        )
    return combine_coefficients(
        cases,
        tables,
        rules.coefficients,
        uniform={group: float(value) for group, value in rules.uniform.items()} or None,
        missing={name: float(value) for name, value in rules.missing.items()} or None,
        columns=columns,
    )


def _kinds(cases: Any, modes: tuple[int, ...], columns: Mapping[str, str] | None) -> pa.Array:
    """Return the kind of each case, where some modes of discharge make a complete stay incomplete."""
    table = Columns(cases, ["discharge"], columns=columns, optional=NAMES)
    left = pa.array(np.isin(table.numbers("discharge"), modes))
    kinds = pc.coalesce(texts(table, "case_kind"), "complete")
    return pc.if_else(pc.and_(left, pc.equal(kinds, "complete")), "incomplete", kinds)


@exactly
@reads_once
def score_cases(
    cases: Any,
    policy: Policy,
    weights: Any,
    *,
    coefficients: Mapping[str, Any] | None = None,
    reference: Any = None,
    mean_cost: Decimal | float | None = None,
    added: Any = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Score cases: the points of each under all rules of a policy.

    Parameters
    ----------
    cases
        Cases as for `prepare_cases`; ``western_group`` for ``tcm``, and for ``tcm.minimum`` some parts of the cost
        (`drgdip.points.TCM_PARTS`, yuan).
    policy
        The policy: ``points``, ``outliers``, ``readmission``, ``tcm``, and ``exclusion`` where points float. For the
        last the cases have ``excluded_amount`` (yuan, `pay_exclusions`); a case whose amount is null gets no points.
    weights, reference, mean_cost
        As for `drgdip.points.case_points`.
    coefficients
        As for `prepare_cases`.
    added
        Points on top, as for `drgdip.points.add_points`, beside those by group in ``points.added``.
    columns
        The table's names of columns by the library's names, such as ``{"group": "病组"}``.

    Returns
    -------
    The caller's table with the columns of `prepare_cases` and `drgdip.points.case_points`. Under ``tcm`` the steps are
    those of the group that counts, beside ``own_points``, ``western_points`` and ``paid_group``, and the columns of
    `drgdip.points.downgrade_tcm` where there is a minimum. ``added_points`` where points are added.

    Raises
    ------
    DrgdipError
        As the steps.

    Notes
    -----
    The higher of both points (就高): 《江苏医改动态》第246期, Nanjing. Of equal points the own group's count.

    Examples
    --------
    >>> from drgdip.settle import read_policy
    >>> policy = read_policy("docs/examples/policy.toml").replace(points={"scale": 100}, tcm={"higher": True})
    >>> weights = [{"group": "IU2F", "weight": 92}, {"group": "IU23", "weight": 110}]
    >>> row = score_cases([{"group": "IU2F", "western_group": "IU23"}], policy, weights)[0]
    >>> row["own_points"], row["western_points"], row["points"], row["paid_group"]
    (92.0, 110.0, 110.0, 'IU23')
    """
    return score_again(cases, policy, weights, coefficients, reference, mean_cost, added, columns, marked=False)


def score_again(
    cases: Any,
    policy: Policy,
    weights: Any,
    coefficients: Mapping[str, Any] | None,
    reference: Any,
    mean_cost: Decimal | float | None,
    added: Any,
    columns: Mapping[str, str] | None,
    *,
    marked: bool = True,
) -> Any:
    """Return cases with their points, as `score_cases`; readmissions that are marked already stay so."""
    prepared = _prepare(cases, policy, coefficients, columns, marked=marked)
    names = names_after(columns, prepared, PREPARED_COLUMNS)

    def score(table: Any) -> Any:
        return case_points(
            table,
            weights,
            reference=reference,
            mean_cost=None if mean_cost is None else float(mean_cost),
            columns=names,
            **policy.for_points(prepared, names),
        )

    scored = score(prepared)
    if policy.tcm is not None:
        if policy.outliers is not None and isinstance(reference, str):
            raise PolicyError("reference= is a column of a case's own group: under tcm give a table by group")
        scored = _with_western(
            prepared, scored, policy, lambda table: score(_with_coefficients(table, policy, coefficients, names)), names
        )
    after = names_after(names, scored, SCORED_COLUMNS)
    table = Columns(scored, columns=after, optional=NAMES)
    unknown = np.zeros(table.rows, bool)
    more = [added_to(table, given) for given in (policy.points.added or None, added) if given is not None]
    if policy.exclusion is not None and policy.form != "fixed":
        worth, unknown = _excluded_points(table, policy, mean_cost)
        more.append(worth)
    if more:
        scored = add_columns(scored, {"added_points": sum(more)})
        scored = add_points(scored, "added_points", columns=after)
    return _without_points(scored, unknown, after) if unknown.any() else scored


def _excluded_points(
    table: Columns, policy: Policy, mean_cost: Decimal | float | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the worth in points of new items outside the groups of cases, and which cases have an unknown one."""
    table.require(["excluded_amount"])
    if mean_cost is None:
        raise PolicyError(
            "exclusion is paid in points under this form: give mean_cost= (yuan), which makes points of yuan"
        )
    fen, known = optional_money(table, "excluded_amount")
    unknown = ~(known & (fen >= 0))
    return np.where(unknown, 0, fen / 100 / float(mean_cost) * float(policy.points.scale)), unknown


def _without_points(scored: Any, rows: NDArray[np.bool_], columns: Mapping[str, str] | None) -> Any:
    """Return scored cases of which some have no points, because the amount for their new items is unknown."""
    table = Columns(scored, columns=columns, optional=NAMES)
    points = nullable(np.where(rows, np.nan, table.numbers("points")))
    reason = pc.if_else(pa.array(rows), "no_excluded_amount", texts(table, "points_reason"))
    status = pc.if_else(pa.array(rows), "unpriced", texts(table, "points_status"))
    changed = {"points": points, "points_status": status, "points_reason": reason}
    return add_columns(scored, {table.own_name(name): column for name, column in changed.items()})


def _with_western(
    prepared: Any, scored: Any, policy: Policy, score: Callable[[Any], Any], columns: Mapping[str, str] | None
) -> Any:
    """Return scored cases with the points of their Western groups where these count."""
    rules = policy.tcm
    assert rules is not None
    table = Columns(prepared, ["group", "western_group"], columns=columns, optional=NAMES)
    down = np.zeros(table.rows, bool)
    added: dict[str, Any] = {}
    if rules.minimum is not None:
        found = Columns(downgrade_tcm(prepared, minimum=float(rules.minimum), columns=columns))
        added = {name: found.column(name) for name in ("tcm_ratio", "downgraded", "downgrade_reason")}
        down = np.asarray(added["downgraded"])
    western = texts(table, "western_group")
    rows = np.flatnonzero(down | (np.asarray(western.is_valid()) & rules.higher))
    own = Columns(scored, ["points"]).numbers("points")
    theirs = np.full(table.rows, np.nan)
    made: pa.Table = pa.table({})
    if len(rows):
        chosen = to_arrow(prepared).take(pa.array(rows))
        made = to_arrow(score(add_columns(chosen, {table.own_name("group"): western.take(pa.array(rows))})))
        theirs[rows] = Columns(made, ["points"]).numbers("points")
    other = down | (theirs > own) | (np.isnan(own) & ~np.isnan(theirs))
    place = np.zeros(table.rows, np.int64)
    place[rows] = table.rows + np.arange(len(rows))
    place = np.where(other, place, np.arange(table.rows))
    whole = to_arrow(scored)
    changed = [name for name in made.column_names if name in whole.column_names and name != table.own_name("group")]
    merged = {name: _either(whole[name], made[name], place) for name in changed if _is_made(name, prepared, columns)}
    groups = pc.if_else(pa.array(other), western, texts(table, "group"))
    points = {"own_points": nullable(own), "western_points": nullable(theirs), "paid_group": groups}
    return add_columns(scored, {**added, **merged, **points})


def _is_made(name: str, prepared: Any, columns: Mapping[str, str] | None) -> bool:
    """Return whether a column of scored cases depends on the group: it was made by coefficients or by points."""
    given = (*(columns or {}).values(), "readmission_factor", "case_kind")
    made = (
        name in SCORED_COLUMNS
        or name.endswith(("_coefficient", "coefficient_reason"))
        or name not in names_of(prepared)
    )
    return made and name not in given


def _either(first: pa.ChunkedArray, second: pa.ChunkedArray, place: NDArray[np.int64]) -> pa.ChunkedArray:
    """Return the values of two columns, one below the other, at some places."""
    kind = first.type.value_type if pa.types.is_dictionary(first.type) else first.type
    both = pa.chunked_array([*first.cast(kind).chunks, *second.cast(kind).chunks], kind)
    return both.take(pa.array(place))
