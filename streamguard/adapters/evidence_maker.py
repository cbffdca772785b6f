"""Makes the parts of an evidence, a clip and a still, and has them kept.

Rule: one of the two is enough: a stream that gives no clip may still give a still, and a disk that
is too full for the clip may hold the still.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from streamguard.adapters.pyav_clip import clip_of, still_of
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact, Evidence
from streamguard.core.kept import Part, Subject
from streamguard.core.types import Codec, Packet

Keep = Callable[[Subject, Sequence[Part]], Sequence[Artifact]]
"""Stores parts, all of them or none; raises EvidenceUnavailable."""

T = TypeVar("T")


class EvidenceMaker:
    """An evidence store, but for the storing; in any thread."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    def save(
        self, subject: Subject, codec: Codec, packets: tuple[Packet, ...], still_us: int
    ) -> Evidence:
        """Store a clip of these packets and a still of the frame at `still_us`.

        Raises:
            EvidenceUnavailable: neither could be made and stored.
        """
        if not packets:
            raise EvidenceUnavailable("the packets of this stretch are no longer held")
        problems: list[str] = []
        still = _unless_impossible(lambda: still_of(codec, packets, still_us), problems)
        clip = _unless_impossible(lambda: clip_of(codec, packets), problems)
        parts = []
        if clip is not None:
            start_us = min(packet.pts_us for packet in packets)
            end_us = max(packet.pts_us for packet in packets)
            parts.append(_part("clip", "video/mp4", start_us, end_us, clip))
        if still is not None:
            parts.append(_part("still", "image/jpeg", still_us, still_us, still[0]))
        kept = self._kept(subject, parts, problems)
        if not kept:
            raise EvidenceUnavailable("; ".join(problems))
        blurred = still[1] if still and "still" in kept else None
        return Evidence(
            state="ready", clip=kept.get("clip"), still=kept.get("still"), blurhash=blurred
        )

    def _kept(
        self, subject: Subject, parts: list[Part], problems: list[str]
    ) -> dict[str, Artifact]:
        """Store all parts, or else as many as can be stored, the smallest first."""
        if not parts:
            return {}
        stored = _unless_impossible(lambda: self._keep(subject, parts), problems)
        if stored is not None:
            return {part.role: one for part, one in zip(parts, stored, strict=True)}
        smaller = sorted(parts, key=lambda part: len(part.content))[:-1]
        return self._kept(subject, smaller, problems)


def _part(role: str, media_type: str, start_us: int, end_us: int, content: bytes) -> Part:
    is_original = role == "clip"  # remuxed, not encoded anew
    return Part(role, media_type, start_us // 1000, end_us // 1000, is_original, content)


def _unless_impossible(do: Callable[[], T], problems: list[str]) -> T | None:
    """Do one thing; note why it cannot be done, and give None, so that the next may be tried."""
    try:
        return do()
    except EvidenceUnavailable as error:
        problems.append(str(error))
    return None
