"""The tool that brings corrected tables in: what it writes, what it keeps, what it says and what it refuses."""

from __future__ import annotations

import csv
import gzip
import shutil
import sys

import pytest
from conftest import DATA, ROOT, SMALL

from drgdip import SchemeError, load_scheme

#: A condition with which the tool drafts a case that comes to the row.
ASKING = ("ungroupable,,\n", "ungroupable,ZYSS in OP_C,\n")
QUESTIONS = [("A01", "20.1000"), ("B01.100", "20.1000"), ("C01.100", "40.1000"), ("B02.200", "")]


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool over a package of one scheme, a place under it and a deck; ``tmp_path/corrected`` is the same scheme."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import correct_scheme

    drg, golden = tmp_path / "data" / "drg", tmp_path / "golden"
    for folder in (drg / "small", tmp_path / "corrected"):
        shutil.copytree(SMALL, folder)
        edit(folder / "adrg.csv", *ASKING)
    shutil.copytree(DATA / "schemes" / "local", drg / "local")
    edit(drg / "local" / "scheme.toml", 'extends = "../small"', 'extends = "small"')
    golden.mkdir()
    (tmp_path / "digests.csv").write_text("scheme,table,rows,sha256\n", encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n### Scheme data\n\n- Before.\n\n## Older\n", encoding="utf-8"
    )
    for name, path in (
        ("DRG", drg),
        ("GOLDEN", golden),
        ("DIGESTS", tmp_path / "digests.csv"),
        ("CHANGELOG", tmp_path / "CHANGELOG.md"),
    ):
        monkeypatch.setattr(correct_scheme, name, path)
    write_deck(golden / "small.csv.gz", correct_scheme, drg / "small")
    yield correct_scheme
    sys.modules.pop("correct_scheme")


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def write_deck(path, tool, folder):
    """A deck with the answers of a scheme's folder."""
    names = ("case_id", "sex", "age", "dx", "procs", *tool.ANSWER)
    cases = [(str(number), "1", "40", *codes) for number, codes in enumerate(QUESTIONS)]
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *((*case, "", "", "", "") for case in cases)])
    answers = tool.grouped(path, folder)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *((*case, *answer) for case, answer in zip(cases, answers, strict=True))])


def test_a_correction_of_a_base(tool, tmp_path, capsys):
    """The revision and the counts follow, the place keeps its tables, and the moved case is counted."""
    local, corrected = tool.DRG / "local", tmp_path / "corrected"
    before = tool.full_tables(local)
    edit(corrected / "sets.csv", "OP_VALID,40.1000\n", "OP_VALID,41.1000\n")
    tool.main([corrected], None)
    text = (tool.DRG / "small" / "scheme.toml").read_text(encoding="utf-8")
    assert "revision = 4\n" in text
    assert "valid_procedures = 5\n" in text
    assert 'rules = "made up"' in text
    assert tool.full_tables(local) == before
    overlay = (local / "sets.csv").read_text(encoding="utf-8")
    assert "-,OP_VALID,41.1000\n" in overlay
    assert "revision" not in (local / "scheme.toml").read_text(encoding="utf-8")
    line = "- `small` revision 4: +1 −1 codes in 1 of 9 sets. Moved: 1 of the 4 cases of `small`."
    assert line in capsys.readouterr().out
    assert f"- Before.\n{line}\n\n## Older" in tool.CHANGELOG.read_text(encoding="utf-8")
    index = (tool.DRG.parent / "index.toml").read_text(encoding="utf-8")
    assert index.count(tool.load(tool.DRG / "small").info.sha256) == index.count(tool.load(local).info.sha256) == 1
    assert {row[0] for row in tool.rows(tool.DIGESTS)} == {"local"}


def test_the_same_tables_once_more_change_nothing(tool, tmp_path, capsys):
    edit(tmp_path / "corrected" / "sets.csv", "OP_VALID,40.1000\n", "")
    tool.main([tmp_path / "corrected"], None)
    files = {path: path.read_bytes() for path in tool.DRG.rglob("*") if path.is_file()}
    log = tool.CHANGELOG.read_bytes()
    capsys.readouterr()
    tool.main([tmp_path / "corrected"], None)
    assert "no table differs" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in tool.DRG.rglob("*") if path.is_file()} == files
    assert tool.CHANGELOG.read_bytes() == log


