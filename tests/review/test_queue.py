import pytest

from streamguard.core.audit import Deed, verify
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.people import Person
from streamguard.core.review_events import decision_event
from streamguard.review.appeals import Appeals
from streamguard.review.desk import LEASE_S
from streamguard.review.leases import LEFT_S
from streamguard.review.queue import has_somebody, skips
from streamguard.review.web_sessions import SHIFT_S
from tests.core_fakes import SOURCE
from tests.made_reviews import REVIEWER, decision, flag, flag_opened, stream_ended
from tests.review.bench import (
    ANNA,
    AUDITOR,
    BEN,
    CUT,
    ESCALATE,
    HOLD,
    REJECT,
    SENIOR,
    SUSPEND,
    Bench,
)

MUSIC_ONLY = Person("mira", "reviewer", frozenset({"music"}))


def told(bench: Bench, *severities: str) -> None:
    """Open a case of each severity, each of a session of its own."""
    for number, severity in enumerate(severities):
        data = flag(number, session=f"s-{number}", severity=severity)
        bench.tell(flag_opened(data, 1_000.0 + number))


def test_the_most_urgent_case_comes_first_and_each_to_one_person(bench: Bench) -> None:
    told(bench, "P2", "P0", "P1", "P0")

    got = [bench.claim(person).case.severity for person in (ANNA, BEN, SENIOR)]

    assert got == ["P0", "P0", "P1"]


def test_of_two_equals_the_live_one_comes_first(bench: Bench) -> None:
    told(bench, "P1", "P1")
    bench.tell(stream_ended("s-0"))

    assert bench.claim(ANNA).case.session_id == "s-1"


def test_nothing_waits_where_there_is_nothing(bench: Bench) -> None:
    assert bench.queue.claim(ANNA) is None


def test_whoever_has_a_case_in_hand_gets_it_again(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)
    told(bench, "P1", "P0")

    again = bench.claim(ANNA)

    assert again.lease == first.lease


def test_a_decision_ends_its_lease_where_the_console_died_in_between(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)
    fields = {"case_id": first.case.case_id, "actor": "anna", "outcome": "needs_second"}
    reviewer = REVIEWER | {"lease_token": first.lease.token}
    made = decision(**fields, action="hold", proposed="cut", reviewer=reviewer)

    bench.tell(decision_event(SOURCE, made, recorded_s=1.0))

    assert bench.queue.claim(ANNA) is None
    assert bench.claim(BEN).case.case_id == first.case.case_id


def test_a_skip_ends_its_lease_where_the_console_died_in_between(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)

    bench.desk.trail.note(Deed("anna", "case.skipped", first.case.case_id))

    assert bench.queue.claim(ANNA) is None
    assert bench.claim(BEN).case.case_id == first.case.case_id


def test_what_was_done_under_former_leases_ends_no_later_one(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, HOLD)
    bench.rulings.undo(ANNA, first.case.case_id)
    second = bench.claim(ANNA)

    bench.desk.projection.rebuild()

    assert bench.desk.held() == {second.case.case_id: second.lease}


def test_a_case_of_a_policy_without_clearance_is_not_served_and_not_there(bench: Bench) -> None:
    told(bench, "P0")
    bench.tell(flag_opened(flag(9, session="s-9", code="music", severity="P3")))
    [foreign] = [case for case in bench.cases() if case.policy == "tvec"]

    assert bench.claim(MUSIC_ONLY).case.policy == "music"
    assert [case.policy for case in bench.queue.waiting(MUSIC_ONLY)] == ["music"]
    with pytest.raises(CaseTaken, match="no such case"):
        bench.desk.case(MUSIC_ONLY, foreign.case_id)


@pytest.mark.parametrize("role", ["auditor", "operator", "administrator"])
def test_whoever_judges_nothing_is_served_nothing(bench: Bench, role: str) -> None:
    told(bench, "P0")

    assert bench.queue.claim(Person("x", role, frozenset({"*"}))) is None  # type: ignore[arg-type]  # of the table


def test_a_lease_lasts_until_its_end_and_a_heartbeat_makes_it_longer(bench: Bench) -> None:
    told(bench, "P1")
    claimed = bench.claim(ANNA)

    bench.clock.advance(LEASE_S - 1)
    renewed = bench.desk.renew(ANNA, claimed.case.case_id, claimed.lease.token)
    bench.clock.advance(LEASE_S - 1)
    nothing = bench.queue.claim(BEN)
    bench.clock.advance(1)
    taken = bench.claim(BEN)

    assert renewed.expires_s == claimed.lease.expires_s + LEASE_S - 1
    assert nothing is None
    assert taken.case.case_id == claimed.case.case_id
    assert taken.lease.token > claimed.lease.token
    with pytest.raises(CaseTaken):
        bench.desk.renew(ANNA, claimed.case.case_id, claimed.lease.token)


