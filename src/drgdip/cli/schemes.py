"""``drgdip schemes``: list the schemes and catalogues, or show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drgdip.cli.options import SCHEME, Commands

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the verb to the parser."""
    parser = commands.add_parser(
        "schemes", help="list the schemes and catalogues, or show one", description="List schemes and catalogues."
    )
    parser.add_argument("--place", metavar="PLACE", help="those of a place: its name, English name or code")
    parser.set_defaults(run=_list)
    show = parser.add_subparsers(metavar="show").add_parser("show", help="show one with its notes")
    show.add_argument("scheme", metavar="ID", help=SCHEME)
    show.set_defaults(run=_show)


def _list(options: argparse.Namespace) -> None:
    from drgdip.grouper.choose import catalogues_of, find_scheme, schemes_of
    from drgdip.grouper.dip.catalogue import list_catalogues
    from drgdip.grouper.dip.model import STAGES
    from drgdip.grouper.drg.scheme import list_schemes

    schemes = list(list_schemes() if options.place is None else schemes_of(options.place))
    catalogues = list(list_catalogues() if options.place is None else catalogues_of(options.place))
    if not schemes and not catalogues:
        find_scheme(options.place)  # whose error names the scheme of the province and the national one
    for info in schemes:
        counts = " ".join(f"{info.counts[name]:>4} {name.upper()}" for name in ("mdc", "adrg", "drg"))
        print(f"{info.id:<34} revision {info.revision}  {counts}  {info.title}")
    for info in catalogues:
        kinds = " ".join(f"{info.counts[kind]:>5} {kind}" for kind in STAGES if kind in info.counts)
        print(f"{info.id:<34} revision {info.revision}  {kinds:<24}  {info.title}")


def _show(options: argparse.Namespace) -> None:
    from drgdip.grouper.load import load_any

    scheme = load_any(options.scheme)
    info = scheme.info
    print(f"{info.id}: {info.title}")
    in_force = " to ".join(filter(None, (info.valid_from, info.valid_to)))
    for label, value in (
        ("issuer", info.issuer),
        ("place", info.place),
        ("extends", info.extends or "no other scheme"),
        ("published", info.published or "not stated in the sources"),
        ("in force", in_force or "not stated in the sources"),
        ("revision", info.revision),
        ("codes", f"{info.diagnosis_codes}, {info.procedure_codes}"),
        ("sha256", info.sha256),
    ):
        print(f"  {label:<10} {value}")
    for title, table in (("counts", info.counts), ("where from", info.provenance), ("notes", scheme.notes)):
        print(f"{title}:")
        for name, value in table.items():
            print(f"  {name}: {value}")
