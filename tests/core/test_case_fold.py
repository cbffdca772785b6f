"""Cases as they follow from events; `tests/review/test_folding.py` asks the tables for the same."""

from typing import Any

import pytest
from hypothesis import given

from streamguard.core.action_events import action_event
from streamguard.core.case_book import MemoryBook
from streamguard.core.case_fold import RETURN_S, fold_case, last_of
from streamguard.core.cases import Case, entry_of_case
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.events import Event, flag_event
from streamguard.core.review_events import decision_event
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, failed
from tests.made_cases import Story, Told, stories
from tests.made_reviews import REVIEWER, decision, flag, flag_opened, stream_ended, stream_started

REJECTED = {"outcome": "rejected", "reason_code": "NOTHING.FOUND", "action": "none", "scopes": []}


class Teller:
    """Tells a book what happens, and gives how its cases are then."""

    def __init__(self) -> None:
        self.book = MemoryBook()
        self._n_decisions = 0

    def tell(self, *events: Event) -> list[Case]:
        for event in events:
            fold_case(self.book, event)
        return list(self.book.by_id.values())

    def decide(self, case: Case, **changes: Any) -> str:
        """Decide on a case as it is now; give the decision's id."""
        now = self.book.by_id[case.case_id]
        self._n_decisions += 1
        made = decision(
            decision_id=f"d-{self._n_decisions}",
            case_id=case.case_id,
            supersedes=now.ruling.decision_id if now.ruling else None,
            **changes,
        )
        self.tell(decision_event(SOURCE, made, recorded_s=2.0))
        return made.decision_id

    def fail(self, decision_id: str, reason: str = "still_live", **changes: Any) -> None:
        ruling = next(r for c in self.tell() for r in c.rulings if r.decision_id == decision_id)
        action = {**ACTION, "decision_id": decision_id, "act": ruling.action}
        data = failed(reason=reason, action=action, **changes)
        self.tell(action_event(SOURCE, data, recorded_s=3.0))


@pytest.fixture
def teller() -> Teller:
    return Teller()


def two_cases(teller: Teller) -> tuple[Case, Case, str]:
    """Have one that is decided, and the next one, which waits; give the decision as well."""
    [first] = teller.tell(flag_opened(flag(1), 1.0))
    made = teller.decide(first, undo_until="2026-01-02T03:04:15.000Z")
    _, second = teller.tell(flag_opened(flag(2, entry="new", severity="P0"), 2.0))
    return first, second, made


def waiting(cases: list[Case]) -> list[str]:
    return [one.case_id for one in cases if not one.is_settled]


def test_a_decision_that_is_undone_after_the_next_case_was_opened_leaves_one_case(
    teller: Teller,
) -> None:
    first, second, _ = two_cases(teller)

    teller.decide(first, outcome="undone", action="none", scopes=[])

    both, gone = teller.tell()
    assert (both.case_id, both.stage, both.severity) == (first.case_id, "open", "P0")
    assert (gone.case_id, gone.stage, gone.into) == (second.case_id, "decided", first.case_id)
    assert both.flag_ids == (*first.flag_ids, *second.flag_ids)
    assert (both.n_flags, both.also) == (2, (second.case_id,))
    assert both.signals == ("shared/clip", "shared/new")


def test_a_cut_that_failed_after_the_next_case_was_opened_leaves_one_case(teller: Teller) -> None:
    first, second, made = two_cases(teller)

    teller.fail(made)

    both, gone = teller.tell()
    assert (both.stage, both.not_done, both.is_left_on_air) == ("escalated", "still_live", True)
    assert (gone.case_id, gone.into) == (second.case_id, first.case_id)


