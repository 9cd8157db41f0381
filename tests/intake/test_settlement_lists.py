"""Settlement lists, HQMS and front-page files: from synthetic cases to a file, and back through the readers."""

import csv
import datetime
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drgdip import DrgdipError, check_cases, group, group_one, read_cases, sample_cases
from drgdip._arrays import read_days
from drgdip._values import Unreadable, read_day, read_moment
from drgdip.cases.derive import derive, whole_years
from drgdip.cases.readers import reading_of
from drgdip.cases.settlement_list import body_of, flatten

RESULT = ["mdc", "adrg", "group", "status", "reason"]


def born_of(case):
    """A day of birth that gives the case's age on the day of admission."""
    if case["age_days"] is not None:
        return case["admitted"] - datetime.timedelta(case["age_days"])
    day = case["admitted"]
    return day.replace(year=day.year - case["age"], day=min(day.day, 28))


def list_of(case):
    """A settlement list with all its nodes, the main diagnosis in the middle, as hospitals send it."""
    weight = "" if case["newborn_weight"] is None else str(case["newborn_weight"])
    dx = [
        {
            "diag_type": "1",
            "maindiag_flag": str(int(place == 0)),
            "diag_code": code,
            "diag_name": "x",
            "adm_cond_type": "1",
        }
        for place, code in enumerate(case["dx"])
    ]
    procs = [
        {
            "main_oprn_flag": str(int(place == 0)),
            "oprn_oprt_code": code,
            "oprn_oprt_name": "y",
            "oprn_oprt_date": f"{case['admitted']} 09:30:00",
        }
        for place, code in enumerate(case["procs"])
    ]
    cost = str(case["total_cost"])
    general = {
        "mdtrt_id": "M1",
        "setl_id": "S1",
        "medcasno": case["case_id"],
        "psn_name": "某某",
        "gend": str(case["sex"]),
        "brdy": str(born_of(case)),
        "age": str(case["age"]),
        "nwb_age": "" if case["age_days"] is None else str(case["age_days"]),
        "nwb_bir_wt": weight,
        "nwb_adm_wt": weight,
        "hi_type": "310",
        "fixmedins_code": case["hospital"],
        "adm_time": f"{case['admitted']} 08:00:00",
        "dscg_time": f"{case['discharged']} 17:00:00",
        "act_ipt_days": str(case["los"]),
        "dscg_way": str(case["discharge"]),
        "dscg_caty": "A03",
        "diag_code_cnt": str(len(dx)),
        "oprn_oprt_code_cnt": str(len(procs)),
    }
    amounts = {"amt": cost, "claa_sumfee": cost, "clab_amt": "0", "fulamt_ownpay_amt": "0", "oth_amt": "0"}
    return {
        "setlinfo": general,
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": cost}],
        "opspdiseinfo": [],
        "diseinfo": [*dx[1:2], *dx[:1], *dx[2:]],
        "iteminfo": [{"med_chrgitm_type": "01", **amounts}],
        "oprninfo": [*procs[1:], *procs[:1]],
        "icuinfo": [],
    }


@pytest.fixture(scope="module", params=["chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0"])
def scheme_id(request):
    return request.param


