"""How kernels are compiled: the one place that knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inlined", "kernel"]


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called: serial, without the interpreter's lock, cached on disk.

    Numba's disk cache takes no account of options, so that every kernel has the same ones and a body is decorated
    once. Where no folder can be written (a read-only image without ``NUMBA_CACHE_DIR``), numba refuses to cache; then
    each process compiles for itself.
    """
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        return numba.njit(**_OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into the kernels that call it.

    A call with many arrays counts the references of each; in the innermost loop that costs more than the work.
    """
    return numba.njit(inline="always", **_OPTIONS)(function)
