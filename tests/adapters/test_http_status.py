import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, Counter

from streamguard.adapters.http_status import HttpStatus
from streamguard.core.errors import ConfigError

HOST = "127.0.0.1"


@dataclass
class Health:
    """What the checks find; a test changes it."""

    dead: str | None = None
    unready: str | None = None
    kafka: str | None = None


@contextmanager
def serving(health: Health, registry: CollectorRegistry | None = None) -> Iterator[HttpStatus]:
    with HttpStatus(
        HOST,
        0,
        registry or CollectorRegistry(),
        live=lambda: health.dead,
        ready=lambda: health.unready,
        kafka=lambda: health.kafka,
    ) as status:
        yield status


def answer(status: HttpStatus, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Ask over a socket; give the status, the content type and the body."""
    connection = http.client.HTTPConnection(HOST, status.port, timeout=30)
    try:
        connection.request(method, path)
        got = connection.getresponse()
        return got.status, got.headers["Content-Type"], got.read().decode()
    finally:
        connection.close()


def test_when_all_is_well_every_check_says_so() -> None:
    with serving(Health()) as status:
        answers = [answer(status, path) for path in ("/livez", "/readyz", "/readyz/kafka")]

    assert answers == [(200, "text/plain; charset=utf-8", "ok\n")] * 3


def test_what_is_wrong_is_told_where_it_is_asked_for_and_nowhere_else() -> None:
    health = Health()

    with serving(health) as status:
        health.dead = "the loop is stuck"
        assert answer(status, "/livez")[::2] == (503, "the loop is stuck\n")
        assert answer(status, "/readyz")[0] == 200
        health.dead, health.unready = None, "starting"
        assert answer(status, "/livez")[0] == 200
        assert answer(status, "/readyz")[::2] == (503, "starting\n")
        health.unready, health.kafka = None, "no broker"
        assert answer(status, "/readyz")[0] == 200
        assert answer(status, "/readyz/kafka")[::2] == (503, "no broker\n")


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name=x"])
def test_metrics_are_what_the_registry_holds_now(path: str) -> None:
    registry = CollectorRegistry()
    counter = Counter("things", "Things.", registry=registry)

    with serving(Health(), registry) as status:
        counter.inc(3)
        code, kind, body = answer(status, path)

    assert code == 200
    assert kind.startswith("text/plain; version=")
    assert "things_total 3.0" in body.splitlines()


@pytest.mark.parametrize("path", ["/", "/metrics/", "/livez/x", "/../livez", "/favicon.ico"])
def test_another_path_is_told_what_there_is(path: str) -> None:
    with serving(Health()) as status:
        code, _, body = answer(status, path)

    assert (code, body) == (404, "try /metrics, /livez or /readyz\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(method: str) -> None:
    with serving(Health()) as status:
        assert answer(status, "/metrics", method)[0] == 501


def test_a_port_in_use_is_said_in_one_line() -> None:
    with serving(Health()) as status, pytest.raises(ConfigError) as caught:
        HttpStatus(HOST, status.port, CollectorRegistry(), live=fine, ready=fine)

    assert f"{HOST}:{status.port}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "::1"])
def test_an_address_that_is_not_ours_is_said_in_one_line(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpStatus(host, 0, CollectorRegistry(), live=fine, ready=fine)

    assert host in str(caught.value)
    assert "\n" not in str(caught.value)


def fine() -> None:
    return None


def test_after_the_end_the_port_is_free() -> None:
    with serving(Health()) as status:
        port = status.port

    with socket.create_server((HOST, port)):
        pass
    assert not any(thread.name == "http-status" for thread in threading.enumerate())


def test_a_silent_client_keeps_nobody_waiting() -> None:
    with serving(Health()) as status, socket.create_connection((HOST, status.port)) as silent:
        silent.sendall(b"GET /livez")

        assert answer(status, "/livez")[0] == 200


def test_a_client_that_goes_away_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    registry = CollectorRegistry()
    for number in range(2_000):
        Counter(f"things_{number}", "Things." * 50, registry=registry)

    with serving(Health(), registry) as status:
        for request in (b"", b"GET /metrics HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n"):
            reset(status.port, request)
        assert answer(status, "/livez")[0] == 200
        finish_handlers()

    assert capfd.readouterr() == ("", "")


def reset(port: int, request: bytes) -> None:
    """Ask, and break the connection off without reading the answer."""
    with socket.create_connection((HOST, port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(request)


def finish_handlers() -> None:
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(30)