@pytest.mark.parametrize("form", ["bare", "message", "lines"])
def test_lists_go_in_and_come_out_grouped(tmp_path, scheme_id, form):
    cases = sample_cases(120, scheme_id, seed=2)
    lists = [list_of(case) for case in cases.to_pylist()]
    if form == "message":
        lists = [{"infno": "4101A", "msgid": "1", "input": body} for body in lists]
    path = tmp_path / ("lists.jsonl" if form == "lines" else "lists.json")
    text = "\n".join(map(json.dumps, lists)) if form == "lines" else json.dumps(lists)
    path.write_text(text, encoding="utf-8")
    read = read_cases(path)
    for column in ("case_id", "sex", "age", "age_days", "los", "discharge", "hospital"):
        assert read[column].to_pylist() == cases[column].to_pylist()
    assert (
        read["birth_weight"].to_pylist() == read["admission_weight"].to_pylist() == cases["newborn_weight"].to_pylist()
    )
    assert [(codes[0], *sorted(codes[1:])) for codes in read["dx"].to_pylist()] == [
        (codes[0], *sorted(codes[1:])) for codes in cases["dx"].to_pylist()
    ]
    assert group(read, scheme_id).select(RESULT).to_pylist() == group(cases, scheme_id).select(RESULT).to_pylist()
    assert {"psn_name", "mdtrt_id"} <= set(reading_of(read).ignored)
    structure = {"list_setlinfo", "diagnosis_count", "procedure_count", "item_parts", "cost_mismatch", "los_mismatch"}
    assert not structure & set(check_cases(read, scheme_id)["rule"].to_pylist())


def test_what_a_list_leaves_out_is_derived(tmp_path):
    cases = sample_cases(60, "chs-drg-2.0", seed=4)
    lists = [list_of(case) for case in cases.to_pylist()]
    for body in lists:
        for name in ("age", "nwb_age", "act_ipt_days"):
            del body["setlinfo"][name]
    path = tmp_path / "lists.json"
    path.write_text(json.dumps(lists), encoding="utf-8")
    read = read_cases(path)
    for column in ("age", "age_days", "los"):
        assert read[column].to_pylist() == cases[column].to_pylist()
    assert [float(cost) for cost in read["total_cost"].to_pylist()] == [
        float(cost) for cost in cases["total_cost"].to_pylist()
    ]


def damaged(change):
    case = sample_cases(5, "chs-drg-2.0", seed=3).slice(2, 1).to_pylist()[0] | {"procs": ["51.2300", "54.5100"]}
    body = list_of(case)
    change(body)
    return body


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda body: body.pop("setlinfo"), "list_setlinfo"),
        (lambda body: body.update(setlinfo="text"), "list_setlinfo"),
        (lambda body: body.update(setlinfo=[1, 2]), "list_setlinfo"),
        (lambda body: body.pop("diseinfo"), "list_diseinfo"),
        (lambda body: body.update(diseinfo=[]), "missing_principal_diagnosis"),
        (lambda body: body.update(diseinfo=[1, "x", None]), "list_diseinfo"),
        (
            lambda body: body["diseinfo"].append({"diag_code": "A01.000", "maindiag_flag": "1"}),
            "several_main_diagnoses",
        ),
        (lambda body: [item.update(maindiag_flag="0") for item in body["diseinfo"]], "missing_principal_diagnosis"),
        (lambda body: body["diseinfo"].append({"diag_code": "A01.000"}), "diagnosis_count"),
        (lambda body: [item.update(main_oprn_flag=1) for item in body["oprninfo"]], "several_main_procedures"),
        (lambda body: body["oprninfo"].pop(), "procedure_count"),
        (lambda body: body["oprninfo"][0].update(oprn_oprt_code=51.23), "unreadable_procs"),
        (lambda body: body["diseinfo"][0].update(diag_code=12), "unreadable_dx"),
        (lambda body: body.update(oprninfo="text"), "list_oprninfo"),
        (lambda body: body["oprninfo"][0].update(oprn_oprt_date=""), "procedure_without_date"),
        (lambda body: body["oprninfo"][0].update(oprn_oprt_date="soon"), "unreadable_date"),
        (lambda body: body["oprninfo"][0].update(oprn_oprt_date="1999-01-01"), "procedure_outside_stay"),
        (lambda body: body.update(icuinfo=[{"scs_cutd_sum_dura": "long"}]), "list_icuinfo"),
        (lambda body: body["iteminfo"][0].update(clab_amt="1"), "item_parts"),
        (lambda body: body["iteminfo"][0].update(amt="dear"), "list_iteminfo"),
        (lambda body: body["setlinfo"].update(medfee_sumamt="1.00"), "cost_mismatch"),
        (lambda body: body["setlinfo"].update(gend="3"), "invalid_sex"),
        (lambda body: body["setlinfo"].update(gend={"a": 1}), "missing_sex"),
        (lambda body: body["setlinfo"].update(dscg_time="2001-01-01"), "discharge_before_admission"),
        (lambda body: body["setlinfo"].update(dscg_way="7"), "unknown_discharge"),
        (lambda body: [item.update(adm_cond_type="4") for item in body["diseinfo"]], "absent_principal"),
    ],
)
def test_a_damaged_list_is_a_finding(tmp_path, change, rule):
    path = tmp_path / "list.json"
    path.write_text(json.dumps(damaged(change)), encoding="utf-8")
    assert rule not in check_cases(_read(tmp_path, damaged(lambda _: None)), "chs-drg-2.0")["rule"].to_pylist()
    read = read_cases(path)
    assert len(group(read, "chs-drg-2.0")) == len(read) == 1
    assert rule in check_cases(read, "chs-drg-2.0")["rule"].to_pylist()


