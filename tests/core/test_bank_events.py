import pytest
from pydantic import ValidationError

from streamguard.core.bank_data import EntryQuarantinedData, EntryRef, EntryReleasedData
from streamguard.core.events import Event, EventType, Topic, bank_event
from tests.core_fakes import SOURCE

ENTRY = EntryRef(bank="known", entry="intro.mp4", policy="TVEC-TEST")
QUARANTINED = EntryQuarantinedData(
    entry=ENTRY,
    reason="hub",
    n_matched=40,
    n_streams=100,
    window_s=3600,
    max_share=0.2,
    until_time="2026-11-22T00:00:00.000Z",
)
RELEASED = EntryReleasedData(entry=ENTRY, reason="person")


@pytest.mark.parametrize(
    ("data", "event_type"),
    [(QUARANTINED, EventType.BANK_QUARANTINED), (RELEASED, EventType.BANK_RELEASED)],
)
def test_what_becomes_of_an_entry_is_told_where_gaps_are(
    data: EntryQuarantinedData | EntryReleasedData, event_type: EventType
) -> None:
    event = bank_event(SOURCE, data, recorded_s=1_700_000_000.0)

    assert (event.type, event.topic) == (event_type, Topic.COVERAGE)
    assert (event.subject, event.partitionkey) == ("known/intro.mp4", "known")
    assert Event.model_validate_json(event.to_json()) == event


def test_the_same_entry_quarantined_again_later_is_another_event() -> None:
    first = bank_event(SOURCE, QUARANTINED, recorded_s=1_700_000_000.0)
    again = bank_event(SOURCE, QUARANTINED, recorded_s=1_700_000_000.001)

    assert first.id != again.id
    assert first.id == bank_event(SOURCE, QUARANTINED, recorded_s=1_700_000_000.0).id


def test_a_subject_holds_the_longest_names() -> None:
    longest = EntryRef(bank="b" * 256, entry="e" * 256, policy="P")

    event = bank_event(SOURCE, RELEASED.model_copy(update={"entry": longest}), recorded_s=0.0)

    assert event.subject == "b" * 256
    assert event.partitionkey == "b" * 256


def test_an_event_of_one_type_refuses_the_data_of_the_other() -> None:
    event = bank_event(SOURCE, RELEASED, recorded_s=0.0)

    with pytest.raises(ValidationError, match="EntryReleasedData"):
        Event.model_validate(event.model_dump() | {"data": QUARANTINED.model_dump()})
