"""The roles that the world plays in delivery: the log as an outbox, the broker, the counters.

Rule: as in `ports`: nothing more than delivery needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from streamguard.core.record import Message, Position, Record


class Outcome(StrEnum):
    """What became of a record at the broker: taken, taken again, taken with less data, refused."""

    ACKNOWLEDGED = "acknowledged"
    REDELIVERED = "redelivered"
    REDUCED = "reduced"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Urgent:
    """What goes before the backlog of other streams.

    records: in order; each P0 flag among them comes after all that waits of its stream.
    last:    offset of the last P0 flag that waits, of those asked for.
    """

    records: Sequence[Record]
    last: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Records of a topic by what became of them; the first number is the sum of the others.

    committed:    came into the log.
    acknowledged: taken by the broker.
    waiting:      neither taken nor dead.
    dead:         refused for good, and kept aside; a stub was sent for a flag.
    """

    committed: int
    acknowledged: int
    waiting: int
    dead: int


class Outbox(Protocol):
    """The log as its publisher sees it; every method may raise LogUnavailable."""

    def position(self, topic: str) -> Position:
        """Give how far a topic was acknowledged; the beginning for one never delivered."""
        ...

    def end_offset(self, topic: str) -> int:
        """Give the offset after the last record of a topic; 1 where it has none."""
        ...

    def read(self, topic: str, offset: int, limit: int) -> Sequence[Record]:
        """Give the records from `offset` on, in order, but for those acknowledged ahead."""
        ...

    def urgent(self, topic: str, position: Position, among: range, limit: int) -> Urgent | None:
        """Give the newest P0 flags among some offsets, each after what waits of its stream."""
        ...

    def acknowledge(self, topic: str, position: Position, records: Sequence[Record]) -> None:
        """Keep how far a topic was acknowledged, and which records were, some of them ahead."""
        ...

    def begin_anew(self, topic: str) -> Mapping[str, int]:
        """Let all that the log holds of a topic wait again; give how far keys were ahead."""
        ...

    def bury(self, record: Record, problem: str, now_s: float) -> None:
        """Keep a record that the broker will never take, and why."""
        ...

    def backlog(self, topic: str) -> int:
        """Tell how many records of a topic are neither acknowledged nor dead; at no cost."""
        ...


class Broker(Protocol):
    """One topic at a broker. Every method ends within a bounded time.

    After BrokerUnavailable: `close`, then `open`. Where `open` finds no topic: `make_topic`, before
    anything else.
    """

    async def open(self) -> bool:
        """Connect, and make nothing; say whether the topic is missing.

        Raises:
            BrokerUnavailable: no broker answers, or none does what is asked.
        """
        ...

    async def make_topic(self) -> None:
        """Make the topic, and wait until it can be sent to; one that is there is left as it is.

        Raises:
            BrokerUnavailable: no broker answers, or none does what is asked; it may be made.
        """
        ...

    async def send(self, messages: Sequence[Message]) -> Mapping[int, int]:
        """Have messages appended, those of one key in order; give offsets by partition.

        Returns:
            For each partition that got some, the broker's offset of its last batch.

        Raises:
            BrokerUnavailable: not all were acknowledged; any of them may have been appended.
            RecordRefused: one of them at least will never be taken; others may have been appended.
        """
        ...

    async def probe(self) -> None:
        """Ask whether the topic is still there.

        Raises:
            BrokerUnavailable: it is not, or nobody answers.
        """
        ...

    async def close(self) -> None:
        """Disconnect, whatever is still under way; closing twice is harmless."""
        ...


class DeliveryMeter(Protocol):
    """Counts and times delivery; label values are closed sets."""

    def sent(self, outcome: Outcome) -> None:
        """Count a record by what became of it."""
        ...

    def failed(self, reason: str) -> None:
        """Count a try that is repeated; the reason is an error's closed-set `reason`."""
        ...

    def flag_acknowledged(self, ingest_to_ack_s: float) -> None:
        """Time a flag, from the ingest instant of its event to the broker's acknowledgement."""
        ...
