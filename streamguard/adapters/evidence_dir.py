"""Keeps clips and stills as plain files, for the demo: one folder a flag, mode 0700.

Rule: a file appears whole or not at all. What is real evidence goes to a vault, encrypted.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import Kept, Part, Piece, Subject

SUFFIXES = {"video/mp4": ".mp4", "image/jpeg": ".jpg"}


class EvidenceDir:
    """Files that anybody can play who may read them."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Store parts of an evidence.

        Raises:
            EvidenceUnavailable: they cannot be stored.
        """
        try:
            folder = self._folder(subject)
            return Kept(tuple(_stored(folder, part) for part in parts))
        except OSError as error:
            raise _unavailable(error) from None

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let the clip of an evidence grow; give the file of it that this ends.

        Raises:
            EvidenceUnavailable: it cannot be stored.
        """
        try:
            folder = self._folder(subject)
            aside = folder / f"clip-{piece.number}.part"
            _append(aside, piece.content)
            if not piece.ends:
                return None
            name = f"clip-{piece.number}.mp4" if piece.number else "clip.mp4"
            path = aside.replace(folder / name)
            return Kept((_artifact(path, path.read_bytes()),))
        except OSError as error:
            raise _unavailable(error) from None

    def _folder(self, subject: Subject) -> Path:
        folder = self._root / subject.evidence_id
        for directory in (self._root, folder):
            directory.mkdir(mode=0o700, exist_ok=True)
        return folder


def _append(file: Path, content: bytes) -> None:
    """Append all or nothing: the same may be tried again. Raises OSError."""
    with file.open("ab", buffering=0) as out:
        size_bytes = out.tell()
        try:
            while content:
                content = content[out.write(content) :]
        except OSError:
            out.truncate(size_bytes)
            raise


def _stored(folder: Path, part: Part) -> Artifact:
    suffix = SUFFIXES[part.media_type]
    path = folder / f"{part.role}{suffix}"
    if path.exists():
        path = folder / f"{part.role}-{part.start_ms}ms{suffix}"
    aside = path.with_suffix(".part")
    aside.write_bytes(part.content)
    aside.replace(path)
    return _artifact(path, part.content)


def _artifact(path: Path, content: bytes) -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(uri=path.as_uri(), sha256=digest, size_bytes=len(content))


def _unavailable(error: OSError) -> EvidenceUnavailable:
    return EvidenceUnavailable(f"evidence cannot be stored: {error.strerror}")
