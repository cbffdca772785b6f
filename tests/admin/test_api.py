"""The admin API by HTTP: who may call, what is told, what is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamguard.admin.api import AdminApi
from streamguard.admin.token import ensure_token
from streamguard.core.crew import CrewRules
from streamguard.core.errors import ConfigError
from streamguard.core.suspicion import Suspicion
from streamguard.ingest.added import AddedStreams
from streamguard.ingest.registry import Registry
from streamguard.runtime.crew_state import SupervisorParts
from streamguard.runtime.stop import Stop
from streamguard.runtime.supervisor import Supervisor
from streamguard.sections.admin_section import AdminSection
from tests.clock import FakeClock
from tests.runtime.made_crew import PLAN

KEYED_URL = "rtmp://127.0.0.1/live/very-secret-key"


class Client:
    """Calls the API in this process, by HTTP."""

    def __init__(self, api: AdminApi) -> None:
        self._transport = httpx.ASGITransport(api.app)

    def get(self, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._call("GET", path, **how))

    def post(self, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._call("POST", path, **how))

    def delete(self, path: str, **how: Any) -> httpx.Response:
        return asyncio.run(self._call("DELETE", path, **how))

    async def _call(self, method: str, path: str, **how: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://here") as client:
            return await client.request(method, path, **how)


class Deployment:
    """An API over a crew without workers, and its token."""

    def __init__(self, folder: Path) -> None:
        self.token_file = ensure_token(None, folder / "log.db")
        self.stop = Stop()
        added = AddedStreams(folder / "log.db.streams.json", {"known"})
        self.registry = Registry([], [], b"", added, FakeClock())
        self.crew = crew = Supervisor(PLAN, self._start, 1, _no_parts(), CrewRules())
        section = AdminSection(port=0)
        self.api = AdminApi(section, self.token_file, crew, self.registry, FakeClock(), self.stop)
        self.client = Client(self.api)

    async def _start(self, number: int) -> Any:
        raise NotImplementedError(number)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token_file.read_text()}"}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    async def make() -> Deployment:
        return Deployment(tmp_path)

    made = asyncio.run(make())
    with closing(made.api):
        yield made


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}])
def test_nobody_may_call_without_the_token(deployment: Deployment, header: dict[str, str]) -> None:
    answers = [
        deployment.client.get("/v1/streams", headers=header),
        deployment.client.post("/v1/streams", headers=header, json={}),
        deployment.client.post("/v1/drain", headers=header),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert not deployment.stop.is_set()


def test_a_token_that_was_replaced_counts_at_once_and_the_old_one_no_more(
    deployment: Deployment,
) -> None:
    before = deployment.headers()
    deployment.token_file.write_text("another-token-of-length")
    old = deployment.client.get("/v1/streams", headers=before)
    new = deployment.client.get("/v1/streams", headers=deployment.headers())

    assert (old.status_code, new.status_code) == (401, 200)


def test_the_token_that_is_made_is_for_its_owner_alone(deployment: Deployment) -> None:
    assert deployment.token_file.stat().st_mode & 0o777 == 0o600
    assert len(deployment.token_file.read_text()) >= 43


def test_a_token_that_is_too_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("short")

    with pytest.raises(ConfigError, match="too short"):
        ensure_token(file, tmp_path / "log.db")


def test_a_stream_is_added_listed_without_its_address_and_removed(deployment: Deployment) -> None:
    body = {"id": "a/b", "url": KEYED_URL, "sampling": "keyframes"}
    added = deployment.client.post("/v1/streams", headers=deployment.headers(), json=body)
    again = deployment.client.post("/v1/streams", headers=deployment.headers(), json=body)
    listed = deployment.client.get("/v1/streams", headers=deployment.headers())
    one = deployment.client.get("/v1/streams/a/b", headers=deployment.headers())
    wanted = set(deployment.registry.wanted())
    removed = deployment.client.delete("/v1/streams/a/b", headers=deployment.headers())
    gone = deployment.client.delete("/v1/streams/a/b", headers=deployment.headers())

    assert (added.status_code, again.status_code) == (201, 409)
    assert (wanted, set(deployment.registry.wanted())) == ({"a/b"}, set())
    (row,) = listed.json()["streams"]
    assert row == one.json()
    assert (row["id"], row["state"], row["sampling"]) == ("a/b", "waiting", "keyframes")
    assert "secret" not in listed.text + added.text + again.text
    assert (removed.status_code, gone.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"no json", "the body is no JSON"),
        (b"[]", "give a JSON object with id and url"),
        (b'{"id": "x"}', "give a JSON object with id and url"),
        (b'{"id": "x", "url": "rtmp://h/secret", "sampler": 1}', "sampler: there is no such"),
        (b'{"id": "x", "url_file": "/etc/secret"}', "url_file: for the configuration alone"),
        (b'{"id": "x", "url": "rtmp://h/secret", "policy_file": "a"}', "policy_file: for the"),
        (b'{"id": "x", "not_screened": "why"}', "not_screened: for the configuration alone"),
        (b'{"id": "x", "url": "gopher://secret"}', "cannot screen gopher:// sources"),
        (b'{"id": "x", "url": "rtmp://h/secret", "sampling": "often"}', "sampling:"),
        (b'{"id": "x", "url": "secret.mp4"}', "a file is screened by"),
    ],
)
def test_a_stream_that_makes_no_sense_is_refused_and_its_address_not_repeated(
    deployment: Deployment, body: bytes, problem: str
) -> None:
    answer = deployment.client.post("/v1/streams", headers=deployment.headers(), content=body)

    assert answer.status_code == 400
    assert problem in answer.json()["problem"]
    assert "secret" not in answer.text
    assert not deployment.registry.wanted()


def test_a_stream_that_would_be_held_against_nothing_is_refused(deployment: Deployment) -> None:
    bodies = [{"id": "x", "url": KEYED_URL, "banks": [name]} for name in ("none", "known")]

    unknown, known = (
        deployment.client.post("/v1/streams", headers=deployment.headers(), json=body)
        for body in bodies
    )

    assert (unknown.status_code, known.status_code) == (409, 201)
    assert "names the bank 'none': there is none" in unknown.json()["problem"]


def test_a_body_that_is_too_long_is_not_read(deployment: Deployment) -> None:
    answer = deployment.client.post(
        "/v1/streams", headers=deployment.headers(), content=b" " * 70_000
    )

    assert answer.status_code == 413


def test_a_drain_stops_the_deployment(deployment: Deployment) -> None:
    answer = deployment.client.post("/v1/drain", headers=deployment.headers())

    assert answer.status_code == 202
    assert (deployment.stop.is_set(), deployment.stop.reason) == (True, "interrupted")


def test_a_stream_is_pinned_reported_and_unpinned(deployment: Deployment) -> None:
    body = {"id": "lobby", "url": KEYED_URL}
    headers = deployment.headers()
    deployment.client.post("/v1/streams", headers=headers, json=body)
    codes = [
        deployment.client.post("/v1/streams/lobby/pin", headers=headers).status_code,
        deployment.client.post("/v1/streams/lobby/report", headers=headers).status_code,
    ]
    both = deployment.client.get("/v1/streams/lobby", headers=headers).json()
    deployment.client.delete("/v1/streams/lobby/pin", headers=headers)
    reported = deployment.client.get("/v1/streams/lobby", headers=headers).json()
    unknown = deployment.client.post("/v1/streams/other/pin", headers=headers)

    assert codes == [200, 200]
    assert (both["is_pinned"], both["is_reported"]) == (True, True)
    assert (reported["is_pinned"], reported["is_reported"]) == (False, True)
    assert unknown.status_code == 404


def test_what_is_held_back_is_shown_and_let_back_at_once(deployment: Deployment) -> None:
    headers = deployment.headers()
    body = {"id": "lobby", "url": KEYED_URL}
    deployment.client.post("/v1/streams", headers=headers, json=body)
    suspicion = deployment.crew.suspicion
    suspicion.died(["lobby"], 0.0)
    suspicion.died(["lobby"], 0.0)
    held = deployment.client.get("/v1/streams/lobby", headers=headers).json()
    codes = [
        deployment.client.delete("/v1/streams/lobby/quarantine", headers=headers).status_code
        for _ in range(2)
    ]
    back = deployment.client.get("/v1/streams/lobby", headers=headers).json()

    assert (held["state"], held["quarantined_s"]) == ("quarantined", Suspicion.FIRST_S)
    assert held["last_error"] == "2 workers died with it in hand"
    assert codes == [200, 404]
    assert (back["state"], back["quarantined_s"], back["last_error"]) == ("waiting", None, "")


def test_hooks_of_ingest_servers_are_allowed_without_a_token(deployment: Deployment) -> None:
    answer = deployment.client.post("/hooks/nginx", content=b"call=publish")

    assert (answer.status_code, answer.text) == (200, "0")


def test_an_address_that_is_taken_is_told_in_one_line(deployment: Deployment) -> None:
    taken = AdminSection(port=deployment.api.port)

    with pytest.raises(ConfigError, match=r"choose another \[admin\] port"):
        AdminApi(
            taken,
            deployment.token_file,
            Supervisor(PLAN, deployment._start, 1, _no_parts(), CrewRules()),
            deployment.registry,
            FakeClock(),
            Stop(),
        )


def _no_parts() -> SupervisorParts:
    none: Any = None  # nothing of it is used here
    return SupervisorParts(none, none, FakeClock(), none)
