"""The cases that enter a step: all without findings, and of the others those that the caller accepts, as accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import kind_of, names_of, one_chunk, to_arrow, to_kind
from drgdip._columns import Columns, add_columns, labels
from drgdip._money import add_up, to_yuan
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.reasons import describe_reason
from drgdip.settle._inputs import NAMES, names_after, optional_money, plain
from drgdip.settle._twins import case_codes, find_reversals, part_of, twins_of
from drgdip.settle.audit import FINDING_KINDS, FINDINGS, Findings, amounts_of, find_all, find_unpriced
from drgdip.settle.ledger import LEDGER, Ledger
from drgdip.settle.payment import PRICE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["ACCEPTED", "Decided", "Entered", "enter_cases", "enter_priced", "pay_by_item", "rejoin"]

#: The columns of accepted findings: those of findings, the way that was accepted, and how the row was treated.
ACCEPTED = FINDINGS.append(pa.field("way", pa.string())).append(pa.field("treatment", pa.string()))
# Of several treatments of a row the last counts. A case without a price that is left out stays among the cases: steps
# count it, and pay it nothing.
_TREATMENTS = ("settled", "by_item", "left_out", "left_out")
_SETTLED, _BY_ITEM, _UNPAID, _LEFT_OUT = range(len(_TREATMENTS))
_SHOWN = 5


class Entered(NamedTuple):
    """The cases that enter a step.

    Attributes
    ----------
    cases
        The caller's table without the rows that are left out.
    rows
        Which rows of the caller's table enter.
    by_item
        Which of the rows that enter are paid the amount booked.
    findings
        The accepted findings, in the columns of `ACCEPTED`.
    ledger
        That no case and no fen of the fund disappears.
    """

    cases: Any
    rows: NDArray[np.bool_]
    by_item: NDArray[np.bool_]
    findings: pa.Table
    ledger: pa.Table


class Decided(dict[str, str]):
    """The ways of accepting findings, for a step whose cases were audited before."""


def enter_cases(
    cases: Any,
    policy: Any,
    accept: Mapping[str, str] | None,
    *,
    columns: Mapping[str, str] | None = None,
    year: Any = None,
    needs: tuple[str, ...] = (),
    priced: bool = True,
) -> Entered:
    """Return the cases that enter a step. Raise CaseError for findings that ``accept`` does not name.

    ``needs`` are the columns that the step cannot do without. With ``priced`` false, prices are not looked at.
    """
    if isinstance(accept, Decided):
        everything = np.ones(Columns(cases, columns=columns, optional=NAMES).rows, bool)
        return Entered(cases, everything, ~everything, ACCEPTED.empty_table(), LEDGER.empty_table())
    table = Columns(cases, columns=columns, optional=NAMES)
    table.require(needs)
    found = find_all(table, policy, year=year, needs=needs, priced=priced)
    treatment, accepted = _decide(found, _ways(accept), table, policy)
    rows = treatment != _LEFT_OUT
    kept = cases if rows.all() else _rows_of(cases, rows)
    return Entered(kept, rows, treatment[rows] == _BY_ITEM, accepted, _ledger(table, rows, accepted))


def enter_priced(
    priced: Any, entered: Entered, accept: Mapping[str, str] | None, *, columns: Mapping[str, str] | None
) -> Entered:
    """Return the cases that entered, now priced: those without a price are decided on as the others were."""
    table = Columns(priced, columns=columns, optional=NAMES)
    parts = (part._replace(rows=part.rows & ~entered.by_item) for part in find_unpriced(table))
    treatment, accepted = _decide(Findings(list(parts)), _ways(accept), table, None)
    ledger = pa.concat_tables([entered.ledger, _ledger(table, treatment != _LEFT_OUT, accepted)])
    own_row = pa.array(np.flatnonzero(entered.rows)).take(accepted["row"].combine_chunks())
    findings = pa.concat_tables([entered.findings, accepted.set_column(0, ACCEPTED.field("row"), own_row)])
    return Entered(priced, entered.rows, entered.by_item | (treatment == _BY_ITEM), findings, ledger)


def _decide(found: Findings, ways: Mapping[str, str], table: Columns, policy: Any) -> tuple[NDArray[np.int8], pa.Table]:
    """Return the treatment of each row, and the accepted findings. Raise CaseError where one is not accepted."""
    refused = [kind for kind in found.kinds if kind not in ways]
    if refused:
        raise CaseError(_refusal(found, refused, table, policy))
    treatment = np.full(table.rows, _SETTLED, np.int8)
    for kind in found.kinds:
        treatment = np.maximum(treatment, _treat(found.rows(kind), kind, ways[kind], table))
    return treatment, _accepted(found, ways, treatment, table)


def _ways(accept: Mapping[str, str] | None) -> dict[str, str]:
    """Return the accepted ways by kind. Raise UnknownNameError or PolicyError for one that there is not."""
    ways = dict(accept or {})
    for kind, way in ways.items():
        if kind not in FINDING_KINDS:
            raise UnknownNameError("kind of finding", str(kind), FINDING_KINDS, hint="It is named in accept=.")
        if way not in FINDING_KINDS[kind]:
            raise PolicyError(f"accept[{kind!r}]={way!r}: say one of {', '.join(FINDING_KINDS[kind])}")
    return ways


def _refusal(found: Findings, refused: list[str], table: Columns, policy: Any) -> str:
    """Return in words what is refused: each kind with its count, money, first rows, reasons and remedy."""
    amount, _ = amounts_of(table)
    lines = []
    for kind in refused:
        rows = np.flatnonzero(found.rows(kind))
        first = ", ".join(map(str, rows[:_SHOWN])) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
        reasons = sorted({part.reason for part in found.parts if part.kind == kind})
        why = "; ".join(describe_reason(reason) for reason in reasons)
        yuan = to_yuan(np.array([int(amount[rows].sum())]))[0].as_py()
        if "unknown_pool" in reasons:
            why += f" ({', '.join(map(repr, _pools(table, rows)))}; policy {policy.id!r} has {', '.join(policy.pools)})"
        cases = "1 case" if len(rows) == 1 else f"{len(rows):,} cases"
        ways = " or ".join(repr(way) for way in FINDING_KINDS[kind])
        place = "row" if len(rows) == 1 else "rows"
        lines.append(
            f"{kind}: {cases} with {yuan:,} yuan, in {place} {first}: {why}. Mend them, or give "
            f"accept={{{kind!r}: ...}} with {ways}"
        )
    return (
        f"{table.what} must be decided on before they are settled (drgdip.settle.audit_cases lists them). "
        + "\n".join(lines)
    )


def _pools(table: Columns, rows: NDArray[np.integer]) -> list[str]:
    """Return the pools that some rows name, at most a few."""
    codes, values = table.codes("pool")
    used = np.unique(codes[rows])
    return [values[int(code)].as_py() for code in used[used >= 0][:_SHOWN]]


def _treat(rows: NDArray[np.bool_], kind: str, way: str, table: Columns) -> NDArray[np.int8]:
    """Return the treatment of the rows of a kind that is accepted in a way."""
    treatment = np.full(len(rows), _SETTLED, np.int8)
    if way == "by_item":
        treatment[rows] = _BY_ITEM
    elif way == "leave_out":
        treatment[rows] = _UNPAID if kind == "unpriced" else _LEFT_OUT
    elif way in {"first", "last"}:
        treatment[rows & ~_chosen(rows, way, kind, table)] = _LEFT_OUT
    elif way == "cancel":
        reversals = find_reversals(table, optional_money(table, "total_cost")[0])
        originals = reversals.originals if reversals is not None else np.zeros(len(rows), bool)
        treatment[rows | originals] = _LEFT_OUT
    return treatment


def _chosen(rows: NDArray[np.bool_], way: str, kind: str, table: Columns) -> NDArray[np.bool_]:
    """Return the first or the last row of each set of twins."""
    chosen, places = np.zeros(len(rows), bool), np.flatnonzero(rows)
    for place in _sets(part_of(table, places), kind, places):
        chosen[place[0] if way == "first" else place[-1]] = True
    return chosen


def _sets(short: Columns, kind: str, places: NDArray[np.integer]) -> list[list[int]]:
    """Return the places of the rows by the set of twins that each belongs to."""
    same_stay = ["patient", "hospital", "admitted", "discharged"]
    found = case_codes(short) if kind == "duplicate" else [twins_of(short, same_stay)]
    owner = np.arange(len(places))

    def root(place: int) -> int:
        while owner[place] != place:
            place = owner[place]
        return place

    for codes in found:
        seen: dict[int, int] = {}
        for place, code in enumerate(codes):
            if code >= 0:
                owner[root(place)] = root(seen.setdefault(int(code), place))
    sets: dict[int, list[int]] = {}
    for place in range(len(places)):
        sets.setdefault(root(place), []).append(int(places[place]))
    return list(sets.values())


def _accepted(found: Findings, ways: Mapping[str, str], treatment: NDArray[np.int8], table: Columns) -> pa.Table:
    """Return the accepted findings with their ways and treatments."""
    plain = found.table(table)
    kinds = plain["kind"].to_pylist()
    way = pa.array([ways[kind] for kind in kinds], pa.string())
    row = np.asarray(plain["row"], np.int64)
    treated = labels(treatment[row], _TREATMENTS).cast(pa.string())
    return plain.append_column(ACCEPTED.field("way"), way).append_column(ACCEPTED.field("treatment"), treated)


def _ledger(table: Columns, rows: NDArray[np.bool_], accepted: pa.Table) -> pa.Table:
    """Check that the cases that enter and those left out are all, with their money; note what was accepted."""
    ledger, entered = Ledger("audit cases"), int(rows.sum())
    ledger.check(
        "entered + left out = cases", ["all"], entered + int((~rows).sum()), table.rows, digits=0, unit="cases"
    )
    amount, _ = amounts_of(table)
    both = int(amount[rows].sum()) + int(amount[~rows].sum())
    ledger.check("amount entered + left out = amount of all cases", ["all"], both, int(amount.sum()))
    for row in accepted.group_by(["kind", "way"], use_threads=False).aggregate([("amount", "sum")]).to_pylist():
        parts = accepted.filter((pc.field("kind") == row["kind"]) & (pc.field("way") == row["way"]))
        fen, _ = optional_money(Columns(parts), "amount")
        codes, treatments = Columns(parts).codes("treatment")
        by_treatment = add_up(codes, fen, len(treatments))
        invariant = f"accepted: {row['kind']}, {row['way']}: {' + '.join(treatments.to_pylist())} = amount"
        ledger.check(invariant, ["all"], int(by_treatment.sum()), int(fen.sum()))
    return ledger.table()


def _rows_of(cases: Any, rows: NDArray[np.bool_]) -> Any:
    """Return some rows of the caller's table, as its kind."""
    kind = kind_of(cases)
    if kind == "pandas":
        return cases[rows]
    if kind in {"polars", "lazy"}:
        import polars as pl

        return cases.filter(pl.Series(rows))
    return to_kind(to_arrow(cases).filter(pa.array(rows)), cases)


