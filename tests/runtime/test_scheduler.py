from dataclasses import dataclass, field, replace

import pytest
import structlog

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.judgement import Judgement
from streamguard.core.sampling import Level, Sampler, Sampling, Step
from streamguard.core.schedule import CALM_S, NEW_S, OVERDUE_S, RECENT_S, Risk
from streamguard.core.types import Sample
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.scheduler import EVERY_S, Scheduler
from tests.clock import FakeClock
from tests.core_fakes import decision, sample
from tests.core_fakes import packet as packet_at
from tests.runtime.fakes import Bench, FakeDecoder, on_loop, packet

SECOND = 1_000_000


@dataclass
class Room:
    """A scheduler over a pool that nothing runs in; how busy it was is in the test's hands."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(1_000.0))
    meter: PrometheusMeter = field(default_factory=PrometheusMeter)

    def __post_init__(self) -> None:
        self.pool = DecodePool(2, FakeDecoder, self.clock)
        self.scheduler = Scheduler(self.pool, self.clock, self.meter, 0.5)

    def watch(self, name: str, *, is_live: bool = True, has_begun: bool = True) -> Sampler:
        sampler = Sampler(Sampling.AUTO)
        if has_begun:
            sampler.step(packet_at(0))
        self.watched = self.scheduler.watch(name, sampler, is_live=is_live)
        return sampler

    def pass_time(self, seconds: float, busy_share: float = 0.0) -> None:
        """Let the scheduler decide at its pace, with the pool as busy as this."""
        for _ in range(round(seconds / EVERY_S)):
            self.clock.advance(EVERY_S)
            self.pool._busy_s[0] += busy_share * EVERY_S * 2
            self.scheduler.decide()

    def value(self, name: str, **labels: str) -> float | None:
        return self.meter.registry.get_sample_value(f"streamguard_{name}", labels)


NOTHING = Judgement([], [], is_judged=True)


def seen(pts_us: int, *, is_keyframe: bool = True) -> Sample:
    return replace(sample(pts_us), is_keyframe=is_keyframe)


def test_spare_time_is_spent_on_a_new_session_and_taken_back_when_it_is_old() -> None:
    room = Room()
    sampler = room.watch("lobby")

    room.pass_time(CALM_S + EVERY_S)
    young = sampler.level
    room.pass_time(NEW_S)

    assert (young, sampler.level) == (Level.DENSE, Level.STANDARD)


def test_a_stream_that_never_comes_takes_no_time_from_one_that_does() -> None:
    room = Room()
    dark = [room.watch(f"dark-{n}", has_begun=False) for n in range(9)]
    lobby = room.watch("lobby")

    room.pass_time(CALM_S + EVERY_S)

    assert lobby.level is Level.DENSE
    assert {sampler.level for sampler in dark} == {Level.STANDARD}


def test_a_busy_pool_sheds_it_at_once() -> None:
    room = Room()
    sampler = room.watch("lobby")
    room.pass_time(10)

    with structlog.testing.capture_logs() as logged:
        room.pass_time(EVERY_S, busy_share=0.9)

    assert sampler.level is Level.STANDARD
    assert [(line["event"], line["leaves_out"]) for line in logged] == [("load_shed", "risk_dense")]
    assert room.value("load_shed", rung="risk_dense") == 1
    assert room.value("load_shed", rung="nothing") == 0


def test_a_pool_that_is_as_busy_as_it_may_be_is_given_no_more() -> None:
    room = Room()
    sampler = room.watch("lobby")

    room.pass_time(30, busy_share=0.5)

    assert sampler.level is Level.STANDARD


def test_a_queue_that_is_overdue_takes_the_frames_between_rare_keyframes() -> None:
    room = Room()
    sampler = room.watch("lobby")

    def put(bench: Bench) -> None:
        bench.lane.put(packet(0, read_at_s=room.clock.monotonic() - OVERDUE_S), in_order=False)
        room.pool.offer(bench.lane)

    on_loop(put)
    room.pass_time(2)

    assert sampler.level is Level.FLOOR
    assert room.value("streams_sampled", level="floor") == 1


def test_the_riskiest_stream_comes_first() -> None:
    room = Room()
    new, reported = room.watch("new"), room.watch("reported")
    room.scheduler.tune("reported", Risk(reported_until_s=2_000.0))

    room.pass_time(CALM_S + EVERY_S)

    assert (new.level, reported.level) == (Level.STANDARD, Level.DENSE)
    assert room.value("streams_sampled", level="dense") == 1
    assert room.value("streams_sampled", level="standard") == 1


def test_what_was_told_before_a_session_began_counts() -> None:
    room = Room()
    room.scheduler.tune("pinned", Risk(is_pinned=True))
    others = [room.watch("new"), room.watch("newer")]
    pinned = room.watch("pinned")

    room.pass_time(CALM_S + EVERY_S)

    assert pinned.level is Level.DENSE
    assert {other.level for other in others} == {Level.STANDARD}


def test_a_flag_makes_a_stream_dense_for_a_while() -> None:
    room = Room()
    sampler = room.watch("lobby")
    room.pass_time(NEW_S + CALM_S)
    room.watched.judged(seen(0), replace(NOTHING, decisions=(decision(0),)))

    room.pass_time(CALM_S + EVERY_S)
    flagged = sampler.level
    room.pass_time(RECENT_S)

    assert (flagged, sampler.level) == (Level.DENSE, Level.STANDARD)


def test_a_near_miss_is_heard_at_once() -> None:
    room = Room()
    sampler = room.watch("lobby")
    sampler.step(packet_at(0, is_keyframe=True))

    room.watched.judged(seen(0), replace(NOTHING, is_near_miss=True))

    assert sampler.step(packet_at(1)) is Step.CATCH_UP


def test_blank_keyframes_that_hide_pictures_are_counted_and_told() -> None:
    room = Room()
    room.watch("lobby")
    blank = replace(NOTHING, is_judged=False)
    for number in range(3):
        room.watched.judged(seen(number * 2 * SECOND), blank)
        room.watched.judged(seen(number * 2 * SECOND + SECOND, is_keyframe=False), NOTHING)

    with structlog.testing.capture_logs() as logged:
        room.pass_time(EVERY_S)

    assert room.value("keyframe_evasion_total", kind="blank_keyframes") == 1
    assert [(line["stream_id"], line["kind"]) for line in logged] == [("lobby", "blank_keyframes")]


@pytest.mark.parametrize("is_forgotten", [True, False])
def test_a_file_and_a_stream_that_is_gone_are_left_alone(*, is_forgotten: bool) -> None:
    room = Room()
    sampler = room.watch("lobby", is_live=is_forgotten)
    if is_forgotten:
        room.scheduler.forget("lobby")

    room.pass_time(30)

    assert sampler.level is Level.STANDARD
    assert room.value("streams_sampled", level="dense") == 0


def test_a_session_takes_the_place_of_the_one_before() -> None:
    room = Room()
    before, now = room.watch("lobby"), room.watch("lobby")

    room.pass_time(10)

    assert (before.level, now.level) == (Level.STANDARD, Level.DENSE)
