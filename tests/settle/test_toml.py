"""TOML as we write it is read back by the standard library to the same values."""

import datetime
import tomllib
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from drgdip._toml import Inline, dumps

TEXTS = st.text(max_size=8)
PLAIN = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number.adjusted()) < 40),
    st.dates(),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXTS, inner, max_size=3),
        st.dictionaries(TEXTS, inner, max_size=3).map(Inline),
    ),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_table_is_read_back(table):
    assert tomllib.loads(dumps(table), parse_float=Decimal) == table


def test_how_it_looks():
    table = {
        "id": "a",
        "note": None,
        "from": datetime.date(2025, 1, 1),
        "weird key": "\x7f",
        "ratio": Inline(value=Decimal("0.90"), source="§"),
        "section": {"split": [], "inner": {"a": [1, Inline(b=None, c=True)]}},
        "row": [{"id": "x", "counts": {"n": 1}}, {"id": "y"}],
    }
    assert dumps(table) == (
        'id = "a"\n'
        "from = 2025-01-01\n"
        '"weird key" = "\\u007F"\n'
        'ratio = { value = 0.90, source = "§" }\n'
        "\n[section]\nsplit = []\n[section.inner]\na = [1, { c = true }]\n"
        '\n[[row]]\nid = "x"\n[row.counts]\nn = 1\n'
        '\n[[row]]\nid = "y"\n'
    )
