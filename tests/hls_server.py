"""A web server on loopback whose pages a test puts up and changes, and which counts what it gives.

Rule: real sockets and connections that stay open, as a web server has them; all gone at the end of
its `with`.
"""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Page:
    """What a path answers: a body with a validator, or a status and headers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()}"'


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that goes away midway: some tests want that."""


class Site:
    """A running server.

    asked: the paths asked for, in order.
    heads: the headers of each question, likewise.
    sent:  bytes of the bodies given, by path.
    """

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.heads: list[Mapping[str, str]] = []
        self.sent: Counter[str] = Counter()
        self._server = _Server((HOST, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def put(self, path: str, body: bytes | str, **headers: str) -> None:
        """Put up a page, or another one in its place."""
        raw = body.encode() if isinstance(body, str) else body
        self._pages[path] = Page(raw, headers=headers)

    def refuse(self, path: str, status: int, **headers: str) -> None:
        """Let a path answer with a status; `Retry_After` stands for Retry-After."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._pages[path] = Page(status=status, headers=named)

    def take_down(self, path: str) -> None:
        self._pages.pop(path, None)

    def url(self, path: str, userinfo: str = "") -> str:
        return f"http://{userinfo}{HOST}:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self, path: str) -> Page:
        return self._pages.get(path, Page(status=404))


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            site.asked.append(path)
            site.heads.append(dict(self.headers))
            page = site.page(path)
            if page.status == 200 and self.headers["If-None-Match"] == page.etag:
                self._answer(304, b"", {"ETag": page.etag})
                return
            body, status, headers = page.body, page.status, {"ETag": page.etag, **page.headers}
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
            if part and status == 200 and "no-ranges" not in path:
                body, status = body[int(part[1]) : int(part[2]) + 1], 206
            site.sent[path] += len(body)
            self._answer(status, body, headers)

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def web_site() -> Iterator[Site]:
    """Run a server."""
    site = Site()
    try:
        yield site
    finally:
        site.close()


def media_playlist(
    names: Sequence[str],
    *,
    target_s: float = 1,
    first: int = 0,
    is_over: bool = False,
    tags: Mapping[str, str] = NO_TAGS,
) -> str:
    """Write a media playlist; `tags` are the lines before a segment, by its name."""
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{target_s}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for name in names:
        lines += [*tags.get(name, "").splitlines(), f"#EXTINF:{target_s},", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST" if is_over else "", ""])


def master_playlist(renditions: Mapping[str, int]) -> str:
    """Write a master playlist of renditions: height in lines, by address."""
    lines = ["#EXTM3U"]
    for uri, height in renditions.items():
        size = f"{height * 16 // 9}x{height}"
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={height * 1000},RESOLUTION={size}", uri]
    return "\n".join([*lines, ""])
