"""Declared expressions: short formulas over named numbers, such as ``level * (1 + academic)``, for columns at once."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from drgdip.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Expression"]

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_FUNCTIONS = {"min": np.minimum, "max": np.maximum}


class Expression:
    """A formula of numbers, names, ``+ - * /``, brackets, ``min(…)`` and ``max(…)``.

    Parameters
    ----------
    text
        The formula.
    known
        The names that it may use; None allows any.

    Attributes
    ----------
    text
        The formula as given.
    names
        The names that it uses.

    Raises
    ------
    RuleError
        The text is no such formula, or uses a name that is not known.

    Examples
    --------
    >>> Expression("min(1, ratio * coefficient)")({"ratio": 0.5, "coefficient": 1.2})
    0.6
    """

    def __init__(self, text: str, known: Collection[str] | None = None) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            position = (getattr(error, "offset", None) or 1) - 1
            raise RuleError(
                text, position, "the formula cannot be read: use numbers, names, + - * /, min and max"
            ) from error
        names: dict[str, None] = {}
        self._check(self._tree, known, names)
        self.names = tuple(names)

    def _check(self, node: ast.expr, known: Collection[str] | None, names: dict[str, None]) -> None:
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            self._check(node.left, known, names)
            self._check(node.right, known, names)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self._check(node.operand, known, names)
        elif isinstance(node, ast.Constant) and type(node.value) in {int, float}:
            pass
        elif isinstance(node, ast.Name):
            if known is not None and node.id not in known:
                raise self._error(node, f"the formula uses {node.id!r}; it may use {', '.join(known)}")
            names[node.id] = None
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in _FUNCTIONS
            and len(node.args) > 1
            and not node.keywords
        ):
            for argument in node.args:
                self._check(argument, known, names)
        else:
            raise self._error(node, "a formula has numbers, names, + - * /, brackets, min(a, b) and max(a, b)")

    def _error(self, node: ast.expr, what: str) -> RuleError:
        indent = len(self.text) - len(self.text.lstrip())
        position = len(self.text.lstrip().encode()[: node.col_offset].decode()) + indent
        return RuleError(self.text, position, what)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the formula for numbers or arrays by name. A division by zero gives inf or NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._value(self._tree, values)

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            if isinstance(node.op, ast.Div) and isinstance(right, int):
                right = np.float64(right)
            return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp):
            return -self._value(node.operand, values)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return values[node.id]
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        function = _FUNCTIONS[node.func.id]
        found = self._value(node.args[0], values)
        for argument in node.args[1:]:
            found = function(found, self._value(argument, values))
        return found.item() if isinstance(found, np.generic) else found

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"
