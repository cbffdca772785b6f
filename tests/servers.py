"""Servers on loopback that behave well or badly, each gone at the end of its `with`.

Rule: real sockets, one thread a connection; whatever an answer waits for ends when the server does.
"""

import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from loadtest.rtmp import free_port

HOST = "127.0.0.1"


class Connection:
    """One client, as an answer sees it."""

    def __init__(self, client: socket.socket, closing: threading.Event) -> None:
        self._client = client
        self._closing = closing

    def send(self, payload: bytes) -> None:
        self._client.sendall(payload)

    def receive(self) -> bytes:
        """Wait for what the client says next; empty when it has gone."""
        return self._client.recv(65_536)

    def head(self, length: int | None = None, status: str = "200 OK", extra: str = "") -> None:
        """Begin an HTTP answer; without a length its end is the closing of the connection."""
        size = "" if length is None else f"Content-Length: {length}\r\n"
        self.send(f"HTTP/1.1 {status}\r\n{size}{extra}Connection: close\r\n\r\n".encode())

    def wait(self, seconds: float | None = None) -> bool:
        """Let time pass; True when the server ends."""
        return self._closing.wait(seconds)


Answer = Callable[[Connection], None]


class Server:
    """A listening server; `requests` holds the first line of each request, in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._closing = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self._clients: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.requests: list[str] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def url(self, path: str = "/live.ts", userinfo: str = "") -> str:
        return f"http://{userinfo}{HOST}:{self.port}{path}"

    def close(self) -> None:
        self._closing.set()
        for open_socket in (self._listener, *self._clients):
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for open_socket in (self._listener, *self._clients):
            open_socket.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # the client has gone, or the server ends
            request = client.recv(65_536)
            self.requests.append(request.split(b"\r\n", 1)[0].decode(errors="replace"))
            self._answer(Connection(client, self._closing))
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """Run a server that answers every request in the same way."""
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()


def whole(body: bytes) -> Answer:
    """Send it all at once, and close."""

    def answer(connection: Connection) -> None:
        connection.head(len(body))
        connection.send(body)

    return answer


def endless(body: bytes) -> Answer:
    """Send it without saying how much will come, and close."""

    def answer(connection: Connection) -> None:
        connection.head()
        connection.send(body)

    return answer


def cut_short(body: bytes, announced: int) -> Answer:
    """Announce more than is sent, and close midway."""

    def answer(connection: Connection) -> None:
        connection.head(announced)
        connection.send(body)

    return answer


def then_silent(body: bytes) -> Answer:
    """Send it, and nothing more; the connection stays."""

    def answer(connection: Connection) -> None:
        connection.head()
        connection.send(body)
        connection.wait()

    return answer


def paced(pieces: Iterable[bytes], every_s: float) -> Answer:
    """Send piece after piece, one each `every_s`, from the start for each client."""
    kept = tuple(pieces)

    def answer(connection: Connection) -> None:
        connection.head()
        for piece in kept:
            connection.send(piece)
            if connection.wait(every_s):
                return

    return answer


def redirect(to: str) -> Answer:
    """Send the client elsewhere."""

    def answer(connection: Connection) -> None:
        connection.head(0, "302 Found", f"Location: {to}\r\n")

    return answer


def status(line: str) -> Answer:
    """Refuse with an HTTP status."""

    def answer(connection: Connection) -> None:
        connection.head(0, line)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Give each connection the next answer; the last one for all that follow."""
    counter = itertools.count()

    def answer(connection: Connection) -> None:
        answers[min(next(counter), len(answers) - 1)](connection)

    return answer


def silent(connection: Connection) -> None:
    """Accept, and say nothing."""
    connection.wait()


def refusing_port() -> int:
    """Give a port on which nobody listens."""
    return free_port()
