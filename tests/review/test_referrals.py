"""Imminent threats that were referred: by whom, before, after and without a decision."""

import pytest

from streamguard.core.decision_data import Referral
from streamguard.core.errors import CaseTaken, DecisionRefused, NoSuchCase
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event, Topic
from streamguard.core.people import Person
from streamguard.core.referral_data import ReferralData, Told
from streamguard.core.review_events import decision_event
from streamguard.review.desk import LEASE_S
from streamguard.review.referrals import AHEAD_S, Referrals
from tests.core_fakes import SOURCE
from tests.made_reviews import AT, decision, flag, flag_opened
from tests.review.bench import ANNA, AUDITOR, BEN, CUT, REJECT, SENIOR, SUSPEND, Bench

TOLD = Told(authority="the police of X", means="phone", told_at=AT, note="they call back")


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.tell(flag_opened(flag(1)))
    return bench


def told_of(bench: Bench, person: Person = AUDITOR) -> list[tuple[str, str, str | None]]:
    """Give who was told, by whom, with which note, as somebody sees it."""
    [case] = bench.cases()
    found = Referrals(bench.desk).of_case(person, case)
    return [(one.told.authority, one.actor, one.note) for one in found]


def in_the_log(bench: Bench) -> list[ReferralData]:
    records = bench.log.read(1, Topic.DECISIONS)
    found = (Event.model_validate_json(one.body).data for one in records)
    return [one for one in found if isinstance(one, ReferralData)]


def test_whoever_has_the_case_says_so_before_anything_is_decided(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    case = claimed.case

    made = Referrals(bench.desk).refer(ANNA, case.case_id, claimed.lease.token, TOLD)

    assert in_the_log(bench) == [made]
    assert (made.case_id, made.stream.session_id, made.follows) == (case.case_id, "s-1", None)
    assert (made.actor, made.role, made.made_at) == ("anna", "reviewer", AT)
    assert told_of(bench) == [("the police of X", "anna", "they call back")]
    assert bench.claim(ANNA).lease == claimed.lease  # it is still in these hands
    assert bench.cases()[0].stage == "open"


def test_whoever_decided_says_so_afterwards(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    decided = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)

    made = Referrals(bench.desk).refer(ANNA, claimed.case.case_id, None, TOLD)

    assert made.follows == decided.decision_id


def test_a_senior_says_so_of_a_case_that_others_hold_or_nobody(bench: Bench) -> None:
    [case] = bench.cases()
    referrals = Referrals(bench.desk)

    referrals.refer(SENIOR, case.case_id, None, TOLD)
    claimed = bench.claim(ANNA)
    later = TOLD.model_copy(update={"authority": "the embassy"})
    referrals.refer(SENIOR, case.case_id, None, later)

    assert [one[0] for one in told_of(bench)] == ["the police of X", "the embassy"]
    assert bench.claim(ANNA).lease == claimed.lease


@pytest.mark.parametrize("person", [BEN, AUDITOR, Person("ada", "administrator", frozenset("*"))])
def test_nobody_else_does_and_the_try_is_on_record(bench: Bench, person: Person) -> None:
    claimed = bench.claim(ANNA)

    for token in (None, claimed.lease.token):
        with pytest.raises(CaseTaken):
            Referrals(bench.desk).refer(person, claimed.case.case_id, token, TOLD)

    assert in_the_log(bench) == []
    assert bench.deeds()[-2:] == [(person.account_id, "case.referred", True)] * 2


def test_after_the_lease_whoever_had_it_does_no_more(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    bench.clock.advance(LEASE_S)

    with pytest.raises(CaseTaken, match="has ended"):
        Referrals(bench.desk).refer(ANNA, claimed.case.case_id, claimed.lease.token, TOLD)


def test_a_case_without_clearance_is_not_there_for_a_senior_either(bench: Bench) -> None:
    [case] = bench.cases()
    music = Person("sena", "senior", frozenset({"music"}))

    with pytest.raises(NoSuchCase):
        Referrals(bench.desk).refer(music, case.case_id, None, TOLD)

    assert in_the_log(bench) == []
    assert bench.deeds() == [("sena", "case.referred", True)]


@pytest.mark.parametrize(("ahead_s", "is_taken"), [(AHEAD_S, True), (AHEAD_S + 1, False)])
def test_nobody_was_told_at_a_time_that_lies_ahead(
    bench: Bench, ahead_s: float, *, is_taken: bool
) -> None:
    [case] = bench.cases()
    told = TOLD.model_copy(update={"told_at": utc_text(bench.clock.wall() + ahead_s)})

    if is_taken:
        Referrals(bench.desk).refer(SENIOR, case.case_id, None, told)
    else:
        with pytest.raises(DecisionRefused, match="lies ahead"):
            Referrals(bench.desk).refer(SENIOR, case.case_id, None, told)

    assert len(in_the_log(bench)) == is_taken


def test_the_same_said_again_is_one_record_and_something_else_is_another(bench: Bench) -> None:
    [case] = bench.cases()
    referrals = Referrals(bench.desk)

    first = referrals.refer(SENIOR, case.case_id, None, TOLD)
    again = referrals.refer(SENIOR, case.case_id, None, TOLD)
    other = referrals.refer(
        SENIOR, case.case_id, None, TOLD.model_copy(update={"reference": "A-17"})
    )

    assert first.referral_id == again.referral_id != other.referral_id
    assert len(in_the_log(bench)) == len(told_of(bench)) == 2
    assert [one[1:] for one in bench.deeds()] == [("case.referred", False)] * 2


def test_the_audit_says_who_was_told_and_no_note(bench: Bench) -> None:
    [case] = bench.cases()

    Referrals(bench.desk).refer(
        SENIOR, case.case_id, None, TOLD.model_copy(update={"reference": "A-17"})
    )

    [record] = bench.desk.trail.records()
    assert (record.actor, record.action, record.case_id) == ("sena", "case.referred", case.case_id)
    assert [(one.name, one.value) for one in record.details] == [
        ("authority", "the police of X"),
        ("means", "phone"),
        ("reference", "A-17"),
        ("told_at", AT),
    ]


def test_one_that_goes_with_a_decision_is_told_and_on_record_in_the_same_way(
    bench: Bench,
) -> None:
    claimed = bench.claim(ANNA)
    with_it = CUT.model_copy(
        update={"referral": Referral(authority="the police of X", means="mail", told_at=AT)}
    )

    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, with_it)

    assert in_the_log(bench) == []  # the decision says it
    assert told_of(bench) == [("the police of X", "anna", None)]
    assert [one[1] for one in bench.deeds()] == ["case.claimed", "case.decided", "case.referred"]


def test_a_decision_without_one_puts_none_on_record(bench: Bench) -> None:
    claimed = bench.claim(ANNA)

    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, REJECT)

    assert told_of(bench) == []
    assert "case.referred" not in {one[1] for one in bench.deeds()}


