from typing import Any

import pytest
from pydantic import ValidationError

from streamguard.core.decision_data import MAX_FLAGS_TOLD
from streamguard.core.events import Event, EventType, Topic
from streamguard.core.review_events import (
    appeal_event,
    audit_event,
    decision_event,
    referral_event,
    rival_id,
)
from tests.core_fakes import SOURCE
from tests.made_reviews import (
    AT,
    CASE_ID,
    REVIEWER,
    appeal,
    audit_records,
    decision,
    referral,
    resolved,
)


def test_decisions_referrals_and_appeals_go_to_one_topic_in_the_order_of_their_stream() -> None:
    events = [
        decision_event(SOURCE, decision(), recorded_s=1.0),
        referral_event(SOURCE, referral(), recorded_s=1.0),
        appeal_event(SOURCE, appeal(), recorded_s=1.0),
        appeal_event(SOURCE, resolved(), recorded_s=1.0),
    ]

    assert [event.type for event in events] == [
        EventType.DECISION_MADE,
        EventType.REFERRAL_MADE,
        EventType.APPEAL_RECEIVED,
        EventType.APPEAL_RESOLVED,
    ]
    assert {event.topic for event in events} == {Topic.DECISIONS}
    assert {(event.subject, event.partitionkey) for event in events} == {("s-1", "lobby")}
    assert [Event.model_validate_json(event.to_json()) for event in events] == events


def test_an_audit_record_goes_to_the_topic_of_the_audit_in_the_order_of_its_case() -> None:
    [record] = audit_records(1)

    event = audit_event(SOURCE, record)

    assert (event.topic, event.partitionkey, event.time) == (Topic.AUDIT, CASE_ID, AT)
    assert Event.model_validate_json(event.to_json()).data == record


def test_two_decisions_that_follow_the_same_one_claim_the_same_place() -> None:
    first = decision_event(SOURCE, decision(), recorded_s=1.0)
    rival = decision_event(SOURCE, decision(decision_id="d-9", actor="r-2"), recorded_s=2.0)
    following = decision_event(
        SOURCE, decision(decision_id="d-2", supersedes="d-1"), recorded_s=2.0
    )

    assert first.id == rival.id != following.id


def test_a_rule_and_a_person_who_decide_at_once_hide_neither_and_know_each_other() -> None:
    fields = {"actor": "rule:exact", "reviewer": None, "action": "hold", "scopes": ["live"]}
    by_rule = decision_event(SOURCE, decision(**fields), recorded_s=1.0)
    by_person = decision_event(SOURCE, decision(decision_id="d-9"), recorded_s=2.0)

    assert by_rule.id != by_person.id
    assert (rival_id(by_rule), rival_id(by_person)) == (by_person.id, by_rule.id)
    assert rival_id(audit_event(SOURCE, audit_records(1)[0])) is None


def test_two_records_of_one_place_in_the_chain_have_one_id() -> None:
    first, second = audit_records(2)
    rival = first.model_copy(update={"actor": "r-2"})

    assert audit_event(SOURCE, first).id == audit_event(SOURCE, rival).id
    assert audit_event(SOURCE, first).id != audit_event(SOURCE, second).id


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "none"},
        {"scopes": []},
        {"outcome": "needs_second"},
        {"proposed": "cut"},
        {"reviewer": None},
        {"actor": "rule:exact"},
        {"outcome": "undone"},
        {"onset_pts_ms": 5},
        {"reason_code": "no code"},
        {"decision_id": "d 1"},
        {"note": "two\nlines"},
        {"explanation_public": "x" * 2_001},
        {"flag_ids": ["0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"] * (MAX_FLAGS_TOLD + 1)},
    ],
    ids=str,
)
def test_a_decision_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        decision(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "none", "scopes": []},
        {"outcome": "needs_second", "action": "hold", "proposed": "cut_and_suspend"},
        {"actor": "rule:exact", "reviewer": None},
        {"outcome": "undone", "supersedes": "d-0", "action": "restore"},
        {"onset_pts_ms": 5, "onset_epoch": 0},
        {"explanation_public": "x" * 2_000},
        {"flag_ids": ["0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"] * MAX_FLAGS_TOLD},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_decision_that_hangs_together_is_taken(changes: dict[str, Any]) -> None:
    assert decision(**changes).case_id == CASE_ID


def test_the_largest_decision_is_less_than_64_kib() -> None:
    name, note = "\U0001f6d1" * 256, "\U0001f6d1" * 2_000
    data = decision(
        flag_ids=["0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"] * MAX_FLAGS_TOLD,
        stream={"stream_id": name, "session_id": name},
        policy={"code": name, "severity": "P0"},
        note=note,
        explanation_public=note,
        legal_ref=name,
        reviewer=REVIEWER | {"first_view_at": AT, "clearance": name},
        policy_version=name,
        automation={"detection_automated": True, "decision": "PARTIALLY", "rule_id": name},
        threshold_hint={"source": name, "name": name, "kind": "score", "found": 0.5},
        notify_user={"required": True, "delayed_until": AT, "delay_reason": "investigation"},
        incident_id=CASE_ID,
        appeal={"eligible": False, "supersedes": "d" * 128, "overturned": True},
        referral={"authority": name, "means": "phone", "told_at": AT, "reference": name},
        banking={"bank": name, "entry": name},
        votes=[{"bank": name, "entry": name, "agrees": True}] * 8,
    )

    event = decision_event(SOURCE, data, recorded_s=1.0)

    assert 40_000 < len(event.to_json().encode()) < 65_536
