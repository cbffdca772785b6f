"""The roles that the world plays for the core: what an adapter must do, and nothing more.

Rule: a Protocol here has one real adapter at least; every implementation, fakes included, passes
the same contract tests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from streamguard.core.account import Account
from streamguard.core.evasion import Evasion
from streamguard.core.events import Event
from streamguard.core.record import Row
from streamguard.core.sampling import Level
from streamguard.core.schedule import Shed
from streamguard.core.types import Codec, Detector, Frame, GapReason, Packet, Severity

Stage = Literal["queue", "decode", "hash", "mailbox", "match", "commit", "prepare", "model"]
"""The stretches between reading a packet and having its flag committed."""

DropReason = Literal["lane_full", "mailbox_full", "decode_error", "stopped", "model_full", "stale"]
"""Where a packet or sample that should have been screened was lost."""


class Clock(Protocol):
    """Where time comes from; tests turn its hands."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps; the same for all processes of this host."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 UTC, for the wire only."""
        ...


class InOrder(Protocol):
    """Decodes one stream's packets in order; one thread at a time."""

    def feed(self, packet: Packet) -> Sequence[Frame]:
        """Decode a packet after its predecessors; frames come in the order of presentation.

        Raises:
            SourceCorrupt: the packet cannot be decoded; its successors may.
        """
        ...

    def finish(self) -> Sequence[Frame]:
        """Give the frames that are held back, and forget all; the next packet is a keyframe."""
        ...


class Decoder(Protocol):
    """The decoders of one pool thread."""

    def keyframe(self, codec: Codec, packet: Packet) -> Frame:
        """Decode a keyframe alone, keeping nothing of it.

        Raises:
            SourceCorrupt: the packet cannot be decoded.
        """
        ...

    def in_order(self, codec: Codec) -> InOrder:
        """Open a decoder for one stream's packets in order."""
        ...


class EventLog(Protocol):
    """The durable, ordered record of events; a flag exists when it is in here."""

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        """Commit events durably and in order, all or none; an id seen before is ignored.

        accounts: how far sessions have come with these events; kept where a process can end and
            another can go on.

        Raises:
            LogUnavailable: nothing of this batch was committed; what was there before stands.
        """
        ...


class Meter(Protocol):
    """Counts and times what happens; label values are closed sets, never a stream."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """Time one stretch of the way of a frame."""
        ...

    def sampled(self, *, is_judged: bool) -> None:
        """Count a sample that was held against the banks, or could not be."""
        ...

    def vetoed(self, count: int) -> None:
        """Count views that a negative bank silenced although something known was near."""
        ...

    def shadow_matched(self) -> None:
        """Count an entry in shadow that began to match: no flag, by its limits."""
        ...

    def scored(self, *, is_scored: bool) -> None:
        """Count a sample that the model scored, or did not."""
        ...

    def came_up(self, seconds: float) -> None:
        """Time a publish from when its server listed it to its first frame that was looked at."""
        ...

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Count packets or samples that were lost."""
        ...

    def gap(self, detector: Detector, reason: GapReason, seconds: float) -> None:
        """Count media seconds that a detector did not screen."""
        ...

    def screened(self, seconds: float) -> None:
        """Count media seconds that were screened."""
        ...

    def flagged(self, severity: Severity, ingest_to_flag_s: float) -> None:
        """Count a committed flag; seconds from the reading of its packet to its commit."""
        ...

    def evidence(self, *, is_stored: bool) -> None:
        """Count a clip and still that were stored, or failed."""
        ...

    def connected(self, change: int) -> None:
        """Count a connection that stands (1), or stands no more (-1)."""
        ...

    def evaded(self, kind: Evasion) -> None:
        """Count a stream whose keyframes began to hide what lies between them."""
        ...

    def scheduled(self, n_streams: Mapping[Level, int], shed: Shed) -> None:
        """Show how many streams have each level, and what is left out under overload."""
        ...

    def reconnected(self, reason: str) -> None:
        """Count a new try at a source; the reason is an error's closed-set `reason`."""
        ...


class Exporter(Meter, Protocol):
    """A Meter that also shows what is read only when somebody looks."""

    def describe_model(self, name: str, version: str, provider: str) -> None:
        """Show which model runs, and on what."""
        ...

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a value by this name; `value` may be called in any thread."""
        ...
