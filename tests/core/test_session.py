from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.bank_editor import edit_bank
from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.banks import Banks
from streamguard.core.coverage import MAX_PIECE_US, REACH_US, LossLedger
from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.event_data import (
    Evidence,
    FlagData,
    utc_seconds,
    utc_text,
)
from streamguard.core.events import Event
from streamguard.core.judgement import EvidenceRequest, Judgement
from streamguard.core.match import Matcher
from streamguard.core.policy import HashRule, Policy
from streamguard.core.recheck import new_entries, search
from streamguard.core.sampling import Sampling
from streamguard.core.session import Session
from streamguard.core.types import CloseReason, Codec, GapReason, Limits, Sample
from tests.core_fakes import (
    banks,
    context,
    entry,
    film,
    minting,
    picture,
    sample,
    view,
    wall_of,
)

SECOND = 1_000_000
FILM = 1000
"""Number of the film's first picture; the one at its nth second is FILM + n."""

KNOWN = banks(film("film", FILM), film("other", 2000, policy="TVEC-OTHER"))
CODEC = Codec("h264", b"", 1280, 720)
UNAVAILABLE = Evidence(state="unavailable")
POOR = view(picture(1), quality=0)

D = TypeVar("D")


def session(
    *, has_evidence: bool = False, policy: Policy | None = None, known: Banks = KNOWN
) -> Session:
    rules = policy or Policy()
    return Session(
        context(),
        Matcher(lambda: known, rules),
        rules,
        LossLedger(),
        minting(),
        has_evidence=has_evidence,
    )


def begun(**options: Any) -> Session:
    """Give a session whose first packet was read at 0 s, of media time 0."""
    made = session(**options)
    made.epoch_began(0, 0, 0.0, CODEC, Sampling.AUTO)
    return made


def judge(held: Session, one: Sample) -> Judgement:
    """Judge a sample at the instant of its reading."""
    return held.sampled(one, one.read_at_s)


def of(kind: type[D], events: list[Event]) -> list[D]:
    return [event.data for event in events if isinstance(event.data, kind)]


def spans(events: list[Event]) -> list[tuple[int, int, GapReason]]:
    return [(gap.start_pts_ms, gap.end_pts_ms, gap.reason) for gap in of(GapData, events)]


def states(events: list[Event]) -> list[str]:
    return [flag.state for flag in of(FlagData, events)]


def totals(held: Session) -> StreamEndedData:
    (data,) = of(StreamEndedData, held.ended("ended", 0, 0, 60.0))
    return data


def test_a_session_that_begins_says_what_it_screens() -> None:
    held = session()

    (event,) = held.epoch_began(0, 1_234_567, 2.5, CODEC, Sampling.DENSE)

    assert isinstance(event.data, StreamStartedData)
    assert (event.data.codec, event.data.width, event.data.height) == ("h264", 1280, 720)
    assert (event.data.sampling, event.data.start_pts_ms) == (Sampling.DENSE, 1_234)
    assert event.data.start_time == event.time == event.recordedtime == utc_text(wall_of(2.5))


def test_each_epoch_is_announced_under_its_number() -> None:
    held = begun()
    held.epoch_ended(0, 0, "epoch_ended", 1.0)

    (event,) = held.epoch_began(1, 0, 1.0, CODEC, Sampling.AUTO)

    assert isinstance(event.data, StreamStartedData)
    assert event.data.stream.epoch == held.epoch == 1


def test_known_content_opens_a_flag_and_asks_for_evidence() -> None:
    held = begun(has_evidence=True)

    judgement = held.sampled(sample(SECOND, picture(FILM), read_at_s=1.0), 1.25)

    (flag,) = of(FlagData, judgement.events)
    assert (flag.state, flag.evidence.state) == ("open", "pending")
    (request,) = judgement.requests
    assert str(request.flag_id) == flag.flag_id
    assert (request.epoch, request.pts_us, request.is_first) == (0, SECOND, True)
    assert (judgement.is_judged, judgement.is_near_miss) == (True, False)


