"""The columns of a case with their types: a model of one case, and a schema of many."""

from __future__ import annotations

import datetime
from decimal import Decimal  # noqa: TC003 - pydantic reads the annotations of Case when it runs
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from drgdip._values import read_codes, read_day, read_sex, read_text, read_whole
from drgdip.cases.fields import READERS

__all__ = ["TYPES", "Case", "make_case_schema"]

#: Type of each column.
TYPES: dict[str, pa.DataType] = {
    "case_id": pa.string(),
    "sex": pa.int64(),
    "age": pa.int64(),
    "age_days": pa.int64(),
    "newborn_weight": pa.int64(),
    "birth_weight": pa.int64(),
    "admission_weight": pa.int64(),
    "los": pa.int64(),
    "discharge": pa.int64(),
    "dx": pa.list_(pa.string()),
    "procs": pa.list_(pa.string()),
    "dept": pa.string(),
    "icu_hours": pa.float64(),
    "hospital": pa.string(),
    "pool": pa.string(),
    "born": pa.date32(),
    "admitted": pa.date32(),
    "discharged": pa.date32(),
    "total_cost": pa.decimal128(18, 2),
    "items_cost": pa.decimal128(18, 2),
    "dx_conditions": pa.list_(pa.string()),
    "proc_dates": pa.list_(pa.date32()),
}

Whole = Annotated[int | None, BeforeValidator(read_whole)]
Years = Annotated[int | None, BeforeValidator(READERS["age"])]
Days = Annotated[int | None, BeforeValidator(READERS["age_days"])]
Day = Annotated[datetime.date | None, BeforeValidator(read_day)]
Grams = Annotated[int | None, BeforeValidator(READERS["birth_weight"])]
Codes = Annotated[list[str | None], BeforeValidator(read_codes)]


class Case(BaseModel):
    """One discharge, for `drgdip.group_one` and `drgdip.explain`.

    Values are read as at every door: texts of numbers, sex as 1/2, 男/女 or M/F, codes trimmed and with full-width
    characters folded. A field that is no field of a case, or a value of the wrong kind, is a
    ``pydantic.ValidationError``; pass a plain mapping to `group_one` to get the status ``invalid`` instead.

    Examples
    --------
    >>> Case(sex="女", age="59", dx=" Ｋ22.301|J94.801").dx
    ['K22.301', 'J94.801']
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    case_id: str | None = Field(default=None, description="number of the case")
    sex: Annotated[int | None, BeforeValidator(read_sex)] = Field(default=None, description="1 male, 2 female")
    age: Years = Field(default=None, description="age in full years")
    age_days: Days = Field(default=None, description="age in days, of infants (age 0)")
    newborn_weight: Grams = Field(
        default=None, description="weight in grams that the scheme means, of newborns (28 days or less)"
    )
    birth_weight: Grams = Field(default=None, description="weight in grams at birth")
    admission_weight: Grams = Field(default=None, description="weight in grams at admission")
    los: Days = Field(default=None, description="length of stay in days")
    discharge: Whole = Field(
        default=None,
        description="1 on medical advice, 2 to another hospital, 3 to primary care, 4 against advice, 5 died, 9 other",
    )
    dx: Codes = Field(default=[], description="diagnoses, the principal one first")
    procs: Codes = Field(default=[], description="procedures, the principal one first")
    dept: Annotated[str | None, BeforeValidator(read_text)] = Field(default=None, description="department")
    icu_hours: Annotated[float | None, BeforeValidator(READERS["icu_hours"])] = Field(
        default=None, description="hours in intensive care"
    )
    hospital: str | None = Field(default=None, description="code of the hospital")
    pool: str | None = Field(default=None, description="the pool that pays: region and kind of insurance")
    born: Day = Field(default=None, description="day of birth")
    admitted: Day = Field(default=None, description="day of admission")
    discharged: Day = Field(default=None, description="day of discharge")
    total_cost: Decimal | None = Field(default=None, description="total cost of the stay in yuan")
    items_cost: Decimal | None = Field(default=None, description="sum of the amounts by item in yuan")
    dx_conditions: list[str | None] | None = Field(
        default=None,
        description="condition of each diagnosis at admission: 1 present, 2 uncertain, 3 unknown, 4 absent",
    )
    proc_dates: list[datetime.date | None] | None = Field(default=None, description="day of each procedure")


def make_case_schema() -> pa.Schema:
    """Return the Arrow schema of cases under canonical names.

    Returns
    -------
    One field a column of `Case`; ``dx`` and ``procs`` are lists, everything may be null. A field's metadata
    ``description`` says what it holds.

    Examples
    --------
    >>> make_case_schema().field("dx").type
    ListType(list<item: string>)
    """
    described = {name: {"description": field.description or ""} for name, field in Case.model_fields.items()}
    return pa.schema([pa.field(name, kind, metadata=described[name]) for name, kind in TYPES.items()])
