"""``drgdip schemes``: list the schemes and catalogues, or show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip._listing import pad
from drgdip.cli.choosing import offer_others, unknown_place
from drgdip.cli.options import Commands, add_verb
from drgdip.errors import SchemeChoiceError, UnknownNameError

if TYPE_CHECKING:
    import argparse

    from drgdip.cli.words import Words
    from drgdip.data import SchemeInfo

__all__ = ["add"]


def add(commands: Commands, say: Words) -> None:
    """Add the verb to the parser."""
    parser = add_verb(commands, "schemes", say)
    parser.add_argument("--place", metavar="PLACE", help=say("schemes.place"))
    parser.set_defaults(run=_list)
    show = parser.add_verbs(metavar="show").add_parser("show", help=say("schemes.show"))
    show.add_argument("scheme", metavar="ID", help=say("option.scheme"))
    show.set_defaults(run=_show)


def _list(options: argparse.Namespace) -> None:
    from drgdip.grouper.dip.model import STAGES

    say: Words = options.say
    schemes, catalogues = _listed(options.place, say)
    for info in schemes:
        counts = " ".join(f"{info.counts[name]:>4} {name.upper()}" for name in ("mdc", "adrg", "drg"))
        print(say("schemes.row", scheme=f"{info.id:<34}", revision=info.revision, counts=counts, title=info.title))
    for info in catalogues:
        kinds = " ".join(f"{info.counts[kind]:>5} {say(f'stage.{kind}')}" for kind in STAGES if kind in info.counts)
        counts = pad(kinds, 24)
        print(say("schemes.row", scheme=f"{info.id:<34}", revision=info.revision, counts=counts, title=info.title))


def _listed(place: str | None, say: Words) -> tuple[list[SchemeInfo], list[SchemeInfo]]:
    """Return the schemes and the catalogues of a place, or all. Raise the error that names others where it has none."""
    from drgdip.grouper.choose import catalogues_of, find_scheme, schemes_of
    from drgdip.grouper.dip.catalogue import list_catalogues
    from drgdip.grouper.drg.scheme import list_schemes

    if place is None:
        return list(list_schemes()), list(list_catalogues())
    try:
        schemes, catalogues = schemes_of(place), catalogues_of(place)
        if not schemes and not catalogues:
            find_scheme(place)  # whose error names the scheme of the province and the national one
    except SchemeChoiceError as error:
        if say.language == "en":
            raise
        raise offer_others(place, None, error.candidates, say) from None
    except UnknownNameError as error:
        if say.language == "en":
            raise
        raise unknown_place(error, say) from None
    return schemes, catalogues


def _show(options: argparse.Namespace) -> None:
    from drgdip.grouper.load import load_any

    say: Words = options.say
    scheme = load_any(options.scheme)
    info = scheme.info
    print(say("schemes.head", scheme=info.id, title=info.title))
    in_force = say("schemes.until").join(filter(None, (info.valid_from, info.valid_to)))
    facts = {
        "issuer": info.issuer,
        "place": info.place,
        "extends": info.extends or say("schemes.alone"),
        "published": info.published or say("schemes.not_stated"),
        "in_force": in_force or say("schemes.not_stated"),
        "revision": info.revision,
        "codes": f"{info.diagnosis_codes}, {info.procedure_codes}",
        "sha256": info.sha256,
    }
    for name, value in facts.items():
        print(f"  {pad(say(f'schemes.fact_{name}'), 10)} {value}")
    for name, table in (("counts", info.counts), ("provenance", info.provenance), ("notes", scheme.notes)):
        print(say(f"schemes.table_{name}"))
        for key, value in table.items():
            print(f"  {key}: {value}")
