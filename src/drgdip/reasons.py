"""Every reason that a status carries: a code in the column, its text in English or Chinese from one table.

``data/reasons.csv`` is the table. A reason about something named, such as a column, is the code, a colon and the name:
``no_coefficient:level``; the text has ``{}`` where the name stands.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from drgdip._listing import Listing
from drgdip._once import once
from drgdip.data import rows_of
from drgdip.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AREAS", "LANGUAGES", "Reason", "check_language", "describe_reason", "list_reasons", "reasons_of"]

#: The areas that give reasons.
AREAS = ("grouping", "checks", "alternatives", "hints", "columns", "moves", "building", "points", "settle", "monitor")
#: The languages of texts.
LANGUAGES = ("en", "zh")


class Reason(NamedTuple):
    """A reason: its code, the areas that give it, how grave it is, and its text in two languages.

    ``areas`` are of grouping, checks, alternatives, hints, columns, moves, building, points, settle and monitor;
    ``level`` is error, warning or info. A text has ``{}`` where a name stands that the reason is about.
    """

    code: str
    areas: tuple[str, ...]
    level: str
    english: str
    chinese: str

    def text(self, language: str = "en", about: str = "") -> str:
        """Return the text in English (``en``) or Chinese (``zh``), with what it is about in its place."""
        return (self.chinese if language == "zh" else self.english).replace("{}", about)


@once
def reasons_of(area: str = "") -> Mapping[str, Reason]:
    """Return the reasons of an area by code, in the order of the table; of every area for ""."""
    reasons = [
        Reason(row["code"], tuple(row["areas"].split("|")), row["level"], row["english"], row["chinese"])
        for row in rows_of("reasons.csv")
    ]
    return MappingProxyType({reason.code: reason for reason in reasons if not area or area in reason.areas})


def list_reasons(area: str = "") -> Listing[Reason]:
    """List the reasons that columns of results hold.

    Parameters
    ----------
    area
        ``grouping``, ``checks``, ``alternatives``, ``hints``, ``columns``, ``building``, ``points``, ``settle`` or
        ``monitor``; "" for all.

    Returns
    -------
    A `Listing` with a `Reason` a row: ``code, areas, level, english, chinese``.

    Raises
    ------
    UnknownNameError
        There is no such area; the message has the nearest.

    Examples
    --------
    >>> list_reasons("grouping").row("no_mdc").english
    'no MDC takes the case'
    """
    if area not in {"", *AREAS}:
        raise UnknownNameError("area", area, AREAS, hint=f"The areas are {', '.join(AREAS)}.")
    return Listing(list(reasons_of(area).values()), Reason._fields)


def check_language(language: str) -> None:
    """Raise UnknownNameError for a language that texts are not written in."""
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES, hint=f"The languages are {', '.join(LANGUAGES)}.")


def describe_reason(reason: str | None, language: str = "en") -> str:
    """Return the text of a reason that a column of results holds.

    Parameters
    ----------
    reason
        A code, or a code, a colon and the name it is about (``no_coefficient:level``); None, as rows without a
        reason have.
    language
        ``en`` or ``zh``.

    Returns
    -------
    The text; "" for None.

    Raises
    ------
    UnknownNameError
        There is no such reason or language; the message has the nearest.

    Examples
    --------
    >>> describe_reason("no_mdc"), describe_reason("no_mdc", "zh")
    ('no MDC takes the case', '没有可进入的主要诊断大类')
    """
    check_language(language)
    if reason is None:
        return ""
    code, _, about = reason.partition(":")
    known = reasons_of()
    if code not in known:
        raise UnknownNameError("reason", code, known)
    return known[code].text(language, about)
