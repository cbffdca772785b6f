"""Whose hold ends soon waits for people, has somebody called, and says until when it is held."""

from contextlib import closing
from pathlib import Path

import pytest

from streamguard.core.cases import Case
from streamguard.core.choosing import Choice, Rules
from streamguard.core.event_data import utc_text
from streamguard.review.cards import card
from streamguard.review.paging import Pager
from tests.made_actions import taken_up
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import ANNA, BEN, HOLD, REJECT, SENIOR, SUSPEND, Bench
from tests.review.console import Console

HOLD_S, NOTICE_S = 86_400.0, 3_600.0
ENDED = Choice(outcome="confirmed", reason_code="TVEC.ATTACK_LIVE")


def held(bench: Bench, choice: Choice = HOLD) -> tuple[Case, float]:
    """Have a stream held, and that begun; give the case, and until when, seconds since 1970."""
    bench.tell(flag_opened(flag(1, severity="P2")))
    claimed = bench.claim(ANNA)
    made = bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, choice)
    bench.tell(taken_up(made))
    [case] = bench.cases()
    assert case.held_until_s is not None
    return case, case.held_until_s


def wait_until(bench: Bench, at_s: float) -> None:
    bench.clock.advance(at_s - bench.clock.wall())


def test_a_hold_that_ends_soon_waits_for_a_senior(bench: Bench) -> None:
    case, until_s = held(bench)
    wait_until(bench, until_s - NOTICE_S - 1)
    before = bench.queue.waiting(SENIOR)
    bench.clock.advance(1.5)

    [waits] = bench.queue.waiting(SENIOR)
    nobody, got = bench.queue.claim(BEN), bench.claim(SENIOR)

    assert before == []
    assert (waits.case_id, waits.stage, waits.is_ending) == (case.case_id, "escalated", True)
    assert (nobody, got.case.case_id) == (None, case.case_id)


@pytest.mark.parametrize("choice", [ENDED, HOLD, REJECT], ids=["let it end", "longer", "restore"])
def test_what_the_senior_says_settles_it(bench: Bench, choice: Choice) -> None:
    case, until_s = held(bench)
    wait_until(bench, until_s - NOTICE_S + 1)
    got = bench.claim(SENIOR)

    made = bench.rulings.decide(SENIOR, case.case_id, got.lease.token, choice)

    assert made.action == ("restore" if choice is REJECT else choice.action)
    assert bench.queue.waiting(SENIOR) == []
    [now] = bench.cases()
    assert now.held_until_s == {
        "none": until_s,
        "hold": pytest.approx(bench.clock.wall() + HOLD_S, abs=0.01),
        "restore": None,
    }.get(made.action)


def test_more_urgent_cases_come_before_it(bench: Bench) -> None:
    case, until_s = held(bench)
    wait_until(bench, until_s - 60)
    bench.tell(flag_opened(flag(2, session="s-2", severity="P1")))

    first = bench.claim(SENIOR).case

    assert first.session_id == "s-2"
    assert [one.case_id for one in bench.queue.waiting(SENIOR)][1] == case.case_id


def test_what_waits_for_a_second_person_says_so_and_others_stay_blind(bench: Bench) -> None:
    case, until_s = held(bench, SUSPEND)
    wait_until(bench, until_s - 60)

    got = bench.claim(BEN).case
    shown = card(got, BEN, bench.clock.wall(), None)

    assert (got.case_id, got.stage, got.is_ending) == (case.case_id, "second", True)
    assert (shown["is_blind"], shown["is_ending"]) == (True, True)
    assert "hold" in [term["name"] for term in shown["why"]]


def test_a_case_that_waits_for_a_lot_alone_does_not_say_that_its_stream_is_held(
    tmp_path: Path,
) -> None:
    with closing(Bench(tmp_path, Rules(check_share=1.0))) as bench:
        case, until_s = held(bench)
        blind = card(case, BEN, bench.clock.wall(), None)
        wait_until(bench, until_s - 60)

        [waits] = bench.queue.waiting(SENIOR)

    assert case.stage == "check"
    assert (blind["held_until"], blind["is_limited"]) == (None, False)
    assert (waits.stage, waits.is_ending) == ("escalated", True)


def test_a_card_says_until_when_a_stream_is_held(bench: Bench) -> None:
    console = Console(bench)
    console.account("auditor")
    case, until_s = held(bench)

    shown = console.signed_in("auditor").get(f"/api/v1/cases/{case.case_id}").json()

    assert (shown["held_until"], shown["is_limited"]) == (utc_text(until_s), False)


@pytest.mark.parametrize(("is_live", "is_called"), [(True, True), (False, False)])
def test_somebody_is_called_for_a_live_stream_whose_hold_ends_and_no_senior_is_there(
    bench: Bench, *, is_live: bool, is_called: bool
) -> None:
    console = Console(bench)
    console.account("reviewer", "ben")
    pager = Pager(console.review, bench.clock.monotonic, after_s=60.0, again_s=300.0)
    case, until_s = held(bench)
    bench.tell(*[] if is_live else [stream_ended(case.session_id)])
    wait_until(bench, until_s - NOTICE_S - 1)
    console.signed_in("ben")
    bench.desk.projection.catch_up()
    before = pager.look()
    bench.clock.advance(1.5)

    look = pager.look()

    assert (before.call, look.call is not None) == (None, is_called)
    assert [one.case_id for one in look.waiting.alone] == [case.case_id] * is_called


def test_after_a_rebuild_it_waits_as_before(bench: Bench) -> None:
    _, until_s = held(bench)
    wait_until(bench, until_s - 60)
    before = bench.queue.waiting(SENIOR)

    bench.desk.projection.rebuild()

    assert before == bench.queue.waiting(SENIOR)
    assert len(before) == 1
