"""The command line: ``drgdip`` and a verb, as `_parser` lists them."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from drgdip._version import __version__
from drgdip.errors import CaseError, DrgdipError, PolicyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from drgdip.cases.readers import Part
    from drgdip.grouper.family import SchemeLike

__all__ = ["main"]

_BAR = 30
#: Case numbers are compared among so many cases, so that a file of any size takes the same memory.
_COMPARED = 2_000_000
_SHOWN = 5
#: Tables of a difference whose rows are read by eye; of the others, which are lists of codes, there is the number.
_BY_EYE = ("evaluation", "mdc", "adrg", "drg", "matching", "groups", "primary_care")
#: How wide a line of a difference has its change and its code at least, and how much of a name or rule it has room for.
_WIDTHS = {"change": 8, "code": 6}
_ROOM = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        The words after the command's name; None takes those of the process.

    Returns
    -------
    0 when done, 1 when an input or a scheme cannot be used. Wrong words of the command line end the process with 2.

    Examples
    --------
    >>> main(["explain", "--scheme", "chs-drg-2.0", "--sex", "2", "--age", "59", "--dx", "Z99", "--brief"])
    case · chs-drg-2.0 · ungrouped
    group: 0000
    reason: no MDC takes the case
    diagnoses: Z99
    CC, MCC: none
    0
    """
    if arguments is None:  # a terminal without Chinese shows escapes rather than nothing
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except DrgdipError as error:
        print(f"drgdip: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
    except KeyboardInterrupt:
        print("drgdip: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="drgdip",
        description="Group hospital discharges under China's DRG and DIP payment schemes, and settle what is paid.",
    )
    parser.add_argument("--version", action="version", version=f"drgdip {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    group = commands.add_parser("group", help="group a file of cases", description="Group a file of cases.")
    group.add_argument("file", metavar="FILE", type=Path, help=_FILE)
    group.add_argument("--scheme", required=True, metavar="ID", help=_SCHEME)
    group.add_argument(
        "-o", "--output", metavar="OUT", help="where to write the cases with their groups; - for the screen"
    )
    group.add_argument(
        "--format", choices=("csv", "json", "jsonl", "parquet"), help="format of OUT, else by its ending"
    )
    group.add_argument("--prefix", default="", metavar="TEXT", help="put before the names of the result's columns")
    _add_reading(group)
    group.set_defaults(run=_group)

    check = commands.add_parser(
        "check",
        help="say what is wrong with the cases of a file",
        description="Check the cases of a file before they are sent or grouped.",
    )
    check.add_argument("file", metavar="FILE", type=Path, help=_FILE)
    check.add_argument("--scheme", required=True, metavar="ID", help=_SCHEME)
    check.add_argument("-o", "--output", metavar="OUT", help="where to write the findings; - for the screen")
    check.add_argument(
        "--format", choices=("csv", "json", "jsonl", "parquet"), help="format of OUT, else by its ending"
    )
    check.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="COLUMN=LOW:HIGH",
        help="lowest and highest plausible value of a column, such as age=0:120",
    )
    check.add_argument("--language", choices=("en", "zh"), default="en", help="language of the words (default: en)")
    _add_reading(check)
    check.set_defaults(run=_check)

    explain = commands.add_parser(
        "explain",
        help="say why a case is in its group",
        description="Say why a case is in its group: a case of a file by its number, or one from the options.",
    )
    explain.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the file that has the case")
    explain.add_argument("--scheme", required=True, metavar="ID", help=_SCHEME)
    explain.add_argument("--case", metavar="CASE_ID", help="the number of the case in FILE")
    for name, text in _CASE_OPTIONS.items():
        explain.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=text)
    explain.add_argument("--language", choices=("en", "zh"), default="en", help="language of the words (default: en)")
    explain.add_argument("--brief", action="store_true", help="the result without the rules tried")
    explain.add_argument("--json", action="store_true", help="the whole trace as JSON")
    _add_reading(explain)
    explain.set_defaults(run=_explain)

    schemes = commands.add_parser(
        "schemes", help="list the schemes and catalogues, or show one", description="List schemes and catalogues."
    )
    schemes.add_argument("--place", metavar="PLACE", help="those of a place: its name, English name or code")
    schemes.set_defaults(run=_schemes)
    show = schemes.add_subparsers(metavar="show").add_parser("show", help="show one with its notes")
    show.add_argument("scheme", metavar="ID", help=_SCHEME)
    show.set_defaults(run=_show_scheme)

    diff = commands.add_parser(
        "diff",
        help="say what changed between two schemes or catalogues",
        description="Say what changed between two schemes or two catalogues or, with FILE, which of its cases change "
        "their group; with FILE, BEFORE may be a scheme and AFTER a catalogue.",
    )
    diff.add_argument("before", metavar="BEFORE", help=_SCHEME)
    diff.add_argument("after", metavar="AFTER", help="another one")
    diff.add_argument("file", metavar="FILE", type=Path, nargs="?", help=f"cases: {_FILE}")
    diff.add_argument(
        "--limit", type=int, default=20, metavar="N", help="show so many rows of each table (default: 20)"
    )
    diff.add_argument("-o", "--output", metavar="OUT", help="where to write every row; - for the screen")
    diff.add_argument("--format", choices=("csv", "json", "jsonl", "parquet"), help="format of OUT, else by its ending")
    _add_reading(diff)
    diff.set_defaults(run=_diff)

    warmup = commands.add_parser(
        "warmup",
        help="compile the kernels now, when an image is built",
        description="Compile the kernels and prepare schemes, so that no process waits for it later.",
    )
    warmup.add_argument("scheme", nargs="*", metavar="ID", help="schemes and catalogues to prepare")
    warmup.set_defaults(run=_warmup)

    _add_settling(commands)
    return parser


