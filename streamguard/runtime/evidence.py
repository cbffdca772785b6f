"""Keeps the flags of one session in evidence: each is collected for while its segment is open.

Rule: nothing is cut before a flag asks for it; what is not flagged never reaches a disk.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from streamguard.core.hands import MARK, SINCE_US, Hand, Hands, mark_of
from streamguard.core.judgement import EvidenceRequest
from streamguard.core.kept import Kept, Still, Subject
from streamguard.core.ports import Clock
from streamguard.core.types import Codec, Packet
from streamguard.runtime.collecting import Case, Clip, Collecting

if TYPE_CHECKING:  # screening reads no manifest: 10 ms of every start
    from streamguard.core.manifest import StreamContext

T = TypeVar("T")


class EvidenceStore(Protocol):
    """Makes evidence, and has it kept; in any thread."""

    def still(
        self, subject: Subject, codec: Codec, packets: tuple[Packet, ...], at_us: int
    ) -> Still:
        """Keep a still, as SessionStore does."""
        ...

    def clip(self, subject: Subject, codec: Codec) -> Clip:
        """Begin a clip, as SessionStore does."""
        ...


class HandedStore:
    """A store for one session, whose stream is in hand while clip and stills are made."""

    def __init__(
        self,
        store: EvidenceStore,
        session: tuple[str, str],
        hands: Hands,
        clock: Clock,
        context: "Callable[[], StreamContext | None]" = lambda: None,
    ) -> None:
        """Take what it works with.

        session: its stream's id, and its own.
        context: says of which publish and timeline it is now.
        """
        self._context = context
        self._store = store
        self._stream_id, self._session_id = session
        self._hands = hands
        self._mark = mark_of(self._stream_id)
        self._clock = clock

    def still(self, flag_id: str, codec: Codec, packets: tuple[Packet, ...], at_us: int) -> Still:
        """Keep a still, as SessionStore does."""
        subject = self._subject(flag_id)
        return self.in_hand(lambda: self._store.still(subject, codec, packets, at_us))

    def clip(self, flag_id: str, codec: Codec) -> Clip:
        """Begin a clip, as SessionStore does."""
        return _HandedClip(self, self._store.clip(self._subject(flag_id), codec))

    def in_hand(self, do: Callable[[], T]) -> T:
        """Do something with the stream in hand."""

        def work(hand: Hand) -> T:
            hand[SINCE_US], hand[MARK] = int(self._clock.monotonic() * 1e6), self._mark
            return do()

        return self._hands.run(work)

    def _subject(self, flag_id: str) -> Subject:
        return Subject(flag_id, self._stream_id, self._session_id, self._context())


class _HandedClip:
    """A clip whose stream is in hand while it is made."""

    def __init__(self, store: HandedStore, clip: Clip) -> None:
        self._store = store
        self._clip = clip

    def add(self, packets: Sequence[Packet]) -> list[Kept]:
        """Take packets, as Clip does."""
        return self._store.in_hand(lambda: self._clip.add(packets))

    def close(self) -> list[Kept]:
        """End the clip, as Clip does."""
        return self._store.in_hand(self._clip.close)


class EvidenceKeeper:
    """The evidence that one session's flags still want; on the event loop."""

    def __init__(self, case: Case, tasks: asyncio.TaskGroup, *, waits: bool) -> None:
        """Make it; evidence is made in `tasks`.

        waits: the reader can: of a file nothing is left out.
        """
        self._case = case
        self._tasks = tasks
        self._waits = waits
        self._wanted: list[EvidenceRequest] = []
        self._collecting: dict[UUID, Collecting] = {}
        self._making: set[asyncio.Task[None]] = set()

    def want(self, request: EvidenceRequest) -> None:
        """Take the wish of a flag, or of a hit that is stronger than those before it."""
        self._wanted.append(request)

    async def advance(self, codec: Codec, newest: tuple[int, int] | None) -> None:
        """Take what was read meanwhile; of a file, wait until there is room for more.

        newest: epoch and newest media time; None where nothing is being read.
        """
        self._begin_wanted(codec)
        for one in tuple(self._collecting.values()):
            one.advance(newest)
            if self._waits:
                await one.has_room.wait()

    async def finish(self, codec: Codec) -> None:
        """Make what is left of what there is, and wait for it: the session ends."""
        self._begin_wanted(codec)
        for one in self._collecting.values():
            one.advance(None, is_end=True)
        if self._making:
            await asyncio.wait(self._making)

    def _begin_wanted(self, codec: Codec) -> None:
        wanted, self._wanted = self._wanted, []
        for request in wanted:
            collecting = self._collecting.get(request.flag_id)
            if collecting:
                collecting.also(request)
            elif request.is_first:
                self._begin(Collecting(request, codec, self._case), request.flag_id)

    def _begin(self, collecting: Collecting, flag_id: UUID) -> None:
        self._collecting[flag_id] = collecting
        task = self._tasks.create_task(self._run(collecting, flag_id))
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    async def _run(self, collecting: Collecting, flag_id: UUID) -> None:
        try:
            await collecting.run()
        finally:
            del self._collecting[flag_id]
