"""Indicators (指标) by any key, as quotients of sums, beside a reference and a previous period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._arrow import names_of, read_once, to_arrow, to_kind
from drgdip._columns import as_list
from drgdip._listing import Listing
from drgdip.errors import UnknownNameError
from drgdip.monitor.derived import Facts, needs_of
from drgdip.monitor.period import Period, choose, list_indicators
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "IndicatorState",
    "describe_indicators",
    "indicators",
    "translate_indicators",
]

#: What stands beside an indicator, with the words of its heading.
_BESIDE = {
    "numerator": ("numerator", "分子"),
    "denominator": ("denominator", "分母"),
    "reference": ("reference", "参照"),
    "previous": ("previous period", "上期"),
    "change": ("change", "同比"),
}
_SMALL = {"small": ("small numbers", "样本量过小")}


def indicators(
    cases: Any,
    by: str | Sequence[str] = "hospital",
    *,
    reference: Any = None,
    previous: Any = None,
    weights: Any = None,
    which: Sequence[str] | None = None,
    parts: bool = False,
    small: int | None = None,
    low_risk: Sequence[str] | None = None,
    basic: Sequence[str] | None = None,
    readmission_days: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Any:
    """Compute indicators of grouped cases, a row a key.

    Parameters
    ----------
    cases
        Any table with a row a case: the columns of ``by``, and those that the indicators read (docs/monitor).
        Without a column ``status``, a case with a ``group`` is grouped.
    by
        The column of the key, or several: ``hospital``, ``dept``, ``doctor``, ``mdc``, ``month`` … None takes all
        cases together. ``pool``, ``hospital`` and ``group`` are the three layers of profit and loss.
    reference
        The cases of the region to compare with, under the same names. They give the mean cost and stay of each group
        for ``cost_index`` and ``time_index``, and a row of indicators. None takes the cases themselves.
    previous
        The cases of an earlier period, under the same names. Keys are those of the cases: for year on year by month,
        give a column ``month`` without the year.
    weights
        A table of ``group`` and ``weight``. None reads the column ``weight`` of the cases.
    which
        The ids of `list_indicators`. None takes all whose columns are there.
    parts
        Whether the numerator and the denominator of each indicator follow it.
    small
        An indicator over fewer cases than this is marked. None marks none: no source gives a number.
    low_risk
        The groups of low risk, for ``low_risk_mortality`` (`risk_groups`).
    basic
        The basic groups (基层病组) of the place, for ``basic_share``; `drgdip.Scheme` has them as ``basic_groups``.
        None reads the flag ``basic``, or ``primary_care`` of a DIP catalogue.
    readmission_days
        For ``readmission_rate``: a stay that begins at most so many days after another of the same ``patient``.
        Needs ``admitted`` and ``discharged``. Places use 10 to 31 days, so that none is built in. None reads the flag
        ``readmitted``, for rules of another kind (`drgdip.points.mark_readmissions`).
    columns
        The table's names of columns by the library's names, such as ``{"total_cost": "总费用"}``.

    Returns
    -------
    A table with a row a key, in order: the columns of ``by``, then a column an indicator by its id. Counts are whole
    numbers, sums of money decimals of yuan, others floats; null where the denominator is 0. With ``parts``,
    ``{id}_numerator`` and ``{id}_denominator`` follow. With a reference, ``{id}_reference`` is the indicator of all its
    cases. With ``previous``, ``{id}_previous`` is that of the same key. ``{id}_change`` is the change as a share of it
    (同比); null where it is not above 0. With ``small``, the column ``small`` names the ids of the marked indicators,
    joined by ``|``; null for none. A case with a part of its key missing has that part null.

    Raises
    ------
    UnknownNameError
        An indicator or a column that is not there.
    CaseError
        ``which`` names an indicator whose columns the cases do not have; a number that cannot be read.

    Notes
    -----
    A quotient counts the cases that have every column which it reads; `describe_indicators` says how many these are,
    and which indicators lack a column. So an ungrouped case never counts for CMI, nor one without a cost for the mean.

    The sources differ on the cost index. ``cost_index`` weighs each group by its cases. ``cost_to_standard`` divides
    plain sums, as hospitals under DIP do: another number. The previous cases are held against the same reference, so
    that a change of an index is one of the hospital.

    Amounts are added as whole fen, and no sum depends on the order of the rows. An amount in floats is the decimal that
    it prints as. ``month`` in ``by`` comes from ``discharged`` (2024-05) where the cases have no such column.

    Examples
    --------
    >>> cases = [{"hospital": h, "group": g, "total_cost": c} for h, g, c in (("H1", "A", 900), ("H2", "A", 1100))]
    >>> for row in indicators(cases, which=["discharges", "mean_cost", "cost_index"]):
    ...     print(row)
    {'hospital': 'H1', 'discharges': 1, 'mean_cost': 900.0, 'cost_index': 0.9}
    {'hospital': 'H2', 'discharges': 1, 'mean_cost': 1100.0, 'cost_index': 1.1}
    """
    names = [] if by is None else as_list(by)
    options = _options(weights, low_risk, basic, readmission_days, columns)
    region = None if reference is None else Facts(read_once(reference), what="the reference", **options)
    mine = Period(Facts(read_once(cases), names, region=region, **options), names)
    yardstick = mine.facts if region is None else region
    before = None
    if previous is not None:
        facts = Facts(read_once(previous), names, region=yardstick, what="the previous cases", **options)
        before = Period(facts, names)
    whole = None if region is None else Period(region, [])
    chosen = choose(mine.sums, which)
    return to_kind(mine.table(chosen, whole=whole, before=before, parts=parts, small=small), cases)


def _options(weights: Any, low_risk: Any, basic: Any, readmission_days: Any, columns: Any) -> dict[str, Any]:
    """Return the arguments that all tables of a comparison share, as `Facts` takes them."""
    return {
        "weights": None if weights is None else read_once(weights),
        "low_risk": low_risk,
        "basic": basic,
        "readmission_days": readmission_days,
        "columns": columns,
    }


class IndicatorState(NamedTuple):
    """Whether an indicator can be computed.

    Attributes
    ----------
    id, english, chinese
        As in `list_indicators`.
    computed
        Whether its columns are there.
    cases
        How many cases have a value in all of them; None where a column is not there.
    needs
        The columns or arguments that it lacks.
    """

    id: str
    english: str
    chinese: str
    computed: bool
    cases: int | None
    needs: str


def describe_indicators(
    cases: Any,
    *,
    reference: Any = None,
    weights: Any = None,
    low_risk: Sequence[str] | None = None,
    basic: Sequence[str] | None = None,
    readmission_days: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> Listing[IndicatorState]:
    """Describe which indicators some cases give, how many cases count for each, and which lack a column.

    Parameters
    ----------
    cases, reference, weights, low_risk, basic, readmission_days, columns
        As in `indicators`.

    Returns
    -------
    A row an `IndicatorState`, in the order of `list_indicators`.

    Examples
    --------
    >>> cases = [{"hospital": "H", "group": "A", "total_cost": 900}, {"hospital": "H", "group": None}]
    >>> described = describe_indicators(cases)
    >>> described.row("mean_cost").cases, described.row("cost_index").cases, described.row("mean_stay").needs
    (1, 1, "a column 'los'")
    """
    options = _options(weights, low_risk, basic, readmission_days, columns)
    region = None if reference is None else Facts(read_once(reference), what="the reference", **options)
    period = Period(Facts(read_once(cases), region=region, **options), [])
    rows = []
    for row in list_indicators():
        names = [name for name in (row.numerator, row.denominator) if name]
        lacking = period.sums.lacks(names)
        number = None if lacking else int(period.sums.of(*names, "discharges")[-1].values[0])
        rows.append(IndicatorState(row.id, row.english, row.chinese, not lacking, number, needs_of(lacking)))
    return Listing(rows, IndicatorState._fields)


def translate_indicators(table: Any, language: str) -> Any:
    """Return a table of indicators with the headings of the field in place of ids.

    Parameters
    ----------
    table
        The result of `indicators`. Columns of the key, and others that are no indicator, keep their names.
    language
        ``"en"`` or ``"zh"``.

    Returns
    -------
    The same table. A column beside an indicator says so: 次均费用（同比）.

    Raises
    ------
    UnknownNameError
        A language that there is not.

    Examples
    --------
    >>> translate_indicators(indicators([{"hospital": "H"}], which=["discharges"], parts=True), "zh")
    [{'hospital': 'H', '出院人次': 1, '出院人次（分子）': 1, '出院人次（分母）': 1}]
    """
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES)
    number = LANGUAGES.index(language)
    headings = {name: words[number] for name, words in _SMALL.items()}
    for row in list_indicators():
        name = (row.english, row.chinese)[number]
        headings[row.id] = name
        for beside, words in _BESIDE.items():
            headings[f"{row.id}_{beside}"] = (
                f"{name}（{words[number]}）" if language == "zh" else f"{name}, {words[number]}"
            )
    names = [headings.get(name, name) for name in names_of(table)]
    return to_kind(to_arrow(table).rename_columns(names), table)
