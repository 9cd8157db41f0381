"""Manual decisions about core groups, as a table that outlives a building: keep, forbid, merge, force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._arrow import to_arrow
from drgdip.errors import CaseError
from drgdip.grouper.drg.drafting import base_rules
from drgdip.grouper.drg.splitting import Wishes
from drgdip.grouper.grammar import ALWAYS, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from drgdip.grouper.drg.features import Feature
    from drgdip.grouper.drg.model import Adrg

__all__ = ["Wish", "read_wishes", "rules_of_divisions", "why_kept"]

#: The base's groups stay; a division is not taken; the core group is one group; a division is taken.
_ACTIONS = ("keep", "forbid", "merge", "force")


class Wish(NamedTuple):
    """The manual decisions about a core group, in the words of the caller."""

    action: str
    about: tuple[str, ...]
    note: str

    @property
    def wishes(self) -> Wishes:
        """The decisions as the search is told them."""
        return Wishes(
            whole=self.action == "merge",
            forbidden=frozenset(self.about if self.action == "forbid" else ()),
            forced=self.about[0] if self.action == "force" else "",
        )


def rules_of_divisions(features: Sequence[Feature]) -> list[tuple[Feature, list[list[str]]]]:
    """Return the rules of each division of the features, as `why_kept` compares them."""
    return [
        (feature, [[str(parse(feature.rule(part))) for part in division] for division in feature.divisions])
        for feature in features
    ]


def why_kept(adrg: Adrg, wish: Wish | None, known: Sequence[tuple[Feature, list[list[str]]]]) -> str:
    """Return why no criterion decides about a core group, so that it keeps the groups of the base; "" if one does."""
    if wish and wish.action == "keep":
        return "kept_by_decision"
    if adrg.kind in {"ambiguous", "ungroupable"} or not adrg.drgs or adrg.drgs[-1].rule != ALWAYS:
        return "not_divisible"
    rules = base_rules(adrg)
    known_here = any(rules in divisions for feature, divisions in known if feature.is_for(adrg.code))
    return "" if wish or len(rules) == 1 or known_here else "other_rules"


def read_wishes(decisions: Any, adrgs: Collection[str], features: Sequence[Feature]) -> dict[str, Wish]:
    """Return the manual decisions by core group."""
    if decisions is None:
        return {}
    table = to_arrow(decisions)
    absent = [name for name in ("adrg", "action", "about") if name not in table.column_names]
    if absent:
        raise CaseError(f"the table of decisions has no column {' and '.join(absent)}; it needs adrg, action and about")
    texts = {text for feature in features for text in map(feature.text, feature.divisions)}
    names = {feature.name for feature in features}
    found: dict[str, Wish] = {}
    for number, row in enumerate(table.to_pylist(), start=1):
        action = row["action"]
        if not action:
            continue
        adrg, about = row["adrg"], tuple(filter(None, (row["about"] or "").split("; ")))
        where = f"row {number} of the decisions"
        if action not in _ACTIONS:
            raise CaseError(f"{where}: the action {action!r} is none of {', '.join(_ACTIONS)}")
        if adrg not in adrgs:
            raise CaseError(f"{where}: {adrg!r} is no core group of the base")
        known = texts | ({*names, "*"} if action == "forbid" else set())
        if action in {"force", "forbid"} and not (about and known.issuperset(about)):
            raise CaseError(f"{where}: {row['about']!r} is no division; candidates have them as {min(texts)!r}")
        if action == "force" and len(about) > 1:
            raise CaseError(f"{where}: {adrg} is to be divided in two ways; force one")
        before = found.get(adrg, Wish("", (), ""))
        if before.action and {action, before.action} != {"forbid"}:
            raise CaseError(f"{where}: {adrg} has the decision {before.action} already; leave one, or forbid several")
        found[adrg] = Wish(action, (*before.about, *about), row.get("note") or "")
    return found