def _add_settling(commands: Any) -> None:
    settle = commands.add_parser(
        "settle",
        help="settle a year of cases under a policy",
        description="Settle a year: months, pre-clearing and clearing of the cases in files, under a policy.",
    )
    settle.add_argument("cases", metavar="CASES", type=Path, nargs="+", help="CSV, JSON, JSON lines or Parquet")
    settle.add_argument("--policy", required=True, metavar="FILE", type=Path, help="the policy, a TOML file")
    settle.add_argument(
        "--budget", required=True, action="append", metavar="POOL=YUAN", help="the final budget of a pool"
    )
    settle.add_argument(
        "--value", action="append", metavar="POOL=YUAN", help="estimated point value of a pool, else the policy's rates"
    )
    settle.add_argument("--weights", metavar="FILE", type=Path, help="weights by group; without it CASES have points")
    settle.add_argument(
        "--coefficients",
        action="append",
        metavar="NAME=FILE",
        help="a table of coefficients that the policy names (with --weights)",
    )
    settle.add_argument("--mean-cost", metavar="YUAN", type=float, help="mean cost of all cases (with --weights)")
    for name, text in _SETTLE_TABLES.items():
        settle.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="FILE", type=Path, help=text)
    settle.add_argument("-o", "--output", metavar="OUT", type=Path, help="where to write the report: .xlsx or .html")
    settle.set_defaults(run=_settle)

    policies = commands.add_parser(
        "policies", help="list the policies of places, or show one", description="List the policies of places."
    )
    policies.set_defaults(run=_policies)
    one = policies.add_subparsers(metavar="show").add_parser("show", help="show the file of one policy")
    one.add_argument("policy", metavar="ID", help="a policy's id")
    one.set_defaults(run=_show_policy)


_FILE = "CSV, Excel, JSON, JSON lines or Parquet"
_SCHEME = "a scheme's or catalogue's id, or the path of its folder"
_SETTLE_TABLES = {
    "deductions": "audit deductions by hospital, pool and month",
    "appraisal": "appraisal coefficients by hospital and pool",
    "points_change": "points rewards and penalties by hospital and pool",
    "working_capital": "what was advanced, by hospital and pool",
}

