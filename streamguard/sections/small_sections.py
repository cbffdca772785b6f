"""The sections of the configuration that are short, and those that `screen` goes by.

Rule: as in `settings`, which reads them; here is what they are.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from streamguard.core.coverage_data import MAX_BANKS
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.sections.limits_section import LimitsSection
from streamguard.sections.section import Section
from streamguard.sections.worker_section import WorkerSection

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=600)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?$")]


class Deployment(Section):
    """Who is screening."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")] = "streamguard"
    """Names this deployment in the source of every event."""
    secret_file: Path | None = None
    """What names the streams that are found, so that their paths stay secret: 32 bytes or more;
    without it one is made beside the event log, once, and must be kept with it."""


class SourceSection(Section):
    """How streams are opened and read."""

    open_timeout_s: Seconds = 5.0
    """Seconds to connect, and again to see the first packets."""
    read_timeout_s: Seconds = 10.0
    """Seconds without a video packet after which a stream has stopped sending."""
    hls_hosts: tuple[HostName, ...] = ()
    """Hosts, as host or host:port, that HLS playlists may name beside the one they come from."""


class BankSection(Section):
    """What to look for."""

    paths: Annotated[tuple[Path, ...], Field(max_length=MAX_BANKS)] = ()
    """Bank directories, made by `streamguard bank build`."""


class HygieneSection(Section):
    """What keeps logos, intros and bad hashes of a list from flooding the reviewers."""

    hub_max_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of an hour's distinct streams; an entry that matches more is set aside; 1: never."""
    hub_min_streams: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Distinct streams that must match an entry before its share says anything."""
    hub_hold_s: Annotated[float, Field(gt=0, le=2_592_000)] = 86_400.0
    """Seconds that an entry stays aside if nobody lets it in before: `bank release`."""


class PolicySection(Section):
    """What counts, and how urgent it is."""

    file: Path | None = None
    """Policy file (TOML); without one every match is P1 at the standard distance."""


class LogSection(Section):
    """Where events become durable."""

    file: Path = Path("streamguard.db")
    """The event log, an SQLite file; it and its directory are made private."""


class ModelSection(Section):
    """What judges content that no bank knows."""

    pack: Path | None = None
    """Directory of a model pack; without one no model runs."""
    providers: Annotated[tuple[Literal["cuda", "cpu"], ...], Field(min_length=1)] = ("cuda", "cpu")
    """What may run the model, in the order of preference; without cpu a GPU is required."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads of one run; streams give parallelism enough."""
    max_batch: Annotated[int, Field(ge=0, le=256)] = 0
    """Pictures of one run; 0 takes 1 on a CPU, where batches gain nothing, and 8 on a GPU."""


class HttpSection(Section):
    """Metrics and health."""

    host: str = "127.0.0.1"
    """Address to listen on; loopback unless you protect it otherwise."""
    port: Port = 9108
    """Port for /metrics, /livez and /readyz; 0 takes any free one."""


class Screening(Section):
    """What `screen` goes by; the whole configuration has all of this, by the same names."""

    deployment: Deployment = Deployment()
    source: SourceSection = SourceSection()
    limits: LimitsSection = LimitsSection()
    bank: BankSection = BankSection()
    policy: PolicySection = PolicySection()
    model: ModelSection = ModelSection()
    evidence: EvidenceSection = EvidenceSection()
    worker: WorkerSection = WorkerSection()
