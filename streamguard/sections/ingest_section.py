"""What the configuration says of the ingest servers whose streams are found by asking them.

Rule: a credential comes by a file of its own, never in an address; whatever is left out of the
screening is named with its reason.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from streamguard.core.coverage_data import MAX_BANKS
from streamguard.core.event_values import Name
from streamguard.core.published import LOOPBACK
from streamguard.core.sampling import Sampling
from streamguard.sections.section import Section, read_credential

ServerKind = Literal["nginx_rtmp", "mediamtx", "srs"]


def _spelt(pattern: str, remedy: str) -> AfterValidator:
    """Refuse what is spelt otherwise, and say how it is spelt."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(remedy)
        return text

    return AfterValidator(check)


ServerName = Annotated[
    str,
    _spelt(r"[a-z0-9][a-z0-9_]{0,31}", "give up to 32 small letters, digits and underscores"),
]
Address = Annotated[
    str,
    _spelt(
        r"https?://[^@?#/\s][^@?#\s]{0,1023}",
        "give http://host:port/path or https://…, without user, password, query or fragment",
    ),
]
Pull = Annotated[
    str,
    _spelt(
        r"(rtmp|rtsp)://[^@?#/\s]{1,1024}",
        "give rtmp://host:port or rtsp://host:port, without application, name or credentials",
    ),
]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
Suffix = Annotated[
    str, _spelt(r"[A-Za-z0-9._-]{1,32}", "give up to 32 letters, digits and any of . _ -")
]

PULLED_BY = {"nginx_rtmp": "rtmp", "mediamtx": "rtsp", "srs": "rtmp"}
"""The protocol by which streams of each kind of server are pulled."""


class ServerSection(Section):
    """An ingest server; everything that is published there is screened, unless said otherwise."""

    name: ServerName
    """Names the server in stream ids, logs and metrics."""
    kind: ServerKind
    """nginx_rtmp: nginx with its RTMP module; mediamtx: MediaMTX 1.x; srs: SRS 5 or later."""
    api: Address
    """Where it tells what is published: of nginx the location of `rtmp_stat all`, of others the
    root of the API; keep it on loopback or in a private network."""
    pull: Pull
    """Where streams are pulled: rtmp://host:port, of MediaMTX rtsp://host:port."""
    interval_s: Annotated[float, Field(ge=0.2, le=10)] = 1.0
    """Seconds from one question to the next."""
    timeout_s: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    """Seconds that an answer may take; while none comes, the streams known so far stay."""
    user: str | None = None
    """Who asks, and who pulls by RTSP; give it rights to read alone."""
    password_file: Path | None = None
    """A file that holds the password."""
    include: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=256)] = ("*",)
    """Shell patterns of the paths, application/name, that are screened; `*` takes slashes, too."""
    exclude: Annotated[tuple[Pattern, ...], Field(max_length=256)] = ()
    """Shell patterns of paths that are not screened; they are on record as excluded."""
    exclude_reason: Name = "excluded by configuration"
    """Why those are not screened, in your words; every one of them is on record with it."""
    renditions: Annotated[tuple[Suffix, ...], Field(max_length=32)] = ()
    """What the names of transcoded copies end in, such as _720p: one copy of a broadcast is
    screened, the lowest of 360 lines or more."""
    transcoders: Annotated[tuple[Name, ...], Field(max_length=32)] = LOOPBACK
    """Addresses whose publishes may be copies; from elsewhere a name ending so is a broadcast of
    its own, or anybody could hide behind a harmless copy. Behind a proxy on the server's machine
    everybody is at its address: keep copies on an address that publishers cannot have."""
    pulled: bool = False
    """Screen also what the server itself pulls from elsewhere (MediaMTX: sources of a path)."""
    sampling: Sampling = Sampling.AUTO
    """As for [[streams]]."""
    banks: Annotated[tuple[Name, ...], Field(max_length=MAX_BANKS)] | None = None
    """Names of the banks that its streams are held against; else all."""
    policy_file: Path | None = None
    """What counts on its streams; else the file of [policy]."""

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        wanted = PULLED_BY[self.kind]
        if urlsplit(self.pull).scheme != wanted:
            raise ValueError(f"streams of {self.kind} are pulled by {wanted}://")
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file needs a user")
        return self

    def read_password(self) -> str | None:
        """Give the password, if there is one.

        Raises:
            ConfigError: its file cannot be read.
        """
        if self.password_file is None:
            return None
        return read_credential(self.password_file, f"server {self.name}: the password_file")
