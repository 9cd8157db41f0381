"""The columns of a case: their names in the field, and how one value of each is read.

Everything that reads cases (one record, a table, a file) goes through the readers here, so that a value means the
same at every door.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drgdip.codes import fold_width, normalise_code
from drgdip.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["CODE_COLUMNS", "GROUPING_COLUMNS", "READERS", "Resolved", "Unreadable", "read_record", "resolve"]

#: The two list columns: element 0 is the principal code and may be null.
CODE_COLUMNS = ("dx", "procs")
#: Texts that hospital systems write for a missing value.
MISSING = frozenset({"", "-", "NULL", "null", "NaN", "nan", "None"})

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_LARGEST = 2**63 - 1  # Arrow's int64
_SEXES = {"1": 1, "2": 2, "男": 1, "女": 2, "M": 1, "F": 2, "m": 1, "f": 2, "男性": 1, "女性": 2}


class Unreadable(ValueError):
    """A value that is not of its column's kind."""


def is_missing(value: object) -> bool:
    """Whether a scalar stands for nothing: None, NaN, pandas' NA and NaT, or one of `MISSING`."""
    if value is None:
        return True
    if isinstance(value, str):
        return value in MISSING or fold_width(value) in MISSING
    # NaN and NaT differ from themselves; pandas' NA answers a comparison with itself.
    return bool(value != value) if isinstance(value, float) else type(value).__name__ in {"NAType", "NaTType"}


def read_whole(value: object) -> int | None:
    """A whole number; text of one (``"3"``, ``"3.0"``) and floats without a fraction are taken."""
    if value is None or type(value) is int and -_LARGEST <= value <= _LARGEST:  # noqa: RUF021
        return value
    if is_missing(value):
        return None
    text = fold_width(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else ""
    if text and _WHOLE.fullmatch(text):
        number = int(text.partition(".")[0])
    elif hasattr(value, "__index__") and not isinstance(value, bool):
        number = value.__index__()
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif type(value).__name__ == "Decimal" and value == int(value):  # type: ignore[call-overload]
        number = int(value)  # type: ignore[call-overload]
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
        return float(text)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise Unreadable("not a number")
    number = float(value)
    if number in {float("inf"), float("-inf")}:
        raise Unreadable("a number without measure")
    return number


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

    Missing codes among the others are left out.
    """
    if value is None:
        return []
    if isinstance(value, str):
        items: Iterable[object] = value.split("|")
    elif hasattr(value, "__iter__") and not isinstance(value, bytes | dict):
        items = value
    elif is_missing(value):
        return []
    else:
        raise Unreadable("not a list of codes")
    codes: list[str | None] = []
    for item in items:
        if isinstance(item, str):
            code = normalise_code(item)
            if code not in MISSING:
                codes.append(code)
            elif not codes:
                codes.append(None)
        elif not is_missing(item):
            raise Unreadable("a code that is not text")
        elif not codes:
            codes.append(None)
    return codes if codes != [None] else []


#: How a value of each column is read that grouping may use.
READERS: dict[str, Callable[[object], Any]] = {
    "sex": read_sex,
    "age": read_whole,
    "age_days": read_whole,
    "newborn_weight": read_whole,
    "los": read_whole,
    "discharge": read_whole,
    "dept": read_text,
    "icu_hours": read_number,
    "dx": read_codes,
    "procs": read_codes,
}
GROUPING_COLUMNS = tuple(READERS)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which names of a table or record hold which column.

    Attributes
    ----------
    single
        Name by column.
    wide
        For dx and procs that stand in several columns: the principal's name (or None) and the others' in order.
    """

    single: Mapping[str, str]
    wide: Mapping[str, tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def found(self) -> set[str]:
        """The columns that are there."""
        return {*self.single, *self.wide}


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
    plain, numbered = _aliases()
    candidates: dict[str, list[str]] = {}
    series: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        folded = fold_width(name).casefold()
        if folded in plain:
            candidates.setdefault(plain[folded], []).append(name)
            continue
        for pattern, column in numbered:
            match = pattern.fullmatch(folded)
            if match:
                series.setdefault(column, []).append((int(match[1]), name))
                break
    single = {column: _choose(column, found) for column, found in candidates.items()}
    wide: dict[str, tuple[str | None, tuple[str, ...]]] = {}
    for column in CODE_COLUMNS:
        principal = single.pop(f"{column}_principal", None)
        others = tuple(name for _, name in sorted(series.get(f"{column}_other", ())))
        listed = single.pop(f"{column}_other", None)
        if listed is not None:
            others = (*others, listed)
        if column not in single and (principal or others):
            wide[column] = (principal, others)
    return Resolved(single, wide)


def _choose(column: str, found: Sequence[str]) -> str:
    if column in found or len(found) == 1:
        return column if column in found else found[0]
    both = " and ".join(map(repr, found))
    why = ""
    if column == "newborn_weight":
        why = " (schemes up to CHS-DRG 2.0 name the weight at birth, 3.0 the weight at admission)"
    raise CaseError(f"columns {both} both stand for {column!r}{why}; say which with columns={{{column!r}: {found[0]!r}}}")


@cache
def _aliases() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Column by folded alias, and the patterns of numbered columns."""
    plain: dict[str, str] = {}
    numbered = []
    path = Path(__file__).parent / "data" / "columns.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            column, alias = row["column"], fold_width(row["alias"]).casefold()
            plain.setdefault(column, column)
            if "{n" in alias:
                digits = r"(\\d{2})" if "{n:02}" in alias else r"(\\d{1,2})"
                text = re.sub(r"\\\{n(:02)?\\\}", digits, re.escape(alias))
                numbered.append((re.compile(text), column))
            else:
                plain[alias] = column
    return plain, numbered


def read_record(record: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """The values of one record by column, and the columns whose value cannot be read (null in the values).

    Names that are no case column are passed over.
    """
    resolved = resolve(tuple(record))
    values: dict[str, Any] = {}
    unreadable = None
    for column, read in READERS.items():
        name = resolved.single.get(column)
        if name is not None:
            value = record[name]
        elif column in resolved.wide:
            principal, others = resolved.wide[column]
            value = _join(record, principal, others)
        else:
            value = None
        try:
            values[column] = read(value)
        except Unreadable:
            values[column] = [] if column in CODE_COLUMNS else None
            unreadable = {column} if unreadable is None else unreadable | {column}
    return values, frozenset(unreadable or ())


def _join(record: Mapping[str, Any], principal: str | None, others: tuple[str, ...]) -> list[object]:
    """The codes of a wide record as one list."""
    codes: list[object] = [None if principal is None else record[principal]]
    for name in others:
        value = record[name]
        if isinstance(value, str):
            codes += value.split("|")
        elif hasattr(value, "__iter__"):
            codes += value
        else:
            codes.append(value)
    return codes
