"""The strategies of places, line by line of the table that they follow, in both engines and at every door."""

from __future__ import annotations

import csv
import dataclasses
import re
import shutil
from decimal import Decimal
from random import Random

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import edited_copy
from generated import differences, table
from hypothesis import given
from hypothesis import strategies as st
from test_dip_catalogues import PLACES, SMALL
from test_dip_doors import adversarial, answers

import drgdip
from drgdip._values import Unreadable, read_fen
from drgdip.cases.table import with_fen
from drgdip.cli import main
from drgdip.grouper.dip.model import STAGES
from drgdip.grouper.dip.options import PREFERENCES, strategies

NEAREST, THREE = "nearest_mean", "nhsa-dip-3.0"

#: Line of the table, strategies that follow it, diagnosis, procedures, total cost in yuan, and the group.
EXAMPLES = [
    # Base service: five characters of the diagnosis
    ("base: five characters", "hubei", "A41.900", "11.0001", "1000", "B1"),
    ("base: five characters", "hubei", "A41.000", "11.0001", "1000", "K0"),
    # "/" is any of, "+" is all of
    ("base: any of", "hubei", "A41.900", "12.0001", "1000", "B3"),
    ("base: all of", "hubei", "A41.900", "21.0001", "9000", "K0"),
    # more "+" parts first, though another mean is nearer
    ("base: more parts", "hubei", "A41.900", "21.0001|11.0001", "1000", "B2"),
    # then more matched procedures, though another mean is nearer
    ("base: more matched", "hubei", "A41.900", "11.0001|12.0001", "1000", "B3"),
    ("base: more matched", "hubei", "A41.900", "11.0001|12.0002", "1000", "B1"),
    # then the smallest difference between the cost of the case and the mean
    ("base: nearest mean", "hubei", "A42.900", "11.0001", "1499.99", "N1"),
    ("base: nearest mean", "hubei", "A42.900", "11.0001", "1500.01", "N2"),
    ("base: nearest mean", "hubei", "A42.900", "11.0001", "-7", "N1"),
    ("base: as near as another", "hubei", "A42.900", "11.0001", "1500.00", "N1"),
    ("base: no mean is behind", "hubei", "A42.900", "11.0001", "999999", "N2"),
    ("base: no cost tells nothing", "hubei", "A42.900", "11.0001", None, "N0"),
    # then the type: core before primary-care, surgery before therapeutic before diagnostic
    ("base: core surgery", "hubei", "A43.900", "31.0001|21.0001|11.0001", "500", "S1"),
    ("base: primary-care surgery", "hubei", "A43.900", "31.0001|21.0001|11.0002", "500", "S2"),
    ("base: core therapeutic", "hubei", "A43.900", "31.0001|21.0001", "500", "T1"),
    ("base: primary-care therapeutic", "hubei", "A43.900", "31.0001|21.0002", "500", "T2"),
    ("base: core diagnostic", "hubei", "A43.900", "31.0001|99.0001", "500", "D1"),
    ("base: primary-care diagnostic", "hubei", "A43.900", "31.0002|99.0001", "500", "D2"),
    ("base: no type", "hubei", "A43.900", "99.0001", "500", "O1"),
    ("base: primary-care conservative", "hubei", "A43.900", "", "500", "V2"),
    # Jingzhou: no unmatched procedure, then the highest score
    ("jingzhou: nothing unmatched", "jingzhou", "A44.900", "11.0001|21.0001", "5000", "J2"),
    ("jingzhou: highest score", "jingzhou", "A44.900", "11.0001|21.0001|31.0001", "1000", "J3"),
    # Jining and Tai'an: all listed procedures, the principal one first, match count, nearest mean
    ("jining: all required", "jining taian", "A45.900", "11.0001", "1000", "K0"),
    ("jining: principal first", "jining taian", "A45.900", "11.0001|21.0001", "2000", "G1"),
    ("jining: principal first", "jining taian", "A45.900", "21.0001|11.0001", "1000", "G2"),
    ("jining: match count", "jining taian", "A45.900", "21.0001|31.0001", "1000", "G3"),
    ("jining: nearest mean", "jining taian", "A45.900", "21.0001", "1500.00", "G2"),  # the means are 1000.00, 2000.01
    ("jining: nearest mean", "jining taian", "A45.900", "21.0001", "1500.01", "G3"),
    # Yichang: a surgery that is not matched and a mixed group of surgery
    ("yichang: unmatched surgery", "yichang", "A47.900", "11.0001|13.0001", "1000", "YM"),
    ("yichang: unmatched surgery", "hubei", "A47.900", "11.0001|13.0001", "1000", "Y1"),
    ("yichang: intervention", "yichang", "A47.900", "11.0001|51.0001", "1000", "YM"),
    ("yichang: primary-care group", "yichang", "A47.900", "12.0001|13.0001", "1000", "YM"),
    ("yichang: all surgery matched", "yichang", "A47.900", "11.0001", "1000", "Y1"),
    ("yichang: unmatched other", "yichang", "A47.900", "11.0001|21.0001|99.0001", "1000", "Y1"),
    ("yichang: no mixed surgery", "yichang", "A48.900", "11.0001|13.0001", "1000", "Y3"),
    # Xiangyang and Jingmen: four to six characters begin a procedure, and whole codes win
    ("xiangyang: four characters", "xiangyang jingmen", "E11.900", "47.0199x001", "1000", "X1"),
    ("xiangyang: six characters", "xiangyang jingmen", "E11.900", "48.0100", "1000", "X4"),
    ("xiangyang: three characters", "xiangyang jingmen", "E11.900", "49.0100", "1000", "K0"),
    ("xiangyang: whole first", "xiangyang jingmen", "E11.900", "47.0100", "1000", "X2"),
    ("xiangyang: whole first", "xiangyang jingmen", "E11.900", "47.0100|54.2100", "1000", "X2"),
    ("xiangyang: then the base", "xiangyang jingmen", "E11.900", "47.0199|54.2100", "1000", "X3"),
    ("xiangyang: two of those", "xiangyang jingmen", "E12.900", "47.0199|47.0100", "1000", "X6"),
    ("xiangyang: one is not two", "xiangyang jingmen", "E12.900", "47.0100", "1000", "K0"),
    ("xiangyang: whole codes else", "hubei", "E11.900", "47.0199x001", "1000", "K0"),
    ("xiangyang: whole codes else", "hubei", "E11.900", "47.0", "1000", "X1"),
    # Xiaogan: core, primary-care, mixed, blank
    ("xiaogan: core", "xiaogan", "G20.900", "11.0001|21.0001", "1000", "P2"),
    ("xiaogan: core", "xiaogan", "G21.900", "11.0001|21.0001", "1000", "Q2"),  # flagged, not of a kind of its own
    ("xiaogan: flags tell else", "hubei", "G21.900", "11.0001|21.0001", "2000", "Q1"),
    ("xiaogan: primary-care", "xiaogan", "A47.900", "12.0001", "1000", "Y2"),
    ("xiaogan: mixed", "xiaogan", "G20.900", "12.0001", "1000", "P3"),
    ("xiaogan: blank", "xiaogan", "G20.900", "41.0001", "1000", "K0"),
    ("xiaogan: blank", "xiaogan", "G20.900", "no type", "1000", "K0"),
    ("xiaogan: blank", "xiaogan", "Z99.900", "", "1000", "K0"),
    # Mixed look-up, under every strategy: three, two, one character, a range, any diagnosis
    ("mixed: three characters", "national xiaogan yichang", "C34.900", "11.0001", "1", "L1"),
    ("mixed: two characters", "national xiaogan yichang", "C35.900", "11.0001", "1", "L2"),
    ("mixed: one character", "national xiaogan yichang", "C40.900", "11.0001", "1", "L3"),
    ("mixed: chapter", "national xiaogan yichang", "D10.900", "11.0001", "1", "L4"),
    ("mixed: chapter", "national xiaogan yichang", "C34.900", "", "1", "L5"),
    ("mixed: letter before range", "national xiaogan yichang", "D10.900", "31.0001", "1", "F5"),
    ("mixed: not by its range", "national xiaogan yichang", "C34.900", "31.0001", "1", "L0"),
    ("mixed: any", "national xiaogan yichang", "C35.900", "31.0001", "1", "L6"),
    # Surgical level: procedures of the levels 3 and 4 have tier 3 in the list
    ("level 1", "national xiaogan yichang", "F20.900", "11.0001", "1", "F1"),
    ("level 2", "national xiaogan yichang", "F20.900", "11.0002|11.0001", "1", "F2"),
    ("level 3", "national xiaogan yichang", "F20.900", "12.0001", "1", "F3"),
    ("level 4", "national xiaogan yichang", "F20.900", "13.0001|11.0002", "1", "F3"),
    ("no level", "national xiaogan yichang", "F20.900", "14.0001", "1", "K0"),
    # National text: most related procedures that are all there, else the principal one, a tie to the order
    ("national: more parts", "national", "A41.900", "11.0001|21.0001", "1000", "B2"),
    ("national: else the principal", "national", "A41.900", "11.0001|31.0001", "9000", "B1"),
    ("national: a tie", "national", "A42.900", "11.0001", "2000", "N0"),
]
_EACH = [(line, name, *rest) for line, names, *rest in EXAMPLES for name in names.split()]