def test_what_comes_later_of_a_flag_goes_where_its_case_went(teller: Teller) -> None:
    first, second, _ = two_cases(teller)
    teller.decide(first, outcome="undone", action="none", scopes=[])

    worse = flag(2, entry="third", severity="P0", state="updated", revision=1)
    cases = teller.tell(flag_event(SOURCE, "updated", worse, time_s=3.0, recorded_s=3.0))

    assert waiting(cases) == [first.case_id]
    assert cases[0].signals == ("shared/clip", "shared/new", "shared/third")
    assert cases[0].n_flags == 2
    kept = teller.book.of_flag(worse.flag_id)
    assert kept is not None
    assert kept.case_id == second.case_id  # an appeal against what was decided there finds it


def test_news_after_a_case_was_opened_again_joins_it_though_a_later_one_was_decided(
    teller: Teller,
) -> None:
    first, second, made = two_cases(teller)
    teller.decide(second, **REJECTED)
    teller.fail(made)

    cases = teller.tell(flag_opened(flag(3, entry="third"), 3.0))

    assert waiting(cases) == [first.case_id]
    assert len(cases) == 2


def test_a_case_that_was_taken_in_waits_for_nobody_whatever_is_said_of_it(teller: Teller) -> None:
    first, second, made = two_cases(teller)
    hold = {"outcome": "needs_second", "action": "hold", "proposed": "cut_and_suspend"}
    held = teller.decide(second, **hold)
    teller.fail(made)

    teller.decide(second, outcome="undone", action="restore", reviewer=REVIEWER)

    _, gone = teller.tell()
    assert (gone.stage, gone.into) == ("decided", first.case_id)
    assert gone.rulings[0].decision_id == held


def test_what_could_not_be_done_for_a_case_is_told_with_the_one_that_took_it_in(
    teller: Teller,
) -> None:
    first, second, _ = two_cases(teller)
    hold = {"outcome": "needs_second", "action": "hold", "proposed": "cut_and_suspend"}
    held = teller.decide(second, **hold)
    teller.decide(first, outcome="undone", action="none", scopes=[])

    teller.fail(held, "refused")

    both, gone = teller.tell()
    assert (both.stage, both.not_done, gone.not_done) == ("open", "refused", None)


@pytest.mark.parametrize("code", ["tvec", "other"])
def test_an_entry_made_of_a_case_opens_no_other_under_whatever_policy(
    teller: Teller, code: str
) -> None:
    [case] = teller.tell(flag_opened(flag(1), 1.0))
    teller.decide(case)

    own = flag(2, entry=entry_of_case(case.case_id), code=code, severity="P0")
    cases = teller.tell(flag_opened(own, 2.0))

    assert [(one.case_id, one.stage, one.n_repeats) for one in cases] == [
        (case.case_id, "decided", 1)
    ]


def test_an_entry_made_of_another_session_opens_a_case(teller: Teller) -> None:
    [case] = teller.tell(flag_opened(flag(1, session="s-2"), 1.0))
    teller.decide(case)

    foreign = flag(2, entry=entry_of_case(case.case_id), code="other")
    cases = teller.tell(flag_opened(foreign, 2.0))

    assert waiting(cases) == [cases[1].case_id]


def test_what_else_is_found_in_a_flag_of_an_own_entry_opens_a_case_of_its_policy(
    teller: Teller,
) -> None:
    [case] = teller.tell(flag_opened(flag(1), 1.0))
    teller.decide(case)
    own = flag(2, entry=entry_of_case(case.case_id), code="other")
    teller.tell(flag_opened(own, 2.0))

    more = flag(2, entry="else", code="other", state="updated", revision=1)
    cases = teller.tell(flag_event(SOURCE, "updated", more, time_s=3.0, recorded_s=3.0))

    assert [(one.policy, one.stage) for one in cases] == [("tvec", "decided"), ("other", "open")]


