"""The columns of a case: their names in the field, and how one value of each is read.

Everything that reads cases (one record, a table, a file) goes through the readers here, so that a value means the
same at every door.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._once import once
from drgdip._text import MISSING, fold_width, is_missing, normalise_code, text_of
from drgdip.data import rows_of
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "CODE_COLUMNS",
    "COMPANIONS",
    "FAULTS",
    "GROUPING_COLUMNS",
    "READERS",
    "UNREADABLE",
    "Resolved",
    "Unreadable",
    "Wide",
    "read_day",
    "read_fen",
    "read_moment",
    "read_record",
    "resolve",
]

#: The column that names what could not be read in a row: columns joined by blanks, or null.
UNREADABLE = "unreadable"
#: The column that names what is wrong with the structure of a nested record: rules of ``checks.csv``, or null.
FAULTS = "faults"
#: The two list columns: element 0 is the principal code and may be null.
CODE_COLUMNS = ("dx", "procs")
#: Lists that say something of each code of another list, place by place.
COMPANIONS = {"dx_conditions": "dx", "proc_dates": "procs"}

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
# Behind the day stands nothing, or a time.
_DAY = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?=$|[ T])|(\d{2})(\d{2})(?=$|[ T]|\d{6}$))", re.ASCII)
_CLOCK = re.compile(r"[ T](\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_LARGEST = 2**63 - 1  # Arrow's int64
_DEAREST = 10**13  # yuan, not reached: fen below are exact in floats
_LONGEST = 1000  # digits, zeros in front included; Python reads no more than 4,300
_SEXES = {"1": 1, "2": 2, "男": 1, "女": 2, "M": 1, "F": 2, "m": 1, "f": 2, "男性": 1, "女性": 2}


class Unreadable(ValueError):
    """A value that is not of its column's kind."""


def _plain(value: object) -> object:
    """A numpy scalar as Python's number; anything else as it is."""
    scalar = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return value.item() if scalar else value  # type: ignore[attr-defined]


def read_whole(value: object) -> int | None:
    """A whole number; text of one (``"3"``, ``"3.0"``) and floats without a fraction are taken."""
    if value is None or type(value) is int and -_LARGEST <= value <= _LARGEST:  # noqa: RUF021
        return value
    if is_missing(value):
        return None
    value = _plain(value)
    if isinstance(value, Decimal):  # its text may have an exponent of any size
        value = float(value) if not value.is_finite() or abs(value) > _LARGEST else f"{value:f}"
    if isinstance(value, str):
        text = fold_width(value)
        if not _WHOLE.fullmatch(text):
            raise Unreadable("not a whole number")
        digits = text.partition(".")[0]
        number = int(digits) if len(digits) < _LONGEST else _LARGEST + 1
    elif hasattr(value, "__index__") and not isinstance(value, bool):
        number = value.__index__()
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    else:
        raise Unreadable("not a whole number")
    if not -_LARGEST <= number <= _LARGEST:
        raise Unreadable("a number without measure")
    return number


def read_number(value: object) -> float | None:
    """A number, or text of one, without exponent."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        text = fold_width(value)
        if not _NUMBER.fullmatch(text):
            raise Unreadable("not a number")
        value = float(text)
    value = _plain(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise Unreadable("not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise Unreadable("a number without measure")
    return number


def read_fen(value: object) -> int | None:
    """An amount in yuan, or text of one without exponent, as fen; more than two decimals are rounded (四舍五入)."""
    if is_missing(value):
        return None
    value = fold_width(value) if isinstance(value, str) else _plain(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Unreadable("not an amount")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise Unreadable("not an amount")
    amount = Decimal(repr(value) if isinstance(value, float) else value)  # a float is the decimal that it prints as
    if not -_DEAREST < amount < _DEAREST:
        raise Unreadable("an amount without measure")
    return int(amount.quantize(Decimal("0.01"), ROUND_HALF_UP).scaleb(2))


def read_sex(value: object) -> int | None:
    """1 male, 2 female, from 1/2, 男/女 or M/F; other whole numbers (0 unknown, 9 not stated) stay as they are."""
    if isinstance(value, str):
        sex = _SEXES.get(value) or _SEXES.get(fold_width(value))
        if sex is not None:
            return sex
    return read_whole(value)


def read_text(value: object) -> str | None:
    """A text without white space around it."""
    return None if is_missing(value) else str(value).strip()


def read_codes(value: object) -> list[str | None]:
    """Codes from a list or from text joined by ``|``: the principal one first, null where there is none.

    Missing codes among the others are left out. Whatever is no text is taken by its text: no code is lost, and one
    that no code set has is merely unknown.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        items: Iterable[object] = value.split("|")
    elif hasattr(value, "__iter__") and not isinstance(value, dict):
        items = value
    else:
        items = (value,)
    codes: list[str | None] = []
    for item in items:
        code = "" if is_missing(item) else normalise_code(item if isinstance(item, str) else text_of(item))
        if code not in MISSING:
            codes.append(code)
        elif not codes:
            codes.append(None)
    return codes if codes != [None] else []