_CASE_OPTIONS = {
    "sex": "1 male, 2 female",
    "age": "age in full years",
    "age_days": "age in days, of infants",
    "newborn_weight": "weight in grams, of newborns",
    "los": "length of stay in days",
    "discharge": "discharge mode, 1 to 5 or 9",
    "dept": "department",
    "icu_hours": "hours in intensive care",
    "dx": "diagnoses joined by |, the principal one first",
    "procs": "procedures joined by |, the principal one first",
}


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-format",
        choices=("csv", "excel", "json", "jsonl", "parquet"),
        default="auto",
        help="format of FILE, else by its ending",
    )
    parser.add_argument(
        "--codes",
        metavar="EDITION",
        help="the edition of FILE's codes, such as clinical-2.0, to be mapped to the scheme's",
    )
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="COLUMN=NAME",
        help="the name in FILE of a case column",
    )


def _columns(options: argparse.Namespace) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in options.columns]
    for column, sign, name in pairs:
        if not sign or not column or not name:
            raise CaseError(f"--columns {column}{sign}{name}: say it as COLUMN=NAME, such as dx=诊断编码")
    return {column: name for column, _, name in pairs}


def _group(options: argparse.Namespace) -> None:
    from drgdip.cases.readers import read_parts
    from drgdip.cases.table import to_cases
    from drgdip.grouper.load import load_any

    scheme = load_any(options.scheme)
    parts = read_parts(options.file, format=options.input_format, wanted=_wanted(scheme, options))
    first = next(parts)
    to_cases(first.table.slice(0, 0), _columns(options))  # before OUT is opened: what is missing is so in every row
    summary = _Summary(scheme)
    with _output(options) as writer:
        for part in _with_progress(itertools.chain([first], parts)):
            results = _group_part(part, scheme, options, summary)
            if writer is not None:
                writer.write(results)
    _report(options, summary)


def _wanted(scheme: SchemeLike, options: argparse.Namespace) -> Callable[[list[str]], list[str]]:
    """What to read of a file: all if it is to be written again, else the case columns."""
    from drgdip.cases.table import case_columns

    def wanted(names: list[str]) -> list[str]:
        _check_free(names, scheme, options)
        if options.output is not None:
            return names
        used = {name for found in case_columns(names, _columns(options)).values() for name in found}
        return [name for name in names if name in used]

    return wanted


def _group_part(part: pa.Table, scheme: SchemeLike, options: argparse.Namespace, summary: _Summary) -> pa.Table:
    from drgdip._arrow import with_columns
    from drgdip.cases.derive import derive
    from drgdip.cases.table import to_cases
    from drgdip.grouper.group import group

    cases = derive(to_cases(part, _columns(options)))
    results = group(_with_all_columns(cases), scheme, codes=options.codes).select(scheme.result._fields)
    summary.add(part, cases, results)
    named = results.rename_columns([options.prefix + name for name in results.column_names])
    return with_columns(part, named.replace_schema_metadata(results.schema.metadata))  # renaming loses it


def _with_all_columns(cases: pa.Table) -> pa.Table:
    """The cases with nulls for columns that the file does not have: a file is grouped as far as it goes."""
    import pyarrow as pa

    from drgdip.cases.case import case_schema

    for field in case_schema():
        if field.name not in cases.column_names:
            cases = cases.append_column(field, pa.nulls(len(cases), field.type))
    return cases


def _check_free(names: list[str], scheme: SchemeLike, options: argparse.Namespace) -> None:
    from drgdip.grouper.group import taken_names

    taken = taken_names(names, scheme, options.prefix)
    if taken:
        raise CaseError(
            f"{options.file} has columns {', '.join(taken)} already; "
            "give --prefix new_ to name the result's columns otherwise"
        )


def _with_progress(parts: Iterable[Part]) -> Iterator[pa.Table]:
    """The tables of the parts, with a bar on a terminal where there are several."""
    show, rows, bar = sys.stderr.isatty(), 0, ""
    for part in parts:
        yield part.table
        rows += len(part.table)
        if show and (part.done < 1 or bar):
            filled = round(part.done * _BAR)
            bar = f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {part.done:4.0%} {rows:,} cases"
            print(bar, end="", file=sys.stderr, flush=True)
    if bar:
        print(file=sys.stderr)


