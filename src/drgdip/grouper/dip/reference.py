"""The reference engine of DIP: one case against a catalogue's groups, every step visible.

It is what `group_one` and `explain` run for catalogues, and the twin that the columnar engine is compared with.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.grouper.dip.model import EXCLUDED, TREATMENTS
from drgdip.grouper.facts import Facts, holds, unreadable_reason, values_of
from drgdip.grouper.grammar import ALWAYS
from drgdip.grouper.result import DipResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drgdip.grouper.dip.model import CatalogueTables, Group, Term

__all__ = ["Asked", "Situation", "Trial", "closeness", "fits", "group_record", "match", "questions", "situation_of"]

#: The stages whose groups a mixed group of surgery may go before (`drgdip.grouper.dip.model.Matching`).
NAMING = ("core", "primary-care")
#: Behind every character of a code.
LAST = "\U0010ffff"


class Situation(NamedTuple):
    """A case as a catalogue sees it.

    Attributes
    ----------
    dx, other_dx
        The principal diagnosis, None for none, and the others.
    procs
        The procedures that count, the principal one first.
    principal, others
        The principal procedure, None for none, and the others.
    conservative
        Whether the case counts as conservative treatment.
    treatment, tier
        The treatment of the case, one of `drgdip.grouper.dip.model.TREATMENTS` or None, and the highest tier of the
        procedures that decided it, "" for none.
    excluded
        Why the exclusion lists refuse the case, None if they do not.
    values
        Values by variable.
    cost
        Total cost in fen, None where it is missing or not asked for.
    """

    dx: str | None
    other_dx: tuple[str, ...]
    procs: tuple[str, ...]
    principal: str | None
    others: tuple[str, ...]
    conservative: bool
    treatment: str | None
    tier: str
    excluded: str | None
    values: Mapping[str, Any]
    cost: int | None = None


class Asked(NamedTuple):
    """A condition of a group: what it asks of the case, whether it holds, and what of the case decided it."""

    what: str
    of: Any
    holds: bool
    codes: tuple[str, ...]
    value: str | None = None

    @property
    def text(self) -> str:
        """The condition for a reader."""
        return f"{self.what} {self.of}".strip()


class Trial(NamedTuple):
    """A group that was tried, for a trace; ``preferred`` if it was taken.

    ``behind`` has, of one that fits and was not taken, the preference or option that put it behind.
    """

    group: Group
    holds: bool
    preferred: bool
    behind: str | None = None


def group_record(record: Mapping[str, Any], unreadable: frozenset[str], catalogue: CatalogueTables) -> DipResult:
    """Group a case that has been read (`drgdip.grouper.record`)."""
    return match(record, unreadable, catalogue)[0]


def match(
    record: Mapping[str, Any], unreadable: frozenset[str], catalogue: CatalogueTables, log: list[Trial] | None = None
) -> tuple[DipResult, Situation]:
    """Return the result of a case that has been read, and how the catalogue sees it; groups tried go into the log."""
    cost = record.get("total_cost")
    situation = situation_of(record["dx"], record["procs"], values_of(record), catalogue, cost)
    reason = unreadable_reason(unreadable, catalogue.value_columns) if unreadable else None
    if reason is None and situation.dx is None:
        reason = "missing_principal_diagnosis"
    if reason is not None:
        return DipResult(None, None, None, None, "invalid", reason), situation
    treatment = situation.treatment
    if situation.excluded is not None:
        return DipResult(None, None, treatment, None, "excluded", situation.excluded), situation
    candidates = _candidates(situation, catalogue)
    by_stage: dict[str, list[Group]] = {}
    for group in candidates:
        by_stage.setdefault(group.kind, []).append(group)
    stages = catalogue.matching.stages
    for place, stage in enumerate(stages):
        taken = _preferred(by_stage, stage, situation, catalogue, log)
        if taken is not None:
            if stage in NAMING and "mixed" in stages[place:] and _leaves_surgery(taken, situation, catalogue):
                taken = _preferred(by_stage, "mixed", situation, catalogue, log) or taken
            if log is not None:
                _mark(log, taken, situation, catalogue)
            dx = situation.dx or ""
            listed = (row for row in catalogue.primary_care if not row.dx or dx.startswith(row.dx))
            primary = taken.primary_care or any(fits(row, situation, catalogue) for row in listed)
            return DipResult(taken.code, taken.kind, treatment, primary, "grouped", None), situation
    return DipResult(None, None, treatment, None, "ungrouped", _why_not(candidates, situation)), situation


def situation_of(
    dx: Sequence[str | None],
    procs: Sequence[str | None],
    values: Mapping[str, Any],
    catalogue: CatalogueTables,
    cost: int | None = None,
) -> Situation:
    """Return a case as a catalogue sees it, with its principal procedure and its treatment."""
    matching = catalogue.matching
    principal_dx = dx[0] if dx else None
    kept = [code for code in procs if code is None or _counts(code, catalogue)]
    excluded, conservative = None, False
    if EXCLUDED in matching.stages:
        if principal_dx in catalogue.excluded_dx:
            excluded = "excluded_diagnosis"
        kept, role = _after_exclusion(kept, principal_dx, catalogue)
        conservative = role == "conservative"
        if role == "excluded" and excluded is None:
            excluded = "excluded_procedure"
    counting = tuple([code for code in kept if code is not None])
    conservative = conservative or not counting
    treatment, tier = ("conservative", "") if conservative else _treatment(counting, catalogue)
    return Situation(
        dx=principal_dx,
        other_dx=tuple([code for code in dx[1:] if code is not None]),
        procs=counting,
        principal=None if conservative or not kept else kept[0],
        others=tuple([code for code in kept[1:] if code is not None]),
        conservative=conservative,
        treatment=treatment,
        tier=tier,
        excluded=excluded,
        values=values,
        cost=cost,
    )


def _counts(code: str, catalogue: CatalogueTables) -> bool:
    if code in catalogue.ignored_procs:
        return False
    return catalogue.matching.untyped == "count" or code in catalogue.types


def _after_exclusion(
    procs: list[str | None], dx: str | None, catalogue: CatalogueTables
) -> tuple[list[str | None], str | None]:
    """Return the procedures from the one that may be principal on, and the verdict of the exclusion list."""
    for at, code in enumerate(procs):
        treatment, allowed = catalogue.excluded_procs.get(code or "", ("", ()))
        if not treatment or (dx is not None and dx.startswith(allowed)):
            return procs[at:], None
        if treatment == "conservative":
            return procs[at:], treatment
        if catalogue.matching.not_principal != "next":
            return procs[at:], catalogue.matching.not_principal
    return [], None


def _treatment(procs: Sequence[str], catalogue: CatalogueTables) -> tuple[str | None, str]:
    """Return the first of `TREATMENTS` that a procedure has, and the highest tier of those that have it."""
    types, untiered = catalogue.types, catalogue.matching.untiered
    typed = [(catalogue.treatment_of(code), types[code][1] or untiered) for code in procs if code in types]
    for treatment in TREATMENTS:
        tiers = [tier for kind, tier in typed if kind == treatment]
        if tiers:
            return treatment, max(tiers)
    return None, ""


def _candidates(situation: Situation, catalogue: CatalogueTables) -> list[Group]:
    """Return the groups that the principal diagnosis leaves, in the order of the catalogue."""
    dx = situation.dx or ""
    # A short diagnosis, or a group with prefixes of several lengths, would meet more than once.
    found = {group.order: group for length in catalogue.lengths for group in catalogue.by_dx.get(dx[:length], ())}
    return [found[order] for order in sorted(found)]


def _preferred(
    by_stage: Mapping[str, list[Group]],
    stage: str,
    situation: Situation,
    catalogue: CatalogueTables,
    log: list[Trial] | None,
) -> Group | None:
    """Return the group of a stage that is taken: of those that fit, the preferred one."""
    fitting = [group for group in by_stage.get(stage, ()) if _tried(group, situation, catalogue, log)]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    return max(fitting, key=lambda group: _standing(group, situation, catalogue))


def _leaves_surgery(group: Group, situation: Situation, catalogue: CatalogueTables) -> bool:
    """Return whether a mixed group of surgery goes first, since the group does not name every surgery procedure."""
    if catalogue.matching.unnamed_surgery != "mixed" or situation.treatment != TREATMENTS[0]:
        return False
    surgery = [code for code in situation.procs if catalogue.treatment_of(code) == TREATMENTS[0]]
    return len(_named(_terms(group), surgery, catalogue)) < len(surgery)


def _mark(log: list[Trial], taken: Group, situation: Situation, catalogue: CatalogueTables) -> None:
    """Say of the groups that fit which was taken, and what put the others behind."""
    best = _standing(taken, situation, catalogue)
    for at, trial in enumerate(log):
        group = trial.group
        if group is taken:
            log[at] = trial._replace(preferred=True)
        elif trial.holds and group.kind != taken.kind:
            log[at] = trial._replace(behind="unnamed_surgery")
        elif trial.holds:
            told = zip(_preferences(group, catalogue), best, _standing(group, situation, catalogue), strict=True)
            log[at] = trial._replace(behind=next(name for name, mine, other in told if mine != other))


def _tried(group: Group, situation: Situation, catalogue: CatalogueTables, log: list[Trial] | None) -> bool:
    # Most groups ask for a procedure that the case has not: where nobody listens, that is all one need know of them.
    if log is None and group.procedures and not _names(group.procedures[0], situation.procs, catalogue):
        return False
    fitting = fits(group, situation, catalogue)
    if log is not None:
        log.append(Trial(group, fitting, preferred=False))
    return fitting


def fits(group: Group, situation: Situation, catalogue: CatalogueTables) -> bool:
    """Return whether a case is all that a group asks for."""
    return all(asked.holds for asked in questions(group, situation, catalogue))


def questions(group: Group, situation: Situation, catalogue: CatalogueTables) -> Iterator[Asked]:
    """Yield the conditions of a group, one after the other."""
    all_dx = (situation.dx or "", *situation.other_dx)
    if group.dx:
        anywhere = group.anywhere == "dx"
        found = tuple([code for code in (all_dx if anywhere else all_dx[:1]) if code.startswith(group.dx)])
        yield Asked("any diagnosis" if anywhere else "diagnosis", group.dx_text, bool(found), found)
    if group.other_dx:
        found = tuple([code for code in situation.other_dx if code.startswith(group.other_dx)])
        yield Asked("other diagnosis", Prefixes(group.other_dx), bool(found), found)
    if group.treatment:
        fitting = situation.treatment == group.treatment and group.tier in {"", situation.tier}
        has = " ".join(filter(None, (situation.treatment, situation.tier))) or None
        yield Asked("treatment", f"{group.treatment} {group.tier}".strip(), fitting, (), has)
    elif group.procedures == ():
        yield Asked("conservative treatment", "", situation.conservative, situation.procs)
    what, given, others, shared = "procedure", situation.procs, situation.procs, group.shared[1]
    if catalogue.matching.asks_principal(group.anywhere):
        what, given = "principal procedure", () if situation.principal is None else (situation.principal,)
        others, shared = situation.others, group.shared[0]
    for term in group.procedures or ():
        yield _term(what, term, given, catalogue)
    for term in group.related:
        yield _term("related procedure", term, others, catalogue)
    for term in shared:
        yield _term("a procedure for each", term, others, catalogue)
    if group.condition != ALWAYS:
        codes = {"ZYZD": all_dx[:1], "QTZD": situation.other_dx}
        held = holds(group.condition, Facts(codes, dict(situation.values), {}), catalogue)
        yield Asked("", group.condition, held, ())


def _term(what: str, term: Term, given: Sequence[str], catalogue: CatalogueTables) -> Asked:
    short = _meant_short((term,), catalogue)
    found = tuple([code for code in given if code in term.codes or code.startswith(short)])
    return Asked(what, term, len(found) >= term.times, found)


class Prefixes(tuple[str, ...]):
    """Prefixes of diagnoses, shown in short where they are many."""

    __slots__ = ()

    def __str__(self) -> str:
        return "|".join(self) if len(self) <= 6 else f"{self[0]}|…|{self[-1]}"


def _preferences(group: Group, catalogue: CatalogueTables) -> tuple[str, ...]:
    """Return the preferences among groups of the stage of this one, one after the other."""
    return ("longest_dx", "order") if group.kind == "mixed" else (*catalogue.matching.prefer, "order")


def _standing(group: Group, situation: Situation, catalogue: CatalogueTables) -> tuple[float, ...]:
    """Return how a group measures up in its preferences: the greatest is preferred."""
    return tuple([MEASURES[name](group, situation, catalogue) for name in _preferences(group, catalogue)])


def closeness(group: Group, dx: str) -> float:
    """Return the characters of the diagnosis that a group names. Mixed groups look ranges up last, behind a letter."""
    if group.kind == "mixed" and group.ranged:
        named = [prefix for prefix in group.dx if prefix not in group.ranged]
        return max((len(prefix) for prefix in named if dx.startswith(prefix)), default=0.5)
    return max((len(prefix) for prefix in group.dx if dx.startswith(prefix)), default=0)


def _terms(group: Group) -> tuple[Term, ...]:
    return (*(group.procedures or ()), *group.related)


def _names(term: Term, given: Sequence[str], catalogue: CatalogueTables) -> bool:
    """Return whether a term names one of the procedures."""
    for code in given:  # without a generator, since it is asked of nearly every candidate
        if code in term.codes:
            return True
    return bool(term.short) and any(code.startswith(_meant_short((term,), catalogue)) for code in given)


def _named(terms: Sequence[Term], given: Sequence[str], catalogue: CatalogueTables) -> tuple[str, ...]:
    """Return the procedures that some term names."""
    named = {code for term in terms for code in term.codes}
    short = _meant_short(terms, catalogue)
    return tuple([code for code in given if code in named or code.startswith(short)])


def _meant_short(terms: Sequence[Term], catalogue: CatalogueTables) -> tuple[str, ...]:
    """Return the codes of terms that stand for all procedures that begin so."""
    return tuple([code for term in terms for code in term.short]) if catalogue.matching.short_codes == "prefix" else ()


def _matched(group: Group, situation: Situation, catalogue: CatalogueTables) -> int:
    return len(_named(_terms(group), situation.procs, catalogue))


def _principal_first(group: Group, situation: Situation, catalogue: CatalogueTables) -> bool:
    if not group.procedures or situation.principal is None:
        return False
    return _names(group.procedures[0], (situation.principal,), catalogue)


def _nearest_mean(group: Group, situation: Situation, catalogue: CatalogueTables) -> float:
    if situation.cost is None:
        return 0
    mean = catalogue.means.get(group.code)
    return -math.inf if mean is None else -abs(situation.cost - mean)


def _gravity(group: Group, catalogue: CatalogueTables) -> int:
    """Return the place in `TREATMENTS` of a group's procedures, behind all of them if the procedures have no type."""
    if group.procedures == ():
        return TREATMENTS.index("conservative")
    codes = [code for term in _terms(group) for code in term.codes]
    for short in _meant_short(_terms(group), catalogue):
        typed = _typed_codes(catalogue)
        codes += typed[bisect_left(typed, short) : bisect_left(typed, short + LAST)]
    kinds = {catalogue.treatment_of(code) for code in codes}
    return next((place for place, treatment in enumerate(TREATMENTS) if treatment in kinds), len(TREATMENTS))


