import json

from loadtest.peer_findings import Finding, read_findings, tally
from loadtest.peer_programme import Shown

SHOWN = [Shown("a", "mirror", 0.0, 6.0), Shown("b", "mirror", 6.0, 12.0)]


def test_a_copy_is_found_where_its_own_original_is_named_within_its_scene() -> None:
    counted = tally([Finding("a", 3.0, 3.0), Finding("b", 20.0, 21.0)], SHOWN)

    assert counted == {"found": 1, "recall": 0.5, "wrong": 1, "missed": ["b mirror"]}


def test_a_name_where_another_copy_was_shown_is_wrong() -> None:
    counted = tally([Finding("b", 2.0, 3.0)], SHOWN)

    assert (counted["found"], counted["wrong"]) == (0, 1)


def test_peers_are_read_from_their_last_line() -> None:
    found = read_findings("vpdq", 'a warning\n[[1.5, "a"]]\n')

    assert found == [Finding("a", 1.5, 1.5)]


def test_our_flags_are_read_from_events_and_all_else_is_left_out() -> None:
    flag = {
        "type": "org.streamguard.flag.opened.v1",
        "data": {
            "window": {"start_pts_ms": 1000, "end_pts_ms": 3000},
            "signals": [{"match": {"entry": "a"}}, {"match": None}],
        },
    }
    other = {"type": "org.streamguard.stream.ended.v1", "data": {}}

    found = read_findings("auto", f"{json.dumps(flag)}\n{json.dumps(other)}\n")

    assert found == [Finding("a", 1.0, 3.0)]
