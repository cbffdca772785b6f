"""The deny list and the held streams, on disk and in memory.

Rule: what is in memory is what is on disk, and is replaced as a whole, so that any thread may read
it at any time.
"""

from collections.abc import Mapping, Sequence

from streamguard.adapters.sqlite_actions import ActionStore, Hold, Kept
from streamguard.core.denials import Denial, DenyList, Kind


class Book:
    """Both, over one store; methods that change something may raise LogUnavailable."""

    def __init__(self, store: ActionStore) -> None:
        self._store = store
        self.denied = DenyList()
        """Who is kept out at this moment."""
        self.held: Mapping[str, Hold] = {}
        """What is held at this moment, by stream."""
        self._read()

    def note(self, kept: Kept, denial: Denial | None = None, hold: Hold | None = None) -> Kept:
        """Keep how far an action has come, and with it whom it keeps out or holds."""
        self._store.note(kept, denial, hold)
        self._read()
        return kept

    def allow(self, stream_id: str, kinds: Sequence[Kind] = ("publish", "play")) -> None:
        """Keep nobody out of a stream any more."""
        self._store.allow(stream_id, kinds)
        self._read()

    def let_go(self, stream_id: str) -> None:
        """Forget that a stream is held."""
        self._store.let_go(stream_id)
        self._read()

    def forget_over(self, now_s: float) -> None:
        """Take entries from the list whose time has passed; now_s: seconds since 1970 UTC."""
        for denial in self.denied.over(now_s):
            self.allow(denial.stream_id, (denial.kind,))

    def _read(self) -> None:
        self.denied = DenyList(self._store.denials())
        self.held = {one.stream_id: one for one in self._store.holds()}
