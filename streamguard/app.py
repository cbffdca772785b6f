"""Builds the parts, starts them and stops them: the way of a frame begins here.

source (adapters/pyav_source) → demux thread (runtime/feeder) → ring and lane → decode pool
(runtime/pool, lane: decode, hash) → mailbox → judgement (core/session: banks, votes, segments,
coverage) → writer (runtime/writer) → event log (adapters/sqlite_log) → Kafka (kafka_parts,
runtime/publisher), where it is configured.

Rule: upstream stops first (sources, lanes, judgement), then the log is flushed, then Kafka gets
what it can, then metrics end.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from streamguard.adapters.bank_file import open_bank
from streamguard.adapters.evidence_dir import EvidenceDir
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource, SourceTimeouts
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.bank import Banks
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import Event
from streamguard.core.location import Location
from streamguard.core.policy import Policy
from streamguard.core.ports import EventLog
from streamguard.core.timeline import Timeline
from streamguard.policy_file import load_policy
from streamguard.pruning import keep_pruned
from streamguard.runtime.evidence import EvidenceStore
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.publisher import Publisher
from streamguard.runtime.worker import keep_screening
from streamguard.runtime.writer import LogWriter
from streamguard.settings import Settings

BEAT_EVERY_S = 1.0
DEAD_AFTER_S = 10.0
"""An event loop that did not get to its heartbeat for so long is not live."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process screens with; `assembled` brings it to life.

    n_threads: decode threads; 0 takes one for each core.
    """

    deployment: str
    banks: Banks
    policy: Policy
    event_log: EventLog
    store: EvidenceStore | None
    timeouts: SourceTimeouts = field(default_factory=SourceTimeouts)
    n_threads: int = 0
    stop_timeout_s: float = 15.0
    on_commit: Callable[[Sequence[Event]], None] = lambda _: None


@asynccontextmanager
async def assembled(plan: Plan, meter: PrometheusMeter) -> AsyncIterator[Parts]:
    """Start what all streams share; at the end, commit what is left.

    Raises:
        LogUnavailable: at the end, events could not be committed in time.
    """
    clock = SystemClock()
    n_threads = plan.n_threads or len(os.sched_getaffinity(0))
    writer = LogWriter(plan.event_log, clock, meter, plan.on_commit)
    with DecodePool(n_threads, partial(PyavDecoder, clock), clock) as pool:
        meter.watch("decode_queue_age_seconds", "Age of the oldest packet to decode.", pool.age_s)
        meter.watch("log_backlog", "Events not committed yet.", writer.backlog)
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(writer.run())
            try:
                yield Parts(
                    source=f"/streamguard/{plan.deployment}",
                    open_location=partial(_open, clock, plan.timeouts),
                    banks=plan.banks,
                    policy=plan.policy,
                    pool=pool,
                    writer=writer,
                    store=plan.store,
                    clock=clock,
                    meter=meter,
                    mint=uuid4,
                )
            finally:
                n_lost = await _flush(writer, writing, plan.stop_timeout_s)
    if n_lost:  # raised out here, for a task group would wrap it
        raise LogUnavailable(
            f"{n_lost} events could not be committed before the stop: free the disk, then screen "
            "these streams again"
        )


def _open(
    clock: SystemClock, timeouts: SourceTimeouts, location: Location, timeline: Timeline
) -> PyavSource:
    return PyavSource(location, timeline, clock, timeouts)


async def _flush(writer: LogWriter, writing: asyncio.Task[None], timeout_s: float) -> int:
    """Commit what waits; return how many events could not be committed in time."""
    n_waiting = writer.backlog()
    try:
        async with asyncio.timeout(timeout_s):
            await writer.stop()
            await asyncio.shield(writing)
    except TimeoutError:
        writing.cancel()
        return min(n_waiting, writer.backlog())
    return 0


def plan_of(
    settings: Settings, banks: Banks, policy: Policy, event_log: EventLog, evidence: Path | None
) -> Plan:
    """Take from the settings what `run` and `screen` have in common.

    evidence: where clips and stills are kept; None keeps none.
    """
    return Plan(
        deployment=settings.deployment.name,
        banks=banks,
        policy=policy,
        event_log=event_log,
        store=EvidenceDir(evidence) if evidence else None,
        timeouts=SourceTimeouts(settings.source.open_timeout_s, settings.source.read_timeout_s),
        n_threads=settings.worker.decode_threads,
        stop_timeout_s=settings.worker.stop_timeout_s,
    )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Screen the configured streams until `stop`; see README for what it serves."""
    banks = open_banks(settings.bank.paths)
    meter = PrometheusMeter()
    policy = load_policy(settings.policy.file)
    with SqliteLog(settings.log.file) as event_log:
        plan = plan_of(settings, banks, policy, event_log, settings.evidence.directory)
        n_hashes = sum(len(bank.hashes) for bank in banks.banks)
        meter.watch("bank_hashes", "Hashes in all banks.", lambda: n_hashes)
        health = Health(stop)
        with HttpStatus(
            settings.http.host,
            settings.http.port,
            meter.registry,
            live=health.live,
            ready=health.ready,
            kafka=health.kafka,
        ) as status:
            log.info("run_started", port=status.port, n_streams=len(settings.streams))
            async with _publishing(settings, meter, health) as wake:
                plan = replace(plan, on_commit=lambda _: wake())
                async with assembled(plan, meter) as parts:
                    health.writer = parts.writer
                    await _screen_all(settings, parts, health, stop)
            log.info("run_stopped")


