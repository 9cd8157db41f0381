"""Flows between two columns of names, drawn as SVG: a band for each flow, as wide as it has cases."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["COLOURS", "Flow", "draw_flows", "places_of", "totals_of"]

_WIDTH, _MARGIN, _NODE, _GAP, _LINE = 900, 300, 12, 6, 16
#: Colours of kinds, in their order: told apart by readers who do not see red and green as two.
COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#f0e442",
    "#8c564b",
    "#bcbd22",
    "#999999",
    "#222222",
)
#: How far the band of a flow covers those below it.
_OPACITY = "0.55"


class Flow(NamedTuple):
    """So many cases from a name on the left to one on the right; the kind gives the colour."""

    left: str
    right: str
    cases: int
    kind: str


def draw_flows(flows: Sequence[Flow], kinds: Mapping[str, str], *, title: str) -> str:
    """Return an SVG picture of flows, in their order.

    Parameters
    ----------
    flows
        The flows to draw.
    kinds
        The texts of the legend by kind.
    title
        The heading of the picture, which a screen reader says as well.
    """
    lefts = totals_of([(flow.left, flow.cases) for flow in flows])
    rights = totals_of([(flow.right, flow.cases) for flow in flows])
    top = 44
    scale = 440 / max(sum(lefts.values()), 1)
    places = [places_of(column, scale, top, room=_LINE - _GAP, gap=_GAP) for column in (lefts, rights)]
    bottom = max([top, *(end for column in places for _, end in column.values())])
    shown = [kind for kind in kinds if any(flow.kind == kind for flow in flows)]
    colour = {kind: COLOURS[list(kinds).index(kind) % len(COLOURS)] for kind in shown}
    height = bottom + 16 + _LINE * len(shown) + 8
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' width='{_WIDTH}'",
        f" height='{height:.0f}' font-family='sans-serif' font-size='11' role='img'>",
        f"<title>{html.escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height:.0f}' fill='white'/>",
        f"<text x='{_WIDTH / 2:.0f}' y='22' font-size='14' text-anchor='middle'>{html.escape(title)}</text>",
    ]
    used = [{name: start for name, (start, _) in column.items()} for column in places]
    for flow in flows:
        thick = flow.cases * scale
        starts = used[0][flow.left] + thick / 2, used[1][flow.right] + thick / 2
        used[0][flow.left] += thick
        used[1][flow.right] += thick
        parts.append(_band(flow, starts, thick, colour[flow.kind]))
    for column, totals, x, anchor, shift in (
        (places[0], lefts, _MARGIN - _NODE, "end", -6),
        (places[1], rights, _WIDTH - _MARGIN, "start", _NODE + 6),
    ):
        for name, (start, _) in column.items():
            high = totals[name] * scale
            parts.append(f"<rect x='{x}' y='{start:.1f}' width='{_NODE}' height='{high:.1f}' fill='#444444'/>")
            parts.append(
                f"<text x='{x + shift}' y='{start + high / 2 + 4:.1f}' text-anchor='{anchor}'>"
                f"{html.escape(name)} ({totals[name]:,})</text>"
            )
    for number, kind in enumerate(shown):
        y = bottom + 16 + _LINE * number
        parts.append(
            f"<rect x='{_MARGIN}' y='{y:.1f}' width='10' height='10' fill='{colour[kind]}' fill-opacity='{_OPACITY}'/>"
        )
        parts.append(f"<text x='{_MARGIN + 16}' y='{y + 9:.1f}'>{html.escape(kinds[kind])}</text>")
    return "\n".join([*parts, "</svg>", ""])


def totals_of(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return the cases of each name, in the order in which the names come first."""
    found: dict[str, int] = {}
    for name, cases in pairs:
        found[name] = found.get(name, 0) + cases
    return found


def places_of(
    totals: Mapping[str, int], scale: float, top: float, *, room: float, gap: float
) -> dict[str, tuple[float, float]]:
    """Return where each name's bar starts, and where its room ends: no label stands on another.

    A name has at least so much room, and there is a gap between one and the next.
    """
    found = {}
    for name, cases in totals.items():
        high = cases * scale
        taken = max(high, room)
        found[name] = (top + (taken - high) / 2, top + taken)
        top += taken + gap
    return found


def _band(flow: Flow, starts: tuple[float, float], thick: float, colour: str) -> str:
    left, right = _MARGIN, _WIDTH - _MARGIN
    middle = (left + right) / 2
    path = f"M{left},{starts[0]:.1f} C{middle:.0f},{starts[0]:.1f} {middle:.0f},{starts[1]:.1f} {right},{starts[1]:.1f}"
    return (
        f"<path d='{path}' fill='none' stroke='{colour}' stroke-opacity='{_OPACITY}'"
        f" stroke-width='{max(thick, 1):.1f}'>"
        f"<title>{html.escape(flow.left)} → {html.escape(flow.right)}: {flow.cases:,}</title></path>"
    )
