"""One case under several schemes and catalogues, side by side."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drgdip.errors import CaseError
from drgdip.grouper.explain import explain
from drgdip.grouper.explanation import fact, figure_text, path_of, step_text
from drgdip.grouper.lines import Line, as_text
from drgdip.grouper.load import load_any
from drgdip.grouper.result import path_text, status_word
from drgdip.grouper.telling import code_text, tongue_of
from drgdip.reasons import check_language, describe_reason

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from drgdip.cases.case import Case
    from drgdip.cases.names import ColumnNames
    from drgdip.grouper.explanation import Explanation
    from drgdip.grouper.family import SchemeLike
    from drgdip.grouper.telling import Tongue

__all__ = ["CaseComparison", "compare_case"]


@dataclass(frozen=True, slots=True, repr=False)
class CaseComparison:
    """A case under several schemes and catalogues (`drgdip.compare_case`).

    Attributes
    ----------
    sides
        An `Explanation` for each, in the order in which they were given.
    """

    sides: tuple[Explanation[Any], ...]

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        found = ", ".join(f"{side.scheme} {side.result.group or side.result.status}" for side in self.sides)
        return f"<CaseComparison {found}>"

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return a row for each scheme: its id, and the fields of its result; those that its family lacks are None."""
        names = dict.fromkeys(name for side in self.sides for name in side.result._fields)
        rows = [(side, side.result._asdict()) for side in self.sides]
        return [{"scheme": side.scheme, **{name: told.get(name) for name in names}} for side, told in rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanations as plain dictionaries and lists."""
        return {"sides": [side.to_dict() for side in self.sides]}

    def text(self, language: str = "en", *, width: int = 100) -> str:
        """Return the comparison as text, a paragraph for each scheme.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        width
            Columns of the terminal; longer lines are broken.
        """
        check_language(language)
        lines = (line for side in self.sides for line in _side_lines(side, language))
        return as_text(lines, language, width)

    def to_html(self, language: str = "en") -> str:
        """Return the comparison as a table of HTML with a column for each scheme.

        Parameters
        ----------
        language
            ``en`` or ``zh``.
        """
        check_language(language)
        columns = [list(_side_lines(side, language)) for side in self.sides]
        titles = dict.fromkeys(line.title for column in columns for line in column[1:])
        head = "".join(f"<th>{html.escape(side.scheme)}</th>" for side in self.sides)
        body = ""
        for title in titles:
            cells = ([html.escape(line.text) for line in column[1:] if line.title == title] for column in columns)
            row = "".join(f"<td>{'<br>'.join(cell)}</td>" for cell in cells)
            body += f"<tr><th>{html.escape(title)}</th>{row}</tr>"
        return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _repr_html_(self) -> str:
        return self.to_html()


def _side_lines(side: Explanation[Any], language: str) -> Iterator[Line]:
    """Yield the scheme, and what it makes of the case."""
    tongue = tongue_of(language, None if side.given is None else side.given.scheme)
    result = side.result
    told = result._asdict()
    yield Line("side", 0, "", "", side.scheme)
    yield _inner(tongue, "status", status_word(result.status, language))
    path = path_text(result)
    if path:
        yield _inner(tongue, "group", f"{path}  {side.names.get(result.group or '', '')}".rstrip())
    if result.reason:
        yield _inner(tongue, "reason", describe_reason(result.reason, language))
    if told.get("severity"):
        yield _inner(tongue, "severity", f"{told['severity']} {code_text(told['severity_code'], tongue)}")
    if told.get("treatment"):
        yield _inner(tongue, "treatment", tongue.say(f"treatment.{told['treatment']}"))
    for step in path_of(side.steps)[-2:] if result.group else ():
        if step.conditions:
            yield _inner(tongue, "rule", tongue.say("title.of_code", code=step.code, text=step_text(step, tongue)))
    for figure in side.figures:
        yield _inner(tongue, figure.measure, figure_text(figure, tongue))


def _inner(tongue: Tongue, title: str, text: str) -> Line:
    return fact(tongue, title, text, part="side", depth=1)


def compare_case(
    case: Case | Mapping[str, Any],
    schemes: Sequence[str | os.PathLike[str] | SchemeLike],
    *,
    columns: ColumnNames | None = None,
    codes: str | None = None,
    weights: Mapping[str, Any] | None = None,
) -> CaseComparison:
    """Group one case under several schemes and catalogues.

    Parameters
    ----------
    case, columns, codes
        As for `drgdip.group_one`.
    schemes
        Schemes and catalogues, their ids or folders.
    weights
        Weights and payment standards by the id of the scheme, each as for `drgdip.explain`; None tells none.

    Returns
    -------
    A `CaseComparison`, in the order of the schemes.

    Raises
    ------
    UnknownNameError, CaseError
        As for `drgdip.explain`; a text or nothing in the place of the list of schemes.

    Examples
    --------
    >>> case = {"sex": 1, "age": 71, "dx": ["I63.900", "E87.600"]}
    >>> compare_case(case, ["chs-drg-1.1", "chs-drg-2.0", "nhsa-dip-2.0"])
    <CaseComparison chs-drg-1.1 BR23, chs-drg-2.0 BR23, nhsa-dip-2.0 DIP3437>
    """
    if isinstance(schemes, str) or not schemes:
        raise CaseError(f"schemes is {schemes!r}; give a list of schemes or catalogues")
    given = {} if weights is None else weights
    sides = (
        explain(case, scheme, columns=columns, codes=codes, weights=given.get(scheme.id))
        for scheme in map(load_any, schemes)
    )
    return CaseComparison(tuple(sides))
