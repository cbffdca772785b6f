import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from loadtest.made_events import number_in, opened
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.delivery_ports import Outcome, Tally
from streamguard.core.errors import BrokerDenied, BrokerUnavailable
from streamguard.core.events import Event, Topic
from streamguard.core.record import REDUCED, REPLAYED, Message
from streamguard.runtime import delivery
from streamguard.runtime.delivery import PROBE_S, SAY_AGAIN_S, WINDOW, Delivery
from tests.clock import EPOCH_S, FakeClock
from tests.memory_broker import Cluster, MemoryBroker

TOPIC = Topic.FLAGS
SMALL_BYTES = 1_500
"""A flag with one signal is smaller, one with two is larger."""


@dataclass
class Counts:
    """The DeliveryMeter, to be looked at."""

    records: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    flags_s: list[float] = field(default_factory=list)

    def sent(self, outcome: Outcome) -> None:
        self.records[outcome] += 1

    def failed(self, reason: str) -> None:
        self.failures[reason] += 1

    def flag_acknowledged(self, ingest_to_ack_s: float) -> None:
        self.flags_s.append(ingest_to_ack_s)


class FailingBroker(MemoryBroker):
    """Fails as it is told: at each call takes the next word of a script, while there is one.

    "ok"; "before" or "after" what is asked is done; "half": of the messages only the first half.
    """

    def __init__(self, cluster: Cluster, topic: str, script: Sequence[str] = ()) -> None:
        super().__init__(cluster, topic)
        self.script = list(script)
        self.sent: list[Message] = []
        self.error: Exception = BrokerUnavailable("as the script says")

    async def open(self) -> bool:
        word = self._next("before")
        is_missing = await super().open()
        self._fail_if(word != "ok")
        return is_missing

    async def make_topic(self) -> None:
        word = self._next("before")
        await super().make_topic()
        self._fail_if(word != "ok")

    async def send(self, messages: Sequence[Message]) -> Mapping[int, int]:
        word = self._next("before")
        if word == "half":
            await super().send(messages[: len(messages) // 2])
        else:
            ends = await super().send(messages)
            self.sent += messages
        self._fail_if(word != "ok")
        return ends

    def _next(self, fatal: str) -> str:
        word = self.script.pop(0) if self.script else "ok"
        self._fail_if(word == fatal)
        return word

    def _fail_if(self, is_so: bool) -> None:  # noqa: FBT001
        if is_so:
            raise self.error


class Stage:
    """A log, a broker in memory, and the delivery between them."""

    def __init__(self, path: Path, script: Sequence[str] = ()) -> None:
        self.log = SqliteLog(path)
        self.outbox = SqliteOutbox(path)
        self.cluster = Cluster()
        self.broker = FailingBroker(self.cluster, TOPIC, script)
        self.clock = FakeClock()
        self.counts = Counts()
        self.delivery = self.another()

    def another(self) -> Delivery:
        """Make a delivery that knows nothing but what is in the log, as after a start."""
        return Delivery(TOPIC, self.outbox, self.broker, self.clock, self.counts, lambda: 0.0)

    def append(
        self, *numbers: int, stream_id: str = "lobby", n_signals: int = 1, severity: str = "P1"
    ) -> None:
        flags = [opened(n, stream_id, n_signals=n_signals, severity=severity) for n in numbers]
        self.log.append(flags)

    def deliver(self, until: Callable[[], bool] | None = None) -> None:
        """Deliver until the log is empty, or until something is so; then stop."""
        is_enough = until or (lambda: not self.outbox.backlog(TOPIC))

        async def whole() -> None:
            stop = asyncio.Event()
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                tasks.create_task(self.delivery.keep(stop))
                while not is_enough():  # noqa: ASYNC110  # it looks at files and counters
                    await asyncio.sleep(0)
                stop.set()
                self.delivery.wake()

        asyncio.run(whole())

    @property
    def arrived(self) -> list[Message]:
        return [one for part in self.cluster.topics.get(TOPIC, []) for one in part]

    def numbers(self, stream_id: str = "lobby") -> list[int]:
        return [number_in(one.value) for one in self.arrived if one.key == stream_id.encode()]

    def close(self) -> None:
        self.log.close()
        self.outbox.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "events.db")
    yield made
    made.close()


def firsts(numbers: Sequence[int]) -> list[int]:
    """Leave out what came before."""
    return list(dict.fromkeys(numbers))


def test_what_the_log_holds_arrives_in_order_and_the_place_moves_on(stage: Stage) -> None:
    stage.append(*range(2 * WINDOW + 1))

    stage.deliver()

    assert stage.numbers() == list(range(2 * WINDOW + 1))
    assert stage.outbox.position(TOPIC).next_offset == 2 * WINDOW + 2
    assert stage.counts.records[Outcome.ACKNOWLEDGED] == 2 * WINDOW + 1
    assert stage.delivery.problem is None
    assert not stage.broker.is_open


def test_what_comes_later_follows(stage: Stage) -> None:
    stage.append(1)
    stage.deliver()

    stage.append(2)
    stage.deliver()

    assert stage.numbers() == [1, 2]


def test_a_broker_that_is_away_is_tried_until_it_comes(stage: Stage) -> None:
    stage.append(1)
    stage.broker.script = ["before"] * 5

    stage.deliver()

    assert stage.numbers() == [1]
    assert stage.counts.failures == {"broker_unavailable": 5}


@pytest.mark.parametrize("window", [3, WINDOW])
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    script=st.lists(st.sampled_from(["ok", "before", "after", "half"]), max_size=12),
    flags=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["P0", "P1"])), min_size=1, max_size=30
    ),
)
def test_whatever_fails_every_event_arrives_and_first_in_the_order_of_its_stream(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    script: list[str],
    flags: list[tuple[str, str]],
) -> None:
    monkeypatch.setattr(delivery, "WINDOW", window)
    stage = Stage(tmp_path_factory.mktemp("log") / "events.db", script)
    for number, (stream_id, severity) in enumerate(flags):
        stage.append(number, stream_id=stream_id, severity=severity)

    stage.deliver()
    tally = stage.outbox.tally(TOPIC)
    stage.close()

    streams = [stream_id for stream_id, _ in flags]
    assert tally == Tally(len(flags), len(flags), 0, 0)

    for stream_id in set(streams):
        of_stream = [number for number, name in enumerate(streams) if name == stream_id]
        assert firsts(stage.numbers(stream_id)) == of_stream


