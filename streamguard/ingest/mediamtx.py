"""Finds what is published to MediaMTX, by its control API v3.

Rule: what is online is published, whatever else a path may show (a slate is available, and nobody
publishes it). A list that changed while its pages were read is no list.

Source: api/openapi.yaml of bluenviron/mediamtx; tests/fixtures/mediamtx.yaml holds what is used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from msgspec import Struct

from streamguard.core.location import Location
from streamguard.core.published import Published, SessionKey
from streamguard.ingest.asking import Asking, Service

ITEMS_PER_PAGE = 1000
MAX_PAGES = 20
"""Twenty times what one machine can screen."""

PULLED_ITSELF = "pulled by the server itself from elsewhere"
REDIRECTED = "its readers are redirected elsewhere"

PUBLISHERS = {
    "rtmpConn": "rtmpconns",
    "rtmpsConn": "rtmpsconns",
    "rtspSession": "rtspsessions",
    "rtspsSession": "rtspssessions",
    "srtConn": "srtconns",
    "webRTCSession": "webrtcsessions",
}
"""Kinds of publishers, and where their addresses are listed."""


class Source(Struct):
    """Who sends a path."""

    type: str
    id: str = ""


class CodecProps(Struct):
    """What is known of a track."""

    height: int | None = None


class Track(Struct):
    """One track of a path."""

    codecProps: CodecProps | None = None  # noqa: N815  # as MediaMTX calls it


class Path(Struct):
    """One path; `online` is new in 1.12, before it there was `ready`."""

    name: str
    source: Source | None = None
    online: bool | None = None
    ready: bool = False
    onlineTime: str | None = None  # noqa: N815
    readers: list[object] = []
    tracks2: list[Track] = []


class Paths(Struct):
    """A page of paths."""

    itemCount: int  # noqa: N815
    pageCount: int  # noqa: N815
    items: list[Path]


class Peer(Struct):
    """A connection or session."""

    id: str
    remoteAddr: str = ""  # noqa: N815


class Peers(Struct):
    """A page of connections."""

    itemCount: int  # noqa: N815
    pageCount: int  # noqa: N815
    items: list[Peer]


@dataclass(frozen=True, slots=True)
class Pull:
    """How streams are pulled.

    url:        rtsp://host:port.
    has_pulled: also what MediaMTX itself pulls from elsewhere.
    needs_addresses: renditions count by their publisher's address; it takes a question more.
    """

    url: str
    has_pulled: bool = False
    needs_addresses: bool = False


class MediaMtx:
    """The Provider."""

    def __init__(self, service: Service, pull: Pull) -> None:
        self.name = service.name
        self._service = service
        self._pull = pull
        self._asking = Asking(service)

    async def snapshot(self) -> Mapping[SessionKey, Published]:
        """List what is being published at this moment.

        Raises:
            DiscoveryUnavailable: it could not be learnt; what was known before goes on.
        """
        paths = [path for path in await self._paths() if _is_online(path)]
        addresses = await self._addresses(paths) if self._pull.needs_addresses else {}
        found = (self._published(path, addresses) for path in paths)
        return {one.key: one for one in found}

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()

    async def _paths(self) -> list[Path]:
        first = await self._asking.decoded(Paths, "/v3/paths/list", _page(0))
        paths = list(first.items)
        if first.pageCount > MAX_PAGES:
            raise self._asking.problem(f"it lists more than {MAX_PAGES * ITEMS_PER_PAGE} paths")
        for number in range(1, first.pageCount):
            page = await self._asking.decoded(Paths, "/v3/paths/list", _page(number))
            paths += page.items
        if len({path.name for path in paths}) != first.itemCount:
            raise self._asking.problem("its list changed while it was read")
        return paths

    async def _addresses(self, paths: Iterable[Path]) -> dict[str, str]:
        """Give the address of every publisher, by its id; one that is missing is none of ours."""
        kinds = {path.source.type for path in paths if path.source} & PUBLISHERS.keys()
        addresses: dict[str, str] = {}
        for kind in sorted(kinds):
            where = f"/v3/{PUBLISHERS[kind]}/list"
            first = await self._asking.decoded(Peers, where, _page(0))
            pages = [first.items]
            for number in range(1, min(first.pageCount, MAX_PAGES)):
                page = await self._asking.decoded(Peers, where, _page(number))
                pages.append(page.items)
            for peer in (peer for items in pages for peer in items):
                addresses[peer.id] = peer.remoteAddr.rpartition(":")[0].strip("[]")
        return addresses

    def _published(self, path: Path, addresses: Mapping[str, str]) -> Published:
        source = path.source or Source("unknown")
        where = urlsplit(self._pull.url)
        user = ""
        if self._service.user is not None:
            user = f"{quote(self._service.user, '')}:{quote(self._service.password or '', '')}@"
        return Published(
            SessionKey(self.name, path.name, source.id or f"{source.type} {path.onlineTime}"),
            Location(
                "rtsp",
                f"rtsp://{user}{where.netloc}/{quote(path.name)}",
                f"rtsp source at {where.netloc}",
            ),
            len(path.readers),
            _height(path),
            addresses.get(source.id),
            self._problem(source),
        )

    def _problem(self, source: Source) -> str | None:
        if source.type == "redirect":
            return REDIRECTED
        is_pulled = source.type.endswith("Source")
        return PULLED_ITSELF if is_pulled and not self._pull.has_pulled else None


def _is_online(path: Path) -> bool:
    return path.ready if path.online is None else path.online


def _height(path: Path) -> int | None:
    heights = (track.codecProps.height for track in path.tracks2 if track.codecProps)
    return next((height for height in heights if height), None)


def _page(number: int) -> dict[str, int]:
    return {"itemsPerPage": ITEMS_PER_PAGE, "page": number}
