"""Keeps clips that grow: on disk at once, encrypted; a part of the evidence when a file is full.

Rule: bytes are in the growing file before anybody hears of them, and that file stays until the
vault has them as a part; for good where it is no more what was written. The next file is there
before one ends: who reads on finds it.
"""

import fcntl
import hashlib
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog

from streamguard.adapters.failpoint import reach
from streamguard.core.custody import Detail
from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.kept import (
    MAX_FILE_BYTES,
    MAX_PIECE_BYTES,
    Kept,
    Part,
    Piece,
    Subject,
)
from streamguard.vault.collecting import require_same
from streamguard.vault.durable import remove, sync_directory
from streamguard.vault.folder import DAMAGED
from streamguard.vault.growing import GrowingFile, is_growing, pieces_of
from streamguard.vault.told import CLIP
from streamguard.vault.vault import Vault

COPIED = "packets copied into fragmented MP4, not encoded anew"
"""What was done to what the publisher sent."""

log = structlog.get_logger()


class Recordings:
    """The clips that come from one process; its methods may be called in any thread."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._lock = threading.Lock()
        self._open: dict[str, _Recording] = {}
        self._broken: set[str] = set()
        """Those whose last write failed, or is under way."""

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Keep parts of an evidence, as Vault does, where there is room for them."""
        self._vault.folder.require_room(sum(len(part.content) for part in parts))
        return self._vault.collect(subject, parts)

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let the clip of an evidence grow; give the file of it that this ends.

        Raises:
            EvidenceUnavailable: it cannot be kept, or does not follow what came before. The same
                piece may be tried again: what is on disk is gone on with.
        """
        evidence_id = subject.evidence_id
        self._vault.folder.require_room(len(piece.content))
        with self._lock:
            recording = self._open.pop(evidence_id, None)
            self._broken.add(evidence_id)
        with ExitStack() as undo:
            try:
                if recording is None:
                    recording = _Recording(self._vault, subject, piece.number)
                undo.callback(recording.let_go)
                kept = recording.take(piece)
            except OSError as error:
                raise EvidenceUnavailable(f"evidence cannot be stored: {error.strerror}") from None
            except (ConfigError, EvidenceDamaged) as error:
                raise EvidenceUnavailable(str(error)) from None
            undo.pop_all()
        with self._lock:
            self._broken.discard(evidence_id)
            if piece.ends != "clip":
                self._open[evidence_id] = recording
        return kept

    def close(self) -> None:
        """Keep what there is of all clips: nothing more will come of them."""
        with self._lock:
            left, self._open = tuple(self._open.values()), {}
            broken, self._broken = tuple(self._broken), set()
        for recording in left:
            try:
                recording.abandon()
            except (ConfigError, EvidenceDamaged, EvidenceUnavailable, OSError) as error:
                recording.let_go()
                log.error("evidence_unavailable", problem=str(error))  # noqa: TRY400  # expected: the message says it all
        for evidence_id in broken:
            try:
                adopt(self._vault, evidence_id)
            except EvidenceUnavailable as error:
                log.error("evidence_unavailable", problem=str(error))  # noqa: TRY400  # as above


class _Recording:
    """One clip."""

    def __init__(self, vault: Vault, subject: Subject, number: int) -> None:
        """Begin it with a file, or go on with what there is of that after a failure."""
        self._vault = vault
        self._subject = subject
        self._key = _begun(vault, subject)
        self._file = self._opened(number)
        self._number = number
        self._last = self._written = self._file.last
        self._next: GrowingFile | None = None

    def take(self, piece: Piece) -> Kept | None:
        """Take the next piece."""
        size = len(piece.content)
        if piece.number != self._number:
            raise EvidenceUnavailable("a piece of a clip is not the next one")
        if size > MAX_PIECE_BYTES or self._file.n_bytes + size > MAX_FILE_BYTES + MAX_PIECE_BYTES:
            raise EvidenceUnavailable("a clip has larger files than can be kept")
        if piece.ends == "file":
            self._next = self._opened(self._number + 1)
        if piece != self._written:  # else that was done, and not what follows
            self._file.append(piece)
        self._last, self._written = piece, None
        if not piece.ends:
            return None
        done = self._file
        done.close()
        kept = seal(self._vault, self._subject.evidence_id, piece.number, done.n_bytes)
        if self._next:
            self._file, self._next = self._next, None
            self._number += 1
        return kept

    def let_go(self) -> None:
        """Write no more; what is there may be gone on with, or become a part as it is."""
        self._file.close()
        if self._next:
            self._next.close()

    def abandon(self) -> None:
        """End it as far as it has come."""
        last = self._last
        if last is None or last.number != self._number:  # the new file holds nothing yet
            self._file.close()
            remove(self._file.path)
            return
        times = (last.start_ms, last.end_ms)
        self.take(Piece(self._number, *times, b"", "clip", last.ingest_ms))

    def _opened(self, number: int) -> GrowingFile:
        path = self._vault.folder.growing(self._subject.evidence_id, number)
        file = GrowingFile(path, self._key, self._subject, number)
        reach("evidence_file_begun")
        return file


def _begun(vault: Vault, subject: Subject) -> bytes:
    """Put on record that evidence is collected, unless it is; give its data key."""
    with vault.changing() as chain:
        standing = chain.ledger.evidence.get(subject.evidence_id)
    if standing is None:
        vault.collect(subject, ())
    else:
        require_same(vault.manifest_of(standing), subject)
    return vault.data_key(subject.evidence_id)


def seal(vault: Vault, evidence_id: str, number: int, n_bytes: int = 0) -> Kept | None:
    """Make a part of a growing file; None where it holds nothing, or nothing that is not kept yet.

    It is gone when this returns. Where it is damaged, the part is what came before that, and says
    so; the file is put aside, and that is on record.

    n_bytes: how many of the clip were written to it, where that is known.

    Raises:
        EvidenceUnavailable: it cannot be stored, or would take the log's room while it is there
            twice; the growing file stays.
        OSError: it cannot be read; as above.
    """
    path, key = vault.folder.growing(evidence_id, number), vault.data_key(evidence_id)
    with path.open("rb", buffering=0) as file:
        vault.folder.require_room(path.stat().st_size)
        fcntl.flock(file, fcntl.LOCK_EX)  # of two who find it left, one makes the part
        return _sealed(vault, evidence_id, path, pieces_of(file, key, evidence_id, number), n_bytes)


def _sealed(
    vault: Vault,
    evidence_id: str,
    path: Path,
    found: tuple[list[tuple[Subject, Piece]], str | None],
    n_bytes: int,
) -> Kept | None:
    """Make a part of what was found in a growing file, in whose place nobody is meanwhile."""
    pieces, damage = found
    content = b"".join(piece.content for _, piece in pieces)
    if damage is None and len(content) < n_bytes:
        damage = f"{n_bytes - len(content)} bytes at its end are missing"
    kept = None
    if content:
        subject, last = pieces[-1]
        pieces.clear()  # 96 MB: they are not held beside what is made of them
        start_ms, end_ms = last.start_ms, last.end_ms
        said = (_done(damage), "", last.ingest_ms)
        part = Part(CLIP, "video/mp4", start_ms, end_ms, True, content, *said)  # noqa: FBT003  # a record
        if not _is_kept(vault, evidence_id, part):
            kept = vault.collect(subject, (part,))
        reach("evidence_clip_kept")
    if damage is None:
        remove(path)
    elif path.exists():
        _put_aside(vault, evidence_id, path, damage)
    return kept


def _done(damage: str | None) -> str:
    """Say what was done to what the publisher sent."""
    return f"{COPIED}; cut short, its file was damaged: {damage}" if damage else COPIED


def _put_aside(vault: Vault, evidence_id: str, path: Path, damage: str) -> None:
    """Keep a file that is not what was written, put that on record, and tell."""
    aside = path.with_suffix(DAMAGED)
    detail: Detail = {"result": "damaged", "n_problems": 1, "file": aside.name, "problem": damage}
    purpose = "to make a part of a file of its clip"
    vault.note(evidence_id, "verify", detail, actor=vault.actor, purpose=purpose)
    path.rename(aside)
    sync_directory(aside.parent)
    log.error("evidence_clip_damaged", evidence_id=evidence_id, file=aside.name, problem=damage)


def _is_kept(vault: Vault, evidence_id: str, part: Part) -> bool:
    """Say whether a part was kept by a process that was killed before it removed the file."""
    digest = hashlib.sha256(part.content).hexdigest()
    items = vault.manifest_of(vault.standing_now(evidence_id)).items
    return any(item.sha256 == digest and item.start_ms == part.start_ms for item in items)


def adopt(vault: Vault, evidence_id: str | None = None) -> int:
    """Make parts of what was left of clips that nobody goes on with; give how many.

    evidence_id: the one whose clip it is; None takes all.

    Raises:
        EvidenceUnavailable: something cannot be stored; it stays for the next time, and all others
            are parts.
    """
    n_adopted, problem = 0, None
    for path in vault.folder.growing_files(evidence_id):
        of, number = path.parent.name, int(path.stem.rpartition("-")[2])
        try:
            if not is_growing(path):
                n_adopted += seal(vault, of, number) is not None
        except FileNotFoundError:
            continue  # a part by now
        except EvidenceUnavailable as error:
            problem = error  # of this one alone, it may be
        except (ConfigError, EvidenceDamaged, OSError) as error:
            log.error("evidence_unavailable", evidence_id=of, problem=_said(error, path))  # noqa: TRY400  # expected: the message says it all
    if problem:
        raise problem
    return n_adopted


def _said(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return f"{path.name} cannot be read: {error.strerror}"
    return str(error)
