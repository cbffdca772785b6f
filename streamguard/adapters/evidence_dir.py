"""Keeps clips and stills as plain files, for the demo: one folder a flag, mode 0700.

Rule: a file appears whole or not at all. What is real evidence goes to a vault, encrypted.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import Part, Subject

SUFFIXES = {"video/mp4": ".mp4", "image/jpeg": ".jpg"}


class EvidenceDir:
    """Files that anybody can play who may read them."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def keep(self, subject: Subject, parts: Sequence[Part]) -> tuple[Artifact, ...]:
        """Store parts of an evidence.

        Raises:
            EvidenceUnavailable: they cannot be stored.
        """
        folder = self._root / subject.evidence_id
        try:
            for directory in (self._root, folder):
                directory.mkdir(mode=0o700, exist_ok=True)
            return tuple(_stored(folder, part) for part in parts)
        except OSError as error:
            raise EvidenceUnavailable(f"evidence cannot be stored: {error.strerror}") from None


def _stored(folder: Path, part: Part) -> Artifact:
    path = folder / f"{part.role}{SUFFIXES[part.media_type]}"
    aside = path.with_suffix(".part")
    aside.write_bytes(part.content)
    aside.replace(path)
    digest = hashlib.sha256(part.content).hexdigest()
    return Artifact(uri=path.as_uri(), sha256=digest, size_bytes=len(part.content))
