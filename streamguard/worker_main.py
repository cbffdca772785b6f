"""The process of a worker: streams come by its socket, events and signs of life go back.

Rule: it holds no key and no credential but those within read URLs. When the supervisor is gone it
ends at once: nobody would hear it. What it has in hand is known without its help.
"""

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import structlog

from streamguard import app, process
from streamguard.adapters.black_box import BoxedHands
from streamguard.adapters.cores import stay_on
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.adapters.heap import heap_trimmer
from streamguard.adapters.meter_values import families_of
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import BankError
from streamguard.core.hands import Hands
from streamguard.core.schedule import Risk
from streamguard.live_banks import LiveBanks
from streamguard.runtime.hub_scout import HubScout
from streamguard.runtime.link import Link
from streamguard.runtime.parts import Parts
from streamguard.runtime.pipe_log import PipeLog
from streamguard.runtime.stop import Stop, StopReason
from streamguard.runtime.wire import (
    Beat,
    Begin,
    Committed,
    Drain,
    Metrics,
    Ready,
    Release,
    Released,
    Stay,
    Take,
    ToWorker,
    Tune,
    WorkerPlan,
    read_to_worker,
)
from streamguard.runtime.worker import keep_screening
from streamguard.sandbox import confine
from streamguard.sections.small_sections import ModelSection
from streamguard.vault.channel import VaultPipe

BEAT_EVERY_S = 0.5
BEATS_PER_METRICS = 4
"""To read all metrics takes 0.7 ms: every second, that was a third of what a worker without streams
takes. Prometheus asks every 15 s, as a rule."""

TRIM_EVERY_S = 30.0
"""How often free memory goes back to the machine: holes of a minute's packets are 20 MB."""

log = structlog.get_logger()


