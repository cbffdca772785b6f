"""Notices what comes into the banks and what leaves them while a stream is screened.

Rule: an entry is news once, from the sample on which it was first in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamguard.core.banks import Banks
from streamguard.core.following import Key
from streamguard.core.past import Rows
from streamguard.core.policy import Policy


@dataclass(frozen=True, slots=True, eq=False)
class Recheck:
    """What is to be held against a stream's past.

    news: of each new entry the number of the first sample that was judged with it.
    rows: what the stream has shown.
    """

    banks: Banks
    policy: Policy
    news: Mapping[Key, int]
    rows: Rows


class News:
    """What is new in the banks of one stream and was not held against its past yet."""

    def __init__(self) -> None:
        self._revisions: tuple[int, ...] | None = None
        self._by_name: dict[str, int] = {}
        self._news: dict[Key, int] = {}

    def look(self, banks: Banks, n_taken: int) -> bool:
        """Compare with the banks as they were; say whether anything has changed.

        n_taken: samples judged so far.
        """
        revisions = banks.revision
        if revisions == self._revisions:
            return False
        for bank in banks.banks:
            before = self._by_name.get(bank.name)
            if before is not None and bank.settings.role == "known":
                new = bank.added_since(before)
                self._news |= {(bank.name, name): n_taken for name in new}
        is_first = self._revisions is None
        self._revisions = revisions
        self._by_name = {bank.name: bank.revision for bank in banks.banks}
        return not is_first

    def take(self) -> Mapping[Key, int]:
        """Give what is new, once."""
        news, self._news = self._news, {}
        return news
