"""What every connection to Kafka has in common: who we are, time limits, what an error means.

Rule: every await on the client library stands under `answered`; its errors get no further, and of
what it logs only warnings do, each kind once a minute: its debug lines hold keys and values.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
    kafka_errors,
)

from streamguard.core.errors import BrokerDenied, BrokerUnavailable, ConfigError, RecordRefused

REQUEST_TIMEOUT_S = 5.0
"""For one request, and for connecting to one broker."""

SAY_AGAIN_S = 60.0
"""Between two log lines of the same kind from the client library."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # the library has no types
    """The broker looked into a record and will not have it; the library does not know this one.

    Source: https://kafka.apache.org/protocol#protocol_error_codes
    """

    errno = 87
    message = "INVALID_RECORD"


kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

_REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError)
_DENIED = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Where the brokers are, and who we are. Files are read for each connection: secrets change.

    bootstrap_servers: "host:port", several with commas.
    password_file:     holds the password, where it is not given as text.
    ca_file:           certificates of those who sign the brokers'; None trusts the system's.
    certificate_file:  our own certificate (with those that lead to its signer), and
    key_file:          its key, for brokers that tell clients by certificates.
    """

    bootstrap_servers: str
    client_id: str = "streamguard"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"

    def arguments(self) -> dict[str, Any]:
        """Give what the library's clients are made with.

        Raises:
            ConfigError: a file of certificates, the key or the password cannot be used.
        """
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "request_timeout_ms": round(REQUEST_TIMEOUT_S * 1000),
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context() if "SSL" in self.security_protocol else None,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self._password() if "SASL" in self.security_protocol else None,
        }

    @property
    def open_timeout_s(self) -> float:
        """Give the seconds within which some broker has answered, even if it is the last one."""
        return REQUEST_TIMEOUT_S * (self.bootstrap_servers.count(",") + 2)

    def _password(self) -> str | None:
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(
                "[kafka] the sasl_password_file cannot be read: is it there, and who may read it?"
            ) from None

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigError(
                f"[kafka] ca_file {self.ca_file} cannot be used ({error.strerror}): give a PEM file"
            ) from None
        if self.certificate_file is None:
            return context
        try:  # the empty password: a key that is encrypted is refused, and nobody is asked for one
            context.load_cert_chain(self.certificate_file, self.key_file, password="")
        except OSError as error:
            raise ConfigError(
                f"[kafka] certificate_file and key_file cannot be used ({error.strerror}): give PEM"
                " files that belong together, the key not encrypted"
            ) from None
        return context


@asynccontextmanager
async def answered(within_s: float) -> AsyncIterator[None]:
    """Give the brokers so many seconds; turn what goes wrong into errors of ours.

    Raises:
        RecordRefused: they will never take what was sent.
        BrokerDenied: they do not let us.
        BrokerUnavailable: anything else, for it may pass.
    """
    try:
        async with asyncio.timeout(within_s):
            yield
    except _REFUSED as error:
        raise RecordRefused(f"Kafka will not take it: {type(error).__name__}") from None
    except _DENIED as error:
        raise BrokerDenied(
            f"Kafka refuses us ({type(error).__name__}): check the user's name, password and"
            " rights to describe, create and write the streamguard topics"
        ) from None
    except InvalidTimestampError:  # of a topic that was not made by us
        raise BrokerUnavailable(
            "Kafka refuses the time of our clock: set the clock, and the topic's"
            " message.timestamp.type as `topics create --check` says"
        ) from None
    except TimeoutError:
        raise BrokerUnavailable(
            f"Kafka gave no answer within {within_s:.0f} s: check the brokers"
        ) from None
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"Kafka is not available ({type(error).__name__}): check the brokers, and in [kafka]"
            " bootstrap_servers, security_protocol and how we log in"
        ) from None


class ClientLog(logging.Handler):
    """Passes on what the client library has to say."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said_s: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log one line, unless one of its kind was logged within the last minute."""
        kind, now_s = str(record.msg), time.monotonic()
        if now_s - self._said_s.get(kind, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said_s[kind] = now_s
            log.warning("kafka_client_said", problem=record.getMessage())


def route_client_log(*, is_quiet: bool = False) -> None:
    """Let the library's warnings come through our log, or nothing at all."""
    library = logging.getLogger("aiokafka")
    library.setLevel(logging.WARNING)
    library.handlers = [logging.NullHandler() if is_quiet else ClientLog()]
    library.propagate = False
