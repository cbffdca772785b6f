"""A session that a server listed before its first packet came: what nobody saw of it."""

from dataclasses import replace

import pytest

from streamguard.core.coverage import REACH_US, LossLedger
from streamguard.core.coverage_data import GapData, StreamEndedData
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event
from streamguard.core.match import Matcher
from streamguard.core.policy import Policy
from streamguard.core.sampling import Sampling
from streamguard.core.session import Session
from streamguard.core.types import Codec, GapReason
from tests.core_fakes import banks, context, film, minting, picture, sample, view, wall_of

FOUND_S = 100.0
REACH_S = REACH_US / 1e6
CODEC = Codec("h264", b"", 1280, 720)
KNOWN = banks(film("film", 1000))


def session(found_s: float | None = FOUND_S) -> Session:
    made = replace(context(), session_key="publish-1", found_s=found_s)
    return Session(
        made,
        Matcher(lambda: KNOWN, Policy()),
        Policy(),
        LossLedger(),
        minting(),
        has_evidence=False,
    )


def gaps_of(events: list[Event]) -> list[GapData]:
    return [event.data for event in events if isinstance(event.data, GapData)]


def first_verdict(held: Session, opened_s: float, after_s: float = 0.0) -> list[GapData]:
    """Open the session at an instant, and judge a sample so long after; give the gaps told."""
    began = held.epoch_began(0, 0, opened_s, CODEC, Sampling.AUTO)
    pts_us, at_s = int(after_s * 1e6), opened_s + after_s
    one = sample(pts_us, view(picture(5)), read_at_s=at_s)
    return gaps_of([*began, *held.sampled(one, at_s).events])


@pytest.mark.parametrize("waited_s", [0.0, 1.0, REACH_S])
def test_what_the_first_verdict_reaches_back_over_is_no_gap(waited_s: float) -> None:
    assert first_verdict(session(), FOUND_S + waited_s) == []


def test_what_lies_before_the_reach_of_the_first_verdict_is_a_gap_since_it_was_found() -> None:
    (gap,) = first_verdict(session(), FOUND_S + REACH_S + 0.5)

    assert gap.reason is GapReason.SOURCE_UNAVAILABLE
    assert gap.length_s == 0.5
    assert gap.start_time == utc_text(wall_of(FOUND_S))
    assert gap.end_time == utc_text(wall_of(FOUND_S + 0.5))


def test_a_first_keyframe_that_is_late_lets_the_gap_begin_where_it_was_found() -> None:
    (gap,) = first_verdict(session(), FOUND_S + 2.0, after_s=4.0)

    assert (gap.start_pts_ms, gap.end_pts_ms) == (-2_000, 1_500)


def test_what_was_published_while_it_could_not_be_opened_is_not_told_again() -> None:
    held = session()
    (told,) = gaps_of(held.was_away(FOUND_S, FOUND_S + 10.0, GapReason.SOURCE_UNAVAILABLE))

    (rest,) = first_verdict(held, FOUND_S + 14.0)

    assert told.end_time == rest.start_time
    assert rest.length_s == 4.0 - REACH_S


def test_a_session_that_nobody_listed_begins_with_its_first_packet() -> None:
    assert first_verdict(session(None), FOUND_S + 60.0) == []


def test_a_later_timeline_does_not_reach_back() -> None:
    held = session()
    first_verdict(held, FOUND_S)
    held.epoch_ended(0, 0, "epoch_ended", FOUND_S + 60.0)
    began = held.epoch_began(1, 0, FOUND_S + 60.0, CODEC, Sampling.AUTO)

    later = sample(0, view(picture(6)), epoch=1, read_at_s=FOUND_S + 60.0)

    assert gaps_of([*began, *held.sampled(later, FOUND_S + 60.0).events]) == []


def test_the_account_begins_when_it_was_found_and_goes_on_with_what_was_told() -> None:
    held = session()
    first = held.account((0, FOUND_S + 3.0), 0, 0)
    held.was_away(FOUND_S, FOUND_S + 10.0, GapReason.SOURCE_UNAVAILABLE)
    second = held.account((0, FOUND_S + 13.0), 0, 0)

    assert (first.accounted_s, first.accounted_wall_s) == (FOUND_S, wall_of(FOUND_S))
    assert second.accounted_s == FOUND_S + 10.0


def test_a_publish_that_was_never_opened_has_an_end_as_well() -> None:
    (ended,) = session().ended("ended", 0, 0, FOUND_S + 60.0)

    assert isinstance(ended.data, StreamEndedData)
    assert (ended.data.n_packets, ended.data.screened_ms) == (0, 0)
