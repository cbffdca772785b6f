import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ModelError
from streamguard.core.model import Scores
from streamguard.core.types import GapReason
from streamguard.runtime.batcher import (
    HANG_S,
    MAX_PER_STREAM,
    MAX_WAITING,
    TTL_S,
    Batcher,
    Question,
)
from tests.clock import FakeClock
from tests.fake_classifier import BAD, CATEGORY, FakeClassifier, doing, picture

PATIENCE_S = 60.0
"""Nothing here takes so long unless it hangs."""

OVERLOAD, MODEL_ERROR = GapReason.OVERLOAD, GapReason.MODEL_ERROR
INTERRUPTED = GapReason.INTERRUPTED


@dataclass
class Desk:
    """A batcher whose inference the test does by hand: `batcher.work()`."""

    max_batch: int = 1
    clock: FakeClock = field(default_factory=FakeClock)
    meter: PrometheusMeter = field(default_factory=PrometheusMeter)
    classifier: FakeClassifier = field(default_factory=FakeClassifier)
    answers: list[tuple[str, Scores | GapReason]] = field(default_factory=list)
    """Who was answered what, in order."""

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.classifier, self.max_batch, self.clock, self.meter)

    def ask(
        self,
        name: str,
        value: int = 50,
        *,
        stream: str = "a",
        waits: bool = False,
        read_at_s: float | None = None,
    ) -> None:
        """Ask about a picture; its answer goes into `answers` under this name."""
        now_s = self.clock.monotonic()
        self.batcher.ask(
            Question(
                stream_id=stream,
                epoch=3,
                pts_us=7_000_000,
                read_at_s=now_s if read_at_s is None else read_at_s,
                asked_at_s=now_s,
                picture=picture(value),
                waits=waits,
                answer=lambda answer: self.answers.append((name, answer)),
            )
        )

    @property
    def said(self) -> list[tuple[str, float | GapReason]]:
        """Give the answers, of scores the one that matters."""
        return [
            (name, answer.by_category[CATEGORY] if isinstance(answer, Scores) else answer)
            for name, answer in self.answers
        ]

    def dropped(self, reason: str) -> float:
        name = "streamguard_samples_dropped_total"
        return self.meter.registry.get_sample_value(name, {"reason": reason}) or 0.0


def test_who_asks_gets_the_scores_of_the_categories_and_of_the_other_labels() -> None:
    desk = Desk()
    desk.ask("first", 75, read_at_s=-1.5)

    desk.batcher.work()

    expected = Scores(3, 7_000_000, -1.5, {CATEGORY: 0.75}, {"other": pytest.approx(0.25)})
    assert desk.answers == [("first", expected)]
    assert desk.meter.registry.get_sample_value(
        "streamguard_stage_seconds_count", {"stage": "model"}
    )


def test_a_live_stream_that_is_sampled_densely_keeps_its_newest_pictures() -> None:
    desk = Desk()
    for number in range(MAX_PER_STREAM + 1):
        desk.ask(f"{number}", number)

    assert desk.said == [("0", OVERLOAD)]
    assert desk.dropped("model_full") == 1
    desk.batcher.work()
    desk.batcher.work()
    assert desk.said[1:] == [("1", pytest.approx(0.01)), ("2", pytest.approx(0.02))]


def test_one_stream_does_not_crowd_out_another() -> None:
    desk = Desk()
    desk.ask("quiet", stream="quiet")
    for number in range(50):
        desk.ask(f"loud {number}", stream="loud")

    assert {name for name, _ in desk.said} == {f"loud {number}" for number in range(48)}


def test_the_oldest_picture_goes_when_too_many_wait() -> None:
    desk = Desk()
    for number in range(MAX_WAITING):
        desk.ask(f"{number}", stream=f"stream {number}")
    assert desk.said == []

    desk.ask("one more", stream="another")

    assert desk.said == [("0", OVERLOAD)]


def test_pictures_of_a_file_never_make_room_for_live_ones() -> None:
    desk = Desk()
    for number in range(MAX_WAITING - 1):
        desk.ask(f"{number}", stream=f"file {number}", waits=True)
    desk.ask("live", stream="live")

    desk.ask("one more", stream="another")

    assert desk.said == [("live", OVERLOAD)]


def test_a_live_picture_is_scored_until_it_is_too_old() -> None:
    desk = Desk()
    desk.ask("in time")
    desk.clock.advance(TTL_S)
    desk.batcher.work()
    desk.ask("too late")
    desk.clock.advance(TTL_S + 0.001)
    desk.batcher.work()

    assert desk.said == [("in time", 0.5), ("too late", OVERLOAD)]
    assert desk.dropped("stale") == 1


