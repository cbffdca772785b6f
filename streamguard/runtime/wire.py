"""What supervisor and workers say to each other.

Rule: values only, in msgpack; both ends are of one version, for one starts the other. A location is
a secret: it goes over this socket and nowhere else.
"""

import struct

import msgspec

from streamguard.core.account import Account
from streamguard.core.limits import Limits
from streamguard.core.location import Location
from streamguard.core.measured import Family
from streamguard.core.policy import Policy
from streamguard.core.record import Row
from streamguard.core.sampling import Sampling
from streamguard.core.schedule import Risk
from streamguard.runtime.board import StreamBeat
from streamguard.runtime.hub_scout import Found
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import StopReason

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A longer message is a bug: 256 events of 64 KiB are 16 MB."""

HEADER = struct.Struct("<I")
"""Length of the message that follows, bytes."""


class WorkerPlan(msgspec.Struct, frozen=True):
    """What a worker screens with; no key, no credential but those within read URLs."""

    deployment: str
    bank_paths: tuple[str, ...]
    policy: Policy
    keeps_evidence: bool
    model_pack: str | None
    model_providers: tuple[str, ...]
    model_threads: int
    max_batch: int
    open_timeout_s: float
    read_timeout_s: float
    limits: Limits
    hls_hosts: tuple[str, ...]
    n_threads: int
    stop_timeout_s: float
    dense_share: float
    places: tuple[tuple[int, ...], ...] = ()
    """The cores of each active worker; empty where the system places them."""


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker."""

    plan: WorkerPlan


class Take(msgspec.Struct, frozen=True, tag=True):
    """Screen a stream from now on; the fields are those of Stream."""

    stream_id: str
    location: Location
    sampling: Sampling
    banks: tuple[str, ...] | None
    policy: Policy | None
    session_key: str
    before: Account | None
    found_s: float | None

    @property
    def stream(self) -> Stream:
        """Give it as the worker knows streams."""
        return Stream(
            self.stream_id,
            self.location,
            self.sampling,
            self.banks,
            self.policy,
            self.session_key,
            self.before,
            self.found_s,
        )


class Release(msgspec.Struct, frozen=True, tag=True):
    """Stop screening a stream, and say so by `Released`."""

    stream_id: str
    reason: StopReason


class Stay(msgspec.Struct, frozen=True, tag=True):
    """Run on these cores alone."""

    cores: tuple[int, ...]


class Tune(msgspec.Struct, frozen=True, tag=True):
    """What people and servers know of the risk of a stream."""

    stream_id: str
    risk: Risk


class Committed(msgspec.Struct, frozen=True, tag=True):
    """The batch of this number is on disk."""

    number: int


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Close all streams, flush and exit."""

    reason: StopReason


ToWorker = Begin | Stay | Take | Release | Tune | Committed | Drain


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Everything is loaded: streams may come."""

    provider: str | None


class Batch(msgspec.Struct, frozen=True, tag=True):
    """Events to be committed, and how far sessions have come with them."""

    number: int
    rows: tuple[Row, ...]
    accounts: tuple[Account, ...]


class Beat(msgspec.Struct, frozen=True, tag=True):
    """A sign of life.

    stuck_s: how long the decode thread that has been at it for longest is at one piece of work.
    """

    rss_bytes: int
    n_fds: int
    n_threads: int
    stuck_s: float
    queue_age_s: float
    problem: str
    streams: tuple[StreamBeat, ...]
    seen: tuple[str, ...]
    found: tuple[Found, ...]


class Metrics(msgspec.Struct, frozen=True, tag=True):
    """All metrics of a worker as they now stand."""

    families: tuple[Family, ...]


class Released(msgspec.Struct, frozen=True, tag=True):
    """A stream is screened no more; all its events came before."""

    stream_id: str


ToSupervisor = Ready | Batch | Beat | Metrics | Released

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_to_supervisor: msgspec.msgpack.Decoder[ToSupervisor] = msgspec.msgpack.Decoder(ToSupervisor)


def framed(message: ToWorker | ToSupervisor) -> bytes:
    """Write a message with its length before it."""
    body = _encoder.encode(message)
    return HEADER.pack(len(body)) + body


def read_to_worker(body: bytes) -> ToWorker:
    """Read what the supervisor says."""
    return _to_worker.decode(body)


def read_to_supervisor(body: bytes) -> ToSupervisor:
    """Read what a worker says; raises msgspec.ValidationError where it makes no sense."""
    return _to_supervisor.decode(body)


def take(stream: Stream) -> Take:
    """Say that a stream is to be screened."""
    return Take(
        stream.stream_id,
        stream.location,
        stream.sampling,
        stream.banks,
        stream.policy,
        stream.session_key,
        stream.before,
        stream.found_s,
    )
