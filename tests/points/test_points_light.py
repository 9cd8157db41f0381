import subprocess
import sys

import pytest

from drgdip import points
from drgdip.errors import DrgdipError


def test_points_bring_in_nothing_heavy():
    code = (
        "import sys, drgdip\n"
        "before = set(sys.modules)\n"
        "assert not {'pyarrow', 'numpy'} & before\n"
        "drgdip.points.weights\n"
        "print(*sorted({'pandas', 'numba', 'matplotlib', 'pydantic', 'drgdip.grouper'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_plots_draw_what_they_are_given(tmp_path):
    pytest.importorskip("matplotlib")
    before = [{"group": group, "weight": weight} for group, weight in (("A", 1.0), ("B", 2.0), ("C", None))]
    after = [{"group": group, "weight": weight} for group, weight in (("A", 1.1), ("B", 1.9), ("D", 1.0))]
    figure = points.plot_weights(before, after)
    (axes,) = figure.axes
    assert figure._repr_png_().startswith(b"\x89PNG")  # which a notebook shows
    assert axes.get_title("left") == "2 groups, 1 without a weight in both"
    assert axes.lines[0].get_xydata().tolist() == [[1.0, 1.1], [2.0, 1.9]]
    figure = points.plot_ratios([{"cost_ratio": ratio} for ratio in (0.2, 1.0, 9.0, None)], edges=[0.5, 2.0])
    (axes,) = figure.axes
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert [line.get_xdata()[0] for line in axes.lines] == [0.5, 2.0]
    figure.savefig(tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 1000
    below = axes.inset_axes([0, 0, 0.3, 0.3])
    assert points.plot_weights(before, after, axes=below) is figure
    assert len(below.lines) == 2


def test_without_matplotlib_a_plot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "drgdip._figure", raising=False)
    with pytest.raises(DrgdipError, match=r"drgdip\[plot\]"):
        points.plot_ratios([{"cost_ratio": 1.0}])
