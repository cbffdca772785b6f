"""The file of a clip that grows: each piece of it encrypted as it comes.

Rule: a piece is bound to its evidence, its file and its place there. What a crash or a full disk
cut off is left out; all before it is there, and may be gone on with.

A growing file is a header (SGG1, evidence, number of the file) and pieces in order, each its size
(and that once more with all bits turned: a size that was changed would look like a piece that broke
off), a random nonce of 12 bytes, the encrypted words and bytes, and a tag of 16.
"""

import fcntl
import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamguard.adapters.failpoint import reach
from streamguard.core.errors import EvidenceDamaged
from streamguard.core.kept import MAX_PIECE_BYTES, Piece, Subject
from streamguard.vault.sealing import NONCE_BYTES, TAG_BYTES

MAGIC = b"SGG1"
HEADER = struct.Struct("<4s16sI")
LENGTH = struct.Struct("<I")
SIZE = struct.Struct("<II")
TURNED = 0xFFFF_FFFF
PLACE = struct.Struct("<I")

MAX_WORDS_BYTES = 4096


class Words(msgspec.Struct, frozen=True):
    """What is said of a piece, beside its bytes; encrypted with them."""

    stream_id: str
    session_id: str
    start_ms: int
    end_ms: int
    ends: Annotated[str, msgspec.Meta(pattern="^(file|clip|)$")]
    ingest_ms: int | None = None


class GrowingFile:
    """A growing file that is written; one thread at a time."""

    def __init__(self, path: Path, key: bytes, subject: Subject, number: int) -> None:
        """Begin it, or go on behind the last whole piece of one that nobody writes to.

        Raises:
            EvidenceDamaged: what is there is not what was written.
            OSError: it cannot be written, or somebody else does; what was begun now is gone.
        """
        self._header = HEADER.pack(MAGIC, UUID(subject.evidence_id).bytes, number)
        self._cipher = AESGCM(key)
        self._subject = subject
        self._n_pieces = 0
        self.n_bytes = 0
        """Bytes of the clip that it holds."""
        self.last: Piece | None = None
        """The piece that it ended with when it was opened."""
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        with ExitStack() as undo:
            undo.callback(self.close)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # told by: it grows still
            try:
                self._go_on(GrowingReader(self._file, key, subject.evidence_id, number))
            except OSError:
                if not self._n_pieces:
                    path.unlink()
                raise
            undo.pop_all()

    def _go_on(self, reader: "GrowingReader") -> None:
        """Look what is there, and cut off what a failed write left behind it."""
        while (found := reader.next()) is not None:
            _, self.last = found
            self._n_pieces += 1
            self.n_bytes += len(self.last.content)
        self._file.truncate(reader.n_read)
        self._file.seek(reader.n_read)
        if not reader.n_read:
            self._write(self._header)

    def append(self, piece: Piece) -> None:
        """Take a piece; whoever reads on has it at once. Raises OSError."""
        subject = self._subject
        named, times = (subject.stream_id, subject.session_id), (piece.start_ms, piece.end_ms)
        words = msgspec.msgpack.encode(Words(*named, *times, piece.ends, piece.ingest_ms))
        plain = LENGTH.pack(len(words)) + words + piece.content
        nonce = os.urandom(NONCE_BYTES)
        bound = self._header + PLACE.pack(self._n_pieces)
        written = self._cipher.encrypt(nonce, plain, bound)
        size = len(nonce) + len(written)
        self._write(SIZE.pack(size, size ^ TURNED) + nonce + written)
        reach("evidence_grown")
        self._n_pieces += 1
        self.n_bytes += len(piece.content)

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self._file.close()

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]


class GrowingReader:
    """A growing file that is read, while it grows or later; one thread at a time."""

    def __init__(self, file: BinaryIO, key: bytes, evidence_id: str, number: int) -> None:
        self._file = file
        self._cipher = AESGCM(key)
        self._evidence_id = evidence_id
        self._number = number
        self._header = HEADER.pack(MAGIC, UUID(evidence_id).bytes, number)
        self._n_pieces = 0
        self.n_read = 0
        """Bytes of the file that were read: its header and whole pieces."""

    def next(self) -> tuple[Subject, Piece] | None:
        """Give the next piece that is there as a whole; None where there is none yet.

        Raises:
            EvidenceDamaged: it is not what was written.
        """
        if not self.n_read:
            header = self._read(0, HEADER.size)
            if header is None:
                return None
            if header != self._header:
                raise EvidenceDamaged("is no growing file of this evidence")
            self.n_read = HEADER.size
        sizes = self._read(self.n_read, SIZE.size)
        if sizes is None:
            return None
        size, turned = SIZE.unpack(sizes)
        if size ^ TURNED != turned:
            raise EvidenceDamaged(f"size of piece {self._n_pieces} is not what was written")
        if size > MAX_PIECE_BYTES + MAX_WORDS_BYTES + NONCE_BYTES + TAG_BYTES:
            raise EvidenceDamaged(f"piece {self._n_pieces} is larger than can be")
        sealed = self._read(self.n_read + SIZE.size, size)
        if sealed is None:
            return None
        found = self._opened(sealed)
        self.n_read += SIZE.size + size
        self._n_pieces += 1
        return found

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self._file.close()

    def _opened(self, sealed: bytes) -> tuple[Subject, Piece]:
        bound = self._header + PLACE.pack(self._n_pieces)
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
            (n_words,) = LENGTH.unpack(plain[: LENGTH.size])
            at = LENGTH.size + n_words
            words = msgspec.msgpack.decode(plain[LENGTH.size : at], type=Words)
        except (InvalidTag, ValueError, struct.error, msgspec.MsgspecError):
            raise EvidenceDamaged(f"piece {self._n_pieces} is not what was written") from None
        subject = Subject(self._evidence_id, words.stream_id, words.session_id)
        content, ends = plain[at:], words.ends
        match ends:
            case "file" | "clip" | "":
                times = (words.start_ms, words.end_ms)
                return subject, Piece(self._number, *times, content, ends, words.ingest_ms)
        raise EvidenceDamaged(f"piece {self._n_pieces} is not what was written")

    def _read(self, at: int, size: int) -> bytes | None:
        """Read so many bytes, if they are there."""
        self._file.seek(at)
        content = self._file.read(size)
        return content if len(content) == size else None


def pieces_of(
    file: BinaryIO, key: bytes, evidence_id: str, number: int
) -> tuple[list[tuple[Subject, Piece]], str | None]:
    """Give the pieces that a growing file holds now, and what is wrong with the next one.

    None is wrong where they end the file, or where the next one broke off.
    """
    reader = GrowingReader(file, key, evidence_id, number)
    pieces: list[tuple[Subject, Piece]] = []
    try:
        while (found := reader.next()) is not None:
            pieces.append(found)
    except EvidenceDamaged as error:
        return pieces, str(error)
    return pieces, None


def is_growing(path: Path) -> bool:
    """Say whether somebody writes to a growing file; raises OSError where it cannot be opened."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
