"""Model cards: what a model learned from, how good it is, what it looks at, and what it is not for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from drgdip._version import __version__
from drgdip.errors import UnknownNameError
from drgdip.reasons import LANGUAGES

__all__ = ["ModelCard", "Quality"]

_WORDS = {
    "en": {
        "title": "Model card: expected cost, stay and severity",
        "data": "Data",
        "cases": "cases",
        "hospitals": "hospitals",
        "period": "discharges",
        "method": "Method",
        "how": "Gradient boosting over histograms (scikit-learn). Each hospital's cases are judged by models of other "
        "hospitals.",
        "quality": "Quality on hospitals that the model did not see",
        "target": "target",
        "importance": "What it looks at (loss of quality when shuffled)",
        "limits": "Limits",
        "limit": "The numbers are expectations from codes, age and sex. They see no severity beyond codes, and learn "
        "what is usual, right or wrong. A residual is a reason to look, and no proof.",
    },
    "zh": {
        "title": "模型卡：期望费用、住院天数与重症概率",
        "data": "数据",
        "cases": "病例数",
        "hospitals": "医疗机构数",
        "period": "出院日期",
        "method": "方法",
        "how": "直方图梯度提升（scikit-learn）。每家机构的病例均由未见过该机构的模型评估。",
        "quality": "在模型未见过的机构上的效果",
        "target": "目标",
        "importance": "所看特征（打乱后效果的下降）",
        "limits": "局限",
        "limit": "数值是由编码、年龄、性别得出的期望，看不到编码以外的病情轻重，学到的是惯常做法，无论对错。"
        "残差是核查线索，不是证据。",
    },
}
_SHOWN = 8


def _versions() -> dict[str, str]:
    import sklearn

    return {"drgdip": __version__, "scikit-learn": sklearn.__version__}


class Quality(NamedTuple):
    """How good the expectations of a target are, on hospitals that the model did not see.

    Attributes
    ----------
    target
        ``total_cost``, ``los`` or ``severity``.
    cases
        Cases with a value.
    measures
        ``r2_of_logs``, ``mean_error`` and ``mean_error_of_mean`` (that of the mean as expectation); of severity
        ``auc``, ``brier`` and ``brier_of_mean``.
    importance
        Features with the loss of quality when each is shuffled, the greatest first.
    """

    target: str
    cases: int
    measures: dict[str, float]
    importance: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class ModelCard:
    """The card of learned expectations.

    Attributes
    ----------
    cases, hospitals
        How many it learned from.
    first, last
        The days of discharge, "" where they are not known.
    parameters
        ``folds``, ``rounds`` and ``seed``.
    qualities
        A `Quality` a target.
    versions
        The versions of drgdip and scikit-learn.
    """

    cases: int
    hospitals: int
    first: str
    last: str
    parameters: dict[str, int]
    qualities: tuple[Quality, ...]
    versions: dict[str, str] = field(default_factory=_versions)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain values, for JSON."""
        qualities = [row._asdict() | {"importance": dict(row.importance)} for row in self.qualities]
        return {
            "cases": self.cases,
            "hospitals": self.hospitals,
            "first": self.first,
            "last": self.last,
            "parameters": dict(self.parameters),
            "qualities": qualities,
            "versions": dict(self.versions),
            "limits": {language: _WORDS[language]["limit"] for language in LANGUAGES},
        }

    def to_markdown(self, language: str = "en") -> str:
        """Return the card as a page.

        Parameters
        ----------
        language
            ``en`` or ``zh``.

        Raises
        ------
        UnknownNameError
            There is no such language.
        """
        if language not in LANGUAGES:
            raise UnknownNameError("language", language, LANGUAGES)
        words = _WORDS[language]
        lines = [f"# {words['title']}", "", f"## {words['data']}", ""]
        lines += [f"- {words['cases']}: {self.cases:,}", f"- {words['hospitals']}: {self.hospitals:,}"]
        lines += [f"- {words['period']}: {self.first} – {self.last}"] if self.first else []
        settings = ", ".join(f"{name} {value}" for name, value in (*self.parameters.items(), *self.versions.items()))
        lines += ["", f"## {words['method']}", "", f"{words['how']} ({settings})", "", f"## {words['quality']}", ""]
        lines += [f"| {words['target']} | {words['cases']} | |", "| --- | --- | --- |"]
        lines += [f"| {row.target} | {row.cases:,} | {_measures(row)} |" for row in self.qualities]
        lines += ["", f"## {words['importance']}", ""]
        lines += [f"- {row.target}: {_importance(row)}" for row in self.qualities]
        return "\n".join([*lines, "", f"## {words['limits']}", "", words["limit"], ""])

    def __repr__(self) -> str:
        rows = [f"  {row.target}: {_measures(row)}; {_importance(row)}" for row in self.qualities]
        head = f"expectations learned from {self.cases:,} cases of {self.hospitals:,} hospitals"
        return "\n".join([head, *rows])

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def _measures(row: Quality) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in row.measures.items())


def _importance(row: Quality) -> str:
    return ", ".join(f"{name} {loss:.3f}" for name, loss in row.importance[:_SHOWN] if loss > 0)