def numbers_in_order(stage: Stage) -> list[int]:
    """Give what arrived, whatever its stream, in the order of its arrival."""
    return [number_in(message.value) for message in stage.broker.sent]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few records be a backlog."""
    monkeypatch.setattr(delivery, "WINDOW", 4)


@pytest.mark.usefixtures("narrow")
def test_an_urgent_flag_overtakes_the_backlog_of_other_streams_and_nothing_of_its_own(
    stage: Stage,
) -> None:
    stage.append(*range(10), stream_id="busy")
    stage.append(10, stream_id="other")
    stage.append(11, stream_id="other", severity="P0")
    stage.append(12, stream_id="other")

    stage.deliver()

    assert numbers_in_order(stage) == [10, 11, *range(10), 12]
    assert stage.outbox.tally(TOPIC) == Tally(13, 13, 0, 0)


@pytest.mark.usefixtures("narrow")
def test_an_urgent_flag_that_comes_while_a_backlog_is_sent_goes_next_even_before_late_ones(
    stage: Stage,
) -> None:
    stage.append(*range(8), stream_id="busy")
    stage.append(*range(8, 20), stream_id="late", severity="P0")

    def append_once() -> bool:
        if stage.arrived and not stage.numbers("new"):
            stage.append(20, stream_id="new", severity="P0")
        return not stage.outbox.backlog(TOPIC)

    stage.deliver(append_once)

    order = numbers_in_order(stage)
    assert order.index(20) <= 8
    assert sorted(set(order)) == list(range(21))


@pytest.mark.usefixtures("narrow")
def test_a_window_that_is_refused_among_urgent_ones_is_tried_one_by_one(stage: Stage) -> None:
    stage.cluster.max_bytes = SMALL_BYTES
    stage.append(*range(5), stream_id="busy")
    stage.append(5, 6, stream_id="other", severity="P0")
    stage.append(7, stream_id="other", severity="P0", n_signals=8)

    stage.deliver()

    assert firsts(numbers_in_order(stage))[:3] == [5, 6, 7]
    assert stage.outbox.tally(TOPIC) == Tally(8, 7, 0, 1)
    assert stage.counts.records == {Outcome.ACKNOWLEDGED: 7, Outcome.REDUCED: 1}


@pytest.mark.usefixtures("narrow")
def test_what_was_sent_ahead_is_not_sent_again_after_a_start(stage: Stage) -> None:
    stage.append(*range(6), stream_id="busy")
    stage.append(6, stream_id="other", severity="P0")
    stage.broker.script = ["ok", "ok", "ok", *["before"] * 99]
    stage.deliver(lambda: stage.counts.failures.total() > 0)
    assert numbers_in_order(stage) == [6]
    stage.broker.script = []
    stage.delivery = stage.another()

    stage.deliver()

    assert numbers_in_order(stage) == [6, *range(6)]


@pytest.mark.usefixtures("narrow")
def test_what_was_sent_ahead_and_forgotten_is_sent_again_as_well(stage: Stage) -> None:
    stage.append(*range(6), stream_id="busy")
    stage.append(6, stream_id="other", severity="P0")
    stage.broker.script = ["ok", "ok", "ok", *["before"] * 9]
    stage.deliver(lambda: stage.counts.failures.total() > 0)
    stage.cluster.topics.clear()
    stage.broker.script = []

    stage.deliver()

    assert firsts(numbers_in_order(stage)) == [6, *range(6)]
    assert sorted(number_in(one.value) for one in stage.arrived) == list(range(7))
    assert stage.counts.records == {Outcome.ACKNOWLEDGED: 7, Outcome.REDELIVERED: 1}
    assert stage.outbox.tally(TOPIC) == Tally(7, 7, 0, 0)


def test_what_is_older_than_the_connection_says_that_it_is_replayed(stage: Stage) -> None:
    stage.append(1)

    def append_once() -> bool:
        if stage.arrived and stage.outbox.tally(TOPIC).committed == 1:
            stage.append(2)
        return len(stage.arrived) == 2

    stage.deliver(append_once)

    said = {number_in(one.value): dict(one.headers).get(REPLAYED) for one in stage.arrived}
    assert said == {1: b"1", 2: None}


def test_what_is_sent_again_one_by_one_says_that_it_is_replayed(stage: Stage) -> None:
    stage.cluster.max_bytes = SMALL_BYTES

    def append_once() -> bool:
        if stage.delivery.problem is None and not stage.outbox.tally(TOPIC).committed:
            stage.log.append([opened(1), opened(2, n_signals=8)])
        return len(stage.outbox.dead()) == 1 and not stage.outbox.backlog(TOPIC)

    stage.deliver(append_once)

    assert [dict(one.headers).get(REPLAYED) for one in stage.arrived][-2:] == [b"1", b"1"]


def test_after_a_start_only_what_was_not_acknowledged_is_sent(stage: Stage) -> None:
    stage.append(1, 2)
    stage.deliver()
    stage.append(3)
    stage.delivery = stage.another()

    stage.deliver()

    assert stage.numbers() == [1, 2, 3]


def test_a_topic_that_is_not_there_is_made(stage: Stage) -> None:
    stage.append(1)

    with capture_logs() as said:
        stage.deliver()

    assert [line["event"] for line in said] == ["topic_made", "delivery_runs"]


def test_a_broker_that_forgot_its_topic_gets_all_that_the_log_holds_again(stage: Stage) -> None:
    stage.append(1, 2)
    stage.deliver()
    stage.cluster.topics.clear()
    stage.append(3)

    with capture_logs() as said:
        stage.deliver(lambda: not stage.outbox.backlog(TOPIC) and stage.delivery.problem is None)

    assert stage.numbers() == [1, 2, 3]
    assert stage.counts.records == {Outcome.ACKNOWLEDGED: 3, Outcome.REDELIVERED: 2}
    assert [line["n_sent_again"] for line in said if line["event"] == "topic_forgotten"] == [3]


@pytest.mark.parametrize("word", ["before", "after"])
@pytest.mark.parametrize("n_done", range(3))
def test_a_delivery_that_ends_while_a_topic_is_made_anew_leaves_the_order_to_the_next_one(
    stage: Stage, n_done: int, word: str
) -> None:
    stage.append(1, 2)
    stage.deliver()
    stage.cluster.topics.clear()
    stage.append(3)
    stage.broker.script = [*["ok"] * n_done, word, *["before"] * 99]
    stage.deliver(lambda: stage.counts.failures.total() > 0)
    stage.broker.script = []
    stage.delivery = stage.another()

    stage.deliver(lambda: len(stage.arrived) > 2 and not stage.outbox.backlog(TOPIC))

    assert firsts(stage.numbers()) == [1, 2, 3]
    assert stage.outbox.tally(TOPIC) == Tally(3, 3, 0, 0)


def test_a_topic_that_somebody_else_made_anew_gets_all_again_as_well(stage: Stage) -> None:
    """The broker's own offsets tell: they went back."""
    stage.append(1, 2)
    stage.deliver()
    stage.cluster.topics[TOPIC] = [[], [], []]
    stage.append(3)

    stage.deliver(lambda: len(stage.arrived) > 3 and not stage.outbox.backlog(TOPIC))

    assert sorted(set(stage.numbers())) == [1, 2, 3]
    assert firsts(stage.numbers()[1:]) == [1, 2, 3]
    assert stage.counts.failures == {"broker_forgot": 1}


