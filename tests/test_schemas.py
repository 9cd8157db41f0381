"""JSON schemas, dictionaries of results, and listings of reasons."""

from __future__ import annotations

import json

import pytest

import drgdip
from drgdip import REASONS, STATUSES, DipResult, GroupResult, UnknownNameError, describe_reason
from drgdip.data import rows_of
from drgdip.reasons import AREAS

CASES = [
    {"sex": 2, "age": 59, "dx": ["K22.301", "J96.900"], "procs": ["42.0902"]},
    {"sex": 1, "age": 59, "dx": ["Z99.999"], "procs": []},
    {"sex": 0, "age": 59, "dx": ["K22.301"], "procs": []},
    {"sex": 1, "age": 59, "dx": ["A49.100"], "procs": []},
]
KINDS = {"string": str, "boolean": bool, "null": type(None)}


def fits(value, schema):
    """Whether a dictionary fits the few words that the schemas of results use."""
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    if set(value) != set(schema["properties"]) or set(schema["required"]) != set(value):
        return False
    for name, part in schema["properties"].items():
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        if type(value[name]) not in {KINDS[kind] for kind in kinds}:
            return False
        if value[name] not in part.get("enum", [value[name]]):
            return False
    return True


@pytest.mark.parametrize(
    ("scheme", "name", "kind"),
    [
        ("chs-drg-2.0", "group_result", GroupResult),
        ("nhsa-dip-2.0", "dip_result", DipResult),
        ("nhsa-dip-3.0", "dip_result", DipResult),
    ],
)
def test_results_fit_their_schema(scheme, name, kind):
    schema = drgdip.make_json_schema(name)
    assert schema["title"] == kind.__name__
    assert list(schema["properties"]) == list(kind._fields)
    for case in CASES:
        result = drgdip.group_one(case, scheme)
        assert isinstance(result, kind)
        plain = json.loads(json.dumps(result.to_dict()))
        assert plain == result.to_dict() == dict(zip(kind._fields, result, strict=True))
        assert fits(plain, schema)
    assert not fits(plain | {"status": "lost"}, schema)
    assert not fits(plain | {"more": 1}, schema)
    assert schema["properties"]["status"]["enum"] == list(STATUSES)
    assert schema["properties"]["reason"]["enum"] == [*REASONS, None]


def test_the_schema_of_a_case():
    schema = drgdip.make_json_schema("case")
    assert list(schema["properties"]) == list(drgdip.Case.model_fields)
    assert schema["$schema"] == drgdip.make_json_schema("dip_result")["$schema"]
    assert json.loads(json.dumps(schema)) == schema


def test_an_unknown_schema():
    with pytest.raises(UnknownNameError, match="there is no JSON schema 'group'") as caught:
        drgdip.make_json_schema("group")
    assert "group_result" in caught.value.nearest


def test_reasons_are_listed_by_area():
    every = drgdip.list_reasons()
    assert [reason.code for reason in every] == [row["code"] for row in rows_of("reasons.csv")]
    assert every.columns == ("code", "areas", "level", "english", "chinese")
    assert drgdip.list_reasons("grouping")["code"] == list(REASONS)
    assert {area for reason in every for area in reason.areas} <= set(AREAS)
    for reason in every:
        assert reason in list(drgdip.list_reasons(reason.areas[0]))
        assert describe_reason(reason.code) == reason.english.replace("{}", "")
    with pytest.raises(UnknownNameError, match="there is no area 'group'"):
        drgdip.list_reasons("group")


def test_a_reason_about_columns():
    assert describe_reason("unusable_value:los, age") == "the value of los, age cannot be used"
    assert describe_reason("unusable_value:los", "zh") == "los的值无法使用"


@pytest.mark.parametrize("name", ["list_schemes", "list_catalogues", "list_checks", "list_reasons"])
def test_listings_are_of_one_kind(name):
    listing = getattr(drgdip, name)()
    assert isinstance(listing, drgdip.Listing)
    assert listing.row(listing[0][0] if isinstance(listing[0], tuple) else listing[0].id) is listing[0]
    assert listing.to_arrow().num_rows == len(listing) == len(repr(listing).splitlines()) - 1
