"""Says what there is of an evidence, as an event tells it.

Rule: it reads only, and never raises: where nothing can be said, what was told before stands.
"""

import time

from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.event_data import Artifact, Evidence
from streamguard.core.manifest import Item
from streamguard.vault.vault import Vault

CLIP, STILL = "clip", "still"
"""Roles of what events name."""

SEALING_S = 0.5
"""Whose process has died gets its clip sealed meanwhile, 34 MB in 0.2 s; a stream that waits to be
taken up again is not kept for longer."""

POLL_S = 0.02


def evidence_now(vault: Vault, evidence_id: str, told: Evidence) -> Evidence:
    """Say what there is of an evidence whose process has died, and that no more will come."""
    _wait_until_sealed(vault, evidence_id)
    try:
        standing = vault.standing_now(evidence_id)
        manifest = vault.manifest_of(standing)
    except (ConfigError, EvidenceDamaged, EvidenceUnavailable):
        return told
    clips = [_place(vault, evidence_id, item) for item in manifest.items if item.role == CLIP]
    stills = [_place(vault, evidence_id, item) for item in manifest.items if item.role == STILL]
    if standing.state != "kept" or not (clips or stills):
        return told
    path = vault.folder.manifest(standing.manifest_number, evidence_id)
    size = len(manifest.content)
    return Evidence(
        state="ready",
        clip=clips[0] if clips else None,
        still=told.still or (stills[-1] if stills else None),
        blurhash=told.blurhash,
        other_stills=told.other_stills,
        n_clip_files=len(clips) or None,
        manifest=Artifact(uri=path.as_uri(), sha256=standing.manifest_sha256, size_bytes=size),
    )


def _wait_until_sealed(vault: Vault, evidence_id: str) -> None:
    until_s = time.monotonic() + SEALING_S
    while time.monotonic() < until_s and any(
        path.parent.name == evidence_id for path in vault.folder.growing_files()
    ):
        time.sleep(POLL_S)


def _place(vault: Vault, evidence_id: str, item: Item) -> Artifact:
    uri = vault.folder.uri(evidence_id, item.name)
    return Artifact(uri=uri, sha256=item.sha256, size_bytes=item.size_bytes)
