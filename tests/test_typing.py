"""Types for callers: the code of a user, which type checkers read, runs; ids that types name are in the package."""

from __future__ import annotations

import sys
import typing
from pathlib import Path

from conftest import ROOT

import drgdip
from drgdip.grouper.load import NationalCatalogue, NationalScheme

sys.path.append(str(ROOT / "tests" / "typing"))
import user_code


def test_the_code_of_a_user_runs():
    user_code.one_case(Path(drgdip.load_scheme("chs-drg-2.0").folder))
    user_code.tables()
    user_code.listings()


def test_the_ids_that_types_name_are_the_national_ones():
    schemes = [info.id for info in drgdip.list_schemes() if info.place == "全国"]
    catalogues = [info.id for info in drgdip.list_catalogues() if info.place == "全国"]
    assert sorted(typing.get_args(NationalScheme)) == schemes
    assert sorted(typing.get_args(NationalCatalogue)) == catalogues
