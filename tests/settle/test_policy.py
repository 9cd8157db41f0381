"""Policies: read, written, cited, filled in by hand where documents say nothing, and refused when they contradict."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from settle_city import GIVEN

from drgdip import settle
from drgdip.errors import PolicyError, UnknownNameError
from drgdip.settle import Policy, draft_policy, list_policies, load_policy, read_policy

EXAMPLE = "docs/examples/policy.toml"


D = Decimal


def values(**changed):
    base = {
        "id": "t",
        "title": "t",
        "family": "drg",
        "pools": ["a", "b"],
        "form": "floating",
        "points": {"scale": 100},
        "cases": {"payable": "residual"},
        "month": {"ratio": Decimal("0.9")},
        "year": {"fund": "budget"},
    }
    return {**base, **changed}


def shared(**changed):
    bands = [{"hospitals": Decimal("0.8")}]
    return {"fund": "shared", "spending": "booked", "surplus": bands, "overspend": bands} | changed


def test_every_preset_has_what_it_leaves_open_listed_and_given_here():
    assert sorted(GIVEN) == list_policies()["id"]
    for row in list_policies():
        assert sorted(row.needs) == sorted(GIVEN[row.id])


@pytest.mark.parametrize("name", GIVEN)
def test_every_number_of_a_preset_has_its_source_or_is_the_users(name):
    policy = load_policy(name, **GIVEN[name])
    assert policy.uncited == []
    own = {path for path, citation in policy.citations.items() if citation.source == "given by the user"}
    assert own, "a preset without open numbers would not need this test"
    for path, citation in policy.citations.items():
        assert citation.source
        assert path in own or citation.grade in {"A", "B", "C"}


@pytest.mark.parametrize("name", GIVEN)
def test_presets_survive_their_own_toml(name, tmp_path):
    policy = load_policy(name, **GIVEN[name])
    path = tmp_path / "policy.toml"
    path.write_text(policy.to_toml(), encoding="utf-8")
    assert read_policy(path) == policy


def test_the_example_survives_its_own_toml(tmp_path):
    policy = read_policy(EXAMPLE)
    (tmp_path / "policy.toml").write_text(policy.to_toml(), encoding="utf-8")
    assert read_policy(tmp_path / "policy.toml") == policy
    assert policy.citations["year.surplus"].grade == "A"
    assert "month.ratio" in policy.uncited
    assert "year.surplus" not in policy.uncited


@given(st.text(max_size=20), st.decimals(0, 1, places=6).filter(bool))
def test_any_text_and_number_survives_toml(text, number):
    policy = Policy.of(values(title=text, month={"ratio": {"value": number, "source": text or "x", "note": text}}))
    import tomllib

    assert Policy.of(tomllib.loads(policy.to_toml(), parse_float=Decimal)) == policy


def test_a_preset_asks_for_all_that_is_open_and_for_nothing_else():
    with pytest.raises(PolicyError, match=r"leave open what must be given: .*month_ratio \(the share of a month"):
        load_policy("jinhua")
    with pytest.raises(UnknownNameError, match="'month_ration'.*Did you mean 'month_ratio'"):
        load_policy("jinhua", month_ration=1)
    with pytest.raises(UnknownNameError, match="Did you mean 'jinhua'"):
        load_policy("jinhau")


def test_replacing_a_section_takes_its_citations_along():
    policy = load_policy("jinhua", **GIVEN["jinhua"])
    changed = policy.replace(year={"fund": "budget"}, id="mine")
    assert (changed.id, changed.year.fund) == ("mine", "budget")
    assert [path for path in changed.citations if path.startswith("year")] == []
    assert changed.uncited == ["year.fund"]
    assert changed.citations["points.scale"] == policy.citations["points.scale"]
    assert policy.replace() == policy


def test_a_preset_file_is_no_policy_yet():
    from drgdip.data import ROOT

    with pytest.raises(PolicyError, match="leaves open pools"):
        read_policy(ROOT / "policies" / "jinhua.toml")


BAD = {
    "a float": (values(month={"ratio": 0.9}), r"month.ratio: is a float.*Decimal\('0.9'\)"),
    "a ratio above 1": (
        values(month={"ratio": Decimal("1.2")}),
        r"month.ratio: is 1.2; it should be less than or equal to 1",
    ),
    "a word for a number": (values(month={"ratio": "much"}), "month.ratio: is much; it should be a valid decimal"),
    "a flag for a number": (values(month={"ratio": True}), "month.ratio: is true or false"),
    "a missing section": ({k: v for k, v in values().items() if k != "month"}, "month: is missing"),
    "an unknown field": (values(month={"ratio": 1, "retio": 1}), "month.retio: there is no such field"),
    "an unknown form": (values(form="float"), "form: is float; it should be 'fixed', 'floating' or 'elastic'"),
    "no pools": (values(pools=[]), "pools: .*at least 1"),
    "a pool twice": (values(pools=["a", "a"]), "has one twice"),
    "dates exchanged": (values(valid_from="2025-01-01", valid_to="2024-01-01"), "is after valid_to"),
    "fixed without rates": (values(form="fixed"), "rates: form = fixed needs them"),
    "a rate of another pool": (values(rates=[{"pool": "c", "base_rate": 1}]), "rates: names the pool 'c'"),
    "a rate of 0": (values(rates=[{"base_rate": 0}]), "rates.0.base_rate: is 0; it should be greater than 0"),
    "elastic without its section": (values(form="elastic"), "belong together"),
    "elastic points of one pool": (
        values(form="elastic", elastic={"base_share": Decimal("0.8"), "base_points": {"a": 1}}),
        "points of the base volume of every pool",
    ),
    "elastic with bands": (
        values(form="elastic", year=shared(), elastic={"base_share": D("0.8"), "base_points": {"a": 1, "b": 1}}),
        "shares the budget in its own way",
    ),
    "payable that does not float": (values(cases={"payable": "item"}), "does not float"),
    "standards that float": (values(year={"fund": "standards"}), "fixed standards"),
    "several bands and no way": (
        values(year=shared(surplus=[{"until": Decimal("0.1"), "hospitals": 1}, {"hospitals": 0}])),
        r"year: bands: there are several: say marginal \(each stretch has its own share\) or whole",
    ),
    "readmissions half said": (
        values(readmission={"days": 10, "factor": D("0.5")}),
        "readmission.same: is missing.*readmission.reduced: is missing.*readmission.except_for: is missing",
    ),
    "a budget for care that is not named": (
        values(cases={"payable": "residual", "cross_region_budget": "local"}),
        "cross_region is missing",
    ),
    "local values from the local budget": (
        values(cases={"payable": "residual", "cross_region": "value", "cross_region_budget": "local"}),
        "is what same does under form = floating",
    ),
    "lists that may be late": (
        values(calendar={"upload_days": 7}),
        r"month.late: calendar.upload_days = 7 makes lists late: say suspend \(the list waits\), suspend_hospital",
    ),
    "bands that do not rise": (
        values(year=shared(surplus=[{"until": 1, "hospitals": 1}, {"until": 1, "hospitals": 0}, {"hospitals": 1}])),
        "until must rise",
    ),
    "a last band with an edge": (values(year=shared(surplus=[{"until": 1, "hospitals": 1}])), "the last has none"),
    "a first band without edge": (
        values(year=shared(surplus=[{"hospitals": 1}, {"hospitals": 0}])),
        "every one but the last",
    ),
    "a share above 1": (values(year=shared(overspend=[{"hospitals": 2}])), "overspend.0.hospitals: is 2"),
    "bands without sharing": (
        values(year={"fund": "budget", "surplus": [{"hospitals": 1}]}),
        "contradict fund = budget",
    ),
    "sharing without bands": (values(year={"fund": "shared"}), "needs spending"),
    "appraisal exchanged": (
        values(appraisal={"lowest": 2, "highest": 1, "difference": "fund"}),
        "lowest = 2 is above highest = 1",
    ),
    "fixed rates for nobody": (values(cases={"payable": "ratio", "cross_region": "fixed"}), "belong together"),
    "ratio without shares": (
        values(form="fixed", rates=[{"base_rate": 1}], cases={"payable": "ratio"}, year={"fund": "budget"}),
        "the fund's share of every pool",
    ),
    "an unknown outlier variant": (values(outliers={"variant": "dip-9"}), "outlier policy 'dip-9'"),
    "an open outlier variant": (values(outliers={"variant": "jilin-2022"}), "leave open"),
    "a formula that cannot be read": (values(points={"scale": 1, "coefficients": "level *"}), "formula cannot be read"),
    "a wrong date": (values(calendar={"clear_by": "March"}), "calendar.clear_by: is March"),
    "a wrong day": (values(calendar={"presettle_day": 32}), "calendar.presettle_day"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_policies_name_the_field_and_what_is_expected(name):
    bad, message = BAD[name]
    with pytest.raises(PolicyError, match=message):
        Policy.of(bad)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"id = ", "is no TOML"), (b"\xff", "cannot be read"), (None, "cannot be read: No such file")],
)
def test_files_that_are_no_policy(content, message, tmp_path):
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError, match=message):
        read_policy(path)


def test_the_id_of_a_policy_of_the_library_is_no_file():
    message = r"load_policy\('jilin-dip', …\) makes it, and `drgdip policies show jilin-dip` prints its file"
    with pytest.raises(PolicyError, match=message):
        read_policy("jilin-dip")


# Drafts


@pytest.mark.parametrize("name", GIVEN)
def test_a_draft_that_is_filled_in_is_the_policy(name, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(draft_policy(name, **GIVEN[name]), encoding="utf-8")
    assert "$" not in path.read_text(encoding="utf-8")
    assert read_policy(path) == load_policy(name, **GIVEN[name])


@pytest.mark.parametrize("name", GIVEN)
def test_a_draft_marks_what_is_open_and_is_refused_until_it_is_filled_in(name, tmp_path):
    text = draft_policy(name)
    assert text.count("# to fill in (待填): ") == len(GIVEN[name])
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"leaves open .*month\.ratio.*: write a value in the place of each"):
        read_policy(path)


def test_a_draft_asks_for_nothing_else():
    with pytest.raises(UnknownNameError, match="Did you mean 'month_ratio'"):
        draft_policy("jinhua", month_ration=1)


def test_the_command_line_drafts(capsys):
    from drgdip.cli import main

    assert main(["policies", "draft", "yunnan"]) == 0
    assert capsys.readouterr().out == draft_policy("yunnan")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rounding": {"points": 12, "values": 12}}, "points = 12 and values = 12: together"),
        ({"rounding": {"points": 0, "values": 1}}, "together they must be from 2 to 20"),
        ({"cases": {"payable": "residual", "bed_day_rates": {"resident": D("0.005")}}}, "bed_day_rates.resident"),
        ({"month": {"ratio": D("0.1234567890123")}}, "month.ratio"),
        ({"rates": [{"base_rate": D(10) ** 200}]}, "cannot be held in the 8 decimals of rounding"),
        ({"rates": [{"base_rate": D("0.000000001")}]}, "cannot be held in the 8 decimals of rounding"),
    ],
)
def test_numbers_that_cannot_be_held_are_refused_when_the_policy_is_read(changed, message):
    with pytest.raises(PolicyError, match=message):
        read_policy("docs/examples/policy.toml").replace(**changed)


# A policy is no place for numbers that nothing reads

#: Fields that are facts of a place, and decide nothing yet.
FACTS = {"place", "note"}


def attributes_read():
    """The names of attributes that the code of settlement reads; a check of a section on itself is no use of it."""
    found = set()
    for path in sorted(Path(settle.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checks = {
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            and any("model_validator" in ast.unparse(one) for one in node.decorator_list)
        }
        within = {id(inner) for check in checks for inner in ast.walk(check)}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in within]
        # Fields that are looked up by name, through a function of the module.
        found |= {one.value for call in calls for one in call.args if isinstance(one, ast.Constant)}
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in within}
    return found


def fields_of(model, path=""):
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if sections and not name.endswith("rates"):
            yield from fields_of(sections[0], f"{path}{name}.")
        else:
            yield f"{path}{name}", name


def test_every_field_of_a_policy_is_read_by_something():
    read = attributes_read()
    unread = {path for path, name in fields_of(Policy) if name not in read}
    assert unread <= FACTS, unread - FACTS
