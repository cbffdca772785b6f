from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from streamguard.core.published import Published, RenditionRule
from streamguard.ingest.asking import Service
from streamguard.ingest.srs import Srs
from tests.ingest.stand_ins import SrsServer, srs_server
from tests.ingest.watching import Watching, watching


@pytest.fixture
def server() -> Iterator[SrsServer]:
    with srs_server() as running:
        yield running


def asked(server: SrsServer, *, needs_addresses: bool = False) -> AbstractContextManager[Watching]:
    service = Service("edge", server.url)
    return watching(Srs(service, "rtmp://127.0.0.1:1935", needs_addresses=needs_addresses))


def snapshot(server: SrsServer, *, needs_addresses: bool = False) -> list[Published]:
    with asked(server, needs_addresses=needs_addresses) as it:
        return it.snapshot()


def test_a_publish_is_found_with_its_place_players_and_height(server: SrsServer) -> None:
    server.publish("x.flv")

    (found,) = snapshot(server)

    assert found.key.path == "live/x.flv"
    assert found.location.rtmp_name == ("live", "x.flv")
    assert found.location.url == "rtmp://127.0.0.1:1935/live"
    assert (found.n_viewers, found.height) == (2, 720)


def test_of_a_vhost_the_same_name_is_another_path(server: SrsServer) -> None:
    server.publish("a", vhost="video.example.org")

    (found,) = snapshot(server)

    assert found.key.path == "video.example.org/live/a"
    assert found.location.rtmp_name == ("live?vhost=video.example.org", "a")


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        ((("a/b", "c"), ("a", "b/c")), {"a%2Fb/c", "a/b%2Fc"}),
        ((("a", "b/c"), ("a", "b%2Fc")), {"a/b%2Fc", "a/b%252Fc"}),
    ],
)
def test_no_publish_has_the_path_of_another(
    server: SrsServer, names: tuple[tuple[str, str], ...], paths: set[str]
) -> None:
    """Else a harmless one could hide its twin."""
    for app, name in names:
        server.publish(name)["app"] = app

    found = snapshot(server)

    assert {one.key.path for one in found} == paths
    assert {one.location.rtmp_name for one in found} == set(names)


def test_no_application_has_the_path_of_a_vhost(server: SrsServer) -> None:
    server.publish("b", vhost="v.example.org")["app"] = "a"
    server.publish("b")["app"] = "v.example.org/a"

    assert len({one.key.path for one in snapshot(server)}) == 2


def test_a_name_that_would_be_taken_for_another_is_on_record_and_not_screened(
    server: SrsServer,
) -> None:
    server.publish("harmless\0attack")

    (found,) = snapshot(server)

    assert found.problem is not None
    assert "NUL" in found.problem


def test_a_stream_without_publisher_is_no_publish(server: SrsServer) -> None:
    server.publish("a")["publish"]["active"] = False

    assert snapshot(server) == []


def test_a_stream_whose_picture_is_not_known_yet_is_found(server: SrsServer) -> None:
    server.publish("a")["video"] = None

    (found,) = snapshot(server)

    assert found.height is None


@pytest.mark.parametrize("change", ["client", "restart"])
def test_another_client_or_a_restart_makes_another_session(server: SrsServer, change: str) -> None:
    stream = server.publish("a")
    (first,) = snapshot(server)

    if change == "client":
        stream["publish"]["cid"] = "another1"
    else:
        server.server_id = "vid-restarted"
    (second,) = snapshot(server)

    assert second.key.path == first.key.path
    assert second.key != first.key


def test_more_than_the_ten_that_it_gives_unasked_are_found(server: SrsServer) -> None:
    for number in range(25):
        server.publish(f"a{number}", cid=f"c{number}")

    assert len(snapshot(server)) == 25


def test_addresses_of_publishers_tell_copies_from_strangers(server: SrsServer) -> None:
    server.publish("a_360p", cid="1", ip="127.0.0.1")
    server.publish("b_360p", cid="2", ip="203.0.113.5")
    rule = RenditionRule(("_360p",))

    found = snapshot(server, needs_addresses=True)

    suffixes = {one.key.path: rule.suffix_of(one) for one in found}
    assert suffixes == {"live/a_360p": "_360p", "live/b_360p": ""}


def test_an_error_in_an_answer_that_looks_well_is_an_error(server: SrsServer) -> None:
    server.publish("a")
    server.code = 1061

    with asked(server) as it:
        it.look()

        assert it.watch.problem == "server edge: it answers with the error 1061"
