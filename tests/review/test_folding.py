"""The tables against what `tests/core/test_case_fold.py` says of cases."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from streamguard.adapters.sqlite_copies import SqliteCopies
from streamguard.core.errors import CaseTaken
from streamguard.core.event_data import utc_seconds
from streamguard.core.events import Topic
from streamguard.core.review_events import decision_event
from streamguard.review.looks import Held, Looks
from tests.core_fakes import SOURCE
from tests.made_cases import Story, Told, stories
from tests.made_reviews import AT, decision, flag, flag_id, flag_opened
from tests.review.bench import ANNA, BEN, CUT, HOLD, REJECT, SUSPEND, Bench


@given(stories())
@settings(max_examples=60)
def test_the_tables_have_the_cases_that_rules_see_and_are_made_anew_the_same(
    story: Story,
) -> None:
    told = Told()
    with TemporaryDirectory() as folder, closing(Bench(Path(folder))) as bench:
        for step in story:
            told.take(step)
        bench.tell(*told.events)
        before = by_id(bench), kept(bench)
        assert before[0] == dict(told.cases.by_id)

        bench.desk.projection.rebuild()

        assert (by_id(bench), kept(bench)) == before


def by_id(bench: Bench) -> dict[str, Any]:
    return {one.case_id: one for one in bench.cases()}


def kept(bench: Bench) -> list[Any]:
    """Give under which case each flag is."""
    return bench.file.rows("SELECT flag_id, case_id, revision FROM case_flags ORDER BY flag_id")


def reopened(bench: Bench) -> tuple[str, str, int]:
    """Have Ben look at a case that goes into the one before it; give both and his token."""
    bench.tell(flag_opened(flag(1), 1.0))
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, HOLD)
    bench.tell(flag_opened(flag(2, entry="new"), 2.0))
    second = bench.claim(BEN)

    bench.rulings.undo(ANNA, first.case.case_id)

    return first.case.case_id, second.case.case_id, second.lease.token


def test_whoever_has_a_case_in_hand_that_went_into_another_decides_it_no_more(
    bench: Bench,
) -> None:
    first, second, token = reopened(bench)

    with pytest.raises(CaseTaken):
        bench.rulings.decide(BEN, second, token, CUT)

    assert bench.claim(BEN).case.case_id == first
    assert [one.case_id for one in bench.queue.waiting(BEN)] == [first]


def test_the_flags_of_both_cases_are_looked_at_with_the_one_that_waits(bench: Bench) -> None:
    first, second, _ = reopened(bench)
    again = bench.claim(BEN)
    looks = Looks(bench.desk, None)

    assert {one.flag_id for one in bench.desk.flags(first)} == {flag_id(1), flag_id(2)}
    assert {one.flag_id for one in bench.desk.flags(second)} == {flag_id(2)}
    assert looks.items(Held(BEN, first, again.lease.token)) == []
    made = bench.rulings.decide(BEN, first, again.lease.token, REJECT)
    assert set(made.flag_ids) == {flag_id(1), flag_id(2)}


def test_what_was_done_for_a_case_that_went_into_another_is_taken_back_with_that(
    bench: Bench,
) -> None:
    bench.tell(flag_opened(flag(1), 1.0))
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, HOLD)
    bench.tell(flag_opened(flag(2, entry="new"), 2.0))
    second = bench.claim(BEN)
    bench.rulings.decide(BEN, second.case.case_id, second.lease.token, SUSPEND)  # held meanwhile
    bench.rulings.undo(ANNA, first.case.case_id)
    again = bench.claim(ANNA)

    bench.rulings.decide(ANNA, again.case.case_id, again.lease.token, REJECT)

    both, gone = bench.cases()
    assert gone.into == both.case_id
    assert [(one.outcome, one.action) for one in gone.rulings] == [
        ("needs_second", "hold"),
        ("rejected", "restore"),
    ]
    assert bench.queue.waiting(ANNA) == []


def test_a_hold_and_a_decision_made_at_once_in_two_logs_are_the_same_case_in_both(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with closing(Bench(tmp_path / "a")) as screening, closing(Bench(tmp_path / "b")) as console:
        for one in (screening, console):
            one.tell(flag_opened(flag(1), 1.0))
        [case] = screening.cases()
        rule = {"actor": "rule:exact", "reviewer": None, "action": "hold", "scopes": ["live"]}
        ends = {"outcome": "needs_second", "proposed": "hold", "expires_at": AT}
        hold = decision(decision_id="hold", case_id=case.case_id, **rule, **ends)
        screening.tell(decision_event(SOURCE, hold, recorded_s=1.0))
        held = console.claim(ANNA)
        made = console.rulings.decide(ANNA, case.case_id, held.lease.token, REJECT)

        exchange(screening, console, tmp_path)

        assert by_id(screening) == by_id(console)
        [both] = console.cases()
        assert [one.decision_id for one in both.rulings] == ["hold", made.decision_id]
        assert (both.stage, both.held_until_s) == ("decided", utc_seconds(AT))


def exchange(one: Bench, other: Bench, folder: Path) -> None:
    """Bring the decisions of each to the other, as by a broker."""
    told = [bench.log.read(1, Topic.DECISIONS) for bench in (one, other)]
    for name, records in zip(("b", "a"), told, strict=True):
        with closing(SqliteCopies(folder / name / "log.db")) as copies:
            copies.take(records)
