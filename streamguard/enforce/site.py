"""One ingest server as the enforcer knows it: how it is asked, and how it is given orders.

Rule: who publishes is asked anew before each order; nothing is done by what was true before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from streamguard.adapters.sqlite_actions import Hold
from streamguard.core.enforcing import Found, Reading, Wanted, find
from streamguard.core.published import Published
from streamguard.ingest.control import Control
from streamguard.ingest.provider import Provider


@dataclass(frozen=True, slots=True)
class Site:
    """The server."""

    provider: Provider
    control: Control
    reading: Reading

    @property
    def name(self) -> str:
        """Give its configured name."""
        return self.provider.name

    async def list(self) -> list[Published]:
        """Give all that is published.

        Raises:
            DiscoveryUnavailable: it does not say.
        """
        return list((await self.provider.snapshot()).values())

    async def look(self, stream_id: str, publish: str | None, holds: Iterable[Hold]) -> Found:
        """See who publishes a stream; raises as `list` does."""
        moved = {one.moved_path: one.path for one in holds if one.server == self.name}
        return find(await self.list(), Wanted(self.name, stream_id, publish), self.reading, moved)

    async def close(self) -> None:
        """Close its connections."""
        await self.provider.close()
        await self.control.close()


def site_of(sites: Iterable[Site], stream_id: str) -> Site | None:
    """Give the server on which a stream was found; its name begins the stream's id."""
    mine = [one for one in sites if stream_id.startswith(f"{one.name}-")]
    return max(mine, key=lambda one: len(one.name), default=None)
