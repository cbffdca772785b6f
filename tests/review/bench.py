"""A log, a desk and people, for tests of review."""

from pathlib import Path

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.cases import Case
from streamguard.core.choosing import Choice, Rules
from streamguard.core.events import Event
from streamguard.core.people import Person
from streamguard.review.desk import make_desk
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case
from streamguard.review.queue import Claimed, Queue
from streamguard.review.rulings import Rulings
from tests.clock import FakeClock
from tests.core_fakes import SOURCE

EVERYTHING = frozenset({"*"})
ANNA = Person("anna", "reviewer", EVERYTHING)
BEN = Person("ben", "reviewer", EVERYTHING)
SENIOR = Person("sena", "senior", EVERYTHING)
AUDITOR = Person("audrey", "auditor", EVERYTHING)

CUT = Choice(outcome="confirmed", reason_code="TVEC.ATTACK_LIVE", action="cut")
HOLD = Choice(outcome="confirmed", reason_code="TVEC.ATTACK_LIVE", action="hold")
SUSPEND = Choice(outcome="confirmed", reason_code="TVEC.ATTACK_LIVE", action="cut_and_suspend")
REJECT = Choice(outcome="rejected", reason_code="NOTHING.FOUND")
ESCALATE = Choice(outcome="escalated", reason_code="PROCESS.UNSURE")


class Bench:
    """All that a console has, but for its pages."""

    def __init__(self, folder: Path, rules: Rules | None = None) -> None:
        self.log = SqliteLog(folder / "log.db")
        self.file = DeskFile(folder / "desk.db")
        self.clock = FakeClock()
        self.desk = make_desk(self.file, self.log, SOURCE, self.clock.wall, rules)
        self.queue = Queue(self.desk)
        self.rulings = Rulings(self.desk)

    def tell(self, *events: Event) -> None:
        """Have events happen."""
        self.log.append(events)

    def cases(self) -> list[Case]:
        """Give all cases, the oldest first."""
        self.desk.projection.catch_up()
        rows = self.file.rows("SELECT body FROM cases ORDER BY opened_s, case_id")
        return [read_case(body) for (body,) in rows]

    def claim(self, person: Person) -> Claimed:
        """Have somebody take the next case, which there is."""
        claimed = self.queue.claim(person)
        assert claimed is not None
        return claimed

    def deeds(self) -> list[tuple[str, str, bool]]:
        """Give who did what, and whether it was refused."""
        return [(one.actor, one.action, one.is_refused) for one in self.desk.trail.records()]

    def close(self) -> None:
        self.log.close()
        self.file.close()
