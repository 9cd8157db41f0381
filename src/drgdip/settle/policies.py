"""Policies read from files, and those of places that come with the library, by name."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from drgdip._exact import exactly
from drgdip._listing import Listing
from drgdip._once import once
from drgdip._presets import ABSENT, Presets
from drgdip.data import ROOT, text_of, toml_of
from drgdip.errors import PolicyError
from drgdip.settle.policy import Policy

if TYPE_CHECKING:
    import os

__all__ = ["PolicyInfo", "list_policies", "load_policy", "policy_text", "read_policy"]

_FOLDER = ROOT / "policies"


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
    return Policy.of(values)


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
    >>> list_policies()["id"]
    ['jilin-dip', 'jilin-drg', 'jinhua', 'nanjing', 'tianjin-dip', 'tianjin-drg', 'yunnan']
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
    return ABSENT if value is None else {"value": value, "source": "given by the user"}
