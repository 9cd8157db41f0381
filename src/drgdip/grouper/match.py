"""The reference engine of DIP: one case against a catalogue's groups, every step visible.

It is what `group_one` and `explain` run for catalogues, and the twin that the columnar engine is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip.grouper.catalogue import EXCLUDED, TREATMENTS
from drgdip.grouper.grammar import ALWAYS
from drgdip.grouper.reference import Facts, holds, record_of, unreadable_reason, values_of
from drgdip.grouper.result import DipResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from drgdip.cases import Case
    from drgdip.grouper.catalogue import Catalogue, Group, Term

__all__ = ["Asked", "Situation", "Trial", "fits", "match", "match_case", "questions", "situation_of"]


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
        What the procedures come to, one of `drgdip.grouper.catalogue.TREATMENTS` or None, and the highest tier of
        those that decided it, "" for none.
    excluded
        Why the exclusion lists refuse the case, None if they do not.
    values
        Values by variable.
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
    """A group that was tried, for a trace; ``preferred`` if it was taken."""

    group: Group
    holds: bool
    preferred: bool


def match_case(case: Case | Mapping[str, Any], catalogue: Catalogue, codes: str | None = None) -> DipResult:
    """The group of one case (`drgdip.group_one`)."""
    record, unreadable = record_of(case, catalogue, codes)
    return match(record, unreadable, catalogue)[0]


def match(
    record: Mapping[str, Any], unreadable: frozenset[str], catalogue: Catalogue, log: list[Trial] | None = None
) -> tuple[DipResult, Situation]:
    """The result of a case that has been read, and how the catalogue sees it; groups tried go into the log."""
    situation = situation_of(record["dx"], record["procs"], values_of(record), catalogue)
    reason = unreadable_reason(unreadable, catalogue.variables) if unreadable else None
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
    for stage in catalogue.matching.stages:
        fitting = [group for group in by_stage.get(stage, ()) if _tried(group, situation, catalogue, log)]
        if fitting:
            taken = max(fitting, key=_preference(stage, situation, catalogue))
            if log is not None:
                at = next(place for place, trial in enumerate(log) if trial.group is taken)
                log[at] = log[at]._replace(preferred=True)
            dx = situation.dx or ""
            listed = (row for row in catalogue.primary_care if not row.dx or dx.startswith(row.dx))
            primary = taken.primary_care or any(fits(row, situation, catalogue) for row in listed)
            return DipResult(taken.code, taken.kind, treatment, primary, "grouped", None), situation
    return DipResult(None, None, treatment, None, "ungrouped", _why_not(candidates, situation)), situation


def situation_of(
    dx: Sequence[str | None], procs: Sequence[str | None], values: Mapping[str, Any], catalogue: Catalogue
) -> Situation:
    """A case as a catalogue sees it: what counts as the principal procedure, and what the procedures come to."""
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
    )


def _counts(code: str, catalogue: Catalogue) -> bool:
    if code in catalogue.ignored_procs:
        return False
    return catalogue.matching.untyped == "count" or code in catalogue.types


def _after_exclusion(
    procs: list[str | None], dx: str | None, catalogue: Catalogue
) -> tuple[list[str | None], str | None]:
    """The procedures from the one that may be principal on, and what the exclusion list makes of the case."""
    for at, code in enumerate(procs):
        treatment, allowed = catalogue.excluded_procs.get(code or "", ("", ()))
        if not treatment or (dx is not None and dx.startswith(allowed)):
            return procs[at:], None
        if treatment == "conservative":
            return procs[at:], treatment
        if catalogue.matching.not_principal != "next":
            return procs[at:], catalogue.matching.not_principal
    return [], None


def _treatment(procs: Sequence[str], catalogue: Catalogue) -> tuple[str | None, str]:
    """The first of `TREATMENTS` that a procedure has, and the highest tier of those that have it."""
    matching = catalogue.matching
    typed = []
    for code in procs:
        if code in catalogue.types:
            kind, tier = catalogue.types[code]
            typed.append((matching.interventional if kind == "interventional" else kind, tier or matching.untiered))
    for treatment in TREATMENTS:
        tiers = [tier for kind, tier in typed if kind == treatment]
        if tiers:
            return treatment, max(tiers)
    return None, ""


def _candidates(situation: Situation, catalogue: Catalogue) -> list[Group]:
    """The groups that the principal diagnosis leaves, in the order of the catalogue."""
    dx = situation.dx or ""
    # A short diagnosis, or a group with prefixes of several lengths, would meet more than once.
    found = {group.order: group for length in catalogue.lengths for group in catalogue.by_dx.get(dx[:length], ())}
    return [found[order] for order in sorted(found)]


def _tried(group: Group, situation: Situation, catalogue: Catalogue, log: list[Trial] | None) -> bool:
    # Most groups ask for a procedure that the case has not: where nobody listens, that is all one need know of them.
    if log is None and group.procedures and not any(code in situation.procs for code in group.procedures[0].codes):
        return False
    fitting = fits(group, situation, catalogue)
    if log is not None:
        log.append(Trial(group, fitting, preferred=False))
    return fitting


def fits(group: Group, situation: Situation, catalogue: Catalogue) -> bool:
    """Whether a case is all that a group asks for."""
    return all(asked.holds for asked in questions(group, situation, catalogue))


def questions(group: Group, situation: Situation, catalogue: Catalogue) -> Iterator[Asked]:
    """What a group asks for, one condition after the other."""
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
    for term in group.procedures or ():
        if catalogue.matching.procedures == "principal" and group.anywhere != "procedures":
            yield _term("principal procedure", term, () if situation.principal is None else (situation.principal,))
        else:
            yield _term("procedure", term, situation.procs)
    for term in group.related:
        yield _term("related procedure", term, situation.others)
    # A procedure does for one term only: where it could do for two, there must be as many as are asked for.
    parts = ((group.procedures or (), situation.procs), (group.related, situation.others))
    for overlaps, (terms, given) in zip(group.overlapping, parts, strict=True):
        if overlaps:
            found = _named(terms, given)
            asked = sum(term.times for term in terms)
            yield Asked("of these procedures at least", asked, len(found) >= asked, found)
    if group.condition != ALWAYS:
        codes = {"ZYZD": all_dx[:1], "QTZD": situation.other_dx}
        held = holds(group.condition, Facts(codes, dict(situation.values), {}), catalogue)
        yield Asked("", group.condition, held, ())


def _term(what: str, term: Term, given: Sequence[str]) -> Asked:
    found = tuple([code for code in given if code in term.codes])
    return Asked(what, term, len(found) >= term.times, found)


class Prefixes(tuple[str, ...]):
    """Prefixes of diagnoses, shown in short where they are many."""

    __slots__ = ()

    def __str__(self) -> str:
        return "|".join(self) if len(self) <= 6 else f"{self[0]}|…|{self[-1]}"


def _preference(stage: str, situation: Situation, catalogue: Catalogue) -> Callable[[Group], tuple[float, ...]]:
    names = ("longest_dx",) if stage == "mixed" else catalogue.matching.prefer
    return lambda group: (*(MEASURES[name](group, situation) for name in names), -group.order)


def _longest_dx(group: Group, situation: Situation) -> int:
    fitting = [len(prefix) for prefix in group.dx if (situation.dx or "").startswith(prefix)]
    return max(fitting, default=0)


def _named(terms: Iterable[Term], given: Sequence[str]) -> tuple[str, ...]:
    """The procedures that some term names."""
    named = {code for term in terms for code in term.codes}
    return tuple([code for code in given if code in named])


def _matched(group: Group, situation: Situation) -> int:
    return len(_named((*(group.procedures or ()), *group.related), situation.procs))


def _principal_first(group: Group, situation: Situation) -> bool:
    return bool(group.procedures) and situation.principal in group.procedures[0].codes  # type: ignore[index]


#: How a group measures up in each of `drgdip.grouper.catalogue.PREFERENCES`: more is better.
MEASURES: dict[str, Callable[[Group, Situation], float]] = {
    "most_terms": lambda group, _: group.terms,
    "longest_dx": _longest_dx,
    "principal_first": _principal_first,
    "no_unmatched": lambda group, situation: _matched(group, situation) == len(situation.procs),
    "most_matched": _matched,
    "fewest_alternatives": lambda group, _: -group.alternatives,
    "highest_score": lambda group, _: float(group.score or 0),
    "order": lambda group, _: -group.order,
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
