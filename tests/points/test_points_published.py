"""Whole-file properties of the places' tables (G1 to G8), and what is not to be read as a weight."""

import csv
import hashlib
import importlib.util
import re
import tomllib
from pathlib import Path
from unittest.mock import patch

import pytest

import drgdip
from drgdip import data, points
from drgdip.errors import SchemeError, UnknownNameError
from drgdip.points import published

FOLDER = Path(drgdip.__file__).parent / "data" / "weights"
LISTS = [(row.place, row.year) for row in points.list_weights()]


def printed(place, year):
    """The figure as printed, placeholders too, by group."""
    rows = points.load_weights(place, year).to_pylist()
    return {row["group"]: float(row["printed"]) for row in rows if row["printed"] and "/" not in row["printed"]}


def standards(place, year, **key):
    rows = points.load_standards(place, year).to_pylist()
    return {row["group"]: row for row in rows if all(row[name] == value for name, value in key.items())}


def check(place, year, rates, coefficient=None, groups=None, **key):
    """How many groups with a standard have weight x rate x coefficient of `set_payment_standards`."""
    weight = printed(place, year)
    rows = [
        {**row, "weight": weight[group]}
        for group, row in standards(place, year, **key).items()
        if group in weight and row["standard"] and (groups is None or group in groups)
    ]
    names = {"coefficient": "coefficient"} if coefficient else {}
    found = points.set_payment_standards([{**row, "printed": row["standard"]} for row in rows], rates, **names)
    return sum(row["standard"] == pytest.approx(row["printed"], abs=0.01, rel=1e-6) for row in found), len(rows)


def flagged(place, year, flag):
    return {row["group"] for row in points.load_weights(place, year).to_pylist() if flag in row["flags"].split("|")}


def test_g1_jilin():
    weight = printed("jilin", 2022)
    assert check("jilin", 2022, [{"base_rate": 9080.56}]) == (625, 625)
    for group, row in standards("jilin", 2022).items():
        assert row["base_rate"] == 9080.56
        assert row["standard"] == pytest.approx(weight[group] * 9080.56, rel=1e-7)
        assert row["low_line"] == pytest.approx(0.35 * row["standard"], rel=1e-7)
        assert row["high_line"] == pytest.approx(2 * row["standard"], rel=1e-7)


def test_g2_wuxi():
    rates = {"1": 7782, "2": 9947, "3": 13060}
    basic = flagged("wuxi", 2022, "basic")
    others = set(printed("wuxi", 2022)) - basic
    assert (len(basic), len(others)) == (25, 577)
    layout = [{"level": level, "base_rate": rate} for level, rate in rates.items()]
    layout += [{"group": group, "base_rate": rates["1"]} for group in basic]
    for level in rates:
        assert check("wuxi", 2022, layout, groups=others, level=level) == (577, 577)
        assert check("wuxi", 2022, layout, groups=basic, level=level) == (25, 25)


@pytest.mark.parametrize(("year", "rate"), [(2022, 9435.25), (2023, 8728.30)])
def test_g3_suzhou(year, rate):
    basic = flagged("suzhou", year, "basic")
    layout = [
        {"level": level, "base_rate": rate, "coefficient": value}
        for level, value in {"1": 0.75, "2": 1.02, "3": 1.2}.items()
    ]
    layout += [{"group": group, "base_rate": rate, "coefficient": 1.02} for group in basic]
    for level in "123":
        assert check("suzhou", year, layout, level=level) == (648, 648)
        for group, row in standards("suzhou", year, level=level).items():
            assert row["coefficient"] == (1.02 if group in basic else {"1": 0.75, "2": 1.02, "3": 1.2}[level])
    assert len(basic) == 21


def test_g4_linyi():
    rates = {("3", "employee"): 9865, ("3", "resident"): 9391, ("2", "employee"): 9651, ("2", "resident"): 8501}
    layout = [{"level": level, "pool": pool, "base_rate": rate} for (level, pool), rate in rates.items()]
    for level, pool in rates:
        assert check("linyi", 2022, layout, level=level, pool=pool) == (610, 610)