def test_further_samples_that_make_it_certain_ask_for_a_still_of_the_stronger_hit() -> None:
    held = begun(has_evidence=True)
    judge(held, sample(0, picture(FILM)))

    judgement = judge(held, sample(SECOND, picture(FILM + 1)))

    assert states(judgement.events) == ["updated"]
    [request] = judgement.requests
    assert (request.pts_us, request.is_first) == (SECOND, False)


def test_without_a_store_no_evidence_is_asked_for() -> None:
    judgement = judge(begun(), sample(0, picture(FILM)))

    assert judgement.requests == []
    assert [flag.evidence.state for flag in of(FlagData, judgement.events)] == ["off"]


def test_a_near_miss_is_told_and_opens_nothing() -> None:
    held = begun(policy=Policy(default=HashRule(min_votes=2)))

    judgement = judge(held, sample(0, picture(FILM)))

    assert judgement == Judgement([], [], is_judged=True, is_near_miss=True)


def test_a_flag_closes_by_the_time_of_the_stream() -> None:
    held = begun()
    judge(held, sample(0, picture(FILM)))

    told = [judge(held, sample(n * SECOND, picture(1))).events for n in range(1, 5)]

    assert [states(events) for events in told] == [[], [], [], ["closed"]]


def test_a_flag_of_an_idle_stream_closes_by_the_clock() -> None:
    held = begun()
    judge(held, sample(0, picture(FILM)))

    assert held.idle(None, 4.999) == []
    (closed,) = of(FlagData, held.idle(None, 5.0))

    assert (closed.state, closed.close_reason) == ("closed", "idle")


@pytest.mark.parametrize("why", ["epoch_ended", "stream_ended", "interrupted"])
def test_a_flag_closes_with_its_epoch(why: CloseReason) -> None:
    held = begun()
    judge(held, sample(0, picture(FILM)))

    (closed,) = of(FlagData, held.epoch_ended(0, 0, why, 1.0))

    assert (closed.state, closed.close_reason) == ("closed", why)


def test_closed_comes_after_the_evidence() -> None:
    held = begun(has_evidence=True)
    (request,) = judge(held, sample(0, picture(FILM))).requests

    assert held.epoch_ended(0, 0, "stream_ended", 1.0) == []
    told = held.attach(request.flag_id, UNAVAILABLE, 2.0)

    assert states(told) == ["updated", "closed"]
    assert [flag.evidence for flag in of(FlagData, told)] == [UNAVAILABLE, UNAVAILABLE]


def test_what_was_sent_before_the_first_verdict_is_a_gap() -> None:
    judgement = judge(begun(), sample(4 * SECOND, picture(1)))

    assert spans(judgement.events) == [(0, 1_500, GapReason.LONG_GOP)]


def test_a_flag_is_told_before_the_gap_in_front_of_it() -> None:
    judgement = judge(begun(), sample(4 * SECOND, picture(FILM)))

    assert [type(event.data) for event in judgement.events] == [FlagData, GapData]


def test_a_sample_of_low_quality_is_no_verdict() -> None:
    held = begun()

    judgement = judge(held, sample(SECOND, POOR))
    told = held.epoch_ended(0, 2 * SECOND, "stream_ended", 2.0)

    assert judgement == Judgement([], [], is_judged=False, is_near_miss=False)
    assert spans(told) == [(0, 2_000, GapReason.LOW_QUALITY)]


def test_what_is_found_on_a_picture_that_is_not_whole_counts_and_the_rest_is_a_gap() -> None:
    held = begun()
    known = replace(sample(0, view(picture(FILM))), is_whole=False)
    unknown = replace(sample(SECOND, view(picture(1))), is_whole=False)

    first, second = judge(held, known), judge(held, unknown)

    assert states(first.events) == ["open"]
    assert second.decisions == ()
    assert spans(held.epoch_ended(0, SECOND, "stream_ended", 2.0)) == [
        (0, 1_000, GapReason.NO_KEYFRAME)
    ]
    assert totals(held).screened_ms == 0


