"""A scheme or catalogue of any family, by its id or from a folder: the one place that knows the families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from drgdip.data import index_of
from drgdip.errors import SchemeError, UnknownNameError
from drgdip.grouper.choose import hint_of_place
from drgdip.grouper.dip.catalogue import Catalogue, load_catalogue
from drgdip.grouper.drg.scheme import Scheme, load_scheme
from drgdip.grouper.loading import is_path, path_of
from drgdip.grouper.tables import CATALOGUE, SCHEME

if TYPE_CHECKING:
    import os

    from drgdip.grouper.family import SchemeLike

__all__ = ["NationalCatalogue", "NationalScheme", "load_any"]

#: Ids of national schemes and catalogues: of these, a type checker knows what a result is.
NationalScheme = Literal["chs-drg-1.0-revised", "chs-drg-1.1", "chs-drg-2.0", "chs-drg-3.0"]
NationalCatalogue = Literal["nhsa-dip-1.0", "nhsa-dip-2.0", "nhsa-dip-3.0"]


def load_any(scheme: str | os.PathLike[str] | SchemeLike) -> SchemeLike:
    """Return a DRG scheme or a DIP catalogue; the id or the folder tells which it is."""
    if isinstance(scheme, Scheme | Catalogue):
        return scheme
    if isinstance(scheme, str) and not is_path(scheme):
        catalogues, schemes = index_of("catalogue"), index_of("scheme")
        if scheme in catalogues or scheme in schemes:
            return load_catalogue(scheme) if scheme in catalogues else load_scheme(scheme)
        hint = hint_of_place(scheme)
        if hint is not None:
            raise UnknownNameError("scheme or catalogue", scheme, [], hint=hint)
        hint = "`drgdip schemes` lists all; a folder of your own is named by a path, such as ./" + scheme
        raise UnknownNameError("scheme or catalogue", scheme, [*schemes, *catalogues], hint=hint)
    folder = path_of(scheme, "Give the id or the folder of a DRG scheme or a DIP catalogue")
    if (folder / CATALOGUE.head).is_file():
        return load_catalogue(folder)
    if folder.is_dir() and not (folder / SCHEME.head).is_file():
        what = f"the folder has neither {SCHEME.head} nor {CATALOGUE.head}"
        fix = "Give the folder of a DRG scheme or of a DIP catalogue"
        raise SchemeError("missing_file", what, file=folder, fix=fix)
    return load_scheme(folder)
