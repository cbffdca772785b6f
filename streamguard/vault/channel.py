"""Takes evidence from a worker to the vault, by a socket of its own.

Rule: a worker opens what strangers send, so it holds no key and writes no file of the vault: it
hands parts and pieces over, and hears where they are. What it says is read as what a stranger may
have said. A socket of its own, for megabytes of a clip must not keep signs of life and flags
waiting.
"""

import socket
import struct
import threading
from collections.abc import Sequence
from typing import Annotated, Protocol, assert_never

import msgspec
import structlog

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import MAX_PIECE_BYTES, Ends, Keeper, Kept, Part, Piece, Subject
from streamguard.core.manifest import Count, Id, Role, Sha256

MAX_OFFER_BYTES = 48 << 20
"""Of all parts that are handed over together: as much as a piece of a clip. A still of 8K is 10 MB.
It is what one worker, whatever became of it, can make the holder of the keys take into memory."""

MAX_PARTS = 16
MAX_FILES = 9999
"""Of a clip: a week of minutes."""

MAX_WORDS_BYTES = 64 * 1024
"""Of what is said about parts, beside their bytes."""

LENGTH = struct.Struct("<I")

log = structlog.get_logger()

Text = Annotated[str, msgspec.Meta(max_length=1024)]

Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=2**42)]
"""An instant, since 1970 UTC: until 2109."""


class Described(msgspec.Struct, frozen=True):
    """A part whose bytes follow."""

    role: Role
    media_type: Text
    start_ms: int
    end_ms: int
    is_original: bool
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_OFFER_BYTES)]
    transform: Text = ""
    derived_from: Text = ""
    ingest_ms: Milliseconds | None = None


class Offer(msgspec.Struct, frozen=True, tag=True):
    """Parts of an evidence that are to be kept."""

    evidence_id: Id
    stream_id: Text
    session_id: Text
    parts: Annotated[tuple[Described, ...], msgspec.Meta(max_length=MAX_PARTS)]


class Grown(msgspec.Struct, frozen=True, tag=True):
    """A piece of a clip, whose bytes follow."""

    evidence_id: Id
    stream_id: Text
    session_id: Text
    number: Annotated[int, msgspec.Meta(ge=0, le=MAX_FILES)]
    start_ms: int
    end_ms: int
    ends: Ends
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_PIECE_BYTES)]
    ingest_ms: Milliseconds | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a part is."""

    uri: str
    sha256: Sha256
    size_bytes: Count


class Answer(msgspec.Struct, frozen=True):
    """What became of it; `problem` where nothing was kept."""

    places: tuple[Place, ...] = ()
    manifest: Place | None = None
    problem: str = ""


Heard = Offer | Grown


class ClosingKeeper(Keeper, Protocol):
    """Keeps the evidence of one process, until that is gone."""

    def close(self) -> None:
        """Keep what is unfinished as it is."""
        ...


class VaultPipe:
    """The worker's end; in any thread."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Have parts kept, and wait until they are.

        Raises:
            EvidenceUnavailable: they cannot be stored, or nobody is there to store them.
        """
        if sum(len(part.content) for part in parts) > MAX_OFFER_BYTES:
            raise EvidenceUnavailable("the parts of this evidence are larger than can be kept")
        offer = Offer(
            subject.evidence_id,
            subject.stream_id,
            subject.session_id,
            tuple(_described(part) for part in parts),
        )
        return self._asked(offer, [part.content for part in parts])

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Have a piece of a clip kept, and wait until it is.

        Raises:
            EvidenceUnavailable: it cannot be stored, or nobody is there to store it.
        """
        if len(piece.content) > MAX_PIECE_BYTES:
            raise EvidenceUnavailable("a piece of this clip is larger than can be kept")
        grown = Grown(
            subject.evidence_id,
            subject.stream_id,
            subject.session_id,
            piece.number,
            piece.start_ms,
            piece.end_ms,
            piece.ends,
            len(piece.content),
            piece.ingest_ms,
        )
        kept = self._asked(grown, [piece.content])
        return kept if kept.manifest else None

    def _asked(self, words: Heard, contents: Sequence[bytes]) -> Kept:
        try:
            with self._lock:
                _send(self._end, msgspec.msgpack.encode(words))
                for content in contents:
                    self._end.sendall(content)
                answer = msgspec.msgpack.decode(_receive_words(self._end), type=Answer)
        except (OSError, EOFError):
            raise EvidenceUnavailable("the supervisor takes no evidence") from None
        if answer.problem:
            raise EvidenceUnavailable(answer.problem)
        manifest = _artifact(answer.manifest) if answer.manifest else None
        return Kept(tuple(map(_artifact, answer.places)), manifest)


def serve(end: socket.socket, keeper: ClosingKeeper) -> threading.Thread:
    """Keep what comes by the supervisor's end, in a thread, until the worker is gone."""
    thread = threading.Thread(target=_serve, args=(end, keeper), name="evidence", daemon=True)
    thread.start()
    return thread


def _serve(end: socket.socket, keeper: ClosingKeeper) -> None:
    try:
        while True:
            heard = msgspec.msgpack.decode(_receive_words(end), type=Heard)
            _send(end, msgspec.msgpack.encode(_answer(end, heard, keeper)))
    except (OSError, EOFError):
        pass  # the worker is gone
    except msgspec.MsgspecError:
        log.error("evidence_offer_invalid")  # noqa: TRY400  # its text is a stranger's
        end.shutdown(socket.SHUT_RDWR)  # nothing of it can be trusted any more
    finally:
        keeper.close()


def _answer(end: socket.socket, heard: Heard, keeper: Keeper) -> Answer:
    subject = Subject(heard.evidence_id, heard.stream_id, heard.session_id)
    try:
        kept = _kept(end, heard, subject, keeper)
    except EvidenceUnavailable as error:
        return Answer(problem=str(error))
    if kept is None:
        return Answer()
    manifest = _place(kept.manifest) if kept.manifest else None
    return Answer(tuple(map(_place, kept.parts)), manifest)


def _kept(end: socket.socket, heard: Heard, subject: Subject, keeper: Keeper) -> Kept | None:
    """Receive what was announced, unless that is too much, and have it kept."""
    match heard:
        case Offer():
            if sum(each.size_bytes for each in heard.parts) > MAX_OFFER_BYTES:
                raise msgspec.ValidationError("more than may be handed over together")
            parts = [
                Part(
                    each.role,
                    each.media_type,
                    each.start_ms,
                    each.end_ms,
                    each.is_original,
                    bytes(_receive(end, each.size_bytes)),
                    each.transform,
                    each.derived_from,
                    each.ingest_ms,
                )
                for each in heard.parts
            ]
            return keeper.collect(subject, parts)
        case Grown():
            content = bytes(_receive(end, heard.size_bytes))
            times = (heard.start_ms, heard.end_ms)
            piece = Piece(heard.number, *times, content, heard.ends, heard.ingest_ms)
            return keeper.grow(subject, piece)
        case _:
            assert_never(heard)


def _artifact(place: Place) -> Artifact:
    return Artifact(uri=place.uri, sha256=place.sha256, size_bytes=place.size_bytes)


def _place(artifact: Artifact) -> Place:
    return Place(artifact.uri, artifact.sha256, artifact.size_bytes)


def _described(part: Part) -> Described:
    return Described(
        part.role,
        part.media_type,
        part.start_ms,
        part.end_ms,
        part.is_original,
        len(part.content),
        part.transform,
        part.derived_from,
        part.ingest_ms,
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
