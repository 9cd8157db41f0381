"""Facts that must not change while the insides of the library are moved, each with a digest of its values.

A part is a piece of the library's behaviour. It yields facts. A fact has a name, which begins with the part's, the door
it came through, and the SHA-256 of its values. Doors to one fact must give one digest. `tests/data/frozen.csv` holds
the digests and `tests/data/public.txt` the public names; `tools/freeze.py` writes both anew.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import inspect
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

import drgdip
from drgdip import monitor, points, settle
from drgdip.cli import main

TESTS = Path(__file__).parent
ROOT = TESTS.parent
for folder in ("settle", "points"):
    if str(TESTS / folder) not in sys.path:
        sys.path.append(str(TESTS / folder))

from conftest import DECKS, GOLDEN, question_of, read_deck  # noqa: E402
from points_cases import make_cases  # noqa: E402
from settle_city import GIVEN, inputs_of, make_city, prepare  # noqa: E402

TABLE = TESTS / "data" / "frozen.csv"
PUBLIC = TESTS / "data" / "public.txt"
EXAMPLES = ROOT / "docs" / "examples"

#: Decks and catalogues that go through every container, with so many of their cases.
MANY_DOORS = ("chs-drg-2.0", "chs-drg-3.0", "chs-drg-2.0-nanjing-2024", "nhsa-dip-3.0")
DOOR_CASES = 2_000


class Fact(NamedTuple):
    """One frozen thing, the door it came through, and the digest of its values."""

    what: str
    door: str
    sha256: str


Columns = Mapping[str, list[Any]]


# --- digests ---------------------------------------------------------------------------------------------------------


def digest(value: Columns | str) -> str:
    """Return the SHA-256 of a text, or of a table's columns: their names and the repr of each value, in order."""
    text = value if isinstance(value, str) else "\n".join(_lines(value))
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(columns: Columns) -> Iterator[str]:
    for name, values in columns.items():
        yield f"column {name!r} of {len(values)}"
        yield from map(repr, values)


def columns_of(data: Any, names: Iterable[str] | None = None) -> Columns:
    """Return a table of any kind as columns of plain values; a dictionary-encoded column is what it means."""
    if isinstance(data, list):
        found = list(data[0]) if names is None else list(names)
        return {name: [row[name] for row in data] for name in found}
    if isinstance(data, pd.DataFrame):
        data = pa.Table.from_pandas(data, preserve_index=False)
    elif isinstance(data, pl.DataFrame):
        data = data.to_arrow()
    elif isinstance(data, pa.RecordBatchReader):
        data = data.read_all()
    elif isinstance(data, duckdb.DuckDBPyRelation):
        data = data.to_arrow_table()
    return {name: data[name].to_pylist() for name in (data.column_names if names is None else names)}


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def numbers_and_texts(what: str, table: pa.Table, digits: int | None = None) -> Iterator[Fact]:
    """Yield two facts of a table: what it counts, with floats of so many significant digits, and what it says."""
    names = [field.name for field in table.schema if _is_number(field.type)]
    numbers = columns_of(table, names)
    if digits is not None:
        numbers = {name: [_rounded(value, digits) for value in values] for name, values in numbers.items()}
    yield Fact(f"{what}, numbers", "", digest(numbers))
    texts = [name for name in table.column_names if name not in names]
    yield Fact(f"{what}, texts", "", digest(columns_of(table, texts)))


def _rounded(value: Any, digits: int) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def settled(text: str) -> str:
    """Return a text without what changes by itself: the library's version, and digests of the files of data."""
    text = re.sub(rf"\bdrgdip {re.escape(drgdip.__version__)}(?![\w.])", "drgdip <version>", text)
    return re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", text)


# --- groups ----------------------------------------------------------------------------------------------------------


def _result_names(scheme: str) -> list[str]:
    return [field.name for field in drgdip.make_result_fields(scheme=scheme)]


