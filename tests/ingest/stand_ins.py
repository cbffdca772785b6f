"""MediaMTX and SRS as their published descriptions have them: each answer is held against those.

Neither real server was asked for any of this.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from streamguard.ingest.mediamtx import PUBLISHERS
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
        _, _, kind, verb, *rest = question.path.split("/")
        if verb == "get":
            return self._get(unquote(rest[0]))
        if verb == "kick":
            assert question.method == "POST"
            return self._kick(kind, unquote(rest[0]))
        everything = self.paths if kind == "paths" else self.peers.get(kind, [])
        size, number = int(question.query["itemsPerPage"]), int(question.query["page"])
        body = {
            "itemCount": len(everything),
            "pageCount": -(-len(everything) // size),
            "items": everything[number * size : (number + 1) * size],
        }
        self._description.check_answer(question.path, body)
        return Answer(json.dumps(body).encode())

    def _get(self, name: str) -> Answer:
        found = next((path for path in self.paths if path["name"] == name), None)
        if found is None:
            return Answer(b'{"error":"path not found"}', 404)
        self._description.check_answer("/v3/paths/get/{name}", found)
        return Answer(json.dumps(found).encode())

    def _kick(self, kind: str, peer_id: str) -> Answer:
        mine = [path for path in self.paths if path["source"]["id"] == peer_id]
        if not mine or PUBLISHERS[mine[0]["source"]["type"]] != kind:
            return Answer(b'{"error":"connection not found"}', 404)
        self.paths.remove(mine[0])
        return Answer(b"")


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
        if question.method == "DELETE":
            return self._end(question.path.rpartition("/")[2])
        start, count = (int(question.query.get(name, 10)) for name in ("start", "count"))
        if question.path.endswith("streams/"):
            process = {"service": "0b5hxn2z", "pid": "1"}
            body = {**process, "streams": self.streams[start : start + count]}
        else:
            body = {"clients": self.clients[start : start + count]}
        body = {"code": self.code, "server": self.server_id, **body}
        self._description.check_answer(question.path, body)
        return Answer(json.dumps(body).encode())

    def _end(self, cid: str) -> Answer:
        found = [client for client in self.clients if client["id"] == cid]
        self.clients = [client for client in self.clients if client["id"] != cid]
        self.streams = [one for one in self.streams if one["publish"]["cid"] != cid]
        body = {"code": self.code or (0 if found else 2049)}
        self._description.check_answer("/api/v1/clients/{id}", body)
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
