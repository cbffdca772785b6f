"""One live stream to many HTTP clients on this machine; owns the clients and their queues.

Rule: publishing never waits. A client that falls behind is dropped; nobody else notices.
"""

import contextlib
import itertools
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

STREAM_PATH = "/live.ts"

MAX_QUEUED_CHUNKS = 150
"""Chunks a client may be behind, 5 s of video, before it is dropped."""

_SEND_TIMEOUT_S = 5.0
"""How long one chunk may take to be accepted by a client's socket, seconds."""

_SEND_BUFFER_BYTES = 65_536
"""Kernel's buffer for a client: little, so that what was handed over is nearly delivered."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """What the origin stamps: a keyframe and what it shows.

    pts_ms: presentation time as readers of the stream see it, milliseconds rounded down.
    """

    pts_ms: int
    scene: str
    disguise: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """One encoded picture in whole MPEG-TS packets; before a keyframe come the stream's tables."""

    payload: bytes
    keyframe: Keyframe | None


class Client:
    """The queue between the channel and one reader, which joins at a keyframe."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._chunks: deque[Chunk] = deque()
        self._changed = threading.Condition()
        self._has_begun = False
        self._has_ended = False

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk without waiting; False when the client is too far behind to go on."""
        with self._changed:
            self._has_begun = self._has_begun or chunk.keyframe is not None
            if not self._has_begun:
                return True
            if len(self._chunks) >= MAX_QUEUED_CHUNKS:
                self._chunks.clear()
                return False
            self._chunks.append(chunk)
            self._changed.notify()
            return True

    def end(self) -> None:
        """Let the reader finish what is queued, and then stop."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def take(self) -> Chunk | None:
        """Wait for the next chunk; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._has_ended)
            return self._chunks.popleft() if self._chunks else None


class Broadcast:
    """The clients of one live stream."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._has_ended = False

    @property
    def is_heard(self) -> bool:
        """Say whether anybody listens."""
        return bool(self._clients)

    def join(self) -> Client:
        """Add a client; it hears from the next keyframe on."""
        with self._changed:
            client = Client(next(self._numbers))
            self._clients.add(client)
            if self._has_ended:
                client.end()
            return client

    def leave(self, client: Client) -> None:
        """Forget a client, whether it is still there or was dropped before."""
        with self._changed:
            self._clients.discard(client)
            self._changed.notify_all()

    def publish(self, chunk: Chunk) -> None:
        """Offer a chunk to every client and drop those that are too far behind."""
        with self._changed:
            late = [client for client in self._clients if not client.offer(chunk)]
        for client in late:
            client.end()
            self.leave(client)

    def end(self, timeout_s: float) -> None:
        """Let every client finish what is queued, but for no longer than the timeout."""
        with self._changed:
            self._has_ended = True
            for client in self._clients:
                client.end()
            self._changed.wait_for(lambda: not self._clients, timeout_s)


OnSent = Callable[[Keyframe, int, float], None]
"""Called with a keyframe, the client's number and the monotonic second its last byte was sent."""


class BroadcastServer(socketserver.ThreadingTCPServer):
    """Serves a broadcast at /live.ts on the loopback interface, one thread a client.

    Raises:
        OSError: the port is in use.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, broadcast: Broadcast, on_sent: OnSent) -> None:
        self.broadcast = broadcast
        self.on_sent = on_sent
        super().__init__(("127.0.0.1", port), _Handler)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    @property
    def port(self) -> int:
        """The port it listens on, also when it was asked to choose one."""
        return int(self.socket.getsockname()[1])


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection: the stream until it ends or the client does."""

    server: BroadcastServer
    protocol_version = "HTTP/1.1"  # chunked: only so can a reader tell the end from a breakdown
    timeout = _SEND_TIMEOUT_S
    disable_nagle_algorithm = True  # a chunk must not wait for the acknowledgement of the last

    def do_GET(self) -> None:
        """Send the stream from the next keyframe on."""
        if self.path != STREAM_PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        client = self.server.broadcast.join()
        try:
            with contextlib.suppress(OSError):  # a client that went away or reads nothing
                self._stream_to(client)
        finally:
            self.server.broadcast.leave(client)

    def _stream_to(self, client: Client) -> None:
        """Send chunks as they come; stamp each keyframe when its last byte is handed over."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        while (chunk := client.take()) is not None:
            self.wfile.write(b"%X\r\n%b\r\n" % (len(chunk.payload), chunk.payload))
            if chunk.keyframe is not None:
                self.server.on_sent(chunk.keyframe, client.number, time.monotonic())
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing: stdout belongs to the stamps."""
