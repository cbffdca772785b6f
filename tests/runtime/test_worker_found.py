"""Streams that were found are kept screened: discovery says when they end, no connection does."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest

from streamguard.core.account import Account
from streamguard.core.coverage import REACH_US
from streamguard.core.errors import SourceInvalid, SourceUnavailable
from streamguard.core.events import Event, EventType
from streamguard.core.location import Location
from streamguard.core.record import Row
from streamguard.core.timeline import Timeline
from streamguard.core.types import GapReason, Packet
from streamguard.runtime.doors import Doors
from streamguard.runtime.parts import Parts
from streamguard.runtime.screen import StreamScreen
from streamguard.runtime.stop import Stop, StopReason
from streamguard.runtime.worker import NEWS_S, SESSION_PATIENCE_S, keep_screening
from tests.runtime.fakes import FakeSource, packet
from tests.runtime.stage import EventList, Opener, Stage, known_picture

GONE = SourceUnavailable("gone: is it up and publishing?")


@dataclass
class Kept(EventList):
    """A log that keeps accounts; says when the first event came, and when a flag was counted."""

    accounts: list[Account] = field(default_factory=list)
    told: threading.Event = field(default_factory=threading.Event)
    flagged: threading.Event = field(default_factory=threading.Event)

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        super().append(events)
        self.accounts += accounts
        if any(account.n_flags for account in accounts):
            self.flagged.set()
        if self.events:
            self.told.set()


class NoWaiting(Doors):
    """Lets no time pass, and keeps what was asked for; `back` says at which waits a server is."""

    def __init__(self, back: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.waits_s: list[float] = []
        self.settles_s: set[float] = set()
        self._back = back

    async def wait(
        self, location: Location, seconds: float, stop: asyncio.Event, settle_s: float = 0.0
    ) -> bool:
        self.waits_s.append(seconds)
        self.settles_s.add(settle_s)
        return len(self.waits_s) in self._back


def gives(stage: Stage, error: Exception | None) -> Opener:
    """Open a source of one keyframe that then ends or fails."""

    def open_it(timeline: Timeline) -> FakeSource:
        stamp = timeline.place(0, 0, Fraction(1))
        one = packet(stamp.pts_us, epoch=stamp.epoch, read_at_s=stage.clock.now_s)
        return FakeSource([one], error)

    return open_it


def refuses(stage: Stage, *, takes_s: float, error: Exception = GONE) -> Opener:
    """Fail to open after some seconds."""

    def open_it(_: Timeline) -> FakeSource:
        stage.clock.advance(takes_s)
        raise error

    return open_it


def keep(
    stage: Stage, *openers: Opener, reason: StopReason = "ended", doors: Doors | None = None
) -> None:
    """Keep a stream that was found screened to the end of its script; then release it."""

    async def test(parts: Parts, stop: Stop) -> None:
        loop = asyncio.get_running_loop()

        def release(_: Timeline) -> FakeSource:
            loop.call_soon_threadsafe(stop.because, reason)
            raise GONE

        made = stage.stream(*openers, *[release] * 100)
        stream = replace(made, session_key="publish-1", found_s=stage.clock.now_s)
        keeps = isinstance(stage.log, Kept)
        mine = replace(parts, doors=doors or NoWaiting(), keeps_accounts=keeps)
        await keep_screening(stream, mine, stop)

    stage.run(test)


def session_ids(stage: Stage) -> set[str]:
    return {data.stream.session_id for data in stage.told(EventType.STREAM_STARTED)}


@pytest.mark.parametrize("error", [None, GONE], ids=["end", "loss"])
def test_a_connection_that_ends_does_not_end_a_publish_that_goes_on(
    error: Exception | None,
) -> None:
    stage = Stage()

    keep(stage, gives(stage, error), gives(stage, error))

    assert len(session_ids(stage)) == 1
    assert [data.stream.epoch for data in stage.told(EventType.STREAM_STARTED)] == [0, 1]
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert ended.reason == "ended"


def test_a_publish_is_timed_once_from_when_it_was_listed_to_its_first_frame() -> None:
    """The second connection of a session is none of a publish that comes up."""
    stage = Stage()

    keep(stage, refuses(stage, takes_s=3.0), gives(stage, GONE), gives(stage, GONE))

    assert stage.value("listed_to_sample_seconds_count") == 1
    assert stage.value("listed_to_sample_seconds_sum") == pytest.approx(3.0, abs=0.1)


def test_a_flag_is_in_the_account_as_soon_as_it_is_in_the_log() -> None:
    """Else whoever goes on after a crash would tell of fewer flags than there were."""
    log = Kept()
    stage = Stage(banks=known_picture(), log=log)
    was_kept: list[bool] = []

    def gives_two(timeline: Timeline) -> FakeSource:
        first, second = (timeline.place(2 * n, 2 * n, Fraction(1)) for n in range(2))
        given = [packet(each.pts_us, read_at_s=stage.clock.now_s) for each in (first, second)]

        def wait(each: Packet) -> None:
            if each is given[1]:
                was_kept.append(log.flagged.wait(30.0))

        return FakeSource(given, GONE, on_read=wait)

    keep(stage, gives_two)

    assert was_kept == [True]


def test_a_publish_goes_on_however_long_we_are_kept_from_it() -> None:
    stage = Stage()
    away = [refuses(stage, takes_s=SESSION_PATIENCE_S)] * 3

    keep(stage, gives(stage, GONE), *away, gives(stage, GONE))

    assert len(session_ids(stage)) == 1
    gaps = stage.told(EventType.COVERAGE_GAP)
    away_s = sum(gap.length_s for gap in gaps if gap.reason is GapReason.SOURCE_UNAVAILABLE)
    assert away_s >= 3 * SESSION_PATIENCE_S


def test_what_can_never_be_screened_ends_its_session() -> None:
    stage = Stage()

    keep(stage, gives(stage, SourceInvalid("no video")), gives(stage, GONE))

    assert len(session_ids(stage)) == 2


def test_a_server_is_left_alone_for_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamguard.runtime.worker.random.random", lambda: 0.5)
    stage, doors = Stage(), NoWaiting()
    busy = SourceUnavailable("is asked too often", 7.0)

    keep(stage, *[refuses(stage, takes_s=0.0, error=busy)] * 2, gives(stage, GONE), doors=doors)

    assert doors.waits_s[:3] == [7.0, 7.125, 0.25]


def test_discovery_has_its_say_before_a_server_that_was_down_is_tried() -> None:
    stage, doors = Stage(), NoWaiting()

    keep(stage, gives(stage, GONE), gives(stage, GONE), doors=doors)

    assert doors.settles_s == {NEWS_S}


def test_our_own_stop_does_not_say_that_a_publish_ended() -> None:
    stage = Stage()

    keep(stage, gives(stage, GONE), reason="interrupted")

    [ended] = stage.told(EventType.STREAM_ENDED)
    assert ended.reason == "source_unavailable"


def test_a_server_that_is_back_is_tried_as_if_it_had_failed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamguard.runtime.worker.random.random", lambda: 0.5)
    stage, doors = Stage(), NoWaiting(back=(8,))

    keep(stage, *[refuses(stage, takes_s=0.0)] * 10, doors=doors)

    assert doors.waits_s[:8] == [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 7.5]
    assert doors.waits_s[8:10] == [0.125, 0.25]


def away_s(stage: Stage) -> list[float]:
    """Give the lengths of the stretches that a publish could not be read."""
    gaps = stage.told(EventType.COVERAGE_GAP)
    return [gap.length_s for gap in gaps if gap.reason is GapReason.SOURCE_UNAVAILABLE]


def test_a_publish_that_can_never_be_opened_is_a_gap_from_when_it_was_found() -> None:
    stage = Stage()

    keep(stage, *[refuses(stage, takes_s=4.0)] * 7)

    assert away_s(stage) == [12.0, 12.0, 4.0]  # told while it lasts, once a piece is ten seconds
    assert stage.value("gap_seconds_total", detector="hash", reason="source_unavailable") == 28.0
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert (ended.reason, ended.n_packets) == ("ended", 0)
    assert {gap.stream.session_id for gap in stage.told(EventType.COVERAGE_GAP)} == {
        ended.stream.session_id
    }


def test_a_publish_that_is_opened_late_is_a_gap_until_then() -> None:
    stage = Stage()

    keep(stage, *[refuses(stage, takes_s=4.0)] * 2, gives(stage, GONE))

    first, *_ = away_s(stage)
    assert first == 8.0 - REACH_US / 1e6
    assert len(session_ids(stage)) == 1


def test_a_publish_that_is_opened_at_once_has_no_gap_before_it() -> None:
    stage = Stage()

    keep(stage, gives(stage, GONE))

    assert sum(away_s(stage)) == 0.0


def test_a_connection_that_hangs_hides_no_gap_while_it_hangs() -> None:
    log = Kept()
    stage = Stage(log=log)
    was_told: list[bool] = []

    def hangs(_: Timeline) -> FakeSource:
        stage.clock.advance(11.0)
        was_told.append(log.told.wait(30.0))
        raise GONE

    keep(stage, hangs)

    assert was_told == [True]
    assert away_s(stage)[0] == 11.0


def test_a_publish_is_accounted_for_before_anything_of_it_was_read() -> None:
    log = Kept()
    stage = Stage(log=log)
    found_s = stage.clock.now_s

    keep(stage, refuses(stage, takes_s=4.0))

    assert {account.session_key for account in log.accounts} == {"publish-1"}
    assert log.accounts[0].accounted_s == found_s


def test_what_follows_a_session_that_a_bug_ended_is_accounted_for_as_well() -> None:
    stage = Stage()

    def fails(_: Timeline) -> FakeSource:
        raise ZeroDivisionError

    keep(stage, fails, refuses(stage, takes_s=4.0))

    first, second = stage.told(EventType.STREAM_ENDED)
    assert (first.reason, second.reason) == ("internal", "ended")
    assert away_s(stage) == [0.0, 4.0]


def test_a_session_that_is_handed_on_is_not_accounted_for_beyond_what_was_read() -> None:
    """A burst brings media whose time has not come: nobody has seen the seconds after it."""

    def burst(timeline: Timeline) -> FakeSource:
        times_us = [timeline.place(second, second, Fraction(1)).pts_us for second in range(3)]
        now_s = stage.clock.now_s
        return FakeSource(
            [packet(at_us, is_keyframe=at_us == 0, read_at_s=now_s) for at_us in times_us]
        )

    async def test(parts: Parts, stop: Stop) -> None:
        async with asyncio.TaskGroup() as tasks:
            screen = StreamScreen(stage.stream(burst), parts, tasks)
            await screen.connect(stop)
            await screen.finish("moved")

    stage = Stage(log=Kept())
    stage.run(test)
    assert isinstance(stage.log, Kept)

    assert stage.log.accounts[-1].accounted_s == stage.clock.now_s
