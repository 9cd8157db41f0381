"""The summary of a file that was grouped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from drgdip._listing import pad, width_of
from drgdip.cli.output import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from drgdip.cli.words import Words
    from drgdip.grouper.family import SchemeLike

__all__ = ["Summary"]

#: Case numbers are compared among so many cases, so that a file of any size takes the same memory.
_COMPARED = 2_000_000
_SHOWN = 5


class Summary:
    """The counts of a file that is grouped, added up part by part."""

    def __init__(self, scheme: SchemeLike, say: Words) -> None:
        self.scheme = scheme
        self.say = say
        self.cases = 0
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
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
        self._add_reasons(cases, results["reason"])
        self.groups.update(_counts(results["group"].filter(pc.equal(results["status"], "grouped"))))
        if "case_id" in cases.column_names and self.cases < _COMPARED:
            self.ids.update(_counts(cases["case_id"]))
        if cases["unreadable"].null_count < len(cases):
            for row, columns in enumerate(cases["unreadable"].to_pylist()):
                if columns and len(self.broken) < _SHOWN:
                    names = self.say.joined(columns.split(" "))
                    self.broken.append(self.say("summary.broken", row=self.cases + row + 1, columns=names))
        self.cases += len(cases)

    def _add_reasons(self, cases: pa.Table, column: pa.ChunkedArray) -> None:
        """Count the reasons of a part; of each that is new, the first case is the example."""
        import pyarrow.compute as pc

        counts = _counts(column)
        for reason in counts.keys() - self.examples.keys():
            row = pc.index(pc.equal(column, reason), True).as_py()
            number = cases["case_id"][row].as_py() if "case_id" in cases.column_names else None
            if number is None:
                self.examples[reason] = self.say("summary.row", number=self.cases + row + 1)
            else:
                self.examples[reason] = self.say("summary.case", number=shorten(str(number)))
        self.reasons.update(counts)

    def lines(self) -> Iterator[str]:
        """Yield the summary, line by line."""
        say, info = self.say, self.scheme.info
        yield say("summary.head", cases=self.cases, scheme=info.id, revision=info.revision, title=info.title)
        yield from self._status_lines()
        if self.reasons:
            yield say("summary.reasons")
            yield from self._reason_lines()
        if self.groups:
            yield say("summary.most_groups")
            labels = self.scheme.labels
            for group, number in sorted(self.groups.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]:
                yield f"  {number:>8,}  {group} {shorten(labels.get(group, ''))}".rstrip()

    def _status_lines(self) -> Iterator[str]:
        """Yield each status with its cases and their share."""
        from drgdip.grouper.result import STATUSES

        expected = {"grouped", "ungrouped", "invalid", self.scheme.other_status}
        names = STATUSES if self.say.language == "zh" else {status: status for status in STATUSES}
        width = max(map(width_of, names.values())) + 1
        for status, name in names.items():
            number = self.statuses[status]
            if number or status in expected:
                line = f"  {pad(name, width)}{number:>10,}  {number / max(self.cases, 1):8.2%}"
                groups = " " + self.say("summary.in_groups", number=len(self.groups))
                yield line + (groups if status == "grouped" else "")

    def _reason_lines(self) -> Iterator[str]:
        """Yield the commonest reasons, each with its text and an example."""
        from drgdip.reasons import describe_reason

        for reason, number in self.reasons.most_common(_SHOWN):
            text = describe_reason(reason, self.say.language)
            told = self.say("summary.reason", reason=reason, text=text, example=self.examples[reason])
            yield f"  {number:>8,}  {told}"

    def warnings(self) -> Iterator[str]:
        """Yield the notes on the input."""
        say, stages = self.say, self.scheme.stages
        if stages and self.statuses["ungrouped"] and not {"mixed", "blank"} & set(stages):
            yield say("summary.no_mixed", scheme=self.scheme.id)
        if self.absent:
            yield say("summary.absent", columns=say.joined(self.absent))
        doubled = [number for number, times in self.ids.items() if times > 1]
        if doubled:
            yield say("summary.doubled", number=len(doubled), first=repr(doubled[0]))
        yield from self.broken
        more = sum(number for reason, number in self.reasons.items() if reason.startswith("unreadable_"))
        if more > len(self.broken):
            yield say("summary.more_broken", number=more - len(self.broken))


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each value stands in a column, null left out."""
    found = column.drop_null().value_counts()
    return {str(row["values"]): row["counts"] for row in found.to_pylist()}
