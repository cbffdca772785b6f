"""One connection, from its source to the log."""

import asyncio
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamguard.adapters.evidence_dir import EvidenceDir
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.bank_values import BankSettings
from streamguard.core.banks import Banks
from streamguard.core.errors import SourceCorrupt, SourceInvalid, SourceTruncated, SourceUnavailable
from streamguard.core.events import EventType
from streamguard.core.location import Location, parse_location
from streamguard.core.sampling import Sampling
from streamguard.core.timeline import Timeline
from streamguard.core.types import GapReason, Limits, Match, Packet, Region
from streamguard.runtime.feeder import Source
from streamguard.runtime.parts import Parts
from streamguard.runtime.screen import TICK_S
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once
from tests.clock import FakeClock
from tests.media import Recipe, shifted, video
from tests.runtime.fakes import (
    BUG,
    CORRUPT,
    FakeSource,
    FakeStore,
    packet,
    wait_for,
)
from tests.runtime.stage import FILE, LIVE, PATIENCE_S, Opener, Stage, known_picture

SECOND_US = 1_000_000
NOW_S = 1_000.0


def keyframes(n: int, *, every_s: int = 2, epoch: int = 0, payload: bytes = b"x") -> list[Packet]:
    return [
        packet(second * SECOND_US, epoch=epoch, read_at_s=NOW_S, payload=payload)
        for second in range(0, n * every_s, every_s)
    ]


def opener(source: FakeSource) -> Opener:
    return lambda _: source


def screen(stage: Stage, source: FakeSource, **how: object) -> Exception | None:
    """Screen one connection of a file to its end."""
    stream = stage.stream(opener(source), **{"location": FILE, **how})  # type: ignore[arg-type]  # as given
    return stage.run(lambda parts, stop: screen_once(stream, parts, stop))


def test_a_stream_begins_is_screened_and_ends_with_its_account() -> None:
    stage = Stage()

    error = screen(stage, FakeSource(keyframes(30)))

    assert error is None
    assert stage.kinds == ["stream.started", "stream.ended"]
    [started], [ended] = stage.told(EventType.STREAM_STARTED), stage.told(EventType.STREAM_ENDED)
    assert (started.codec, started.width, started.sampling) == ("h264", 64, "keyframes")
    assert (ended.reason, ended.n_packets, ended.n_samples) == ("ended", 30, 30)
    assert (ended.screened_ms, ended.gap_ms, ended.n_dropped) == (58_000, 0, 0)
    assert ended.stream.session_id == started.stream.session_id
    assert 58.0 <= stage.value("screened_seconds_total") <= 60.5  # a counter cannot be taken back
    assert stage.value("streams_connected") == 0


def test_a_file_is_screened_whole_however_fast_it_is_read() -> None:
    stage = Stage()

    screen(stage, FakeSource(keyframes(1_500)))

    [ended] = stage.told(EventType.STREAM_ENDED)
    assert (ended.n_samples, ended.n_dropped) == (1_500, 0)


def test_known_content_is_flagged_and_the_flag_closes_with_the_stream() -> None:
    stage = Stage(banks=known_picture())

    screen(stage, FakeSource(keyframes(3)))

    assert stage.kinds == [
        "stream.started",
        "flag.opened",
        "flag.closed",  # the picture stands still: there is no second vote to tell of
        "stream.ended",
    ]
    [opened], [closed] = stage.told(EventType.FLAG_OPENED), stage.told(EventType.FLAG_CLOSED)
    assert opened.evidence.state == "off"
    assert opened.signals[0].match.entry == "film"
    assert closed.close_reason == "stream_ended"
    assert closed.window.n_samples == 3
    assert stage.value("flags_total", severity="P1") == 1


def test_a_flag_that_goes_on_tells_how_near_each_sample_was() -> None:
    stage = Stage(banks=known_picture())

    screen(stage, FakeSource(keyframes(4)))

    [updated] = stage.told(EventType.FLAG_UPDATED)
    course = updated.signals[0].match.course
    assert (course.sample_pts_ms, course.distances_bits) == ((0, 2_000, 4_000, 6_000), (0,) * 4)


def test_a_match_in_shadow_is_logged_and_counted_once_and_never_flagged() -> None:
    hidden = BankSettings(limits=Limits(is_shadow=True))
    stage = Stage(banks=known_picture(settings=hidden), store=FakeStore())

    with capture_logs() as logs:
        screen(stage, FakeSource(keyframes(4)))

    assert stage.kinds == ["stream.started", "stream.ended"]
    [told] = [each for each in logs if each["event"] == "shadow_matched"]
    assert (told["stream_id"], told["bank"], told["entry"]) == ("lobby", "known", "film")
    assert (told["policy"], told["distance_bits"], told["pts_us"]) == ("TVEC-TEST", 0, 0)
    assert stage.value("shadow_matches_total") == 1