#: How a value of each column is read that grouping may use.
READERS: dict[str, Callable[[object], Any]] = {
    "sex": read_sex,
    "age": read_whole,
    "age_days": read_whole,
    "newborn_weight": read_whole,
    "birth_weight": read_whole,
    "admission_weight": read_whole,
    "los": read_whole,
    "discharge": read_whole,
    "dept": read_text,
    "icu_hours": read_number,
    "dx": read_codes,
    "procs": read_codes,
}
GROUPING_COLUMNS = tuple(READERS)
_READERS_AND_COST = READERS | {"total_cost": read_fen}


class Wide(NamedTuple):
    """The columns that hold one list: of the principal code, of each numbered other code, a list of the others."""

    principal: str | None
    numbered: tuple[str, ...]
    listed: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are there."""
        return tuple(name for name in (self.principal, *self.numbered, self.listed) if name is not None)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which names of a table or record hold which column.

    Attributes
    ----------
    single
        Name by column.
    wide
        For lists that stand in several columns: those columns.
    """

    single: Mapping[str, str]
    wide: Mapping[str, Wide] = field(default_factory=dict)


@lru_cache(maxsize=256)
def resolve(names: tuple[str, ...]) -> Resolved:
    """Find the case columns among the names of a table.

    A canonical name is taken before an alias; white space, full-width characters and the case of letters do not
    count. Several numbered columns (``其他诊断编码1`` …) make one list.

    Raises
    ------
    CaseError
        Two names are aliases of one column, so that it must be said which is meant.
    """
    plain, patterns = _aliases()
    candidates: dict[str, list[str]] = {}
    series: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        folded = fold_width(name).casefold()
        if folded in plain:
            candidates.setdefault(plain[folded], []).append(name)
            continue
        for pattern, column in patterns:
            match = pattern.fullmatch(folded)
            if match:
                series.setdefault(column, []).append((int(match[1]), name))
                break
    single = {column: _choose(column, found) for column, found in candidates.items()}
    wide: dict[str, Wide] = {}
    for column in (*CODE_COLUMNS, *COMPANIONS, "items_cost"):
        numbered = tuple(name for _, name in sorted(series.get(f"{column}_other", ())))
        parts = Wide(single.pop(f"{column}_principal", None), numbered, single.pop(f"{column}_other", None))
        if column not in single and parts.names:
            wide[column] = parts
    return Resolved(single, wide)


def _choose(column: str, found: Sequence[str]) -> str:
    if column in found or len(found) == 1:
        return column if column in found else found[0]
    both = " and ".join(map(repr, found))
    raise CaseError(
        f"columns {both} both stand for {column!r}; say which with columns={{{column!r}: {found[0]!r}}} "
        f"(--columns {column}={found[0]} on the command line), or name the right one {column!r}"
    )


@once
def _aliases() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Column by folded alias, and the patterns of numbered columns."""
    plain: dict[str, str] = {}
    numbered = []
    for row in rows_of("columns.csv"):
        column, alias = row["column"], fold_width(row["alias"]).casefold()
        plain.setdefault(column, column)
        if "{n" in alias:
            digits = r"(\\d{2})" if "{n:02}" in alias else r"(\\d)" if "{n:1}" in alias else r"(\\d{1,2})"
            text = re.sub(r"\\\{n(:02|:1)?\\\}", digits, re.escape(alias))
            numbered.append((re.compile(text), column))
        else:
            plain[alias] = column
    return plain, numbered


def read_record(record: Mapping[str, Any], *, cost: bool = False) -> tuple[dict[str, Any], frozenset[str]]:
    """The values of one record by column, and the columns whose value cannot be read (null in the values).

    Names that are no case column are passed over. The total cost, in fen, is read where it is asked for.
    """
    resolved = resolve(tuple(name for name in record if isinstance(name, str)))
    values: dict[str, Any] = {}
    marks = record.get(UNREADABLE)
    unreadable = set(marks.split()) if isinstance(marks, str) else set()
    for column, read in (_READERS_AND_COST if cost else READERS).items():
        name = resolved.single.get(column)
        if name is not None:
            value = record[name]
        elif column in resolved.wide:
            value = _join(record, resolved.wide[column])
        else:
            value = None
        try:
            values[column] = read(value)
        except Unreadable:
            values[column] = None
            unreadable.add(column)
    return values, frozenset(unreadable)


def read_day(value: object) -> datetime.date | None:
    """A day, from a date, a time, or text that begins with one.

    ``2024-05-01``, ``2024/5/1``, ``20240501``, ``2024年5月1日``, with or without a time of day behind it.
    """
    if is_missing(value):
        return None
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    match = _DAY.match(fold_width(str(value)))
    if match is None:
        raise Unreadable("not a date")
    try:
        return datetime.date(*map(int, filter(None, match.groups())))
    except ValueError as error:
        raise Unreadable("not a date") from error


def read_moment(value: object) -> datetime.datetime | None:
    """A point in time from text: a day (`read_day`) with a time of day behind it, or midnight."""
    day = read_day(value)
    if day is None:
        return None
    clock = _CLOCK.search(fold_width(str(value)))
    try:
        return datetime.datetime.combine(day, datetime.time(*map(int, filter(None, clock.groups())) if clock else ()))
    except ValueError as error:
        raise Unreadable("not a time") from error


def _join(record: Mapping[str, Any], wide: Wide) -> list[object]:
    """The codes of a wide record as one list."""
    codes = [None if wide.principal is None else record[wide.principal]]
    codes += [record[name] for name in wide.numbered]
    return codes if wide.listed is None else [*codes, *read_codes(record[wide.listed])]