@asynccontextmanager
async def _publishing(
    settings: Settings, meter: PrometheusMeter, health: "Health"
) -> AsyncIterator[Callable[[], None]]:
    """Publish to Kafka, if it is configured; give what to call after each commit."""
    if not settings.kafka.bootstrap_servers:
        yield lambda: None
        return
    from streamguard.kafka_parts import publishing  # noqa: PLC0415  # needs the extra `kafka`

    async with publishing(settings, meter) as publisher:
        health.publisher = publisher
        yield publisher.wake


async def _screen_all(
    settings: Settings, parts: Parts, health: "Health", stop: asyncio.Event
) -> None:
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(health.beat())
        has_broker = bool(settings.kafka.bootstrap_servers)
        pruning = tasks.create_task(keep_pruned(settings.log.file, has_broker=has_broker))
        screening = [
            tasks.create_task(
                keep_screening(Stream(section.id, section.location, section.sampling), parts, stop)
            )
            for section in settings.streams
        ]
        await stop.wait()
        log.info("stop_begun", n_streams=len(screening))
        await asyncio.wait(screening) if screening else None
        log.info("streams_closed")
        pruning.cancel()
        beating.cancel()


class Health:
    """What /livez and /readyz say."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._beat_s = time.monotonic()
        self.writer: LogWriter | None = None
        self.publisher: Publisher | None = None

    async def beat(self) -> None:
        """Show that the event loop gets round."""
        while True:
            self._beat_s = time.monotonic()
            await asyncio.sleep(BEAT_EVERY_S)

    def live(self) -> str | None:
        """Say what is wrong with the event loop, if anything."""
        stuck_s = time.monotonic() - self._beat_s
        return f"the event loop is stuck for {stuck_s:.0f} s" if stuck_s > DEAD_AFTER_S else None

    def ready(self) -> str | None:
        """Say why this process should get no streams, if so."""
        if self._stop.is_set():
            return "stopping"
        if self.writer is None:
            return "starting"
        return None if self.writer.is_healthy else "the event log cannot be written"

    def kafka(self) -> str | None:
        """Say what is wrong with publishing, if anything; screening goes on without it."""
        return self.publisher.problem() if self.publisher else None


def open_banks(directories: Sequence[Path]) -> Banks:
    """Map the banks that are queried together."""
    return Banks(tuple(open_bank(directory) for directory in directories))


def run_until_signal(main: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run `main` with a stop event that SIGINT and SIGTERM set; a second SIGINT forces the end.

    Returns:
        What `main` returned, or 130 after SIGINT.
    """

    async def watched() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        interrupted = False

        def on_interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                os._exit(INTERRUPTED)
            interrupted = True
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
        code = await main(stop)
        return INTERRUPTED if interrupted else code

    return asyncio.run(watched())


def configure_logging() -> None:
    """Log to stderr: JSON, or lines for people where that is a terminal."""
    is_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if is_terminal
            else structlog.processors.format_exc_info,
            *([] if is_terminal else [structlog.processors.JSONRenderer()]),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
