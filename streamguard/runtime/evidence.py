"""Waits until the packets around a flag are there, and has the clip and still made of them.

Rule: nothing is cut before a flag asks for it; what is not flagged never reaches a disk. Evidence
is bounded in time: a flag never waits for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Evidence
from streamguard.core.hands import MARK, SINCE_US, Hand, Hands, mark_of
from streamguard.core.judgement import EvidenceRequest
from streamguard.core.kept import Subject
from streamguard.core.ports import Clock, Meter
from streamguard.core.types import Codec, Packet
from streamguard.runtime.ring import PacketRing

BEFORE_US = 6_000_000
"""Media time of the clip before the flagged sample."""

AFTER_US = 4_000_000
"""Media time of the clip after it."""

PATIENCE_S = 8.0
"""A live stream that stalls gets its clip by the clock, so long after the flag opened."""

log = structlog.get_logger()


class EvidenceStore(Protocol):
    """Where clips and stills are kept."""

    def save(
        self, subject: Subject, codec: Codec, packets: tuple[Packet, ...], still_us: int
    ) -> Evidence:
        """Store a clip of these packets and a still of the frame at `still_us`.

        Raises:
            EvidenceUnavailable: neither could be made and stored.
        """
        ...


class SessionStore(Protocol):
    """Where those of one session are kept."""

    def save(
        self, flag_id: str, codec: Codec, packets: tuple[Packet, ...], still_us: int
    ) -> Evidence:
        """Store a clip and a still, as EvidenceStore does."""
        ...


class HandedStore:
    """A store for one session, whose stream is in hand while its clip and still are made."""

    def __init__(
        self, store: EvidenceStore, session: tuple[str, str], hands: Hands, clock: Clock
    ) -> None:
        """session: its stream's id, and its own."""
        self._store = store
        self._stream_id, self._session_id = session
        self._hands = hands
        self._mark = mark_of(self._stream_id)
        self._clock = clock

    def save(
        self, flag_id: str, codec: Codec, packets: tuple[Packet, ...], still_us: int
    ) -> Evidence:
        """Store a clip and a still, as EvidenceStore does."""
        subject = Subject(flag_id, self._stream_id, self._session_id)

        def work(hand: Hand) -> Evidence:
            hand[SINCE_US], hand[MARK] = int(self._clock.monotonic() * 1e6), self._mark
            return self._store.save(subject, codec, packets, still_us)

        return self._hands.run(work)


Attach = Callable[[EvidenceRequest, Evidence], Awaitable[None]]


class EvidenceKeeper:
    """The evidence that one stream's flags still want."""

    def __init__(
        self,
        store: SessionStore,
        ring: PacketRing,
        tasks: asyncio.TaskGroup,
        attach: Attach,
        clock: Clock,
        meter: Meter,
    ) -> None:
        """Make it for one session; `attach` is awaited with each result, good or bad."""
        self._store = store
        self._ring = ring
        self._tasks = tasks
        self._attach = attach
        self._clock = clock
        self._meter = meter
        self._wanted: list[EvidenceRequest] = []
        self._making: set[asyncio.Task[None]] = set()

    def want(self, request: EvidenceRequest) -> None:
        """Take a flag's wish."""
        self._wanted.append(request)

    def advance(self, codec: Codec, newest: tuple[int, int] | None) -> None:
        """Start what is due: its last packet was read, or its time is up.

        newest: epoch and newest media time; None where nothing is being read.
        """
        late_s = self._clock.monotonic() - PATIENCE_S
        for request in tuple(self._wanted):
            comes_more = newest is not None and newest[0] == request.epoch
            has_all = newest is not None and newest[1] >= request.pts_us + AFTER_US
            if not comes_more or has_all or request.opened_at_s <= late_s:
                self._start(codec, request)

    async def finish(self, codec: Codec) -> None:
        """Make what is left of what there is, and wait for it: the session ends."""
        for request in tuple(self._wanted):
            self._start(codec, request)
        if self._making:
            await asyncio.wait(self._making)

    def _start(self, codec: Codec, request: EvidenceRequest) -> None:
        self._wanted.remove(request)
        start_us, end_us = request.pts_us - BEFORE_US, request.pts_us + AFTER_US
        packets = self._ring.between(request.epoch, start_us, end_us)  # now, before they leave it
        task = self._tasks.create_task(self._make(codec, request, packets))
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    async def _make(
        self, codec: Codec, request: EvidenceRequest, packets: tuple[Packet, ...]
    ) -> None:
        name = str(request.flag_id)
        try:
            evidence = await asyncio.to_thread(
                self._store.save, name, codec, packets, request.pts_us
            )
        except EvidenceUnavailable as error:
            log.error("evidence_unavailable", flag_id=name, problem=str(error))  # noqa: TRY400  # expected: the message says it all
            evidence = Evidence(state="unavailable")
        except Exception:  # a bug: the stream is screened on, and the flag stands
            log.exception("evidence_failed", flag_id=name)
            evidence = Evidence(state="unavailable")
        self._meter.evidence(is_stored=evidence.state == "ready")
        await self._attach(request, evidence)
