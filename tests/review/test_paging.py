"""Somebody is called when an urgent case has nobody, and how long that went on is counted."""

from collections.abc import Iterator

import pytest

from streamguard.core.action_events import action_event, action_id_of
from streamguard.core.audit_data import AuditData
from streamguard.core.events import Event
from streamguard.core.untaken import UNTAKEN_AFTER_S, UNTAKEN_FOR_S
from streamguard.review.paging import Look, Pager
from streamguard.review.web_sessions import HEARD_S
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, requested
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, CUT, SENIOR, Bench
from tests.review.console import Console

AFTER_S, AGAIN_S = 60.0, 300.0


class Night:
    """A console that is looked after by a pager."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.console = Console(bench)
        self.pager = self.another()

    def another(self) -> Pager:
        return Pager(
            self.console.review, self.bench.clock.monotonic, after_s=AFTER_S, again_s=AGAIN_S
        )

    def tell(self, number: int = 1, severity: str = "P0", code: str = "tvec") -> None:
        made = flag(number, session=f"s-{number}", severity=severity, code=code)
        self.bench.tell(flag_opened(made))

    def look(self, after_s: float = 0.0) -> Look:
        self.bench.clock.advance(after_s)
        self.bench.desk.projection.catch_up()
        return self.pager.look()

    def called(self) -> list[dict[str, str]]:
        return [
            {detail.name: detail.value for detail in one.details}
            for one in self.bench.desk.trail.records()
            if one.action == "paging.called"
        ]


@pytest.fixture
def night(bench: Bench) -> Iterator[Night]:
    return Night(bench)


def test_nobody_is_called_while_nothing_urgent_waits(night: Night) -> None:
    night.tell(severity="P1")

    assert night.look().call is None
    assert night.look(3_600).call is None
    assert night.called() == []


def test_an_urgent_case_calls_somebody_at_once_where_nobody_is_there(night: Night) -> None:
    night.tell()

    look = night.look()

    assert look.call is not None
    assert isinstance(look.call.data, AuditData)
    [said] = night.called()
    assert (said["why"], said["severity"], said["policy"]) == ("nobody_is_there", "P0", "tvec")
    assert (said["is_live"], said["n_cases"]) == ("yes", "1")


def test_one_call_is_for_all_that_wait_and_comes_again(night: Night) -> None:
    night.tell(1)
    night.look()
    night.tell(2)

    assert night.look(AGAIN_S - 1).call is None
    assert night.look(1).call is not None
    assert [one["n_cases"] for one in night.called()] == ["1", "2"]


def test_two_consoles_call_once(night: Night) -> None:
    night.tell()
    night.look()

    assert night.another().look().call is None
    assert len(night.called()) == 1


@pytest.mark.parametrize(("silent_s", "is_called"), [(HEARD_S - 1, False), (HEARD_S, True)])
def test_who_was_heard_of_lately_is_there(
    night: Night, silent_s: float, *, is_called: bool
) -> None:
    night.console.account("reviewer", "anna")
    night.console.signed_in("anna")
    night.bench.clock.advance(silent_s)
    night.tell()

    assert (night.look().call is not None) == is_called


@pytest.mark.parametrize(
    ("role", "clearance"), [("auditor", "*"), ("operator", "*"), ("reviewer", "other")]
)
def test_who_may_not_judge_it_does_not_count(night: Night, role: str, clearance: str) -> None:
    night.console.account(role, "somebody", clearance)
    night.console.signed_in("somebody")
    night.tell()

    assert night.look().call is not None


def test_a_case_that_all_who_are_there_passed_on_calls_somebody(night: Night) -> None:
    anna = night.console.account("reviewer", "anna").person
    night.console.signed_in("anna")
    night.tell()
    claimed = night.bench.claim(anna)
    in_hand = night.look()
    night.bench.queue.skip(anna, claimed.case.case_id, claimed.lease.token, "language")

    assert in_hand.call is None
    assert night.look().call is not None


@pytest.mark.parametrize(("waited_s", "is_called"), [(AFTER_S - 1, False), (AFTER_S, True)])
def test_what_nobody_takes_calls_somebody_after_a_while(
    night: Night, waited_s: float, *, is_called: bool
) -> None:
    night.console.account("reviewer", "anna")
    night.console.signed_in("anna")
    night.tell()
    night.look()

    look = night.look(waited_s)

    assert (look.call is not None) == is_called
    assert look.unreviewed_s == 0  # until then somebody may have been about to take it
    assert [one["why"] for one in night.called()] == ["nobody_takes_it"] * is_called


def test_the_time_that_nobody_looked_is_counted_for_each_case(night: Night) -> None:
    night.tell(1)
    first = night.look()
    night.tell(2)

    second, third = night.look(10), night.look(10)

    assert [one.unreviewed_s for one in (first, second, third)] == [0, 10, 20]


def test_the_time_that_nobody_took_what_somebody_could_is_counted_once_it_is_late(
    night: Night,
) -> None:
    night.console.account("reviewer", "anna")
    anna = night.console.signed_in("anna")
    night.tell()
    night.look()
    anna.get("/api/v1/me")

    late = night.look(AFTER_S)
    later, again = night.look(10), night.look(5)

    assert [len(one.waiting.late) for one in (late, later, again)] == [1, 1, 1]
    assert [one.unreviewed_s for one in (late, later, again)] == [0, 10, 5]


def cut(night: Night) -> str:
    """Have a stream cut by somebody who then leaves; give the decision."""
    night.tell()
    claimed = night.bench.claim(ANNA)
    made = night.bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)
    return made.decision_id


def begun(decision_id: str) -> Event:
    action = ACTION | {"action_id": action_id_of(decision_id, "live"), "decision_id": decision_id}
    return action_event(SOURCE, requested(action=action), recorded_s=2_000.0)


def test_a_cut_that_nobody_begins_calls_somebody_after_ten_seconds(night: Night) -> None:
    cut(night)

    early, late = night.look(UNTAKEN_AFTER_S - 1), night.look(1)

    assert (early.call, early.waiting.untaken) == (None, ())
    assert late.call is not None
    assert len(late.waiting.untaken) == 1
    [said] = night.called()
    assert (said["why"], said["n_cases"]) == ("nobody_does_it", "1")


def test_a_cut_that_was_begun_calls_nobody(night: Night) -> None:
    night.bench.tell(begun(cut(night)))

    assert night.look(UNTAKEN_AFTER_S).call is None


def test_a_cut_that_was_taken_back_calls_nobody_for_it(night: Night) -> None:
    cut(night)
    [case] = night.bench.cases()
    night.bench.rulings.restore(SENIOR, case.case_id, "NOTHING.FOUND")

    assert night.look(UNTAKEN_AFTER_S).waiting.untaken == ()


def test_a_cut_of_a_stream_that_has_ended_calls_nobody(night: Night) -> None:
    cut(night)
    night.bench.tell(stream_ended("s-1"))

    assert night.look(UNTAKEN_AFTER_S).waiting.untaken == ()


def test_what_is_to_be_done_is_told_for_a_day(night: Night) -> None:
    cut(night)

    assert len(night.look(UNTAKEN_FOR_S - 1).waiting.untaken) == 1
    assert night.look(1).waiting.untaken == ()


def test_that_somebody_came_is_on_record_with_how_long_it_took(night: Night) -> None:
    night.console.account("reviewer", "anna")
    night.tell()
    night.look()
    night.bench.clock.advance(25)
    night.console.signed_in("anna")

    night.look()
    again = night.look(1)

    [said] = [one for one in night.bench.desk.trail.records() if one.action == "paging.answered"]
    assert [(one.name, one.value) for one in said.details] == [("unreviewed_s", "25")]
    assert again.unreviewed_s == 0
    night.bench.clock.advance(HEARD_S)
    assert night.look().call is not None  # a new call, although the last was not long ago
