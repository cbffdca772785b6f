from typing import Any, Literal
from uuid import UUID

import pytest

from streamguard.core.decision import Aligned, ModelFinding
from streamguard.core.event_data import Artifact, Evidence, FlagData, utc_text
from streamguard.core.events import Event
from streamguard.core.flags import FlagBook, SessionContext
from streamguard.core.policy import HashRule, Policy
from streamguard.core.segments import SegmentBuilder, SegmentEvent, segments_of
from streamguard.core.signal_data import LabelScore, MatchCourse
from streamguard.core.types import MAX_SIGNALS, CloseReason, Limits, Match
from tests.core_fakes import context, decision, minting, sample, wall_of

READY = Evidence(state="ready", clip=Artifact(uri="file:/clip", sha256="0" * 64, size_bytes=9))
UNAVAILABLE = Evidence(state="unavailable")


def book(*, has_evidence: bool = True, policy: Policy | None = None) -> FlagBook:
    return FlagBook(context(), policy or Policy(), has_evidence=has_evidence)


class Story:
    """A flag book, and the segments that it is told of."""

    def __init__(self, flags: FlagBook) -> None:
        self.flags = flags
        self.segments = SegmentBuilder(minting())

    def see(self, pts_us: int, now_s: float = 60.0, **what: Any) -> list[Event]:
        self.segments.sampled(0, pts_us, now_s)
        return self.tell(self.segments.feed(decision(pts_us, **what)), now_s)

    def close(self, reason: CloseReason, now_s: float = 60.0) -> list[Event]:
        return self.tell(self.segments.close(reason), now_s)

    def tell(self, changes: list[SegmentEvent], now_s: float) -> list[Event]:
        return [event for change in changes for event in self.flags.change(change, now_s)]


def said(events: list[Event]) -> list[tuple[str, int]]:
    """Give state and revision of each event."""
    return [(flag(event).state, flag(event).revision) for event in events]


def flag(event: Event) -> FlagData:
    assert isinstance(event.data, FlagData)
    return event.data


def test_an_opened_flag_says_who_what_when_and_why() -> None:
    policy = Policy(banks={"TVEC-TEST": HashRule(max_distance_bits=20)})
    story = Story(book(policy=policy))

    (event,) = story.see(1_234_567, 1.5, distance_bits=12, votes=3, read_at_s=1.25)

    assert (event.source, event.subject, event.partitionkey) == (
        *("/streamguard/test", "s-1"),
        "lobby",
    )
    assert (event.time, event.recordedtime) == (utc_text(wall_of(1.25)), utc_text(wall_of(1.5)))
    assert flag(event).model_dump(mode="json", exclude_none=True) == {
        "flag_id": str(UUID(int=1)),
        "revision": 0,
        "state": "open",
        "stream": {"stream_id": "lobby", "session_id": "s-1", "epoch": 0, "protocol": "rtmp"},
        "window": {
            "start_pts_ms": 1_234,
            "end_pts_ms": 1_235,
            "start_time": utc_text(wall_of(1.25)),
            "end_time": utc_text(wall_of(1.25)),
            "n_samples": 1,
        },
        "clock": {"basis": "ingest"},
        "policy": {"code": "TVEC-TEST", "severity": "P1"},
        "signals": [
            {
                "detector": "hash",
                "match": {
                    "algorithm": "pdq",
                    "distance_bits": 12,
                    "max_distance_bits": 20,
                    "bank": "known",
                    "entry": "film",
                    "region": "full",
                    "bank_offset_ms": 0,
                    "votes": 3,
                    "is_certain": True,
                    "variant": "whole",
                    "course": {
                        "step_ms": 100,
                        "sample_pts_ms": [1_234],
                        "distances_bits": [12],
                    },
                },
            }
        ],
        "evidence": {"state": "pending"},
        "latency_ms": {"ingest_to_decision": 250.0},
        "safety": {"human_required": True},
    }


def test_a_flag_says_how_the_stream_runs_along_the_entry() -> None:
    aligned = Aligned(-1_500_001, 1.250_4, (12, 40), (2_000_000, 4_000_999))

    (event,) = Story(book()).see(0, aligned=aligned, votes=2)

    match = flag(event).signals[0].match
    assert match is not None
    assert (match.entry_start_pts_ms, match.rate) == (-1_501, 1.25)
    assert (match.distances_bits, match.sample_pts_ms) == ((12, 40), (2_000, 4_000))


def test_a_flag_leaves_out_a_speed_that_cannot_be_told() -> None:
    (event,) = Story(book()).see(0, aligned=Aligned(0, None, (12,), (0,)))

    assert '"rate"' not in event.to_json()


