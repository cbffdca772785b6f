"""Asks the model about one stream's frames, and tells the answers in the order of time.

Rule: every question is answered once, with scores or with why there are none; a timeline's scoring
ends when it has ended and all its questions are answered.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streamguard.core.model import Scores
from streamguard.core.ports import Clock, Meter
from streamguard.core.types import Frame, GapReason, Packet
from streamguard.runtime.batcher import Batcher, Question
from streamguard.runtime.notes import Answer, EpochEnded, Note, NotScored, ScoringEnded


@dataclass(slots=True)
class _Asked:
    """A frame that was asked about; its answer waits for those of the frames before it."""

    answer: Answer | None = None


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
        self._asked: dict[int, deque[_Asked]] = {}  # by epoch, in the order of time
        self._ended: dict[int, EpochEnded] = {}

    def ask(self, frame: Frame) -> None:
        """Prepare a frame in the thread that decoded it, and ask for its scores."""
        packet = frame.packet
        start_s = self._clock.monotonic()
        picture = self._batcher.prepare(frame.rgb())
        now_s = self._clock.monotonic()
        self._meter.stage("prepare", now_s - start_s)
        asked = _Asked()
        with self._lock:
            self._asked.setdefault(packet.epoch, deque()).append(asked)

        question = Question(
            stream_id=self._stream_id,
            epoch=packet.epoch,
            pts_us=packet.pts_us,
            read_at_s=packet.read_at_s,
            asked_at_s=now_s,
            picture=picture,
            waits=self._waits,
            answer=lambda answer: self._answered(packet, asked, answer),
        )
        self._batcher.ask(question)

    def epoch_ended(self, note: EpochEnded) -> None:
        """Take note that no more questions about a timeline will come."""
        with self._lock:
            self._ended[note.epoch] = note
            self._tell_what_is_due(note.epoch)

    def _answered(self, packet: Packet, asked: _Asked, answer: Scores | GapReason) -> None:
        epoch = packet.epoch
        note = answer if isinstance(answer, Scores) else NotScored(epoch, packet.pts_us, answer)
        self._meter.scored(is_scored=isinstance(note, Scores))
        with self._lock:
            asked.answer = note
            self._tell_what_is_due(epoch)

    def _tell_what_is_due(self, epoch: int) -> None:
        """Tell each answer that waits for none before it, and the end after the last."""
        waiting = self._asked.get(epoch, deque())
        while waiting and (answer := waiting[0].answer) is not None:
            waiting.popleft()
            self._tell(answer)
        if not waiting and epoch in self._ended:
            ended = self._ended.pop(epoch)
            self._asked.pop(epoch, None)
            self._tell(ScoringEnded(ended.epoch, ended.last_us, ended.is_last))
