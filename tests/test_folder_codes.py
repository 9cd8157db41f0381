"""Codes of a user's folder are written in the ways of the field, and both engines find them alike."""

from __future__ import annotations

import pytest

import drgdip

#: Ways to write a code that both engines must take for it.
WAYS = {
    "capital X": lambda code: code.replace("x", "X"),
    "full width": lambda code: "".join(chr(ord(sign) + 0xFEE0) for sign in code),
    "blanks": lambda code: f" {code}\u3000 ",
    "byte order mark": lambda code: "\ufeff" + code,
}


def rewritten(path, way):
    """Write every code of a table in another way."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    at = header.split(",").index("code")
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[at] = way(row[at])
    path.write_text("\n".join([header, *map(",".join, rows), ""]), encoding="utf-8")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_codes_of_a_scheme_are_normalised(tmp_path, way):
    scheme = drgdip.load_scheme("chs-drg-2.0")
    scheme.to_folder(tmp_path / "mine")
    for name in ("sets.csv", "severity.csv", "exclusions.csv"):
        rewritten(tmp_path / "mine" / name, way)
    mine = drgdip.load_scheme(tmp_path / "mine")
    assert (mine.sets, mine.severity, mine.exclusions) == (scheme.sets, scheme.severity, scheme.exclusions)
    cases = drgdip.sample_cases(300, scheme, seed=3)
    expected = drgdip.group(cases, scheme).select(list(drgdip.GroupResult._fields)).to_pylist()
    for engine in ("reference", "columnar"):
        grouped = drgdip.group(cases, mine, engine=engine)
        assert grouped.select(list(drgdip.GroupResult._fields)).to_pylist() == expected


def test_codes_of_a_catalogue_are_normalised(tmp_path):
    catalogue = drgdip.load_catalogue("nhsa-dip-2.0")
    catalogue.to_folder(tmp_path / "mine")
    tables = [path for path in (tmp_path / "mine").glob("*.csv") if path.name.endswith(("types.csv", "procedures.csv"))]
    for path in tables:
        rewritten(path, lambda code: f"\ufeff {code.replace('x', 'X')} ")
    mine = drgdip.load_catalogue(tmp_path / "mine")
    assert mine.types == catalogue.types
    assert mine.excluded_procs == catalogue.excluded_procs
    cases = drgdip.sample_cases(300, catalogue, seed=3)
    expected = drgdip.group(cases, catalogue).select(list(drgdip.DipResult._fields)).to_pylist()
    for engine in ("reference", "columnar"):
        assert drgdip.group(cases, mine, engine=engine).select(list(drgdip.DipResult._fields)).to_pylist() == expected


def test_a_code_that_stands_twice_in_two_ways_is_named_with_its_line(tmp_path):
    drgdip.load_scheme("chs-drg-2.0").to_folder(tmp_path / "mine")
    path = tmp_path / "mine" / "sets.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    name, code = lines[1].split(",")
    path.write_text("\n".join([*lines, f"{name},{code} ", ""]), encoding="utf-8")
    with pytest.raises(drgdip.SchemeError, match="already on line 2") as caught:
        drgdip.load_scheme(tmp_path / "mine")
    assert caught.value.row == len(lines) + 1
