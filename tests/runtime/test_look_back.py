"""What comes into a bank while a stream is live, found in what the stream has shown."""

import asyncio
import threading
from collections.abc import Callable

from streamguard.core.bank import Bank
from streamguard.core.bank_editor import edit_bank, empty_bank
from streamguard.core.banks import Banks
from streamguard.core.event_data import FlagData
from streamguard.core.events import EventType
from streamguard.core.types import Limits, Packet
from streamguard.runtime.parts import Parts, Stream
from streamguard.runtime.screen import StreamScreen
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once
from tests.core_fakes import entry
from tests.runtime.fakes import FakeSource, FakeStore, packet, wait_for
from tests.runtime.stage import Stage, shown_hash

SECOND_US = 1_000_000
NOW_S = 1_000.0
EMPTY = empty_bank("known")


def with_film(bank: Bank, limits: Limits | None = None) -> Banks:
    """Give the bank after what every frame shows has come into it."""
    return Banks((edit_bank(bank, add=[entry("film", {0: shown_hash()}, limits=limits)]),))


class Live:
    """A stream of four keyframes, 2 s apart, that then says nothing until it is let go."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.go_on = threading.Event()
        self.given = [packet(n * 2 * SECOND_US, read_at_s=NOW_S) for n in range(5)]

    def stream(self, stream_id: str = "lobby") -> Stream:
        source = FakeSource(self.given, on_read=self._read)
        return self.stage.stream(lambda _: source, stream_id=stream_id)

    def _read(self, each: Packet) -> None:
        if each is self.given[-1]:
            wait_for(self.go_on)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0)

    def n_judged(self) -> float:
        return self.stage.value("samples_total", outcome="judged")


def run_with(stage: Stage, change: Callable[[], None], *, until: Callable[[], bool]) -> None:
    """Screen the stream; change the banks after four samples, and go on when something is so."""
    live = Live(stage)
    stream = live.stream()

    async def test(parts: Parts, stop: Stop) -> None:
        async with asyncio.TaskGroup() as tasks:
            screening = tasks.create_task(screen_once(stream, parts, stop))
            await live.until(lambda: live.n_judged() == 4)
            change()
            await live.until(until)
            live.go_on.set()
            assert await screening is None

    stage.run(test)


def test_a_new_entry_flags_what_was_shown_while_the_stream_says_nothing() -> None:
    stage = Stage(banks=Banks((EMPTY,)))

    def change() -> None:
        stage.banks = with_film(EMPTY)

    run_with(stage, change, until=lambda: "flag.closed" in stage.kinds)

    [past, live] = stage.told(EventType.FLAG_OPENED)
    assert isinstance(past, FlagData)
    assert (past.is_rescreened, live.is_rescreened) == (True, None)
    assert (past.window.start_pts_ms, past.window.end_pts_ms) == (0, 6_000)
    assert past.window.n_samples == 4
    assert live.window.start_pts_ms == 8_000
    assert past.evidence.state == "off"
    assert stage.kinds[-1] == "stream.ended"


def test_evidence_of_the_past_is_made_of_the_packets_that_are_held() -> None:
    store = FakeStore()
    stage = Stage(banks=Banks((EMPTY,)), store=store)

    def change() -> None:
        stage.banks = with_film(EMPTY)

    run_with(stage, change, until=lambda: "flag.updated" in stage.kinds)

    [first, *_] = stage.told(EventType.FLAG_UPDATED)
    assert (first.evidence.state, first.evidence.is_growing) == ("ready", True)
    (_, still_us, _) = store.stills[0]
    assert still_us == 0
    assert [each.pts_us for each in store.clips[0].packets[:4]] == [
        number * 2 * SECOND_US for number in range(4)
    ]


def test_latencies_of_the_past_are_not_those_of_the_live_path() -> None:
    stage = Stage(banks=Banks((EMPTY,)))

    def change() -> None:
        stage.banks = with_film(EMPTY)
        stage.clock.advance(500.0)

    run_with(stage, change, until=lambda: "flag.closed" in stage.kinds)

    past = stage.told(EventType.FLAG_OPENED)[0]
    assert past.latency_ms.ingest_to_decision == 500_000.0
    assert stage.value("ingest_to_flag_seconds_bucket", le="0.25") == 1


def test_a_new_entry_in_shadow_is_counted_in_the_past() -> None:
    stage = Stage(banks=Banks((EMPTY,)))

    def change() -> None:
        stage.banks = with_film(EMPTY, Limits(is_shadow=True))

    run_with(stage, change, until=lambda: stage.value("shadow_matches_total") == 1)

    assert "flag.opened" not in stage.kinds


def test_two_streams_look_for_the_same_entry() -> None:
    stage = Stage(banks=Banks((EMPTY,)))
    pair = [Live(stage), Live(stage)]
    streams = [live.stream(str(n)) for n, live in enumerate(pair)]

    async def test(parts: Parts, stop: Stop) -> None:
        async with asyncio.TaskGroup() as tasks:
            for stream in streams:
                tasks.create_task(screen_once(stream, parts, stop))
            await pair[0].until(lambda: pair[0].n_judged() == 8)
            stage.banks = with_film(EMPTY)
            await pair[0].until(lambda: stage.kinds.count("flag.closed") == 2)
            for live in pair:
                live.go_on.set()

    stage.run(test)

    past = [each for each in stage.told(EventType.FLAG_OPENED) if each.is_rescreened]
    assert sorted(each.stream.stream_id for each in past) == ["0", "1"]


def test_a_session_that_ends_finishes_its_look_first() -> None:
    """The entry comes just as the stream ends: the flag is told of before the account."""
    stage = Stage(banks=Banks((EMPTY,)))
    live = Live(stage)
    stream = live.stream()

    async def test(parts: Parts, stop: Stop) -> None:
        async with asyncio.TaskGroup() as tasks:
            screen = StreamScreen(stream, parts, tasks)
            connecting = tasks.create_task(screen.connect(stop))
            await live.until(lambda: live.n_judged() == 4)
            stage.banks = with_film(EMPTY)
            live.go_on.set()
            await connecting
            await screen.finish("ended")

    stage.run(test)

    assert "flag.opened" in stage.kinds
    assert stage.kinds[-1] == "stream.ended"
    assert stage.kinds.count("flag.opened") == stage.kinds.count("flag.closed")
