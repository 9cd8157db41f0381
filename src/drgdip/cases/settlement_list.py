"""Settlement lists (医保基金结算清单) as uploaded by interface 4101A: nested nodes to one record a list.

Flattening would lose the faults of a list's structure (two main diagnoses, a node of the wrong kind). A column of
faults keeps them, and `drgdip.check_cases` reports them by the rules of ``data/checks/checks.csv``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from drgdip._text import is_missing, normalise_code
from drgdip._values import Unreadable, read_day, read_moment, read_yuan
from drgdip.cases.codes import known_codes
from drgdip.cases.fields import FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TCM", "body_of", "flatten", "is_list_name", "is_tcm"]

#: The column that keeps the diagnoses of Chinese medicine, which grouping does not read.
TCM = "tcm_dx"

#: Fields that grouping may need: a list without one has it as missing, as all lists have the same fields.
_FIELDS = ("gend", "age", "nwb_age", "nwb_bir_wt", "nwb_adm_wt", "act_ipt_days", "dscg_way")
_PARTS = ("claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")
_WESTERN = "nhsa-icd10-2.0"
_TCM = re.compile(r"[A-Z]{2,4}[A-Z0-9]{2,5}|[A-Z]\d{2}(\.\d{2}){2,}\.?")
_SHORT_TCM = re.compile(r"[AB]\d{2}\.\d{2}")  # A17.07; of a Western code it may be what a lost zero left
#: Half a fen: sums of amounts that are rounded to fen are exact.
_TOLERANCE = Decimal("0.005")


def body_of(record: object) -> dict[str, Any] | None:
    """Return the nodes of a settlement list by name in small letters, None of another record.

    The list stands alone, or is the ``input`` of a message.
    """
    if not isinstance(record, dict):
        return None
    nodes = _small(record)
    if isinstance(nodes.get("input"), dict):
        nodes = _small(nodes["input"])
    return nodes if "setlinfo" in nodes or "diseinfo" in nodes else None


def is_list_name(name: object) -> bool:
    """Return whether a name in a record is that of a node that makes it a settlement list (`body_of`)."""
    return isinstance(name, str) and name.lower() in {"input", "setlinfo", "diseinfo"}


def flatten(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a settlement list as one record: the fields of ``setlinfo``, codes as lists, sums, and the faults found.

    The main diagnosis and the main procedure stand first, the others in the order of the list. Without any main flag
    the first of the list is the main one. If there are flags but none is 1, there is no main one. Diagnoses of Chinese
    medicine, which may have a main flag of their own, are a list apart (``tcm_dx``): places number ``diag_type``
    differently, so that the codes tell them.
    """
    faults: list[str] = []
    general = nodes.get("setlinfo")
    if isinstance(general, list) and len(general) == 1:
        general = general[0]
    if not isinstance(general, dict):
        faults.append("list_setlinfo")
        general = {}
    row: dict[str, Any] = dict.fromkeys(_FIELDS)
    row |= {name: value for name, value in _small(general).items() if not _nested(value)}
    row["medcasno"] = next(
        (row[name] for name in ("medcasno", "mdtrt_id", "setl_id") if not is_missing(row.get(name))), None
    )

    if nodes.get("diseinfo") is None:
        faults.append("list_diseinfo")
    listed = _items(nodes, "diseinfo", faults)
    chinese = [item for item in listed if is_tcm(item.get("diag_code"), item.get("diag_type"))]
    western = _known_main_first([item for item in listed if item not in chinese])
    flags = any(_text(item.get("maindiag_flag")) for item in listed)
    diagnoses = _in_order(western, "diag_code", "maindiag_flag", "several_main_diagnoses", faults, flagged=flags)
    row[TCM] = [_text(item.get("diag_code")) for item in chinese]
    row["dx"] = [_code(item.get("diag_code")) for item in diagnoses]
    row["dx_conditions"] = [_text(item.get("adm_cond_type")) for item in diagnoses]
    if _text(row.get("diag_code_cnt")) != str(len(listed)):  # some count those of Chinese medicine, some do not
        _compare_count(row, "diag_code_cnt", diagnoses, "diagnosis_count", faults)

    operations = _items(nodes, "oprninfo", faults)
    flag = "main_oprn_flag" if any("main_oprn_flag" in item for item in operations) else "oprn_oprt_type"
    operations = _in_order(operations, "oprn_oprt_code", flag, "several_main_procedures", faults)
    row["procs"] = [_code(item.get("oprn_oprt_code")) for item in operations]
    row["proc_dates"] = [_day_text(item) for item in operations]
    _compare_count(row, "oprn_oprt_code_cnt", operations, "procedure_count", faults)

    _add_intensive_care(row, _items(nodes, "icuinfo", faults), faults)
    _add_items(row, _items(nodes, "iteminfo", faults), faults)
    row[FAULTS] = " ".join(dict.fromkeys(faults)) or None
    return row


