"""After the group: indicators, comparison with others, and what is odd, over any table of grouped cases.

Functions are pure: tables in, tables out. A key is any column: hospital, department, doctor, panel, month.
"""

from __future__ import annotations

from drgdip.monitor.charts import plot_flows, plot_heat_map, plot_pareto
from drgdip.monitor.funnels import plot_control, plot_funnel, plot_intervals
from drgdip.monitor.indicators import Indicator, indicators, list_indicators
from drgdip.monitor.plotting import plot_bubbles, plot_quadrants

__all__ = [
    "Indicator",
    "indicators",
    "list_indicators",
    "plot_bubbles",
    "plot_control",
    "plot_flows",
    "plot_funnel",
    "plot_heat_map",
    "plot_intervals",
    "plot_pareto",
    "plot_quadrants",
]
