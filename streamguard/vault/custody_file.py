"""Keeps the chain of custody in a file: an entry a line, only ever appended to.

Rule: an entry is on disk before anybody acts on it. How long the chain is stands, signed, in a file
of its own, so that its end cannot be cut off unnoticed. One writer at a time, whatever the process.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from streamguard.adapters.failpoint import reach
from streamguard.core.canonical import canonical
from streamguard.core.custody import Action, Detail, Entry, Ledger, instant, read_entry
from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import Count, KeyId, Sha256, read_struct, unsigned
from streamguard.core.ports import Clock
from streamguard.vault.durable import make_directory, sync_directory, write_whole
from streamguard.vault.keys import Keys

CUSTODY = "custody.jsonl"
HEAD = "custody.head"
DAMAGED_CHAINS = "custody-*.damaged*"
"""Chains that were damaged, and the notes of their length: kept where one was begun anew."""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the chain reached when it was last appended to."""

    n_entries: Count
    last_hash: Sha256
    key_id: KeyId
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """Give the bytes that the signature is of."""
        return unsigned(self, "signature")


class CustodyFile:
    """The chain of one store of evidence."""

    def __init__(self, directory: Path, keys: Keys, clock: Clock) -> None:
        """Nothing is read or made yet."""
        self._file = directory / CUSTODY
        self._head = directory / HEAD
        self._keys = keys
        self._clock = clock
        self._ledger = Ledger()
        self._read_bytes = 0
        self._inode = 0

    @contextmanager
    def writing(self) -> Iterator["Chain"]:
        """Keep all others from writing; give the chain as it now is.

        Raises:
            EvidenceDamaged: what is there is not what was written.
            OSError: it cannot be read or written.
        """
        with self.locked() as descriptor:
            self._catch_up(descriptor)
            yield Chain(self, descriptor)

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep all others from writing; give the open file as it is, whatever is in it.

        Raises:
            OSError: it cannot be opened.
        """
        make_directory(self._file.parent)
        descriptor = _locked(self._file)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def reading(self) -> Iterator[tuple[bytes, bytes]]:
        """Keep all others from writing; give the lines and the head as they are, unchecked.

        Raises:
            EvidenceUnavailable: they cannot be read.
        """
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            yield b"", _content(self._head)
            return
        except OSError as error:
            raise EvidenceUnavailable(f"{CUSTODY} cannot be read: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield self._file.read_bytes(), _content(self._head)
        finally:
            os.close(descriptor)

    def head(self) -> Head | None:
        """Read how far the chain reaches; None before there is one.

        Raises:
            EvidenceDamaged: it is not what was written.
        """
        content = _content(self._head)
        return read_struct(content, Head) if content else None

    def append(self, descriptor: int, entry: Entry) -> None:
        """Write an entry, then how far the chain reaches now."""
        line = entry.content + b"\n"
        try:
            _write(descriptor, line, self._read_bytes)
        except OSError:
            os.ftruncate(descriptor, self._read_bytes)
            raise
        if entry.seq == 0:
            sync_directory(self._file.parent)
        reach("custody_written")
        self._ledger.take(entry)
        self._read_bytes += len(line)
        head = Head(self._ledger.n_entries, self._ledger.last_hash, entry.key_id)
        head = msgspec.structs.replace(head, signature=self._keys.sign(head.signed))
        write_whole(self._head, canonical(msgspec.to_builtins(head)))

    def make_entry(
        self, evidence_id: str, action: Action, detail: Detail, actor: str, purpose: str
    ) -> Entry:
        """Make the entry that follows, signed."""
        entry = self._ledger.next_entry(
            evidence_id,
            action,
            detail,
            actor=actor,
            purpose=purpose,
            at=instant(self._clock.wall()),
            key_id=self._keys.signing_id,
        )
        return msgspec.structs.replace(entry, signature=self._keys.sign(entry.signed))

    @property
    def ledger(self) -> Ledger:
        """Give what was read and written so far."""
        return self._ledger

    def _catch_up(self, descriptor: int) -> None:
        """Take what others appended; an entry that a crash broke off was never told to anybody."""
        found = os.fstat(descriptor)
        size = found.st_size
        if found.st_ino != self._inode:  # begun anew by somebody else
            self._ledger, self._read_bytes, self._inode = Ledger(), 0, found.st_ino
        if size < self._read_bytes:
            raise EvidenceDamaged(f"{CUSTODY} has become shorter: see `evidence mend`")
        added = os.pread(descriptor, size - self._read_bytes, self._read_bytes)
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.split(b"\n")[:-1]:
            try:
                self._ledger.take(read_entry(line))
            except EvidenceDamaged as error:
                raise EvidenceDamaged(f"{CUSTODY}: {error}: see `evidence mend`") from None
            self._read_bytes += len(line) + 1
        head = self.head()
        if head and head.n_entries > self._ledger.n_entries:
            raise EvidenceDamaged(f"{CUSTODY} lacks entries: see `evidence mend`")
        if len(whole) < len(added):
            os.ftruncate(descriptor, self._read_bytes)


class Chain:
    """The chain, while nobody else may write to it."""

    def __init__(self, file: CustodyFile, descriptor: int) -> None:
        self._file = file
        self._descriptor = descriptor

    @property
    def ledger(self) -> Ledger:
        """Give what all entries amount to."""
        return self._file.ledger

    def append(
        self, evidence_id: str, action: Action, detail: Detail, *, actor: str, purpose: str
    ) -> Entry:
        """Write an entry; it is on disk when this returns."""
        entry = self._file.make_entry(evidence_id, action, detail, actor, purpose)
        self._file.append(self._descriptor, entry)
        return entry


def _locked(file: Path) -> int:
    """Open and lock a file that may be replaced while somebody waits for its lock."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        with ExitStack() as undo:
            undo.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if file.exists() and os.path.samestat(os.fstat(descriptor), file.stat()):
                undo.pop_all()
                return descriptor


def _write(descriptor: int, line: bytes, at: int) -> None:
    while line:
        n_written = os.pwrite(descriptor, line, at)
        line, at = line[n_written:], at + n_written
    os.fsync(descriptor)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