def test_a_lease_that_has_ended_is_not_renewed(bench: Bench) -> None:
    told(bench, "P1")
    claimed = bench.claim(ANNA)
    bench.clock.advance(LEASE_S)

    with pytest.raises(CaseTaken, match="has ended"):
        bench.desk.renew(ANNA, claimed.case.case_id, claimed.lease.token)


def test_what_was_skipped_comes_to_others_alone_also_when_the_tables_are_made_anew(
    bench: Bench,
) -> None:
    told(bench, "P0", "P1")
    first = bench.claim(ANNA)

    bench.queue.skip(ANNA, first.case.case_id, first.lease.token, "language")
    bench.desk.projection.rebuild()

    assert bench.claim(ANNA).case.severity == "P1"
    assert bench.claim(BEN).case.case_id == first.case.case_id


def test_a_skip_says_why(bench: Bench) -> None:
    told(bench, "P0")
    claimed = bench.claim(ANNA)

    with pytest.raises(DecisionRefused, match="say why"):
        bench.queue.skip(ANNA, claimed.case.case_id, claimed.lease.token, "bored")


def test_what_was_put_back_may_come_again(bench: Bench) -> None:
    told(bench, "P0")
    first = bench.claim(ANNA)

    bench.queue.release(ANNA, first.case.case_id, first.lease.token)

    assert bench.claim(ANNA).case.case_id == first.case.case_id


def test_a_case_is_handed_to_a_colleague_who_gets_it_next(bench: Bench) -> None:
    told(bench, "P1", "P0")
    first = bench.claim(ANNA)
    case_id, token = first.case.case_id, first.lease.token

    given = bench.queue.hand_off(ANNA, case_id, token, BEN)

    assert bench.claim(BEN).lease == given
    assert given.token > token
    with pytest.raises(CaseTaken):
        bench.desk.renew(ANNA, case_id, token)


def test_a_case_is_handed_to_nobody_who_may_not_judge_it(bench: Bench) -> None:
    told(bench, "P1", "P1")
    first = bench.claim(ANNA)
    case_id, token = first.case.case_id, first.lease.token
    bench.claim(BEN)

    for nobody in (ANNA, BEN, AUDITOR, MUSIC_ONLY):
        with pytest.raises(DecisionRefused):
            bench.queue.hand_off(ANNA, case_id, token, nobody)


def test_a_senior_may_choose_and_others_may_not(bench: Bench) -> None:
    told(bench, "P0", "P3")
    lesser = bench.cases()[1]

    with pytest.raises(CaseTaken, match="nobody picks"):
        bench.queue.claim(ANNA, lesser.case_id)
    chosen = bench.queue.claim(SENIOR, lesser.case_id)

    assert chosen is not None
    assert chosen.case.case_id == lesser.case_id


def test_a_case_in_hand_cannot_be_chosen(bench: Bench) -> None:
    told(bench, "P0")
    claimed = bench.claim(ANNA)

    with pytest.raises(CaseTaken, match="in hand"):
        bench.queue.claim(SENIOR, claimed.case.case_id)


def test_choosing_another_case_puts_the_first_one_back(bench: Bench) -> None:
    told(bench, "P0", "P3")
    bench.claim(SENIOR)

    bench.queue.claim(SENIOR, bench.cases()[1].case_id)

    assert bench.claim(ANNA).case.severity == "P0"


def test_a_second_opinion_and_what_is_escalated_go_to_those_who_may(bench: Bench) -> None:
    told(bench, "P0", "P1")
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, SUSPEND)
    second = bench.claim(ANNA)
    bench.rulings.decide(ANNA, second.case.case_id, second.lease.token, ESCALATE)

    assert bench.queue.claim(ANNA) is None
    assert bench.claim(BEN).case.case_id == first.case.case_id
    assert bench.claim(SENIOR).case.case_id == second.case.case_id


def test_who_has_what_in_hand_is_seen(bench: Bench) -> None:
    told(bench, "P0")
    claimed = bench.claim(ANNA)

    present = bench.desk.held()
    bench.clock.advance(LEASE_S)

    assert present == {claimed.case.case_id: claimed.lease}
    assert bench.desk.held() == {}


