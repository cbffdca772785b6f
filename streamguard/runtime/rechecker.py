"""Holds new bank entries against what the streams of a process have shown: in a thread, one by one.

Rule: live samples go first: one thread, one stream at a time. What many streams have to look for is
put together once.
"""

import asyncio
from collections.abc import Hashable

from streamguard.core.banks import Banks
from streamguard.core.news import Recheck
from streamguard.core.recheck import Found, new_entries, search


class Rechecker:
    """Shared by all streams of a process; on the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)
        self._newest: tuple[Hashable, Banks] | None = None  # the entries looked for last

    async def search(self, recheck: Recheck) -> Found:
        """Look for what is new in the past of one stream."""
        async with self._turn:
            return await asyncio.to_thread(self._search, recheck)

    def _search(self, recheck: Recheck) -> Found:
        what = (recheck.banks.names, recheck.banks.revision, frozenset(recheck.news))
        if self._newest is None or self._newest[0] != what:
            self._newest = (what, new_entries(recheck))
        return search(recheck, self._newest[1])
