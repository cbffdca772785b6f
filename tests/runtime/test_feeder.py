import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import pairwise

import pytest
import structlog
from structlog.testing import capture_logs

from streamguard.core.errors import SourceCorrupt, SourceUnavailable
from streamguard.core.sampling import Sampler, Sampling
from streamguard.core.types import GapReason, Packet, Sample, Sound
from streamguard.runtime.feeder import Feeder, Source
from streamguard.runtime.lane import MAX_AGE_S
from streamguard.runtime.notes import (
    CaughtUp,
    EpochBegan,
    EpochEnded,
    SourceEnded,
    SourceOpened,
)
from streamguard.runtime.ring import PacketRing
from tests.runtime.fakes import (
    CODEC,
    FRAME_US,
    Bench,
    FakeHands,
    FakeSource,
    on_loop,
    packet,
    wait_for,
)

SECOND_US = 1_000_000
PATIENCE_S = 60.0
FOREVER_S = 1e6

THREE = [packet(second * SECOND_US) for second in range(3)]


def feeder_of(
    bench: Bench,
    open_source: Callable[[], AbstractContextManager[Source]],
    mode: Sampling = Sampling.KEYFRAMES,
    ring: PacketRing | None = None,
    *,
    patience_s: float = 0.0,
    keeps_all: bool = True,
) -> Feeder:
    return Feeder(
        open_source,
        bench.lane,
        ring or PacketRing(),
        Sampler(mode),
        bench.losses,
        "test",
        patience_s=patience_s,
        keeps_all=keeps_all,
    )


def feed(bench: Bench, source: FakeSource, mode: Sampling = Sampling.KEYFRAMES) -> Feeder:
    """Read a source to its end, and decode all that came of it."""
    feeder = feeder_of(bench, lambda: source, mode)
    feeder.start()
    assert feeder.join(PATIENCE_S)
    bench.work_off()
    return feeder


async def told(bench: Bench) -> list[object]:
    """Give the notes, and the times of the samples among them."""
    return [i.pts_us if isinstance(i, Sample) else i for i in await bench.items()]


def test_a_reader_leaves_word_of_its_stream_and_that_it_only_reads() -> None:
    def test(bench: Bench) -> None:
        hands = FakeHands()
        bench.lane.mark = 12_345
        feeder = feeder_of(bench, lambda: FakeSource(THREE))
        feeder.start(hands)
        assert feeder.join(PATIENCE_S)

        assert hands.given == [[12_345, 0]]

    on_loop(test)


def test_a_source_is_told_from_its_opening_to_its_end() -> None:
    async def test(bench: Bench) -> None:
        source = FakeSource([replace(each, read_at_s=9.0) for each in THREE])

        feeder = feed(bench, source)

        assert await told(bench) == [
            SourceOpened(CODEC),
            EpochBegan(0, 0, 9.0),
            0,
            SECOND_US,
            2 * SECOND_US,
            EpochEnded(0, 2 * SECOND_US, is_last=True),
            SourceEnded(None, 3),
        ]
        assert source.is_closed
        assert (feeder.n_packets, feeder.newest) == (3, (0, 2 * SECOND_US))

    on_loop(test)


@pytest.mark.parametrize(("n_tracks", "told"), [(1, []), (3, [2])])
def test_tracks_beside_the_one_that_is_screened_are_told(n_tracks: int, told: list[int]) -> None:
    def test(bench: Bench) -> None:
        with structlog.testing.capture_logs() as lines:
            feed(bench, FakeSource(THREE, codec=replace(CODEC, n_tracks=n_tracks)))

        said = [line["n_tracks"] for line in lines if line["event"] == "tracks_not_screened"]
        assert said == told

    on_loop(test)


@pytest.mark.parametrize("error", [SourceUnavailable("gone"), ZeroDivisionError("a bug")])
def test_a_source_that_cannot_be_opened_has_ended(error: Exception) -> None:
    async def test(bench: Bench) -> None:
        def refuse() -> AbstractContextManager[Source]:
            raise error

        feeder = feeder_of(bench, refuse)
        feeder.start()
        assert feeder.join(PATIENCE_S)
        bench.work_off()

        assert await told(bench) == [SourceEnded(error, 0)]

    on_loop(test)


