"""Settlement lists in memory at the doors that take tables."""

import copy

import pytest

import drgdip

MESSAGE = {
    "infno": "4101A",
    "input": {
        "setlinfo": {
            "medcasno": "7",
            "gend": "2",
            "brdy": "1967-02-01",
            "adm_time": "2026-03-01",
            "dscg_time": "2026-03-04",
        },
        "diseinfo": [
            {"diag_type": "1", "diag_code": "I10.x00", "maindiag_flag": "0"},
            {"diag_type": "1", "diag_code": "K22.301", "maindiag_flag": "1"},
        ],
        "oprninfo": [{"oprn_oprt_code": "42.3303", "oprn_oprt_type": "1"}],
    },
}
PLAIN = {"case_id": "8", "sex": 1, "age": 71, "dx": ["I63.900"], "procs": []}
SCHEME = "chs-drg-2.0"


def second_list():
    message = copy.deepcopy(MESSAGE)
    message["input"]["setlinfo"]["medcasno"] = "9"
    message["input"]["diseinfo"][1]["diag_code"] = 22.301  # a number is no code
    return message


@pytest.mark.parametrize("engine", ["reference", "columnar"])
def test_group_reads_settlement_lists_as_read_cases_does(engine):
    lists = [MESSAGE, PLAIN, second_list()]
    grouped = drgdip.group(lists, SCHEME, engine=engine)
    as_read = drgdip.group(drgdip.read_cases(lists), SCHEME, engine=engine).to_pylist()
    alone = [drgdip.group_one(case, SCHEME) for case in lists]
    for row, read, one, given in zip(grouped, as_read, alone, lists, strict=True):
        assert {name: row[name] for name in one._fields} == one._asdict() == {name: read[name] for name in one._fields}
        assert {name: row[name] for name in given} == given  # the caller's own record comes back
    assert [row["status"] for row in grouped] == ["grouped", "grouped", "invalid"]
    assert grouped[2]["reason"] == "unreadable_dx"


def test_group_reads_the_nodes_of_a_list_without_a_message_and_in_capitals():
    nodes = {name.upper(): node for name, node in MESSAGE["input"].items()}
    assert drgdip.group([nodes], SCHEME)[0]["group"] == drgdip.group([MESSAGE], SCHEME)[0]["group"]


def test_columns_by_hand_hold_beside_settlement_lists():
    named = {"case_id": "8", "sex": 1, "years": 71, "dx": ["I63.900"], "procs": []}
    lists = [named, MESSAGE]
    grouped = drgdip.group(lists, "chs-drg-3.0", columns={"age": "years"})
    read = drgdip.group(drgdip.read_cases(lists, columns={"age": "years"}), "chs-drg-3.0").to_pylist()
    assert [row["group"] for row in grouped] == [row["group"] for row in read]
    assert grouped[0]["status"] == "grouped"


def test_the_other_doors_read_settlement_lists():
    lists = [MESSAGE, second_list()]
    read = drgdip.read_cases(lists)
    assert drgdip.check_cases(lists, SCHEME) == drgdip.check_cases(read, SCHEME).to_pylist()
    assert (
        drgdip.group(drgdip.encode(lists, SCHEME), SCHEME).to_pylist()
        == drgdip.group(drgdip.encode(read, SCHEME), SCHEME).to_pylist()
    )
    pair = SCHEME, "chs-drg-3.0"
    assert drgdip.diff_cases(lists, *pair).equals(drgdip.diff_cases(read, *pair))
    assert drgdip.move_cases(lists, *pair).cases.equals(drgdip.move_cases(read, *pair).cases)
    described = {row["column"]: row["used_as"] for row in drgdip.describe_cases(lists)}
    assert described["brdy"] == "born"
    assert described["dx"] == "dx"


def test_a_door_that_does_not_read_settlement_lists_says_who_does():
    with pytest.raises(drgdip.CaseError, match="settlement lists.*read_cases"):
        drgdip.map_codes([MESSAGE], "clinical-2.0")


def test_one_record_is_no_table_and_the_error_says_what_to_do():
    with pytest.raises(drgdip.CaseError, match="put one record into a list"):
        drgdip.group(MESSAGE, SCHEME)
