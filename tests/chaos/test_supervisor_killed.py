"""The real supervisor, killed with SIGKILL at each durable step of delivery, and started again.

After each: distinct ids in the topic are the committed ids, and streams are in order.
"""

import ast
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtest.arrived import arrived_at, committed_in, judged
from loadtest.kafka_broker import ApacheKafka
from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from streamguard.kafka_parts import make_topics
from streamguard.kafka_section import KafkaSection
from tests.broker import set_topic_limit
from tests.processes import ROOT, Running, environment, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SOURCE = ROOT / "streamguard"
POINTS = {
    "append_written": 1,
    "append_committed": 1,
    "window_read": 3,
    "batch_under_way": 5,
    "broker_acknowledged": 3,
    "acknowledge_written": 3,
    "acknowledge_committed": 3,
    "bury_written": 1,
    "bury_committed": 1,
    "prune_written": 1,
    "prune_committed": 1,
}
"""At which passing of each point the supervisor is killed."""

N_FLAGS, N_LATER, N_STREAMS, N_PARTITIONS = 2_000, 100, 20, 3

N_REFUSED_AMONG, N_LARGE = 200, 150
"""Where something is buried: so few flags, each sent by itself, and which one is too large."""

LIMIT_BYTES = 2_500
DEADLINE_S = 60.0


@dataclass
class Site:
    """A deployment that screens nothing and publishes its log."""

    folder: Path
    broker: ApacheKafka

    def __post_init__(self) -> None:
        self.log = self.folder / "log.db"
        self.config = self.folder / "config.toml"
        self.command = ["run", "--config", str(self.config)]
        self.config.write_text(
            '[http]\nport = 0\n[log]\nfile = "log.db"\n[worker]\ncount = 1\nstop_timeout_s = 20\n'
            f'[kafka]\nbootstrap_servers = "{self.broker.bootstrap}"\n'
            f"partitions = {N_PARTITIONS}\nreplication_factor = 1\n"
            '[[streams]]\nid = "card"\nurl = "rtmp://127.0.0.1:1/x"\nnot_screened = "a test card"\n'
        )

    def append(self, numbers: Sequence[int]) -> None:
        """Append flags of all severities, as a process beside the supervisor does."""
        flags = [
            opened(
                number,
                f"stream-{number % N_STREAMS}",
                severity=f"P{number // N_STREAMS % 4}",
                n_signals=8 if number == N_LARGE else 1,
            )
            for number in numbers
        ]
        with SqliteLog(self.log) as event_log:
            event_log.append(flags)

    def n_waiting(self) -> int:
        outbox = SqliteOutbox(self.log)
        try:
            return sum(outbox.tally(topic).waiting for topic in Topic)
        finally:
            outbox.close()

    def run_until_it_dies(self, point: str, nth: int) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.dying_run", point, f"{nth}", *self.command],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode

    def run_until_all_is_sent(self) -> int:
        with Running("run", "--config", self.config, cwd=self.folder) as run:
            run.wait_for(run.log, event="run_started")
            until(lambda: not self.n_waiting())
            return run.stop()


@pytest.mark.parametrize(("point", "nth"), POINTS.items())
def test_no_flag_is_lost_or_out_of_order_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, point: str, nth: int
) -> None:
    section = KafkaSection(
        bootstrap_servers=apache.bootstrap, replication_factor=1, partitions=N_PARTITIONS
    )
    make_topics(section, dry_run=False)
    is_refused = point.startswith("bury")
    n_flags = N_REFUSED_AMONG if is_refused else N_FLAGS
    if is_refused:
        set_topic_limit(apache.bootstrap, Topic.FLAGS, LIMIT_BYTES)
    site = Site(tmp_path, apache)
    site.append(range(n_flags))

    killed = site.run_until_it_dies(point, nth)
    site.append(range(n_flags, n_flags + N_LATER))
    ended = site.run_until_all_is_sent()

    assert (killed, ended) == (-signal.SIGKILL, 0)
    committed = committed_in(site.log)
    judgement = judged(committed, arrived_at(apache.bootstrap, list(Topic), N_PARTITIONS))
    assert judgement.is_good, judgement
    outbox = SqliteOutbox(site.log)
    tally = outbox.tally(Topic.FLAGS)
    outbox.close()
    n_events = 2 * (n_flags + N_LATER)  # a supervisor that starts closes what nobody watches
    n_dead = 2 * is_refused
    assert tally == Tally(n_events, n_events - n_dead, 0, n_dead)


def test_every_failpoint_of_delivery_is_one_of_these() -> None:
    """Those of banks and of evidence have tests of their own."""
    found = {
        ast.literal_eval(call.args[0])
        for path in SOURCE.rglob("*.py")
        if not path.name.startswith("bank_")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id == "reach" and isinstance(call.args[0], ast.Constant)
        if not call.args[0].value.startswith("evidence_")
    }

    assert found == POINTS.keys()
