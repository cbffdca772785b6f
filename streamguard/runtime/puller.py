"""Reads and decodes a file on the event loop, a packet at a time, as fast as it is judged.

Rule: a file waits, so nothing of it runs beside its judging. No thread wakes up for a keyframe, and
none lies in a queue until it has left the caches: that is a twentieth of the CPU of screening.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from streamguard.core.ports import Clock
from streamguard.core.types import Packet, Sample
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import Item, Note

BREATH_S = 0.2
"""How long the loop is kept from its other tasks (signals, evidence, the log), seconds. Shorter,
fewer samples are judged in a row."""

Get = Callable[[], Awaitable[Item | None]]
"""Gives the next item to be judged; None where nothing has come in time."""


class Puller:
    """What comes of a file, in order."""

    def __init__(
        self,
        packets: Iterator[Packet],
        mailbox: Mailbox[Sample, Note],
        clock: Clock,
        n_at_once: int,
    ) -> None:
        """Make it for one reading of a file.

        packets: reads the next one and decodes it; what comes of it lies in the mailbox then.
        n_at_once: items to have before the first is given; 1 has each judged before more is read.
        """
        self._packets = packets
        self._mailbox = mailbox
        self._clock = clock
        self._n_at_once = n_at_once
        self._breathe_at_s = clock.monotonic() + BREATH_S

    async def get(self) -> Item | None:
        """Give the oldest item; None where nothing has come yet."""
        if not len(self._mailbox):
            self._pull()
        if self._clock.monotonic() >= self._breathe_at_s:
            await asyncio.sleep(0)
            self._breathe_at_s = self._clock.monotonic() + BREATH_S
        return await self._mailbox.get(0) if len(self._mailbox) else None

    def _pull(self) -> None:
        """Read until there is enough to judge, or others must have their turn."""
        while len(self._mailbox) < self._n_at_once:
            is_over = next(self._packets, None) is None
            if is_over or self._clock.monotonic() >= self._breathe_at_s:
                return
