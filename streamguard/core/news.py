"""Notices what comes into the banks and what leaves them while a stream is screened.

Rule: an entry is news once, for the samples that were judged without it: all before it came, or
those that came while it was set aside.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamguard.core.bank import Bank
from streamguard.core.banks import Banks
from streamguard.core.following import Key
from streamguard.core.past import Rows
from streamguard.core.policy import Policy


@dataclass(frozen=True, slots=True, eq=False)
class Recheck:
    """What is to be held against a stream's past.

    news: of each entry that has come into force the numbers of the samples judged without it.
    rows: what the stream has shown.
    """

    banks: Banks
    policy: Policy
    news: Mapping[Key, range]
    rows: Rows


class News:
    """What is new in the banks of one stream and was not held against its past yet."""

    def __init__(self) -> None:
        self._revisions: tuple[int, ...] | None = None
        self._by_name: dict[str, int] = {}
        self._news: dict[Key, range] = {}
        self._aside: dict[Key, int] = {}  # and from which sample on they were judged without

    def look(self, banks: Banks, n_taken: int) -> bool:
        """Compare with the banks as they were; say whether anything has changed.

        n_taken: samples judged so far.
        """
        revisions = banks.revision
        if revisions == self._revisions:
            return False
        for bank in banks.banks:
            if bank.settings.role == "known":
                self._look_at(bank, n_taken)
        is_first = self._revisions is None
        self._revisions = revisions
        self._by_name = {bank.name: bank.revision for bank in banks.banks}
        return not is_first

    def take(self) -> Mapping[Key, range]:
        """Give what is new, once."""
        news, self._news = self._news, {}
        return news

    def _look_at(self, bank: Bank, n_taken: int) -> None:
        """Note which entries of a bank have come into force, and which are set aside."""
        before = self._by_name.get(bank.name)
        new = () if before is None else bank.added_since(before)
        came = {(bank.name, name): range(n_taken) for name in new}
        aside = {(bank.name, name) for name, _ in bank.quarantined()}
        for key in {key for key in self._aside if key[0] == bank.name} - aside:
            since = self._aside.pop(key)
            if since < n_taken:
                came.setdefault(key, range(since, n_taken))
        self._news |= came
        for key in aside:  # what came and was never looked for is unjudged from there on
            unjudged = self._news.pop(key, range(n_taken, n_taken))
            self._aside[key] = min(unjudged.start, self._aside.get(key, n_taken))