def _read(folder, body):
    path = folder / "sound.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    return read_cases(path)


def test_hours_in_intensive_care():
    stays = [
        {"scs_cutd_sum_dura": "1/2/30"},
        {"scs_cutd_inpool_time": "2024-01-01 08:00:00", "scs_cutd_exit_time": "2024-01-02 09:30:00"},
    ]
    assert flatten({"setlinfo": {}, "diseinfo": [], "icuinfo": stays})["icu_hours"] == 26.5 + 25.5
    assert "icu_hours" not in flatten({"setlinfo": {}, "diseinfo": []})


def test_node_names_in_capitals_and_one_record_for_a_list():
    row = flatten(
        body_of({"SETLINFO": {"GEND": 1}, "DISEINFO": {"DIAG_CODE": "A1"}, "OPRNINFO": {"OPRN_OPRT_CODE": "1"}})
    )
    assert (row["gend"], row["dx"], row["procs"], row["faults"]) == (1, ["A1"], ["1"], None)


anything = (
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9999) | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NODES), inner, max_size=6),
        max_leaves=12,
    )
    if (
        NODES := [
            "setlinfo",
            "diseinfo",
            "oprninfo",
            "icuinfo",
            "iteminfo",
            "gend",
            "brdy",
            "adm_time",
            "diag_code",
            "maindiag_flag",
            "amt",
            "clab_amt",
            "scs_cutd_sum_dura",
            "oprn_oprt_date",
            "nwb_adm_wt",
        ]
    )
    else None
)


@given(
    st.lists(
        st.fixed_dictionaries({"setlinfo": anything}, optional=dict.fromkeys(NODES[1:5], anything)),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=120)
def test_no_list_makes_a_crash(tmp_path_factory, lists):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(lists), encoding="utf-8")
    read = read_cases(path)
    assert len(read) == len(lists)
    assert len(group(read, "chs-drg-2.0", columns=None) if {"sex", "procs"} <= set(read.column_names) else read) == len(
        lists
    )
    try:
        check_cases(read, "chs-drg-2.0")
    except DrgdipError as error:
        raise AssertionError(error) from error


# --- HQMS and the front page -----------------------------------------------------------------------------------------

ENDS = ["C", "N", "", "", "", "", "", "C", "C", ""]  # of the columns of a procedure
HQMS = [
    "A01", "A48", "A49", "A12C", "A13", "A14", "A16", "A17", *(f"A18x0{n}" for n in range(1, 6)),
    "B12", "B15", "B16C", "B20", "B34C", "C03C", "C04N", "C05C",
    *(f"C{field:02}x{n:02}{end}" for n in range(1, 41) for field, end in ((6, "C"), (7, "N"), (8, "C"))),
    "C14x01C", "C15x01N", "C16x01",
    *(f"C{field}x{n:02}{end}" for n in range(1, 41) for field, end in enumerate(ENDS, 35)),
    "D01", "D09", *(f"D{n}" for n in range(11, 35)), "D19x01", "D20x01", "D20x02", "D23x01",
    *(f"F{n:03}" for n in range(200)),
]  # fmt: skip


