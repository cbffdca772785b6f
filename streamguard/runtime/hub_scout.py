"""Gathers which bank entries matched on which streams, for the one who keeps hubs aside.

Rule: it only gathers; what it gives is told once.
"""

from collections.abc import Iterable

from streamguard.core.decision import Decision
from streamguard.core.hubs import Key
from streamguard.core.types import Match

Found = tuple[str, Key, str]
"""A stream, the bank and entry that matched on it, and its policy code."""


class HubScout:
    """What the streams of one process matched since it was last asked; on the event loop."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._found: set[Found] = set()

    def judged(self, stream_id: str, found: Iterable[Decision]) -> None:
        """Take note of a sample of a stream, and of what was found on it."""
        self._seen.add(stream_id)
        for decision in found:
            if isinstance(decision.finding, Match):
                self._found.add((stream_id, decision.key, decision.category))

    def take(self) -> tuple[tuple[str, ...], tuple[Found, ...]]:
        """Give what was gathered, and begin anew."""
        taken = tuple(sorted(self._seen)), tuple(sorted(self._found))
        self._seen, self._found = set(), set()
        return taken