def test_a_picture_of_a_file_never_gets_too_old() -> None:
    desk = Desk()
    desk.ask("file", waits=True)
    desk.clock.advance(100 * TTL_S)

    desk.batcher.work()

    assert desk.said == [("file", 0.5)]


def test_the_oldest_pictures_go_together_up_to_the_batch() -> None:
    desk = Desk(max_batch=3)
    for number in range(4):
        desk.ask(f"{number}", number, stream=f"{number}")

    desk.batcher.work()
    desk.batcher.work()

    assert desk.classifier.n_pictures == [3, 1]
    assert [name for name, _ in desk.said] == ["0", "1", "2", "3"]


def test_too_old_pictures_take_no_place_in_a_batch() -> None:
    desk = Desk(max_batch=2)
    desk.ask("old 1", stream="1")
    desk.ask("old 2", stream="2")
    desk.clock.advance(TTL_S + 1)
    desk.ask("new 1", stream="3")
    desk.ask("new 2", stream="4")

    desk.batcher.work()

    assert desk.said == [("old 1", OVERLOAD), ("old 2", OVERLOAD), ("new 1", 0.5), ("new 2", 0.5)]


def test_a_picture_that_fails_spoils_no_other_of_its_batch() -> None:
    desk = Desk(max_batch=3)
    for name, value in (("before", 10), ("bad", BAD), ("after", 20)):
        desk.ask(name, value, stream=name)

    desk.batcher.work()

    assert desk.said == [
        ("before", pytest.approx(0.1)),
        ("bad", MODEL_ERROR),
        ("after", pytest.approx(0.2)),
    ]
    assert desk.classifier.n_pictures == [3, 1, 1, 1]


def test_a_model_that_fails_is_told_of_once_until_it_answers_again() -> None:
    desk = Desk()

    with structlog.testing.capture_logs() as logged:
        for value in (BAD, BAD, 50, BAD):
            desk.ask("x", value)
            desk.batcher.work()

    assert [line["event"] for line in logged] == ["model_failed", "model_recovered", "model_failed"]
    assert logged[0]["problem"] == "model fake: gave numbers that are no scores"
    assert logged[0]["log_level"] == "error"


def test_a_model_is_healthy_while_it_answers() -> None:
    desk = Desk()
    health = [desk.batcher.is_healthy()]

    for value in (BAD, 50):
        desk.ask("x", value)
        desk.batcher.work()
        health.append(desk.batcher.is_healthy())

    assert health == [True, False, True]
    assert desk.batcher.problem is None


def test_a_run_that_hangs_is_given_up_with_all_that_waits_for_it() -> None:
    desk = Desk()
    health: list[bool] = []

    def hang() -> None:
        desk.ask("waiting", stream="b")
        desk.clock.advance(HANG_S)
        health.append(desk.batcher.is_healthy())
        desk.ask("asked of a hanging model", stream="c")
        health.append(desk.batcher.is_healthy())

    desk.classifier.during = hang
    desk.ask("running")

    with structlog.testing.capture_logs() as logged:
        desk.batcher.work()

    assert desk.said == [
        ("running", MODEL_ERROR),
        ("waiting", MODEL_ERROR),
        ("asked of a hanging model", MODEL_ERROR),
    ]
    assert health == [False, False]
    assert logged[0]["problem"] == "a run hangs"


def test_a_run_that_takes_a_moment_less_is_waited_for() -> None:
    desk = Desk()

    def think() -> None:
        desk.clock.advance(HANG_S - 0.001)
        assert desk.batcher.is_healthy()
        desk.ask("next", stream="b")

    desk.classifier.during = think
    desk.ask("running")

    desk.batcher.work()

    assert desk.said == [("running", 0.5)]


def test_a_model_that_comes_back_answers_what_is_asked_then() -> None:
    desk = Desk()
    desk.ask("running")

    def hang() -> None:
        desk.clock.advance(HANG_S)
        desk.ask("meanwhile")

    desk.classifier.during = hang
    desk.batcher.work()
    desk.classifier.during = lambda: None

    desk.ask("afterwards")
    desk.batcher.work()

    assert desk.said == [
        ("running", MODEL_ERROR),
        ("meanwhile", MODEL_ERROR),
        ("afterwards", 0.5),
    ]
    assert desk.batcher.is_healthy()


