"""Auxiliary types (辅助分型) of cases under DIP, by rules that are data (``data/auxiliary/``)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from drgdip._arrays import read_numbers, read_wholes
from drgdip._arrow import (
    filled,
    from_list,
    from_numpy,
    given_back,
    names_of,
    one_chunk,
    read_once,
    to_arrow,
    with_columns,
)
from drgdip._text import is_missing, normalise_code, text_of
from drgdip._values import Unreadable, read_whole
from drgdip.cases.fields import READERS, UNREADABLE
from drgdip.cases.names import expand_columns
from drgdip.cases.numbered import Codes, codes_of
from drgdip.cases.table import case_columns, marked, to_cases
from drgdip.errors import CaseError, UnknownNameError
from drgdip.grouper.dip.auxiliary_rules import NUMBERS, AuxiliaryType, Condition, load_auxiliary
from drgdip.grouper.facts import OPERATORS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.dip.auxiliary_rules import AuxiliaryCatalogue, AuxiliaryRules

__all__ = ["PLAIN_COLUMNS", "find_auxiliary_types"]

#: Columns that conditions read beside the case columns. They have no other names.
PLAIN_COLUMNS = ("icu_days", "standard", "treatment_cost", "drug_cost")
_ROW = "row"  # what the column `unreadable` says of a row that is none
# Ratios of amounts are compared to so many decimals, so that three times a price is 3 whatever floats make of it.
_DECIMALS = 12


def find_auxiliary_types(
    cases: Any,
    rules: str | os.PathLike[str] | AuxiliaryRules,
    *,
    catalogues: str | Sequence[str] | None = None,
    lists: Any = None,
    cci_weights: Any = None,
    bands: Mapping[str, Sequence[int]] | None = None,
    columns: ColumnNames | None = None,
) -> Any:
    """Find the auxiliary types (辅助分型) of each case.

    Parameters
    ----------
    cases
        Any table with a row a case. The case columns stand under canonical names or aliases (``docs/cases.md``). Some
        catalogues need more: ``icu_days`` (whole days in intensive care), ``standard`` (the score standard of the case
        in yuan), ``treatment_cost`` (treatment without surgery, yuan) and ``drug_cost`` (yuan).
    rules
        The rules, or their id (`load_auxiliary`).
    catalogues
        The auxiliary catalogues (辅助目录) that are asked for; None asks for all. A case has at most one type of each:
        the first whose conditions hold.
    lists
        The lists of diagnoses that the rules name and do not hold: a table ``list, code``, or codes by list. Codes
        are whole.
    cci_weights
        The weight of each diagnosis for the CCI: a table ``code, weight``, or weights by code. Whole numbers.
    bands
        For each catalogue of bands its lower edges, rising: ``{"cci": (1, 3, 5)}`` gives the types 1-2, 3-4 and 5+.
    columns
        Name in the table by column, for names that are no alias.

    Returns
    -------
    The caller's table with ``auxiliary_types``, a list of texts such as ``age 65+`` (catalogue and type, in the order
    of the rules), and ``auxiliary_reason``: ``unusable_value:`` with the columns whose value cannot be used
    (`drgdip.describe_reason`), null where there is none. Such a value leaves the case without a type of the
    catalogues that would read it. Columns of these names are replaced.

    Raises
    ------
    CaseError
        A catalogue needs a column that the table lacks, or a list, weights or bands that are not given; a list or
        weights that cannot be read.
    UnknownNameError
        There are no such rules, and no such catalogue, list or column.
    SchemeError
        A folder of rules that breaks the format.

    Notes
    -----
    A missing value makes every condition on it false. Source: DIP 3.0 draft, chapter 3. ``docs/auxiliary.md`` says how
    it is read and where the rules come from. `drgdip.points.build_auxiliary_table` says which types count, and for how
    much.

    Examples
    --------
    >>> rows = [(70, None, 8), (0, 28, 0), (30, None, 0), (12, None, "eight")]
    >>> cases = [dict(zip(("age", "age_days", "icu_days"), row)) for row in rows]
    >>> for case in find_auxiliary_types(cases, "nhsa-dip-3.0", catalogues=["age", "icu"]):
    ...     print(case["auxiliary_types"], case["auxiliary_reason"])
    ['age 65+', 'icu 8-14'] None
    ['age 0-28d'] None
    [] None
    ['age 7-17'] unusable_value:icu_days
    """
    loaded = load_auxiliary(rules)
    chosen = _chosen(loaded, catalogues, bands or {})
    table = read_once(cases)
    facts = _Facts(table, columns or {}, chosen, _lists(loaded, chosen, lists), _weights(chosen, cci_weights))

    labels: list[str] = []
    places = np.full((facts.rows, len(chosen)), -1, dtype=np.int32)
    for column, catalogue in enumerate(chosen):
        applies = facts.usable(catalogue.columns) & facts.meets(catalogue.conditions)
        # From the last to the first, so that the first whose conditions hold stays.
        for number, kind in reversed(list(enumerate(catalogue.types, start=len(labels)))):
            places[applies & facts.meets(kind.conditions), column] = number
        labels += [f"{catalogue.id} {kind.name}" for kind in catalogue.types]
    new = pa.table({"auxiliary_types": _as_lists(places, labels), "auxiliary_reason": facts.reasons()})
    return given_back(with_columns(table, new), cases)


def _chosen(
    rules: AuxiliaryRules, catalogues: str | Sequence[str] | None, bands: Mapping[str, Sequence[int]]
) -> list[AuxiliaryCatalogue]:
    """Return the catalogues that are asked for, in the order of the rules, those of bands with types."""
    known = rules.catalogues
    wanted = list(known) if catalogues is None else [catalogues] if isinstance(catalogues, str) else list(catalogues)
    if not wanted:
        raise CaseError(f"catalogues=[] asks for nothing: give some of {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise UnknownNameError("auxiliary catalogue", name, known, hint=f"{rules.id} has {', '.join(known)}.")
    banded = [name for name, catalogue in known.items() if catalogue.bands]
    if not isinstance(bands, Mapping):
        raise CaseError(f"bands={bands!r}: give a dict of the lower edges by catalogue ({', '.join(banded) or 'none'})")
    for name in bands:
        if name not in banded:
            hint = f"Catalogues of bands: {', '.join(banded) or 'none'}."
            raise UnknownNameError("auxiliary catalogue of bands", name, banded, hint=hint)
    return [_with_bands(catalogue, bands) for name, catalogue in known.items() if name in wanted]


def _with_bands(catalogue: AuxiliaryCatalogue, bands: Mapping[str, Sequence[int]]) -> AuxiliaryCatalogue:
    """Return the catalogue with types for its bands, if it is one of bands."""
    if not catalogue.bands:
        return catalogue
    if catalogue.id not in bands:
        raise CaseError(
            f"{catalogue.id} has bands of {catalogue.bands}, whose edges each place draws: give the lower ones, such "
            f"as bands={{{catalogue.id!r}: (1, 3, 5)}}, or leave {catalogue.id} out of catalogues="
        )
    edges = list(_several(bands[catalogue.id]))
    whole = all(isinstance(edge, Integral) and not isinstance(edge, bool) for edge in edges)
    if not edges or not whole or any(low >= high for low, high in itertools.pairwise(edges)):
        raise CaseError(f"the bands of {catalogue.id} are {edges!r}: give whole numbers that rise, the lower edges")
    types = []
    for low, high in itertools.pairwise(edges):
        name = f"{low}-{high - 1}" if high - 1 > low else f"{low}"
        inside = (Condition(catalogue.bands, ">=", low), Condition(catalogue.bands, "<", high))
        types.append(AuxiliaryType(name, "", inside))
    types.append(AuxiliaryType(f"{edges[-1]}+", "", (Condition(catalogue.bands, ">=", edges[-1]),)))
    return replace(catalogue, types=tuple(types))


def _as_lists(places: np.ndarray, labels: list[str]) -> pa.Array:
    """Return the labels that each row names; below 0 is none."""
    named = places >= 0
    offsets = np.concatenate([[0], np.cumsum(named.sum(axis=1))]).astype(np.int32)
    texts = from_list(labels, pa.string()).take(from_numpy(places[named]))
    return pa.ListArray.from_arrays(from_numpy(offsets), texts)


# What is given with the cases


def _lists(
    rules: AuxiliaryRules, chosen: Iterable[AuxiliaryCatalogue], given: Any
) -> dict[str, frozenset[str] | tuple[str, ...]]:
    """Return the lists that conditions name: the prefixes that the rules hold, or the codes that were given."""
    awaited = [name for name, prefixes in rules.lists.items() if not prefixes]
    codes: dict[str, set[str]] = {}
    for name, code in _pairs(given, "list", "code", "lists"):
        if name not in awaited:
            hint = f"Lists that are given with the cases: {', '.join(awaited) or 'none'}."
            raise UnknownNameError("list", str(name), awaited, hint=hint)
        codes.setdefault(name, set()).add(_code(code, f"lists: of {name!r}"))
    for catalogue in chosen:
        for name in (condition.value for condition in catalogue.all_conditions):
            if name in awaited and name not in codes:
                raise CaseError(
                    f"{catalogue.id} needs the list {name!r}, which {rules.id} names and does not hold: give its "
                    f"codes, such as lists={{{name!r}: [...]}}, or leave {catalogue.id} out of catalogues="
                )
    held = {name: prefixes for name, prefixes in rules.lists.items() if prefixes}
    return {**held, **{name: frozenset(found) for name, found in codes.items()}}


def _weights(chosen: Iterable[AuxiliaryCatalogue], given: Any) -> dict[str, int]:
    """Return the weight of each diagnosis for the CCI."""
    weights: dict[str, int] = {}
    for given_code, weight in _pairs(given, "code", "weight", "cci_weights"):
        code = _code(given_code, "cci_weights:")
        try:
            number = read_whole(weight)
        except Unreadable:
            number = None
        if number is None or number < 0:
            raise CaseError(f"cci_weights: {code} has the weight {weight!r}: give a whole number of at least 0")
        if weights.setdefault(code, number) != number:
            raise CaseError(f"cci_weights: {code} has the weights {weights[code]} and {number}: leave one of them")
    for catalogue in chosen:
        if not weights and any(condition.measure == "cci" for condition in catalogue.all_conditions):
            raise CaseError(
                f"{catalogue.id} needs the weights of the CCI: give cci_weights=, a table with code and weight, or "
                f"leave {catalogue.id} out of catalogues="
            )
    return weights


def _code(value: Any, where: str) -> str:
    code = "" if is_missing(value) else normalise_code(text_of(value))
    if not code:
        raise CaseError(f"{where} a code is missing: drop the row, or mend it")
    return code


def _pairs(given: Any, first: str, second: str, what: str) -> list[tuple[Any, Any]]:
    """Return pairs from a table of two columns, or from a mapping of the first to one or several of the second."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(key, value) for key, values in given.items() for value in _several(values)]
    given = read_once(given)
    names = names_of(given)
    for name in (first, second):
        if names.count(name) != 1:
            found = ", ".join(names) or "none"
            raise CaseError(f"{what}= needs one column {name!r}; the columns are {found}: name it so, or give a dict")
    table = to_arrow(given, [first, second])
    return list(zip(table[first].to_pylist(), table[second].to_pylist(), strict=True))


