"""A workbook in the layout of DIP 3.0 becomes a catalogue; catalogues become folders."""

from __future__ import annotations

import csv
import hashlib
import re

import pytest
from conftest import files_of
from generated import table
from test_dip_catalogues import PLACES, SMALL
from test_dip_doors import adversarial

import drgdip
from drgdip import Catalogue, SchemeError
from drgdip.grouper.dip.model import STAGES
from drgdip.grouper.dip.workbook import SHEETS

xlsxwriter = pytest.importorskip("xlsxwriter")
pytest.importorskip("python_calamine")

THREE = "nhsa-dip-3.0"
PRE, MERGE, BURN, TUMOR, TB, CORE, RESISTANT, NO_DX, NO_PROCS, CARE = SHEETS
IS_RESISTANT = "主要诊断含耐药拓展码（附表—结核耐药诊断列表）或其他诊断包含U84.300（耐抗结核药物）"
IS_NOT = "主要诊断无耐药拓展码，且其他诊断不含U84.300（耐抗结核药物）"
HEADERS = {
    PRE: "分类 序号 分组名称 主要诊断编码 主要诊断名称 主要手术操作编码 主要手术操作名称 说明",
    MERGE: "分类 序号 主要诊断编码 主要诊断名称 主要手术操作编码 主要手术操作名称 相关手术操作编码 相关手术操作名称",
    BURN: "分类 序号 主要诊断编码 烧伤腐蚀伤程度 其他诊断编码 烧伤腐蚀伤面积 主要手术操作编码 主要手术操作名称 "
    "相关手术操作编码 相关手术操作名称",
    TUMOR: "分类 序号 主要诊断编码 主要诊断名称 其他诊断编码 其他诊断名称 主要手术操作/\n相关手术操作编码 "
    "主要手术操作/\n相关手术操作名称",
    TB: "分类 序号 主要诊断编码 主要诊断名称 主要手术操作编码 主要手术操作名称 是否耐药 是否耐药说明",
    RESISTANT: "主要诊断编码 主要诊断名称",
    CORE: "分类 序号 主要诊断编码 主要诊断名称 主要手术操作编码 主要手术操作名称",
    NO_DX: "主要诊断编码 主要诊断名称",
    NO_PROCS: "主要手术操作编码 主要手术操作名称 说明",
    CARE: "序号 主要诊断编码 主要诊断名称 主要手术操作编码 主要手术操作名称",
}
NEWBORN = ["分类", "序号", "分组名称", "主要诊断编码", "主要诊断名称", "天龄", "出生体重"]
#: Rows above the column names, as in the official workbook.
TITLES = {PRE: 2, BURN: 2, NO_DX: 2}


def book(**rows):
    """A small workbook: each sheet's rows, the titles and the column names among them."""
    made = {}
    for sheet in SHEETS:
        title = [[sheet]] + [[]] * (TITLES.get(sheet, 1) - 1)
        made[sheet] = [*title, re.split(" ", HEADERS[sheet]), *rows.get(sheet, [])]
    return made


def save(path, sheets):
    with xlsxwriter.Workbook(path) as file:
        for name, rows in sheets.items():
            page = file.add_worksheet(name)
            for line, row in enumerate(rows):
                page.write_row(line, 0, row)
    return path


