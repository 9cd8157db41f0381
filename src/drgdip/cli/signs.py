"""Signs on a console that cannot show them: each has others that stand for it."""

from __future__ import annotations

import codecs
import io
import sys

__all__ = ["fit_streams", "replace_signs"]

#: Signs with what stands for them, the likest first. GBK, which Chinese consoles have, knows √ and ×, but not ✓ and ✗.
_INSTEAD = {"✓": "√+", "✗": "×x", "→": ">", "·": "-", "…": "~", "—": "-", "–": "-"}
_HANDLER = "drgdip.signs"


def replace_signs(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for a character that an encoding does not have: another sign, or else an escape.

    It is an error handler of `codecs`.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    for sign in _INSTEAD.get(error.object[error.start], ""):
        try:
            sign.encode(error.encoding)
        except UnicodeEncodeError:
            continue
        return sign, error.start + 1
    one = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return codecs.backslashreplace_errors(one)


def fit_streams() -> None:
    """Let the streams of the process show another sign, or an escape, for what their encoding does not have."""
    codecs.register_error(_HANDLER, replace_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
