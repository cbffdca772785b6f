"""What stands in for ingest servers in tests of the registry.

Rule: it does what a Provider promises, nothing more.
"""

import asyncio
from collections.abc import Mapping

from streamguard.core.errors import DiscoveryUnavailable
from streamguard.core.location import Location
from streamguard.core.published import Published, SessionKey
from streamguard.core.sampling import Sampling
from streamguard.runtime.parts import Stream


def published(path: str, publisher: str = "1", server: str = "edge") -> Published:
    place = Location("rtmp", f"rtmp://ingest/{path}", "rtmp source at ingest")
    return Published(SessionKey(server, path, publisher), place)


def stream(stream_id: str, location: Location, session_key: str = "") -> Stream:
    return Stream(stream_id, location, Sampling.AUTO, session_key=session_key)


class FakeProvider:
    """Lists what it was told to; `problem` makes it fail."""

    def __init__(self, name: str = "edge") -> None:
        self.name = name
        self.listed: list[Published] = []
        self.problem: str | None = None
        self.n_asked = 0
        self.asked = asyncio.Event()
        self.is_closed = False

    async def snapshot(self) -> Mapping[SessionKey, Published]:
        self.n_asked += 1
        self.asked.set()
        if self.problem is not None:
            raise DiscoveryUnavailable(self.problem)
        return {one.key: one for one in self.listed}

    async def close(self) -> None:
        self.is_closed = True
