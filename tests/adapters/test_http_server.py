import socket

import pytest

from streamguard.adapters.http_server import listen
from streamguard.core.errors import ConfigError


def test_a_connection_sends_what_is_little_at_once() -> None:
    with (
        listen("127.0.0.1", 0, "[x] port") as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as accepted,
    ):
        is_immediate = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        had_it_anyway = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert (bool(is_immediate), bool(had_it_anyway)) == (True, False)


def test_an_address_that_is_taken_names_the_setting_to_change() -> None:
    with listen("127.0.0.1", 0, "[x] port") as first:
        port = first.getsockname()[1]

        with pytest.raises(ConfigError, match=r"choose another \[x\] port"):
            listen("127.0.0.1", port, "[x] port")
