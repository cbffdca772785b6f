"""What the world does to Kafka, done to Apache Kafka; nothing committed is lost by it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from loadtest.kafka_broker import PASSWORD, USER, ApacheKafka
from loadtest.made_events import number_in, opened
from streamguard.adapters import kafka_client
from streamguard.adapters.kafka_client import KafkaOptions, route_client_log
from streamguard.adapters.kafka_meter import KafkaMeter
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.events import Topic
from streamguard.runtime.publisher import Publisher
from tests.broker import (
    Reader,
    delete_topics,
    grant,
    set_topic_limit,
    topic_policy,
    withdraw,
)
from tests.servers import serving, silent, whole

pytestmark = pytest.mark.integration

DEADLINE_S = 70.0
STREAMS = ("lobby", "garden", "kitchen", "roof")


class Stage:
    """A log of flags, and a publisher that delivers it to a broker; a context manager."""

    def __init__(self, path: Path, options: KafkaOptions) -> None:
        route_client_log()
        self.log = SqliteLog(path)
        self.outbox = SqliteOutbox(path)
        self.metrics = CollectorRegistry()
        broker = KafkaProducer(options, topic_spec(Topic.FLAGS, 3, 1))
        self.publisher = Publisher(
            self.outbox, {Topic.FLAGS: broker}, SystemClock(), KafkaMeter(self.metrics)
        )

    def append(self, *numbers: int, n_signals: int = 1) -> None:
        """Append flags, spread over the streams."""
        streams = [STREAMS[number % len(STREAMS)] for number in numbers]
        flags = [opened(n, s, n_signals=n_signals) for n, s in zip(numbers, streams, strict=True)]
        self.log.append(flags)
        self.publisher.wake()

    def wait_until_delivered(self) -> None:
        wait_until(lambda: not self.outbox.backlog(Topic.FLAGS))

    def wait_for_problem(self, text: str) -> None:
        wait_until(lambda: text in (self.publisher.problem() or ""))

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.get_sample_value(f"streamguard_kafka_{name}_total", labels) or 0.0

    def __enter__(self) -> Self:
        self.publisher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.publisher.stop(5.0)
        self.log.close()
        self.outbox.close()


def wait_until(claim: Callable[[], bool]) -> None:
    """Look again and again, for other threads and processes are at work."""
    waiting, deadline_s = threading.Event(), time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline_s
        waiting.wait(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def stage(path: Path, apache: ApacheKafka) -> Iterator[Stage]:
    with Stage(path, KafkaOptions(apache.bootstrap)) as made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give brokers less time, so that these tests take less."""
    monkeypatch.setattr(kafka_client, "REQUEST_TIMEOUT_S", 1.0)


def arrived(reader: Reader, count: int) -> list[int]:
    """Give the numbers that arrived; each stream's first appearances must be in order."""
    got = reader.read(Topic.FLAGS, count)
    for stream_id in STREAMS:
        numbers = [number_in(one.value) for one in got if one.key == stream_id]
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)
    return [number_in(one.value) for one in got]


def test_a_broker_that_is_killed_under_many_flags_gets_them_all(
    apache: ApacheKafka, stage: Stage, reader: Reader
) -> None:
    for number in range(200):
        stage.append(number)
        if number == 60:
            wait_until(lambda: stage.count("records", outcome="acknowledged") > 0)
            apache.kill()
        if number == 140:
            stage.wait_for_problem("Kafka")
            apache.start()
    stage.wait_until_delivered()

    assert set(arrived(reader, 200)) == set(range(200))
    assert stage.publisher.problem() is None
    assert stage.count("retries", reason="broker_unavailable") > 0


@pytest.mark.usefixtures("hasty")
def test_a_broker_that_falls_silent_is_noticed_and_gets_all_when_it_goes_on(
    apache: ApacheKafka, path: Path, reader: Reader
) -> None:
    with Stage(path, KafkaOptions(apache.bootstrap)) as stage:
        stage.append(*range(20))
        stage.wait_until_delivered()
        apache.freeze()
        stage.append(*range(20, 40))
        stage.wait_for_problem("Kafka")
        apache.thaw()
        stage.wait_until_delivered()

    assert set(arrived(reader, 40)) == set(range(40))


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("answer", [silent, whole(b"this is no Kafka" * 100)])
def test_a_server_that_is_no_broker_is_tried_again_and_a_stop_ends_in_time(
    path: Path, answer: Callable[..., None]
) -> None:
    with serving(answer) as server:
        stage = Stage(path, KafkaOptions(f"127.0.0.1:{server.port}"))
        with stage:
            stage.append(1)
            stage.wait_for_problem("Kafka")
            began_s = time.monotonic()
        took_s = time.monotonic() - began_s

    assert took_s < 10
    assert stage.count("retries", reason="broker_unavailable") >= 1


