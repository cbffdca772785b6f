"""Who may not publish, and what nobody may watch: the list that an admission hook answers from.

Rule: an entry names a stream by its id, never by its path; whoever looks gets an answer at once,
from memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["publish", "play"]
"""`publish`: nobody may publish it; `play`: nobody who is not watching yet may begin to."""


@dataclass(frozen=True, slots=True)
class Denial:
    """One entry; instants are seconds since 1970 UTC.

    decision_id: the decision that it carries out.
    until_s:     when it ends; None where it stands until somebody restores the stream.
    """

    stream_id: str
    kind: Kind
    decision_id: str
    since_s: float
    until_s: float | None = None

    def is_over(self, now_s: float) -> bool:
        """Say whether its time has passed."""
        return self.until_s is not None and now_s >= self.until_s


class DenyList:
    """All entries at one moment; it never changes, so that any thread may ask it."""

    def __init__(self, denials: Iterable[Denial] = ()) -> None:
        self._denials: Mapping[tuple[str, Kind], Denial] = {
            (one.stream_id, one.kind): one for one in denials
        }

    def __len__(self) -> int:
        return len(self._denials)

    def find(self, stream_id: str, kind: Kind, now_s: float) -> Denial | None:
        """Give the entry by which this is denied now, if there is one."""
        found = self._denials.get((stream_id, kind))
        return None if found is None or found.is_over(now_s) else found

    def streams(self, kind: Kind, now_s: float) -> frozenset[str]:
        """Give the streams that are denied now."""
        return frozenset(
            one.stream_id
            for one in self._denials.values()
            if one.kind == kind and not one.is_over(now_s)
        )

    def over(self, now_s: float) -> list[Denial]:
        """Give the entries whose time has passed."""
        return [one for one in self._denials.values() if one.is_over(now_s)]
