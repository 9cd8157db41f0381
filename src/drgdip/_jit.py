"""How kernels are compiled: the one place that knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inlined", "kernel"]


# Kernels allocate nothing, so that numba need not count references. With many arrays in one tuple, counting costs more
# than the work: every call or copy of the tuple would count those of each array.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called: serial, without the interpreter's lock, cached on disk.

    A kernel cannot allocate: callers hand it the arrays that it works in. Numba's disk cache ignores options, so every
    kernel has the same ones and a body is decorated once. Numba refuses to cache where no folder can be written (a
    read-only image without ``NUMBA_CACHE_DIR``); each process then compiles for itself.
    """
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        return numba.njit(**_OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function, a phase of a kernel, into the kernels that call it."""
    return numba.njit(inline="always", **_OPTIONS)(function)
