"""The groups of a place's own scheme: codes, names and rules of divided core groups, and the folder that holds them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from drgdip import _toml
from drgdip.data import index_of
from drgdip.grouper.drg.features import SEVERITY
from drgdip.grouper.drg.load import scheme_of
from drgdip.grouper.drg.model import counts_of
from drgdip.grouper.drg.splitting import list_leaves
from drgdip.grouper.grammar import And, parse
from drgdip.grouper.tables import CHANGES, COLUMNS, OVERLAY, SCHEME, read_contents
from drgdip.grouper.writing import csv_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from drgdip.grouper.drg.features import Feature
    from drgdip.grouper.drg.model import Adrg, SchemeTables
    from drgdip.grouper.drg.splitting import Branch, Step

__all__ = ["Row", "base_rows", "base_rules", "draft", "rows_of_branch", "trial"]


_CC_BEHIND_MCC = ("QTZD in MCC", "QTZD in CC")


class Row(NamedTuple):
    """A row of ``drg.csv``."""

    code: str
    name: str
    adrg: str
    order: str
    rule: str


def base_rows(adrg: Adrg) -> list[Row]:
    """Return the groups of a core group as the base has them."""
    return [Row(drg.code, drg.name, drg.adrg, str(drg.order), str(drg.rule)) for drg in adrg.drgs]


def base_rules(adrg: Adrg) -> list[str]:
    """Return the rules of a core group's groups. CC behind MCC is the same as either, which features have."""
    rules = [str(drg.rule) for drg in adrg.drgs]
    return ["QTZD in {MCC, CC}" if pair == _CC_BEHIND_MCC else pair[1] for pair in itertools.pairwise(["", *rules])]


def rows_of_branch(adrg: Adrg, branch: Branch, features: Sequence[Feature]) -> list[Row]:
    """Return the groups of a divided core group. Where the rules are those of the base, so are codes and names."""
    leaves = list(list_leaves(branch))
    rules = [_rule(leaf, features) for leaf in leaves]
    if rules == base_rules(adrg):
        return base_rows(adrg)
    return [
        Row(_code(adrg, leaf, features), _name(adrg, leaf, features), adrg.code, str(order), rule)
        for order, (leaf, rule) in enumerate(zip(leaves, rules, strict=True), start=1)
    ]


def _rule(leaf: tuple[Step, ...], features: Sequence[Feature]) -> str:
    texts = [features[number].rule(part) for number, part in leaf]
    rules = [parse(text) for text in texts if text]
    return str(rules[0]) if len(rules) == 1 else str(And(tuple(rules)))


def _code(adrg: Adrg, leaf: tuple[Step, ...], features: Sequence[Feature]) -> str:
    """Return the code of a group: that of its core group, its severity, and the marks of its other parts.

    The severity is 1, 3, 5 as in the national scheme. A group not divided by it has its marks instead, else 9.
    """
    marks = {features[number].name: features[number].parts[part[-1]].mark for number, part in sorted(leaf)}
    severity = marks.pop(SEVERITY, "")
    return adrg.code + ((severity + "".join(marks.values())) or "9")


def _name(adrg: Adrg, leaf: tuple[Step, ...], features: Sequence[Feature]) -> str:
    """Return the name of a group: that of its core group, its parts, and last its severity."""
    steps = sorted(leaf, key=lambda step: (features[step[0]].name == SEVERITY, step))
    labels = [features[number].label(part) for number, part in steps]
    return "，".join([adrg.name, *filter(None, labels)])


def trial(base: SchemeTables, feature: Feature, divisible: Iterable[Adrg]) -> SchemeTables:
    """Return the base with the parts of a feature as the groups of core groups, which the engine then finds."""
    parted = {adrg.code for adrg in divisible}
    rows: list[Row] = []
    for adrg in {adrg.code: adrg for adrg in base.adrgs}.values():
        if adrg.code not in parted:
            rows += base_rows(adrg)
            continue
        rows += [
            Row(f"{adrg.code}.{place}", part.key, adrg.code, str(place + 1), part.rule)
            for place, part in enumerate(feature.parts)
        ]
    return draft(base, rows, [feature], {"id": f"{base.id}.{feature.name}"}, base.folder)[0]


def draft(
    base: SchemeTables, rows: Iterable[Row], features: Iterable[Feature], head: Mapping[str, Any], folder: Path
) -> tuple[SchemeTables, dict[str, bytes]]:
    """Return a scheme that extends a base, with these groups, and the files of its folder.

    The files are read as those of any folder are, so that nothing is built that does not load.
    """
    contents = {"drg.csv": csv_bytes(COLUMNS["drg.csv"], rows)}
    sets = sorted({(name, code) for feature in features for name, codes in feature.sets.items() for code in codes})
    if sets:
        contents["sets.csv"] = csv_bytes(CHANGES["sets.csv"], [("+", name, code) for name, code in sets])
    whole = {"id": "", "title": "", "issuer": "", "published": "", "extends": _name_of(base), "revision": 1}
    whole |= {**head, "counts": {}}
    path = folder / SCHEME.head

    def loaded(*, list_closed: bool) -> SchemeTables:
        contents[SCHEME.head] = _toml.dumps(whole).encode()
        tables, digest = read_contents(folder, contents, OVERLAY, base.info.sha256)
        return scheme_of(path, whole, tables, base=base, sha256=digest, folder=folder, list_closed=list_closed)

    first = loaded(list_closed=True)
    closed = first.annexes.get("unreachable.csv")
    if closed is not None:
        contents["unreachable.csv"] = csv_bytes(COLUMNS["unreachable.csv"], closed.rows)
    whole["counts"] = counts_of(first)
    return loaded(list_closed=False), contents


def _name_of(base: SchemeTables) -> str:
    """Return the name by which a folder extends a base: the id of one of the package, else the path of its folder."""
    known = index_of("scheme").get(base.id)
    if known is not None and known.sha256 == base.info.sha256:
        return base.id
    return base.folder.resolve().as_posix()
