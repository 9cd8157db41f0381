"""The result of moving cases from one DRG scheme to another: its tables, and how readers are shown them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from drgdip._arrow import from_list, from_numpy
from drgdip._books import html_table, write_tables
from drgdip._files import replacing
from drgdip._listing import pad, pad_left, width_of
from drgdip._sankey import Flow, draw_flows
from drgdip.data import words_of
from drgdip.errors import DrgdipError
from drgdip.grouper.result import status_word
from drgdip.reasons import check_language, describe_reason, reasons_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["FORMATS", "Move"]

#: The endings of the files that a move is written to.
FORMATS = (".xlsx", ".html", ".svg")
_TABLES = ("statuses", "totals", "reasons", "mdcs", "adrg_flows", "drg_flows", "lost")
#: Columns that hold codes of reasons, of statuses, and of places in the scheme.
_REASONS, _STATUSES = ("reason", "after_reason"), ("before_status", "after_status")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Move:
    """The result of moving cases from one DRG scheme to another (`drgdip.move_cases`). Tables are Arrow tables.

    Attributes
    ----------
    before, after
        Ids of the schemes.
    statuses
        Cases by their statuses under both: ``before_status, after_status, cases, share``.
    totals
        ``measure`` (cases, grouped, weighted, total_weight, cmi), ``before, after, change, ratio``. CMI is the total
        weight over the grouped cases with a weight.
    mdcs
        MDC by MDC: ``mdc, name``, and ``cases, weight, cmi`` with ``_before`` and ``_after``.
    adrg_flows, drg_flows
        From group to group: ``before, before_name, before_status``, the same for ``after``, ``reason`` (null: the cases
        stay), ``cases, share`` (of the cases of the group before), ``weight_before, weight_after, weight_change``, and
        ``example_row``. Flows that lose most weight stand first, then those of most cases, then what stays. The
        cases of each table add up to all cases. A case without an ADRG stands under its group.
    lost
        Cases that were grouped and are not: ``row`` (from 0), ``case_id, principal_diagnosis, before, before_name,
        after, after_status, after_reason, reason``; ``where`` the scheme after turns the case away (mdc, adrg, drg,
        gone, before, values). ``turned_away_by`` is the row, ``condition`` the condition that fails there, ``codes``
        the codes with which it held before, ``weight_before`` the weight.
    cases
        Every case in its order: ``row, case_id``, ADRG, group and status under both, ``adrg_reason, reason`` and the
        weights.
    """

    before: str
    after: str
    statuses: pa.Table
    totals: pa.Table
    mdcs: pa.Table
    adrg_flows: pa.Table
    drg_flows: pa.Table
    lost: pa.Table
    cases: pa.Table

    @property
    def reasons(self) -> pa.Table:
        """Cases by the reason why they move, most cases first: ``reason, cases``."""
        counted = Counter(self.cases["reason"].drop_null().to_pylist())
        rows = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        return pa.table(
            {
                "reason": from_list([reason for reason, _ in rows], pa.string()),
                "cases": from_list([cases for _, cases in rows], pa.int64()),
            }
        )

    @property
    def moved(self) -> int:
        """How many cases change their group."""
        return sum(self.reasons["cases"].to_pylist())

    def __repr__(self) -> str:
        return (
            f"<Move {self.before} -> {self.after}: {len(self.cases):,} cases, "
            f"{self.moved:,} change their group, {len(self.lost):,} lost>"
        )

    def _repr_html_(self) -> str:
        tables = ((name, self._shown(name, "en").slice(0, 20)) for name in _TABLES[:4])
        return "".join(f"<h4>{_word(name, 'en')}</h4>{html_table(table)}" for name, table in tables)

    def text(self, language: str = "en", limit: int = 10) -> str:
        """Return a summary: statuses, totals, reasons, the greatest flows and lost cases.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        limit
            How many flows and lost cases are shown.
        """
        check_language(language)
        numbers = f"{len(self.cases):,}例，{self.moved:,}例变动，{len(self.lost):,}例不再正常入组"
        lines = [f"{self.before} → {self.after}：{numbers}" if language == "zh" else repr(self).strip("<>")]
        for name in ("statuses", "totals", "reasons"):
            lines += ["", _word(name, language), *_lines(self._shown(name, language))]
        for name in ("adrg_flows", "lost"):
            whole = getattr(self, name)
            rows = whole if name == "lost" else whole.slice(0, len(whole) - whole["reason"].null_count)
            few = self._shown(name, language, rows.slice(0, limit), _FEW[name])
            lines += ["", f"{_word(name, language)} ({min(limit, len(rows)):,} / {len(rows):,})", *_lines(few)]
        return "\n".join(lines)

    def to_svg(self, language: str = "en", limit: int = 24) -> str:
        """Return a picture of the greatest flows between ADRGs, as SVG; those that stay are not drawn.

        Parameters
        ----------
        language
            ``en`` or ``zh``, of the title and the legend.
        limit
            How many flows are drawn, those of most cases.
        """
        check_language(language)
        rows = [row for row in self.adrg_flows.to_pylist() if row["reason"] is not None]
        rows = sorted(rows, key=lambda row: -row["cases"])[:limit]
        rows.sort(key=lambda row: (row["before"] or "", row["after"] or ""))
        flows = [
            Flow(_node(row, "before", language), _node(row, "after", language), row["cases"], row["reason"])
            for row in rows
        ]
        kinds = {code: describe_reason(code, language) for code in reasons_of("moves")}
        title = f"{self.before} → {self.after}: {_word('adrg_flows', language)}"
        return draw_flows(flows, kinds, title=title)

    def write(self, path: str | os.PathLike[str], *, language: str = "en") -> Path:
        """Write the tables to a workbook (``.xlsx``, extra ``excel``) or a page (``.html``), or the picture (``.svg``).

        Parameters
        ----------
        path
            Where to write; the ending says what. The table of all cases is not written.
        language
            ``en`` or ``zh``, of headings, statuses and reasons.

        Returns
        -------
        The path.

        Raises
        ------
        DrgdipError
            Another ending, a path that cannot be written, or the extra is not installed.
        """
        check_language(language)
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in FORMATS:
            raise DrgdipError(f"{path}: a move is written as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
        picture = "" if ending == ".xlsx" else self.to_svg(language)
        if ending == ".svg":
            try:
                with replacing(path) as part:
                    part.write_text(picture, encoding="utf-8")
            except OSError as error:
                raise DrgdipError(f"{path}: cannot be written: {error.strerror or error}") from error
            return path
        tables = {_word(name, language): self._shown(name, language) for name in _TABLES}
        write_tables(path, tables, title=f"{self.before} → {self.after}", language=language, picture=picture)
        return path

    def _shown(
        self, name: str, language: str, table: pa.Table | None = None, columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """Return a table as readers see it: with headings and texts in the place of names and codes."""
        table = getattr(self, name) if table is None else table
        shown: dict[str, Any] = {}
        for column in columns or table.column_names:
            values = table[column]
            if column in _TEXTS:
                texts = [None if value is None else _TEXTS[column](value, language) for value in values.to_pylist()]
                values = from_list(texts, pa.string())
            elif column in {"row", "example_row"}:  # readers count from 1, as the rows of a table do
                values = from_numpy(values.to_numpy() + 1)
            shown[_word(column, language)] = values
        if name == "reasons":
            codes = table["reason"].to_pylist()
            shown = {_word("reason", language): table["reason"], _word("cases", language): table["cases"]}
            shown[_word("text", language)] = from_list([describe_reason(code, language) for code in codes], pa.string())
        return pa.table(shown)


#: Columns of a summary.
_FEW = {
    "adrg_flows": ("before", "before_name", "after", "after_name", "reason", "cases", "weight_change"),
    "lost": ("row", "case_id", "principal_diagnosis", "before", "after", "turned_away_by", "condition", "codes"),
}


def _word(name: str, language: str) -> str:
    """Return a heading or a word of the tables in a language (``data/headings.csv``)."""
    return words_of("headings.csv")[name][language == "zh"]


#: How the codes of some columns become texts.
_TEXTS: dict[str, Callable[[str, str], str]] = {
    **dict.fromkeys(_REASONS, describe_reason),
    **dict.fromkeys(_STATUSES, status_word),
    "where": lambda where, language: _word(f"where_{where}", language),
    "measure": _word,
}


def _node(row: Mapping[str, Any], side: str, language: str) -> str:
    """Return the label of a group in the picture."""
    status = status_word(row[f"{side}_status"], language)
    text = f"{row[side] or ''} {row[f'{side}_name'] or status}".strip()
    while width_of(text) > _LABEL:
        text = text[:-2] + "…"
    return text


#: Columns of a terminal that the label of a group takes at most.
_LABEL = 40


def _lines(table: pa.Table) -> Iterator[str]:
    """Yield a table as aligned lines; numbers stand at the right."""
    names = table.column_names
    cells = [[_cell(value) for value in table[name].to_pylist()] for name in names]
    widths = [max([width_of(name), *map(width_of, column)]) for name, column in zip(names, cells, strict=True)]
    right = [not pa.types.is_string(table.schema.field(name).type) for name in names]
    for row in [names, *zip(*cells, strict=True)]:
        padded = (
            (pad_left if ends else pad)(cell, width) for cell, width, ends in zip(row, widths, right, strict=True)
        )
        yield "  " + "  ".join(padded).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
