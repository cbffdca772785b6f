"""What became of evidence that was to go into a bank is told, to whoever may know it."""

from contextlib import closing
from pathlib import Path

import pytest

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.people import Person
from streamguard.core.ruling import Choice, Rules
from streamguard.review.bankings import WAITED_FOR_S, Banking, banking_of, latest_bankings
from tests.made_reviews import flag, flag_opened
from tests.review.bench import ANNA, BEN, CUT, SENIOR, Bench
from tests.review.console import Console

BANKED = Choice.model_validate({**CUT.model_dump(), "bank": "own"})


def banked(bench: Bench, number: int = 1) -> Case:
    """Have somebody confirm a case and bank its evidence."""
    bench.tell(flag_opened(flag(number, session=f"s-{number}")))
    claimed = bench.claim(ANNA)
    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, BANKED)
    return next(one for one in bench.cases() if one.case_id == claimed.case.case_id)


def told(bench: Bench, case: Case, action: str = "bank.added", **details: str | int) -> None:
    """Have on record what became of a banking; `why` says that it was not done."""
    assert case.ruling is not None
    said = {"bank": "own", "entry": "an entry"} | details
    about, is_refused = case.ruling.decision_id, "why" in details
    bench.desk.trail.note(Deed("anna", action, case.case_id, about, said, is_refused))
    bench.desk.projection.catch_up()


def seen(bench: Bench, case: Case, person: Person = SENIOR) -> Banking | None:
    return banking_of(bench.file, case, person, bench.clock.wall())


def texts(bench: Bench) -> list[str]:
    found = latest_bankings(bench.file, SENIOR, bench.clock.wall())
    return [banking.text for _, banking in found]


def test_a_case_of_which_nothing_was_banked_says_nothing_of_banks(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    [case] = bench.cases()

    assert seen(bench, case) is None


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([], "Under way: bank own"),
        ([{"n_hashes": 42}], "Banked in own: 42 hashes"),
        ([{"n_hashes": 1}], "Banked in own: 1 hash"),
        ([{}], "Banked in own"),
        ([{"why": "its clip is gone"}], "NOT banked in own: its clip is gone"),
        ([{"why": "its clip is gone"}, {"n_hashes": 7}], "Banked in own: 7 hashes"),
        (
            [{"n_hashes": 7}, {"why": "its clip is gone"}],
            "Banked in own: 7 hashes. NOT banked is the rest of its clip: its clip is gone",
        ),
        ([{"n_hashes": 7}, {"action": "bank.removed"}], "Taken out of bank own"),
        (
            [{"n_hashes": 7}, {"action": "bank.removed", "why": "the disk is full"}],
            "NOT taken out of bank own: the disk is full",
        ),
    ],
)
def test_what_became_of_a_banking_is_told_and_a_rebuild_says_the_same(
    bench: Bench, records: list[dict[str, str]], text: str
) -> None:
    case = banked(bench)
    for record in records:
        told(bench, case, **record)

    before = seen(bench, case)
    bench.desk.projection.rebuild()

    assert before is not None
    assert before.text == text
    assert before.is_wrong == ("NOT" in text)
    assert seen(bench, case) == before
    assert texts(bench) == [text]


@pytest.mark.parametrize(
    ("waited_s", "state"), [(WAITED_FOR_S, "under_way"), (WAITED_FOR_S + 1, "unknown")]
)
def test_what_nobody_says_anything_of_for_a_day_is_not_called_under_way(
    bench: Bench, waited_s: float, state: str
) -> None:
    case = banked(bench)
    bench.clock.advance(waited_s)

    banking = seen(bench, case)

    assert banking is not None
    assert banking.state == state


def test_what_failed_is_told_before_what_was_done_later(bench: Bench) -> None:
    told(bench, banked(bench, 1), why="its clip is gone")
    told(bench, banked(bench, 2), n_hashes=2)

    assert texts(bench) == ["NOT banked in own: its clip is gone", "Banked in own: 2 hashes"]


def test_who_is_not_cleared_learns_nothing_of_it(bench: Bench) -> None:
    banked(bench)
    other = Person("otto", "senior", frozenset({"another"}))

    assert latest_bankings(bench.file, other, bench.clock.wall()) == []


def test_who_judges_again_learns_nothing_of_it(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, Rules(check_share=1.0))) as bench:
        case = banked(bench)

        assert case.stage == "check"
        assert seen(bench, case, BEN) is None
        assert seen(bench, case, ANNA) is not None
        assert texts(bench) == []


def test_the_case_as_the_api_gives_it_says_what_became_of_its_banking(bench: Bench) -> None:
    console = Console(bench)
    console.account("auditor")
    case = banked(bench)
    told(bench, case, n_hashes=3)

    shown = console.signed_in("auditor").get(f"/api/v1/cases/{case.case_id}").json()["banking"]

    assert (shown["state"], shown["bank"], shown["n_hashes"]) == ("banked", "own", 3)
