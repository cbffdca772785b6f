"""Keeps clips and stills in a directory: one folder a flag, mode 0700.

Rule: a file appears whole or not at all, and is on disk before anyone hears of it.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from streamguard.adapters.pyav_clip import clip_of, still_of
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact, Evidence
from streamguard.core.types import Codec, Packet

MAX_ROOT_URI = 900
"""Longest URI of the directory: an event holds 1,024 characters for each of its files."""

T = TypeVar("T")


class EvidenceDir:
    """An evidence store on a local disk."""

    def __init__(self, root: Path) -> None:
        """Make the directory if it is missing, for its owner alone.

        Raises:
            EvidenceUnavailable: it cannot be made, is open to others, or no event can name it.
        """
        self._root = root.absolute()
        if len(self._root.as_uri()) > MAX_ROOT_URI:
            raise EvidenceUnavailable("the evidence directory has too long a path for an event")
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_open = bool(self._root.stat().st_mode & 0o077)
            if is_open and any(self._root.iterdir()):  # somebody uses it: not ours to close
                raise EvidenceUnavailable(
                    f"evidence directory {root} is open to others: name one of its own, or make it "
                    "private (chmod 700)"
                )
            self._root.chmod(0o700)
        except OSError as error:
            raise EvidenceUnavailable(
                f"evidence directory {root} cannot be used: {error.strerror}"
            ) from None

    def save(self, name: str, codec: Codec, packets: tuple[Packet, ...], still_us: int) -> Evidence:
        """Store a clip of these packets and a still of the frame at `still_us`.

        One of the two is enough: a stream that gives no clip may still give a still, and a disk
        that is too full for the clip may hold the still.

        Raises:
            EvidenceUnavailable: neither could be made and stored.
        """
        if not packets:
            raise EvidenceUnavailable("the packets of this stretch are no longer held")
        problems: list[str] = []
        made = _unless_impossible(lambda: still_of(codec, packets, still_us), problems)
        remuxed = _unless_impossible(lambda: clip_of(codec, packets), problems)
        folder = self._root / name
        still = _kept(folder / "still.jpg", made[0] if made else None, problems)
        clip = _kept(folder / "clip.mp4", remuxed, problems)
        if still is None and clip is None:
            raise EvidenceUnavailable("; ".join(problems))
        blurred = made[1] if made and still else None
        return Evidence(state="ready", clip=clip, still=still, blurhash=blurred)


def _unless_impossible(make: Callable[[], T], problems: list[str]) -> T | None:
    """Do one thing; note why it cannot be done, and give None, so that the next may be tried."""
    try:
        return make()
    except EvidenceUnavailable as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"evidence cannot be stored: {error.strerror}")
    return None


def _kept(path: Path, content: bytes | None, problems: list[str]) -> Artifact | None:
    return _unless_impossible(lambda: _stored(path, content), problems) if content else None


def _stored(path: Path, content: bytes) -> Artifact:
    """Write a file so that it survives a power cut, then name it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    aside = path.with_suffix(".part")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(uri=path.as_uri(), sha256=digest, size_bytes=len(content))


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
