import http.client
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from streamguard.demo.broadcast import (
    MAX_QUEUED_CHUNKS,
    Broadcast,
    BroadcastServer,
    Chunk,
    Client,
    Keyframe,
)

KEY = Chunk(b"key", Keyframe(pts_ms=1000, scene="meadow", disguise="none"))
DELTA = Chunk(b"delta", None)


def taken(client: Client) -> list[bytes]:
    """Read an ended client's queue to its end."""
    chunks = []
    while (chunk := client.take()) is not None:
        chunks.append(chunk.payload)
    return chunks


@pytest.fixture
def sent() -> list[tuple[int, int]]:
    """PTS and client of each stamp, in order."""
    return []


@pytest.fixture
def server(sent: list[tuple[int, int]]) -> Iterator[BroadcastServer]:
    def stamp(keyframe: Keyframe, client: int, sent_at_s: float) -> None:
        sent.append((keyframe.pts_ms, client))

    with BroadcastServer(0, Broadcast(), stamp) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_client_begins_at_a_keyframe() -> None:
    broadcast = Broadcast()
    client = broadcast.join()

    for chunk in (DELTA, KEY, DELTA):
        broadcast.publish(chunk)
    broadcast.end(0.0)

    assert taken(client) == [b"key", b"delta"]


def test_client_that_joins_late_begins_at_the_next_keyframe() -> None:
    broadcast = Broadcast()
    early = broadcast.join()
    for chunk in (KEY, DELTA):
        broadcast.publish(chunk)
    late = broadcast.join()

    for chunk in (DELTA, KEY):
        broadcast.publish(chunk)
    broadcast.end(0.0)

    assert taken(early) == [b"key", b"delta", b"delta", b"key"]
    assert taken(late) == [b"key"]


def test_client_may_be_as_far_behind_as_its_queue_is_long() -> None:
    broadcast = Broadcast()
    client = broadcast.join()

    for _ in range(MAX_QUEUED_CHUNKS):
        broadcast.publish(KEY)
    broadcast.end(0.0)

    assert len(taken(client)) == MAX_QUEUED_CHUNKS


def test_client_one_chunk_further_behind_is_dropped_and_others_are_not() -> None:
    broadcast = Broadcast()
    slow, quick = broadcast.join(), broadcast.join()
    received = []

    for _ in range(MAX_QUEUED_CHUNKS + 1):
        broadcast.publish(KEY)
        received.append(quick.take())

    assert received == [KEY] * (MAX_QUEUED_CHUNKS + 1)
    assert slow.take() is None


def test_client_that_joins_after_the_end_hears_nothing() -> None:
    broadcast = Broadcast()

    broadcast.end(0.0)

    assert broadcast.join().take() is None


def test_served_stream_is_what_was_published_and_its_keyframes_are_stamped(
    server: BroadcastServer, sent: list[tuple[int, int]]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/live.ts")
    response = connection.getresponse()  # the server joins a client before it answers

    for chunk in (KEY, DELTA):
        server.broadcast.publish(chunk)
    server.broadcast.end(5.0)

    assert response.status == 200
    assert response.getheader("Content-Type") == "video/mp2t"
    assert response.read() == b"keydelta"
    assert sent == [(1000, 1)]
    connection.close()


def test_other_paths_are_not_found(server: BroadcastServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    connection.request("GET", "/")

    assert connection.getresponse().status == 404
    connection.close()


def test_client_that_goes_away_is_forgotten_in_silence(
    server: BroadcastServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset

    for _ in range(20):
        server.broadcast.publish(Chunk(bytes(100_000), KEY.keyframe))
    server.broadcast.end(5.0)

    assert server.broadcast._clients == set()
    assert capfd.readouterr().err == ""


def test_client_that_reads_nothing_delays_the_end_by_no_more_than_the_timeout(
    server: BroadcastServer,
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /live.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(1)
        server.broadcast.publish(Chunk(bytes(20_000_000), KEY.keyframe))

        server.broadcast.end(0.1)

        assert len(server.broadcast._clients) == 1


def test_port_in_use_is_an_error(server: BroadcastServer) -> None:
    with pytest.raises(OSError, match="in use"):
        BroadcastServer(server.port, Broadcast(), server.on_sent)
