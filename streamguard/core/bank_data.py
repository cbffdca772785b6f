"""What an event says of a bank entry that no longer matches, or matches again.

Rule: as for `event_data`: bounded texts, no hash. While an entry is quarantined no stream is held
against it: that is a hole in what is screened, so it is told where gaps are told.
"""

from typing import Annotated, Literal

from pydantic import Field

from streamguard.core.event_values import Count, Name, UtcTime, Value


class EntryRef(Value):
    """Which entry of which bank."""

    bank: Name
    """Name of the bank."""
    entry: Name
    """Name of the entry; its hashes stay in the bank."""
    policy: Name
    """Policy code of the entry."""


class EntryQuarantinedData(Value):
    """An entry matched too many streams to be what it claims: it was set aside for a time."""

    entry: EntryRef
    reason: Literal["hub"]
    """`hub`: more than the set share of distinct streams matched it."""
    n_matched: Count
    """Distinct streams that matched it within the window."""
    n_streams: Count
    """Distinct streams that were screened within the window."""
    window_s: Count
    """Length of the window, seconds."""
    max_share: Annotated[float, Field(ge=0, le=1)]
    """The share that was set."""
    until_time: UtcTime
    """Instant at which it matches again by itself, if nobody has released it before."""


class EntryReleasedData(Value):
    """An entry that was set aside matches again."""

    entry: EntryRef
    reason: Literal["person", "expired"]
    """`person`: somebody released it; `expired`: its time was over."""
