import socket
import time

import pytest

from loadtest.origin_stream import Listener, LiveStream
from loadtest.ts_blocks import block

Told = list[tuple[str, float]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def stream(told: Told) -> LiveStream:
    frames = block([(b"\0\0\0\1\x65" + bytes(500), 3_000 * n, 3_000 * n) for n in range(30)])
    return LiveStream("a", [frames], [frames], lambda kind, _, __, at: told.append((kind, at)), 0)


def kinds(told: Told) -> list[str]:
    return [kind for kind, _ in told if kind != "keyframe"]


def test_a_connection_is_told_of_when_it_came_and_when_it_has_its_first_frames(
    stream: LiveStream, told: Told
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before_s = time.monotonic()
        stream.join(Listener(ours), came_s=12.5)
        assert kinds(told) == ["connect"]
        stream.send(3)
        stream.send(3)

    assert kinds(told) == ["connect", "join"]
    assert dict(told)["connect"] == 12.5
    assert before_s <= dict(told)["join"] <= time.monotonic()


def test_a_connection_whose_other_end_is_gone_is_told_of_once(
    stream: LiveStream, told: Told
) -> None:
    ours, theirs = socket.socketpair()
    stream.join(Listener(ours), came_s=12.5)
    stream.send(3)
    theirs.close()

    stream.send(3)
    stream.send(3)

    assert kinds(told) == ["connect", "join", "gone"]
    assert stream.n_let_go == 1


def test_keyframes_are_told_of_whether_or_not_somebody_listens(
    stream: LiveStream, told: Told
) -> None:
    stream.send(61)

    assert [kind for kind, _ in told] == ["keyframe"] * 3
