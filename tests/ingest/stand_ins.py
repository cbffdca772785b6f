"""MediaMTX and SRS as their published descriptions have them: each answer is held against those.

Neither real server was asked for any of this.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.exchange.services import Answer, Question, Service
from tests.ingest.openapi import Description

Json = dict[str, Any]


class MediaMtxServer(Service):
    """MediaMTX: `paths` in order of name, `peers` by kind of connection."""

    def __init__(self) -> None:
        super().__init__()
        self._description = Description("mediamtx.yaml")
        self.paths: list[Json] = []
        self.peers: dict[str, list[Json]] = {}

    def publish(
        self, name: str, *, kind: str = "rtmpConn", n_readers: int = 0, height: int = 720
    ) -> Json:
        """Let somebody publish."""
        readers = [{"id": str(uuid4()), "type": "rtspSession"} for _ in range(n_readers)]
        props = {"height": height, "level": "3.1", "profile": "High", "width": 1280}
        path = {
            "available": True,
            "availableTime": "2026-01-02T03:04:05Z",
            "confName": "all_others",
            "inboundBytes": 1,
            "inboundFramesInError": 0,
            "name": name,
            "online": True,
            "onlineTime": "2026-01-02T03:04:05Z",
            "outboundBytes": 0,
            "readers": readers,
            "source": {"id": str(uuid4()), "type": kind},
            "tracks2": [
                {"codec": "MPEG-4 Audio", "codecProps": None},
                {"codec": "H264", "codecProps": props},
            ],
        }
        self.paths.append(path)
        return path

    def connect(self, plural: str, path: Json, address: str) -> None:
        """List the connection by which a path is published."""
        peer = {
            "created": "2026-01-02T03:04:05Z",
            "id": path["source"]["id"],
            "inboundBytes": 1,
            "outboundBytes": 0,
            "path": path["name"],
            "query": "",
            "remoteAddr": address,
            "state": "publish",
            "user": "",
        }
        self.peers.setdefault(plural, []).append(peer)

    def answer(self, question: Question) -> Answer:
        kind = question.path.split("/")[2]
        everything = self.paths if kind == "paths" else self.peers.get(kind, [])
        size, number = int(question.query["itemsPerPage"]), int(question.query["page"])
        body = {
            "itemCount": len(everything),
            "pageCount": -(-len(everything) // size),
            "items": everything[number * size : (number + 1) * size],
        }
        self._description.check_answer(question.path, body)
        return Answer(json.dumps(body).encode())


class SrsServer(Service):
    """SRS: `streams` and `clients`; `code` other than 0 is its way to say that something failed."""

    def __init__(self) -> None:
        super().__init__()
        self._description = Description("srs.yaml")
        self.server_id = "vid-6p1x3d8"
        self.code = 0
        self.streams: list[Json] = []
        self.clients: list[Json] = []

    def publish(
        self, name: str, *, vhost: str = "", cid: str = "8k74p1h4", ip: str = "127.0.0.1"
    ) -> Json:
        """Let somebody publish."""
        stream = {
            "id": f"vid-{len(self.streams)}",
            "name": name,
            "vhost": "vid-0z9y",
            "app": "live",
            "tcUrl": "rtmp://ingest/live",
            "url": f"{vhost}/live/{name}",
            "live_ms": 1_767_323_045_000,
            "clients": 3,
            "frames": 100,
            "send_bytes": 1,
            "recv_bytes": 1,
            "kbps": {"recv_30s": 1, "send_30s": 1},
            "publish": {"active": True, "cid": cid},
            "video": {
                "codec": "H264",
                "profile": "High",
                "level": "3.1",
                "width": 1280,
                "height": 720,
            },
            "audio": None,
        }
        self.streams.append(stream)
        client = dict.fromkeys(("pageUrl", "swfUrl", "tcUrl", "url", "name"), "")
        self.clients.append(
            {
                **client,
                "id": cid,
                "vhost": "vid-0z9y",
                "stream": stream["id"],
                "ip": ip,
                "type": "fmle-publish",
                "publish": True,
                "alive": 12.5,
            }
        )
        return stream

    def answer(self, question: Question) -> Answer:
        start, count = (int(question.query.get(name, 10)) for name in ("start", "count"))
        if question.path.endswith("streams/"):
            process = {"service": "0b5hxn2z", "pid": "1"}
            body = {**process, "streams": self.streams[start : start + count]}
        else:
            body = {"clients": self.clients[start : start + count]}
        body = {"code": self.code, "server": self.server_id, **body}
        self._description.check_answer(question.path, body)
        return Answer(json.dumps(body).encode())


@contextmanager
def mediamtx_server() -> Iterator[MediaMtxServer]:
    """Run MediaMTX's stand-in."""
    server = MediaMtxServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def srs_server() -> Iterator[SrsServer]:
    """Run SRS's stand-in."""
    server = SrsServer()
    try:
        yield server
    finally:
        server.close()
