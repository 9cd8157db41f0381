"""A DIP catalogue: its tables with all that can be done under it, and loading one by id or from a folder."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from drgdip._listing import Listing
from drgdip._notebook import info_html
from drgdip._once import once
from drgdip.data import LISTED, SchemeInfo, index_of
from drgdip.errors import SchemeError, UnknownNameError
from drgdip.grouper.dip.load import asks_for_too_much, by_stages, load_folder, load_packaged, means_of
from drgdip.grouper.dip.model import CatalogueTables, Matching, named_codes
from drgdip.grouper.dip.options import matching_of
from drgdip.grouper.dip.procedure_types import types_of
from drgdip.grouper.dip.reference import group_record
from drgdip.grouper.grammar import Compare, walk
from drgdip.grouper.loading import folder_of, is_path
from drgdip.grouper.result import DipResult
from drgdip.grouper.tables import CATALOGUE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from drgdip.grouper.changes import Change
    from drgdip.grouper.columns import Texts
    from drgdip.grouper.encoded import Encoded
    from drgdip.grouper.family import Answer, Entrance, Place, Template
    from drgdip.grouper.result import GroupResult
    from drgdip.grouper.trace import Neighbour, Trace

__all__ = ["Catalogue", "list_catalogues", "load_catalogue"]


class Catalogue(CatalogueTables):
    """A DIP catalogue (病种目录库), immutable: what it holds is described by `CatalogueTables`.

    The members of `drgdip.grouper.family.SchemeLike` group cases; callers use `drgdip.group` and its like.
    """

    __slots__ = ()

    family: ClassVar[str] = "DIP"
    word: ClassVar[str] = "catalogue"
    result: ClassVar[type[GroupResult | DipResult]] = DipResult
    levels: ClassVar[tuple[str, ...]] = ("kind",)
    other_status: ClassVar[str] = "excluded"
    more_procedures: ClassVar[tuple[float, float]] = (0.3, 0.02)

    @classmethod
    def of(cls, tables: CatalogueTables) -> Self:
        """Return the catalogue that has these tables."""
        return cls(**{field.name: getattr(tables, field.name) for field in dataclasses.fields(CatalogueTables)})

    @classmethod
    def from_workbook(
        cls,
        path: str | os.PathLike[str],
        *,
        catalogue_id: str = "",
        title: str = "",
        issuer: str = "",
        place: str = "",
        published: str = "",
        like: str | Catalogue = "nhsa-dip-3.0",
    ) -> Self:
        """Read a catalogue from a workbook in the layout of DIP 3.0 (国家医保局《按病种分值（DIP）付费3.0版分组方案》).

        Needs the extra ``excel``.

        Parameters
        ----------
        path
            The ``.xlsx`` file, with the ten sheets of that workbook (``docs/dip.md``).
        catalogue_id, title, issuer, place, published
            Keys of the head that a workbook does not state; id and title are the name of the file if they are empty.
        like
            The catalogue whose options of matching, procedure types and code sets are to hold, which a workbook does
            not state.

        Returns
        -------
        The catalogue, checked as one from a folder. ``folder`` is the workbook, ``info.sha256`` its digest.

        Raises
        ------
        SchemeError
            The file is no workbook, lacks a sheet, or a sheet has a column, a note or a cell that is not understood:
            the message has the sheet and the row.

        Examples
        --------
        >>> Catalogue.from_workbook("my-catalogue.xlsx").to_folder("my-catalogue")  # doctest: +SKIP
        """
        from drgdip.grouper.dip.workbook import read_workbook

        head = {"id": catalogue_id, "title": title, "issuer": issuer, "place": place, "published": published}
        return cls.of(read_workbook(Path(path), head, load_catalogue(like)))

    def to_folder(self, path: str | os.PathLike[str]) -> None:
        """Write the catalogue as a folder in the format of ``docs/dip.md``.

        Parameters
        ----------
        path
            A new or empty folder.

        Raises
        ------
        SchemeError
            The folder has files already, or the files that the catalogue was read from have changed since.

        Examples
        --------
        >>> load_catalogue("nhsa-dip-2.0").to_folder("my-place")  # doctest: +SKIP
        """
        from drgdip.grouper.dip.writing import write_catalogue

        write_catalogue(self, Path(path))

    @property
    def codes_sha256(self) -> str:
        """The digest of the code tables that encoded cases refer to."""
        from drgdip.grouper.dip.compile import compile_catalogue

        return compile_catalogue(self).codes_sha256

    @property
    def labels(self) -> Mapping[str, str]:
        """The name of each group or, where it has none, what it asks for."""
        return {group.code: group.label for group in self.groups}

    @property
    def stages(self) -> tuple[str, ...]:
        """The kinds of group that the catalogue has, in the order of matching."""
        kinds = {group.kind for group in self.groups}
        return tuple(stage for stage in self.matching.stages if stage in kinds)

    @property
    def files(self) -> tuple[str, ...]:
        """The shared list of procedure types, and the strategies, where the catalogue uses them."""
        types, strategy = self.matching.procedure_types, self.matching.strategy
        listed = (f"procedure_types/{types}.csv",) if types else ()
        return (*listed, "dip/strategies.toml") if strategy else listed

    @property
    def principal_barred(self) -> frozenset[str]:
        """Diagnoses that the catalogue does not take as principal ones."""
        return self.excluded_dx

    @property
    def not_grouped(self) -> Mapping[str, frozenset[str]]:
        """Nothing: a catalogue excludes codes by its own lists."""
        return MappingProxyType({})

    @property
    def owners(self) -> Mapping[str, str]:
        """Nothing: the sets of a catalogue are few, and have names that say what they hold."""
        return MappingProxyType({})

    @property
    def named_codes(self) -> frozenset[str]:
        """Every code that the tables name; a prefix is no code."""
        return named_codes(self)

    @property
    def comparisons(self) -> frozenset[Compare]:
        """Every comparison that the conditions of groups make."""
        rules = (group.condition for group in (*self.groups, *self.primary_care))
        return frozenset(node for rule in rules for node in walk(rule) if isinstance(node, Compare))

    def places(self) -> Mapping[str, Place]:
        """Return the kind by group; cases without a group have no place."""
        return {group.code: ((group.kind,), "grouped") for group in self.groups}

    def texts(self) -> Mapping[str, Texts]:
        """Return by column of the result the texts that it may hold."""
        from drgdip.grouper.dip.texts import result_texts

        return result_texts(self)

    def encode(self, cases: pa.Table, *, every_code: bool = False) -> Encoded:
        """Return cases under canonical names with numbers for their codes."""
        from drgdip.grouper.dip.columnar import encode_cases

        return encode_cases(cases, self, every_code=every_code)

    def group_encoded(self, encoded: Encoded) -> dict[str, pa.Array]:
        """Return the result columns of encoded cases."""
        from drgdip.grouper.dip.columnar import group_encoded

        return group_encoded(encoded, self)

    def group_record(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> DipResult:
        """Return the result of one case that has been read."""
        return group_record(record, unreadable, self)

    def trace(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> Trace:
        """Return the result of one case that has been read, with every step to it."""
        from drgdip.grouper.dip.trace import trace

        return trace(record, unreadable, self)

    def neighbours(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> tuple[Neighbour, ...]:
        """Return the groups beside the one that takes a case, each with what the case lacks for it."""
        from drgdip.grouper.dip.trace import neighbours

        return neighbours(record, unreadable, self)

    def changes_to(self, other: Catalogue) -> Iterator[Change]:
        """Yield every change of the tables to another catalogue."""
        from drgdip.grouper.dip.diff import catalogue_changes

        return catalogue_changes(self, other)

    def moves_to(self, other: Catalogue) -> Callable[[Answer, Answer], bool | None]:
        """Return a function that says of two answers whether a case moved: its group asks for something else."""
        from drgdip.grouper.dip.diff import moves

        return moves(self, other)

    def entrances(self) -> Iterator[Entrance]:
        """Yield nothing: a catalogue has no MDCs."""
        return iter(())

    def templates(self) -> list[Template]:
        """Return cases that synthetic ones are made from."""
        from drgdip.grouper.dip.templates import templates

        return templates(self)

    def __repr__(self) -> str:
        kinds = Counter(group.kind for group in self.groups)
        counts = ", ".join(f"{kinds[stage]} {stage}" for stage in self.matching.stages if kinds[stage])
        return f"<Catalogue {self.id} revision {self.info.revision}: {counts}>"

    def _repr_html_(self) -> str:
        return info_html(self, LISTED[2:])


@once
def _packaged(catalogue_id: str) -> Catalogue:
    return Catalogue.of(load_packaged(catalogue_id))


def list_catalogues() -> Listing[SchemeInfo]:
    """List the DIP catalogues in the package, in order of id.

    Returns
    -------
    A `Listing` with a `drgdip.SchemeInfo` a catalogue, read from ``data/index.toml`` without loading it.

    Examples
    --------
    >>> [info.id for info in list_catalogues()][-3:]
    ['nhsa-dip-1.0', 'nhsa-dip-2.0', 'nhsa-dip-3.0']
    """
    return Listing(list(index_of("catalogue").values()), LISTED)


def load_catalogue(catalogue: str | os.PathLike[str] | Catalogue, **matching: Any) -> Catalogue:
    """Load a DIP catalogue by its id, or from a folder.

    Parameters
    ----------
    catalogue
        The id of a catalogue in the package (`list_catalogues`), loaded once per process; the path of a folder in the
        format of ``docs/dip.md`` (a text with a path separator, or a path object); or a `Catalogue`.
    matching
        Options of the catalogue's ``[matching]`` table to have otherwise (``docs/dip.md``), such as
        ``interventional="therapeutic"``. ``strategy`` names a set of them: ``national``, ``hubei``, ``jingzhou``,
        ``jining``, ``taian``, ``yichang``, ``xiangyang``, ``jingmen``, ``xiaogan``; those beside it go first.

    Returns
    -------
    The catalogue, after its counts, its digest (of catalogues in the package) and every cross-reference are checked.

    Raises
    ------
    UnknownNameError
        There is no such catalogue, or no such option; the message has the nearest.
    SchemeError
        A file or an option breaks the format: the message says which, where, and what to do.

    Examples
    --------
    >>> load_catalogue("nhsa-dip-2.0")
    <Catalogue nhsa-dip-2.0 revision 1: 9520 core>
    >>> load_catalogue("dip-hainan-2023", interventional="therapeutic").matching.interventional
    'therapeutic'
    >>> load_catalogue("nhsa-dip-2.0", strategy="jingzhou").matching.prefer
    ('no_unmatched', 'highest_score', 'order')
    """
    if isinstance(catalogue, Catalogue):
        loaded = catalogue
    elif isinstance(catalogue, str) and not is_path(catalogue):
        loaded = _packaged(catalogue)
    else:
        loaded = Catalogue.of(load_folder(folder_of(catalogue, "Give a catalogue's folder or id")))
    if not matching:
        return loaded
    known = [field.name for field in dataclasses.fields(Matching)]
    for name in matching:
        if name not in known:
            raise UnknownNameError("option of [matching]", name, known, hint=f"The options are {', '.join(known)}.")
    head, statistics = loaded.folder / CATALOGUE.head, loaded.annexes.get("statistics.csv")
    changed = matching_of(head, matching, statistics, dataclasses.asdict(loaded.matching))
    for group in loaded.groups:
        if asks_for_too_much(group, changed):
            what = f"procedures in [matching] is {changed.procedures!r}, and {group.code} asks for more than one"
            raise SchemeError("bad_value", what, file=head, fix="Give 'any'")
    types = loaded.types
    if changed.procedure_types != loaded.matching.procedure_types:
        types = types_of(loaded.annexes.get("procedure_types.csv"), changed, head)
    return dataclasses.replace(
        loaded,
        matching=changed,
        types=types,
        means=means_of(statistics, changed, loaded.groups),
        **by_stages(loaded.groups, changed),
    )
