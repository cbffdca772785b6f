"""The calls of ingest servers, by a real HTTP server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from streamguard.ingest.hooks import Hooks
from tests.ingest.openapi import Description
from tests.servers import HOST

SRS_CALL = {
    "action": "on_publish",
    "client_id": "9308h583",
    "ip": "203.0.113.5",
    "vhost": "__defaultVhost__",
    "app": "live",
    "stream": "a",
    "param": "?token=x",
    "tcUrl": "rtmp://ingest/live",
    "server_id": "vid-6p1x3d8",
}


@asynccontextmanager
async def served(hooks: ASGIApp) -> AsyncIterator[str]:
    """Run it on a free port; give the URL to which a path is to be added."""
    config = uvicorn.Config(hooks, HOST, 0, lifespan="off", log_level="critical", ws="none")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = asyncio.create_task(server.main_loop())
    try:
        yield f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        await server.shutdown()


def _mounted(look_now: Callable[[str], None]) -> ASGIApp:
    """Put the hooks where the admin API has them, and everywhere else as well."""
    hooks = Hooks(look_now)
    return Starlette(routes=[Mount("/hooks", hooks), Mount("/", hooks)])


def call(path: str, body: bytes = b"") -> tuple[httpx.Response, list[str], float]:
    """Call a hook; give the answer, the hints that it gave, and the fastest of ten answers."""
    hints: list[str] = []

    async def calling() -> tuple[httpx.Response, float]:
        async with served(_mounted(hints.append)) as base, httpx.AsyncClient() as client:
            took_s = []
            for _ in range(10):
                begun_s = time.perf_counter()
                answer = await client.post(f"{base}{path}", content=body)
                took_s.append(time.perf_counter() - begun_s)
            return answer, min(took_s)

    answer, fastest_s = asyncio.run(calling())
    return answer, hints[:1], fastest_s


def test_srs_is_told_yes_in_its_own_words_and_its_call_is_a_hint() -> None:
    Description("srs.yaml").check("Hook", SRS_CALL)

    answer, hints, _ = call("/hooks/edge", json.dumps(SRS_CALL).encode())

    assert (answer.status_code, answer.text) == (200, "0")
    assert hints == ["edge"]


def test_nginx_is_told_yes() -> None:
    answer, hints, _ = call("/hooks/edge", b"app=live&name=a&addr=203.0.113.5&call=publish")

    assert answer.is_success
    assert hints == ["edge"]


@pytest.mark.parametrize("path", ["/", "/hooks", "/other/edge"])
def test_a_call_of_nobody_we_know_is_allowed_as_well(path: str) -> None:
    answer, hints, _ = call(path)

    assert (answer.status_code, answer.text) == (200, "0")
    assert hints == []


def test_an_answer_does_not_wait_for_what_is_sent() -> None:
    async def calling() -> bytes:
        async with served(Hooks(lambda _: None)) as base:
            port = int(base.rpartition(":")[2])
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"POST /hooks/edge HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            async with asyncio.timeout(30):
                line = await reader.readline()
            writer.close()
            return line

    assert asyncio.run(calling()) == b"HTTP/1.1 200 OK\r\n"


def test_an_answer_takes_less_than_five_milliseconds() -> None:
    _, _, fastest_s = call("/hooks/edge", b"x" * 10_000)

    assert fastest_s < 0.005
