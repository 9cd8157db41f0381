"""Cases made anonymous so that they still group alike: ages in bands, dates shifted, ids hashed, texts dropped."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drgdip._arrays import from_days, read_days
from drgdip._arrow import from_list, from_lists, from_numpy, names_of, one_chunk, read_once, to_arrow, to_kind, valid
from drgdip._columns import decode
from drgdip._text import text_of
from drgdip.cases.alike import alike_records
from drgdip.cases.derive import derive
from drgdip.cases.names import CASE_COLUMNS, CODE_COLUMNS, UNREADABLE
from drgdip.cases.table import case_columns, clean_codes, to_cases
from drgdip.errors import CaseError, DrgdipError
from drgdip.grouper.grammar import VALUE_VARIABLES
from drgdip.grouper.group import results_of
from drgdip.grouper.load import load_any

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.family import SchemeLike

    SchemeName = str | os.PathLike[str] | SchemeLike

__all__ = ["Anonymous", "anonymise", "edges_of", "only_code"]

#: Columns that identify: their values are hashed.
_IDS = ("case_id", "patient", "hospital", "pool")
_DATES = ("admitted", "discharged")
#: Columns of whole numbers that stay within their band, by the column that rules read.
_BANDED = {
    "age": ("age",),
    "age_days": ("age_days",),
    "newborn_weight": ("newborn_weight", "birth_weight", "admission_weight"),
    "los": ("los",),
}
#: Of these, the ones that are told though no rule reads them.
_AGES = frozenset({"age", "age_days"})
#: Characters of salt below which all ids could be tried.
_SALT = 16
#: Hexadecimal digits of a hash that stay: 128 bits.
_DIGITS = 32
#: What a mark of a row that cannot be read may name.
_MARKS = frozenset({"row", *CASE_COLUMNS})
#: The text that stands for a department or a code that no rule can name.
_OTHER = "other"
_CODE = re.compile(r"[A-Za-z]{1,3}\d[\w.+*†/-]{0,11}|\d{2}(\.\w{1,9})?", re.ASCII)
#: The edges of all schemes: an age of 0 needs an age in days, and one of 28 days or less a weight.
_ALWAYS = {"age": (0, 1), "age_days": (0, 29, 365), "newborn_weight": (0,), "los": (0,)}


class Anonymous(NamedTuple):
    """Anonymous cases, and what became of each column.

    Attributes
    ----------
    cases
        The cases under canonical names, in the kind of container that was given.
    columns
        An Arrow table with a row a column of the table: ``column, case_column, treatment``. The treatment is
        ``kept``, ``band``, ``shifted``, ``hashed``, ``codes`` (what is no code becomes ``other``), ``words`` (what no
        rule names becomes ``other``) or ``dropped``.
    """

    cases: Any
    columns: pa.Table


def anonymise(
    cases: Any,
    scheme: SchemeName | Sequence[SchemeName],
    *,
    salt: str | bytes,
    shift_days: int = 365,
    keep: Sequence[str] = (),
    columns: ColumnNames | None = None,
    codes: str | None = None,
) -> Anonymous:
    """Make cases anonymous, so that they group as before.

    Parameters
    ----------
    cases
        As for `drgdip.group`. ``patient`` is read besides: the patient whose dates move together. Without it, each case
        is a patient.
    scheme
        The scheme or catalogue whose rules give the edges of bands, or several, all of whose edges are kept.
    salt
        A secret text of 16 characters at least that only you keep. The same salt gives the same ids and shifts, so that
        files of two months can be joined.
    shift_days
        Dates move by 1 to so many days to either side. No rule reads a date.
    keep
        Columns that stay as they are: you vouch that nothing in them tells who a patient is.
    columns, codes
        As for `drgdip.group`.

    Returns
    -------
    An `Anonymous`.

    Raises
    ------
    CaseError
        A salt that is too short; a ``keep`` that is not there.
    DrgdipError
        A case would group otherwise: the result is checked under each scheme, and no such case leaves.

    Notes
    -----
    Ages in years and days become the least value of their band, beside which the band stands as a text (``age_band``:
    ``7-69``); so do weights and stays that rules read. The bands are cut where a rule of the scheme compares, so that
    no comparison changes. Ids become their HMAC-SHA256 under the salt, cut to 128 bits. Dates keep stays and the days
    between the stays of a patient; without ``patient`` and ``case_id`` they are dropped. The day of birth is dropped:
    it has become the age. Unknown columns are dropped, and told.

    Codes stay. A rare disease may tell who a patient is: look at the examples before you send them.

    Examples
    --------
    >>> case = {"case_id": "7", "name": "张三", "sex": 2, "age": 59, "dx": ["K22.301"], "procs": []}
    >>> found = anonymise([case], "chs-drg-2.0", salt="only we know this")
    >>> found.cases[0]["age"], found.cases[0]["dx"]
    (1, ['K22.301'])
    >>> found.columns.to_pylist()[1]
    {'column': 'name', 'case_column': None, 'treatment': 'dropped'}
    """
    secret = _secret(salt)
    if shift_days < 1:
        raise CaseError(f"shift_days={shift_days}: give 1 or more")
    given: Sequence[Any] = scheme if isinstance(scheme, list | tuple) else [scheme]
    schemes = [load_any(one) for one in given]
    patients = str((columns or {}).get("patient", "patient"))
    columns = {name: theirs for name, theirs in (columns or {}).items() if name != "patient"}
    table = alike_records(read_once(cases), columns)
    names = [name for name in names_of(table) if isinstance(name, str)]
    missing = [name for name in keep if name not in names]
    if missing:
        raise CaseError(f"keep= has {missing[0]!r}, which is no column: {', '.join(names)}")
    known = derive(to_cases(table, columns))
    hashed: dict[str, Callable[[str], str]] = {name: partial(_hash, secret, name) for name in _IDS}
    found: dict[str, Any] = {}
    patient = _patients(table, known, patients if patients in names else None)
    for name in known.column_names:
        column = _made_anonymous(name, one_chunk(known[name]), schemes, hashed)
        if column is not None:
            found[name] = column
    found |= _in_bands(known, schemes)
    if patients in names:
        found["patient"] = _mapped(to_arrow(table, [patients])[patients], hashed["patient"])
    if patient is not None:
        shifts = _shifts(patient, secret, shift_days)
        found |= {name: _shifted(known[name], shifts) for name in _DATES if name in known.column_names}
    found |= {name: to_arrow(table, [name])[name] for name in keep}
    result = pa.table(found)
    for one in schemes:
        _check_alike(known, result, one, codes)
    return Anonymous(to_kind(result, cases), _told(names, columns, patients, found, keep))


def _secret(salt: str | bytes) -> bytes:
    secret = salt.encode() if isinstance(salt, str) else bytes(salt)
    if len(secret) < _SALT:
        raise CaseError(
            f"salt= has {len(secret)} characters, so that ids could be guessed: give {_SALT} or more, such as what "
            "secrets.token_hex() gives"
        )
    return secret


def _hash(secret: bytes, what: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text as one of its kind."""
    return hmac.new(secret, f"{what}:{text}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]


# Columns


def _made_anonymous(
    name: str, column: pa.Array, schemes: Sequence[SchemeLike], hashed: dict[str, Callable[[str], str]]
) -> pa.Array | None:
    """Return a column so that it may leave, None where it may not."""
    if name in CODE_COLUMNS:
        return _only_codes(column, frozenset().union(*(one.named_codes for one in schemes)))
    if name in hashed:
        return _mapped(column, hashed[name])
    if name == UNREADABLE:
        return _mapped(column, lambda text: " ".join(word for word in text.split() if word in _MARKS))
    if name in {"sex", "discharge"}:
        return column
    if name == "icu_hours" and _reads(schemes, name):
        return _between(column, sorted({*_thresholds(schemes, name), 0}))
    if name == "dept" and _reads(schemes, name):
        words = _words(schemes)
        return _mapped(column, lambda text: text if text in words else _OTHER)
    return column if name == "total_cost" and any(one.reads_cost for one in schemes) else None


def _reads(schemes: Iterable[SchemeLike], column: str) -> bool:
    return any(column in one.value_columns for one in schemes)


def _thresholds(schemes: Iterable[SchemeLike], column: str) -> list[int]:
    """Return the numbers that rules compare a column with."""
    nodes = (node for one in schemes for node in one.comparisons if VALUE_VARIABLES[node.variable] == column)
    return sorted({node.value for node in nodes if isinstance(node.value, int)})


def _words(schemes: Iterable[SchemeLike]) -> frozenset[str]:
    nodes = (node for one in schemes for node in one.comparisons if VALUE_VARIABLES[node.variable] == "dept")
    return frozenset(str(node.value) for node in nodes)


def edges_of(schemes: Iterable[SchemeLike], column: str) -> list[int]:
    """Return the least whole number of each band of a column: all numbers of a band answer every rule alike."""
    edges = set(_ALWAYS[column])
    for one in schemes:
        for node in one.comparisons:
            if VALUE_VARIABLES[node.variable] == column and isinstance(node.value, int):
                edges |= _AT[node.operator](node.value)
    return sorted(edges)


#: Where a comparison cuts the whole numbers.
_AT: dict[str, Callable[[int], set[int]]] = {
    "<": lambda value: {value},
    ">=": lambda value: {value},
    "<=": lambda value: {value + 1},
    ">": lambda value: {value + 1},
    "=": lambda value: {value, value + 1},
}


def _banded(column: pa.Array, edges: Sequence[int]) -> tuple[pa.Array, np.ndarray]:
    """Return whole numbers as the least of their band, all below the first edge as the number before it; and the bands.

    A band is a number from 0, which stands for the one below the first edge; -1 for no number.
    """
    known = valid(column)
    values = np.asarray(pc.fill_null(column, 0)).astype(np.int64)
    lowest = np.array([edges[0] - 1, *edges], np.int64)
    band = np.searchsorted(edges, values, side="right")
    return from_numpy(lowest[band], known), np.where(known, band, -1)


def _between(column: pa.Array, thresholds: Sequence[int]) -> pa.Array:
    """Return numbers as those that lie alike to all thresholds: at one, halfway between two, or beyond the last."""
    known = valid(column)
    values = np.asarray(pc.fill_null(column, 0)).astype(np.float64)
    edges = np.array(thresholds, np.float64)
    halfway = np.concatenate([[edges[0] - 1], (edges[:-1] + edges[1:]) / 2, [edges[-1] + 1]])
    place = np.searchsorted(edges, values, side="left")
    at = np.isin(values, edges)
    return from_numpy(np.where(at, values, halfway[place]), known)


def _in_bands(known: pa.Table, schemes: Sequence[SchemeLike]) -> dict[str, pa.Array]:
    """Return ages, and weights and stays that rules read, as the least of their band, and the bands as texts."""
    found: dict[str, pa.Array] = {}
    for rule, names in _BANDED.items():
        if rule not in _AGES and not _reads(schemes, rule):
            continue
        edges = edges_of(schemes, rule)
        for name in names:
            if name in known.column_names:
                found[name], place = _banded(one_chunk(known[name]), edges)
                found[f"{name}_band"] = decode(place, from_list(_band_texts(edges), pa.string()))
    return found


def _band_texts(edges: Sequence[int]) -> list[str]:
    """Return the bands as readers write them: ``1-6``, ``70+``."""
    ends = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    return [f"<{edges[0]}", *ends, f"{edges[-1]}+"]


def _only_codes(column: pa.Array, named: frozenset[str]) -> pa.Array:
    """Return lists of codes in which a text that is none, such as the name of a disease, is ``other``."""
    return from_lists(
        [
            [None if text is None else only_code(text, named) for text in row or ()]
            for row in clean_codes(column).to_pylist()
        ]
    )


def only_code(text: str, named: frozenset[str]) -> str:
    """Return a code that is named in tables or looks like one, ``other`` for any other text."""
    return text if text in named or _CODE.fullmatch(text) else _OTHER


def _mapped(column: pa.ChunkedArray | pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Return a column of texts changed one by one, each distinct one once."""
    made: dict[Any, str | None] = {None: None}
    for value in one_chunk(column).to_pylist():
        if value not in made:
            text = text_of(value).strip()
            made[value] = change(text) if text else None
    return from_list([made[value] for value in one_chunk(column).to_pylist()], pa.string())


# Dates


def _patients(table: Any, known: pa.Table, name: str | None) -> list[str | None] | None:
    """Return the patient of each case: the column of patients, else the case itself; None where there is neither."""
    if name is not None:
        column = to_arrow(table, [name])[name]
    elif "case_id" in known.column_names:
        column = known["case_id"]
    else:
        return None
    return [None if value is None else text_of(value).strip() or None for value in column.to_pylist()]


def _shifts(patients: Sequence[str | None], secret: bytes, days: int) -> np.ndarray:
    """Return by how many days the dates of each case move; the least number of 64 bits for a case of no patient."""
    made: dict[str, int] = {}
    for patient in patients:
        if patient is not None and patient not in made:
            number = int(_hash(secret, "shift", patient), 16) % (2 * days)
            made[patient] = number - days + (number >= days)  # never 0
    return np.array([_UNMOVED if patient is None else made[patient] for patient in patients], np.int64)


_UNMOVED = np.iinfo(np.int64).min


def _shifted(column: pa.ChunkedArray, shifts: np.ndarray) -> pa.Array:
    """Return days moved; a day of no patient, which must not stay, is dropped."""
    days = read_days(column)[0].copy()
    days[shifts == _UNMOVED] = np.datetime64("NaT")
    return from_days(days + np.where(shifts == _UNMOVED, 0, shifts).astype("timedelta64[D]"))


# The report of columns, and the check


def _check_alike(before: pa.Table, after: pa.Table, scheme: SchemeLike, codes: str | None) -> None:
    """Raise DrgdipError where a case groups otherwise."""
    kept = [name for name in after.column_names if name in CASE_COLUMNS or name == UNREADABLE]
    results = [results_of(table, scheme, None, codes) for table in (before, after.select(kept))]
    for name in scheme.result._fields:
        pair = [one_chunk(result[name]) for result in results]
        texts = [column.cast(pa.string()) for column in pair]
        same = pc.or_(pc.fill_null(pc.equal(*texts), False), pc.and_(pc.is_null(texts[0]), pc.is_null(texts[1])))
        if not pc.all(same).as_py():
            row = int(np.argmin(np.asarray(same)))
            raise DrgdipError(
                f"row {row} would group otherwise under {scheme.id} ({name} {texts[0][row]} becomes {texts[1][row]}): "
                "nothing is given back. This is a fault of the library: please report it with the scheme"
            )


def _told(
    names: Sequence[str], columns: ColumnNames, patients: str, found: dict[str, Any], keep: Sequence[str]
) -> pa.Table:
    """Return what became of each column of the table."""
    of_name = {name: column for column, held in case_columns(list(names), columns).items() for name in held}
    rows = []
    for name in names:
        column = "patient" if name == patients else of_name.get(name)
        treatment = _treatment(column) if column in found else "dropped"
        rows.append((name, column, "kept" if name in keep else treatment))
    return pa.table(
        {
            title: from_list([row[place] for row in rows], pa.string())
            for place, title in enumerate(("column", "case_column", "treatment"))
        }
    )


def _treatment(column: str | None) -> str:
    if column in CODE_COLUMNS:
        return "codes"
    if column in _IDS:
        return "hashed"
    if column in _DATES:
        return "shifted"
    banded = {"icu_hours", *(name for names in _BANDED.values() for name in names)}
    return "words" if column == "dept" else "band" if column in banded else "kept"
