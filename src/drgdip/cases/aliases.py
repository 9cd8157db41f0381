"""Aliases of columns: how a name is folded, and what each folded name stands for (``data/columns.csv``)."""

from __future__ import annotations

import re
from typing import NamedTuple

from drgdip._once import once
from drgdip._text import fold_width
from drgdip.data import rows_of

__all__ = ["CASE_COLUMNS", "CERTAIN", "CODE_COLUMNS", "UNITS", "Found", "base_of", "fold_name", "look_up"]

#: The columns of a case, which `drgdip.cases.case` gives their types: reading one case needs no Arrow.
CASE_COLUMNS = (
    "case_id",
    "sex",
    "age",
    "age_days",
    "newborn_weight",
    "birth_weight",
    "admission_weight",
    "los",
    "discharge",
    "dx",
    "procs",
    "dept",
    "icu_hours",
    "hospital",
    "pool",
    "born",
    "admitted",
    "discharged",
    "total_cost",
    "items_cost",
    "dx_conditions",
    "proc_dates",
)
#: The two list columns: element 0 is the principal code and may be null.
CODE_COLUMNS = ("dx", "procs")
#: The rank of names that are certain; names above it are taken for want of a better one.
CERTAIN = 1
# Notes that a header puts behind a name without changing what the column holds.
_CODE_NOTE = re.compile(r"(疾病|手术)?(编码|代码|code)$|icd(10|9(cm3)?)?")
#: The units that may stand behind a name or a number of a column: in small letters, a longer one first.
UNITS = {
    "age": ("周岁", "岁"),
    "age_days": ("天", "日"),
    "newborn_weight": ("克", "g"),
    "birth_weight": ("克", "g"),
    "admission_weight": ("克", "g"),
    "los": ("天", "日"),
    "icu_hours": ("小时", "h"),
    "total_cost": ("元",),
    "items_cost": ("元",),
    "fund_booked": ("元",),
    "patient_paid": ("元",),
    "own_paid": ("元",),
    "out_of_scope": ("元",),
    "deductible": ("元",),
}
_ANY_UNIT = re.compile("(" + "|".join(sorted({u for units in UNITS.values() for u in units}, key=len)[::-1]) + ")$")
_PERSON = re.compile("^(患者|病人)")
_SEPARATORS = re.compile(r"[\s_\-/()\[\]{}【】〔〕「」]+")


class Found(NamedTuple):
    """A name of a table that is known: its column, its rank, and its number in a series."""

    column: str
    rank: int
    number: int | None = None


def base_of(column: str) -> str:
    """Return the column of a case that a column of ``columns.csv`` is a part of."""
    return re.sub("_(principal|others|numbered)$", "", column)


def fold_name(name: str) -> str:
    """Return a name without what does not count: width, case, white space, underscores, hyphens, brackets."""
    return _SEPARATORS.sub("", fold_width(name).casefold())


def look_up(name: str) -> Found | None:
    """Return what a name stands for, None for an unknown one."""
    folded = fold_name(name)
    return _look_up_folded(folded) or _look_up_folded(_PERSON.sub("", folded))


def _look_up_folded(folded: str) -> Found | None:
    found = _known(folded)
    if found is not None:
        return found
    unit = _ANY_UNIT.search(folded)
    if unit:
        found = _known(folded[: unit.start()])
        if found is not None and unit[0] in UNITS.get(found.column, ()):
            return found
    found = _known(_CODE_NOTE.sub("", folded))
    if found is not None and base_of(found.column) in CODE_COLUMNS:
        return found._replace(rank=CERTAIN)  # it says that it holds codes
    return None


def _known(folded: str) -> Found | None:
    """Return what a folded name stands for as it is, or as one of a series."""
    plain, series = _aliases()
    if folded in plain:
        return plain[folded]
    for digits in re.finditer(r"\d{1,3}", folded):
        found = series.get(f"{folded[: digits.start()]}{{n}}{folded[digits.end() :]}")
        if found is not None:
            return found._replace(number=int(digits[0]))
    return None


@once
def _aliases() -> tuple[dict[str, Found], dict[str, Found]]:
    """Return what each folded alias stands for: those of one column, and those of series (``{n}`` is the number)."""
    plain: dict[str, Found] = {}
    series: dict[str, Found] = {}
    for column in CASE_COLUMNS:
        plain[fold_name(column)] = Found(column, CERTAIN)
    for row in rows_of("columns.csv"):
        alias, found = row["alias"], Found(row["column"], int(row["rank"]))
        if "{n}" in alias:
            before, after = map(fold_name, alias.split("{n}"))
            series[f"{before}{{n}}{after}"] = found
        elif "{n:1}" in alias:
            for digit in range(10):
                plain[fold_name(alias.replace("{n:1}", str(digit)))] = found._replace(number=digit)
        else:
            plain[fold_name(alias)] = found
    return plain, series
