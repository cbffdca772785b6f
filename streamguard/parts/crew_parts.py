"""Builds what a crew of workers needs from the settings.

Rule: what a worker gets holds no key and no credential but those within read URLs.
"""

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamguard.adapters.cores import n_cores, shares
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.worker_spawn import WorkerProcess
from streamguard.core.errors import EvidenceUnavailable
from streamguard.model_pack import load_pack
from streamguard.policy_file import load_policy
from streamguard.runtime.link import Link
from streamguard.runtime.member import Member
from streamguard.runtime.settler import EvidenceNow
from streamguard.runtime.wire import Batch, ToSupervisor, WorkerPlan, read_to_supervisor
from streamguard.sections.worker_section import WorkerSection
from streamguard.settings import Settings
from streamguard.vault.channel import serve
from streamguard.vault.heard import OfHeard

if TYPE_CHECKING:
    from streamguard.vault.vault import Vault

log = structlog.get_logger()


def worker_plan(settings: Settings) -> WorkerPlan:
    """Take from the settings what workers screen with.

    Raises:
        ConfigError: the policy file is wrong.
        ModelError: the model pack is wrong.
    """
    source, model = settings.source, settings.model
    n_workers, n_threads = crew_of(settings.worker)
    if model.pack:
        load_pack(model.pack)
    return WorkerPlan(
        deployment=settings.deployment.name,
        bank_paths=tuple(str(path) for path in settings.bank.paths),
        policy=load_policy(settings.policy.file),
        keeps_evidence=settings.evidence.directory is not None,
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
        places=shares(n_workers) if settings.worker.stays_on_cores else (),
    )


def crew_of(worker: WorkerSection) -> tuple[int, int]:
    """Give how many workers screen, and how many decode threads each of them has."""
    count = worker.count or n_cores()
    return count, worker.decode_threads or max(1, n_cores() // count)


def kept_in(settings: Settings) -> "Vault | None":
    """Open the store of evidence; None where none is kept.

    Raises:
        ConfigError: its keys are wrong.
        EvidenceUnavailable: the directory cannot be used.
    """
    if settings.evidence.directory is None:
        return None
    from streamguard.parts.evidence_parts import open_vault, sha256_of  # noqa: PLC0415  # only who keeps evidence

    section, digest = settings.evidence, sha256_of(settings)
    vault = open_vault(section, settings.deployment.name, config_sha256=digest)
    vault.prepare()
    _adopt(vault)
    return vault


def _adopt(vault: "Vault") -> None:
    """Keep what a process that was killed had collected; what cannot be kept yet is kept later."""
    from streamguard.vault.recording import adopt  # noqa: PLC0415  # as above

    try:
        n_adopted = adopt(vault)
    except EvidenceUnavailable as problem:
        log.warning("evidence_left_over", problem=str(problem))
    else:
        if n_adopted:
            log.info("evidence_adopted", n_clips=n_adopted)


def told_by(vault: "Vault | None") -> EvidenceNow:
    """Give what says of a flag whose process died what there is of its evidence."""
    if vault is None:
        return lambda _, told: told
    from streamguard.vault.told import evidence_now  # noqa: PLC0415  # as above

    return partial(evidence_now, vault)


def starter(
    vault: "Vault | None", is_heard_of: Callable[[str], bool], is_log_well: Callable[[], bool]
) -> Callable[[int], Awaitable[Member]]:
    """Give what starts a worker process by its number, and keeps the evidence that it makes.

    is_heard_of: says of a flag that opened, by its id, whether it is in the log or will be.
    is_log_well: says whether the log can be written.
    """
    if vault is None:
        return _start_member
    from streamguard.vault.recording import Recordings  # noqa: PLC0415  # as above

    def hear(end: socket.socket) -> OfHeard:
        keeper = OfHeard(Recordings(vault), is_heard_of, is_log_well)
        serve(end, keeper)
        return keeper

    return partial(_start_member, hear=hear)


async def _start_member(
    number: int, hear: Callable[[socket.socket], OfHeard] | None = None
) -> Member:
    """Start a worker process, and link to it; `hear` takes what evidence comes from it."""
    process = WorkerProcess()
    keeper = hear(process.evidence) if hear else None

    def read(content: bytes) -> ToSupervisor:
        message = read_to_supervisor(content)
        if keeper and isinstance(message, Batch):
            keeper.hear(message.rows)
        return message

    link = await Link.over(process.socket, read)
    return Member(number, process, link, SystemClock())


def source_of(settings: Settings) -> str:
    """Name this deployment as the source of events."""
    return f"/streamguard/{settings.deployment.name}"
