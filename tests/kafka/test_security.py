"""Encryption, logging in and compression, against both lines of Apache Kafka."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from loadtest.certificates import Certificates
from loadtest.kafka_broker import PASSWORD as PLAIN_PASSWORD
from loadtest.kafka_broker import SCRAM, ApacheKafka
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.core.errors import BrokerUnavailable, StreamguardError
from streamguard.core.events import Topic
from streamguard.core.record import Message
from streamguard.parts.kafka_parts import kafka_options
from streamguard.sections.kafka_section import KafkaSection
from tests.broker import Reader, give_scram_passwords, grant
from tests.processes import streamguard

pytestmark = pytest.mark.integration

PASSWORD = "scram: salted, not stored"  # noqa: S105  # of a broker that lives for seconds
SENT = Message(b"lobby", (("ce_id", b"1"),), b"{}")


@pytest.fixture
def kafka(any_apache: ApacheKafka) -> ApacheKafka:
    """Give a broker that knows the user's passwords and lets the user write."""
    give_scram_passwords(any_apache.bootstrap, PASSWORD)
    grant(any_apache.bootstrap)
    return any_apache


@pytest.fixture
def certificates(kafka: ApacheKafka) -> Certificates:
    if kafka.certificates is None:
        pytest.skip("no openssl here to make certificates with")
    return kafka.certificates


def login(folder: Path, mechanism: str, password: str = PASSWORD) -> dict[str, object]:
    file = folder / "password"
    file.write_text(f"{password}\n")
    return {
        "sasl_mechanism": mechanism,
        "sasl_username": "streamguard",
        "sasl_password_file": file,
    }


def deliver(bootstrap: str, settings: Mapping[str, object]) -> None:
    """Send one message as the settings say."""
    section = KafkaSection.model_validate({"bootstrap_servers": bootstrap, **settings})

    async def send() -> None:
        producer = KafkaProducer(kafka_options(section), topic_spec(Topic.FLAGS, 1, 1))
        try:
            await producer.open()
            await producer.make_topic()
            await producer.send([SENT])
        finally:
            await producer.close()

    asyncio.run(send())


def n_arrived(kafka: ApacheKafka) -> int:
    reader = Reader(kafka.bootstrap)
    try:
        return len(reader.read(Topic.FLAGS, 1))
    finally:
        reader.close()


def refusal(bootstrap: str, settings: Mapping[str, object]) -> StreamguardError:
    with pytest.raises(StreamguardError) as refused:
        deliver(bootstrap, settings)
    assert PASSWORD not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
def test_a_message_arrives_encrypted_by_who_logs_in_with_a_password_from_a_file(
    kafka: ApacheKafka, certificates: Certificates, tmp_path: Path, mechanism: str
) -> None:
    password = PLAIN_PASSWORD if mechanism == "PLAIN" else PASSWORD
    settings = login(tmp_path, mechanism, password)

    deliver(
        kafka.tls_bootstrap,
        {"security_protocol": "SASL_SSL", "ca_file": certificates.authority, **settings},
    )

    assert n_arrived(kafka) == 1


@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_needs_no_encryption(kafka: ApacheKafka, tmp_path: Path, mechanism: str) -> None:
    deliver(
        kafka.sasl_bootstrap, {"security_protocol": "SASL_PLAINTEXT", **login(tmp_path, mechanism)}
    )

    assert n_arrived(kafka) == 1


@pytest.mark.parametrize("mechanism", SCRAM)
def test_a_wrong_password_is_refused(kafka: ApacheKafka, tmp_path: Path, mechanism: str) -> None:
    settings = login(tmp_path, mechanism, "guessed")

    refused = refusal(kafka.sasl_bootstrap, {"security_protocol": "SASL_PLAINTEXT", **settings})

    assert isinstance(refused, BrokerUnavailable)
    assert "how we log in" in str(refused)


def test_a_password_that_changes_is_read_anew_without_a_restart(
    kafka: ApacheKafka, tmp_path: Path
) -> None:
    settings = login(tmp_path, SCRAM[0], "of yesterday")
    section = KafkaSection.model_validate(
        {
            "bootstrap_servers": kafka.sasl_bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            **settings,
        }
    )
    producer = KafkaProducer(kafka_options(section), topic_spec(Topic.FLAGS, 1, 1))

    async def outlive_it() -> None:
        with pytest.raises(BrokerUnavailable):
            await producer.open()
        await producer.close()
        (tmp_path / "password").write_text(PASSWORD)  # nobody else waits
        await producer.open()
        await producer.make_topic()
        await producer.send([SENT])
        await producer.close()

    asyncio.run(outlive_it())

    assert n_arrived(kafka) == 1


def test_a_message_arrives_by_who_shows_a_certificate(
    kafka: ApacheKafka, certificates: Certificates
) -> None:
    settings = {
        "security_protocol": "SSL",
        "ca_file": certificates.authority,
        "certificate_file": certificates.client,
        "key_file": certificates.client_key,
    }

    deliver(kafka.mutual_bootstrap, settings)

    assert n_arrived(kafka) == 1


def test_who_shows_no_certificate_is_not_let_in(
    kafka: ApacheKafka, certificates: Certificates
) -> None:
    settings = {"security_protocol": "SSL", "ca_file": certificates.authority}

    assert isinstance(refusal(kafka.mutual_bootstrap, settings), BrokerUnavailable)


def test_a_broker_whose_certificate_names_another_host_gets_no_password(
    kafka: ApacheKafka, certificates: Certificates, tmp_path: Path
) -> None:
    elsewhere = kafka.tls_bootstrap.replace("127.0.0.1", "localhost")
    settings = {
        "security_protocol": "SASL_SSL",
        "ca_file": certificates.authority,
        **login(tmp_path, SCRAM[0]),
    }

    assert isinstance(refusal(elsewhere, settings), BrokerUnavailable)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_a_message_arrives_however_it_is_compressed(kafka: ApacheKafka, compression: str) -> None:
    deliver(kafka.bootstrap, {"compression": compression})

    assert n_arrived(kafka) == 1


def test_topics_are_made_and_checked_over_tls_with_scram(
    kafka: ApacheKafka, certificates: Certificates, tmp_path: Path
) -> None:
    shutil.copy(certificates.authority, tmp_path / "ca.pem")
    (tmp_path / "password").write_text(PASSWORD)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[kafka]\nbootstrap_servers = "{kafka.tls_bootstrap}"\nsecurity_protocol = "SASL_SSL"\n'
        'sasl_mechanism = "SCRAM-SHA-512"\nsasl_username = "streamguard"\n'
        f'sasl_password_file = "{tmp_path}/password"\nca_file = "{tmp_path}/ca.pem"\n'
        "partitions = 3\nreplication_factor = 1\n"
    )

    made = streamguard("topics", "create", "--config", config)
    checked = streamguard("topics", "create", "--check", "--config", config)

    assert (made.code, made.out) == (0, "".join(f"{topic}  made\n" for topic in Topic))
    assert (checked.code, checked.out) == (
        0,
        "".join(f"{topic}  as configured\n" for topic in Topic),
    )
