"""A deployment that publishes its log, for tests that do it harm.

Rule: the supervisor is the real one, a process of its own; flags are appended beside it, over a
connection of their own, as the console and the enforcer do. Where a channel is screened as well,
its flags and their evidence are made by real workers.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from loadtest.arrived import Judgement, arrived_at, committed_in, judged
from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import EventType, Topic
from tests.processes import Row, Running, environment

N_STREAMS, N_PARTITIONS = 20, 3
DEADLINE_S = 120.0
"""Nothing here takes so long unless it hangs, however busy the machine is."""

Committed = dict[tuple[str, str], list[str]]

CHANNEL = "channel"
"""Id of the stream that is screened."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A channel that the bank knows, and where the evidence of its flags is kept.

    url, bank:  of the channel; what it shows.
    evidence:   the directory of evidence.
    store:      where parts go in the end.
    more:       lines of [evidence].
    """

    url: str
    bank: Path
    evidence: Path
    store: Path
    more: str = ""

    @property
    def settings(self) -> str:
        """Give the sections of the configuration."""
        return (
            f'[bank]\npaths = ["{self.bank}"]\n[evidence]\ndirectory = "{self.evidence}"\n'
            f'store = "{self.store.as_uri()}"\n{self.more}\n'
            f'[[streams]]\nid = "{CHANNEL}"\nurl = "{self.url}"\n'
        )

    def texts(self, pattern: str) -> list[str]:
        """Read files of the directory of evidence."""
        return [path.read_text() for path in sorted(self.evidence.glob(pattern))]

    def spooled(self) -> set[Path]:
        """List the parts that are not in the store yet."""
        return set(self.evidence.glob("objects/*/*.sealed"))

    def wait_for_store(self) -> None:
        """Wait until it has what waits for it now; more may come meanwhile."""
        waiting = self.spooled()
        eventually(lambda: not waiting & self.spooled())


NOT_SCREENED = '[[streams]]\nid = "card"\nurl = "rtmp://127.0.0.1:1/x"\nnot_screened = "a card"\n'


@dataclass
class Site:
    """A folder with a configuration and a log.

    kafka:    lines of [kafka] beside `bootstrap_servers`.
    open_to:  where the broker lets anybody read; else as the supervisor.
    screened: the channel, if there is one.
    planted:  ids of the flags that were appended.
    """

    folder: Path
    bootstrap: str
    kafka: str = ""
    open_to: str = ""
    screened: Screened | None = None
    log: Path = Path()
    planted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.log == Path():
            self.log = self.folder / "log.db"
        self.config = self.folder / "config.toml"
        self.config.write_text(
            f'[http]\nport = 0\n[log]\nfile = "{self.log}"\n'
            "[worker]\ncount = 1\nstop_timeout_s = 20\n"
            f'[kafka]\nbootstrap_servers = "{self.bootstrap}"\n'
            f"partitions = {N_PARTITIONS}\nreplication_factor = 1\n{self.kafka}\n"
            f"{self.screened.settings if self.screened else NOT_SCREENED}"
        )

    def append(
        self,
        numbers: Sequence[int],
        n_signals: Mapping[int, int] | None = None,
        age_s: float = 0,
    ) -> None:
        """Append flags of all severities, all or none.

        n_signals: of those flags that have more than one; age_s: how old they are.
        """
        flags = [
            opened(
                number,
                f"stream-{number % N_STREAMS}",
                severity=f"P{number // N_STREAMS % 4}",
                n_signals=(n_signals or {}).get(number, 1),
                time_s=time.time() - age_s,
            )
            for number in numbers
        ]
        with SqliteLog(self.log) as event_log:
            event_log.append(flags)
        self.planted.update(flag.id for flag in flags)

    def shrink(self) -> None:
        """Let the log hold no room for what is to come: no page of its -wal file is free."""
        connection = apsw.Connection(f"{self.log}")
        eventually(lambda: not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").get[0])
        connection.close()

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

    def events(self, kinds: Collection[EventType], stream_id: str | None = None) -> list[Row]:
        """Read what the log holds of some types of event, in order; of one stream, or of all."""
        with SqliteLog.open_reader(self.log) as event_log:
            records = event_log.read(1, limit=1_000_000)
        return [
            json.loads(record.body)
            for record in records
            if record.type in kinds and stream_id in {None, record.key}
        ]

    def run_until_it_dies(self, point: str, nth: int, *arguments: str) -> int:
        """Run the supervisor until it passes a failpoint for the nth time; give its exit code.

        arguments: another command line than `run`.
        """
        verb = arguments or ("run",)
        dying = [sys.executable, "-m", "tests.chaos.dying_run", point, f"{nth}", *verb]
        done = subprocess.run(
            [*dying, "--config", str(self.config)],
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
            eventually(lambda: not self.n_waiting())
            assert run.stop() == 0

    def committed(self) -> Committed:
        """Give the ids of all that the log holds, in order, by topic and stream."""
        return committed_in(self.log)

    def judged(self, committed: Committed | None = None) -> Judgement:
        """Hold what the broker has against what was committed; else against what the log holds."""
        committed = committed or self.committed()
        topics = sorted({topic for topic, _ in committed})
        return judged(committed, arrived_at(self.open_to or self.bootstrap, topics, N_PARTITIONS))


def eventually(claim: Callable[[], bool]) -> None:
    """Wait for what nobody announces."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        threading.Event().wait(0.05)


def lasting(seconds: float) -> None:
    """Let the harm last."""
    threading.Event().wait(seconds)