@pytest.mark.parametrize(
    ("place", "year", "rate", "fitting"),
    [
        ("yancheng", 2022, 7938.236995, {"2": 557, "3": 580}),
        ("yancheng", 2023, 8227.1784, {"2": 432, "3": 516}),
        ("taizhou", 2022, 9637.0, {"2": 353}),
    ],
)
def test_g5_a_coefficient_by_group_and_level(place, year, rate, fitting):
    for level, rows in fitting.items():
        layout = [
            {"group": group, "level": level, "base_rate": rate, "coefficient": row["coefficient"]}
            for group, row in standards(place, year, level=level).items()
            if row["coefficient"]
        ]
        assert check(place, year, layout, groups={row["group"] for row in layout}, level=level) == (rows, rows)
    if (place, year) == ("yancheng", 2022):
        second, third = (standards(place, year, level=level) for level in "23")
        both = [group for group, row in second.items() if row["coefficient"] == third[group]["coefficient"] == 1]
        assert len(both) == 29


def test_g6_qingdao():
    rates = {"3 teaching": 13200, "3": 12000, "2": 9600, "1": 6960}
    layout = [{"level": level, "base_rate": rate} for level, rate in rates.items()]
    for level in rates:
        assert check("qingdao", 2023, layout, level=level) == (682, 682)
    ratios = [{"level": level, "base_rate": 12000, "coefficient": rate / 12000} for level, rate in rates.items()]
    assert [row["coefficient"] for row in ratios] == pytest.approx([1.10, 1, 0.80, 0.58])
    assert check("qingdao", 2023, ratios, level="1") == (682, 682)


def test_g7_ambiguous_groups():
    def ambiguous(place, year):
        return sum(row["group"].endswith("QY") for row in points.load_weights(place, year).to_pylist())

    assert (ambiguous("yunnan", 2022), ambiguous("wuxi", 2022), ambiguous("jilin", 2022)) == (20, 20, 19)
    without = [("xian", 2020), ("fuzhou", 2022), ("changsha", 2023), ("qingdao", 2023), ("suzhou", 2022)]
    assert [ambiguous(*place) for place in [*without, ("lanzhou", 2023)]] == [0] * 6


@pytest.mark.parametrize(
    ("place", "year", "pool", "rate", "rows"),
    [
        ("lanzhou", 2022, None, 192699.4 / 16.7413, 783),
        ("xian", 2020, None, 447413.8475 / 38.6121, 597),
        ("tongchuan", 2022, "employee", 7126.63, 596),
        ("tongchuan", 2022, "resident", 6956.38, 596),
        ("wuhan", 2022, "employee", 10618, 660),
        ("wuhan", 2022, "resident", 9800, 660),
    ],
)
def test_g8_one_rate_in_a_whole_file(place, year, pool, rate, rows):
    # The standards of Lanzhou are rounded to fen, which moves the ratio of a small weight.
    weight = printed(place, year)
    found = [
        row["standard"] / weight[group]
        for group, row in standards(place, year, pool=pool).items()
        if group in weight and row["standard"]
    ]
    assert len(found) == rows
    assert found == pytest.approx([rate] * rows, rel=1e-5)


def test_g8_yulin_prints_mean_costs():
    weight = printed("guangxi", 2022)
    rows = standards("guangxi", 2022)
    found = [rows[group]["mean_cost"] / value for group, value in weight.items() if rows[group]["mean_cost"]]
    assert len(found) == 979
    assert min(found) == pytest.approx(7988.5, abs=0.1)
    assert max(found) == pytest.approx(7991.6, abs=0.1)


@pytest.mark.parametrize(("place", "year"), LISTS)
def test_every_list_can_be_read(place, year):
    table = points.load_weights(place, year)
    groups = table["group"].to_pylist()
    assert groups == sorted(set(groups))
    for row in table.to_pylist():
        assert (row["weight"] is None) == (row["reason"] is not None)
        assert row["weight"] is None or row["weight"] > 0
        assert row["weight_status"] in {None, "stable", "unstable", "uncovered"}
        assert not (row["weight"] == 1 and row["weight_status"] == "unstable")
    entry = next(row for row in points.list_weights() if (row.place, row.year) == (place, year))
    assert entry.groups == len(groups)
    assert entry.with_weight == len(groups) - table["weight"].null_count
    assert points.load_weights(entry.place_name, year).equals(table)


