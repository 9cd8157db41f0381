"""The working folder of a year: its files found by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.errors import CaseError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from drgdip.cli.words import Words

__all__ = ["NAMES", "PAPERS", "fill_in"]

#: What a file of the folder is: by its name without ending, in English or Chinese. Files of cases may have more behind
#: the name, such as cases-01.csv; tables of coefficients have their own name there, such as coefficients-level.csv.
NAMES = {
    "cases": ("cases", "病例"),
    "policy": ("policy", "政策"),
    "budget": ("budget", "预算"),
    "values": ("values", "点值"),
    "weights": ("weights", "权重"),
    "payments": ("payments", "付款"),
    "deductions": ("deductions", "扣款"),
    "appraisal": ("appraisal", "考核"),
    "points_change": ("points_change", "点数奖惩"),
    "working_capital": ("working_capital", "周转金"),
    "deposits_kept": ("deposits_kept", "扣减保证金"),
    "exclusion_means": ("exclusion_means", "除外均值"),
    "volume_caps": ("volume_caps", "病例数控制"),
    "money_caps": ("money_caps", "总量控制"),
    "last_year": ("last_year", "上年"),
    "month_budget": ("month_budget", "月预算"),
    "coefficients": ("coefficients", "系数"),
}
#: The folder within it that papers are written to, and is never read from.
PAPERS = "papers"
_SEVERAL = ("cases", "coefficients")  # of which a folder may have several files
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".gz")


def fill_in(options: argparse.Namespace, known: frozenset[str]) -> list[Path]:
    """Fill in options from the working folder that stands in the place of the cases; an option that is given stays.

    Returns the files that have no known name, which are not read. Raise CaseError for two files of one kind, and for a
    kind of file that the verb has no option for.
    """
    say: Words = options.say
    folder: Path = options.cases[0]
    found: dict[str, list[Path]] = {}
    passed: list[Path] = []
    for path in sorted(folder.iterdir()):
        kind = _kind_of(path)
        if kind is None:
            passed += [path] if path.is_file() else []
            continue
        if kind not in known:
            raise CaseError(say("folder.unknown_kind", path=path, kind=kind))
        found.setdefault(kind, []).append(path)
    if "cases" not in found:
        raise CaseError(say("folder.no_cases", folder=folder, names=say("list.or").join(NAMES["cases"])))
    for kind, paths in found.items():
        if kind == "cases":
            options.cases = paths
        elif kind == "coefficients":
            options.coefficients = options.coefficients or [f"{_name_behind(path)}={path}" for path in paths]
        elif len(paths) > 1:
            names = say("list.and").join(path.name for path in paths)
            raise CaseError(say("folder.twice", folder=folder, names=names))
        elif getattr(options, kind, None) is None:
            setattr(options, kind, paths[0])
    return passed


def _name_behind(path: Path) -> str:
    """Return what stands behind the kind in a file's name: the name of a coefficient."""
    stem = path.name.partition(".")[0]
    return max(stem.partition("-")[2], stem.partition("_")[2], key=len) or stem


def _kind_of(path: Path) -> str | None:
    """Return what a file is by its name, None for others."""
    stem, dot, ending = path.name.partition(".")
    ending = f".{ending.rpartition('.')[2]}" if dot else ""
    if not path.is_file() or ending not in (*_TABLES, ".toml"):
        return None
    for kind, names in NAMES.items():
        # The policy alone is TOML.
        parts = tuple(f"{name}{mark}" for name in names for mark in "-_") if kind in _SEVERAL else ()
        if (kind == "policy") == (ending == ".toml") and (stem in names or stem.startswith(parts)):
            return kind
    return None
