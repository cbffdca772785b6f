"""A session in which a model judges beside the hashes."""

from collections.abc import Iterator
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.coverage import LossLedger
from streamguard.core.coverage_data import GapData, StreamEndedData
from streamguard.core.event_data import Evidence, FlagData, utc_text
from streamguard.core.events import Event
from streamguard.core.judgement import Judgement
from streamguard.core.match import Matcher
from streamguard.core.policy import Policy
from streamguard.core.sampling import Sampling
from streamguard.core.scores import ScoreJudge
from streamguard.core.session import Session
from streamguard.core.types import Codec, GapReason
from tests.core_fakes import (
    banks,
    context,
    film,
    minting,
    model_spec,
    picture,
    sample,
    scores,
    wall_of,
)

SECOND = 1_000_000
CODEC = Codec("h264", b"", 1280, 720)
KNOWN = banks(film("film", 1000))
UNAVAILABLE = Evidence(state="unavailable")

D = TypeVar("D")


def session(*, has_evidence: bool = False) -> Session:
    losses, policy = LossLedger(), Policy()
    return Session(
        context(),
        Matcher(lambda: KNOWN, policy),
        policy,
        losses,
        minting(),
        has_evidence=has_evidence,
        make_judge=lambda: ScoreJudge(model_spec(weapon=0.8), policy),
    )


def begin(held: Session, epoch: int = 0, first_us: int = 0, at_s: float = 0.0) -> None:
    held.epoch_began(epoch, first_us, at_s, CODEC, Sampling.AUTO)


def begun(**options: Any) -> Session:
    """Give a session whose first packet was read at 0 s, of media time 0."""
    held = session(**options)
    begin(held)
    return held


def score(held: Session, at_s: int, value: float) -> Judgement:
    """Let the model answer, at once, about a sample of the first epoch."""
    return held.scored(scores(at_s * SECOND, weapon=value), float(at_s))


def of(kind: type[D], events: list[Event]) -> list[D]:
    return [event.data for event in events if isinstance(event.data, kind)]


def spans(events: list[Event]) -> list[tuple[str, int, int, GapReason]]:
    return [
        (gap.detector, gap.start_pts_ms, gap.end_pts_ms, gap.reason) for gap in of(GapData, events)
    ]


def totals(held: Session) -> StreamEndedData:
    (data,) = of(StreamEndedData, held.ended("ended", 0, 0, 600.0))
    return data


def test_two_high_scores_open_a_flag_and_ask_for_evidence() -> None:
    held = begun(has_evidence=True)

    first, second = score(held, 1, 0.9), score(held, 2, 0.9)

    assert (first.events, first.requests, first.is_judged) == ([], [], True)
    (flag,) = of(FlagData, second.events)
    assert (flag.policy.code, flag.signals[0].detector) == ("weapon", "classifier")
    assert [request.pts_us for request in second.requests] == [2 * SECOND]
    assert totals(held).n_flags == 1


def test_hashes_and_model_have_flags_of_their_own() -> None:
    held = begun()

    told = held.sampled(sample(SECOND, picture(1000)), 1.0).events
    told += [*score(held, 1, 0.9).events, *score(held, 2, 0.9).events]

    assert [flag.policy.code for flag in of(FlagData, told)] == ["TVEC-TEST", "weapon"]


def test_the_end_of_a_timeline_closes_the_hashes_view_of_it_only() -> None:
    held = begun()
    score(held, 1, 0.9)
    score(held, 2, 0.9)

    told = held.epoch_ended(0, 2 * SECOND, "epoch_ended", 2.0)
    begin(held, 1, at_s=2.0)
    last = held.scoring_ended(0, 2 * SECOND, "epoch_ended", 3.0)

    assert of(FlagData, told) == []
    assert [(flag.state, flag.close_reason) for flag in of(FlagData, last)] == [
        ("closed", "epoch_ended")
    ]


def test_an_answer_that_comes_after_its_timeline_still_counts() -> None:
    held = begun()
    score(held, 1, 0.9)
    held.epoch_ended(0, 2 * SECOND, "epoch_ended", 2.0)
    begin(held, 1, at_s=2.0)

    judgement = held.scored(scores(2 * SECOND, weapon=0.9), 3.0)

    assert [flag.stream.epoch for flag in of(FlagData, judgement.events)] == [0]


def test_an_answer_that_comes_after_the_end_of_scoring_is_ignored() -> None:
    held = begun()
    held.scoring_ended(0, SECOND, "stream_ended", 1.0)

    assert score(held, 1, 0.9) == Judgement([], [], is_judged=False)
    assert held.not_scored(0, SECOND, GapReason.OVERLOAD, 1.0) == []
    assert held.scoring_ended(0, 60 * SECOND, "stream_ended", 60.0) == []


