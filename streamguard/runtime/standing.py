"""How far one session has come, for the log and for whoever watches.

Rule: it is read on the event loop and changes nothing.
"""

import math

from streamguard.core.account import Account
from streamguard.core.sampling import Sampler
from streamguard.core.session import Session
from streamguard.core.types import Codec, Sample
from streamguard.runtime.board import StreamBeat, StreamState
from streamguard.runtime.feeder import Feeder
from streamguard.runtime.lane import Lane
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import Note

KEEP_EVERY_S = 0.2
"""How often the log hears of it at most. Where no sample comes that is every 0.4 s, the tick of a
screen, and after one that came too early 0.6 s: what is published of a process that died is at most
that, and the way to the log, longer than the truth."""


class Standing:
    """The account of one session, across its connections."""

    def __init__(
        self,
        session: Session,
        lane: Lane,
        mailbox: Mailbox[Sample, Note],
        sampler: Sampler,
    ) -> None:
        self._session = session
        self._lane = lane
        self._mailbox = mailbox
        self._sampler = sampler
        self._kept_s = 0.0
        self._n_flags_kept = 0
        self._n_before = 0
        self._read_until_s = math.inf  # of the connection before
        self.feeder: Feeder | None = None
        """Who reads; None between connections."""
        self.codec = Codec("", b"", 0, 0)
        """What is read."""

    @property
    def n_packets(self) -> int:
        """Count the packets that came."""
        return self._n_before + (self.feeder.n_packets if self.feeder else 0)

    @property
    def n_dropped(self) -> int:
        """Count the packets and samples that were lost before judgement."""
        return self._lane.n_dropped + self._mailbox.n_dropped

    def parted(self, n_packets: int) -> None:
        """Take note that a connection ended, after so many packets."""
        self._n_before += n_packets
        if self.feeder and self.feeder.read_until_s is not None:
            self._read_until_s = self.feeder.read_until_s
        self.feeder = None

    def due(self, now_s: float, *, at_once: bool = False) -> Account | None:
        """Give the account where the log should hear of it again."""
        has_flagged = self._session.n_flags != self._n_flags_kept
        if now_s - self._kept_s < KEEP_EVERY_S and not (at_once or has_flagged):
            return None
        self._kept_s, self._n_flags_kept = now_s, self._session.n_flags
        return self.account()

    def account(self) -> Account:
        """Say how far the session has come."""
        newest, read_until_s = None, self._read_until_s
        if self.feeder and self.feeder.read_until_s is not None:
            newest, read_until_s = self.feeder.newest, self.feeder.read_until_s
        is_current = newest is not None and newest[0] == self._session.epoch
        newest_us = newest[1] if newest and is_current else self._session.newest_us
        return self._session.account((newest_us, read_until_s), self.n_packets, self.n_dropped)

    def beat(self, problem: str, now_s: float) -> StreamBeat:
        """Say where the stream stands; `problem` is what the last try failed of."""
        account, feeder = self.account(), self.feeder
        oldest_s = self._lane.oldest_s()
        return StreamBeat(
            stream_id=self._session.stream_id,
            state=self._state(),
            session_id=account.session_id,
            epoch=account.epoch,
            n_packets=account.n_packets,
            n_frames=self._lane.n_frames,
            read_until_s=feeder.read_until_s if feeder else None,
            screened_us=account.screened_us,
            gap_us=account.gap_us,
            n_flags=account.n_flags,
            lag_s=0.0 if oldest_s is None else max(0.0, now_s - oldest_s),
            drift_s=feeder.drift.behind_s if feeder else 0.0,
            is_dense=not self._sampler.wants_keyframes_alone,
            codec=self.codec.name,
            width=self.codec.width,
            height=self.codec.height,
            problem=problem,
        )

    def _state(self) -> StreamState:
        if self.feeder and self.feeder.newest:
            return "screening"
        return "away" if self.n_packets else "connecting"