@pytest.mark.parametrize(("line", "strategy", "dx", "procs", "cost", "expected"), _EACH, ids=str)
def test_each_line_of_the_table(line, strategy, dx, procs, cost, expected):
    case = {"dx": dx, "procs": procs, "total_cost": cost}
    catalogue = drgdip.load_catalogue(PLACES, strategy=strategy)
    assert drgdip.group_one(case, catalogue).group == expected, line
    assert drgdip.group([case], catalogue, engine="columnar")[0]["group"] == expected, line


def test_every_strategy_has_an_example():
    assert {strategy for _, strategy, *_ in _EACH} == set(strategies())


def test_kinds_and_flags_of_primary_care_and_blank_groups():
    xiaogan = drgdip.load_catalogue(PLACES)
    results = [drgdip.group_one({"dx": "A47.900", "procs": procs}, xiaogan) for procs in ("12.0001", "41.0001")]
    assert [result[:4] for result in results] == [
        ("Y2", "primary-care", "surgery", True),
        ("K0", "blank", "other-procedure", False),
    ]
    assert next(group for group in xiaogan.groups if group.code == "K0").score == "0"


# Options, and how strategies set them


def test_a_strategy_sets_its_options_and_those_beside_it_go_first():
    loaded = drgdip.load_catalogue(PLACES)
    assert (loaded.matching.strategy, loaded.matching.stages) == ("xiaogan", STAGES)
    assert loaded.matching.prefer == strategies()["xiaogan"]["prefer"]
    other = drgdip.load_catalogue(PLACES, strategy="yichang", prefer=["order"], untyped="ignore")
    assert (other.matching.prefer, other.matching.unnamed_surgery) == (("order",), "mixed")
    assert (other.matching.stages, other.matching.untyped) == (STAGES, "ignore")  # as they were
    assert drgdip.load_catalogue(other, short_codes="prefix").matching.prefer == ("order",)
    assert drgdip.load_catalogue(other, strategy="jingzhou").matching.prefer == strategies()["jingzhou"]["prefer"]


