"""Acts on MediaMTX, by its control API v3.

Rule: a connection is ended by its id, and only while it is still the one that publishes the path.

Source: api/openapi.yaml of bluenviron/mediamtx; tests/fixtures/mediamtx.yaml holds what is used.
"""

from urllib.parse import quote, urlsplit

from streamguard.core.location import Location
from streamguard.core.published import Published
from streamguard.ingest.asking import Asking, Service
from streamguard.ingest.control import OrderRefused
from streamguard.ingest.mediamtx import PUBLISHERS, Path

NOT_FOUND = 404


class MediaMtxControl:
    """The Control."""

    can_hold = False

    def __init__(self, service: Service, pull: str) -> None:
        """pull: rtsp://host:port, where streams are watched, with who watches them if it asks."""
        self._asking = Asking(service)
        self._service = service
        self._pull = pull

    async def kick(self, one: Published) -> bool:
        """End a publish; say whether it was there."""
        where = f"/v3/paths/get/{quote(one.key.path, '')}"
        looked = await self._asking.order("GET", where)
        if looked.status == NOT_FOUND:
            return False
        if not looked.is_success:
            raise OrderRefused(f"MediaMTX answers with HTTP {looked.status}: check who asks")
        path = self._asking.understood(Path, looked.text)
        if path.source is None or path.source.id != one.key.publisher:
            return False
        plural = PUBLISHERS.get(path.source.type)
        if plural is None:
            raise OrderRefused(f"MediaMTX has no way to end a {path.source.type}: it pulls it")
        told = await self._asking.order("POST", f"/v3/{plural}/kick/{quote(path.source.id, '')}")
        if told.status == NOT_FOUND:
            return False
        if not told.is_success:
            raise OrderRefused(f"MediaMTX answers an order with HTTP {told.status}")
        return True

    async def move(self, one: Published, name: str) -> bool:  # noqa: ARG002  # as the protocol
        """Refuse: MediaMTX cannot move a publisher."""
        raise OrderRefused("MediaMTX cannot move a publisher")

    def called(self, publisher: str) -> tuple[str, ...]:
        """Give what a publisher is called: by everybody the same."""
        return (publisher,)

    def moved_path(self, path: str, name: str) -> str:  # noqa: ARG002  # as the protocol
        """Give the path as it is: nothing is moved."""
        return path

    def place(self, path: str) -> Location:
        """Say where whoever screens would watch a path: who may see all sees what is left."""
        where = urlsplit(self._pull).netloc
        url = f"rtsp://{where}/{quote(path)}"
        return Location("rtsp", url, f"rtsp source at {where.rpartition('@')[2]}")

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()