@lru_cache(maxsize=4)
def _typed_codes(catalogue: CatalogueTables) -> list[str]:
    return sorted(catalogue.types)


#: How a group measures up in each of `drgdip.grouper.dip.options.PREFERENCES`: more is better.
MEASURES: dict[str, Callable[[Group, Situation, CatalogueTables], float]] = {
    "most_terms": lambda group, *_: group.terms,
    "longest_dx": lambda group, situation, _: closeness(group, situation.dx or ""),
    "principal_first": _principal_first,
    "no_unmatched": lambda group, situation, cat: _matched(group, situation, cat) == len(situation.procs),
    "most_matched": _matched,
    "fewest_alternatives": lambda group, *_: -group.alternatives,
    "full_codes": lambda group, _, catalogue: not _meant_short(_terms(group), catalogue),
    "highest_score": lambda group, *_: float(group.score or 0),
    "nearest_mean": _nearest_mean,
    "gravest_treatment": lambda group, _, catalogue: -_gravity(group, catalogue),
    "core_first": lambda group, *_: not group.primary_care,
    "order": lambda group, *_: -group.order,
}


def _why_not(candidates: list[Group], situation: Situation) -> str:
    own = [group for group in candidates if group.dx and group.anywhere != "dx"]
    if not own:
        return "no_dx_group"
    mixed = [group for group in own if group.kind == "mixed"]
    if any(group.treatment == situation.treatment for group in mixed):
        return "no_tier_group"
    if situation.treatment is None and mixed:
        return "untyped_procedure"
    return "no_treatment_group"