@pytest.mark.parametrize("error", [SourceCorrupt("damaged"), ZeroDivisionError("a bug")])
def test_a_source_that_breaks_off_closes_its_timeline(error: Exception) -> None:
    async def test(bench: Bench) -> None:
        source = FakeSource(THREE, error)

        feed(bench, source)

        assert (await told(bench))[-2:] == [
            EpochEnded(0, 2 * SECOND_US, is_last=True),
            SourceEnded(error, 3),
        ]
        assert source.is_closed

    on_loop(test)


def test_an_error_before_the_first_packet_has_no_timeline_to_close() -> None:
    async def test(bench: Bench) -> None:
        error = SourceUnavailable("silent")

        feed(bench, FakeSource([], error))

        assert await told(bench) == [SourceOpened(CODEC), SourceEnded(error, 0)]

    on_loop(test)


def test_each_timeline_begins_and_ends() -> None:
    async def test(bench: Bench) -> None:
        second = [packet(50 * SECOND_US + n, epoch=1, read_at_s=4.0) for n in range(2)]

        feed(bench, FakeSource([*THREE, *second]))

        assert (await told(bench))[4:] == [
            2 * SECOND_US,
            EpochEnded(0, 2 * SECOND_US, is_last=False),
            EpochBegan(1, 50 * SECOND_US, 4.0),
            50 * SECOND_US,
            50 * SECOND_US + 1,
            EpochEnded(1, 50 * SECOND_US + 1, is_last=True),
            SourceEnded(None, 5),
        ]

    on_loop(test)


def test_the_last_time_is_the_latest_shown_not_the_latest_read() -> None:
    async def test(bench: Bench) -> None:
        reordered = [
            packet(0),
            packet(3 * FRAME_US, is_keyframe=False),
            packet(FRAME_US, is_keyframe=False),
        ]

        feed(bench, FakeSource(reordered))

        assert (await told(bench))[-2] == EpochEnded(0, 3 * FRAME_US, is_last=True)

    on_loop(test)


def test_a_timeline_that_begins_in_the_middle_of_a_gop_has_a_reason_for_its_gap() -> None:
    async def test(bench: Bench) -> None:
        middle = [packet(n * FRAME_US, is_keyframe=n == 5) for n in range(8)]

        feed(bench, FakeSource(middle))

        assert bench.losses.reason_within(0, 0, 0) is GapReason.NO_KEYFRAME
        assert [each.pts_us for each in bench.decoder.alone] == [5 * FRAME_US]

    on_loop(test)


def test_a_stop_ends_the_reading_after_the_packet_it_waits_for() -> None:
    async def test(bench: Bench) -> None:
        is_reading, may_read = threading.Event(), threading.Event()

        def block(each: Packet) -> None:
            if each is THREE[1]:
                is_reading.set()
                wait_for(may_read)

        source = FakeSource(THREE, on_read=block)
        feeder = feeder_of(bench, lambda: source)
        feeder.start()
        wait_for(is_reading)

        feeder.stop()
        assert not feeder.join(0.01)
        may_read.set()

        assert feeder.join(PATIENCE_S)
        bench.work_off()
        assert (await told(bench))[-2:] == [
            EpochEnded(0, SECOND_US, is_last=True),
            SourceEnded(None, 2),
        ]
        assert source.is_closed

    on_loop(test)


def test_a_failure_of_the_lane_ends_the_reading() -> None:
    async def test(bench: Bench) -> None:
        failure = SourceCorrupt("so many errors")

        def fail(each: Packet) -> None:
            if each is THREE[1]:
                bench.lane.failure = failure

        feed(bench, FakeSource(THREE, on_read=fail))

        assert (await told(bench))[-1] == SourceEnded(failure, 2)

    on_loop(test)


def test_a_live_reader_does_not_lag_behind_where_nobody_decodes() -> None:
    """It reads on at its pace, so that nothing piles up in sockets; what is old goes, counted."""

    async def test(bench: Bench) -> None:
        given = [packet(n * SECOND_US, read_at_s=float(n)) for n in range(60)]
        feeder = feeder_of(bench, lambda: FakeSource(given))

        feeder.start()
        ended = feeder.join(PATIENCE_S)
        decoded_before = list(bench.decoder.alone)
        bench.work_off()

        assert ended
        assert feeder.n_packets == 60
        assert decoded_before == []
        assert bench.decoder.alone[-1] is given[-1]
        assert len(bench.decoder.alone) + bench.dropped("lane_full") == 60
        assert bench.dropped("lane_full") >= 60 - (MAX_AGE_S + 1)
        assert bench.losses.reason_within(0, 0, 20 * SECOND_US) is GapReason.OVERLOAD

    on_loop(test)