def test_its_age_is_that_of_the_oldest_picture() -> None:
    desk = Desk()
    ages = [desk.batcher.age_s()]
    desk.ask("first", stream="a")
    desk.clock.advance(1.0)
    desk.ask("second", stream="b")
    desk.clock.advance(0.5)
    ages.append(desk.batcher.age_s())

    desk.batcher.work()

    assert [*ages, desk.batcher.age_s()] == [0.0, 1.5, 0.5]


class Hold:
    """Keeps runs from returning until it is let go."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.released.wait(PATIENCE_S)


def made(classifier: FakeClassifier, hang_s: float = PATIENCE_S) -> Batcher:
    """Give a batcher that is to run in its own thread."""
    return Batcher(classifier, 1, SystemClock(), PrometheusMeter(), hang_s=hang_s)


def until_stop(batcher: Batcher) -> Callable[[], None]:
    """Give what keeps a run going until the batcher is told to stop."""

    def wait() -> None:
        with batcher._changed:
            assert batcher._changed.wait_for(lambda: batcher._is_stopping, PATIENCE_S)

    return wait


Answers = list[Scores | GapReason]


def question(
    answer: Callable[[Scores | GapReason], None], *, waits: bool = False, value: int = 50
) -> Question:
    now_s = SystemClock().monotonic()
    return Question("a", 0, 0, now_s, now_s, picture(value), waits, answer)


def test_a_file_waits_for_its_turn_and_loses_nothing() -> None:
    answers: Answers = []
    answered = threading.Semaphore(0)

    def answer(given: Scores | GapReason) -> None:
        answers.append(given)
        answered.release()

    with made(FakeClassifier()) as batcher:
        for value in range(100):
            batcher.ask(question(answer, waits=True, value=value))
        for _ in range(100):
            assert answered.acquire(timeout=PATIENCE_S)

    scores = [answer.by_category[CATEGORY] for answer in answers if isinstance(answer, Scores)]
    assert scores == pytest.approx([value / 100 for value in range(100)])


def test_a_file_that_waits_for_a_hanging_model_is_let_go() -> None:
    hold = Hold()
    answers: Answers = []

    with made(FakeClassifier(hold), hang_s=0.02) as batcher:
        for _ in range(MAX_WAITING + 2):  # the first is being run, the last has no room
            batcher.ask(question(answers.append, waits=True))
        assert answers == [MODEL_ERROR] * (MAX_WAITING + 2)
        hold.released.set()

    assert answers == [MODEL_ERROR] * (MAX_WAITING + 2)


def test_at_a_stop_what_waits_is_answered() -> None:
    answers: Answers = []
    classifier = FakeClassifier()
    batcher = made(classifier)
    begun = threading.Event()
    wait = until_stop(batcher)

    def run() -> None:
        begun.set()
        wait()

    classifier.during = run
    with batcher:
        batcher.ask(question(answers.append))
        assert begun.wait(PATIENCE_S)
        batcher.ask(question(answers.append))
    batcher.ask(question(answers.append))

    kinds = [answer if isinstance(answer, GapReason) else "scores" for answer in answers]
    assert kinds == ["scores", INTERRUPTED, INTERRUPTED]


def test_a_stop_waits_for_a_run_no_longer_than_it_may_take() -> None:
    hold = Hold()
    answers: Answers = []

    with made(FakeClassifier(hold), hang_s=0.02) as batcher:
        batcher.ask(question(answers.append))
        assert hold.begun.wait(PATIENCE_S)

    assert answers == [INTERRUPTED]
    hold.released.set()
    batcher._thread.join(PATIENCE_S)
    assert answers == [INTERRUPTED]


def test_a_file_that_waits_is_let_go_at_a_stop() -> None:
    answers: Answers = []
    classifier = FakeClassifier()
    batcher = made(classifier)
    classifier.during = until_stop(batcher)
    n_asked = MAX_WAITING + 2

    def ask() -> None:
        for _ in range(n_asked):
            batcher.ask(question(answers.append, waits=True))

    asking = threading.Thread(target=ask)
    with batcher:
        asking.start()
    asking.join(PATIENCE_S)

    assert not asking.is_alive()
    assert len(answers) == n_asked


ASK = st.tuples(st.just("ask"), st.integers(0, 3), st.sampled_from([10, 90, BAD]), st.booleans())
ADVANCE = st.tuples(st.just("advance"), st.sampled_from([0.5, TTL_S, HANG_S / 2, HANG_S]))
SMALL = st.one_of(ASK, ASK, ADVANCE)
WORK = st.tuples(st.just("work"), st.lists(SMALL, max_size=5))


@given(
    script=st.lists(st.one_of(ASK, ASK, ADVANCE, WORK), max_size=40), max_batch=st.integers(1, 4)
)
def test_every_question_is_answered_exactly_once(
    script: list[tuple[Any, ...]], max_batch: int
) -> None:
    """Whatever is asked, and however time passes, before a run and while it goes on."""
    desk = Desk(max_batch=max_batch)
    names = (f"{number}" for number in itertools.count())
    asked: list[str] = []

    def act(action: tuple[Any, ...]) -> None:
        match action:
            case ("ask", stream, value, waits):
                if not (waits and desk.batcher._must_wait()):
                    asked.append(next(names))
                    desk.ask(asked[-1], value, stream=f"{stream}", waits=waits)
            case ("advance", seconds):
                desk.clock.advance(seconds)
            case ("work", meanwhile):
                desk.classifier.during = doing(act, meanwhile)
                desk.batcher.work()
                desk.classifier.during = lambda: None

    for action in script:
        act(action)
    while desk.batcher._waiting:
        desk.batcher.work()

    assert Counter(name for name, _ in desk.answers) == Counter(asked)
    assert all(
        answer.by_category[CATEGORY] in (pytest.approx(0.1), pytest.approx(0.9))
        if isinstance(answer, Scores)
        else answer in (OVERLOAD, MODEL_ERROR)
        for _, answer in desk.answers
    )


def test_the_earliest_read_goes_first_whoever_asked_first() -> None:
    desk = Desk(max_batch=2)
    for name, read_at_s in (("late", 0.3), ("early", 0.1), ("between", 0.2)):
        desk.ask(name, stream=name, read_at_s=read_at_s)

    desk.batcher.work()

    assert [name for name, _ in desk.said] == ["early", "between"]


def test_a_picture_that_was_read_too_long_ago_is_stale_though_just_asked_about() -> None:
    desk = Desk()
    desk.clock.advance(10)
    now_s = desk.clock.monotonic()
    desk.ask("stale", stream="a", read_at_s=now_s - TTL_S - 0.001)
    desk.ask("fresh", stream="b", read_at_s=now_s - TTL_S)

    desk.batcher.work()

    assert desk.said == [("stale", OVERLOAD), ("fresh", 0.5)]


def test_a_batch_holds_no_more_than_its_share_of_one_stream() -> None:
    desk = Desk(max_batch=4)
    for number in range(9):
        desk.ask(f"loud {number}", stream="loud")
    desk.ask("quiet", stream="quiet")
    desk.answers.clear()

    desk.batcher.work()

    assert [name for name, _ in desk.said] == ["loud 7", "loud 8", "quiet"]


def test_batches_are_filled_up_to_a_size_that_the_model_knows() -> None:
    desk = Desk(max_batch=8)
    for number in range(5):
        desk.ask(f"{number}", number, stream=f"{number}")

    desk.batcher.work()

    assert desk.classifier.n_pictures == [8]
    assert desk.said == [(f"{number}", pytest.approx(number / 100)) for number in range(5)]


def test_the_model_is_prepared_for_each_size_before_anybody_asks() -> None:
    desk = Desk(max_batch=6)

    desk.batcher.warm()

    assert desk.classifier.n_pictures == [1, 2, 4, 6]
    assert desk.batcher.is_healthy()


class SmallClassifier(FakeClassifier):
    """Takes no more than so many pictures at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if len(pictures) > self.most:
            raise ModelError("too many")
        return super().run(pictures)