def test_decisions_that_came_before_their_case_are_taken_in_whichever_order(
    teller: Teller,
) -> None:
    [known] = Teller().tell(flag_opened(flag(1), 1.0))
    first = decision(decision_id="d-1", case_id=known.case_id)
    undone = {"outcome": "undone", "action": "restore", "supersedes": "d-1"}
    second = decision(decision_id="d-2", case_id=known.case_id, **undone)
    early = [decision_event(SOURCE, one, recorded_s=1.0) for one in (second, first)]

    [case] = teller.tell(*early, flag_opened(flag(1), 1.0))

    assert [one.decision_id for one in case.rulings] == ["d-1", "d-2"]


def test_the_end_of_a_session_is_known_to_the_cases_that_come_after_it(teller: Teller) -> None:
    [case] = teller.tell(stream_ended("s-1"), flag_opened(flag(1), 1.0))

    assert not case.is_live


S1, S2 = {"session": "s-1", "stream_id": "lobby"}, {"session": "s-2", "stream_id": "lobby"}
BACK_S = 500.0
"""When the action finds the publish gone."""


def missing(teller: Teller, reason: str = "session_replaced", **changes: Any) -> Case:
    """Have a case whose action finds the publish gone."""
    [*_, case] = teller.tell(flag_opened(flag(1, **S1), 1.0))
    teller.fail(teller.decide(case, **changes), reason, failed_time=utc_text(BACK_S))
    return case


@pytest.mark.parametrize("reason", ["session_replaced", "session_ended"])
def test_a_publisher_who_came_back_before_the_cut_is_followed_by_a_case(
    teller: Teller, reason: str
) -> None:
    teller.tell(stream_started("s-1", 0.5), stream_ended("s-1", 20.0), stream_started("s-2", 22.0))

    before = missing(teller, reason)

    decided, follows = teller.tell()
    assert (decided.case_id, decided.stage, decided.not_done) == (before.case_id, "decided", None)
    assert (follows.session_id, follows.stage, follows.is_live) == ("s-2", "open", True)
    assert (follows.severity, follows.policy) == (before.severity, before.policy)
    assert (follows.follows, follows.is_after_confirmed) == (before.case_id, True)
    assert (follows.also, follows.flag_ids) == ((before.case_id,), ())
    assert follows.stage_s == BACK_S


@pytest.mark.parametrize(("after_s", "is_followed"), [(RETURN_S, True), (RETURN_S + 0.001, False)])
def test_who_comes_back_within_a_quarter_of_an_hour_is_taken_for_the_same_publisher(
    teller: Teller,
    after_s: float,
    is_followed: bool,  # noqa: FBT001  # an expectation
) -> None:
    missing(teller, "session_ended")

    cases = teller.tell(stream_started("s-2", BACK_S + after_s))

    assert [one.session_id for one in cases] == (["s-1", "s-2"] if is_followed else ["s-1"])


def test_a_publish_from_before_the_case_is_not_taken_for_one_that_came_back(
    teller: Teller,
) -> None:
    missing(teller)

    assert len(teller.tell(stream_started("s-0", 0.5))) == 1


def test_a_publish_that_is_over_again_is_followed_by_no_case_until_the_next(
    teller: Teller,
) -> None:
    teller.tell(stream_started("s-2", 22.0), stream_ended("s-2", 30.0))
    missing(teller)
    assert len(teller.tell()) == 1

    _, follows = teller.tell(stream_started("s-3", BACK_S + 1.0))

    assert (follows.session_id, follows.stage_s) == ("s-3", BACK_S + 1.0)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("superseded", {}),
        ("session_replaced", {"action": "limit_reach"}),
        (
            "session_replaced",
            {
                "actor": "rule:r",
                "reviewer": None,
                "outcome": "needs_second",
                "action": "hold",
                "proposed": "hold",
            },
        ),
    ],
    ids=["a later decision", "a milder one", "a rule's"],
)
def test_after_what_else_was_not_done_no_case_follows(
    teller: Teller, reason: str, changes: dict[str, Any]
) -> None:
    teller.tell(stream_started("s-2", 22.0))

    missing(teller, reason, **changes)

    assert len(teller.tell()) == 1


