"""Grouping and settlement for China's hospital payment reform (DRG / DIP).

The public names are imported when first used, so that ``import drgdip`` is light: grouping one case needs neither
pyarrow nor numba nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from drgdip._version import __version__

if TYPE_CHECKING:
    from drgdip import points, settle
    from drgdip._text import normalise_code
    from drgdip.cases.case import Case, case_schema
    from drgdip.cases.codes import CodeSet, code_name, code_set, list_code_sets
    from drgdip.cases.crosswalks import MappedCodes, map_codes
    from drgdip.cases.readers import read_cases
    from drgdip.data import SchemeInfo
    from drgdip.errors import (
        CaseError,
        DrgdipError,
        InvariantError,
        PolicyError,
        RuleError,
        SchemeChoiceError,
        SchemeError,
        UnknownNameError,
    )
    from drgdip.grouper.build import build_catalogue
    from drgdip.grouper.checks import Check, check_cases, list_checks
    from drgdip.grouper.choose import find_scheme
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.dip.auxiliary import auxiliary_types
    from drgdip.grouper.dip.auxiliary_rules import AuxiliaryRules, load_auxiliary
    from drgdip.grouper.dip.catalogue import Catalogue, list_catalogues, load_catalogue
    from drgdip.grouper.drg.scheme import Scheme, list_schemes, load_scheme
    from drgdip.grouper.explain import Explanation, explain
    from drgdip.grouper.group import encode, group, group_batches, result_fields, warmup
    from drgdip.grouper.one import group_one
    from drgdip.grouper.result import REASONS, STATUSES, DipResult, GroupResult
    from drgdip.grouper.samples import sample_cases
    from drgdip.reasons import reason_text
    from drgdip.versions import show_versions

#: Public names and the modules that hold them.
_PUBLIC = {
    "AuxiliaryRules": "drgdip.grouper.dip.auxiliary_rules",
    "Case": "drgdip.cases.case",
    "CaseError": "drgdip.errors",
    "Catalogue": "drgdip.grouper.dip.catalogue",
    "Check": "drgdip.grouper.checks",
    "CodeSet": "drgdip.cases.codes",
    "DipResult": "drgdip.grouper.result",
    "DrgdipError": "drgdip.errors",
    "Explanation": "drgdip.grouper.explain",
    "GroupResult": "drgdip.grouper.result",
    "InvariantError": "drgdip.errors",
    "MappedCodes": "drgdip.cases.crosswalks",
    "PolicyError": "drgdip.errors",
    "REASONS": "drgdip.grouper.result",
    "RuleError": "drgdip.errors",
    "STATUSES": "drgdip.grouper.result",
    "Scheme": "drgdip.grouper.drg.scheme",
    "SchemeChoiceError": "drgdip.errors",
    "SchemeError": "drgdip.errors",
    "SchemeInfo": "drgdip.data",
    "UnknownNameError": "drgdip.errors",
    "auxiliary_types": "drgdip.grouper.dip.auxiliary",
    "build_catalogue": "drgdip.grouper.build",
    "case_schema": "drgdip.cases.case",
    "check_cases": "drgdip.grouper.checks",
    "code_name": "drgdip.cases.codes",
    "code_set": "drgdip.cases.codes",
    "diff_cases": "drgdip.grouper.diff",
    "diff_schemes": "drgdip.grouper.diff",
    "encode": "drgdip.grouper.group",
    "explain": "drgdip.grouper.explain",
    "find_scheme": "drgdip.grouper.choose",
    "group": "drgdip.grouper.group",
    "group_batches": "drgdip.grouper.group",
    "group_one": "drgdip.grouper.one",
    "list_catalogues": "drgdip.grouper.dip.catalogue",
    "list_checks": "drgdip.grouper.checks",
    "list_code_sets": "drgdip.cases.codes",
    "list_schemes": "drgdip.grouper.drg.scheme",
    "load_auxiliary": "drgdip.grouper.dip.auxiliary_rules",
    "load_catalogue": "drgdip.grouper.dip.catalogue",
    "load_scheme": "drgdip.grouper.drg.scheme",
    "map_codes": "drgdip.cases.crosswalks",
    "normalise_code": "drgdip._text",
    "points": "drgdip.points",
    "read_cases": "drgdip.cases.readers",
    "reason_text": "drgdip.reasons",
    "result_fields": "drgdip.grouper.group",
    "sample_cases": "drgdip.grouper.samples",
    "settle": "drgdip.settle",
    "show_versions": "drgdip.versions",
    "warmup": "drgdip.grouper.group",
}

__all__ = [  # noqa: PLE0604 - built from one list so that it cannot drift
    "__version__",
    *_PUBLIC,
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module = importlib.import_module(_PUBLIC[name])
        # A public name is a name in its module, or the module itself.
        value = module if module.__name__ == f"drgdip.{name}" else getattr(module, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'drgdip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
