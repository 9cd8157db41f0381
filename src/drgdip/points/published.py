"""Published lists: weights, payment standards and coefficients of places, as they print them."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from drgdip._columns import nullable
from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import ROOT, toml_of
from drgdip.errors import SchemeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["list_weights", "load_standards", "load_weights"]

#: Why a printed figure is not read as a weight: the code of a reason by the word in the lists.
_READINGS = {
    "none": "no_printed_weight",
    "zero": "printed_zero",
    "placeholder": "printed_placeholder",
    "suspected": "suspected_placeholder",
    "several": "several_printed_weights",
}


class PublishedList(NamedTuple):
    """A list of weights that a place published for a year, as `list_weights` shows it."""

    id: str
    place: str
    year: int
    place_name: str
    title: str
    quantity: str
    groups: int
    with_weight: int
    standards: tuple[str, ...]
    source: str


def _index() -> Mapping[str, Any]:
    """Return the index of the lists."""
    return toml_of("weights/index.toml")


def list_weights() -> Listing[PublishedList]:
    """List the places and years whose published weights come with the library.

    Returns
    -------
    A row a list: ``id``; ``place`` and ``year`` (for `load_weights`); ``place_name``; ``title``; ``quantity`` (weight,
    or score on a scale that the place does not print); ``groups``; ``with_weight`` (groups whose figure can be read as
    a weight); ``standards`` (the measures that `load_standards` has of it); and ``source``. It prints as a table, and
    ``to_arrow()`` makes one of it.

    Examples
    --------
    >>> [row.standards for row in list_weights() if row.place == "suzhou"][0]
    ('coefficient', 'standard')
    """
    index = _index()
    rows = [
        PublishedList(
            id=entry["id"],
            place=entry["place"],
            year=entry["year"],
            place_name=entry["place_name"],
            title=entry.get("title", ""),
            quantity=entry["quantity"],
            groups=entry["groups"],
            with_weight=entry["with_weight"],
            standards=tuple(sorted({column["measure"] for column in entry.get("columns", ())})),
            source=index["sources"][entry["source"]],
        )
        for entry in index["list"]
    ]
    return Listing(rows, PublishedList._fields)


def _entry(place: str, year: int) -> dict[str, Any]:
    """Return the entry of the index for a place and a year."""
    lists = _index()["list"]
    mine = [entry for entry in lists if place in {entry["place"], entry["place_name"]}]
    if not mine:
        known = [name for entry in lists for name in (entry["place"], entry["place_name"])]
        raise UnknownNameError("place with published weights", place, dict.fromkeys(known), hint="See list_weights().")
    for entry in mine:
        if entry["year"] == int(year):
            return dict(entry)
    years = [str(entry["year"]) for entry in mine]
    raise UnknownNameError(f"list of {place} for", str(year), years, hint=f"There are {', '.join(years)}.")


@once
def _read(name: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of a list, checked against the index."""
    entry = next(entry for entry in _index()["list"] if entry["id"] == name)
    path = ROOT / "weights" / f"{name}.csv"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        fix = "Restore the file, or bring the index up to date for a new revision"
        raise SchemeError("wrong_digest", "the file is not the one that the index describes", file=path, fix=fix)
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    if len(rows) != entry["groups"]:
        what = f"{len(rows)} groups where the index says {entry['groups']}"
        raise SchemeError("wrong_count", what, file=path, fix="Restore the lost or added rows, or mend the count")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _numbers(texts: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return texts as numbers, NaN for empty ones."""
    return np.array([float(text) if text else np.nan for text in texts])


def load_weights(place: str, year: int) -> pa.Table:
    """Load the weights that a place published for a year.

    Parameters
    ----------
    place
        The place, such as ``"wuxi"`` or ``"无锡"``; ``"national"`` for the national reference weights. See
        `list_weights`.
    year
        The year of the list.

    Returns
    -------
    A table with a row a group. Its columns are ``group``; ``name``; ``weight``, null where the printed figure is none,
    a placeholder or contradictory; ``weight_status`` (stable for a figure that the place does not call unstable;
    unstable; uncovered; null without a figure or a word); ``printed``, the figure as printed; ``reason``, the code of
    why it is not read as a weight; ``flags``; ``note`` in the place's words; and ``case_cap``, the cases a year of a
    capped group. Flags are joined by ``|``: basic (基础病组), stable, unstable, uncovered, tcm (中医优势病组),
    same_rate (同等费率), capped (总量控制), tiered_care (分级诊疗), by_item, by_review (单议), bed_day, other_policy.

    Raises
    ------
    UnknownNameError
        There is no list of that place and year.

    Notes
    -----
    A weight that a place prints for a group it calls unstable stands, with that status, unless it is the
    placeholder 1.

    Examples
    --------
    >>> [row for row in load_weights("lanzhou", 2023).to_pylist() if row["group"] == "AB19"][0]["reason"]
    'printed_placeholder'
    """
    entry = _entry(place, year)
    columns = _read(entry["id"])
    empty = ("",) * entry["groups"]
    values = _numbers(
        tuple("" if why else text for text, why in zip(columns["printed"], columns["reading"], strict=True))
    )
    return pa.table(
        {
            "group": columns["group"],
            "name": columns["name"],
            "weight": nullable(values),
            "weight_status": pa.array([text or None for text in columns["status"]], pa.string()),
            "printed": pa.array([text or None for text in columns["printed"]], pa.string()),
            "reason": pa.array([_READINGS[text] if text else None for text in columns["reading"]], pa.string()),
            "flags": columns.get("flags", empty),
            "note": columns.get("note", empty),
            "case_cap": pa.array([int(text) if text else None for text in columns.get("case_cap", empty)], pa.int64()),
        }
    )


def load_standards(place: str, year: int) -> pa.Table:
    """Load the rates, coefficients and payment standards that a place published beside its weights.

    Parameters
    ----------
    place, year
        As for `load_weights`.

    Returns
    -------
    A table with a row for each group, hospital level and pool that the list tells apart: ``group``, ``level`` and
    ``pool``, null where the list does not tell them apart. The measures of the list follow: some of ``base_rate`` (yuan
    per weight), ``coefficient``, ``standard``, ``low_line``, ``high_line``, ``mean_cost`` (yuan) and ``weight_cap``.

    Raises
    ------
    UnknownNameError
        There is no list of that place and year, or it has weights only.

    Examples
    --------
    >>> [row for row in load_standards("wuxi", 2022).to_pylist() if row["group"] == "AF19"][0]
    {'group': 'AF19', 'level': '1', 'pool': None, 'standard': 242880.111}
    """
    entry = _entry(place, year)
    described = entry.get("columns", [])
    if not described:
        known = [f"{other['place']} {other['year']}" for other in _index()["list"] if "columns" in other]
        raise UnknownNameError(
            "list of payment standards", f"{entry['place']} {year}", known, hint="The list has weights only."
        )
    columns = _read(entry["id"])
    levels = sorted({column["level"] for column in described if "level" in column}) or [None]
    pools = sorted({column["pool"] for column in described if "pool" in column}) or [None]
    measures = dict.fromkeys(column["measure"] for column in described)
    parts = [
        pa.table(
            {
                "group": columns["group"],
                "level": pa.array([level] * entry["groups"], pa.string()),
                "pool": pa.array([pool] * entry["groups"], pa.string()),
                **{
                    measure: _figures(columns, described, measure, level, pool, entry["groups"]) for measure in measures
                },
            }
        )
        for level in levels
        for pool in pools
    ]
    return pa.concat_tables(parts).sort_by("group") if len(parts) == 1 else _by_group(parts)


def _figures(
    columns: Mapping[str, tuple[str, ...]],
    described: list[dict[str, Any]],
    measure: str,
    level: str | None,
    pool: str | None,
    groups: int,
) -> pa.Array:
    """Return the figures of a measure; one without a level or pool of its own holds for all of them."""
    fitting = [
        column["name"]
        for column in described
        if column["measure"] == measure and column.get("level", level) == level and column.get("pool", pool) == pool
    ]
    return nullable(_numbers(columns[fitting[0]] if fitting else ("",) * groups))


def _by_group(parts: list[pa.Table]) -> pa.Table:
    """Put the parts one below the other, then order by group, with the parts in order within a group."""
    joined = pa.concat_tables(parts)
    rows = len(parts[0])
    order = np.arange(len(joined)).reshape(len(parts), rows).T.ravel()
    return joined.take(pa.array(order)).combine_chunks()
