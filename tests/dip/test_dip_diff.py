"""What changed between two catalogues, and which cases move: small single edits, national editions, a place."""

from __future__ import annotations

import csv
import shutil
from collections import Counter

import pytest
from conftest import DATA

import drgdip
from drgdip import DrgdipError, diff_cases, diff_schemes, group_one, load_catalogue, sample_cases
from drgdip.grouper.changes import CHANGES

SMALL = DATA / "catalogues" / "small"
ONE, TWO, THREE = "nhsa-dip-1.0", "nhsa-dip-2.0", "nhsa-dip-3.0"
CATALOGUES = [info.id for info in drgdip.list_catalogues()]


@pytest.fixture
def edited(tmp_path):
    """A function that gives the small catalogue with edits: a file, what stands there, and what comes in its place."""
    numbers = iter(range(1000))

    def edit(*edits):
        folder = shutil.copytree(SMALL, tmp_path / f"small{next(numbers)}")
        head = (folder / "catalogue.toml").read_text(encoding="utf-8")
        counts = head[head.index("[counts]") : head.index("[matching]")]
        (folder / "catalogue.toml").write_text(head.replace(counts, "[counts]\n"), encoding="utf-8")
        for file, old, new in edits:
            path = folder / f"{file}"
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            assert old in text
            path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
        return load_catalogue(folder)

    return edit


def rows_of(before, after):
    return [tuple(row.values()) for row in diff_schemes(before, after).to_pylist()]


