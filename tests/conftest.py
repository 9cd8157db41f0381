"""What the tests share: golden decks, small schemes and the hypothesis profile."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

import hypothesis
import pytest

from drgdip import list_schemes

hypothesis.settings.register_profile(
    "drgdip", derandomize=True, database=None, deadline=None, max_examples=150, print_blob=False
)
hypothesis.settings.load_profile("drgdip")

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "golden"
SMALL = DATA / "schemes" / "small"
BAD = DATA / "schemes" / "bad"
SOURCE = ROOT / "src" / "drgdip"

SCHEMES = [info.id for info in list_schemes()]
#: Golden decks with the scheme that each is for.
DECKS = {
    "chs-drg-1.0-revised": "chs-drg-1.0-revised",
    "chs-drg-1.1": "chs-drg-1.1",
    "chs-drg-2.0": "chs-drg-2.0",
    "chs-drg-3.0": "chs-drg-3.0",
    "chs-drg-3.0-official-only": "chs-drg-3.0",
}
#: The columns of a deck that say how a case is grouped.
ANSWER = ("mdc", "adrg", "group", "status")


def read_deck(deck):
    """The rows of a golden deck as they stand: texts by column."""
    path = GOLDEN / f"{deck}.csv.gz"
    if not path.exists():
        path = GOLDEN / f"{deck}.csv"
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def answer_of(row):
    """The answer of a row of a deck; an empty cell is None."""
    return tuple(row[name] or None for name in ANSWER)


def question_of(row):
    """The case of a row of a deck, without its answer."""
    return {name: value for name, value in row.items() if name not in {*ANSWER, "recorded_drg"}}


def files_of(folder):
    """Name and content of every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def small_folder(tmp_path):
    """A copy of the small scheme that a test may spoil."""
    return Path(shutil.copytree(SMALL, tmp_path / "small"))
