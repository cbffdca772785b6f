"""The disk of log, evidence or store full while flags come and are delivered.

Once by a file that may not grow (RLIMIT_FSIZE), as any user can have it; else by a disk that is.
"""

import json
import resource
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.errors import LogUnavailable
from streamguard.core.events import EventType, Topic
from tests.chaos.conftest import AllThere
from tests.chaos.site import CHANNEL, Screened, Site, eventually
from tests.chaos.verdict import evidence_told, problems_of_evidence
from tests.processes import Running, environment, metric
from tests.small_disk import PAGE_BYTES, SmallDisk
from tests.webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

N_FLAGS = 2_000

N_PAGES_FOR_P0 = 384
"""1.5 MiB: of a disk of 64 MiB, 2 MiB are for P0 alone."""

NO_ROOM = "its disk is nearly full, and left to the event log"

N_PAGES_FOR_EVIDENCE = 4160
"""16.25 MiB: of a disk of 64 MiB evidence leaves 16 MiB."""

SECRET = bytes(range(32))


def limit(run: Running, size_bytes: int) -> None:
    """Let no file of the supervisor grow beyond a size."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


def test_what_cannot_be_noted_as_acknowledged_is_sent_again_and_nothing_is_lost(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running() as run:
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        limit(run, 4096)
        site.append(range(N_FLAGS // 2, N_FLAGS))
        run.wait_for(run.log, event="delivery_stalled", reason="log_unavailable")
        limit(run, resource.RLIM_INFINITY)

    all_there(site)


def test_urgent_flags_wait_in_memory_while_the_disk_of_the_log_is_full(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    disk: SmallDisk,
) -> None:
    """Whoever appends beside it is told, and may try again."""
    policy = tmp_path / "policy.toml"
    policy.write_text('version = "test"\n[default]\nseverity = "P0"\n')
    site = Site(tmp_path, apache.bootstrap, log=disk.path / "log.db", screened=flickering)
    site.append(range(N_FLAGS // 2))

    with site.running(STREAMGUARD_POLICY__FILE=f"{policy}") as run:
        eventually(lambda: bool(evidence_told(site)))
        site.shrink()
        disk.fill()
        run.wait_for(run.log, event="log_unavailable")
        with pytest.raises(LogUnavailable):
            site.append(range(N_FLAGS // 2, N_FLAGS))
        n_seen = metric(run, "samples_total")
        eventually(lambda: metric(run, "samples_total") > n_seen + 2)
        n_waiting = metric(run, "log_backlog")
        disk.free()
        run.wait_for(run.log, event="log_recovered")
        site.append(range(N_FLAGS // 2, N_FLAGS))

    assert n_waiting > 0
    all_there(site)


def test_flags_stand_without_evidence_while_its_disk_is_full(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    disk: SmallDisk,
) -> None:
    """Its directory and its store are on it: nothing can make room."""
    kept_there = replace(flickering, evidence=disk.path / "evidence", store=disk.path / "store")
    site = Site(tmp_path, apache.bootstrap, screened=kept_there)
    site.append(range(N_FLAGS))

    with site.running() as run:
        eventually(lambda: bool(evidence_told(site)))
        disk.fill()
        run.wait_for(run.log, event="evidence_unavailable")
        while_full = problems_of_evidence(site, kept_there)
        n_told = len(evidence_told(site))
        disk.free()
        eventually(lambda: len(evidence_told(site)) > n_told)
        kept_there.wait_for_store()

    assert while_full == []
    all_there(site)


def test_evidence_waits_while_the_disk_of_its_store_is_full(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    disk: SmallDisk,
) -> None:
    kept_there = replace(flickering, store=disk.path / "store")
    site = Site(tmp_path, apache.bootstrap, screened=kept_there)
    site.append(range(N_FLAGS))

    with site.running() as run:
        eventually(lambda: bool(evidence_told(site)))
        disk.fill()
        run.wait_for(run.log, event="evidence_store_away")
        while_full = problems_of_evidence(site, kept_there)
        n_spooled = len(kept_there.spooled())
        disk.free()
        run.wait_for(run.log, event="evidence_store_back")
        kept_there.wait_for_store()

    assert n_spooled > 0
    assert while_full == []
    all_there(site)


def test_a_flag_that_is_let_go_leaves_no_evidence(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    disk: SmallDisk,
) -> None:
    """What is not urgent goes while its log's disk is nearly full, and is counted."""
    site = Site(tmp_path, apache.bootstrap, log=disk.path / "log.db", screened=flickering)
    site.append(range(N_FLAGS))

    with site.running() as run:
        eventually(lambda: bool(evidence_told(site)) and not site.n_waiting())
        disk.fill(N_PAGES_FOR_P0)
        eventually(lambda: metric(run, "flags_shed_total") > 2)
        disk.free()
        n_told = len(evidence_told(site))
        eventually(lambda: len(evidence_told(site)) > n_told)

    heard_of = {event["data"]["flag_id"] for event in site.events({EventType.FLAG_OPENED})}
    kept = {json.loads(text)["evidence_id"] for text in flickering.texts("manifests/*.json")}
    assert kept <= heard_of
    all_there(site)


