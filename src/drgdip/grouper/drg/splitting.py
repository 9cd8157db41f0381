"""The search for the division of a core group: every division is judged by declared criteria, and the best is kept."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drgdip.grouper.drg.cells import Cells
    from drgdip.grouper.drg.features import Feature

__all__ = ["Branch", "SplitCriteria", "Tried", "Wishes", "divide", "list_chosen", "list_leaves"]

#: A feature by its place, and the places of its parts that are joined; a way to cases has one for each feature on it.
Step: TypeAlias = tuple[int, tuple[int, ...]]
Path: TypeAlias = tuple[Step, ...]
#: A division may be tried so often in one core group, if each passed, before only the best of each step is followed.
_EXHAUSTIVE = 3000
#: Sums of squares that differ by less are one.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class SplitCriteria:
    """The criteria (细分条件) that a division of a core group must meet. None does not ask for one.

    No number is built in: the documents of places differ, and most publish none.

    Attributes
    ----------
    min_cases
        Cases that each part needs, 1 or more.
    min_share
        The share of the core group's cases that each part needs, above 0 and below 1.
    max_cv
        The coefficient of variation that no part may exceed, above 0.
    difference
        The share by which the dearer of two neighbouring parts must exceed the mean cost of the other, above 0.
    order
        Mean costs of ordered features must not rise from part to part: MCC, CC, none.
    gain
        The share of the variance of the cases divided that the division must explain (RIV), above 0 and below 1.
    halves
        Random halvings, 1 to 32. In both halves of each, neighbouring means must stand in the order of all cases. They
        must also differ by ``difference`` where that is asked.
    seed
        The seed of the halvings, any whole number; it goes with ``halves``.
    years
        The same must hold in each year of discharge.
    hospital_share
        The share of a part's cases that no single hospital may exceed, above 0 and below 1.
    depth
        Features that may divide a core group one within the other, 1 or more; None sets no limit.
    sources
        By name of a criterion, the source of its number and how good it is; the notes of the scheme have it.

    Examples
    --------
    >>> SplitCriteria(min_cases=30, difference=0.2, sources={"difference": "practice, grade R"}).order
    False
    """

    min_cases: int
    min_share: float | None = None
    max_cv: float | None = None
    difference: float | None = None
    order: bool = False
    gain: float | None = None
    halves: int | None = None
    seed: int | None = None
    years: bool = False
    hospital_share: float | None = None
    depth: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, most in (("min_cases", math.inf), ("halves", 32), ("depth", math.inf)):
            value = getattr(self, name)
            if name != "min_cases" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise CaseError(f"{name} is {value!r}; give a whole number from 1{'' if most > 32 else ' to 32'}")
        for name, most in (("min_share", 1), ("gain", 1), ("hospital_share", 1), ("max_cv", 99), ("difference", 99)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value < most):
                raise CaseError(f"{name} is {value!r}; give a number above 0 and below {most}")
        if (self.halves is None) is not (self.seed is None):
            raise CaseError("halves (random halvings) and seed (any whole number) go together")
        unknown = [name for name in self.sources if name not in self.__slots__]
        if unknown:
            raise CaseError(f"sources name {unknown[0]!r}, which is no criterion")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Manual decisions about a core group: whether it stays whole, divisions forbidden, and one to be forced."""

    whole: bool = False
    forbidden: frozenset[str] = frozenset()
    forced: str = ""