GROUPS, HEAD = "groups.csv", "catalogue.toml"
C2 = "C2,core,A41.9,11.0001,,,,,,,200,,,脓毒症_一,\n"
C3 = "C3,core,A41.9,11.0001,12.0001|12.0002+13.0001,,,,,,300.5,,,脓毒症_一加二,\n"
RELATED = "11.0001; related 12.0001|12.0002+13.0001"
#: What is edited, and every change that comes of it.
EDITS = [
    # groups: what is told of them
    ((GROUPS, "C2,core", "N2,core"), [("groups", "id", "N2", "C2", "N2")]),
    ((GROUPS, "脓毒症_一,", "别名,"), [("groups", "renamed", "C2", "脓毒症_一", "别名")]),
    ((GROUPS, "脓毒症_一,", ","), [("groups", "renamed", "C2", "脓毒症_一", None)]),
    ((GROUPS, "C2,core", "C2,pre"), [("groups", "kind", "C2", "core", "pre")]),
    ((GROUPS, ",200,", ",200.5,"), [("groups", "score", "C2", "200", "200.5")]),
    ((GROUPS, ",200,", ",,"), [("groups", "score", "C2", "200", None)]),
    ((GROUPS, ",100,1,", ",100,,"), [("groups", "primary_care", "C1", "true", "false")]),
    # groups: what they ask for
    ((GROUPS, "C2,core,A41.9,", "C2,core,A41|A40,"), [("groups", "diagnosis", "C2", "A41.9", "A41|A40")]),
    (
        (GROUPS, ",C46,,", ",C46|C47,,"),
        [("groups", "diagnosis", "C4", "B20-B24; other C46", "B20-B24; other C46|C47")],
    ),
    ((GROUPS, ",dx,XSRTL", ",,XSRTL"), [("groups", "diagnosis", "P1", "anywhere P07", "P07")]),
    ((GROUPS, "C2,core,A41.9,11.0001", "C2,core,A41.9,*"), [("groups", "procedures", "C2", "11.0001", "*")]),
    (
        (GROUPS, "A41.9,11.0001,,", "A41.9,11.0001|12.0001,,"),
        [("groups", "procedures", "C2", "11.0001", "11.0001|12.0001")],
    ),
    ((GROUPS, "C1,core,A41.9,,", "C1,core,A41.9,15.0001,"), [("groups", "procedures", "C1", "", "15.0001")]),
    ((GROUPS, "13.0001,,,", "13.0001+13.0001,,,"), [("groups", "procedures", "C3", RELATED, f"{RELATED}+13.0001")]),
    (
        (GROUPS, "11.0001,,,,,,,200", "11.0001,,,procedures,,,,200"),
        [("groups", "procedures", "C2", "11.0001", "anywhere 11.0001")],
    ),
    (
        (GROUPS, "XSRTL < 29 and XSRTZ", "XSRTZ"),
        [("groups", "rule", "P1", "XSRTL < 29 and XSRTZ <= 999", "XSRTZ <= 999")],
    ),
    ((GROUPS, "surgery,1", "surgery,3"), [("groups", "treatment", "M1", "surgery 1", "surgery 3")]),
    ((GROUPS, "surgery,1", "therapeutic,"), [("groups", "treatment", "M1", "surgery 1", "therapeutic")]),
    # groups: which there are
    ((GROUPS, C2, ""), [("groups", "gone", "C2", "脓毒症_一", None)]),
    ((GROUPS, C2, C2 + "N,core,C50,85.4000,,,,,,,,,,,\n"), [("groups", "added", "N", None, "C50; 85.4000")]),
    ((GROUPS, C2 + C3, C3 + C2), [("groups", "order", "C3", "4", "3")]),
    # another id and something else asked for: nothing says that it is the same group
    (
        (GROUPS, "C2,core,A41.9,11.0001", "N2,core,A41.9,11.0009"),
        [("groups", "gone", "C2", "脓毒症_一", None), ("groups", "added", "N2", None, "脓毒症_一")],
    ),
    # what is written otherwise and asks for the same
    ((GROUPS, "B20-B24", "B24|B23|B20-B22"), []),
    ((GROUPS, "12.0001|12.0002+13.0001", "13.0001+12.0002|12.0001"), []),
    ((GROUPS, ",200,", ",200.00,"), []),
    ((GROUPS, "ZYZD in WHOLE", "(ZYZD in WHOLE)"), []),
    # options and the other tables
    (
        (HEAD, '"most_terms", "longest_dx", "order"', '"longest_dx", "order"'),
        [("matching", "option", "prefer", "most_terms, longest_dx, order", "longest_dx, order")],
    ),
    ((HEAD, "[notes]", 'untiered = "2"\n[notes]'), [("matching", "option", "untiered", "", "2")]),
    (
        ("primary_care.csv", "A41.9,11.0001,脓毒症", "A41.9,11.0001,别名"),
        [("primary_care", "renamed", "A41.9:11.0001", "脓毒症", "别名")],
    ),
    (
        ("primary_care.csv", "A41.9,11.0001,脓毒症", "A41.9,,"),
        [
            ("primary_care", "gone", "A41.9:11.0001", "脓毒症", None),
            ("primary_care", "added", "A41.9:", None, "A41.9; conservative"),
        ],
    ),
    (
        ("excluded_diagnoses.csv", "A41.999", "A41.998"),
        [
            ("excluded_diagnoses", "added", "A41.998", None, "excluded"),
            ("excluded_diagnoses", "gone", "A41.999", "excluded", None),
        ],
    ),
    (
        ("excluded_procedures.csv", "14.0001,conservative", "14.0001,not-principal"),
        [("excluded_procedures", "moved", "14.0001", "conservative", "not-principal")],
    ),
    (
        ("excluded_procedures.csv", "A41.9|C00-C10", "A41.9"),
        [
            (
                "excluded_procedures",
                "moved",
                "14.0003",
                f"conservative unless A41.9|{'|'.join(f'C{number:02d}' for number in range(11))}",
                "conservative unless A41.9",
            )
        ],
    ),
    (("excluded_procedures.csv", "A41.9|C00-C10", "C00-C10|A41.9"), []),
    (("ignored_procedures.csv", "", "code\n99.9900\n"), [("ignored_procedures", "added", "99.9900", None, "ignored")]),
    (
        ("procedure_types.csv", "15.0001,therapeutic,", "15.0001,diagnostic,"),
        [("procedure_types", "moved", "15.0001", "therapeutic", "diagnostic")],
    ),
    (
        ("procedure_types.csv", "12.0001,surgery,2", "12.0001,surgery,3"),
        [("procedure_types", "moved", "12.0001", "surgery 2", "surgery 3")],
    ),
    (("sets.csv", "WHOLE,B24.x00", "WHOLE,B24.x00\nWHOLE,B24.x01"), [("sets", "added", "B24.x01", None, "WHOLE")]),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS, ids=lambda value: str(value)[:60])
