"""Decides what may be done to whoever publishes a stream at this moment.

Rule: nobody is touched but the publish that was decided on. Once it was denied and kicked, whoever
publishes there came in against the deny list: that is the same publisher back, and is kept out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.published import Published, RenditionRule, SessionKey

HELD = "sg-hold-"
"""What names of held streams begin with; 128 random bits follow, that no viewer can guess."""

Stage = Literal["taken", "denied", "struck"]
"""How far an action has come, on disk: it was taken up; its deny entry stands; the order to the
server was about to be given, and may have been."""

Sight = Literal["current", "replaced", "absent"]
"""Who publishes: the publish that was decided on, somebody else, nobody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which publish is looked for.

    publish: what ingest calls it, as `session_text` does; None where that is not known, and
        whoever publishes is not the one.
    """

    server: str
    stream_id: str
    publish: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is published of a stream at this moment.

    source: the publish that the broadcast stands for, or the copy that is left of it.
    copies: its renditions.
    """

    sight: Sight
    source: Published | None = None
    copies: tuple[Published, ...] = ()


def may_strike(sight: Sight, stage: Stage) -> bool:
    """Say whether the action may go on; if not, somebody else is there and is left alone."""
    return sight != "replaced" or stage == "struck"


def broadcast_path(path: str, address: str | None, rule: RenditionRule) -> str:
    """Give the path of the broadcast that a publish belongs to: without the suffix of a copy."""
    return path.removesuffix(rule.suffix_at(path, address))


@dataclass(frozen=True, slots=True)
class Reading:
    """How what a server lists is to be read.

    secret: names what is found, without telling its path.
    rule:   which publishes are renditions of one broadcast.
    called: gives what a publisher may be called by whoever else asks the server.
    """

    secret: bytes
    rule: RenditionRule
    called: Callable[[str], Iterable[str]] = lambda publisher: (publisher,)

    def stream_id(self, one: Published) -> str:
        """Name the stream that a publish belongs to."""
        path = broadcast_path(one.key.path, one.address, self.rule)
        return stream_id_of(self.secret, one.key.server, path)

    def is_called(self, key: SessionKey, publish: str | None) -> bool:
        """Say whether this is the publish of that name."""
        names = (replace(key, publisher=one) for one in self.called(key.publisher))
        return publish is not None and publish in {session_text(self.secret, one) for one in names}


def find(
    published: Iterable[Published], wanted: Wanted, reading: Reading, moved: Mapping[str, str]
) -> Found:
    """Look for a stream among all that its server lists.

    moved: where streams are that are held, by path, and the path from which each was moved.
    """
    mine = [(one, as_before(one, moved)) for one in published]
    mine = [pair for pair in mine if reading.stream_id(pair[1]) == wanted.stream_id]
    if not mine:
        return Found("absent")
    sources = [pair for pair in mine if not reading.rule.suffix_of(pair[1])]
    right = [pair for pair in mine if reading.is_called(pair[1].key, wanted.publish)]
    source, _ = (right or sources or mine)[0]
    copies = tuple(one for one, _ in mine if one is not source)
    return Found("current" if right else "replaced", source, copies)


def as_before(one: Published, moved: Mapping[str, str]) -> Published:
    """Give a publish as it was before it was moved."""
    before = moved.get(one.key.path)
    return one if before is None else replace(one, key=replace(one.key, path=before))
