"""The pages on indicators in English and Chinese show the same code, and name every part of the data."""

import re
from pathlib import Path

from drgdip.monitor import RISK_BANDS, WITHOUT_DEATHS, list_indicators
from drgdip.monitor.derived import case_columns
from drgdip.monitor.quantities import quantities

DOCS = Path(__file__).parents[2] / "docs" / "monitor"


def test_both_languages_show_the_same_code():
    english, chinese = (
        re.findall(r"^```.*?^```$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for name in ("indicators.md", "indicators.zh-CN.md")
    )
    assert english == chinese


def test_rules_and_bands_are_on_the_page():
    text = (DOCS / "indicators.md").read_text(encoding="utf-8")
    assert all(f"| `{rule}` |" in text for rule in WITHOUT_DEATHS)
    assert len(RISK_BANDS) == 4


def test_every_part_of_an_indicator_is_a_quantity_and_every_column_has_a_kind():
    for row in list_indicators():
        assert {row.numerator, row.denominator} - {""} <= set(quantities()), row.id
        assert row.direction in {"higher", "lower", "none"}
        assert row.grade in {"A", "B", "C", "R"}
        assert row.source
    used = {part for row in list_indicators() for part in (row.numerator, row.denominator)}
    assert set(quantities()) <= used, "a quantity that no indicator uses"
    read = {column for quantity in quantities().values() for column in quantity.columns}
    assert read == set(case_columns()), "a column that no quantity reads"
    for quantity in quantities().values():
        for column in filter(None, (quantity.value, quantity.where, quantity.column)):
            assert column in case_columns()
        if quantity.only:
            assert set(quantity.only) <= set(case_columns()[quantity.column].values)