def test_no_case_follows_once_it_was_decided_otherwise(teller: Teller) -> None:
    case = missing(teller)
    teller.decide(case, **REJECTED)

    assert len(teller.tell(stream_started("s-2", BACK_S + 1.0))) == 1


def test_the_case_that_waits_for_the_later_publish_is_the_one_that_follows(
    teller: Teller,
) -> None:
    teller.tell(stream_started("s-2", 22.0), flag_opened(flag(2, severity="P3", **S2), 30.0))

    before = missing(teller)

    found, decided = teller.tell()
    assert (found.follows, found.severity, found.n_flags) == (before.case_id, "P1", 1)
    assert decided.case_id == before.case_id


@pytest.mark.parametrize(("action", "n_cases"), [("cut", 2), ("none", 3)])
def test_who_was_cut_in_the_later_publish_already_is_followed_by_no_case(
    teller: Teller, action: str, n_cases: int
) -> None:
    [found] = teller.tell(flag_opened(flag(2, **S2), 30.0))
    teller.decide(found, action=action, scopes=[] if action == "none" else ["live"])
    teller.tell(stream_started("s-2", 22.0))
    [_, case] = teller.tell(flag_opened(flag(1, **S1), 1.0))

    teller.fail(teller.decide(case), "session_replaced")

    assert len(teller.tell()) == n_cases


def test_a_flag_of_the_later_publish_joins_the_case_that_follows(teller: Teller) -> None:
    teller.tell(stream_started("s-2", 22.0))
    missing(teller)

    cases = teller.tell(flag_opened(flag(2, **S2), 600.0), stream_started("s-2", 700.0))

    assert [(one.session_id, one.n_flags) for one in cases] == [("s-1", 1), ("s-2", 1)]


def came_back(teller: Teller, n_times: int) -> list[Case]:
    """Have a publisher whose cut missed come back so often, each time as another publish."""
    for number in range(2, 2 + n_times):
        at_s = BACK_S + number
        teller.tell(stream_ended(f"s-{number - 1}", at_s), stream_started(f"s-{number}", at_s))
    return teller.tell()


def test_however_often_a_publisher_comes_back_one_case_follows_at_a_time(teller: Teller) -> None:
    missing(teller)

    cases = came_back(teller, 5)

    [last] = [one for one in cases if not one.is_settled]
    assert (last.session_id, last.is_live) == ("s-6", True)
    assert [last_of(teller.book, one) for one in cases[1:]] == [last] * 5


def test_a_case_that_follows_and_was_begun_to_be_judged_stays_where_it_is(teller: Teller) -> None:
    missing(teller)
    _, begun = came_back(teller, 1)
    teller.decide(begun, outcome="escalated", action="none", scopes=[])

    cases = came_back(teller, 2)

    assert [one.session_id for one in cases if not one.is_settled] == ["s-2", "s-3"]


def test_once_people_have_judged_a_case_that_follows_no_other_does(teller: Teller) -> None:
    missing(teller)
    _, follows = came_back(teller, 1)
    teller.decide(follows, **REJECTED)

    assert len(came_back(teller, 3)) == 2


@given(stories())
def test_one_case_of_a_session_and_policy_waits_at_most_whatever_happens(story: Story) -> None:
    told = Told()

    for step in story:
        told.take(step)
        cases = told.cases.by_id.values()
        places = [(one.session_id, one.policy) for one in cases if not one.is_settled]
        assert len(places) == len(set(places))


@given(stories())
def test_no_flag_is_lost_on_the_way_to_the_case_that_is_judged(story: Story) -> None:
    told = Told()

    for step in story:
        told.take(step)

    for event in told.events:
        if isinstance(event.data, FlagData):
            case = told.cases.of_flag(event.data.flag_id)
            assert case is not None
            assert case.into is None
            assert case.session_id == event.data.stream.session_id
