"""The one protocol that doors ask of every family of groups.

`drgdip.grouper.drg` and `drgdip.grouper.dip` are two families. A third one is a folder with a class of these members,
and a line in `drgdip.grouper.load`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from drgdip.data import SchemeInfo
    from drgdip.grouper.changes import Change
    from drgdip.grouper.columns import Texts
    from drgdip.grouper.encoded import Encoded
    from drgdip.grouper.grammar import Compare
    from drgdip.grouper.result import DipResult, GroupResult
    from drgdip.grouper.trace import Trace

__all__ = ["Answer", "Entrance", "Frame", "Place", "SchemeLike", "Template"]

#: Containers of cases that doors give back as they are given. (Those of pyarrow are Any to a type checker.)
Frame = TypeVar("Frame", "pd.DataFrame", "pl.DataFrame", "pl.LazyFrame", "duckdb.DuckDBPyRelation")

#: A group and a status, as a comparison of cases sees them.
Answer = tuple["str | None", str]
#: What stands above a group, level by level (`SchemeLike.levels`), and the status of its cases.
Place = tuple[tuple[str, ...], str]
#: A way into a scheme: the principal diagnoses that may come (None: all), and the comparisons with what they must be.
Entrance = tuple["frozenset[str] | None", "list[tuple[Compare, bool]]"]
#: A synthetic case before chance is added (`drgdip.grouper.samples`).
Template = dict[str, Any]


class SchemeLike(Protocol):
    """A grouping scheme (分组方案) or catalogue (病种目录库): what it requires and reads, and how it groups."""

    #: The family's name.
    family: ClassVar[str]
    #: The word for one of the family in messages.
    word: ClassVar[str]
    #: The class of a result; its fields are the result's columns.
    result: ClassVar[type[GroupResult | DipResult]]
    #: The columns of the result above the group, from the top down.
    levels: ClassVar[tuple[str, ...]]
    #: The status beside ``grouped``, ``ungrouped`` and ``invalid`` that cases of the family may have.
    other_status: ClassVar[str]
    #: Mean number of further procedures of synthetic cases with a procedure, and without one.
    more_procedures: ClassVar[tuple[float, float]]

    @property
    def id(self) -> str:
        """The id."""

    @property
    def info(self) -> SchemeInfo:
        """Title, issuer, revision, digest and the like."""

    @property
    def notes(self) -> Mapping[str, str]:
        """Remarks of the source that matter when reading results."""

    @property
    def folder(self) -> Path:
        """Where it was read from."""

    @property
    def variables(self) -> frozenset[str]:
        """The variables that rules read."""

    @property
    def required(self) -> tuple[str, ...]:
        """The variables without which no case is grouped."""

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The columns of a case beside its codes that grouping reads."""

    @property
    def signed(self) -> frozenset[str]:
        """The columns that rules ask for numbers below 0: there alone such a number is read."""

    @property
    def reads_cost(self) -> bool:
        """Whether the total cost of a case matters to its group."""

    @property
    def newborn_weight(self) -> str:
        """The weight of a newborn that counts where ``newborn_weight`` is not given: birth, admission or ""."""

    @property
    def codes_sha256(self) -> str:
        """The digest of the code tables that encoded cases refer to."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The text that a reader is shown for each group: its name, or what it asks for."""

    @property
    def stages(self) -> tuple[str, ...]:
        """The kinds of group that cases may meet, in order; () where a scheme has no kinds."""

    @property
    def principal_barred(self) -> frozenset[str]:
        """Diagnoses that the scheme's own list does not take as principal ones."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the package beside its own folder that its results depend on."""

    @property
    def not_grouped(self) -> Mapping[str, frozenset[str]]:
        """Codes that take no part in grouping, by kind (diagnosis, procedure); empty without a list."""

    @property
    def named_codes(self) -> frozenset[str]:
        """Every code that the tables name: some are newer than the code set. A prefix is no code."""

    @property
    def comparisons(self) -> frozenset[Compare]:
        """Every comparison of a value with a number or a word that a rule makes."""

    def texts(self) -> Mapping[str, Texts]:
        """Return by column of the result the texts that it may hold."""

    def places(self) -> Mapping[str, Place]:
        """Return by group code its place, for every group that a result may name."""

    def encode(self, cases: pa.Table, *, every_code: bool = False) -> Encoded:
        """Return cases under canonical names with numbers for their codes.

        Codes that this one never reads may be passed over, unless every code is asked for.
        """

    def group_encoded(self, encoded: Encoded) -> dict[str, pa.Array]:
        """Return the result columns of encoded cases."""

    def group_record(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> GroupResult | DipResult:
        """Return the result of one case that has been read."""

    def trace(self, record: Mapping[str, Any], unreadable: frozenset[str]) -> Trace:
        """Return the result of one case that has been read, with every step to it."""

    def changes_to(self, other: Any) -> Iterator[Change]:
        """Yield every change of the tables to another one of the family."""

    def moves_to(self, other: Any) -> Callable[[Answer, Answer], bool | None]:
        """Return a function that says of two answers, one under each of the family, whether a case moved."""

    def entrances(self) -> Iterator[Entrance]:
        """Yield the ways into the MDCs, for checks of sex and age; none where there are no MDCs."""

    def templates(self) -> list[Template]:
        """Return cases that synthetic ones are made from."""