def test_an_edit_is_told_and_nothing_else(edited, edit, expected):
    before, after = edited(), edited(edit)
    rows = rows_of(before, after)
    assert [(row[0], row[1], *row[3:]) for row in rows] == expected
    assert {row[2] for row in rows} <= {None}
    assert turned(rows) == Counter((row[0], row[1], *row[4:]) for row in rows_of(after, before))


def turned(rows):
    """Changes as they read from the other side, without the code, which may be another one there."""
    opposite = {"added": "gone", "gone": "added"}
    return Counter((row[0], opposite.get(row[1], row[1]), row[5], row[4]) for row in rows)


def test_the_edits_have_every_word_for_groups():
    for_schemes = {"parent", "level", "exclusion", "result_mdc"}
    assert {row[1] for _, expected in EDITS for row in expected} == CHANGES.keys() - for_schemes


def test_a_renamed_set_is_no_other_condition(edited):
    renamed = edited((GROUPS, "in WHOLE", "in HIV"), ("sets.csv", "WHOLE,B20", "HIV,B20"), ("sets.csv", "WHOLE", "HIV"))
    assert rows_of(edited(), renamed) == [("sets", "renamed", None, "HIV", "WHOLE", "HIV")]


def test_ids_that_changed_places_are_other_ids(edited):
    swapped = edited((GROUPS, "C1,core", "C9,core"), (GROUPS, "C2,core", "C1,core"), (GROUPS, "C9,core", "C2,core"))
    assert [row[1:] for row in rows_of(edited(), swapped)] == [
        ("id", None, "C2", "C1", "C2"),
        ("id", None, "C1", "C2", "C1"),
    ]


def test_the_order_of_terms_counts_where_the_first_is_the_principal_one(edited):
    """Yunfu has combinations in two orders with two scores; under the options of 3.0 they would be one."""
    loose = (HEAD, 'procedures = "principal"', 'procedures = "any"')
    first = (HEAD, '"order"', '"principal_first", "order"')
    two = (GROUPS, C2, C2.replace("11.0001", "11.0001+12.0001"))
    turned_round = (GROUPS, C2, C2.replace("11.0001", "12.0001+11.0001"))
    assert rows_of(edited(loose, two), edited(loose, turned_round)) == []
    assert rows_of(edited(loose, first, two), edited(loose, first, turned_round)) == [
        ("groups", "procedures", None, "C2", "11.0001+12.0001", "12.0001+11.0001")
    ]
    # Where only one of the two looks at it, no one can tell.
    assert {row[0] for row in rows_of(edited(loose, first, two), edited(loose, turned_round))} == {"matching"}


def test_any_order_against_a_principal_procedure(edited):
    """A principal and a related procedure are asked for as two in any order; that the rule is another is an option."""
    any_order = (HEAD, 'procedures = "principal"', 'procedures = "any"')
    joined = (GROUPS, "11.0001,12.0001|12.0002+13.0001,", "11.0001+12.0001|12.0002+13.0001,,")
    expected = [("matching", "option", None, "procedures", "principal", "any")]
    assert rows_of(edited(), edited(any_order, joined)) == expected
    assert rows_of(edited(), edited(any_order)) == expected


