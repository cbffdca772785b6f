"""A server in this process that sends a hostile case, by HTTP, RTMP or RTSP, one client at a time.

Rule: it never waits for a client for longer than TIMEOUT_S, and forgets each one wholly.
"""

import socket
import threading
from contextlib import suppress

from loadtest.hostile_clips import HEAD, PACKETS, SDP, Case
from loadtest.rtmp_wire import CLIENT_HELLO_BYTES, hello, preamble
from loadtest.rtsp_wire import play

HOST = "127.0.0.1"
TIMEOUT_S = 1.0
_READ_BYTES = 65_536


class HostileServer:
    """Sends the pages of `case`, whichever it is; lives as long as its process."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._serve, name="hostile-server", daemon=True).start()

    def url(self, case: Case) -> str:
        """Say where a case is to be had."""
        self.case = case
        scheme = case.kind if case.kind in {"rtmp", "rtsp"} else "http"
        folder = "app/" if case.kind == "rtmp" else ""
        return f"{scheme}://{HOST}:{self._listener.getsockname()[1]}/{folder}{case.first}"

    def settle(self) -> None:
        """Wait until the last client is forgotten."""
        self._idle.wait(2 * TIMEOUT_S)

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._idle.clear()
            client.settimeout(TIMEOUT_S)
            with client, suppress(OSError):
                self._answer(client)
            self._idle.set()

    def _answer(self, client: socket.socket) -> None:
        case = self.case
        if case is None:
            return
        if case.kind == "rtmp":
            _receive(client, CLIENT_HELLO_BYTES)
            client.sendall(hello() + preamble() + case.pages[case.first])
        elif case.kind == "rtsp":
            play(client, case.pages[HEAD], case.pages[SDP], case.pages[PACKETS])
        else:
            client.sendall(_page(case, client.recv(_READ_BYTES)))
        client.shutdown(socket.SHUT_WR)
        while client.recv(_READ_BYTES):  # else what it has not read yet would be thrown away
            pass


def _page(case: Case, request: bytes) -> bytes:
    """Answer an HTTP request."""
    path = request.split(b" ", 2)[1:2]
    page = case.pages.get(path[0].decode(errors="replace").lstrip("/")) if path else None
    status = "404 Not Found" if page is None else "200 OK"
    body = page or b""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _receive(client: socket.socket, n_bytes: int) -> None:
    while n_bytes > 0 and (piece := client.recv(min(n_bytes, _READ_BYTES))):
        n_bytes -= len(piece)
