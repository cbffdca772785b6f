"""Simulated reviewers: real HTTP clients that decide, skip, undo, prolong, and come too late.

Rule: each notes when it asked for a case, and whatever should not have been possible.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from loadtest.console_people import Away, Client, Refused
from loadtest.console_truth import Notes
from streamguard.core.event_data import utc_seconds

CHOICES = (
    {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "cut"},
    {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "hold"},
    {"outcome": "rejected", "reason_code": "NOTHING.FOUND"},
    {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "cut_and_suspend"},
    {"outcome": "escalated", "reason_code": "PROCESS.UNSURE"},
)
WEIGHTS = (40, 10, 40, 7, 3)
LATE, SKIPS, PROLONGS, UNDOES, MOVES = 0.01, 0.03, 0.03, 0.03, 0.05
"""Shares of the cases in which they let the lease end and try nevertheless, pass the case on, renew
the lease, take the decision back; and of requests before which they go to the other console."""

IDLE_S = 0.1


class Simulated:
    """One reviewer; one thread."""

    def __init__(self, client: Client, number: int, lease_s: float) -> None:
        """Take a client; number 0 lets its first lease end, whatever its chance says."""
        self._client = client
        self._comes_late = not number
        self._chance = random.Random(number)
        self._lease_s = lease_s
        self._asked_s: float | None = None
        self._pause = threading.Event()
        self.notes = Notes()
        self.n_late = self.n_away = 0
        self.refused: Counter[int] = Counter()
        """By the status of the answer."""
        self.faults: list[str] = []

    def work(self, is_over: threading.Event) -> None:
        """Take cases until it is over."""
        while not is_over.is_set():
            try:
                if self._chance.random() < MOVES:
                    self._client.move()
                given = self._claim()
                if given is None:
                    is_over.wait(IDLE_S)
                else:
                    self._handle(given)
            except Refused as refused:
                self.refused[refused.status] += 1
                is_over.wait(IDLE_S)
            except Away:
                self.n_away += 1
                is_over.wait(IDLE_S)

    def _claim(self) -> dict[str, Any] | None:
        """Take the next case; one that was given in an answer that never came is given again."""
        self._asked_s = self._asked_s or time.time()
        given: dict[str, Any] | None = self._client.post("/api/v1/claim")["case"]
        if given is not None:
            self.notes.sent_s.setdefault(int(given["token"]), self._asked_s)
        self._asked_s = None
        return given

    def _handle(self, given: dict[str, Any]) -> None:
        path, token = f"/api/v1/cases/{given['case_id']}", int(given["token"])
        kind = self._chance.random()
        if kind < SKIPS:
            self._client.post(f"{path}/skip", token=token, reason="not_sure")
            return
        if kind < SKIPS + PROLONGS:
            self.notes.until_s[token] = time.time() + self._lease_s + self._lease_s
            lease = self._client.post(f"{path}/renew", token=token)
            self.notes.until_s[token] = utc_seconds(lease["expires_at"])
        choice = self._chance.choices(CHOICES, WEIGHTS)[0]
        if kind > 1 - LATE or self._comes_late:
            self._comes_late = False
            self._come_late(path, token, choice)
            return
        self._client.post(f"{path}/decision", token=token, **choice)
        if self._chance.random() < UNDOES:
            self._client.post(f"{path}/undo")

    def _come_late(self, path: str, token: int, choice: dict[str, str]) -> None:
        """Decide after the lease has ended, which must be refused."""
        self._pause.wait(self._lease_s + 0.1)
        self.n_late += 1
        with suppress(Refused):
            self._client.post(f"{path}/decision", token=token, **choice)
            self.faults.append(f"{path}: decided after its lease")


@contextmanager
def working(crew: Sequence[Simulated]) -> Iterator[None]:
    """Have all of them work until the end of the `with`."""
    is_over = threading.Event()
    threads = [threading.Thread(target=one.work, args=(is_over,)) for one in crew]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
