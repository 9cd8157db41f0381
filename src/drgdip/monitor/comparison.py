"""The result of comparing own groups with returned ones: its tables, and how readers are shown them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip._books import html_table
from drgdip.grouper.result import status_word
from drgdip.monitor.differences import ids_of, list_differences
from drgdip.monitor.reports import word, write_report
from drgdip.reasons import check_language, describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Comparison", "level_word"]

_TABLES = (
    *("counts", "overall", "periods", "falls", "mdcs", "adrgs", "kinds", "hospitals"),
    *("classes", "causes", "evidence", "trials", "examples"),
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """Own groups against those that came back (`drgdip.monitor.compare_returned`). Tables are Arrow tables.

    Attributes
    ----------
    scheme
        The id of the scheme or catalogue.
    levels
        The levels of comparison: MDC and ADRG, or the kind of group under a catalogue, then group and status.
    counts
        All rows counted: ``measure, cases``. ``not_returned`` and ``compared`` add up to ``cases``,
        ``agreeing`` and ``differing`` to ``compared``. ``without_period`` counts rows without a readable date, and
        ``status_unread`` those whose returned status is none.
    overall, periods, mdcs, adrgs, kinds, hospitals
        Agreement of all cases and by key: ``cases, not_returned, compared``, and for each level ``_agrees`` and
        ``_share`` (of those compared). MDC, ADRG and kind are those of our group. A key that is missing is null. A
        table for which there is no column is None.
    falls
        The fall of each level in each period: ``level, compared, share``, the shares ``before`` (period before) and
        ``earlier`` (all earlier periods together), ``fall_before, fall_earlier`` and ``alarm`` (null without a
        threshold). None without periods.
    trials
        The trials: ``cause, tried, altered`` (cases), ``explains`` (cases) and ``alone`` (no other trial does).
    examples
        The smallest set of cases that shows each class and cause, with ``like_it``, the number of such cases.
    cases
        Every case that differs: ``row`` (from 0), ``case_id``, the period, our answer, ``returned, returned_status``,
        ``class``, the likely ``cause`` with what was ``tried``, and ``also``, other causes that explain it.
    """

    scheme: str
    levels: tuple[str, ...]
    counts: pa.Table
    overall: pa.Table
    periods: pa.Table | None
    mdcs: pa.Table | None
    adrgs: pa.Table | None
    kinds: pa.Table | None
    hospitals: pa.Table | None
    falls: pa.Table | None
    trials: pa.Table
    examples: pa.Table
    cases: pa.Table

    @property
    def classes(self) -> pa.Table:
        """The differing cases by class, in order: ``class, cases, share`` (of all compared)."""
        return self._counted(("class",))

    @property
    def causes(self) -> pa.Table:
        """The differing cases by class and likely cause: ``class, cause, cases, share`` of those compared."""
        return self._counted(("class", "cause"))

    @property
    def evidence(self) -> pa.Table:
        """The differing cases by cause and what was tried, most cases first: ``cause, tried, cases, share``."""
        return self._counted(("cause", "tried"), most_first=True)

    @property
    def alarms(self) -> pa.Table:
        """The rows of ``falls`` that are alarms."""
        if self.falls is None:
            return pa.table({})
        return self.falls.filter(self.falls["alarm"])

    @property
    def number(self) -> dict[str, int]:
        """The numbers of ``counts`` by measure."""
        return dict(zip(self.counts["measure"].to_pylist(), self.counts["cases"].to_pylist(), strict=True))

    def _counted(self, names: Sequence[str], *, most_first: bool = False) -> pa.Table:
        """Return the number of differing cases by some columns."""
        counted = Counter(zip(*(self.cases[name].to_pylist() for name in names), strict=True))
        orders = [{one: place for place, one in enumerate(ids_of(name))} for name in names if name != "tried"]

        def key(item: tuple[tuple[str | None, ...], int]) -> tuple[Any, ...]:
            places = [order[str(part)] for order, part in zip(orders, item[0], strict=False)]
            return (-item[1] if most_first else 0, *places, item[0][-1] or "")

        rows = sorted(counted.items(), key=key)
        columns = {name: from_list([row[place] for row, _ in rows], pa.string()) for place, name in enumerate(names)}
        cases = [number for _, number in rows]
        share = [number / max(self.number["compared"], 1) for number in cases]
        return pa.table({**columns, "cases": from_list(cases, pa.int64()), "share": from_list(share, pa.float64())})

    def __repr__(self) -> str:
        share = self.overall["group_share"][0].as_py() if len(self.overall) else None
        number = self.number
        group = "" if share is None else f", group {share:.2%}".replace("%", " %")
        differ = "differs" if number["differing"] == 1 else "differ"
        return (
            f"<Comparison {self.scheme}: {number['cases']:,} cases, {number['compared']:,} compared{group}, "
            f"{number['differing']:,} {differ}>"
        )

    def _repr_html_(self) -> str:
        shown = ("counts", "overall", "classes", "causes")
        tables = ((name, self._shown(name, "en").slice(0, 20)) for name in shown)
        return "".join(f"<h4>{word(name, 'en')}</h4>{html_table(table)}" for name, table in tables)

    def write(self, path: str | os.PathLike[str], *, language: str = "en") -> Path:
        """Write the tables to a workbook (``.xlsx``, extra ``excel``) or a page (``.html``).

        Parameters
        ----------
        path
            Where to write; the ending says what. Of the cases, the examples alone are written.
        language
            ``en`` or ``zh``, of headings, classes, causes, statuses and reasons.

        Returns
        -------
        The path.

        Raises
        ------
        DrgdipError
            Another ending, a path that cannot be written, or the extra is not installed.
        """
        check_language(language)
        title = f"{word('title', language)}: {self.scheme}"
        tables = {
            word(name, language): self._shown(name, language) for name in _TABLES if getattr(self, name) is not None
        }
        return write_report(path, tables, title=title, summary=self.summary(language), language=language)

    def summary(self, language: str = "en") -> str:
        """Return the result in one line, in English (``en``) or Chinese (``zh``)."""
        check_language(language)
        number, overall = self.number, self.overall.to_pylist()
        shares = [
            f"{level_word(level, language)} {overall[0][f'{level}_share']:.2%}"
            for level in self.levels
            if overall and overall[0][f"{level}_share"] is not None
        ]
        alarms = len(self.alarms)
        if language == "zh":
            text = (
                f"共{number['cases']:,}例，比对{number['compared']:,}例，无返回分组{number['not_returned']:,}例，"
                f"不一致{number['differing']:,}例；一致率：{'，'.join(shares) or '无'}"
            )
            return f"{text}；报警{alarms}项" if alarms else text
        text = (
            f"{number['cases']:,} cases, {number['compared']:,} compared, {number['not_returned']:,} without a "
            f"returned group, {number['differing']:,} differ; agreement: {', '.join(shares) or 'none'}"
        )
        return f"{text}; {alarms} alarm{'s' if alarms > 1 else ''}" if alarms else text

    def _shown(self, name: str, language: str) -> pa.Table:
        """Return a table as readers see it: with headings and texts in the place of names and codes."""
        table = getattr(self, name)
        shown: dict[str, Any] = {}
        for column in table.column_names:
            values = table[column]
            if column in _TEXTS:
                texts = [None if value is None else _TEXTS[column](value, language) for value in values.to_pylist()]
                values = from_list(texts, pa.string())
            elif column == "alarm":
                values = from_list([None if value is None else int(value) for value in values.to_pylist()], pa.int64())
            elif column == "row":  # readers count from 1
                values = from_numpy(values.to_numpy() + 1)
            shown[word(column, language)] = values
        return pa.table(shown)


def _difference(name: str, language: str) -> str:
    row = list_differences().row(name)
    return row.chinese if language == "zh" else row.english


def level_word(name: str, language: str) -> str:
    """Return what is compared: the words of a level, or of a column where they are the same."""
    return word(f"level_{name}" if name in {"group", "status"} else name, language)


#: How the codes of some columns become texts.
_TEXTS: dict[str, Callable[[str, str], str]] = {
    "class": _difference,
    "cause": _difference,
    "status": status_word,
    "returned_status": status_word,
    "reason": describe_reason,
    "measure": word,
    "level": level_word,
}