@pytest.mark.parametrize("engine", ["reference", "columnar"])
@pytest.mark.parametrize(("code", "group"), [("36.06", "M"), ("=36.06", None), ("=36.06x", None), ("36.0601", "C")])
def test_a_sign_before_a_code_makes_it_another(tmp_path, engine, code, group):
    """Short codes stand for what begins so: no code is taken for one that lists name whole."""
    folder = shutil.copytree(SMALL, tmp_path / "small")
    head = (folder / "groups.csv").read_text(encoding="utf-8").splitlines()[0]
    rows = (head, "C,core,A41,36.060,,,,,,,,,,,", "M,mixed,A41,*,,,,,surgery,,,,,,", "")
    (folder / "groups.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "procedure_types.csv").write_text("code,type,tier\n36.06,surgery,\n", encoding="utf-8")
    options = (folder / "catalogue.toml").read_text(encoding="utf-8")
    (folder / "catalogue.toml").write_text(re.sub(r"\[counts\][^\[]*", "[counts]\n", options), encoding="utf-8")
    catalogue = drgdip.load_catalogue(folder, short_codes="prefix")
    assert drgdip.group([{"dx": "A41.900", "procs": code}], catalogue, engine=engine)[0]["group"] == group


@pytest.mark.parametrize("strategy", ["", *strategies()])
@pytest.mark.parametrize("before", strategies())
def test_another_strategy_goes_without_what_the_one_before_set(before, strategy):
    loaded = drgdip.load_catalogue(drgdip.load_catalogue(PLACES, strategy=before), strategy=strategy).matching
    given = strategies().get(strategy, {})
    assert loaded.unnamed_surgery == given.get("unnamed_surgery", "core")
    assert loaded.short_codes == given.get("short_codes", "whole")


def test_a_catalogue_whose_groups_ask_for_several_procedures_has_no_principal_one():
    with pytest.raises(drgdip.SchemeError, match=r"'principal', and B2 asks for more than one") as caught:
        drgdip.load_catalogue(PLACES, procedures="principal")
    assert caught.value.problem == "bad_value"


@pytest.mark.parametrize("strategy", strategies())
def test_a_strategy_does_without_means_where_there_are_none(strategy):
    matching = drgdip.load_catalogue("dip-yunfu-2023", strategy=strategy).matching
    asked = strategies()[strategy]["prefer"]
    assert matching.prefer == tuple(name for name in asked if name != NEAREST)
    assert not matching.reads_cost


def test_who_asks_for_the_nearest_mean_by_name_must_have_means():
    with pytest.raises(drgdip.SchemeError, match=r"Add statistics\.csv with the means") as caught:
        drgdip.load_catalogue("nhsa-dip-2.0", prefer=[NEAREST, "order"])
    assert caught.value.problem == "missing_file"
    assert caught.value.file.endswith("statistics.csv")


def test_groups_of_stages_that_are_left_out_take_no_case():
    """The stages may be had otherwise for one run; both engines pass over the other groups."""
    cases = [{"dx": "I21.001", "procs": "36.0601"}, {"dx": "M19.001", "procs": "81.5600"}]
    assert taken(drgdip.group(cases, THREE)) == [("BX-623", None), ("JC-3953", None)]
    core = drgdip.load_catalogue(THREE, stages=["core"])
    assert core.variables == frozenset()
    for engine in ("reference", "columnar"):
        grouped = drgdip.group(cases, core, engine=engine)
        assert taken(grouped) == [(None, "no_treatment_group"), ("JC-3953", None)]


#: Problem, file, line, what is edited, and what the message says.
FAULTS = [
    ("bad_value", "catalogue.toml", None, ('strategy = "xiaogan"', 'strategy = "wuhan"'), "Give national or hubei"),
    ("bad_value", "catalogue.toml", None, ('strategy = "xiaogan"', 'strategy = ["hubei"]'), "Give a text"),
    ("missing_key", "catalogue.toml", None, ('strategy = "xiaogan"\n', ""), "'stages' is missing"),
    ("missing_key", "catalogue.toml", None, ('strategy = "xiaogan"', 'strategy = "hubei"'), "'stages' is missing"),
    ("bad_value", "catalogue.toml", None, ("[notes]", 'prefer = "hubei"\n[notes]'), "Give a list of texts"),
    (
        "bad_value",
        "catalogue.toml",
        None,
        ("[notes]", 'prefer = [["order"]]\n[notes]'),
        "Give each once, of most_terms",
    ),
    ("bad_value", "catalogue.toml", None, ("[notes]", 'prefer = ["cheapest"]\n[notes]'), "nearest_mean"),
    ("bad_value", "catalogue.toml", None, ("[notes]", 'unnamed_surgery = "no"\n[notes]'), "Give core or mixed"),
    ("bad_value", "catalogue.toml", None, ("[notes]", 'short_codes = "4"\n[notes]'), "Give whole or prefix"),
    ("unknown_value", "groups.csv", 2, ("B1,core", "B1,primary"), "primary-care, mixed, blank"),
    ("unknown_value", "groups.csv", 51, ("K0,blank,*,*,,,,,", "K0,blank,*,*,,,,,surgery"), "treatment 'surgery' of K0"),
    ("bad_value", "groups.csv", 42, ("L2,mixed,C3,", "L2,mixed,C3.,"), "Write A41.9, A46.x, A41, A4, A"),
    ("unknown_value", "statistics.csv", 2, ("B1,15", "B9,15"), "'B9' is no group of groups.csv"),
    ("bad_number", "statistics.csv", 2, ("1000.00", "1e3"), "mean '1e3' of B1 is no amount"),
    ("bad_number", "statistics.csv", 2, ("1000.00", "-1000"), "Write yuan, as 12345.67"),
    ("bad_number", "statistics.csv", 2, ("1000.00", "10000000000000"), "is no amount"),
    ("empty_cell", "statistics.csv", 2, ("1000.00", ""), "column 'mean' is empty"),
]


@pytest.mark.parametrize(("problem", "file", "line", "edit", "said"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_named_with_file_and_line(tmp_path, problem, file, line, edit, said):
    folder = edited_copy(PLACES, tmp_path / "bad", file, edit)
    with pytest.raises(drgdip.SchemeError) as caught:
        drgdip.load_catalogue(folder)
    assert (caught.value.problem, caught.value.file, caught.value.row) == (problem, str(folder / file), line)
    assert said in str(caught.value)


def test_statistics_are_not_read_where_nobody_asks(tmp_path):
    folder = shutil.copytree(PLACES, tmp_path / "odd")
    path = folder / "statistics.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("1000.00", "many"), encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match="'many'"):
        drgdip.load_catalogue(folder)
    head = folder / "catalogue.toml"
    plain = head.read_text(encoding="utf-8").replace("[notes]", 'prefer = ["order"]\n[notes]')
    head.write_text(plain, encoding="utf-8")
    loaded = drgdip.load_catalogue(folder)
    with pytest.raises(drgdip.SchemeError, match="'many'"):
        drgdip.load_catalogue(loaded, strategy="hubei")


# Twins

_DX = ["A41.900", "A42.9", "A43.900", "A44.900", "A45.900", "A47.900", "A48.900", "E11.900", "E12.900", "G20.900"]
_DX += [
    "G21.900",
    "C34.900",
    "C35",
    "C40.900",
    "D10.900",
    "D49.900",
    "F20.900",
    "F29",
    "Z99.900",
    "C3",
    None,
    "",
    "nonsense",
]
_PROCS = ["11.0001", "11.0002", "12.0001", "13.0001", "14.0001", "15.0001", "21.0001", "21.0002", "31.0001", "31.0002"]
_PROCS += ["41.0001", "51.0001", "99.0001", "47.0100", "47.0", "47.01", "47.0199x001", "48.010", "48.0100", "49."]
_PROCS += ["54.2100", "54.2", "no such procedure", None, "-"]
_COSTS = [None, "", "500", "999.995", "1000", "1499.99", "1500", "1500.00", "1500.005", "1500.01", "5000", "5000.01"]
_COSTS += ["0", "-1500", "9999999999999.99", "10000000000000", "1e3", "dear"]


def costed(records):
    """Cases with the costs as texts, as files have them."""
    plain = table([record | {"total_cost": None} for record in records])
    costs = pa.array([record["total_cost"] for record in records], pa.string())
    return plain.set_column(plain.column_names.index("total_cost"), "total_cost", costs)


@pytest.fixture(scope="module")
def mixture():
    """Diagnoses, procedures and costs of the catalogue at random, with what no catalogue has."""
    random = Random(5)
    return costed(
        [
            {
                "dx": [random.choice(_DX), *random.sample(_DX, random.randint(0, 2))],
                "procs": [random.choice(_PROCS) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 5)))],
                "total_cost": random.choice(_COSTS),
            }
            for _ in range(20_000)
        ]
    )


