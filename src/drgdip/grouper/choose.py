"""The scheme or catalogue that a place uses: by its name, its administrative code or its English name, and a date."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, NamedTuple

from drgdip._once import once
from drgdip._text import fold_width
from drgdip.data import rows_of
from drgdip.errors import SchemeChoiceError, UnknownNameError
from drgdip.grouper.dip.catalogue import list_catalogues, load_catalogue
from drgdip.grouper.drg.scheme import list_schemes, load_scheme

if TYPE_CHECKING:
    from drgdip.data import SchemeInfo
    from drgdip.grouper.dip.catalogue import Catalogue
    from drgdip.grouper.drg.scheme import Scheme

__all__ = ["Place", "catalogues_of", "find_catalogue", "find_scheme", "ids_of_place", "schemes_of"]

#: The day that is asked for where a caller names none.
_LAST = "9999-12-31"
_DATE = re.compile(r"\d{4}(-\d\d){0,2}", re.ASCII)


class Place(NamedTuple):
    """A row of ``data/places.csv``: an area by its code (GB/T 2260), and its name in schemes and catalogues."""

    code: str
    name: str
    short: str
    english: str
    place: str


def find_scheme(place: str | int, on: datetime.date | str | None = None) -> Scheme:
    """Find the scheme of a place on a date, and load it.

    Parameters
    ----------
    place
        A name with or without its last word (``南京市``, ``南京``), an English one (``Nanjing``, in any case) or an
        administrative code (GB/T 2260: ``320100``; a county's code stands for its city). ``data/places.csv`` has all.
    on
        The newest scheme that was published by this day is taken: a date, or text (``2024``, ``2024-07``,
        ``2024-07-31``). None takes the newest. A scheme of which only the year is known counts from its first day.

    Returns
    -------
    The `Scheme`.

    Raises
    ------
    UnknownNameError
        There is no such place here; the message has the nearest names.
    SchemeChoiceError
        The place has a DIP catalogue only, no scheme of it is that old, several are equally new, or one of several has
        no date: the message lists them.

    Notes
    -----
    The dates are those of the sources. Most sources state a year, and not the day from which a scheme was in force.
    Only a place's own schemes are found: it is not known here whether a city used the scheme of its province. Ask for
    a province by its own name. Where you know which scheme applies, load it by its id.

    Examples
    --------
    >>> find_scheme("南京")
    <Scheme chs-drg-2.0-nanjing-2024 revision 2: 26 MDC, 409 ADRG, 801 DRG>
    >>> find_scheme("Yunnan", on="2022-12-31").id, find_scheme(530000, on="2024").id
    ('chs-drg-1.1-yunnan-2022', 'chs-drg-1.1-yunnan-2023')
    """
    day = _day(on)
    infos = schemes_of(place)
    if not infos:
        ids = ", ".join(info.id for info in catalogues_of(place))
        what = f"no DRG scheme of {place!r} is known, but a DIP catalogue: {ids}"
        raise SchemeChoiceError(what, [], "Load that with load_catalogue")
    return load_scheme(_newest(infos, day, "scheme", place))


def find_catalogue(place: str | int, on: datetime.date | str | None = None) -> Catalogue:
    """Find the DIP catalogue of a place on a date, and load it.

    Parameters
    ----------
    place, on
        As for `find_scheme`.

    Returns
    -------
    The `Catalogue`.

    Raises
    ------
    UnknownNameError
        There is no such place here; the message has the nearest names.
    SchemeChoiceError
        The place has a DRG scheme only, no catalogue of it is that old, several are equally new, or one of several has
        no date: the message lists them.

    Notes
    -----
    Dates and places are read as for `find_scheme`. Most catalogues of places have no date in their source: one that is
    the only one of its place is found without ``on``.

    Examples
    --------
    >>> find_catalogue("云浮市")
    <Catalogue dip-yunfu-2023 revision 1: 3752 core, 1620 mixed>
    >>> find_catalogue("全国", on="2026").id
    'nhsa-dip-2.0'
    """
    day = _day(on)
    infos = catalogues_of(place)
    if not infos:
        ids = ", ".join(info.id for info in schemes_of(place))
        what = f"no DIP catalogue of {place!r} is known, but a DRG scheme: {ids}"
        raise SchemeChoiceError(what, [], "Load that with load_scheme")
    return load_catalogue(_newest(infos, day, "catalogue", place))


def _newest(infos: list[SchemeInfo], day: str, word: str, place: str | int) -> str:
    """Return the id of the newest of a place's schemes or catalogues that covers a day.

    The only one of a place needs no date where none is asked for.
    """
    if len(infos) == 1 and day == _LAST and not infos[0].effective_to:
        return infos[0].id
    there = [info for info in infos if _covers(info, day)]
    newest = max((_start(info) for info in there), default="")
    found = [info for info in there if _start(info) == newest]
    undated = any(not _start(info) for info in infos)
    if undated or len(found) > 1:
        why = "cannot be told apart by date" if undated else "have the same date"
        raise SchemeChoiceError(f"{word}s of {place!r} {why}", infos, "Load the one that you mean by its id")
    if not found:
        raise SchemeChoiceError(f"no {word} of {place!r} is known for {day}", infos, "Load the nearest by its id")
    return found[0].id


def schemes_of(place: str | int) -> list[SchemeInfo]:
    """Return the schemes of a place (as for `find_scheme`), in order of id."""
    names = _names_of(place)
    return [info for info in list_schemes() if info.place in names]


def catalogues_of(place: str | int) -> list[SchemeInfo]:
    """Return the DIP catalogues of a place (as for `find_scheme`), in order of id."""
    names = _names_of(place)
    return [info for info in list_catalogues() if info.place in names]


def ids_of_place(place: str) -> list[str]:
    """Return the ids of the schemes and catalogues of a place; none where the text is no place."""
    if not _places_like(place):
        return []
    return [info.id for info in (*schemes_of(place), *catalogues_of(place))]


def _names_of(place: str | int) -> set[str]:
    """Return the names in schemes and catalogues of the places meant."""
    names = {row.place for row in _places_like(str(place))}
    if not names:
        known = [name for row in _places() for name in (row.name, row.short, row.english)]
        hint = "`drgdip schemes` lists the places that there are."
        province = [row for row in _places() if row.code == f"{str(place)[:2]}0000"]
        if province and str(place).isdigit():
            hint = f"A scheme of {province[0].name} is under {province[0].code}."
        raise UnknownNameError("place", str(place), known, hint=hint)
    return names


@once
def _places() -> tuple[Place, ...]:
    return tuple(Place(**row) for row in rows_of("places.csv"))


def _places_like(text: str) -> list[Place]:
    text = fold_width(text).casefold()
    codes = {text.ljust(6, "0"), f"{text[:4]}00"} if re.fullmatch(r"\d\d(\d\d){0,2}", text, re.ASCII) else ()
    return [row for row in _places() if row.code in codes or text in {part.casefold() for part in row[1:]}]


def _day(on: datetime.date | str | None) -> str:
    """Return a day as text; of a month or a year the last one."""
    if on is None:
        return _LAST
    text = on.isoformat()[:10] if isinstance(on, datetime.date) else fold_width(on)
    try:
        datetime.date.fromisoformat(text + "0001-01-01"[len(text) :] if _DATE.fullmatch(text) else "")
    except ValueError:
        what = f"{on!r} is no date"
        raise SchemeChoiceError(what, [], "Give a date, or text such as 2024, 2024-07 or 2024-07-31") from None
    return text + _LAST[len(text) :]


def _start(info: SchemeInfo) -> str:
    return info.effective_from or info.published


def _covers(info: SchemeInfo, day: str) -> bool:
    return _start(info) <= day and (not info.effective_to or day <= _day(info.effective_to))
