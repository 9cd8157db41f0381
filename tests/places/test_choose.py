"""Choosing a scheme by place and date."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import re

import pytest
from conftest import PLACES, SOURCE

from drgdip import (
    DrgdipError,
    SchemeChoiceError,
    UnknownNameError,
    find_catalogue,
    find_scheme,
    list_catalogues,
    list_schemes,
    load_catalogue,
    load_scheme,
)
from drgdip.grouper.choose import catalogues_of, schemes_of

NANJING = "chs-drg-2.0-nanjing-2024"


@pytest.mark.parametrize(
    "name",
    [
        "南京",
        "南京市",
        " 南京 ",
        "Nanjing",
        "nanjing",
        "NANJING",
        "320100",
        "３２０１００",
        320100,
        "3201",
        3201,
        320102,
    ],
)
def test_a_place_has_several_names(name):
    assert find_scheme(name).id == NANJING


def test_the_scheme_is_the_loaded_one():
    assert find_scheme("南京") is load_scheme(NANJING)


@pytest.mark.parametrize(
    ("place", "on", "scheme_id"),
    [
        ("聊城", None, "chs-drg-2.0-liaocheng-2025"),
        ("聊城", "2025", "chs-drg-2.0-liaocheng-2025"),
        ("聊城", "2025-01-01", "chs-drg-2.0-liaocheng-2025"),
        ("聊城", "2024-12-31", "chs-drg-1.1-liaocheng-2022"),
        ("聊城", datetime.date(2022, 1, 1), "chs-drg-1.1-liaocheng-2022"),
        ("聊城", datetime.datetime(2026, 12, 31, 7, 8, tzinfo=datetime.UTC), "chs-drg-2.0-liaocheng-2025"),
        ("邯郸", "2022-06", "chs-drg-1.1-handan-2022"),
        ("邯郸", "2025-06", "chs-drg-2.0-handan-2025"),
        ("邯郸", "2026", "chs-drg-2.0-handan-2026"),
        ("长沙", "2023", "chs-drg-1.1-changsha-2023"),
        ("430300", None, "chs-drg-2.0-hunan-2024"),
        ("长株潭衡", None, "chs-drg-2.0-hunan-2024"),
    ],
)
def test_the_newest_that_was_published_by_the_day(place, on, scheme_id):
    assert find_scheme(place, on=on).id == scheme_id


def test_none_that_old_lists_those_there_are():
    with pytest.raises(
        SchemeChoiceError,
        match="no DRG scheme of '聊城' is known for 2021-12-31; its own",
    ) as caught:
        find_scheme("聊城", on="2021")
    assert caught.value.candidates == ("chs-drg-1.1-liaocheng-2022", "chs-drg-2.0-liaocheng-2025")
    for word in (*caught.value.candidates, "2022", "CHS-DRG 聊城版（2022）"):
        assert word in str(caught.value)
    assert isinstance(caught.value, DrgdipError)


def test_schemes_that_dates_cannot_tell_apart_are_listed(monkeypatch):
    from drgdip.grouper import choose

    infos = {info.id: info for info in list_schemes() if info.place == "全国"}
    infos["chs-drg-3.0"] = dataclasses.replace(infos["chs-drg-3.0"], published="", valid_from="")
    monkeypatch.setattr(choose, "index_of", lambda _: infos)
    with pytest.raises(SchemeChoiceError, match="cannot be told apart by date") as caught:
        find_scheme("全国", on="2024")
    assert caught.value.candidates == ("chs-drg-1.0-revised", "chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0")
    assert "chs-drg-3.0, no date" in str(caught.value)


def test_schemes_of_the_same_date_are_listed():
    with pytest.raises(SchemeChoiceError, match="have the same date") as caught:
        find_scheme("全国", on="2022")
    assert "chs-drg-1.1" in caught.value.candidates
    for day, scheme_id in (("2025-01-01", "chs-drg-2.0"), ("2026-12-31", "chs-drg-2.0"), ("2027-01-01", "chs-drg-3.0")):
        assert find_scheme("全国", on=day).id == scheme_id


@pytest.mark.parametrize("on", ["", "24", "2024-13", "2024-02-30", "July 2024", "2024-07-31 to"])
def test_what_is_no_date(on):
    with pytest.raises(SchemeChoiceError, match="is no date. Give a date, or text such as 2024"):
        find_scheme("南京", on=on)


@pytest.mark.parametrize(("name", "nearest"), [("南宁啊", "南宁市"), ("Nanjin", "Nanjing"), ("哈尔滨啊", "哈尔滨市")])
def test_an_unknown_place_names_the_nearest(name, nearest):
    with pytest.raises(UnknownNameError, match=f"there is no place '{name}'") as caught:
        find_scheme(name)
    assert nearest in caught.value.nearest


@pytest.mark.parametrize("place", ["330100", 330106, "杭州", "金华市"])
def test_a_city_without_a_scheme_names_that_of_its_province(place):
    with pytest.raises(SchemeChoiceError, match="its province's latest is zj-drg-1.0-zhejiang-2022 .fallback='latest'"):
        find_scheme(place)
    assert find_scheme(place, fallback="latest").id == "zj-drg-1.0-zhejiang-2022"


LAST, FIRST = "2026-12-31", "2027-01-01"
OWN, PROVINCE = "its own latest is ", "its province's latest is "


@pytest.mark.parametrize(
    ("place", "on", "scheme", "latest", "national"),
    [
        ("全国", LAST, "chs-drg-2.0", "", ""),
        ("全国", FIRST, "chs-drg-3.0", "", ""),
        ("南京", LAST, NANJING, "", ""),
        ("南京", FIRST, None, OWN + NANJING, "chs-drg-3.0"),
        ("天津", LAST, "chs-drg-2.0-tianjin-2025", "", ""),
        ("天津", FIRST, None, OWN + "chs-drg-2.0-tianjin-2025", "chs-drg-3.0"),
        ("长春", LAST, None, OWN + "chs-drg-1.1-changchun-2022", "chs-drg-2.0"),
        ("长春", FIRST, None, OWN + "chs-drg-1.1-changchun-2022", "chs-drg-3.0"),
        ("昆明", LAST, None, PROVINCE + "chs-drg-1.1-yunnan-2023", "chs-drg-2.0"),
        ("昆明", FIRST, None, PROVINCE + "chs-drg-1.1-yunnan-2023", "chs-drg-3.0"),
        ("云南", LAST, None, OWN + "chs-drg-1.1-yunnan-2023", "chs-drg-2.0"),
        ("金华", LAST, None, PROVINCE + "zj-drg-1.0-zhejiang-2022", "chs-drg-2.0"),
        ("金华", FIRST, None, PROVINCE + "zj-drg-1.0-zhejiang-2022", "chs-drg-3.0"),
        ("浙江", FIRST, "zj-drg-1.0-zhejiang-2022", "", ""),  # it extends no national scheme and states no end
    ],
)
def test_the_day_on_which_the_national_edition_changes(place, on, scheme, latest, national):
    if scheme is not None:
        assert find_scheme(place, on=on).id == scheme
        return
    with pytest.raises(SchemeChoiceError) as caught:
        find_scheme(place, on=on)
    assert f"{latest} (fallback='latest' takes it)" in str(caught.value)
    assert f"the national one in force is {national} (fallback='national' takes it)" in str(caught.value)
    assert find_scheme(place, on=on, fallback="latest").id == latest.rpartition(" ")[2]
    assert find_scheme(place, on=on, fallback="national").id == national


@pytest.mark.parametrize("place", ["南京", "天津", "长春", "昆明", "金华", "云南"])
@pytest.mark.parametrize(("on", "national"), [(LAST, "nhsa-dip-2.0"), (FIRST, "nhsa-dip-3.0")])
def test_a_place_without_a_catalogue_names_the_national_one(place, on, national):
    assert find_catalogue("全国", on=on).id == national
    with pytest.raises(SchemeChoiceError, match=f"the national one in force is {national} .fallback='national'"):
        find_catalogue(place, on=on)
    assert find_catalogue(place, on=on, fallback="national").id == national


def test_an_unknown_fallback():
    with pytest.raises(UnknownNameError, match="there is no fallback 'newest'"):
        find_scheme("南京", fallback="newest")


@pytest.mark.parametrize("name", ["", "3", "32010", "3201000", "999999", "\x00"])
def test_nonsense_is_no_place(name):
    with pytest.raises(UnknownNameError):
        find_scheme(name)


# --- catalogues ------------------------------------------------------------------------------------------------------


def test_the_catalogue_is_the_loaded_one():
    assert find_catalogue("云浮") is load_catalogue("dip-yunfu-2023")
    assert find_catalogue("全国") is load_catalogue("nhsa-dip-3.0")


@pytest.mark.parametrize(
    ("on", "catalogue_id"), [("2024-12-31", "nhsa-dip-1.0"), ("2025-01-01", "nhsa-dip-2.0"), (None, "nhsa-dip-3.0")]
)
def test_the_newest_catalogue_of_the_day(on, catalogue_id):
    assert find_catalogue("全国", on=on).id == catalogue_id


def test_no_catalogue_that_old():
    with pytest.raises(SchemeChoiceError, match="no DIP catalogue of '全国' is known for 2019-12-31") as caught:
        find_catalogue("全国", on="2019")
    assert caught.value.candidates == ("nhsa-dip-1.0", "nhsa-dip-2.0", "nhsa-dip-3.0")


def test_a_catalogue_without_a_date_is_found_where_no_day_is_asked_for():
    with pytest.raises(SchemeChoiceError, match="catalogues of '云浮' cannot be told apart by date"):
        find_catalogue("云浮", on="2024")


def test_catalogues_of_the_same_date_are_listed(monkeypatch):
    from drgdip.grouper import choose

    infos = {info.id: dataclasses.replace(info, published="2024", valid_from="") for info in list_catalogues()}
    monkeypatch.setattr(choose, "index_of", lambda _: infos)
    with pytest.raises(SchemeChoiceError, match="catalogues of '全国' have the same date"):
        find_catalogue("全国")


def test_a_place_with_a_scheme_only_says_so():
    with pytest.raises(SchemeChoiceError, match="the place has a DRG scheme, chs-drg-2.0-nanjing-2024 .load_scheme"):
        find_catalogue("南京")


@pytest.mark.parametrize(("name", "nearest"), [("云浮啊", "云浮市"), ("Yunf", "Yunfu")])
def test_an_unknown_place_of_a_catalogue(name, nearest):
    with pytest.raises(UnknownNameError, match=f"there is no place '{name}'") as caught:
        find_catalogue(name)
    assert nearest in caught.value.nearest


@pytest.mark.parametrize("on", ["", "24", "2024-13"])
def test_what_is_no_date_of_a_catalogue(on):
    with pytest.raises(SchemeChoiceError, match="is no date"):
        find_catalogue("全国", on=on)


# --- the places ------------------------------------------------------------------------------------------------------


def rows():
    with (SOURCE / "data" / "places.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_places_are_those_of_the_schemes():
    found = rows()
    assert [row["code"] for row in found] == sorted({row["code"] for row in found})
    assert all(re.fullmatch(r"\d{6}", row["code"]) for row in found)
    assert {row["place"] for row in found} - {""} == {info.place for info in (*list_schemes(), *list_catalogues())} - {
        ""
    }
    names = [name.casefold() for row in found for name in {row["name"], row["short"], row["english"]} - {""}]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == {"吉林"}  # the province and the city
    assert {info.id for row in found for info in schemes_of(row["code"])} >= set(PLACES)
    assert {info.id for row in found for info in catalogues_of(row["code"])} == {info.id for info in list_catalogues()}


@pytest.mark.parametrize("name", ["云浮", "云浮市", "Yunfu", 445300, "445302"])
def test_a_place_with_a_catalogue_only_says_so(name):
    assert [info.id for info in catalogues_of(name)] == ["dip-yunfu-2023"]
    assert schemes_of(name) == []
    with pytest.raises(SchemeChoiceError, match="the place has a DIP catalogue, dip-yunfu-2023 .load_catalogue"):
        find_scheme(name)
