"""The two exchanges, run on loopback: they answer as their published clients and documents say.

Tech Against Terrorism: hash-list v2, by https://terrorismanalytics.org/docs/hash-list-v2 (v2.0.0)
and the client in python-threatexchange 1.2.16. ThreatExchange: threat_updates, by
https://developers.facebook.com/docs/threat-exchange/reference/apis/threat-updates and the client in
python-threatexchange 1.2.16. Neither real service was asked for any of this.

Rule: real sockets; what is to go wrong is put into `troubles`, which are used up one a question.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

HOST = "127.0.0.1"
USERNAME, PASSWORD = "analyst@example.org", "CORRECT-HORSE"
GROUP, TOKEN = "123456", "777|TOPSECRETTOKEN"

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What is sent back; a body shorter than announced breaks off."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    n_announced: int | None = None


@dataclass(frozen=True)
class Question:
    """What was asked."""

    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    method: str = "GET"


Trouble = Callable[["Service", Question], Answer]


class Service:
    """A service; `asked` keeps what it was asked, `troubles` replace its next answers."""

    page_size = 2

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.troubles: list[Trouble | None] = []
        self._server = _Server((HOST, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def answer(self, question: Question) -> Answer:
        """Answer as the real one would."""
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class HashList(Service):
    """Tech Against Terrorism's list: `results` in the order of (updated_on, id)."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Json] = []
        self.token = "JWT-1"  # noqa: S105  # of a made-up service

    def put(self, record_id: int, updated_on: float, digest: str, **more: Any) -> None:
        """Add a record, or change it: it moves to the end."""
        self.results = [one for one in self.results if one["id"] != record_id]
        self.results.append(
            {
                "hash_digest": digest,
                "algorithm": "PDQ",
                "ideology": "far-right",
                "file_type": "mp4",
                "deleted": False,
                "updated_on": updated_on,
                "created_on": "2025-03-03 23:05:22,587",
                "id": record_id,
                **more,
            }
        )
        self.results.sort(key=lambda one: (one["updated_on"], one["id"]))

    def delete(self, record_id: int, updated_on: float) -> None:
        """Withdraw a record: a tombstone takes its place."""
        (old,) = [one for one in self.results if one["id"] == record_id]
        self.put(record_id, updated_on, old["hash_digest"], deleted=True)

    def answer(self, question: Question) -> Answer:
        if question.path == "/token-auth/tcap/":
            given = (question.form.get("username"), question.form.get("password"))
            if given != (USERNAME, PASSWORD):
                text = "Unable to log in with provided credentials."
                return as_json({"non_field_errors": [text]}, 401)
            return as_json({"token": self.token, "user": {"id": 1}})
        if question.headers.get("Authorization") != f"Bearer {self.token}":
            return as_json({"detail": "Signature has expired."}, 401)
        assert question.path == "/api/hash-list/v2/all"
        assert question.query["order"] == "asc"
        return as_json(self.page(question.query.get("after", "")))

    def page(self, after: str) -> Json:
        """Give the page after a checkpoint."""
        later = [one for one in self.results if not after or place_of(one) > _place(after)]
        shown = later[: self.page_size]
        is_last = len(later) <= self.page_size
        return {
            "count": len(later),
            "next": None if is_last else f"{self.url}/api/hash-list/v2/all?limit=2&offset=2",
            "previous": None,
            "checkpoint": checkpoint_of(shown[-1]) if shown else after,
            "results": shown,
        }


