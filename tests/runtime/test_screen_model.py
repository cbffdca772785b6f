"""A model that answers late, slowly or never, at the end of a source and at a stop."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.events import EventType
from streamguard.core.model import Picture
from streamguard.core.types import GapReason, Packet
from streamguard.runtime import screen
from streamguard.runtime.batcher import Batcher
from streamguard.runtime.parts import Parts
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once
from tests.fake_classifier import CATEGORY, FakeClassifier, picture
from tests.runtime.fakes import FakeSource, FakeStore, packet
from tests.runtime.stage import FILE, Stage

SECOND = 1_000_000
NOW_S = 1_000.0
PATIENCE_S = 60.0


class Reddish(FakeClassifier):
    """Gives every picture the same high score, when `during` lets it."""

    def prepare(self, _: Picture) -> NDArray[np.uint8]:
        return picture(90)


def keyframes(n: int, read_at_s: float = NOW_S, *, every_s: int = 2) -> list[Packet]:
    return [packet(every_s * SECOND * number, read_at_s=read_at_s) for number in range(n)]


def screened(
    stage: Stage, source: FakeSource, classifier: FakeClassifier, hang_s: float = PATIENCE_S
) -> None:
    """Screen a file to its end, beside a classifier."""
    stream = stage.stream(lambda _: source, location=FILE)

    async def watch(parts: Parts, stop: Stop) -> None:
        with Batcher(classifier, 1, parts.clock, parts.meter, hang_s=hang_s) as batcher:
            assert await screen_once(stream, replace(parts, batcher=batcher), stop) is None

    stage.run(watch)


def test_answers_after_the_end_of_the_source_open_and_close_a_flag_with_its_clip() -> None:
    stage = Stage(store=(store := FakeStore()))
    source = FakeSource(keyframes(3))

    def wait_for_the_end() -> None:
        while not (source.is_closed and stage.value("samples_total", outcome="judged") == 3):
            pause.wait(0.001)

    pause = threading.Event()
    screened(stage, source, Reddish(wait_for_the_end))

    kinds = ["stream.started", "flag.opened", "flag.updated", "flag.closed", "stream.ended"]
    assert stage.kinds == kinds
    [closed], [account] = stage.told(EventType.FLAG_CLOSED), stage.told(EventType.STREAM_ENDED)
    assert (closed.policy.code, closed.evidence.state) == (CATEGORY, "ready")
    assert (closed.window.start_pts_ms, closed.window.end_pts_ms) == (2_000, 4_000)
    assert [len(clip.packets) for clip in store.clips] == [3]
    assert (account.gap_ms, account.n_flags) == (0, 1)


def test_a_model_that_is_slow_is_waited_for() -> None:
    """All answers together take longer than one may."""
    stage = Stage(clock=SystemClock())  # type: ignore[arg-type]  # time passes by itself
    pause = threading.Event()

    def think() -> None:
        pause.wait(0.4)

    screened(stage, FakeSource(keyframes(3, every_s=5)), Reddish(think), hang_s=1.0)

    [account] = stage.told(EventType.STREAM_ENDED)
    assert stage.value("scores_total", outcome="scored") == 3
    assert account.gap_ms == 0


def test_a_stop_does_not_wait_for_a_model_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "STOP_S", 0.05)
    stage = Stage(clock=SystemClock())  # type: ignore[arg-type]  # time passes by itself
    begun, released = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        released.wait(PATIENCE_S)

    async def watch(parts: Parts, stop: Stop) -> None:
        loop = asyncio.get_running_loop()

        def read(one: Packet) -> None:
            if one.pts_us == 4 * SECOND:
                assert begun.wait(PATIENCE_S)
                asyncio.run_coroutine_threadsafe(_set(stop), loop).result(PATIENCE_S)

        now_s = parts.clock.monotonic()
        stream = stage.stream(lambda _: FakeSource(keyframes(3, now_s), on_read=read))
        with Batcher(Reddish(hang), 1, parts.clock, parts.meter, hang_s=0.5) as batcher:
            assert await screen_once(stream, replace(parts, batcher=batcher), stop) is None

    stage.run(watch)
    released.set()

    [gap] = stage.told(EventType.COVERAGE_GAP)
    [account] = stage.told(EventType.STREAM_ENDED)
    assert (gap.detector, gap.reason) == ("classifier", GapReason.INTERRUPTED)
    assert (account.reason, account.screened_ms, account.gap_ms) == ("interrupted", 0, 4_000)


async def _set(event: asyncio.Event) -> None:
    event.set()
