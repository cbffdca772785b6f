"""Builds what a crew of workers needs from the settings.

Rule: what a worker gets holds no key and no credential but those within read URLs.
"""

import os

from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.worker_spawn import WorkerProcess
from streamguard.app import open_store
from streamguard.model_pack import load_pack
from streamguard.policy_file import load_policy
from streamguard.runtime.link import Link
from streamguard.runtime.member import Member
from streamguard.runtime.wire import WorkerPlan, read_to_supervisor
from streamguard.settings import Settings


def worker_plan(settings: Settings) -> WorkerPlan:
    """Take from the settings what workers screen with.

    Raises:
        ConfigError: the policy file is wrong.
        EvidenceUnavailable: the directory for evidence cannot be used.
        ModelError: the model pack is wrong.
    """
    worker, source, model = settings.worker, settings.source, settings.model
    count = worker.count or n_cores()
    evidence = settings.evidence.directory
    if evidence:
        open_store(evidence)  # what cannot work is found here, not by one worker after another
    if model.pack:
        load_pack(model.pack)
    return WorkerPlan(
        deployment=settings.deployment.name,
        bank_paths=tuple(str(path) for path in settings.bank.paths),
        policy=load_policy(settings.policy.file),
        evidence=str(evidence) if evidence else None,
        model_pack=str(model.pack) if model.pack else None,
        model_providers=model.providers,
        model_threads=model.threads,
        max_batch=model.max_batch,
        open_timeout_s=source.open_timeout_s,
        read_timeout_s=source.read_timeout_s,
        limits=settings.limits.values,
        hls_hosts=source.hls_hosts,
        n_threads=worker.decode_threads or max(1, n_cores() // count),
        stop_timeout_s=worker.stop_timeout_s,
        dense_share=worker.dense_share,
    )


async def start_member(number: int) -> Member:
    """Start a worker process, and link to it."""
    process = WorkerProcess()
    link = await Link.over(process.socket, read_to_supervisor)
    return Member(number, process, link, SystemClock())


def source_of(settings: Settings) -> str:
    """Name this deployment as the source of events."""
    return f"/streamguard/{settings.deployment.name}"


def n_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))