def pay_by_item(
    table: Any, rows: NDArray[np.bool_], columns: Mapping[str, str] | None
) -> tuple[Any, Mapping[str, str] | None]:
    """Return priced cases of which some rows are paid the amount booked, and the names of their columns."""
    if not rows.any():
        return table, columns
    read = Columns(table, ["total_cost", "fund_booked"], columns=columns, optional=NAMES)
    added: dict[str, Any] = {}
    for name, source in (("standard", "total_cost"), ("payable", "fund_booked")):
        fen, known = optional_money(read, name)
        instead, given = optional_money(read, source)
        added[name] = to_yuan(np.where(rows, instead, fen), np.where(rows, given, known))
    for name in ("profit_formula", "adjustment", "profit"):
        if name in read:
            fen, known = optional_money(read, name)
            added[name] = to_yuan(np.where(rows, 0, fen), rows | known)
    for name, value in (("payment_rule", "item"), ("payment_status", "priced"), ("payment_reason", None)):
        if name in read:
            codes, values = read.codes(name)
            names = [*values.to_pylist(), *([value] if value else [])]
            added[name] = labels(np.where(rows, len(names) - 1 if value else -1, codes), names)
    result = add_columns(table, added)
    return result, names_after(columns, result, added)


def rejoin(cases: Any, entered: Any, rows: NDArray[np.bool_]) -> Any:
    """Return the caller's table with the columns that the steps added for what entered; other rows have no price."""
    now, before = to_arrow(entered), set(names_of(cases))
    place = pa.array(np.cumsum(rows) - 1, mask=~rows)
    now = plain(now.select([name for name in now.column_names if name not in before or name in PRICE_COLUMNS]))
    added: dict[str, Any] = {name: one_chunk(now[name]).take(place) for name in now.column_names}
    for name, value in (("payment_status", "unpriced"), ("payment_reason", "left_out")):
        codes, values = Columns(pa.table({name: added[name]})).codes(name)
        names = [*values.to_pylist(), value]
        added[name] = labels(np.where(rows, codes, len(names) - 1), names)
    return add_columns(cases, added)
