"""Gives the evidence of a decision that is to be found again: a clip that may grow, or a still.

Rule: who copies it is in the custody first. What is given is in memory alone.
"""

from contextlib import closing

from streamguard.core.decision_data import DecisionData
from streamguard.core.kept import MAX_FILE_BYTES
from streamguard.vault.live_clip import LiveClip, has_clip
from streamguard.vault.vault import Vault

MAX_CLIP_BYTES = 2 * MAX_FILE_BYTES
"""Of a clip, from its beginning, goes into a bank: two of its files at their largest, six minutes
of 4.5 Mbit/s. It is in memory twice while it is hashed."""


def newest_clip(vault: Vault, decision: DecisionData) -> str | None:
    """Name the last flag of a decision that has a clip; None where none has."""
    return next((one for one in _kept(vault, decision) if has_clip(vault, one)), None)


def read_clip(vault: Vault, decision: DecisionData, flag_id: str, purpose: str) -> bytes:
    """Give the clip of a flag as far as it has come; no bytes where it has not begun.

    Raises:
        EvidenceDamaged, EvidenceUnavailable: it cannot be read.
    """
    clip = LiveClip(vault, flag_id, actor=decision.actor, purpose=purpose, action="copy")
    pieces, n_bytes = [], 0
    with closing(clip):
        while n_bytes < MAX_CLIP_BYTES and (piece := clip.read()):
            pieces.append(piece)
            n_bytes += len(piece)
    return b"".join(pieces)


def read_still(vault: Vault, decision: DecisionData, purpose: str) -> bytes | None:
    """Give the last still of the last flag that has one; None where none has.

    Raises:
        EvidenceDamaged, EvidenceUnavailable: it cannot be read.
    """
    for flag_id in _kept(vault, decision):
        for item in reversed(vault.manifest_of(vault.standing_now(flag_id)).items):
            if item.role == "still":
                actor = decision.actor
                return vault.read(flag_id, item.number, "copy", actor=actor, purpose=purpose)
    return None


def _kept(vault: Vault, decision: DecisionData) -> list[str]:
    """Name the flags whose evidence is kept, the last one first."""
    known = vault.standings_now(decision.flag_ids)
    return [
        flag_id
        for flag_id in reversed(decision.flag_ids)
        if flag_id in known and known[flag_id].state == "kept"
    ]
