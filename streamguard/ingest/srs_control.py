"""Acts on SRS, by its HTTP API v1.

Rule: a client is ended by its id; SRS draws it anew for each connection.

Source: https://ossrs.io/lts/en-us/docs/v6/doc/http-api; tests/fixtures/srs.yaml holds what is used.
"""

from urllib.parse import quote, unquote

from msgspec import Struct

from streamguard.core.location import Location
from streamguard.core.published import Published
from streamguard.ingest.asking import Asking, Service
from streamguard.ingest.control import OrderRefused

NO_SUCH_CLIENT = 2049
"""Source: SRS 6, srs_kernel_error.hpp, ERROR_RTMP_CLIENT_NOT_FOUND."""

WITH_VHOST = 3
"""Parts of a path that names a vhost, too."""


class Done(Struct):
    """What SRS says to an order; a `code` other than 0 is an error."""

    code: int


class SrsControl:
    """The Control."""

    can_hold = False

    def __init__(self, service: Service, pull: str) -> None:
        """pull: rtmp://host:port, where streams are watched."""
        self._asking = Asking(service)
        self._pull = pull

    async def kick(self, one: Published) -> bool:
        """End a publish; say whether it was there."""
        client = one.key.publisher.rpartition("-")[2]
        told = await self._asking.order("DELETE", f"/api/v1/clients/{quote(client, '')}")
        if not told.is_success:
            raise OrderRefused(f"SRS answers an order with HTTP {told.status}")
        done = self._asking.understood(Done, told.text)
        if done.code not in {0, NO_SUCH_CLIENT}:
            raise OrderRefused(f"SRS answers an order with the error {done.code}")
        return done.code == 0

    async def move(self, one: Published, name: str) -> bool:  # noqa: ARG002  # as the protocol
        """Refuse: SRS cannot move a publisher."""
        raise OrderRefused("SRS cannot move a publisher")

    def called(self, publisher: str) -> tuple[str, ...]:
        """Give what a publisher is called: by everybody the same."""
        return (publisher,)

    def moved_path(self, path: str, name: str) -> str:  # noqa: ARG002  # as the protocol
        """Give the path as it is: nothing is moved."""
        return path

    def place(self, path: str) -> Location:
        """Say where a viewer would watch a path."""
        parts = [unquote(part) for part in path.split("/")]
        vhost = parts.pop(0) if len(parts) == WITH_VHOST else ""
        app, name = parts[0], parts[-1]
        where = self._pull.partition("://")[2]
        rtmp_name = (f"{app}?vhost={vhost}" if vhost else app, name)
        return Location("rtmp", f"{self._pull}/{app}", f"rtmp source at {where}", rtmp_name)

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()
