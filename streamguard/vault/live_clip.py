"""Gives the clip of an evidence as one stream of fragmented MP4, also while it grows.

Rule: who looks is in the custody first. Nothing but files is needed: the process that reads may be
another one than the one that writes.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from streamguard.core.custody import Action
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.manifest import Item
from streamguard.vault.growing import GrowingReader
from streamguard.vault.told import CLIP
from streamguard.vault.vault import Vault

SLICE_BYTES = 1 << 20
"""How much is given at a time of a file that is complete."""


class LiveClip:
    """One look at a clip; one thread at a time."""

    def __init__(
        self, vault: Vault, evidence_id: str, *, actor: str, purpose: str, action: Action = "view"
    ) -> None:
        """Put the look on record; what is done, by whom and what for, in the custody's words.

        Raises:
            ConfigError: there is no such evidence.
            EvidenceUnavailable: it has no clip, or was erased.
        """
        self._vault = vault
        self._evidence_id = evidence_id
        if vault.standing_now(evidence_id).state != "kept":
            raise EvidenceUnavailable("this evidence was erased")
        self._slices: Iterator[bytes] = iter(())
        self._growing: GrowingReader | None = None
        self._is_first = True  # of the pieces of a growing file
        self._number = 0  # of the file that is read next
        self._is_over = False
        self.start_ms: int | None = None
        """Media time of the session at which the clip begins; known once something was read."""
        self._key = vault.data_key(evidence_id)
        if not self._open_next():
            raise EvidenceUnavailable("this evidence has no clip")
        with ExitStack() as undo:
            undo.callback(self.close)
            vault.note(evidence_id, action, {"items": (CLIP,)}, actor=actor, purpose=purpose)
            undo.pop_all()

    def read(self) -> bytes | None:
        """Give the next bytes: none where there are none yet; None at the end.

        Raises:
            EvidenceDamaged: they are not what was kept.
            EvidenceUnavailable: they cannot be read.
        """
        while not self._is_over:
            if content := next(self._slices, b""):
                return content
            if self._growing is None and not self._open_next():
                break
            if self._growing is not None:
                content = self._grown(self._growing)
                if content or self._growing is not None:
                    return content
        return None

    def close(self) -> None:
        """Let go of what is open; harmless when repeated."""
        if self._growing is not None:
            self._growing.close()

    def _grown(self, growing: GrowingReader) -> bytes:
        """Give the next piece; where it ends its file, that is let go of."""
        found = growing.next()
        if found is None:
            return b""
        _, piece = found
        self.start_ms = piece.start_ms if self.start_ms is None else self.start_ms
        is_first, self._is_first = self._is_first, False
        if piece.ends:
            self._is_over = piece.ends == "clip"
            growing.close()
            self._growing = None
        return _without_head(piece.content) if is_first and self._number > 1 else piece.content

    def _open_next(self) -> bool:
        """Open the next file of the clip; False where there is none."""
        number, self._number = self._number, self._number + 1
        try:
            path = self._vault.folder.growing(self._evidence_id, number)
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return self._open_kept(number)
        except OSError as error:
            raise EvidenceUnavailable(f"cannot be read: {error.strerror}") from None
        self._growing = GrowingReader(file, self._key, self._evidence_id, number)
        self._is_first = True
        return True

    def _open_kept(self, number: int) -> bool:
        items = clip_items(self._vault, self._evidence_id)
        if number >= len(items):
            return False
        self.start_ms = items[0].start_ms
        content = self._vault.content_of(self._evidence_id, items[number], self._key)
        content = _without_head(content) if number else content
        starts = range(0, len(content), SLICE_BYTES)
        self._slices = (content[at : at + SLICE_BYTES] for at in starts)
        return True


def clip_items(vault: Vault, evidence_id: str) -> list[Item]:
    """Name the files of a clip that are complete, in their order."""
    manifest = vault.manifest_of(vault.standing_now(evidence_id))
    return [item for item in manifest.items if item.role == CLIP]


def has_clip(vault: Vault, evidence_id: str) -> bool:
    """Say whether an evidence that is kept has a clip, which may grow still."""
    # in this order: what grows becomes an item, and no item grows again
    return vault.folder.growing(evidence_id, 0).exists() or bool(clip_items(vault, evidence_id))


def _without_head(content: bytes) -> bytes:
    """Leave out what stands before the first fragment: the head of the clip was given already."""
    at = 0
    while at + 8 <= len(content) and content[at + 4 : at + 8] != b"moof":
        at += max(8, int.from_bytes(content[at : at + 4]))
    return content[at:]
