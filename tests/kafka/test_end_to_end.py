"""The whole way: a live stream, `streamguard run`, Apache Kafka, a reader that is not ours."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.kafka_broker import PASSWORD, USER, ApacheKafka
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.event_data import FlagData
from streamguard.core.events import KINDS, RETENTION_S, Event, EventType, Topic
from streamguard.core.record import REPLAYED
from tests.broker import Got, Reader, grant, topic_policy
from tests.processes import (
    Row,
    Running,
    build_bank,
    environment,
    on_time,
    streamguard,
    transport_stream,
    until,
)
from tests.servers import refusing_port, serving

pytestmark = pytest.mark.integration

KAFKA = "[kafka]\npartitions = 3\nreplication_factor = 1\n"
KEY = "s3cr3t-stream-key"


@pytest.fixture(scope="module")
def known_bank(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    return build_bank(tmp_path_factory.mktemp("known") / "bank", real_clips["bikes"])


@pytest.fixture
def channel(real_clips: dict[str, Path]) -> Iterator[str]:
    """Serve a live channel whose content the bank knows; give its URL."""
    with serving(on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=6)) as server:
        yield server.url(f"/{KEY}.ts")


def configure(folder: Path, bank: Path, url: str, kafka: str) -> Path:
    config = folder / "config.toml"
    config.write_text(
        f'[http]\nport = 0\n[bank]\npaths = ["{bank}"]\n[log]\nfile = "log.db"\n'
        f'[worker]\nstop_timeout_s = 5\n{KAFKA}{kafka}\n[[streams]]\nid = "lobby"\nurl = "{url}"\n'
    )
    return config


def logged(folder: Path, topic: Topic) -> list[Row]:
    with SqliteLog.open_reader(folder / "log.db") as event_log:
        return [json.loads(record.body) for record in event_log.read(1, topic)]


def together(got: Got) -> Row:
    """Put an event together again from what Kafka carries."""
    attributes = {
        name.removeprefix("ce_"): value for name, value in got.headers.items() if name != REPLAYED
    }
    attributes["datacontenttype"] = attributes.pop("content-type")
    return {**attributes, "data": json.loads(got.value)}


def outbox_records(metrics: str, topic: Topic) -> dict[str, float]:
    """Read the account of a topic: records by what became of them."""
    found = re.findall(rf'outbox_records{{state="(.*)",topic="{topic}"}} (\S+)', metrics)
    return {state: float(count) for state, count in found}


def test_a_flag_of_a_live_stream_is_read_from_kafka_by_somebody_else(
    tmp_path: Path, known_bank: Path, channel: str, apache: ApacheKafka, reader: Reader
) -> None:
    kafka = f'bootstrap_servers = "{apache.bootstrap}"'
    config = configure(tmp_path, known_bank, channel, kafka)
    with Running("run", "--config", config, cwd=tmp_path) as run:
        [first, *_] = reader.read(Topic.FLAGS, 1)
        for topic in Topic:
            run.wait_for(run.log, event="delivery_runs", topic=str(topic))
        answers = {path: run.get(path) for path in ("/readyz", "/readyz/kafka", "/metrics")}
        until(lambda: outbox_records(run.get("/metrics")[1], Topic.FLAGS)["acknowledged"] > 0)
        shown = outbox_records(run.get("/metrics")[1], Topic.FLAGS)
        code = run.stop()

    assert code == 0
    assert answers["/readyz"] == answers["/readyz/kafka"] == (200, "ok\n")
    assert "streamguard_ingest_to_ack_seconds_count 1.0" in answers["/metrics"][1]
    assert "streamguard_kafka_connected 1.0" in answers["/metrics"][1]
    assert shown["committed"] == shown["acknowledged"] + shown["waiting"] + shown["dead"] > 0
    assert first.key == first.headers["ce_partitionkey"] == "lobby"
    assert first.headers["ce_type"] == EventType.FLAG_OPENED
    assert first.headers["content-type"] == "application/json"
    assert FlagData.model_validate_json(first.value).state == "open"
    for topic in Topic:
        events = logged(tmp_path, topic)
        assert [together(got) for got in reader.read(topic, len(events))] == events
        assert all(KINDS[Event.model_validate(event).type].topic is topic for event in events)
    assert run.log[-2] == run.log[-2] | {"event": "publisher_stopped", "n_left": 0}


def test_screening_begins_without_a_broker_and_delivers_when_one_comes(
    tmp_path: Path, known_bank: Path, channel: str, apache: ApacheKafka, reader: Reader
) -> None:
    grant(apache.bootstrap)
    apache.kill()
    kafka = (
        f'bootstrap_servers = "{apache.sasl_bootstrap}"\nsecurity_protocol = "SASL_PLAINTEXT"\n'
        f'sasl_username = "{USER}"'
    )
    config = configure(tmp_path, known_bank, channel, kafka)
    env = environment(STREAMGUARD_KAFKA__SASL_PASSWORD=PASSWORD)
    with Running("run", "--config", config, cwd=tmp_path, env=env) as run:
        stalled = run.wait_for(run.log, event="delivery_stalled")
        with Running("events", "--log", tmp_path / "log.db", "--follow") as follower:
            follower.wait_for_type("flag.opened")
        without = {path: run.get(path) for path in ("/readyz", "/readyz/kafka", "/metrics")}
        apache.start()
        reader.read(Topic.FLAGS, 1)
        for topic in Topic:
            run.wait_for(run.log, event="delivery_runs", topic=str(topic))
        until(lambda: run.get("/readyz/kafka") == (200, "ok\n"))
        metrics_after = run.get("/metrics")
        code = run.stop()

    assert code == 0
    assert stalled["reason"] == "broker_unavailable"
    assert without["/readyz"] == (200, "ok\n")
    assert without["/readyz/kafka"][0] == 503
    assert "streamguard_kafka_connected 0.0" in without["/metrics"][1]
    for topic in Topic:
        events = logged(tmp_path, topic)
        assert [together(got) for got in reader.read(topic, len(events))] == events
    said = f"{run.log}{run.out}{without}{metrics_after}"
    assert PASSWORD not in said
    assert KEY not in said


def test_a_run_that_ends_without_a_broker_says_what_stays_and_the_next_one_delivers_it(
    tmp_path: Path, known_bank: Path, channel: str, apache: ApacheKafka, reader: Reader
) -> None:
    kafka = f'bootstrap_servers = "{apache.bootstrap}"'
    apache.kill()
    config = configure(tmp_path, known_bank, channel, kafka)
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="delivery_stalled")
        with Running("events", "--log", tmp_path / "log.db", "--follow") as follower:
            follower.wait_for_type("flag.opened")
        code = run.stop()
    stopped = run.wait_for(run.log, event="publisher_stopped")
    before = {topic: logged(tmp_path, topic) for topic in Topic}

    apache.start()
    with Running("run", "--config", config, cwd=tmp_path) as again:
        got = reader.read(Topic.FLAGS, len(before[Topic.FLAGS]))
        again.stop()

    assert code == 0
    assert stopped["n_left"] == sum(len(events) for events in before.values())
    assert [together(one) for one in got][: len(before[Topic.FLAGS])] == before[Topic.FLAGS]
    assert all(one.headers[REPLAYED] == "1" for one in got[: len(before[Topic.FLAGS])])


def topics_create(folder: Path, bootstrap: str, *options: str) -> tuple[int, str, str]:
    config = folder / "topics.toml"
    config.write_text(f'{KAFKA}bootstrap_servers = "{bootstrap}"\n')
    done = streamguard("topics", "create", "--config", config, *options)
    return done.code, done.out, done.err


def test_topics_are_made_with_their_policies_and_made_once(
    tmp_path: Path, apache: ApacheKafka
) -> None:
    asked = topics_create(tmp_path, apache.bootstrap, "--dry-run", "--json")
    made = topics_create(tmp_path, apache.bootstrap, "--json")
    again = topics_create(tmp_path, apache.bootstrap)

    assert (asked[0], json.loads(asked[1])) == (0, {"topics": dict.fromkeys(Topic, "missing")})
    assert (made[0], json.loads(made[1])) == (0, {"topics": dict.fromkeys(Topic, "made")})
    assert again == (0, "".join(f"{topic}  there\n" for topic in Topic), "")
    for topic in Topic:
        policy = topic_policy(apache.bootstrap, topic)
        assert policy["cleanup.policy"] == "delete"
        assert policy["retention.ms"] == f"{RETENTION_S[topic] * 1000}"


def test_without_a_broker_topics_create_ends_with_3_and_one_line(tmp_path: Path) -> None:
    code, out, err = topics_create(tmp_path, f"127.0.0.1:{refusing_port()}")

    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "Kafka is not available" in err


def test_more_copies_than_brokers_is_a_configuration_error(
    tmp_path: Path, apache: ApacheKafka
) -> None:
    config = tmp_path / "topics.toml"
    config.write_text(f'[kafka]\nbootstrap_servers = "{apache.bootstrap}"\n')

    done = streamguard("topics", "create", "--config", config)

    assert done.code == 2
    assert "replication_factor" in done.problem


def test_without_its_library_kafka_is_a_configuration_error_and_the_rest_works(
    tmp_path: Path,
) -> None:
    config = tmp_path / "topics.toml"
    config.write_text('[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')
    program = (
        "import sys; sys.modules['aiokafka'] = None\n"
        "from streamguard.cli import main\n"
        f"sys.exit(main(['topics', 'create', '--config', {str(config)!r}]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "install streamguard[kafka]" in done.stderr
    assert len(done.stderr.splitlines()) == 1
