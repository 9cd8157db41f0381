"""Own groups against those that came back: classes, causes, counts, falls, examples."""

import datetime
import random
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drgdip import CaseError, UnknownNameError, group, group_one, load_catalogue, load_scheme, sample_cases
from drgdip.monitor import compare_returned, list_differences

SCHEME = "chs-drg-2.0"


@pytest.fixture(scope="module")
def cases():
    """Sample cases with the groups of the scheme as those that came back."""
    table = sample_cases(6000, SCHEME, seed=7)
    return table.append_column("returned_group", group(table, SCHEME)["group"].cast(pa.string()))


def with_returned(table, texts):
    place = table.column_names.index("returned_group")
    return table.set_column(place, "returned_group", pa.array(texts, pa.string()))


def counted(table, *names):
    return {tuple(row[name] for name in names): row["cases"] for row in table.to_pylist()}


def test_groups_of_our_own_agree_everywhere(cases):
    found = compare_returned(cases, SCHEME)
    assert found.number["differing"] == len(found.cases) == 0
    invalid = sum(text is None for text in cases["returned_group"].to_pylist())
    assert found.number["not_returned"] == invalid
    for level in found.levels:
        assert found.overall[f"{level}_share"].to_pylist() == [1.0]
    assert found.examples.num_rows == 0


PLANTED = {"invalid_there": 50, "ungrouped_there": 40, "other_adrg": 60, "severity_only": 70, "other_version": 20}


def test_five_planted_classes_come_back(cases):
    """4 % of the cases get another answer, in five classes: just these come back, with just these cases."""
    scheme = load_scheme(SCHEME)
    rng = random.Random(1)
    results = group(cases.select(["sex", "age", "age_days", "newborn_weight", "dx", "procs"]), SCHEME).to_pylist()
    texts = cases["returned_group"].to_pylist()
    by_adrg, by_mdc = {}, {}
    for mdc in scheme.mdcs:
        for adrg in mdc.adrgs:
            if adrg.kind in {"surgical", "procedure", "medical"}:
                by_adrg.setdefault(adrg.code, set()).update(drg.code for drg in adrg.drgs)
                by_mdc.setdefault(adrg.result_mdc, set()).add(adrg.code)
    newer = sorted(load_scheme("chs-drg-3.0").places().keys() - scheme.places().keys())
    rows = [row for row in range(len(texts)) if results[row]["status"] == "grouped"]
    rng.shuffle(rows)
    planted = {}
    for kind, number in PLANTED.items():
        while sum(1 for one in planted.values() if one == kind) < number:
            row = rows.pop()
            result = results[row]
            others = {
                "invalid_there": ["信息校验不通过"],
                "ungrouped_there": ["0000"],
                "other_adrg": sorted(
                    code for adrg in by_mdc[result["mdc"]] - {result["adrg"]} for code in by_adrg[adrg]
                ),
                "severity_only": sorted(by_adrg[result["adrg"]] - {result["group"]}),
                "other_version": newer,
            }[kind]
            if others:
                planted[row] = kind
                texts[row] = rng.choice(others)
    assert len(planted) == len(texts) // 25
    found = compare_returned(with_returned(cases, texts), SCHEME)
    assert counted(found.classes, "class") == {(kind,): number for kind, number in PLANTED.items()}
    assert dict(zip(found.cases["row"].to_pylist(), found.cases["class"].to_pylist(), strict=True)) == planted
    assert set(found.examples["class"].to_pylist()) == set(PLANTED)


def first_other(case):
    return case | {"dx": [case["dx"][1], case["dx"][0], *case["dx"][2:]]}


ALTERED = {
    "other_principal": first_other,
    "code_unknown": lambda case: case | {"dx": case["dx"][:-1]},
    "only_principal": lambda case: case | {"dx": case["dx"][:1]},
    "no_procedures": lambda case: case | {"procs": []},
    "other_procedure": lambda case: case | {"procs": [*case["procs"][1:2], case["procs"][0], *case["procs"][2:]]},
}


