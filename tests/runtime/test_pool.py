import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.core.coverage import LossLedger
from streamguard.core.hands import MARK
from streamguard.core.types import Codec, Frame, Packet, Sample
from streamguard.runtime.lane import Lane
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import Item, Note, SourceEnded
from streamguard.runtime.pool import DecodePool
from tests.clock import FakeClock
from tests.media import Recipe, packets, video
from tests.runtime.fakes import BUG, CODEC, FakeDecoder, FakeHands, packet, wait_for

SECOND_US = 1_000_000
PATIENCE_S = 60.0


def lane_of(
    pool: DecodePool, clock: FakeClock, codec: Codec = CODEC
) -> tuple[Lane, Mailbox[Sample, Note]]:
    mailbox: Mailbox[Sample, Note] = Mailbox(1_000, on_drop=lambda _: None)
    lane = Lane(mailbox, LossLedger(), pool.offer, clock, PrometheusMeter(), waits=False)
    lane.open(codec)
    return lane, mailbox


async def until_end(mailbox: Mailbox[Sample, Note]) -> list[Item]:
    """Take everything up to the end of the source."""
    items: list[Item] = []
    while not (items and isinstance(items[-1], SourceEnded)):
        item = await mailbox.get(PATIENCE_S)
        assert item is not None
        items.append(item)
    return items


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_what_was_read_earliest_is_decoded_first() -> None:
    async def test() -> None:
        clock, decoder = FakeClock(), FakeDecoder()
        pool = DecodePool(1, lambda: decoder, clock)
        lanes = [lane_of(pool, clock) for _ in range(3)]
        for (lane, _), read_at_s in zip(lanes, (5.0, 3.0, 4.0), strict=True):
            lane.put(packet(round(read_at_s * SECOND_US)), in_order=False)
            lane.note(SourceEnded(None, 1))

        with pool:
            for _, mailbox in lanes:
                await until_end(mailbox)

        assert [each.read_at_s for each in decoder.alone] == [3.0, 4.0, 5.0]

    run(test)


def test_a_lane_with_much_work_does_not_hold_up_the_others() -> None:
    async def test() -> None:
        clock, decoder = FakeClock(), FakeDecoder()
        pool = DecodePool(1, lambda: decoder, clock)
        busy, calm = lane_of(pool, clock), lane_of(pool, clock)
        for second in (1.0, 1.5, 2.0, 2.5, 3.0):
            busy[0].put(packet(round(second * SECOND_US)), in_order=False)
        calm[0].put(packet(2_250_000), in_order=False)
        for lane, _ in (busy, calm):
            lane.note(SourceEnded(None, 1))

        with pool:
            for _, mailbox in (busy, calm):
                await until_end(mailbox)

        seconds = [each.read_at_s for each in decoder.alone]
        assert seconds == [1.0, 1.5, 2.0, 2.25, 2.5, 3.0]

    run(test)


def test_what_a_thread_decodes_is_in_its_hand_while_it_does_and_not_afterwards() -> None:
    async def test() -> None:
        clock, hands, decoder = FakeClock(7.5), FakeHands(), FakeDecoder()
        seen: list[tuple[int, ...]] = []
        pool = DecodePool(1, lambda: decoder, clock, hands)
        mailbox: Mailbox[Sample, Note] = Mailbox(1_000, on_drop=lambda _: None)
        lane = Lane(
            mailbox, LossLedger(), pool.offer, clock, PrometheusMeter(), waits=False, mark=12_345
        )
        decoder.alone = Noting(lambda: seen.append(tuple(hands.given[0])))
        lane.put(packet(SECOND_US), in_order=False)
        lane.note(SourceEnded(None, 1))
        with pool:
            await until_end(mailbox)

        assert seen == [(12_345, 7_500_000)]
        assert hands.given[0][MARK] == 0

    run(test)