class Tried(NamedTuple):
    """A division that was tried: where, what its parts are like, and why it was not taken ("" if it may be)."""

    within: str
    text: str
    n: tuple[int, ...]
    means: tuple[float, ...]
    cvs: tuple[float, ...]
    difference: float
    gain: float
    reason: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Cases that are one group, or the parts into which a feature divides them."""

    groups: int = 1
    explained: float = 0.0
    feature: int = -1
    division: tuple[tuple[int, ...], ...] = ()
    branches: tuple[Branch, ...] = ()


_WHOLE = Branch()


def divide(
    cells: Cells, features: Sequence[Feature], allowed: Sequence[int], criteria: SplitCriteria, wishes: Wishes
) -> tuple[Branch, list[Tried], bool]:
    """Return the best division of a core group, all that were tried, and whether the search was exhaustive.

    The best has most groups; of these, it explains most variance; of these, it comes first. A stronger criterion
    therefore never gives more groups where the search is exhaustive.
    """
    search = _Search(cells, features, criteria, wishes)
    if wishes.whole:
        return _WHOLE, [], True
    found = search.best(np.arange(len(cells.n)), tuple(allowed), ())
    return found, list(search.tried.values()), search.exhaustive(tuple(allowed))


class _Search:
    """The search in one core group; what it finds for some cases is kept."""

    def __init__(self, cells: Cells, features: Sequence[Feature], criteria: SplitCriteria, wishes: Wishes) -> None:
        self.cells, self.features, self.criteria, self.wishes = cells, features, criteria, wishes
        self.size = int(cells.n.sum())
        self.tried: dict[tuple[str, str], Tried] = {}
        self._known: dict[Path, Branch] = {}
        self._sizes: dict[tuple[tuple[int, ...], int], int] = {}

    def exhaustive(self, free: tuple[int, ...]) -> bool:
        """Return whether all divisions by some features are few enough to try them all."""
        return self._number(free, self.criteria.depth or len(free)) <= _EXHAUSTIVE

    def _number(self, free: tuple[int, ...], depth: int) -> int:
        """Return how many divisions would be tried if each passed."""
        if depth == 0:
            return 0
        if (free, depth) not in self._sizes:
            total = 0
            for feature in free:
                below = self._number(tuple(other for other in free if other != feature), depth - 1)
                total += sum(1 + len(division) * below for division in self.features[feature].divisions)
            self._sizes[free, depth] = total
        return self._sizes[free, depth]

    def best(self, rows: np.ndarray, free: tuple[int, ...], within: Path) -> Branch:
        """Return the best division of the cells in some rows."""
        if len(within) == self.criteria.depth:
            return _WHOLE
        if within not in self._known:
            self._known[within] = self._best(rows, free, within)
        return self._known[within]

    def _best(self, rows: np.ndarray, free: tuple[int, ...], within: Path) -> Branch:
        passed = self._passed(rows, free, within)
        left = (self.criteria.depth or len(self.features)) - len(within)
        if passed and self._number(free, left) > _EXHAUSTIVE:
            passed = [functools.reduce(_better, passed)]
        found = _WHOLE
        for one in passed:
            others = tuple(feature for feature in free if feature != one.feature)
            branches = tuple(
                self.best(own, others, _further(within, one.feature, part))
                for part, own in zip(one.division, self._rows(rows, one), strict=True)
            )
            groups = sum(branch.groups for branch in branches)
            explained = one.explained + sum(branch.explained for branch in branches)
            found = _better(found, Branch(groups, explained, one.feature, one.division, branches))
        return found

    def _passed(self, rows: np.ndarray, free: tuple[int, ...], within: Path) -> list[Branch]:
        """Return the divisions of some cells that meet the criteria; all that are tried are kept."""
        forced = "" if within else self.wishes.forced
        where = path_text(within, self.features)
        passed = []
        for number in free:
            for division in self.features[number].divisions:
                tried, explained = self._judge(rows, Branch(len(division), 0.0, number, division), where, forced)
                self.tried[where, tried.text] = tried
                if tried.reason in {"", "forced"}:
                    passed.append(Branch(len(division), explained, number, division))
        return passed

    def _rows(self, rows: np.ndarray, one: Branch) -> list[np.ndarray]:
        own = self.cells.parts[rows, one.feature]
        return [rows[np.isin(own, part)] for part in one.division]

    def _judge(self, rows: np.ndarray, one: Branch, within: str, forced: str) -> tuple[Tried, float]:
        """Return a division with its figures and the first criterion that it fails, and the squares explained."""
        cells, text = self.cells, self.features[one.feature].text(one.division)
        parts = self._rows(rows, one)
        n = np.array([cells.n[part].sum() for part in parts])
        deviation = np.array([cells.deviation[part].sum() for part in parts])
        squares = np.array([cells.squares[part].sum() for part in parts])
        with np.errstate(divide="ignore", invalid="ignore"):
            means = cells.mean + deviation / n
            inner = np.maximum(squares - deviation**2 / n, 0.0)
            cvs = np.sqrt(inner / (n - 1)) / means
            whole = squares.sum() - deviation.sum() ** 2 / n.sum()
            explained = float(max(whole - inner.sum(), 0.0)) if n.all() else 0.0
            gain = explained / whole if n.all() and whole > 0 else 0.0
        ratios = _ratios(means)
        figures = (tuple(n.tolist()), tuple(means.tolist()), tuple(cvs.tolist()), float(ratios.min()), float(gain))
        if forced:
            reason = "forced" if forced == text else f"other_forced:{forced}"
        else:
            reason = self._reason(parts, one, text, n, means, cvs, ratios, float(gain))
        return Tried(within, text, *figures, reason), explained

    def _reason(
        self,
        parts: list[np.ndarray],
        one: Branch,
        text: str,
        n: np.ndarray,
        means: np.ndarray,
        cvs: np.ndarray,
        ratios: np.ndarray,
        gain: float,
    ) -> str:
        """Return the first criterion that a division fails, "" for none."""
        asked, feature = self.criteria, self.features[one.feature]
        if {text, feature.name, "*"} & self.wishes.forbidden:
            return "forbidden"
        if n.min() < asked.min_cases:
            return f"few_cases:{asked.min_cases}"
        if asked.min_share is not None and n.min() < asked.min_share * self.size:
            return f"small_share:{asked.min_share:g}"
        if asked.max_cv is not None and not (cvs <= asked.max_cv).all():
            return f"high_cv:{asked.max_cv:g}"
        if asked.order and feature.ordered and (np.diff(means) > 0).any():
            return "wrong_order"
        if asked.difference is not None and not (ratios >= asked.difference).all():
            return f"small_difference:{asked.difference:g}"
        if asked.gain is not None and gain < asked.gain:
            return f"small_gain:{asked.gain:g}"
        for name, (cases, deviations) in self.cells.slices.items():
            if not self._holds(parts, means, cases, deviations):
                return f"unstable_{name}"
        if asked.hospital_share is not None and self._greatest(parts, n) > asked.hospital_share:
            return f"one_hospital:{asked.hospital_share:g}"
        return ""

    def _holds(self, parts: list[np.ndarray], means: np.ndarray, cases: np.ndarray, deviations: np.ndarray) -> bool:
        """Return whether neighbouring means differ in each slice as they do in all cases."""
        there = cases[np.concatenate(parts)].sum(axis=0) > 0
        n = np.array([cases[part].sum(axis=0) for part in parts])[:, there]
        if not n.all():
            return False
        own = self.cells.mean + np.array([deviations[part].sum(axis=0) for part in parts])[:, there] / n
        same = np.sign(np.diff(own, axis=0)) == np.sign(np.diff(means))[:, None]
        return bool(same.all() and (_ratios(own) >= (self.criteria.difference or 0.0)).all())

    def _greatest(self, parts: list[np.ndarray], n: np.ndarray) -> float:
        """Return the greatest share of a part's cases that one hospital has."""
        if self.cells.hospitals is None:
            return 0.0
        of_cell, hospital, cases = self.cells.hospitals
        return max(
            float(np.bincount(hospital[chosen], cases[chosen]).max() / size)
            for part, size in zip(parts, n.tolist(), strict=True)
            if (chosen := np.isin(of_cell, part)).any()
        )


