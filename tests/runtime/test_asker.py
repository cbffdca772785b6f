from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.model import Scores
from streamguard.core.types import Frame, GapReason
from streamguard.runtime.asker import Asker
from streamguard.runtime.batcher import HANG_S, TTL_S, Batcher
from streamguard.runtime.notes import EpochEnded, Note, NotScored, ScoringEnded
from tests.clock import FakeClock
from tests.fake_classifier import BAD, CATEGORY, FakeClassifier, doing
from tests.runtime.fakes import packet

SECOND = 1_000_000
OVERLOAD, MODEL_ERROR = GapReason.OVERLOAD, GapReason.MODEL_ERROR


@dataclass
class Desk:
    """An asker before a batcher whose inference the test does by hand."""

    waits: bool = False
    max_batch: int = 1
    clock: FakeClock = field(default_factory=FakeClock)
    meter: PrometheusMeter = field(default_factory=PrometheusMeter)
    classifier: FakeClassifier = field(default_factory=FakeClassifier)
    told: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.classifier, self.max_batch, self.clock, self.meter)
        self.asker = Asker(
            self.batcher, "a", self.told.append, self.clock, self.meter, waits=self.waits
        )

    def ask(self, second: int, value: int = 50, *, epoch: int = 0) -> None:
        rgb = np.full((24, 32, 3), value, np.uint8)
        one = packet(second * SECOND, epoch=epoch, read_at_s=second + 0.25)
        self.asker.ask(Frame(one, rgb[..., 0], lambda: rgb, full_range=True, decoded_at_s=0.0))

    def counted(self, outcome: str) -> float:
        name = "streamguard_scores_total"
        return self.meter.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


def scores(second: int, value: float = 0.5, *, epoch: int = 0) -> Scores:
    by_category = {CATEGORY: pytest.approx(value)}
    by_label = {"other": pytest.approx(1 - value)}
    return Scores(epoch, second * SECOND, second + 0.25, by_category, by_label)


def lost(second: int, reason: GapReason, *, epoch: int = 0) -> NotScored:
    return NotScored(epoch, second * SECOND, reason)


def test_a_frame_gets_the_scores_of_its_own_picture() -> None:
    desk = Desk()
    desk.ask(4, 75)

    desk.batcher.work()

    assert desk.told == [scores(4, 0.75)]
    assert (desk.counted("scored"), desk.counted("not_scored")) == (1, 0)
    assert desk.meter.registry.get_sample_value(
        "streamguard_stage_seconds_count", {"stage": "prepare"}
    )


def test_a_frame_without_scores_is_told_of_with_the_reason() -> None:
    desk = Desk()
    desk.ask(4, BAD)

    desk.batcher.work()

    assert desk.told == [lost(4, MODEL_ERROR)]
    assert (desk.counted("scored"), desk.counted("not_scored")) == (0, 1)


def test_a_frame_given_up_is_told_of_after_those_before_it() -> None:
    """Verdicts are counted in the order of time; a late one would reopen what has closed."""
    desk = Desk()
    desk.classifier.during = doing(desk.ask, (2, 3, 4))
    desk.ask(1)

    desk.batcher.work()

    assert desk.told == [scores(1), lost(2, OVERLOAD)]
    desk.batcher.work()
    desk.batcher.work()
    assert desk.told[2:] == [scores(3), scores(4)]


def test_scoring_of_a_timeline_ends_after_its_last_answer() -> None:
    desk = Desk()
    desk.ask(1)
    desk.ask(2)
    desk.batcher.work()

    desk.asker.epoch_ended(EpochEnded(0, 3 * SECOND, is_last=True))

    assert desk.told == [scores(1)]
    desk.batcher.work()
    assert desk.told[1:] == [scores(2), ScoringEnded(0, 3 * SECOND, is_last=True)]


@pytest.mark.parametrize("n_frames", [0, 1])
def test_scoring_ends_with_the_timeline_where_nothing_is_open(n_frames: int) -> None:
    desk = Desk()
    for second in range(n_frames):
        desk.ask(second)
        desk.batcher.work()

    desk.asker.epoch_ended(EpochEnded(0, 5 * SECOND, is_last=False))

    assert desk.told[n_frames:] == [ScoringEnded(0, 5 * SECOND, is_last=False)]


def test_a_timeline_does_not_wait_for_the_one_before() -> None:
    desk = Desk(max_batch=1)
    desk.ask(90, epoch=0)
    desk.asker.epoch_ended(EpochEnded(0, 91 * SECOND, is_last=False))
    desk.ask(1, epoch=1)

    desk.ask(2, epoch=1)  # the stream's third: its first, of the epoch before, goes

    assert desk.told == [lost(90, OVERLOAD), ScoringEnded(0, 91 * SECOND, is_last=False)]
    desk.batcher.work()
    assert desk.told[2:] == [scores(1, epoch=1)]


ACTION = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([20, BAD])),
    st.tuples(st.just("advance"), st.sampled_from([TTL_S, HANG_S])),
    st.tuples(st.just("cut"), st.none()),
)
WORK = st.tuples(st.just("work"), st.lists(ACTION, max_size=5))


@given(script=st.lists(st.one_of(ACTION, WORK), max_size=40), max_batch=st.integers(1, 3))
def test_each_frame_is_told_of_once_in_the_order_of_time_and_then_the_end(
    script: list[tuple[str, Any]], max_batch: int
) -> None:
    """Whatever is asked and cut, and however time passes, before a run and while it goes on."""
    desk = Desk(max_batch=max_batch)
    asked: dict[int, list[int]] = {0: []}

    def act(action: tuple[str, Any]) -> None:
        match action:
            case ("ask", value):
                epoch = max(asked)
                asked[epoch].append(len(asked[epoch]))
                desk.ask(asked[epoch][-1], value, epoch=epoch)
            case ("advance", seconds):
                desk.clock.advance(seconds)
            case ("cut", _):
                desk.asker.epoch_ended(EpochEnded(max(asked), 0, is_last=False))
                asked[max(asked) + 1] = []
            case ("work", meanwhile):
                desk.classifier.during = doing(act, meanwhile)
                desk.batcher.work()
                desk.classifier.during = lambda: None

    for action in script:
        act(action)
    act(("cut", None))
    while desk.batcher._waiting:
        desk.batcher.work()

    del asked[max(asked)]
    for epoch, seconds in asked.items():
        told = [note for note in desk.told if note.epoch == epoch]
        assert isinstance(told.pop(), ScoringEnded)
        assert [note.pts_us // SECOND for note in told] == seconds
    kinds = Counter(type(note) for note in desk.told)
    assert kinds[ScoringEnded] == len(asked)
    assert kinds[Scores] == desk.counted("scored")
    assert kinds[NotScored] == desk.counted("not_scored")
