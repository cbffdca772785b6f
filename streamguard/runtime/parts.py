"""What streams are screened with, and what they share.

Rule: values only; `app` fills them, `screen` uses them.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from streamguard.core.account import Account
from streamguard.core.banks import Banks
from streamguard.core.decision import Decision
from streamguard.core.hands import NO_HANDS, Hands
from streamguard.core.location import Location
from streamguard.core.policy import Policy
from streamguard.core.ports import Clock, Decoder, Meter
from streamguard.core.sampling import Sampling
from streamguard.core.timeline import Timeline
from streamguard.runtime.batcher import Batcher
from streamguard.runtime.board import Board
from streamguard.runtime.doors import Doors
from streamguard.runtime.evidence import EvidenceStore
from streamguard.runtime.feeder import Source
from streamguard.runtime.pool import DecodePool
from streamguard.runtime.rechecker import Rechecker
from streamguard.runtime.scheduler import Scheduler
from streamguard.runtime.writer import LogWriter

OpenLocation = Callable[[Location, Timeline], AbstractContextManager[Source]]
"""Opens a stream in the calling thread; raises a StreamguardError where that fails."""


class Hubs(Protocol):
    """Hears what was found on which stream."""

    def judged(self, stream_id: str, decisions: Iterable[Decision]) -> None:
        """Take note of what one sample of a stream matched."""
        ...


HLS_PATIENCE_S = 0.25
"""How long the reader of a segment waits for the judgement of each keyframe, which takes 20 ms: of
a segment of 6 s with three keyframes at most an eighth of its time, however busy the machine."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream to be screened.

    banks:  names of the banks that it is held against; None for all.
    policy: what counts on this stream; None for what counts on all.
    session_key: tells one publish from the next, by discovery; "" where only a lost connection
        tells that one has ended.
    before: the account that another process kept of this session; None for a new one.
    found_s: Clock.monotonic() since when a server lists this publish: from then on it is accounted
        for, whether or not it can be opened; None where nobody says that there is one.
    """

    stream_id: str
    location: Location
    sampling: Sampling
    banks: tuple[str, ...] | None = None
    policy: Policy | None = None
    session_key: str = ""
    before: Account | None = None
    found_s: float | None = field(default=None, compare=False)

    @property
    def patience_s(self) -> float:
        """Say how long the reader's thread waits for the judgement of a keyframe.

        HLS comes faster than it is shown: what follows a near miss would be read by the time that
        it is known to be one.
        """
        is_hasty = self.sampling is Sampling.AUTO and self.location.protocol == "hls"
        return HLS_PATIENCE_S if is_hasty else 0.0

    def held_against(self, banks: Banks) -> Banks:
        """Give those of all banks that this stream is held against."""
        return banks if self.banks is None else banks.only(self.banks)


@dataclass(frozen=True, slots=True)
class Parts:
    """What all streams of a process share.

    source: `/streamguard/<deployment>`, the source of every event.
    store:  None where no evidence is kept.
    batcher: the way to the model; None without one.
    hubs:    watches for entries that match too many streams; None where one stream is all.
    rechecker: looks for new bank entries in what was shown.
    scheduler: says how much of each stream is decoded.
    banks:  gives the newest snapshot; cheap, for every sample.
    mint:   gives fresh flag and session ids.
    keeps_accounts: another process may have to go on with these sessions.
    board:  shows where each stream stands.
    doors:  finds out when a server that was down is back.
    hands:  where threads leave word of the stream that they are at.
    """

    source: str
    open_location: OpenLocation
    banks: Callable[[], Banks]
    policy: Policy
    pool: DecodePool
    make_decoder: Callable[[], Decoder]
    writer: LogWriter
    store: EvidenceStore | None
    clock: Clock
    meter: Meter
    mint: Callable[[], UUID]
    rechecker: Rechecker
    scheduler: Scheduler
    batcher: Batcher | None = None
    hubs: Hubs | None = None
    keeps_accounts: bool = False
    board: Board = field(default_factory=Board)
    doors: Doors = field(default_factory=Doors)
    hands: Hands = NO_HANDS
