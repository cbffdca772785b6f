"""The [kafka] part of the configuration.

Rule: without bootstrap_servers there is no Kafka, and nothing else here matters.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from streamguard.core.events import Topic
from streamguard.sections.section import Section

_SERVER = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


class KafkaSection(Section):
    """Where events are published, beside the log."""

    bootstrap_servers: str = ""
    """Brokers to begin with, "host:port", several with commas; empty publishes to the log alone."""
    client_id: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")] = "streamguard"
    """What the brokers' logs and quotas call this client."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Whether the connection is encrypted (SSL), and whether we log in (SASL)."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to log in."""
    sasl_username: str | None = None
    """Who logs in."""
    sasl_password: SecretStr | None = None
    """The password; rather give it by the environment or by `sasl_password_file`."""
    sasl_password_file: Path | None = None
    """A file that holds the password, for where secrets are mounted as files."""
    ca_file: Path | None = None
    """Certificates (PEM) of who signs the brokers'; without it the system's are trusted."""
    certificate_file: Path | None = None
    """Our own certificate (PEM), where brokers tell clients by certificates; needs `key_file`."""
    key_file: Path | None = None
    """The key of that certificate (PEM, not encrypted): a secret, mounted as a file."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    """How batches are compressed; an event alone is about 1.5 kB."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Partitions of a topic that has to be made; more of them later would move streams."""
    replication_factor: Annotated[int, Field(ge=1, le=32)] = 3
    """Copies of a topic that has to be made; 1 where there is one broker."""

    take: Annotated[tuple[Topic, ...], Field(max_length=5)] = ()
    """Topics from which the log takes what others published: `run` those of decisions, where the
    console is elsewhere; a console of its own log all but those of the audit."""
    take_group: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")] = "streamguard"
    """The consumer group that takes them: another one for each log, or each gets a part."""

    @property
    def shows_password(self) -> bool:
        """Say whether the password can be read by whoever is on the way to the brokers."""
        return (self.security_protocol, self.sasl_mechanism) == ("SASL_PLAINTEXT", "PLAIN")

    @field_validator("bootstrap_servers")
    @classmethod
    def _names_hosts_and_ports(cls, servers: str) -> str:
        if servers and not all(_SERVER.fullmatch(server) for server in servers.split(",")):
            raise ValueError('give "host:port", several with commas and without spaces')
        return servers

    @field_validator("take")
    @classmethod
    def _takes_no_audit(cls, topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
        if Topic.AUDIT in topics:
            raise ValueError("the audit of another log is a chain of its own: follow that there")
        return topics

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if not self.security_protocol.startswith("SASL_"):
            return self
        if self.sasl_username is None:
            raise ValueError(f"{self.security_protocol} needs a sasl_username")
        if (self.sasl_password is None) == (self.sasl_password_file is None):
            raise ValueError("give either sasl_password or sasl_password_file")
        if self.sasl_password_file is not None and not _is_readable(self.sasl_password_file):
            raise ValueError("the sasl_password_file cannot be read")
        return self

    @model_validator(mode="after")
    def _can_show_who_we_are(self) -> Self:
        is_one_missing = (self.certificate_file is None) != (self.key_file is None)
        if "SSL" in self.security_protocol and is_one_missing:
            raise ValueError("certificate_file and key_file go together: give both or neither")
        return self


def _is_readable(file: Path) -> bool:
    try:
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True
