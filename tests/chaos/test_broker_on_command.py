"""What a real broker will not do on command: partitions without a leader, answers after seconds."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.core.events import Topic
from tests.chaos.conftest import AllThere
from tests.chaos.mock_kafka import BROKER
from tests.chaos.site import N_PARTITIONS, Site, eventually, lasting
from tests.processes import ROOT, environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

N_FLAGS = 2_000


class MockKafka:
    """The process of mock_kafka; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.mock_kafka", f"{N_PARTITIONS}", *map(str, Topic)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.bootstrap = self._line()

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._line() == "ok"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def mock() -> Iterator[MockKafka]:
    playing = MockKafka()
    yield playing
    playing.close()


def test_partitions_that_nobody_leads_for_longer_than_every_timeout(
    tmp_path: Path, mock: MockKafka, all_there: AllThere
) -> None:
    site = Site(tmp_path, mock.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running() as run:
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        mock.tell(f"leader {Topic.FLAGS} -1")
        site.append(range(N_FLAGS // 2, N_FLAGS))
        run.wait_for(run.log, event="delivery_stalled", reason="broker_unavailable")
        lasting(20)
        mock.tell(f"leader {Topic.FLAGS} {BROKER}")

    all_there(site)


def test_a_broker_that_takes_two_seconds_for_each_answer(
    tmp_path: Path, mock: MockKafka, all_there: AllThere
) -> None:
    site = Site(tmp_path, mock.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running():
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        mock.tell("rtt 2000")
        site.append(range(N_FLAGS // 2, N_FLAGS))
        lasting(2)
        waiting = site.n_waiting()
        eventually(lambda: not site.n_waiting())
        mock.tell("rtt 0")

    all_there(site)
    assert waiting > 0
