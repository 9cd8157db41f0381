"""Which groups of two DRG schemes are the same, whatever their codes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drgdip.grouper.drg.model import Adrg, Drg, Mdc, SchemeTables

__all__ = ["GONE", "AdrgKey", "Pairs", "numbered", "pair_schemes"]

#: Stands behind the code of a group that the scheme after lacks, which makes it no code of that scheme.
GONE = "-"
#: MDC and code of an ADRG, and which of several rows with that code it is: some schemes have ``PQY`` twice.
AdrgKey = tuple[str, str, int]

_Row = TypeVar("_Row", "Adrg", "Drg")


@dataclass(frozen=True, slots=True)
class Pairs:
    """The groups of a scheme and those of another that are the same.

    Attributes
    ----------
    adrgs
        The ADRG after by the one before.
    labels
        By code of an ADRG or DRG before, the code of the same one after; where there is none, the code and `GONE`.
    """

    adrgs: Mapping[AdrgKey, AdrgKey]
    labels: Mapping[str, str]


def pair_schemes(before: SchemeTables, after: SchemeTables) -> Pairs:
    """Return the groups of two schemes that are the same.

    In each MDC these are the ADRGs with one code and name, then those with one name, then those with one code. DRGs of
    two such ADRGs are the same where the same characters stand behind the code of the ADRG.
    """
    news = {mdc.code: mdc for mdc in after.mdcs}
    rows = {(mdc.code, *key): adrg for mdc in after.mdcs for key, adrg in numbered(mdc.adrgs)}
    adrgs: dict[AdrgKey, AdrgKey] = {}
    labels: dict[str, str] = {}
    for mdc in before.mdcs:
        if mdc.code in news:
            adrgs |= _pairs_of(mdc, news[mdc.code])
        for key, adrg in numbered(mdc.adrgs):
            partner = rows[adrgs[mdc.code, *key]] if (mdc.code, *key) in adrgs else None
            ends = {} if partner is None else {drg.code.removeprefix(partner.code): drg.code for drg in partner.drgs}
            _label(labels, adrg.code, None if partner is None else partner.code)
            for drg in adrg.drgs:
                _label(labels, drg.code, ends.get(drg.code.removeprefix(adrg.code)))
    return Pairs(adrgs, labels)


def numbered(rows: Iterable[_Row]) -> list[tuple[tuple[str, int], _Row]]:
    """Return rows with their codes, and which of several with one code each is."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        found.append(((row.code, seen[row.code]), row))
        seen[row.code] += 1
    return found


def _pairs_of(before: Mdc, after: Mdc) -> dict[AdrgKey, AdrgKey]:
    """Return the pairs of ADRGs of an MDC."""
    olds, news = dict(numbered(before.adrgs)), dict(numbered(after.adrgs))
    pairs: dict[AdrgKey, AdrgKey] = {}
    tests: tuple[Callable[[Adrg, Adrg], bool], ...] = (
        lambda old, new: old.code == new.code and _name(old) == _name(new),
        lambda old, new: bool(old.name) and _name(old) == _name(new),
        lambda old, new: old.code == new.code,
    )
    for test in tests:
        for old, row in list(olds.items()):
            partner = next((new for new, other in news.items() if test(row, other)), None)
            if partner is not None:
                pairs[before.code, *old] = (after.code, *partner)
                del olds[old], news[partner]
    return pairs


def _name(row: Adrg) -> str:
    """Return a name without what editions write differently: width of characters, punctuation, blanks."""
    folded = unicodedata.normalize("NFKC", row.name)
    return "".join(character for character in folded if character.isalnum())


def _label(labels: dict[str, str], code: str, partner: str | None) -> None:
    """Note what a code is after; of several rows with one code the one that has a partner counts."""
    if partner is not None and labels.get(code, GONE).endswith(GONE):
        labels[code] = partner
    labels.setdefault(code, f"{code}{GONE}")
