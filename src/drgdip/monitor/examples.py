"""The smallest set of cases that shows each class and cause of a difference, to be sent to who maintains the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrow import from_list, from_numpy, one_chunk
from drgdip.cases.fields import READERS
from drgdip.grouper.flows import texts_of
from drgdip.grouper.group import name_required
from drgdip.monitor.anonymise import anonymise, only_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drgdip.grouper.family import SchemeLike
    from drgdip.monitor.differences import Numbers

__all__ = ["pick_examples"]


def pick_examples(
    differing: pa.Table,
    cases: pa.Table,
    schemes: Sequence[SchemeLike],
    *,
    number: int,
    salt: str | bytes | None,
    codes: str | None,
) -> pa.Table:
    """Return so many cases for each class and cause: those with fewest codes, and of these the first by content.

    Parameters
    ----------
    differing
        The differing cases with class and cause.
    cases
        The same cases under canonical names.
    schemes
        The scheme and those that were tried, whose edges anonymous ages keep: so the cause can be seen again.
    number
        How many cases a class and cause.
    salt
        The salt of `anonymise`; None leaves the cases as they are.
    codes
        The edition of the codes.
    """
    pairs, order = _ordered(differing, cases)
    place = np.arange(len(order)) - np.searchsorted(pairs[order], pairs[order])
    chosen = np.sort(order[place < number]) if len(order) else order
    chosen = chosen[np.argsort(pairs[chosen], kind="stable")]
    rows = from_numpy(chosen)
    picked, shown = differing.take(rows), cases.take(rows)
    kept = [name for name in ("case_id", *READERS, "admitted", "discharged") if name in shown.column_names]
    if salt is not None:
        usable = [one for one in schemes if all(column in cases.column_names for column in name_required(one))]
        shown = anonymise(shown, usable, salt=salt, codes=codes).cases
        kept = shown.column_names
    tried = picked["tried"].to_pylist()
    if salt is not None:
        of_code = [cause in _OF_CODES for cause in picked["cause"].to_pylist()]
        named = schemes[0].named_codes
        tried = [only_code(text or "", named) if code else text for text, code in zip(tried, of_code, strict=True)]
    columns: dict[str, Any] = {name: picked[name] for name in ("class", "cause")}
    columns["tried"] = from_list(tried, pa.string())
    columns["like_it"] = from_numpy(np.bincount(pairs, minlength=1)[pairs[chosen]] if len(chosen) else chosen)
    columns |= {name: _plain(shown[name]) for name in kept}
    answers = [name for name in picked.column_names if name not in {*columns, "row", "case_id", "also"}]
    columns |= {name: picked[name] for name in answers if salt is None or name in _ANSWERS}
    return pa.table(columns)


#: The causes of which a code was tried, which may be any text that stands among the codes.
_OF_CODES = frozenset({"other_principal", "other_procedure", "code_unknown"})
#: The columns that hold answers: no day and no place of a case.
_ANSWERS = frozenset({"mdc", "adrg", "kind", "group", "status", "reason", "returned", "returned_status"})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return lists of codes as text joined by ``|``, other columns as they are."""
    if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
        return column
    lists = [None if codes is None else "|".join(code or "" for code in codes) for codes in column.to_pylist()]
    return from_list(lists, pa.string())


def _ordered(differing: pa.Table, cases: pa.Table) -> tuple[Numbers, Numbers]:
    """Return the number of each case's class and cause, and the cases in order: by it, then simple ones first."""
    classes, causes = (one_chunk(differing[name]) for name in ("class", "cause"))
    pairs = np.asarray(classes.indices).astype(np.int64) * max(len(causes.dictionary), 1) + np.asarray(causes.indices)
    keys: list[Any] = [_rank(one_chunk(differing["case_id"]))]
    codes = np.zeros(len(differing), np.int64)
    for name in ("procs", "dx"):
        if name in cases.column_names:
            lists = one_chunk(cases[name])
            codes += np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
            keys.append(_rank(pc.binary_join(lists.cast(pa.list_(pa.string())), "|")))
    for name in ("newborn_weight", "age_days", "age", "sex"):
        if name in cases.column_names:
            keys.insert(1, np.asarray(pc.fill_null(one_chunk(cases[name]), -1)))
    return pairs, np.lexsort([*keys, codes, pairs])


def _rank(texts: pa.Array) -> Numbers:
    """Return the place of each text among all of them in order; null before all."""
    found = texts_of(texts)
    order = sorted(range(len(found.values)), key=lambda place: found.values[place] or "")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ranks: Numbers = rank[found.numbers]
    return ranks
