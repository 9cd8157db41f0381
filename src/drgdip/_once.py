"""One way to keep what is made once: by arguments, or for an object as long as it lives."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from drgdip._locks import ForkSafeLock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["once", "once_for"]

_Made = TypeVar("_Made")
_Owner = TypeVar("_Owner")
_Maker = TypeVar("_Maker", bound="Callable[..., Any]")


def once(function: _Maker) -> _Maker:
    """Keep the result of a function for each set of positional arguments, made by one thread at a time.

    An exception is not kept: the next call tries again. ``made`` of the function holds what was made, for tests.
    """
    made: dict[tuple[Any, ...], Any] = {}
    lock = ForkSafeLock()

    @functools.wraps(function)
    def kept(*arguments: Any) -> Any:
        if arguments not in made:
            with lock:
                if arguments not in made:
                    made[arguments] = function(*arguments)
        return made[arguments]

    kept.made = made  # type: ignore[attr-defined]
    return kept  # type: ignore[return-value]


def once_for(function: Callable[[_Owner], _Made]) -> Callable[[_Owner], _Made]:
    """Keep the result of a function of one object, which may be a scheme, as long as the object lives.

    ``made`` of the function holds what was made, for tests.
    """
    made: weakref.WeakKeyDictionary[Any, _Made] = weakref.WeakKeyDictionary()
    lock = ForkSafeLock()

    @functools.wraps(function)
    def kept(owner: _Owner) -> _Made:
        found = made.get(owner)
        if found is None:
            with lock:
                found = made.get(owner)
                if found is None:
                    found = made[owner] = function(owner)
        return found

    kept.made = made  # type: ignore[attr-defined]
    return kept