def test_limits_of_an_entry_tell_within_which_distance_it_matched() -> None:
    policy = Policy(banks={"TVEC-TEST": HashRule(max_distance_bits=20)})
    strict = Match("known", "film", "TVEC-TEST", "full", 7, 0, limits=Limits(max_distance_bits=8))

    (event,) = Story(book(policy=policy)).see(0, finding=strict)

    match = flag(event).signals[0].match
    assert match is not None
    assert match.max_distance_bits == 8


@pytest.mark.parametrize(
    ("has_evidence", "is_held", "told"),
    [
        (True, True, [("open", "pending")]),
        (True, False, [("open", "unavailable"), ("closed", "unavailable")]),
        (False, False, [("open", "off"), ("closed", "off")]),
    ],
)
def test_what_is_found_in_the_past_opens_and_is_over(
    told: list[tuple[str, str]], *, has_evidence: bool, is_held: bool
) -> None:
    found = [decision(n * 1_000_000, votes=n + 1, epoch=3, read_at_s=n + 5.0) for n in range(3)]
    past = [(sample(each.pts_us, epoch=3, read_at_s=each.read_at_s), [each]) for each in found]
    [segment] = segments_of(past, minting())

    events = book(has_evidence=has_evidence).recall(segment, 60.0, is_held=is_held)

    assert [(flag(each).state, flag(each).evidence.state) for each in events] == told
    window = flag(events[0]).window
    assert (window.start_pts_ms, window.end_pts_ms, window.n_samples) == (0, 2_000, 3)
    assert window.start_time == utc_text(wall_of(5.0))
    assert flag(events[0]).stream.epoch == 3
    assert flag(events[0]).latency_ms.ingest_to_decision == 55_000
    assert all(flag(each).is_rescreened for each in events)


def test_what_is_found_in_the_past_closes_with_its_evidence() -> None:
    flags = book()
    [segment] = segments_of([(sample(0), [decision(0)])], minting())
    flags.recall(segment, 60.0, is_held=True)

    events = flags.attach(segment.flag_id, Evidence(state="unavailable"), 61.0)

    assert said(events) == [("updated", 1), ("closed", 2)]
    assert all(flag(each).is_rescreened for each in events)


def test_a_flag_that_is_found_live_does_not_say_that_it_was_not() -> None:
    (event,) = Story(book()).see(0)

    assert "is_rescreened" not in event.to_json()


def test_a_flag_of_a_model_says_what_scored_how_high() -> None:
    finding = ModelFinding("pack", "1.2", "weapon", 0.912_345_678, 0.8)

    (event,) = Story(book()).see(0, category="weapon", finding=finding, votes=2)

    (signal,) = flag(event).signals
    assert signal.model_dump(exclude_none=True) == {
        "detector": "classifier",
        "score": {
            "model": "pack",
            "version": "1.2",
            "category": "weapon",
            "score": 0.912_346,
            "threshold": 0.8,
            "votes": 2,
            "course": {"step_ms": 100, "sample_pts_ms": (0,), "scores": (0.912,)},
        },
    }


def test_a_flag_that_goes_on_tells_how_strong_each_entry_was_meanwhile() -> None:
    story = Story(book())
    told = [story.see(n * 1_000_000, distance_bits=20 + n) for n in range(6)]

    assert [said(events) for events in told] == [[("open", 0)], [], [], [], [], [("updated", 1)]]
    match = flag(told[5][0]).signals[0].match
    assert match is not None
    assert match.course == MatchCourse(
        step_ms=100,
        sample_pts_ms=(0, 1_000, 2_000, 3_000, 4_000, 5_000),
        distances_bits=(20, 21, 22, 23, 24, 25),
    )


@pytest.mark.parametrize(("n_entries", "n_points"), [(1, 64), (2, 64), (3, 32), (MAX_SIGNALS, 16)])
def test_the_signals_of_a_flag_share_the_points_that_it_tells(
    n_entries: int, n_points: int
) -> None:
    story = Story(book())
    for n in range(64):
        for entry in range(n_entries):
            story.see(n * 100_000, entry=str(entry))

    events = story.close("ended")

    (closed,) = [*events, *story.flags.attach(UUID(int=1), UNAVAILABLE, 61.0)][-1:]
    courses = [one.match.course for one in flag(closed).signals if one.match and one.match.course]
    assert len(courses) == n_entries
    assert {len(one.sample_pts_ms) for one in courses} == {n_points}


def test_a_flag_of_a_model_says_what_speaks_against_it() -> None:
    finding = ModelFinding("pack", "1.2", "weapon", 0.9, 0.8, (("gameplay", 0.712_345_67),))

    (event,) = Story(book()).see(0, category="weapon", finding=finding, votes=2)

    (signal,) = flag(event).signals
    assert signal.score is not None
    assert signal.score.against == (LabelScore(label="gameplay", score=0.712_346),)


