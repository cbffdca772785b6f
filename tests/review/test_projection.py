import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.action_events import action_event
from streamguard.core.audit import Deed, Head, chained
from streamguard.core.case_changes import first_case
from streamguard.core.cases import Case
from streamguard.core.errors import DeskUnavailable
from streamguard.core.record import Record
from streamguard.core.review_events import appeal_event, audit_event, decision_event, referral_event
from streamguard.review import desk_file
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case
from streamguard.review.leases import Lease, held
from streamguard.review.projection import GROUP, NOTE_IDLE_S, Projection, note_audience
from tests.core_fakes import SOURCE
from tests.made_actions import failed
from tests.made_reviews import (
    AT,
    appeal,
    decision,
    flag,
    flag_id,
    flag_opened,
    referral,
    stream_ended,
)
from tests.review.bench import Bench

REJECTED = {
    "outcome": "rejected",
    "reason_code": "NOTHING.FOUND",
    "action": "none",
    "scopes": [],
}


def test_flags_of_one_session_and_policy_are_one_case(bench: Bench) -> None:
    bench.log.append(
        [
            flag_opened(flag(1), 1.0),
            flag_opened(flag(2), 2.0),
            flag_opened(flag(3, code="other"), 3.0),
            flag_opened(flag(4, session="s-2"), 4.0),
        ]
    )

    cases = bench.cases()

    assert [(one.session_id, one.policy, one.n_flags) for one in cases] == [
        ("s-1", "tvec", 2),
        ("s-1", "other", 1),
        ("s-2", "tvec", 1),
    ]


def test_the_end_of_a_stream_shows_on_its_open_cases_and_on_those_that_come_later(
    bench: Bench,
) -> None:
    bench.log.append([flag_opened(flag(1), 1.0), flag_opened(flag(2, session="s-2"), 2.0)])
    bench.log.append([stream_ended("s-1"), flag_opened(flag(3, code="late"), 3.0)])

    live = {(one.session_id, one.policy): one.is_live for one in bench.cases()}

    assert live == {("s-1", "tvec"): False, ("s-1", "late"): False, ("s-2", "tvec"): True}


def test_a_decision_that_comes_before_its_flag_decides_the_case_all_the_same(
    bench: Bench,
) -> None:
    """By Kafka they come on different topics, in any order."""
    known = first_case(flag(1), 1.0)
    made = decision(case_id=known.case_id, **REJECTED)
    bench.log.append([decision_event(SOURCE, made, recorded_s=2.0), flag_opened(flag(1), 1.0)])

    [case] = bench.cases()

    assert (case.case_id, case.stage) == (known.case_id, "decided")


def test_a_decided_case_stays_decided_and_news_opens_another(bench: Bench) -> None:
    bench.log.append([flag_opened(flag(1), 1.0)])
    [case] = bench.cases()
    made = decision(case_id=case.case_id, **REJECTED)
    bench.log.append([decision_event(SOURCE, made, recorded_s=2.0)])
    bench.log.append([flag_opened(flag(2), 3.0), flag_opened(flag(3, entry="new"), 4.0)])
    bench.log.append([flag_opened(flag(4, entry="new"), 5.0)])

    first, second = bench.cases()

    assert (first.stage, first.n_flags, first.n_repeats) == ("decided", 1, 1)
    assert (second.stage, second.n_flags, second.signals) == ("open", 2, ("shared/new",))


@given(
    told=st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.booleans()), min_size=2, max_size=9
    )
)
def test_one_case_of_a_session_waits_whenever_its_flags_began(
    told: list[tuple[int, str, bool]],
) -> None:
    with TemporaryDirectory() as folder, closing(Bench(Path(folder))) as bench:
        for number, (at_s, entry, is_decided) in enumerate(told):
            bench.log.append([flag_opened(flag(number, entry=entry), float(at_s))])
            waiting = [one for one in bench.cases() if one.stage == "open"]
            assert len(waiting) <= 1
            for case in waiting if is_decided else []:
                made = decision(decision_id=f"d-{number}", case_id=case.case_id, **REJECTED)
                bench.log.append([decision_event(SOURCE, made, recorded_s=2.0)])


