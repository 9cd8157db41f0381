"""Pictures: shown by a notebook, nothing global touched, Chinese fonts, labels that do not cover each other."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import warnings

import pytest

from drgdip import UnknownNameError, _plots, points

pytest.importorskip("matplotlib")

BEFORE = [{"group": f"G{place}", "weight": float(place)} for place in range(1, 6)]


def test_a_figure_needs_no_pyplot_and_leaves_settings_alone():
    code = (
        "import matplotlib, sys\n"
        "before = matplotlib.rcParams.copy()\n"
        "from drgdip import points\n"
        "table = [{'group': '心衰', 'weight': 1.0}]\n"
        "assert points.plot_weights(table, table)._repr_png_()[:4] == b'\\x89PNG'\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_figure_can_be_pickled():
    again = pickle.loads(pickle.dumps(points.plot_weights(BEFORE, BEFORE)))
    assert again.axes[0].lines[0].get_xydata()[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert again._repr_png_()


def test_the_words_are_of_the_language():
    with warnings.catch_warnings():
        warnings.simplefilter("error" if _plots._chinese_font() else "ignore")
        (axes,) = points.plot_ratios([{"cost_ratio": 1.0}, {"cost_ratio": None}], language="zh").axes
    assert (axes.get_xlabel(), axes.get_title("left")) == ("费用倍率", "1例，另有1例无费用倍率")
    with pytest.raises(UnknownNameError, match="languages are en, zh"):
        points.plot_ratios([{"cost_ratio": 1.0}], language="de")


def test_chinese_texts_are_drawn_in_a_font_that_has_them():
    if not _plots._chinese_font():
        pytest.skip("no font with Chinese characters is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a character that the font lacks
        assert points.plot_weights(BEFORE, BEFORE, language="zh")._repr_png_()


def test_without_such_a_font_one_warning_says_what_to_install(monkeypatch):
    monkeypatch.setattr(_plots, "_chinese_font", dict)
    with pytest.warns(
        UserWarning, match=r"boxes stand for them: install one, such as Noto Sans CJK SC .*SimHei"
    ) as told:
        figure = points.plot_weights(BEFORE, BEFORE, language="zh")
    assert len(told) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points.plot_weights(BEFORE, BEFORE, language="en")  # no Chinese character, no warning
    families = {name for text in [*figure.axes[0].texts, figure.axes[0].xaxis.label] for name in text.get_fontfamily()}
    assert _plots._BOXES in families


def test_labels_cover_neither_each_other_nor_points():
    axes = _plots.make_axes()
    labels = [_plots.Label(x / 10, y / 10, f"Hospital {x}.{y}", 4.0) for x in range(11) for y in range(11)]
    axes.scatter([label.x for label in labels], [label.y for label in labels])
    figure = _plots.finish_axes(axes, title="", labels=labels)
    figure.draw_without_rendering()
    texts = [text for text in axes.texts if text.get_text().startswith("Hospital")]
    assert 20 < len(texts) < len(labels)  # those without room are left out
    boxes = [text.get_window_extent() for text in texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    marks = axes.transData.transform([(label.x, label.y) for label in labels])
    assert not any(box.contains(*mark) for box in boxes for mark in marks)
