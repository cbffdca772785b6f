"""Settles in the log what dead processes left behind.

Rule: what is settled is committed before anybody goes on with a stream.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from streamguard.core.account import Account
from streamguard.core.coverage_data import GapData
from streamguard.core.event_data import Evidence, FlagData
from streamguard.core.events import Event
from streamguard.core.ports import Clock, Meter
from streamguard.core.settling import Kept, LeftOver, Now, closing, ending, gap_until
from streamguard.core.types import GapReason
from streamguard.runtime.writer import LogWriter

EvidenceNow = Callable[[str, Evidence], Evidence]


class LeftOvers(Protocol):
    """Where what has no end is kept."""

    def left_over(self) -> LeftOver:
        """Give the flags that never closed, and the sessions that never ended."""
        ...


class Settler:
    """Closes orphaned flags, publishes what nobody saw; on the event loop."""

    def __init__(
        self,
        kept: LeftOvers,
        writer: LogWriter,
        source: str,
        clock: Clock,
        meter: Meter,
        evidence_now: EvidenceNow = lambda _, told: told,
    ) -> None:
        """evidence_now: says what there is of a flag's evidence, of which it is told; blocks."""
        self._kept = kept
        self._writer = writer
        self._source = source
        self._clock = clock
        self._meter = meter
        self._evidence_now = evidence_now

    async def settle(self, stream_ids: Collection[str] | None = None) -> dict[str, Account]:
        """Settle these streams, or all; give the accounts of their sessions, by stream."""
        await self._writer.settled()  # a process may have died with flags on their way to the log
        left = await asyncio.to_thread(self._kept.left_over)
        now = self._now()
        events, accounts = [], {}
        for flag in left.flags:
            event = closing(flag, now)
            if stream_ids is None or event.partitionkey in stream_ids:
                events.append(await asyncio.to_thread(self._with_evidence, event))
        for kept in left.sessions:
            if stream_ids is not None and kept.account.stream_id not in stream_ids:
                continue
            gaps, account = self._gap(kept, now, GapReason.INTERRUPTED)
            events += gaps
            accounts[account.stream_id] = account
        await self._writer.commit(events, tuple(accounts.values()))
        return accounts

    def _with_evidence(self, event: Event) -> Event:
        """Let a flag that closes tell of what was collected when its process died."""
        data = event.data
        assert isinstance(data, FlagData)  # noqa: S101  # it closes a flag
        evidence = self._evidence_now(data.flag_id, data.evidence)
        return event.model_copy(update={"data": data.model_copy(update={"evidence": evidence})})

    async def left_out(self, account: Account, reason: GapReason) -> Account:
        """Publish that nobody saw a session since it was accounted for; give its account."""
        gaps, account = self._gap(Kept(account), self._now(), reason)
        await self._writer.commit(gaps, (account,))
        return account

    async def end(self, account: Account, reason: str) -> None:
        """End a session that nobody goes on with."""
        await self._writer.commit([ending(account, self._source, reason, self._now())])

    def _gap(self, kept: Kept, now: Now, reason: GapReason) -> tuple[list[Event], Account]:
        """Tell of a stretch that nobody saw, and count it."""
        gaps, account = gap_until(kept, self._source, now, reason)
        for gap in gaps:
            assert isinstance(gap.data, GapData)  # noqa: S101  # as it is called
            self._meter.gap(gap.data.detector, gap.data.reason, gap.data.length_s)
        return gaps, account

    def _now(self) -> Now:
        return Now(self._clock.monotonic(), self._clock.wall())
