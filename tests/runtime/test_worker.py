"""Streams that are kept screened: reconnects, sessions, and one stream's trouble beside another."""

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource, SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import (
    SourceCorrupt,
    SourceInvalid,
    SourceUnavailable,
    StreamguardError,
)
from streamguard.core.events import EventType
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import GapReason
from streamguard.runtime.feeder import Source
from streamguard.runtime.parts import Parts
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import SESSION_PATIENCE_S, is_retriable, keep_screening
from tests.media import Recipe, video
from tests.runtime.fakes import FakeSource, packet
from tests.runtime.stage import Opener, Stage, known_picture
from tests.servers import cut_short, in_turn, serving, status, whole

SECOND_US = 1_000_000
SMALL_DRAWS = 112_983
"""A seed whose first five draws lie below 0.09: pauses between tries are short."""
GONE = SourceUnavailable("gone: is it up and publishing?")


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    random.seed(SMALL_DRAWS)


def gives(
    stage: Stage, *, n: int = 3, error: Exception | None = GONE, lasts_s: float = 60.0
) -> Opener:
    """Open a source of n keyframes that come over some seconds, then end or fail."""

    def open_it(timeline: Timeline) -> FakeSource:
        stamps = [timeline.place(2 * k, 2 * k, Fraction(1)) for k in range(n)]
        return FakeSource(
            [
                packet(stamp.pts_us, epoch=stamp.epoch, read_at_s=stage.clock.now_s)
                for stamp in stamps
            ],
            error,
            on_read=lambda _: stage.clock.advance(lasts_s / n),
        )

    return open_it


def refuses(stage: Stage, error: Exception = GONE, *, takes_s: float = 1.0) -> Opener:
    """Fail to open after some seconds."""

    def open_it(_: Timeline) -> FakeSource:
        stage.clock.advance(takes_s)
        raise error

    return open_it


def keep(stage: Stage, *streams_of: tuple[str, list[Opener]]) -> None:
    """Keep streams screened until each has come to the end of its script."""

    async def test(parts: Parts, stop: Stop) -> None:
        loop = asyncio.get_running_loop()
        left = {stream_id for stream_id, _ in streams_of}

        def end(stream_id: str) -> None:
            left.discard(stream_id)
            if not left:
                stop.set()

        async with asyncio.TaskGroup() as tasks:
            for stream_id, openers in streams_of:
                stop_it = _ending(partial(loop.call_soon_threadsafe, end, stream_id))
                stream = stage.stream(*openers, *[stop_it] * 100, stream_id=stream_id)
                tasks.create_task(keep_screening(stream, parts, stop))

    stage.run(test)


def _ending(tell: Callable[[], object]) -> Opener:
    def open_it(_: Timeline) -> FakeSource:
        tell()
        raise GONE

    return open_it


def test_a_reconnect_is_a_new_timeline_of_the_same_session() -> None:
    stage = Stage()

    keep(stage, ("lobby", [gives(stage), gives(stage)]))

    first, second = stage.told(EventType.STREAM_STARTED)
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert (first.stream.epoch, second.stream.epoch) == (0, 1)
    assert first.stream.session_id == second.stream.session_id == ended.stream.session_id
    assert (ended.n_packets, ended.n_samples) == (6, 6)
    assert stage.value("connections_lost_total", reason="source_unavailable") >= 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [(GONE, GapReason.SOURCE_UNAVAILABLE), (SourceCorrupt("damaged"), GapReason.SOURCE_CORRUPT)],
)
def test_the_time_without_a_connection_is_a_gap(error: Exception, reason: GapReason) -> None:
    stage = Stage()

    keep(stage, ("lobby", [gives(stage, error=error), refuses(stage, takes_s=5.0), gives(stage)]))

    gaps = [gap for gap in stage.told(EventType.COVERAGE_GAP) if gap.length_s >= 5.0]
    assert gaps[0].reason == reason
    assert gaps[0].stream.epoch == 0
    kinds = stage.kinds
    assert kinds.index("coverage.gap") < len(kinds) - 1 - kinds[::-1].index("stream.started")


