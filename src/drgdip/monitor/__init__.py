"""After the group: indicators, comparison with others, and what is odd, over any table of grouped cases.

Functions are pure: tables in, tables out. A key is any column: hospital, department, doctor, panel, month.
"""

from __future__ import annotations

from drgdip.monitor.indicators import Indicator, indicators, list_indicators
from drgdip.monitor.learning import (
    Expectations,
    LearnedSignal,
    learn_expected,
    learned_signals,
    list_learned_signals,
)
from drgdip.monitor.model_card import ModelCard
from drgdip.monitor.signal_rules import Signal, list_signals
from drgdip.monitor.signals import plan_signals, signals

__all__ = [
    "Expectations",
    "Indicator",
    "LearnedSignal",
    "ModelCard",
    "Signal",
    "indicators",
    "learn_expected",
    "learned_signals",
    "list_indicators",
    "list_learned_signals",
    "list_signals",
    "plan_signals",
    "signals",
]
