"""Rules over a real log and a real file; what they order is carried out in other tests."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_publishes import SqlitePublishes
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import Event, Topic
from streamguard.core.holding import HoldTerms, hold_decision
from streamguard.core.orders import orders_of
from streamguard.core.review_events import decision_event
from streamguard.enforce.hold_rules import HoldRuleParts, HoldRules
from streamguard.enforce.known import KnownCases
from streamguard.review.trail import Trail
from tests.clock import EPOCH_S, FakeClock
from tests.core.test_events import SOURCE
from tests.core.test_holding import RULE, matched, told
from tests.made_reviews import AT, decision

END_S = utc_seconds(AT) - EPOCH_S


class Room:
    """One enforcer's rules."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.log = SqliteLog(folder / "log.db")
        self.store = ActionStore(folder / "enforce")
        self.publishes = SqlitePublishes(folder / "log.db")
        trail = Trail(self.log, SOURCE, self.clock.wall)
        cases = KnownCases(self.publishes.told_of)
        parts = HoldRuleParts(self.log, trail, cases, self.store, self.clock, SOURCE, "rules")
        self.rules = HoldRules([RULE], HoldTerms(), parts)

    def take(self, data: DecisionData) -> None:
        """Put a decision on record and take it up."""
        self.log.append([decision_event(SOURCE, data, recorded_s=1.0)])
        self.store.take(orders_of(data, 0.0, 1e9), data.model_dump_json(exclude_none=True))

    def told(self, topic: Topic) -> Sequence[object]:
        events = [Event.model_validate_json(one.body) for one in self.log.read(1, topic)]
        return [event.data for event in events]

    def close(self) -> None:
        self.publishes.close()
        self.store.close()
        self.log.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def test_a_hold_by_rule_is_on_record_with_who_did_it(room: Room) -> None:
    room.log.append([told(matched())])

    room.rules._read(1)
    room.rules._read(1)

    [made] = room.told(Topic.DECISIONS)
    [audited] = room.told(Topic.AUDIT)
    assert isinstance(made, DecisionData)
    assert isinstance(audited, AuditData)
    assert (audited.actor, audited.about) == ("rule:exact", made.decision_id)


@pytest.mark.parametrize("act", ["hold", "limit_reach"])
def test_what_was_done_for_a_time_is_lifted_in_all_scopes_whoever_did_it(
    room: Room, act: str
) -> None:
    held = decision(action=act, scopes=["live", "recording"], expires_at=AT)
    room.take(held)
    room.clock.now_s = END_S - 0.1
    room.rules._lift()
    assert len(room.told(Topic.DECISIONS)) == 1

    room.clock.now_s = END_S
    room.rules._lift()
    room.rules._lift()

    [_, lift] = room.told(Topic.DECISIONS)
    assert isinstance(lift, DecisionData)
    assert (lift.action, lift.scopes) == ("restore", ("live", "recording"))
    assert len(room.told(Topic.AUDIT)) == 1


def test_what_has_no_end_is_never_lifted(room: Room) -> None:
    room.take(decision(action="hold"))
    room.clock.now_s = 1e9

    room.rules._lift()

    assert len(room.told(Topic.DECISIONS)) == 1


def test_a_hold_that_cannot_be_read_keeps_no_other_one_from_ending(room: Room) -> None:
    held = decision(action="hold", scopes=["live"], expires_at=AT)
    room.take(held)
    odd = replace(orders_of(held, 0.0, 1e9)[0], action_id="odd", decision_id="odd", case_id="odd")
    room.store.take([odd], "odd bytes")
    room.clock.now_s = END_S

    room.rules._lift()

    [_, lift] = room.told(Topic.DECISIONS)
    assert isinstance(lift, DecisionData)
    assert lift.action == "restore"
    assert room.rules.broken.count == 1


def held_by_rule(room: Room) -> DecisionData:
    """Have a rule hold a stream, and whoever carries it out take that up."""
    room.log.append([told(matched())])
    room.rules._read(1)
    [held] = room.told(Topic.DECISIONS)
    assert isinstance(held, DecisionData)
    room.store.take(orders_of(held, 0.0, 1e9), held.model_dump_json(exclude_none=True))
    return held


REJECTED = {"outcome": "rejected", "reason_code": "NOTHING.FOUND", "action": "none", "scopes": []}


@pytest.mark.parametrize(
    ("changes", "is_lifted"),
    [
        (REJECTED, True),
        ({"outcome": "confirmed", "action": "none", "scopes": []}, True),
        ({"outcome": "escalated", "action": "none", "scopes": []}, False),
        ({"outcome": "confirmed", "action": "none", "scopes": [], "knows": True}, False),
    ],
    ids=["rejected", "nothing to be done", "not decided yet", "knows of it"],
)
def test_what_people_decided_elsewhere_at_the_same_time_ends_a_rules_hold_at_once(
    room: Room, changes: dict[str, Any], *, is_lifted: bool
) -> None:
    held = held_by_rule(room)
    follows = held.decision_id if changes.get("knows") else None
    said = {name: value for name, value in changes.items() if name != "knows"}
    made = decision(case_id=held.case_id, supersedes=follows, **said)
    room.log.append([decision_event(SOURCE, made, recorded_s=1.0)])

    room.rules._lift()

    lifts = room.told(Topic.DECISIONS)[2:]
    assert bool(lifts) == is_lifted
    for lift in lifts:
        assert isinstance(lift, DecisionData)
        assert (lift.action, lift.outcome) == ("restore", made.outcome)


def test_a_cut_that_came_another_way_than_the_log_is_not_taken_back_with_the_hold(
    room: Room,
) -> None:
    held = held_by_rule(room)
    cut = decision(case_id=held.case_id, stream=held.stream, supersedes=held.decision_id)
    room.store.take(orders_of(cut, 1.0, 1e9), cut.model_dump_json(exclude_none=True))
    assert held.expires_at is not None
    room.clock.now_s = utc_seconds(held.expires_at) - EPOCH_S

    room.rules._lift()

    assert room.told(Topic.DECISIONS) == [held]
    assert room.store.over(1e12) == []


def test_a_rule_holds_nothing_that_a_person_has_just_decided_in_the_same_log(room: Room) -> None:
    flag = matched()
    room.log.append([told(flag)])
    case = room.rules._parts.cases.of_flag(flag.stream.stream_id, flag.flag_id)
    assert case is not None
    made = decision(case_id=case.case_id, **REJECTED)
    by_rule = hold_decision(case, flag, RULE, 100.0, HoldTerms())  # decided before that was read
    room.log.append([decision_event(SOURCE, made, recorded_s=1.0)])
    assert by_rule is not None

    is_made = room.rules._decide(by_rule)

    assert not is_made
    assert room.told(Topic.DECISIONS) == [made]
