from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from streamguard.parts.kafka_parts import kafka_options
from streamguard.sections.kafka_section import KafkaSection

LOGIN: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_username": "sg"}


def test_there_is_no_kafka_unless_it_is_named() -> None:
    assert KafkaSection().bootstrap_servers == ""


@pytest.mark.parametrize("servers", ["kafka:9092", "a-1.b_c:1,10.0.0.1:65535", "[::1]:9092"])
def test_brokers_are_hosts_with_ports(servers: str) -> None:
    assert KafkaSection(bootstrap_servers=servers).bootstrap_servers == servers


@pytest.mark.parametrize(
    "servers", ["kafka", "kafka:", ":9092", "a:1, b:2", "a:1,", "kafka://a:1", "user:key@a:1"]
)
def test_anything_else_is_refused_and_not_repeated(servers: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        KafkaSection(bootstrap_servers=servers)

    assert "host:port" in str(refusal.value)
    assert "key@" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sasl_username": None, "sasl_password": "p"}, "needs a sasl_username"),
        ({}, "give either sasl_password or"),
        ({"sasl_password": "p", "sasl_password_file": "f"}, "give either sasl_password or"),
        ({"sasl_password_file": "/nonexistent"}, "cannot be read"),
    ],
)
def test_a_login_needs_a_name_and_one_password(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        KafkaSection(**LOGIN | changes)


def test_a_password_comes_from_a_file_or_a_variable_and_is_masked(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hush\n")

    given = KafkaSection(**LOGIN, sasl_password="hush")  # noqa: S106
    mounted = KafkaSection(**LOGIN, sasl_password_file=file)

    for section in (given, mounted):
        assert "hush" in kafka_options(section).arguments().values()
    assert "hush" not in repr(given)
    assert "hush" not in given.model_dump_json()


def test_every_setting_of_the_connection_reaches_the_client() -> None:
    section = KafkaSection(
        bootstrap_servers="a:1",
        client_id="me",
        compression="gzip",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_password="p",  # noqa: S106
        ca_file=Path("ca.pem"),
        **LOGIN,
    )

    options = kafka_options(section)

    assert options.bootstrap_servers == "a:1"
    assert (options.client_id, options.compression) == ("me", "gzip")
    assert (options.security_protocol, options.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (options.username, options.password) == ("sg", "p")
    assert options.ca_file == Path("ca.pem")


def test_a_certificate_of_ours_needs_its_key() -> None:
    ours = {"certificate_file": Path("us.pem"), "key_file": Path("us-key.pem")}

    options = kafka_options(KafkaSection(security_protocol="SSL", **ours))

    assert (options.certificate_file, options.key_file) == (Path("us.pem"), Path("us-key.pem"))
    for name, file in ours.items():
        with pytest.raises(ValidationError, match="go together"):
            KafkaSection.model_validate({"security_protocol": "SSL", name: file})