def wide_row(case):
    row = dict.fromkeys(HQMS, "-")
    row |= {
        "A01": case["hospital"], "A48": case["case_id"], "A49": "1", "A12C": str(case["sex"]),
        "A13": str(born_of(case)), "A14": str(case["age"]), "A16": str(case["age_days"] or "-"),
        "B12": f"{case['admitted']} 10:00", "B15": f"{case['discharged']} 10:00",
        "B20": str(case["los"]), "B34C": str(case["discharge"]),
        "D01": str(case["total_cost"]), "D11": str(case["total_cost"]), "D12": "0", "D19x01": "99",
    }  # fmt: skip
    if case["newborn_weight"] is not None:
        row |= {"A17": str(case["newborn_weight"]), "A18x01": str(case["newborn_weight"])}
    for place, code in enumerate(case["dx"]):
        row["C03C" if place == 0 else f"C06x{place:02}C"] = code
        row["C05C" if place == 0 else f"C08x{place:02}C"] = "1"
    for place, code in enumerate(case["procs"]):
        row["C14x01C" if place == 0 else f"C35x{place:02}C"] = code
        row["C16x01" if place == 0 else f"C37x{place:02}"] = f"{case['admitted']} 12:00"
    return row


def write_wide(path, cases, header=str):
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(header, HQMS))
        writer.writerows([list(wide_row(case).values()) for case in cases])


@pytest.mark.parametrize("header", [str, str.upper, str.lower], ids=["as given", "capitals", "small"])
def test_an_export_of_hqms_goes_in_and_comes_out_grouped(tmp_path, scheme_id, header):
    assert len(HQMS) > 700
    cases = sample_cases(80, scheme_id, seed=6)
    path = tmp_path / "hqms.csv"
    write_wide(path, cases.to_pylist(), header)
    read = read_cases(path)
    assert read["dx"].to_pylist() == cases["dx"].to_pylist()
    assert [codes or [] for codes in read["procs"].to_pylist()] == cases["procs"].to_pylist()
    assert group(read, scheme_id).select(RESULT).to_pylist() == group(cases, scheme_id).select(RESULT).to_pylist()
    assert set(read.column_names) < {*cases.column_names, "unreadable"}
    assert len(reading_of(read).ignored) > 500
    found = set(check_cases(read, scheme_id)["rule"].to_pylist())
    assert not found & {
        "cost_mismatch",
        "procedure_without_date",
        "procedure_outside_stay",
        "unreadable_date",
        "age_mismatch",
    }
    with_others = read_cases(path, others=True)
    assert header("F199") in with_others.column_names
    assert with_others.select(read.column_names).to_pylist() == read.to_pylist()


def test_a_broken_row_of_a_wide_file_stays_in_its_place(tmp_path):
    path = tmp_path / "hqms.csv"
    write_wide(path, sample_cases(30, "chs-drg-2.0", seed=6).to_pylist())
    lines = path.read_bytes().split(b"\r\n")
    lines[5] += b",too,many"
    path.write_bytes(b"\r\n".join(lines))
    read = read_cases(path)
    assert read["unreadable"].to_pylist() == [None] * 4 + ["row"] + [None] * 25
    assert group_one(read.slice(4, 1).to_pylist()[0], "chs-drg-2.0").reason == "unreadable_row"
    assert [
        finding["row"]
        for finding in check_cases(read, "chs-drg-2.0").to_pylist()
        if finding["rule"] == "unreadable_row"
    ] == [4]