def _three_ways(what: str, records: list[dict[str, Any]], cases: Any, scheme: str) -> Iterator[Fact]:
    """Group every case by itself, and all of them through both engines."""
    names = _result_names(scheme)
    results = [drgdip.group_one(record, scheme) for record in records]
    yield Fact(what, "group_one", digest({name: [getattr(row, name) for row in results] for name in names}))
    for engine in ("reference", "columnar"):
        grouped = drgdip.group(cases, scheme, engine=engine)
        yield Fact(what, f"the {engine} engine", digest(columns_of(grouped, names)))


def _containers(what: str, records: list[dict[str, Any]], table: pa.Table, scheme: str) -> Iterator[Fact]:
    """Group the same cases in every container that grouping takes."""
    names, group = _result_names(scheme), partial(drgdip.group, scheme=scheme)
    batches = drgdip.group_batches(scheme)
    doors: dict[str, Callable[[], Any]] = {
        "records": lambda: group(records),
        "Arrow": lambda: group(table),
        "pandas": lambda: group(table.to_pandas()),
        "Polars": lambda: group(pl.from_arrow(table)),
        "DuckDB": lambda: group(duckdb.from_arrow(table)),
        "a stream": lambda: group(table.to_reader(max_chunksize=300)),
        "encode": lambda: group(drgdip.encode(table, scheme)),
        "group_batches": lambda: pa.Table.from_batches(list(batches(iter(table.to_batches(max_chunksize=300))))),
    }
    for door, call in doors.items():
        yield Fact(what, door, digest(columns_of(call(), names)))


def _deck(part: str, deck: str, scheme: str) -> Iterator[Fact]:
    records = [question_of(row) for row in read_deck(deck)]
    yield from _three_ways(f"{part}: groups", records, records, scheme)
    if deck in MANY_DOORS:
        first, what = records[:DOOR_CASES], f"{part}: groups of the first {DOOR_CASES:,} cases"
        yield from _three_ways(what, first, first, scheme)
        yield from _containers(what, first, pa.Table.from_pylist(first), scheme)


#: Codes that no catalogue expects where they stand.
_ODD = ("U84.300", "P07.100", "B24.x00", "nonsense", "Ａ41.900", "a41.900", "", None)


def _catalogue_cases(name: str) -> tuple[list[dict[str, Any]], pa.Schema]:
    """Make seeded cases, the same with the procedures of others, and the same with a puzzling diagnosis."""
    made = drgdip.sample_cases(500, name, seed=20261128)
    records = made.to_pylist()
    shifted = [case | {"procs": records[at - 7]["procs"]} for at, case in enumerate(records)]
    odd = [
        case | {"dx": [_ODD[at % len(_ODD)], *case["dx"]] if at % 2 else [*case["dx"][::-1], _ODD[at % len(_ODD)]]}
        for at, case in enumerate(records)
    ]
    return [*records, *shifted, *odd], made.schema


def _catalogue(part: str, name: str) -> Iterator[Fact]:
    records, schema = _catalogue_cases(name)
    cases = pa.Table.from_pylist(records, schema)
    yield Fact(f"{part}: the seeded cases", "", digest(columns_of(cases)))
    what = f"{part}: their groups"
    yield from _three_ways(what, records, cases, name)
    if name in MANY_DOORS:
        yield from _containers(what, records, cases, name)


def _seeded_cases(part: str) -> Iterator[Fact]:
    for scheme in ("chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0", "chs-drg-2.0-nanjing-2024"):
        made = drgdip.sample_cases(300, scheme, seed=7)
        yield Fact(f"{part}: of {scheme}", "", digest(columns_of(made)))


def _sample() -> pa.Table:
    return drgdip.read_cases(EXAMPLES / "discharges.csv")


# --- explanations ----------------------------------------------------------------------------------------------------

