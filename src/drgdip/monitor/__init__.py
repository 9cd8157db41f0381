"""After the group: indicators, comparison with others, and what is odd, over any table of grouped cases.

Functions are pure: tables in, tables out. A key is any column: hospital, department, doctor, panel, month.
"""

from __future__ import annotations

from drgdip.monitor.anonymise import Anonymous, anonymise
from drgdip.monitor.comparison import Comparison
from drgdip.monitor.differences import Difference, list_differences
from drgdip.monitor.evaluation import Evaluation, evaluate
from drgdip.monitor.evaluation_rules import EvaluationScheme, read_evaluation
from drgdip.monitor.indicators import Indicator, indicators, list_indicators
from drgdip.monitor.returned import compare_returned

__all__ = [
    "Anonymous",
    "Comparison",
    "Difference",
    "Evaluation",
    "EvaluationScheme",
    "Indicator",
    "anonymise",
    "compare_returned",
    "evaluate",
    "indicators",
    "list_differences",
    "list_indicators",
    "read_evaluation",
]
