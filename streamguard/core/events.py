"""The events that leave streamguard: CloudEvents 1.0, their types, topics and ids.

Rule: an id follows from what the event is about, so that sending it again is harmless. Within one
version of a type optional fields may be added, and nothing else may change.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID, uuid5

from pydantic import Field, model_validator

from streamguard.core.action_data import (
    ActionData,
    ActionFailedData,
    ActionRequestedData,
    ActionVerifiedData,
)
from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit_data import AuditData
from streamguard.core.bank_data import EntryQuarantinedData, EntryReleasedData
from streamguard.core.coverage_data import (
    GapData,
    StreamEndedData,
    StreamExcludedData,
    StreamStartedData,
)
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, StreamRef, utc_text
from streamguard.core.event_values import Name, UtcTime, Uuid, Value
from streamguard.core.referral_data import ReferralData

StreamData = FlagData | GapData | StreamStartedData | StreamEndedData
BankData = EntryQuarantinedData | EntryReleasedData
ReviewData = DecisionData | ReferralData | AppealReceivedData | AppealResolvedData | AuditData
Data = StreamData | BankData | StreamExcludedData | ReviewData | ActionData
"""What an event may say."""

ID_NAMESPACE = UUID("6b7c1c6e-5f0e-4d3a-9a52-0d6f3c1e8b47")
"""Under it lie the ids of all events but flags; drawn once, never to change."""

DAY_S = 86_400


class Topic(StrEnum):
    """Where events of a kind are read: a topic of the log, and of Kafka."""

    FLAGS = "streamguard.flags.v1"
    COVERAGE = "streamguard.coverage.v1"
    DECISIONS = "streamguard.decisions.v1"
    ACTIONS = "streamguard.actions.v1"
    AUDIT = "streamguard.audit.v1"


RETENTION_S: Mapping[Topic, int] = {
    Topic.FLAGS: 14 * DAY_S,
    Topic.COVERAGE: 14 * DAY_S,
    Topic.DECISIONS: 90 * DAY_S,
    Topic.ACTIONS: 90 * DAY_S,
    Topic.AUDIT: 400 * DAY_S,
}
"""How long an event is kept, seconds from its making."""


class EventType(StrEnum):
    """What happened."""

    FLAG_OPENED = "org.streamguard.flag.opened.v1"
    FLAG_UPDATED = "org.streamguard.flag.updated.v1"
    FLAG_CLOSED = "org.streamguard.flag.closed.v1"
    COVERAGE_GAP = "org.streamguard.coverage.gap.v1"
    STREAM_STARTED = "org.streamguard.stream.started.v1"
    STREAM_ENDED = "org.streamguard.stream.ended.v1"
    STREAM_EXCLUDED = "org.streamguard.stream.excluded.v1"
    BANK_QUARANTINED = "org.streamguard.bank.quarantined.v1"
    BANK_RELEASED = "org.streamguard.bank.released.v1"
    DECISION_MADE = "org.streamguard.decision.made.v1"
    REFERRAL_MADE = "org.streamguard.referral.made.v1"
    APPEAL_RECEIVED = "org.streamguard.appeal.received.v1"
    APPEAL_RESOLVED = "org.streamguard.appeal.resolved.v1"
    ACTION_REQUESTED = "org.streamguard.action.requested.v1"
    ACTION_VERIFIED = "org.streamguard.action.verified.v1"
    ACTION_FAILED = "org.streamguard.action.failed.v1"
    AUDIT_RECORDED = "org.streamguard.audit.recorded.v1"


@dataclass(frozen=True, slots=True)
class Kind:
    """What belongs to an event type.

    state: of the flag, for the types that tell of one.
    """

    topic: Topic
    data: type[Data]
    state: Literal["open", "updated", "closed"] | None = None


KINDS: Mapping[EventType, Kind] = {
    EventType.FLAG_OPENED: Kind(Topic.FLAGS, FlagData, "open"),
    EventType.FLAG_UPDATED: Kind(Topic.FLAGS, FlagData, "updated"),
    EventType.FLAG_CLOSED: Kind(Topic.FLAGS, FlagData, "closed"),
    EventType.COVERAGE_GAP: Kind(Topic.COVERAGE, GapData),
    EventType.STREAM_STARTED: Kind(Topic.COVERAGE, StreamStartedData),
    EventType.STREAM_ENDED: Kind(Topic.COVERAGE, StreamEndedData),
    EventType.STREAM_EXCLUDED: Kind(Topic.COVERAGE, StreamExcludedData),
    EventType.BANK_QUARANTINED: Kind(Topic.COVERAGE, EntryQuarantinedData),
    EventType.BANK_RELEASED: Kind(Topic.COVERAGE, EntryReleasedData),
    EventType.DECISION_MADE: Kind(Topic.DECISIONS, DecisionData),
    EventType.REFERRAL_MADE: Kind(Topic.DECISIONS, ReferralData),
    EventType.APPEAL_RECEIVED: Kind(Topic.DECISIONS, AppealReceivedData),
    EventType.APPEAL_RESOLVED: Kind(Topic.DECISIONS, AppealResolvedData),
    EventType.ACTION_REQUESTED: Kind(Topic.ACTIONS, ActionRequestedData),
    EventType.ACTION_VERIFIED: Kind(Topic.ACTIONS, ActionVerifiedData),
    EventType.ACTION_FAILED: Kind(Topic.ACTIONS, ActionFailedData),
    EventType.AUDIT_RECORDED: Kind(Topic.AUDIT, AuditData),
}


class Event(Value):
    """One CloudEvents 1.0 event in structured mode."""

    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    id: Uuid
    """An event that comes twice has the same id both times."""
    source: Annotated[str, Field(pattern="^/streamguard/[A-Za-z0-9._-]{1,64}$")]
    """`/streamguard/<deployment>`; never the process that made it."""
    type: EventType
    """What happened, spelt in full."""
    subject: Name
    """The session, else the stream, the bank entry or the case, that the event is about."""
    time: UtcTime
    """Instant of what happened: of ingest, unless the data name another clock."""
    recordedtime: UtcTime
    """Instant at which the event was made."""
    datacontenttype: Literal["application/json"]
    """Format of `data`."""
    dataschema: Annotated[str, Field(max_length=128)]
    """Names the JSON Schema of `data`."""
    partitionkey: Name
    """The stream, the bank, or of an audit the case: events of one of them keep their order."""
    signedby: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None = None
    """Names the key that signed what was decided; absent where nobody did."""
    signature: Annotated[str, Field(pattern="^[0-9a-f]{128}$")] | None = None
    """By that key, Ed25519 in hex: of the line `streamguard signed event 1`, a line with all
    attributes but this one as a JSON object (RFC 8785), and the bytes of the data."""
    data: Data
    """What happened, in the words of its type."""

    @model_validator(mode="after")
    def _data_fit_the_type(self) -> Self:
        kind = KINDS[self.type]
        if type(self.data) is not kind.data:
            raise ValueError(f"{self.type} needs {kind.data.__name__}")
        if isinstance(self.data, FlagData) and self.data.state != kind.state:
            raise ValueError(f"{self.type} needs the state {kind.state}")
        return self

    @property
    def topic(self) -> Topic:
        """Give the topic that this event belongs to."""
        return KINDS[self.type].topic

    def to_json(self) -> str:
        """Write the event as one line of JSON, less than 64 KiB; what is absent is left out."""
        return self.model_dump_json(exclude_none=True)


def schema_id(event_type: EventType) -> str:
    """Name the JSON Schema of an event type."""
    return f"urn:streamguard:schema:{event_type}"


def flag_event(
    source: str,
    stage: Literal["opened", "updated", "closed"],
    data: FlagData,
    *,
    time_s: float,
    recorded_s: float,
) -> Event:
    """Make the event of a flag that opened, changed or closed.

    Args:
        source: `/streamguard/<deployment>`.
        stage: what happened; `data.state` must agree with it.
        data: the flag as it now is; flag id and revision make the event's id.
        time_s: ingest instant of what happened, seconds since 1970 UTC.
        recorded_s: now, seconds since 1970 UTC.
    """
    event_id = flag_event_id(data.flag_id, data.revision)
    event_type = EventType(f"org.streamguard.flag.{stage}.v1")
    return make_event(source, event_type, event_id, data, (utc_text(time_s), utc_text(recorded_s)))


def flag_event_id(flag_id: str, revision: int) -> UUID:
    """Name an event of a flag; at revision 0 it opened."""
    return uuid5(UUID(flag_id), str(revision))


def gap_event(source: str, data: GapData, *, recorded_s: float) -> Event:
    """Make the event of a stretch that was not screened; its time is the start of the stretch.

    The end is part of the id: gaps may begin at the same media time, because it stands still while
    a server is away, and none may hide another. So is the detector, for each has gaps of its own.
    """
    event_type = EventType.COVERAGE_GAP
    stretch = (data.detector, data.start_pts_ms, data.end_pts_ms, data.end_time)
    event_id = _stream_event_id(event_type, data.stream, *stretch)
    return make_event(source, event_type, event_id, data, (data.start_time, utc_text(recorded_s)))


def stream_started_event(source: str, data: StreamStartedData, *, recorded_s: float) -> Event:
    """Make the event of a stream whose screening began, or began anew in another epoch."""
    event_type = EventType.STREAM_STARTED
    event_id = _stream_event_id(event_type, data.stream, data.start_pts_ms)
    return make_event(source, event_type, event_id, data, (data.start_time, utc_text(recorded_s)))


def stream_ended_event(
    source: str, data: StreamEndedData, *, time_s: float, recorded_s: float
) -> Event:
    """Make the event of a stream whose screening ended at `time_s`, seconds since 1970 UTC."""
    event_type = EventType.STREAM_ENDED
    event_id = _stream_event_id(event_type, data.stream)
    return make_event(source, event_type, event_id, data, (utc_text(time_s), utc_text(recorded_s)))


def stream_excluded_event(source: str, data: StreamExcludedData, *, recorded_s: float) -> Event:
    """Make the event of a stream that is not screened, by configuration, from now on."""
    now = utc_text(recorded_s)
    event_type = EventType.STREAM_EXCLUDED
    event_id = uuid5(ID_NAMESPACE, json.dumps([event_type, data.stream_id, now]))
    return make_event(source, event_type, event_id, data, (now, now))


def bank_event(source: str, data: BankData, *, recorded_s: float) -> Event:
    """Make the event of an entry that was set aside or let in again at `recorded_s`."""
    is_release = isinstance(data, EntryReleasedData)
    event_type = EventType.BANK_RELEASED if is_release else EventType.BANK_QUARANTINED
    now = utc_text(recorded_s)
    event_id = uuid5(ID_NAMESPACE, json.dumps([event_type, data.entry.bank, data.entry.entry, now]))
    return make_event(source, event_type, event_id, data, (now, now))


def _stream_event_id(event_type: EventType, stream: StreamRef, *what: int | str) -> UUID:
    """Derive an id; JSON keeps the parts apart whatever characters they hold."""
    return uuid5(ID_NAMESPACE, json.dumps([stream.session_id, event_type, stream.epoch, *what]))


def make_event(
    source: str, event_type: EventType, event_id: UUID, data: Data, times: tuple[str, str]
) -> Event:
    """Wrap data into the envelope; `times` are those of the happening and of the record."""
    subject, partition_key = _subject_and_key(data)
    return Event(
        specversion="1.0",
        id=str(event_id),
        source=source,
        type=event_type,
        subject=subject,
        time=times[0],
        recordedtime=times[1],
        datacontenttype="application/json",
        dataschema=f"{schema_id(event_type)}#/$defs/{type(data).__name__}",
        partitionkey=partition_key,
        data=data,
    )


def _subject_and_key(data: Data) -> tuple[str, str]:
    """Name what an event is about, within the 256 characters of a subject, and what orders it."""
    match data:
        case EntryQuarantinedData() | EntryReleasedData():
            return f"{data.entry.bank}/{data.entry.entry}"[:256], data.entry.bank
        case StreamExcludedData():
            return data.stream_id, data.stream_id
        case AuditData():
            return data.case_id or "audit", data.case_id or "audit"
        case _:
            return data.stream.session_id, data.stream.stream_id
