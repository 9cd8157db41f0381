"""Pictures: the figure they stand on, their words and colours, Chinese fonts, and labels that do not cover each other.

Nothing global is read or changed: no pyplot, no settings of matplotlib. `finish_axes` comes last in every picture.
"""

from __future__ import annotations

import itertools
import unicodedata
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._once import once
from drgdip._sankey import COLOURS
from drgdip.data import words_of
from drgdip.errors import DrgdipError
from drgdip.reasons import LANGUAGES, check_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = [
    "BLUE",
    "COLOURS",
    "GREY",
    "NOTE_SIZE",
    "VERMILION",
    "Label",
    "add_legend",
    "finish_axes",
    "make_axes",
    "say",
]

#: Blue and vermilion are told apart by readers who do not see red and green as two.
BLUE, VERMILION, GREY = COLOURS[0], COLOURS[4], "#767676"
NOTE_SIZE = 8.5
#: Fonts with Chinese characters, those of screens first: of Linux, Windows, macOS.
_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "SimHei",
    "DengXian",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Serif CJK SC",
    "Songti SC",
    "SimSun",
)
#: Draws a box for every character, without the warning that matplotlib has for each one that no font has.
_BOXES = "Last Resort High-Efficiency"
#: Where a label may stand beside its point: the shares of its width and height, and the direction of the gap.
_SIDES = ((0, -0.5, 1, 0), (-1, -0.5, -1, 0), (-0.5, 0, 0, 1), (-0.5, -1, 0, -1))
_CORNERS = ((0, 0, 0.7, 0.7), (-1, 0, -0.7, 0.7), (0, -1, 0.7, -0.7), (-1, -1, -0.7, -0.7))
#: How far off a label may stand, in points.
_FAR = (0.0, 12.0, 26.0)


class Label(NamedTuple):
    """A text beside a point; the radius of its mark is in points (1/72 inch)."""

    x: float
    y: float
    text: str
    radius: float = 3.0


def make_axes(axes: Any = None, *, size: tuple[float, float] = (7.2, 4.8)) -> Any:
    """Return the axes given, or those of a figure of its own, of so many inches, which a notebook shows.

    Raises
    ------
    DrgdipError
        matplotlib is not installed.
    """
    if axes is not None:
        return axes
    try:
        from drgdip._figure import Picture
    except ImportError as error:
        raise DrgdipError("plots need matplotlib, which is not installed: pip install 'drgdip[plot]'") from error
    return Picture(figsize=size, layout="constrained").subplots()


def say(name: str, language: str, /, **values: Any) -> str:
    """Return a text of pictures in a language, with values in their places."""
    check_language(language)
    return words_of("plots.csv")[name][LANGUAGES.index(language)].format(**values)


def finish_axes(
    axes: Any, *, title: str, notes: Iterable[str] = (), labels: Sequence[Label] = (), beside: Iterable[Any] = ()
) -> Figure:
    """Write title, notes and labels of a picture in a font that has their characters; return the figure.

    ``beside`` are axes that belong to the picture too: a second scale, a bar of colours.
    A label that finds no place beside its point, those before it having theirs, is left out.
    """
    noted = [note for note in notes if note]
    axes.set_title(title[:1].upper() + title[1:], loc="left", fontsize=12, pad=10 + 12.5 * len(noted))
    if noted:
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
        axes.annotate("\n".join(noted), (0, 1), (0, 6), fontsize=NOTE_SIZE, color=GREY, linespacing=1.3, **place)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    written = [axes.text(label.x, label.y, label.text, fontsize=NOTE_SIZE, in_layout=False) for label in labels]
    figure: Figure = axes.get_figure().figure  # that of a part of a figure is the whole
    _set_fonts([axes, *beside])
    if labels:
        figure.draw_without_rendering()
        _place(axes, labels, written)
    return figure


