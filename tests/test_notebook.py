"""How results show themselves: short in a prompt, small in a notebook, and nothing of a caller's runs there."""

from __future__ import annotations

import html.parser

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import drgdip
from drgdip import settle
from drgdip._notebook import facts_html, parts_html, parts_repr
from drgdip.settle.annual import Clearing
from drgdip.settle.ledger import LEDGER, Step
from drgdip.settle.year import Year

NASTY = "<script>alert('&')</script>"


class _Tags(html.parser.HTMLParser):
    """Refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert not [name for name, _ in attrs if name != "class"]
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("thing", ["chs-drg-3.0", "nhsa-dip-3.0"])
def test_schemes_and_catalogues_show_what_they_are(thing):
    loaded = drgdip.load_scheme(thing) if "drg" in thing else drgdip.load_catalogue(thing)
    page = loaded._repr_html_()
    assert loaded.info.title in page
    assert thing in page
    assert all(f"<td>{count}</td>" in page for count in loaded.info.counts.values())
    assert len(page) < 5_000
    assert _Tags(page).seen == {"div", "b", "table", "tbody", "tr", "th", "td"}


def test_policies_show_what_they_are():
    policy = settle.read_policy("docs/examples/policy.toml")
    assert repr(policy).startswith(f"<Policy {policy.id}: {policy.family}, {policy.form}, ")
    assert len(repr(policy)) < 200
    page = policy._repr_html_()
    assert policy.title in page
    assert "month" in page
    assert len(page) < 5_000
    _Tags(page)


@pytest.mark.parametrize("kind", [pa.table, pd.DataFrame, pl.DataFrame])
def test_results_of_several_tables(kind):
    rows = {"hospital": [NASTY] * 30, "amount": list(range(30))}
    ledger = LEDGER.empty_table()
    step = Step(kind(rows), ledger)
    assert repr(step) == "<Step: table 30 rows, ledger 0 rows>"
    page = step._repr_html_()
    assert "table (10 / 30)" in page
    assert NASTY not in page
    assert page.count("alert") == 10
    assert "script" not in _Tags(page).seen
    clearing = Clearing(kind(rows), kind({"pool": ["a"]}), ledger)
    assert repr(clearing) == "<Clearing: table 30 rows, pools 1 row, ledger 0 rows>"


def test_a_year_shows_its_parts():
    empty = LEDGER.empty_table()
    parts = dict.fromkeys(Year._fields) | {"cases": pa.table({"a": [1]}), "ledger": empty}
    parts |= {"clearing": Clearing(pa.table({"b": [NASTY]}), pa.table({"c": [2]}), empty)}
    year = Year(**parts)
    assert repr(year).startswith("<Year: cases 1 row, ledger 0 rows, clearing <Clearing: table 1 row, ")
    assert NASTY not in year._repr_html_()
    assert parts_repr(year) == repr(year)
    assert parts_html(year) == year._repr_html_()


def test_facts_are_escaped():
    page = facts_html(NASTY, [(NASTY, NASTY), ("empty", ""), ("none", None)])
    assert "<script" not in page
    assert "empty" not in page
    assert "none" not in page
