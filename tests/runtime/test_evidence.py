import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Evidence
from streamguard.core.hands import mark_of
from streamguard.core.judgement import EvidenceRequest
from streamguard.core.types import Codec
from streamguard.runtime.evidence import (
    AFTER_US,
    BEFORE_US,
    PATIENCE_S,
    EvidenceKeeper,
    HandedStore,
)
from streamguard.runtime.ring import PacketRing
from tests.clock import FakeClock
from tests.runtime.fakes import CODEC, FakeHands, FakeStore, packet

SECOND_US = 1_000_000
FLAG_US = 30 * SECOND_US
DUE_US = FLAG_US + AFTER_US
OTHER = Codec("hevc", b"", 64, 64)


class Kept:
    """A keeper over a minute of video with a keyframe every 2 s, and what it attached."""

    def __init__(self, tasks: asyncio.TaskGroup, store: FakeStore) -> None:
        self.store = store
        self.clock = FakeClock()
        self.meter = PrometheusMeter()
        self.ring = PacketRing(keep_us=10**12)
        self.attached: list[tuple[EvidenceRequest, Evidence]] = []
        for second in range(60):
            self.ring.add(packet(second * SECOND_US, is_keyframe=second % 2 == 0))
        self.keeper = EvidenceKeeper(store, self.ring, tasks, self._attach, self.clock, self.meter)

    async def _attach(self, request: EvidenceRequest, evidence: Evidence) -> None:
        self.attached.append((request, evidence))

    def counted(self, outcome: str) -> float | None:
        name = "streamguard_evidence_total"
        return self.meter.registry.get_sample_value(name, {"outcome": outcome})


def run(test: Callable[[Kept], Coroutine[Any, Any, None]], store: FakeStore | None = None) -> Kept:
    async def main() -> Kept:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            kept = Kept(tasks, store or FakeStore())
            await test(kept)
        return kept

    return asyncio.run(main())


def wish(epoch: int = 0, pts_us: int = FLAG_US, opened_at_s: float = 0.0) -> EvidenceRequest:
    return EvidenceRequest(UUID(int=pts_us), epoch, pts_us, opened_at_s)


def test_a_clip_waits_for_its_last_packet_and_no_longer() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())

        kept.keeper.advance(CODEC, (0, DUE_US - 1))
        await asyncio.sleep(0)
        assert kept.store.saved == []

        kept.keeper.advance(CODEC, (0, DUE_US))

    kept = run(test)
    assert len(kept.attached) == 1
    assert kept.attached[0][0] == wish()
    assert kept.attached[0][1].state == "ready"
    assert kept.counted("stored") == 1


def test_it_reaches_from_the_keyframe_before_to_some_seconds_after() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(pts_us=FLAG_US + SECOND_US))
        kept.keeper.advance(CODEC, (0, DUE_US + SECOND_US))

    [(name, codec, packets, still_us)] = run(test).store.saved
    start_s = (FLAG_US + SECOND_US - BEFORE_US) // SECOND_US
    assert name == str(UUID(int=FLAG_US + SECOND_US))
    assert codec == CODEC
    assert [each.pts_us // SECOND_US for each in packets] == list(range(start_s - 1, 36))
    assert packets[0].is_keyframe
    assert still_us == FLAG_US + SECOND_US


@pytest.mark.parametrize(("waited_s", "n_saved"), [(PATIENCE_S - 0.01, 0), (PATIENCE_S, 1)])
def test_where_the_stream_stalls_the_clock_decides(waited_s: float, n_saved: int) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(opened_at_s=5.0))
        kept.clock.advance(5.0 + waited_s)

        kept.keeper.advance(CODEC, (0, FLAG_US))

    assert len(run(test).store.saved) == n_saved


@pytest.mark.parametrize("newest", [(1, 0), None])
def test_where_the_timeline_has_ended_there_is_nothing_to_wait_for(
    newest: tuple[int, int] | None,
) -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())

        kept.keeper.advance(CODEC, newest)

    assert len(run(test).store.saved) == 1


def test_packets_are_taken_when_it_is_due_not_when_it_is_made() -> None:
    """A stream that goes on must not push them out of the ring meanwhile."""

    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        kept.keeper.advance(CODEC, (0, DUE_US))
        for epoch in (1, 2):
            kept.ring.add(packet(0, epoch=epoch))

    [(_, _, packets, _)] = run(test).store.saved
    assert len(packets) == 11


def test_each_flag_has_its_evidence_once() -> None:
    async def test(kept: Kept) -> None:
        for second in (10, 20, 30):
            kept.keeper.want(wish(pts_us=second * SECOND_US))
        for second in range(60):
            kept.keeper.advance(CODEC, (0, second * SECOND_US))
        await kept.keeper.finish(CODEC)

    kept = run(test)
    assert [saved[3] // SECOND_US for saved in kept.store.saved] == [10, 20, 30]
    assert len(kept.attached) == 3


def test_at_the_end_what_is_left_is_made_of_what_there_is() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish(pts_us=58 * SECOND_US))

        await kept.keeper.finish(CODEC)

        assert len(kept.attached) == 1

    [(_, _, packets, _)] = run(test).store.saved
    assert [each.pts_us // SECOND_US for each in packets] == list(range(52, 60))


def test_the_end_without_a_wish_is_at_once() -> None:
    async def test(kept: Kept) -> None:
        await kept.keeper.finish(CODEC)

    assert run(test).attached == []


def test_what_cannot_be_stored_is_told_and_the_flag_stands() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        await kept.keeper.finish(OTHER)

    with capture_logs() as lines:
        kept = run(test, FakeStore(EvidenceUnavailable("the disk is full")))

    assert [evidence.state for _, evidence in kept.attached] == ["unavailable"]
    assert kept.counted("failed") == 1
    assert [line["event"] for line in lines] == ["evidence_unavailable"]


def test_a_bug_in_making_it_is_logged_and_the_flag_stands() -> None:
    async def test(kept: Kept) -> None:
        kept.keeper.want(wish())
        await kept.keeper.finish(CODEC)

    with capture_logs() as lines:
        kept = run(test, FakeStore(ZeroDivisionError("a bug on purpose")))

    assert [evidence.state for _, evidence in kept.attached] == ["unavailable"]
    assert kept.counted("failed") == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("evidence_failed", "error")]


def test_what_is_made_of_a_stream_s_packets_is_in_hand_meanwhile() -> None:
    store, hands = FakeStore(), FakeHands()
    handed = HandedStore(store, ("channel", "session"), hands, FakeClock(7.5))
    evidence = handed.save("flag", CODEC, (packet(0),), 0)

    assert evidence.state == "ready"
    assert hands.given == [[mark_of("channel"), 7_500_000]]
    assert [saved[0] for saved in store.saved] == ["flag"]
