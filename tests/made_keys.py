"""Keys that sign decisions, for tests, and decisions as they come by Kafka."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streamguard.adapters.ed25519_pem import new_pair
from streamguard.adapters.kafka_reader import record_of
from streamguard.adapters.signed_events import Signer
from streamguard.core.events import Event, Topic
from streamguard.core.record import Message, Record, Row, message_of
from streamguard.core.review_events import decision_event
from tests.core_fakes import SOURCE
from tests.made_reviews import decision


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a key is, and its public half."""

    private: Path
    public: Path

    @property
    def signer(self) -> Signer:
        return Signer(self.private)


def made_key(folder: Path, name: str) -> KeyFiles:
    """Make a key, as `decision-key make` does."""
    files, pair = KeyFiles(folder / f"{name}.pem", folder / f"{name}.pem.pub"), new_pair()
    files.private.write_bytes(pair.private)
    files.private.chmod(0o600)
    files.public.write_bytes(pair.public)
    return files


def decided(**changes: Any) -> Event:
    """Give the event of a decision to cut, which nobody signed."""
    return decision_event(SOURCE, decision(**changes), recorded_s=100.0)


def record(row: Row, offset: int = 1) -> Record:
    return Record(offset, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)


def come(message: Message, topic: str = Topic.DECISIONS) -> Record:
    """Give a message as a reader of its topic puts it together."""
    made = record_of(
        SimpleNamespace(offset=7, topic=topic, headers=message.headers, value=message.value)
    )
    assert made is not None
    return made


def sent(row: Row) -> Record:
    """Give a row as it comes by Kafka."""
    return come(message_of(record(row)), row.topic)
