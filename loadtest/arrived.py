"""What reached Apache Kafka, read by librdkafka, held against what the log committed.

Rule: the first appearances of a stream's events are what counts; redelivery is allowed and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from loadtest.broker_process import headers_of
from loadtest.programs import ProgramUnavailable
from streamguard.adapters.sqlite_log import SqliteLog

ALL = 10_000_000
PATIENCE_S = 10.0

Ids = Mapping[tuple[str, str], Sequence[str]]
"""Ids of events in order, by topic and stream."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of what was committed; the bar is nothing lost, no stream out of order.

    unknown: ids that arrived and that nobody committed.
    """

    committed: int
    arrived: int
    lost: int
    twice: int
    unknown: int
    streams: int
    streams_out_of_order: int

    @property
    def is_good(self) -> bool:
        """Say whether all arrived, in order, and nothing else did."""
        return not (self.lost or self.unknown or self.streams_out_of_order)


def committed_in(log: Path) -> dict[tuple[str, str], list[str]]:
    """Read the ids of a log, in order."""
    found: dict[tuple[str, str], list[str]] = {}
    with SqliteLog.open_reader(log) as event_log:
        for record in event_log.read(1, limit=ALL):
            found.setdefault((record.topic, record.key), []).append(record.id)
    return found


def arrived_at(
    bootstrap: str, topics: Sequence[str], n_partitions: int
) -> dict[tuple[str, str], list[str]]:
    """Read the ids that topics hold, in order.

    Raises:
        ProgramUnavailable: the broker does not give what it says it has.
    """
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "loadtest"})
    places = [TopicPartition(str(topic), p, 0) for topic in topics for p in range(n_partitions)]
    n_missing = sum(reader.get_watermark_offsets(place, PATIENCE_S)[1] for place in places)
    reader.assign(places)
    found: dict[tuple[str, str], list[str]] = {}
    while n_missing:
        message = reader.poll(PATIENCE_S)
        if message is None or message.error():
            raise ProgramUnavailable(f"{n_missing} records of Kafka cannot be read")
        headers = headers_of(message)
        stream = (message.topic() or "", headers["ce_partitionkey"])
        found.setdefault(stream, []).append(headers["ce_id"])
        n_missing -= 1
    reader.close()
    return found


def judged(committed: Ids, arrived: Ids) -> Judgement:
    """Hold what arrived against what was committed."""
    firsts = {stream: list(dict.fromkeys(ids)) for stream, ids in arrived.items()}
    n_arrived = sum(map(len, arrived.values()))
    return Judgement(
        committed=sum(map(len, committed.values())),
        arrived=n_arrived,
        lost=sum(len(set(ids) - set(firsts.get(key, []))) for key, ids in committed.items()),
        twice=n_arrived - sum(map(len, firsts.values())),
        unknown=sum(len(set(ids) - set(committed.get(key, []))) for key, ids in firsts.items()),
        streams=len(committed),
        streams_out_of_order=sum(firsts.get(key) != list(ids) for key, ids in committed.items()),
    )