def test_one_catalogue_under_two_options():
    mild = load_catalogue(THREE, not_principal="conservative")
    assert [row[1:] for row in rows_of(THREE, mild)] == [
        ("option", None, "not_principal", "excluded", "conservative"),
    ]
    [row] = diff_cases([case("M19.001", "81.6300")], THREE, mild).to_pylist()
    assert (row["before_status"], row["after_status"], row["moved"]) == ("excluded", "grouped", True)


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_a_catalogue_does_not_differ_from_itself(catalogue):
    loaded = load_catalogue(catalogue)
    assert diff_schemes(loaded, loaded).num_rows == 0
    moves = diff_cases(sample_cases(60, catalogue, seed=3), loaded, loaded).to_pylist()
    assert sum(row["cases"] for row in moves) == 60
    assert all(row["before"] == row["after"] and row["moved"] is False for row in moves)


@pytest.mark.parametrize(
    ("before", "after"),
    [(ONE, TWO), (TWO, THREE), ("dip-yunfu-2023", TWO), ("dip-guiyang-2023", "dip-luoyang-2023"), (TWO, SMALL)],
)
def test_a_difference_read_backwards(before, after):
    there, back = rows_of(before, after), rows_of(after, before)
    assert turned(there) == Counter((row[0], row[1], *row[4:]) for row in back)
    assert {row[1] for row in there} <= CHANGES.keys()
    before, after = load_catalogue(before), load_catalogue(after)
    kept = Counter(row[1] for row in there if row[0] == "groups")
    assert len(before.groups) - kept["gone"] == len(after.groups) - kept["added"]


def asked(row):
    """What a row of ``groups.csv`` asks for, from its texts."""
    terms = [Counter(frozenset(term.split("|")) for term in row[name].split("+")) for name in ("procedures", "related")]
    texts = tuple(row[name] for name in ("anywhere", "condition", "treatment", "tier"))
    return frozenset(row["dx"].split("|")), *(frozenset(term.items()) for term in terms), row["other_dx"], texts


def by_id(catalogue):
    with (load_catalogue(catalogue).folder / GROUPS).open(encoding="utf-8", newline="") as file:
        return {row["group"]: asked(row) for row in csv.DictReader(file)}


def test_groups_of_two_editions_are_paired_by_what_they_ask_for():
    """Against a twin that reads the texts."""
    texts = by_id(TWO), by_id(THREE)
    shared = Counter(texts[0].values()) & Counter(texts[1].values())
    ids = [row for row in rows_of(TWO, THREE) if row[1] == "id"]
    assert len(ids) == shared.total() > 2000
    assert all(texts[0][row[4]] == texts[1][row[5]] for row in ids)


# --- cases -----------------------------------------------------------------------------------------------------------


def case(dx, procs=""):
    return {"dx": dx, "procs": procs}


