"""What was decided and nobody begins comes back to the reviewers, and goes away by itself."""

from pathlib import Path

import pytest

from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.cases import Case
from streamguard.core.choosing import Rules
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import DecisionRefused
from streamguard.core.events import Event
from streamguard.core.untaken import UNTAKEN_AFTER_S
from streamguard.review.cards import came_of
from streamguard.review.desk import make_desk
from streamguard.review.desk_file import DeskFile
from streamguard.review.pages.board import Board
from streamguard.review.queue import Queue
from streamguard.review.untaken import untaken_cases
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, failed, requested
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, BEN, CUT, HOLD, SENIOR, SUSPEND, Bench
from tests.review.console import Console


def decided(bench: Bench, choice: object = CUT, after_s: float = UNTAKEN_AFTER_S) -> DecisionData:
    """Have a live stream of little urgency taken off; some time passes."""
    bench.tell(flag_opened(flag(1, severity="P3")))
    claimed = bench.claim(ANNA)
    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, choice)  # type: ignore[arg-type]  # one of the choices
    bench.clock.advance(after_s)
    return made


def begun(made: DecisionData) -> Event:
    of = {"action_id": action_id_of(made.decision_id, "live"), "decision_id": made.decision_id}
    action = ACTION | of | {"act": made.action, "actor": made.actor}
    return action_event(SOURCE, requested(action=action), recorded_s=2_000.0)


def waiting(bench: Bench) -> list[Case]:
    return bench.queue.waiting(SENIOR)


@pytest.mark.parametrize("choice", [CUT, HOLD], ids=["cut", "hold"])
def test_it_comes_back_before_all_else_and_a_senior_gets_it(bench: Bench, choice: object) -> None:
    made = decided(bench, choice)
    bench.tell(flag_opened(flag(2, session="s-2", severity="P1")))

    first, second = waiting(bench)
    got = bench.claim(SENIOR).case

    assert (first.case_id, first.stage, first.not_done) == (made.case_id, "escalated", "not_begun")
    assert second.session_id == "s-2"
    assert got.case_id == made.case_id
    assert bench.claim(BEN).case.session_id == "s-2"  # no senior, so it is not for him


def test_it_does_not_before_ten_seconds_have_passed(bench: Bench) -> None:
    decided(bench, after_s=UNTAKEN_AFTER_S - 0.001)

    assert waiting(bench) == []
    assert bench.queue.claim(SENIOR) is None


def test_it_goes_away_by_itself_when_somebody_begins(bench: Bench) -> None:
    made = decided(bench)
    assert len(waiting(bench)) == 1

    bench.tell(begun(made))

    assert waiting(bench) == []
    assert bench.queue.claim(SENIOR) is None
    assert bench.desk.case(SENIOR, made.case_id).stage == "decided"


def test_who_has_it_in_hand_when_somebody_begins_has_nothing_to_decide(bench: Bench) -> None:
    made = decided(bench)
    got = bench.claim(SENIOR)
    bench.tell(begun(made))

    with pytest.raises(DecisionRefused, match="the case is decided"):
        bench.rulings.decide(SENIOR, made.case_id, got.lease.token, CUT)
    assert bench.queue.claim(SENIOR) is None


def test_a_stream_that_ends_takes_it_away(bench: Bench) -> None:
    decided(bench)

    bench.tell(stream_ended("s-1"))

    assert waiting(bench) == []


def test_what_failed_is_told_by_its_reason(bench: Bench) -> None:
    made = decided(bench)
    of = {"action_id": action_id_of(made.decision_id, "live"), "decision_id": made.decision_id}
    told = failed(action=ACTION | of, reason="refused")
    bench.tell(action_event(SOURCE, told, recorded_s=2_000.0))

    [case] = waiting(bench)

    assert case.not_done == "refused"
    assert untaken_cases(bench.file, bench.clock.wall(), UNTAKEN_AFTER_S) == {}


