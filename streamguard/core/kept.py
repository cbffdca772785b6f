"""What is handed over to be kept as evidence: of what it is, and its parts.

Rule: values only, and no more is imported than every process that screens has anyway.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """What evidence is of.

    evidence_id: the flag's id: a flag has one evidence.
    """

    evidence_id: str
    stream_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is to be kept; the times are those of Item."""

    role: str
    media_type: str
    start_ms: int
    end_ms: int
    is_original: bool
    content: bytes