def test_dates_go_with_their_codes_when_cells_between_are_empty(tmp_path):
    path = tmp_path / "n041.csv"
    path.write_text(
        "C03C,C05C,C06x01C,C08x01C,C06x02C,C08x02C,C14x01C,C16x01,C35x01C,C37x01,C35x02C,C37x02\n"
        "A01.000,1,,9,B01.100,4,51.2300,2024-01-01,,2024-01-02,54.5100,2024-01-03\n",
        encoding="utf-8",
    )
    row = read_cases(path).to_pylist()[0]
    assert (row["dx"], row["dx_conditions"]) == (["A01.000", "B01.100"], ["1", "4"])
    assert row["procs"] == ["51.2300", "54.5100"]
    assert row["proc_dates"] == [datetime.date(2024, 1, 1), datetime.date(2024, 1, 3)]


def test_an_excel_file(tmp_path):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    pytest.importorskip("python_calamine")
    cases = sample_cases(40, "chs-drg-2.0", seed=8)
    path = tmp_path / "n041.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HQMS[:150])
        for number, case in enumerate(cases.to_pylist(), start=1):
            cells = list(wide_row(case).values())[:150]
            sheet.write_row(number, 0, [int(cell) if cell.isdigit() else cell for cell in cells])
    read = read_cases(path, others=False)
    assert read["dx"].to_pylist() == cases["dx"].to_pylist()
    assert read["age"].to_pylist() == cases["age"].to_pylist()
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"no workbook")
    with pytest.raises(DrgdipError, match="is not an Excel file"):
        read_cases(bad)


# --- dates -----------------------------------------------------------------------------------------------------------


@given(
    st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
    st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
)
def test_whole_years_are_birthdays(born, day):
    expected = sum(
        (year, born.month, born.day) <= (day.year, day.month, day.day) for year in range(born.year + 1, day.year + 1)
    )
    arrays = [read_days(pa.array([text]))[0] for text in (f"{born:%Y-%m-%d} 10:00:00", f"{day:%Y%m%d}")]
    years = whole_years(*arrays)[0]
    assert years == expected if born <= day else years != years


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-05-01", 1),
        ("2024/5/1 8:00", 1),
        ("20240501", 1),
        ("20240501103000", 1),
        ("2024年5月1日", 1),
        ("2024.05.02T1:00", 2),
        ("-", None),
        ("", None),
    ],
)
def test_days_as_they_are_written(text, day):
    expected = None if day is None else datetime.date(2024, 5, day)
    assert read_day(text) == expected
    assert read_days(pa.array([text]))[0].astype(object).tolist() == [expected]


@pytest.mark.parametrize("text", ["2024-13-01", "01/05/2024", "45000", "2024-05-01x", "soon"])
def test_what_is_no_day(text):
    with pytest.raises(Unreadable):
        read_day(text)
    assert read_days(pa.array([text]))[1].tolist() == [True]


def test_moments():
    assert read_moment("2024-05-01 8:05") == datetime.datetime.fromisoformat("2024-05-01T08:05")
    with pytest.raises(Unreadable):
        read_moment("2024-05-01 25:00:00")


def test_nothing_given_is_overwritten():
    cases = pa.table(
        {
            "dx": [["A"]] * 4,
            "age": pa.array([40, None, None, None]),
            "los": pa.array([9, None, None, None]),
            "age_days": pa.array([None, None, 3, None], pa.int64()),
            "born": ["2000-01-01", "2000-01-01", None, "2025-01-01"],
            "admitted": ["2024-01-01", "2024-01-01", None, "2024-01-01"],
            "discharged": ["2024-01-03", "2024-01-01", "x", "2023-01-01"],
            "unreadable": [None, None, None, None],
        }
    )
    derived = derive(cases)
    assert derived["age"].to_pylist() == [40, 24, 0, None]
    assert derived["los"].to_pylist() == [9, 1, None, None]
    assert derived["age_days"].to_pylist() == [None, None, 3, None]