def add_legend(axes: Any, *, below: float = 40.0) -> None:
    """Write the legend under the axes, so many points below them, where it covers nothing that is drawn."""
    from matplotlib.transforms import ScaledTranslation

    handles, texts = axes.get_legend_handles_labels()
    if not handles:
        return
    under = axes.transAxes + ScaledTranslation(0, -below / 72, axes.get_figure().dpi_scale_trans)
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0), "bbox_transform": under, "borderaxespad": 0.0}
    legend = axes.legend(handles, texts, ncols=min(len(handles), 3), fontsize=NOTE_SIZE, frameon=False, **place)
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):  # bubbles of all sizes are of one in the legend
            handle.set_sizes([36.0])


def _set_fonts(every: Iterable[Any]) -> None:
    """Give all texts of axes a font with Chinese characters, where one of them has such; warn where there is none."""
    from matplotlib.text import Text

    texts: list[Text] = [text for axes in every for text in axes.findobj(Text)]
    if not any(unicodedata.east_asian_width(character) in "WF" for text in texts for character in text.get_text()):
        return
    font = _chinese_font()
    if not font:
        warnings.warn(
            "no font with Chinese characters is found, and boxes stand for them: install one, such as Noto Sans CJK SC "
            "(package fonts-noto-cjk), Microsoft YaHei or SimHei, and start Python again",
            stacklevel=5,
        )
    for text in texts:
        properties = text.get_fontproperties().copy()
        if "file" in font:
            properties.set_file(font["file"])
        else:
            properties.set_family(font.get("family", [*properties.get_family(), _BOXES]))
        text.set_fontproperties(properties)


@once
def _chinese_font() -> dict[str, Any]:
    """Return the properties of the first of the fonts that is installed, none where none is.

    The list that matplotlib keeps on the disk may be older than the fonts: a new one is made where it has none. Then
    the font goes by its file, since matplotlib itself does not know its name.
    """
    from matplotlib.font_manager import FontManager, FontProperties, fontManager

    known = _first_of(fontManager)
    if known is not None:
        return {"family": [known, "sans-serif"]}
    manager: Any = FontManager()
    found = _first_of(manager)
    return {} if found is None else {"file": manager.findfont(FontProperties(family=found))}


def _first_of(manager: Any) -> str | None:
    """Return the first of the fonts that a list of matplotlib has."""
    names = {entry.name for entry in manager.ttflist}
    return next((name for name in _FONTS if name in names), None)


def _place(axes: Any, labels: Sequence[Label], written: Sequence[Any]) -> None:
    """Move each label beside its point, where it covers no other label and no point, or take it away.

    A label that stands farther off has a line to its point.
    """
    scale = axes.get_figure().dpi / 72
    room = axes.get_window_extent()
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    # A label may touch the square around a round mark: seven tenths of the radius are the square within.
    reach = [0.7 * label.radius * scale for label in labels]
    taken = [(x - far, y - far, x + far, y + far) for (x, y), far in zip(points, reach, strict=True)]
    for (x, y), label, text in zip(points, labels, written, strict=True):
        box = text.get_window_extent()
        for far, (across, up, right, above) in itertools.product(_FAR, (*_SIDES, *_CORNERS)):
            gap = (label.radius + 2 + far) * scale
            left, low = x + across * box.width + right * gap, y + up * box.height + above * gap
            place = (left, low, left + box.width, low + box.height)
            around = (left - 2 * scale, low, place[2] + 2 * scale, place[3])
            inside = left >= room.x0 and low >= room.y0 and place[2] <= room.x1 and place[3] <= room.y1
            if inside and not any(_overlap(around, other) for other in taken):
                taken.append(around)
                back = axes.transData.inverted()
                text.set_position(back.transform((left, low)))
                text.set_verticalalignment("bottom")
                if far:
                    end = back.transform((left - across * box.width, low - up * box.height))
                    axes.plot([label.x, end[0]], [label.y, end[1]], color=GREY, linewidth=0.5, in_layout=False)
                break
        else:
            text.remove()


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
