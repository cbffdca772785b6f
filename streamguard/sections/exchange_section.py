"""The [exchange.NAME] tables of the configuration: whose hash lists are followed, into which bank.

Rule: a credential comes from the environment or from a file of its own, never from the
configuration file; it is asked for when it is needed, and never shown.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from streamguard.core.bank_values import check_policy
from streamguard.core.errors import BankError, ConfigError
from streamguard.sections.section import Section, read_credential

DAY_S = 86_400.0

CREDENTIALS = ("password", "access_token")
"""Settings that a configuration file may not hold."""

DECISIVE = {"kind", "url", "privacy_group", "policy", "policies", "negatives"}
"""Settings that say which list it is, and what becomes of its records."""

ExchangeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=32)]
"""How an exchange is called, also as the source of its records; it can stand in a variable."""


def _checked(code: str) -> str:
    try:
        check_policy(code)
    except BankError as error:
        raise ValueError(str(error)) from None
    return code


PolicyCode = Annotated[str, AfterValidator(_checked)]


class ExchangeSection(Section):
    """An exchange whose hash list `streamguard bank sync` follows; NAME is the records' source."""

    kind: Literal["techagainstterrorism", "threatexchange"]
    """Whose API it is."""
    bank: Path
    """The bank directory that follows it; several exchanges may share one."""
    policy: PolicyCode
    """Policy code of records to which no word of `policies` applies."""
    policies: dict[str, PolicyCode] = {}  # noqa: RUF012  # pydantic gives each table its own
    """Policy code by ideology, file type or tag of a record; the first that applies."""
    negatives: tuple[Path, ...] = ()
    """Banks of harmless pictures: hashes that are near one of theirs are set aside."""
    interval_s: Annotated[float, Field(ge=60, le=7 * DAY_S)] = 3600.0
    """Seconds from one sync to the next with `bank sync --follow`."""
    url: Annotated[str, Field(pattern=r"^https?://[^@?#\s]+$")] | None = None
    """Where the API is, https://, if not where its maker has it; without user and query."""
    username: str | None = None
    """Who logs in at Tech Against Terrorism."""
    password: SecretStr | None = None
    """The password; by the environment alone, or in `password_file`."""
    password_file: Path | None = None
    """A file that holds the password."""
    privacy_group: Annotated[str, Field(pattern="^[0-9]{1,20}$")] | None = None
    """The privacy group of ThreatExchange whose updates are followed."""
    access_token: SecretStr | None = None
    """The token "APP-ID|SECRET" for ThreatExchange; by the environment alone, or in its file."""
    access_token_file: Path | None = None
    """A file that holds the token."""

    def digest(self) -> str:
        """Give a digest of all that decides which list it is, and what becomes of its records."""
        decisive = self.model_dump(mode="json", include=DECISIVE)
        return sha256(json.dumps(decisive).encode()).hexdigest()

    def credential(self, name: str, exchange: str) -> str:
        """Give a credential, by the name of its setting.

        Raises:
            ConfigError: there is none, or its file cannot be read.
        """
        value: SecretStr | None = getattr(self, name)
        if value is not None:
            return value.get_secret_value()
        file: Path | None = getattr(self, f"{name}_file")
        if file is None:
            raise ConfigError(
                f"exchange.{exchange}: there is no {name}: give {name}_file, or the variable"
                f" {variable_of(exchange, name)}"
            )
        return read_credential(file, f"exchange.{exchange}: the {name}_file")

    def needed(self, name: str, exchange: str) -> str:
        """Give a setting that this kind of exchange needs.

        Raises:
            ConfigError: it is missing.
        """
        value: str | None = getattr(self, name)
        if value is None:
            raise ConfigError(f"exchange.{exchange}.{name}: it is missing; {self.kind} needs it")
        return value


def variable_of(exchange: str, name: str) -> str:
    """Name the variable of a setting of an exchange."""
    return f"STREAMGUARD_EXCHANGE__{exchange}__{name}".upper()


def written_credential(values: dict[str, Any]) -> tuple[str, str] | None:
    """Find a credential that stands in a configuration file: exchange and setting."""
    tables = values.get("exchange")
    if not isinstance(tables, dict):
        return None
    return next(
        (
            (exchange, name)
            for exchange, table in tables.items()
            if isinstance(table, dict)
            for name in CREDENTIALS
            if name in table
        ),
        None,
    )
