"""Codes for a text: a name, a part of one, or a code that is not quite right."""

from __future__ import annotations

import difflib
from typing import NamedTuple

from drgdip._listing import Listing
from drgdip._once import once
from drgdip._text import fold_width, normalise_code
from drgdip.cases.codes import grey_codes, list_code_sets, names_of_codes
from drgdip.errors import CaseError, UnknownNameError

__all__ = ["Suggestion", "is_name", "suggest_codes"]

#: How a code fits a text, the best first.
MATCHES = ("code", "name", "beginning", "part of name", "like code", "like name")
#: How alike codes and names must be.
_LIKE_CODE, _LIKE_NAME = 0.65, 0.4


class Suggestion(NamedTuple):
    """A code that a text may mean.

    Attributes
    ----------
    code, name
        The code and its name.
    match
        How it fits: ``code``, ``name``, ``beginning``, ``part of name``, ``like code`` or ``like name``.
    grey
        Whether it is a grey code (灰码), which is not for settlement.
    code_set
        The code set that has it.
    """

    code: str
    name: str
    match: str
    grey: bool
    code_set: str


def suggest_codes(text: str, code_set: str | None = None, *, limit: int = 10) -> Listing[Suggestion]:
    """Suggest codes for a name or a code, the best first.

    Parameters
    ----------
    text
        A Chinese name, a part of one, a code, the beginning of one, or a code that is mistyped.
    code_set
        The code set to look in, as `list_code_sets` names it; None looks in all.
    limit
        How many codes to give at most.

    Returns
    -------
    A `Listing` with a `Suggestion` a row. Codes for settlement stand before grey ones that fit as well.

    Raises
    ------
    UnknownNameError
        There is no such code set.
    CaseError
        ``limit`` is below 1.

    Examples
    --------
    >>> suggest_codes("脑梗死", "nhsa-icd10-2.0", limit=2)["code"]
    ['I63.900', 'I63.904']
    >>> suggest_codes("I63900", limit=1)["name"]
    ['脑梗死']
    """
    if limit < 1:
        raise CaseError(f"limit is {limit}; give 1 or more")
    known = list_code_sets()["id"]
    if code_set is not None and code_set not in known:
        raise UnknownNameError("code set", code_set, known, hint=f"There are {' and '.join(known)}.")
    asked = normalise_code(text)
    if not asked:
        return Listing([], Suggestion._fields)
    found = [row for name in ([code_set] if code_set else known) for row in _ranked(asked, name)]
    return Listing([suggestion for _, suggestion in sorted(found)[:limit]], Suggestion._fields)


def is_name(text: str) -> bool:
    """Return whether a text is Chinese, as a name is and no code."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _ranked(asked: str, code_set: str) -> list[tuple[tuple[float, ...], Suggestion]]:
    """Return the codes of a set that fit, each with its rank."""
    plain, folded, name = _plain(asked), fold_width(asked).casefold(), is_name(asked)
    pairs = _pairs(folded)
    alike = set() if name else set(difflib.get_close_matches(plain, _by_category(code_set, plain[:2]), 50, _LIKE_CODE))
    grey = grey_codes(code_set)
    found: list[tuple[tuple[float, ...], Suggestion]] = []
    for code, title in names_of_codes(code_set).items():
        short, likeness = _plain(code), 1.0
        if short == plain:
            match = "code"
        elif title.casefold() == folded:
            match = "name"
        elif len(plain) > 2 and short.startswith(plain):
            match = "beginning"
        elif folded in title.casefold():
            match = "part of name"
        elif short in alike:
            match, likeness = "like code", difflib.SequenceMatcher(None, plain, short).ratio()
        elif name and not pairs.isdisjoint(mine := _pairs(title.casefold())):
            match, likeness = "like name", 2 * len(pairs & mine) / (len(pairs) + len(mine))
            if likeness < _LIKE_NAME:
                continue
        else:
            continue
        rank = (MATCHES.index(match), -likeness, code in grey, len(title) if match.endswith("name") else 0)
        found.append((rank, Suggestion(code, title, match, code in grey, code_set)))
    return found


def _plain(code: str) -> str:
    """Return a code without what is often left out or mistyped: points, and the case of letters."""
    return code.replace(".", "").casefold()


def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of characters that stand together in a text."""
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))


@once
def _by_category(code_set: str, beginning: str) -> tuple[str, ...]:
    """Return the codes of a set that begin alike, without points."""
    return tuple(short for code in names_of_codes(code_set) if (short := _plain(code)).startswith(beginning))
