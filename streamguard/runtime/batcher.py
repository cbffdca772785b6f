"""The one way of a picture to the model: bounded, batched, fair, and never silent.

Rule: a picture that is not scored is told of, with the reason. The model waits for nobody, nobody
waits for the model: hashes go their own way.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from streamguard.core.batching import WINDOW_S, earliest, padded, sizes_up_to
from streamguard.core.errors import ModelError
from streamguard.core.model import ModelSpec, Picture, Scores
from streamguard.core.ports import Clock, Meter
from streamguard.core.types import GapReason

MAX_WAITING = 64
"""Pictures that wait for the model; the oldest goes when another comes."""

MAX_PER_STREAM = 2
"""Pictures of one stream that wait, so that a batch holds no more of it either: a stream that is
sampled densely must not crowd out others."""

TTL_S = 2.0
"""A picture that was read so long ago comes too late: the next one says more."""

HANG_S = 10.0
"""A run that takes so long hangs; the model counts as broken until it returns."""

log = structlog.get_logger()


class Classifier(Protocol):
    """A loaded model.

    provider:   what really runs it.
    best_batch: pictures of one run that pay there.
    """

    spec: ModelSpec
    provider: str
    best_batch: int

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Make the model's input of a picture; any thread."""
        ...

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Score prepared pictures, (N, labels) float32; raises ModelError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One picture for the model, and who wants to know.

    waits:  a file has time; a live picture that comes too late is given up.
    answer: called once, in any thread: with scores, or with why there are none. One stream's calls
            may come out of order.
    """

    stream_id: str
    epoch: int
    pts_us: int
    read_at_s: float
    asked_at_s: float
    picture: NDArray[np.uint8]
    waits: bool
    answer: Callable[[Scores | GapReason], None]


class Batcher:
    """The inference thread and its queue; a context manager."""

    def __init__(
        self,
        classifier: Classifier,
        max_batch: int,
        clock: Clock,
        meter: Meter,
        *,
        hang_s: float = HANG_S,
    ) -> None:
        """max_batch: pictures of one run; 1 is fastest on a CPU, more pay on a GPU."""
        self._classifier = classifier
        self._sizes = sizes_up_to(max_batch)
        self._clock = clock
        self._meter = meter
        self.hang_s = hang_s
        """A run that takes so long hangs, seconds."""
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._in_flight: list[Question] = []
        self._running_since_s: float | None = None
        self._is_abandoned = False  # the run that goes on: its questions were answered without it
        self.problem: str | None = None
        """What was wrong when the model last answered, or did not; None while it answers well."""
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def warm(self) -> None:
        """Prepare the model for each size of batch, before it starts; what it refuses is out."""
        box = self.spec.input
        picture = np.zeros((box.height, box.width, 3), np.uint8)
        for index, size in enumerate(self._sizes):
            try:
                self._classifier.run([picture] * size)
            except ModelError as error:
                if index == 0:
                    self._tell_problem(str(error))
                else:
                    log.warning("model_batch_refused", model=self.spec.name, size=size)
                    self._sizes = self._sizes[:index]
                return

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self._classifier.spec

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            patience_s = 0.0 if self._is_abandoned else self.hang_s
        self._thread.join(patience_s)
        with self._changed:
            lost = self._abandon()
        for question in lost:
            question.answer(GapReason.INTERRUPTED)

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Make the model's input of a picture, in the thread that decoded it."""
        return self._classifier.prepare(picture)

    def ask(self, question: Question) -> None:
        """Queue a picture; any thread. A file's waits for its turn, a live stream's never."""
        with self._changed:
            answers = self._abandon_if_hanging()
            while question.waits and self._must_wait():
                self._changed.wait(self.hang_s)
                answers += self._abandon_if_hanging()
            if self._is_stopping:
                answers.append((question, GapReason.INTERRUPTED))
            elif self._is_abandoned:
                answers.append((question, GapReason.MODEL_ERROR))
            else:
                answers += [(gone, GapReason.OVERLOAD) for gone in self._make_room(question)]
                self._waiting.append(question)
                self._changed.notify_all()
        for answered, reason in answers:
            answered.answer(reason)

    def age_s(self) -> float:
        """Seconds that the oldest picture has waited; 0 when none waits."""
        with self._changed:
            oldest_s = self._waiting[0].asked_at_s if self._waiting else None
        return 0.0 if oldest_s is None else self._clock.monotonic() - oldest_s

    def is_healthy(self) -> bool:
        """Say whether the model answers, and answers well; a run that goes on may yet."""
        with self._changed:
            return self.problem is None and not self._is_hanging()

    def work(self) -> None:
        """Answer the oldest questions; the inference thread."""
        with self._changed:
            batch, stale = self._take_batch()
            self._changed.notify_all()
            self._in_flight = batch
            self._running_since_s = self._clock.monotonic()
        for question in stale:
            self._meter.dropped("stale")
            question.answer(GapReason.OVERLOAD)
        answers = self._answers(batch)
        with self._changed:
            is_wanted = not self._is_abandoned
            self._is_abandoned = False
            self._running_since_s = None
            self._in_flight = []
        if is_wanted:
            for question, answer in zip(batch, answers, strict=True):
                question.answer(answer)

    def _run(self) -> None:
        while self._has_work():
            self.work()

    def _has_work(self) -> bool:
        """Wait for a question, and a moment for more of them; False when it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            if self._sizes[-1] > 1:
                self._changed.wait_for(self._need_not_wait, WINDOW_S)
            return not self._is_stopping

    def _need_not_wait(self) -> bool:
        return len(self._waiting) >= self._sizes[-1] or self._is_stopping

    def _must_wait(self) -> bool:
        """Say whether a file has to wait: its hashes are judged by the thread that asks."""
        is_full = len(self._waiting) >= MAX_WAITING
        return is_full and not (self._is_abandoned or self._is_stopping)

    def _make_room(self, question: Question) -> list[Question]:
        """Take out what must go for a picture of a live stream; what waits for its turn stays."""
        live = [other for other in self._waiting if not other.waits]
        own = [other for other in live if other.stream_id == question.stream_id]
        gone = own[: max(0, len(own) + 1 - MAX_PER_STREAM)]
        if not gone and len(self._waiting) >= MAX_WAITING:
            gone = live[:1]
        for other in gone:
            self._waiting.remove(other)
            self._meter.dropped("model_full")
        return gone

    def _is_hanging(self) -> bool:
        since_s = self._running_since_s
        return since_s is not None and self._clock.monotonic() - since_s >= self.hang_s

    def _abandon_if_hanging(self) -> list[tuple[Question, GapReason]]:
        """Give up a run that hangs, and all that waits for it."""
        if self._is_abandoned or not self._is_hanging():
            return []
        self._tell_problem("a run hangs")
        return [(question, GapReason.MODEL_ERROR) for question in self._abandon()]

    def _abandon(self) -> list[Question]:
        """Take back all questions that are not answered; what a run says of them comes too late."""
        lost = [*self._in_flight, *self._waiting]
        self._is_abandoned = self._running_since_s is not None
        self._in_flight = []
        self._waiting.clear()
        return lost

    def _take_batch(self) -> tuple[list[Question], list[Question]]:
        """Take the most urgent pictures, and apart from them those that come too late."""
        late_s = self._clock.monotonic() - TTL_S
        waiting = tuple(self._waiting)
        batch: list[Question] = []
        stale: list[Question] = []
        for place in earliest([question.read_at_s for question in waiting]):  # and all live as long
            if len(batch) == self._sizes[-1]:
                break
            question = waiting[place]
            is_fresh = question.waits or question.read_at_s >= late_s
            (batch if is_fresh else stale).append(question)
            self._waiting.remove(question)
        return batch, stale

    def _answers(self, batch: Sequence[Question]) -> list[Scores | GapReason]:
        """Score a batch; where that fails, each picture by itself, so that one spoils no other."""
        if not batch:
            return []
        start_s = self._clock.monotonic()
        try:
            rows = self._classifier.run(padded([one.picture for one in batch], self._sizes))
        except ModelError as error:
            if len(batch) > 1:
                return [answer for question in batch for answer in self._answers([question])]
            self._tell_problem(str(error))
            return [GapReason.MODEL_ERROR]
        self._meter.stage("model", self._clock.monotonic() - start_s)
        if self.problem is not None:
            log.info("model_recovered", model=self.spec.name)
        self.problem = None
        return [self._scores(question, row) for question, row in zip(batch, rows, strict=False)]

    def _scores(self, question: Question, row: NDArray[np.float32]) -> Scores:
        spec = self.spec
        by_label = dict(zip(spec.labels, row.tolist(), strict=True))
        by_category = {name: by_label.pop(label) for label, name in spec.categories.items()}
        return Scores(question.epoch, question.pts_us, question.read_at_s, by_category, by_label)

    def _tell_problem(self, problem: str) -> None:
        if self.problem is None:
            log.error("model_failed", model=self.spec.name, problem=problem)
        self.problem = problem
