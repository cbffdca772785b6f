"""Has one stream's past looked through when something comes into the banks.

Rule: one look at a time, beside the judging of what is live.
"""

import asyncio

from streamguard.core.news import Recheck
from streamguard.core.session import Session
from streamguard.runtime.parts import Parts
from streamguard.runtime.ring import PacketRing
from streamguard.runtime.teller import Teller


class LookBack:
    """One stream's looks into its past; on the event loop."""

    def __init__(
        self,
        session: Session,
        ring: PacketRing,
        teller: Teller,
        parts: Parts,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._session = session
        self._ring = ring
        self._teller = teller
        self._parts = parts
        self._tasks = tasks
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look back where something has come into the banks; what comes meanwhile comes next."""
        if self._looking is not None and not self._looking.done():
            return
        recheck = self._session.recheck()
        if recheck is not None:
            self._looking = self._tasks.create_task(self._look(recheck))

    async def finish(self, patience_s: float) -> None:
        """Wait for a look that is under way, so long at most."""
        if self._looking is not None:
            await asyncio.wait([self._looking], timeout=patience_s)
            self._looking.cancel()

    async def _look(self, recheck: Recheck) -> None:
        found = await self._parts.rechecker.search(recheck)
        now_s = self._parts.clock.monotonic()
        judgement = self._session.rechecked(found, now_s, self._ring.holds)
        # as fresh as the entry: latencies of the live path are not to be mixed with the past
        await self._teller.apply(judgement, now_s)
