import itertools
from collections.abc import Iterator

from loadtest.live_figures import Sent
from loadtest.stat_watch import PICTURE_BYTES, StatWatch
from tests.processes import until
from tests.servers import Connection, serving

READER = "<client><id>{}</id><time>{}</time></client>"
PUBLISHER = "<client><id>{}</id><time>{}</time><publishing/></client>"


def page(clients: str, n_bytes: int = 0, pid: int = 7) -> bytes:
    stream = f"<stream><name>a</name><bytes_out>{n_bytes}</bytes_out>{clients}</stream>"
    live = f"<application><live>{stream}</live></application>"
    return f"<rtmp><pid>{pid}</pid><server>{live}</server></rtmp>".encode()


def told(*pages: bytes | None) -> list[Sent]:
    """Give what is made of these answers, of which the last one stays; None is no answer."""
    answers: Iterator[bytes | None] = itertools.chain(pages, itertools.repeat(pages[-1]))

    def answer(connection: Connection) -> None:
        body = next(answers)
        if body is not None:
            connection.head(len(body))
            connection.send(body)

    with serving(answer) as server, StatWatch(server.port) as watch:
        until(lambda: len(server.requests) > len(pages) + 1)
    return watch.lines


def test_a_reader_comes_gets_its_first_frame_and_is_gone() -> None:
    there = READER.format(3, 500)

    lines = told(page(there, 100), page(there, 100), page(there, 9_000), page(there, 99_000), None)

    assert [(line.kind, line.stream) for line in lines] == [
        ("connect", "a"),
        ("join", "a"),
        ("gone", "a"),
    ]
    connected, joined, gone = (line.sent_s for line in lines)
    assert 0.5 <= joined - connected < gone - connected


def test_a_reader_that_is_first_seen_with_its_picture_has_joined_after_it_came() -> None:
    lines = told(page("", 100), page(READER.format(3, 5), 99_000))

    assert [line.kind for line in lines] == ["connect", "join"]
    assert lines[1].sent_s >= lines[0].sent_s


def test_a_reader_that_gets_sound_alone_has_not_joined() -> None:
    there = READER.format(3, 10)

    lines = told(*(page(there, PICTURE_BYTES * n) for n in range(4)))

    assert [line.kind for line in lines] == ["connect"]


def test_a_publisher_is_told_of_once_until_it_comes_anew() -> None:
    lines = told(page(PUBLISHER.format(2, 5)), page(PUBLISHER.format(2, 30)), page(""))
    again = told(page(PUBLISHER.format(2, 5)), page(PUBLISHER.format(2, 5), pid=8))

    assert [line.kind for line in lines] == ["publish"]
    assert [line.kind for line in again] == ["publish", "publish"]


def test_an_answer_that_breaks_off_is_none() -> None:
    whole = page(READER.format(3, 10))

    lines = told(whole, whole[:-20], whole)

    assert [line.kind for line in lines] == ["connect", "gone", "connect"]
