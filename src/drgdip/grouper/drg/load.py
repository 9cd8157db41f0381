"""Loading grouping schemes strictly: every cross-reference and count is checked."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from drgdip._once import once
from drgdip.data import ROOT, check_digest, index_of, info_of
from drgdip.errors import RuleError, SchemeError
from drgdip.grouper.drg.model import (
    COUNTS,
    KINDS,
    Adrg,
    Drg,
    Evaluation,
    Mdc,
    SchemeTables,
    SeverityCode,
    names_of,
    options_of,
    rules_of,
    severity_rows,
    variables_of,
)
from drgdip.grouper.drg.overlay import changed_codes, changed_rows
from drgdip.grouper.facts import signed_columns
from drgdip.grouper.grammar import ALWAYS, LEVELS, VALUE_VARIABLES, Rule, parse, sets_of, walk
from drgdip.grouper.loading import TYPE_WORDS, check_counts, check_head, entry_of, grouped_codes, is_path
from drgdip.grouper.tables import COLUMNS, OPTIONAL, OVERLAY, Table, read_folder, read_table, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from drgdip.data import SchemeInfo

__all__ = ["load_folder", "load_packaged", "scheme_of"]


@once
def load_packaged(scheme_id: str) -> SchemeTables:
    """Return a scheme of the package by its id."""
    return load_folder(ROOT / "drg" / scheme_id, entry_of("scheme", scheme_id))


def load_folder(folder: Path, expected: SchemeInfo | None = None) -> SchemeTables:
    """Return the scheme in a folder; one of the package must have the digest that the index expects."""
    head_path = folder / "scheme.toml"
    head = read_toml(head_path)
    base = _base(head_path, head)
    tables, digest = read_folder(folder, OVERLAY, base.info.sha256) if base else read_folder(folder)
    check_digest(folder, digest, expected)
    return scheme_of(head_path, head, tables, base=base, sha256=digest, folder=folder)


def scheme_of(
    path: Path,
    head: Mapping[str, Any],
    tables: Mapping[str, Table],
    *,
    base: SchemeTables | None = None,
    sha256: str,
    folder: Path,
    list_closed: bool = False,
) -> SchemeTables:
    """Return a scheme from its head, which errors call ``path``, and its tables as read.

    ``list_closed`` lists rows behind an unconditional one as unreachable instead of refusing them.
    """
    check_head(path, head, "evaluation", () if base is None else _INHERITED)
    if base is not None:
        head = {**_inherited(base), **head, "evaluation": options_of(base) | head.get("evaluation", {})}
    info = dataclasses.replace(info_of(head), sha256=sha256)
    if base is None:
        sets, exclusions = grouped_codes(tables["sets.csv"]), grouped_codes(tables["exclusions.csv"])
        severity = _severity(tables["severity.csv"], exclusions)
    else:
        sets, exclusions, severity = _assembled(base, tables)
        tables = {name: read_table(base.folder / name) for name in _SMALL if name not in tables} | dict(tables)
    evaluation = _evaluation(path, head["evaluation"])
    mdcs = _mdcs(tables, sets)
    scheme = SchemeTables(
        info=info,
        evaluation=evaluation,
        mdcs=mdcs,
        sets=sets,
        severity=severity,
        exclusions=exclusions,
        notes=MappingProxyType(head.get("notes", {})),
        names=names_of(mdcs),
        variables=variables_of(mdcs, evaluation.required),
        signed=signed_columns(rules_of(mdcs)),
        annexes=MappingProxyType({name: tables[name] for name in OPTIONAL if name in tables}),
        not_grouped=_not_grouped(tables.get("not_grouped.csv"), base),
        basic_groups=_basic_groups(tables.get("basic_groups.csv"), base, mdcs),
        folder=folder,
    )
    _check_variables(path, scheme, head["evaluation"].get("variables"))
    if list_closed:
        scheme = dataclasses.replace(scheme, annexes=_with_closed(scheme))
    else:
        _check_reachable(scheme, tables)
    check_counts(path, scheme.info.counts, COUNTS, scheme)
    return scheme


def _not_grouped(table: Table | None, base: SchemeTables | None) -> Mapping[str, frozenset[str]]:
    """Return the codes that take no part in grouping, by kind; those of the base where a place lists none."""
    if table is None:
        return MappingProxyType({}) if base is None else base.not_grouped
    for index, kind in enumerate(table.columns["kind"]):
        if kind not in _NOT_GROUPED:
            fix = f"The kinds are {' and '.join(_NOT_GROUPED)}"
            raise table.error("unknown_value", index, f"kind {kind!r}", fix)
    return grouped_codes(table)


def _basic_groups(table: Table | None, base: SchemeTables | None, mdcs: tuple[Mdc, ...]) -> tuple[str, ...]:
    """Return the basic groups; those of the base that a place still has where it lists none."""
    known = {drg.code for mdc in mdcs for adrg in mdc.adrgs for drg in adrg.drgs}
    if table is None:
        return () if base is None else tuple(code for code in base.basic_groups if code in known)
    for index, code in enumerate(table.columns["code"]):
        if code not in known:
            raise table.error(
                "unknown_value", index, f"basic group {code!r} is no DRG", "Mend the code or drop the row"
            )
    return tuple(sorted(table.columns["code"]))


#: Kinds of codes that may take no part in grouping.
_NOT_GROUPED = ("diagnosis", "procedure")
#: Tables that a local scheme has whole, or takes whole from its base.
_SMALL = ("mdc.csv", "adrg.csv", "drg.csv")
#: Keys of scheme.toml that a local scheme takes from its base where it does not state them.
_INHERITED = ("diagnosis_codes", "procedure_codes", "evaluation")


def _base(path: Path, head: Mapping[str, Any]) -> SchemeTables | None:
    """Return the scheme that a local one extends: one of the package, or a folder by its path from the local one."""
    name = head.get("extends")
    if name is None:
        return None
    if not isinstance(name, str):
        raise SchemeError("bad_value", f"extends is {name!r}", file=path, fix=f"Give {TYPE_WORDS[str]}")
    packaged = not is_path(name)
    fix = "Give the id of a national scheme, or the path of a scheme's folder from this one"
    if packaged and name not in index_of("scheme"):
        raise SchemeError("unknown_base", f"it extends {name!r}, which is no scheme", file=path, fix=fix)
    folder = ROOT / "drg" / name if packaged else path.parent / name
    if not folder.is_dir():
        raise SchemeError("unknown_base", f"it extends {name!r}, where there is no folder", file=path, fix=fix)
    if "extends" in read_toml(folder / "scheme.toml"):
        what = f"it extends {name!r}, which extends another scheme itself"
        raise SchemeError("unknown_base", what, file=path, fix="Extend the scheme that stands alone")
    return load_packaged(name) if packaged else load_folder(folder)


def _inherited(base: SchemeTables) -> dict[str, Any]:
    return {"diagnosis_codes": base.info.diagnosis_codes, "procedure_codes": base.info.procedure_codes}


def _assembled(
    base: SchemeTables, changes: Mapping[str, Table]
) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]], Mapping[str, SeverityCode]]:
    """Return sets, exclusion tables and severity codes of a base after the changes of a local scheme."""
    sets, exclusions, severity = base.sets, base.exclusions, base.severity
    if "sets.csv" in changes:
        sets = MappingProxyType(changed_codes(sets, changes["sets.csv"]))
    if "exclusions.csv" in changes:
        exclusions = MappingProxyType(changed_codes(exclusions, changes["exclusions.csv"]))
    if "severity.csv" in changes:
        severity = _severity(changed_rows(severity_rows(base), changes["severity.csv"]), exclusions)
    elif "exclusions.csv" in changes:
        lost = {entry.exclusion for entry in severity.values()} - {"", *exclusions}
        if lost:
            what = f"exclusion table {min(lost)} is taken away, but severity codes of the base name it"
            fix = "Keep the table, or change those codes in severity.csv"
            raise SchemeError("unknown_exclusion", what, file=changes["exclusions.csv"].path, fix=fix)
    return sets, exclusions, severity


def _evaluation(path: Path, options: Mapping[str, Any]) -> Evaluation:
    types = {
        "mdc_fallthrough": bool,
        "adrg_fallthrough": bool,
        "ungroupable": str,
        "required": list,
        "retry_other_procedures": bool,
        "blank_principal_diagnosis": bool,
        "newborn_weight": str,
    }
    for key, value in options.items():
        if key == "variables":
            continue
        if key not in types:
            fix = f"The options are {', '.join(types)} and variables"
            raise SchemeError("unknown_key", f"unknown option {key!r} in [evaluation]", file=path, fix=fix)
        if not isinstance(value, types[key]):
            what = f"{key} in [evaluation] is {value!r}"
            raise SchemeError("bad_value", what, file=path, fix=f"Give {TYPE_WORDS[types[key]]}")
    for key in list(types)[:4]:
        if key not in options:
            raise SchemeError("missing_key", f"{key!r} is missing in [evaluation]", file=path, fix="Add it")
    if options.get("newborn_weight", "birth") not in {"birth", "admission"}:
        what = f"newborn_weight in [evaluation] is {options['newborn_weight']!r}"
        raise SchemeError("bad_value", what, file=path, fix="Give birth or admission")
    for variable in options["required"]:
        if variable not in ("ZYZD", "ZYSS", *VALUE_VARIABLES):
            what = f"unknown variable {variable!r} among the required ones"
            fix = f"The variables are ZYZD, ZYSS, {', '.join(VALUE_VARIABLES)}"
            raise SchemeError("unknown_variable", what, file=path, fix=fix)
    values = {key: value for key, value in options.items() if key in types}
    return Evaluation(**(values | {"required": tuple(options["required"])}))


def _severity(table: Table, exclusions: Mapping[str, frozenset[str]]) -> Mapping[str, SeverityCode]:
    kept: dict[tuple[tuple[str, ...], str], SeverityCode] = {}
    codes: dict[str, SeverityCode] = {}
    for index, (code, level, exclusion) in enumerate(table.rows):
        if level not in LEVELS:
            what = f"level {level!r} of {code}"
            raise table.error("unknown_value", index, what, f"The levels are {' and '.join(LEVELS)}")
        if exclusion and exclusion not in exclusions:
            what = f"{code} names exclusion table {exclusion!r}, which has no row in exclusions.csv"
            raise table.error("unknown_exclusion", index, what, "Add the table, or leave the cell empty")
        levels: tuple[str, ...] = (level,)
        if code in codes:
            levels = LEVELS
            if codes[code].exclusion != exclusion:
                what = f"{code} is {' and '.join(LEVELS)}, but its rows name different exclusion tables"
                raise table.error("duplicate", index, what, "Let both rows name one table, or keep one of them")
        codes[code] = kept.setdefault((levels, exclusion), SeverityCode(levels, exclusion))
    return MappingProxyType(codes)


def _mdcs(tables: Mapping[str, Table], sets: Mapping[str, frozenset[str]]) -> tuple[Mdc, ...]:
    """Return the three rule tables as a tree, children in order."""
    mdc_table, adrg_table, drg_table = (tables[name] for name in ("mdc.csv", "adrg.csv", "drg.csv"))
    adrg_codes = set(adrg_table.columns["code"])
    mdc_codes = set(mdc_table.columns["code"])
    rules = _Rules(sets)

    drgs: dict[str, list[tuple[int, Drg]]] = {}
    for index, (code, name, adrg, order, text) in enumerate(drg_table.rows):
        if adrg not in adrg_codes:
            what = f"DRG {code} belongs to ADRG {adrg!r}, which is not in adrg.csv"
            raise drg_table.error("unknown_parent", index, what, "Add the ADRG or mend the code")
        row = Drg(code, name, adrg, _order(drg_table, index, order), rules.read(drg_table, index, text))
        drgs.setdefault(adrg, []).append((index, row))
    children = {adrg: _in_order(drg_table, adrg, rows) for adrg, rows in drgs.items()}

    adrgs: dict[str, list[tuple[int, Adrg]]] = {}
    for index, (code, name, mdc, order, kind, text, result_mdc) in enumerate(adrg_table.rows):
        if mdc not in mdc_codes:
            what = f"ADRG {code} belongs to MDC {mdc!r}, which is not in mdc.csv"
            raise adrg_table.error("unknown_parent", index, what, "Add the MDC or mend the code")
        if kind not in KINDS:
            what = f"kind {kind!r} of ADRG {code}"
            raise adrg_table.error("unknown_value", index, what, f"The kinds are {', '.join(KINDS)}")
        if result_mdc and result_mdc not in mdc_codes:
            what = f"the result of ADRG {code} is to name MDC {result_mdc!r}, which is not in mdc.csv"
            raise adrg_table.error("unknown_parent", index, what, "Mend result_mdc, or leave it empty for its own MDC")
        number = _order(adrg_table, index, order)
        rule = rules.read(adrg_table, index, text)
        entry = Adrg(code, name, mdc, number, kind, rule, result_mdc or mdc, children.get(code, ()))
        adrgs.setdefault(mdc, []).append((index, entry))
    under = {mdc: _in_order(adrg_table, mdc, rows) for mdc, rows in adrgs.items()}

    mdcs = []
    for index, (code, name, order, text) in enumerate(mdc_table.rows):
        if code not in under:
            what = f"MDC {code} has no ADRG"
            raise mdc_table.error("unknown_parent", index, what, "Add its ADRGs to adrg.csv or drop the row")
        rule = rules.read(mdc_table, index, text)
        mdcs.append((index, Mdc(code, name, _order(mdc_table, index, order), rule, under[code])))
    return _in_order(mdc_table, "the scheme", mdcs)


class _Rules:
    """Reads rules, each text once, and checks the sets they name."""

    def __init__(self, sets: Mapping[str, frozenset[str]]) -> None:
        self.sets = sets
        self.read_already: dict[str, Rule] = {}

    def read(self, table: Table, index: int, text: str) -> Rule:
        if text in self.read_already:
            return self.read_already[text]
        code = table.columns["code"][index]
        try:
            rule = parse(text)
        except RuleError as error:
            what = f"the rule of {code} cannot be read: {error}\n"
            raise table.error(
                "bad_rule", index, what, "Mend the rule; the language is in docs/scheme-format.md"
            ) from error
        for node in walk(rule):
            for name in sets_of(node):
                if name not in self.sets:
                    what = f"the rule of {code} names set {name!r}, which has no row in sets.csv"
                    raise table.error("unknown_set", index, what, "Add the set or mend the name")
        self.read_already[text] = rule
        return rule


def _order(table: Table, index: int, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise table.error("bad_number", index, f"order {text!r} is not a whole number", "Count from 1 in the parent")
    return int(text)


_Row = TypeVar("_Row", Mdc, Adrg, Drg)


def _in_order(table: Table, parent: str, rows: list[tuple[int, _Row]]) -> tuple[_Row, ...]:
    rows = sorted(rows, key=lambda item: item[1].order)
    for expected, (index, row) in enumerate(rows, start=1):
        if row.order != expected:
            what = f"order {row.order} in {parent} where {expected} should be"
            raise table.error("bad_order", index, what, "Count the rows of a parent from 1 without gaps")
    return tuple(row for _, row in rows)


def _check_variables(path: Path, scheme: SchemeTables, stated: list[str] | None) -> None:
    if stated is None:
        return
    used = scheme.variables & VALUE_VARIABLES.keys()
    if set(stated) != used:
        what = f"[evaluation] states the variables {', '.join(sorted(stated))}; the rules use {', '.join(sorted(used))}"
        raise SchemeError("unknown_variable", what, file=path, fix="State what the rules use, or leave the key out")


def _check_reachable(scheme: SchemeTables, tables: Mapping[str, Table]) -> None:
    """Refuse rows behind an unconditional one, unless they are listed in unreachable.csv."""
    annex = scheme.annexes.get("unreachable.csv")
    listed = {row[:3] for row in annex.rows} if annex else set()
    if annex:
        _check_listed(scheme, annex)
    for name, parent, order, code, closed in _closed_rows(scheme):
        if (name, parent, order) not in listed:
            table = tables[f"{name}.csv"]
            parents = table.columns[{"adrg": "mdc", "drg": "adrg"}[name]]
            orders = map(int, table.columns["order"])
            index = list(zip(parents, orders, strict=True)).index((parent, int(order)))
            what = f"{code} can never be reached: {closed} before it in {parent} takes every case"
            fix = f"Mend the order or the rules, or list it in unreachable.csv as {name},{parent},{order}"
            raise table.error("unreachable", index, what, fix)


def _check_listed(scheme: SchemeTables, annex: Table) -> None:
    """Refuse rows of unreachable.csv that name no row of the scheme."""
    rows = {("adrg", adrg.mdc, str(adrg.order), adrg.code) for adrg in scheme.adrgs}
    rows |= {("drg", adrg.code, str(drg.order), drg.code) for adrg in scheme.adrgs for drg in adrg.drgs}
    for index, row in enumerate(annex.rows):
        if row[:4] not in rows:
            what = f"{','.join(row[:4])}: the scheme has no such row"
            raise annex.error("absent_row", index, what, "Drop the row or mend it")


def _closed_rows(scheme: SchemeTables) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the rows behind an unconditional one: table, parent, order, code, and the code of that one."""

    def closed_in(name: str, parent: str, rows: Iterable[Adrg | Drg], ends: Callable[[Any], bool]) -> Iterator[Any]:
        closed = ""
        for row in rows:
            if closed:
                yield name, parent, str(row.order), row.code, closed
            elif ends(row):
                closed = row.code

    def takes_all(adrg: Adrg) -> bool:
        if adrg.rule != ALWAYS:
            return False
        return not scheme.evaluation.adrg_fallthrough or any(drg.rule == ALWAYS for drg in adrg.drgs)

    for mdc in scheme.mdcs:
        yield from closed_in("adrg", mdc.code, mdc.adrgs, takes_all)
    for adrg in {adrg.code: adrg for adrg in scheme.adrgs}.values():
        yield from closed_in("drg", adrg.code, adrg.drgs, lambda drg: drg.rule == ALWAYS)


def _with_closed(scheme: SchemeTables) -> Mapping[str, Table]:
    """Return the annexes with the rows behind unconditional ones listed."""
    rows = [(*row, f"{closed} before it takes every case") for *row, closed in _closed_rows(scheme)]
    if not rows:
        return scheme.annexes
    columns = {
        name: list(cells) for name, cells in zip(COLUMNS["unreachable.csv"], zip(*rows, strict=True), strict=True)
    }
    return MappingProxyType({**scheme.annexes, "unreachable.csv": Table(scheme.folder / "unreachable.csv", columns)})
