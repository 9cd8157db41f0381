"""Write the docstrings of the package as pages, one a module, for the linter of prose: ``docstrings.py FOLDER``.

A line of a page is the line of its module, so that what the linter reports is found at once.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

SOURCE = Path(__file__).parent.parent.parent / "src" / "drgdip"
_DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def page_of(module: Path) -> str:
    """Return the docstrings of a module on the lines on which they stand, and nothing on the others."""
    text = module.read_text(encoding="utf-8")
    lines = [""] * (text.count("\n") + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DEFINITIONS) and ast.get_docstring(node):
            first = node.body[0].lineno - 1
            docstring = ast.get_docstring(node, clean=True).split("\n")
            for offset, (line, following) in enumerate(zip(docstring, [*docstring[1:], ""], strict=True)):
                names = re.fullmatch(r"[\w, *]+", line) and following.startswith(
                    "    "
                )  # of parameters, described below
                lines[first + offset] = "" if names else _plain(line)
    return "\n".join(lines)


def _plain(line: str) -> str:
    """Return a line of a docstring in Markdown: no section underlines, no examples, one kind of quote for code."""
    if re.fullmatch(r"\s*-{3,}", line) or re.match(r"\s*(>>>|\.\.\.) ", line):
        return ""
    return re.sub(r"``(.+?)``", r"`\1`", line).strip()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for path in sorted(SOURCE.rglob("*.py")):
        page = target / path.relative_to(SOURCE).with_suffix(".md")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(page_of(path), encoding="utf-8")