def test_what_a_negative_bank_silences_is_counted() -> None:
    harmless = known_picture(settings=BankSettings(role="negative"), name="harmless")
    stage = Stage(banks=Banks((*known_picture().banks, *harmless.banks)))

    screen(stage, FakeSource(keyframes(4)))

    assert stage.kinds == ["stream.started", "stream.ended"]
    assert stage.value("vetoes_total") == 4
    assert stage.value("samples_total", outcome="judged") == 4


HLS = parse_location("http://127.0.0.1/live.m3u8")


@pytest.mark.parametrize("location", [FILE, HLS])
@pytest.mark.parametrize(("n_bits", "n_samples"), [(40, 16), (62, 2)])
def test_a_near_miss_makes_its_own_gop_dense_however_fast_it_is_read(
    location: Location, n_bits: int, n_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamguard.runtime.parts.HLS_PATIENCE_S", 10.0)  # a machine may be busy
    stage = Stage(banks=known_picture(n_bits))
    frames = [packet(n * 40_000, is_keyframe=n % 50 == 0, read_at_s=NOW_S) for n in range(100)]

    screen(stage, FakeSource(frames), sampling=Sampling.AUTO, location=location)

    [ended] = stage.told(EventType.STREAM_ENDED)
    assert ended.n_samples == n_samples


def test_evidence_of_a_flag_is_announced_before_the_end() -> None:
    store = FakeStore()
    stage = Stage(banks=known_picture(), store=store)

    screen(stage, FakeSource(keyframes(4)))

    assert stage.kinds[-3:] == ["flag.updated", "flag.closed", "stream.ended"]
    told = [data.evidence.state for data in stage.told(EventType.FLAG_UPDATED)]
    assert told[-1] == "ready"
    assert [at_us for _, at_us, _ in store.stills] == [0]
    [clip] = store.clips
    assert clip.is_closed
    assert [each.pts_us // SECOND_US for each in clip.packets] == [0, 2, 4, 6]


def test_evidence_is_made_when_the_connection_is_lost_not_when_it_returns() -> None:
    store = FakeStore()
    stage = Stage(banks=known_picture(), store=store)
    lost = FakeSource(keyframes(1), SourceUnavailable("gone"))
    stream = stage.stream(opener(lost))

    async def test(parts: Parts, stop: Stop) -> None:
        from streamguard.runtime.screen import StreamScreen  # noqa: PLC0415

        async with asyncio.TaskGroup() as tasks:
            await StreamScreen(stream, parts, tasks).connect(stop)

    stage.run(test)

    assert [clip.is_closed for clip in store.clips] == [True]


@pytest.mark.parametrize("error", [SourceInvalid("no video"), SourceUnavailable("gone")])
def test_what_never_began_is_not_spoken_of(error: Exception) -> None:
    stage = Stage()

    assert screen(stage, FakeSource([], error)) is error
    assert stage.kinds == []


def test_a_file_that_is_cut_short_lacks_what_follows() -> None:
    stage = Stage()
    cut = SourceTruncated("cut short", 30 * SECOND_US)

    error = screen(stage, FakeSource(keyframes(5), cut))

    assert error is cut
    [gap], [ended] = stage.told(EventType.COVERAGE_GAP), stage.told(EventType.STREAM_ENDED)
    assert (gap.reason, gap.start_pts_ms, gap.end_pts_ms) == (GapReason.TRUNCATED, 8_000, 38_000)
    assert ended.reason == "truncated"
    assert stage.value("gap_seconds_total", detector="hash", reason="truncated") == 30.0


@pytest.mark.parametrize(
    ("error", "reason"), [(SourceCorrupt("damaged"), "source_corrupt"), (KeyError(), "internal")]
)
def test_a_source_that_fails_still_ends_with_its_account(error: Exception, reason: str) -> None:
    stage = Stage(banks=known_picture())

    assert screen(stage, FakeSource(keyframes(3), error)) is error
    assert stage.kinds[-2:] == ["flag.closed", "stream.ended"]
    assert stage.told(EventType.STREAM_ENDED)[0].reason == reason


def test_a_bug_in_decoding_ends_the_stream_with_its_account() -> None:
    stage = Stage()
    source = FakeSource([*keyframes(3), packet(9 * SECOND_US, payload=BUG, read_at_s=NOW_S)])

    error = screen(stage, source)

    assert isinstance(error, ZeroDivisionError)
    assert stage.told(EventType.STREAM_ENDED)[0].reason == "internal"


def test_what_cannot_be_decoded_lies_in_a_gap() -> None:
    stage = Stage()
    good, bad = keyframes(20), keyframes(20, payload=CORRUPT)

    screen(stage, FakeSource([*good[:5], *bad[5:15], *good[15:]]))

    [gap] = stage.told(EventType.COVERAGE_GAP)
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert gap.reason is GapReason.DECODE_ERROR
    assert (gap.start_pts_ms, gap.end_pts_ms) == (10_500, 27_500)
    assert ended.screened_ms + ended.gap_ms == 38_000


def test_timelines_of_one_connection_are_parts_of_one_session() -> None:
    stage = Stage(banks=known_picture())

    screen(stage, FakeSource([*keyframes(3), *keyframes(3, epoch=1)]))

    first, second = stage.told(EventType.STREAM_STARTED)
    assert (first.stream.epoch, second.stream.epoch) == (0, 1)
    assert first.stream.session_id == second.stream.session_id
    reasons = [data.close_reason for data in stage.told(EventType.FLAG_CLOSED)]
    assert reasons == ["epoch_ended", "stream_ended"]
    assert len(stage.told(EventType.STREAM_ENDED)) == 1


def test_a_stop_ends_the_session_and_what_is_open_in_it() -> None:
    stage = Stage(banks=known_picture())
    source = FakeSource(keyframes(10))
    stream = stage.stream(opener(source), location=LIVE)

    async def test(parts: Parts, stop: Stop) -> Exception | None:
        loop = asyncio.get_running_loop()
        held = threading.Event()

        def stop_at_third(each: Packet) -> None:
            if each.pts_us == 4 * SECOND_US:
                loop.call_soon_threadsafe(stop.set)
                loop.call_later(2 * TICK_S, held.set)  # by then the stop has been seen
                wait_for(held)

        source.on_read = stop_at_third
        return await screen_once(stream, parts, stop)

    assert stage.run(test) is None
    assert source.is_closed
    assert stage.told(EventType.FLAG_CLOSED)[0].close_reason == "interrupted"
    ended = stage.told(EventType.STREAM_ENDED)[0]
    assert ended.reason == "interrupted"
    assert ended.n_packets < 10


def test_a_stop_does_not_wait_for_a_read_that_blocks() -> None:
    """The read comes back long after; nothing is published any more."""
    stage = Stage(banks=known_picture())
    comes_back = threading.Event()
    source = FakeSource(keyframes(3))
    stream = stage.stream(opener(source), location=LIVE)

    async def test(parts: Parts, stop: Stop) -> Exception | None:
        loop = asyncio.get_running_loop()

        def block(each: Packet) -> None:
            if each.pts_us:
                loop.call_soon_threadsafe(stop.set)
                loop.call_soon_threadsafe(loop.call_later, 0.5, stage.clock.advance, 3.0)
                wait_for(comes_back)

        source.on_read = block
        error = await screen_once(stream, parts, stop)
        told = list(stage.log.events)
        comes_back.set()
        await asyncio.sleep(0.1)
        assert stage.log.events[: len(told)] == told
        return error

    assert stage.run(test) is None
    assert stage.kinds[-2:] == ["flag.closed", "stream.ended"]
    assert stage.told(EventType.STREAM_ENDED)[0].reason == "interrupted"
    assert stage.value("streams_connected") == 0


def test_a_stop_does_not_wait_for_a_stream_that_is_only_being_opened() -> None:
    stage = Stage()
    comes_back = threading.Event()
    source = FakeSource(keyframes(3))

    def open_slowly(timeline: Timeline) -> AbstractContextManager[Source]:
        wait_for(comes_back)
        return opener(source)(timeline)

    async def test(parts: Parts, stop: Stop) -> Exception | None:
        asyncio.get_running_loop().call_later(0.05, stop.set)
        async with asyncio.timeout(PATIENCE_S):
            error = await screen_once(stage.stream(open_slowly, location=LIVE), parts, stop)
        comes_back.set()
        return error

    assert stage.run(test) is None
    assert stage.kinds == []


@pytest.mark.parametrize("location", [FILE, LIVE])
def test_screening_that_is_cancelled_closes_what_it_reads(location: Location) -> None:
    stage = Stage()
    reached = threading.Event()

    def on_read(each: Packet) -> None:
        stage.clock.advance(0.01)
        if each.pts_us > 200 * SECOND_US:
            reached.set()

    source = FakeSource(keyframes(3_000), on_read=on_read)
    stream = stage.stream(opener(source), location=location)

    async def test(parts: Parts, stop: Stop) -> None:
        task = asyncio.create_task(screen_once(stream, parts, stop))
        while not reached.is_set():  # noqa: ASYNC110  # set by another thread, or by the task
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    stage.run(test)  # joins the pool's threads

    assert not any(thread.name == "demux-lobby" for thread in still_running())
    assert source.is_closed


def still_running() -> list[threading.Thread]:
    """Give the reading threads that are left after some time to end."""
    for thread in threading.enumerate():
        if thread.name.startswith("demux-"):
            thread.join(30)
    return [thread for thread in threading.enumerate() if thread.is_alive()]


@dataclass(frozen=True)
class BrokenBanks(Banks):
    """A bank that fails at the first look."""

    def query(self, pdq: object, region: Region) -> list[Match]:
        raise ZeroDivisionError("a bug on purpose")


def test_a_bug_in_judging_ends_the_stream_and_leaves_no_thread_waiting() -> None:
    stage = Stage(banks=BrokenBanks(()))

    error = screen(stage, FakeSource(keyframes(3_000)))

    assert isinstance(error, ZeroDivisionError)
    assert stage.kinds[0] == "stream.started"
    assert stage.kinds[-1] == "stream.ended"
    assert stage.told(EventType.STREAM_ENDED)[0].reason == "internal"
    assert not any(thread.name == "demux-lobby" for thread in still_running())


def real_stream(path: Path, clock: FakeClock) -> Opener:
    def open_it(timeline: Timeline) -> AbstractContextManager[Source]:
        return PyavSource(parse_location(str(path)), timeline, clock)

    return open_it


@pytest.mark.parametrize("sampling", list(Sampling))
def test_a_real_file_of_two_sizes_is_screened_to_its_end(
    tmp_path: Path, sampling: Sampling
) -> None:
    path = tmp_path / "two.ts"
    small = video("mpegts", Recipe(n_frames=100, bf=2))
    large = video("mpegts", Recipe(n_frames=100, bf=2, size=(320, 180), seed=2))
    path.write_bytes(small + shifted(large, 4 * 90_000))
    clock = FakeClock(NOW_S)
    stage = Stage(make_decoder=lambda: PyavDecoder(clock), clock=clock)
    stream = stage.stream(real_stream(path, clock), location=FILE, sampling=sampling)

    error = stage.run(lambda parts, stop: screen_once(stream, parts, stop))

    assert error is None
    assert stage.kinds == ["stream.started", "stream.started", "stream.ended"]
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert ended.n_packets == 200
    assert ended.n_samples == (32 if sampling is Sampling.DENSE else 8)
    assert ended.gap_ms == 0
    assert ended.screened_ms == pytest.approx(8_000, abs=100)


def test_a_flag_of_a_real_file_has_a_clip_and_a_still(tmp_path: Path) -> None:
    from streamguard.core.look import views_of  # noqa: PLC0415
    from tests.core_fakes import banks, entry  # noqa: PLC0415
    from tests.media import packets  # noqa: PLC0415

    path, root = tmp_path / "known.ts", tmp_path / "evidence"
    payload = video("mpegts", Recipe(n_frames=150, bf=2))
    path.write_bytes(payload)
    codec, found = packets(payload)
    clock = FakeClock(NOW_S)
    frame = PyavDecoder(clock).keyframe(codec, found[50])
    [view] = views_of(frame.luma, full_range=frame.full_range)
    stage = Stage(
        make_decoder=lambda: PyavDecoder(clock),
        clock=clock,
        banks=banks(entry("film", {0: view.pdq})),
        store=EvidenceMaker(EvidenceDir(root), clock),
    )
    stream = stage.stream(real_stream(path, clock), location=FILE)

    stage.run(lambda parts, stop: screen_once(stream, parts, stop))

    states = [data.evidence.state for data in stage.told(EventType.FLAG_UPDATED)]
    assert states[-1] == "ready"
    assert {each.name for each in root.rglob("*") if each.is_file()} == {"clip.mp4", "still.jpg"}


@pytest.mark.parametrize("is_new_epoch", [False, True])
def test_a_publisher_that_falls_silent_leaves_no_gap(*, is_new_epoch: bool) -> None:
    """Its own time stands still meanwhile, or begins anew: `Timeline` breaks beyond 10 s."""
    stage = Stage()
    before = keyframes(3)
    resumed_us = 66 * SECOND_US if is_new_epoch else 6 * SECOND_US
    after = [
        packet(resumed_us + each.pts_us, epoch=int(is_new_epoch), read_at_s=NOW_S + 60)
        for each in keyframes(3)
    ]

    def fall_silent(each: Packet) -> None:
        if each is after[0]:
            stage.clock.advance(60.0)

    source = FakeSource([*before, *after], on_read=fall_silent)
    error = screen(stage, source, sampling=Sampling.AUTO)

    assert error is None
    assert stage.told(EventType.COVERAGE_GAP) == []
    [ended] = stage.told(EventType.STREAM_ENDED)
    assert (ended.n_samples, ended.gap_ms) == (6, 0)
    assert ended.screened_ms == (8_000 if is_new_epoch else 10_000)
