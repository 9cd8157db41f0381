"""Checks: every rule broken and kept, and the columns against a slow twin that reads one case after the other."""

import csv
import datetime
import random
import re
from collections import Counter
from functools import cache

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import DATA, SOURCE

from drgdip import CaseError, DrgdipError, UnknownNameError, check_cases, list_checks, load_catalogue, sample_cases
from drgdip._text import MISSING
from drgdip._values import Unreadable, read_day, read_number
from drgdip.cases.codes import grey_codes, known_codes
from drgdip.cases.fields import read_record
from drgdip.cli import main
from drgdip.data import ROOT
from drgdip.grouper.checks import LEVELS
from drgdip.grouper.drg.scheme import Scheme
from drgdip.grouper.facts import OPERATORS
from drgdip.grouper.grammar import VALUE_VARIABLES, And, Compare, In, Not, Or
from drgdip.grouper.load import load_any
from drgdip.grouper.result import REASONS

CHECKS = SOURCE / "data" / "checks"
NOT_PRINCIPAL = load_catalogue("nhsa-dip-3.0").excluded_dx
SCHEMES = ["chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0"]
CATALOGUES = ["nhsa-dip-2.0", "nhsa-dip-3.0", "dip-hainan-2023"]
SMALL_CATALOGUE = DATA / "catalogues" / "small"


