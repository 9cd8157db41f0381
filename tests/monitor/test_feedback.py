"""Feedback: figures against the indicators themselves, weights against their totals, and the pages."""

import html
import random
import re

import pyarrow as pa
import pytest
from monitor_cases import BASIC, LOW_RISK, WEIGHTS, make_cases, weight_of

from drgdip.errors import PolicyError, UnknownNameError
from drgdip.monitor import KEY_FIGURES, feedback, indicators, translate_indicators, write_feedback

TABLE = [{"group": group, "weight": weight} for group, weight in WEIGHTS.items()]
OPTIONS = {"weights": TABLE, "low_risk": LOW_RISK, "basic": BASIC}


def with_mdc(cases):
    """Groups G00 to G05 are of one MDC, G06 to G09 of another; the rest has none."""
    for case in cases:
        group = case["group"]
        case["mdc"] = None if group is None or group > "G09" else "MDCB" if group < "G06" else "MDCF"
    return cases


def test_figures_are_the_indicators_beside_those_of_all():
    cases = with_mdc(make_cases(1, 600))
    found = feedback(cases, "mdc", small=5, **OPTIONS)
    wanted = indicators([case | {"panel": case["mdc"]} for case in cases], ["panel", "month"], small=5, **OPTIONS)
    assert found.panels == wanted
    whole = {row["month"]: row for row in indicators(cases, "month", **OPTIONS)}
    own = indicators(cases, ["hospital", "month"], **OPTIONS)
    names = [name for name in own[0] if name not in ("hospital", "month")]
    for row, alone in zip(found.hospitals, own, strict=True):
        assert {name: row[name] for name in alone} == alone
        for name in names:
            reference = whole[row["month"]][name]
            assert row[f"{name}_reference"] == (None if reference is None else float(reference)), name
    of_panel = {(row["panel"], row["month"]): row for row in wanted}
    for row in found.panel_hospitals:
        assert row["cmi_reference"] == of_panel[row["panel"], row["month"]]["cmi"]


def test_panels_of_several_mdcs():
    cases = with_mdc(make_cases(2))
    joined = feedback(cases, {"MDCB": "panel 1", "MDCF": "panel 1"}, which=["discharges"]).panels
    apart = feedback(cases, "mdc", which=["discharges"]).panels
    for month in ("1", "2", "3"):
        number = {row["panel"]: row["discharges"] for row in apart if row["month"] == month}
        assert {row["panel"]: row["discharges"] for row in joined if row["month"] == month} == {
            "panel 1": number["MDCB"] + number["MDCF"],
            None: number[None],
        }


def test_a_column_of_panels():
    cases = [case | {"panel": case["mdc"]} for case in with_mdc(make_cases(2))]
    assert feedback(cases, "panel", **OPTIONS) == feedback(cases, "mdc", **OPTIONS)


def test_weights_keep_the_total_of_their_panel():
    cases = with_mdc(make_cases(3, 500))
    found = feedback(cases, "mdc", weights=TABLE, totals={"MDCB": 200}, factors={"G08": 1.3}, absorb="others")
    before = {}
    for case in cases:
        if weight_of(case) is not None:
            before[case["mdc"]] = before.get(case["mdc"], 0) + float(weight_of(case))
    control = {row["panel"]: row for row in found.control}
    assert set(control) == set(before)
    for panel, row in control.items():
        given = 200 if panel == "MDCB" else before[panel]
        after = sum(other["n"] * other["weight"] for other in found.proposal if other["panel"] == panel)
        assert row["total_before"] == pytest.approx(before[panel])
        assert row["total_given"] == pytest.approx(given)
        assert row["over"] == pytest.approx(before[panel] / given - 1)
        assert row["total_after"] == pytest.approx(after)
        assert after == pytest.approx(given)
    changed = {row["group"]: row["weight"] / row["weight_before"] for row in found.proposal}
    assert changed["G08"] == pytest.approx(1.3)
    assert changed["G06"] == pytest.approx(changed["G09"])
    assert changed["G06"] < 1
    assert changed["G10"] == 1


def test_totals_and_factors_say_who_makes_up_for_them():
    cases = with_mdc(make_cases(3))
    with pytest.raises(PolicyError, match="absorb="):
        feedback(cases, "mdc", weights=TABLE, totals={"MDCB": 100})
    with pytest.raises(PolicyError, match="weights="):
        feedback(cases, "mdc", totals={"MDCB": 100}, absorb="all")
    with pytest.raises(UnknownNameError, match="MDCX"):
        feedback(cases, "mdc", weights=TABLE, totals={"MDCX": 100}, absorb="all")
    with pytest.raises(UnknownNameError, match="G99"):
        feedback(cases, "mdc", weights=TABLE, factors={"G99": 2}, absorb="all")
    assert feedback(cases, "mdc").control is None


