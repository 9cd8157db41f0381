"""Golden decks: cases with the group that an independent implementation or the published rule gives."""

from __future__ import annotations

from collections import Counter

import pytest
from conftest import DECKS, answer_of, question_of, read_deck

from drgdip import STATUSES, group_one, load_scheme

SIZES = {
    "chs-drg-1.0-revised": 3000,
    "chs-drg-1.1": 6000,
    "chs-drg-2.0": 6000,
    "chs-drg-3.0": 6000,
    "chs-drg-3.0-official-only": 1500,
}


@pytest.mark.parametrize("deck", DECKS)
def test_every_case_of_a_deck_gets_its_group(deck):
    scheme = load_scheme(DECKS[deck])
    rows = read_deck(deck)
    assert len(rows) == SIZES[deck]
    wrong = []
    for row in rows:
        result = group_one(question_of(row), scheme)
        if result[:4] != answer_of(row):
            wrong.append((row["case_id"], answer_of(row), result))
    assert not wrong, f"{len(wrong)} of {len(rows)} differ, such as {wrong[:3]}"


@pytest.mark.parametrize("deck", [deck for deck in DECKS if not deck.endswith("official-only")])
def test_a_deck_goes_through_most_of_its_scheme(deck):
    rows = read_deck(deck)
    scheme = load_scheme(DECKS[deck])
    groups = {row["group"] for row in rows if row["status"] in {"grouped", "ambiguous"}}
    assert groups <= scheme.names.keys()
    assert {row["mdc"] for row in rows if row["mdc"]} == {mdc.code for mdc in scheme.mdcs}
    statuses = Counter(row["status"] for row in rows)
    assert statuses.keys() <= STATUSES.keys()
    assert statuses["grouped"] > 0.7 * len(rows)


def test_the_recorded_groups_of_the_sample():
    """24 of the 30 records of the OpenDRG sample have the group that a hospital's grouper recorded."""
    rows = read_deck("opendrg-sample")
    assert len(rows) == 30
    recorded = [row for row in rows if row["recorded_drg"]]
    assert len(recorded) == 24
    got = {row["case_id"]: group_one(question_of(row), "chs-drg-1.1").group for row in recorded}
    assert got == {row["case_id"]: row["recorded_drg"] for row in recorded}


def test_the_whole_sample_under_its_scheme():
    rows = read_deck("opendrg-sample")
    got = {row["case_id"]: group_one(question_of(row), "chs-drg-1.1")[:4] for row in rows}
    assert got == {row["case_id"]: answer_of(row) for row in rows}


@pytest.mark.parametrize("deck", DECKS)
def test_a_result_says_why_it_is_no_group(deck):
    """The invariants of a result hold on every kind of case."""
    scheme = load_scheme(DECKS[deck])
    for row in read_deck(deck)[::5]:
        result = group_one(question_of(row), scheme)
        assert (result.reason is None) == (result.status == "grouped")
        assert (result.severity is None) == (result.severity_code is None)
        if result.severity is not None:
            assert scheme.severity[result.severity_code].level == result.severity
            assert result.severity_code in row["dx"].split("|")[1:]
        if result.status == "invalid":
            assert result[:4] == (None, None, None, "invalid")
