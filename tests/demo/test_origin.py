import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import av
import pytest

from streamguard.demo.live_encoder import pts_ms
from streamguard.demo.scenes import FPS

pytestmark = pytest.mark.integration

SECONDS = 8
DEADLINE_S = 60.0
STALLED, PUNCTUAL, LATE = 1, 2, 3  # clients, numbered in the order in which they joined
READ_OPTIONS = {"analyzeduration": "0", "probesize": "32768"}

Event = dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    pts_ms: int
    is_keyframe: bool
    read_at_s: float


@dataclass(frozen=True)
class OnAir:
    """What came of one programme: the origin's events and what two readers got."""

    events: list[Event]
    punctual: list[Arrival]
    late: list[Arrival]
    exit_code: int

    def stamps(self, client: int) -> list[Event]:
        return [e for e in self.events if e["event"] == "keyframe" and e["client"] == client]


class Origin:
    """The real process, its events in a queue."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "streamguard.demo.origin", "--json", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.events.put(json.loads(line))

    def wait_for(self, **fields: object) -> list[Event]:
        """Wait for an event with these fields; give it and all before it."""
        seen = []
        while True:
            seen.append(self.events.get(timeout=DEADLINE_S))
            if fields.items() <= seen[-1].items():
                return seen

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def read_all(port: int) -> list[Arrival]:
    """Read the stream to its end with PyAV, as it comes."""
    url = f"http://127.0.0.1:{port}/live.ts"
    with av.open(url, format="mpegts", options=READ_OPTIONS, timeout=(5, 5)) as container:
        return [
            Arrival(int(p.pts * p.time_base * 1000), p.is_keyframe, time.monotonic())
            for p in container.demux(video=0)
            if p.pts is not None
        ]


def connect_and_read_nothing(port: int) -> socket.socket:
    """Ask for the stream, wait for the first byte of the answer, and read no more."""
    client = socket.socket()
    client.settimeout(5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(1)
    return client


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin("--seconds", "60")
    yield origin
    origin.close()


@pytest.fixture(scope="module")
def on_air() -> Iterator[OnAir]:
    """Put eight seconds on air before a stalled client, a punctual reader and a late one."""
    origin = Origin("--seconds", str(SECONDS))
    try:
        events = origin.wait_for(event="listening")
        port = events[0]["port"]
        with connect_and_read_nothing(port), ThreadPoolExecutor() as pool:
            punctual = pool.submit(read_all, port)
            events += origin.wait_for(client=PUNCTUAL, scene="known")
            late = pool.submit(read_all, port)
            events += origin.wait_for(event="ended")
            exit_code = origin.process.wait(DEADLINE_S)
            yield OnAir(events, punctual.result(), late.result(), exit_code)
    finally:
        origin.close()


def test_reader_gets_every_frame(on_air: OnAir) -> None:
    shown_ms = sorted(arrival.pts_ms for arrival in on_air.punctual)

    assert shown_ms == [pts_ms(index) for index in range(SECONDS * FPS)]


def test_each_keyframe_is_stamped_with_the_pts_that_a_reader_sees(on_air: OnAir) -> None:
    stamped_ms = [stamp["pts_ms"] for stamp in on_air.stamps(PUNCTUAL)]

    assert stamped_ms == [a.pts_ms for a in on_air.punctual if a.is_keyframe]
    assert stamped_ms == [1000, 3000, 5000, 7000]


def test_stamps_say_what_is_on_air_and_the_known_scene_begins_with_a_keyframe(
    on_air: OnAir,
) -> None:
    shown = [(stamp["scene"], stamp["disguise"]) for stamp in on_air.stamps(PUNCTUAL)]

    assert shown == [
        ("meadow", "none"),
        ("known", "letterbox"),
        ("known", "letterbox"),
        ("coast", "none"),
    ]


def test_stamps_are_on_the_clock_of_all_processes(on_air: OnAir) -> None:
    arrived_s = {arrival.pts_ms: arrival.read_at_s for arrival in on_air.punctual}

    for stamp in on_air.stamps(PUNCTUAL)[1:]:  # the first waits until the reader has probed
        delay_s = arrived_s[stamp["pts_ms"]] - stamp["sent_at_s"]
        assert -1.0 < delay_s < 15.0


def test_programme_runs_in_real_time(on_air: OnAir) -> None:
    """It is never ahead of its time; how far a busy machine is behind is that machine's."""
    stamps = on_air.stamps(PUNCTUAL)

    for now, then in pairwise(stamps):
        media_s = (then["pts_ms"] - now["pts_ms"]) / 1000
        assert media_s - 1.0 < then["sent_at_s"] - now["sent_at_s"] < media_s + 15.0


def test_client_that_reads_nothing_stalls_while_the_others_go_on(on_air: OnAir) -> None:
    assert len(on_air.stamps(STALLED)) < len(on_air.stamps(PUNCTUAL))


def test_late_client_begins_at_the_next_keyframe_and_misses_nothing_after(on_air: OnAir) -> None:
    shown_ms = sorted(arrival.pts_ms for arrival in on_air.late)

    assert on_air.late[0].is_keyframe
    assert on_air.late[0].pts_ms == on_air.stamps(LATE)[0]["pts_ms"] > 1000
    assert shown_ms == [a for a in map(pts_ms, range(SECONDS * FPS)) if a >= shown_ms[0]]


def test_origin_ends_by_itself(on_air: OnAir) -> None:
    assert on_air.events[-1] == {"event": "ended"}
    assert on_air.exit_code == 0


def test_origin_ends_when_its_parent_lets_go_of_its_stdin(origin: Origin) -> None:
    origin.wait_for(event="listening")

    assert origin.process.stdin is not None
    origin.process.stdin.close()

    assert origin.process.wait(DEADLINE_S) == 0
    origin.wait_for(event="ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_origin_ends_at_a_signal(origin: Origin, number: signal.Signals) -> None:
    origin.wait_for(event="listening")

    origin.process.send_signal(number)

    assert origin.process.wait(DEADLINE_S) == 0
    origin.wait_for(event="ended")


def test_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "streamguard.demo.origin", "--port", str(port)]

        ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f"origin: cannot listen on port {port}: Address already in use"
    ]


def test_events_are_readable_without_json() -> None:
    command = [sys.executable, "-m", "streamguard.demo.origin", "--seconds", "0.1"]

    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )

    assert ended.stdout.startswith("event=listening  port=")
    assert ended.stdout.endswith("event=ended\n")
