"""Finds out when a server that was down takes connections again.

Rule: one question a second to each server, however many streams wait for it; only a server that
refused is asked, for what a server in good health does not give, asking does not bring.
"""

import asyncio
from collections import defaultdict
from urllib.parse import urlsplit

from streamguard.core.location import Location

ASK_EVERY_S = 1.0
"""Half of what may pass from a server's return to our trying it again."""

DOWN_S = 15.0
"""How long a server that is down is waited for without a try, at least: the longest pause between
two tries."""

PORTS = {"rtmp": 1935, "rtmps": 443, "rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""Where each scheme is served unless its URL says otherwise. SRT is UDP: none takes connections."""

Door = tuple[str, int]


class Doors:
    """The servers of one process; on its event loop."""

    def __init__(self) -> None:
        self._asked: dict[Door, tuple[float, bool]] = {}  # when, and whether it was open
        self._locks: defaultdict[Door, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def wait(
        self, location: Location, seconds: float, stop: asyncio.Event, settle_s: float = 0.0
    ) -> bool:
        """Let time pass, or a stop come; True where a server was down and is back before that.

        settle_s: how much longer to wait once a server that was down is back, for a stop that says
            what became of the publish; with it, a server that is down is not tried, but waited for.
        """
        until_s = _now_s() + seconds
        door = door_of(location)
        is_brief = seconds <= ASK_EVERY_S and not settle_s
        if door is None or is_brief or await self._is_open(door):
            await _stopped(stop, until_s - _now_s())
            return False
        if settle_s:
            until_s = max(until_s, _now_s() + DOWN_S)
        while (left_s := until_s - _now_s()) > 0:
            if await _stopped(stop, min(ASK_EVERY_S, left_s)):
                return False
            if await self._is_open(door):
                await _stopped(stop, settle_s)
                return True
        return False

    async def _is_open(self, door: Door) -> bool:
        async with self._locks[door]:
            asked_s, is_open = self._asked.get(door, (-ASK_EVERY_S, False))
            if _now_s() - asked_s >= ASK_EVERY_S * 0.9:
                is_open = await takes_connections(door)
                self._asked[door] = (_now_s(), is_open)
            return is_open


def door_of(location: Location) -> Door | None:
    """Say where connections to a source are taken; None where there are none."""
    parts = urlsplit(location.url)
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.hostname, parts.port or PORTS[parts.scheme]


async def takes_connections(door: Door) -> bool:
    """Connect, and say goodbye."""
    try:
        async with asyncio.timeout(ASK_EVERY_S):
            _, writer = await asyncio.open_connection(*door)
    except OSError:  # TimeoutError, and a name that is not found, are some
        return False
    writer.close()
    return True


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for a stop; False where none came in time."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        return False
    return True


def _now_s() -> float:
    return asyncio.get_running_loop().time()
