"""The pages on settlement equal the data: presets, what must be given, fields, names."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from drgdip import settle
from drgdip.settle import Policy, list_policies
from drgdip.settle.policies import policy_text

PAGES = Path(__file__).parent.parent.parent / "docs" / "settlement"
TEXT = "".join(page.read_text(encoding="utf-8") for page in sorted(PAGES.glob("*.md")))
MEASURES = list_policies().row("measures-2025-drg").source


def table_below(text, heading):
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in row.split("|")[1:-1]) for row in rows]


def shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def cited(values, path=""):
    for name, value in values.items():
        if isinstance(value, dict) and "source" in value:
            note = f" ({value['note']})" if "note" in value else ""
            yield f"`{path}{name}`", shown(value["value"]), value["source"] + note, value["grade"]
        elif isinstance(value, dict) and name != "needs":
            yield from cited(value, f"{path}{name}.")


@pytest.mark.parametrize("name", list_policies()["id"])
def test_the_page_of_a_preset_equals_its_file(name):
    values = tomllib.loads(policy_text(name), parse_float=Decimal)
    text = (PAGES / f"{name.partition('-')[0]}.md").read_text(encoding="utf-8")
    rows = list(cited(values))
    # A place's page keeps the national rules apart from those of its own documents.
    national = [row for row in rows if row[2].startswith(MEASURES) and not values["source"].startswith(MEASURES)]
    assert table_below(text, f"{name}: from the documents") == [row for row in rows if row not in national]
    assert table_below(text, f"{name}: national rules") == national
    assert table_below(text, f"{name}: to be given") == [(f"`{key}`", why) for key, why in values["needs"].items()]


def test_every_preset_is_listed():
    text = (PAGES / "policies.md").read_text(encoding="utf-8")
    rows = [row for row in table_below(text, "Presets") if row]
    assert [row[0].strip("`") for row in rows] == list_policies()["id"]


def test_every_field_of_a_policy_is_on_the_page():
    fields = set()
    for name, field in Policy.model_fields.items():
        if name == "citations":
            continue
        inner = [
            kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(kind, type)
        ]
        sections = [kind for kind in inner if issubclass(kind, BaseModel)]
        if sections and name != "rates":
            fields |= {f"{name}.{part}" for part in sections[0].model_fields}
        else:
            fields.add(name)
    text = (PAGES / "policies.md").read_text(encoding="utf-8")
    told = {name for row in table_below(text, "Fields") for name in re.findall(r"`([a-z_.]+)`", row[0])}
    assert told == fields


def test_every_name_of_settlement_is_on_a_page():
    assert [name for name in settle.__all__ if f"`{name}" not in TEXT and f"{name}(" not in TEXT] == []
