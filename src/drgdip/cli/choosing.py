"""The scheme or catalogue of a run: by its id or folder, or by place and date."""

from __future__ import annotations

import datetime
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from drgdip.cli.output import print_note
from drgdip.errors import CaseError, SchemeChoiceError, UnknownNameError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from drgdip.cli.parsing import Parser
    from drgdip.cli.words import Words
    from drgdip.grouper.family import SchemeLike

__all__ = ["add_scheme", "offer_others", "scheme_of", "unknown_place"]

_PATTERN = "0001-01-01"


def add_scheme(parser: Parser, text: str | None = None, *, required: bool = True) -> None:
    """Add the options that name the scheme or catalogue; ``text`` is the help of ``--scheme``, None for the usual."""
    say = parser.say

    def read_date(text: str) -> str:
        """Return a day, a month or a year as it is given."""
        try:
            datetime.date.fromisoformat(text + _PATTERN[len(text) :] if len(text) in {4, 7, 10} else "")
        except ValueError:
            raise ArgumentTypeError(say("error.date", given=repr(text))) from None
        return text

    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument("--scheme", metavar="ID", help=say("option.scheme") if text is None else text)
    which.add_argument("--place", metavar="PLACE", help=say("option.place"))
    parser.add_argument("--date", metavar="DAY", type=read_date, help=say("option.date"))


def scheme_of(options: argparse.Namespace) -> SchemeLike:
    """Return the scheme or catalogue that the options name, and print which it is where they name a place.

    Raise CaseError where the place has none for the day, or a scheme and a catalogue: the message has what to choose.
    """
    from drgdip.grouper.choose import find_catalogue, find_scheme
    from drgdip.grouper.load import load_any

    say: Words = options.say
    if options.place is None:
        if options.date is not None:
            raise CaseError(say("error.date_alone"))
        return load_any(options.scheme)
    found: list[SchemeLike] = []
    others: list[str] = []
    for find in (find_scheme, find_catalogue):
        try:
            found.append(find(options.place, on=options.date))
        except SchemeChoiceError as error:
            others += error.candidates
        except UnknownNameError as error:
            raise unknown_place(error, say) from None
    if len(found) == 1:
        info = found[0].info
        print_note(say("place.taken", place=options.place, scheme=info.id, title=info.title), say)
        return found[0]
    if found:
        ids = [scheme.id for scheme in found]
        raise CaseError(say("place.both", place=options.place, first=ids[0], second=ids[1]))
    raise offer_others(options.place, options.date, others, say)


def offer_others(place: str, date: str | None, ids: Iterable[str], say: Words) -> CaseError:
    """Return the error that a place has no scheme or catalogue for a day, with those to choose from."""
    from drgdip.data import index_of

    known = index_of("scheme") | index_of("catalogue")
    lines = []
    for info in (known[name] for name in dict.fromkeys(ids)):
        day = info.valid_from or info.published or say("place.no_date")
        lines.append("\n  " + say("place.candidate", scheme=info.id, place=info.place, date=day, title=info.title))
    what = say("place.none" if date is None else "place.none_for", place=place, date=date)
    return CaseError(what + (say("place.choose") + "".join(lines) if lines else say("place.nothing")))


def unknown_place(error: UnknownNameError, say: Words) -> CaseError:
    """Return the error of a name that is no place, with the nearest names."""
    near = say("error.near", names=say("list.or").join(map(repr, error.nearest))) if error.nearest else ""
    return CaseError(say("place.unknown", place=repr(error.name), near=near))
