"""Says what it takes to act on an ingest server.

Rule: an order names the one connection that it is meant for, so that whoever takes its place
between our question and our order is not touched.
"""

from collections.abc import Iterable
from typing import Protocol

from streamguard.core.errors import StreamguardError
from streamguard.core.location import Location
from streamguard.core.published import Published


class OrderRefused(StreamguardError):
    """The server answers, and will not do it; trying again may help where it had other reasons."""

    reason, retriable = "order_refused", True
    exit_code = 3


class Control(Protocol):
    """One ingest server, with the right to end what is published there."""

    @property
    def can_hold(self) -> bool:
        """Say whether a publish can be taken from its viewers, and given back."""
        ...

    async def kick(self, one: Published) -> bool:
        """End a publish; say whether it was there.

        Raises:
            DiscoveryUnavailable: nobody answered; it may have been done.
            OrderRefused: the server will not do it.
        """
        ...

    async def move(self, one: Published, name: str) -> bool:
        """Take a publish from its viewers, to another name; say whether it was there.

        Raises: as `kick`.
        """
        ...

    def called(self, publisher: str) -> Iterable[str]:
        """Give what a publisher may be called by whoever else asks the server."""
        ...

    def moved_path(self, path: str, name: str) -> str:
        """Give the path at which a publish is once it was moved."""
        ...

    def place(self, path: str) -> Location:
        """Say where a viewer would watch a path."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
