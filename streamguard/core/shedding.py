"""Which flags are let go while the log's disk is nearly full, so that there is room for the rest.

Rule: a P0 flag never goes, nor does what says that something was not screened. A flag goes whole:
no reader hears of the later life of one whose opening it never saw.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamguard.core.events import EventType
from streamguard.core.record import Row
from streamguard.core.types import Severity

ROOM_BYTES: Mapping[Severity, int] = {
    Severity.P3: 256 << 20,
    Severity.P2: 128 << 20,
    Severity.P1: 64 << 20,
}
"""Free space below which flags of a severity go. Of flags the last 64 MiB are for P0 alone: 20,000
of 3 KB with their indexes, beside the 16 MiB that the write-ahead log may take; each of the others
leaves as much again to those above it. Gaps and what people do are written there too: 1 to 2 KB
each, and what was not screened must not go unsaid."""

SMALL_DISK_BYTES = 2 << 30
"""Of a disk smaller than this the same shares count: an eighth, a sixteenth, a thirty-second."""

EVIDENCE_LEAVES_BYTES = 512 << 20
"""Free space that evidence leaves on its disk: twice that from which flags go, so that none goes
for a clip, where both share a disk. Elsewhere it is for the custody of what is there."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a disk has.

    free_bytes: what this user may still write.
    size_bytes: of all of it.
    """

    free_bytes: int
    size_bytes: int

    def is_scarce_for(self, severity: Severity) -> bool:
        """Say whether flags of a severity, other than P0, go."""
        return self.free_bytes < ROOM_BYTES[severity] * self._share

    def takes_evidence(self, n_bytes: int) -> bool:
        """Say whether so many bytes of clips, stills or copies of them may still be written."""
        return self.free_bytes - n_bytes >= EVIDENCE_LEAVES_BYTES * self._share

    @property
    def _share(self) -> float:
        """Give what part of the spaces named here counts on this disk."""
        return min(1.0, self.size_bytes / SMALL_DISK_BYTES)


@dataclass(frozen=True, slots=True)
class Shed:
    """What is committed of a batch, and what is not.

    kept:  in their order.
    gone:  of each flag that goes, its severity; a flag counts once, where it opens.
    flags: ids of all flags that went and may still be spoken of.
    """

    kept: Sequence[Row]
    gone: Sequence[Severity]
    flags: frozenset[str]


def shed(rows: Sequence[Row], room: Room, flags: frozenset[str]) -> Shed:
    """Decide what goes of a batch.

    Args:
        rows: on their way to the log, in order.
        room: on its disk.
        flags: those that went before, as this function gave them.
    """
    kept: list[Row] = []
    gone: list[Severity] = []
    ids = set(flags)
    for row in rows:
        if row.severity is None or row.severity is Severity.P0:
            kept.append(row)
            continue
        is_scarce = room.is_scarce_for(row.severity)
        if not is_scarce and not ids:  # nearly always: no need to look into it
            kept.append(row)
            continue
        flag_id: str = json.loads(row.body)["data"]["flag_id"]
        is_opening = row.type == EventType.FLAG_OPENED
        if is_opening and is_scarce:
            gone.append(row.severity)
            ids.add(flag_id)
        elif is_opening or flag_id not in ids:
            kept.append(row)
            ids.discard(flag_id)
        elif row.type == EventType.FLAG_CLOSED:
            ids.discard(flag_id)
    return Shed(kept, gone, frozenset(ids))


def scarcity(room: Room) -> Severity | None:
    """Give the highest severity whose flags go; None while all are taken."""
    return min(filter(room.is_scarce_for, ROOM_BYTES), default=None)
