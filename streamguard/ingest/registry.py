"""Knows which streams are to be screened at this moment, wherever they are named.

Rule: what is configured and what was added stays until somebody removes it; what was found is there
for as long as its server says so. What is not screened is told as well, with the reason.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamguard.core.errors import ConfigError
from streamguard.core.location import Location
from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.ports import Clock
from streamguard.ingest.added import AddedStreams
from streamguard.ingest.watch import ServerWatch, Watched
from streamguard.runtime.parts import Stream

MAX_ADDED = 10_000
"""Streams that may be added: ten times what one machine can screen; the file stays under 10 MB."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream to be screened.

    is_discovered: its session ends when its server no longer lists it, whatever its connection
        does; else a lost connection ends it.
    n_viewers:     who reads it, all renditions and our own connection included; None where its
        server does not say.
    """

    stream: Stream
    is_discovered: bool = False
    n_viewers: int | None = None

    @property
    def session_key(self) -> str:
        """Tell one publish from the next."""
        return self.stream.session_key


class Registry:
    """The streams of one deployment; belongs to the event loop that runs it."""

    def __init__(
        self,
        configured: Iterable[Stream],
        servers: Sequence[Watched],
        secret: bytes,
        added: AddedStreams,
        clock: Clock,
    ) -> None:
        """Read the streams that were added before.

        secret: names what is found, without telling its path.

        Raises:
            ConfigError: their file cannot be read.
        """
        self._configured = {stream.stream_id: stream for stream in configured}
        self._file = added
        self._added = added.load()
        self._secret = secret
        self._watches = [ServerWatch(one, clock, self._note) for one in servers]
        self._wanted: dict[str, Wanted] = {}
        self._excluded: dict[str, str] = {}
        self.changed = asyncio.Event()
        """Set whenever something changed; the reader clears it, then reads."""
        self._note()

    async def run(self) -> None:
        """Watch the servers until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for watch in self._watches:
                    tasks.create_task(watch.run())
        finally:
            for watch in self._watches:
                await watch.watched.provider.close()

    def wanted(self) -> Mapping[str, Wanted]:
        """Give what is to be screened, by stream id; a new mapping whenever it changed."""
        return self._wanted

    def excluded(self) -> Mapping[str, str]:
        """Give what was found and is not screened, by stream id, and why."""
        return self._excluded

    @property
    def watches(self) -> Sequence[ServerWatch]:
        """Give the watches of the servers, to see how they do."""
        return self._watches

    def may_be_late(self, stream_id: str) -> bool:
        """Say whether the server of a stream has not said yet, since we began, what it has."""
        mute = (watch.name for watch in self._watches if watch.answered_at_s is None)
        return any(stream_id.startswith(f"{name}-") for name in mute)

    def look_now(self, server: str | None = None) -> None:
        """Ask one server, or all, as soon as may be; a hint, which changes nothing by itself."""
        for watch in self._watches:
            if server in {None, watch.name}:
                watch.look_now()

    def look_for(self, stream_id: str) -> None:
        """Ask the server of a stream whose source ended, if it has one."""
        for watch in self._watches:
            if stream_id.startswith(f"{watch.name}-"):
                watch.look_now()

    def add(self, stream: Stream) -> None:
        """Screen one more stream, after a restart as well.

        Raises:
            ConfigError: its id is taken, there are too many, or it names a bank that is not there.
            LogUnavailable: it could not be saved; it is not screened.
        """
        self._file.check(stream)
        if stream.stream_id in self._wanted or stream.stream_id in self._excluded:
            raise ConfigError(f"there is a stream with the id {stream.stream_id!r} already")
        if len(self._added) >= MAX_ADDED:
            raise ConfigError(f"{MAX_ADDED} streams were added already: remove some")
        self._save({**self._added, stream.stream_id: stream})

    def remove(self, stream_id: str) -> bool:
        """Forget a stream that was added; False where there is none of this id.

        Raises:
            LogUnavailable: that could not be saved; it goes on being screened.
        """
        if stream_id not in self._added:
            return False
        self._save({one: s for one, s in self._added.items() if one != stream_id})
        return True

    def _save(self, added: dict[str, Stream]) -> None:
        self._file.save(added.values())
        self._added = added
        self._note()

    def _note(self) -> None:
        """Put together anew what is wanted; configured streams win, then those added."""
        wanted: dict[str, Wanted] = {}
        excluded: dict[str, str] = {}
        fixed = {**self._added, **self._configured}
        addresses = {_address(one.location) for one in fixed.values()}
        for watch in self._watches:
            name, make = watch.name, watch.watched.make
            for path, reason in watch.listed.left_out.items():
                excluded[stream_id_of(self._secret, name, path)] = reason
            for one in watch.listed.broadcasts:
                if _address(one.location) in addresses:
                    continue  # it is screened already, under the name it was given
                stream_id = stream_id_of(self._secret, name, one.path)
                session = session_text(self._secret, one.session)
                made = make(stream_id, one.location, session)
                stream = replace(made, found_s=watch.found_s[one.session])
                wanted[stream_id] = Wanted(stream, True, one.n_viewers)  # noqa: FBT003
        self._wanted = wanted | {one: Wanted(stream) for one, stream in fixed.items()}
        self._excluded = excluded
        self.changed.set()


def _address(location: Location) -> str:
    """Write out where a stream is, its name on an RTMP server included."""
    name = location.rtmp_name
    return f"{location.url}/{name[1]}" if name else location.url
