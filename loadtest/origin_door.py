"""Lets listeners in to the origin: reads their requests, and hands their sockets on.

Rule: it waits for slow requests in a thread of its own, so that sending never does.
"""

import re
import socket
import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Self

REQUEST_S = 2.0
MAX_REQUEST_BYTES = 4096
_REQUEST = re.compile(rb"GET /(\d{4,5})\.ts[ ?]")
_WELCOME = (
    b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)
_REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asked for a stream, by its number; came_s: CLOCK_MONOTONIC of the connection."""

    connection: socket.socket
    number: int
    came_s: float

    def welcome(self) -> socket.socket:
        """Say that the stream comes; give the socket, which never blocks from here on."""
        self.connection.sendall(_WELCOME)
        self.connection.settimeout(0)
        return self.connection

    def refuse(self) -> None:
        """Say that there is no such stream."""
        self.connection.sendall(_REFUSAL)
        self.connection.close()


class Door:
    """A listening socket on loopback and its thread; a context manager."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = int(self._listening.getsockname()[1])
        self.visitors: SimpleQueue[Visitor] = SimpleQueue()
        """Those whose request was read."""
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            try:
                self._read_request(connection)
            except OSError:
                connection.close()

    def _read_request(self, connection: socket.socket) -> None:
        came_s = time.monotonic()
        connection.settimeout(REQUEST_S)
        request = b""
        while b"\r\n\r\n" not in request and len(request) < MAX_REQUEST_BYTES:
            more = connection.recv(MAX_REQUEST_BYTES)
            if not more:
                break
            request += more
        found = _REQUEST.match(request)
        visitor = Visitor(connection, int(found[1]) if found else -1, came_s)
        if found is None:
            visitor.refuse()
        else:
            self.visitors.put(visitor)
