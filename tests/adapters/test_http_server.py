import asyncio
import socket
from contextlib import closing

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamguard.adapters.http_server import GONE_S, HttpServer, listen


async def _who(request: Request) -> Response:
    return PlainTextResponse(request.client.host if request.client else "-")


async def told(proxies: tuple[str, ...]) -> str:
    """Say that we ask for somebody else; give who the application thinks we are."""
    listening = listen("127.0.0.1", 0, "port")
    server = HttpServer(Starlette(routes=[Route("/", _who)]), grace_s=1, proxies=proxies)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listening]))
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            answer = await client.get(url, headers={"x-forwarded-for": "10.0.0.7"})
        server.should_exit = True
    return answer.text


@pytest.mark.parametrize(
    ("proxies", "who"),
    [
        ((), "127.0.0.1"),
        (("10.0.0.1",), "127.0.0.1"),
        (("127.0.0.1",), "10.0.0.7"),
        (("127.0.0.0/8",), "10.0.0.7"),
    ],
)
def test_for_whom_somebody_asks_is_believed_of_configured_proxies_alone(
    proxies: tuple[str, ...], who: str
) -> None:
    assert asyncio.run(told(proxies)) == who


def test_a_connection_at_whose_other_end_nobody_is_ends_within_a_minute() -> None:
    with (
        closing(listen("127.0.0.1", 0, "port")) as listening,
        socket.create_connection(listening.getsockname()),
        closing(listening.accept()[0]) as accepted,
    ):
        waits_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert waits_ms == GONE_S * 1000 == 60_000
