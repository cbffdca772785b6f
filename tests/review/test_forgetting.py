"""The desk forgets what nobody can do anything about any more, and nothing else."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from streamguard.core.audit import Deed
from streamguard.core.choosing import Choice, Rules
from streamguard.review import forgetting
from streamguard.review.appeals import Answer, Appeals
from streamguard.review.desk_file import DeskFile
from streamguard.review.forgetting import DECIDED_S, ENDED_S, EXPOSED_S, forget_all
from streamguard.review.leases import held
from streamguard.review.projection import note_audience
from streamguard.upkeep.desk_pruning import keep_desk_pruned, prune_desk
from tests.made_actions import taken_up
from tests.made_reviews import flag, flag_opened, stream_ended, stream_started
from tests.processes import until
from tests.review.bench import ANNA, BEN, CUT, ESCALATE, HOLD, REJECT, SUSPEND, Bench
from tests.review.test_history import gap_told

OF_THE_LOG = (
    *("cases", "case_flags", "live_sessions", "decisions", "actions", "referrals"),
    *("skips", "gaps", "appeals", "bankings"),
)
BANKED = Choice.model_validate({**CUT.model_dump(), "bank": "own"})
DAYS = 86_400.0
UPHOLD = Answer(is_overturned=False, reason_code="TVEC.ATTACK_LIVE")


def told_bench(folder: Path, appeal_days: float = 30.0) -> Bench:
    """Give a bench where appeals may be handed in for a time shorter than cases stay."""
    return Bench(folder, Rules(appeal_days=appeal_days))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Bench]:
    with closing(told_bench(tmp_path)) as made:
        yield made


def decided(bench: Bench, choice: Choice, number: int = 1) -> str:
    """Have a case decided, and that begun; give the decision."""
    bench.tell(flag_opened(flag(number, session=f"s-{number}")), gap_told(number))
    claimed = bench.claim(ANNA)
    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, choice)
    if made.action != "none":
        bench.tell(taken_up(made))
    bench.desk.projection.catch_up()
    return made.decision_id


def ended(bench: Bench, number: int = 1) -> None:
    bench.tell(stream_ended(f"s-{number}", bench.clock.wall()))
    bench.desk.projection.catch_up()


def forget(bench: Bench) -> int:
    with bench.desk.turn() as connection:
        return forget_all(connection, bench.clock.wall())


def tables(file: DeskFile) -> dict[str, list[Any]]:
    """Give all that follows from the log; gaps by what they say."""
    return {
        name: file.rows(f"SELECT {'body' if name == 'gaps' else '*'} FROM {name}")  # noqa: S608  # names of our own
        for name in OF_THE_LOG
    }


@pytest.mark.parametrize("choice", [REJECT, CUT, BANKED], ids=["reject", "cut", "banked"])
@pytest.mark.parametrize(("waited_s", "n_gone"), [(DECIDED_S, 0), (DECIDED_S + 1, 1)])
def test_a_decided_case_of_an_ended_stream_goes_with_all_that_is_of_it(
    desk: Bench, choice: Choice, waited_s: float, n_gone: int
) -> None:
    decision_id = decided(desk, choice)
    [case] = desk.cases()
    desk.desk.trail.note(Deed("anna", "bank.added", case.case_id, decision_id, {"bank": "own"}))
    ended(desk)
    note_audience(desk.file, {"s-1": 3}, desk.clock.wall())
    desk.clock.advance(waited_s)

    assert forget(desk) == n_gone
    left = {name for name, rows in tables(desk.file).items() if rows}
    assert (left == set()) == (n_gone == 1)


def waits(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    ended(bench)


def escalated(bench: Bench) -> None:
    decided(bench, ESCALATE)
    ended(bench)


def live(bench: Bench) -> None:
    decided(bench, CUT)


def held_for_good(bench: Bench) -> None:
    decided(bench, HOLD)
    ended(bench)


def for_a_second(bench: Bench) -> None:
    decided(bench, SUSPEND)
    ended(bench)


def objected(bench: Bench) -> None:
    Appeals(bench.desk).receive("platform:api", decided(bench, CUT), None, None)
    ended(bench)


def answered_lately(bench: Bench) -> None:
    objected(bench)
    bench.clock.advance(DECIDED_S)
    appeals = Appeals(bench.desk)
    got = appeals.claim(BEN)
    assert got is not None
    appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, UPHOLD)


def beside_one_that_waits(bench: Bench) -> None:
    decided(bench, CUT)
    bench.tell(flag_opened(flag(2, code="other")))
    ended(bench)


@pytest.mark.parametrize(
    ("begin", "n_cases"),
    [
        (waits, 1),
        (escalated, 1),
        (live, 1),
        (held_for_good, 1),
        (for_a_second, 1),
        (objected, 1),
        (answered_lately, 1),
        (beside_one_that_waits, 2),
    ],
)
def test_what_is_open_held_live_or_objected_to_stays_however_old(
    desk: Bench, begin: Callable[[Bench], None], n_cases: int
) -> None:
    begin(desk)
    before = tables(desk.file) if begin is not answered_lately else None
    desk.clock.advance(DECIDED_S - 60 if begin is answered_lately else 10 * DECIDED_S)

    assert forget(desk) == 0
    assert len(desk.cases()) == n_cases
    assert before in (None, tables(desk.file))


@pytest.mark.parametrize(("appeal_days", "n_gone"), [(120.0, 0), (100.0, 1)])
def test_a_case_stays_as_long_as_somebody_may_object(
    tmp_path: Path, appeal_days: float, n_gone: int
) -> None:
    with closing(told_bench(tmp_path, appeal_days)) as bench:
        decided(bench, CUT)
        ended(bench)
        bench.clock.advance(110 * DAYS)

        assert forget(bench) == n_gone


def test_an_answered_appeal_goes_with_its_case(desk: Bench) -> None:
    answered_lately(desk)
    desk.clock.advance(DECIDED_S + 1)

    assert forget(desk) == 1
    assert tables(desk.file)["appeals"] == []


def test_a_rebuild_of_a_log_that_tells_all_ends_with_the_same(desk: Bench) -> None:
    decided(desk, CUT, 1)
    ended(desk, 1)
    desk.clock.advance(DECIDED_S + 1)
    decided(desk, BANKED, 2)
    forget(desk)
    before = tables(desk.file)

    desk.desk.projection.rebuild()

    assert tables(desk.file) == before
    assert [one.session_id for one in desk.cases()] == ["s-2"]


@pytest.mark.parametrize(("waited_s", "is_left"), [(ENDED_S, True), (ENDED_S + 1, False)])
def test_that_a_session_without_a_case_has_ended_is_known_as_long_as_its_flags_may_come(
    desk: Bench, waited_s: float, *, is_left: bool
) -> None:
    ended(desk)
    desk.clock.advance(waited_s)

    forget(desk)

    assert bool(tables(desk.file)["live_sessions"]) == is_left


@pytest.mark.parametrize("is_over", [True, False])
def test_the_last_publish_of_a_stream_is_known_as_long_as_its_session(
    desk: Bench, *, is_over: bool
) -> None:
    desk.tell(stream_started("s-1", desk.clock.wall()))
    if is_over:
        desk.tell(stream_ended("s-1", desk.clock.wall()))
    desk.desk.projection.catch_up()
    desk.clock.advance(ENDED_S + 1)

    forget(desk)

    assert desk.file.rows("SELECT stream_id FROM publishes") == ([] if is_over else [("lobby",)])


def test_what_somebody_saw_or_passed_on_is_forgotten_by_its_age(desk: Bench) -> None:
    decided(desk, CUT)
    with desk.file.transaction() as connection:
        for at_s in (desk.clock.wall() - EXPOSED_S - 1, desk.clock.wall()):
            values = ("anna", "case", at_s, 1, 2, 3, 4)
            connection.execute("INSERT INTO exposure VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            connection.execute("INSERT INTO skips VALUES (?, 'anna', ?)", (f"{at_s}", at_s))
            connection.execute(
                "INSERT INTO leases VALUES (?, 'anna', 1, 0.0, ?, NULL, 0.0)", (f"{at_s}", at_s + 9)
            )

    forget(desk)

    for name in ("exposure", "skips", "leases"):
        assert len(desk.file.rows(f"SELECT 1 FROM {name}")) == 1, name  # noqa: S608  # as above
    assert len(held(desk.file, desk.clock.wall())) == 1


def test_many_sessions_go_in_steps(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 1)
    for number in range(3):
        decided(desk, CUT, number)
        ended(desk, number)
    desk.clock.advance(DECIDED_S + 1)
    decided(desk, CUT, 7)

    n_gone = asyncio.run(prune_desk(desk.desk))

    assert n_gone == 3
    assert [one.session_id for one in desk.cases()] == ["s-7"]


def test_forgetting_goes_on_after_it_went_wrong(desk: Bench) -> None:
    desk.file.connection.execute("ALTER TABLE exposure RENAME TO others")

    async def until_twice() -> None:
        keeping = asyncio.create_task(keep_desk_pruned(desk.desk, every_s=0.0))
        await asyncio.to_thread(until, lambda: len(logs) >= 2)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping

    with capture_logs() as logs:
        asyncio.run(until_twice())

    assert {one["event"] for one in logs} == {"desk_prune_failed"}