def test_an_idle_topic_that_is_forgotten_is_filled_again_without_news(stage: Stage) -> None:
    stage.append(1)

    stage.deliver()
    n_sent = len(stage.arrived)

    def forget() -> bool:
        if stage.broker.is_open and stage.clock.now_s < PROBE_S:
            stage.cluster.topics.clear()
            stage.clock.advance(PROBE_S)
            stage.delivery.wake()
        return stage.clock.now_s >= PROBE_S and len(stage.arrived) == n_sent

    stage.deliver(forget)

    assert stage.numbers() == [1]


def test_a_record_that_is_too_large_is_kept_aside_and_reduced_for_the_broker(stage: Stage) -> None:
    stage.cluster.max_bytes = SMALL_BYTES
    stage.append(1)
    stage.append(2, n_signals=8)
    stage.append(3)

    with capture_logs() as said:
        stage.deliver()

    assert firsts(stage.numbers()) == [1, 2, 3]
    [rest] = [one for one in stage.arrived if number_in(one.value) == 2]
    assert len(json.loads(rest.value)["signals"]) == 1
    assert dict(rest.headers)[REDUCED] == b"refused"
    [(event_id, problem, body)] = stage.outbox.dead()
    assert dict(rest.headers)["ce_id"].decode() == event_id
    assert problem == "too large"
    assert len(json.loads(body)["data"]["signals"]) == 8
    assert stage.counts.records[Outcome.REDUCED] == 1
    assert [line["log_level"] for line in said if line["event"] == "record_refused"] == ["error"]


