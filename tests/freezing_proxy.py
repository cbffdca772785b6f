"""A way to a server that can be cut without anybody being told, as by a cable that is pulled."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"


class FreezingProxy:
    """Passes on what both sides say until it is frozen; then it keeps all connections, silently."""

    def __init__(self, port: int) -> None:
        """port: of the server behind it."""
        self._behind = port
        self._is_frozen = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def freeze(self) -> None:
        """Pass nothing on from now on, and close nothing."""
        self._is_frozen.set()

    def close(self) -> None:
        self._is_frozen.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._behind))
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._pass_on, args=(source, sink))
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(65_536):
                if self._is_frozen.is_set():
                    return
                sink.sendall(said)


@contextmanager
def freezing_proxy(port: int) -> Iterator[FreezingProxy]:
    """Run one in front of a server on this machine."""
    proxy = FreezingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
