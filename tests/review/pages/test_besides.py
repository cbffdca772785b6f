from pathlib import Path
from typing import Any

import pytest

from streamguard.core.choosing import Rules
from streamguard.core.event_data import FlagData, utc_seconds, utc_text
from streamguard.core.people import Person
from streamguard.review.pages.besides import against, began, elsewhere
from tests.made_reviews import AT, decision, flag, flag_opened, score_signal
from tests.review.bench import ANNA, BEN, HOLD, REJECT, Bench

AT_S = utc_seconds(AT)


def seen(start_ms: int, at_s: float, epoch: int = 0) -> FlagData:
    one = flag(1)
    said = {"start_pts_ms": start_ms, "end_pts_ms": start_ms, "start_time": utc_text(at_s)}
    stream = one.stream.model_copy(update={"epoch": epoch})
    window = one.window.model_copy(update=said)
    return one.model_copy(update={"window": window, "stream": stream})


def test_it_began_with_the_first_hit_by_the_clock() -> None:
    told = began([seen(9_000, AT_S + 40), seen(2_000, AT_S + 33), seen(0, AT_S + 60, epoch=1)], [])

    assert told is not None
    assert (told.at_s, told.said) == (AT_S + 33, "since the first hit")
    assert told.epochs == ((0, 2_000, AT_S + 33), (1, 0, AT_S + 60))


def test_where_an_onset_was_marked_it_began_there() -> None:
    flags = [seen(9_000, AT_S)]
    marks = [
        decision(onset_epoch=0, onset_pts_ms=1_000),
        decision(onset_epoch=0, onset_pts_ms=4_000),
        decision(),
    ]

    told = began(flags, marks)

    assert told is not None
    assert (told.at_s, told.said) == (AT_S - 5, "since the start that was marked")


def test_an_onset_in_a_timeline_without_a_hit_tells_no_instant() -> None:
    told = began([seen(9_000, AT_S)], [decision(onset_epoch=7, onset_pts_ms=1_000)])

    assert told is not None
    assert told.at_s == AT_S


def test_without_a_flag_nobody_knows_since_when() -> None:
    assert began([], []) is None


def test_what_speaks_against_it_is_told_as_the_model_said_it_last() -> None:
    def said(**labels: float) -> FlagData:
        told = [{"label": label, "score": score} for label, score in labels.items()]
        return flag(1, signals=[score_signal({2_000: 0.9}, against=told)])

    assert against([said(gameplay=0.2, film=0.1), said(gameplay=0.834)]) == (
        "pack/gameplay 0.83, pack/film 0.10"
    )
    assert against([flag(1), flag(1, signals=[score_signal({2_000: 0.9})])]) == ""


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    made = Bench(tmp_path)
    yield made
    made.close()


def judge(bench: Bench, number: int, choice: Any, **what: Any) -> Any:
    """Have Anna decide a case of its own; give what she claimed."""
    bench.tell(flag_opened(flag(number, **what)))
    claimed = bench.claim(ANNA)
    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, choice)
    return claimed


def test_other_cases_of_a_stream_count_as_they_stand(bench: Bench) -> None:
    own = judge(bench, 6, HOLD, code="f").case
    judge(bench, 1, HOLD, code="a")
    judge(bench, 2, HOLD, code="b")
    judge(bench, 3, REJECT, code="c")
    judge(bench, 5, HOLD, code="e", session="s-2")
    undone = judge(bench, 4, HOLD, code="d")
    bench.clock.advance(1)
    bench.rulings.undo(ANNA, undone.case.case_id)

    said = elsewhere(bench.file, own, BEN)

    assert said == (
        "2 other cases of this stream were confirmed, the last on 2026-01-02; 1 rejected"
    )


def test_a_stream_without_another_case_has_none(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))

    assert elsewhere(bench.file, bench.claim(BEN).case, BEN) == (
        "no other case of this stream was confirmed"
    )


def test_of_a_case_that_somebody_may_judge_blindly_nothing_is_said_in_another(
    tmp_path: Path,
) -> None:
    drawn = Bench(tmp_path, Rules(check_share=1.0))
    judge(drawn, 1, HOLD, code="a")
    drawn.tell(flag_opened(flag(2, code="b")))
    own = drawn.claim(BEN).case

    said = [elsewhere(drawn.file, own, one) for one in (ANNA, BEN)]
    drawn.close()

    assert said[0].startswith("1 other case of this stream was confirmed")
    assert said[1] == "no other case of this stream was confirmed"


def test_of_a_case_without_clearance_nothing_is_said_in_another(bench: Bench) -> None:
    judge(bench, 1, HOLD, code="a")
    bench.tell(flag_opened(flag(2, code="b")))
    own = bench.claim(BEN).case

    said = elsewhere(bench.file, own, Person("carl", "reviewer", frozenset({"b"})))

    assert said == "no other case of this stream was confirmed"
