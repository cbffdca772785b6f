"""What the configuration says of carrying decisions out: [enforce], [[controls]], [[hold_rules]].

Rule: a credential comes by a file of its own, which nobody but the enforcer need be able to read;
`run` and its workers never open it.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamguard.core.event_values import Name
from streamguard.core.published import LOOPBACK
from streamguard.core.web_address import require_address
from streamguard.sections.ingest_section import Address, ServerName
from streamguard.sections.section import Section, WebhookAddress, read_credential

ENFORCE_SUFFIX = ".enforce"
"""What the name of the enforcer's own file ends in; it begins as the event log's."""

Port = Annotated[int, Field(ge=0, le=65_535)]


class ControlSection(Section):
    """How the enforcer acts on one of the [[servers]]."""

    server: ServerName
    """Which of them."""
    api: Address
    """Where it takes orders: of nginx the location of `rtmp_control all`, of others the root of the
    API; on loopback, or in a private network."""
    timeout_s: Annotated[float, Field(ge=0.1, le=30)] = 2.0
    """Seconds that an answer may take."""
    user: str | None = None
    """Who gives orders."""
    password_file: Path | None = None
    """A file that holds the password."""

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
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
        return read_credential(self.password_file, f"control {self.server}: the password_file")


class HoldRuleSection(Section):
    """A rule by which a stream is held before anybody has looked: what can be taken back, alone."""

    name: ServerName
    """Names the rule on record, as `rule:NAME`."""
    banks: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
    """Names of the banks; a match of any other holds nothing."""
    max_distance_bits: Annotated[int, Field(ge=0, le=31)] = 8
    """Largest distance of a match that is exact, bits: the same video encoded anew differs by 8 at
    the most (mean 0.8, measured)."""


class EnforceSection(Section):
    """How decisions are carried out by `streamguard enforce`."""

    file: Path | None = None
    """Where it keeps what it must not forget; without one beside the event log."""
    group: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")] = "enforcer"
    """The consumer group whose place in the log it is."""
    kafka: bool = False
    """Take up as well what comes by the topic of decisions of [kafka]: what others wrote there, and
    signed by one of [decisions] trusted_keys."""
    max_age_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """Seconds after a decision during which it is tried; later it fails as `expired`."""
    cut_s: Annotated[float, Field(ge=60, le=31_536_000)] = 3600.0
    """Seconds for which a stream that was cut may not be published again; suspended ones may not
    until they are restored."""
    sweep_s: Annotated[float, Field(ge=0.2, le=60)] = 1.0
    """Seconds from one look for publishers who came back to the next."""
    admission: Literal["observe", "enforce"] = "observe"
    """What servers that ask who may publish are answered: observe allows all, and counts whom it
    would have refused; enforce answers from the deny list."""
    admission_port: Port = 9112
    """Port of the hook, on [http] host: /admission/NAME-OF-SERVER; 0 takes any free one."""
    admission_on_error: Literal["allow", "deny"] = "allow"
    """The answer to a question that is not understood."""
    admission_exempt: Annotated[tuple[Name, ...], Field(max_length=32)] = LOOPBACK
    """Addresses whose viewers are never refused: those of who screens."""
    port: Port = 9111
    """Port of its own /metrics, on [http] host; 0 takes any free one."""
    webhook: WebhookAddress = ""
    """Has the platform act where no server can: https, or http within this host or network."""
    webhook_secret_file: Path | None = None
    """Holds what requests are signed with: 24 to 64 bytes in base64 (Standard Webhooks)."""
    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds that one request may take."""
    holds_per_minute: Annotated[int, Field(ge=1, le=60)] = 3
    """Automatic holds of all rules within a minute; where three times as many are asked for, no
    rule holds anything for an hour."""

    hold_s: Annotated[float, Field(ge=60, le=900)] = 900.0
    """Seconds after which an automatic hold is lifted that nobody has reviewed."""

    @model_validator(mode="after")
    def _webhook_is_signed(self) -> Self:
        if self.webhook:
            require_address("webhook", self.webhook)
        if self.webhook and self.webhook_secret_file is None:
            raise ValueError("a webhook needs a webhook_secret_file: unsigned, anybody could cut")
        return self


def enforce_file(section: EnforceSection, log_file: Path) -> Path:
    """Say where the enforcer's own file is."""
    return section.file or log_file.with_name(log_file.name + ENFORCE_SUFFIX)
