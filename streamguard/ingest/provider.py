"""Says what it takes to find the streams of an ingest server.

Rule: a provider tells the whole truth of one moment or raises; half a list would end streams that
are still live.
"""

from collections.abc import Mapping
from typing import Protocol

from streamguard.core.published import Published, SessionKey


class Provider(Protocol):
    """One ingest server."""

    @property
    def name(self) -> str:
        """Give its configured name; it labels metrics."""
        ...

    async def snapshot(self) -> Mapping[SessionKey, Published]:
        """List what is being published at this moment.

        Raises:
            DiscoveryUnavailable: it could not be learnt; what was known before goes on.
        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
