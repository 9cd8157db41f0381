"""Pictures of indicators: figures that hold the numbers of their tables, in every container and language."""

from __future__ import annotations

import itertools
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drgdip import CaseError, DrgdipError, UnknownNameError, monitor
from drgdip._plots import _chinese_font
from drgdip.monitor.binomial import likely_counts
from drgdip.monitor.funnels import _curves, _range_limits

pytest.importorskip("matplotlib")

HOSPITALS = [
    {"hospital": "H1", "discharges": 400.0, "grouped": 390.0, "cmi": 1.2, "cost_index": 0.9},
    {"hospital": "H2", "discharges": 100.0, "grouped": 100.0, "cmi": 0.8, "cost_index": 1.1},
    {"hospital": "H3", "discharges": 100.0, "grouped": 90.0, "cmi": 1.1, "cost_index": 1.3},
    {"hospital": "H4", "discharges": 50.0, "grouped": 40.0, "cmi": 0.7, "cost_index": 0.8},
    {"hospital": "H5", "discharges": 10.0, "grouped": 0.0, "cmi": None, "cost_index": None},
]
GROUPS = [
    {"group": "A", "discharges": 40.0, "cmi": 0.9, "profit": -3200.0, "total_cost": 300.0},
    {"group": "B", "discharges": 400.0, "cmi": 1.9, "profit": 800.0, "total_cost": 500.0},
    {"group": "C", "discharges": 4.0, "cmi": 2.9, "profit": None, "total_cost": 200.0},
    {"group": "D", "discharges": 4.0, "cmi": None, "profit": 5.0, "total_cost": None},
    {"group": "E", "discharges": 1.0, "cmi": 1.0, "profit": 1.0, "total_cost": -50.0},
    {"group": None, "discharges": 9.0, "cmi": 1.0, "profit": 1.0, "total_cost": 7.0},
]
DEATHS = [
    {"hospital": f"H{place}", "mortality_numerator": float(deaths), "mortality_denominator": float(number)}
    for place, (deaths, number) in enumerate([(10, 1000), (12, 1000), (50, 1000), (2, 100), (0, 0), (0, 1000)])
]
MONTHS = [{"month": month, "mean_cost": cost} for month, cost in zip(range(12, 0, -1), [100.0, 104.0] * 6, strict=True)]
FLOWS = [
    {"from": "level 3", "to": "level 2", "cases": 30},
    {"from": "level 3", "to": "level 3", "cases": 70},
    {"from": "level 2", "to": "level 3", "cases": 20},
    {"from": None, "to": "level 3", "cases": 5},
]
CELLS = [
    {"hospital": "H1", "mdc": "MDCB", "cost_index": 1.1},
    {"hospital": "H1", "mdc": "MDCC", "cost_index": 0.7},
    {"hospital": "H2", "mdc": "MDCB", "cost_index": 0.9},
]
INTERVALS = [
    {"hospital": name, "value": value, "lower": low, "upper": high}
    for name, value, low, high in (("H1", 0.02, 0.015, 0.03), ("H2", 0.01, 0.005, 0.02), ("H3", 0.001, 0.0, 0.002))
]
PICTURES = {
    "quadrants": (monitor.plot_quadrants, HOSPITALS, {}),
    "bubbles": (monitor.plot_bubbles, GROUPS, {}),
    "funnel": (monitor.plot_funnel, DEATHS, {}),
    "intervals": (monitor.plot_intervals, INTERVALS, {"indicator": "mortality", "centre": 0.01}),
    "pareto": (monitor.plot_pareto, GROUPS, {}),
    "control": (monitor.plot_control, MONTHS, {}),
    "flows": (monitor.plot_flows, FLOWS, {"start": "from", "end": "to"}),
    "heat_map": (monitor.plot_heat_map, CELLS, {}),
}
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "arrow": pa.Table.from_pylist}


