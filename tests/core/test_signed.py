import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.events import KINDS, Event, EventType, Topic
from streamguard.core.record import Record
from streamguard.core.review_events import decision_event
from streamguard.core.signed import needs_signature, signed_bytes
from tests.core_fakes import SOURCE
from tests.made_reviews import decision

EVENT = decision_event(SOURCE, decision(), recorded_s=100.0)


def told(event: Event) -> dict[str, object]:
    made: dict[str, object] = json.loads(event.to_json())
    return made


def test_what_is_signed_is_a_line_of_ours_the_attributes_and_the_data_as_they_stand() -> None:
    first, attributes, data = signed_bytes(EVENT.to_json()).split(b"\n")

    assert first == b"streamguard signed event 1"
    assert list(json.loads(attributes)) == sorted(told(EVENT).keys() - {"data"})
    assert data.decode() in EVENT.to_json()
    assert json.loads(data) == told(EVENT)["data"]


def test_the_signature_is_no_part_of_what_is_signed_and_the_keys_name_is() -> None:
    named = EVENT.model_copy(update={"signedby": "0" * 16})
    signed = named.model_copy(update={"signature": "0" * 128})

    assert signed_bytes(signed.to_json()) == signed_bytes(named.to_json())
    assert signed_bytes(named.to_json()) != signed_bytes(EVENT.to_json())


@given(st.permutations(sorted(told(EVENT))))
def test_the_order_of_attributes_counts_for_nothing(names: list[str]) -> None:
    told_otherwise = json.dumps({name: told(EVENT)[name] for name in names}, separators=(",", ":"))

    assert signed_bytes(told_otherwise) == signed_bytes(EVENT.to_json())


@pytest.mark.parametrize("name", sorted(told(EVENT).keys() - {"data"}))
def test_every_attribute_counts(name: str) -> None:
    other = told(EVENT) | {name: "another"}

    assert signed_bytes(json.dumps(other)) != signed_bytes(json.dumps(told(EVENT)))


def test_an_attribute_more_counts_as_well() -> None:
    other = told(EVENT) | {"reduced": "refused"}

    assert signed_bytes(json.dumps(other)) != signed_bytes(json.dumps(told(EVENT)))


@given(st.text(), st.text())
def test_what_stands_in_an_attribute_is_never_taken_for_data(left: str, right: str) -> None:
    """No two events have the same bytes."""
    one, other = (told(EVENT) | {"subject": each, "data": {"a": each}} for each in (left, right))

    same = signed_bytes(json.dumps(one)) == signed_bytes(json.dumps(other))

    assert same == (left == right)


@pytest.mark.parametrize("event_type", EventType)
@pytest.mark.parametrize("topic", Topic)
def test_what_decides_needs_a_signature_wherever_it_is_written(
    topic: Topic, event_type: EventType
) -> None:
    """Else a decision could come by a topic that more may write to, and be kept all the same."""
    record = Record(1, topic, "lobby", "an-id", event_type, 0.0, "{}")

    decides = Topic.DECISIONS in {topic, KINDS[event_type].topic}

    assert needs_signature(record) == decides


def test_a_type_that_nobody_knows_needs_one_only_among_decisions() -> None:
    known_later = Record(1, Topic.FLAGS, "lobby", "an-id", "org.streamguard.x.v9", 0.0, "{}")

    assert not needs_signature(known_later)
