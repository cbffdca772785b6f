"""Builds the parts, starts them and stops them: the way of a frame begins here.

source (adapters/pyav_source) → demux thread (runtime/feeder) → ring and lane → decode pool
(runtime/pool, lane: decode, hash) → mailbox → judgement (core/session: banks, votes, segments,
coverage) → writer (runtime/writer) → event log (adapters/sqlite_log) → Kafka
(parts/kafka_parts, runtime/publisher), where it is configured. From there people take it on:
review/service.

Under `run` this is a worker (worker_main): its log is a pipe to the supervisor (service,
runtime/supervisor), which commits what comes by it, and publishes.

Rule: upstream stops first (sources, lanes, judgement), then the log is flushed, then Kafka gets
what it can, then metrics end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from streamguard.adapters.cores import n_cores
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.banks import Banks
from streamguard.core.errors import LogUnavailable
from streamguard.core.hands import NO_HANDS, Hands
from streamguard.core.location import Location
from streamguard.core.policy import Policy
from streamguard.core.ports import Clock, EventLog, Exporter
from streamguard.core.timeline import Timeline
from streamguard.runtime.batcher import Batcher, Classifier
from streamguard.runtime.evidence import EvidenceStore
from streamguard.runtime.parts import Parts
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.rechecker import Rechecker
from streamguard.runtime.scheduler import Scheduler, scheduling
from streamguard.runtime.turns import Turns
from streamguard.runtime.writer import LogWriter, OnCommit
from streamguard.sections.small_sections import ModelSection, Screening

if TYPE_CHECKING:
    from streamguard.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process screens with; `assembled` brings it to life.

    classifier: None where no model looks beside the hashes.
    max_batch: pictures of one run of the model; 0 takes 1 on a CPU, 8 elsewhere.
    hls_hosts: whom HLS playlists may name beside their own host and port.
    n_threads: decode threads; 0 takes one for each core.
    dense_share: how busy they may be with what spare time buys; 0 spends none.
    """

    deployment: str
    banks: Callable[[], Banks]
    policy: Policy
    event_log: EventLog
    store: EvidenceStore | None
    classifier: Classifier | None = None
    max_batch: int = 0
    timeouts: SourceTimeouts = field(default_factory=SourceTimeouts)
    hls_hosts: tuple[str, ...] = ()
    n_threads: int = 0
    stop_timeout_s: float = 15.0
    dense_share: float = 0.0
    hands: Hands = NO_HANDS


@asynccontextmanager
async def assembled(plan: Plan, meter: Exporter) -> AsyncIterator[Parts]:
    """Start what all streams share; at the end, commit what is left.

    Raises:
        LogUnavailable: at the end, events could not be committed in time.
    """
    clock = SystemClock()
    n_threads = plan.n_threads or n_cores()
    with ExitStack() as stack:
        batcher = stack.enter_context(_batcher(plan, meter)) if plan.classifier else None
        make_decoder = partial(PyavDecoder, clock, plan.timeouts.limits.max_pixels)
        pool = stack.enter_context(DecodePool(n_threads, make_decoder, clock, plan.hands))
        scheduler = Scheduler(pool, clock, meter, plan.dense_share)
        meter.watch("decode_queue_age_seconds", "Age of the oldest packet to decode.", pool.age_s)
        log_writer = writing(plan.event_log, clock, meter, plan.stop_timeout_s)
        async with log_writer as writer, scheduling(scheduler):
            yield Parts(
                source=f"/streamguard/{plan.deployment}",
                open_location=Turns(clock).staggered(partial(_open, clock, plan)),
                banks=plan.banks,
                policy=plan.policy,
                pool=pool,
                make_decoder=make_decoder,
                writer=writer,
                store=plan.store,
                clock=clock,
                meter=meter,
                mint=uuid4,
                rechecker=Rechecker(),
                scheduler=scheduler,
                batcher=batcher,
                hands=plan.hands,
            )