def gops(n_gops: int, gop: int) -> list[Packet]:
    return [
        packet(n * FRAME_US, is_keyframe=n % gop == 0, read_at_s=0.0) for n in range(n_gops * gop)
    ]


def test_keyframes_are_decoded_alone_and_nothing_else() -> None:
    async def test(bench: Bench) -> None:
        feed(bench, FakeSource(gops(3, 25)), Sampling.KEYFRAMES)

        assert [each.pts_us for each in bench.decoder.alone] == [0, SECOND_US, 2 * SECOND_US]
        assert bench.decoder.ordered == []

    on_loop(test)


def test_dense_decodes_everything_in_order() -> None:
    async def test(bench: Bench) -> None:
        given = gops(3, 25)

        feed(bench, FakeSource(given), Sampling.DENSE)

        assert bench.decoder.ordered == [given]
        assert bench.decoder.alone == []

    on_loop(test)


def test_where_keyframes_are_rare_decoding_catches_up_from_the_last_one() -> None:
    """A keyframe every 6 s: after 2.5 s without one, all since the last is decoded in order."""

    async def test(bench: Bench) -> None:
        given = gops(1, 150)

        feed(bench, FakeSource(given), Sampling.AUTO)

        assert bench.decoder.ordered == [given]
        assert bench.decoder.alone == given[:1]
        sampled = [at for at in await told(bench) if isinstance(at, int)]
        assert all(then - now <= 280_000 for now, then in pairwise(sampled))

    on_loop(test)


def test_what_was_read_is_in_the_ring() -> None:
    async def test(bench: Bench) -> None:
        ring = PacketRing()
        feeder = feeder_of(bench, lambda: FakeSource(gops(2, 25)), ring=ring)

        feeder.start()
        assert feeder.join(PATIENCE_S)

        assert len(ring.between(0, 0, 10 * SECOND_US)) == 50

    on_loop(test)


def test_a_reader_that_keeps_step_waits_after_each_keyframe_until_it_is_judged() -> None:
    async def test(bench: Bench) -> None:
        reads: list[int] = []
        source = FakeSource(gops(3, 3), on_read=lambda each: reads.append(each.pts_us))
        feeder = feeder_of(bench, lambda: source, patience_s=FOREVER_S)
        feeder.start()
        for n in range(3):
            sampled = await next_of(bench, Sample)
            caught_up = await next_of(bench, CaughtUp)
            assert isinstance(sampled, Sample)
            assert isinstance(caught_up, CaughtUp)
            assert sampled.pts_us == n * 3 * FRAME_US
            assert reads[-1] == sampled.pts_us + FRAME_US  # one frame beyond the keyframe
            caught_up.tell()

        assert feeder.join(PATIENCE_S)
        assert feeder.n_packets == 9

    on_loop(test)


async def next_of(bench: Bench, kind: type[object]) -> object:
    """Work on until an item of a kind comes."""
    while True:
        bench.work_off()
        item = await bench.mailbox.get(PATIENCE_S)
        if isinstance(item, kind):
            return item


def test_a_reader_that_keeps_step_does_not_wait_between_keyframes() -> None:
    """Nothing that could be sampled lies between them."""
    source = FakeSource(THREE)

    def test(bench: Bench) -> None:
        feeder = feeder_of(bench, lambda: source, patience_s=FOREVER_S)
        feeder.start()

        assert feeder.join(PATIENCE_S)

    on_loop(test)


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_reader_that_keeps_step_can_be_stopped_while_it_waits(when: str) -> None:
    async def test(bench: Bench) -> None:
        reading, going_on = threading.Event(), threading.Event()

        def on_read(each: Packet) -> None:
            if not each.is_keyframe and when == "before":
                reading.set()
                wait_for(going_on)

        feeder = feeder_of(
            bench, lambda: FakeSource(gops(2, 3), on_read=on_read), patience_s=FOREVER_S
        )
        feeder.start()
        if when == "while":
            await next_of(bench, CaughtUp)
        else:
            wait_for(reading)

        feeder.stop()

        going_on.set()
        assert feeder.join(PATIENCE_S)

    on_loop(test)


