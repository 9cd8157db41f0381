"""Reports and files: what is written can be read and adds up; what cannot be read is said."""

import html.parser
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from settle_city import GIVEN, inputs_of, make_city, prepare

from drgdip.cli import main
from drgdip.errors import CaseError, PolicyError, UnknownNameError
from drgdip.settle import (
    clear_year,
    load_policy,
    make_statements,
    measure_coverage,
    price_cases,
    read_policy,
    read_settlement,
    settle_year,
    write_papers,
    write_report,
)

POLICY = read_policy("docs/examples/policy.toml")
BUDGET = {"employee": 64000, "resident": 44000}
FILE = "docs/examples/settlement.csv"


@pytest.fixture(scope="module")
def year():
    return settle_year(read_settlement(FILE), POLICY, budget=BUDGET)


def test_statements_add_up(year):
    rows = make_statements(year.clearing).to_pylist()
    assert len(rows) == 13 * len(year.clearing.table)
    reached = Decimal(0)
    for row in rows:
        if row["line"] == 1:
            reached = Decimal(0)
        if row["sign"] == "=":
            assert row["amount"] == reached
        else:
            reached += row["amount"] if row["sign"] == "+" else -row["amount"]


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.words = [], []

    def handle_starttag(self, tag, _attributes):
        if tag not in {"meta", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_html_is_whole_escaped_and_alone(year, tmp_path):
    cases = read_settlement(FILE)
    names = [name.replace("City", "<City & Co>") for name in cases["hospital"].to_pylist()]
    odd = settle_year(cases.set_column(1, "hospital", pa.array(names)), POLICY, budget=BUDGET)
    path = write_report(odd, POLICY, tmp_path / "year.html")
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert "<City" not in text
    assert "<City & Co> Hospital" in reader.words
    assert not re.search(r"(src|href)=|https?://", text)
    assert text.count("<svg") == 2
    for table in (year.clearing.table, year.clearing.pools):
        for name in ("entitlement",):
            assert all(f"{value:,}" in reader.words for value in table[name].to_pylist())


def test_caps_have_a_table_in_either_language(tmp_path):
    capped = POLICY.replace(caps={"total_share": 0})
    found = settle_year(read_settlement(FILE), capped, budget=BUDGET, money_caps=[{"group": "BR23", "cap": 40000}])
    for language, words in (("en", {"Caps", "over_cap"}), ("zh", {"总量控制", "总量控制扣减", "控制项", "算式"})):
        reader = Reader()
        path = write_report(found, capped, tmp_path / "year.html", language=language)
        reader.feed(path.read_text(encoding="utf-8"))
        assert words <= set(reader.words)
        assert "group BR23" in reader.words


def test_excel_has_every_table_and_its_formulas(year, tmp_path):
    calamine = pytest.importorskip("python_calamine")
    pytest.importorskip("xlsxwriter")
    path = write_report(year, POLICY, tmp_path / "year.xlsx")
    book = calamine.CalamineWorkbook.from_path(str(path))
    wanted = [
        "Statements",
        "Hospitals",
        "Pools",
        "Months",
        "Surplus by pool",
        "Surplus by hospital",
        "Surplus by group",
    ]
    assert book.sheet_names == [*wanted, "Ledger", "Sources"]
    rows = book.get_sheet_by_name("Hospitals").to_python()
    entitlement = rows[0].index("entitlement")
    assert [round(row[entitlement], 2) for row in rows[1:]] == [
        float(value) for value in year.clearing.table["entitlement"].to_pylist()
    ]
    import zipfile

    sheet = zipfile.ZipFile(path).read("xl/worksheets/sheet2.xml").decode()
    formulas = re.findall(r"<f>([^<]+)</f>", sheet)
    letters = {name: chr(ord("A") + number) for number, name in enumerate(rows[0])}
    result = "+".join(f"{letters[name]}2" for name in ("base", "sharing", "retention", "outside", "appraisal_change"))
    less = "-".join(f"{letters[name]}2" for name in ("over_cap", "over_growth", "deductions", "deposit_kept"))
    assert formulas[0] == f"{result}-{less}"
    assert len(formulas) == 2 * len(year.clearing.table)


def test_a_report_of_every_part(tmp_path):
    policy = load_policy("jinhua", **GIVEN["jinhua"])
    city = make_city(400)
    whole = settle_year(prepare(city, policy), policy, **inputs_of(policy, city))
    text = write_report(whole, policy, tmp_path / "city.html").read_text(encoding="utf-8")
    assert "<h2>Special review</h2>" in text
    assert "given by the user" in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("year.doc", "written as .xlsx or .html"),
        ("no/year.html", "cannot be written: No such file"),
        ("no/year.xlsx", "cannot be written"),
    ],
)
def test_reports_that_cannot_be_written(name, message, year, tmp_path):
    with pytest.raises(PolicyError, match=message):
        write_report(year, POLICY, tmp_path / name)