_EXPLAINED: tuple[dict[str, Any], ...] = (
    {"sex": 2, "age": 59, "dx": ["K22.301", "J96.900"], "procs": []},
    {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"]},
    {"sex": 1, "age": 60, "dx": ["I21.001", "I10.x00"], "procs": ["36.0601", "00.2400x001"]},
    {"sex": 2, "age": 30, "dx": ["O80.000"], "procs": ["73.5900"]},
    {"sex": 1, "age": 0, "age_days": 5, "newborn_weight": 1400, "dx": ["P07.100", "P22.000"], "procs": ["96.7101"]},
    {"sex": 2, "age": 45, "dx": ["K35.801"], "procs": ["47.0100"]},
    {"sex": 1, "age": 66, "dx": ["C34.900", "C78.000"], "procs": ["32.4100"], "los": 12},
    {"sex": 1, "age": 70, "dx": ["K35.801"], "procs": ["36.0601"], "discharge": 5},
    {"sex": 2, "age": 80, "dx": ["Z99"], "procs": []},
    {"sex": None, "age": 40, "dx": ["A41.900"]},
    {"sex": 1, "age": 33, "dx": []},
    {"sex": 1, "age": "old", "dx": ["S82.600", "T13.100", "S22.300"], "procs": ["79.3600x009"]},
    {"sex": 1, "age": 33, "dx": ["S82.600", "S06.201", "S22.300"], "procs": ["79.3600x009", "nonsense"]},
)
_EXPLAINING = (
    "chs-drg-1.0-revised",
    "chs-drg-1.1",
    "chs-drg-2.0",
    "chs-drg-3.0",
    "nhsa-dip-2.0",
    "nhsa-dip-3.0",
    "dip-yunfu-2023",
)


def _explain(part: str) -> Iterator[Fact]:
    for scheme in _EXPLAINING:
        cases = [*_EXPLAINED, *_sample().to_pylist()[::40]]
        traces = [drgdip.explain(case, scheme) for case in cases]
        texts = {
            "JSON": [trace.to_json(indent=1) for trace in traces],
            "English": [trace.text("en") for trace in traces],
            "Chinese": [trace.text("zh") for trace in traces],
            "English, brief": [trace.text("en", steps=False) for trace in traces],
            "Chinese, brief": [trace.text("zh", steps=False) for trace in traces],
        }
        for name, found in texts.items():
            yield Fact(f"{part}: {scheme}, {name}", "", digest(settled("\n\n".join(found))))


# --- checks, codes, differences, catalogues of one's own -------------------------------------------------------------


#: Changes that make a case wrong or doubtful.
_WRONG: tuple[dict[str, Any], ...] = (
    {"sex": 9},
    {"sex": None},
    {"age": None},
    {"age": 200},
    {"age": 0, "age_days": None},
    {"age": 0, "age_days": 3, "newborn_weight": None},
    {"age": 0, "age_days": 3, "newborn_weight": 90_000},
    {"dx": []},
    {"dx": ["nonsense"]},
    {"dx": ["A41.900", "A41.900", "I10"]},
    {"dx": ["N40.x00"], "sex": 2},
    {"dx": ["O80.000"], "sex": 1},
    {"procs": ["nonsense", "47.0100", "47.0100"]},
    {"los": -1},
    {"los": 400},
    {"discharge": 7},
    {"discharge": None},
    {"los": None},
    {"age": 3},
    {"born": date(1900, 1, 1)},
    {"age_days": 9_000},
    {"newborn_weight": 3_000},
    {"procs": ["47.0100", "nonsense"]},
    {"procs": [None, "47.0100"]},
    {"dx": ["I10.x00", "A41.900"]},
    {"dx": ["U84.300"]},
    {"total_cost": Decimal("0.00")},
    {"total_cost": Decimal("-1.00")},
    {"total_cost": Decimal(5), "items_cost": Decimal(6)},
    {"admitted": date(2025, 7, 1), "discharged": date(2025, 6, 1)},
    {"born": date(2026, 1, 1)},
    {"case_id": "twice"},
    {"case_id": None},
    {"dx": ["S82.600", "I63.900"], "dx_conditions": ["1"]},
    {"procs": ["47.0100"], "proc_dates": [date(2020, 1, 1)]},
)


def _wrong_cases() -> pa.Table:
    made = drgdip.sample_cases(4 * len(_WRONG), "chs-drg-2.0", seed=5)
    changed = [case | _WRONG[at % len(_WRONG)] if at % 4 else case for at, case in enumerate(made.to_pylist())]
    return pa.Table.from_pylist(changed, made.schema)


def _checks(part: str) -> Iterator[Fact]:
    readable = {"sex": "1", "age": "30", "los": "3", "discharge": "1", "dx": "A41.900", "procs": "", "dept": ""}
    readable |= dict.fromkeys(("age_days", "newborn_weight", "icu_hours", "total_cost", "admitted"), "")
    unreadable = [readable | {name: "what?"} for name in readable] + [readable] * 2
    limits = {"age": (0, 110), "total_cost": (100, 50_000)}
    for name, cases in (
        ("the sample file", _sample()),
        ("made cases", _wrong_cases()),
        ("unreadable values", pa.Table.from_pylist(unreadable)),
    ):
        for scheme in ("chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0", "nhsa-dip-2.0"):
            found = drgdip.check_cases(cases, scheme, limits=limits)
            yield Fact(f"{part}: {name} under {scheme}", "", digest(columns_of(found)))
    rules = [repr(tuple(check)) for check in drgdip.list_checks()]
    yield Fact(f"{part}: the list of checks", "", digest("\n".join(rules)))


def _codes(part: str) -> Iterator[Fact]:
    made = drgdip.sample_cases(300, "chs-drg-1.1", seed=11)
    for name, cases in (("the sample file", _sample()), ("made cases", made)):
        for edition in ("nhsa-1.0", "clinical-1.0", "clinical-2.0", "beijing-7.0"):
            mapped = drgdip.map_codes(cases, edition)
            yield Fact(f"{part}: {name} from {edition}, the cases", "", digest(columns_of(mapped.data)))
            yield Fact(f"{part}: {name} from {edition}, the report", "", digest(columns_of(mapped.report)))


_DIFFERING = (
    ("chs-drg-2.0", "chs-drg-3.0"),
    ("chs-drg-2.0", "chs-drg-2.0-nanjing-2024"),
    ("chs-drg-2.0-handan-2025", "chs-drg-2.0-handan-2026"),
    ("nhsa-dip-2.0", "nhsa-dip-3.0"),
)


def _diff(part: str) -> Iterator[Fact]:
    for before, after in _DIFFERING:
        yield Fact(
            f"{part}: the tables of {before} and {after}", "", digest(columns_of(drgdip.diff_schemes(before, after)))
        )
    for before, after in (*_DIFFERING, ("chs-drg-2.0", "nhsa-dip-2.0")):
        found = drgdip.diff_cases(_sample(), before, after)
        yield Fact(f"{part}: the sample file under {before} and {after}", "", digest(columns_of(found)))


def _build(part: str) -> Iterator[Fact]:
    history = drgdip.sample_cases(3_000, "nhsa-dip-2.0", seed=3)
    options: dict[str, dict[str, Any]] = {
        "a threshold": {"threshold": 4},
        "all options": {
            "coverage": 0.8,
            "increase": 0.05,
            "mixed_threshold": 2,
            "mixed_cv_limit": 1.5,
            "score": partial(points.weights, base="overall", scale=1000),
            "low_level": sorted(set(history["hospital"].to_pylist()))[::2],
            "low_share": 0.6,
        },
    }
    for name, given in options.items():
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "own"
            built = drgdip.build_catalogue(history, own, id="own", title="本地目录", issuer="本地", **given)
            for path in sorted(own.iterdir()):
                yield Fact(f"{part}: {name}, {path.name}", "", digest(settled(path.read_text(encoding="utf-8"))))
            names = _result_names("nhsa-dip-2.0")
            grouped = columns_of(drgdip.group(history, built), names)
            yield Fact(f"{part}: {name}, groups of the history", "", digest(grouped))


def _auxiliary(part: str) -> Iterator[Fact]:
    made = drgdip.sample_cases(600, "nhsa-dip-3.0", seed=13).to_pylist()
    cases = [
        case
        | {
            "icu_days": (None, 0, 1, 3, 9, 31, "9 days")[at % 7],
            "standard": 8_000,
            "total_cost": float(case["total_cost"]),
            "treatment_cost": float(case["total_cost"]) * (at % 5) / 10,
            "drug_cost": float(case["total_cost"]) * (at % 4) / 6,
            "dx": [*case["dx"], *(("C78.000",), ("J96.000", "E11.900"), ())[at % 3]],
        }
        for at, case in enumerate(made)
    ]
    given = {
        "lists": {
            "failure": ["I50.900"],
            "organ_damage": ["K72.900"],
            "severe": ["J96.000"],
            "moderate": ["E11.900"],
        },
        "cci_weights": {"I50.900": 1, "E11.900": 2, "C78.000": 6},
        "bands": {"cci": (1, 3, 5)},
    }
    rules = "nhsa-dip-3.0"
    for catalogue in drgdip.load_auxiliary(rules).catalogues:
        found = drgdip.find_auxiliary_types(cases, rules, catalogues=catalogue, **given)
        yield Fact(f"{part}: {catalogue}", "", digest(columns_of(found, ["auxiliary_types", "auxiliary_reason"])))
    together = drgdip.find_auxiliary_types(cases, rules, **given)
    yield Fact(f"{part}: all together", "", digest(columns_of(together)))
    typed = [row | {"group": f"G{at % 9}"} for at, row in enumerate(together)]
    table = points.build_auxiliary_table(typed, group_cases=30, type_cases=5, cv_reduction=0.01)
    yield Fact(f"{part}: the table of coefficients", "", digest(columns_of(table)))
    coefficients = points.apply_auxiliary(typed, table)
    yield Fact(f"{part}: coefficients of cases", "", digest(columns_of(coefficients)))


# --- points ----------------------------------------------------------------------------------------------------------


#: Values, chosen for the test, for what the sources of outlier policies leave open.
_LEFT_OPEN: dict[str, Any] = {
    "low": 0.5,
    "high": 3,
    "within": ("group",),
    "low_formula": "ratio",
    "very_low_formula": "ratio",
    "high_formula": "ratio - 1 + coefficient",
}


#: Tables whose last digits differ among processors, since NumPy's logarithm does.
_OF_LOGARITHMS = ("trim_cases, log iqr", "trim_report, log iqr", "weights, geometric")


def _points(part: str) -> Iterator[Fact]:
    cases = make_cases()
    tables: dict[str, pa.Table] = {"the seeded cases": cases}
    trims = {
        "iqr": points.Trim("iqr", lower=1.5, upper=1.5),
        "log iqr": points.Trim("iqr", lower=1.5, upper=1.5, log=True),
        "percentile": points.Trim("percentile", lower=1, upper=99),
        "sd": points.Trim("sd", lower=2, upper=2, within=("group", "level"), min_cases=5),
        "bounds": points.Trim("bounds", lower=500, upper=20_000),
    }
    rules = (points.CaseRule("los", minimum=2, maximum=60), points.CaseRule("hospital", without=("H0",)))
    for name, trim in trims.items():
        tables[f"trim_cases, {name}"] = points.trim_cases(cases, trim, rules=rules)
        tables[f"trim_report, {name}"] = points.report_trimming(cases, trim, rules=rules)
    years = {2022: 1, 2023: 2, 2024: 7}
    weighed: dict[str, dict[str, Any]] = {
        "plain": {},
        "overall": {"base": "overall", "scale": 1000},
        "a given base": {"base": 9000.0, "scale": 100},
        "geometric": {"mean": "geometric"},
        "years": {"years": years, "trim": trims["iqr"], "rules": rules},
        "unstable": {"min_cases": 60, "max_cv": 0.8, "groups": [f"G{number:02}" for number in range(42)]},
    }
    for name, options in weighed.items():
        tables[f"weights, {name}"] = points.weights(cases, **options)
    weights = tables["weights, plain"]
    by_level = points.weights(cases, by=["group", "level"])
    tables["weights, by group and level"] = by_level
    tables["cost_coefficients"] = points.measure_cost_coefficients(cases, "level", "group", min_cases=3)
    combined = points.combine_coefficients(
        cases, {"level": points.measure_cost_coefficients(cases, "level")}, "level", uniform={"G01": 1}
    )
    tables["combine_coefficients"] = combined
    means = dict(zip(weights["group"].to_pylist(), weights["mean"].to_pylist(), strict=True))
    standards = pa.array([means[group] for group in cases["group"].to_pylist()])
    bare = combined.select([*cases.column_names, "coefficient"]).append_column("standard", standards)
    references = {"group_mean": weights, "level_mean": by_level, "standard": "standard"}
    variants = points.list_outlier_policies()
    for variant in variants:
        outliers = points.load_outlier_policy(variant.name, **{name: _LEFT_OPEN[name] for name in variant.needs})
        tables[f"case_points, outliers {variant.name}"] = points.case_points(
            bare,
            weights,
            coefficient="coefficient",
            outliers=outliers,
            reference=references[outliers.denominator],
            mean_cost=6000.0,
            scale=1,
        )
    kinds = pa.array([("complete", "incomplete", "bed_day", "by_item", None)[at % 5] for at in range(len(cases))])
    tables["case_points, kinds of cases"] = points.case_points(
        cases.append_column("case_kind", kinds),
        weights,
        coefficient=1.1,
        kind="case_kind",
        incomplete="min(1, ratio * coefficient)",
        bed_day_points=0.3,
        mean_cost=6000.0,
        scale=1,
    )
    listed = [row | {"needs": ", ".join(row["needs"])} for row in variants.to_pylist()]
    tables["list_outlier_policies"] = pa.Table.from_pylist(listed)
    for name, table in tables.items():
        yield from numbers_and_texts(f"{part}: {name}", table, 12 if name in _OF_LOGARITHMS else None)


def _published(part: str) -> Iterator[Fact]:
    lists = points.list_weights()
    yield Fact(f"{part}: the list", "", digest(settled(repr({name: lists[name] for name in lists.columns}))))
    for row in lists:
        for name, call in (("weights", points.load_weights), ("standards", points.load_standards)):
            try:
                table = call(row.place, row.year)
            except drgdip.DrgdipError:  # a place publishes weights or standards, seldom both
                continue
            yield Fact(f"{part}: {name} of {row.place} {row.year}", "", digest(columns_of(table)))


# --- settlement ------------------------------------------------------------------------------------------------------


def _policy(part: str, name: str) -> Iterator[Fact]:
    policy, city = settle.load_policy(name, **GIVEN[name]), make_city(3000)
    year = settle.settle_year(prepare(city, policy), policy, **inputs_of(policy, city))
    tables = {
        "cases": year.cases,
        "months": year.months,
        "clearing": year.clearing.table,
        "pools": year.clearing.pools,
        "statements": settle.make_statements(year.clearing),
        "ledger": year.ledger,
        "surplus": settle.measure_surplus(year.cases).table,
    }
    if year.pre_clearing is not None:
        tables["pre-clearing"] = year.pre_clearing.table
    if year.review is not None:
        tables["review"] = year.review.publication
    for table, found in tables.items():
        yield from numbers_and_texts(f"{part}: {table}", found)


def _city(part: str) -> Iterator[Fact]:
    yield from numbers_and_texts(f"{part}: cases", make_city(3000))
    listed = [row | {"needs": ", ".join(row["needs"])} for row in settle.list_policies().to_pylist()]
    yield Fact(f"{part}: presets", "", digest(columns_of(listed)))


# --- the command line ------------------------------------------------------------------------------------------------

_FILE = "docs/examples/discharges.csv"
_SETTLED = "settle docs/examples/settlement.csv --policy docs/examples/policy.toml --budget employee=64000"
#: Commands as one writes them at the root of the repository; none has a quoted word.
COMMANDS = (
    "--version",
    f"group {_FILE} --scheme chs-drg-1.1",
    f"group {_FILE} --scheme chs-drg-2.0 -o - --format csv",
    f"group {_FILE} --scheme chs-drg-3.0 -o - --format jsonl --prefix v3_",
    f"group {_FILE} --scheme chs-drg-2.0 --codes clinical-2.0 -o - --format json",
    f"group {_FILE} --scheme nhsa-dip-2.0",
    f"group {_FILE} --scheme dip-yunfu-2023 -o - --format csv",
    f"group {_FILE} --scheme chs-drg-2",
    "group tests/data/golden/opendrg-sample.csv --scheme chs-drg-1.1",
    "group tests/data/golden/opendrg-sample.csv --scheme chs-drg-1.1 --prefix own_ -o - --format csv",
    f"check {_FILE} --scheme chs-drg-2.0",
    f"check {_FILE} --scheme nhsa-dip-2.0 --limit age=0:80 --language zh -o - --format csv",
    f"explain {_FILE} --case 22089767 --scheme chs-drg-2.0",
    f"explain {_FILE} --case 22089767 --scheme chs-drg-2.0 --language zh",
    f"explain {_FILE} --case 2206210 --scheme chs-drg-2.0",
    "explain --scheme chs-drg-2.0 --sex 1 --age 71 --dx I63.900|E87.600 --json",
    "explain --scheme nhsa-dip-3.0 --dx I21.001 --procs 36.0601|00.2400x001 --brief",
    "schemes",
    "schemes --place Nanjing",
    "schemes --place 云浮",
    "schemes show chs-drg-2.0",
    "schemes show chs-drg-2.0-nanjing-2024",
    "schemes show dip-yunfu-2023",
    "diff chs-drg-2.0-handan-2025 chs-drg-2.0-handan-2026 --limit 3",
    f"diff chs-drg-2.0 chs-drg-2.0-nanjing-2024 {_FILE} --limit 3",
    "diff nhsa-dip-2.0 nhsa-dip-3.0 --limit 2",
    f"diff chs-drg-2.0 dip-hainan-2023 {_FILE} --limit 3",
    "diff chs-drg-2.0 dip-hainan-2023",
    "policies",
    *(f"policies show {name}" for name in sorted(GIVEN)),
    f"{_SETTLED} --budget resident=44000",
    _SETTLED,
)


def run(words: list[str]) -> tuple[int, str, str]:
    """Run a command at the root of the repository; return its code, its output and its notes."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2)]
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            code = main(words)
        except SystemExit as ended:  # argparse ends --version so
            code = int(ended.code or 0)
    out, told = (stream.buffer.getvalue().decode() for stream in streams)
    return code, settled(out), settled(told)


def _command_line(part: str) -> Iterator[Fact]:
    for command in COMMANDS:
        yield Fact(f"{part}: drgdip {command}", "", digest(repr(run(command.split()))))


# --- all parts -------------------------------------------------------------------------------------------------------

_DECKS = DECKS | {
    name: name for path in sorted(GOLDEN.glob("*.csv.gz")) if (name := path.name.removesuffix(".csv.gz")) not in DECKS
}
_DECKS["opendrg-sample"] = "chs-drg-1.1"

#: Every part by its name. A part is computed at once, so that parts can be divided among processes.
PARTS: dict[str, Callable[[str], Iterator[Fact]]] = {
    **{f"deck {deck}": partial(_deck, deck=deck, scheme=scheme) for deck, scheme in _DECKS.items()},
    **{f"catalogue {info.id}": partial(_catalogue, name=info.id) for info in drgdip.list_catalogues()},
    "seeded cases": _seeded_cases,
    "explain": _explain,
    "checks": _checks,
    "codes": _codes,
    "differences": _diff,
    "built catalogue": _build,
    "auxiliary types": _auxiliary,
    "points": _points,
    "published weights": _published,
    "made-up city": _city,
    **{f"policy {name}": partial(_policy, name=name) for name in GIVEN},
    "command line": _command_line,
}


def facts_of(part: str) -> list[Fact]:
    """Return the facts of a part as the library now gives them."""
    return list(PARTS[part](part))


def read_table() -> dict[str, str]:
    """Return the digests of `frozen.csv` by what they are of."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["what"]: row["sha256"] for row in csv.DictReader(file)}


def moved(part: str, facts: Iterable[Fact], table: Mapping[str, str]) -> list[str]:
    """Name what of a part is not as the table has it: moved, through which door, gone, or new."""
    found, said = set(), []
    for what, door, sha256 in facts:
        found.add(what)
        if what not in table:
            said.append(f"new: {what}")
        elif sha256 != table[what]:
            said.append(f"moved: {what}" + (f", through {door}" if door else ""))
    said += [f"gone: {what}" for what in table if what.startswith(f"{part}: ") and what not in found]
    return list(dict.fromkeys(said))


# --- public names ----------------------------------------------------------------------------------------------------


def public_names() -> str:
    """Return a line for every public name and every member of a public class: its kind, signature or value."""
    lines = []
    for module in (drgdip, points, settle, monitor):
        for name in sorted(module.__all__):
            lines += _lines_of(f"{module.__name__}.{name}", getattr(module, name))
    return "".join(f"{line}\n" for line in lines)


def _lines_of(name: str, thing: Any) -> Iterator[str]:
    if inspect.ismodule(thing):
        yield f"module {name}"
    elif inspect.isclass(thing):
        yield f"class {name}{_signature_of_class(thing)}"
        own = [base for base in thing.__mro__ if base.__module__.partition(".")[0] == "drgdip"]
        fields = [*getattr(thing, "_fields", ()), *getattr(thing, "__annotations__", ())]
        members = {key: value for base in reversed(own) for key, value in vars(base).items()}
        for key in sorted({*members, *fields}):
            if key.startswith(("_", "model_")):
                continue
            value = members.get(key)
            function = getattr(value, "__func__", value)
            if inspect.isfunction(function):
                yield f"  method {name}.{key}{_plain_signature(function)}"
            else:
                yield f"  {'property' if isinstance(value, property) else 'field'} {name}.{key}"
    elif callable(thing):
        yield f"function {name}{_plain_signature(thing)}"
    elif name.endswith(".__version__"):
        yield f"constant {name}"
    elif isinstance(thing, Mapping):
        yield f"constant {name} = {' | '.join(map(str, thing))}"
    else:
        yield f"constant {name} = {'; '.join(repr(thing).splitlines())}"


def _signature_of_class(thing: type) -> str:
    """Return how one makes an object of a class; an error without parameters of its own takes what errors take."""
    own = [base for base in thing.__mro__ if base.__module__.partition(".")[0] == "drgdip"]
    if issubclass(thing, Exception) and not any("__init__" in vars(base) for base in own):
        return "(*args)"
    return _plain_signature(thing)


def _plain_signature(thing: Any) -> str:
    """Return a signature without types, which Python's versions write in different ways."""
    signature = inspect.signature(thing)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