def is_tcm(code: object, kind: object = None) -> bool:
    """Return whether a code is one of Chinese medicine: it has the form of one, and the national ICD-10 has no such.

    Forms: GB/T 15657-1995 (BNP120, ZZ…), and the national classification of 2020 (A07.01.01, B04.02.01.03.01). A short
    one (A17.07) counts if its ``diag_type`` is another than 1, which is Western in every numbering.
    """
    if not isinstance(code, str):
        return False
    normalised = normalise_code(code)
    short = _SHORT_TCM.fullmatch(normalised) is not None and _text(kind) not in {None, "1"}
    return (short or _TCM.fullmatch(normalised) is not None) and normalised not in known_codes(_WESTERN)


def _known_main_first(diagnoses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return diagnoses with the first main one that the national ICD-10 knows before other main ones."""
    main = [item for item in diagnoses if _text(item.get("maindiag_flag")) == "1"]
    known = (item for item in main if normalise_code(_text(item.get("diag_code")) or "") in known_codes(_WESTERN))
    first = next(known, None) if len(main) > 1 else None
    return diagnoses if first is None else [first, *(item for item in diagnoses if item is not first)]


def _small(record: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in record.items()}


def _items(nodes: Mapping[str, Any], name: str, faults: list[str]) -> list[dict[str, Any]]:
    """Return the records of a node; one alone is a list of one, and what is no record is left out with a fault."""
    node = nodes.get(name)
    if node is None:
        return []
    listed = node if isinstance(node, list) else [node]
    records = [_small(item) for item in listed if isinstance(item, dict)]
    if len(records) < len(listed):
        faults.append(f"list_{name}")
    return [
        record for record in records if any(not is_missing(value) for value in record.values() if not _nested(value))
    ]


def _nested(value: object) -> bool:
    return isinstance(value, dict | list)


def _in_order(
    items: list[dict[str, Any]], code: str, flag: str, several: str, faults: list[str], *, flagged: bool = False
) -> list[dict[str, Any]]:
    """Return the records with the main one first; an empty one stands for a main one that is not there.

    ``flagged`` says that there are flags elsewhere in the node.
    """
    main = [item for item in items if _text(item.get(flag)) == "1"]
    if len(main) > 1:
        faults.append(several)
    if main:
        return [main[0], *(item for item in items if item is not main[0] and not is_missing(item.get(code)))]
    if flagged or any(_text(item.get(flag)) for item in items):
        return [{}, *(item for item in items if not is_missing(item.get(code)))]
    return items


def _compare_count(
    row: Mapping[str, Any], name: str, items: list[dict[str, Any]], fault: str, faults: list[str]
) -> None:
    stated = _text(row.get(name))
    if stated is not None and stated != str(sum(bool(item) for item in items)):
        faults.append(fault)


def _add_intensive_care(row: dict[str, Any], stays: list[dict[str, Any]], faults: list[str]) -> None:
    """Add the hours in intensive care: the durations (days/hours/minutes), or the times between which they lie."""
    hours = 0.0
    for stay in stays:
        try:
            hours += _hours(stay)
        except (Unreadable, ValueError):
            faults.append("list_icuinfo")
            return
    if stays:
        row["icu_hours"] = hours


def _hours(stay: Mapping[str, Any]) -> float:
    duration = _text(stay.get("scs_cutd_sum_dura"))
    if duration is not None:
        days, hours, minutes = map(int, duration.split("/"))
        return days * 24 + hours + minutes / 60
    entered, left = (read_moment(stay.get(name)) for name in ("scs_cutd_inpool_time", "scs_cutd_exit_time"))
    if entered is None or left is None:
        raise Unreadable("no duration")
    return (left - entered).total_seconds() / 3600.0


def _add_items(row: dict[str, Any], items: list[dict[str, Any]], faults: list[str]) -> None:
    """Add the sum of the amounts, which is the total cost where the list does not state one."""
    total = Decimal(0)
    try:
        for item in items:
            amount = _yuan(item, "amt")
            total += amount
            parts = [_yuan(item, name) for name in _PARTS]
            if any(name in item for name in _PARTS) and not abs(amount - sum(parts)) < _TOLERANCE:
                faults.append("item_parts")
    except Unreadable:
        faults.append("list_iteminfo")
        return
    if items:
        row["items_cost"] = str(total)
        if is_missing(row.get("medfee_sumamt")):
            row["medfee_sumamt"] = str(total)


def _yuan(item: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount of an item, 0 where there is none."""
    return read_yuan(_text(item.get(name))) or Decimal(0)


def _text(value: object) -> str | None:
    """Return a scalar as text, None for a missing one and for what is no scalar."""
    return None if _nested(value) or is_missing(value) else str(value).strip()


def _code(value: object) -> object:
    """Return a code; what is none, such as a number, stays what it is, for the reader of codes to see."""
    return _text(value) if isinstance(value, str) or is_missing(value) else value


def _day_text(item: Mapping[str, Any]) -> str | None:
    """Return the day of a procedure, as written if it cannot be read."""
    text = _text(item.get("oprn_oprt_date")) or _text(item.get("oprn_oprt_begntime"))
    try:
        day = read_day(text)
    except Unreadable:
        return text
    return None if day is None else day.isoformat()
