"""What the configuration says of how much of a stranger's stream is taken.

Rule: its fields are those of `core.limits.Limits`, with the same defaults.
"""

from typing import Annotated

from pydantic import Field

from streamguard.core.limits import (
    MAX_PACKET_BYTES,
    MAX_PIXELS,
    MAX_STREAMS,
    PROBE_BYTES,
    PROBE_S,
    Limits,
)
from streamguard.sections.section import Section


class LimitsSection(Section):
    """How much of one live stream is taken; what exceeds it is refused, by a line that says so."""

    max_pixels: Annotated[int, Field(ge=4_096, le=1 << 28)] = MAX_PIXELS
    """Pixels of one picture, of files too; 8192 x 4320."""
    max_streams: Annotated[int, Field(ge=1, le=1_000)] = MAX_STREAMS
    """Streams in one container: picture, sound and all else."""
    max_packet_bytes: Annotated[int, Field(ge=65_536, le=1 << 28)] = MAX_PACKET_BYTES
    """Bytes of one packet."""
    probe_bytes: Annotated[int, Field(ge=4_096, le=1 << 25)] = PROBE_BYTES
    """Bytes that are read to find out what a stream carries."""
    probe_s: Annotated[float, Field(ge=0.1, le=30)] = PROBE_S
    """Seconds of media time that are looked at for it; every start takes as long."""

    @property
    def values(self) -> Limits:
        """Give them to those who keep to them."""
        return Limits(**self.model_dump())
