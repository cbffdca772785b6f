"""Has evidence follow the event log while `run` lasts.

Rule: in a thread of its own, with a connection of its own; what it cannot keep now it keeps later,
and whatever goes wrong, it goes on.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.backoff import delay_s
from streamguard.core.errors import StreamguardError
from streamguard.core.ports import Exporter
from streamguard.exchange.incident import incident_of
from streamguard.vault.follower import Follower, IncidentOf
from streamguard.vault.vault import Vault

LOOK_EVERY_S = 1.0
"""How often it is looked whether anything came, seconds."""

STOP_S = 5.0
"""How long a stop waits for what is being kept."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Standing:
    """How following fares: whose evidence is damaged, and tries that failed since a good one."""

    damaged: set[str] = field(default_factory=set)
    n_failures: int = 0


@contextmanager
def following(
    vault: Vault | None, log_file: Path, meter: Exporter, banks: Sequence[Path] = ()
) -> Iterator[None]:
    """Follow the log as long as this lasts; nothing where no evidence is kept.

    banks: directories of those whose records may tell of what incident a flag is.
    """
    if vault is None:
        yield
        return
    standing = _Standing()
    meter.watch(
        "evidence_damaged",
        "Evidence with a damaged or missing manifest or key, met since the start.",
        lambda: len(standing.damaged),
    )
    meter.watch(
        "evidence_follow_failures",
        "Failed tries in a row, up to now, at bringing flags and decisions to evidence.",
        lambda: standing.n_failures,
    )
    stop = threading.Event()
    thread = threading.Thread(
        target=_run,
        args=(vault, log_file, standing, partial(incident_of, banks), stop),
        name="evidence log",
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_S)


def _run(
    vault: Vault, log_file: Path, standing: _Standing, names: IncidentOf, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            vault.standings_now(())  # reads all of the custody, before a flag waits for that
            with SqliteLog(log_file, "write") as event_log:
                follower = Follower(vault, event_log, vault.clock, standing.damaged, names)
                while not stop.wait(0 if follower.step() else LOOK_EVERY_S):
                    standing.n_failures = 0
                while follower.step():  # what was committed on the way out
                    pass
        except StreamguardError as error:
            standing.n_failures += 1
            if standing.n_failures == 1:
                log.warning("evidence_log_not_followed", problem=str(error))
        except Exception:  # a thread that ends is never seen again: decisions would be lost
            standing.n_failures += 1
            log.exception("evidence_log_not_followed")
        stop.wait(max(LOOK_EVERY_S, delay_s(standing.n_failures, 0.5)))