def test_a_cross_table_counted_by_hand(edited):
    """C1 is only numbered otherwise, C2 asks for another procedure, C4 is gone, and mixed surgery has one tier."""
    after = edited(
        (GROUPS, "C1,core", "K1,core"),
        (GROUPS, "C2,core,A41.9,11.0001", "C2,core,A41.9,11.0001|15.0001"),
        (GROUPS, "C4,core,B20-B24,,,C46,,ZYZD in WHOLE,,,50,,,范围,\n", ""),
        (GROUPS, "surgery,1", "surgery,"),
        (GROUPS, "M2,mixed,A41,*,,,,,surgery,2,90,,,综合二,\n", ""),
    )
    cases = [
        *[case("A41.900")] * 5,  # C1, K1
        *[case("A41.900", "11.0001")] * 4,  # C2, which asks for something else now
        case("A41.900", "15.0001"),  # nothing, then C2
        *[case("B20.000|C46.000")] * 2,  # C4, then nothing
        case("A41.000", "12.0001"),  # M2, M1
        *[case("A41.000", "11.0001")] * 3,  # M1, which is for every tier now
        *[case("A42.000")] * 2,  # M3
        case("A41.999"),  # excluded
        case(None),  # no principal diagnosis
    ]
    names = ("before", "before_status", "before_cases", "after", "after_status", "after_cases", "cases", "moved")
    table = diff_cases(cases, edited(), after)
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == [
        ("C2", "grouped", 4, "C2", "grouped", 5, 4, True),
        ("M1", "grouped", 3, "M1", "grouped", 4, 3, True),
        ("C4", "grouped", 2, None, "ungrouped", 2, 2, True),
        (None, "ungrouped", 1, "C2", "grouped", 5, 1, True),
        ("M2", "grouped", 1, "M1", "grouped", 4, 1, True),
        ("C1", "grouped", 5, "K1", "grouped", 5, 5, False),
        ("M3", "grouped", 2, "M3", "grouped", 2, 2, False),
        (None, "excluded", 1, None, "excluded", 1, 1, False),
        (None, "invalid", 1, None, "invalid", 1, 1, False),
    ]
    assert table.column_names == [
        *("before", "before_status", "before_name", "before_cases"),
        *("after", "after_status", "after_name", "after_cases"),
        *("cases", "moved"),
    ]
    assert table["before_name"].to_pylist()[5:7] == ["脓毒症", "综合三"]


@pytest.mark.parametrize("other", [THREE, "chs-drg-2.0", "dip-hainan-2023"])
def test_generated_cases_against_one_after_the_other(other):
    cases = sample_cases(600, TWO, seed=8)
    rows = diff_cases(cases, TWO, other).to_pylist()
    answers = [(group_one(row, TWO), group_one(row, other)) for row in cases.to_pylist()]
    expected = Counter((was.group, was.status, now.group, now.status) for was, now in answers)
    names = ("before", "before_status", "after", "after_status")
    assert {tuple(row[name] for name in names): row["cases"] for row in rows} == expected
    for side, at in (("before", 0), ("after", 1)):
        totals = Counter((answer[at].group, answer[at].status) for answer in answers)
        assert all(totals[row[side], row[f"{side}_status"]] == row[f"{side}_cases"] for row in rows)
    order = [(True, None, False).index(row["moved"]) for row in rows]
    assert order == sorted(order)


def test_a_case_moves_between_editions_where_another_thing_is_asked_for():
    texts = [by_id(TWO) | {None: None}, by_id(THREE) | {None: None}]
    rows = diff_cases(sample_cases(2000, TWO, seed=9), TWO, THREE).to_pylist()
    for row in rows:
        same = row["before_status"] == row["after_status"] and texts[0][row["before"]] == texts[1][row["after"]]
        assert row["moved"] is not same
    assert len({row["moved"] for row in rows}) == 2


def test_a_place_and_its_base(tmp_path):
    """Of a place's own catalogue, core groups are those of the base; what the base leaves ungrouped has moved."""
    history = sample_cases(4000, TWO, seed=4)
    head = {"id": "mine", "title": "本地目录", "issuer": "本地"}
    place = drgdip.build_catalogue(history, tmp_path / "mine", base=TWO, **head, threshold=15)
    core = {group.code for group in place.groups if group.kind == "core"}
    changes = rows_of(TWO, place)
    assert {row[3] for row in changes if row[1] == "added"} == {group.code for group in place.groups} - core
    assert len([row for row in changes if row[1] == "gone"]) == len(load_catalogue(TWO).groups) - len(core)
    rows = diff_cases(history, TWO, place).to_pylist()
    assert {row["after"] for row in rows if not row["moved"]} == core
    assert {row["after"] in core for row in rows if row["moved"]} == {False}


