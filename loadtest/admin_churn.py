"""Adds streams to a deployment and removes them again, through its admin API.

Rule: what it added it removes at the end; an answer that is no success is an error.
"""

import json
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from loadtest.programs import ProgramUnavailable

MOST = 10
"""Streams that are there at a time; then each one more takes the place of the oldest."""

PATIENCE_S = 30.0
TIMEOUT_S = 10.0


class AdminChurn:
    """The API of one `streamguard run`; a context manager."""

    def __init__(self, printed: Path, log: Path, source: str) -> None:
        """Find it by what `run` says and beside its log; source: the URL of every stream added."""
        self._client = admin_of(printed, log)
        self._source = source
        self._there: deque[str] = deque()
        self.n_added = self.n_removed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def turn(self) -> None:
        """Add a stream; where there are enough, remove the one that came first."""
        name = f"added-{self.n_added}"
        self._client.post("/streams", json={"id": name, "url": self._source}).raise_for_status()
        self._there.append(name)
        self.n_added += 1
        if len(self._there) > MOST:
            self._remove()

    def clear(self) -> None:
        """Remove all that are left."""
        while self._there:
            self._remove()

    def _remove(self) -> None:
        self._client.delete(f"/streams/{self._there.popleft()}").raise_for_status()
        self.n_removed += 1


def admin_of(printed: Path, log: Path) -> httpx.Client:
    """Give a client of the API of a `run`, found by what it says and beside its log."""
    port = _port_of(printed)
    token = log.with_name(log.name + ".token").read_text().strip()
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_S,
    )


def _port_of(printed: Path) -> int:
    """Wait until `run` says where its API is."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        for line in printed.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("event") == "admin_started":
                return int(said["port"])
        time.sleep(0.1)
    raise ProgramUnavailable(f"no admin API came up: {printed.read_text().strip()[-300:]}")
