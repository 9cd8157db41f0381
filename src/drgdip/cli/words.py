"""The texts of the command line, by id and language, from one table (``data/cli/words.csv``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from drgdip._once import once
from drgdip.data import words_of
from drgdip.errors import UnknownNameError
from drgdip.reasons import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Words", "find_language", "translate"]

_TABLE = "cli/words.csv"
#: Variables of the environment that name the locale, the first that is set counts.
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
#: The least of ``--language`` that stands for no other option.
_SHORTEST = "--la"


class _Filler(Formatter):
    """Fills a text; ``{cases:case|cases}`` is a number with its noun, ``{cases:|is|are}`` a word without the number."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        one, bar, many = format_spec.partition("|")
        if not bar:
            return super().format_field(value, format_spec)
        if not one:
            one, _, many = many.partition("|")
            return one if value == 1 else many
        return f"{value:,} {one if value == 1 else many}"


_FILLER = _Filler()


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of the command line in one language, ``en`` or ``zh``."""

    language: str

    def __call__(self, name: str, /, **facts: Any) -> str:
        """Return the text of an id, with numbers and names filled in.

        Raises
        ------
        UnknownNameError
            There is no such text.

        Examples
        --------
        >>> Words("en")("summary.in_groups", number=1), Words("zh")("summary.in_groups", number=3)
        ('in 1 group', '共3个病组')
        """
        texts = words_of(_TABLE)
        if name not in texts:
            raise UnknownNameError("text", name, texts)
        return _FILLER.format(texts[name][LANGUAGES.index(self.language)], **facts)

    def joined(self, things: Sequence[object]) -> str:
        """Return several things in a row, as a sentence has them."""
        return self("list.separator").join(map(str, things))


def translate(message: str, say: Words, source: str) -> str:
    """Return a message that is not ours in the language; one that the table does not have stays as it is.

    The rows ``argparse.…`` of the table have the messages of argparse, so that no catalogue of gettext is installed;
    the rows ``library.…`` the commonest errors of the library, which speaks English to programs.

    >>> translate("argument --limit: expected one argument", Words("zh"), "argparse")
    '参数 --limit：需要给出一个值'
    """
    for name, (english, _) in words_of(_TABLE).items():
        if name.startswith(f"{source}."):
            found = re.fullmatch(_pattern_of(english), message, re.DOTALL)
            if found:
                facts = {part: translate(text, say, source) for part, text in found.groupdict().items()}
                return say(name, **facts)
    return message


@once
def _pattern_of(text: str) -> str:
    """Return the pattern of the messages that a text with placeholders stands for."""
    parts = (
        re.escape(plain) + ("" if name is None else f"(?P<{name}>.+?)") for plain, name, _, _ in Formatter().parse(text)
    )
    return "".join(parts)


def find_language(words: Sequence[str], environment: Mapping[str, str], *, system: str = "", encoding: str = "") -> str:
    """Return the language of a run: that of ``--language``, else that of the locale.

    Parameters
    ----------
    words
        The words of the command line. Of several ``--language`` the last counts.
    environment
        The variables of the process: the first of LC_ALL, LC_MESSAGES and LANG that is set decides.
    system
        The locale of the system, for one that sets none of these; "" for none.
    encoding
        The encoding of the screen: one without Chinese characters gets English; "" for one that has all.

    Returns
    -------
    ``zh`` or ``en``.

    Examples
    --------
    >>> find_language(["schemes"], {"LANG": "zh_CN.UTF-8"}), find_language(["--language", "en"], {"LANG": "zh_CN"})
    ('zh', 'en')
    """
    told = _told(words)
    if told in LANGUAGES:
        return told
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), system)
    chinese = locale.casefold().startswith(("zh", "chinese"))  # Windows writes Chinese (Simplified)_China
    return "zh" if chinese and _can_show("中文", encoding) else "en"


def _told(words: Sequence[str]) -> str:
    """Return the language that the words of the command line name, "" for none."""
    told = ""
    for place, word in enumerate(words):
        if word == "--":
            break
        option, sign, value = word.partition("=")
        if option.startswith(_SHORTEST) and "--language".startswith(option):
            told = value if sign else next(iter(words[place + 1 : place + 2]), "")
    return told


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