@pytest.fixture(scope="module")
def related(tmp_path_factory):
    """The catalogue of these tests with all but the first procedure asked for in ``related``."""
    folder = shutil.copytree(PLACES, tmp_path_factory.mktemp("related") / "places")
    rows = list(csv.DictReader((folder / "groups.csv").read_text(encoding="utf-8").splitlines()))
    with (folder / "groups.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            first, _, others = row["procedures"].partition("+")
            writer.writerow(row | {"procedures": first, "related": others})
    return folder


@pytest.mark.parametrize("procedures", ["principal", "any"])
@pytest.mark.parametrize("strategy", strategies())
def test_the_engines_agree_on_related_procedures(mixture, related, strategy, procedures):
    catalogue = drgdip.load_catalogue(related, strategy=strategy, procedures=procedures)
    assert differences(mixture.slice(0, 4_000), catalogue)[:3] == []


@pytest.mark.parametrize("strategy", strategies())
def test_in_any_order_it_does_not_matter_which_procedures_are_called_related(mixture, related, strategy):
    one, other = (drgdip.load_catalogue(folder, strategy=strategy, procedures="any") for folder in (PLACES, related))
    assert drgdip.group(mixture, one)["group"].to_pylist() == drgdip.group(mixture, other)["group"].to_pylist()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"untyped": "ignore", "interventional": "therapeutic"},
        {"short_codes": "prefix", "unnamed_surgery": "mixed"},
        {"short_codes": "prefix", "untyped": "ignore", "procedure_types": "opendip-2023"},
        {"stages": ["mixed", "core"], "unnamed_surgery": "mixed"},
        {"stages": ["primary-care", "core", "blank"], "unnamed_surgery": "mixed"},
    ],
    ids=str,
)
@pytest.mark.parametrize("strategy", strategies())
def test_the_engines_agree_on_every_strategy(mixture, strategy, options):
    catalogue = drgdip.load_catalogue(PLACES, **{"strategy": strategy} | options)
    cases = mixture if not options else mixture.slice(0, 4_000)
    assert differences(cases, catalogue)[:3] == []


