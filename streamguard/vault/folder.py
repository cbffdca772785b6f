"""Where the files of a store of evidence lie.

Rule: names and bytes only; what they mean is for others to say. Manifests stay for ever: they say
what was there.

    custody.jsonl, custody.head       the chain of custody
    custody-NUMBER.damaged            a chain that was damaged and begun anew, with its .head
    manifests/NUMBER-EVIDENCE.json    each state of each evidence
    objects/EVIDENCE/key.json         the wrapped data key of an evidence
    objects/EVIDENCE/clip-NUMBER.growing  a file of its clip that grows
    objects/EVIDENCE/clip-NUMBER.damaged  such a file that was not what was written when it ended
    objects/EVIDENCE/NUMBER-ROLE.sealed   its encrypted parts; where there is a store elsewhere,
                                      until that has them, as EVIDENCE/NUMBER-ROLE.sealed
"""

from pathlib import Path
from typing import Protocol

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import HasRoom
from streamguard.vault.durable import make_directory, remove, sync_directory, write_whole

KEY = "key.json"
SEALED = ".sealed"
GROWING = ".growing"
DAMAGED = ".damaged"


class Store(Protocol):
    """A store elsewhere; its methods raise EvidenceUnavailable."""

    url: str

    def put(self, evidence_id: str, name: str, content: bytes) -> None:
        """Store an object; it is there as a whole when this returns."""
        ...

    def get(self, evidence_id: str, name: str) -> bytes:
        """Read an object."""
        ...

    def delete(self, evidence_id: str, name: str) -> None:
        """Remove an object, if it is there."""
        ...

    def names(self, evidence_id: str) -> list[str]:
        """List what is stored of an evidence."""
        ...

    def evidence_ids(self) -> list[str]:
        """List of whom something is stored."""
        ...


class Folder:
    """The files of one store."""

    def __init__(
        self, root: Path, store: Store | None = None, has_room: HasRoom = lambda _: True
    ) -> None:
        """store: where the parts are kept in the end; None keeps them here."""
        self.root = root.absolute()
        self.store = store
        self._has_room = has_room

    def require_room(self, n_bytes: int) -> None:
        """Leave the disk to the event log, which may lie on it, before it is full.

        Raises:
            EvidenceUnavailable: so many bytes would take what is the log's.
        """
        if not self._has_room(n_bytes):
            raise EvidenceUnavailable("its disk is nearly full, and left to the event log")

    def prepare(self) -> None:
        """Make the directory; raises EvidenceUnavailable where it cannot be made."""
        try:
            make_directory(self.root)
        except OSError as error:
            raise EvidenceUnavailable(
                f"evidence directory {self.root} cannot be used: {error.strerror}"
            ) from None

    def refuse_open(self) -> None:
        """Make the directory private; raises EvidenceUnavailable where others use it."""
        root = self.root
        try:
            if root.is_dir() and root.stat().st_mode & 0o077:
                if any(root.iterdir()):  # somebody uses it: not ours to close
                    raise EvidenceUnavailable(
                        f"evidence directory {root} is open to others: name one of its own, or "
                        "make it private (chmod 700)"
                    )
                root.chmod(0o700)
            elif root.exists() and not root.is_dir():
                raise EvidenceUnavailable(f"evidence directory {root} is no directory")
        except OSError as error:
            raise EvidenceUnavailable(
                f"evidence directory {root} cannot be used: {error.strerror}"
            ) from None

    def manifest(self, number: int, evidence_id: str) -> Path:
        """Name the file of a manifest."""
        return self.root / "manifests" / f"{number:012d}-{evidence_id}.json"

    def manifests(self) -> list[Path]:
        """List the manifests, in their order."""
        return sorted((self.root / "manifests").glob("*.json"))

    def object(self, evidence_id: str, name: str) -> Path:
        """Name the file of a part or a key."""
        return self.root / "objects" / evidence_id / name

    def objects(self, evidence_id: str) -> list[str]:
        """List the names of what is stored of an evidence, here and elsewhere."""
        here = _names_in(self.root / "objects" / evidence_id)
        return sorted({*here, *(self.store.names(evidence_id) if self.store else ())})

    def evidence_ids(self) -> list[str]:
        """List whose objects are stored, whoever they belong to."""
        here = _names_in(self.root / "objects")
        return sorted({*here, *(self.store.evidence_ids() if self.store else ())})

    def growing(self, evidence_id: str, number: int) -> Path:
        """Name a file of a clip that grows."""
        return self.object(evidence_id, f"clip-{number:04d}{GROWING}")

    def growing_files(self, evidence_id: str | None = None) -> list[Path]:
        """List the files of clips, of one evidence or of all, that grow or were left."""
        folder = self.root / "objects" / (evidence_id or "")
        here = [folder / name for name in _names_in(folder)] if evidence_id else self.here()
        return [path for path in here if path.name.endswith(GROWING)]

    def spooled(self) -> list[Path]:
        """List the parts that are here, those of the evidence that was changed last at the end."""
        parts = [path for path in self.here() if path.name.endswith(SEALED)]
        return sorted(parts, key=lambda path: _changed_ns(path.parent))

    def here(self) -> list[Path]:
        """List all objects that are here; one that is erased meanwhile may be among them."""
        root = self.root / "objects"
        return [root / each / name for each in _names_in(root) for name in _names_in(root / each)]

    def uri(self, evidence_id: str, name: str) -> str:
        """Say where a part is kept in the end."""
        if self.store:
            return f"{self.store.url}/{evidence_id}/{name}"
        return self.object(evidence_id, name).as_uri()

    def put(self, evidence_id: str, name: str, content: bytes | bytearray) -> None:
        """Store an object; raises OSError."""
        write_whole(self.object(evidence_id, name), content)

    def get(self, evidence_id: str, name: str) -> bytes:
        """Read an object, from here or from elsewhere.

        Raises:
            EvidenceUnavailable: it is not there, or cannot be read.
        """
        path = self.object(evidence_id, name)
        try:
            return read_file(path)
        except EvidenceUnavailable:
            if self.store is None or not name.endswith(SEALED) or path.exists():
                raise
            return self.store.get(evidence_id, name)

    def erase(self, evidence_id: str) -> None:
        """Remove all objects of an evidence, the key first: without it the rest is noise."""
        folder = self.root / "objects" / evidence_id
        for name in sorted(_names_in(folder), key=lambda name: name != KEY):
            remove(folder / name)
        if self.store is not None:
            for name in self.store.names(evidence_id):
                self.store.delete(evidence_id, name)
        if folder.is_dir():
            folder.rmdir()
            sync_directory(folder.parent)


def _names_in(folder: Path) -> list[str]:
    """List the names in a directory; none where there is none, or none any more."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:  # erased meanwhile
        return 0


def read_file(path: Path) -> bytes:
    """Read a file of a store.

    Raises:
        EvidenceUnavailable: it is not there, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise EvidenceUnavailable("is missing") from None
    except OSError as error:
        raise EvidenceUnavailable(f"cannot be read: {error.strerror}") from None