def test_a_place_is_written_as_what_it_changes(tool, tmp_path):
    """A new place, from its tables in full: only what differs from the base is kept, and it loads as it was given."""
    full = tmp_path / "full"
    load_scheme(DATA / "schemes" / "local").to_folder(full)
    edit(full / "scheme.toml", 'id = "local"', 'id = "other"\nextends = "small"')
    edit(full / "adrg.csv", *ASKING)
    edit(full / "severity.csv", "N02.200,CC,x3\n", "")
    edit(full / "scheme.toml", "\ncc = 4\n", "\ncc = 0\n")
    tool.main([full], None)
    other = tool.DRG / "other"
    assert sorted(path.name for path in other.iterdir()) == [
        "drg.csv",
        "exclusions.csv",
        "scheme.toml",
        "sets.csv",
        "severity.csv",
    ]
    assert (other / "sets.csv").read_text(encoding="utf-8").startswith("change,set,code\n")
    assert {name: sorted(table) for name, table in tool.full_tables(other).items()} == {
        name: sorted(tool.rows(full / name)) for name in tool.COLUMNS if (full / name).exists()
    }
    assert tool.load(other, checked=True).info.counts["cc"] == 3
    assert "\n- `other` revision 1: 3 MDC, 7 ADRG, 12 DRG.\n" in tool.CHANGELOG.read_text(encoding="utf-8")


def test_what_nothing_reaches_is_listed_with_its_proof(tool, tmp_path):
    edit(tmp_path / "corrected" / "drg.csv", "BB13,神经手术中,BB1,2,QTZD in CC", "BB13,神经手术中,BB1,2,QTZD in MCC")
    tool.main([tmp_path / "corrected"], None)
    listed = tool.rows(tool.DRG / "small" / "unreachable.csv")
    assert [row[:4] for row in listed] == [("drg", "BB1", "2", "BB13")]
    assert "BB11" in listed[0][4]


def test_a_new_deck_takes_the_place_of_the_earlier_one(tool, tmp_path):
    decks = tmp_path / "decks"
    decks.mkdir()
    corrected = tmp_path / "corrected"
    write_deck(decks / "small.csv.gz", tool, tool.DRG / "small")  # the answers of before: one is wrong now
    edit(corrected / "sets.csv", "OP_VALID,40.1000\n", "")
    with pytest.raises(ValueError, match=r"small.csv.gz: 1 of 4 differ in reference"):
        tool.main([corrected], decks)
    write_deck(decks / "small.csv.gz", tool, tool.DRG / "small")
    edit(corrected / "drg.csv", "移植,AA1", "移植术,AA1")
    tool.main([corrected], decks)
    assert (tool.GOLDEN / "small.csv.gz").read_bytes() == (decks / "small.csv.gz").read_bytes()


def test_tables_that_break_the_format_are_refused(tool, tmp_path):
    edit(tmp_path / "corrected" / "drg.csv", "QTZD in CC", "QTZD in DX_X")
    with pytest.raises(SchemeError, match="DX_X"):
        tool.main([tmp_path / "corrected"], None)


def test_rules_are_read_by_their_column_and_older_folders_get_the_last_one(tool):
    """The column ``result_mdc`` stands behind the rule; a folder without it has it by the official layout."""
    rows = [("AQY", "", "MDCB", "1", "ambiguous", "ZYSS  in OP", "MDCA"), ("AA1", "", "MDCA", "1", "surgical", "", "")]
    assert tool.read("adrg.csv", rows)[0][5:] == ("ZYSS in OP", "MDCA")
    mdcs = [("MDCA", "", "1", ""), ("MDCB", "", "2", "")]
    older = {"mdc.csv": mdcs, "adrg.csv": [row[:6] for row in rows]}
    assert tool.with_result_mdc(older) == rows
    assert tool.with_result_mdc({"mdc.csv": mdcs, "adrg.csv": rows}) == rows