@contextlib.contextmanager
def _output(options: argparse.Namespace) -> Iterator[Any]:
    """The writer that the options ask for, or None."""
    from drgdip._writers import TableWriter
    from drgdip.cases.readers import encoding_of, format_of

    if options.output is None:
        if options.format:
            raise CaseError("--format says how to write, but there is no -o to say where")
        yield None
        return
    if options.output == "-":
        with TableWriter(sys.stdout.buffer, options.format or "csv") as writer:
            yield writer
        return
    path = Path(options.output)
    form = options.format or format_of(path)
    if form == "excel":
        raise CaseError(f"{path}: the format of a file {path.suffix} is only read; write CSV, JSON or Parquet")
    if options.file is not None and path.exists() and path.samefile(options.file):
        raise CaseError(f"{path}: is the input; write to another file")
    mark = (
        form == "csv"
        and options.file is not None
        and format_of(options.file, options.input_format) == "csv"
        and encoding_of(options.file) != "utf-8"
    )
    try:
        file: IO[bytes] = path.open("wb")
    except OSError as error:
        raise CaseError(f"{path}: cannot be written: {error.strerror}") from error
    with file, TableWriter(file, form, mark=mark) as writer:
        yield writer


class _Summary:
    """What grouping a file did, added up part by part."""

    def __init__(self, scheme: SchemeLike) -> None:
        self.scheme = scheme
        self.cases = 0
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.broken: list[str] = []
        self.absent: list[str] = []

    def add(self, part: pa.Table, cases: pa.Table, results: pa.Table) -> None:
        """Count a part."""
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
        self.cases += len(part)

    def lines(self) -> Iterator[str]:
        """The summary for a reader."""
        from drgdip.grouper.result import REASONS, STATUSES

        info = self.scheme.info
        expected = {
            "grouped",
            "ungrouped",
            "invalid",
            self.scheme.other_status,
        }
        yield f"{_several(self.cases, 'case')} under {info.id} revision {info.revision} ({info.title})"
        for status in STATUSES:
            number = self.statuses[status]
            if number or status in expected:
                groups = f" in {_several(len(self.groups), 'group')}" if status == "grouped" else ""
                yield f"  {status:<10}{number:>10,}  {number / max(self.cases, 1):8.2%}{groups}"
        if self.reasons:
            yield "commonest reasons"
            for reason, number in self.reasons.most_common(_SHOWN):
                yield f"  {number:>8,}  {reason}: {REASONS[reason][0]}"
        if self.groups:
            yield "commonest groups"
            labels = self.scheme.labels
            for group, number in sorted(self.groups.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]:
                yield f"  {number:>8,}  {group} {_short(labels.get(group, ''))}".rstrip()

    def warnings(self) -> Iterator[str]:
        """What a reader should know of the input."""
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
                f"{_several(len(doubled), 'case number')} {numbers} more than once, the first {doubled[0]!r}; "
                "each row is grouped"
            )
        yield from self.broken
        more = sum(number for reason, number in self.reasons.items() if reason.startswith("unreadable_"))
        if more > len(self.broken):
            yield f"… and {more - len(self.broken):,} more that cannot be read; their status is invalid"