@pytest.mark.parametrize(("one", "other"), [(TWO, THREE), (TWO, "chs-drg-2.0"), ("dip-yunfu-2023", THREE)])
def test_moves_read_backwards(one, other):
    cases = sample_cases(500, one, seed=5)
    there, back = diff_cases(cases, one, other), diff_cases(cases, other, one)
    opposite = [
        name.replace("before", "x").replace("after", "before").replace("x", "after") for name in there.column_names
    ]
    assert Counter(map(tuple, rows(there, opposite))) == Counter(map(tuple, rows(back, back.column_names)))


def rows(table, names):
    """The rows of a table under other names, in order of name."""
    return (sorted(row.items()) for row in table.rename_columns(names).to_pylist())


def test_a_scheme_with_a_catalogue():
    """Groups of the two are not compared: what is known is whether a case has one."""
    cases = [
        {"sex": 2, "age": 59, "dx": "I63.900", "procs": ""},  # a group in both
        {"sex": 9, "age": 59, "dx": "I63.900", "procs": ""},  # no sex: invalid for the scheme alone
        {"sex": 2, "age": 59, "dx": None, "procs": ""},  # invalid in both
    ]
    names = ("before", "before_status", "after", "after_status", "cases", "moved")
    table = diff_cases(cases, "chs-drg-2.0", TWO).to_pylist()
    assert [tuple(row[name] for name in names) for row in table] == [
        (None, "invalid", "DIP3437", "grouped", 1, True),
        ("BR25", "grouped", "DIP3437", "grouped", 1, None),
        (None, "invalid", None, "invalid", 1, False),
    ]
    assert table[1]["before_name"] == drgdip.load_scheme("chs-drg-2.0").names["BR25"]


def test_codes_are_mapped_to_both_editions():
    """A15.000x011 of clinical 2.0 is A15.100x002 here; dip-guiyang has codes of 1.0, nhsa-dip-2.0 those of 2.0."""
    cases = [case("A15.000x011")]
    sides = [[row["before"], row["after"]] for row in diff_cases(cases, TWO, THREE).to_pylist()]
    assert sides == [["DIP47", "FZ-1837"]]
    mapped = [[row["before"], row["after"]] for row in diff_cases(cases, TWO, THREE, codes="clinical-2.0").to_pylist()]
    assert mapped == [["DIP51", "FZ-1836"]]
    [row] = diff_cases([case("A15.000")], "dip-guiyang-2023", TWO, codes="nhsa-1.0").to_pylist()
    assert row["before"] == group_one(case("A15.000"), "dip-guiyang-2023").group
    assert row["after"] == group_one(case("A15.000"), TWO, codes="nhsa-1.0").group
    with pytest.raises(drgdip.CaseError, match="no cross-walk leads from nhsa-icd10-2.0 to nhsa-icd10-1.0"):
        diff_cases(cases, "dip-guiyang-2023", TWO, codes="nhsa-2.0")


@pytest.mark.parametrize("pair", [(TWO, "chs-drg-2.0"), ("chs-drg-2.0", TWO)])
def test_tables_of_a_scheme_and_a_catalogue_are_not_compared(pair):
    with pytest.raises(DrgdipError, match="chs-drg-2.0 (is )?a DRG scheme") as caught:
        diff_schemes(*pair)
    assert str(caught.value).startswith(pair[0])
    assert "diff_cases(cases, before, after)" in str(caught.value)


@pytest.mark.parametrize("compare", [diff_schemes, lambda one, other: diff_cases([case("A00")], one, other)])
def test_an_unknown_catalogue(compare):
    with pytest.raises(drgdip.UnknownNameError, match="nhsa-dip-2"):
        compare(TWO, "nhsa-dip-2")
    with pytest.raises(drgdip.SchemeError, match="no such folder"):
        compare("./nowhere", TWO)


def test_a_table_without_procedures_is_one_of_stays_without():
    case = {"dx": "A00.000"}
    assert diff_cases([case], TWO, THREE).equals(diff_cases([case | {"procs": []}], TWO, THREE))
