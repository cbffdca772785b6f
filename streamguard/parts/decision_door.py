"""Lets in, of what comes by Kafka, only decisions of those who are trusted.

Rule: what is refused is counted and told without a word of what it says, and holds nothing up.
"""

from collections import Counter
from collections.abc import Sequence

import structlog
from prometheus_client import CollectorRegistry

from streamguard.adapters.kafka_reader import Heard
from streamguard.adapters.refusal_meter import RefusalMeter
from streamguard.adapters.signed_events import Trusted
from streamguard.core.signed import Refusal, needs_signature
from streamguard.parts.decision_keys import trusted_of
from streamguard.settings import Settings

log = structlog.get_logger()


class Door:
    """What stands between Kafka and who acts on it, or keeps it."""

    def __init__(self, trusted: Trusted, registry: CollectorRegistry) -> None:
        self._trusted = trusted
        self._meter = RefusalMeter(registry)

    def let_in(self, heard: Sequence[Heard]) -> list[Heard]:
        """Give what may come in, in its order; what decides nothing needs no signature."""
        reasons: Counter[Refusal] = Counter()
        taken, refused_at = [], []
        for one in heard:
            reason = self._refusal(one)
            if reason is None:
                taken.append(one)
            elif one.record is not None:
                self._meter.refused(reason)
                reasons[reason] += 1
                refused_at.append((one.record.topic, one.record.offset))
        if refused_at:
            topic, offset = refused_at[0]
            log.error("decisions_refused", reasons=dict(reasons), topic=topic, first_offset=offset)
        return taken

    def _refusal(self, heard: Heard) -> Refusal | None:
        if heard.record is None or not needs_signature(heard.record):
            return None
        return self._trusted.refusal(heard.record.body)


def door_of(settings: Settings, registry: CollectorRegistry) -> Door:
    """Make what lets decisions in.

    Raises:
        ConfigError: a trusted key cannot be read, or is none.
    """
    return Door(trusted_of(settings), registry)
