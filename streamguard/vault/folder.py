"""Where the files of a store of evidence lie.

Rule: names and bytes only; what they mean is for others to say. Manifests stay for ever: they say
what was there.

    custody.jsonl, custody.head       the chain of custody
    manifests/NUMBER-EVIDENCE.json    each state of each evidence
    objects/EVIDENCE/key.json         the wrapped data key of an evidence
    objects/EVIDENCE/NUMBER-ROLE.sealed   its encrypted parts
"""

from pathlib import Path

from streamguard.core.errors import EvidenceUnavailable
from streamguard.vault.durable import remove, sync_directory, write_whole

KEY = "key.json"


class Folder:
    """The files of one store."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

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
        """List the names of what is stored of an evidence."""
        folder = self.root / "objects" / evidence_id
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def evidence_ids(self) -> list[str]:
        """List whose objects are stored, whoever they belong to."""
        folder = self.root / "objects"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def put(self, evidence_id: str, name: str, content: bytes) -> None:
        """Store an object; raises OSError."""
        write_whole(self.object(evidence_id, name), content)

    def get(self, evidence_id: str, name: str) -> bytes:
        """Read an object.

        Raises:
            EvidenceUnavailable: it is not there, or cannot be read.
        """
        return read_file(self.object(evidence_id, name))

    def erase(self, evidence_id: str) -> None:
        """Remove all objects of an evidence, the key first: without it the rest is noise."""
        folder = self.root / "objects" / evidence_id
        for name in sorted(self.objects(evidence_id), key=lambda name: name != KEY):
            remove(folder / name)
        if folder.is_dir():
            folder.rmdir()
            sync_directory(folder.parent)


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
