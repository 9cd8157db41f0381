"""What the tests share: golden decks, small schemes and the hypothesis profile."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import hypothesis
import pytest

from drgdip import list_schemes, load_scheme
from drgdip.grouper.drg.load import load_packaged
from drgdip.grouper.drg.scheme import _packaged

hypothesis.settings.register_profile(
    "drgdip", derandomize=True, database=None, deadline=None, max_examples=150, print_blob=False
)
hypothesis.settings.load_profile("drgdip")

#: The command line speaks English here, whatever the locale of the machine; tests of Chinese ask for it.
os.environ["LC_ALL"] = "C.UTF-8"

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "golden"
SMALL = DATA / "schemes" / "small"
BAD = DATA / "schemes" / "bad"
SOURCE = ROOT / "src" / "drgdip"

#: The schemes that stand alone, those that extend one, and of these the ones of places.
SCHEMES = [info.id for info in list_schemes() if not info.extends]
LOCAL = [info.id for info in list_schemes() if info.extends]
PLACES = [info.id for info in list_schemes() if info.extends and info.place]
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


def rows_of(path):
    """The rows of a CSV file: texts by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


#: The tables of a scheme with nothing in them but a header.
_HEADERS = {
    "mdc.csv": "code,name,order,rule",
    "adrg.csv": "code,name,mdc,order,kind,rule,result_mdc",
    "drg.csv": "code,name,adrg,order,rule",
    "sets.csv": "set,code",
    "severity.csv": "code,level,exclusion",
    "exclusions.csv": "exclusion,code",
}


@pytest.fixture
def make_scheme(tmp_path):
    """A function that makes a scheme of rules: ``{mdc: rule}``, ``{(mdc, adrg): rule}``, ``{(adrg, drg): rule}``.

    A code that ends in QY is ambiguous, one that ends in 00 ungroupable, others are surgical. Results of ambiguous
    ADRGs and of those in the first MDC name the MDC of the code's first letter. Sets are given by name.
    """
    numbers = itertools.count()

    def make(mdcs, adrgs, drgs, *, sets=None, severity=(), exclusions=None, **options):
        folder = tmp_path / f"made{next(numbers)}"
        folder.mkdir()
        rows = {name: [header.split(",")] for name, header in _HEADERS.items()}
        order = Counter()
        for code, rule in mdcs.items():
            rows["mdc.csv"].append([code, "", len(rows["mdc.csv"]), rule])
        for (mdc, code), rule in adrgs.items():
            order[mdc] += 1
            kind = "ambiguous" if code.endswith("QY") else "ungroupable" if code.endswith("00") else "surgical"
            elsewhere = kind == "ambiguous" or mdc == next(iter(mdcs))
            named = f"MDC{code[0]}" if elsewhere and f"MDC{code[0]}" in mdcs else ""
            rows["adrg.csv"].append([code, "", mdc, order[mdc], kind, rule, named])
        for (adrg, code), rule in drgs.items():
            order[adrg] += 1
            rows["drg.csv"].append([code, "", adrg, order[adrg], rule])
        rows["sets.csv"] += [[name, code] for name, codes in (sets or {}).items() for code in codes]
        rows["severity.csv"] += severity
        rows["exclusions.csv"] += [[name, code] for name, codes in (exclusions or {}).items() for code in codes]
        for name, lines in rows.items():
            with (folder / name).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(lines)
        given = {
            "mdc_fallthrough": True,
            "adrg_fallthrough": True,
            "ungroupable": "0000",
            "required": [],
        } | options
        texts = ("id", "title", "issuer", "published", "diagnosis_codes", "procedure_codes")
        head = "".join(f'{name} = "made"\n' for name in texts) + "[counts]\n[evaluation]\n"
        head += "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items())
        (folder / "scheme.toml").write_text(head, encoding="utf-8")
        return load_scheme(folder)

    return make


def edited_copy(source, folder, file, edit):
    """A copy of a folder in which one text of a file, which must be there, is another: for tests of faults."""
    shutil.copytree(source, folder)
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert edit[0] in text
    path.write_text(text.replace(*edit, 1), encoding="utf-8")
    return folder


@pytest.fixture
def unloaded():
    """Schemes of the package are loaded anew in the test; a function that forgets them once more."""

    def forget():
        load_packaged.made.clear()
        _packaged.made.clear()

    with patch.dict(load_packaged.made, clear=True), patch.dict(_packaged.made, clear=True):
        yield forget


class Restless:
    """A source of which the rows stand in another order at each reading, and which counts its readings."""

    def __init__(self, table):
        import pyarrow as pa

        self.table = table if isinstance(table, pa.Table) else pa.Table.from_pylist(table)
        self.readings = 0

    def __arrow_c_stream__(self, requested_schema=None):
        import numpy as np

        self.readings += 1
        order = np.random.default_rng(self.readings).permutation(len(self.table))
        return self.table.take(order).__arrow_c_stream__(requested_schema)
