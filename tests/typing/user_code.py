"""Typical code of a user, as type checkers see it: ``mypy tests/typing`` and ``pyright tests/typing`` pass.

The types are stated with `assert_type`; `tests/test_typing.py` runs the same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

import pandas as pd
import polars as pl

import drgdip
from drgdip import Catalogue, DipResult, Encoded, Explanation, GroupResult, Scheme, SchemeInfo

if TYPE_CHECKING:
    from pathlib import Path

CASE = {"sex": 2, "age": 59, "dx": ["K22.301", "J94.801"], "procs": ["42.0902"]}
OTHER_NAMES = {"sex": "gender", "dx": "main"}


def one_case(folder: Path | None = None) -> None:
    """Group one case under schemes, catalogues and ids."""
    scheme, catalogue = drgdip.load_scheme("chs-drg-2.0"), drgdip.load_catalogue("nhsa-dip-2.0")
    assert_type(scheme, Scheme)
    assert_type(catalogue, Catalogue)
    assert_type(drgdip.group_one(CASE, scheme), GroupResult)
    assert_type(drgdip.group_one(CASE, catalogue), DipResult)
    assert_type(drgdip.group_one(CASE, "chs-drg-3.0"), GroupResult)
    assert_type(drgdip.group_one(CASE, "nhsa-dip-3.0"), DipResult)
    local: str = "chs-drg-2.0-nanjing-2024"
    assert_type(drgdip.group_one(CASE, local), GroupResult | DipResult)
    if folder is not None:
        assert_type(drgdip.group_one(CASE, folder), GroupResult | DipResult)

    result = drgdip.group_one({"gender": "女", "age": 59, "main": "K22.301"}, scheme, columns=OTHER_NAMES)
    assert_type(result.mdc, str | None)
    assert_type(result.to_dict(), dict[str, Any])
    assert_type(drgdip.explain(CASE, scheme), Explanation[GroupResult])
    assert_type(drgdip.explain(CASE, "nhsa-dip-2.0").result.treatment, str | None)
    assert_type(drgdip.explain(CASE, local).result.status, str)
    assert_type(drgdip.group_one(drgdip.Case(sex=1, age=40, dx=["K35.801"]), scheme).group, str | None)


def tables() -> None:
    """Group tables: each container comes back as it is."""
    records = [CASE]
    assert_type(drgdip.group(records, "chs-drg-2.0"), list[dict[str, Any]])
    frame = pd.DataFrame(records)
    grouped = drgdip.group(frame, drgdip.find_scheme("南京"), prefix="new_")
    assert_type(grouped, pd.DataFrame)
    assert_type(drgdip.group(pl.DataFrame(records), "nhsa-dip-2.0"), pl.DataFrame)
    assert_type(drgdip.group(pl.DataFrame(records).lazy(), "nhsa-dip-2.0"), pl.LazyFrame)
    assert_type(drgdip.check_cases(frame, "chs-drg-2.0"), pd.DataFrame)
    assert_type(drgdip.check_cases(records, "chs-drg-2.0", limits={"age": (0, 120)}), list[dict[str, Any]])
    encoded = drgdip.encode(frame, "chs-drg-2.0")
    assert_type(encoded, Encoded)
    drgdip.group(encoded, "chs-drg-2.0", threads=1)


def listings() -> None:
    """Look names up in listings."""
    assert_type(drgdip.list_schemes()[0], SchemeInfo)
    assert_type([info.place for info in drgdip.list_catalogues()], list[str])
    assert_type(drgdip.list_checks().row("sex_conflict").citation, str)
    assert_type(drgdip.list_reasons("grouping")[0].text("zh"), str)
    assert_type(drgdip.find_catalogue("全国"), Catalogue)
    assert_type(drgdip.make_json_schema("group_result"), dict[str, Any])