def _ratios(means: np.ndarray) -> Any:
    """Return by how much the dearer of neighbouring means exceeds the other, as a share of that."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(means[1:], means[:-1]) / np.minimum(means[1:], means[:-1]) - 1


def _better(one: Branch, other: Branch) -> Branch:
    """Return the branch with more groups; of two that have as many, the one that explains more; else the first."""
    if other.groups != one.groups:
        return other if other.groups > one.groups else one
    return other if other.explained > one.explained * (1 + _EQUAL) else one


def _further(within: Path, feature: int, part: tuple[int, ...]) -> Path:
    """Return the way to a part of the cases; the order of its features does not matter."""
    return tuple(sorted((*within, (feature, part))))


def path_text(within: Path, features: Sequence[Feature]) -> str:
    """Return the way to cases as tables have it, "" for all cases: ``age <17, severity MCC``."""
    return ", ".join(f"{features[number].name} {features[number].key(part)}" for number, part in within)


def list_chosen(branch: Branch, features: Sequence[Feature], within: Path = ()) -> Iterator[tuple[str, str]]:
    """Yield the divisions of a branch: the cases that each divides, and its text."""
    if branch.feature >= 0:
        yield path_text(within, features), features[branch.feature].text(branch.division)
        for part, below in zip(branch.division, branch.branches, strict=True):
            yield from list_chosen(below, features, _further(within, branch.feature, part))


def list_leaves(branch: Branch, within: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Yield the way to each group of a branch, in the order of evaluation."""
    if branch.feature < 0:
        yield within
    for part, below in zip(branch.division, branch.branches, strict=True):
        yield from list_leaves(below, (*within, (branch.feature, part)))