def test_an_audience_moves_the_cases_of_its_session(bench: Bench) -> None:
    bench.log.append([flag_opened(flag(1)), flag_opened(flag(2, session="s-2"))])
    bench.cases()

    note_audience(bench.file, {"s-1": 137, "unknown": 3}, 1_000.0)

    assert {one.session_id: one.n_viewers for one in bench.cases()} == {"s-1": 137, "s-2": None}


def test_made_anew_the_tables_are_what_they_were(bench: Bench) -> None:
    bench.log.append([flag_opened(flag(n, session=f"s-{n % 7}"), float(n)) for n in range(50)])
    before = bench.cases()
    made = decision(case_id=before[0].case_id)
    skipped = Deed("r-1", "case.skipped", before[1].case_id)
    bench.log.append([decision_event(SOURCE, made, recorded_s=2.0)])
    bench.log.append([audit_event(SOURCE, chained(skipped, Head(), AT)), stream_ended("s-3")])
    before = bench.cases()

    n_cases = bench.desk.projection.rebuild()

    assert n_cases == len(before) == 7
    assert bench.cases() == before
    assert bench.file.rows("SELECT case_id, account_id FROM skips") == [(before[1].case_id, "r-1")]
    assert bench.file.rows("SELECT decision_id FROM decisions") == [("d-1",)]


def test_cases_and_what_was_decided_outlive_their_events_in_the_log(
    bench: Bench, tmp_path: Path
) -> None:
    bench.tell(flag_opened(flag(1)), flag_opened(flag(2, session="s-2")))
    _, decided = bench.cases()
    made = decision(case_id=decided.case_id)
    objected = appeal(decision_id=made.decision_id, case_id=decided.case_id)
    bench.tell(
        decision_event(SOURCE, made, recorded_s=2.0),
        action_event(SOURCE, failed(), recorded_s=3.0),
        appeal_event(SOURCE, objected, recorded_s=4.0),
        referral_event(SOURCE, referral(case_id=decided.case_id), recorded_s=5.0),
    )
    cases, tables = bench.cases(), rows_of(bench)

    with SqliteLog(tmp_path / "new.db") as pruned:
        n_cases = Projection(bench.file, pruned, bench.clock.wall).rebuild()

    assert n_cases == 2
    assert stored(bench) == cases
    assert rows_of(bench) == tables
    assert all(tables.values())


def test_a_case_whose_first_flag_the_log_has_forgotten_is_not_opened_once_more(
    bench: Bench, tmp_path: Path
) -> None:
    bench.tell(flag_opened(flag(1), 1.0))
    [case] = bench.cases()
    made = decision(case_id=case.case_id, **REJECTED)
    later = flag_opened(flag(2), 3.0)
    bench.tell(decision_event(SOURCE, made, recorded_s=2.0), later)
    before = bench.cases()

    with SqliteLog(tmp_path / "new.db") as pruned:
        pruned.append([later, flag_opened(flag(3, session="s-2"), 4.0)])
        Projection(bench.file, pruned, bench.clock.wall).rebuild()

    first, second = stored(bench)
    assert [first] == before
    assert (first.stage, second.session_id) == ("decided", "s-2")
    flags = bench.file.rows("SELECT flag_id, case_id FROM case_flags ORDER BY flag_id")
    assert flags == [
        (flag_id(1), first.case_id),
        (flag_id(2), first.case_id),
        (flag_id(3), second.case_id),
    ]


def test_others_go_on_while_the_tables_are_made_anew(bench: Bench, tmp_path: Path) -> None:
    bench.tell(flag_opened(flag(1)))
    bench.cases()
    other = DeskFile(tmp_path / "desk.db")

    class Watched:
        """The log, in the middle of whose reading another console writes."""

        def read(self, offset: int, topic: str | None = None, limit: int = 1_000) -> list[Record]:
            if offset == 1:
                note_audience(other, {"s-1": 7}, 1_000.0)
            return bench.log.read(offset, topic, limit)

        def commit(self, group: str, offset: int, now_s: float) -> None:
            bench.log.commit(group, offset, now_s)

    n_cases = Projection(bench.file, Watched(), bench.clock.wall).rebuild()
    other.close()

    assert n_cases == 1
    assert list(tmp_path.glob(".anew-*")) == []