def test_a_long_time_without_a_connection_is_told_while_it_lasts() -> None:
    stage = Stage()

    keep(stage, ("lobby", [gives(stage), *[refuses(stage, takes_s=12.0)] * 2, gives(stage)]))

    gaps = stage.told(EventType.COVERAGE_GAP)
    away_s = sum(gap.length_s for gap in gaps if gap.reason is GapReason.SOURCE_UNAVAILABLE)
    assert len([gap for gap in gaps if gap.reason is GapReason.SOURCE_UNAVAILABLE]) >= 3
    assert away_s >= 24.0
    assert len({data.stream.session_id for data in stage.told(EventType.STREAM_STARTED)}) == 1


def test_a_stream_that_stays_away_too_long_has_ended_and_comes_back_as_another() -> None:
    stage = Stage()
    away = [refuses(stage, takes_s=SESSION_PATIENCE_S / 2 + 1)] * 2

    keep(stage, ("lobby", [gives(stage), *away, gives(stage)]))

    first, second = stage.told(EventType.STREAM_STARTED)
    ended, _ = stage.told(EventType.STREAM_ENDED)
    assert first.stream.session_id != second.stream.session_id
    assert second.stream.epoch == 0
    assert (ended.stream.session_id, ended.reason) == (
        first.stream.session_id,
        "source_unavailable",
    )


def test_a_stream_that_ended_by_itself_comes_back_as_another_session() -> None:
    stage = Stage()

    keep(stage, ("lobby", [gives(stage, error=None), gives(stage, error=None)]))

    ended = stage.told(EventType.STREAM_ENDED)
    assert [data.reason for data in ended] == ["ended", "ended"]
    assert len({data.stream.session_id for data in ended}) == 2


def test_a_stream_that_never_came_is_tried_again_and_not_spoken_of() -> None:
    stage = Stage()

    with capture_logs() as lines:
        keep(stage, ("lobby", [refuses(stage)] * 2))

    assert stage.n_opened >= 3
    assert stage.kinds == []
    assert [line["event"] for line in lines] == ["source_lost"]  # once, not each time
    assert stage.value("connections_lost_total", reason="source_unavailable") >= 3


def test_a_bug_ends_its_session_is_logged_and_the_stream_goes_on() -> None:
    stage = Stage()

    with capture_logs() as lines:
        keep(stage, ("lobby", [gives(stage, error=ZeroDivisionError("a bug")), gives(stage)]))

    assert [data.reason for data in stage.told(EventType.STREAM_ENDED)] == [
        "internal",
        "source_unavailable",
    ]
    [failed] = [line for line in lines if line["event"] == "stream_failed"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)
    assert failed["stream_id"] == "lobby"


def test_one_streams_bug_in_the_event_loop_does_not_touch_another() -> None:
    """Ids fail twice, so that not even a session can begin; then the stream is screened, too."""
    stage = Stage()
    failures = [ZeroDivisionError("a bug on purpose")] * 2

    async def test(parts: Parts, stop: Stop) -> None:
        def mint() -> UUID:
            if failures:
                raise failures.pop()
            return parts.mint()

        loop = asyncio.get_running_loop()
        ending = _ending(lambda: loop.call_soon_threadsafe(stop.set))
        bad = stage.stream(gives(stage), *[ending] * 100, stream_id="bad")
        good = stage.stream(*[gives(stage, lasts_s=1.0)] * 100, stream_id="good")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_screening(bad, replace(parts, mint=mint), stop))
            tasks.create_task(keep_screening(good, parts, stop))

    with capture_logs() as lines:
        stage.run(test)

    failed = [line["stream_id"] for line in lines if line["event"] == "stream_failed"]
    assert failed == ["bad", "bad"]
    ended = {data.stream.stream_id for data in stage.told(EventType.STREAM_ENDED)}
    assert ended == {"bad", "good"}


def test_a_source_that_breaks_off_after_each_packet_is_not_tried_in_a_tight_loop() -> None:
    """Half a second of real time: the second try is immediate, later ones wait ever longer."""
    stage = Stage()
    brief = gives(stage, n=1, lasts_s=0.01)
    stream = stage.stream(*[brief] * 100_000)

    async def test(parts: Parts, stop: Stop) -> None:
        async def stop_later() -> None:
            await asyncio.sleep(0.5)
            while stage.n_opened < 2:  # noqa: ASYNC110  # counted by another task
                await asyncio.sleep(0.01)
            stop.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stop_later())
            tasks.create_task(keep_screening(stream, parts, stop))

    stage.run(test)

    assert stage.n_opened <= 12


