"""A decision that comes by Kafka is carried out, once, where one whom we trust signed it.

All real: Kafka, nginx, the enforcer. What is forged is written by a client that is not ours.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from loadtest.enforce_stage import SOURCE, EnforceStage, Form, decided
from loadtest.kafka_broker import ApacheKafka
from loadtest.rtmp import RtmpServer
from streamguard.adapters.kafka_client import KafkaOptions
from streamguard.adapters.kafka_producer import KafkaProducer
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.adapters.signed_events import Trusted
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import utc_text
from streamguard.core.events import Topic
from streamguard.core.record import Message, RowOf, message_of, row_of
from streamguard.core.review_events import decision_event
from tests.broker import Reader
from tests.integration.test_enforce import KEY, enforcing, stage
from tests.made_keys import KeyFiles, made_key, record
from tests.processes import Running, streamguard, until

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

REFUSED = re.compile(r'streamguard_decisions_refused_total\{reason="(\w+)"\} (\d+)')


@dataclass(frozen=True, slots=True)
class Keys:
    """The console's key, the one that follows it, the enforcer's own, and a stranger's."""

    console: KeyFiles
    next: KeyFiles
    own: KeyFiles
    stranger: KeyFiles


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(*(made_key(tmp_path, name) for name in ("console", "next", "own", "stranger")))


def form(apache: ApacheKafka, keys: Keys) -> Form:
    trusted = [str(one.public) for one in (keys.console, keys.next, keys.own)]
    more = (
        f'[kafka]\nbootstrap_servers = "{apache.bootstrap}"\n'
        f'[decisions]\nkey_file = "{keys.own.private}"\ntrusted_keys = {trusted}\n'
    )
    return Form(enforce="kafka = true", more=more)


@contextmanager
def by_kafka(
    folder: Path, rtmp: RtmpServer, apache: ApacheKafka, keys: Keys
) -> Iterator[tuple[EnforceStage, Running]]:
    with stage(folder, rtmp, form(apache, keys)) as made, enforcing(made) as running:
        yield made, running


def message(decision: DecisionData, row: RowOf) -> Message:
    """Give a decision as streamguard itself would write it."""
    return message_of(record(row(decision_event(SOURCE, decision, recorded_s=time.time()))))


def publish(bootstrap: str, *messages: Message) -> None:
    async def send() -> None:
        producer = KafkaProducer(KafkaOptions(bootstrap), topic_spec(Topic.DECISIONS, 2, 1))
        try:
            await producer.open()
            await producer.make_topic()
            await producer.send(messages)
        finally:
            await producer.close()

    asyncio.run(send())