@pytest.mark.parametrize("cause", ALTERED)
def test_planted_causes_are_found(cases, cause):
    """Their group comes of an altered case: the cause is among those found for every such case."""
    rows, texts = [], cases["returned_group"].to_pylist()
    kept = ["sex", "age", "age_days", "newborn_weight", "birth_weight", "dx", "procs"]
    for row, case in enumerate(cases.select(kept).to_pylist()):
        if len(case["dx"]) > 2 and len(case["procs"]) > (cause == "other_procedure") and texts[row]:
            altered = group_one(ALTERED[cause](case), SCHEME)
            if altered.group not in {None, texts[row]}:
                rows.append(row)
                texts[row] = altered.group
        if len(rows) == 12:
            break
    found = compare_returned(with_returned(cases, texts), SCHEME, schemes=[], editions=[])
    assert found.cases["row"].to_pylist() == rows
    assert rows
    for case in found.cases.to_pylist():
        assert cause in {case["cause"], *(case["also"] or "").split("|")}
    trial = {row["cause"]: row for row in found.trials.to_pylist()}[cause]
    assert trial["explains"] == len(rows)
    if cause == "code_unknown":
        left_out = {case["tried"] for case in found.cases.to_pylist() if case["cause"] == cause}
        assert left_out <= {code for row in rows for code in cases["dx"][row].as_py() + cases["procs"][row].as_py()}


NEWBORN = {"sex": 1, "age": 0, "age_days": 1, "dx": ["P07.300"], "procs": [], "birth_weight": 1480}


@pytest.mark.parametrize(
    ("case", "there", "cause", "tried"),
    [
        (NEWBORN | {"admission_weight": 2600}, {"birth_weight": 2600}, "other_weight", "admission_weight"),
        (NEWBORN, {"birth_weight": None}, "value_missing", "newborn_weight"),
        (
            {"sex": 1, "age": 0, "age_days": 28, "dx": ["J18.900"], "procs": []},
            {"age_days": 29},
            "age_days",
            "age_days +1",
        ),
    ],
)
def test_values_read_otherwise_there_are_a_cause(case, there, cause, tried):
    returned = group_one(case | there, SCHEME)
    own = group_one(case, SCHEME)
    assert own.group != returned.group
    found = compare_returned([case | {"returned_group": returned.group}], SCHEME, by=None)
    (row,) = found.cases.to_pylist()
    names = {row["cause"], *(row["also"] or "").split("|")}
    assert cause in names
    trials = {(trial["cause"], trial["tried"]): trial["explains"] for trial in found.trials.to_pylist()}
    assert trials[cause, tried] == 1


def test_another_scheme_and_another_edition_of_codes_are_causes(cases):
    other = group(cases.drop_columns(["returned_group"]), "chs-drg-3.0")["group"].to_pylist()
    found = compare_returned(with_returned(cases, other), SCHEME)
    assert found.number["differing"] > 50
    assert all("other_scheme" in {row["cause"], *(row["also"] or "").split("|")} for row in found.cases.to_pylist())
    by = {row["tried"]: row for row in found.trials.to_pylist() if row["cause"] == "other_scheme"}
    assert by["chs-drg-3.0"]["explains"] == found.number["differing"]
    first = {row["tried"] for row in found.cases.to_pylist() if row["cause"] == "other_scheme"}
    assert first == {"chs-drg-3.0"}  # the trial that explains most cases goes before the others of its cause
    mapped = group(cases.drop_columns(["returned_group"]), SCHEME, codes="beijing-7.0")["group"].to_pylist()
    found = compare_returned(with_returned(cases, mapped), SCHEME, schemes=[])
    assert found.number["differing"]
    by = {row["tried"]: row for row in found.trials.to_pylist() if row["cause"] == "other_codes"}
    assert by["beijing-7.0"]["explains"] == found.number["differing"]
    written = compare_returned(cases, SCHEME, schemes=[], codes="beijing-7.0")
    by = {row["tried"]: row for row in written.trials.to_pylist() if row["cause"] == "other_codes"}
    assert by["as written"]["explains"] == written.number["differing"] > 0


def twin_rows(cases, key):
    """Agreement by key, case by case."""
    found = {}
    for case in cases:
        own = group_one({name: case[name] for name in ("sex", "age", "age_days", "dx", "procs")}, SCHEME)
        row = found.setdefault(key(case, own), Counter())
        row["cases"] += 1
        if case["returned_group"] is None:
            row["not_returned"] += 1
            continue
        row["compared"] += 1
        places = load_scheme(SCHEME).places()
        above, status = places.get(case["returned_group"], (("?", "?"), "?"))
        above = above or (None, None)
        row["mdc_agrees"] += own.mdc == above[0]
        row["adrg_agrees"] += own.adrg == above[1]
        row["group_agrees"] += own.group == case["returned_group"]
        row["status_agrees"] += own.status == status
    return found


