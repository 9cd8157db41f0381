"""Grouping and settlement for China's hospital payment reform (DRG / DIP).

The public names are imported when first used, so that ``import drgdip`` is light: grouping one case needs neither
pyarrow nor numba nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from drgdip._version import __version__

if TYPE_CHECKING:
    from drgdip import monitor, points, settle
    from drgdip._listing import Listing
    from drgdip._text import normalise_code
    from drgdip.cases.case import Case, make_case_schema
    from drgdip.cases.codes import CodeSet, find_code_name, list_code_sets, load_code_set
    from drgdip.cases.crosswalks import MappedCodes, map_codes
    from drgdip.cases.readers import read_cases
    from drgdip.cases.suggest import Suggestion, suggest_codes
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
    from drgdip.grouper.alternatives import Alternatives, alternatives
    from drgdip.grouper.build import build_catalogue
    from drgdip.grouper.checks import Check, check_cases, list_checks
    from drgdip.grouper.choose import find_catalogue, find_scheme
    from drgdip.grouper.compare import CaseComparison, compare_case
    from drgdip.grouper.describe import describe_cases
    from drgdip.grouper.diff import diff_cases, diff_schemes
    from drgdip.grouper.dip.auxiliary import find_auxiliary_types
    from drgdip.grouper.dip.auxiliary_rules import AuxiliaryRules, load_auxiliary
    from drgdip.grouper.dip.catalogue import Catalogue, list_catalogues, load_catalogue
    from drgdip.grouper.drg.features import Feature
    from drgdip.grouper.drg.scheme import Scheme, list_schemes, load_scheme
    from drgdip.grouper.drg.splitting import SplitCriteria
    from drgdip.grouper.encoded import Encoded
    from drgdip.grouper.explain import explain
    from drgdip.grouper.explanation import Explanation
    from drgdip.grouper.group import encode, group, group_batches, make_result_fields, warmup
    from drgdip.grouper.move import Move
    from drgdip.grouper.moves import move_cases
    from drgdip.grouper.one import group_one
    from drgdip.grouper.refine import build_scheme
    from drgdip.grouper.refinement import Refinement
    from drgdip.grouper.result import REASONS, STATUSES, DipResult, GroupResult
    from drgdip.grouper.samples import sample_cases
    from drgdip.grouper.schemas import make_json_schema
    from drgdip.reasons import Reason, describe_reason, list_reasons
    from drgdip.versions import show_versions

#: Modules with the public names that each holds. `points`, `settle` and `monitor` are modules themselves.
_MODULES = {
    "drgdip._listing": ("Listing",),
    "drgdip._text": ("normalise_code",),
    "drgdip.cases.case": ("Case", "make_case_schema"),
    "drgdip.cases.codes": ("CodeSet", "find_code_name", "load_code_set", "list_code_sets"),
    "drgdip.cases.crosswalks": ("MappedCodes", "map_codes"),
    "drgdip.cases.readers": ("read_cases",),
    "drgdip.cases.suggest": ("Suggestion", "suggest_codes"),
    "drgdip.data": ("SchemeInfo",),
    "drgdip.errors": (
        "CaseError",
        "DrgdipError",
        "InvariantError",
        "PolicyError",
        "RuleError",
        "SchemeChoiceError",
        "SchemeError",
        "UnknownNameError",
    ),
    "drgdip.grouper.alternatives": ("Alternatives", "alternatives"),
    "drgdip.grouper.build": ("build_catalogue",),
    "drgdip.grouper.checks": ("Check", "check_cases", "list_checks"),
    "drgdip.grouper.choose": ("find_catalogue", "find_scheme"),
    "drgdip.grouper.compare": ("CaseComparison", "compare_case"),
    "drgdip.grouper.describe": ("describe_cases",),
    "drgdip.grouper.diff": ("diff_cases", "diff_schemes"),
    "drgdip.grouper.dip.auxiliary": ("find_auxiliary_types",),
    "drgdip.grouper.dip.auxiliary_rules": ("AuxiliaryRules", "load_auxiliary"),
    "drgdip.grouper.dip.catalogue": ("Catalogue", "list_catalogues", "load_catalogue"),
    "drgdip.grouper.drg.features": ("Feature",),
    "drgdip.grouper.drg.scheme": ("Scheme", "list_schemes", "load_scheme"),
    "drgdip.grouper.drg.splitting": ("SplitCriteria",),
    "drgdip.grouper.encoded": ("Encoded",),
    "drgdip.grouper.explain": ("explain",),
    "drgdip.grouper.explanation": ("Explanation",),
    "drgdip.grouper.group": ("encode", "group", "group_batches", "make_result_fields", "warmup"),
    "drgdip.grouper.move": ("Move",),
    "drgdip.grouper.moves": ("move_cases",),
    "drgdip.grouper.one": ("group_one",),
    "drgdip.grouper.refine": ("build_scheme",),
    "drgdip.grouper.refinement": ("Refinement",),
    "drgdip.grouper.result": ("DipResult", "GroupResult", "REASONS", "STATUSES"),
    "drgdip.grouper.samples": ("sample_cases",),
    "drgdip.grouper.schemas": ("make_json_schema",),
    "drgdip.monitor": ("monitor",),
    "drgdip.points": ("points",),
    "drgdip.reasons": ("Reason", "list_reasons", "describe_reason"),
    "drgdip.settle": ("settle",),
    "drgdip.versions": ("show_versions",),
}
_PUBLIC = {name: module for module, names in _MODULES.items() for name in names}

# Written out, so that type checkers see which names are public.
__all__ = [
    "REASONS",
    "STATUSES",
    "Alternatives",
    "AuxiliaryRules",
    "Case",
    "CaseComparison",
    "CaseError",
    "Catalogue",
    "Check",
    "CodeSet",
    "DipResult",
    "DrgdipError",
    "Encoded",
    "Explanation",
    "Feature",
    "GroupResult",
    "InvariantError",
    "Listing",
    "MappedCodes",
    "Move",
    "PolicyError",
    "Reason",
    "Refinement",
    "RuleError",
    "Scheme",
    "SchemeChoiceError",
    "SchemeError",
    "SchemeInfo",
    "SplitCriteria",
    "Suggestion",
    "UnknownNameError",
    "__version__",
    "alternatives",
    "build_catalogue",
    "build_scheme",
    "check_cases",
    "compare_case",
    "describe_cases",
    "describe_reason",
    "diff_cases",
    "diff_schemes",
    "encode",
    "explain",
    "find_auxiliary_types",
    "find_catalogue",
    "find_code_name",
    "find_scheme",
    "group",
    "group_batches",
    "group_one",
    "list_catalogues",
    "list_checks",
    "list_code_sets",
    "list_reasons",
    "list_schemes",
    "load_auxiliary",
    "load_catalogue",
    "load_code_set",
    "load_scheme",
    "make_case_schema",
    "make_json_schema",
    "make_result_fields",
    "map_codes",
    "monitor",
    "move_cases",
    "normalise_code",
    "points",
    "read_cases",
    "sample_cases",
    "settle",
    "show_versions",
    "suggest_codes",
    "warmup",
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