def test_sizes_that_the_model_refuses_are_left_out() -> None:
    desk = Desk(max_batch=8, classifier=SmallClassifier(2))

    with structlog.testing.capture_logs() as logged:
        desk.batcher.warm()
    for number in range(3):
        desk.ask(f"{number}", stream=f"{number}")
    desk.batcher.work()

    assert [(line["event"], line["size"]) for line in logged] == [("model_batch_refused", 4)]
    assert desk.classifier.n_pictures == [1, 2, 2]
    assert desk.batcher.is_healthy()


def test_a_model_that_cannot_run_at_all_is_told_of_at_the_start() -> None:
    desk = Desk(classifier=SmallClassifier(0))

    desk.batcher.warm()

    assert desk.batcher.problem == "too many"


def test_pictures_that_come_within_a_moment_are_run_together() -> None:
    answered = threading.Semaphore(0)
    classifier = FakeClassifier()

    with Batcher(classifier, 2, SystemClock(), PrometheusMeter()) as batcher:
        with batcher._changed:  # both come before it can look
            for stream in "ab":
                asked = question(lambda _: answered.release())
                batcher.ask(replace(asked, stream_id=stream))
        for _ in range(2):
            assert answered.acquire(timeout=PATIENCE_S)

    assert classifier.n_pictures == [2]
