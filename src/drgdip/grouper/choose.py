"""The scheme or catalogue that a place uses: by its name, its administrative code or its English name, and a date."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from drgdip._once import once
from drgdip._text import fold_width
from drgdip.data import index_of, rows_of
from drgdip.errors import SchemeChoiceError, UnknownNameError
from drgdip.grouper.dip.catalogue import load_catalogue
from drgdip.grouper.drg.scheme import load_scheme

if TYPE_CHECKING:
    from drgdip.data import SchemeInfo
    from drgdip.grouper.dip.catalogue import Catalogue
    from drgdip.grouper.drg.scheme import Scheme

__all__ = ["Place", "catalogues_of", "find_catalogue", "find_scheme", "hint_of_place", "schemes_of"]

#: What may be taken where a place has nothing of its own for a day.
Fallback = Literal["national", "latest"]
_NATION = "全国"
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


def find_scheme(place: str | int, on: datetime.date | str | None = None, *, fallback: Fallback | None = None) -> Scheme:
    """Find the DRG scheme of a place on a date, and load it.

    Parameters
    ----------
    place
        A name with or without its last word (``南京市``, ``南京``), an English one (``Nanjing``, in any case) or an
        administrative code (GB/T 2260: ``320100``; a county's code stands for its city). ``全国`` is the nation.
        ``data/places.csv`` has all.
    on
        The newest scheme that is in force on this day is taken: a date, or text (``2024``, ``2024-07``,
        ``2024-07-31``). None takes the newest of all. A scheme without a first day of effect counts from its
        publication; one of which only the year is known counts from the first day of the year. A local scheme without
        a last day of effect ends with the national scheme that it extends.
    fallback
        ``national`` takes the national scheme in force where the place has none of its own for the day; ``latest``
        takes the latest scheme of the place, or else of its province. None raises an error that names both.

    Returns
    -------
    The `Scheme`.

    Raises
    ------
    UnknownNameError
        There is no such place here; the message has the nearest names. Or no such fallback.
    SchemeChoiceError
        The place has no scheme for the day, several are equally new, or one of several has no date: the message lists
        them, and names the latest scheme of the place and the national one in force.

    Notes
    -----
    The dates are those of the sources. Most sources state a year, and not the day from which a scheme was in force. It
    is not known here whether a city used the scheme of its province. Where you know which scheme applies, load it by
    its id.

    Examples
    --------
    >>> find_scheme("南京")
    <Scheme chs-drg-2.0-nanjing-2024 revision 2: 26 MDC, 409 ADRG, 801 DRG>
    >>> find_scheme("Yunnan", on="2022-12-31").id, find_scheme(530000, on="2024").id
    ('chs-drg-1.1-yunnan-2022', 'chs-drg-1.1-yunnan-2023')
    >>> find_scheme("全国", on="2026-12-31").id, find_scheme("全国", on="2027-01-01").id
    ('chs-drg-2.0', 'chs-drg-3.0')
    >>> find_scheme("南京", on="2027-01-01", fallback="national").id
    'chs-drg-3.0'
    """
    return load_scheme(_found(_SCHEMES, place, on, fallback))


def find_catalogue(
    place: str | int, on: datetime.date | str | None = None, *, fallback: Fallback | None = None
) -> Catalogue:
    """Find the DIP catalogue of a place on a date, and load it.

    Parameters
    ----------
    place, on, fallback
        As for `find_scheme`.

    Returns
    -------
    The `Catalogue`.

    Raises
    ------
    UnknownNameError, SchemeChoiceError
        As for `find_scheme`.

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
    return load_catalogue(_found(_CATALOGUES, place, on, fallback))


class _Kind(NamedTuple):
    """The kind to look for: its word, its entries in the index, and the word and loader of the other kind."""

    word: str
    entries: str
    other: str
    loader: str


_SCHEMES = _Kind("DRG scheme", "scheme", "DIP catalogue", "load_catalogue")
_CATALOGUES = _Kind("DIP catalogue", "catalogue", "DRG scheme", "load_scheme")


def _found(kind: _Kind, place: str | int, on: datetime.date | str | None, fallback: Fallback | None) -> str:
    """Return the id of the newest of a place's schemes or catalogues that is in force on a day."""
    if fallback not in {None, "national", "latest"}:
        raise UnknownNameError("fallback", str(fallback), ["national", "latest"])
    day = _day(on)
    own = _of_names(kind.entries, _names_of(place))
    # The only one of a place needs no date where none is asked for.
    if len(own) == 1 and day == _LAST and not _end(own[0], kind.entries):
        return own[0].id
    there = [info for info in own if _covers(info, day, kind.entries)]
    newest = max(map(_start, there), default="")
    found = [info for info in there if _start(info) == newest]
    undated = any(not _start(info) for info in own)
    if len(found) > 1 or (own and undated):
        why = "cannot be told apart by date" if undated else "have the same date"
        raise SchemeChoiceError(f"{kind.word}s of {place!r} {why}", own, "Load the one that you mean by its id")
    if found:
        return found[0].id
    # Without a day, the newest of a place is meant, even if its national base is no longer in force.
    if own and on is None:
        return max(own, key=_start).id
    return _instead(kind, place, day, own, fallback)


def _instead(kind: _Kind, place: str | int, day: str, own: list[SchemeInfo], fallback: Fallback | None) -> str:
    """Return what stands in for a place without a scheme of its own for a day, or raise an error that names it."""
    near = own or _of_names(kind.entries, _province_of(place))
    latest = max(near, key=_start, default=None)
    nation = [info for info in _of_names(kind.entries, {_NATION}) if _covers(info, day, kind.entries)]
    national = max(nation, key=_start, default=None)
    taken = {"latest": latest, "national": national}.get(fallback or "")
    if taken is not None:
        return taken.id
    others = _of_names("catalogue" if kind.entries == "scheme" else "scheme", _names_of(place))
    said = [f"no {kind.word} of {place!r} is known" + ("" if day == _LAST else f" for {day}")]
    if latest is not None:
        whose = "its own" if own else "its province's"
        said.append(f"{whose} latest is {latest.id} (fallback='latest' takes it)")
    if national is not None:
        said.append(f"the national one in force is {national.id} (fallback='national' takes it)")
    if others:
        said.append(f"the place has a {kind.other}, {others[0].id} ({kind.loader} loads it)")
    shown = near if own else [info for info in (latest, national) if info is not None]
    raise SchemeChoiceError("; ".join(said), shown, "Choose one of these, or load one by its id")


def schemes_of(place: str | int) -> list[SchemeInfo]:
    """Return the schemes of a place (as for `find_scheme`), in order of id."""
    return _of_names("scheme", _names_of(place))


def catalogues_of(place: str | int) -> list[SchemeInfo]:
    """Return the DIP catalogues of a place (as for `find_scheme`), in order of id."""
    return _of_names("catalogue", _names_of(place))


def _of_names(kind: str, names: set[str]) -> list[SchemeInfo]:
    """Return the schemes or catalogues of the places with these names, in order of id."""
    return [info for info in index_of(kind).values() if info.place and info.place in names]


def hint_of_place(text: str) -> str | None:
    """Return which ids are meant by a text that is the name of a place, None where it is not."""
    if not _places_like(text):
        return None
    own = [info.id for info in (*schemes_of(text), *catalogues_of(text))]
    if own:
        return f"{text} is a place: give one of its ids, {', '.join(own)}."
    province = _province_of(text)
    near = [info.id for kind in ("scheme", "catalogue") for info in _of_names(kind, province)]
    hint = f"{text} is a place without a scheme or catalogue of its own here: "
    hint += f"its province has {', '.join(near)}; " if near else ""
    return f"{hint}find_scheme({text!r}) says which national one is in force."


def _province_of(place: str | int) -> set[str]:
    """Return the name of a place's province in schemes and catalogues; none where it has neither."""
    return {row.place for row in _places() if row.code == f"{_code_of(place)[:2]}0000" and row.place}


def _names_of(place: str | int) -> set[str]:
    """Return the names in schemes and catalogues of the places meant; none of a place without either."""
    rows = _places_like(str(place))
    if not rows:
        known = [name for row in _places() for name in (row.name, row.short, row.english) if name]
        hint = "`drgdip schemes` lists the places that there are."
        raise UnknownNameError("place", str(place), known, hint=hint)
    return {row.place for row in rows if row.place}


def _code_of(place: str | int) -> str:
    """Return the administrative code of a place."""
    return _places_like(str(place))[0].code


@once
def _places() -> tuple[Place, ...]:
    return tuple(Place(**row) for row in rows_of("places.csv"))


def _places_like(text: str) -> list[Place]:
    text = fold_width(text).casefold()
    codes = {text.ljust(6, "0"), f"{text[:4]}00"} if re.fullmatch(r"\d\d(\d\d){0,2}", text, re.ASCII) else ()
    return [row for row in _places() if row.code in codes or text in {part.casefold() for part in row[1:] if part}]


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
    return info.valid_from or info.published


def _end(info: SchemeInfo, kind: str) -> str:
    """Return the last day of effect: its own, or that of the national scheme that it extends; "" for none."""
    base = index_of(kind).get(info.extends)
    return info.valid_to or (base.valid_to if base is not None else "")


def _covers(info: SchemeInfo, day: str, kind: str) -> bool:
    end = _end(info, kind)
    return _start(info) <= day and (not end or day <= _day(end))
