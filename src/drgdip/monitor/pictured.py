"""A table that is drawn: its numbers, the names of its rows, and what readers are told beside the picture."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip._columns import Columns, as_list, decode
from drgdip._plots import Label, say
from drgdip.errors import CaseError
from drgdip.monitor.headings import heading, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from drgdip._columns import Floats

__all__ = ["Pictured", "labels_of"]

#: So many names are told of rows that are not drawn.
_TOLD = 4
#: How a number is written, by its unit; others as they are.
_FORMATS = {"ratio": "{:.1%}", "index": "{:.2f}", "yuan": "{:,.0f}", "days": "{:.1f}", "count": "{:,.0f}"}
_NAMED_UNITS = ("yuan", "days")
#: How a number on an axis is written, by its unit.
_TICKS = {"yuan": "{x:,.0f}", "count": "{x:,.0f}", "": "{x:,g}"}
#: So many rows have a label at most.
_LABELS = 80
#: From here on an axis has ten thousands of yuan in Chinese, and millions in English.
_MANY = 1e6


class Pictured:
    """The columns of a table of numbers, such as `indicators` returns, for a picture.

    Parameters
    ----------
    table
        Any table.
    needed
        Columns that must be there.
    label
        The columns that name a row.
    language
        ``en`` or ``zh``.
    columns
        The table's names of columns by the library's names.
    """

    def __init__(
        self,
        table: Any,
        needed: Sequence[str],
        *,
        label: str | Sequence[str],
        language: str,
        columns: Mapping[str, str] | None,
    ) -> None:
        self.label = as_list(label)
        self.language = language
        optional = [f"{needed[0]}_reference", "discharges", "grouped", "target"]
        self.columns = Columns(
            table, [*self.label, *needed], what="the table", columns=columns or {}, optional=optional
        )
        self.rows = self.columns.rows

    def numbers(self, name: str) -> Floats:
        """Return a column of numbers, NaN where there is none."""
        return self.columns.numbers(name)

    def texts(self, name: str) -> list[str | None]:
        """Return a column of texts, None where there is none."""
        texts: list[str | None] = decode(*self.columns.codes(name)).to_pylist()
        return texts

    @cached_property
    def names(self) -> list[str | None]:
        """The name of each row, None where a part of it is missing."""
        parts = [self.texts(name) for name in self.label]
        return [None if None in row else " · ".join(map(str, row)) for row in zip(*parts, strict=True)]

    @cached_property
    def named(self) -> NDArray[np.bool_]:
        """Which rows have a name."""
        return np.array([name is not None for name in self.names], bool)

    def heading(self, name: str, *, unit: bool = True) -> str:
        """Return the heading of a column."""
        return heading(name, self.language, unit=unit)

    def say(self, name: str, /, **values: Any) -> str:
        """Return a text of pictures."""
        return say(name, self.language, **values)

    def written(self, name: str, value: float, *, unit: bool = True) -> str:
        """Return a number of a column as readers see it, with its unit."""
        known = unit_of(name)
        text = _FORMATS.get(known, "{:,.0f}" if abs(value) >= 1000 else "{:.4g}").format(value)
        return self.say(f"with_{known}", value=text) if unit and known in _NAMED_UNITS else text

    def set_axis(self, axis: Any, name: str) -> None:
        """Write the heading of a column at an axis, and its numbers in their unit."""
        unit = unit_of(name)
        many = unit == "yuan" and max(map(abs, axis.get_view_interval())) >= _MANY
        axis.set_label_text(self.say("in_many", name=self.heading(name, unit=False)) if many else self.heading(name))
        if unit == "ratio":
            from matplotlib.ticker import PercentFormatter

            axis.set_major_formatter(PercentFormatter(1.0))
        elif many:
            axis.set_major_formatter(partial(_scaled, 1e-4 if self.language == "zh" else 1e-6))
        elif unit in _TICKS:
            axis.set_major_formatter(_TICKS[unit])

    def centre(self, name: str, given: float | None) -> float:
        """Return the number that a column is compared with: that given, that of the reference, or 1 of an index.

        Raises
        ------
        CaseError
            There is none of these, or the reference is not one for all rows.
        """
        if given is not None:
            return float(given)
        reference = f"{name}_reference"
        if reference in self.columns:
            found = np.unique(self.numbers(reference))
            found = found[~np.isnan(found)]
            if len(found) == 1:
                return float(found[0])
            raise CaseError(f"column {reference!r} holds {len(found)} numbers, not one for all rows: give centre=")
        if unit_of(name) == "index":
            return 1.0
        raise CaseError(f"nothing says which {name!r} to compare with: give centre=, or a column {reference!r}")

    def target(self) -> float:
        """Return the column ``target``, where it is one number for all rows, else NaN."""
        found = np.unique(self.numbers("target")) if "target" in self.columns else np.zeros(0)
        found = found[~np.isnan(found)]
        return float(found[0]) if len(found) == 1 else float("nan")

    def notes(self, drawn: Any, *, names: Sequence[str | None] | None = None) -> list[str]:
        """Return which rows are drawn and which are not, and how many discharges are in no group."""
        names = self.names if names is None else names
        left = [name for name, shown in zip(names, drawn, strict=True) if name is not None and not shown]
        nameless = sum(name is None for name in names)
        if left:
            told = self.list_names(left)
            notes = [self.say("not_drawn", drawn=int(np.sum(drawn)), rows=len(names) - nameless, names=told)]
        else:
            notes = [self.say("all_drawn", rows=len(names) - nameless)]
        if nameless:
            notes.append(self.say("nameless", rows=nameless))
        return notes + self.ungrouped()

    def list_names(self, names: Sequence[str]) -> str:
        """Return the first of some names, and how many more there are."""
        told = ("、" if self.language == "zh" else ", ").join(names[:_TOLD])
        if len(names) <= _TOLD:
            return told
        return self.say("and_more", names=told, more=len(names) - _TOLD, total=len(names))

    def ungrouped(self) -> list[str]:
        """Return how many discharges are in no group, where the table counts them."""
        if "discharges" not in self.columns or "grouped" not in self.columns:
            return []
        discharges, grouped = (float(np.nansum(self.numbers(name))) for name in ("discharges", "grouped"))
        if discharges <= grouped:
            return []
        number = discharges - grouped
        return [self.say("ungrouped", number=round(number), discharges=round(discharges), share=number / discharges)]


def labels_of(across: Floats, up: Floats, areas: Floats, names: Sequence[str | None], drawn: Any) -> list[Label]:
    """Return the labels of the rows that are drawn, of those with the largest marks; more would find no room."""
    rows = np.flatnonzero(drawn)
    rows = rows[np.argsort(-areas[rows], kind="stable")][:_LABELS]
    return [Label(across[row], up[row], str(names[row]), float(np.sqrt(areas[row] / np.pi))) for row in rows.tolist()]


def _scaled(factor: float, value: float, place: int) -> str:  # noqa: ARG001 - matplotlib gives the place too
    """Return a number of an axis times a factor."""
    return f"{value * factor:,.6g}"