def test_urgent_flags_are_committed_while_evidence_would_fill_the_one_disk(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    disk: SmallDisk,
) -> None:
    """Log and evidence lie on it, as they mostly do, and `forward` notes its place there."""
    policy = tmp_path / "policy.toml"
    policy.write_text('version = "test"\n[default]\nseverity = "P0"\n')
    here = replace(flickering, evidence=disk.path / "evidence")
    site = Site(tmp_path, apache.bootstrap, log=disk.path / "log.db", screened=here)
    site.append(range(N_FLAGS))

    with receiving(SECRET) as receiver, forwarding(site, receiver) as forward:
        with site.running(STREAMGUARD_POLICY__FILE=f"{policy}") as run:
            eventually(lambda: bool(evidence_told(site)) and not site.n_waiting())
            disk.fill(N_PAGES_FOR_EVIDENCE)
            run.wait_for(run.log, event="evidence_waits", problem=NO_ROOM)
            n_flags, n_bytes = n_of_channel(site), disk.n_free_bytes()
            eventually(lambda: n_of_channel(site) > n_flags + 2)
            n_shed = metric(run, "flags_shed_total")
            site.shrink()
            disk.fill()
            run.wait_for(run.log, event="log_unavailable")
            disk.free()
            run.wait_for(run.log, event="log_recovered")
            n_told = len(evidence_told(site))
            eventually(lambda: len(evidence_told(site)) > n_told)
        eventually(lambda: ids_taken(receiver) == ids_of_flags(site))
        assert forward.stop() == 0

    assert n_bytes > N_PAGES_FOR_P0 * PAGE_BYTES
    assert n_shed == 0
    all_there(site)


@contextmanager
def forwarding(site: Site, receiver: Receiver) -> Iterator[Running]:
    """Run `forward` beside a supervisor, from the beginning of its log."""
    secret = site.folder / "secret"
    secret.write_text(b64encode(SECRET).decode())
    env = environment(
        STREAMGUARD_WEBHOOK__URL=receiver.url,
        STREAMGUARD_WEBHOOK__SECRET_FILE=f"{secret}",
        STREAMGUARD_WEBHOOK__PORT="0",
    )
    verb = ("forward", "--from-start", "--config", site.config)
    with Running(*verb, cwd=site.folder, env=env) as forward:
        forward.wait_for(forward.log, event="forward_started")
        yield forward


def n_of_channel(site: Site) -> int:
    """Count the flags of the channel that are committed."""
    return len(site.events({EventType.FLAG_OPENED}, CHANNEL))


def ids_of_flags(site: Site) -> set[str]:
    """Give the ids of all that the log holds about flags."""
    told = {EventType.FLAG_OPENED, EventType.FLAG_UPDATED, EventType.FLAG_CLOSED}
    return {event["id"] for event in site.events(told)}


def ids_taken(receiver: Receiver) -> set[str]:
    """Give the ids of what was forwarded."""
    return {event["id"] for event in tuple(receiver.taken)}
