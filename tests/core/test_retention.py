from dataclasses import replace
from datetime import date

import pytest

from streamguard.core.choosing import Rules
from streamguard.core.custody import EvidenceClass, Hold, Standing, instant
from streamguard.core.holding import HoldTerms
from streamguard.core.retention import DAY_S, Retention, holds_in_force, is_due, plan_id

COLLECTED_S = 1_700_000_000.0
STANDING = Standing("00000000-0000-0000-0000-000000000001", instant(COLLECTED_S))
RULES = Retention()


@pytest.mark.parametrize(
    ("evidence_class", "days"), [("rejected", 7), ("unreviewed", 30), ("confirmed", 190)]
)
def test_each_class_is_due_after_its_days_and_not_before(
    evidence_class: EvidenceClass, days: int
) -> None:
    standing = replace(STANDING, evidence_class=evidence_class)
    due_s = COLLECTED_S + days * DAY_S

    assert not is_due(standing, RULES, due_s - 0.001)
    assert is_due(standing, RULES, due_s)


def test_what_was_confirmed_is_there_for_who_hears_the_latest_appeal() -> None:
    longest_six_months_d = (date(2027, 1, 1) - date(2026, 7, 1)).days

    assert longest_six_months_d <= Rules().appeal_days == HoldTerms().appeal_days
    assert Rules().appeal_days < Retention().confirmed_d


@pytest.mark.parametrize(("until_s", "is_held"), [(None, True), (1.0, True), (0.0, False)])
def test_what_is_on_hold_is_not_due_until_the_hold_ends(
    until_s: float | None,
    is_held: bool,  # noqa: FBT001  # an expectation
) -> None:
    now_s = COLLECTED_S + 365 * DAY_S
    until = "" if until_s is None else instant(now_s + until_s)
    standing = replace(STANDING, holds=(Hold("A-1", "court", until),))

    assert bool(holds_in_force(standing, now_s)) == is_held
    assert is_due(standing, RULES, now_s) != is_held


def test_an_erasure_that_was_begun_is_finished_and_not_done_twice() -> None:
    assert is_due(replace(STANDING, state="deleting"), RULES, COLLECTED_S)
    assert not is_due(replace(STANDING, state="erased"), RULES, COLLECTED_S + 999 * DAY_S)


def test_a_plan_is_named_by_all_that_was_seen_of_it() -> None:
    other = replace(STANDING, evidence_id="00000000-0000-0000-0000-000000000002")

    named = plan_id([STANDING, other])

    assert named == plan_id([other, STANDING])
    assert named != plan_id([STANDING])
    assert named != plan_id([replace(STANDING, last_hash="ab" * 32), other])
