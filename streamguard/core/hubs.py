"""Finds bank entries that match too many streams at once: an intro, a logo, a slate, a bad hash.

Rule: a count of distinct streams within the last hour, no more. One stream that matches a thousand
times counts once, and a small platform is never without an entry because three of its five streams
show the same attack. No clock in here: the caller passes the time.
"""

from collections import OrderedDict
from dataclasses import dataclass

from streamguard.core.event_data import utc_seconds, utc_text

HOUR_S = 3600.0
"""How far back streams are counted, seconds."""

MAX_STREAMS = 20_000
"""Streams that are remembered, and streams of one entry: the oldest are forgotten first."""

MAX_ENTRIES = 4_096
"""Entries that are remembered, those that matched last."""

Key = tuple[str, str]
"""A bank and the name of an entry in it."""

_REASON = "matched too many streams; until "
"""What a bank is told of why a hub is set aside, before the instant."""


def reason_until(until_s: float) -> str:
    """Say why a hub is set aside, and until when, seconds since 1970 UTC."""
    return _REASON + utc_text(until_s)


def until_of(reason: str) -> float | None:
    """Read what `reason_until` said; None where a person, or something else, set it aside."""
    if not reason.startswith(_REASON):
        return None
    try:
        return utc_seconds(reason.removeprefix(_REASON))
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class HubRule:
    """When an entry is a hub.

    max_share:   of the distinct streams of the hour, above 0..1; more, and the entry is a hub.
    min_streams: distinct streams that must have matched all the same: below, a share says little.
    """

    max_share: float = 0.2
    min_streams: int = 20


@dataclass(frozen=True, slots=True)
class Hub:
    """An entry that matched too many streams.

    n_matched, n_seen: distinct streams of the last hour: that matched it, and in all.
    """

    key: Key
    n_matched: int
    n_seen: int


class HubWatch:
    """Counts, for each entry, the distinct streams of the last hour that matched it."""

    def __init__(self, rule: HubRule) -> None:
        self._rule = rule
        self._seen: OrderedDict[str, float] = OrderedDict()  # stream: when it was last seen
        self._matched: OrderedDict[Key, OrderedDict[str, float]] = OrderedDict()

    def seen(self, stream_id: str, now_s: float) -> None:
        """Take note that a stream is being screened."""
        _note(self._seen, stream_id, now_s)

    def matched(self, stream_id: str, key: Key, now_s: float) -> Hub | None:
        """Take note that a stream matched an entry; give the hub that it now is, if it is one."""
        _note(self._seen, stream_id, now_s)
        streams = self._matched.setdefault(key, OrderedDict())
        self._matched.move_to_end(key)
        if len(self._matched) > MAX_ENTRIES:
            self._matched.popitem(last=False)
        _note(streams, stream_id, now_s)
        n_matched, n_seen = len(streams), len(self._seen)
        is_hub = n_matched >= self._rule.min_streams and n_matched > self._rule.max_share * n_seen
        return Hub(key, n_matched, n_seen) if is_hub else None

    def forget(self, key: Key) -> None:
        """Begin the count of an entry anew: it was quarantined, or released."""
        self._matched.pop(key, None)


def _note(streams: OrderedDict[str, float], stream_id: str, now_s: float) -> None:
    """Put a stream last in the order of when it was seen, and drop those of over an hour ago."""
    streams[stream_id] = now_s
    streams.move_to_end(stream_id)
    while len(streams) > MAX_STREAMS or next(iter(streams.values())) < now_s - HOUR_S:
        streams.popitem(last=False)