def test_a_flag_that_is_too_large_even_reduced_arrives_as_a_stub(stage: Stage) -> None:
    event = opened(1, n_signals=2)
    artifact = {"uri": f"file:///{'e' * 900}", "sha256": "0" * 64, "size_bytes": 1}
    body = json.loads(event.to_json())
    body["data"]["evidence"] = {"state": "ready", "clip": artifact}
    stage.log.append([Event.model_validate(body)])
    stage.cluster.max_bytes = SMALL_BYTES

    stage.deliver()

    [stub] = stage.arrived
    assert json.loads(stub.value)["evidence"] == {"state": "unavailable"}
    assert stage.counts.records == {Outcome.REDUCED: 1}
    assert stage.outbox.tally(TOPIC) == Tally(1, 0, 0, 1)


def test_a_record_that_is_too_large_even_reduced_stands_in_nobodys_way(stage: Stage) -> None:
    stage.append(1)
    stage.append(2, n_signals=8)
    stage.append(3)
    stage.cluster.max_bytes = 100

    stage.deliver()

    assert len(stage.outbox.dead()) == 3
    assert stage.counts.records == {Outcome.DEAD: 3}
    assert stage.delivery.problem is None


def test_rights_that_are_withdrawn_are_an_error_once_and_nothing_is_lost(stage: Stage) -> None:
    stage.append(1)
    stage.broker.error = BrokerDenied("no right")
    stage.broker.script = ["ok", "ok", *["before", "ok"] * 4]

    with capture_logs() as said:
        stage.deliver()

    assert stage.numbers() == [1]
    assert stage.counts.failures == {"broker_denied": 4}
    stalled = [line for line in said if line["event"] == "delivery_stalled"]
    assert [(line["log_level"], line["reason"]) for line in stalled] == [("error", "broker_denied")]


