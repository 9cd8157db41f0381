"""Every place: equal to its full tables row for row, in agreement with its deck, the same in both engines."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict

import pytest
from conftest import ANSWER, DATA, GOLDEN, LOCAL, PLACES, SOURCE, answer_of, question_of, read_deck, rows_of

from drgdip import find_scheme, group, group_one, list_schemes, load_scheme
from drgdip.grouper.drg.reach import why_unreachable
from drgdip.grouper.drg.witness import near_misses, reached, targets, witness
from drgdip.grouper.drg.writing import table_rows
from drgdip.grouper.result import GroupResult
from drgdip.grouper.tables import COLUMNS

DRG = SOURCE / "data" / "drg"
WITH_DECKS = [place for place in PLACES if (GOLDEN / f"{place}.csv.gz").exists()]
SEED, TRIES = 20261121, 400


#: Number of rows and SHA-256 of the sorted rows of each full table, as tools/correct_scheme.py found them.
FULL = defaultdict(dict)
for _row in rows_of(DATA / "places.csv"):
    FULL[_row["scheme"]][_row["table"]] = (int(_row["rows"]), _row["sha256"])


def test_there_are_forty_seven_places():
    assert len(PLACES) == 47
    assert set(FULL) == set(LOCAL)
    assert len(WITH_DECKS) == 17


@pytest.mark.parametrize("place", LOCAL)
def test_a_place_equals_its_full_tables_row_for_row(place):
    scheme = load_scheme(place)
    rows = table_rows(scheme)
    for name in ("mdc.csv", "adrg.csv", "drg.csv"):  # as they are written: two texts may be one rule
        own = scheme.folder / name
        path = own if own.exists() else DRG / scheme.info.extends / name
        texts = [tuple(row.values()) for row in rows_of(path)]
        rule = COLUMNS[name].index("rule")
        assert [without(row, rule) for row in sorted(texts)] == [without(row, rule) for row in sorted(rows[name])]
        rows[name] = texts
    for name, expected in FULL[place].items():
        text = "\n".join(map("\t".join, sorted(rows[name])))
        assert (len(rows[name]), hashlib.sha256(text.encode()).hexdigest()) == expected


def without(row, place):
    """A row without the cell in a place."""
    return (*row[:place], *row[place + 1 :])


@pytest.mark.parametrize("place", LOCAL)
def test_a_place_holds_only_what_differs(place):
    scheme = load_scheme(place)
    base = DRG / scheme.info.extends
    for path in scheme.folder.glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        assert rows
        if path.name in {"mdc.csv", "adrg.csv", "drg.csv"}:
            assert path.read_bytes() != (base / path.name).read_bytes()
            assert header == ",".join(COLUMNS[path.name])
        elif path.name != "unreachable.csv":
            cells = [row.split(",") for row in rows]
            assert header == ",".join(("change", *COLUMNS[path.name]))
            assert cells == sorted(cells, key=lambda row: (row[1:3], row[0] == "+"))


def test_all_places_together_are_small():
    size = sum(path.stat().st_size for place in PLACES for path in (DRG / place).iterdir())
    assert size <= 6_000_000


@pytest.mark.parametrize("info", [info for info in list_schemes() if info.extends], ids=lambda info: info.id)
def test_the_index_and_the_head_say_the_same(info):
    scheme = load_scheme(info.id)
    assert scheme.info == info
    assert info.published
    assert info.provenance
    assert scheme.notes
    if info.place:
        assert find_scheme(info.place, on=info.published).id == info.id


@pytest.mark.parametrize("deck", WITH_DECKS)
@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_every_case_of_a_deck_gets_its_group(deck, engine):
    rows = read_deck(deck)
    assert len(rows) == 2000
    results = group([question_of(row) for row in rows], deck, engine=engine)
    wrong = [
        (row["case_id"], answer_of(row), result)
        for row, result in zip(rows, results, strict=True)
        if tuple(result[name] for name in ANSWER) != answer_of(row)
    ]
    assert not wrong, f"{len(wrong)} of {len(rows)} differ, such as {wrong[:3]}"


def listed_ways(scheme):
    """The rows of unreachable.csv: ADRGs by MDC and order, DRGs by ADRG and order."""
    annex = scheme.annexes.get("unreachable.csv")
    return {row[:3] for row in annex.rows} if annex else set()


def keys_of(target):
    keys = [("adrg", target.mdc.code, str(target.adrg.order))]
    return keys if target.drg is None else [*keys, ("drg", target.adrg.code, str(target.drg.order))]


@pytest.mark.parametrize("place", LOCAL)
def test_every_way_is_reached_or_proved_unreachable_and_the_engines_agree(place):
    scheme, rng = load_scheme(place), random.Random(SEED)
    listed = listed_ways(scheme)
    ways, cases = defaultdict(list), []
    for number, target in enumerate(targets(scheme)):
        case = witness(target, scheme, rng, TRIES if listed.isdisjoint(keys_of(target)) else TRIES // 10)
        if case is None and listed.isdisjoint(keys_of(target)):
            case = witness(target, scheme, rng, 50 * TRIES)  # a rule that one code of a thousand meets
        assert case is not None or why_unreachable(target, scheme), keys_of(target)
        for key in keys_of(target):
            ways[key].append(case)
        if case is not None:
            assert reached(case, scheme) == target
            cases.append(case)
            cases += near_misses(case, scheme, rng) if number % 9 == 0 else []
    assert {key for key, found in ways.items() if not any(found)} == listed
    one, other = (group(cases, scheme, engine=engine, prefix="r_") for engine in ("reference", "columnar"))
    names = [f"r_{name}" for name in GroupResult._fields]
    assert [[row[name] for name in names] for row in one] == [[row[name] for name in names] for row in other]


@pytest.mark.parametrize("place", ["chs-drg-1.1-hefei-2023", "zj-drg-1.0-zhejiang-2022", "chs-drg-2.0-nanjing-2024"])
def test_what_is_reached_is_not_proved_unreachable(place):
    scheme, rng = load_scheme(place), random.Random(SEED)
    for target in list(targets(scheme))[::97]:
        if witness(target, scheme, rng, 100) is not None:
            assert why_unreachable(target, scheme) is None


@pytest.mark.parametrize(
    ("name", "scheme_id"),
    [
        ("南京", "chs-drg-2.0-nanjing-2024"),
        ("天津", "chs-drg-2.0-tianjin-2025"),
        ("Yunnan", "chs-drg-1.1-yunnan-2023"),
        (220100, "chs-drg-1.1-changchun-2022"),
        ("浙江省", "zj-drg-1.0-zhejiang-2022"),
    ],
)
def test_from_a_name_to_groups(name, scheme_id):
    """End to end: choose by place, group made cases with both engines."""
    scheme, rng = find_scheme(name), random.Random(SEED)
    assert scheme.id == scheme_id
    ways = [(target, witness(target, scheme, rng, 50)) for target in list(targets(scheme))[::5]]
    expected = [(way.adrg.code, way.drg.code) for way, case in ways if case and way.drg]
    cases = [case for way, case in ways if case and way.drg]
    assert len(cases) > 100
    for engine in ("reference", "columnar"):
        results = group(cases, scheme, engine=engine)
        assert [(row["adrg"], row["group"]) for row in results] == expected
    assert [(result.adrg, result.group) for result in (group_one(case, scheme) for case in cases)] == expected


def test_length_of_stay_divides_groups():
    case = {"sex": 1, "age": 60, "dx": ["Z51.102"], "procs": ["92.3002"]}
    found = {los: group_one(case | {"los": los}, "chs-drg-2.0-tianjin-2025") for los in (1, 3, 11, 18, None)}
    assert [result.group for result in found.values()] == ["RL18", "RL16", "RL14", "RL12", "RQY"]


def test_a_variable_may_be_named_in_vain():
    """The groups of 浙江 that ask for the department stand behind groups that take every case."""
    scheme = load_scheme("zj-drg-1.0-zhejiang-2022")
    assert "KS" in scheme.variables
    asking = {("drg", drg.adrg, str(drg.order)) for adrg in scheme.adrgs for drg in adrg.drgs if "KS" in str(drg.rule)}
    assert asking
    assert asking <= listed_ways(scheme)


@pytest.mark.parametrize(
    ("place", "word", "column", "value"),
    [
        ("chs-drg-1.1-foshan-2022", "ICUXS > 120", "icu_hours", 121),
        ("chs-drg-2.0-handan-2025", "LYFS", "discharge", None),
    ],
)
def test_other_variables_are_ordinary_columns(place, word, column, value):
    scheme = load_scheme(place)
    listed = listed_ways(scheme)
    ways = [way for way in targets(scheme) if way.drg and word in str(way.drg.rule)]
    way = next(way for way in ways if listed.isdisjoint(keys_of(way)))
    case = witness(way, scheme, random.Random(SEED), 5000)
    assert case[column] == value or value is None
    for engine in ("reference", "columnar"):
        with_value, without = group([case, case | {column: None}], scheme, engine=engine)
        assert with_value["group"] == way.drg.code
        assert without["group"] != way.drg.code


def test_a_suspected_defect_travels_with_the_scheme():
    suspected = {place for place in PLACES if "suspect" in str(dict(load_scheme(place).notes))}
    words = ("wuhan", "changsha-2023", "fuzhou", "taizhou", "zhejiang", "foshan", "hefei", "nanping", "bingtuan")
    words += ("changzhou", "shanxi")
    assert suspected == {place for place in PLACES if any(word in place for word in words)}
    assert "PV1" in load_scheme("chs-drg-1.1-taizhou-2022").notes["suspect"]