class ThreatUpdates(Service):
    """The updates of one privacy group, in the order of their time."""

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[Json] = []

    def put(self, record_id: int, last_updated: int, indicator: str, **more: Any) -> None:
        """Add an update; the one before it of the same indicator goes."""
        self.updates = [one for one in self.updates if one["id"] != str(record_id)]
        self.updates.append(
            {
                "id": str(record_id),
                "indicator": indicator,
                "type": "HASH_PDQ",
                "last_updated": last_updated,
                "should_delete": False,
                "descriptors": {"data": [descriptor(record_id * 10)]},
                **more,
            }
        )
        self.updates.sort(key=lambda one: one["last_updated"])

    def delete(self, record_id: int, last_updated: int) -> None:
        """Withdraw an indicator; the service tells so for 90 days."""
        (old,) = [one for one in self.updates if one["id"] == str(record_id)]
        self.put(record_id, last_updated, old["indicator"], should_delete=True)
        del self.updates[-1]["descriptors"]

    def forget(self, record_id: int) -> None:
        """Let a withdrawal expire."""
        self.updates = [one for one in self.updates if one["id"] != str(record_id)]

    def answer(self, question: Question) -> Answer:
        if question.query.get("access_token") != TOKEN:
            text = "Invalid OAuth access token - Cannot parse access token"
            error = {"message": text, "type": "OAuthException", "code": 190, "fbtrace_id": "AxY"}
            return as_json({"error": error}, 400)
        assert question.path == f"/{GROUP}/threat_updates/"
        assert "descriptors{id" in question.query["fields"]
        start = int(question.query.get("start_time", 0))
        at = int(question.query.get("__paging_token", 0))
        later = [one for one in self.updates if one["last_updated"] >= start]
        answer: Json = {"data": later[at : at + self.page_size]}
        if at + self.page_size < len(later):
            query = {**question.query, "__paging_token": str(at + self.page_size)}
            answer["paging"] = {"next": f"{self.url}{question.path}?{urlencode(query)}"}
        return as_json(answer)


def descriptor(descriptor_id: int, owner: str = "42", **more: Any) -> Json:
    """Make a descriptor as threat_updates has it."""
    tags = {"data": [{"id": "1", "text": "propaganda"}]}
    return {
        "id": str(descriptor_id),
        "owner": {"id": owner},
        "status": "MALICIOUS",
        "tags": tags,
        **more,
    }


def place_of(result: Json) -> tuple[float, int]:
    return result["updated_on"], result["id"]


def checkpoint_of(result: Json) -> str:
    return f"{result['updated_on']},{result['id']}"


def _place(checkpoint: str) -> tuple[float, int]:
    time, _, last_id = checkpoint.partition(",")
    return float(time), int(last_id)


def as_json(value: Json, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


def fails(status: int, **headers: str) -> Trouble:
    """Answer with a status; `Retry_After` stands for Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda *_: Answer(b'{"detail": "Not now."}', status, named)


def repeats(status: int) -> Trouble:
    """Answer with a status, and with the whole question in the text of the error."""

    def trouble(service: Service, question: Question) -> Answer:
        asked = {**question.query, **question.form, **question.headers}
        said = f"Bad: {service.url}{question.path}?{urlencode(asked)} {' '.join(asked.values())}"
        return as_json({"error": {"message": said, "code": 100}}, status)

    return trouble


def cut_short(service: Service, question: Question) -> Answer:
    """Announce the whole answer and break off in the middle."""
    whole = service.answer(question).body
    return Answer(whole[: len(whole) // 2], n_announced=len(whole))


def half_json(service: Service, question: Question) -> Answer:
    """Send half an answer as if it were all."""
    whole = service.answer(question).body
    return Answer(whole[: len(whole) // 2])


def says(body: bytes) -> Trouble:
    """Send this body."""
    return lambda *_: Answer(body)


def changes(change: Callable[[Json], object]) -> Trouble:
    """Send what the service would, changed."""

    def trouble(service: Service, question: Question) -> Answer:
        answer: Json = json.loads(service.answer(question).body)
        change(answer)
        return as_json(answer)

    return trouble


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that goes away midway."""


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve({})

        def do_DELETE(self) -> None:
            self._serve({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._serve({name: values[0] for name, values in parse_qs(body).items()})

        def _serve(self, form: Mapping[str, str]) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            question = Question(parts.path, query, form, dict(self.headers), self.command)
            service.asked.append(question)
            trouble = service.troubles.pop(0) if service.troubles else None
            answer = trouble(service, question) if trouble else service.answer(question)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.n_announced is None else answer.n_announced
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.n_announced is not None

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def hash_list() -> Iterator[HashList]:
    """Run Tech Against Terrorism's service."""
    service = HashList()
    try:
        yield service
    finally:
        service.close()


@contextmanager
def threat_updates() -> Iterator[ThreatUpdates]:
    """Run ThreatExchange's."""
    service = ThreatUpdates()
    try:
        yield service
    finally:
        service.close()