def test_a_report_in_chinese(year, tmp_path):
    text = write_report(year, POLICY, tmp_path / "year.html", language="zh").read_text(encoding="utf-8")
    heads = re.findall(r"<h2>([^<]+)</h2>|<th>([^<]+)</th>", text)
    assert "结算单" in text
    assert all(not "".join(found).isascii() for found in heads), [found for found in heads if "".join(found).isascii()]
    assert "<th>病组</th>" in text
    dip = POLICY.replace(family="dip")
    assert "<th>病种</th>" in write_report(year, dip, tmp_path / "dip.html", language="zh").read_text(encoding="utf-8")
    with pytest.raises(UnknownNameError, match="en, zh"):
        write_report(year, POLICY, tmp_path / "year.html", language="fr")


def test_accepted_findings_and_defaults_are_in_the_report(tmp_path):
    cases = read_settlement(FILE)
    twice = pa.concat_tables([cases, cases.slice(0, 1)])
    whole = settle_year(twice, POLICY, budget=BUDGET, accept={"duplicate": "first"})
    text = write_report(whole, POLICY, tmp_path / "year.html").read_text(encoding="utf-8")
    assert "<h2>Accepted findings</h2>" in text
    assert "<td>duplicate</td>" in text
    assert POLICY.defaulted == ["review.cap_over", "prepayment.years", "prepayment.divide"]
    assert text.count("default of the library") == 3
    papers = [path.read_text(encoding="utf-8") for path in write_papers(whole, POLICY, tmp_path / "papers")]
    assert ["<h2>Accepted findings</h2>" in paper for paper in papers] == [True, False, False]
    assert papers[0].count("<td>duplicate</td>") == 2


def test_every_hospital_has_its_papers(year, tmp_path):
    paths = write_papers(year, POLICY, tmp_path / "papers", language="zh")
    assert [path.name for path in paths] == [
        "1_City_Hospital.html",
        "2_County_Hospital.html",
        "3_Town_Hospital.html",
    ]
    text = paths[0].read_text(encoding="utf-8")
    assert "County Hospital" not in text
    assert text.count("<h2>") == 5
    values = [f"{row['point_value']}" for row in year.clearing.pools.to_pylist()]
    assert len(values) == 2
    assert all(value in text for value in values)  # without them no case of the sheets can be redone
    assert "<h2>1月病例明细</h2>" in text
    assert "<th>医院异议</th>" in text


def test_a_hospital_named_like_a_path_stays_in_the_folder(tmp_path):
    cases = read_settlement(FILE)
    names = ["../../evil/" + name for name in cases["hospital"].to_pylist()]
    odd = settle_year(cases.set_column(1, "hospital", pa.array(names)), POLICY, budget=BUDGET)
    paths = write_papers(odd, POLICY, tmp_path / "a" / "b")
    assert {path.parent for path in paths} == {tmp_path / "a" / "b"}
    assert sorted(path.name for path in tmp_path.rglob("*.html")) == sorted(path.name for path in paths)


# Files


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_files_are_read_by_their_names_and_put_below_each_other(tmp_path):
    text = "病案号,医疗机构代码,险种,总费用,points,cross_region,month,出院日期\n1,H1,p,12.50,1.5,是,3,2024-03-01\n"
    one, two = write(tmp_path / "a.csv", text), write(tmp_path / "b.csv", text)
    table = read_settlement(one, two)
    assert table.num_rows == 2
    row = table.to_pylist()[0]
    assert (row["case_id"], row["hospital"], row["pool"], row["total_cost"]) == ("1", "H1", "p", "12.50")
    assert (row["points"], row["cross_region"], row["month"], str(row["discharged"])) == (1.5, True, 3, "2024-03-01")


