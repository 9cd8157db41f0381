"""Encoded cases serve every scheme with the same codes: they keep every column and every code."""

from __future__ import annotations

import pyarrow as pa
import pytest

import drgdip


@pytest.mark.parametrize(
    ("base", "places"),
    [
        ("chs-drg-1.1", ["chs-drg-1.1-beijing-2022", "chs-drg-1.1-liaocheng-2022"]),
        ("chs-drg-2.0", ["chs-drg-2.0-beijing-2024", "chs-drg-2.0-tianjin-2025"]),
    ],
)
def test_twenty_thousand_cases_encoded_once_serve_the_places(base, places):
    """Columns that only the place reads were lost: 23 cases of Liaocheng and 73 of Beijing had another group."""
    cases = drgdip.sample_cases(20_000, base, seed=7)
    encoded = drgdip.encode(cases, base)
    for place in (base, *places):
        results = drgdip.group(encoded, place)
        assert results.equals(drgdip.group(cases, place).select(results.column_names).combine_chunks()), place


def test_each_scheme_takes_its_own_newborn_weight(tmp_path):
    scheme = drgdip.load_scheme("chs-drg-2.0")
    scheme.to_folder(tmp_path / "other")
    head = tmp_path / "other" / "scheme.toml"
    text = head.read_text(encoding="utf-8")
    kind = scheme.newborn_weight
    other = {"birth": "admission", "admission": "birth"}[kind]
    assert f'newborn_weight = "{kind}"' in text
    head.write_text(text.replace(f'newborn_weight = "{kind}"', f'newborn_weight = "{other}"'), encoding="utf-8")
    draft = drgdip.load_scheme(tmp_path / "other")
    case = {"sex": 1, "age": 0, "age_days": 3, "dx": "P07.100", "procs": None, "los": 9, "discharge": 1}
    weights = [("1200", "2600"), ("2600", "1200"), ("x", "2600"), ("2600", "x"), (None, None), ("1200", None)]
    rows = [case | {"birth_weight": birth, "admission_weight": admitted} for birth, admitted in weights]
    rows.append(rows[0] | {"newborn_weight": "1900"})
    cases = pa.Table.from_pylist(rows)
    encoded = drgdip.encode(cases, scheme)
    answers = []
    for each in (scheme, draft):
        grouped = drgdip.group(cases, each, engine="reference").select(list(drgdip.GroupResult._fields)).to_pylist()
        assert drgdip.group(encoded, each).to_pylist() == grouped
        assert drgdip.group(cases, each, engine="columnar").select(list(grouped[0])).to_pylist() == grouped
        answers.append(grouped)
    assert answers[0] != answers[1]


def test_a_required_column_that_was_not_encoded_is_an_error(tmp_path):
    drgdip.load_scheme("chs-drg-2.0").to_folder(tmp_path / "plain")
    head = tmp_path / "plain" / "scheme.toml"
    text = head.read_text(encoding="utf-8")
    assert '"XB", ' in text
    head.write_text(text.replace('"XB", ', "", 1), encoding="utf-8")
    encoded = drgdip.encode([{"age": 50, "dx": "I63.900", "procs": ""}], drgdip.load_scheme(tmp_path / "plain"))
    with pytest.raises(drgdip.CaseError, match=r"chs-drg-2.0 needs sex, which the encoded cases do not have"):
        drgdip.group(encoded, "chs-drg-2.0")
