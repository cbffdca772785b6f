"""Gives each stream of this process as much decoding as there is time for, twice a second.

Rule: it measures the decode pool, never the streams' promises, and only sets levels: samplers do
the rest. A file has all the time that it needs, and is left alone.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from streamguard.core.judgement import Judgement
from streamguard.core.ports import Clock, Meter
from streamguard.core.sampling import Level, Sampler
from streamguard.core.schedule import Governor, Load, Risk, Suspicion, levels_of
from streamguard.core.types import Sample
from streamguard.runtime.pool import DecodePool

EVERY_S = 0.5
"""How often levels are decided."""

log = structlog.get_logger()


@asynccontextmanager
async def scheduling(scheduler: "Scheduler") -> AsyncIterator[None]:
    """Decide beside what is done, as long as that lasts."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(scheduler.run())
        try:
            yield
        finally:
            running.cancel()


class Watched:
    """One stream's sampler, and what speaks for looking closer; on the event loop."""

    def __init__(self, sampler: Sampler, suspicion: Suspicion, clock: Clock) -> None:
        self.sampler = sampler
        self.suspicion = suspicion
        self._clock = clock

    def judged(self, sample: Sample, judgement: Judgement) -> None:
        """Take note of what a sample led to."""
        if judgement.is_near_miss:
            self.sampler.request_dense(sample.epoch, sample.pts_us)
        if judgement.decisions:
            self.suspicion.was_flagged(self._clock.monotonic())
        self.sampler.judged(
            sample.epoch,
            sample.pts_us,
            is_keyframe=sample.is_keyframe,
            is_blank=not judgement.is_judged,
        )


class Scheduler:
    """The levels of all live streams of a process; on the event loop."""

    def __init__(self, pool: DecodePool, clock: Clock, meter: Meter, dense_share: float) -> None:
        """dense_share: as for Governor."""
        self._pool = pool
        self._clock = clock
        self._meter = meter
        self._governor = Governor(dense_share)
        self._watched: dict[str, Watched] = {}
        self._risks: dict[str, Risk] = {}
        self._measured = (clock.monotonic(), pool.busy_s())

    def watch(self, stream_id: str, sampler: Sampler, *, is_live: bool) -> Watched:
        """Begin a session of a stream, in place of the one before."""
        now_s = self._clock.monotonic()
        watched = Watched(sampler, Suspicion(), self._clock)
        if is_live:
            self._watched[stream_id] = watched
            watched.suspicion.tune(self._risks.get(stream_id, Risk()), now_s)
        return watched

    def forget(self, stream_id: str) -> None:
        """End a stream: it is screened here no more."""
        self._watched.pop(stream_id, None)
        self._risks.pop(stream_id, None)

    def tune(self, stream_id: str, risk: Risk) -> None:
        """Take what people and servers know of a stream, also before it is screened."""
        self._risks[stream_id] = risk
        if stream_id in self._watched:
            self._watched[stream_id].suspicion.tune(risk, self._clock.monotonic())

    async def run(self) -> None:
        """Decide until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.decide()

    def decide(self) -> None:
        """Measure, decide, set the levels, and count."""
        now_s = self._clock.monotonic()
        self._collect(now_s)
        concerns = {name: each.suspicion.concern(now_s) for name, each in self._watched.items()}
        n_wanting = sum(1 for concern in concerns.values() if concern)
        before = self._governor.shed
        self._governor.decide(self._load(now_s), n_wanting, now_s)
        shed = self._governor.shed
        if shed is not before:
            log.warning("load_shed", leaves_out=shed.value, before=before.value)
        levels = levels_of(concerns, self._governor.n_dense, shed)
        for name, level in levels.items():
            self._watched[name].sampler.level = level
        counts = Counter(levels.values())
        self._meter.scheduled({level: counts[level] for level in Level}, shed)

    def _collect(self, now_s: float) -> None:
        """Take note of the sessions that began, and count the evasions that samplers met."""
        for name, watched in self._watched.items():
            if watched.sampler.has_begun:
                watched.suspicion.began(now_s)
            for evasion in watched.sampler.take_evasions():
                self._meter.evaded(evasion)
                watched.suspicion.evaded(now_s)
                log.warning("keyframes_evaded", stream_id=name, kind=evasion.value)

    def _load(self, now_s: float) -> Load:
        """Measure the pool since the last time."""
        (since_s, busy_before_s), busy_s = self._measured, self._pool.busy_s()
        self._measured = (now_s, busy_s)
        capacity_s = max(1e-3, (now_s - since_s) * self._pool.n_threads)
        return Load((busy_s - busy_before_s) / capacity_s, self._pool.age_s())
