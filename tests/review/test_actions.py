"""What becomes of a decision, as the console learns it and shows it."""

from typing import Any

from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Event
from streamguard.review.actions import actions_of
from streamguard.review.pages.board import Board
from tests.core_fakes import SOURCE
from tests.made_actions import failed, requested, verified
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, BEN, CUT, SENIOR, SUSPEND, Bench
from tests.review.console import Console


def decided(bench: Bench) -> DecisionData:
    """Have a stream cut."""
    bench.tell(flag_opened(flag(1, severity="P2")))
    claimed = bench.claim(ANNA)
    return bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)


def action_of(made: DecisionData, scope: str = "live") -> dict[str, Any]:
    return {
        "action_id": action_id_of(made.decision_id, scope),  # type: ignore[arg-type]  # one of them
        "decision_id": made.decision_id,
        "act": made.action,
        "scope": scope,
        "actor": made.actor,
    }


def told(made: DecisionData, kind: Any, scope: str = "live", **changes: Any) -> Event:
    return action_event(SOURCE, kind(action=action_of(made, scope), **changes), recorded_s=2_000.0)


def test_a_cut_that_failed_comes_back_to_a_senior_before_all_else(bench: Bench) -> None:
    made = decided(bench)
    bench.tell(flag_opened(flag(2, session="s-2", severity="P1")))
    bench.tell(told(made, requested), told(made, failed, reason="server_unavailable"))

    got = bench.claim(SENIOR)

    assert (got.case.case_id, got.case.stage) == (made.case_id, "escalated")
    assert got.case.not_done == "server_unavailable"
    assert bench.claim(BEN).case.session_id == "s-2"
    again = bench.rulings.decide(SENIOR, made.case_id, got.lease.token, CUT)
    assert (again.action, again.supersedes) == ("cut", made.decision_id)
    [case] = [one for one in bench.cases() if one.case_id == made.case_id]
    assert (case.stage, case.not_done) == ("decided", None)


def test_a_stream_that_ended_waits_no_longer_before_all_else(bench: Bench) -> None:
    made = decided(bench)
    bench.tell(told(made, failed, reason="still_live"), stream_ended("s-1"))
    bench.tell(flag_opened(flag(2, session="s-2", severity="P1")))

    assert bench.claim(SENIOR).case.session_id == "s-2"


def test_the_last_word_of_each_action_is_kept_whatever_order_it_is_told_in(bench: Bench) -> None:
    made = decided(bench)
    bench.tell(told(made, verified), told(made, requested))
    bench.tell(told(made, requested, "recording"))
    bench.cases()

    found = actions_of(bench.file, made.case_id)

    assert [(one.scope, one.state, one.how) for one in found] == [
        ("live", "verified", "no_media"),
        ("recording", "requested", ""),
    ]


def test_actions_are_made_anew_from_the_log(bench: Bench) -> None:
    made = decided(bench)
    bench.tell(told(made, failed, reason="refused"))
    before = (bench.cases(), actions_of(bench.file, made.case_id))

    bench.desk.projection.rebuild()

    assert (bench.cases(), actions_of(bench.file, made.case_id)) == before


def test_what_came_of_it_stands_on_the_case_and_on_its_page(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "ben")
    client = console.signed_in("ben")
    made = decided(bench)

    untaken = client.get(f"/cases/{made.case_id}").text
    bench.tell(told(made, failed, reason="still_live"))
    case = client.get(f"/api/v1/cases/{made.case_id}").json()
    page = client.get(f"/cases/{made.case_id}").text

    assert "Nobody has begun to do it yet" in untaken
    assert "Nobody has begun to do it yet" not in page
    assert "Not done: still_live." in page
    assert case["not_done"] == "still_live"
    [row] = case["actions"]
    assert (row["act"], row["scope"], row["state"], row["how"]) == (
        "cut",
        "live",
        "failed",
        "still_live",
    )


def test_who_judges_second_is_not_told_what_came_of_the_first(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "ben")
    console.account("senior")
    bench.tell(flag_opened(flag(1)))
    claimed = bench.claim(ANNA)
    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, SUSPEND)
    bench.tell(told(made, failed, reason="still_live"))

    for name in ("ben", "senior"):
        client = console.signed_in(name)
        case = client.get(f"/api/v1/cases/{made.case_id}").json()
        page = client.get(f"/cases/{made.case_id}").text
        assert (case["is_blind"], case["actions"], case["not_done"]) == (True, [], None)
        assert {one["name"] for one in case["why"]}.isdisjoint({"action"})
        assert case["priority"] < 80  # as any P1: nor do the points tell it
        assert "still_live" not in page
        assert "to be off the air" not in page
        assert "What came of it" not in page
        assert 'id="restore"' not in page
        assert "must agree" not in page


def test_the_queue_tells_nobody_what_came_of_a_first_decision(bench: Bench) -> None:
    """Who made it and who judges next see the same rows."""
    console = Console(bench)
    anna, ben = (console.account("reviewer", name).person for name in ("anna", "ben"))
    bench.tell(flag_opened(flag(1)))
    claimed = bench.claim(anna)
    made = bench.rulings.decide(anna, claimed.case.case_id, claimed.lease.token, SUSPEND)
    bench.tell(told(made, failed, reason="still_live"))
    board = Board(console.review, bench.clock.monotonic)

    shown = [board.rows(one).html for one in (anna, ben)]

    assert "another reviewer must look" in shown[0]
    assert "to be off the air" not in shown[0]
    assert shown[1] == shown[0]


def test_an_appeal_learns_that_the_stream_has_ended_since(bench: Bench) -> None:
    decided(bench)
    assert [one.is_live for one in bench.cases()] == [True]

    bench.tell(stream_ended("s-1"))

    assert [(one.stage, one.is_live) for one in bench.cases()] == [("decided", False)]