def test_low_quality_that_goes_on_is_told_while_it_lasts() -> None:
    """Samples that come one upon another leave the clock no turn."""
    held, limit_us = begun(), MAX_PIECE_US + REACH_US

    before = judge(held, sample(limit_us - 1, POOR)).events
    then = judge(held, sample(limit_us, POOR)).events

    assert before == []
    assert spans(then) == [(0, MAX_PIECE_US // 1000, GapReason.LOW_QUALITY)]


def test_the_clock_tells_a_gap_that_goes_on() -> None:
    held = begun()

    assert held.idle(MAX_PIECE_US + REACH_US - 1, 13.0) == []
    assert held.idle(None, 13.0) == []
    told = held.idle(MAX_PIECE_US + REACH_US, 13.0)

    assert spans(told) == [(0, MAX_PIECE_US // 1000, GapReason.LONG_GOP)]


def test_an_interrupted_epoch_says_so_of_what_is_left_over() -> None:
    told = begun().epoch_ended(0, SECOND, "interrupted", 1.0)

    assert spans(told) == [(0, 1_000, GapReason.INTERRUPTED)]


def test_an_epoch_that_ended_within_reach_of_a_verdict_has_no_gap() -> None:
    held = begun()
    judge(held, sample(0, picture(1)))

    assert held.epoch_ended(0, REACH_US, "stream_ended", 3.0) == []


def test_time_without_a_connection_is_a_gap_by_the_clock() -> None:
    held = begun()
    judge(held, sample(0, picture(1)))
    held.epoch_ended(0, SECOND, "stream_ended", 1.0)

    (gap,) = of(GapData, held.was_away(1.0, 8.5, GapReason.SOURCE_UNAVAILABLE))

    assert (gap.start_pts_ms, gap.end_pts_ms) == (1_000, 1_000)
    assert (gap.start_time, gap.end_time) == (utc_text(wall_of(1.0)), utc_text(wall_of(8.5)))
    assert (gap.length_s, gap.reason) == (7.5, GapReason.SOURCE_UNAVAILABLE)


def test_a_source_that_never_came_is_a_gap_too() -> None:
    (gap,) = of(GapData, session().was_away(0.0, 10.0, GapReason.SOURCE_UNAVAILABLE))

    assert (gap.start_pts_ms, gap.end_pts_ms, gap.length_s) == (0, 0, 10.0)
    assert gap.stream.epoch == 0


def test_a_gap_by_the_clock_lies_where_the_stream_had_come_to() -> None:
    held = begun()
    judge(held, sample(5 * SECOND, picture(1)))

    (gap,) = of(GapData, held.was_away(5.0, 6.0, GapReason.SOURCE_UNAVAILABLE))

    assert (gap.start_pts_ms, gap.end_pts_ms) == (5_000, 5_000)


def test_where_no_media_passed_no_millisecond_of_it_is_told() -> None:
    held = begun()
    judge(held, sample(5 * SECOND + 300, picture(1)))

    (gap,) = of(GapData, held.was_away(5.0, 6.0, GapReason.SOURCE_UNAVAILABLE))

    assert gap.start_pts_ms == gap.end_pts_ms
    assert gap.length_s == 1.0


def test_what_a_file_lacks_is_a_gap_behind_its_last_packet() -> None:
    held = begun()
    judge(held, sample(0, picture(1)))
    held.epoch_ended(0, SECOND, "stream_ended", 1.0)

    told = held.was_cut_short(5 * SECOND, 1.0)

    assert spans(told) == [(1_000, 6_000, GapReason.TRUNCATED)]
    assert totals(held).gap_ms == 5_000


def test_the_account_adds_up() -> None:
    held = begun()
    judge(held, sample(0, picture(FILM)))
    judge(held, sample(0, picture(2000)))
    judge(held, sample(SECOND, POOR))
    held.epoch_ended(0, REACH_US + 1_500, "epoch_ended", 3.0)
    held.epoch_began(1, 0, 3.0, CODEC, Sampling.AUTO)
    judge(held, sample(0, picture(1), epoch=1))
    held.epoch_ended(1, 1_500, "stream_ended", 4.0)

    (event,) = held.ended("source_unavailable", 77, 5, 60.0)

    assert isinstance(event.data, StreamEndedData)
    assert event.data.model_dump(exclude={"stream"}) == {
        "reason": "source_unavailable",
        "n_packets": 77,
        "n_samples": 4,
        "n_flags": 2,
        "screened_ms": 2_501,  # 2,501.5 ms
        "gap_ms": 2,  # 1.5 ms: a gap is never told shorter than it was
        "n_dropped": 5,
    }
    assert event.data.stream.epoch == 1
    assert event.time == event.recordedtime == utc_text(wall_of(60.0))


def test_media_time_is_screened_as_verdicts_come() -> None:
    held = begun()

    judge(held, sample(SECOND, picture(1)))

    assert held.screened_us == SECOND + REACH_US


def test_an_account_that_goes_on_claims_no_media_that_has_not_come() -> None:
    held = begun()
    judge(held, sample(SECOND, picture(1)))

    early = held.account((SECOND + 400_000, 1.4), 50, 0)
    late = held.account((SECOND + REACH_US + 1, 3.6), 100, 0)

    assert (early.screened_us, late.screened_us) == (SECOND + 400_000, SECOND + REACH_US)


def test_an_account_between_two_timelines_claims_all_of_the_first() -> None:
    held = begun()
    judge(held, sample(SECOND, picture(1)))
    held.epoch_ended(0, 2 * SECOND, "epoch_ended", 2.0)

    kept = held.account((2 * SECOND, 2.0), 50, 0)

    assert kept.screened_us == 2 * SECOND


def test_a_gap_of_live_media_is_told_by_the_clock_of_its_reading() -> None:
    held = begun()
    judge(held, sample(0, picture(1), read_at_s=0.5))

    (gap,) = of(GapData, judge(held, sample(9 * SECOND, picture(1), read_at_s=9.5)).events)

    assert (gap.start_pts_ms, gap.end_pts_ms) == (2_500, 6_500)
    assert (gap.start_time, gap.end_time) == (utc_text(wall_of(3.0)), utc_text(wall_of(7.0)))


def test_no_gap_is_told_for_the_future() -> None:
    """The reader is ahead of the samples; the last of them was read long ago."""
    held = begun()

    (gap,) = of(GapData, held.epoch_ended(0, 60 * SECOND, "stream_ended", 2.0))

    assert (gap.start_time, gap.end_time) == (utc_text(wall_of(0.0)), utc_text(wall_of(2.0)))


def test_a_gap_of_a_file_was_not_read_before_the_file_was() -> None:
    """A minute of it is read in a second."""
    held = begun()

    (gap,) = of(GapData, held.sampled(sample(60 * SECOND, picture(1), read_at_s=1.0), 1.0).events)

    assert gap.end_pts_ms == 57_500
    assert gap.start_time == gap.end_time == utc_text(wall_of(0.0))


def test_pieces_of_one_gap_follow_each_other_by_the_clock_too() -> None:
    """Ten seconds came at once when the stream was opened: later ones are read in time."""
    held = begun()
    held.sampled(sample(0, POOR, read_at_s=0.0), 0.0)
    (first,) = of(GapData, held.idle(14 * SECOND, 15.0))

    (second,) = of(GapData, held.sampled(sample(24 * SECOND, POOR, read_at_s=15.0), 15.0).events)

    assert first.end_pts_ms == second.start_pts_ms == 11_500
    assert first.end_time == second.start_time == utc_text(wall_of(11.5))


pictures = st.sampled_from([FILM, FILM + 1, FILM + 2, 2000, 1, 2])
moments = st.lists(
    st.tuples(
        st.integers(1, 20 * SECOND),
        st.floats(0, 20),
        st.sampled_from(["sample", "sample", "sample", "poor", "idle", "attach"]),
        pictures,
    ),
    max_size=12,
)
"""Media time that passes, seconds that pass, and what comes then."""

scripts = st.lists(
    st.tuples(moments, st.integers(0, 9 * SECOND), st.booleans()), min_size=1, max_size=3
)
"""Epochs: what happens in them, what is sent after that, and whether the source goes away."""

Script = list[tuple[list[tuple[int, float, str, int]], int, bool]]


def play(held: Session, script: Script) -> Iterator[list[Event]]:
    """Play a session from its first packet to its account, as the shell would."""
    wanted: list[EvidenceRequest] = []
    now_s = 0.0
    for epoch, (happenings, rest_us, goes_away) in enumerate(script):
        at_us = 0
        yield held.epoch_began(epoch, 0, now_s, CODEC, Sampling.AUTO)
        for step_us, seconds, what, number in happenings:
            at_us, now_s = at_us + step_us, now_s + seconds
            if what == "idle":
                yield held.idle(at_us, now_s)
            elif what == "attach" and wanted:
                yield held.attach(wanted.pop().flag_id, UNAVAILABLE, now_s)
            elif what in {"sample", "poor"}:
                seen = POOR if what == "poor" else view(picture(number))
                read_at_s = max(now_s - 0.5, 0.0)
                judgement = held.sampled(
                    sample(at_us, seen, epoch=epoch, read_at_s=read_at_s), now_s
                )
                wanted += [each for each in judgement.requests if each.is_first]
                yield judgement.events
        is_last = epoch == len(script) - 1
        why: CloseReason = "stream_ended" if is_last else "epoch_ended"
        yield held.epoch_ended(epoch, at_us + rest_us, why, now_s)
        if goes_away:
            yield held.was_away(now_s, now_s + 3.0, GapReason.SOURCE_UNAVAILABLE)
            now_s += 3.0
    while wanted:
        yield held.attach(wanted.pop().flag_id, UNAVAILABLE, now_s)
    yield held.ended("ended", 9, 0, now_s)


def played(held: Session, script: Script) -> list[Event]:
    return [event for events in play(held, script) for event in events]


@given(script=scripts, has_evidence=st.booleans())
def test_every_flag_opens_first_and_closes_once_at_last(
    script: Script, *, has_evidence: bool
) -> None:
    events = played(session(has_evidence=has_evidence), script)

    told: dict[str, list[FlagData]] = {}
    for flag in of(FlagData, events):
        told.setdefault(flag.flag_id, []).append(flag)
    for flags in told.values():
        assert [flag.revision for flag in flags] == list(range(len(flags)))
        middle = ["updated"] * (len(flags) - 2)
        assert [flag.state for flag in flags] == ["open", *middle, "closed"]
        assert flags[0].evidence.state == ("pending" if has_evidence else "off")
        assert flags[-1].evidence.state == ("unavailable" if has_evidence else "off")
    assert of(StreamEndedData, events)[0].n_flags == len(told)


@given(script=scripts, has_evidence=st.booleans())
def test_no_two_events_share_an_id(script: Script, *, has_evidence: bool) -> None:
    events = played(session(has_evidence=has_evidence), script)

    assert len({event.id for event in events}) == len(events)


@given(scripts)
def test_the_account_of_any_session_is_all_that_was_sent(script: Script) -> None:
    held = session()

    events = played(held, script)

    sent_us = sum(
        sum(moment[0] for moment in happenings) + rest_us for happenings, rest_us, _ in script
    )
    account = of(StreamEndedData, events)[0]
    assert abs(account.screened_ms + account.gap_ms - sent_us / 1000) < 1
    rounded_ms = sum(gap.end_pts_ms - gap.start_pts_ms for gap in of(GapData, events))
    assert account.gap_ms <= rounded_ms <= account.gap_ms + 2 * len(of(GapData, events))


@given(script=scripts, has_evidence=st.booleans())
def test_instants_never_run_backwards(script: Script, *, has_evidence: bool) -> None:
    events = played(session(has_evidence=has_evidence), script)

    assert all(event.time <= event.recordedtime for event in events)
    recorded_s = [utc_seconds(event.recordedtime) for event in events]
    assert recorded_s == sorted(recorded_s)
    for event in events:
        if isinstance(event.data, FlagData):
            window = event.data.window
            assert window.start_time <= window.end_time <= event.recordedtime
    gaps = [event for event in events if isinstance(event.data, GapData)]
    latest, epoch = "", -1
    for event in gaps:
        assert isinstance(event.data, GapData)
        assert event.data.start_time <= event.data.end_time <= event.recordedtime
        if event.data.stream.epoch == epoch:
            assert event.data.start_time >= latest
        latest, epoch = event.data.end_time, event.data.stream.epoch


def beside(*more: Banks) -> Session:
    """Give a session that knows the film and more; nothing of it is kept as evidence."""
    held = Banks((*KNOWN.banks, *(bank for each in more for bank in each.banks)))
    matcher = Matcher(lambda: held, Policy())
    made = Session(context(), matcher, Policy(), LossLedger(), minting(), has_evidence=True)
    made.epoch_began(0, 0, 0.0, CODEC, Sampling.AUTO)
    return made


def test_a_match_in_shadow_is_told_of_once_and_makes_no_flag_and_no_evidence() -> None:
    hidden = BankSettings(limits=Limits(is_shadow=True))
    held = beside(banks(film("hidden", 3000), name="shadow", settings=hidden))

    told = [judge(held, sample(n * SECOND, picture(3000 + n))) for n in range(3)]

    assert [[each.key for each in one.shadows] for one in told] == [[("shadow", "hidden")], [], []]
    assert [(one.events, one.requests, one.decisions) for one in told] == [([], [], ())] * 3
    assert totals(held).n_flags == 0


def test_a_slate_that_is_known_to_be_harmless_makes_no_flag_and_is_counted() -> None:
    slate = banks(film("slate", FILM), name="slates", settings=BankSettings(role="negative"))
    held = beside(slate)

    judgement = judge(held, sample(0, picture(FILM)))

    assert judgement == Judgement([], [], is_judged=True, n_vetoes=1)


class Moving:
    """Banks into which a film comes while a session is under way."""

    def __init__(self) -> None:
        self.banks = banks(film("old", 3000))

    def begun(self, *, has_evidence: bool = True) -> Session:
        matcher = Matcher(lambda: self.banks, Policy())
        made = Session(
            context(), matcher, Policy(), LossLedger(), minting(), has_evidence=has_evidence
        )
        made.epoch_began(0, 0, 0.0, CODEC, Sampling.AUTO)
        return made

    def add(self, *entries: Entry) -> None:
        self.banks = Banks((edit_bank(self.banks.banks[0], add=entries),))


def looked_back(held: Session, is_held: Callable[[int, int], bool]) -> Judgement:
    recheck = held.recheck()
    assert recheck is not None
    return held.rechecked(search(recheck, new_entries(recheck)), 60.0, is_held)


def test_what_comes_into_a_bank_is_flagged_where_it_was_shown() -> None:
    moving = Moving()
    held = moving.begun()
    assert held.recheck() is None
    for n in range(3):
        assert judge(held, sample((1 + n) * SECOND, picture(FILM + n))).events == []

    moving.add(film("film", FILM))
    judgement = looked_back(held, lambda *_: False)

    assert states(judgement.events) == ["open", "closed"]
    (opened, _) = of(FlagData, judgement.events)
    assert (opened.window.start_pts_ms, opened.window.end_pts_ms) == (1_000, 3_000)
    assert (opened.evidence.state, judgement.requests) == ("unavailable", [])
    assert held.recheck() is None
    assert totals(held).n_flags == 1


@pytest.mark.parametrize(("held_from_s", "shown_s"), [(0, 9), (10, 11), (12, None)])
def test_evidence_of_the_past_is_made_of_what_is_still_held(
    held_from_s: int, shown_s: int | None
) -> None:
    moving = Moving()
    held = moving.begun()
    for n in range(3):
        judge(held, sample((9 + n) * SECOND, picture(FILM + n)))
    moving.add(film("film", FILM))

    judgement = looked_back(held, lambda epoch, at_us: epoch == 0 and at_us >= held_from_s * SECOND)

    asked_s = [(each.pts_us // SECOND, each.is_first) for each in judgement.requests]
    assert asked_s == ([] if shown_s is None else [(shown_s, True)])
    assert states(judgement.events) == (["open", "closed"] if shown_s is None else ["open"])


def test_without_evidence_the_past_asks_for_none() -> None:
    moving = Moving()
    held = moving.begun(has_evidence=False)
    judge(held, sample(0, picture(FILM)))
    moving.add(film("film", FILM))

    judgement = looked_back(held, lambda *_: True)

    assert (states(judgement.events), judgement.requests) == (["open", "closed"], [])


def test_the_past_tells_of_each_shadow_once() -> None:
    moving = Moving()
    held = moving.begun()
    for n in range(3):
        judge(held, sample(n * SECOND, picture(FILM)))
    moving.add(entry("film", {0: picture(FILM)}, limits=Limits(is_shadow=True)))

    judgement = looked_back(held, lambda *_: True)

    assert [each.key for each in judgement.shadows] == [("known", "film")]
    assert judgement.events == []


POSTER = banks(entry("poster", {0: picture(7)}, kind="image"))


def with_poster() -> Session:
    made = session(has_evidence=True, known=POSTER)
    made.epoch_began(0, 0, 0.0, CODEC, Sampling.AUTO)
    return made


def test_a_source_that_is_a_single_picture_is_flagged_at_its_end() -> None:
    held = with_poster()
    at_once = judge(held, sample(0, picture(7)))

    ended = held.was_all(0, 0, 1.0)
    closed = held.epoch_ended(0, 0, "stream_ended", 1.0)
    closed += held.attach(ended.requests[0].flag_id, UNAVAILABLE, 1.0)

    assert of(FlagData, at_once.events) == []
    (flag,) = of(FlagData, ended.events)
    assert (flag.state, flag.policy.code) == ("open", "TVEC-TEST")
    assert [request.pts_us for request in ended.requests] == [0]
    assert (states(closed), {each.flag_id for each in of(FlagData, closed)}) == (
        ["updated", "closed"],
        {flag.flag_id},
    )


@pytest.mark.parametrize(
    "times_us", [(0, SECOND), (0, 0)], ids=["another sample", "another of the same time"]
)
def test_a_picture_among_others_is_none_that_is_all_there_is(times_us: tuple[int, int]) -> None:
    held = with_poster()
    judge(held, sample(times_us[0], picture(7)))
    judge(held, sample(times_us[1], picture(8)))

    assert held.was_all(0, times_us[1], 1.0).events == []


@pytest.mark.parametrize("last_us", [1, SECOND])
def test_a_sample_with_more_packets_after_it_is_none_that_is_all_there_is(last_us: int) -> None:
    """They were not sampled; the source went on all the same."""
    held = with_poster()
    judge(held, sample(0, picture(7)))

    assert held.was_all(0, last_us, 1.0).events == []


def test_of_a_source_without_samples_nothing_is_told() -> None:
    assert with_poster().was_all(0, 0, 1.0) == Judgement([], [], is_judged=False)
