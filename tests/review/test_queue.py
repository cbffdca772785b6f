import pytest

from streamguard.core.audit import verify
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.people import Person
from streamguard.review.desk import LEASE_S
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, AUDITOR, BEN, ESCALATE, REJECT, SENIOR, SUSPEND, Bench

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
