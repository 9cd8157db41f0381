"""Signals (疑点) and their parameters as data: ``data/monitor/signals.csv`` and ``signal_parameters.csv``."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import PolicyError, UnknownNameError

if TYPE_CHECKING:
    import os

__all__ = ["Parameter", "Signal", "list_signals", "parameters_of", "read_parameters", "signals_by_id"]


class Parameter(NamedTuple):
    """A parameter of a signal.

    Attributes
    ----------
    name
        The key in ``parameters=``.
    minimum, maximum
        The limits of a number, None where there is none.
    default
        The value that holds where none is given, "" for a parameter that must be given.
    english, chinese
        The meaning.
    seen
        Numbers that sources name, with the grade of each: the sources differ, so that none is a default.
    """

    name: str
    minimum: float | None
    maximum: float | None
    default: str
    english: str
    chinese: str
    seen: str

    @property
    def is_text(self) -> bool:
        """Return whether it is a text, not a number."""
        return self.minimum is None


class Signal(NamedTuple):
    """A signal: a reason to look, with the evidence that its rows hold.

    Attributes
    ----------
    id, english, chinese
        The name in the column ``signal``, and the names in the field.
    scope
        ``case`` or ``hospital``: the subject of a row.
    definition, definition_zh
        The cases that are meant.
    compared, compared_zh
        The meaning of the columns ``value``, ``expected`` and ``limit``.
    columns, tables, parameters
        The columns, the further tables and the parameters without which it does not run.
    counterfactual
        The payment that ``amount`` is the difference to: ``no_stay``, ``one_stay`` (all stays regrouped as one),
        ``without_code``, ``swapped`` (another principal code), ``by_item`` (the cost), ``by_item_swapped``, ``moved``
        (the outpatient cost), ``none``.
    unit
        The unit of ``value``.
    source, grade
        The place where it is named, and the grade of that: A a primary document, B an official draft, C a third party,
        R practice without a document. ``A (name)``: the document names the signal and does not define it.
    """

    id: str
    english: str
    chinese: str
    scope: str
    definition: str
    definition_zh: str
    compared: str
    compared_zh: str
    columns: tuple[str, ...]
    tables: tuple[str, ...]
    parameters: tuple[str, ...]
    counterfactual: str
    unit: str
    source: str
    grade: str


@once
def parameters_of() -> Mapping[str, Mapping[str, Parameter]]:
    """Return the parameters by signal and name."""
    found: dict[str, dict[str, Parameter]] = {}
    for row in rows_of("monitor/signal_parameters.csv"):
        values: dict[str, Any] = {key: value for key, value in row.items() if key not in {"signal", "parameter"}}
        for key in ("minimum", "maximum"):
            values[key] = float(values[key]) if values[key] else None
        found.setdefault(row["signal"], {})[row["parameter"]] = Parameter(row["parameter"], **values)
    return MappingProxyType(found)


@once
def signals_by_id() -> Mapping[str, Signal]:
    """Return the signals by id."""
    found = {}
    for row in rows_of("monitor/signals.csv"):
        values: dict[str, Any] = dict(row)
        for key in ("columns", "tables"):
            values[key] = tuple(filter(None, values[key].split("|")))
        values["parameters"] = tuple(parameters_of().get(row["id"], {}))
        found[row["id"]] = Signal(**values)
    return MappingProxyType(found)


def list_signals() -> Listing[Signal]:
    """List the signals.

    Returns
    -------
    A row a `Signal`, whose definitions and meanings are in English and Chinese.

    Examples
    --------
    >>> list_signals().row("split_stay").chinese, list_signals().row("split_stay").parameters
    ('分解住院', ('days', 'same'))
    """
    return Listing(list(signals_by_id().values()), Signal._fields)


def read_parameters(
    given: Mapping[str, Mapping[str, Any]] | str | os.PathLike[str] | None,
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each signal, those with a default included.

    Parameters
    ----------
    given
        By signal and name, or the path of a TOML file with a table a signal.

    Raises
    ------
    UnknownNameError, PolicyError
        A signal or a parameter that there is not; a value of the wrong kind or outside its limits; no TOML.
    """
    read = given if isinstance(given, Mapping) else {} if given is None else _from_file(Path(given))
    for name, values in read.items():
        if name not in signals_by_id():
            raise UnknownNameError("signal", str(name), signals_by_id(), hint="See list_signals().")
        if not isinstance(values, Mapping):
            raise PolicyError(f"the parameters of {name} are {values!r}: give a mapping, {{}} for none")
        for parameter in values:
            if parameter not in parameters_of().get(name, {}):
                known = parameters_of().get(name, {})
                raise UnknownNameError(f"parameter of {name}", str(parameter), known)
    found = {}
    for name in signals_by_id():
        own = parameters_of().get(name, {})
        values = {key: row.default for key, row in own.items() if row.default} | dict(read.get(name, {}))
        found[name] = {key: _checked(name, own[key], value) for key, value in values.items()}
    return found


def _from_file(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"{path}: no TOML file of parameters can be read ({error}): give a table a signal") from error


def _checked(signal: str, row: Parameter, value: Any) -> Any:
    """Return a value, a number as a float. Raise PolicyError where it cannot be one of the parameter."""
    where = f"parameter {row.name} of {signal} is {value!r}"
    if row.is_text:
        if isinstance(value, str):
            return tuple(filter(None, value.split("|")))
        if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise PolicyError(f"{where}: give names of columns")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PolicyError(f"{where}: give a number ({row.english})")
    low, high = row.minimum, row.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise PolicyError(f"{where}: give a number {limits} ({row.english})")
    return float(value)
