"""Policies read from files, and those of places that come with the library, by name."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip import _toml
from drgdip._exact import exactly
from drgdip._listing import Listing
from drgdip._once import once
from drgdip._presets import ABSENT, Presets
from drgdip._toml import Inline
from drgdip.data import ROOT, text_of, toml_of
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle.policy import Policy

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["PolicyInfo", "draft_policy", "list_policies", "load_policy", "policy_text", "read_policy"]

_FOLDER = ROOT / "policies"
# Such a name stands for an open number or rule.
_OPEN = r"\$[a-z_]+"
_BY_USER = "given by the user"
_HEAD = """\
# Draft of {title}
# Fill in each line below "to fill in" (待填). Take the line out where the place has no such rule.
# A number may stand alone, or as {{ value = 0.9, source = "the document", grade = "A" }}.
"""


class PolicyInfo(NamedTuple):
    """A policy that comes with the library.

    Attributes
    ----------
    id, title, place, source
        Names of the policy, and the document it comes from.
    family
        ``drg`` or ``dip``.
    form
        ``fixed``, ``floating`` or ``elastic``; None where it is to be given.
    needs
        Names of the numbers and rules that the published documents leave open.
    """

    id: str
    title: str
    place: str
    family: str
    form: str | None
    needs: tuple[str, ...]
    source: str


@exactly
def read_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy from a TOML file.

    Parameters
    ----------
    path
        The file. Any number or rule may stand as ``{ value = 0.85, source = "…", grade = "A" }``.

    Returns
    -------
    The policy.

    Raises
    ------
    PolicyError
        The file cannot be read, or something in it is missing, impossible or contradicts the rest.

    Examples
    --------
    >>> read_policy("docs/examples/policy.toml").month.ratio
    Decimal('0.9')
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        shown = ""
        if str(path) in _presets().values:
            shown = (
                f". It is a policy of the library: load_policy({str(path)!r}, …) makes it, and "
                f"`drgdip policies show {path}` prints its file, to be saved and filled in"
            )
        raise PolicyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}{shown}") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path}: is no TOML: {error}") from error
    if needs := values.get("needs"):
        raise PolicyError(
            f"{path}: leaves open {', '.join(needs)}: write their values for the $names and take out [needs]"
        )
    if left := dict(_open_in(values)):
        raise PolicyError(
            f"{path}: leaves open {', '.join(left)}: write a value in the place of each $name, or take the line out "
            f"where the place has no such rule"
        )
    return Policy.of(values)


def _open_in(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a draft that hold a ``$name`` yet, by dotted path."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _open_in(value, f"{path}{key}.")
        elif isinstance(value, str) and re.fullmatch(_OPEN, value):
            yield f"{path}{key}", value


@once
def _presets() -> Presets:
    files = {path.stem: toml_of(f"policies/{path.name}", Decimal) for path in sorted(_FOLDER.glob("*.toml"))}
    return Presets("policy", "list_policies", files)


def list_policies() -> Listing[PolicyInfo]:
    """List the policies of places that come with the library.

    Returns
    -------
    A listing with a `PolicyInfo` for each policy, by ``id``.

    Examples
    --------
    >>> list_policies()["id"][:5]
    ['jilin-dip', 'jilin-drg', 'jinhua', 'measures-2025-dip', 'measures-2025-drg']
    >>> list_policies().row("yunnan").needs[:3]
    ('form', 'rates', 'outliers')
    """
    rows = [
        PolicyInfo(
            id=name,
            title=values["title"],
            place=values["place"],
            family=values["family"],
            form=None if values["form"] == "$form" else values["form"]["value"],
            needs=tuple(values.get("needs", {})),
            source=values["source"],
        )
        for name, values in _presets().values.items()
    ]
    return Listing(rows, PolicyInfo._fields)


def policy_text(name: str) -> str:
    """Return the file of a policy as it stands, with ``$names`` for what is to be given."""
    _presets().get(name)
    return text_of(f"policies/{name}.toml")


@exactly
def draft_policy(name: str, **given: Any) -> str:
    r"""Draft the policy file of a place: its preset as TOML, with each open number or rule marked to be filled in.

    Parameters
    ----------
    name
        One of `list_policies`.
    given
        Numbers and rules that are known already, as for `load_policy`. None takes the line out. The others stay open.

    Returns
    -------
    The text of the file. `read_policy` reads it once everything is filled in, and names the fields that are open
    until then.

    Raises
    ------
    UnknownNameError
        There is no such policy, or it leaves no such thing open.

    Examples
    --------
    >>> text = draft_policy("jinhua", preclearing_ratio=None)
    >>> print(text[text.index("[month]") :].partition("\n\n")[0])
    [month]
    # to fill in (待填): the share of a month that is paid at once (Zhejiang 2019: at least 0.85)
    ratio = "$month_ratio"
    # to fill in (待填): suspend, suspend_hospital or pay: what a late list does; None where no list is late
    late = "$month_late"
    """
    needs = _presets().needs(name)
    for key in given:
        if key not in needs:
            raise UnknownNameError("open number or rule", key, needs, hint=f"It leaves open: {', '.join(needs)}.")
    text = policy_text(name).partition("\n[needs]\n")[0]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    drafted = [part for line in lines for part in _drafted(line, needs, given)]
    return "\n".join([_HEAD.format(title=_presets().get(name)["title"]).rstrip(), *drafted]).rstrip() + "\n"


def _drafted(line: str, needs: Mapping[str, str], given: Mapping[str, Any]) -> list[str]:
    """Return the lines of a draft in the place of a line of a preset."""
    found = re.fullmatch(rf'(\w+) = "({_OPEN})"', line)
    if not found:
        return [line]
    key, name = found[1], found[2][1:]
    if name not in given:
        return [f"# to fill in (待填): {needs[name]}", line]
    if given[name] is None:
        return []
    return [_toml.dumps({key: Inline({"value": _inline(given[name]), "source": _BY_USER})}).rstrip()]


def _inline(value: Any) -> Any:
    """Return a value with its tables to be written within the line."""
    if isinstance(value, dict):
        return Inline({key: _inline(part) for key, part in value.items()})
    return [_inline(part) for part in value] if isinstance(value, list | tuple) else value


@exactly
def load_policy(name: str, **given: Any) -> Policy:
    """Load the policy of a place, and fill in what its documents leave open.

    Parameters
    ----------
    name
        One of `list_policies`.
    given
        The numbers and rules that the documents of this place leave open, all of them, and nothing else. Numbers are
        Decimals or whole numbers. None says that the place has no such rule.

    Returns
    -------
    The policy. Its ``citations`` have "given by the user" as the source of what was given.

    Raises
    ------
    UnknownNameError
        There is no such policy, or it leaves no such thing open.
    PolicyError
        Something that the documents leave open is not given, or a value is impossible.

    Examples
    --------
    >>> load_policy("jinhua")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    drgdip.errors.PolicyError: the sources of 'jinhua' leave open what must be given: pools (...
    """
    return Policy.of(_presets().fill(name, given, _as_given))


def _as_given(value: Any) -> Any:
    """Return what the caller gives with the caller as its source; None takes the rule out."""
    return ABSENT if value is None else {"value": value, "source": _BY_USER}
