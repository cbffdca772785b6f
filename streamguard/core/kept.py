"""What is handed over to be kept as evidence: of what it is, and its parts.

Rule: values only, and no more is imported than every process that screens has anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from streamguard.core.event_data import Artifact

if TYPE_CHECKING:  # screening reads no manifest: 10 ms of every start
    from streamguard.core.manifest import StreamContext

MAX_PIECE_BYTES = 48 << 20
"""Of a piece. Half a second of 100 Mbit/s is 6 MB; a first one holds what the ring held."""

MAX_FILE_BYTES = 96 << 20
"""Of a file of a clip: a minute of 12 Mbit/s. A fatter stream begins a new one sooner."""


CLIP_SOUNDS = frozenset({"aac", "opus"})
"""Codecs whose sound is copied into clips, by FFmpeg's names."""

Ends = Literal["", "file", "clip"]
"""What the bytes of a clip end: their file, the whole clip, or nothing."""

HasRoom = Callable[[int], bool]
"""Says whether there is room for so many bytes of evidence more. Where there is none, whoever keeps
evidence raises EvidenceUnavailable before it writes: the flag stands without, and the disk is left
to the log. In any thread; it takes microseconds."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What evidence is of.

    evidence_id: the flag's id: a flag has one evidence.
    context: more of the publish, where it is known; case_id: of the case that it was decided on
        with, where it was; incident_id: as in Manifest. They make no other subject.
    """

    evidence_id: str
    stream_id: str
    session_id: str
    context: "StreamContext | None" = field(default=None, compare=False)
    case_id: str = field(default="", compare=False)
    incident_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is to be kept; times, `transform` and `derived_from` are those of Item.

    ingest_ms: when its first packet was read, milliseconds since 1970 UTC; None where nobody said.
    """

    role: str
    media_type: str
    start_ms: int
    end_ms: int
    is_original: bool
    content: bytes
    transform: str = ""
    derived_from: str = ""
    ingest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of a clip that grows.

    number:   of the file of the clip that they belong to, from 0.
    start_ms: media time of the session at which that file begins, milliseconds.
    end_ms:   and up to which it reaches with these bytes.
    ends:     what they, who may be none, end: their file, the whole clip, or nothing.
    ingest_ms: when the first packet of that file was read, as Part has it.
    """

    number: int
    start_ms: int
    end_ms: int
    content: bytes
    ends: Ends = ""
    ingest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where parts are kept, and the manifest that names them; None where there is none."""

    parts: tuple[Artifact, ...]
    manifest: Artifact | None = None


@dataclass(frozen=True, slots=True)
class Still:
    """A still that is kept, and its preview."""

    kept: Kept
    blurhash: str


class Keeper(Protocol):
    """Keeps evidence; in any thread."""

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Keep parts of an evidence beside those that it has; all of them, or none.

        Raises:
            EvidenceUnavailable: they cannot be kept.
        """
        ...

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let the clip of an evidence grow; give the file of it that this ends.

        Raises:
            EvidenceUnavailable: it cannot be kept; the same piece may be tried again.
        """
        ...
