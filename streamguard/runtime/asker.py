"""Asks the model about one stream's frames, and knows which answers are still to come.

Rule: every question is answered once, with scores or with why there are none; a timeline's scoring
ends when it has ended and all its questions are answered.
"""

import threading
from collections import Counter
from collections.abc import Callable

from streamguard.core.model import Scores
from streamguard.core.ports import Clock, Meter
from streamguard.core.types import Frame, GapReason
from streamguard.runtime.batcher import Batcher, Question
from streamguard.runtime.notes import EpochEnded, Note, NotScored, ScoringEnded


class Asker:
    """One stream's side of the batcher; pool threads and the inference thread call it."""

    def __init__(
        self,
        batcher: Batcher,
        stream_id: str,
        tell: Callable[[Note], None],
        clock: Clock,
        meter: Meter,
        *,
        waits: bool,
    ) -> None:
        """tell: hands a note to the stream's mailbox. waits: files wait for the model."""
        self._batcher = batcher
        self._stream_id = stream_id
        self._tell = tell
        self._clock = clock
        self._meter = meter
        self._waits = waits
        self._lock = threading.Lock()
        self._outstanding: Counter[int] = Counter()
        self._ended: dict[int, EpochEnded] = {}

    def ask(self, frame: Frame) -> None:
        """Prepare a frame in the thread that decoded it, and ask for its scores."""
        packet = frame.packet
        start_s = self._clock.monotonic()
        picture = self._batcher.prepare(frame.rgb())
        now_s = self._clock.monotonic()
        self._meter.stage("prepare", now_s - start_s)
        with self._lock:
            self._outstanding[packet.epoch] += 1
        question = Question(
            stream_id=self._stream_id,
            epoch=packet.epoch,
            pts_us=packet.pts_us,
            read_at_s=packet.read_at_s,
            asked_at_s=now_s,
            picture=picture,
            waits=self._waits,
            answer=lambda answer: self._answered(packet.epoch, packet.pts_us, answer),
        )
        self._batcher.ask(question)

    def epoch_ended(self, note: EpochEnded) -> None:
        """Take note that no more questions about a timeline will come."""
        with self._lock:
            self._ended[note.epoch] = note
        self._end_if_done(note.epoch)

    def _answered(self, epoch: int, pts_us: int, answer: Scores | GapReason) -> None:
        is_scored = isinstance(answer, Scores)
        self._tell(answer if isinstance(answer, Scores) else NotScored(epoch, pts_us, answer))
        self._meter.scored(is_scored=is_scored)
        with self._lock:
            self._outstanding[epoch] -= 1
        self._end_if_done(epoch)

    def _end_if_done(self, epoch: int) -> None:
        with self._lock:
            if self._outstanding[epoch] or epoch not in self._ended:
                return
            ended = self._ended.pop(epoch)
            del self._outstanding[epoch]
        self._tell(ScoringEnded(ended.epoch, ended.last_us, ended.is_last))
