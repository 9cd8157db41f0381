"""Nothing moves unseen: results, texts and public names are as `tests/data/frozen.csv` and `public.txt` have them."""

from __future__ import annotations

import difflib

import pyarrow as pa
import pytest
from frozen import PARTS, PUBLIC, TABLE, Fact, columns_of, digest, facts_of, moved, public_names, read_table

AGAIN = "where this is meant, `python tools/freeze.py` writes it anew, and the commit says why"


@pytest.mark.parametrize("part", PARTS)
def test_nothing_has_moved(part):
    said = moved(part, facts_of(part), read_table())
    assert not said, "\n".join([*said, AGAIN])


def test_public_names_have_not_moved():
    frozen, found = PUBLIC.read_text(encoding="utf-8").splitlines(), public_names().splitlines()
    assert frozen == found, "\n".join(
        [*difflib.unified_diff(frozen, found, "frozen", "found", lineterm="", n=0), AGAIN]
    )


def test_every_row_of_the_table_is_compared():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    table = read_table()
    assert len(table) == len(lines) - 1
    assert list(table) == sorted(table)
    assert {what.partition(": ")[0] for what in table} == set(PARTS)


def test_a_change_is_named():
    facts = [
        Fact("a: one", "pandas", "1"),
        Fact("a: one", "Arrow", "2"),
        Fact("a: two", "", "3"),
        Fact("a: new", "", ""),
    ]
    table = {"a: one": "1", "a: two": "0", "a: three": "4", "b: one": "5"}
    assert moved("a", facts, table) == [
        "moved: a: one, through Arrow",
        "moved: a: two",
        "new: a: new",
        "gone: a: three",
    ]
    assert moved("a", [Fact("a: one", "", "1")], {"a: one": "1", "b: one": "5"}) == []


def test_a_digest_sees_names_values_kinds_and_order():
    one = {"a": [1, 2], "b": ["x", None]}
    others = [
        {"a": [2, 1], "b": ["x", None]},
        {"a": [1.0, 2.0], "b": ["x", None]},
        {"a": [1, 2], "b": ["x", "None"]},
        {"a": [1, 2], "c": ["x", None]},
        {"b": ["x", None], "a": [1, 2]},
        {"a": [1, 2]},
    ]
    assert len({digest(columns) for columns in [one, *others]}) == 7
    assert digest(columns_of(pa.table(one))) == digest(one)
    assert digest(columns_of(pa.table(one | {"b": pa.array(one["b"]).dictionary_encode()}))) == digest(one)