def test_every_rule_says_what_it_is():
    with (CHECKS / "checks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == len(rows) == len(list_checks())
    for check in list_checks():
        assert check.level in LEVELS
        assert check.citation
        assert check.english
        assert check.chinese
    used = {reason for reason in REASONS if reason.startswith(("missing_", "invalid_", "unreadable_"))}
    assert used <= set(list_checks()["id"])


def test_the_shared_list_is_that_of_the_specification_of_dip():
    with (CHECKS / "not_principal.csv").open(encoding="utf-8", newline="") as file:
        assert {row["code"] for row in csv.DictReader(file)} == NOT_PRINCIPAL


# --- the twin --------------------------------------------------------------------------------------------------------


def rule_holds(rule, case, free):
    """Whether a rule may hold, for a principal diagnosis alone: True, False, or None where it asks for something else.

    Values of the variables in ``free`` are not looked at; a missing one is None as well.
    """
    if isinstance(rule, And | Or):
        parts = [rule_holds(part, case, free) for part in rule.parts]
        decided = isinstance(rule, Or)
        return decided if decided in parts else None if None in parts else not decided
    if isinstance(rule, Not):
        inner = rule_holds(rule.part, case, free)
        return None if inner is None else not inner
    if isinstance(rule, In) and "ZYZD" in rule.variables:
        return any(case["dx"][0] in case["sets"][name] for name in rule.sets) is not rule.negated
    if isinstance(rule, Compare) and rule.variable in {"XB", "NL", "XSRTL"} - free:
        value = case["values"][rule.variable]
        return None if value is None else OPERATORS[rule.operator](value, rule.value)
    return None


def amount_of(value):
    try:
        return read_number(value), False
    except Unreadable:
        return None, True


@cache
def codes_of(scheme):
    """Every whole code that a scheme or a catalogue names, from the texts of its tables."""
    if isinstance(scheme, Scheme):
        return scheme.severity.keys() | set().union(*scheme.sets.values(), *scheme.exclusions.values())
    found = set(scheme.types) | set().union(*scheme.sets.values())
    for name in ("excluded_diagnoses.csv", "excluded_procedures.csv", "ignored_procedures.csv"):
        found |= set(scheme.annexes[name].columns["code"]) if name in scheme.annexes else set()
    for name in ("groups.csv", "primary_care.csv"):
        path = scheme.folder / name
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
        texts = [row[column] for row in rows for column in ("procedures", "related") if row.get(column)]
        found |= {code for text in texts for code in text.replace("+", "|").split("|")}
    return frozenset(found)


def why_unknown(code, code_set):
    """The reason for which a code is unknown, read from the files of the cross-walks themselves."""
    parts = re.split(r"[,;/\s，、；]+", code)
    if len(parts) > 1 and all(part in known_codes(code_set) for part in parts if part):
        return "joined"
    kind = code_set.partition("-")[2].partition("-")[0]
    for edition in ("clinical", "nhsa", "beijing"):
        for path in sorted((ROOT / "codes").glob(f"{edition}-{kind}-*_to_*.csv")):
            if any(line.split(",")[0] == code for line in path.read_text(encoding="utf-8").splitlines()):
                return "edition"
    return "name" if re.search("[\u4e00-\u9fff]", code) else None


#: Below 0 they cannot be read; no rule of the schemes that the twin checks asks for it.
_NOT_NEGATIVE = {"age", "age_days", "newborn_weight", "los", "icu_hours"}


def slow_check(row, scheme):  # noqa: PLR0915 - one statement after the other is what makes it plain
    """The rules that a case breaks, as rule and value."""
    record, bad = read_record(row)
    if record["newborn_weight"] is None and "newborn_weight" not in bad:
        other = f"{scheme.newborn_weight}_weight"
        record["newborn_weight"] = record.get(other)
        bad |= {"newborn_weight"} if other in bad else set()
    dx = [code if code not in MISSING else None for code in record["dx"]]
    procs = [code if code not in MISSING else None for code in record["procs"]]
    drg = isinstance(scheme, Scheme)
    required = {VALUE_VARIABLES.get(name, name) for name in scheme.evaluation.required} if drg else set()
    read = {VALUE_VARIABLES[name] for name in scheme.variables if name in VALUE_VARIABLES}

    for column in ("dx", "procs", *read):
        below = column in _NOT_NEGATIVE and (record[column] or 0) < 0
        if column in bad or below:
            yield f"unreadable_{column}", None
        due = column in required
        due |= column == "age_days" and record["age"] == 0
        due |= column == "newborn_weight" and record["age_days"] is not None and record["age_days"] <= 28
        if due and record[column] is None and column not in bad:
            yield f"missing_{column}", None
    if not dx or dx[0] is None:
        yield "missing_principal_diagnosis", None
    if drg and record["sex"] is not None and record["sex"] not in {1, 2}:
        yield "invalid_sex", str(record["sex"])
    if record["discharge"] is not None and record["discharge"] not in {1, 2, 3, 4, 5, 9}:
        yield "unknown_discharge", str(record["discharge"])

    own = codes_of(scheme)
    kinds = ((dx, "diagnosis", scheme.info.diagnosis_codes), (procs, "procedure", scheme.info.procedure_codes))
    for codes, word, code_set in kinds:
        for place, code in enumerate(codes):
            rank = "other" if place else "principal"
            if code is not None and code not in known_codes(code_set) and code not in own:
                yield f"unknown_{rank}_{word}", code
                why = why_unknown(code, code_set)
                if why:
                    yield f"{why}_{word}", code
            if code in grey_codes(code_set):
                yield f"grey_{rank}_{word}", code
            if word == "diagnosis" and code is not None and code in codes[:place]:
                yield "duplicate_diagnosis", code
    days = []
    for place, code in enumerate(procs):
        written = row["proc_dates"][place] if place < len(row["proc_dates"]) else None
        try:
            days.append(read_day(written))
            if days[-1] is None and code is not None:
                yield "procedure_without_date", code
        except Unreadable:
            days.append(None)
            yield "unreadable_date", written
        if code is not None and (code, days[-1]) in list(zip(procs, days, strict=False))[:place]:
            yield "duplicate_procedure", code
    listed = scheme.not_grouped
    if listed:
        if dx and dx[0] in listed["diagnosis"]:
            yield "principal_diagnosis_not_grouped", dx[0]
        yield from (("procedure_not_grouped", code) for code in procs if code in listed["procedure"])
    elif dx and dx[0] in (scheme.principal_barred or NOT_PRINCIPAL):
        yield "not_principal", dx[0]
    if drg and dx and dx[0] is not None:
        values = {
            "XB": record["sex"] if record["sex"] in {1, 2} else None,
            "NL": record["age"],
            "XSRTL": record["age_days"],
        }
        yield from slow_conflict({"dx": dx, "values": values, "sets": scheme.sets}, scheme)

    age, infant, weight = record["age"], record["age_days"], record["newborn_weight"]
    both = age is not None and infant is not None
    if both and ((age >= 1 and 1 <= infant < 365) or (age == 0 and not 0 <= infant <= 365)):
        yield "age_days_mismatch", str(infant)
    if weight is not None and weight > 0 and ((age or 0) >= 1 or (infant or 0) > 28):
        yield "weight_of_no_newborn", str(weight)

    known = {}
    for name in ("born", "admitted", "discharged"):
        try:
            known[name] = read_day(row[name])
        except Unreadable:
            known[name] = None
            yield "unreadable_date", row[name]
    born, admitted, discharged = known.values()
    if born and admitted:
        if born > admitted:
            yield "born_after_admission", row["born"]
        else:
            full = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
            if age is not None and age != full:
                yield "age_mismatch", str(age)
    if admitted and discharged:
        if discharged < admitted:
            yield "discharge_before_admission", row["discharged"]
        elif record["los"] is not None and record["los"] != max(1, (discharged - admitted).days):
            yield "los_mismatch", str(record["los"])
    for code, day in zip(procs, days, strict=True):
        if code is not None and day and ((admitted and day < admitted) or (discharged and day > discharged)):
            yield "procedure_outside_stay", code

    amounts = []
    for name in ("total_cost", "items_cost"):
        amount, wrong = amount_of(row[name])
        amounts.append(amount)
        if wrong:
            yield f"unreadable_{name}", row[name]
        if amount is not None and amount < 0:
            yield "negative_cost", row[name]
    if None not in amounts and abs(amounts[0] - amounts[1]) > 0.005:
        yield "cost_mismatch", row["total_cost"]
    if row["dx_conditions"] and row["dx_conditions"][0] == "4":
        yield "absent_principal", "4"


def slow_conflict(case, scheme):
    """Sex and age conflicts for rules in which the principal diagnosis, sex and age stand alone: those of 1.1."""

    def taken(free):
        return any(rule_holds(mdc.rule, case, free) is not False for mdc in scheme.mdcs if named(mdc.rule))

    def named(rule):
        if isinstance(rule, And | Or):
            return any(named(part) for part in rule.parts)
        return (
            isinstance(rule, In)
            and rule.variables == ("ZYZD",)
            and any(case["dx"][0] in case["sets"][s] for s in rule.sets)
        )

    if any(named(mdc.rule) for mdc in scheme.mdcs) and not taken(set()):
        if taken({"XB"}):
            yield "sex_conflict", case["dx"][0]
        elif taken({"NL", "XSRTL"}):
            yield "age_conflict", case["dx"][0]


def damaged_cases(scheme, n, seed):
    """Cases as texts, most of them with something wrong."""
    draw = random.Random(seed)
    pools = {
        kind: sorted(known_codes(getattr(scheme.info, kind)))[::7] for kind in ("diagnosis_codes", "procedure_codes")
    }
    grey = sorted(grey_codes(scheme.info.diagnosis_codes))[:50] + sorted(NOT_PRINCIPAL)[:50]
    rows = []
    for case in sample_cases(n, scheme, seed=seed).to_pylist():
        admitted = case["admitted"]
        row = {
            "case_id": case["case_id"],
            "dx": case["dx"][:4],
            "procs": case["procs"][:4],
            "proc_dates": [str(admitted) for _ in case["procs"][:4]],
            "dx_conditions": ["1" for _ in case["dx"][:4]],
            "born": str(admitted - datetime.timedelta(draw.randrange(30000))),
            "admitted": f"{admitted} 08:00:00",
            "discharged": str(case["discharged"]),
            "items_cost": str(case["total_cost"]),
        }
        for name in ("sex", "age", "age_days", "newborn_weight", "los", "discharge", "total_cost"):
            row[name] = None if case[name] is None else str(case[name])
        for _ in range(draw.randrange(4)):
            name = draw.choice(list(row))
            if name == "dx":
                row[name] = [
                    draw.choice([*pools["diagnosis_codes"], *grey * 20, "nonsense", *case["dx"]])
                    for _ in range(draw.randrange(4))
                ]
                row["dx_conditions"] = [draw.choice("1234") for _ in row[name]]
            elif name == "procs":
                row[name] = [
                    draw.choice([*pools["procedure_codes"], "x", *case["procs"] * 99]) for _ in range(draw.randrange(4))
                ]
            elif name == "proc_dates":
                row[name] = [draw.choice(["", "soon", str(admitted), "1999-01-01"]) for _ in range(draw.randrange(5))]
            elif name == "dx_conditions":
                row[name] = [draw.choice("1234") for _ in row["dx"]]
            elif name != "case_id":
                row[name] = draw.choice(
                    [None, "", "0", "1", "2", "7", "28", "29", "400", "-3", "x", "2024-02-30", "2001-03-05", "12.50"]
                )
        rows.append(row)
    return rows


@pytest.mark.parametrize("scheme_id", [*SCHEMES, *CATALOGUES])
def test_checks_against_the_twin(scheme_id):
    scheme = load_any(scheme_id)
    rows = damaged_cases(scheme, 700, seed=11)
    table = pa.table({name: pa.array([row[name] for row in rows]) for name in rows[0]})
    findings = check_cases(table, scheme).to_pylist()
    conflicts = {"sex_conflict", "age_conflict"} if scheme_id != "chs-drg-1.1" else set()  # the twin reads plain rules
    found = Counter(
        (f["row"], f["rule"], f["value"]) for f in findings if f["rule"] not in conflicts | {"duplicate_case"}
    )
    expected = Counter(
        (number, rule, value)
        for number, row in enumerate(rows)
        for rule, value in slow_check(row, scheme)
        if rule not in conflicts
    )
    assert found == expected
    assert len({rule for _, rule, _ in expected}) > (25 if scheme_id in SCHEMES else 20)
    assert [f["row"] for f in findings] == sorted(f["row"] for f in findings)


# --- rules one by one ------------------------------------------------------------------------------------------------


def rules_of(case, scheme_id="chs-drg-2.0", **options):
    return [finding["rule"] for finding in check_cases([case], scheme_id, **options)]


SOUND = {"case_id": "1", "sex": 2, "age": 59, "dx": ["K22.301"], "procs": ["42.0902"]}


def test_a_sound_case_has_no_finding():
    assert rules_of(SOUND) == []
    empty = check_cases(pa.Table.from_pylist([SOUND]), "chs-drg-2.0")
    assert empty.schema.names == ["row", "case_id", "rule", "level", "field", "value", "message", "message_zh"]


@pytest.mark.parametrize(
    ("scheme_id", "case", "rules"),
    [
        ("chs-drg-1.1", {"sex": 1, "dx": ["O80.000"]}, []),  # MDCO of 1.1 does not ask for the sex
        ("chs-drg-2.0", {"sex": 1, "dx": ["O80.000"]}, ["sex_conflict"]),
        ("chs-drg-2.0", {"sex": 9, "dx": ["O80.000"]}, ["invalid_sex"]),
        ("chs-drg-1.1", {"sex": 1, "dx": ["N80.000"]}, ["sex_conflict"]),
        ("chs-drg-3.0", {"sex": 1, "dx": ["N80.000"]}, ["sex_conflict"]),
        ("chs-drg-1.1", {"sex": 1, "age": 30, "dx": ["P22.000"]}, ["age_conflict"]),
        ("chs-drg-1.1", {"sex": 1, "age": 0, "age_days": 40, "dx": ["P22.000"]}, []),
    ],
)
def test_sex_and_age_conflicts(scheme_id, case, rules):
    assert [
        rule for rule in rules_of(SOUND | {"procs": []} | case, scheme_id) if "conflict" in rule or "sex" in rule
    ] == rules


def test_a_number_that_no_float_holds_is_compared_all_the_same():
    huge = dict.fromkeys(("age", "age_days", "los"), 2**53 + 1) | {"admitted": "2024-05-01", "discharged": "2024-05-03"}
    found = check_cases([{"sex": 1, "dx": ["I63.900"], "procs": [], **huge}], "chs-drg-2.0")
    assert ("los_mismatch", str(2**53 + 1)) in [(finding["rule"], finding["value"]) for finding in found]


@pytest.mark.parametrize(
    ("scheme", "case", "rules"),
    [
        # The small catalogue names 11.0001 and A41.999, which no code set has, and A41.9 and B20 as prefixes only.
        (SMALL_CATALOGUE, {"procs": ["11.0001"]}, []),
        (SMALL_CATALOGUE, {"dx": ["B20"], "procs": []}, ["unknown_principal_diagnosis"]),
        (
            SMALL_CATALOGUE,
            {"dx": ["A41.9"], "procs": ["11.0009"]},
            ["unknown_principal_diagnosis", "unknown_principal_procedure"],
        ),
        (SMALL_CATALOGUE, {"dx": []}, ["missing_principal_diagnosis"]),
        # Its own list of diagnoses that may not be principal, and where there is none that of 3.0.
        (SMALL_CATALOGUE, {"dx": ["A41.999"], "procs": []}, ["not_principal"]),
        (SMALL_CATALOGUE, {"dx": ["A49.100"], "procs": []}, []),
        ("nhsa-dip-3.0", {"dx": ["A49.100"], "procs": []}, ["not_principal"]),
        ("nhsa-dip-2.0", {"dx": ["A49.100"], "procs": []}, ["not_principal"]),
        ("chs-drg-1.1", {"dx": ["A49.100"], "procs": []}, ["not_principal"]),
        ("chs-drg-2.0", {"dx": ["A49.100"], "procs": []}, []),
        ("chs-drg-2.0", {"dx": ["B95.000"], "procs": []}, ["principal_diagnosis_not_grouped"]),
        # Sex plays no part in a catalogue; conditions on newborns do.
        ("nhsa-dip-3.0", {"sex": 1, "dx": ["O80.000"], "procs": []}, []),
        ("nhsa-dip-3.0", {"age": 0, "age_days": 3, "dx": ["P07.100"], "procs": []}, ["missing_newborn_weight"]),
        ("nhsa-dip-3.0", {"age": 0, "age_days": 3, "birth_weight": 1499, "dx": ["P07.100"], "procs": []}, []),
        ("nhsa-dip-2.0", {"age": 0, "age_days": 3, "dx": ["P07.100"], "procs": []}, []),
        # Code sets of edition 1.0 are not here: none of their codes can be called unknown.
        ("nhsa-dip-1.0", {"dx": ["nonsense"], "procs": ["nonsense"]}, []),
    ],
)
def test_checks_under_a_catalogue(scheme, case, rules):
    assert rules_of(SOUND | case, scheme) == rules


@pytest.mark.parametrize("scheme", ["nhsa-dip-3.0", SMALL_CATALOGUE])
def test_the_command_line_checks_under_a_catalogue(scheme, tmp_path, capfd):
    (tmp_path / "cases.csv").write_text("dx,procs\nK22.301,\nA41.9,11.0009\n", encoding="utf-8")
    assert main(["check", str(tmp_path / "cases.csv"), "--scheme", str(scheme)]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].endswith("2 cases, 1 with errors, 0 with warnings only")
    assert [line.split()[2] for line in lines[1:]] == [
        "unknown_principal_diagnosis:",
        "unknown_principal_procedure:",
    ]


def test_a_scheme_that_does_not_exist():
    with pytest.raises(UnknownNameError, match="nhsa-dip-2"):
        check_cases([SOUND], "nhsa-dip-2")


def test_limits_are_the_callers():
    case = SOUND | {"age": 130, "birth_weight": 300}
    assert "out_of_limits" not in rules_of(case)
    limited = check_cases([case], "chs-drg-2.0", limits={"age": (0, 120), "birth_weight": (100, 9999)})
    assert [(f["rule"], f["field"], f["value"]) for f in limited if f["rule"] == "out_of_limits"] == [
        ("out_of_limits", "age", "130")
    ]
    assert "out_of_limits" in rules_of(case, limits={"birth_weight": (500, 5000)})
    with pytest.raises(CaseError, match="limits are given for 'sex'"):
        check_cases([case], "chs-drg-2.0", limits={"sex": (1, 2)})


def test_duplicate_cases():
    rows = [SOUND, SOUND, SOUND | {"case_id": "2"}, SOUND | {"case_id": None}, SOUND | {"case_id": None}]
    found = [(f["row"], f["rule"]) for f in check_cases(rows, "chs-drg-2.0")]
    assert found == [(0, "duplicate_case"), (1, "duplicate_case")]
    stays = [SOUND | {"admitted": day, "discharged": day} for day in ("2024-01-01", "2024-01-02")]
    assert check_cases(stays, "chs-drg-2.0") == []


def test_codes_of_another_edition_are_mapped_first():
    case = SOUND | {"dx": ["A19.000x001"]}
    assert "A19.000x001" in known_codes("nhsa-icd10-2.0")
    assert [f["value"] for f in check_cases([case | {"sex": None}], "chs-drg-2.0", codes="clinical-2.0")] == [None]


@pytest.mark.parametrize(
    "make", [pa.Table.from_pylist, pd.DataFrame, pl.DataFrame, list], ids=["arrow", "pandas", "polars", "records"]
)
def test_findings_come_in_the_same_container(make):
    data = make([SOUND, SOUND | {"case_id": "2", "sex": 5}])
    findings = check_cases(data, "chs-drg-2.0")
    assert type(findings) is type(data)
    rows = findings if isinstance(findings, list) else pl.DataFrame(findings).to_dicts()
    assert [(row["row"], row["case_id"], row["rule"], row["level"]) for row in rows] == [
        (1, "2", "invalid_sex", "error")
    ]


def test_nothing_to_check():
    assert check_cases(sample_cases(0, "chs-drg-2.0"), "chs-drg-2.0").num_rows == 0


VALUES = [
    None,
    "",
    "x",
    "1",
    "2024-01-01",
    0,
    7,
    -1,
    2.5,
    float("nan"),
    True,
    datetime.date(2024, 1, 1),
    ["A"],
    [None],
    {"a": 1},
    b"\xff",
]
COLUMNS = [
    "case_id",
    "hospital",
    "sex",
    "age",
    "age_days",
    "newborn_weight",
    "birth_weight",
    "los",
    "discharge",
    "dx",
    "procs",
]
COLUMNS += [
    "born",
    "admitted",
    "discharged",
    "total_cost",
    "items_cost",
    "dx_conditions",
    "proc_dates",
    "unreadable",
    "faults",
]


@pytest.mark.parametrize("seed", range(60))
def test_no_table_makes_a_crash(seed):
    """Columns of one odd type each, or of mixed ones."""
    draw = random.Random(seed)
    n = draw.randrange(4)
    rows = [{} for _ in range(n)]
    for name in [*draw.sample(COLUMNS, draw.randrange(3, len(COLUMNS))), "dx"]:
        same = draw.choice(VALUES)
        for row in rows:
            row[name] = same if draw.random() < 0.7 else draw.choice(VALUES)
    try:
        findings = check_cases(
            rows, draw.choice([*SCHEMES, *CATALOGUES]), limits={"age": (0, 120), "total_cost": (0, 1)}
        )
    except DrgdipError:
        return
    assert all(0 <= finding["row"] < n for finding in findings)
    assert {finding["rule"] for finding in findings} <= set(list_checks()["id"])