def test_placeholders_are_no_weights():
    for place, year, placeholders in (("lanzhou", 2023, 182), ("nanping", 2023, 18), ("taizhou", 2022, 23)):
        rows = [row for row in points.load_weights(place, year).to_pylist() if row["printed"] == "1" and row["reason"]]
        assert len(rows) == placeholders
        assert {(row["weight"], row["weight_status"]) for row in rows} == {(None, "unstable")}
    # A 1 among weights of two decimals is a weight; the place pays by it.
    assert printed("linyi", 2022)["ES11"] == 1
    row = next(row for row in points.load_weights("linyi", 2022).to_pylist() if row["group"] == "ES11")
    assert (row["weight"], row["weight_status"]) == (1.0, "stable")


def test_a_group_listed_twice_has_no_weight():
    row = next(row for row in points.load_weights("urumqi", 2022).to_pylist() if row["group"] == "DR13")
    assert (row["weight"], row["printed"]) == (None, "0.7128 / 1.4547")


def test_uncovered_groups_of_lanzhou():
    for year, count in ((2022, 9), (2023, 22)):
        rows = points.load_weights("lanzhou", year).to_pylist()
        assert sum(row["weight_status"] == "uncovered" for row in rows) == count


def test_the_index_describes_every_file():
    with (FOLDER / "index.toml").open("rb") as file:
        index = tomllib.load(file)
    assert {f"{entry['id']}.csv" for entry in index["list"]} == {path.name for path in FOLDER.glob("*.csv")}
    plain = {"group", "name", "printed", "status", "reading", "flags", "note", "case_cap"}
    for entry in index["list"]:
        with (FOLDER / f"{entry['id']}.csv").open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
        assert set(header) - plain == {column["name"] for column in entry.get("columns", ())}
        assert {column["measure"] for column in entry.get("columns", ())} <= index["measures"].keys()
        assert entry["source"] in index["sources"]


def test_unknown_places_and_years():
    with pytest.raises(UnknownNameError, match="Did you mean 'suzhou'"):
        points.load_weights("suzhuo", 2022)
    with pytest.raises(UnknownNameError, match="There are 2022, 2023"):
        points.load_weights("suzhou", 1999)
    with pytest.raises(UnknownNameError, match="has weights only"):
        points.load_standards("yunnan", 2022)


@pytest.mark.parametrize("fault", ["digest", "count"])
def test_a_changed_file_is_refused(tmp_path, monkeypatch, fault):
    text = (FOLDER / "wuxi-2022.csv").read_text(encoding="utf-8")
    index = (FOLDER / "index.toml").read_text(encoding="utf-8")
    if fault == "digest":
        text = text.replace("31.2105", "31.2106", 1)
    else:
        index = index.replace("groups = 602", "groups = 603", 1)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "wuxi-2022.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "index.toml").write_text(index, encoding="utf-8")
    digest = hashlib.sha256(index.encode()).hexdigest()
    (tmp_path / "files.csv").write_text(f"file,sha256\nweights/index.toml,{digest}\n", encoding="utf-8")
    monkeypatch.setattr(data, "ROOT", tmp_path)
    monkeypatch.setattr(published, "ROOT", tmp_path)
    with (
        patch.dict(data.toml_of.made, clear=True),
        patch.dict(data.rows_of.made, clear=True),
        patch.dict(data._digests.made, clear=True),
        patch.dict(published._read.made, clear=True),
        pytest.raises(SchemeError, match=fault.replace("digest", "not the one").replace("count", "602 groups")),
    ):
        points.load_weights("wuxi", 2022)


def test_the_tool_rebuilds_the_index():
    path = Path(__file__).parent.parent.parent / "tools" / "build_weights_index.py"
    spec = importlib.util.spec_from_file_location("build_weights_index", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = (FOLDER / "index.toml").read_text(encoding="utf-8")
    assert tool.build(text) == text
    assert tool.build(re.sub("sha256 = .+", 'sha256 = "?"', text).replace("groups = 602", "groups = 1")) == text