@asynccontextmanager
async def writing(
    event_log: EventLog,
    clock: Clock,
    meter: Exporter,
    stop_timeout_s: float,
    on_commit: OnCommit = lambda _: None,
) -> AsyncIterator[LogWriter]:
    """Write the log as long as this lasts; at the end, commit what is left.

    Raises:
        LogUnavailable: at the end, events could not be committed in time.
    """
    writer = LogWriter(event_log, clock, meter, on_commit)
    meter.watch("log_backlog", "Events not committed yet.", writer.backlog)
    meter.watch("log_writable", "1 while the log takes events.", lambda: writer.is_healthy)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(writer.run())
        try:
            yield writer
        finally:
            n_lost = await _flush(writer, running, stop_timeout_s)
    if n_lost:  # raised out here, for a task group would wrap it
        raise LogUnavailable(
            f"{n_lost} events could not be committed before the stop: free the disk, then screen "
            "these streams again"
        )


def _batcher(plan: Plan, meter: Exporter) -> Batcher:
    """Make the way to the model, and show what really runs it."""
    classifier = plan.classifier
    assert classifier is not None  # noqa: S101  # callers looked
    max_batch = plan.max_batch or classifier.best_batch
    batcher = Batcher(classifier, max_batch, SystemClock(), meter)
    batcher.warm()
    spec = classifier.spec
    meter.describe_model(spec.name, spec.version, classifier.provider)
    meter.watch("model_queue_age_seconds", "Age of the oldest picture to score.", batcher.age_s)
    meter.watch("model_healthy", "1 while the model answers.", batcher.is_healthy)
    for name in sorted(plan.policy.categories.keys() - spec.thresholds.keys()):
        log.warning("category_unknown", category=name, model=spec.name)  # its rule never applies
    for name, rule in sorted(plan.policy.categories.items()):
        for label in sorted(set(rule.exonerating) - set(spec.labels)):
            log.warning("label_unknown", category=name, label=label, model=spec.name)
    log.info("model_loaded", model=spec.name, version=spec.version, provider=classifier.provider)
    return batcher


def _open(clock: SystemClock, plan: Plan, location: Location, timeline: Timeline) -> PyavSource:
    return PyavSource(location, timeline, clock, plan.timeouts, plan.hls_hosts)


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
    settings: "Screening | Settings",
    banks: Callable[[], Banks],
    policy: Policy,
    event_log: EventLog,
    evidence: Path | None,
    model: Path | None,
) -> Plan:
    """Take from the settings what `run` and `screen` have in common.

    evidence: where clips and stills are kept; None keeps none.
    model: a model pack's directory; None runs no model.
    """
    return Plan(
        deployment=settings.deployment.name,
        banks=banks,
        policy=policy,
        event_log=event_log,
        store=open_store(settings, evidence) if evidence else None,
        classifier=open_model(model, settings.model) if model else None,
        max_batch=settings.model.max_batch,
        timeouts=SourceTimeouts(
            settings.source.open_timeout_s,
            settings.source.read_timeout_s,
            settings.limits.values,
        ),
        hls_hosts=settings.source.hls_hosts,
        n_threads=settings.worker.decode_threads,
        stop_timeout_s=settings.worker.stop_timeout_s,
    )


def open_store(settings: "Screening | Settings", directory: Path) -> EvidenceStore:
    """Open the store in which clips and stills are kept; only who keeps some loads what it needs.

    Raises:
        ConfigError: its keys are wrong.
        EvidenceUnavailable: the directory cannot be used.
    """
    from streamguard.adapters.evidence_maker import EvidenceMaker  # noqa: PLC0415  # 4 ms
    from streamguard.parts.evidence_parts import open_vault, sha256_of  # noqa: PLC0415  # 30 ms
    from streamguard.vault.recording import Recordings  # noqa: PLC0415  # as above

    deployment, digest = settings.deployment.name, sha256_of(settings)
    vault = open_vault(settings.evidence, deployment, directory, digest)
    vault.prepare()
    return EvidenceMaker(Recordings(vault), SystemClock())


def open_model(directory: Path, section: ModelSection) -> Classifier:
    """Load a model pack, checked byte by byte.

    Raises:
        ModelError: the pack is wrong, or none of the providers is available.
    """
    from streamguard.adapters.onnx_classifier import OnnxClassifier  # noqa: PLC0415  # slow to import
    from streamguard.model_pack import load_pack  # noqa: PLC0415  # no need without a model

    pack = load_pack(directory)
    return OnnxClassifier(
        pack.spec, pack.weights, providers=section.providers, n_threads=section.threads
    )
