"""The disk of the log full while flags come and are delivered.

A file that may not grow (RLIMIT_FSIZE) is what any user can have; SQLite sees a disk that is full.
"""

import resource
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.events import Topic
from tests.chaos.conftest import AllThere
from tests.chaos.site import Site, eventually
from tests.processes import Running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

N_FLAGS = 2_000


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
