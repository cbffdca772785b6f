"""What nginx saw of who reads and who publishes, by its stat page, asked many times a second.

Rule: connections are dated by the server's own account of how old they are; what is only seen to
have happened between two questions is dated by the earlier one.
"""

import threading
import time
import urllib.request
from http.client import HTTPException
from types import TracebackType
from typing import Self
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from loadtest.live_figures import Sent
from loadtest.rtmp import HOST

ASK_EVERY_S = 0.02
"""A frame and a half; a question takes nginx 0.2 ms."""

TIMEOUT_S = 1.0

PICTURE_BYTES = 6_000
"""More than sound comes to between two questions; nginx lets a reader in with a keyframe, and sends
it sound before that."""

Client = tuple[str, str, str]
"""The process of nginx, the stream, the number of the connection."""


class StatWatch:
    """Asks until the end of the `with`; one thread. `lines` grow as the origin's report does.

    "connect", "join" and "gone" are as there; "publish" is the connection of a publisher.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.lines: list[Sent] = []
        self._readers: dict[Client, bool] = {}  # whether it has had a picture
        self._sent: dict[tuple[str, str], int] = {}  # bytes to readers, by process and stream
        self._publishers: set[Client] = set()
        self._asked_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(ASK_EVERY_S):
            asked_s = time.monotonic()
            url = f"http://{HOST}:{self._port}/stat"
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
                    page = fromstring(answer.read())
            except (OSError, HTTPException, ParseError):
                page = Element("rtmp")  # it is down: nobody is there
            self._look(page, time.monotonic())
            self._asked_s = asked_s

    def _look(self, page: Element, now_s: float) -> None:
        pid, seen = page.findtext("pid") or "", set()
        for stream in page.iterfind("server/application/live/stream"):
            name = stream.findtext("name") or ""
            n_bytes = int(stream.findtext("bytes_out") or 0)
            is_picture = n_bytes - self._sent.get((pid, name), 0) > PICTURE_BYTES
            self._sent[pid, name] = n_bytes
            for client in stream.iterfind("client"):
                key = (pid, name, client.findtext("id") or "")
                seen.add(key)
                since_s = now_s - int(client.findtext("time") or 0) / 1000
                if client.find("publishing") is not None:
                    self._publishes(key, since_s)
                else:
                    self._reads(key, since_s, is_picture=is_picture)
        for key in self._readers.keys() - seen:
            del self._readers[key]
            self._tell("gone", key, now_s)
        self._publishers &= seen

    def _publishes(self, key: Client, since_s: float) -> None:
        if key not in self._publishers:
            self._publishers.add(key)
            self._tell("publish", key, max(since_s, self._asked_s))  # it connects before that

    def _reads(self, key: Client, since_s: float, *, is_picture: bool) -> None:
        if key not in self._readers:
            self._readers[key] = False
            self._tell("connect", key, since_s)
        if is_picture and not self._readers[key]:
            self._readers[key] = True
            self._tell("join", key, max(since_s, self._asked_s))

    def _tell(self, kind: str, key: Client, at_s: float) -> None:
        self.lines.append(Sent(kind, key[1], 0, at_s))