def test_a_senior_may_order_it_anew_which_is_waited_for_as_long(bench: Bench) -> None:
    made = decided(bench)
    got = bench.claim(SENIOR)

    again = bench.rulings.decide(SENIOR, made.case_id, got.lease.token, CUT)

    assert (again.action, again.supersedes) == ("cut", made.decision_id)
    assert waiting(bench) == []
    bench.clock.advance(UNTAKEN_AFTER_S)
    assert [one.not_done for one in waiting(bench)] == ["not_begun"]


def test_a_senior_who_takes_it_back_is_done_with_it(bench: Bench) -> None:
    made = decided(bench)

    bench.rulings.restore(SENIOR, made.case_id, "NOTHING.FOUND")

    assert waiting(bench) == []


def test_tables_that_are_made_anew_and_another_desk_say_the_same(
    bench: Bench, tmp_path: Path
) -> None:
    decided(bench)
    before, kept = waiting(bench), bench.cases()

    bench.desk.projection.rebuild()
    file = DeskFile(tmp_path / "another")
    another = Queue(make_desk(file, bench.log, SOURCE, bench.clock.wall)).waiting(SENIOR)
    file.close()

    assert waiting(bench) == before == another
    assert bench.cases() == kept  # of what did not happen nothing is kept


def test_a_flag_with_news_meanwhile_opens_the_next_case_as_after_any_decision(
    bench: Bench,
) -> None:
    made = decided(bench)
    assert len(waiting(bench)) == 1

    bench.tell(flag_opened(flag(2, entry="other")))
    cases = {one.case_id: one.stage for one in waiting(bench)}
    bench.desk.projection.rebuild()

    assert len(cases) == 2
    assert cases[made.case_id] == "escalated"
    assert {one.case_id: one.stage for one in waiting(bench)} == cases


def test_a_second_judge_is_not_told_that_the_hold_is_not_begun(bench: Bench) -> None:
    made = decided(bench, SUSPEND)
    console = Console(bench)
    console.account("reviewer", "ben")

    client = console.signed_in("ben")
    case = client.get(f"/api/v1/cases/{made.case_id}").json()
    page = client.get(f"/cases/{made.case_id}").text

    assert (case["stage"], case["not_done"], case["is_blind"]) == ("second", None, True)
    assert "nobody has begun" not in page.lower()
    assert bench.claim(BEN).case.case_id == made.case_id


def test_an_open_queue_shows_it_and_lets_it_go_without_anything_in_the_log(bench: Bench) -> None:
    console = Console(bench)
    senior = console.account("senior").person
    made = decided(bench, after_s=0.0)
    board = Board(console.review, bench.clock.monotonic)

    before = board.rows(senior)
    bench.clock.advance(UNTAKEN_AFTER_S)
    shown = board.rows(senior)
    bench.tell(begun(made))
    bench.clock.advance(1.0)
    after = board.rows(senior)

    assert [one.n_cases for one in (before, shown, after)] == [0, 1, 0]


def test_who_still_looks_at_the_case_is_told(bench: Bench) -> None:
    made = decided(bench)

    case = bench.desk.case(SENIOR, made.case_id)

    assert came_of(case, SENIOR, []) == "NOT DONE: cut (nobody has begun to carry it out)"


def test_the_card_and_the_queue_say_so_in_plain_words(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "ben")
    senior = console.account("senior").person
    client = console.signed_in("ben")
    made = decided(bench)

    page = client.get(f"/cases/{made.case_id}").text
    row = Board(console.review, bench.clock.monotonic).rows(senior).html
    bench.tell(begun(made))
    after = client.get(f"/cases/{made.case_id}").text

    assert "Nobody has begun to carry it out." in page
    assert "nobody has begun to carry that out" in row
    assert "Nobody has begun" not in after


def test_nothing_comes_back_where_others_act_and_tell_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Rules(untaken_after_s=0.0))
    try:
        decided(bench)

        assert waiting(bench) == []
    finally:
        bench.close()
