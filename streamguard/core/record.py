"""What the log keeps of an event, how a broker sees it, and how far a topic was delivered.

Rule: a message says exactly what the log says; what has to be left out is marked as reduced.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from streamguard.core.errors import RecordRefused
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event
from streamguard.core.signal_data import BankMatch, ModelScore
from streamguard.core.types import Severity

REDUCED = "ce_reduced"
"""Header of an event whose data were cut down for the broker; it says why."""

MAX_MESSAGE_BYTES = 68 * 1024
"""An event is less than 64 KiB; its key is said twice, and delivery adds headers of its own."""

REPLAYED = "sg-replayed"
"""Header of an event that was committed before the connection to the broker over which it is sent,
or that is sent again over the same one: it is late, and readers may have it already."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as the log keeps it.

    key:        partition key, the stream's id.
    recorded_s: when the event was made, seconds since 1970 UTC.
    body:       the whole event, CloudEvents structured mode, one line of JSON.
    """

    offset: int
    topic: str
    key: str
    id: str
    type: str
    recorded_s: float
    body: str

    @property
    def time_s(self) -> float:
        """Give the instant of what happened, seconds since 1970 UTC."""
        from streamguard.core.glance import time_s  # noqa: PLC0415  # not for screening: 10 ms

        return time_s(self.body)

    @property
    def is_rescreened(self) -> bool:
        """Say whether it tells of something that had been shown before its entry was known."""
        from streamguard.core.glance import is_rescreened  # noqa: PLC0415  # not for screening

        return is_rescreened(self.body)


@dataclass(frozen=True, slots=True)
class Row:
    """One event on its way to the log, written out; the fields are those of Record.

    severity: of the flag that it tells of; None for other events.
    """

    id: str
    topic: str
    key: str
    type: str
    recorded_s: float
    body: str
    severity: Severity | None = None


def row_of(event: Event | Row) -> Row:
    """Write an event out; a row is one already."""
    if isinstance(event, Row):
        return event
    return Row(
        event.id,
        event.topic,
        event.partitionkey,
        event.type,
        utc_seconds(event.recordedtime),
        event.to_json(),
        event.data.policy.severity if isinstance(event.data, FlagData) else None,
    )


RowOf = Callable[[Event | Row], Row]
"""Writes an event out; where it is to be signed, that as well."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event as Kafka carries it: CloudEvents in binary mode.

    Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
    """

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def size_bytes(self) -> int:
        """Give the bytes of key, headers and value, without what a broker adds."""
        of_headers = sum(len(name.encode()) + len(value) for name, value in self.headers)
        return len(self.key) + of_headers + len(self.value)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the broker has acknowledged one topic of the log.

    next_offset:    first offset of the log that is not acknowledged.
    broker_offsets: by partition, the broker's own offset of the last batch that it took.
    """

    next_offset: int = 1
    broker_offsets: Mapping[int, int] = field(default_factory=dict)

    def after(self, record: Record, appended: Mapping[int, int]) -> Self:
        """Give the position once `record` and all before it are acknowledged."""
        return replace(self.beyond(appended), next_offset=record.offset + 1)

    def beyond(self, appended: Mapping[int, int]) -> Self:
        """Give the position once records farther on are acknowledged, and not all before them."""
        return replace(self, broker_offsets={**self.broker_offsets, **appended})

    def is_forgotten(self, appended: Mapping[int, int]) -> bool:
        """Say whether a broker that appends there has lost what it had acknowledged before."""
        return any(at <= self.broker_offsets.get(part, -1) for part, at in appended.items())


def message_of(
    record: Record, why_reduced: str | None = None, *, is_replayed: bool = False
) -> Message:
    """Put an event into CloudEvents' binary mode: attributes into headers, data into the value."""
    from streamguard.core.glance import attributes_and_data  # noqa: PLC0415  # not for screening

    attributes, data = attributes_and_data(record.body)
    headers = {"content-type": attributes.pop("datacontenttype")}
    headers |= {f"ce_{name}": value for name, value in attributes.items()}
    if why_reduced is not None:
        headers[REDUCED] = why_reduced
    if is_replayed:
        headers[REPLAYED] = "1"
    return Message(
        key=record.key.encode(),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
        value=data,
    )


def require_sendable(messages: Sequence[Message]) -> None:
    """See to it that nothing goes to a broker that consumers need not be ready for.

    Raises:
        RecordRefused: one of them is larger than any event may be.
    """
    largest = max((message.size_bytes for message in messages), default=0)
    if largest > MAX_MESSAGE_BYTES:
        raise RecordRefused(f"{largest} bytes are more than a message may have")


def reduced(record: Record) -> Iterator[Record]:
    """Cut a flag down, more and more; what tells of no flag is not cut down at all.

    Yields:
        The flag with its strongest signal and without a preview; then a stub, with no reference to
        evidence and of the signal nothing that may be absent: enough that a person sees it.
    """
    event: dict[str, Any] = json.loads(record.body)
    flag = event["data"]
    if "flag_id" not in flag:
        return
    size = len(record.body)
    flag["signals"] = flag["signals"][:1]
    for name in ("blurhash", "other_stills", "manifest"):
        flag["evidence"].pop(name, None)
    for is_stub in (False, True):
        if is_stub:
            _cut_to_a_stub(flag)
        body = _compact(event)
        if len(body) < size:
            yield replace(record, body=body)
            size = len(body)


def _cut_to_a_stub(flag: dict[str, Any]) -> None:
    state = flag["evidence"]["state"]
    flag["evidence"] = {"state": "unavailable" if state == "ready" else state}
    for found, model in (("match", BankMatch), ("score", ModelScore)):
        signal = flag["signals"][0].get(found, {})
        for name in [name for name in signal if not model.model_fields[name].is_required()]:
            del signal[name]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