def test_parquet_keeps_its_types(tmp_path):
    table = pa.table(
        {"points": [1.5], "pool": pa.array(["p"]).dictionary_encode(), "total_cost": pa.array([Decimal("1.00")])}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_settlement(tmp_path / "a.parquet").to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points\nx\n", "'points' is 'x' in row 0: give a number"),
        ("points\ninf\n", "'points' is 'inf' in row 0: give a number"),
        ("points\n1e999\n", "'points' is '1e999' in row 0: give a number"),
        ("month\n1.5\n", "'month' is '1.5' in row 0: give a whole number"),
        ("discharged\n1.3.2024\n", "give a date such as 2024-12-31"),
        ("review_applied\nmaybe\n", "'maybe' in row 0: give true or false"),
    ],
)
def test_values_that_cannot_be_read(text, message, tmp_path):
    with pytest.raises(CaseError, match=message):
        read_settlement(write(tmp_path / "a.csv", text))


def test_files_that_do_not_go_together(tmp_path):
    with pytest.raises(CaseError, match="has other columns"):
        read_settlement(write(tmp_path / "a.csv", "x,y\n1,2\n"), write(tmp_path / "b.csv", "x,z\n1,2\n"))
    with pytest.raises(CaseError, match="no file"):
        read_settlement()


@pytest.mark.parametrize(("covered", "whole"), [(2, 1), (-1, 1), (0, 0), (None, 1)])
def test_coverage_of_nothing(covered, whole):
    with pytest.raises(PolicyError, match="row 0"):
        measure_coverage([{"coverage": "fund", "places": "pilots", "year": 2022, "covered": covered, "all": whole}])


def test_coverage_without_a_minimum():
    row = measure_coverage([{"coverage": "fund", "places": "others", "year": 2022, "covered": 1, "all": 2}])[0]
    assert (row["share"], row["minimum"], row["met"]) == (0.5, None, None)


@pytest.mark.parametrize(
    "header",
    [
        "病案号,医疗机构代码,险种,医疗机构等级,病组,月份,点数,住院总费用,统筹基金支付,个人支付,清单状态",
        "medcasno,fixmedins_code,insutype,level,group,month,分值,medfee_sumamt,fund_pay_sumamt,psn_part_amt,list_status",
        "病案号,医院,参保险种,level,group,结算月份,病例点数,总费用,基金支付总额,个人负担金额,list_status",
    ],
)
def test_files_with_the_names_of_the_field_are_read_and_settled(header, year, tmp_path):
    lines = Path(FILE).read_text(encoding="utf-8").splitlines()
    cases = read_settlement(write(tmp_path / "field.csv", "\n".join([header, *lines[1:]]) + "\n"))
    wanted = ["case_id", "hospital", "pool", "month", "points", "total_cost", "fund_booked", "patient_paid"]
    assert [name for name in wanted if name not in cases.column_names] == []
    columns = {"list_status": "清单状态"} if "清单状态" in header else None
    found = settle_year(cases, POLICY, budget=BUDGET, columns=columns)
    assert found.clearing.table.equals(year.clearing.table)


def test_what_all_funds_paid_goes_before_the_pooled_fund_alone(tmp_path):
    path = write(tmp_path / "both.csv", "medcasno,hifp_pay,fund_pay_sumamt\n1,5,7\n")
    assert read_settlement(path)["fund_booked"].to_pylist() == ["7"]


# Command line

WORDS = [
    "settle",
    FILE,
    "--policy",
    "docs/examples/policy.toml",
    "--budget",
    "employee=64000",
    "--budget",
    "resident=44000",
]


def test_settle_on_the_command_line_equals_the_library(year, capsys, tmp_path):
    assert main([*WORDS, "-o", str(tmp_path / "year.html")]) == 0
    out, err = capsys.readouterr()
    for row in year.clearing.table.to_pylist():
        assert f"{row['entitlement']:,}" in out
    assert "1 case does not count" in err
    assert (tmp_path / "year.html").exists()


def test_weights_and_tables_on_the_command_line(capsys, tmp_path):
    groups = "group,weight\nBR23,72\nES35,58\nGD25,96\nIU23,64\n"
    weights = write(tmp_path / "w.csv", groups)
    level = write(tmp_path / "l.csv", "level,coefficient\n1,0.8\n2,0.95\n3,1.1\n")
    audits = write(tmp_path / "d.csv", "hospital,pool,month,deductions\nCity Hospital,employee,1,50\n")
    more = [
        "--weights",
        str(weights),
        "--coefficients",
        f"level={level}",
        "--deductions",
        str(audits),
        "--value",
        "employee=100",
        "--value",
        "resident=95.5",
    ]
    assert main([*WORDS, *more]) == 0
    assert "24,262.76" in capsys.readouterr().out  # 24,312.76 less 50