def test_the_mixture_reaches_every_group_and_tells_the_strategies_apart(mixture):
    found = {
        name: drgdip.group(mixture, drgdip.load_catalogue(PLACES, strategy=name))["group"].to_pylist()
        for name in strategies()
    }
    groups = {group.code for group in drgdip.load_catalogue(PLACES).groups}
    assert set().union(*found.values()) == {None, *groups} - {"P1"}  # whose cases the core group P2 takes
    assert len({tuple(taken) for taken in found.values()}) == len(strategies()) - 2  # two pairs are alike
    assert found["jining"] == found["taian"]
    assert found["xiangyang"] == found["jingmen"]


@given(
    cases=st.lists(
        st.fixed_dictionaries(
            {
                "dx": st.none() | st.lists(st.sampled_from(_DX), max_size=3),
                "procs": st.none() | st.lists(st.sampled_from(_PROCS), max_size=6),
                "total_cost": st.sampled_from(_COSTS),
            }
        ),
        min_size=1,
        max_size=20,
    ),
    prefer=st.permutations(list(PREFERENCES)),
    unnamed_surgery=st.sampled_from(["core", "mixed"]),
    short_codes=st.sampled_from(["whole", "prefix"]),
    procedures=st.sampled_from(["principal", "any"]),
    stages=st.permutations(list(STAGES[1:])),
)
def test_the_engines_agree_on_anything(related, cases, **options):
    catalogue = drgdip.load_catalogue(related, **options)
    assert differences(costed(cases), catalogue) == []


