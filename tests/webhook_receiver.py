"""A receiver of webhooks, as somebody else would write it with the standard library.

Rule: it takes what is authentic, and answers as it is told.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from streamguard.core.webhook import is_authentic


class Receiver(ThreadingHTTPServer):
    """Listens on loopback; `taken` holds the events, in the order in which they came."""

    def __init__(self, secret: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret = secret
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.n_forged = 0
        self.status = 204
        self.retry_after = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/flags?key=hidden"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.status
        if not is_authentic(headers, body, self.server.secret, time.time()):
            self.server.n_forged += 1
            status = 401
        elif status < 300:
            self.server.taken.append(json.loads(body))
            self.server.keys.append(headers["sg-key"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(secret: bytes) -> Iterator[Receiver]:
    """Run one."""
    with Receiver(secret) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
