"""Brings sealed parts to the store, from where they wait on the local disk.

Rule: a part leaves the local disk when the store has it as a whole. While the store is away all
waits; nothing is refused for that.
"""

from dataclasses import dataclass

from streamguard.adapters.failpoint import reach
from streamguard.core.errors import EvidenceUnavailable
from streamguard.vault.durable import remove
from streamguard.vault.folder import read_file
from streamguard.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is on the local disk and not in the store yet."""

    n_parts: int
    n_bytes: int


def waiting(vault: Vault) -> Waiting:
    """Count what waits; nothing does where there is no store."""
    if vault.folder.store is None:
        return Waiting(0, 0)
    n_parts = n_bytes = 0
    for path in vault.folder.spooled():
        try:
            n_bytes += path.stat().st_size
        except FileNotFoundError:
            continue  # on its way
        n_parts += 1
    return Waiting(n_parts, n_bytes)


def upload(vault: Vault) -> int:
    """Bring all that waits to the store, the oldest evidence first; give how many parts it took.

    Raises:
        EvidenceUnavailable: the store does not take it; what it took is there.
    """
    store, n_uploaded = vault.folder.store, 0
    if store is None:
        return 0
    for path in vault.folder.spooled():
        evidence_id, name = path.parent.name, path.name
        try:
            content = read_file(path)
        except EvidenceUnavailable:
            continue  # erased meanwhile
        store.put(evidence_id, name, content)
        reach("evidence_uploaded")
        with vault.changing() as chain:
            standing = chain.ledger.evidence.get(evidence_id)
            if standing and standing.state != "kept":  # erased while it was on its way
                store.delete(evidence_id, name)
            elif path.exists() and path.stat().st_size == len(content):
                remove(path)
                n_uploaded += 1
        reach("evidence_spool_freed")
    return n_uploaded
