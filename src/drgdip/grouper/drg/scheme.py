"""A DRG scheme: its tables with all that can be done under it, and loading one by id or from a folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from drgdip._listing import Listing
from drgdip._notebook import info_html
from drgdip._once import once
from drgdip.data import LISTED, SchemeInfo, index_of
from drgdip.grouper.drg.load import load_folder, load_packaged
from drgdip.grouper.drg.model import COUNTS, STATUS_OF_KIND, SchemeTables, named_codes, owners_of, rules_of
from drgdip.grouper.drg.reference import group_record
from drgdip.grouper.grammar import Compare, walk
from drgdip.grouper.loading import folder_of, is_path
from drgdip.grouper.result import GroupResult

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from drgdip.grouper.changes import Change
    from drgdip.grouper.columns import Texts
    from drgdip.grouper.encoded import Encoded
    from drgdip.grouper.family import Answer, Entrance, Place, Template
    from drgdip.grouper.result import DipResult
    from drgdip.grouper.trace import Neighbour, Trace

__all__ = ["Scheme", "list_schemes", "load_scheme"]


class Scheme(SchemeTables):
    """A grouping scheme (分组方案), immutable: what it holds is described by `SchemeTables`.

    The members of `drgdip.grouper.family.SchemeLike` group cases; callers use `drgdip.group` and its like.
    """

    __slots__ = ()

    family: ClassVar[str] = "DRG"
    word: ClassVar[str] = "scheme"
    result: ClassVar[type[GroupResult | DipResult]] = GroupResult
    levels: ClassVar[tuple[str, ...]] = ("mdc", "adrg")
    other_status: ClassVar[str] = "ambiguous"
    more_procedures: ClassVar[tuple[float, float]] = (0.9, 0.35)

    @classmethod
    def of(cls, tables: SchemeTables) -> Self:
        """Return the scheme that has these tables."""
        return cls(**{field.name: getattr(tables, field.name) for field in dataclasses.fields(SchemeTables)})

    @classmethod
    def from_workbook(
        cls,
        path: str | os.PathLike[str],
        *,
        scheme_id: str = "",
        title: str = "",
        issuer: str = "",
        place: str = "",
        published: str = "",
        like: str | Scheme = "chs-drg-3.0",
    ) -> Self:
        """Read a scheme from a workbook in the layout of scheme 3.0 (国家医保局《分组方案配置信息》).

        Needs the extra ``excel``.

        Parameters
        ----------
        path
            The ``.xlsx`` file, with the sheets MDC, ADRG, DRG, 集合, CC and 排除表 (``docs/schemes.md``).
        scheme_id, title, issuer, place, published
            Keys of the head that a workbook does not state; id and title are the name of the file if they are empty.
        like
            The scheme whose options of evaluation and code sets are to hold, which a workbook does not state.

        Returns
        -------
        The scheme, checked as one from a folder. Rows behind an unconditional one are not refused: they are listed in
        ``annexes["unreachable.csv"]``. ``folder`` is the workbook, ``info.sha256`` its digest.

        Raises
        ------
        SchemeError
            The file is no workbook, lacks a sheet, or a sheet breaks the format: the message has the sheet and the row.

        Examples
        --------
        >>> Scheme.from_workbook("my-scheme.xlsx").to_folder("my-scheme")  # doctest: +SKIP
        """
        from drgdip.grouper.drg.workbook import read_workbook

        head = {"id": scheme_id, "title": title, "issuer": issuer, "place": place, "published": published}
        return cls.of(read_workbook(Path(path), head, load_scheme(like)))

    def to_folder(self, path: str | os.PathLike[str]) -> None:
        """Write the scheme as a folder in the format of ``docs/scheme-format.md``, that of a local scheme in full.

        Parameters
        ----------
        path
            A new or empty folder.

        Raises
        ------
        SchemeError
            The folder has files already.

        Examples
        --------
        >>> load_scheme("chs-drg-2.0").to_folder("my-place")  # doctest: +SKIP
        """
        from drgdip.grouper.drg.writing import write_folder

        write_folder(self, Path(path))

    @property
    def codes_sha256(self) -> str:
        """The digest of the code tables that encoded cases refer to."""
        from drgdip.grouper.drg.compile import compile_scheme

        return compile_scheme(self).codes_sha256

    @property
    def labels(self) -> Mapping[str, str]:
        """The name of each group."""
        return self.names

    @property
    def stages(self) -> tuple[str, ...]:
        """Nothing: a scheme's groups have no stages."""
        return ()

    @property
    def files(self) -> tuple[str, ...]:
        """Nothing: the digest of a scheme covers all that its results depend on."""
        return ()

    @property
    def principal_barred(self) -> frozenset[str]:
        """Nothing: the codes of a scheme that do not group are in ``not_grouped``."""
        return frozenset()

    @property
    def owners(self) -> Mapping[str, str]:
        """The row that alone asks for a set of codes, by the name of the set."""
        return owners_of(self)

    @property
    def named_codes(self) -> frozenset[str]:
        """Every code that the tables name."""
        return named_codes(self)

    @property
    def comparisons(self) -> frozenset[Compare]:
        """Every comparison that the rules make."""
        return frozenset(node for rule in rules_of(self.mdcs) for node in walk(rule) if isinstance(node, Compare))

    def places(self) -> Mapping[str, Place]:
        """Return MDC, ADRG and status by group; the group of a case that nothing took stands under neither."""
        places: dict[str, Place] = {self.evaluation.ungroupable: ((), "ungrouped")}
        for adrg in self.adrgs:
            place = ((adrg.result_mdc, adrg.code), STATUS_OF_KIND.get(adrg.kind, ("grouped",))[0])
            groups = [drg.code for drg in adrg.drgs]
            places |= dict.fromkeys(groups if self.evaluation.adrg_fallthrough else [*groups, adrg.code], place)
        return places

    def texts(self) -> Mapping[str, Texts]:
        """Return by column of the result the texts that it may hold."""
        from drgdip.grouper.drg.texts import result_texts

        return result_texts(self)

    def encode(self, cases: pa.Table, *, every_code: bool = False) -> Encoded:  # noqa: ARG002 - all codes always
        """Return cases under canonical names with numbers for their codes."""
        from drgdip.grouper.drg.columnar import encode_cases

        return encode_cases(cases, self)

    def group_encoded(self, encoded: Encoded) -> dict[str, pa.Array]:
        """Return the result columns of encoded cases."""
        from drgdip.grouper.drg.columnar import group_encoded

        return group_encoded(encoded, self)

    def group_record(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> GroupResult:
        """Return the result of one case that has been read."""
        return group_record(record, unreadable, self)

    def trace(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> Trace:
        """Return the result of one case that has been read, with every step to it."""
        from drgdip.grouper.drg.trace import trace

        return trace(record, unreadable, self)

    def neighbours(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> tuple[Neighbour, ...]:
        """Return the groups beside the one that takes a case, each with what the case lacks for it."""
        from drgdip.grouper.drg.trace import neighbours

        return neighbours(record, unreadable, self)

    def changes_to(self, other: Scheme) -> Iterator[Change]:
        """Yield every change of the tables to another scheme."""
        from drgdip.grouper.drg.diff import scheme_changes

        return scheme_changes(self, other)

    def moves_to(self, other: Scheme) -> Callable[[Answer, Answer], bool | None]:  # noqa: ARG002 - ids say it all
        """Return a function that says of two answers whether a case moved: group codes mean the same everywhere."""
        return lambda was, now: was != now

    def entrances(self) -> Iterator[Entrance]:
        """Yield the ways into the MDCs."""
        from drgdip.grouper.drg.entrances import entrances

        return entrances(self)

    def templates(self) -> list[Template]:
        """Return cases that synthetic ones are made from."""
        from drgdip.grouper.drg.templates import templates

        return templates(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{COUNTS[name](self)} {name.upper()}" for name in ("mdc", "adrg", "drg"))
        return f"<Scheme {self.id} revision {self.info.revision}: {counts}>"

    def _repr_html_(self) -> str:
        return info_html(self, LISTED[2:])


@once
def _packaged(scheme_id: str) -> Scheme:
    return Scheme.of(load_packaged(scheme_id))


def list_schemes() -> Listing[SchemeInfo]:
    """List the schemes in the package, in order of id.

    Returns
    -------
    A `Listing` with a `SchemeInfo` a scheme, read from ``data/index.toml`` without loading the scheme.

    Examples
    --------
    >>> [info.id for info in list_schemes() if not info.extends]
    ['chs-drg-1.0-revised', 'chs-drg-1.1', 'chs-drg-2.0', 'chs-drg-3.0']
    """
    return Listing(list(index_of("scheme").values()), LISTED)


def load_scheme(scheme: str | os.PathLike[str] | Scheme) -> Scheme:
    """Load a scheme by its id, or from a folder.

    Parameters
    ----------
    scheme
        The id of a scheme in the package (`list_schemes`), loaded once per process; the path of a folder in the
        format of ``docs/scheme-format.md`` (a text with a path separator, or a path object); or a `Scheme`,
        which comes back as it is.

    Returns
    -------
    The scheme, after its counts, its digest (of schemes in the package) and every cross-reference are checked.

    Raises
    ------
    UnknownNameError
        There is no such scheme; the message has the nearest ids.
    SchemeError
        A file breaks the format: the message says which, where, and what to do.

    Examples
    --------
    >>> load_scheme("chs-drg-2.0")
    <Scheme chs-drg-2.0 revision 2: 26 MDC, 409 ADRG, 634 DRG>
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and not is_path(scheme):
        return _packaged(scheme)
    return Scheme.of(load_folder(folder_of(scheme, "Give a scheme's folder or id")))
