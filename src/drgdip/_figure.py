"""The figure that pictures are drawn on, which needs matplotlib: `drgdip._plots` imports it when one is made."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["Picture"]


class Picture(Figure):
    """A figure without pyplot: it touches nothing global and needs no screen.

    A notebook knows how to show the figures of pyplot, and others only once pyplot is imported. It shows this one by
    its own method.
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png")
        return content.getvalue()
