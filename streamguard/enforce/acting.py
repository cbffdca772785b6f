"""Carries out one action on a live stream: denies, strikes, proves.

Rule: deny before kick; each step is on disk before it is taken; nobody is touched but the publish
that was decided on, and whoever comes back against the deny list.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import assert_never

from streamguard.adapters.failpoint import reach
from streamguard.adapters.sqlite_actions import Hold, Kept
from streamguard.core.action_data import FailureReason, Method
from streamguard.core.denials import Denial, Kind
from streamguard.core.enforcing import HELD, Found, may_strike
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.published import Published, SessionKey
from streamguard.enforce.book import Book
from streamguard.enforce.proof import WINDOW_S, back_since, gone_since, see
from streamguard.enforce.reader import Reader
from streamguard.enforce.site import Site

OpenReader = Callable[[Location], AbstractAsyncContextManager[Reader]]


@dataclass(frozen=True, slots=True)
class Done:
    """It was seen to be done; instants are seconds since 1970 UTC."""

    method: Method
    accepted_s: float
    effective_s: float
    verified_s: float
    window_ms: int = 0
    denied_until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not done, and trying again would not help."""

    reason: FailureReason
    is_broken: bool = False
    """An error that nobody foresaw stood in the way."""


@dataclass(frozen=True, slots=True)
class Means:
    """What actions are done with.

    cut_s: how long a stream that was cut is denied.
    refuses_viewers: the admission hook answers from the deny list, so that viewers can be refused.
    """

    book: Book
    clock: Clock
    open_reader: OpenReader
    cut_s: float = 3600.0
    refuses_viewers: bool = False


