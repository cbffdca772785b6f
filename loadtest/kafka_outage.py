"""Apache Kafka killed with SIGKILL under many flags: what was committed must all arrive, in order.

Rule: `streamguard run` screens live RTMP and publishes all the while; beside it another process's
part is played by flags that are appended to its log at an even pace, from before the kill until
after the broker's return. What the log holds at the end is what must be in Kafka.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.arrived import arrived_at, committed_in, judged
from loadtest.kafka_broker import ApacheKafka
from loadtest.kafka_latency import N_PARTITIONS, kafka_settings
from loadtest.live import Screening, screening
from loadtest.made_events import opened
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Topic

BEFORE_S, AFTER_S = 10.0, 10.0
"""Flags come for so long before the kill, and after the broker's return."""

N_STREAMS = 20
CATCH_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Outage:
    """What happened.

    committed:  ids of the log, by stream, in order.
    arrived:    ids in Kafka, by stream, in order.
    backlog:    records that waited when the broker came back.
    catch_up_s: from the broker's return until nothing waited.
    """

    committed: dict[tuple[str, str], list[str]]
    arrived: dict[tuple[str, str], list[str]]
    backlog: int
    catch_up_s: float


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where something was lost or came out of order."""
    parser = argparse.ArgumentParser(prog="python -m loadtest kafka_outage", description=__doc__)
    parser.add_argument("--flags", type=int, default=200, help="flags to append beside live ones")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without a broker")
    parser.add_argument("--publishers", type=int, default=4)
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        found = _measure(Path(name), options)
    judgement = judged(found.committed, found.arrived)
    figures = {
        **asdict(judgement),
        "outage_s": options.outage,
        "backlog_at_return": found.backlog,
        "catch_up_s": round(found.catch_up_s, 2),
        "load": [round(load, 2) for load in os.getloadavg()],
        "pass": judgement.is_good,
    }
    print(json.dumps(figures))
    return 0 if judgement.is_good else 1


def _measure(folder: Path, options: argparse.Namespace) -> Outage:
    with ApacheKafka(folder) as broker:
        with screening(folder, options.publishers, kafka_settings(broker)) as run:
            _wait_until_delivered(run)
            with _flags_appended(run.log, options.flags, BEFORE_S + options.outage + AFTER_S):
                time.sleep(BEFORE_S)
                print("killing the broker", file=sys.stderr)
                broker.kill()
                time.sleep(options.outage)
                broker.start()
                returned_s = time.monotonic()
                backlog = int(run.metrics()["streamguard_kafka_backlog",])
                print(f"the broker is back, {backlog} records wait", file=sys.stderr)
                _wait_until_delivered(run)
                catch_up_s = time.monotonic() - returned_s
        # `run` has ended by now, and sent what was left
        arrived = arrived_at(broker.bootstrap, list(Topic), N_PARTITIONS)
        return Outage(committed_in(folder / "events.db"), arrived, backlog, catch_up_s)


@contextmanager
def _flags_appended(log: Path, n_flags: int, within_s: float) -> Iterator[None]:
    """Append flags at an even pace while this lasts, and the rest at its end."""

    def append() -> None:
        with SqliteLog(log, "write") as event_log:
            for number in range(n_flags):
                stream = f"appended-{number % N_STREAMS}"
                event_log.append([opened(number, stream, time_s=time.time())])
                time.sleep(within_s / n_flags)

    appending = threading.Thread(target=append)
    appending.start()
    try:
        yield
    finally:
        appending.join()


def _wait_until_delivered(run: Screening) -> None:
    deadline_s = time.monotonic() + CATCH_UP_S
    while time.monotonic() < deadline_s:
        try:
            metrics = run.metrics()
        except OSError:  # it is not up yet
            time.sleep(0.2)
            continue
        connected, backlog = ("streamguard_kafka_connected",), ("streamguard_kafka_backlog",)
        if metrics.get(connected) and not metrics[backlog]:
            return
        time.sleep(0.05)
    raise ProgramUnavailable(f"nothing is delivered: {run.printed.read_text().strip()[-300:]}")