class Worker:
    """The streams of one process."""

    def __init__(self, link: Link[ToWorker], parts: Parts, scout: HubScout) -> None:
        self._link = link
        self._parts = parts
        self._scout = scout
        self._streams: dict[str, Stop] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: Take) -> None:
        """Begin to screen a stream."""
        stop = self._streams[message.stream_id] = Stop()
        task = asyncio.create_task(self._screen(message, stop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def release(self, stream_id: str, reason: StopReason) -> None:
        """Begin to let a stream go."""
        stop = self._streams.get(stream_id)
        if stop is None:
            self._link.send(Released(stream_id))
        else:
            stop.because(reason)

    def tune(self, stream_id: str, risk: Risk) -> None:
        """Take what people and servers know of a stream."""
        self._parts.scheduler.tune(stream_id, risk)

    async def drain(self, reason: StopReason) -> None:
        """Let all streams go."""
        for stop in self._streams.values():
            stop.because(reason)
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def _screen(self, message: Take, stop: Stop) -> None:
        await keep_screening(message.stream, self._parts, stop)
        del self._streams[message.stream_id]
        await self._parts.writer.settled()  # what it told is on disk before it counts as released
        self._link.send(Released(message.stream_id))

    def beat(self, problem: str | None) -> Beat:
        """Give a sign of life."""
        now_s = self._parts.clock.monotonic()
        seen, found = self._scout.take()
        return Beat(
            rss_bytes=_rss_bytes(),
            n_fds=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            n_threads=threading.active_count(),
            stuck_s=self._parts.pool.stuck_s(),
            queue_age_s=self._parts.pool.age_s(),
            problem=problem or "",
            streams=tuple(self._parts.board.beats(now_s)),
            seen=seen,
            found=found,
        )


async def work(end: socket.socket, hands: Hands, evidence: socket.socket) -> None:
    """Serve the supervisor at the other end until it says that it is enough.

    evidence: the way to the vault, whose keys are the supervisor's.
    """
    link = await Link.over(end, read_to_worker)
    messages = link.messages()
    begin = await anext(messages, None)
    if not isinstance(begin, Begin):
        return
    loop = asyncio.get_running_loop()
    pipe = PipeLog(lambda batch: loop.call_soon_threadsafe(link.send, batch))
    meter, scout = PrometheusMeter(), HubScout()
    banks = _banks(begin.plan)
    keeps = begin.plan.keeps_evidence
    store = EvidenceMaker(VaultPipe(evidence), SystemClock()) if keeps else None
    plan = replace(_plan(begin.plan, banks, pipe), hands=hands, store=store)
    drained: asyncio.Future[StopReason] = loop.create_future()
    async with asyncio.TaskGroup() as tasks:
        async with app.assembled(plan, meter) as parts:
            worker = Worker(link, replace(parts, hubs=scout, keeps_accounts=True), scout)
            gc.freeze()  # what is loaded stays: to look for garbage in it stops all for 9 ms
            link.send(Ready(plan.classifier.provider if plan.classifier else None))
            hearing = tasks.create_task(_hear(messages, worker, pipe, drained))
            beating = tasks.create_task(_beat(link, worker, banks, meter))
            trimming = tasks.create_task(_trim())
            await worker.drain(await drained)
        trimming.cancel()
        beating.cancel()
        link.send(worker.beat(banks.problem()))
        link.send(Metrics(families_of(meter.registry)))
        await link.flushed()
        link.close()
        hearing.cancel()


async def _hear(
    messages: AsyncIterator[ToWorker],
    worker: Worker,
    pipe: PipeLog,
    drained: "asyncio.Future[StopReason]",
) -> None:
    """Do what the supervisor says, until it is gone."""
    async for message in messages:
        match message:
            case Stay(cores):
                stay_on(cores)
            case Take():
                worker.take(message)
            case Release(stream_id, reason):
                worker.release(stream_id, reason)
            case Tune(stream_id, risk):
                worker.tune(stream_id, risk)
            case Committed(number):
                pipe.committed(number)
            case Drain(reason):
                if not drained.done():
                    drained.set_result(reason)
            case Begin():
                pass
    _leave()


async def _beat(
    link: Link[ToWorker], worker: Worker, banks: LiveBanks, meter: PrometheusMeter
) -> None:
    n_beats = 0
    while True:
        link.send(worker.beat(banks.problem()))
        if n_beats % BEATS_PER_METRICS == 0:
            link.send(Metrics(families_of(meter.registry)))
        n_beats += 1
        await asyncio.sleep(BEAT_EVERY_S)


async def _trim() -> None:
    trim = heap_trimmer()
    while True:
        await asyncio.sleep(TRIM_EVERY_S)
        await asyncio.to_thread(trim)


def _banks(given: WorkerPlan) -> LiveBanks:
    """Open the banks; without one of them this would count as screened what nobody looks for.

    Those who opened it before it was damaged go on, and take the streams of this one.
    """
    try:
        return LiveBanks([Path(path) for path in given.bank_paths], is_second=True)
    except BankError as error:
        log.error("worker_without_bank", problem=str(error))  # noqa: TRY400  # expected: the message says it all
        sys.exit(error.exit_code)


def _plan(given: WorkerPlan, banks: LiveBanks, pipe: PipeLog) -> app.Plan:
    model = None
    if given.model_pack:
        section = ModelSection.model_validate(
            {"providers": given.model_providers, "threads": given.model_threads}
        )
        model = app.open_model(Path(given.model_pack), section)
    return app.Plan(
        deployment=given.deployment,
        banks=banks,
        policy=given.policy,
        event_log=pipe,
        store=None,
        classifier=model,
        max_batch=given.max_batch,
        timeouts=SourceTimeouts(given.open_timeout_s, given.read_timeout_s, given.limits),
        hls_hosts=given.hls_hosts,
        n_threads=given.n_threads,
        stop_timeout_s=given.stop_timeout_s,
        dense_share=given.dense_share,
    )


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _leave() -> NoReturn:
    """End without waiting for threads that may be blocked in a read."""
    os._exit(0)


def main() -> NoReturn:
    """Run as `python -m streamguard.worker_main SOCKET BOX EVIDENCE`, three descriptors.

    The supervisor stops it, not the terminal.
    """
    confine()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    process.configure_logging()
    hands = BoxedHands(int(sys.argv[2]))
    end, evidence = (socket.socket(fileno=int(sys.argv[place])) for place in (1, 3))
    asyncio.run(work(end, hands, evidence))
    _leave()


if __name__ == "__main__":
    main()
