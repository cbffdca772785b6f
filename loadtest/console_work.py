"""Reviewers at work: each takes the next case, looks at it as the page does, and decides.

Rule: they are faster than people, so that the console has more to do than it will have; the queue
stays as long as it was.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from loadtest.console_people import Away, Client, Refused
from loadtest.console_stage import ConsoleStage, flag

LOOKS_S = (8.0, 16.0)
"""How long somebody has a case in hand; people take longer, and twenty of them decide less often
than these, who make about 1.6 decisions a second."""

IDLE_S = 0.5
REJECTED = {"outcome": "rejected", "reason_code": "NOTHING.FOUND"}


class Crew:
    """Reviewers who work, and a queue that is filled up again."""

    def __init__(self, stage: ConsoleStage, people: Sequence[Client], n_open: int) -> None:
        """n_open: cases that are to be open, and are."""
        self._stage = stage
        self._people = people
        self._wanted = self._n_open = n_open
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self.n_decided = 0
        self.n_refused = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Have all of them work until the end of the `with`."""
        threads = [threading.Thread(target=self._work, args=(one,)) for one in self._people]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def came(self) -> None:
        """Count a case that was opened by somebody else."""
        with self._lock:
            self._n_open += 1

    def _work(self, person: Client) -> None:
        chance = random.Random(person.account_id)
        self._is_over.wait(chance.uniform(0.0, LOOKS_S[1]))  # they have not begun all at once
        while not self._is_over.is_set():
            try:
                given = person.post("/api/v1/claim")["case"]
                if given is None:
                    self._is_over.wait(IDLE_S)
                else:
                    self._handle(person, given, chance.uniform(*LOOKS_S))
            except (Refused, Away):
                with self._lock:
                    self.n_refused += 1
                self._is_over.wait(IDLE_S)

    def _handle(self, person: Client, given: dict[str, Any], looks_s: float) -> None:
        path, token = f"/api/v1/cases/{given['case_id']}", given["token"]
        person.get(f"/cases/{given['case_id']}")
        person.post(f"{path}/renew", token=token)
        items = person.get(f"{path}/evidence", token=token).json()["items"]
        for item in items:
            person.get(f"{path}/evidence/{item['flag_id']}/{item['number']}", token=token)
        self._is_over.wait(looks_s)
        person.post(f"{path}/decision", token=token, **REJECTED)
        with self._lock:
            self.n_decided += 1
            self._n_open -= 1
            missing = self._wanted - self._n_open
            self._n_open += max(0, missing)
            n_before = self.n_decided
        for number in range(missing):
            self._stage.tell(flag(f"filler-{n_before}-{number}", "P3"))


def wait_for(claim: Callable[[], bool], patience_s: float) -> bool:
    """Wait until something is so; say whether it came to be."""
    for _ in range(round(patience_s / IDLE_S)):
        if claim():
            return True
        threading.Event().wait(IDLE_S)
    return claim()