def rows_of(bench: Bench) -> dict[str, list[Any]]:
    """Give what the tables hold beside cases and gaps."""
    names = ("case_flags", "decisions", "actions", "referrals", "appeals")
    return {name: bench.file.rows(f"SELECT * FROM {name} ORDER BY 1") for name in names}  # noqa: S608  # names of ours


def stored(bench: Bench) -> list[Case]:
    """Give the cases as they stand, without reading the log."""
    rows = bench.file.rows("SELECT body FROM cases ORDER BY opened_s, case_id")
    return [read_case(body) for (body,) in rows]


def test_two_consoles_on_one_file_take_each_event_once(bench: Bench, tmp_path: Path) -> None:
    other_file = DeskFile(tmp_path / "desk.db")
    other = Projection(other_file, bench.log, bench.clock.wall)
    bench.log.append([flag_opened(flag(n), float(n)) for n in range(20)])

    taken = other.catch_up() + bench.desk.projection.catch_up()
    other_file.close()

    assert taken == 20
    assert [one.n_flags for one in bench.cases()] == [20]


def test_its_place_in_the_log_is_noted_once_a_minute(bench: Bench) -> None:
    bench.log.append([flag_opened(flag(1))])
    bench.desk.projection.catch_up()
    first = bench.log.position(GROUP)
    bench.log.append([flag_opened(flag(2))])
    bench.desk.projection.catch_up()
    same = bench.log.position(GROUP)
    bench.clock.advance(61)
    bench.log.append([flag_opened(flag(3))])
    bench.desk.projection.catch_up()

    assert (first, same, bench.log.position(GROUP)) == (2, 2, 4)


def test_its_place_is_noted_each_hour_where_nothing_comes(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    bench.desk.projection.catch_up()
    bench.log.commit(GROUP, 1, 0.0)
    bench.clock.advance(NOTE_IDLE_S)
    bench.desk.projection.catch_up()
    before = bench.log.position(GROUP)
    bench.clock.advance(1)
    bench.desk.projection.catch_up()

    assert (before, bench.log.position(GROUP)) == (1, 2)


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "log.db").close()

    with pytest.raises(DeskUnavailable, match="no desk"):
        DeskFile(tmp_path / "log.db")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of ours, but long enough to be something" * 10)

    with pytest.raises(DeskUnavailable, match="cannot be used"):
        DeskFile(tmp_path / "text")


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    DeskFile(tmp_path / "new" / "desk.db").close()

    assert (tmp_path / "new" / "desk.db").stat().st_mode & 0o077 == 0


def test_a_file_of_the_first_version_is_taken_on(tmp_path: Path) -> None:
    made = DeskFile(tmp_path / "desk.db")
    made.connection.execute(
        """
        DROP INDEX skips_by_time;
        ALTER TABLE skips DROP COLUMN at_s;
        ALTER TABLE leases DROP COLUMN active_s;
        ALTER TABLE web_sessions DROP COLUMN heard_s;
        ALTER TABLE live_sessions DROP COLUMN at_s;
        INSERT INTO skips VALUES ('case', 'anna');
        INSERT INTO leases VALUES ('case', 'ben', 7, 1.0, 2.0, NULL);
        PRAGMA user_version = 1;
        """
    ).fetchall()
    made.close()

    for _ in range(2):
        DeskFile(tmp_path / "desk.db").close()
    taken_on = DeskFile(tmp_path / "desk.db")

    assert taken_on.rows("SELECT * FROM skips") == [("case", "anna", 0.0)]
    assert held(taken_on, 1.5) == {"case": Lease("case", "ben", 7, 1.0, 2.0)}
    taken_on.close()


def test_a_console_starts_however_long_another_one_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_file, "BUSY_TIMEOUT_MS", 0)
    writing = DeskFile(tmp_path / "desk.db")
    held = threading.Event()

    def write() -> None:
        with writing.transaction():
            held.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=write)
    thread.start()
    assert held.wait(30)
    DeskFile(tmp_path / "desk.db").close()
    thread.join(30)
    writing.close()

    assert not thread.is_alive()