def test_scoring_goes_on_until_every_timeline_has_had_its_answers() -> None:
    held = begun()
    begin(held, 1)

    held.scoring_ended(0, 0, "epoch_ended", 0.0)
    before = held.is_scoring
    held.scoring_ended(1, 0, "stream_ended", 0.0)

    assert (before, held.is_scoring) == (True, False)


def test_what_the_model_did_not_score_is_a_gap_of_its_own() -> None:
    held = begun()
    held.sampled(sample(SECOND, picture(1)), 1.0)
    told = held.not_scored(0, SECOND, GapReason.OVERLOAD, 1.0)

    told += held.epoch_ended(0, 2 * SECOND, "stream_ended", 2.0)
    told += held.scoring_ended(0, 2 * SECOND, "stream_ended", 2.0)

    assert spans(told) == [("classifier", 0, 2_000, GapReason.OVERLOAD)]


def test_a_gap_of_the_model_that_goes_on_is_told_while_it_lasts() -> None:
    told = begun().not_scored(0, 12_500_000, GapReason.OVERLOAD, 12.5)

    assert spans(told) == [("classifier", 0, 10_000, GapReason.OVERLOAD)]


def test_what_was_lost_before_it_came_to_the_model_says_why() -> None:
    losses, policy = LossLedger(), Policy()
    held = Session(
        context(),
        Matcher(lambda: KNOWN, policy),
        policy,
        losses,
        minting(),
        has_evidence=False,
        make_judge=lambda: ScoreJudge(model_spec(weapon=0.8), policy),
    )
    begin(held)
    losses.note(0, SECOND, GapReason.DECODE_ERROR)

    told = held.scoring_ended(0, 2 * SECOND, "stream_ended", 2.0)

    assert spans(told) == [("classifier", 0, 2_000, GapReason.DECODE_ERROR)]


def test_a_flag_of_the_model_closes_by_the_clock_when_answers_stop() -> None:
    held = begun()
    score(held, 1, 0.9)
    score(held, 2, 0.9)

    assert held.idle(None, 6.999) == []
    (flag,) = of(FlagData, held.idle(None, 7.0))

    assert (flag.state, flag.close_reason) == ("closed", "idle")


def test_time_without_a_connection_is_a_gap_of_both() -> None:
    told = begun().was_away(1.0, 2.0, GapReason.SOURCE_UNAVAILABLE)

    assert [gap.detector for gap in of(GapData, told)] == ["hash", "classifier"]


def test_what_a_file_lacks_is_a_gap_of_both_and_counted_once() -> None:
    held = begun()
    held.epoch_ended(0, 0, "stream_ended", 0.0)
    held.scoring_ended(0, 0, "stream_ended", 0.0)

    told = held.was_cut_short(SECOND, 0.0)

    assert [gap.detector for gap in of(GapData, told)] == ["hash", "classifier"]
    assert totals(held).gap_ms == 1_000


def test_screened_is_what_both_have_screened() -> None:
    held = begun()

    held.sampled(sample(10 * SECOND, picture(1)), 10.0)
    score(held, 9, 0.1)
    held.epoch_ended(0, 11 * SECOND, "stream_ended", 11.0)
    held.scoring_ended(0, 11 * SECOND, "stream_ended", 11.0)

    assert held.screened_us == 3_500_000
    assert (totals(held).screened_ms, totals(held).gap_ms) == (3_500, 7_500)


def test_a_model_that_answers_no_more_leaves_gaps_of_the_right_timelines() -> None:
    """Its first timeline ended at 20 s; the second is at 9 s when the wait ends."""
    held = begun()
    held.epoch_ended(0, 20 * SECOND, "epoch_ended", 20.0)
    begin(held, 1, 5 * SECOND, 20.0)
    held.epoch_ended(1, 9 * SECOND, "stream_ended", 24.0)

    told = held.scoring_given_up(60.0)

    assert spans(told) == [
        ("classifier", 0, 20_000, GapReason.MODEL_ERROR),
        ("classifier", 5_000, 9_000, GapReason.MODEL_ERROR),
    ]
    assert [gap.stream.epoch for gap in of(GapData, told)] == [0, 1]
    assert totals(held).gap_ms == 24_000
    assert not held.is_scoring


def test_a_model_that_is_given_up_closes_its_flags() -> None:
    held = begun()
    score(held, 1, 0.9)
    score(held, 2, 0.9)

    (flag,) = of(FlagData, held.scoring_given_up(3.0))

    assert (flag.state, flag.close_reason) == ("closed", "stream_ended")