def test_rights_that_are_withdrawn_stop_delivery_and_lose_nothing(
    apache: ApacheKafka, path: Path, reader: Reader
) -> None:
    grant(apache.bootstrap)
    options = KafkaOptions(
        apache.sasl_bootstrap, security_protocol="SASL_PLAINTEXT", username=USER, password=PASSWORD
    )
    with Stage(path, options) as stage, capture_logs() as said:
        stage.append(1)
        stage.wait_until_delivered()
        withdraw(apache.bootstrap)
        stage.append(2)
        stage.wait_for_problem("refuses us")
        wait_until(lambda: stage.count("retries", reason="broker_denied") > 3)
        grant(apache.bootstrap)
        stage.wait_until_delivered()

    assert set(arrived(reader, 2)) == {1, 2}
    alerts = [line for line in said if line["log_level"] == "error"]
    assert [line["event"] for line in alerts] == ["delivery_stalled"]
    assert PASSWORD not in f"{said}"


def tls_options(apache: ApacheKafka, *, is_trusted: bool) -> KafkaOptions:
    if apache.certificates is None:
        pytest.skip("no openssl here to make a certificate with")
    return KafkaOptions(
        apache.tls_bootstrap,
        security_protocol="SASL_SSL",
        username=USER,
        password=PASSWORD,
        ca_file=apache.certificates.authority if is_trusted else None,
        compression="gzip",
    )


def test_flags_arrive_encrypted_logged_in_and_compressed(
    apache: ApacheKafka, path: Path, reader: Reader
) -> None:
    grant(apache.bootstrap)

    with Stage(path, tls_options(apache, is_trusted=True)) as stage:
        stage.append(*range(20))
        stage.wait_until_delivered()

    assert set(arrived(reader, 20)) == set(range(20))


def test_a_broker_that_nobody_vouches_for_gets_nothing(apache: ApacheKafka, path: Path) -> None:
    grant(apache.bootstrap)

    with Stage(path, tls_options(apache, is_trusted=False)) as stage, capture_logs() as said:
        stage.append(1)
        stage.wait_for_problem("Kafka is not available")
        wait_until(lambda: any("CERTIFICATE_VERIFY" in str(line.get("problem")) for line in said))

    assert stage.count("records", outcome="acknowledged") == 0


def test_a_wrong_password_is_said_and_not_shown(
    apache: ApacheKafka, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "not this one"
    options = KafkaOptions(
        apache.sasl_bootstrap, security_protocol="SASL_PLAINTEXT", username=USER, password=wrong
    )
    with Stage(path, options) as stage, capture_logs() as said:
        stage.append(1)
        stage.wait_for_problem("how we log in")
        wait_until(lambda: any("Authentication" in str(line.get("problem")) for line in said))

    assert stage.outbox is not None
    assert wrong not in f"{said}" + "".join(capfd.readouterr())


def test_a_message_too_large_for_the_topic_arrives_reduced(
    apache: ApacheKafka, stage: Stage, reader: Reader
) -> None:
    stage.append(0)
    stage.wait_until_delivered()
    set_topic_limit(apache.bootstrap, Topic.FLAGS, 2_500)

    stage.append(1, 5)
    stage.append(9, n_signals=8)
    stage.append(13, 17, 21)
    stage.wait_until_delivered()

    got = {number_in(one.value): one for one in reader.read(Topic.FLAGS, 7)}
    assert set(arrived(reader, 7)) == {0, 1, 5, 9, 13, 17, 21}
    assert len(json.loads(got[9].value)["signals"]) == 1
    assert got[9].headers["ce_reduced"] == "refused"
    assert [problem for _, problem, _ in stage.outbox.dead()] == [
        "Kafka will not take it: MessageSizeTooLargeError"
    ]
    assert stage.count("records", outcome="reduced") == 1


def test_topics_that_are_deleted_come_back_with_all_that_the_log_holds(
    apache: ApacheKafka, stage: Stage, reader: Reader
) -> None:
    stage.append(*range(10))
    stage.wait_until_delivered()
    delete_topics(apache.bootstrap, [Topic.FLAGS])

    stage.append(*range(10, 20))

    wait_until(lambda: stage.count("records", outcome="redelivered") >= 10)
    stage.wait_until_delivered()
    assert set(arrived(reader, 20)) == set(range(20))
    policy = topic_policy(apache.bootstrap, Topic.FLAGS)
    assert (policy["cleanup.policy"], policy["retention.ms"]) == ("delete", f"{14 * 86_400_000}")


def test_a_broker_that_lost_its_disk_gets_all_that_the_log_holds(
    apache: ApacheKafka, stage: Stage, reader: Reader
) -> None:
    """Nothing new comes: that the broker is empty is noticed all the same."""
    stage.append(*range(10))
    stage.wait_until_delivered()

    apache.forget()
    apache.start()

    assert set(arrived(reader, 10)) == set(range(10))