class Acting:
    """One action on one server; `kept` says how far it has come."""

    def __init__(self, kept: Kept, site: Site, means: Means) -> None:
        self.kept = kept
        self._site = site
        self._book = means.book
        self._clock = means.clock
        self._means = means
        self._met: set[SessionKey] = set()
        self.n_returned = 0
        """Publishes that came in after the order was given."""

    async def attempt(self) -> Done | Failed | None:
        """Try once; None where it is worth another try.

        Raises:
            DiscoveryUnavailable: the server does not answer.
            OrderRefused: it will not.
            LogUnavailable: a step could not be kept, and was not taken.
        """
        order = self.kept.order
        if order.act == "restore":
            return await self._restore()
        if order.publish is None:
            return Failed("session_unknown")
        found = await self._look()
        if not may_strike(found.sight, self.kept.stage):
            denied = self._book.denied.at((order.stream_id, "publish", order.case_id))
            if self.kept.stage == "denied" and denied is not None:
                await self._book.allow(denied)
            return Failed("session_replaced")
        match order.act:
            case "cut" | "cut_and_suspend":
                return await self._cut(found)
            case "hold":
                return await self._hold(found)
            case "limit_reach":
                return await self._limit(found)
            case _:
                assert_never(order.act)

    async def _look(self) -> Found:
        order = self.kept.order
        found = await self._site.look(order.stream_id, order.publish, self._book.holds)
        if found.source is not None and found.source.key not in self._met:
            self._met.add(found.source.key)
            self.n_returned += self.kept.stage == "struck" and found.sight == "replaced"
        return found

    async def _cut(self, found: Found) -> Done | None:
        order = self.kept.order
        now_s = self._clock.wall()
        until_s = now_s + self._means.cut_s if order.act == "cut" else None
        if self.kept.stage == "taken":
            kept = replace(self.kept, stage="denied", path=self._path_of(found))
            self.kept = await self._book.note(kept, self._denial("publish", now_s, until_s))
        if self.kept.stage == "denied":
            self.kept = await self._book.note(replace(self.kept, stage="struck"))
        done = await self._struck(found)
        if done is not None:
            await self._book.let_go(order.stream_id, order.case_id)
            limit = self._book.denied.at((order.stream_id, "play", order.case_id))
            if limit is not None:  # the cut is what is in force now, and ends before that might
                await self._book.allow(limit)
            denied = self._book.denied.find(order.stream_id, "publish", now_s)
            done = replace(done, denied_until_s=denied.until_s if denied else None)
        return done

    async def _struck(self, found: Found) -> Done | None:
        """Kick whoever publishes, and prove that the stream is gone."""
        if self.kept.path is None:
            return await self._not_listed()
        async with self._means.open_reader(self._site.control.place(self.kept.path)) as reader:
            await see(reader, self._clock)
            for one in (found.source, *found.copies):
                if one is not None:
                    await self._site.control.kick(one)
            reach("order_given")
            return await self._proved(reader, self._clock.monotonic(), ())

    async def _hold(self, found: Found) -> Done | Failed | None:
        order, control = self.kept.order, self._site.control
        if not control.can_hold:
            return Failed("not_supported")
        if found.source is None:
            return Failed("session_ended")
        hold = self._hold_of(found)
        kept = replace(self.kept, stage="struck", path=hold.path)
        self.kept = await self._book.note(kept, hold=hold)
        async with self._means.open_reader(control.place(hold.path)) as reader:
            await see(reader, self._clock)
            if found.source.key.path != hold.moved_path and not await control.move(
                found.source, hold.name
            ):
                return None
            for one in found.copies:
                await control.kick(one)
            reach("order_given")
            done = await self._proved(reader, self._clock.monotonic(), (hold.moved_path,))
        return done and replace(done, denied_until_s=order.until_s)

    def _hold_of(self, found: Found) -> Hold:
        """Give the hold of this case: where the stream is held already, or in a new place."""
        order, site = self.kept.order, self._site
        assert found.source is not None  # noqa: S101  # the caller looked
        before = self._book.hold_of(order.stream_id)
        if before is not None:
            path, name, moved = before.path, before.name, before.moved_path
        else:
            path, name = found.source.key.path, f"{HELD}{secrets.token_hex(16)}"
            moved = site.control.moved_path(path, name)
        where = (order.stream_id, order.case_id, site.name, path, name, moved)
        return Hold(*where, order.decision_id, order.until_s)

    async def _limit(self, found: Found) -> Done | Failed:
        order = self.kept.order
        if not self._means.refuses_viewers:
            return Failed("not_supported")
        if found.source is None:
            return Failed("session_ended")
        now_s = self._clock.wall()
        denial = self._denial("play", now_s, order.until_s)
        self.kept = await self._book.note(replace(self.kept, stage="struck"), denial)
        return Done("deny_list", now_s, now_s, now_s, denied_until_s=order.until_s)

    def _denial(self, kind: Kind, now_s: float, until_s: float | None) -> Denial:
        order = self.kept.order
        return Denial(order.stream_id, kind, order.case_id, order.decision_id, now_s, until_s)

    async def _restore(self) -> Done | Failed | None:
        """Take back what this case does; move the publisher back where no other case holds it.

        What is to be is on disk first: whatever comes of the proof, nobody is moved away again.
        """
        order, book = self.kept.order, self._book
        if self.kept.stage == "taken":
            self.kept = await book.release(replace(self.kept, stage="struck"))
        now_s = self._clock.wall()
        kept_by_other = Done("other_case", now_s, now_s, now_s)
        if order.stream_id in book.held:
            await book.let_go(order.stream_id, order.case_id)
            return kept_by_other
        hold = book.hold_of(order.stream_id)
        found = await self._look() if hold is not None else None
        if hold is None or found is None or found.source is None:
            await book.let_go(order.stream_id, order.case_id)
            is_denied = book.denied.find(order.stream_id, "publish", now_s) is not None
            return kept_by_other if is_denied else Done("not_published", now_s, now_s, now_s)
        return await self._moved_back(found.source, hold)

    async def _moved_back(self, source: Published, hold: Hold) -> Done | Failed | None:
        """Let a publisher go on where it was, and see that it does."""
        order, control = self.kept.order, self._site.control
        async with self._means.open_reader(control.place(hold.path)) as reader:
            name = hold.path.partition("/")[2]
            if source.key.path == hold.moved_path and not await control.move(source, name):
                return None
            ordered_s = self._clock.monotonic()
            since_s = await back_since(reader, ordered_s, self._clock)
        if since_s is None and self._clock.wall() < order.expires_s:
            return None
        await self._book.let_go(order.stream_id, order.case_id)
        return Failed("not_seen") if since_s is None else self._done("media", ordered_s, since_s)

    async def _proved(
        self, reader: Reader, ordered_s: float, elsewhere: Sequence[str]
    ) -> Done | None:
        """Look until it is certain; `elsewhere`: paths at which the publisher may be."""
        gone = await gone_since(reader, ordered_s, self._clock)
        if gone is None:
            return None
        found = await self._look()
        there = [one.key.path for one in (found.source, *found.copies) if one is not None]
        if any(path not in elsewhere for path in there):
            return None
        if not gone.is_watched:
            return self._done("not_listed", ordered_s, gone.since_s)
        done = self._done("no_media", ordered_s, gone.since_s)
        return replace(done, window_ms=round(WINDOW_S * 1000))

    async def _not_listed(self) -> Done | None:
        """Prove that a stream is gone whose path nobody ever saw: it is not listed."""
        found = await self._look()
        if found.sight != "absent":
            self.kept = await self._book.note(replace(self.kept, path=self._path_of(found)))
            return None
        now_s = self._clock.wall()
        return Done("not_published", now_s, now_s, now_s)

    def _done(self, method: Method, ordered_s: float, since_s: float) -> Done:
        """Tell instants of Clock.monotonic() by the wall's."""
        ahead_s = self._clock.wall() - self._clock.monotonic()
        return Done(method, ordered_s + ahead_s, since_s + ahead_s, self._clock.wall())

    def _path_of(self, found: Found) -> str | None:
        """Give the path at which viewers watch, also of a stream that is held."""
        hold = self._book.hold_of(self.kept.order.stream_id)
        if hold is not None:
            return hold.path
        return found.source.key.path if found.source else None
