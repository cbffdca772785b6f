"""Where each stream of a process stands, for whoever watches.

Rule: it is read, never asked to decide. No URL, key or hash is on it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streamguard.runtime.standing import Standing

StreamState = Literal["connecting", "screening", "away"]
"""`connecting`: nothing came yet; `screening`: packets come; `away`: they came, and stopped."""


@dataclass(frozen=True, slots=True)
class StreamBeat:
    """One stream at one moment.

    n_frames:     frames decoded in this process; what does not grow while packets come hangs.
    read_until_s: Clock.monotonic() when the newest packet was read, seconds; None before the first.
    lag_s:        how long the oldest packet that is not judged yet has waited, seconds.
    drift_s:      how far the connection has fallen behind the stream, seconds; 0 for a file.
    is_dense:     more than keyframes is decoded.
    problem:      what was wrong when the last try failed; "" where all is well.
    """

    stream_id: str
    state: StreamState
    session_id: str = ""
    epoch: int = 0
    n_packets: int = 0
    n_frames: int = 0
    read_until_s: float | None = None
    screened_us: int = 0
    gap_us: int = 0
    n_flags: int = 0
    lag_s: float = 0.0
    drift_s: float = 0.0
    is_dense: bool = False
    codec: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


class Board:
    """The streams of a process; on the event loop."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._problems: dict[str, str] = {}

    def began(self, stream_id: str, standing: "Standing") -> None:
        """Take note of a session that is to be screened."""
        self._standings[stream_id] = standing

    def failed(self, stream_id: str, problem: str) -> None:
        """Take note of why a try failed; an empty text where one went well."""
        self._problems[stream_id] = problem

    def left(self, stream_id: str) -> None:
        """Forget a stream."""
        self._standings.pop(stream_id, None)
        self._problems.pop(stream_id, None)

    def beats(self, now_s: float) -> list[StreamBeat]:
        """Say where each stream stands."""
        return [
            standing.beat(self._problems.get(stream_id, ""), now_s)
            for stream_id, standing in self._standings.items()
        ]