def test_payments_and_the_day_on_the_command_line(capsys, tmp_path):
    rows = [line.split(",") for line in Path(FILE).read_text(encoding="utf-8").splitlines()]
    text = "".join(f"{','.join(row)},{'as_of' if number == 0 else '2024-03-01'}\n" for number, row in enumerate(rows))
    late = text.splitlines()[1].replace("S001", "S999").replace("2024-03-01", "2024-05-01")
    cases = write(tmp_path / "c.csv", text + late + "\n")
    paid = "hospital,pool,month,kind,amount,date\nCity Hospital,employee,1,monthly,1000.50,2024-03-20\n"
    paid += "City Hospital,employee,,prepayment,500,2024-01-15\nCity Hospital,employee,2,monthly,7,2024-05-20\n"
    words = [WORDS[0], str(cases), *WORDS[2:], "--payments", str(write(tmp_path / "p.csv", paid))]
    assert main([*words, "--as-of", "2024-03-31"]) == 0
    out = capsys.readouterr().out
    assert "24 cases under" in out
    line = next(line for line in out.splitlines() if "City Hospital" in line).split()
    assert line[2:] == ["4", "24,312.76", "1,000.50", "22,812.26"]  # 24,312.76 - 1,000.50 - 500
    assert main(words) == 0
    assert "25 cases under" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words, "--as-of", "March"])


@pytest.mark.parametrize("option", ["cases", "--weights", "--coefficients", "--appraisal"])
def test_no_input_is_written_over(option, capsys, tmp_path):
    same = write(tmp_path / "same.xlsx", Path(FILE).read_text(encoding="utf-8"))
    words = [WORDS[0], str(same), *WORDS[2:]] if option == "cases" else WORDS
    given = {"--coefficients": [f"level={same}"]}.get(option, [str(same)])
    more = [] if option == "cases" else [option, *given]
    assert main([*words, *more, "-o", str(same)]) == 1
    assert "same.xlsx: is the input; write to another file" in capsys.readouterr().err
    assert same.read_text(encoding="utf-8") == Path(FILE).read_text(encoding="utf-8")


def test_findings_are_refused_and_accepted_on_the_command_line(capsys, tmp_path):
    twice = Path(FILE).read_text(encoding="utf-8").splitlines()
    cases = write(tmp_path / "c.csv", "\n".join([*twice, twice[1]]) + "\n")
    words = [WORDS[0], str(cases), *WORDS[2:]]
    assert main(words) == 1
    assert "duplicate: 2 cases with 10,481.96 yuan, in rows 0, 24" in capsys.readouterr().err
    assert main([*words, "--accept", "duplicate=first"]) == 0
    out, err = capsys.readouterr()
    assert "24,312.76" in out
    assert "note: duplicate, first: 1 case left out, 5,240.98 yuan" in err
    assert main([*words, "--accept", "duplicate=keep"]) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--budget", "x"], "say it as NAME=VALUE"),
        (["--budget", "employee=1"], "names 'employee' twice"),
        (["--coefficients", "level=x.csv"], "go with --weights"),
        (["-o", "year.doc"], "written as .xlsx or .html"),
        (["--appraisal", "nothing.csv"], "there is no such file"),
        (["--value", "employee=1.2.3", "--value", "resident=1"], "is no number"),
    ],
)
def test_wrong_words(more, message, capsys):
    assert main([*WORDS, *more]) == 1
    assert message in capsys.readouterr().err


def test_cases_without_points_or_weights(capsys, tmp_path):
    cases = write(tmp_path / "c.csv", "case_id,hospital,pool,group\n1,H,employee,BR23\n")
    assert main([WORDS[0], str(cases), *WORDS[2:]]) == 1
    assert "no column points: give it, or --weights, a table of group and weight" in capsys.readouterr().err


def test_policies_on_the_command_line(capsys):
    assert main(["policies"]) == 0
    assert "jinhua       drg  floating" in capsys.readouterr().out
    assert main(["policies", "show", "jinhua"]) == 0
    assert "[needs]" in capsys.readouterr().out
    assert main(["policies", "show", "jinhau"]) == 1
    assert "Did you mean 'jinhua'" in capsys.readouterr().err


