"""Has evidence time-stamped by somebody else, so that no key of ours can date it back.

Rule: nothing waits for it and it holds nothing up: an authority is asked while nobody holds the
chain. What it stamps is the newest manifest alone, which names all parts.
"""

from collections.abc import Iterator

from streamguard.core.custody import Standing, wall_s
from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import Manifest
from streamguard.vault.custody_file import CUSTODY
from streamguard.vault.vault import Vault

SETTLED_S = 5.0
"""A manifest that is younger may soon be followed by another: a flag has its clip's first file and
four stills within seconds, and one time stamp for all is enough (our choice)."""


class Stamper:
    """What was looked at of one store; one thread at a time."""

    def __init__(self, vault: Vault, settled_s: float = SETTLED_S) -> None:
        """Look at all of it at first, later at what changed."""
        self._vault = vault
        self._settled_s = settled_s
        self._done: dict[str, int] = {}  # by evidence: its newest manifest needs no stamp
        self.n_waiting = 0
        """Evidence that should have had a time stamp when it was looked at last."""

    def step(self) -> int:
        """Have stamped what has none; give how many were.

        Raises:
            EvidenceUnavailable: the authority does not do it, or it cannot be stored.
        """
        authority = self._vault.authority
        if authority is None:
            return 0
        before_s = self._vault.clock.wall() - self._settled_s
        waiting = [each for each in self._unstamped() if wall_s(each.created_at) <= before_s]
        self.n_waiting, n_stamped = len(waiting), 0
        for manifest in waiting:
            token = authority.stamp(manifest.stamped)
            n_stamped += self._vault.stamp(manifest, token)
            self.n_waiting -= 1
        return n_stamped

    def _unstamped(self) -> Iterator[Manifest]:
        for standing in self._kept():
            if self._done.get(standing.evidence_id) == standing.manifest_number:
                continue
            try:
                manifest = self._vault.manifest_of(standing)
            except (EvidenceDamaged, EvidenceUnavailable):
                manifest = None  # verify tells of it
            if manifest and not manifest.timestamp_token:
                yield manifest
            else:
                self._done[standing.evidence_id] = standing.manifest_number

    def _kept(self) -> list[Standing]:
        if not (self._vault.folder.root / CUSTODY).exists():
            return []  # nothing was ever kept
        with self._vault.changing() as chain:
            return [each for each in chain.ledger.evidence.values() if each.state == "kept"]


def stamp_problem(vault: Vault, manifest: Manifest) -> str | None:
    """Say what is wrong with a manifest's time stamp; None where it is good, or nobody can tell."""
    if vault.authority is None or not manifest.timestamp_token:
        return None
    return vault.authority.problem_with(manifest.timestamp_token, manifest.stamped)
