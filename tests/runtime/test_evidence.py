"""A flag's evidence is collected while its segment is open: stills, and a clip that grows."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.errors import EvidenceUnavailable, EvidenceWaits
from streamguard.core.event_data import MAX_STILLS, Evidence
from streamguard.core.hands import mark_of
from streamguard.core.judgement import EvidenceRequest
from streamguard.core.types import Packet
from streamguard.runtime import collecting
from streamguard.runtime.collected import MOST_STILLS
from streamguard.runtime.collecting import (
    AFTER_US,
    BEFORE_US,
    LONGEST_US,
    PATIENCE_S,
    RETRY_S,
    Case,
)
from streamguard.runtime.evidence import EvidenceKeeper, HandedStore
from streamguard.runtime.ring import PacketRing
from tests.clock import FakeClock
from tests.runtime.fakes import CODEC, FakeHands, FakeStore, packet

SECOND_US = 1_000_000
FLAG_US = 30 * SECOND_US
FLAG = UUID(int=1)
ENOUGH_US = FLAG_US + AFTER_US


class Kept:
    """A keeper over a minute of video with a keyframe every 2 s, and what it attached."""

    def __init__(self, tasks: asyncio.TaskGroup, store: FakeStore, *, waits: bool) -> None:
        self.store = store
        self.clock = FakeClock()
        self.meter = PrometheusMeter()
        self.ring = PacketRing(keep_us=10**12)
        self.attached: list[tuple[UUID, Evidence]] = []
        self.ended_us: dict[UUID, int] = {}
        for second in range(60):
            self.read(second)
        handed = HandedStore(store, ("channel", "session"), FakeHands(), self.clock)
        case = Case(handed, self.ring, self.clock, self.meter, self._attach, self.ended_us.get)
        self.keeper = EvidenceKeeper(case, tasks, waits=waits)

    def read(self, second: int, payload: bytes = b"x", epoch: int = 0) -> None:
        is_keyframe = second % 2 == 0
        self.ring.add(
            packet(second * SECOND_US, is_keyframe=is_keyframe, payload=payload, epoch=epoch)
        )

    async def advance(self, newest_us: int, epoch: int = 0) -> None:
        await self.keeper.advance(CODEC, (epoch, newest_us))

    async def _attach(self, flag_id: UUID, evidence: Evidence) -> None:
        self.attached.append((flag_id, evidence))

    @property
    def states(self) -> list[tuple[str, bool]]:
        return [(each.state, bool(each.is_growing)) for _, each in self.attached]

    def counted(self, outcome: str) -> float | None:
        name = "streamguard_evidence_total"
        return self.meter.registry.get_sample_value(name, {"outcome": outcome})


def run(
    test: Callable[[Kept], Coroutine[Any, Any, None]],
    store: FakeStore | None = None,
    *,
    waits: bool = False,
) -> Kept:
    async def main() -> Kept:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            kept = Kept(tasks, store or FakeStore(), waits=waits)
            await test(kept)
            await kept.keeper.finish(CODEC)
        return kept

    return asyncio.run(main())


async def until(is_so: Callable[[], bool]) -> None:
    """Let the other tasks and threads work until something is so; `run` bounds it."""
    while not is_so():  # noqa: ASYNC110  # threads set no event
        await asyncio.sleep(0)


def wish(
    pts_us: int = FLAG_US, *, is_first: bool = True, epoch: int = 0, strength: float = 0.5
) -> EvidenceRequest:
    return EvidenceRequest(FLAG, epoch, pts_us, strength, is_first=is_first)


def has_stills(kept: Kept, n_stills: int) -> bool:
    return len(kept.store.stills) == n_stills


def seconds(packets: list[Packet]) -> list[int]:
    return [each.pts_us // SECOND_US for each in packets]


def test_while_the_segment_is_open_the_clip_grows_with_what_is_read() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(59 * SECOND_US))
        await kept.advance(59 * SECOND_US)
        await until(lambda: len(kept.store.clips[0].packets) == 8)
        kept.read(60)
        kept.read(61)
        await kept.advance(61 * SECOND_US)
        await until(lambda: len(kept.store.clips[0].packets) == 10)

        assert not kept.store.clips[0].is_closed
        assert kept.states == [("ready", True)]

    [clip] = run(test).store.clips
    assert seconds(clip.packets) == list(range(52, 62))
    assert clip.is_closed


def test_a_still_is_told_at_once_and_the_clip_when_it_is_complete() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        await kept.advance(FLAG_US)
        await until(lambda: len(kept.attached) == 1)

        (_, first), *_ = kept.attached
        assert (first.clip, first.is_growing) == (None, True)
        assert (first.still is not None, first.blurhash) == (True, "blurred")

    kept = run(test)
    assert kept.states == [("ready", True), ("ready", False)]
    _, last = kept.attached[-1]
    assert (last.clip is not None, last.n_clip_files) == (True, 1)
    assert kept.counted("stored") == 1


@pytest.mark.parametrize(("newest_us", "is_closed"), [(ENOUGH_US - 1, False), (ENOUGH_US, True)])
def test_it_ends_some_seconds_after_the_last_hit(newest_us: int, *, is_closed: bool) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        kept.ended_us[FLAG] = FLAG_US
        await kept.advance(newest_us)
        await until(lambda: len(kept.store.clips) == 1 and len(kept.attached) > 0)
        if is_closed:
            await until(lambda: kept.store.clips[0].is_closed)

        assert kept.store.clips[0].is_closed == is_closed

    [clip] = run(test).store.clips
    assert seconds(clip.packets) == list(range(24, 35))


@pytest.mark.parametrize("pts_us", [FLAG_US, FLAG_US + SECOND_US])
def test_it_reaches_from_the_keyframe_before_to_some_seconds_after(pts_us: int) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(pts_us))
        kept.ended_us[FLAG] = pts_us
        await kept.advance(59 * SECOND_US)

    [clip] = run(test).store.clips
    start_s, end_s = ((pts_us - BEFORE_US) // SECOND_US, (pts_us + AFTER_US) // SECOND_US)
    assert seconds(clip.packets) == list(range(start_s - start_s % 2, end_s + 1))


@pytest.mark.parametrize(
    ("waited_s", "is_closed"), [(PATIENCE_S - 0.01, False), (PATIENCE_S, True)]
)
def test_where_the_stream_stalls_the_clock_decides(waited_s: float, *, is_closed: bool) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        kept.ended_us[FLAG] = FLAG_US
        await kept.advance(FLAG_US)
        await until(lambda: len(kept.attached) == 1)
        kept.clock.advance(waited_s)
        await kept.advance(FLAG_US)
        await until(lambda: len(kept.attached) == 1 + is_closed)

        assert kept.store.clips[0].is_closed == is_closed

    run(test)


@pytest.mark.parametrize("newest", [(1, 0), None])
def test_where_the_timeline_has_ended_there_is_nothing_to_wait_for(
    newest: tuple[int, int] | None,
) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        await kept.keeper.advance(CODEC, newest)
        await until(lambda: len(kept.attached) == 1)

    assert run(test).states == [("ready", False)]


@pytest.mark.parametrize(("length_us", "is_closed"), [(LONGEST_US - 1, False), (LONGEST_US, True)])
def test_no_clip_grows_for_ever(length_us: int, *, is_closed: bool) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        await kept.advance(FLAG_US + length_us)
        await until(lambda: len(kept.attached) == 1)

        assert kept.states == [("ready", not is_closed)]
        assert [each.is_closed for each in kept.store.clips] == [is_closed]
        kept.keeper.want(wish(is_first=False))
        await kept.advance(FLAG_US + length_us)
        assert len(kept.store.clips) == 1

    run(test)


def test_packets_are_taken_when_they_are_read_not_when_they_are_kept() -> None:
    """A stream that goes on must not push them out of the ring meanwhile."""

    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        kept.ended_us[FLAG] = FLAG_US
        await kept.advance(ENOUGH_US)
        for epoch in (1, 2):
            kept.read(0, epoch=epoch)

    [clip] = run(test).store.clips
    assert len(clip.packets) == 11


def test_each_flag_has_stills_of_its_strongest_hits_and_no_more_than_it_may() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        for second in range(31, 31 + 2 * MAX_STILLS):
            kept.keeper.want(wish(second * SECOND_US, is_first=False))
        await kept.advance(40 * SECOND_US)

    kept = run(test)
    taken = [at_us // SECOND_US for _, at_us, _ in kept.store.stills]
    assert taken == list(range(30, 30 + MAX_STILLS))
    _, last = kept.attached[-1]
    assert last.still is not None
    assert last.still.uri.endswith(f"{(29 + MAX_STILLS) * SECOND_US}.jpg")
    assert last.other_stills is not None
    assert len(last.other_stills) == MAX_STILLS - 1


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_stronger_hit_that_comes_later_takes_the_place_of_the_weakest(
    *, is_at_once: bool
) -> None:
    """Whether the first four stills are made by then, or wished for."""

    async def test(kept: Kept) -> None:
        for n_before, strength in enumerate([0.6, 0.5, 0.7, 0.8, 0.9]):
            at_us = FLAG_US + n_before * SECOND_US
            kept.keeper.want(wish(at_us, is_first=not n_before, strength=strength))
            if not is_at_once:
                await kept.advance(at_us)
                await until(partial(has_stills, kept, n_before + 1))

    kept = run(test)
    _, last = kept.attached[-1]
    assert last.still is not None
    assert last.other_stills is not None
    assert last.still.uri.endswith(f"{34 * SECOND_US}.jpg")
    others = [each.uri.rpartition("/")[2] for each in last.other_stills]
    assert others == [f"{second * SECOND_US}.jpg" for second in (30, 32, 33)]
    assert len(kept.store.stills) == 4 + (not is_at_once)


@pytest.mark.parametrize(("strength", "n_stills"), [(0.5, MAX_STILLS), (0.51, MAX_STILLS + 1)])
def test_a_hit_that_is_no_stronger_has_no_still(strength: float, n_stills: int) -> None:
    async def test(kept: Kept) -> None:
        for second in range(30, 30 + MAX_STILLS):
            kept.keeper.want(wish(second * SECOND_US, is_first=second == 30))
        await kept.advance(40 * SECOND_US)
        await until(lambda: len(kept.store.stills) == MAX_STILLS)
        kept.keeper.want(wish(40 * SECOND_US, is_first=False, strength=strength))

    assert len(run(test).store.stills) == n_stills


def test_there_is_an_end_to_the_stills_of_a_flag() -> None:
    async def test(kept: Kept) -> None:
        for step in range(2 * MOST_STILLS):
            at_us = FLAG_US + step * SECOND_US // 2
            kept.keeper.want(wish(at_us, is_first=step == 0, strength=step / 100))
            await kept.advance(at_us)
            await until(partial(has_stills, kept, min(step + 1, MOST_STILLS)))

    assert len(run(test).store.stills) == MOST_STILLS


def test_flags_of_one_stream_have_evidence_each() -> None:
    async def test(kept: Kept) -> None:
        for number in (1, 2, 3):
            kept.keeper.want(EvidenceRequest(UUID(int=number), 0, number * 10 * SECOND_US))
        await kept.advance(59 * SECOND_US)

    kept = run(test)
    assert {at_us // SECOND_US for _, at_us, _ in kept.store.stills} == {10, 20, 30}
    assert len(kept.store.clips) == 3


def test_at_the_end_what_is_left_is_made_of_what_there_is() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(58 * SECOND_US))

    kept = run(test)
    assert kept.states == [("ready", False)]
    assert seconds(kept.store.clips[0].packets) == list(range(52, 60))


def test_the_end_without_a_wish_is_at_once() -> None:
    async def test(_: Kept) -> None:
        pass

    assert run(test).attached == []


def test_of_a_file_nothing_is_left_out_however_slow_the_store() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(58 * SECOND_US))
        for second in range(60, 120):
            kept.read(second, bytes(1 << 20))
            await kept.advance(second * SECOND_US)

    kept = run(test, waits=True)
    assert seconds(kept.store.clips[0].packets) == list(range(52, 120))


def test_what_cannot_be_stored_is_told_and_the_flag_stands() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())

    with capture_logs() as lines:
        kept = run(test, FakeStore(EvidenceUnavailable("the disk is full")))

    assert kept.states == [("unavailable", False)]
    assert kept.counted("failed") == 1
    assert [line["event"] for line in lines] == ["clip_broken_off", "evidence_unavailable"]


def test_what_a_store_did_not_take_for_a_while_is_kept_when_it_does() -> None:
    """A disk that was full for a second costs nothing."""
    store = FakeStore(away=[EvidenceWaits("the disk is full")] * 3)

    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(59 * SECOND_US))
        for second in range(60, 70):
            await kept.advance((second - 1) * SECOND_US)
            await until(lambda: len(store.clips) == 1)
            kept.read(second)
            kept.clock.advance(RETRY_S)
        while store.away or not kept.attached:
            kept.clock.advance(RETRY_S)
            await kept.advance(69 * SECOND_US)
            await asyncio.sleep(0)

    with capture_logs() as lines:
        kept = run(test, store)

    assert seconds(store.clips[0].packets) == list(range(52, 70))
    assert len(store.stills) == 1
    assert kept.states[-1] == ("ready", False)
    assert kept.counted("stored") == 1
    assert [line["event"] for line in lines] == ["evidence_waits"]


def test_a_store_that_takes_nothing_is_not_asked_all_the_time() -> None:
    store = FakeStore(away=[EvidenceWaits("the disk is full")] * 100)

    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(59 * SECOND_US))
        await kept.advance(59 * SECOND_US)
        await until(lambda: len(store.away) == 98)  # the clip and the still
        for second in range(60, 65):
            kept.read(second)
            await kept.advance(second * SECOND_US)
            for _ in range(100):
                await asyncio.sleep(0)

        assert len(store.away) == 98
        store.away.clear()

    run(test, store)
    assert seconds(store.clips[0].packets) == list(range(52, 65))


def test_the_end_waits_for_a_store_that_takes_nothing_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "RETRY_S", 0.0)
    store = FakeStore(away=[EvidenceWaits("the disk is full")] * 1000)

    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())

    with capture_logs() as lines:
        kept = run(test, store)

    assert kept.states == [("unavailable", False)]
    assert [line["event"] for line in lines] == [
        "evidence_waits",
        "evidence_cut_short",
        "evidence_unavailable",
    ]


def test_a_bug_in_making_it_is_logged_and_the_flag_stands() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())

    with capture_logs() as lines:
        kept = run(test, FakeStore(ZeroDivisionError("a bug on purpose")))

    assert kept.states == [("unavailable", False)]
    assert kept.counted("failed") == 1
    assert [line["event"] for line in lines] == ["evidence_failed", "evidence_unavailable"]


def test_what_is_made_of_a_stream_s_packets_is_in_hand_meanwhile() -> None:
    store, hands = FakeStore(), FakeHands()
    handed = HandedStore(store, ("channel", "session"), hands, FakeClock(7.5))

    handed.still("flag", CODEC, (packet(0),), 0)
    clip = handed.clip("flag", CODEC)
    clip.add([packet(0)])
    clip.close()

    assert hands.given == [[mark_of("channel"), 7_500_000]] * 3
    assert [name for name, *_ in store.stills] == ["flag"]
