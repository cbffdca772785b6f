"""Serves /metrics, /livez, /readyz, and /readyz/kafka, which readiness does not wait for.

Rule: it only reads; it listens on loopback unless told otherwise, in a thread of its own, so that a
busy event loop shows as not live instead of not answering.
"""

import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from streamguard.core.errors import ConfigError

Check = Callable[[], str | None]
"""Says what is wrong, in a few words; None when all is well."""

TEXT = "text/plain; charset=utf-8"

STOP_POLL_S = 0.05
"""How often the server looks whether it is to end, seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away; a bug has its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class HttpStatus:
    """The server; a context manager."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        *,
        live: Check,
        ready: Check,
        kafka: Check = lambda: None,
    ) -> None:
        """Bind at once.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._registry = registry
        self._checks = {"/livez": live, "/readyz": ready, "/readyz/kafka": kafka}
        status = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # seconds: a silent client holds a thread no longer

            def do_GET(self) -> None:
                code, kind, body = status.answer(self.path)
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: scrapes are not news."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose another [http] port"
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_S,), name="http-status", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Give status, content type and body for one path."""
        path = path.partition("?")[0]
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        check = self._checks.get(path)
        if check is None:
            return HTTPStatus.NOT_FOUND, TEXT, b"try /metrics, /livez or /readyz\n"
        problem = check()
        if problem is None:
            return HTTPStatus.OK, TEXT, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{problem}\n".encode()