def test_all_that_was_done_is_on_record_in_a_chain_that_holds(bench: Bench) -> None:
    told(bench, "P0", "P1")
    first = bench.claim(ANNA)
    bench.queue.skip(ANNA, first.case.case_id, first.lease.token, "enough")
    second = bench.claim(ANNA)
    bench.rulings.decide(ANNA, second.case.case_id, second.lease.token, REJECT)

    assert bench.deeds() == [
        ("anna", "case.claimed", False),
        ("anna", "case.skipped", False),
        ("anna", "case.claimed", False),
        ("anna", "case.decided", False),
    ]
    assert verify(bench.desk.trail.records()).problem is None


def test_the_queue_is_shown_in_the_order_in_which_it_is_served(bench: Bench) -> None:
    told(bench, "P2", "P0", "P1")

    assert [case.severity for case in bench.queue.waiting(ANNA)] == ["P0", "P1", "P2"]


def test_a_skip_holds_for_a_shift(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)
    bench.queue.skip(ANNA, first.case.case_id, first.lease.token, "enough")

    bench.clock.advance(SHIFT_S - 1)
    before = bench.queue.claim(ANNA)
    bench.clock.advance(1)

    assert before is None
    assert bench.claim(ANNA).case.case_id == first.case.case_id


def test_a_case_that_all_have_passed_on_is_left_to_nobody_here(bench: Bench) -> None:
    told(bench, "P1")
    for person in (ANNA, BEN):
        got = bench.claim(person)
        bench.queue.skip(person, got.case.case_id, got.lease.token, "too_much")
    [case] = bench.cases()
    passed_on = skips(bench.file, bench.clock.wall())

    assert passed_on == {(case.case_id, "anna"), (case.case_id, "ben")}
    assert not has_somebody(case, (ANNA, BEN, AUDITOR), passed_on)
    assert has_somebody(case, (ANNA, BEN, SENIOR), passed_on)
    assert bench.queue.claim(SENIOR, case.case_id) is not None


def test_nothing_is_handed_to_whoever_passed_it_on(bench: Bench) -> None:
    told(bench, "P1")
    first = bench.claim(ANNA)
    bench.queue.skip(ANNA, first.case.case_id, first.lease.token, "conflict_of_interest")
    got = bench.claim(BEN)

    with pytest.raises(DecisionRefused, match="may not judge"):
        bench.queue.hand_off(BEN, got.case.case_id, got.lease.token, ANNA)


@pytest.mark.parametrize(("after_s", "is_lost"), [(LEFT_S, False), (LEFT_S + 1, True)])
def test_a_case_that_is_left_open_and_not_looked_at_goes_to_somebody_else(
    bench: Bench, after_s: float, is_lost: object
) -> None:
    told(bench, "P0")
    got = bench.claim(ANNA)
    case_id, token = got.case.case_id, got.lease.token
    left_s = after_s
    while left_s > LEASE_S / 2:
        bench.clock.advance(LEASE_S / 2)
        left_s -= LEASE_S / 2
        bench.desk.renew(ANNA, case_id, token, is_active=False)
    bench.clock.advance(left_s)

    if is_lost:
        with pytest.raises(CaseTaken, match="did nothing"):
            bench.desk.renew(ANNA, case_id, token, is_active=False)
        assert bench.claim(BEN).case.case_id == case_id
    else:
        bench.desk.renew(ANNA, case_id, token, is_active=False)
        assert bench.queue.claim(BEN) is None


def test_whoever_does_something_keeps_a_case(bench: Bench) -> None:
    told(bench, "P0")
    got = bench.claim(ANNA)

    for number in range(40):
        bench.clock.advance(LEASE_S / 2)
        is_active = number % 8 == 0
        bench.desk.renew(ANNA, got.case.case_id, got.lease.token, is_active=is_active)

    assert bench.queue.claim(BEN) is None


def test_an_appeal_is_no_case_to_skip_or_put_back(bench: Bench) -> None:
    told(bench, "P1")
    got = bench.claim(ANNA)
    made = bench.rulings.decide(ANNA, got.case.case_id, got.lease.token, CUT)
    appeals = Appeals(bench.desk)
    appeals.receive("platform:api", made.decision_id, None, None)
    heard = appeals.claim(BEN)
    assert heard is not None

    with pytest.raises(CaseTaken, match="no such case"):
        bench.queue.skip(BEN, heard.appeal.appeal_id, heard.lease.token, "enough")
    assert ("ben", "case.skipped", False) not in bench.deeds()
