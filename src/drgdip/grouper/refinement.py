"""The result of refining core groups: a place's own scheme with every decision, and its folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip.grouper.drg.drafting import base_rows
from drgdip.grouper.drg.splitting import list_chosen
from drgdip.grouper.writing import make_folder, write_csv

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from drgdip.grouper.drg.features import Feature
    from drgdip.grouper.drg.model import Adrg
    from drgdip.grouper.drg.scheme import Scheme
    from drgdip.grouper.drg.splitting import Branch, SplitCriteria, Tried
    from drgdip.grouper.drg.wishes import Wish

__all__ = ["Found", "Refinement", "candidates_of", "decisions_of", "notes_of"]

#: The tables of evidence in the folder of a scheme; grouping does not read them.
_EVIDENCE = ("decisions", "candidates", "weights")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Refinement:
    """A place's own scheme with every decision that led to it (`drgdip.build_scheme`). Tables are Arrow tables.

    Attributes
    ----------
    scheme
        The scheme. It groups at once.
    decisions
        A row for each core group: ``adrg, name``, the cases that count (``n``), and how many groups it has under the
        base and now (``base_groups, groups``). ``split`` has the divisions taken, null for one group. ``riv`` is that
        of the costs within the core group by its groups, null without variance. ``search`` is exhaustive or best-first.
        ``changed`` says whether its rows differ from the base; ``reason``, why no criterion decided. ``action``,
        ``about`` and ``note`` are the caller's. The table can be given back as ``decisions`` of another building.
    candidates
        A row for each division that was tried: ``adrg``, ``within`` (the cases divided, "" for all) and ``split``.
        ``n``, ``mean`` (yuan) and ``cv`` are by part, with | between. ``difference`` is the least of neighbouring
        means; ``riv`` is that of the cases divided. ``reason`` says why it was not ``chosen``, and is null where it
        was.
    weights
        The table that the caller's function gave; None without one.
    """

    scheme: Scheme
    decisions: pa.Table
    candidates: pa.Table
    weights: pa.Table | None
    files: Mapping[str, bytes] = field(default_factory=dict)

    def to_folder(self, path: str | os.PathLike[str]) -> None:
        """Write the scheme as a folder that extends its base, with the evidence beside it.

        Parameters
        ----------
        path
            A new or empty folder. `drgdip.load_scheme` reads it. ``decisions.csv``, ``candidates.csv`` and
            ``weights.csv`` are for people.

        Raises
        ------
        SchemeError
            The folder has files already.
        """
        folder = Path(path)
        make_folder(folder)
        for name in _EVIDENCE:
            table = getattr(self, name)
            if table is not None:
                rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
                write_csv(folder / f"{name}.csv", table.column_names, rows)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def __repr__(self) -> str:
        changed = sum(self.decisions["changed"].to_pylist())
        return f"<Refinement {self.scheme!r}, {changed} ADRG differ from {self.scheme.info.extends}>"


class Found(NamedTuple):
    """The outcome for a core group that has cases."""

    branch: Branch
    tried: list[Tried]
    exhaustive: bool
    n: int
    riv: float | None


def notes_of(features: Sequence[Feature], criteria: SplitCriteria, counted: int) -> dict[str, str]:
    """Return the evidence for the head of the folder."""
    asked = {
        field.name: getattr(criteria, field.name) for field in dataclasses.fields(criteria) if field.name != "sources"
    }
    told = {
        f"criterion_{name}": f"{value}{f' ({criteria.sources[name]})' if name in criteria.sources else ''}"
        for name, value in asked.items()
        if value is not None and value is not False
    }
    parts = {
        f"feature_{feature.name}": " | ".join(f"{part.key}: {part.rule or 'the others'}" for part in feature.parts)
        for feature in features
    }
    return {"cases": f"{counted} cases decided about the divisions", **told, **parts}


_DECISIONS = pa.schema(
    [
        ("adrg", pa.string()),
        ("name", pa.string()),
        ("n", pa.int64()),
        ("base_groups", pa.int64()),
        ("groups", pa.int64()),
        ("split", pa.string()),
        ("riv", pa.float64()),
        ("search", pa.string()),
        ("changed", pa.bool_()),
        ("reason", pa.string()),
        ("action", pa.string()),
        ("about", pa.string()),
        ("note", pa.string()),
    ]
)


def decisions_of(
    adrgs: Mapping[str, Adrg],
    scheme: Scheme,
    found: Mapping[str, Found],
    features: Sequence[Feature],
    wishes: Mapping[str, Wish],
    kept: Mapping[str, str],
) -> pa.Table:
    """Return the decision about each core group: see `Refinement`. ``kept`` has the reasons of `why_kept`."""
    now = {adrg.code: adrg for adrg in scheme.adrgs}
    rows = []
    for code, before in adrgs.items():
        one, wish = found.get(code), wishes.get(code)
        texts = [] if one is None else list(list_chosen(one.branch, features))
        split = "; ".join(f"[{within}] {text}" if within else text for within, text in texts)
        rows.append(
            {
                "adrg": code,
                "name": before.name,
                "n": 0 if one is None else one.n,
                "base_groups": len(before.drgs),
                "groups": len(now[code].drgs),
                "split": split or None,
                "riv": None if one is None else one.riv,
                "search": None if one is None else "exhaustive" if one.exhaustive else "best-first",
                "changed": base_rows(before) != base_rows(now[code]),
                "reason": None if one else kept[code] or "no_case",
                "action": wish.action if wish else None,
                "about": "; ".join(wish.about) or None if wish else None,
                "note": wish.note if wish else None,
            }
        )
    return pa.Table.from_pylist(rows, _DECISIONS)


_CANDIDATES = pa.schema(
    [
        ("adrg", pa.string()),
        ("within", pa.string()),
        ("split", pa.string()),
        ("n", pa.string()),
        ("mean", pa.string()),
        ("cv", pa.string()),
        ("difference", pa.float64()),
        ("riv", pa.float64()),
        ("chosen", pa.bool_()),
        ("reason", pa.string()),
    ]
)


def candidates_of(found: Mapping[str, Found], features: Sequence[Feature]) -> pa.Table:
    """Return every division that was tried: see `Refinement`."""
    rows = []
    for code, one in found.items():
        chosen = set(list_chosen(one.branch, features))
        for tried in one.tried:
            is_chosen = (tried.within, tried.text) in chosen
            rows.append(
                {
                    "adrg": code,
                    "within": tried.within,
                    "split": tried.text,
                    "n": "|".join(map(str, tried.n)),
                    "mean": _numbers_text(tried.means, 2, 100),
                    "cv": _numbers_text(tried.cvs, 6),
                    "difference": None if np.isnan(tried.difference) else tried.difference,
                    "riv": tried.gain,
                    "chosen": is_chosen,
                    "reason": tried.reason or (None if is_chosen else "another_taken"),
                }
            )
    return pa.Table.from_pylist(rows, _CANDIDATES)


def _numbers_text(values: Sequence[float], digits: int, scale: int = 1) -> str:
    return "|".join("" if np.isnan(value) else f"{value / scale:.{digits}f}" for value in values)
