"""The installed versions, for reports of defects, and the folder where the kernels are cached."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

from drgdip._version import __version__

__all__ = ["show_versions"]

_PACKAGES = ("numpy", "pandas", "pyarrow", "numba", "llvmlite", "pydantic", "polars", "duckdb", "pyspark")


def show_versions() -> dict[str, str]:
    """Print the versions of the library, of Python and of the packages it works with.

    Returns
    -------
    The printed texts by name. ``kernel cache`` is the folder of the compiled kernels. It is ``none`` if no folder can
    be written; set ``NUMBA_CACHE_DIR`` then.

    Examples
    --------
    >>> versions = show_versions()  # doctest: +ELLIPSIS
    drgdip ...
    >>> versions["drgdip"]
    '0.1.0'
    """
    versions = {
        "drgdip": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": str(os.cpu_count()),
    }
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions["kernel cache"] = kernel_cache()
    for name, version in versions.items():
        print(f"{name} {version}")  # noqa: T201 - printing is what it is for
    return versions


def kernel_cache() -> str:
    """Return the folder that compiled kernels are kept in, or ``none``."""
    from drgdip.grouper.drg.kernels import group_rows

    return str(getattr(group_rows.stats, "cache_path", None) or "none")