@pytest.mark.parametrize("container", [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_agreement_equals_a_slow_twin_in_any_container_and_order(cases, container):
    rng = random.Random(3)
    rows = cases.select(["case_id", "sex", "age", "age_days", "dx", "procs", "hospital", "discharged"]).to_pylist()[
        :400
    ]
    rows = [
        row | {"returned_group": rng.choice([text, text, "BR23", "0000", None, "?9"])}
        for row, text in zip(rows, cases["returned_group"].to_pylist(), strict=False)
    ]
    rng.shuffle(rows)
    found = compare_returned(container(rows), SCHEME, schemes=[], editions=[])
    for table, key in (
        (found.periods, lambda case, _: case["discharged"].strftime("%Y-%m")),
        (found.mdcs, lambda _, own: own.mdc),
        (found.adrgs, lambda _, own: own.adrg),
        (found.hospitals, lambda case, _: case["hospital"]),
    ):
        twin = twin_rows(rows, key)
        assert len(table) == len(twin)
        for row in table.to_pylist():
            expected = twin[row[table.column_names[0]]]
            for name in ("cases", "not_returned", "compared", *(f"{level}_agrees" for level in found.levels)):
                assert row[name] == expected[name], (row, expected)
            if row["compared"]:
                assert row["group_share"] == expected["group_agrees"] / expected["compared"]


def test_the_order_of_rows_changes_no_table(cases):
    texts = cases["returned_group"].to_pylist()
    for row in range(0, 600, 3):
        texts[row] = "BR23"
    table = with_returned(cases, texts)
    order = np.random.default_rng(5).permutation(len(table))
    one, two = (compare_returned(part, SCHEME) for part in (table, table.take(pa.array(order))))
    for name in ("counts", "overall", "periods", "mdcs", "adrgs", "hospitals", "falls", "classes", "causes", "trials"):
        assert getattr(one, name).equals(getattr(two, name)), name
    assert one.examples.equals(two.examples)


def test_dates_of_mixed_kind_lose_no_row():
    """Text, dates, numbers, a serial number of Excel and nothing: each row is in some period, three in none."""
    dates = ["2025-01-03", datetime.date(2025, 1, 4), "2025/1/5 08:00", 20250206, 45413, None, "unknown"]
    case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": [], "returned_group": "BR23"}
    found = compare_returned([case | {"discharged": date} for date in dates], SCHEME)
    assert counted(found.periods, "month") == {("2025-01",): 3, ("2025-02",): 1, (None,): 3}
    assert found.number["cases"] == 7
    assert found.number["without_period"] == 3
    assert found.overall["group_agrees"].to_pylist() == [7]
    frame = pd.DataFrame([case | {"discharged": date} for date in dates])
    assert counted(compare_returned(frame, SCHEME).periods, "month") == counted(found.periods, "month")


def test_every_row_is_accounted_for(cases):
    texts = cases["returned_group"].to_pylist()
    texts[:9] = [None, "", " ", "无", "NULL", "—", "ＢＲ２３", "未入组", "?9"]
    found = compare_returned(with_returned(cases, texts), SCHEME, schemes=[], editions=[])
    number = found.number
    assert number["cases"] == number["not_returned"] + number["compared"] == len(cases)
    assert number["compared"] == number["agreeing"] + number["differing"]
    assert number["not_returned"] == 6 + sum(text is None for text in texts[9:])
    for table in (found.periods, found.mdcs, found.adrgs, found.hospitals):
        assert sum(table["cases"].to_pylist()) == len(cases)
    by_row = {row["row"]: row for row in found.cases.to_pylist()}
    assert by_row[6]["returned"] == "BR23"
    assert by_row[7]["class"] == "ungrouped_there"
    assert by_row[8]["class"] == "unknown_group"


def test_statuses_that_came_back_are_compared():
    case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": [], "month": "1", "returned_group": "BR23"}
    statuses = ["分组成功", "grouped", "信息校验不通过", "ambiguous", "好", None]
    found = compare_returned(
        [case | {"状态": status} for status in statuses],
        SCHEME,
        returned_status="status_there",
        columns={"status_there": "状态"},
    )
    assert [(row["row"], row["class"]) for row in found.cases.to_pylist()] == [
        (2, "invalid_there"),
        (3, "ambiguous_there"),
    ]
    assert found.number["status_unread"] == 1
    alone = case | {"returned_group": None, "returned_status": "ungrouped"}
    found = compare_returned([alone, alone | {"returned_status": "grouped"}], SCHEME, returned_status="returned_status")
    assert [row["class"] for row in found.cases.to_pylist()] == ["ungrouped_there"]
    assert found.number["not_returned"] == 1


def of_months(*months):
    """Cases of which so many agree and so many do not, by month."""
    case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"], "procs": []}
    return [
        case | {"month": f"2025年{month}月", "returned_group": text}
        for month, agrees, differs in months
        for text, number in (("BR23", agrees), ("BR25", differs))
        for _ in range(number)
    ]


def test_a_fall_of_just_the_threshold_is_an_alarm():
    cases = of_months((9, 19, 1), (10, 90, 10), (11, 17, 3))
    found = compare_returned(cases, SCHEME, drop=Decimal("0.05"), schemes=[], editions=[])
    falls = [row for row in found.falls.to_pylist() if row["level"] == "group"]
    assert [row["month"] for row in falls] == ["2025年9月", "2025年10月", "2025年11月"]
    assert [row["alarm"] for row in falls] == [False, True, True]  # 0.95 -> 0.9 -> 0.85: in floats less than 0.05
    assert [row["before"] for row in falls] == [None, 0.95, 0.9]
    assert falls[2]["earlier"] == 109 / 120
    assert {row["level"] for row in found.alarms.to_pylist()} == {"group"}
    assert len(compare_returned(cases, SCHEME, drop="0.051", schemes=[], editions=[]).alarms) == 1  # 0.9083 -> 0.85
    assert not len(compare_returned(cases, SCHEME, drop="0.06", schemes=[], editions=[]).alarms)
    without = compare_returned(cases, SCHEME, schemes=[], editions=[])
    assert without.falls["alarm"].to_pylist() == [None] * len(without.falls)
    assert len(without.alarms) == 0


def test_a_slow_decline_is_an_alarm_against_all_earlier_months():
    cases = of_months((1, 100, 0), (2, 97, 3), (3, 94, 6), (4, 91, 9))
    found = compare_returned(cases, SCHEME, drop="0.05", schemes=[], editions=[])
    falls = {row["month"]: row for row in found.falls.to_pylist() if row["level"] == "group"}
    assert falls["2025年4月"]["fall_before"] < 0.05 <= falls["2025年4月"]["fall_earlier"]
    assert falls["2025年4月"]["alarm"]


def test_periods_are_compared_within_the_other_keys():
    cases = [case | {"hospital": "A"} for case in of_months((1, 10, 0))]
    cases += [case | {"hospital": "B"} for case in of_months((1, 0, 10), (2, 0, 10))]
    found = compare_returned(cases, SCHEME, by=["hospital", "month"], drop="0.5", schemes=[], editions=[])
    assert len(found.periods) == 3
    assert not len(found.alarms)


def test_a_catalogue_is_compared_by_kind_and_group():
    table = sample_cases(3000, "nhsa-dip-3.0", seed=2)
    result = group(table, "nhsa-dip-3.0")
    texts, kinds = result["group"].to_pylist(), result["kind"].to_pylist()
    core = [row for row, kind in enumerate(kinds) if kind == "core"]
    other = next(text for text, ((kind,), _) in load_catalogue("nhsa-dip-3.0").places().items() if kind != "core")
    texts[core[0]], texts[core[1]], texts[core[2]] = other, texts[core[3]], "no such"
    if texts[core[1]] == result["group"][core[1]].as_py():
        texts[core[1]] = texts[core[4]]
    found = compare_returned(table.append_column("病种", pa.array(texts)), "nhsa-dip-3.0", returned="病种")
    assert found.levels == ("kind", "group", "status")
    assert found.mdcs is None
    assert counted(found.classes, "class") == {("other_kind",): 1, ("other_group",): 1, ("unknown_group",): 1}
    assert {row["kind"]: row["cases"] for row in found.kinds.to_pylist()} == Counter(kinds)


def test_examples_are_the_smallest_cases_of_each_class_and_cause(cases):
    other = group(cases.drop_columns(["returned_group"]), "chs-drg-3.0")["group"].to_pylist()
    found = compare_returned(with_returned(cases, other), SCHEME)
    pairs = counted(found.causes, "class", "cause")
    shown = [(row["class"], row["cause"]) for row in found.examples.to_pylist()]
    assert shown == [*pairs]
    sizes = {}
    for row in found.cases.to_pylist():
        codes = len(cases["dx"][row["row"]]) + len(cases["procs"][row["row"]])
        sizes.setdefault((row["class"], row["cause"]), []).append(codes)
    for row in found.examples.to_pylist():
        codes = row["dx"].count("|") + 1 + (row["procs"].count("|") + 1 if row["procs"] else 0)
        assert codes == min(sizes[row["class"], row["cause"]])
        assert row["like_it"] == pairs[row["class"], row["cause"]]
    two = compare_returned(with_returned(cases, other), SCHEME, examples=2)
    assert len(two.examples) == sum(min(2, number) for number in pairs.values())


def test_anonymous_examples_show_no_one(cases):
    texts = ["BR23"] * 50 + cases["returned_group"].to_pylist()[50:]
    table = with_returned(cases, texts).append_column("姓名", pa.array(["张三"] * len(cases)))
    found = compare_returned(table, SCHEME, anonymise=True, salt="a salt of sixteen")
    plain = compare_returned(table, SCHEME)
    assert len(found.examples) == len(plain.examples) > 0
    shown = str(found.examples.to_pylist())
    assert "SYN0" not in shown
    assert "张三" not in shown
    assert "month" not in found.examples.column_names
    for row in found.examples.to_pylist():
        case = row | {"dx": row["dx"].split("|"), "procs": (row["procs"] or "").split("|")}
        own = group_one(
            {name: case.get(name) for name in ("sex", "age", "age_days", "birth_weight", "dx", "procs")}, SCHEME
        )
        assert (own.group, own.status) == (row["group"], row["status"])
    with pytest.raises(CaseError, match="needs salt="):
        compare_returned(table, SCHEME, anonymise=True)


def test_anonymous_examples_show_the_cause_again():
    """Ages keep the edges of the schemes tried: 3.0 asks for 70 years where 2.0 asks for none."""
    table = sample_cases(30000, SCHEME, seed=5)
    other = group(table, "chs-drg-3.0")["group"].cast(pa.string())
    asked = {"anonymise": True, "salt": "a salt of sixteen", "examples": 400}
    found = compare_returned(table.append_column("returned_group", other), SCHEME, schemes=["chs-drg-3.0"], **asked)
    names = ("sex", "age", "age_days", "newborn_weight", "birth_weight", "admission_weight")
    ages = set()
    for row in found.examples.to_pylist():
        case = {name: row[name] for name in names} | {"dx": row["dx"].split("|"), "procs": row["procs"].split("|")}
        if row["cause"] == "other_scheme":
            ages.add(row["age"])
            assert group_one(case, "chs-drg-3.0").group == row["returned"]
    assert 70 in ages


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("form", ["html", "xlsx"])
def test_reports_hold_classes_causes_and_examples(cases, tmp_path, language, form):
    texts = ["BR23"] * 50 + cases["returned_group"].to_pylist()[50:]
    found = compare_returned(with_returned(cases, texts), SCHEME)
    path = found.report(tmp_path / f"report.{form}", language=language)
    if form == "html":
        text = path.read_text(encoding="utf-8")
        sheets = text
    else:
        python_calamine = pytest.importorskip("python_calamine")
        book = python_calamine.CalamineWorkbook.from_path(path)
        text = str([book.get_sheet_by_name(name).to_python() for name in book.sheet_names])
        sheets = book.sheet_names
    for title in ("Likely causes", "Examples") if language == "en" else ("可能原因", "示例病例"):
        assert title in sheets
    names = {row.id: row.chinese if language == "zh" else row.english for row in list_differences()}
    for kind in {*found.cases["class"].to_pylist(), *found.cases["cause"].to_pylist()}:
        assert names[kind] in text
    assert "_share" not in text


def test_what_cannot_be_is_said(cases, tmp_path):
    with pytest.raises(UnknownNameError, match="returned_group"):
        compare_returned(cases.drop_columns(["returned_group"]), SCHEME)
    with pytest.raises(CaseError, match="month or discharged"):
        compare_returned(cases.drop_columns(["discharged"]), SCHEME)
    assert compare_returned(cases.drop_columns(["discharged"]), SCHEME, by=None, schemes=[]).periods is None
    for drop in (0, 5, "five", float("nan")):
        with pytest.raises(CaseError, match="drop="):
            compare_returned(cases, SCHEME, drop=drop)
    with pytest.raises(CaseError, match="is of DIP"):
        compare_returned(cases, SCHEME, schemes=["nhsa-dip-2.0"])
    found = compare_returned(cases, SCHEME, schemes=[])
    with pytest.raises(Exception, match=r"\.xlsx or \.html"):
        found.report(tmp_path / "report.pdf")
    with pytest.raises(UnknownNameError, match="language"):
        found.summary("fr")


def test_no_cases_give_empty_tables():
    empty = sample_cases(1, SCHEME).slice(0, 0).append_column("returned_group", pa.array([], pa.string()))
    found = compare_returned(empty, SCHEME)
    assert found.number["cases"] == 0
    assert len(found.classes) == len(found.examples) == len(found.falls) == 0
    assert repr(found) == "<Comparison chs-drg-2.0: 0 cases, 0 compared, 0 differ>"


# The trials against a slow twin


def exchanged(codes, place):
    return [codes[place], *codes[1:place], codes[0], *codes[place + 1 :]]


def altered_cases(case):
    """Every alteration of a case by its cause, one after the other."""
    for name in ("age", "age_days", "sex"):
        if case[name] is not None:
            yield "value_missing", case | {name: None}
    if any(case[name] is not None for name in ("newborn_weight", "birth_weight", "admission_weight")):
        yield "value_missing", case | dict.fromkeys(("newborn_weight", "birth_weight", "admission_weight"))
    if case["admission_weight"] is not None:
        yield "other_weight", case | {"newborn_weight": case["admission_weight"]}
    for cause, name in (("age_days", "age_days"), ("age_years", "age")):
        for step in (1, -1):
            if case[name] is not None and case[name] + step >= 0:
                yield cause, case | {name: case[name] + step}
    yield from altered_codes(case)


def altered_codes(case):
    dx, procs = case["dx"], case["procs"]
    yield "only_principal", case | {"dx": dx[:1]}
    yield "no_procedures", case | {"procs": []}
    for place in range(1, len(dx)):
        yield "other_principal", case | {"dx": exchanged(dx, place)}
        yield "code_unknown", case | {"dx": dx[:place] + dx[place + 1 :]}
    yield "code_unknown", case | {"dx": ["Q99.999x999", *dx[1:]]}  # no code of any table
    for place in range(len(procs)):
        if place:
            yield "other_procedure", case | {"procs": exchanged(procs, place)}
        yield "code_unknown", case | {"procs": procs[:place] + procs[place + 1 :]}


def test_causes_equal_a_slow_twin():
    """Case by case and trial by trial: the same causes, the first of them in the order of the table."""
    rng = random.Random(9)
    names = ["sex", "age", "age_days", "newborn_weight", "birth_weight", "admission_weight", "dx", "procs"]
    pool = sample_cases(20000, SCHEME, seed=3).select(names).to_pylist()
    young = [case for case in pool if case["age_days"] is not None][:60]
    many = [case for case in pool if len(case["procs"]) > 1 and len(case["dx"]) > 2][:90]
    order = [row.id for row in list_differences() if row.kind == "cause"]
    rows, expected = [], []
    for case in young + many:
        own = group_one(case, SCHEME)
        answers = [(cause, group_one(altered, SCHEME)) for cause, altered in altered_cases(case)]
        others = sorted({answer.group for _, answer in answers if answer.group not in {None, own.group}}) or ["BR23"]
        returned = rng.choice([*others, "0000"])
        if returned == own.group:
            continue
        rows.append(case | {"returned_group": returned})
        found = {cause for cause, answer in answers if answer.group == returned}
        expected.append(sorted(found, key=order.index) or ["unexplained"])
    found = compare_returned(rows, SCHEME, by=None, schemes=[], editions=[])
    assert found.cases["row"].to_pylist() == list(range(len(rows)))
    for row, causes in zip(found.cases.to_pylist(), expected, strict=True):
        assert row["cause"] == causes[0]
        assert sorted([row["cause"], *(row["also"] or "").split("|")]) == sorted(
            [*causes, *([] if row["also"] else [""])]
        )
    assert len({cause for causes in expected for cause in causes}) > 7
