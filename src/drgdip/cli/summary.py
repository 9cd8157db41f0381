"""The summary of a file that was grouped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drgdip.cli.output import counted, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from drgdip.grouper.family import SchemeLike

__all__ = ["Summary"]

#: Case numbers are compared among so many cases, so that a file of any size takes the same memory.
_COMPARED = 2_000_000
_SHOWN = 5


class Summary:
    """The counts of a file that is grouped, added up part by part."""

    def __init__(self, scheme: SchemeLike) -> None:
        self.scheme = scheme
        self.cases = 0
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.broken: list[str] = []
        self.absent: list[str] = []

    def add(self, cases: pa.Table, results: pa.Table) -> None:
        """Count a part: its cases as they were read, and their results."""
        import pyarrow.compute as pc

        wanted = ["dx", "procs", *self.scheme.value_columns]
        self.absent = [column for column in wanted if column not in cases.column_names]
        if f"{self.scheme.newborn_weight}_weight" in cases.column_names and "newborn_weight" in self.absent:
            self.absent.remove("newborn_weight")
        self.statuses.update(_counts(results["status"]))
        self.reasons.update(_counts(results["reason"]))
        self.groups.update(_counts(results["group"].filter(pc.equal(results["status"], "grouped"))))
        if "case_id" in cases.column_names and self.cases < _COMPARED:
            self.ids.update(_counts(cases["case_id"]))
        if cases["unreadable"].null_count < len(cases):
            for row, columns in enumerate(cases["unreadable"].to_pylist()):
                if columns and len(self.broken) < _SHOWN:
                    self.broken.append(f"row {self.cases + row + 1}: {columns.replace(' ', ', ')} cannot be read")
        self.cases += len(cases)

    def lines(self) -> Iterator[str]:
        """Yield the summary, line by line."""
        from drgdip.grouper.result import REASONS, STATUSES

        info = self.scheme.info
        expected = {"grouped", "ungrouped", "invalid", self.scheme.other_status}
        yield f"{counted(self.cases, 'case')} under {info.id} revision {info.revision} ({info.title})"
        for status in STATUSES:
            number = self.statuses[status]
            if number or status in expected:
                groups = f" in {counted(len(self.groups), 'group')}" if status == "grouped" else ""
                yield f"  {status:<10}{number:>10,}  {number / max(self.cases, 1):8.2%}{groups}"
        if self.reasons:
            yield "commonest reasons"
            for reason, number in self.reasons.most_common(_SHOWN):
                yield f"  {number:>8,}  {reason}: {REASONS[reason][0]}"
        if self.groups:
            yield "commonest groups"
            labels = self.scheme.labels
            for group, number in sorted(self.groups.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]:
                yield f"  {number:>8,}  {group} {shorten(labels.get(group, ''))}".rstrip()

    def warnings(self) -> Iterator[str]:
        """Yield the notes on the input."""
        stages = self.scheme.stages
        if stages and self.statuses["ungrouped"] and not {"mixed", "blank"} & set(stages):
            yield (
                f"{self.scheme.id} has no mixed groups, so that what no core group takes stays ungrouped; "
                "a place makes its own (docs/dip.md)"
            )
        if self.absent:
            yield f"no column for {', '.join(self.absent)}: taken as missing (the names known are in docs/cases.md)"
        doubled = [number for number, times in self.ids.items() if times > 1]
        if doubled:
            numbers = "stands" if len(doubled) == 1 else "stand"
            yield (
                f"{counted(len(doubled), 'case number')} {numbers} more than once, the first {doubled[0]!r}; "
                "each row is grouped"
            )
        yield from self.broken
        more = sum(number for reason, number in self.reasons.items() if reason.startswith("unreadable_"))
        if more > len(self.broken):
            yield f"… and {more - len(self.broken):,} more that cannot be read; their status is invalid"


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each value stands in a column, null left out."""
    found = column.drop_null().value_counts()
    return {str(row["values"]): row["counts"] for row in found.to_pylist()}
