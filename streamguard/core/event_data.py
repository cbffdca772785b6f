"""What an event says of a flag.

Rule: every text is bounded and on one line, so that no event reaches 64 KiB; none holds a bank
hash, a source URL or a key. Media times are integer milliseconds of one epoch's unwrapped timeline.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamguard.core.event_values import Count, Name, PtsMs, UtcTime, Uuid, Value
from streamguard.core.location import Protocol
from streamguard.core.signal_data import Signal
from streamguard.core.types import MAX_SIGNALS, CloseReason, Severity

EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def utc_text(time_s: float) -> str:
    """Write an instant, seconds since 1970 UTC, as the wire wants it: to the millisecond."""
    instant = EPOCH_START + timedelta(milliseconds=round(time_s * 1000))
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_seconds(text: str) -> float:
    """Read an instant that `utc_text` wrote; seconds since 1970 UTC."""
    return (datetime.fromisoformat(text) - EPOCH_START).total_seconds()


def floor_ms(pts_us: int) -> int:
    """Give the millisecond at or before a media time: where a span starts on the wire."""
    return pts_us // 1000


def ceil_ms(pts_us: int) -> int:
    """Give the millisecond at or after a media time, so that no span is shorter than the truth."""
    return -(-pts_us // 1000)


class StreamRef(Value):
    """Which stream, and which unbroken timeline of it."""

    stream_id: Name
    """Catalogue id of the livestream; never its URL or its key."""
    session_id: Name
    """One publish of the stream; it survives reconnects."""
    epoch: Count
    """Counts the unbroken timelines of the session, from 0; media times compare within one."""
    protocol: Protocol
    """How the stream was read."""
    publish: Name | None = None
    """Which publish the ingest server called it, without telling its path: another publisher of the
    same stream has another; absent where no server was asked."""


class Span(Value):
    """A stretch of one epoch, by media time and by the clock."""

    start_pts_ms: PtsMs
    """First media time, milliseconds, rounded down."""
    end_pts_ms: PtsMs
    """Last media time, milliseconds, rounded up."""
    start_time: UtcTime
    """Instant of the start: of ingest, unless the event names another clock."""
    end_time: UtcTime
    """Instant of the end, by the same clock."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.start_pts_ms > self.end_pts_ms:
            raise ValueError("the span ends before it starts")
        return self


class Window(Span):
    """The positive samples of a flag, from the first to the last."""

    n_samples: Count
    """Samples that matched within the window."""


class FlagClock(Value):
    """Whose clock the instants of the window are of."""

    basis: Literal["ingest"]
    """`ingest`: the instant at which the packet was read here."""


class FlagPolicy(Value):
    """Which rule the content may break."""

    code: Name
    """Policy code of the bank entry."""
    severity: Severity
    """P0 is an attack in progress, P3 can wait for a shift."""


MAX_STILLS = 4
"""Pictures that are kept of a flag."""


class Artifact(Value):
    """One stored piece of evidence, by reference."""

    uri: Annotated[
        str, Field(max_length=1024, pattern="^[a-z][a-z0-9+.-]*:[^?#@\\x00-\\x20\\x7f]+$")
    ]
    """Where it is stored; without query and user name, which could be a key."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of its bytes, lower-case hex."""
    size_bytes: Count
    """Its length, bytes."""


class Evidence(Value):
    """What a reviewer can look at."""

    state: Literal["pending", "ready", "unavailable", "off"]
    """`pending`: an update follows; `unavailable`: could not be made; `off`: by configuration."""
    clip: Artifact | None = None
    """The video around the flag, as it was published."""
    still: Artifact | None = None
    """One picture of it."""
    blurhash: Annotated[str, Field(pattern="^[!-~]{6,166}$")] | None = None
    """A BlurHash of the still, to show before a person chooses to see."""
    other_stills: Annotated[tuple[Artifact, ...], Field(max_length=MAX_STILLS - 1)] | None = None
    """Pictures of weaker hits, oldest first; `still` is of the strongest one."""
    n_clip_files: Annotated[int, Field(ge=1)] | None = None
    """Files of about a minute that the clip has so far; `clip` is the first, `manifest` names
    them all."""
    is_growing: Literal[True] | None = None
    """More of the clip follows; it can be watched while it grows."""
    manifest: Artifact | None = None
    """Signed list of all that is kept as evidence of this flag so far, with its hashes."""

    @model_validator(mode="after")
    def _ready_shows_something(self) -> Self:
        if self.state == "ready" and self.clip is None and self.still is None:
            raise ValueError("ready evidence needs a clip or a still")
        return self


class Latency(Value):
    """How long the flag took."""

    ingest_to_decision: Annotated[float, Field(ge=0.0)]
    """From the reading of the packet to the decision that opened the flag, milliseconds."""


class Safety(Value):
    """What may follow from a flag."""

    human_required: Literal[True]
    """A machine finds, a human decides."""


class FlagData(Value):
    """A span of one session that may break a policy, for a human to judge."""

    flag_id: Uuid
    """Minted once, when the flag opens."""
    revision: Count
    """0 when the flag opens; each event of the flag adds one."""
    state: Literal["open", "updated", "closed"]
    """`updated`: it is still open and something about it is new."""
    close_reason: CloseReason | None = None
    """Why no more decisions will come for it; present when it is closed."""
    stream: StreamRef
    window: Window
    clock: FlagClock
    policy: FlagPolicy
    signals: Annotated[tuple[Signal, ...], Field(min_length=1, max_length=MAX_SIGNALS)]
    """The reasons, strongest first."""
    evidence: Evidence
    latency_ms: Latency
    safety: Safety
    is_rescreened: Literal[True] | None = None
    """It was shown before its entry came into the bank, and found in what was remembered."""

    @model_validator(mode="after")
    def _closed_says_why(self) -> Self:
        if (self.state == "closed") != (self.close_reason is not None):
            raise ValueError("close_reason belongs to a closed flag, and only there")
        return self
