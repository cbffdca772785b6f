"""Takes the parts of evidence from a worker to the vault, by a socket of their own.

Rule: a worker opens what strangers send, so it holds no key and writes no file of the vault: it
hands parts over, and hears where they are. What it says is read as what a stranger may have said.
A socket of their own, for megabytes of a clip must not keep signs of life and flags waiting.
"""

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import structlog

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import Part, Subject
from streamguard.core.manifest import Count, Id, Role, Sha256

MAX_PART_BYTES = 256 << 20
"""Of a part; ten seconds at 100 Mbit/s are 125 MB."""

MAX_PARTS = 16
MAX_WORDS_BYTES = 64 * 1024
"""Of what is said about parts, beside their bytes."""

LENGTH = struct.Struct("<I")

Keep = Callable[[Subject, Sequence[Part]], Sequence[Artifact]]

log = structlog.get_logger()

Text = Annotated[str, msgspec.Meta(max_length=1024)]


class Described(msgspec.Struct, frozen=True):
    """A part whose bytes follow."""

    role: Role
    media_type: Text
    start_ms: int
    end_ms: int
    is_original: bool
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_PART_BYTES)]


class Offer(msgspec.Struct, frozen=True):
    """Parts of an evidence that are to be kept."""

    evidence_id: Id
    stream_id: Text
    session_id: Text
    parts: Annotated[tuple[Described, ...], msgspec.Meta(max_length=MAX_PARTS)]


class Place(msgspec.Struct, frozen=True):
    """Where a part is."""

    uri: str
    sha256: Sha256
    size_bytes: Count


class Answer(msgspec.Struct, frozen=True):
    """What became of an offer; `problem` where nothing was kept."""

    places: tuple[Place, ...] = ()
    problem: str = ""


class VaultPipe:
    """The worker's end; in any thread."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def keep(self, subject: Subject, parts: Sequence[Part]) -> tuple[Artifact, ...]:
        """Have parts kept, and wait until they are.

        Raises:
            EvidenceUnavailable: they cannot be stored, or nobody is there to store them.
        """
        if any(len(part.content) > MAX_PART_BYTES for part in parts):
            raise EvidenceUnavailable("a part of this evidence is larger than can be kept")
        offer = Offer(
            subject.evidence_id,
            subject.stream_id,
            subject.session_id,
            tuple(_described(part) for part in parts),
        )
        try:
            with self._lock:
                _send(self._end, msgspec.msgpack.encode(offer))
                for part in parts:
                    self._end.sendall(part.content)
                answer = msgspec.msgpack.decode(_receive_words(self._end), type=Answer)
        except (OSError, EOFError):
            raise EvidenceUnavailable("the supervisor takes no evidence") from None
        if answer.problem:
            raise EvidenceUnavailable(answer.problem)
        return tuple(
            Artifact(uri=each.uri, sha256=each.sha256, size_bytes=each.size_bytes)
            for each in answer.places
        )


def serve(end: socket.socket, keep: Keep) -> threading.Thread:
    """Keep what comes by the supervisor's end, in a thread, until the worker is gone."""
    thread = threading.Thread(target=_serve, args=(end, keep), name="evidence", daemon=True)
    thread.start()
    return thread


def _serve(end: socket.socket, keep: Keep) -> None:
    try:
        while True:
            offer = msgspec.msgpack.decode(_receive_words(end), type=Offer)
            _send(end, msgspec.msgpack.encode(_answer(end, offer, keep)))
    except (OSError, EOFError):
        pass  # the worker is gone
    except msgspec.MsgspecError:
        log.error("evidence_offer_invalid")  # noqa: TRY400  # its text is a stranger's
        end.shutdown(socket.SHUT_RDWR)  # nothing of it can be trusted any more


def _answer(end: socket.socket, offer: Offer, keep: Keep) -> Answer:
    parts = [
        Part(
            each.role,
            each.media_type,
            each.start_ms,
            each.end_ms,
            each.is_original,
            bytes(_receive(end, each.size_bytes)),
        )
        for each in offer.parts
    ]
    try:
        kept = keep(Subject(offer.evidence_id, offer.stream_id, offer.session_id), parts)
    except EvidenceUnavailable as error:
        return Answer(problem=str(error))
    return Answer(tuple(Place(each.uri, each.sha256, each.size_bytes) for each in kept))


def _described(part: Part) -> Described:
    return Described(
        part.role,
        part.media_type,
        part.start_ms,
        part.end_ms,
        part.is_original,
        len(part.content),
    )


def _send(end: socket.socket, words: bytes) -> None:
    end.sendall(LENGTH.pack(len(words)) + words)


def _receive_words(end: socket.socket) -> bytes:
    (length,) = LENGTH.unpack(_receive(end, LENGTH.size))
    if length > MAX_WORDS_BYTES:
        raise msgspec.DecodeError("too long")
    return bytes(_receive(end, length))


def _receive(end: socket.socket, n_bytes: int) -> bytearray:
    """Read so many bytes; raises EOFError where the other end is gone."""
    content = bytearray(n_bytes)
    view, at = memoryview(content), 0
    while at < n_bytes:
        n_read = end.recv_into(view[at:])
        if not n_read:
            raise EOFError
        at += n_read
    return content