def _several(values: Any) -> Iterable[Any]:
    if isinstance(values, str):
        return values.split("|")
    return values if hasattr(values, "__iter__") else [values]


# What conditions ask of the cases


class _Facts:
    """The cases as conditions see them; each column is read once."""

    def __init__(
        self,
        data: Any,
        columns: ColumnNames,
        chosen: Sequence[AuxiliaryCatalogue],
        lists: Mapping[str, frozenset[str] | tuple[str, ...]],
        weights: Mapping[str, int],
    ) -> None:
        names = names_of(data)
        told = expand_columns(columns, names, more=PLAIN_COLUMNS)
        place = _places(names, told, chosen)
        wanted = dict.fromkeys(name for found in place.values() for name in found)
        self._table = to_arrow(data, list(wanted))
        of_cases = {column: found for column, found in told.items() if set(found) <= set(wanted)}
        of_cases = {column: found for column, found in of_cases.items() if column not in PLAIN_COLUMNS}
        plain = [name for column in PLAIN_COLUMNS for name in place.get(column, ())]
        kept = [name for name in self._table.column_names if name not in plain]
        self._cases = to_cases(self._table.select(kept), of_cases, need_dx=False)
        self._place = place
        self._lists = lists
        self._weights = weights
        self.rows = len(self._table)
        self._read: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        marks = one_chunk(self._cases[UNREADABLE]) if kept else pa.nulls(self.rows, pa.string())
        self._marks = marks
        self._bad = {_ROW: marked(marks, _ROW)}

    def usable(self, columns: Iterable[str]) -> np.ndarray:
        """Return in which rows some columns, and the row itself, can be read."""
        found = ~self._bad[_ROW]
        for column in columns:
            if column != "dx":
                found &= ~self._column(column)[1]
        return found

    def reasons(self) -> pa.Array:
        """Return for each row the reason that names the columns which cannot be used."""
        asked = {name: bad for name, bad in self._bad.items() if bad.any()}
        if not asked:
            return pa.nulls(self.rows, pa.string())
        which = sum(bad.astype(np.int64) << bit for bit, bad in enumerate(asked.values()))
        sets, place = np.unique(which, return_inverse=True)
        texts = [
            ", ".join(name for bit, name in enumerate(asked) if int(found) >> bit & 1) or None
            for found in sets.tolist()
        ]
        said = [None if text is None else f"unusable_value:{text}" for text in texts]
        return from_list(said, pa.string()).take(from_numpy(place.astype(np.int32)))

    def meets(self, conditions: Iterable[Condition]) -> np.ndarray:
        """Return in which rows all of some conditions hold."""
        met = np.full(self.rows, True)
        for condition in conditions:
            if isinstance(condition.value, str):
                met &= self._among(condition.measure, condition.operator, condition.value)
            else:
                met &= OPERATORS[condition.operator](self._number(condition.measure), condition.value)
        return met

    def _column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a column as numbers, NaN for missing ones, and in which rows it cannot be used."""
        if name not in self._read:
            if name in READERS:
                values, bad = filled(one_chunk(self._cases[name]), np.nan), marked(self._marks, name)
            elif name == "icu_days":
                read, bad = read_wholes(one_chunk(self._table[self._place[name][0]]))
                values = filled(read, np.nan)
            else:
                cells = self._cases[name] if name in self._cases.column_names else self._table[self._place[name][0]]
                values, bad = read_numbers(one_chunk(cells))
                # No cost is negative, and what costs are measured by is above 0.
                bad = bad | (values <= 0 if name == "standard" else values < 0) | marked(self._marks, name)
            self._read[name] = values, bad
            self._bad[name] = bad
        return self._read[name]

    def _number(self, measure: str) -> np.ndarray:
        """Return a number of each case, NaN where it is missing."""
        if measure == "cci":
            return self._cci
        values = [self._column(name)[0] for name in NUMBERS[measure]]
        if measure == "age_days":
            # Only infants have an age in days; systems write 0 for others.
            return np.where(values[1] >= 1, np.nan, values[0])
        if len(values) == 1:
            return values[0]
        with np.errstate(all="ignore"):
            ratio = values[0] / np.where(values[1] == 0, np.nan, values[1])
            rounded = np.round(ratio, _DECIMALS)
        return np.where(np.isfinite(rounded), rounded, ratio)  # a ratio too great to be rounded needs none

    @cached_property
    def _dx(self) -> Codes:
        return codes_of(one_chunk(self._cases["dx"]))

    @cached_property
    def _others(self) -> np.ndarray:
        """Which codes are other diagnoses."""
        return self._dx.known & (self._dx.place > 0)

    @cached_property
    def _principal(self) -> np.ndarray:
        """The number of each row's principal diagnosis, -1 for none."""
        chosen = self._dx.known & (self._dx.place == 0)
        found = np.full(self.rows, -1)
        found[self._dx.row[chosen]] = self._dx.number[chosen]
        return found

    def _among(self, measure: str, operator: str, name: str) -> np.ndarray:
        """Return in which rows some diagnosis of a kind is in a list, or with ``not in`` none is."""
        codes, members = self._dx, self._lists[name]
        hits = codes.among(members) if isinstance(members, frozenset) else codes.which(_beginning(members))
        if measure == "principal_dx":
            hits &= codes.place == 0
        else:
            hits &= self._others
        if measure == "other_category_dx":
            hits &= self._other_category
        found = np.zeros(self.rows, dtype=bool)
        found[codes.row[hits]] = True
        return found if operator == "in" else (self._principal >= 0) & ~found

    @cached_property
    def _other_category(self) -> np.ndarray:
        """Which codes are of another category (three characters) than their row's principal diagnosis."""
        known: dict[str, int] = {}
        category = np.array([*(known.setdefault(name[:3], len(known)) for name in self._dx.names), -1])
        principal = category[self._principal][self._dx.row]
        differs: np.ndarray = (principal >= 0) & (category[self._dx.number] != principal)
        return differs

    @cached_property
    def _cci(self) -> np.ndarray:
        """The sum of the weights of the distinct other diagnoses."""
        weights = np.array([*(self._weights.get(name, 0) for name in self._dx.names), 0])
        counted = self._others & (weights[self._dx.number] > 0)
        # The keys are nearly in order, as the rows are: sorting is several times faster than np.unique's hashing.
        keys = np.sort(self._dx.row[counted] * len(weights) + self._dx.number[counted], kind="stable")
        row, number = np.divmod(keys[np.diff(keys, prepend=-1) > 0], len(weights))
        sums: np.ndarray = np.bincount(row, weights[number], self.rows)
        return sums