def test_cases_in_dispute():
    cases = with_mdc(make_cases(4, 200, gaps=False))
    for number, case in enumerate(cases):
        case["objection"] = "see the record" if number % 40 == 0 else None
        case["payment_status"] = "unpriced" if number % 50 == 1 else "priced"
    found = {row["case_id"]: row for row in feedback(cases, "mdc").disputes}
    for case in cases:
        wanted = None
        if case["review_status"] == "pending":
            wanted = "review"
        if case["payment_status"] == "unpriced":
            wanted = "unpriced"
        if case["status"] in ("ambiguous", "ungrouped", "invalid"):
            wanted = "not_grouped"
        if case["objection"]:
            wanted = "objection"
        assert (found[case["case_id"]]["kind"] if case["case_id"] in found else None) == wanted


def test_order_and_container_do_not_matter():
    cases = with_mdc(make_cases(5))
    wanted = feedback(cases, "mdc", totals={"MDCB": 90}, absorb="all", small=5, **OPTIONS)
    table = pa.Table.from_pylist(random.Random(3).sample(cases, len(cases)))
    found = feedback(table, "mdc", totals={"MDCB": 90}, absorb="all", small=5, **OPTIONS)
    for part, own in zip(found, wanted, strict=True):
        assert part.to_pylist() == own


def texts(page):
    return [
        html.unescape(cell) for cell in re.findall(r"<t[dh](?: [^>]*)?>(.*?)</t[dh]>", page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_for_each_hospital(tmp_path, language):
    cases = with_mdc(make_cases(6, 600))
    for case in cases:
        case["profit"] = case["profit"] or 0
    found = feedback(cases, "mdc", small=40, **OPTIONS)
    paths = write_feedback(found, tmp_path, month="2", language=language, names={"H1": "第一医院"})
    assert [path.name for path in paths] == ["1_H1.html", "2_H2.html", "3_H3.html", "4_H4.html"]
    assert "第一医院" in paths[0].read_text(encoding="utf-8")
    own = next(row for row in found.hospitals if (row["hospital"], row["month"]) == ("H1", "2"))
    cells = texts(paths[0])
    heads = translate_indicators(pa.table({name: [0] for name in KEY_FIGURES}), language).column_names
    assert all(any(cell.startswith(head) for cell in cells) for head in heads)
    assert any(cell.startswith(f"{own['drug_share'] * 100:.2f} %") for cell in cells)
    assert f"{own['profit']:,.2f}" in cells
    assert any(cell.endswith(" *") for cell in cells), "a value of few cases has its mark"
    last = next(row for row in found.hospitals if (row["hospital"], row["month"]) == ("H1", "1"))
    unit = {"en": "points of a hundred", "zh": "个百分点"}[language]
    assert f"{(own['drug_share'] - last['drug_share']) * 100:+.2f} {unit}" in cells
    assert f"{(own['mean_stay'] / last['mean_stay'] - 1) * 100:+.2f} %" in cells
    better = {"en": ("better", "worse"), "zh": ("优于", "劣于")}[language]
    place = next(n for n, cell in enumerate(cells) if cell.startswith(heads[list(KEY_FIGURES).index("cost_index")]))
    assert cells[place + 5] == better[int(own["cost_index"] > own["cost_index_reference"])]


def test_a_page_shows_no_more_than_it_is_given(tmp_path):
    cases = [{"hospital": "../<b>", "mdc": "<i>", "month": m, "group": None, "case_id": "<s>"} for m in (9, 10)]
    paths = write_feedback(feedback(cases * 15, "mdc"), tmp_path)
    assert [path.parent for path in paths] == [tmp_path]
    text = paths[0].read_text(encoding="utf-8")
    assert not re.search("<[bis]>", text)
    assert "10 · ../&lt;b&gt;" in text, "October is after September"
    many = write_feedback(feedback(cases * 30, "mdc"), tmp_path)
    assert "and 10 more" in texts(many[0])
    with pytest.raises(UnknownNameError, match="month"):
        write_feedback(feedback(cases, "mdc"), tmp_path, month="11")
    with pytest.raises(UnknownNameError):
        write_feedback(feedback(cases, "mdc"), tmp_path, language="fr")
