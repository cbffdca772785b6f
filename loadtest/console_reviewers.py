"""Twenty reviewers at two consoles that are killed, while cases go on arriving.

Rule: what happened is read in the log, and held against what the reviewers noted; no console is
asked how it went.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.console_people import signed_in
from loadtest.console_simulated import Simulated, working
from loadtest.console_stage import ConsoleStage, flag
from loadtest.console_truth import Arrived, Notes, Truth
from loadtest.made_events import SOURCE
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.audit import verify
from streamguard.core.audit_data import AuditData
from streamguard.core.case_changes import first_case
from streamguard.core.coverage_data import StreamEndedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, Topic, stream_ended_event

LEASE_S = 10.0
"""The shortest that can be configured: leases end now and then."""

SEVERITIES = ("P0", "P1", "P2", "P2", "P3")
LOOK_S = 0.05
PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    n_waiting:  cases that wait at first, and while there are more to come.
    kill_every: so many decisions after the last one a console is killed.
    """

    n_cases: int = 2_000
    n_reviewers: int = 20
    n_consoles: int = 2
    n_waiting: int = 1_000
    kill_every: int = 250


def measured(plan: Plan) -> dict[str, Any]:
    """Let reviewers work until every case is decided, and say what came of it."""
    more = f"lease_s = {LEASE_S}\nundo_s = 10.0\ncheck_share = 0.02"
    with (
        tempfile.TemporaryDirectory() as name,
        ConsoleStage.serving(Path(name), plan.n_consoles, more) as stage,
    ):
        roles = ["reviewer" if n % 2 else "senior" for n in range(plan.n_reviewers)]
        people = signed_in(stage, [(f"person-{n}", role, "*") for n, role in enumerate(roles)])
        crew = [Simulated(one, number, LEASE_S) for number, one in enumerate(people)]
        run = _Run(stage, plan)
        began_s = time.monotonic()
        run.go(crew)
        took_s = time.monotonic() - began_s
        seniors = {
            one.account_id for one, role in zip(people, roles, strict=True) if role == "senior"
        }
        truth, problem = _truth(stage.log, run.arrived, _notes(crew, frozenset(seniors)))
        for one in people:
            one.close()
    faults = [fault for one in crew for fault in one.faults]
    for what in (*faults, *truth.told()):
        print(what, file=sys.stderr)
    is_good = truth.is_good and not faults and problem is None and len(run.arrived) == plan.n_cases
    return {
        "cases": len(run.arrived),
        "reviewers": len(crew),
        "consoles_killed": run.n_killed,
        **truth.figures(),
        "leases_ended": sum(one.n_late for one in crew),
        "decided_after_the_lease": len(faults),
        "unanswered": sum(one.n_away for one in crew),
        "refused_by_status": dict(sum((one.refused for one in crew), Counter())),
        "audit_problem": problem,
        "decisions_per_s": round(truth.n_decisions / took_s, 1),
        "pass": is_good,
    }


class _Run:
    """Cases that arrive, and consoles that are killed, in the order of what is decided."""

    def __init__(self, stage: ConsoleStage, plan: Plan) -> None:
        self._stage = stage
        self._plan = plan
        self._chance = random.Random(3)
        self._seen = Truth(LEASE_S, Notes())
        self._offset = 1
        self.arrived: dict[str, Arrived] = {}
        self.n_killed = 0

    def go(self, crew: Sequence[Simulated]) -> None:
        """Have the crew work until all have come and nothing waits.

        What somebody takes back at the very end is decided in another round.
        """
        self._feed()
        deadline_s = time.monotonic() + PATIENCE_S
        while self._look() and time.monotonic() < deadline_s:
            with working(crew):
                while self._look() and time.monotonic() < deadline_s:
                    self._feed()
                    self._kill()
                    time.sleep(LOOK_S)

    def _look(self) -> bool:
        """Read what is new; say whether there is anything left to do."""
        events, self._offset = _read(self._stage.log, self._offset)
        self._seen.take(events)
        return bool(self._seen.undecided) or len(self.arrived) < self._plan.n_cases

    def _feed(self) -> None:
        """Let cases arrive, of any severity, until as many wait as are to."""
        while (
            len(self.arrived) < self._plan.n_cases
            and len(self._seen.undecided) < self._plan.n_waiting
        ):
            severity = self._chance.choice(SEVERITIES)
            event = flag(f"case-{len(self.arrived)}", severity)
            assert isinstance(event.data, FlagData)  # noqa: S101  # what was made
            told_s = self._stage.tell(event, _ended(event.data))
            case_id = first_case(event.data, told_s).case_id
            new = {case_id: Arrived(int(severity[1]), told_s)}
            self.arrived |= new
            self._seen.arrive(new)

    def _kill(self) -> None:
        """Kill the console whose turn it is, and start it again, if it is time."""
        if self._seen.n_decisions < (self.n_killed + 1) * self._plan.kill_every:
            return
        console = self._stage.consoles[self.n_killed % len(self._stage.consoles)]
        console.kill()
        self.n_killed += 1
        left = len(self._seen.undecided)
        print(f"console killed, {left} cases wait", file=sys.stderr)
        console.start()


def _ended(flag: FlagData) -> Event:
    """Tell that the stream of a flag has ended: else what nobody carries out here comes back."""
    nothing = dict.fromkeys(
        ("n_packets", "n_samples", "n_flags", "screened_ms", "gap_ms", "n_dropped"), 0
    )
    data = StreamEndedData(stream=flag.stream, reason="source_unavailable", **nothing)
    return stream_ended_event(SOURCE, data, time_s=time.time(), recorded_s=time.time())


def _read(log: SqliteLog, offset: int) -> tuple[list[Any], int]:
    """Give what was decided and done since, in the order of the log, and where to go on."""
    found: list[Any] = []
    while records := log.read(offset):
        offset = records[-1].offset + 1
        told = [one for one in records if one.topic in {Topic.DECISIONS, Topic.AUDIT}]
        found += [Event.model_validate_json(one.body).data for one in told]
    return found, offset


def _notes(crew: Sequence[Simulated], seniors: frozenset[str]) -> Notes:
    """Put together what all have noted: a token is one person's."""
    notes = Notes(seniors)
    for one in crew:
        notes.sent_s |= one.notes.sent_s
        notes.until_s |= one.notes.until_s
    return notes


def _truth(log: SqliteLog, arrived: dict[str, Arrived], notes: Notes) -> tuple[Truth, str | None]:
    """Go through the log once more; give what it says, and what is wrong with its audit."""
    truth = Truth(LEASE_S, notes)
    truth.arrive(arrived)
    events, _ = _read(log, 1)
    truth.take(event for event in events if isinstance(event, DecisionData | AuditData))
    audit = [event for event in events if isinstance(event, AuditData)]
    return truth, verify(audit).problem
