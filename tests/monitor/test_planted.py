"""Planted misuse: each signal finds its kind, and names no more cases elsewhere than the page says."""

from __future__ import annotations

import planted
import pytest
from conftest import ROOT

from drgdip import monitor

PAGE = ROOT / "docs" / "monitor" / "signals.md"
EXAMPLE = ROOT / "docs" / "examples" / "signals.toml"
HEAD = "| signal | planted | recall | precision | elsewhere |"


def stated():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {}
    for line in lines[lines.index(HEAD) + 2 :]:
        if not line.startswith("|"):
            break
        signal, *numbers = (cell.strip() for cell in line.strip("|").split("|"))
        rows[signal.strip("`")] = tuple(map(float, numbers))
    return rows


@pytest.fixture(scope="module")
def base():
    return planted.Base()


def test_the_page_has_every_signal():
    assert list(stated()) == monitor.list_signals()["id"]


@pytest.mark.parametrize("signal", monitor.list_signals()["id"])
def test_planted_misuse_is_found(base, signal):
    cases, names, tables = planted.plant(base, signal)
    found = monitor.signals(planted.table_of(cases), planted.SCHEME, which=[signal], parameters=EXAMPLE, **tables)
    rows = found.select(["case_id", "hospital"]).to_pylist()
    if monitor.list_signals().row(signal).scope == "case":
        hits = {row["case_id"] for row in rows}
        elsewhere = sum(row["hospital"] != planted.HOSPITAL for row in rows)
        elsewhere *= 10_000 / sum(case["hospital"] != planted.HOSPITAL for case in cases)
    else:
        hits = {row["hospital"] for row in rows}
        elsewhere = len(hits - set(names))
    right = len(hits & set(names))
    number, recall, precision, promise = stated()[signal]
    assert number == len(names)
    assert right / len(names) >= 0.9
    assert (round(right / len(names), 2), round(right / len(hits), 2)) == (recall, precision)
    assert elsewhere <= promise
