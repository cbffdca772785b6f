"""What ingest servers say is being published, and which of it is screened.

Rule: one screening for each broadcast, whatever renditions it has; a publish is known by server,
path and publisher, so that a path which somebody else takes over is another session.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamguard.core.location import Location

LOWEST_HEIGHT = 360
"""The smallest rendition that serves: hashes look at 64x64 pixels, models at 224x224, and below it
what is shown in a corner of the picture is lost."""

LOOPBACK = ("127.0.0.1", "::1")

_HEIGHT = re.compile(r"([0-9]{3,4})p?$")
"""The height at the end of a suffix such as `_720p`."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    """One publish.

    server:    the configured name of the ingest server.
    path:      what was published, with its application; on many servers it holds the stream key.
    publisher: what the server calls the connection that publishes; of another one it differs.
    """

    server: str
    path: str = field(repr=False)
    publisher: str


@dataclass(frozen=True, slots=True)
class Published:
    """One publish that a server lists.

    n_viewers: who reads it, our own connection included; None where the server does not say.
    height:    of the picture, in pixels; None where the server does not say.
    address:   where the publisher is, as the server writes it; None where it does not say.
    problem:   why it is not screened by itself, such as that it is a copy; None where it is.
    age_s:     how long its publisher has been there; None where the server does not say.
    """

    key: SessionKey
    location: Location
    n_viewers: int | None = None
    height: int | None = None
    address: str | None = field(default=None, repr=False)
    problem: str | None = None
    age_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RenditionRule:
    """Which publishes are renditions of one broadcast.

    suffixes:  what the names of renditions end in, such as `_720p`; without any, each publish is
        a broadcast of its own.
    addresses: whose publishes may be renditions: those of the platform's own transcoders. Anybody
        could else hide a broadcast behind a harmless one, by the choice of its name.
    """

    suffixes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = LOOPBACK

    def suffix_of(self, published: Published) -> str:
        """Give the longest suffix that makes it a rendition; empty where it is none."""
        return self.suffix_at(published.key.path, published.address)

    def suffix_at(self, path: str, address: str | None) -> str:
        """Do the same for a path at which somebody at an address publishes."""
        if address not in self.addresses:
            return ""
        name = path.rsplit("/", 1)[-1]
        found = (one for one in self.suffixes if name.endswith(one) and name != one)
        return max(found, key=len, default="")


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What is screened of one broadcast.

    path:      that of the broadcast: of its renditions, without the suffix.
    session:   the publish that it stands for: the source's, where its server lists it.
    location:  where the rendition is that is screened.
    n_viewers: of all renditions; None where the server does not say.
    age_s:     how long that publish has been there; None where the server does not say.
    """

    path: str = field(repr=False)
    session: SessionKey
    location: Location
    n_viewers: int | None
    age_s: float | None = field(default=None, compare=False)


def broadcasts(published: Iterable[Published], rule: RenditionRule) -> list[Broadcast]:
    """Give one rendition of each broadcast: the lowest of 360 lines or more, else the highest."""
    groups: dict[tuple[str, str], list[tuple[Published, str]]] = defaultdict(list)
    for one in published:
        suffix = rule.suffix_of(one)
        groups[one.key.server, one.key.path.removesuffix(suffix)].append((one, suffix))
    return [_chosen(path, group) for (_, path), group in groups.items()]


def _chosen(path: str, group: Sequence[tuple[Published, str]]) -> Broadcast:
    best, _ = min(group, key=lambda member: _rank(*member))
    source = next((one for one, suffix in group if not suffix), best)
    counts = [one.n_viewers for one, _ in group if one.n_viewers is not None]
    n_viewers = sum(counts) if counts else None
    return Broadcast(path, source.key, best.location, n_viewers, source.age_s)


def _rank(published: Published, suffix: str) -> tuple[int, int, str]:
    """Order the renditions of one broadcast, the one to be screened first."""
    said = _HEIGHT.search(suffix)
    height = published.height or (int(said[1]) if said else None)
    path = published.key.path
    if height is None:
        return 2, 0, path
    return (0, height, path) if height >= LOWEST_HEIGHT else (1, -height, path)