class Asking(FakeSource):
    """Asks after each keyframe whether the next packets matter, and goes by the answer."""

    def packets(self, may_pass_over: Callable[[], bool]) -> Iterator[Packet]:
        n_passed_over, is_passing = 0, False
        for each in self.given:
            if is_passing and not each.is_keyframe:
                n_passed_over += 1
                continue
            yield replace(each, n_passed_over=n_passed_over)
            n_passed_over = 0
            is_passing = may_pass_over()


@pytest.mark.parametrize(
    ("mode", "keeps_all", "n_read"),
    [
        (Sampling.KEYFRAMES, False, 3),
        (Sampling.KEYFRAMES, True, 9),  # evidence is made of all packets
        (Sampling.DENSE, False, 9),
    ],
)
def test_packets_that_nobody_wants_are_passed_over_and_counted(
    mode: Sampling, n_read: int, *, keeps_all: bool
) -> None:
    def test(bench: Bench) -> None:
        ring = PacketRing()
        source = Asking([*gops(3, 3), packet(SECOND_US)])
        feeder = feeder_of(bench, lambda: source, mode, ring, keeps_all=keeps_all)
        feeder.start()

        assert feeder.join(PATIENCE_S)
        assert len(ring.between(0, 0, SECOND_US)) == n_read + 1
        assert feeder.n_packets == 10

    on_loop(test)


def test_whether_packets_matter_is_said_once_the_keyframe_is_judged() -> None:
    async def test(bench: Bench) -> None:
        sampler = Sampler(Sampling.AUTO)
        source = Asking(gops(2, 3))
        feeder = Feeder(
            lambda: source,
            bench.lane,
            PacketRing(),
            sampler,
            bench.losses,
            "test",
            patience_s=FOREVER_S,
            keeps_all=False,
        )
        feeder.start()
        caught_up = await next_of(bench, CaughtUp)
        assert isinstance(caught_up, CaughtUp)

        sampler.request_dense(0, 0)  # the keyframe came near something
        caught_up.tell()

        assert feeder.join(PATIENCE_S)
        bench.work_off()
        assert [each.pts_us for each in bench.decoder.ordered[0]] == [
            n * FRAME_US for n in range(6)
        ]

    on_loop(test)


def test_a_reader_of_little_patience_goes_on_unjudged() -> None:
    source = FakeSource(gops(2, 3))

    def test(bench: Bench) -> None:
        feeder = feeder_of(bench, lambda: source, patience_s=0.001)
        feeder.start()

        assert feeder.join(PATIENCE_S)
        assert feeder.n_packets == 6

    on_loop(test)


H264_UNNEEDED, H264_NEEDED = b"\x00\x00\x01\x01x", b"\x00\x00\x01\x41x"


@pytest.mark.parametrize("mode", [Sampling.AUTO, Sampling.DENSE])
def test_of_a_long_gop_frames_that_no_other_needs_are_left_out(mode: Sampling) -> None:
    async def test(bench: Bench) -> None:
        times_us = range(SECOND_US, 6 * SECOND_US, SECOND_US)
        payloads = [H264_UNNEEDED if us % (2 * SECOND_US) else H264_NEEDED for us in times_us]
        between = [
            packet(us, is_keyframe=False, payload=payload)
            for us, payload in zip(times_us, payloads, strict=True)
        ]

        feed(bench, FakeSource([packet(0), *between]), mode)

        [decoded] = bench.decoder.ordered
        assert len(decoded) == (3 if mode is Sampling.AUTO else 6)

    on_loop(test)


@pytest.mark.parametrize(
    ("sound", "told"),
    [(None, []), (Sound("aac", 2), []), (Sound("opus", 2), []), (Sound("mp3", 2), ["mp3"])],
)
def test_sound_that_clips_will_be_without_is_said(sound: Sound | None, told: list[str]) -> None:
    class Sounding(FakeSource):
        def hear(self) -> None:
            self.codec = replace(self.codec, sound=sound)

    def test(bench: Bench) -> None:
        feed(bench, Sounding([packet(0)]))

    with capture_logs() as lines:
        on_loop(test)

    assert [line["codec"] for line in lines if line["event"] == "sound_not_kept"] == told