def test_whoever_judges_blindly_is_told_of_their_own_alone(bench: Bench) -> None:
    claimed = bench.claim(ANNA)
    case_id = claimed.case.case_id
    Referrals(bench.desk).refer(ANNA, case_id, claimed.lease.token, TOLD)
    bench.rulings.decide(ANNA, case_id, claimed.lease.token, SUSPEND)
    own = TOLD.model_copy(update={"authority": "the embassy", "told_at": utc_text(5.0)})
    Referrals(bench.desk).refer(SENIOR, case_id, None, own)

    assert told_of(bench, BEN) == []
    assert [one[0] for one in told_of(bench, SENIOR)] == ["the embassy"]
    both = ["the embassy", "the police of X"]  # the first that was told first
    assert [one[0] for one in told_of(bench, ANNA)] == both
    assert [one[0] for one in told_of(bench, AUDITOR)] == both


def test_referrals_survive_that_the_tables_are_made_anew_and_that_the_log_forgets(
    bench: Bench,
) -> None:
    [case] = bench.cases()
    with_it = decision(
        case_id=case.case_id,
        referral={"authority": "the embassy", "means": "portal", "told_at": utc_text(5.0)},
    )
    Referrals(bench.desk).refer(SENIOR, case.case_id, None, TOLD)
    bench.tell(decision_event(SOURCE, with_it, recorded_s=1.0))
    before = told_of(bench)
    assert len(before) == 2

    bench.desk.projection.rebuild()
    assert told_of(bench) == before
    bench.file.connection.execute("DELETE FROM referrals").fetchall()
    assert len(told_of(bench)) == 1
    bench.desk.projection.rebuild()

    assert told_of(bench) == before