def _several(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column, null left out."""
    counted = column.drop_null().value_counts()
    return {str(row["values"]): row["counts"] for row in counted.to_pylist()}


def _report(options: argparse.Namespace, summary: _Summary) -> None:
    screen = sys.stderr if options.output == "-" else sys.stdout
    print(f"{options.file}: ", end="", file=screen)
    for line in summary.lines():
        print(line, file=screen)
    if options.output is None:
        print("nothing written: name a file with -o to keep the groups", file=screen)
    elif options.output != "-":
        print(f"wrote {options.output}", file=screen)
    for line in summary.warnings():
        print(f"note: {line}", file=sys.stderr)


def _check(options: argparse.Namespace) -> None:
    import json

    from drgdip.cases.readers import IGNORED, read_cases
    from drgdip.grouper.checks import check_cases, list_checks

    limits = dict(map(_limit, options.limit))
    cases = read_cases(options.file, format=options.input_format, columns=_columns(options))
    findings = check_cases(cases, options.scheme, codes=options.codes, limits=limits)
    with _output(options) as writer:
        if writer is not None:
            writer.write(findings)
    screen = sys.stderr if options.output == "-" else sys.stdout
    rules, rows, levels = (findings[name].to_pylist() for name in ("rule", "row", "level"))
    wrong = {row for row, level in zip(rows, levels, strict=True) if level == "error"}
    doubtful = set(rows) - wrong
    print(
        f"{options.file}: {len(cases):,} cases, {len(wrong):,} with errors, {len(doubtful):,} with warnings only",
        file=screen,
    )
    concerned = Counter(rule for rule, _ in set(zip(rules, rows, strict=True)))
    for check in list_checks().values():
        if concerned[check.id]:
            message = check.chinese if options.language == "zh" else check.english
            print(f"  {concerned[check.id]:>8,}  {check.level:<7}  {check.id}: {message}", file=screen)
    if options.output not in {None, "-"}:
        print(f"wrote {options.output}", file=screen)
    ignored = json.loads((cases.schema.metadata or {}).get(IGNORED.encode(), b"[]"))
    if ignored:
        shown = ", ".join(ignored[:_SHOWN]) + (", …" if len(ignored) > _SHOWN else "")
        print(f"note: {len(ignored):,} columns are no case columns and were not read: {shown}", file=sys.stderr)


def _limit(text: str) -> tuple[str, tuple[float, float]]:
    column, sign, limits = text.partition("=")
    low, colon, high = limits.partition(":")
    try:
        if sign and colon:
            return column, (float(low), float(high))
    except ValueError:
        pass
    raise CaseError(f"--limit {text}: say it as COLUMN=LOW:HIGH, such as age=0:120")


def _explain(options: argparse.Namespace) -> None:
    from drgdip.grouper.explain import explain

    case = _case_of_file(options) if options.file is not None else _case_of_options(options)
    trace = explain(case, options.scheme, codes=options.codes)
    if options.json:
        print(trace.to_json(indent=2))
    else:
        print(trace.text(options.language, steps=not options.brief))


def _case_of_options(options: argparse.Namespace) -> dict[str, Any]:
    case = {name: getattr(options, name) for name in _CASE_OPTIONS if getattr(options, name) is not None}
    if "dx" not in case:
        raise CaseError("name a FILE and --case, or give the case's --dx and other values")
    return case


def _case_of_file(options: argparse.Namespace) -> dict[str, Any]:
    from drgdip.cases.readers import read_cases

    cases = read_cases(options.file, format=options.input_format, columns=_columns(options))
    if "case_id" not in cases.column_names:
        raise CaseError(f"{options.file} has no column of case numbers; say which it is with --columns case_id=NAME")
    numbers = [str(number) for number in cases["case_id"].to_pylist()]
    if options.case is None:
        raise CaseError(
            f"say which case with --case; the first of {options.file} is {numbers[0] if numbers else 'missing'}"
        )
    if options.case not in numbers:
        raise UnknownNameError("case", options.case, numbers, hint=f"{options.file} has {len(numbers):,} cases.")
    if numbers.count(options.case) > 1:
        print(
            f"note: case {options.case} stands {numbers.count(options.case)} times; the first is shown",
            file=sys.stderr,
        )
    case: dict[str, Any] = cases.slice(numbers.index(options.case), 1).to_pylist()[0]
    return case


def _schemes(options: argparse.Namespace) -> None:
    from drgdip.grouper.choose import catalogues_of, schemes_of
    from drgdip.grouper.dip.catalogue import list_catalogues
    from drgdip.grouper.dip.model import STAGES
    from drgdip.grouper.drg.scheme import list_schemes

    for info in list_schemes() if options.place is None else schemes_of(options.place):
        counts = " ".join(f"{info.counts[name]:>4} {name.upper()}" for name in ("mdc", "adrg", "drg"))
        print(f"{info.id:<34} revision {info.revision}  {counts}  {info.title}")
    for info in list_catalogues() if options.place is None else catalogues_of(options.place):
        kinds = " ".join(f"{info.counts[kind]:>5} {kind}" for kind in STAGES if kind in info.counts)
        print(f"{info.id:<34} revision {info.revision}  {kinds:<24}  {info.title}")


def _show_scheme(options: argparse.Namespace) -> None:
    from drgdip.grouper.load import load_any

    scheme = load_any(options.scheme)
    info = scheme.info
    print(f"{info.id}: {info.title}")
    for label, value in (
        ("issuer", info.issuer),
        ("place", info.place),
        ("extends", info.extends or "no other scheme"),
        ("published", info.published or "not stated in the sources"),
        (
            "in force",
            " to ".join(filter(None, (info.effective_from, info.effective_to))) or "not stated in the sources",
        ),
        ("revision", info.revision),
        ("codes", f"{info.diagnosis_codes}, {info.procedure_codes}"),
        ("sha256", info.sha256),
    ):
        print(f"  {label:<10} {value}")
    for title, table in (("counts", info.counts), ("where from", info.provenance), ("notes", scheme.notes)):
        print(f"{title}:")
        for name, value in table.items():
            print(f"  {name}: {value}")


def _diff(options: argparse.Namespace) -> None:
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.load import load_any

    before, after = load_any(options.before), load_any(options.after)
    if options.file is None:
        table = diff_schemes(before, after)
        lines = _changes(table, options.limit)
    else:
        from drgdip.cases.readers import read_cases

        cases = read_cases(options.file, format=options.input_format, columns=_columns(options))
        table = diff_cases(cases, before, after, codes=options.codes)
        alike = before.family == after.family
        lines = _moves(table, options.limit, ("group", "moves") if alike else ("status", "pairs"))
    with _output(options) as writer:
        if writer is not None:
            writer.write(table)
    screen = sys.stderr if options.output == "-" else sys.stdout
    print(f"{before.id} revision {before.info.revision} -> {after.id} revision {after.info.revision}", file=screen)
    for line in lines:
        print(line, file=screen)
    if options.output not in {None, "-"}:
        print(f"wrote {options.output}", file=screen)


def _changes(table: pa.Table, limit: int) -> Iterator[str]:
    """What changed in each table, and the first rows of those that are read by eye."""
    rows = table.to_pylist()
    if not rows:
        yield "nothing changed"
    for name in dict.fromkeys(row["table"] for row in rows):
        here = [row for row in rows if row["table"] == name]
        counts = Counter(row["change"] for row in here)
        yield f"{name}: " + ", ".join(f"{change} {number:,}" for change, number in counts.items())
        if name not in _BY_EYE:
            continue
        shown = here[:limit]
        change_width, code_width = (max([least, *(len(row[part]) for row in shown)]) for part, least in _WIDTHS.items())
        for row in shown:
            sides = {"added": ("after",), "gone": ("before",)}.get(row["change"], ("before", "after"))
            texts = " -> ".join(_short(row[side] or "(none)") for side in sides)
            yield f"  {row['change']:<{change_width}} {row['code']:<{code_width}} {texts}"
        if len(here) > limit:
            yield f"  ... and {len(here) - limit:,} more"


def _short(text: str) -> str:
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"


def _moves(table: pa.Table, limit: int, words: tuple[str, str]) -> Iterator[str]:
    """How many cases moved, and the commonest moves; the words are for what they change and for what is shown."""
    rows = table.to_pylist()
    total = sum(row["cases"] for row in rows)
    moves = [row for row in rows if row["moved"] is not False]
    moved = sum(row["cases"] for row in moves if row["moved"])
    yield f"{_several(total, 'case')}: {moved:,} change their {words[0]} ({moved / max(total, 1):.2%})"
    for row in moves[:limit]:
        sides = (
            f"{row[side] or row[f'{side}_status']} {_short(row[f'{side}_name'] or '')}" for side in ("before", "after")
        )
        yield f"  {row['cases']:>8,} of {row['before_cases']:,}  " + " -> ".join(map(str.strip, sides))
    if len(moves) > limit:
        yield f"  ... and {len(moves) - limit:,} more {words[1]}"


def _warmup(options: argparse.Namespace) -> None:
    from drgdip.grouper.group import warmup
    from drgdip.versions import kernel_cache

    warmup(*options.scheme)
    print(f"kernels are compiled; cache: {kernel_cache()}")


def _settle(options: argparse.Namespace) -> None:
    from drgdip.settle import REPORT_FORMATS, read_policy, read_settlement, settle_year, write_report

    if options.output is not None and options.output.suffix.lower() not in REPORT_FORMATS:
        raise PolicyError(f"{options.output}: a report is written as {' or '.join(REPORT_FORMATS)}")
    policy = read_policy(options.policy)
    if options.weights is None and (options.coefficients or options.mean_cost):
        raise PolicyError("--coefficients and --mean-cost go with --weights, which gives the cases their points")
    tables = {name: read_settlement(path) for name in _SETTLE_TABLES if (path := getattr(options, name)) is not None}
    named = {name: read_settlement(path) for name, path in _pairs(options.coefficients, "--coefficients").items()}
    cases = read_settlement(*options.cases)
    if options.weights is None and "points" not in cases.column_names:
        raise CaseError("the cases have no column points: give it, or --weights, a table of group and weight")
    year = settle_year(
        cases,
        policy,
        budget=_pairs(options.budget, "--budget"),
        values=_pairs(options.value, "--value") or None,
        weights=None if options.weights is None else read_settlement(options.weights),
        coefficients=named or None,
        mean_cost=options.mean_cost,
        **tables,
    )
    print(f"{len(cases):,} cases under policy {policy.id} ({policy.title})")
    for pool in year.clearing.pools.to_pylist():
        value = "" if pool["point_value"] is None else f", point value {pool['point_value'].normalize():f}"
        print(f"pool {pool['pool']}: budget {pool['budget']:,}, spending {pool['spending']:,}{value}")
        print(f"  {'hospital':<24}{'cases':>8}{'entitlement':>18}{'paid':>18}{'final':>18}")
        mine = [row for row in year.clearing.table.to_pylist() if row["pool"] == pool["pool"]]
        for row in mine:
            amounts = "".join(f"{row[name]:>18,}" for name in ("entitlement", "paid", "final"))
            print(f"  {row['hospital']:<24}{row['cases']:>8,}{amounts}")
        print(f"  {'all hospitals':<24}{sum(row['cases'] for row in mine):>8,}{pool['entitlement']:>18,}")
        print(f"  left of the budget: {pool['left']:,}")
    print(f"{len(year.ledger)} sums checked, all agree")
    if options.output is not None:
        print(f"wrote {write_report(year, policy, options.output)}")
    uncounted = sum(row["not_counted"] for row in year.clearing.table.to_pylist())
    if uncounted:
        what = (
            "case does not count: its list failed, or it has"
            if uncounted == 1
            else "cases do not count: lists failed, or they have"
        )
        print(f"note: {uncounted:,} {what} no price", file=sys.stderr)


def _pairs(words: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = [word.rpartition("=") for word in words or ()]
    for name, sign, value in pairs:
        if not name or not value:
            raise PolicyError(f"{option} {name}{sign}{value}: say it as NAME=VALUE")
    doubled = [name for name, times in Counter(name for name, _, _ in pairs).items() if times > 1]
    if doubled:
        raise PolicyError(f"{option} names {doubled[0]!r} twice: leave one of them")
    return {name: value for name, _, value in pairs}


def _policies(_: argparse.Namespace) -> None:
    from drgdip.settle import list_policies

    for row in list_policies():
        print(f"{row.id:<12} {row.family}  {row.form or 'form to be given':<16}  {row.title}")


def _show_policy(options: argparse.Namespace) -> None:
    from drgdip.settle.policies import policy_text

    print(policy_text(options.policy), end="")
