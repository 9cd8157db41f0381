"""Hints about the codes of a case that was not grouped: mistyped, of another edition, grey, names, several in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.cases.codes import editions_with, grey_codes, known_codes
from drgdip.cases.suggest import is_name, suggest_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drgdip.grouper.family import SchemeLike

__all__ = ["Hint", "hints_of", "reason_of_unknown"]

#: Signs between codes that are not the one that is read.
_SEPARATORS = re.compile(r"[,;/\s，、；]+")
_NEAREST = 3


class Hint(NamedTuple):
    """A hint about a code of a case.

    Attributes
    ----------
    column
        ``dx`` or ``procs``.
    code
        The code as it was read.
    reason
        A code of `drgdip.list_reasons` with the area ``hints``.
    editions
        The editions that have the code, for ``codes=``.
    nearest
        Codes that may be meant, the likeliest first.
    """

    column: str
    code: str
    reason: str
    editions: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()


def hints_of(record: Mapping[str, Any], scheme: SchemeLike) -> tuple[Hint, ...]:
    """Return hints about the codes of a case that a scheme cannot have meant."""
    return tuple(_hints(record, scheme))


def _hints(record: Mapping[str, Any], scheme: SchemeLike) -> Iterator[Hint]:
    for column, code_set in (("dx", scheme.info.diagnosis_codes), ("procs", scheme.info.procedure_codes)):
        known = known_codes(code_set)
        if not known:  # the codes of a set that is not here cannot be told
            continue
        for code in record[column] or ():
            if code is None:
                continue
            if code in grey_codes(code_set):
                yield Hint(column, code, "hint_grey")
            elif code not in known and code not in scheme.named_codes:
                yield _of_unknown(column, code, code_set)


def reason_of_unknown(code: str, column: str, code_set: str) -> tuple[str, tuple[str, ...]]:
    """Return why a code may be unknown, and the codes or the editions that tell."""
    known = known_codes(code_set)
    parts = tuple(part for part in _SEPARATORS.split(code) if part)
    if len(parts) > 1 and all(part in known for part in parts):
        return "hint_joined", parts
    editions = tuple(editions_with(code, column, code_set))
    if editions:
        return "hint_edition", editions
    return ("hint_name" if is_name(code) else "hint_unknown"), ()


def _of_unknown(column: str, code: str, code_set: str) -> Hint:
    """Return a hint about a code that neither the code set nor the scheme has."""
    reason, told = reason_of_unknown(code, column, code_set)
    if reason == "hint_edition":
        return Hint(column, code, reason, editions=told)
    nearest = told or tuple(suggest_codes(code, code_set, limit=_NEAREST)["code"])
    return Hint(column, code, reason, nearest=nearest)
