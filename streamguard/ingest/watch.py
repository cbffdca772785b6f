"""Watches one ingest server: asks it again and again, and keeps what it said last.

Rule: level-triggered. Each answer replaces the one before, a hint only makes the next question come
sooner, and while no answer can be had the last one stands: an API that is down ends no stream.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from streamguard.core.errors import DiscoveryUnavailable
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.published import Broadcast, Published, RenditionRule, SessionKey, broadcasts
from streamguard.ingest.paths import PathFilter
from streamguard.ingest.provider import Provider
from streamguard.runtime.parts import Stream

HINT_SPACING_S = 0.1
"""Questions are never closer together, however many hints come (our choice: a tenth of what the
promise of two seconds leaves, and ten questions a second hurt no server)."""

MakeStream = Callable[[str, Location, str], Stream]
"""Makes what is to be screened of its id, its place and its session."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Watched:
    """How one server is watched.

    paths:      which of its paths are screened.
    renditions: which of them are one broadcast.
    make:       makes a stream with the server's sampling, banks and policy.
    interval_s: how often it is asked.
    """

    provider: Provider
    make: MakeStream
    paths: PathFilter = field(default_factory=PathFilter)
    renditions: RenditionRule = field(default_factory=RenditionRule)
    interval_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Listed:
    """What a server said.

    broadcasts: what is screened.
    left_out:   what is not, by path, and why.
    """

    broadcasts: tuple[Broadcast, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict, repr=False)


class ServerWatch:
    """The watch of one server; one task runs it."""

    def __init__(self, watched: Watched, clock: Clock, on_listed: Callable[[], None]) -> None:
        """on_listed: told whenever what the server said is not what it said before."""
        self.watched = watched
        self._clock = clock
        self._on_listed = on_listed
        self._hint = asyncio.Event()
        self.listed = Listed()
        self.problem: str | None = f"server {watched.provider.name}: it has not been asked yet"
        """What is wrong with discovery; None while it works."""
        self.found_s: dict[SessionKey, float] = {}
        """Clock.monotonic() since when each publish that is screened is there, seconds: since its
        publisher is, where the server says so, but not before the last answer without it."""
        self.answered_at_s: float | None = None
        """Clock.monotonic() of the last answer; None before the first one."""

    @property
    def name(self) -> str:
        """Give the configured name of the server."""
        return self.watched.provider.name

    @property
    def is_up(self) -> bool:
        """Say whether the last question was answered."""
        return self.problem is None

    def look_now(self) -> None:
        """Ask as soon as may be: something may have changed."""
        self._hint.set()

    async def run(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(HINT_SPACING_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.watched.interval_s - HINT_SPACING_S):
                    await self._hint.wait()
            self._hint.clear()

    async def look(self) -> None:
        """Ask once; keep what was known where there is no answer."""
        try:
            snapshot = await self.watched.provider.snapshot()
        except DiscoveryUnavailable as error:
            if self.problem != str(error):
                log.warning("discovery_lost", server=self.name, problem=str(error))
            self.problem = str(error)
            return
        if self.problem is not None:
            log.info("discovery_gained", server=self.name, n_published=len(snapshot))
        self.problem = None
        before_s, self.answered_at_s = self.answered_at_s, self._clock.monotonic()
        listed = _sorted_out(self.watched, snapshot)
        if listed != self.listed:
            self.found_s = {
                one.session: self.found_s.get(one.session, self._since_s(one, before_s))
                for one in listed.broadcasts
            }
            self.listed = listed
            self._on_listed()

    def _since_s(self, found: Broadcast, before_s: float | None) -> float:
        """Say since when a publish is to be accounted for; before_s: the answer before this one."""
        now_s = self._clock.monotonic()
        if before_s is None or found.age_s is None:
            return now_s
        return max(before_s, now_s - found.age_s)


def _sorted_out(watched: Watched, snapshot: Mapping[SessionKey, Published]) -> Listed:
    """Tell what is screened from what is not."""
    kept: list[Published] = []
    left_out: dict[str, str] = {}
    for key, published in snapshot.items():
        why_not = watched.paths.why_not(key.path) or published.problem
        if why_not is None:
            kept.append(published)
        else:
            left_out[key.path] = why_not
    return Listed(tuple(broadcasts(kept, watched.renditions)), left_out)
