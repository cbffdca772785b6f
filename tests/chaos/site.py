"""A deployment that screens nothing and publishes its log, for tests that do it harm.

Rule: the supervisor is the real one, a process of its own; flags are appended beside it, over a
connection of their own, as the console and the enforcer do.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.arrived import Judgement, arrived_at, committed_in, judged
from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from tests.processes import Running, environment, until

N_STREAMS, N_PARTITIONS = 20, 3
DEADLINE_S = 60.0


class Site:
    """A folder with a configuration and a log.

    kafka: lines of [kafka] beside `bootstrap_servers`.
    """

    def __init__(
        self, folder: Path, bootstrap: str, *, kafka: str = "", log: Path | None = None
    ) -> None:
        self.folder = folder
        self.log = log or folder / "log.db"
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[http]\nport = 0\n[log]\nfile = "{self.log}"\n'
            "[worker]\ncount = 1\nstop_timeout_s = 20\n"
            f'[kafka]\nbootstrap_servers = "{bootstrap}"\n'
            f"partitions = {N_PARTITIONS}\nreplication_factor = 1\n{kafka}\n"
            '[[streams]]\nid = "card"\nurl = "rtmp://127.0.0.1:1/x"\nnot_screened = "a test card"\n'
        )

    def append(self, numbers: Sequence[int], n_signals: Mapping[int, int] | None = None) -> None:
        """Append flags of all severities.

        n_signals: of those flags that have more than one.
        """
        flags = [
            opened(
                number,
                f"stream-{number % N_STREAMS}",
                severity=f"P{number // N_STREAMS % 4}",
                n_signals=(n_signals or {}).get(number, 1),
                time_s=time.time(),  # what is old and acknowledged is pruned at a start
            )
            for number in numbers
        ]
        with SqliteLog(self.log) as event_log:
            event_log.append(flags)

    def tally(self, topic: str) -> Tally:
        """Read what became of the records of a topic."""
        outbox = SqliteOutbox(self.log)
        try:
            return outbox.tally(topic)
        finally:
            outbox.close()

    def n_waiting(self) -> int:
        """Count what is neither acknowledged nor dead."""
        return sum(self.tally(topic).waiting for topic in Topic)

    def run_until_it_dies(self, point: str, nth: int) -> int:
        """Run the supervisor until it passes a failpoint for the nth time; give its exit code."""
        dying = [sys.executable, "-m", "tests.chaos.dying_run", point, f"{nth}"]
        done = subprocess.run(
            [*dying, "run", "--config", str(self.config)],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.returncode

    @contextmanager
    def running(self, **variables: str) -> Iterator[Running]:
        """Run the supervisor until all is sent; it must end by itself, without an error.

        variables: of its environment.
        """
        env = environment(**variables)
        with Running("run", "--config", self.config, cwd=self.folder, env=env) as run:
            run.wait_for(run.log, event="run_started")
            yield run
            until(lambda: not self.n_waiting())
            assert run.stop() == 0

    def judged(self, bootstrap: str) -> Judgement:
        """Hold what a broker has against what was committed."""
        committed = committed_in(self.log)
        topics = sorted({topic for topic, _ in committed})
        return judged(committed, arrived_at(bootstrap, topics, N_PARTITIONS))
