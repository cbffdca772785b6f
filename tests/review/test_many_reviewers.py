"""Twenty reviewers at four consoles, which are killed: every case is decided, and decided once."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.audit import verify
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Event, Topic
from streamguard.core.types import Severity
from streamguard.review.desk import make_desk
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case
from tests.core_fakes import SOURCE
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review import simulated_console

N_CASES = 2_000
N_CONSOLES = 4
N_EACH = 5
KILL_EVERY = 250
"""So many decisions after the last one a console is killed."""

PATIENCE_S = 420.0


def severity_of(number: int) -> str:
    return ("P2", "P1", "P3", "P0", "P2")[number % 5]


def started(folder: Path, number: int) -> subprocess.Popen[bytes]:
    who = [str(number * N_EACH), str((number + 1) * N_EACH)]
    module = simulated_console.__name__
    return subprocess.Popen([sys.executable, "-m", module, folder, *who])


@contextmanager
def consoles(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    running = [started(folder, number) for number in range(N_CONSOLES)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.wait()


def n_decisions(log: SqliteLog, offset: int) -> tuple[int, int]:
    """Count decisions from an offset on; give how many, and where to go on."""
    records = log.read(offset, Topic.DECISIONS, limit=10_000)
    return len(records), records[-1].offset + 1 if records else offset


def worked_through(folder: Path, log: SqliteLog) -> int:
    """Let consoles work, kill one after every so many decisions; give how many were killed."""
    n_killed, n_done, offset = 0, 0, 1
    until_s = time.monotonic() + PATIENCE_S
    with consoles(folder) as running:
        while any(one.poll() is None for one in running):
            assert time.monotonic() < until_s, "they do not come to an end"
            n_new, offset = n_decisions(log, offset)
            n_done += n_new
            if n_done >= (n_killed + 1) * KILL_EVERY and n_done < N_CASES:
                number = n_killed % N_CONSOLES
                running[number].kill()
                running[number].wait()
                running[number] = started(folder, number)
                n_killed += 1
            waiting = [one for one in running if one.poll() is None]
            if waiting:
                try:
                    waiting[0].wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
        codes = [one.returncode for one in running]
    assert codes == [0] * N_CONSOLES
    return n_killed


def data_of(log: SqliteLog, topic: Topic) -> list[object]:
    found = log.read(1, topic, limit=1_000_000)
    return [Event.model_validate_json(record.body).data for record in found]


def stale_decisions(audit: Sequence[AuditData]) -> list[AuditData]:
    """Give the decisions that were made under another lease than the case's last one."""
    last: dict[str | None, tuple[str, int]] = {}
    stale = []
    for record in audit:
        if record.action == "case.claimed":
            last[record.case_id] = record.actor, record.seq
        elif record.action == "case.decided" and not record.is_refused:
            token = {one.name: one.value for one in record.details}["token"]
            if last[record.case_id] != (record.actor, int(token)):
                stale.append(record)
    return stale


def out_of_order(audit: Sequence[AuditData]) -> list[Severity]:
    """Give the severities that were first served after a lower one that waited with them."""
    served: set[str | None] = set()
    order = []
    for record in audit:
        if record.action == "case.claimed" and record.case_id not in served:
            served.add(record.case_id)
            details = {one.name: one.value for one in record.details}
            order.append(Severity(details["severity"]))
    return [late for early, late in pairwise(order) if late < early]


@pytest.mark.timeout(PATIENCE_S + 60)
def test_no_case_is_decided_twice_or_lost_or_served_before_a_more_urgent_one(
    tmp_path: Path,
) -> None:
    flags = [flag(n, session=f"s-{n}", severity=severity_of(n)) for n in range(N_CASES)]
    with SqliteLog(tmp_path / "log.db") as log:
        log.append([flag_opened(data, 1_000.0) for data in flags])
        # nobody carries out what is decided here, and of a live stream that would come back
        log.append([stream_ended(f"s-{n}") for n in range(N_CASES)])

        n_killed = worked_through(tmp_path, log)

        decisions = [one for one in data_of(log, Topic.DECISIONS) if isinstance(one, DecisionData)]
        audit = [one for one in data_of(log, Topic.AUDIT) if isinstance(one, AuditData)]
        file = DeskFile(tmp_path / "anew.db")
        make_desk(file, log, SOURCE, time.time).projection.catch_up()
        cases = [read_case(body) for (body,) in file.rows("SELECT body FROM cases")]
        file.close()
    assert n_killed >= N_CASES // KILL_EVERY - 1
    followed = Counter((one.case_id, one.supersedes) for one in decisions)
    assert [place for place, count in followed.items() if count > 1] == []
    assert len(cases) == N_CASES == len({one.case_id for one in decisions})
    assert [case.case_id for case in cases if case.stage != "decided"] == []
    assert sum(len(case.rulings) for case in cases) == len(decisions)
    assert stale_decisions(audit) == []
    assert out_of_order(audit) == []
    assert verify(audit).problem is None
    assert {"case.skipped", "case.undone"} <= {one.action for one in audit}
    assert any(one.is_refused for one in audit)