def test_an_updated_flag_says_when_its_newest_sample_was_read() -> None:
    story = Story(book())
    story.see(0)

    (event,) = story.see(2_000_000, 2.5, votes=2)

    assert said([event]) == [("updated", 1)]
    assert (event.time, event.recordedtime) == (utc_text(wall_of(2.0)), utc_text(wall_of(2.5)))
    assert flag(event).window.n_samples == 2
    assert flag(event).window.end_pts_ms == 2_000


def test_a_flag_keeps_the_latency_with_which_it_opened() -> None:
    story = Story(book())
    story.see(0, 0.1, read_at_s=0.0)

    (event,) = story.see(2_000_000, 60.0, votes=2)

    assert flag(event).latency_ms.ingest_to_decision == 100.0


def test_a_decision_at_the_instant_of_reading_took_no_time() -> None:
    (event,) = Story(book()).see(0, 4.999_999, read_at_s=5.0)

    assert flag(event).latency_ms.ingest_to_decision == 0.0


@pytest.mark.parametrize("reason", ["ended", "idle", "epoch_ended", "stream_ended", "interrupted"])
def test_without_evidence_a_flag_closes_with_its_segment(reason: CloseReason) -> None:
    story = Story(book(has_evidence=False))
    (opened,) = story.see(0)

    (closed,) = story.close(reason)

    assert flag(opened).evidence.state == flag(closed).evidence.state == "off"
    assert said([closed]) == [("closed", 1)]
    assert (flag(opened).close_reason, flag(closed).close_reason) == (None, reason)


def test_a_flag_whose_segment_is_over_waits_for_its_evidence() -> None:
    story = Story(book())
    story.see(0)

    assert story.close("ended") == []
    told = story.flags.attach(UUID(int=1), READY, 60.0)

    assert said(told) == [("updated", 1), ("closed", 2)]
    assert [flag(event).evidence for event in told] == [READY, READY]
    assert [flag(event).close_reason for event in told] == [None, "ended"]


def test_evidence_that_comes_in_time_is_told_and_the_flag_stays_open() -> None:
    story = Story(book())
    story.see(0)

    told = story.flags.attach(UUID(int=1), READY, 60.0)
    closed = story.close("idle")

    assert said([*told, *closed]) == [("updated", 1), ("closed", 2)]
    assert flag(closed[0]).evidence == READY


def test_evidence_that_could_not_be_made_holds_no_flag_up() -> None:
    story = Story(book())
    story.see(0)
    story.close("ended")

    told = story.flags.attach(UUID(int=1), UNAVAILABLE, 60.0)

    assert said(told) == [("updated", 1), ("closed", 2)]
    assert flag(told[-1]).evidence == UNAVAILABLE


@pytest.mark.parametrize("first", ["attach", "strengthen"])
def test_each_event_of_a_flag_has_the_next_revision_and_an_id_of_its_own(
    first: Literal["attach", "strengthen"],
) -> None:
    story = Story(book())
    told = story.see(0)
    if first == "attach":
        told += story.flags.attach(UUID(int=1), READY, 60.0)
    told += story.see(1_000_000, votes=2)
    told += story.see(2_000_000, entry="other")
    told += story.close("ended")
    if first == "strengthen":
        told += story.flags.attach(UUID(int=1), READY, 60.0)

    assert [flag(event).revision for event in told] == [0, 1, 2, 3, 4]
    assert len({event.id for event in told}) == 5
    assert flag(told[-1]).state == "closed"


def test_flags_of_two_categories_are_kept_apart() -> None:
    story = Story(book())
    story.see(0, category="A")
    story.see(0, category="B")
    story.close("ended")

    told = story.flags.attach(UUID(int=2), READY, 60.0)

    assert [flag(event).policy.code for event in told] == ["B", "B"]
    assert {flag(event).flag_id for event in told} == {str(UUID(int=2))}


def test_a_context_names_its_stream_in_every_epoch() -> None:
    shared = SessionContext("/streamguard/test", "lobby", "s-1", "file", wall_of)

    ref = shared.ref(3)

    assert (ref.stream_id, ref.session_id, ref.epoch, ref.protocol) == ("lobby", "s-1", 3, "file")
    assert ref.publish is None


def test_a_context_says_which_publish_it_is_of_where_a_server_was_asked() -> None:
    shared = SessionContext("/streamguard/test", "a", "s-1", "file", wall_of, session_key="p7")

    assert shared.ref(0).publish == "p7"