def test_a_late_gap_is_told_by_the_clock_of_its_own_timeline() -> None:
    """The timeline broke at 4 s of the clock, from about an hour to zero."""
    held = session()
    begin(held, 0, 3_600 * SECOND, 0.0)
    held.scored(scores(3_600 * SECOND, read_at_s=0.0, weapon=0.1), 0.0)
    held.epoch_ended(0, 3_604 * SECOND, "epoch_ended", 4.0)
    begin(held, 1, 0, 4.0)

    (gap,) = of(GapData, held.scoring_ended(0, 3_604 * SECOND, "epoch_ended", 6.0))

    assert (gap.start_pts_ms, gap.end_pts_ms) == (3_602_500, 3_604_000)
    assert (gap.start_time, gap.end_time) == (utc_text(wall_of(2.5)), utc_text(wall_of(4.0)))


def test_answers_out_of_order_break_nothing() -> None:
    """A question that was refused is answered before those that wait."""
    held = begun()
    told: list[Event] = []

    for at_s in (2, 3, 1):
        told += score(held, at_s, 0.9).events
    told += held.scoring_ended(0, 3 * SECOND, "stream_ended", 3.0)

    (flag,) = [flag for flag in of(FlagData, told) if flag.state == "closed"]
    assert flag.window.end_pts_ms == 3_000


answers = st.lists(
    st.tuples(
        st.integers(1, 9 * SECOND),
        st.sampled_from(["high", "low", "refused", "late"]),
        st.floats(0, 9),
    ),
    max_size=10,
)
scripts = st.lists(answers, min_size=1, max_size=3)
"""Timelines: media time that passes, how the model answers then, seconds that pass."""

Script = list[list[tuple[int, str, float]]]


def play(held: Session, script: Script, *, is_given_up: bool) -> Iterator[list[Event]]:
    """Play a session whose model answers late: after the next timeline has begun, or never."""
    now_s = 0.0
    late: list[tuple[int, int, list[int]]] = []
    for epoch, happenings in enumerate(script):
        yield held.epoch_began(epoch, 0, now_s, CODEC, Sampling.AUTO)
        at_us, waiting = 0, []
        for step_us, what, seconds in happenings:
            at_us, now_s = at_us + step_us, now_s + seconds
            yield held.sampled(
                sample(at_us, picture(1), epoch=epoch, read_at_s=now_s), now_s
            ).events
            if what == "refused":
                yield held.not_scored(epoch, at_us, GapReason.OVERLOAD, now_s)
            elif what == "late":
                waiting.append(at_us)
            else:
                value = 0.9 if what == "high" else 0.1
                said = scores(at_us, epoch=epoch, read_at_s=now_s, weapon=value)
                yield held.scored(said, now_s).events
        yield held.epoch_ended(epoch, at_us, "epoch_ended", now_s)
        late.append((epoch, at_us, waiting))
    for epoch, last_us, waiting in [] if is_given_up else late:
        for at_us in waiting:
            said = scores(at_us, epoch=epoch, read_at_s=now_s, weapon=0.9)
            yield held.scored(said, now_s).events
        yield held.scoring_ended(epoch, last_us, "epoch_ended", now_s)
    yield held.scoring_given_up(now_s)
    yield held.ended("ended", 9, 0, now_s)


@given(script=scripts, is_given_up=st.booleans())
def test_each_detector_accounts_for_all_that_was_sent(script: Script, *, is_given_up: bool) -> None:
    held = session()
    sent_us = sum(moment[0] for happenings in script for moment in happenings)

    events = [e for events in play(held, script, is_given_up=is_given_up) for e in events]

    (account,) = of(StreamEndedData, events)
    assert abs(account.screened_ms + account.gap_ms - sent_us / 1000) < 1
    assert not held.is_scoring


@given(script=scripts, is_given_up=st.booleans())
def test_every_flag_of_every_detector_closes_and_no_instant_runs_backwards(
    script: Script, *, is_given_up: bool
) -> None:
    events = [e for events in play(session(), script, is_given_up=is_given_up) for e in events]

    states: dict[str, list[str]] = {}
    for event in events:
        assert event.time <= event.recordedtime
        if isinstance(event.data, FlagData):
            states.setdefault(event.data.flag_id, []).append(event.data.state)
            assert event.data.window.start_time <= event.data.window.end_time
        if isinstance(event.data, GapData):
            assert event.data.start_time <= event.data.end_time <= event.recordedtime
    assert all(told[0] == "open" and told[-1] == "closed" for told in states.values())
    assert all(told.count("closed") == 1 for told in states.values())
    assert len({event.id for event in events}) == len(events)