class Noting(list[Packet]):
    """A list that says when something comes to it."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def append(self, item: Packet) -> None:
        super().append(item)
        self._tell()


def test_a_bug_on_one_lane_fails_that_lane_only() -> None:
    async def test() -> None:
        clock = FakeClock()
        with DecodePool(1, FakeDecoder, clock) as pool:
            bad, good = lane_of(pool, clock), lane_of(pool, clock)
            for second in range(6):
                payload = BUG if second == 2 else b"x"
                bad[0].put(packet(second * SECOND_US, payload=payload), in_order=False)
                good[0].put(packet(second * SECOND_US), in_order=False)
            for lane, _ in (bad, good):
                lane.note(SourceEnded(None, 6))
            of_bad, of_good = await until_end(bad[1]), await until_end(good[1])

        assert isinstance(bad[0].failure, ZeroDivisionError)
        assert isinstance(of_bad[-1], SourceEnded)
        assert of_bad[-1].error is bad[0].failure
        assert good[0].failure is None
        assert of_good[-1] == SourceEnded(None, 6)
        assert len(of_good) == 7

    run(test)


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_samples_of_each_lane_leave_in_order_whoever_decodes_them(n_threads: int) -> None:
    """Real streams of other sizes and codecs share real decoders."""
    recipes = [
        Recipe(gop=5, seed=1),
        Recipe(gop=5, size=(320, 180), seed=2),
        Recipe(codec="libx265", gop=5, seed=3),
        Recipe(codec="mpeg4", gop=5, seed=4),
    ]
    streams = [packets(video("mp4", recipe)) for recipe in recipes]

    async def test() -> None:
        clock = FakeClock()
        with DecodePool(n_threads, partial(PyavDecoder, clock), clock) as pool:
            lanes = [lane_of(pool, clock, codec) for codec, _ in streams]
            for index in range(50):
                for (lane, _), (_, found) in zip(lanes, streams, strict=True):
                    if found[index].is_keyframe:
                        lane.put(found[index], in_order=False)
            for lane, _ in lanes:
                lane.note(SourceEnded(None, 50))
            for (_, mailbox), (_, found) in zip(lanes, streams, strict=True):
                *samples, _ = await until_end(mailbox)

                shown = [sample.pts_us for sample in samples if isinstance(sample, Sample)]
                assert shown == [each.pts_us for each in found if each.is_keyframe]
                assert all(now < then for now, then in pairwise(shown))

    run(test)


@dataclass
class SlowDecoder(FakeDecoder):
    """Decodes only when it is told to."""

    has_begun: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def keyframe(self, codec: Codec, packet: Packet) -> Frame:
        self.has_begun.set()
        wait_for(self.may_go_on)
        return super().keyframe(codec, packet)


def test_the_age_is_that_of_the_oldest_packet_that_waits() -> None:
    async def test() -> None:
        clock, decoder = FakeClock(100.0), SlowDecoder()
        with DecodePool(1, lambda: decoder, clock) as pool:
            (first, _), (second, _), (third, mailbox) = (lane_of(pool, clock) for _ in range(3))
            assert pool.age_s() == 0.0
            first.put(packet(0, read_at_s=90.0), in_order=False)
            wait_for(decoder.has_begun)
            assert pool.age_s() == 0.0  # it does not wait any more

            second.put(packet(0, read_at_s=97.0), in_order=False)
            third.put(packet(0, read_at_s=98.0), in_order=False)
            clock.advance(1.0)
            assert pool.age_s() == 4.0

            third.note(SourceEnded(None, 1))
            decoder.may_go_on.set()
            await until_end(mailbox)

    run(test)


def test_a_note_that_waits_has_no_age() -> None:
    async def test() -> None:
        clock, decoder = FakeClock(100.0), SlowDecoder()
        with DecodePool(1, lambda: decoder, clock) as pool:
            (busy, _), (noting, mailbox) = lane_of(pool, clock), lane_of(pool, clock)
            busy.put(packet(0, read_at_s=99.0), in_order=False)
            wait_for(decoder.has_begun)
            noting.note(SourceEnded(None, 0))

            assert pool.age_s() == 0.0

            decoder.may_go_on.set()
            await until_end(mailbox)

    run(test)


def test_each_thread_has_a_decoder_of_its_own_and_all_end_with_the_pool() -> None:
    decoders: list[FakeDecoder] = []
    before = set(threading.enumerate())

    def make() -> FakeDecoder:
        decoders.append(FakeDecoder())
        return decoders[-1]

    with DecodePool(3, make, FakeClock()):
        during = {thread.name for thread in set(threading.enumerate()) - before}

    assert during == {"decode-0", "decode-1", "decode-2"}
    assert set(threading.enumerate()) == before
    assert len(decoders) == 3


def test_what_its_threads_have_worked_is_added_up() -> None:
    clock, begun, may_end = FakeClock(), threading.Event(), threading.Event()

    class SlowDecoder(FakeDecoder):
        def keyframe(self, codec: Codec, packet: Packet) -> Frame:
            begun.set()
            wait_for(may_end)
            return super().keyframe(codec, packet)

    async def test() -> list[float]:
        with DecodePool(1, SlowDecoder, clock) as pool:
            lane, _ = lane_of(pool, clock)
            lane.put(packet(0), in_order=False)
            wait_for(begun)
            clock.advance(2.0)
            busy_s = [pool.busy_s()]
            may_end.set()
        clock.advance(5.0)
        return [*busy_s, pool.busy_s()]

    assert asyncio.run(test()) == [2.0, 2.0]