def official(catalogue):
    """The rows of the official workbook, from the tables in the package."""

    def rows(name):
        with (catalogue.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    sheets = {sheet: [] for sheet in SHEETS}
    for row in rows("groups.csv"):
        category, seq = row["group"].split("-")
        head = [category, int(seq)]
        dx, procedures, related, name = row["dx"], row["procedures"], row["related"], row["name"]
        if row["kind"] == "pre" and procedures != "*":
            joined = procedures.replace("|", "或").replace("+", "和")
            together = "须同时包含" if "+" in procedures else "包含"
            note = f"手术操作中{together}{joined}，不限定为主要手术操作" if row["anywhere"] else ""
            sheets[PRE].append([*head, name, "所有诊断", "所有诊断", procedures, "", note])
        elif row["kind"] == "pre":
            if NEWBORN not in sheets[PRE]:
                sheets[PRE].append(NEWBORN)
            days, *grams = map(int, re.findall(r"[<=] (\d+)", row["condition"]))
            weight = f"出生体重{grams[0] if len(grams) > 1 else 0}-{grams[-1]}克"
            sheets[PRE].append([*head, name, dx, "", f"<{days}天", weight, f"诊断中包含{dx}，不限定为主要诊断"])
        elif row["kind"] == "merge":
            sheets[MERGE].append([*head, dx, "", procedures, "", related, ""])
        elif row["kind"] == "burn":
            degree, area = name.split("，")
            sheets[BURN].append([*head, dx, degree, row["other_dx"], area, procedures, "", related, ""])
        elif row["kind"] == "tumor":
            sheets[TUMOR].append([*head, dx, "", row["other_dx"], "", procedures, ""])
        elif row["kind"] == "tb":
            yes = name == "耐药结核"
            sheets[TB].append([*head, dx, "", procedures, "", "是" if yes else "否", IS_RESISTANT if yes else IS_NOT])
        else:
            sheets[CORE].append([*head, dx, "", procedures, ""])
    sheets[RESISTANT] = [[row["code"], ""] for row in rows("sets.csv") if row["set"] == "RESISTANT"]
    sheets[NO_DX] = [[row["code"], ""] for row in rows("excluded_diagnoses.csv")]
    notes = {"conservative": "按保守治疗入组", "not-principal": "不可作为主要手术操作"}
    for row in rows("excluded_procedures.csv"):
        allowed = row["allowed_with"]
        note = f"{allowed}作为主要诊断，\n可作为主要手术操作" if allowed else notes[row["treatment"]]
        sheets[NO_PROCS].append([row["code"], "", note])
    for at, row in enumerate(rows("primary_care.csv"), start=1):
        sheets[CARE].append([at, row["dx"], row["name"], row["procedures"], ""])
    return sheets


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The catalogue of the package, through a workbook."""
    path = tmp_path_factory.mktemp("book") / "按病种分值.xlsx"
    return Catalogue.from_workbook(save(path, book(**official(drgdip.load_catalogue(THREE)))))


def test_the_official_workbook_gives_the_catalogue_of_the_package(again):
    national = drgdip.load_catalogue(THREE)
    assert len(again.groups) == 5_125
    for one, other in zip(again.groups, national.groups, strict=True):
        if one.kind == "burn":
            assert one.name.replace("_", "，") == other.name
        else:
            assert one.name == other.name
        for field in ("code", "kind", "order", "dx", "procedures", "related", "other_dx", "anywhere", "condition"):
            assert getattr(one, field) == getattr(other, field), (other.code, field)
    assert again.primary_care == national.primary_care
    assert again.excluded_dx == national.excluded_dx
    assert again.excluded_procs == national.excluded_procs
    assert again.sets == national.sets
    assert again.matching == national.matching
    assert again.types == national.types
    assert again.by_dx.keys() == national.by_dx.keys()


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_it_matches_as_the_package_does(again, engine):
    cases = table(adversarial(drgdip.load_catalogue(THREE), 4_000))
    one, other = (drgdip.group(cases, catalogue, engine=engine) for catalogue in (again, THREE))
    assert one.select(drgdip.DipResult._fields).equals(other.select(drgdip.DipResult._fields))


def test_what_it_says_of_itself(again):
    assert (again.id, again.info.title, again.info.counts) == ("按病种分值", "按病种分值", {})
    assert again.info.sha256 == hashlib.sha256(again.folder.read_bytes()).hexdigest()
    assert again.info.procedure_codes == "nhsa-icd9cm3-2.0"
    assert dict(again.info.provenance) == {
        "groups": "the workbook 按病种分值.xlsx",
        "matching": "the options of nhsa-dip-3.0",
    }


def test_a_folder_is_the_workbook_again(again, tmp_path):
    again.to_folder(tmp_path / "deep" / "mine")
    loaded = drgdip.load_catalogue(tmp_path / "deep" / "mine")
    assert loaded.groups == again.groups
    assert (loaded.matching, loaded.types, loaded.sets) == (again.matching, again.types, again.sets)
    assert loaded.info.counts["tb"] == 46
    assert loaded.primary_care == again.primary_care


#: A row of each kind, with names.
ROWS = {
    PRE: [
        ["XQ", 1, "心肺移植", "所有诊断", "所有诊断", "33.6x00", "", ""],
        ["XQ", 2, "ECMO", "所有诊断", "所有诊断", "39.6500", "", "手术操作中包含39.6500，不限定为主要手术操作"],
        NEWBORN,
        ["XQ", 3, "低出生体重儿", "P07", "", "＜29天", "2000－2499克", "诊断中包含P07，不限定为主要诊断"],
    ],
    MERGE: [["BX", 4, "I83 ", "下肢静脉曲张", "38.5900X010", "剥脱术", "38.5901|\n38.5903", "结扎术|剥脱术"]],
    BURN: [["FZ", 5, "T20.2|T21.2", "二度烧伤", "T31.0", "面积＜10%", "", "", "", ""]],
    TUMOR: [["FZ", 6, "Z51.1", "化疗", "C00-C75", "恶性肿瘤", "99.2503+99.2800x005", "化疗+免疫"]],
    TB: [["FZ", 7, "A15-A16", "呼吸道结核", "", "", "是", IS_RESISTANT]],
    CORE: [["JC", 8, "M47.0+", "压迫综合征", "", ""]],
    RESISTANT: [["A15.000x010", "耐药"]],
    NO_DX: [["A00.000", "霍乱"], ["M47.000+G99.2*", "压迫综合征"]],
    NO_PROCS: [["00.0100", "超声", "按保守治疗入组"], ["81.6300", "融合", "不可作为主要手术操作"]],
    CARE: [[1, "M51.1+", "椎间盘疾患", "03.9102|04.8101", "阻滞术|封闭"]],
}


def test_each_kind_of_row(tmp_path):
    path = save(tmp_path / "a.xlsx", book(**ROWS))
    said = {"title": "一个地方", "place": "这里", "published": "2026"}
    mine = Catalogue.from_workbook(str(path), catalogue_id="mine", **said)
    assert repr(mine) == "<Catalogue mine revision 1: 3 pre, 1 merge, 1 burn, 1 tumor, 1 tb, 1 core>"
    assert (mine.info.title, mine.info.place, mine.info.published) == ("一个地方", "这里", "2026")
    rows = {group.code: group for group in mine.groups}
    assert str(rows["XQ-3"].condition) == "XSRTL < 29 and XSRTZ >= 2000 and XSRTZ <= 2499"
    assert [rows[code].anywhere for code in ("XQ-1", "XQ-2", "XQ-3")] == ["", "procedures", "dx"]
    assert rows["BX-4"].related[0].codes == ("38.5901", "38.5903")
    assert rows["BX-4"].procedures[0].codes == ("38.5900x010",)
    assert mine.names["BX-4"] == "下肢静脉曲张_剥脱术_结扎术|剥脱术"
    assert mine.names["FZ-5"] == "二度烧伤_面积＜10%"
    assert mine.names["FZ-7"] == "呼吸道结核_耐药结核"
    # A sign of aetiology ends a prefix in the workbook; in a case the other code follows it.
    assert drgdip.group_one({"dx": ["M47.001+G99.2*"], "procs": []}, mine).group == "JC-8"
    assert drgdip.group_one({"dx": ["M47.000+G99.2*"], "procs": []}, mine).reason == "excluded_diagnosis"
    assert mine.primary_care[0].dx == ("M51.1",)
    assert mine.primary_care[0].name == "椎间盘疾患_阻滞术|封闭"
    assert drgdip.group_one({"dx": ["A15.001", "U84.300"], "procs": []}, mine).group == "FZ-7"


def test_a_place_builds_upon_a_workbook(tmp_path):
    base = Catalogue.from_workbook(save(tmp_path / "a.xlsx", book(**ROWS)))
    history = [{"dx": ["M47.001+G99.2*"], "procs": [], "total_cost": 100}] * 3
    built = drgdip.build_catalogue(history, tmp_path / "mine", base=base, threshold=2)
    assert [(group.code, group.name) for group in built.groups] == [("JC-8", "压迫综合征")]
    assert built.excluded_dx == base.excluded_dx


def test_options_and_types_are_those_of_a_catalogue_like_it(tmp_path):
    path = save(tmp_path / "a.xlsx", book(**ROWS))
    like = drgdip.load_catalogue(THREE, interventional="therapeutic", not_principal="next")
    assert Catalogue.from_workbook(path, like=like).matching == like.matching
    core = save(tmp_path / "b.xlsx", book(**{CORE: ROWS[CORE]}))
    mine = Catalogue.from_workbook(core, like=SMALL)
    assert mine.types == drgdip.load_catalogue(SMALL).types
    with pytest.raises(SchemeError, match="kind 'merge' of BX-4 is no stage") as caught:
        Catalogue.from_workbook(path, like=SMALL)
    assert (caught.value.file, caught.value.row) == (f"{path} [{MERGE}]", 3)


def test_a_catalogue_like_one_with_mean_costs_has_none_itself(tmp_path):
    path = save(tmp_path / "a.xlsx", book(**{CORE: [["JC", 1, "A41.9", "", "11.0001", ""]]}))
    like = drgdip.load_catalogue(PLACES, strategy="hubei", stages=STAGES)
    assert like.matching.reads_cost
    matching = Catalogue.from_workbook(path, like=like).matching
    assert matching.prefer == tuple(name for name in like.matching.prefer if name != "nearest_mean")


def test_names_of_sheets_and_columns_are_read_with_tolerance(tmp_path):
    sheets = book(**ROWS)
    sheets["附表 - 结核耐药诊断"] = sheets.pop(RESISTANT)
    sheets["目录"] = [["一、先期分组"]]
    sheets[MERGE][1] = [name.replace("编码", "代码") for name in sheets[MERGE][1]]
    sheets[CORE] = [[*row[2:], *row[:2]] for row in sheets[CORE][1:]]  # without a title, in another order
    sheets[TUMOR][1] = [name.replace("其他诊断名称", "肿瘤名称") for name in sheets[TUMOR][1]]
    mine = Catalogue.from_workbook(save(tmp_path / "a.xlsx", sheets))
    assert [group.code for group in mine.groups][-1] == "JC-8"


def test_any_sheet_may_have_any_column_that_is_understood(tmp_path):
    sheets = book(**{RESISTANT: ROWS[RESISTANT]})
    sheets[CORE] = [
        [*HEADERS[TB].split(" "), "天龄", "出生体重", "其他诊断编码", "相关手术操作编码", "病种分值"],
        ["JC", 1, "P07", "", "", "", "是", IS_RESISTANT, "<29天", "0-999克", "J18", "96.7201", 12.5],
    ]
    group = Catalogue.from_workbook(save(tmp_path / "a.xlsx", sheets)).groups[0]
    rule = "(ZYZD in RESISTANT or QTZD in RESISTANT_OTHER) and XSRTL < 29 and XSRTZ <= 999"
    assert (str(group.condition), group.other_dx, group.score) == (rule, ("J18",), "12.5")
    assert group.related[0].codes == ("96.7201",)


def changed(sheet, at, row):
    """The book with one row of a sheet another; rows of data count from 0, the column names are -1."""
    sheets = book(**ROWS)
    start = TITLES.get(sheet, 1) + 1
    sheets[sheet][start + at] = row
    return sheets


def cell(sheet, at, place, text):
    row = list(ROWS[sheet][at])
    return changed(sheet, at, [*row[:place], text, *row[place + 1 :]])


def header(sheet, old, new):
    return changed(sheet, -1, [name.replace(old, new) for name in HEADERS[sheet].split(" ")])


@pytest.mark.parametrize(
    ("sheets", "problem", "sheet", "row", "what"),
    [
        (header(MERGE, "主要诊断名称", "年龄"), "unknown_column", MERGE, 2, "the column '年龄' is not understood"),
        (header(MERGE, "相关手术操作名称", "分类"), "duplicate", MERGE, 2, "there are two columns 分类"),
        (header(BURN, "其他诊断编码", ""), "missing_column", BURN, 3, "the column '其他诊断编码' is missing"),
        (header(CORE, "编码", "码"), "missing_column", CORE, None, "there is no row of column names"),
        (changed(CORE, 0, ["注", "", "", "", "", "", "见附表"]), "unknown_column", CORE, 3, "'见附表' stands under no"),
        (cell(CORE, 0, 0, ""), "empty_cell", CORE, 3, "the cell under 分类 is empty"),
        (cell(CORE, 0, 1, ""), "empty_cell", CORE, 3, "the cell under 序号 is empty"),
        (cell(CORE, 0, 1, "8a"), "bad_number", CORE, 3, "'8a' under 序号 is no number"),
        (cell(CORE, 0, 1, 8.5), "bad_number", CORE, 3, "'8.5' under 序号"),
        (cell(CORE, 0, 2, ""), "empty_cell", CORE, 3, "the cell under 主要诊断编码 is empty"),
        (cell(CORE, 0, 2, "高血压"), "bad_value", CORE, 3, "'高血压' is no prefix"),
        (cell(CORE, 0, 4, "保守"), "bad_value", CORE, 3, "'保守' is no procedure"),
        (cell(CORE, 0, 4, "36.0601|"), "bad_value", CORE, 3, "'' is no procedure"),
        (cell(CORE, 0, 4, "36.0601+36.0700"), "bad_value", CORE, 3, "more than one principal procedure"),
        (cell(PRE, 1, 1, 1), "duplicate", PRE, 5, "group XQ-1: already on line 4"),
        (cell(PRE, 1, 7, "仅主要手术操作"), "unknown_value", PRE, 5, "the note '仅主要手术操作' is not understood"),
        (cell(PRE, 1, 7, "手术操作中包含39.6600，不限定为主要手术操作"), "unknown_value", PRE, 5, "39.6600"),
        (cell(PRE, 3, 7, "诊断中包含P08，不限定为主要诊断"), "unknown_value", PRE, 7, "P08"),
        (cell(PRE, 3, 5, "28天"), "unknown_value", PRE, 7, "age '28天' and weight"),
        (cell(PRE, 3, 6, "2499克以下"), "unknown_value", PRE, 7, "'2499克以下'"),
        (cell(PRE, 3, 6, ""), "empty_cell", PRE, 7, "the cell under 出生体重 is empty"),
        (changed(PRE, 2, [*NEWBORN[:5], "", "出生体重"]), "missing_column", PRE, 6, "the column '天龄' is missing"),
        (changed(PRE, -1, NEWBORN[:5]), "missing_column", PRE, 3, "the column '说明' is missing"),
        (
            changed(PRE, -1, [*NEWBORN[:5], "", "", "说明"]),
            "missing_column",
            PRE,
            3,
            "the column '主要手术操作编码' is",
        ),
        (
            header(CORE, "主要手术操作名称", "主要手术操作/相关手术操作编码"),
            "duplicate",
            CORE,
            2,
            "two columns 主要手术操作",
        ),
        (header(NO_DX, "主要诊断名称", "说明"), "unknown_column", NO_DX, 3, "'说明' is not understood in this sheet"),
        (cell(CORE, 0, 4, 39.61), "bad_value", CORE, 3, "'39.61' is no procedure"),  # 39.6100, as a number
        (cell(BURN, 0, 4, ""), "empty_cell", BURN, 4, "the cell under 其他诊断编码 is empty"),
        (cell(TUMOR, 0, 4, "C00~C75"), "bad_value", TUMOR, 3, "'C00~C75' is no prefix"),
        (cell(TUMOR, 0, 6, "99.2503，99.2800x005"), "bad_value", TUMOR, 3, "'99.2503,99.2800x005' is no procedure"),
        (cell(TB, 0, 6, "部分"), "unknown_value", TB, 3, "'部分' under 是否耐药"),
        (cell(TB, 0, 7, "见附表"), "unknown_value", TB, 3, "the rule '见附表' is not understood"),
        (cell(TB, 0, 7, "其他诊断包含U84.300"), "unknown_value", TB, 3, "is not understood"),
        (cell(RESISTANT, 0, 0, "A15|A16"), "bad_value", RESISTANT, 3, "'A15|A16' is no diagnosis"),
        (changed(RESISTANT, 0, []), "unknown_set", TB, 3, "names set 'RESISTANT'"),
        (cell(NO_DX, 1, 0, "A00.000"), "duplicate", NO_DX, 5, "already on line 4"),
        (cell(NO_PROCS, 0, 2, ""), "empty_cell", NO_PROCS, 3, "the cell under 说明 is empty"),
        (cell(NO_PROCS, 0, 2, "不予支付"), "unknown_value", NO_PROCS, 3, "the note '不予支付' is not understood"),
        (cell(NO_PROCS, 0, 2, "肿瘤作为主要诊断，可作为主要手术操作"), "bad_value", NO_PROCS, 3, "'肿瘤' is no prefix"),
        (cell(CARE, 0, 1, "51.1"), "bad_value", CARE, 3, "'51.1' is no prefix"),
    ],
)
def test_what_is_not_understood_is_refused_with_sheet_and_row(sheets, problem, sheet, row, what, tmp_path):
    path = save(tmp_path / "a.xlsx", sheets)
    with pytest.raises(SchemeError) as caught:
        Catalogue.from_workbook(path)
    assert (caught.value.problem, caught.value.file, caught.value.row) == (problem, f"{path} [{sheet}]", row)
    assert what in str(caught.value)


def test_what_is_no_such_workbook(tmp_path):
    (tmp_path / "text.xlsx").write_text("no workbook", encoding="utf-8")
    with pytest.raises(SchemeError, match="not a workbook"):
        Catalogue.from_workbook(tmp_path / "text.xlsx")
    sheets = book(**ROWS)
    del sheets[CARE]
    with pytest.raises(SchemeError, match="there is no sheet 六、基层病种. A catalogue's workbook has the sheets 一、"):
        Catalogue.from_workbook(save(tmp_path / "a.xlsx", sheets))
    with pytest.raises(SchemeError, match="there is no group"):
        Catalogue.from_workbook(save(tmp_path / "b.xlsx", book()))


@pytest.mark.parametrize("name", [SMALL, THREE, "dip-yunfu-2023"])
def test_a_folder_is_the_catalogue_again(name, tmp_path):
    catalogue = drgdip.load_catalogue(name)
    catalogue.to_folder(tmp_path / "one")
    loaded = drgdip.load_catalogue(tmp_path / "one")
    for field in ("groups", "primary_care", "matching", "excluded_dx", "excluded_procs", "types", "sets", "notes"):
        assert getattr(loaded, field) == getattr(catalogue, field), field
    loaded.to_folder(tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert (tmp_path / "one" / "groups.csv").read_bytes() == (catalogue.folder / "groups.csv").read_bytes()
    with pytest.raises(SchemeError, match="there are files already"):
        catalogue.to_folder(tmp_path / "one")


def test_what_has_changed_since_is_not_written(tmp_path):
    catalogue = Catalogue.from_workbook(save(tmp_path / "a.xlsx", book(**ROWS)))
    save(tmp_path / "a.xlsx", book(**{CORE: ROWS[CORE]}))
    with pytest.raises(SchemeError, match="have changed since a was loaded. Load it anew"):
        catalogue.to_folder(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
