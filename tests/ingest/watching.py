"""Watches an ingest server in tests: waits for what it lists, never by the clock."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.published import Broadcast, Published
from streamguard.ingest.provider import Provider
from streamguard.ingest.watch import ServerWatch, Watched
from tests.ingest.fakes import stream

DEADLINE_S = 30.0
INTERVAL_S = 0.2


class Watching:
    """A server that is watched while somebody waits."""

    def __init__(self, runner: asyncio.Runner, provider: Provider) -> None:
        self._runner = runner
        self._changed = asyncio.Event()
        watched = Watched(provider, stream, interval_s=INTERVAL_S)
        self.watch = ServerWatch(watched, SystemClock(), self._changed.set)

    def snapshot(self) -> list[Published]:
        """Ask once, and give all that is published."""
        provider = self.watch.watched.provider
        return list(self._runner.run(provider.snapshot()).values())

    def look(self) -> tuple[Broadcast, ...]:
        """Ask once."""
        self._runner.run(self.watch.look())
        return self.watch.listed.broadcasts

    def until(self, is_wanted: Callable[[tuple[Broadcast, ...]], bool]) -> tuple[Broadcast, ...]:
        """Ask until what is listed is as wanted."""
        return self._runner.run(self._until(is_wanted))

    async def _until(
        self, is_wanted: Callable[[tuple[Broadcast, ...]], bool]
    ) -> tuple[Broadcast, ...]:
        asking = asyncio.create_task(self.watch.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not is_wanted(self.watch.listed.broadcasts):
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return self.watch.listed.broadcasts


@contextmanager
def watching(provider: Provider) -> Iterator[Watching]:
    """Watch a server; ask it only when told to."""
    with asyncio.Runner() as runner:
        try:
            yield Watching(runner, provider)
        finally:
            runner.run(provider.close())
