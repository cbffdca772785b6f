"""The deny list and the held streams, on disk and in memory.

Rule: what is in memory is what is on disk: it is changed after the file, by one task at a time, and
any thread may look at it; what somebody changes in the file by hand is seen within half a second. A
stream is kept out, or held, as long as one case has it so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import structlog

from streamguard.adapters.sqlite_actions import ActionStore, Hold, Kept
from streamguard.core.denials import Denial, DenyList, Kind
from streamguard.core.errors import LogUnavailable
from streamguard.runtime.stop import Stop

FOLLOW_S = 0.5
"""How often it is looked whether somebody changed the file by hand."""

log = structlog.get_logger()


class Book:
    """Both, over one store; methods that change something may raise LogUnavailable."""

    def __init__(self, store: ActionStore) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self.denied = DenyList(store.denials())
        """Who is kept out at this moment."""
        self._by_case = {(one.stream_id, one.case_id): one for one in store.holds()}
        self.held: Mapping[str, Hold] = {}
        """What is held at this moment, by stream: each in one place, for however many cases."""
        self._count()

    @property
    def holds(self) -> Sequence[Hold]:
        """Give the holds of all cases, and those that are ending."""
        return list(self._by_case.values())

    def hold_of(self, stream_id: str) -> Hold | None:
        """Say where a stream is held, or was until its publisher is back; None where nowhere."""
        mine = [one for one in self._by_case.values() if one.stream_id == stream_id]
        return self.held.get(stream_id) or next(iter(mine), None)

    async def note(
        self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None
    ) -> Kept:
        """Keep how far an action has come, and with it whom it keeps out or holds."""
        async with self._turn:
            await asyncio.to_thread(self._store.note, kept, denial, hold)
            if denial is not None:
                self.denied.add(denial)
            if hold is not None:
                self._by_case[hold.stream_id, hold.case_id] = hold
                self._count()
        return kept

    async def release(self, kept: Kept) -> Kept:
        """Let the case of a restore keep its stream from nobody."""
        stream_id, case_id = kept.order.stream_id, kept.order.case_id
        async with self._turn:
            await asyncio.to_thread(self._store.release, kept)
            for kind in get_args(Kind):
                self.denied.remove((stream_id, kind, case_id))
            hold = self._by_case.get((stream_id, case_id))
            if hold is not None:
                self._by_case[stream_id, case_id] = replace(hold, is_ending=True)
                self._count()
        return kept

    async def allow(self, denial: Denial) -> None:
        """Take an entry from the deny list, unless another one has its place by now."""
        async with self._turn:
            if self.denied.at(denial.place) is denial:
                await asyncio.to_thread(self._store.allow, denial.place)
                self.denied.remove(denial.place)

    async def let_go(self, stream_id: str, case_id: str) -> None:
        """Forget that a stream is held for a case, and whatever of it is ending."""
        async with self._turn:
            await asyncio.to_thread(self._store.let_go, stream_id, case_id)
            self._by_case = {
                place: one
                for place, one in self._by_case.items()
                if place != (stream_id, case_id)
                and not (one.is_ending and one.stream_id == stream_id)
            }
            self._count()

    async def forget_over(self, now_s: float) -> None:
        """Take entries from the list whose time has passed; now_s: seconds since 1970 UTC."""
        for denial in self.denied.over(now_s):
            await self.allow(denial)

    async def follow(self, stop: Stop) -> None:
        """See what somebody changes in the file by hand, until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except LogUnavailable as error:
                log.warning("deny_list_not_read", problem=str(error))
            await asyncio.sleep(FOLLOW_S)

    async def look(self) -> None:
        """Take over the deny list as the file has it, where somebody else has changed that."""
        async with self._turn:
            if not await asyncio.to_thread(self._store.is_changed):
                return
            there = {one.place: one for one in await asyncio.to_thread(self._store.denials)}
            for one in self.denied:
                if one.place not in there:
                    self.denied.remove(one.place)
            for place, one in there.items():
                if self.denied.at(place) != one:
                    self.denied.add(one)

    def _count(self) -> None:
        self.held = {one.stream_id: one for one in self._by_case.values() if not one.is_ending}
