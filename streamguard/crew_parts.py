"""Builds what a crew of workers needs from the settings.

Rule: what a worker gets holds no key and no credential but those within read URLs.
"""

from streamguard.adapters.cores import n_cores
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.worker_spawn import WorkerProcess
from streamguard.app import open_store
from streamguard.model_pack import load_pack
from streamguard.policy_file import load_policy
from streamguard.runtime.link import Link
from streamguard.runtime.member import Member
from streamguard.runtime.wire import WorkerPlan, read_to_supervisor
from streamguard.settings import Settings
from streamguard.worker_section import WorkerSection


def worker_plan(settings: Settings) -> WorkerPlan:
    """Take from the settings what workers screen with.

    Raises:
        ConfigError: the policy file is wrong.
        EvidenceUnavailable: the directory for evidence cannot be used.
        ModelError: the model pack is wrong.
    """
    source, model = settings.source, settings.model
    _, n_threads = crew_of(settings.worker)
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
        n_threads=n_threads,
        stop_timeout_s=settings.worker.stop_timeout_s,
        dense_share=settings.worker.dense_share,
    )


def crew_of(worker: WorkerSection) -> tuple[int, int]:
    """Give how many workers screen, and how many decode threads each of them has."""
    count = worker.count or n_cores()
    return count, worker.decode_threads or max(1, n_cores() // count)


async def start_member(number: int) -> Member:
    """Start a worker process, and link to it."""
    process = WorkerProcess()
    link = await Link.over(process.socket, read_to_supervisor)
    return Member(number, process, link, SystemClock())


def source_of(settings: Settings) -> str:
    """Name this deployment as the source of events."""
    return f"/streamguard/{settings.deployment.name}"