def forge(bootstrap: str, *messages: Message) -> None:
    """Write what a stranger may, who has nothing but the right to write to the topic."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for one in messages:
        producer.produce(Topic.DECISIONS, one.value, one.key, headers=list(one.headers))
    assert producer.flush(30) == 0


def told_of(made: EnforceStage, decision: DecisionData) -> list[str]:
    return [row["type"].split(".")[3] for row in made.told(decision.decision_id)]


def refusals(running: Running) -> dict[str, int]:
    """Give what the enforcer counts at its /metrics."""
    port = running.wait_for(running.log, event="enforce_started")["port"]
    shown = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return {reason: int(count) for reason, count in REFUSED.findall(shown)}


def test_a_decision_comes_by_kafka_and_by_the_log_and_is_carried_out_once(
    tmp_path: Path, rtmp: RtmpServer, real_clips: dict[str, Path], apache: ApacheKafka, keys: Keys
) -> None:
    sign = keys.console.signer.row
    with (
        stage(tmp_path, rtmp, form(apache, keys)) as made,
        rtmp.publish(real_clips["bikes"], KEY) as one,
    ):
        decision = decided(made.live(KEY), "cut")
        publish(apache.bootstrap, message(decision, sign))
        with enforcing(made):
            event = made.outcome(decision.decision_id)
            one.wait(30)
            made.log.append([decision_event(SOURCE, decision, recorded_s=time.time())])
            later = decided(decision.stream, "restore")
            publish(apache.bootstrap, message(later, keys.next.signer.row))
            made.outcome(later.decision_id)

        assert event.data.model_dump()["method"] == "no_media"
        assert told_of(made, decision) == ["requested", "verified"]
        assert told_of(made, later) == ["requested", "verified"]


def test_what_is_forged_cuts_nobody_and_holds_nothing_up(
    tmp_path: Path, rtmp: RtmpServer, real_clips: dict[str, Path], apache: ApacheKafka, keys: Keys
) -> None:
    publish(apache.bootstrap)  # makes the topic
    with (
        by_kafka(tmp_path, rtmp, apache, keys) as (made, running),
        rtmp.publish(real_clips["bikes"], KEY) as one,
    ):
        stream = made.live(KEY)
        unsigned, by_stranger, right = (decided(stream, "cut") for _ in range(3))
        signed = message(right, keys.console.signer.row)
        altered = Message(signed.key, signed.headers, signed.value.replace(b'"r-1"', b'"r-2"'))
        stranger = message(by_stranger, keys.stranger.signer.row)
        forge(apache.bootstrap, message(unsigned, row_of), stranger, altered)
        said = running.wait_for(running.log, event="decisions_refused")
        until(lambda: sum(refusals(running).values()) == 3)
        counted, was_live = refusals(running), one.poll() is None
        forge(apache.bootstrap, signed)
        made.outcome(right.decision_id)
        one.wait(30)

        assert was_live
        assert counted == {"unsigned": 1, "unknown_key": 1, "wrong": 1}
        assert [told_of(made, other) for other in (unsigned, by_stranger)] == [[], []]
        assert made.told(right.decision_id)[0]["data"]["action"]["actor"] == "r-1"
    for word in (KEY, stream.stream_id, by_stranger.decision_id, unsigned.decision_id):
        assert word not in str(said)


def test_a_decision_that_is_sent_again_long_after_does_nothing(
    tmp_path: Path,
    rtmp: RtmpServer,
    real_clips: dict[str, Path],
    apache: ApacheKafka,
    keys: Keys,
    reader: Reader,
) -> None:
    """What was once signed stays so: whoever can write may send it again, byte by byte."""
    sign = keys.console.signer.row
    long_ago = utc_text(time.time() - 1_000)
    with stage(tmp_path, rtmp, form(apache, keys)) as made:
        with rtmp.publish(real_clips["bikes"], KEY):
            stream = made.live(KEY)
            cut, restore = decided(stream, "cut"), decided(stream, "restore")
            publish(apache.bootstrap, message(cut, sign))
            with enforcing(made):
                made.outcome(cut.decision_id)
                publish(apache.bootstrap, message(restore, sign))
                made.outcome(restore.decision_id)
        [first, _] = reader.read(Topic.DECISIONS, 2)
        again = Message(
            first.key.encode(),
            tuple((k, v.encode()) for k, v in first.headers.items()),
            first.value,
        )
        with rtmp.publish(real_clips["bikes"], KEY) as one, enforcing(made):
            later = made.live(KEY)
            late = decided(later, "cut", decided_at=long_ago)
            forge(apache.bootstrap, again, message(late, sign))
            expired = made.outcome(late.decision_id).data.model_dump()
            was_live = one.poll() is None
            now = decided(later, "cut_and_suspend")
            publish(apache.bootstrap, message(now, sign))
            made.outcome(now.decision_id)
            back = decided(later, "restore", decided_at=long_ago)
            forge(apache.bootstrap, message(back, sign))
            undone = made.outcome(back.decision_id).data.model_dump()

        assert was_live
        assert (expired["reason"], undone["reason"]) == ("expired", "superseded")
        assert told_of(made, cut) == told_of(made, now) == ["requested", "verified"]


def test_what_the_enforcer_decides_by_itself_is_signed_by_its_own_key(
    tmp_path: Path, rtmp: RtmpServer, real_clips: dict[str, Path], apache: ApacheKafka, keys: Keys
) -> None:
    """The end of a hold is a decision as well, and goes to Kafka like any other."""
    publish(apache.bootstrap)
    with (
        by_kafka(tmp_path, rtmp, apache, keys) as (made, _),
        rtmp.publish(real_clips["bikes"], KEY),
    ):
        over = utc_text(time.time() + 1.0)
        held = decided(made.live(KEY), "hold", expires_at=over)
        publish(apache.bootstrap, message(held, keys.console.signer.row))
        until(lambda: bool(made.log.read(1, Topic.DECISIONS)))
        [lifted] = made.log.read(1, Topic.DECISIONS)

    assert '"action":"restore"' in lifted.body
    assert Trusted([keys.own.public]).refusal(lifted.body) is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "[enforce] kafka needs [decisions] trusted_keys"),
        ('[decisions]\ntrusted_keys = ["{trusted}"]\n', "[decisions] key_file is missing"),
        (
            '[decisions]\nkey_file = "{own}"\ntrusted_keys = ["{trusted}.gone"]\n',
            ".gone: this key cannot be read",
        ),
    ],
)
def test_without_the_keys_that_it_needs_it_does_not_start(
    lines: str, problem: str, tmp_path: Path, rtmp: RtmpServer, keys: Keys
) -> None:
    named = lines.format(own=keys.own.private, trusted=keys.own.public)
    more = f'[kafka]\nbootstrap_servers = "127.0.0.1:1"\n{named}'

    with stage(tmp_path, rtmp, Form(enforce="kafka = true", more=more)) as made:
        done = streamguard("enforce", "--config", made.config, cwd=made.folder)

    assert (done.code, problem in done.problem) == (2, True)