def test_money_that_the_fuzzer_would_try():
    """A column of the wrong kind is an error of the library, whatever it holds."""
    case = {"hospital": "H", "pool": "employee", "points": 1.0, "payment_rule": "points", "month": 1}
    case |= {"standard": 1, "payable": 1, "total_cost": 1, "fund_booked": 1, "patient_paid": 1}
    from drgdip.errors import DrgdipError

    for name in case:
        for bad in (None, 1.5, "x", [1], {"a": 1}, True, b"x", 10**40):
            rows = [case | {name: bad}]
            for step in (
                lambda rows=rows: clear_year(rows, POLICY, budget=BUDGET),
                lambda rows=rows: price_cases(rows, POLICY),
                lambda rows=rows: settle_year(rows, POLICY, budget=BUDGET),
            ):
                try:
                    step()
                except DrgdipError:
                    continue


# Working folders


@pytest.fixture
def folder(tmp_path):
    text = Path(FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    write(tmp_path / "cases-01.csv", "".join(text[:12]))
    write(tmp_path / "cases-02.csv", "".join([text[0], *text[12:]]))
    write(tmp_path / "policy.toml", Path("docs/examples/policy.toml").read_text(encoding="utf-8"))
    write(tmp_path / "预算.csv", "pool,amount\nemployee,64000\nresident,44000\n")
    write(tmp_path / "扣款.csv", "hospital,pool,month,deductions\nCity Hospital,employee,1,50\n")
    return tmp_path


def test_settle_takes_a_working_folder(folder, capsys):
    write(folder / "notes.txt", "x")
    assert main(["settle", str(folder), "--language", "zh", "-o", str(folder / "year.html")]) == 0
    out, err = capsys.readouterr()
    assert "24 例" in out
    assert "24,262.76" in out  # as with --deductions
    assert "cases" not in out
    assert "notes.txt 不是工作文件夹中约定的文件" in err
    papers = sorted((folder / "papers").iterdir())
    assert len(papers) == 3
    assert "50.00" in papers[0].read_text(encoding="utf-8")
    assert "结算单" in (folder / "year.html").read_text(encoding="utf-8")
    assert main(["settle", str(folder)]) == 0, "what was written is not read"


@pytest.mark.parametrize("name", ["cases-01", "预算", "扣款"])
def test_no_file_of_a_folder_is_written_over(name, folder, capsys):
    (folder / f"{name}.csv").rename(folder / f"{name}.xlsx")
    before = (folder / f"{name}.xlsx").read_bytes()
    assert main(["settle", str(folder), "-o", str(folder / f"{name}.xlsx")]) == 1
    assert f"{name}.xlsx: is the input; write to another file" in capsys.readouterr().err
    assert (folder / f"{name}.xlsx").read_bytes() == before


def test_a_folder_has_payments_and_coefficients(folder, capsys):
    cases = read_settlement(FILE)
    write(
        folder / "weights.csv",
        "group,weight\n" + "".join(f"{group},1\n" for group in sorted(set(cases["group"].to_pylist()))),
    )
    write(folder / "coefficients-level.csv", "level,coefficient\n1,1\n2,1\n3,2\n")
    write(
        folder / "payments.csv",
        "hospital,pool,month,kind,amount,date\nCity Hospital,employee,1,monthly,100.00,2024-02-01\n",
    )
    assert main(["settle", str(folder)]) == 0
    out = capsys.readouterr().out
    city = next(line for line in out.splitlines() if "City Hospital" in line)
    assert city.split()[-2] == "100.00", "what was paid is what the file says"
    write(folder / "coefficients-level.csv", "level,coefficient\n1,1\n2,1\n3,1\n")
    assert main(["settle", str(folder)]) == 0
    assert capsys.readouterr().out != out, "the coefficients count"


def test_an_option_goes_before_the_file_of_the_folder(folder, capsys):
    assert main(["settle", str(folder), "--budget", "employee=70000", "--budget", "resident=44000"]) == 0
    assert "budget 70,000.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("budget.csv", "budget.csv and 预算.csv: leave one"),
        ("cases", "no file of cases"),
        ("policy", "needs --policy and --budget"),
    ],
)
def test_folders_that_lack_something_or_have_it_twice(name, message, folder, capsys):
    if name.endswith(".csv"):
        write(folder / name, "pool,amount\n")
    for path in folder.glob(f"{name}*"):
        if not name.endswith(".csv"):
            path.unlink()
    assert main(["settle", str(folder)]) == 1
    assert message in capsys.readouterr().err
