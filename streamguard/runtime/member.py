"""One worker process, as the supervisor knows it.

Rule: it hears and says; what follows from that is decided by the supervisor.
"""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from streamguard.core.crew import Trouble, Vitals
from streamguard.core.hands import LastWords
from streamguard.core.ports import Clock
from streamguard.core.schedule import Risk
from streamguard.runtime.board import StreamBeat
from streamguard.runtime.link import Link
from streamguard.runtime.stop import StopReason
from streamguard.runtime.wire import (
    Beat,
    Begin,
    Drain,
    Ready,
    Release,
    Stay,
    Take,
    ToSupervisor,
    ToWorker,
    Tune,
    WorkerPlan,
)

Phase = Literal["starting", "spare", "active", "leaving"]
"""`leaving`: it lets its streams go, and ends."""


class Process(Protocol):
    """A worker process that was started."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def wait(self, timeout_s: float) -> int | None:
        """Give how it ended, negative for a signal; None where it runs on; in any thread."""
        ...

    def kill(self) -> None:
        """End it now; harmless where it has ended."""
        ...

    def last_words(self) -> LastWords:
        """Say what it had in hand, once it has ended."""
        ...

    def close(self) -> None:
        """Let go of what it left."""
        ...


class Member:
    """A worker and what it holds; on the event loop."""

    def __init__(
        self, number: int, process: Process, link: Link[ToSupervisor], clock: Clock
    ) -> None:
        self.number = number
        self.process = process
        self._link = link
        self._clock = clock
        self._started_s = self._beat_s = self._decoded_s = clock.monotonic()
        self._n_frames = 0  # of all its streams, when it last told
        self._places: tuple[tuple[int, ...], ...] = ()
        self.phase: Phase = "starting"
        self.place: int | None = None
        """Which of the active workers it is, from 0; None before it is one."""
        self.left_s = 0.0
        """Clock.monotonic() since when it lets its streams go, seconds."""
        self.left_for: StopReason | None = None
        """Why it lets them go."""
        self.trouble: Trouble | None = None
        """Why it was given up; it has been told and counted."""
        self.is_killed = False
        """It was killed by us: the end of its link is on its way."""
        self.beat: Beat | None = None
        """Its last sign of life."""
        self.streams: dict[str, Take] = {}
        """What it was told to screen, and has not released."""
        self._risks: dict[str, Risk] = {}  # what it was told last
        self.n_pending = 0
        """Batches of it that are not committed yet."""

    @property
    def vitals(self) -> Vitals:
        """Say what is known of it."""
        beat = self.beat
        return Vitals(
            started_s=self._started_s,
            is_ready=self.phase != "starting",
            beat_s=self._beat_s,
            stuck_s=beat.stuck_s if beat else 0.0,
            rss_bytes=beat.rss_bytes if beat else 0,
            decoded_s=self._decoded_s,
            queue_age_s=beat.queue_age_s if beat else 0.0,
        )

    @property
    def is_active(self) -> bool:
        """Say whether it takes streams."""
        return self.phase == "active" and not self.is_killed

    @property
    def was_expected(self) -> bool:
        """Say whether its end follows from what we did."""
        return self.is_killed or self.phase == "leaving"

    async def messages(self) -> AsyncIterator[ToSupervisor]:
        """Give what it says, until it is gone; take note of its signs of life."""
        async for message in self._link.messages():
            self._beat_s = self._clock.monotonic()
            match message:
                case Beat():
                    self.beat = message
                    self._note_frames(sum(stream.n_frames for stream in message.streams))
                case Ready() if self.phase == "starting":
                    self.phase = "spare"
                case _:
                    pass
            yield message

    def _note_frames(self, n_frames: int) -> None:
        """Take note of the frames of all streams: a stream that left changes their sum, too."""
        if n_frames != self._n_frames:
            self._n_frames, self._decoded_s = n_frames, self._beat_s

    def begin(self, plan: WorkerPlan) -> None:
        """Tell it what it screens with."""
        self._places = plan.places
        self.say(Begin(plan))

    def work_at(self, place: int) -> None:
        """Let it take streams from now on, on the cores of that place."""
        self.phase, self.place = "active", place
        if self._places:
            self.say(Stay(self._places[place]))

    def take(self, message: Take) -> None:
        """Give it a stream."""
        self._risks.pop(message.stream_id, None)
        self.streams[message.stream_id] = message
        self.say(message)

    def tune(self, stream_id: str, risk: Risk) -> None:
        """Tell it what is known of the risk of a stream, where that is news."""
        if self._risks.get(stream_id, Risk()) != risk:
            self._risks[stream_id] = risk
            self.say(Tune(stream_id, risk))

    def release(self, stream_id: str, reason: StopReason) -> None:
        """Ask it to let a stream go."""
        self.say(Release(stream_id, reason))

    def drain(self, reason: StopReason) -> None:
        """Ask it to let all streams go, and to end."""
        self.phase, self.left_for = "leaving", reason
        self.left_s = self._clock.monotonic()
        self.say(Drain(reason))

    def kill(self) -> None:
        """End its process now."""
        self.is_killed = True
        self.process.kill()

    def say(self, message: ToWorker) -> None:
        """Send a message."""
        self._link.send(message)

    def beats(self) -> dict[str, StreamBeat]:
        """Give where its streams stood at its last sign of life."""
        return {beat.stream_id: beat for beat in self.beat.streams} if self.beat else {}

    def close(self) -> None:
        """End the link."""
        self._link.close()