def modes_of(row):
    """The modes of discharge of a hospital's cases."""
    deaths, number = int(row["mortality_numerator"]), int(row["mortality_denominator"])
    return [5] * deaths + [1] * (number - deaths)


def points_of(axes):
    """The points that are scattered on axes, as pairs."""
    return sorted(tuple(pair) for found in axes.collections for pair in found.get_offsets().tolist())


def notes_of(axes):
    """What stands between the title and the picture."""
    return next(text for text in axes.texts if text.get_position() == (0, 6)).get_text().split("\n")


def said(axes):
    """All that a picture says and draws with points and lines."""
    texts = [text.get_text() for text in axes.texts]
    lines = [line.get_xydata().tolist() for line in axes.lines]
    return texts, [found.get_offsets().tolist() for found in axes.collections], repr(lines), axes.get_title("left")


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_picture_shows_itself_without_a_warning(name, language):
    draw, table, options = PICTURES[name]
    if language == "zh" and not _chinese_font():
        pytest.skip("no font with Chinese characters is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(table, language=language, **options)
        assert figure._repr_png_().startswith(b"\x89PNG")
    chinese = any(character >= "\u4e00" for character in figure.axes[0].get_title("left"))
    assert chinese == (language == "zh")
    if language == "en":  # matplotlib 3.11 cannot pickle a font that goes by its file
        assert pickle.loads(pickle.dumps(figure))._repr_png_()


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_container_and_order_gives_the_same_picture(name, kind):
    draw, table, options = PICTURES[name]
    given = said(draw(table, **options).axes[0])
    assert said(draw(KINDS[kind](table), **options).axes[0]) == given
    if name in {"pareto", "control", "flows", "heat_map", "intervals"}:  # others draw in the order of rows
        assert said(draw(table[::-1], **options).axes[0]) == given


@pytest.mark.parametrize("name", PICTURES)
def test_names_of_columns_languages_and_axes_are_the_callers(name):
    draw, table, options = PICTURES[name]
    theirs = pa.Table.from_pylist(table)
    needed = {key: f"列{place}" for place, key in enumerate(theirs.column_names)}
    renamed = theirs.rename_columns(list(needed.values()))
    assert said(draw(renamed, columns=needed, **options).axes[0]) == said(draw(table, **options).axes[0])
    with pytest.raises(UnknownNameError, match="languages are"):
        draw(table, language="fr", **options)
    with pytest.raises(UnknownNameError, match="column"):
        draw(theirs.drop_columns([theirs.column_names[0]]), **options)
    outer = draw(table, **options).axes[0]
    below = outer.inset_axes([0, 0, 0.3, 0.3])
    assert draw(table, axes=below, **options) is outer.get_figure()
    assert below.get_title("left")
    assert draw(pa.Table.from_pylist(table)[:0], **options)._repr_png_()


# --- a mark a row ------------------------------------------------------------------------------------------------


def test_quadrants_hold_each_row_in_its_corner():
    (axes,) = monitor.plot_quadrants(HOSPITALS).axes
    corners = [found.get_offsets().tolist() for found in axes.collections]
    assert corners == [[[1.2, 0.9]], [[1.1, 1.3]], [[0.7, 0.8]], [[0.8, 1.1]]]
    areas = [found.get_sizes()[0] for found in axes.collections]
    assert areas == pytest.approx([700.0, 175.0, 87.5, 175.0])
    assert [text.get_text() for text in axes.texts if "high" in text.get_text() or "low" in text.get_text()] == [
        f"case-mix index {x}\ncost index {y}"
        for x, y in (("high", "low"), ("high", "high"), ("low", "low"), ("low", "high"))
    ]
    assert notes_of(axes) == [
        "4 of 5 drawn; without a value: H5",
        "40 of 660 discharges are in no group (6.1%)",
        "area: discharges",
    ]
    assert {text.get_text() for text in axes.texts} >= {"H1", "H2", "H3", "H4"}


def test_of_many_rows_the_largest_have_labels():
    rows = [
        {"hospital": f"H{place}", "discharges": place, "cmi": 1 + place % 71 / 70, "cost_index": 1 + place % 67 / 66}
        for place in range(1, 3001)
    ]
    (axes,) = monitor.plot_quadrants(rows).axes
    named = [int(text.get_text()[1:]) for text in axes.texts if text.get_text().startswith("H")]
    assert 20 < len(named) <= 80
    assert min(named) > 2920
    assert len(points_of(axes)) == 3000


def test_quadrants_meet_where_they_are_told_to():
    lines = [line.get_xydata().tolist()[0] for line in monitor.plot_quadrants(HOSPITALS).axes[0].lines[:2]]
    assert (lines[0][0], lines[1][1]) == (1.0, 1.0)
    rows = [row | {"cmi_reference": 1.15} for row in HOSPITALS]
    assert monitor.plot_quadrants(rows).axes[0].lines[0].get_xdata()[0] == 1.15
    assert monitor.plot_quadrants(rows, centre=(0.9, None)).axes[0].lines[0].get_xdata()[0] == 0.9
    rows[0] = rows[0] | {"cmi_reference": 1.0}
    with pytest.raises(CaseError, match="'cmi_reference' holds 2 numbers, not one for all rows: give centre="):
        monitor.plot_quadrants(rows)
    with pytest.raises(CaseError, match="nothing says which 'discharges' to compare with"):
        monitor.plot_quadrants(rows, x="discharges")


def test_bubbles_tell_gains_from_losses():
    (axes,) = monitor.plot_bubbles(GROUPS).axes
    gains, losses, unknown = axes.collections
    assert gains.get_offsets().tolist() == [[400.0, 1.9], [1.0, 1.0]]  # the nameless row is not drawn
    assert losses.get_offsets().tolist() == [[40.0, 0.9]]
    assert unknown.get_offsets().tolist() == [[4.0, 2.9]]
    assert losses.get_sizes()[0] / gains.get_sizes()[0] == pytest.approx(4.0)
    assert tuple(gains.get_facecolor()[0]) != tuple(losses.get_facecolor()[0])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert notes_of(axes)[:2] == ["4 of 5 drawn; without a value: D", "rows without a name, not drawn: 1"]


# --- chance and more ---------------------------------------------------------------------------------------------


def test_a_funnel_names_those_outside():
    (axes,) = monitor.plot_funnel(DEATHS).axes
    assert points_of(axes) == [(100.0, 0.02), (1000.0, 0.0), (1000.0, 0.01), (1000.0, 0.012), (1000.0, 0.05)]
    overall = 74 / 4100
    assert axes.lines[4].get_ydata()[0] == pytest.approx(overall)
    named = {text.get_text() for text in axes.texts if text.get_text().startswith("H")}
    cases = [{"hospital": row["hospital"], "discharge": mode} for row in DEATHS for mode in modes_of(row)]
    peers = monitor.compare_peers(cases, "mortality", confidence=0.95)
    assert named == {row["hospital"] for row in peers if row["outside"]} == {"H2", "H5"}
    assert notes_of(axes) == ["5 of 6 drawn; without a value: H4"]
    (axes,) = monitor.plot_funnel(DEATHS, centre=0.05).axes
    assert {text.get_text() for text in axes.texts if text.get_text().startswith("H")} == {"H0", "H1", "H5"}
    ends, limits = axes.lines[0].get_xdata(), axes.lines[0].get_ydata()
    assert limits == pytest.approx(_curves(0.05, ends, 0.95)[0])


def test_the_curves_of_a_funnel_part_what_is_likely_from_what_is_not():
    cases = np.array([1.0, 7.0, 60.0, 900.0])
    for share, level in itertools.product((0.002, 0.1, 0.6), (0.95, 0.998)):
        low, high = _curves(share, cases, level)
        fewest, most = likely_counts(share, cases, level)
        assert (low * cases <= fewest + 1e-9).all()
        assert (low * cases > fewest - 1).all()
        assert (high * cases >= most - 1e-9).all()
        assert ((high * cases < most + 1) | (most == cases)).all()
    low, high = _curves(0.3, np.array([1_000_000.0]), 0.95)
    assert [low[0], high[0]] == pytest.approx([0.3 - 0.000898, 0.3 + 0.000898], abs=3e-6)


def test_a_funnel_refuses_what_is_no_share_of_cases():
    wrong = [{"hospital": "H", "mortality_numerator": 3.5, "mortality_denominator": 10.0}]
    with pytest.raises(CaseError, match=r"3\.5 of 10\. A funnel needs whole numbers"):
        monitor.plot_funnel(wrong)
    with pytest.raises(CaseError, match="inner limits first"):
        monitor.plot_funnel(DEATHS, levels=(0.99, 0.95))


def test_intervals_stand_in_order_with_their_doubt():
    (axes,) = monitor.plot_intervals(INTERVALS, indicator="mortality", centre=0.01).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["H3", "H2", "H1"]
    segments = sorted(part.tolist() for found in axes.collections for part in found.get_segments())
    assert segments == [[[0.0, 0.0], [0.002, 0.0]], [[0.005, 1.0], [0.02, 1.0]], [[0.015, 2.0], [0.03, 2.0]]]
    classes = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert classes["interval above the centre"] == [[0.02, 2.0]]
    assert classes["interval below the centre"] == [[0.001, 0.0]]
    assert classes["interval across the centre"] == [[0.01, 1.0]]
    assert monitor.plot_intervals(INTERVALS).axes[0].get_legend() is None
    rows = [row | {"target": 0.01} for row in INTERVALS]
    assert monitor.plot_intervals(rows).axes[0].lines[-1].get_xdata()[0] == 0.01


def test_a_control_chart_marks_the_month_beyond_its_limits():
    rows = [row | {"mean_cost": 160.0 if row["month"] == 5 else row["mean_cost"]} for row in MONTHS]
    rows[0]["mean_cost"] = None
    (axes,) = monitor.plot_control(rows).axes
    drawn = axes.lines[0].get_ydata()
    assert [text.get_text() for text in axes.get_xticklabels()] == [str(month) for month in range(1, 13)]
    assert drawn[4] == 160.0
    assert np.isnan(drawn[11])
    known = [row["mean_cost"] for row in sorted(rows, key=lambda row: row["month"])][:11]
    mean = sum(known) / 11
    reach = 2.66 * sum(abs(one - other) for one, other in itertools.pairwise(known)) / 10
    assert [line.get_ydata()[0] for line in axes.lines[1:4]] == pytest.approx([mean, mean - reach, mean + reach])
    assert axes.lines[4].get_xydata().tolist() == [[4.0, 160.0]]
    assert notes_of(axes) == ["months without a value: 12"]
    with pytest.raises(CaseError, match="month '3' stands in 2 rows"):
        monitor.plot_control([*MONTHS, {"month": 3, "mean_cost": 1.0}])


def test_limits_of_a_series():
    assert _range_limits(np.array([1.0, 3.0, np.nan, 2.0])) == pytest.approx((2.0, 2.0 - 5.32, 2.0 + 5.32))
    assert all(map(math.isnan, _range_limits(np.array([np.nan]))))


# --- sums and pairs ----------------------------------------------------------------------------------------------


def test_a_pareto_chart_adds_up():
    bars, shares = monitor.plot_pareto(GROUPS, top=2).axes
    assert [bar.get_height() for bar in bars.patches] == [500.0, 300.0]
    assert [text.get_text() for text in bars.get_xticklabels()] == ["B", "A"]
    assert shares.lines[0].get_ydata().tolist() == [0.5, 0.8]
    assert notes_of(bars) == [
        "4 of 5 drawn; without a value: D",
        "rows without a name, not drawn: 1",
        "others (1) together: 200 yuan (20.0%)",
        "below 0, not drawn: 1, together -50 yuan",
    ]
    bars, shares = monitor.plot_pareto(GROUPS, value="profit", losses=True).axes
    assert [bar.get_height() for bar in bars.patches] == [3200.0]
    assert bars.get_ylabel() == "profit or loss (yuan) below 0"
    assert notes_of(bars)[-1] == "above 0, not drawn: 3, together 806 yuan"
    with pytest.raises(CaseError, match="at least one bar"):
        monitor.plot_pareto(GROUPS, top=0)


def test_large_money_is_in_the_unit_of_the_language():
    rows = [{"group": "A", "total_cost": 3e7}]
    for language, heading, tick in (("en", "total cost (million yuan)", "30"), ("zh", "医疗总费用（万元）", "3,000")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if not _chinese_font() else "error")
            axes = monitor.plot_pareto(rows, language=language).axes[0]
        assert axes.get_ylabel() == heading
        assert axes.yaxis.get_major_formatter()(3e7) == tick


def test_flows_keep_their_cases():
    (axes,) = monitor.plot_flows(FLOWS, start="from", end="to").axes
    texts = [text.get_text() for text in axes.texts]
    assert texts[:4] == ["level 3 (100)", "level 2 (20)", "level 3 (90)", "level 2 (30)"]
    widths = [band.get_paths()[0].vertices for band in axes.collections]
    thick = [float(np.ptp(found[np.isclose(found[:, 0], 0.0), 1])) for found in widths]
    assert thick == pytest.approx([70 / 1.2, 30 / 1.2, 20 / 1.2])
    assert notes_of(axes) == ["3 drawn", "rows without a name, not drawn: 1"]
    (axes,) = monitor.plot_flows(FLOWS, start="from", end="to", top=1).axes
    assert [text.get_text() for text in axes.texts][:2] == ["level 3 (70)", "others (50)"]
    with pytest.raises(CaseError, match="cases are counted from 0"):
        monitor.plot_flows([{"from": "a", "to": "b", "cases": -1}], start="from", end="to")


def test_a_heat_map_has_a_cell_a_pair():
    axes, bar = monitor.plot_heat_map(CELLS).axes
    mesh = axes.collections[0]
    assert mesh.get_array().tolist() == [[1.1, 0.7], [0.9, None]]
    assert (mesh.norm.vmin, mesh.norm.vmax) == pytest.approx((0.7, 1.3))
    assert sorted(text.get_text() for text in axes.texts)[:3] == ["0.70", "0.90", "1.10"]
    assert notes_of(axes) == ["3 drawn", "hatched: no value"]
    assert bar.get_ylabel() == "cost index (case-mix weighted)"
    with pytest.raises(CaseError, match="H1 · MDCB stands in 2 rows"):
        monitor.plot_heat_map([*CELLS, CELLS[0]])


def test_pictures_of_indicators_of_cases():
    cases = [
        {
            "hospital": h,
            "group": g,
            "month": m,
            "total_cost": c,
            "discharge": 1,
            "status": "grouped" if g else "ungrouped",
        }
        for h, g, m, c in itertools.product(("H1", "H2"), ("A", "B", None), ("2024-01", "2024-02"), (100.0, 250.0))
    ]
    weights = [{"group": "A", "weight": 0.5}, {"group": "B", "weight": 1.5}]
    table = monitor.indicators(cases, weights=weights)
    (axes,) = monitor.plot_quadrants(table).axes
    assert points_of(axes) == [(row["cmi"], row["cost_index"]) for row in table]
    assert "8 of 24 discharges are in no group (33.3%)" in notes_of(axes)


def test_without_matplotlib_a_picture_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "drgdip._figure", None)
    with pytest.raises(DrgdipError, match=r"drgdip\[plot\]"):
        monitor.plot_quadrants(HOSPITALS)
