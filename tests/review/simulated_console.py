"""Run as a program: one console with simulated reviewers, who work until nothing waits.

They skip, let leases end and come too late, propose what needs a second, disagree, and undo.
"""

import random
import sys
import time
from pathlib import Path
from threading import Event, Thread

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.errors import CaseTaken, DecisionRefused, DeskUnavailable
from streamguard.core.people import Person
from streamguard.review.desk import Desk, make_desk
from streamguard.review.desk_file import DeskFile
from streamguard.review.queue import Claimed, Queue
from streamguard.review.rulings import Rulings
from tests.core_fakes import SOURCE
from tests.review.bench import CUT, ESCALATE, HOLD, REJECT, SUSPEND

LEASE_S = 1.0
CHOICES = (CUT, HOLD, REJECT, SUSPEND, ESCALATE)
WEIGHTS = (40, 10, 40, 7, 3)


class Reviewer:
    """One person at one console."""

    def __init__(self, desk: Desk, number: int) -> None:
        role = "senior" if number % 4 == 0 else "reviewer"
        self._person = Person(f"r-{number}", role, frozenset({"*"}))
        self._desk = desk
        self._queue = Queue(desk)
        self._rulings = Rulings(desk)
        self._chance = random.Random(f"{number} {time.monotonic_ns()}")
        self._pause = Event()

    def work(self) -> None:
        """Take cases until none is undecided."""
        while self._desk.file.rows("SELECT 1 FROM cases WHERE stage <> 'decided' LIMIT 1"):
            try:
                claimed = self._queue.claim(self._person)
                if claimed is None:
                    self._pause.wait(0.05)
                else:
                    self._handle(claimed)
            except DeskUnavailable:
                self._pause.wait(0.05)  # others write all the while: a person tries again, too

    def _handle(self, claimed: Claimed) -> None:
        case_id, token = claimed.case.case_id, claimed.lease.token
        try:
            match self._chance.random():
                case x if x < 0.02:
                    self._pause.wait(LEASE_S)  # until the lease has ended: too late
                case x if x < 0.05:
                    self._queue.skip(self._person, case_id, token, "not_sure")
                    return
            choice = self._chance.choices(CHOICES, WEIGHTS)[0]
            self._rulings.decide(self._person, case_id, token, choice)
            if self._chance.random() < 0.03:
                self._rulings.undo(self._person, case_id)
        except (CaseTaken, DecisionRefused):
            return  # it is somebody else's by now


def main(folder: Path, first: int, last: int) -> None:
    """Let reviewers of these numbers work over one log and one file."""
    with SqliteLog(folder / "log.db", "write") as log:
        file = DeskFile(folder / "desk.db")
        desk = make_desk(file, log, SOURCE, time.time, lease_s=LEASE_S)
        desk.projection.catch_up()
        threads = [Thread(target=Reviewer(desk, n).work) for n in range(first, last)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        file.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