def test_trouble_that_lasts_is_said_again_after_a_minute(stage: Stage) -> None:
    stage.append(1)
    stage.broker.script = ["before"] * 6

    def tick() -> bool:
        stage.clock.now_s = SAY_AGAIN_S if stage.counts.failures.total() > 2 else 0.0
        return not stage.outbox.backlog(TOPIC)

    with capture_logs() as said:
        stage.deliver(tick)

    assert [line["event"] for line in said].count("delivery_stalled") == 2


def test_a_bug_is_logged_with_its_traceback_and_delivery_goes_on(stage: Stage) -> None:
    stage.append(1)
    stage.broker.error = ZeroDivisionError("a bug")
    stage.broker.script = ["before"]

    with capture_logs() as said:
        stage.deliver()

    assert stage.numbers() == [1]
    [failed] = [line for line in said if line["event"] == "delivery_failed"]
    assert isinstance(failed["exc_info"], ZeroDivisionError)
    assert stage.counts.failures == {"internal": 1}


def test_a_stop_sends_what_is_left(stage: Stage) -> None:
    stage.append(*range(5))

    stage.deliver(until=lambda: True)

    assert stage.numbers() == list(range(5))


def test_a_stop_does_not_wait_for_a_broker_that_is_away(stage: Stage) -> None:
    stage.append(1)
    stage.cluster.is_down = True

    stage.deliver(until=lambda: stage.counts.failures.total() > 2)

    assert stage.outbox.backlog(TOPIC) == 1
    assert stage.delivery.problem == "down"


def test_a_flag_is_timed_from_its_ingest_to_its_acknowledgement(stage: Stage) -> None:
    stage.clock.advance(0.25)
    stage.log.append([opened(1, time_s=EPOCH_S)])

    stage.deliver()

    assert stage.counts.flags_s == [pytest.approx(0.25)]


def test_a_flag_out_of_the_past_is_not_timed(stage: Stage) -> None:
    event = opened(1, time_s=EPOCH_S)
    past = event.data.model_copy(update={"is_rescreened": True})
    stage.log.append([event.model_copy(update={"data": past})])

    stage.deliver()

    assert stage.numbers() == [1]
    assert stage.counts.flags_s == []


def test_a_flag_that_is_sent_again_is_not_timed_again(stage: Stage) -> None:
    stage.append(1)
    stage.deliver()
    stage.cluster.topics.clear()

    stage.deliver(lambda: bool(stage.cluster.topics) and not stage.outbox.backlog(TOPIC))

    assert len(stage.counts.flags_s) == 1
