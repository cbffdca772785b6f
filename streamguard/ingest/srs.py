"""Finds what is published to SRS, by its HTTP API v1.

Rule: all streams are asked for in one answer; a list read page by page would miss what moves from
one page to another in between.

Source: https://ossrs.io/lts/en-us/docs/v6/doc/http-api; tests/fixtures/srs.yaml holds what is used.
"""

from collections.abc import Mapping

from msgspec import Struct

from streamguard.core.location import Location
from streamguard.core.published import Published, SessionKey
from streamguard.ingest.asking import Asking, Service

MAX_LISTED = 10_000
"""Ten times what one machine can screen; SRS lists ten where it is not told how many."""

NOT_TO_BE_ASKED_FOR = "its name holds a NUL, at which FFmpeg would take it for that of another"


class Publishing(Struct):
    """Whether a stream is published, and by which client."""

    active: bool
    cid: str = ""


class Video(Struct):
    """The picture; 0 where its size is not known."""

    height: int = 0


class SrsStream(Struct):
    """One stream, published or not; `url` is /app/name, with its vhost before it if it has one."""

    name: str
    app: str
    publish: Publishing
    url: str = ""
    clients: int = 0
    video: Video | None = None


class SrsStreams(Struct):
    """All streams; `server` changes with each start, a `code` other than 0 is an error."""

    code: int
    server: str = ""
    streams: list[SrsStream] = []


class SrsClient(Struct):
    """One client."""

    id: str
    ip: str = ""


class SrsClients(Struct):
    """All clients."""

    code: int
    clients: list[SrsClient] = []


class Srs:
    """The Provider."""

    def __init__(self, service: Service, pull: str, *, needs_addresses: bool = False) -> None:
        """Make it.

        pull: rtmp://host:port, where streams are pulled from.
        needs_addresses: renditions count by their publisher's address; it takes a question more.
        """
        self.name = service.name
        self._pull = pull
        self._needs_addresses = needs_addresses
        self._asking = Asking(service)

    async def snapshot(self) -> Mapping[SessionKey, Published]:
        """List what is being published at this moment.

        Raises:
            DiscoveryUnavailable: it could not be learnt; what was known before goes on.
        """
        page = {"start": 0, "count": MAX_LISTED + 1}
        answer = await self._asking.decoded(SrsStreams, "/api/v1/streams/", page)
        if answer.code:
            raise self._asking.problem(f"it answers with the error {answer.code}")
        if len(answer.streams) > MAX_LISTED:
            raise self._asking.problem(f"it lists more than {MAX_LISTED} streams")
        addresses = await self._addresses() if self._needs_addresses else {}
        found = (
            self._published(stream, answer.server, addresses)
            for stream in answer.streams
            if stream.publish.active
        )
        return {one.key: one for one in found}

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()

    async def _addresses(self) -> dict[str, str]:
        """Give the address of every client, by its id."""
        page = {"start": 0, "count": 10 * MAX_LISTED}
        answer = await self._asking.decoded(SrsClients, "/api/v1/clients/", page)
        if answer.code:
            raise self._asking.problem(f"it answers with the error {answer.code}")
        return {client.id: client.ip for client in answer.clients}

    def _published(self, stream: SrsStream, server: str, addresses: Mapping[str, str]) -> Published:
        vhost = stream.url.partition("/")[0]
        parts = (vhost, stream.app, stream.name) if vhost else (stream.app, stream.name)
        where = self._pull.partition("://")[2]
        app = f"{stream.app}?vhost={vhost}" if vhost else stream.app
        return Published(
            SessionKey(
                self.name,
                "/".join(map(one_part, parts)),
                f"{server}-{stream.publish.cid}",
            ),
            Location(
                "rtmp", f"{self._pull}/{stream.app}", f"rtmp source at {where}", (app, stream.name)
            ),
            max(0, stream.clients - 1),  # the publisher is one of them
            stream.video.height or None if stream.video else None,
            addresses.get(stream.publish.cid),
            NOT_TO_BE_ASKED_FOR if "\0" in app + stream.name else None,
        )


def one_part(name: str) -> str:
    """Write a part of a path without slashes: `b/c` in `a` is another stream than `c` in `a/b`.

    Anybody may publish to any application: one of the two would be taken for the other, and a
    harmless one would hide what is shown on its twin.
    """
    return name.replace("%", "%25").replace("/", "%2F")
