"""After the group: indicators, comparison with others, and what is odd, over any table of grouped cases.

Functions are pure: tables in, tables out. A key is any column: hospital, department, doctor, panel, month.
"""

from __future__ import annotations

from drgdip.monitor.anonymise import Anonymous, anonymise
from drgdip.monitor.charts import plot_flows, plot_heat_map, plot_pareto
from drgdip.monitor.comparison import Comparison
from drgdip.monitor.differences import Difference, list_differences
from drgdip.monitor.evaluation import Evaluation, evaluate
from drgdip.monitor.evaluation_rules import EvaluationScheme, read_evaluation
from drgdip.monitor.flow import flows
from drgdip.monitor.funnels import plot_control, plot_funnel, plot_intervals
from drgdip.monitor.indicators import (
    IndicatorState,
    describe_indicators,
    indicators,
    translate_indicators,
)
from drgdip.monitor.learning import (
    Expectations,
    LearnedSignal,
    learn_expected,
    learned_signals,
    list_learned_signals,
)
from drgdip.monitor.model_card import ModelCard
from drgdip.monitor.mortality import RISK_BANDS, WITHOUT_DEATHS, RiskGroups, low_risk_mortality, risk_groups
from drgdip.monitor.pages import KEY_FIGURES, write_feedback
from drgdip.monitor.panels import DISPUTES, Feedback, feedback
from drgdip.monitor.peers import compare_peers
from drgdip.monitor.period import Indicator, list_indicators
from drgdip.monitor.plotting import plot_bubbles, plot_quadrants
from drgdip.monitor.returned import compare_returned
from drgdip.monitor.signal_rules import Signal, list_signals
from drgdip.monitor.signals import plan_signals, signals

__all__ = [
    "DISPUTES",
    "KEY_FIGURES",
    "RISK_BANDS",
    "WITHOUT_DEATHS",
    "Anonymous",
    "Comparison",
    "Difference",
    "Evaluation",
    "EvaluationScheme",
    "Expectations",
    "Feedback",
    "Indicator",
    "IndicatorState",
    "LearnedSignal",
    "ModelCard",
    "RiskGroups",
    "Signal",
    "anonymise",
    "compare_peers",
    "compare_returned",
    "describe_indicators",
    "evaluate",
    "feedback",
    "flows",
    "indicators",
    "learn_expected",
    "learned_signals",
    "list_differences",
    "list_indicators",
    "list_learned_signals",
    "list_signals",
    "low_risk_mortality",
    "plan_signals",
    "plot_bubbles",
    "plot_control",
    "plot_flows",
    "plot_funnel",
    "plot_heat_map",
    "plot_intervals",
    "plot_pareto",
    "plot_quadrants",
    "read_evaluation",
    "risk_groups",
    "signals",
    "translate_indicators",
    "write_feedback",
]
