"""Keeps out who came back: looks again and again at what is published, and ends what is denied.

An admission hook refuses them at the door, where there is one and while we are up; this finds those
who came in all the same.

Rule: a stream about which an action is under way is left to it.
"""

import asyncio
from collections.abc import Callable

import structlog

from streamguard.adapters.sqlite_actions import Hold
from streamguard.core.enforcing import as_before
from streamguard.core.errors import DiscoveryUnavailable, LogUnavailable
from streamguard.core.ports import Clock
from streamguard.core.published import Published
from streamguard.enforce.book import Book
from streamguard.enforce.broken import Broken
from streamguard.enforce.site import Site
from streamguard.ingest.control import OrderRefused
from streamguard.runtime.stop import Stop

HINT_SPACING_S = 0.1
"""However many come back at once, a server is not asked more often (our choice)."""

log = structlog.get_logger()


class Sweep:
    """The watch over one server; on the event loop."""

    def __init__(
        self, site: Site, book: Book, is_busy: Callable[[str], bool], clock: Clock
    ) -> None:
        """is_busy: says whether an action about a stream is under way."""
        self._site = site
        self._book = book
        self._is_busy = is_busy
        self._clock = clock
        self._hint = asyncio.Event()
        self.broken = Broken()
        self.problem: str | None = None
        """What keeps it from looking; None while it works."""
        self.n_returned = 0
        """Publishes that came back and were ended or moved."""

    @property
    def name(self) -> str:
        """Give the name of the server."""
        return self._site.name

    def look_now(self) -> None:
        """Look as soon as may be: somebody may have come back."""
        self._hint.set()

    async def run(self, stop: Stop, interval_s: float) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except (DiscoveryUnavailable, OrderRefused, LogUnavailable) as error:
                if self.problem != str(error):
                    log.warning("sweep_failed", server=self.name, problem=str(error))
                self.problem = str(error)
            except Exception as error:  # noqa: BLE001  # the next look may do, and all else goes on
                self.broken.note("sweep_broke", error, server=self.name)
                self.problem = f"server {self.name}: the sweep broke"
            else:
                self.problem = None
            await asyncio.sleep(HINT_SPACING_S)
            try:
                async with asyncio.timeout(interval_s):
                    await self._hint.wait()
            except TimeoutError:
                pass
            self._hint.clear()

    async def look(self) -> None:
        """Look once, where there is anybody to be kept out."""
        book = self._book
        await book.forget_over(self._clock.wall())
        moved = {one.moved_path: one.path for one in book.holds if one.server == self.name}
        if not book.denied and not moved:
            return
        for one in await self._site.list():
            stream_id = self._site.reading.stream_id(as_before(one, moved))
            if self._is_busy(stream_id):
                continue
            hold = book.held.get(
                stream_id
            )  # as it is by now: it may have been given back meanwhile
            if book.denied.find(stream_id, "publish", self._clock.wall()) is not None:
                await self._end(one, stream_id)
            elif hold is not None and one.key.path not in moved:
                await self._hold(one, stream_id, hold)

    async def _end(self, one: Published, stream_id: str) -> None:
        if await self._site.control.kick(one):
            self._note(stream_id, "kicked")

    async def _hold(self, one: Published, stream_id: str, hold: Hold) -> None:
        """Move who came back to where its stream is held; end it where that cannot be."""
        try:
            is_moved = await self._site.control.move(one, hold.name)
        except OrderRefused:
            is_moved = False
        if is_moved:
            self._note(stream_id, "moved")
        else:
            await self._end(one, stream_id)

    def _note(self, stream_id: str, what: str) -> None:
        self.n_returned += 1
        log.warning("publisher_came_back", server=self.name, stream_id=stream_id, done=what)
