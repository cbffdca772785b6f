import asyncio
import logging
import ssl
import subprocess
from pathlib import Path

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownError,
    for_code,
)
from structlog.testing import capture_logs

from loadtest.certificates import make_certificates
from streamguard.adapters.kafka_client import (
    REQUEST_TIMEOUT_S,
    ClientLog,
    InvalidRecordError,
    KafkaOptions,
    answered,
    route_client_log,
)
from streamguard.core.errors import BrokerDenied, BrokerUnavailable, ConfigError, RecordRefused


def outcome_of(error: Exception) -> Exception:
    """Give what an error of the library becomes."""

    async def fail() -> None:
        async with answered(1):
            raise error

    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is the question
        asyncio.run(fail())
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MessageSizeTooLargeError(), RecordRefused),
        (RecordListTooLargeError(), RecordRefused),
        (InvalidRecordError(), RecordRefused),
        (TopicAuthorizationFailedError(), BrokerDenied),
        (SaslAuthenticationFailed("user"), BrokerDenied),
        (KafkaConnectionError("host"), BrokerUnavailable),
        (NotEnoughReplicasError(), BrokerUnavailable),
        (UnknownError(), BrokerUnavailable),
        (KafkaError(), BrokerUnavailable),
        (ConnectionResetError(), BrokerUnavailable),
        (ssl.SSLError("certificate"), BrokerUnavailable),
        (TimeoutError(), BrokerUnavailable),
    ],
)
def test_an_error_of_the_library_becomes_one_of_ours(
    error: Exception, kind: type[Exception]
) -> None:
    ours = outcome_of(error)

    assert type(ours) is kind
    assert len(str(ours).splitlines()) == 1
    assert ours.__suppress_context__


def test_a_bug_stays_a_bug() -> None:
    assert isinstance(outcome_of(ZeroDivisionError()), ZeroDivisionError)


def test_a_broker_that_says_nothing_is_unavailable() -> None:
    async def wait() -> None:
        async with answered(0.01):
            await asyncio.Event().wait()

    with pytest.raises(BrokerUnavailable, match="no answer within"):
        asyncio.run(wait())


def test_the_library_knows_the_code_of_an_invalid_record() -> None:
    assert for_code(87) is InvalidRecordError


def test_a_password_is_in_no_representation() -> None:
    secret = "hush"  # noqa: S105  # of nobody

    options = KafkaOptions("h:1", security_protocol="SASL_SSL", username="u", password=secret)

    assert secret not in repr(options)
    assert options.arguments()["sasl_plain_password"] == secret


def test_a_password_file_is_read_anew_each_time_and_only_to_log_in(tmp_path: Path) -> None:
    file = tmp_path / "password"
    options = KafkaOptions("h:1", security_protocol="SASL_SSL", username="u", password_file=file)

    with pytest.raises(ConfigError, match="sasl_password_file cannot be read"):
        options.arguments()
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert options.arguments()["sasl_plain_password"] == password
    assert KafkaOptions("h:1", password_file=tmp_path).arguments()["sasl_plain_password"] is None


def test_plaintext_has_no_certificates_and_ssl_checks_the_host() -> None:
    secure = KafkaOptions("h:1", security_protocol="SASL_SSL").arguments()["ssl_context"]

    assert KafkaOptions("h:1").arguments()["ssl_context"] is None
    assert secure.check_hostname
    assert secure.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_certificates_that_cannot_be_used_are_a_configuration_error(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"ca\.pem cannot be used"):
        KafkaOptions("h:1", security_protocol="SSL", ca_file=file).arguments()


def test_every_broker_of_a_list_has_time_to_answer() -> None:
    assert KafkaOptions("a:1,b:1,c:1").open_timeout_s > 3 * REQUEST_TIMEOUT_S


@pytest.fixture
def library() -> logging.Logger:
    """Give the library's logger as `run` sets it up."""
    route_client_log()
    return logging.getLogger("aiokafka.test")


def test_warnings_come_through_our_log_once_a_kind(library: logging.Logger) -> None:
    with capture_logs() as said:
        library.warning("Unable to reach %s", "a")
        library.error("Unable to reach %s", "b")
        library.error("Something else")

    assert [line["problem"] for line in said] == ["Unable to reach a", "Something else"]
    assert {line["event"] for line in said} == {"kafka_client_said"}


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_keys_and_values_are_not_logged(
    library: logging.Logger, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as said:
        library.log(level, "Sending (key=%s value=%s) to %s", "k", "v", "t")

    assert said == []
    assert caplog.records == []


def test_a_quiet_library_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    route_client_log(is_quiet=True)

    with capture_logs() as said:
        logging.getLogger("aiokafka.test").error("Unable to reach it")

    assert said == []
    assert capsys.readouterr() == ("", "")


def test_the_same_is_said_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter([100.0, 159.0, 160.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now_s))
    handler = ClientLog()
    line = logging.LogRecord("aiokafka", logging.WARNING, "", 0, "kind", None, None)

    with capture_logs() as said:
        for _ in range(3):
            handler.emit(line)

    assert len(said) == 2


def with_certificate(certificate: Path, key: Path) -> KafkaOptions:
    return KafkaOptions("h:1", security_protocol="SSL", certificate_file=certificate, key_file=key)


def test_a_certificate_of_ours_is_shown_with_its_key_alone(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "us")
    if made is None:
        pytest.skip("no openssl here to make certificates with")
    other = tmp_path / "other"
    other.mkdir()
    stranger = make_certificates(other, "them")
    assert stranger is not None

    context = with_certificate(made.client, made.client_key).arguments()["ssl_context"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    for file in (stranger.client_key, tmp_path / "nowhere.pem", made.client):
        with pytest.raises(ConfigError, match="certificate_file and key_file cannot be used"):
            with_certificate(made.client, file).arguments()


def test_a_key_that_is_encrypted_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, "us")
    if made is None:
        pytest.skip("no openssl here to make certificates with")
    locked, password = tmp_path / "locked.pem", ("-passout", "pass:x")
    asked = ["openssl", "pkey", "-in", made.client_key, "-out", locked, "-aes256", *password]
    subprocess.run(asked, check=True)

    with pytest.raises(ConfigError, match="the key not encrypted"):
        with_certificate(made.client, locked).arguments()
