import json
from typing import Any

import pytest
from hypothesis import given

from streamguard.exchange.record import (
    MAX_ID_BYTES,
    MAX_OFFSET_MS,
    FieldProblem,
    Record,
    id_of,
    make_record,
)
from tests.exchange.made_records import pdq, record, records

LEAST = {"hash": "ab" * 32, "source": "list"}


@given(records)
def test_a_record_survives_json(before: Record) -> None:
    after = make_record(json.loads(before.to_json()))

    assert after == before


def test_a_hash_is_lower_case_whatever_was_written() -> None:
    assert make_record({**LEAST, "hash": "AB" * 32}).hash == "ab" * 32


def test_times_are_kept_in_utc() -> None:
    made = make_record({**LEAST, "added_at": "2025-03-03T23:05:22.587+02:00"})

    assert '"added_at":"2025-03-03T21:05:22.587000Z"' in made.to_json()


def test_what_is_not_matched_may_be_any_hash() -> None:
    made = make_record({**LEAST, "hash_type": "md5", "hash": "d41d8cd9"})

    assert not made.is_matched


def test_a_tombstone_needs_no_hash() -> None:
    assert make_record({"source": "list", "record_id": "7", "deleted": True}).hash is None


def test_a_record_without_an_id_is_named_by_what_it_is_and_not_by_its_hash() -> None:
    first, again = make_record(LEAST), make_record({**LEAST, "hash": "AB" * 32})
    other = make_record({**LEAST, "video_id": "v", "t_offset_ms": 0})

    assert first.record_id == again.record_id == id_of("pdq", "ab" * 32, None, None)
    assert other.record_id != first.record_id
    assert "abab" not in first.record_id


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hash": "ab" * 31}, "hash"),
        ({"hash": "ab" * 33}, "hash"),
        ({"hash": "ab" * 16}, "hash"),
        ({"hash": "zz" * 32}, "hash"),
        ({"hash": ""}, "hash"),
        ({"hash": " " + "ab" * 32}, "hash"),
        ({"hash": "\N{ARABIC-INDIC DIGIT ONE}" * 64}, "hash"),
        ({"hash": None}, "hash"),
        ({"hash": 7}, "hash"),
        ({"hsah": "ab"}, "hsah"),
        ({"source": "a b"}, "source"),
        ({"source": "x" * 33}, "source"),
        ({"source": "a:b"}, "source"),
        ({"record_id": ""}, "record_id"),
        ({"record_id": "a\nb"}, "record_id"),
        ({"record_id": "\ud800"}, "record_id"),
        ({"record_id": "x" * (MAX_ID_BYTES + 1)}, "record_id"),
        ({"record_id": "\N{EURO SIGN}" * 86}, "record_id"),
        ({"record_id": 7}, "record_id"),
        ({"policy": "lower"}, "policy"),
        ({"quality": -1}, "quality"),
        ({"quality": 101}, "quality"),
        ({"quality": "50"}, "quality"),
        ({"quality": 50.0}, "quality"),
        ({"quality": True}, "quality"),
        ({"t_offset_ms": 0}, "video_id"),
        ({"video_id": "v"}, "video_id"),
        ({"video_id": "v", "t_offset_ms": -1}, "t_offset_ms"),
        ({"video_id": "v", "t_offset_ms": MAX_OFFSET_MS + 1}, "t_offset_ms"),
        ({"variant": 256}, "variant"),
        ({"labels": {"colour": "red"}}, "labels.colour"),
        ({"tags": ["a"] * 257}, "tags"),
        ({"opinion": "maybe"}, "opinion"),
        ({"opinions": [{"owner": "1"}]}, "opinions.0.standing"),
        ({"added_at": "2025-01-01T00:00:00"}, "added_at"),
        ({"added_at": "yesterday"}, "added_at"),
        ({"added_at": 1_700_000_000}, "added_at"),
        ({"added_at": "1969-12-31T23:59:59Z"}, "added_at"),
        ({"added_at": "9999-12-31T23:59:59-05:00"}, "added_at"),
        ({"deleted": "yes"}, "deleted"),
        ({"max_distance": 32}, "max_distance"),
        ({"max_distance": -1}, "max_distance"),
    ],
)
def test_what_is_wrong_names_its_field_and_repeats_no_value(
    fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(FieldProblem) as caught:
        make_record({**LEAST, **fields})

    assert caught.value.field == named
    assert "\n" not in str(caught.value)
    assert "abab" not in str(caught.value)
    assert "zz" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"record_id": "x" * MAX_ID_BYTES},
        {"source": "x" * 32},
        {"quality": 0},
        {"quality": 100},
        {"video_id": "v", "t_offset_ms": MAX_OFFSET_MS},
        {"tags": ["a"] * 256},
        {"variant": 255},
        {"max_distance": 0},
        {"max_distance": 31},
        {"added_at": "1970-01-01T00:00:00Z"},
    ],
)
def test_the_other_side_of_each_bound_is_a_record(fields: dict[str, Any]) -> None:
    make_record({**LEAST, **fields})


def test_a_record_is_called_by_its_source_and_id() -> None:
    assert record("7").name == "list:7"
    assert record("7").hash == pdq(1)