def _places(
    names: list[str], columns: Mapping[str, tuple[str, ...]], chosen: Sequence[AuxiliaryCatalogue]
) -> dict[str, tuple[str, ...]]:
    """Return the names in a table that hold each column that is needed, and ``unreadable``."""
    plain = {column: columns.get(column, (column,))[0] for column in PLAIN_COLUMNS}
    others = [name for name in names if name not in plain.values()]
    found = case_columns(
        others, {column: found for column, found in columns.items() if column not in plain}, need_dx=False
    )
    found |= {column: (name,) for column, name in plain.items() if name in names}
    needed = {column: catalogue.id for catalogue in reversed(chosen) for column in catalogue.columns}
    for column, catalogue in needed.items():
        if column not in found:
            raise CaseError(
                f"{catalogue} needs {column!r}, for which there is no column among "
                f"{', '.join(map(repr, names)) or 'none'}: name it so, say columns={{{column!r}: ...}}, leave "
                f"{catalogue} out of catalogues=, or, where every value is missing, add a column of nulls"
            )
        if names.count(found[column][0]) > 1:
            raise CaseError(f"the table has {found[column][0]!r} twice: rename one of the columns")
    return {column: where for column, where in found.items() if column in needed or column == UNREADABLE}


def _beginning(prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda code: code.startswith(prefixes)
