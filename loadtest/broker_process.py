"""What brokers for tests and load tests have in common, and how their records are read.

Rule: as everywhere here: loopback, and ports that nobody else has.
"""

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from loadtest.programs import ProgramUnavailable

START_S = 60.0
_QUIET = {"log_level": 0}


class BrokerMissing(ProgramUnavailable):
    """There is no such broker here; the message says what to do."""


def headers_of(message: Message) -> dict[str, str]:
    """Give the headers of a record."""
    found: Any = message.headers() or ()
    return {name: value.decode() for name, value in found}


def wait_until_it_answers(
    bootstrap: str, process: subprocess.Popen[bytes], log: Path, within_s: float = START_S
) -> None:
    """Wait for a broker that is starting.

    Raises:
        BrokerMissing: it ended, or did not answer in time.
    """
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s and process.poll() is None:
        host, port = bootstrap.split(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            AdminClient({"bootstrap.servers": bootstrap, **_QUIET}).list_topics(timeout=5)
        except (OSError, KafkaException):
            time.sleep(0.05)
        else:
            return
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise BrokerMissing(f"the broker did not start: {last}; see {log}")
