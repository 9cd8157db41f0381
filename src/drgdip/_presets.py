"""Presets: published rules by name, with what their sources leave open to be filled in by the caller.

A value ``"$name"`` of a preset stands for what the caller gives under that name. Its ``needs`` say of each such name
what is to be given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from drgdip.errors import PolicyError, UnknownNameError

__all__ = ["ABSENT", "Presets"]

#: Given for an open number or rule, it leaves the key out.
ABSENT: Any = object()


class Presets(NamedTuple):
    """The presets of one kind.

    Attributes
    ----------
    kind
        Name of the kind in messages: policy, outlier policy.
    listed_by
        The function that lists them, for messages.
    values
        The values of each preset by its name.
    """

    kind: str
    listed_by: str
    values: Mapping[str, Mapping[str, Any]]

    def needs(self, name: str) -> Mapping[str, str]:
        """Return what must be given for a preset, by name, each with what it is."""
        needs: Mapping[str, str] = self.get(name).get("needs", {})
        return needs

    def get(self, name: str) -> Mapping[str, Any]:
        """Return the values of a preset as they stand. Raise UnknownNameError if there is none of this name."""
        if name not in self.values:
            hint = f"There are {', '.join(self.values)}: see {self.listed_by}()."
            raise UnknownNameError(self.kind, name, self.values, hint=hint)
        return self.values[name]

    def fill(
        self, name: str, given: Mapping[str, Any], stands: Callable[[Any], Any] = lambda value: value
    ) -> dict[str, Any]:
        """Return the values of a preset with every ``$name`` replaced.

        Parameters
        ----------
        name
            The preset.
        given
            All numbers and rules that the preset leaves open, and nothing else.
        stands
            Makes of a given value what stands in its place; `ABSENT` leaves the key out.

        Raises
        ------
        UnknownNameError
            There is no such preset, or it leaves no such thing open.
        PolicyError
            Something that the preset leaves open is not given.
        """
        needs = self.needs(name)
        for key in given:
            if key not in needs:
                hint = f"The {self.kind} {name!r} leaves open: {', '.join(needs) or 'nothing'}."
                raise UnknownNameError("open number or rule", key, needs, hint=hint)
        missing = [f"{key} ({why})" for key, why in needs.items() if key not in given]
        if missing:
            raise PolicyError(f"the sources of {name!r} leave open what must be given: {'; '.join(missing)}")
        values = {key: value for key, value in self.get(name).items() if key != "needs"}
        filled: dict[str, Any] = _filled(values, {f"${key}": stands(value) for key, value in given.items()})
        return filled


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a value with every ``$name`` in it replaced, however deep it stands."""
    if isinstance(value, Mapping):
        filled = {key: _filled(part, given) for key, part in value.items()}
        return {key: part for key, part in filled.items() if part is not ABSENT}
    if isinstance(value, list):
        return [_filled(part, given) for part in value]
    return given[value] if isinstance(value, str) and value.startswith("$") else value
