"""Keeps evidence of those flags alone that somebody will hear of.

Rule: of a flag that was let go nothing is kept; its pictures would be there for nobody.
"""

from collections.abc import Callable, Sequence

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Kept, Part, Piece, Subject
from streamguard.vault.channel import ClosingKeeper


class OfHeard:
    """A keeper before another one; its methods may be called in any thread."""

    def __init__(self, keeper: ClosingKeeper, is_heard_of: Callable[[str], bool]) -> None:
        """is_heard_of: is asked once of each flag, by its id, and may wait for the answer."""
        self._keeper = keeper
        self._is_heard_of = is_heard_of
        self._heard: set[str] = set()

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Keep parts of an evidence.

        Raises:
            EvidenceUnavailable: its flag was let go, or they cannot be stored.
        """
        self._require_heard(subject)
        return self._keeper.collect(subject, parts)

    def grow(self, subject: Subject, piece: Piece) -> Kept | None:
        """Let a clip grow.

        Raises:
            EvidenceUnavailable: as above.
        """
        self._require_heard(subject)
        return self._keeper.grow(subject, piece)

    def close(self) -> None:
        """Keep what there is: nothing more will come."""
        self._keeper.close()

    def _require_heard(self, subject: Subject) -> None:
        if subject.evidence_id in self._heard:
            return
        if not self._is_heard_of(subject.evidence_id):
            raise EvidenceUnavailable("its flag was let go: the event log's disk is nearly full")
        self._heard.add(subject.evidence_id)