@pytest.fixture(scope="module", params=["dip-luoyang-2023", "dip-nanyang-2023", "nhsa-dip-1.0", "nhsa-dip-2.0", THREE])
def published(request, tmp_path_factory):
    """A published catalogue with means of a few values, and cases whose costs are as near to two of them as can be."""
    catalogue, random = drgdip.load_catalogue(request.param), Random(request.param)
    folder = shutil.copytree(catalogue.folder, tmp_path_factory.mktemp("published") / "mine")
    with (folder / "statistics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["group", "n", "mean", "cv"])
        rows = [group.code for group in catalogue.groups if random.random() < 0.9]
        writer.writerows([code, 20, random.choice(("1000.00", "2000", "2000.01", "3333.33")), 0.5] for code in rows)
    records = adversarial(drgdip.load_catalogue(catalogue, short_codes="prefix"), 2_000)
    costs = (None, "1000", "1500", "1500.00", "1500.01", "2000.01", "2666.67", "9")
    return drgdip.load_catalogue(folder), costed([one | {"total_cost": random.choice(costs)} for one in records])


@pytest.mark.parametrize("strategy", [name for name in strategies() if name not in {"taian", "jingmen"}])  # as jining's
def test_the_engines_agree_on_published_catalogues_with_means(published, strategy):
    catalogue = drgdip.load_catalogue(published[0], strategy=strategy)
    assert catalogue.matching.reads_cost is (NEAREST in strategies()[strategy]["prefer"])
    assert differences(published[1], catalogue)[:3] == []


# Properties


@pytest.mark.parametrize("strategy", strategies())
def test_other_diagnoses_and_the_order_of_other_procedures_do_not_matter(mixture, strategy):
    catalogue = drgdip.load_catalogue(PLACES, strategy=strategy)
    rows = mixture.slice(0, 3_000).to_pylist()
    expected = drgdip.group(costed(rows), catalogue)
    changed = []
    for row in rows:
        dx = [*row["dx"][:1], "no such diagnosis", *row["dx"][:0:-1], *row["dx"][1:]]
        changed.append(row | {"dx": dx, "procs": row["procs"][:1] + row["procs"][:0:-1]})
    assert answers(drgdip.group(costed(changed), catalogue)) == answers(expected)


@given(cost=st.integers(-(10**12), 10**12))
def test_the_nearest_mean_is_the_nearest(cost):
    catalogue = drgdip.load_catalogue(PLACES, prefer=[NEAREST])
    case = {"dx": "A42.900", "procs": "11.0001", "total_cost": str(Decimal(cost).scaleb(-2))}
    expected = "N1" if abs(cost - 100_000) <= abs(cost - 200_000) else "N2"
    assert drgdip.group_one(case, catalogue).group == expected
    assert drgdip.group([case], catalogue, engine="columnar")[0]["group"] == expected


# Total costs at the doors


@pytest.mark.parametrize(
    ("written", "fen"),
    [
        ("12345.67", 1_234_567),
        (" １２.5 ", 1_250),
        (12345.67, 1_234_567),
        (0.1 + 0.2, 30),
        (1.005, 101),  # the decimal that it prints as, not the binary fraction below it
        ("1.005", 101),
        ("-1.005", -101),
        (Decimal("7.115"), 712),
        (3, 300),
        (np.float32(12.5), 1_250),
        (np.int64(3), 300),
        (None, None),
        ("", None),
        ("-", None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        ("9999999999999.99", 999_999_999_999_999),
        (9999999999999.99, 999_999_999_999_999),
    ],
)
def test_an_amount_is_read_in_whole_fen(written, fen):
    assert read_fen(written) == fen


@pytest.mark.parametrize(
    "written", ["1e3", "12,345.67", "dear", "10000000000000", 1e13, float("inf"), Decimal("Infinity"), True, b"1", []]
)
def test_what_is_no_amount(written):
    with pytest.raises(Unreadable):
        read_fen(written)


_FLOATS = st.floats() | st.integers(-(10**9), 10**9).map(lambda fen: fen / 100)
_DECIMALS = st.integers(-(10**15) - 100, 10**15 + 100).map(lambda fen: Decimal(fen) / 100)


@given(
    st.tuples(st.just(pa.float64()), st.lists(st.none() | _FLOATS, max_size=20))
    | st.tuples(st.just(pa.decimal128(18, 2)), st.lists(st.none() | _DECIMALS, max_size=20))
)
def test_a_column_of_numbers_is_read_as_each_of_them_is(column):
    kind, values = column
    cases = pa.table({"total_cost": pa.array(values, kind), "unreadable": pa.nulls(len(values), pa.string())})
    read = with_fen(cases)
    for value, fen, mark in zip(values, read["total_cost"].to_pylist(), read["unreadable"].to_pylist(), strict=True):
        try:
            assert (fen, mark) == (read_fen(value), None)
        except Unreadable:
            assert (fen, mark) == (None, "total_cost")


HUBEI = {"strategy": "hubei"}
_WRITTEN = ["1499.99", "1500.01", None, "dear"]
_TAKEN = [("N1", None), ("N2", None), ("N0", None), (None, "unreadable_total_cost")]


def near(costs):
    return [{"dx": "A42.900", "procs": "11.0001", "total_cost": cost} for cost in costs]


def taken(rows):
    return [(row["group"], row["reason"]) for row in rows]


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_the_cost_at_every_door(engine):
    hubei = drgdip.load_catalogue(PLACES, **HUBEI)
    records = near(_WRITTEN)
    assert taken(drgdip.group(records, hubei, engine=engine)) == _TAKEN
    arrow = pa.Table.from_pylist(records)
    assert taken(drgdip.group(arrow, hubei, engine=engine).to_pylist()) == _TAKEN
    assert taken(drgdip.group(pl.DataFrame(arrow), hubei, engine=engine).to_dicts()) == _TAKEN
    stream = pa.RecordBatchReader.from_batches(arrow.schema, arrow.to_batches(3))
    assert taken(drgdip.group(stream, hubei, engine=engine).read_all().to_pylist()) == _TAKEN
    assert taken(drgdip.group(drgdip.encode(arrow, hubei), hubei, engine=engine).to_pylist()) == _TAKEN
    for values in ([1499.99, 1500.01, None], [Decimal("1499.99"), Decimal("1500.01"), None]):
        assert taken(drgdip.group(near(values), hubei, engine=engine)) == _TAKEN[:3]
    frame = pd.DataFrame({"dx": "A42.900", "procs": "11.0001", "总费用": [1499.99, 1500.01, np.nan]})
    assert drgdip.group(frame, hubei, engine=engine)["group"].tolist() == ["N1", "N2", "N0"]
    named = pa.table({"dx": ["A42.900"], "procs": ["11.0001"], "Summe": ["1500.01"]})
    assert taken(drgdip.group(named, hubei, columns={"total_cost": "Summe"}, engine=engine).to_pylist()) == _TAKEN[1:2]
    marked = pa.table({"dx": ["A42.900"], "procs": ["11.0001"], "unreadable": ["total_cost"]})
    assert taken(drgdip.group(marked, hubei, engine=engine).to_pylist()) == _TAKEN[3:]
    without = [{"dx": "A42.900", "procs": "11.0001"}]
    assert taken(drgdip.group(without, hubei, engine=engine)) == _TAKEN[2:3]


def test_the_cost_of_one_case():
    hubei = drgdip.load_catalogue(PLACES, **HUBEI)
    results = [drgdip.group_one(case, hubei) for case in near(_WRITTEN)]
    assert [(result.group, result.reason) for result in results] == _TAKEN
    assert drgdip.group_one(drgdip.Case(**near(["1500.01"])[0]), hubei).group == "N2"


def test_batches_have_the_cost():
    hubei = drgdip.load_catalogue(PLACES, **HUBEI)
    batches = pa.Table.from_pylist(near(_WRITTEN)).to_batches(2)
    grouped = list(drgdip.group_batches(hubei)(iter(batches)))
    assert taken(pa.Table.from_batches(grouped).to_pylist()) == _TAKEN


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_a_cost_that_nobody_asks_for_is_not_read(engine):
    jingzhou = drgdip.load_catalogue(PLACES, strategy="jingzhou")
    assert taken(drgdip.group(near(_WRITTEN), jingzhou, engine=engine)) == [("N0", None)] * 4
    assert drgdip.group_one(near(["dear"])[0], "nhsa-dip-2.0").status != "invalid"


def test_cases_encoded_for_another_strategy_keep_their_costs():
    plain, hubei = drgdip.load_catalogue(PLACES, strategy="national"), drgdip.load_catalogue(PLACES, **HUBEI)
    encoded = drgdip.encode(near(_WRITTEN), plain)
    assert taken(drgdip.group(encoded, hubei).to_pylist()) == _TAKEN


def test_the_command_line_reads_the_cost(tmp_path, capsys):
    folder = shutil.copytree(PLACES, tmp_path / "mine")
    head = folder / "catalogue.toml"
    head.write_text(head.read_text(encoding="utf-8").replace("places", "mine"), encoding="utf-8")
    path, out = tmp_path / "cases.csv", tmp_path / "out.csv"
    lines = [f"{at},A42.900,11.0001,{cost or ''}" for at, cost in enumerate(_WRITTEN)]
    path.write_text("\n".join(["case_id,dx,procs,住院总费用", *lines, ""]), encoding="utf-8")
    assert main(["group", str(path), "--scheme", str(folder), "-o", str(out)]) == 0
    with out.open(encoding="utf-8") as file:
        assert [(row["group"] or None, row["reason"] or None) for row in csv.DictReader(file)] == _TAKEN
    assert "total cost is not an amount in yuan" in capsys.readouterr().out
    assert main(["explain", str(path), "--case", "1", "--scheme", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "total cost: 1500.01 yuan" in said
    assert "fits, but another is preferred: its mean cost is nearer to the cost of the case" in " ".join(said.split())


# Traces


def test_a_trace_says_what_put_a_group_behind():
    trace = drgdip.explain(near(["1500.01"])[0], drgdip.load_catalogue(PLACES, **HUBEI))
    behind = {step.code: step.behind for step in trace.steps}
    assert behind == {"N0": NEAREST, "N1": NEAREST, "N2": None}
    assert trace.case["total_cost"] == "1500.01"
    assert "总费用：1500.01 元" in trace.text("zh")
    assert "符合，但另有优先病种：次均费用与本例总费用更接近" in trace.text("zh")
    yichang = drgdip.load_catalogue(PLACES, strategy="yichang")
    trace = drgdip.explain({"dx": "A47.900", "procs": "11.0001|13.0001"}, yichang)
    assert [(step.code, step.holds, step.behind) for step in trace.steps] == [
        ("Y1", False, "unnamed_surgery"),
        ("YM", True, None),
        ("L6", False, None),
    ]
    for stages, order in ((["core", "mixed"], ["Y3", "Y4", "L6"]), (["mixed", "core"], ["Y4", "L6", "Y3"])):
        first = drgdip.load_catalogue(PLACES, strategy="yichang", stages=stages)
        trace = drgdip.explain({"dx": "A48.900", "procs": "11.0001|13.0001"}, first)
        assert [step.code for step in trace.steps] == order  # each once
    tie = drgdip.explain(near(["1500"])[0], drgdip.load_catalogue(PLACES, **HUBEI))
    assert {step.code: step.behind for step in tie.steps} == {"N0": NEAREST, "N1": None, "N2": "order"}


@pytest.mark.parametrize("strategy", strategies())
def test_a_trace_gives_what_grouping_gives(mixture, strategy):
    catalogue = drgdip.load_catalogue(PLACES, strategy=strategy)
    for case in mixture.slice(0, 300).to_pylist():
        trace = drgdip.explain(case, catalogue)
        assert trace.result == drgdip.group_one(case, catalogue)
        kept = [step for step in trace.steps if step.holds]
        assert [step.code for step in kept] == ([trace.result.group] if trace.result.group else [])
        fitting = [step for step in trace.steps if all(one.holds for one in step.conditions)]
        assert all(step.holds is (step.behind is None) for step in fitting)
        trace.to_json()


# A catalogue built upon one with a strategy


def test_what_is_built_upon_a_strategy_loads_and_may_have_it_again(related, tmp_path):
    history = [{"dx": ["A42.900"], "procs": ["11.0001"], "total_cost": cost} for cost in (1000, 2000) * 20]
    base = drgdip.load_catalogue(related, strategy="hubei", procedures="principal")
    head = {"id": "mine", "title": "本地目录", "issuer": "本地"}
    built = drgdip.build_catalogue(history, tmp_path / "mine", base=base, threshold=15, **head)
    assert (built.matching.strategy, built.matching.reads_cost) == ("hubei", False)
    assert drgdip.load_catalogue(tmp_path / "mine").matching == built.matching
    assert drgdip.load_catalogue(built, strategy="hubei").matching.reads_cost


def test_synthetic_cases_are_made_for_short_codes_and_two_characters():
    catalogue = drgdip.load_catalogue(PLACES, strategy="xiangyang")
    grouped = drgdip.group(drgdip.sample_cases(3_000, catalogue, seed=1), catalogue)["group"].to_pylist()
    assert {"X1", "X3", "X4", "L2", "K0"} <= set(grouped)


def test_the_small_catalogue_is_as_it_was():
    assert drgdip.load_catalogue(SMALL).matching.prefer == ("most_terms", "longest_dx", "order")
    assert dataclasses.asdict(drgdip.load_catalogue(SMALL).matching)["unnamed_surgery"] == "core"