def test_a_connection_that_was_good_for_long_is_taken_up_again_at_once() -> None:
    stage = Stage()
    opened_at: list[float] = []

    def timed(opener: Opener) -> Opener:
        def open_it(timeline: Timeline) -> AbstractContextManager[Source]:
            opened_at.append(asyncio.run_coroutine_threadsafe(_now(), loops[0]).result(5))
            return opener(timeline)

        return open_it

    async def _now() -> float:
        return asyncio.get_running_loop().time()

    loops: list[asyncio.AbstractEventLoop] = []
    openers = [timed(gives(stage, lasts_s=60.0)) for _ in range(6)]

    async def test(parts: Parts, stop: Stop) -> None:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        ending = _ending(lambda: loop.call_soon_threadsafe(stop.set))
        await keep_screening(stage.stream(*openers, ending, ending), parts, stop)

    stage.run(test)

    assert len(opened_at) == 6
    assert opened_at[-1] - opened_at[0] < 1.0


def test_a_stop_closes_everything() -> None:
    stage = Stage(banks=known_picture())
    sources: list[FakeSource] = []

    def endless(_: Timeline) -> FakeSource:
        tick = threading.Event()
        source = FakeSource(
            [packet(2 * k * SECOND_US, read_at_s=stage.clock.now_s) for k in range(10_000)],
            on_read=lambda _: tick.wait(0.005) and None,
        )
        sources.append(source)
        return source

    async def test(parts: Parts, stop: Stop) -> None:
        async with asyncio.TaskGroup() as tasks:
            for stream_id in ("one", "two"):
                stream = stage.stream(endless, stream_id=stream_id)
                tasks.create_task(keep_screening(stream, parts, stop))
            while len(stage.told(EventType.FLAG_OPENED)) < 2:  # noqa: ASYNC110  # told by threads
                await asyncio.sleep(0.01)
            stop.set()

    stage.run(test)

    assert len(sources) == 2
    assert all(source.is_closed for source in sources)
    ended = stage.told(EventType.STREAM_ENDED)
    assert sorted(data.stream.stream_id for data in ended) == ["one", "two"]
    assert {data.reason for data in ended} == {"interrupted"}
    assert [data.close_reason for data in stage.told(EventType.FLAG_CLOSED)] == ["interrupted"] * 2
    assert stage.value("streams_connected") == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, False),
        (GONE, True),
        (SourceCorrupt("damaged"), True),
        (SourceInvalid("no video"), False),
        (StreamguardError("other"), False),
        (ZeroDivisionError(), False),
    ],
)
def test_only_what_may_pass_is_tried_again_within_a_session(
    error: Exception | None,
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_retriable(error) is expected


@pytest.mark.integration
def test_a_real_stream_that_is_cut_off_goes_on_in_the_same_session() -> None:
    """The first connection is cut in the middle, the second refused, the third runs to its end."""
    ts = video("mpegts", Recipe(n_frames=100, bf=2))
    clock = SystemClock()
    stage = Stage(make_decoder=lambda: PyavDecoder(clock), clock=clock)  # type: ignore[arg-type]  # real time here
    answers = in_turn(
        cut_short(ts[: len(ts) // 2], len(ts)), status("503 Service Unavailable"), whole(ts)
    )

    with serving(answers) as server:
        location = parse_location(server.url())

        def open_it(timeline: Timeline) -> PyavSource:
            return PyavSource(location, timeline, clock, SourceTimeouts(30.0, 30.0))

        stream = stage.stream(*[open_it] * 50)

        async def test(parts: Parts, stop: Stop) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(keep_screening(stream, parts, stop))
                while not stage.told(EventType.STREAM_ENDED):  # noqa: ASYNC110  # a list sets no event
                    await asyncio.sleep(0.01)
                stop.set()

        stage.run(test)

    first, second = stage.told(EventType.STREAM_STARTED)[:2]
    assert first.stream.session_id == second.stream.session_id
    assert (first.stream.epoch, second.stream.epoch) == (0, 1)
    assert stage.told(EventType.STREAM_ENDED)[0].reason == "ended"
    assert GapReason.SOURCE_UNAVAILABLE in {g.reason for g in stage.told(EventType.COVERAGE_GAP)}
