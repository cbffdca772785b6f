import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import Kept, Part, Piece, Subject
from streamguard.vault.channel import (
    LENGTH,
    MAX_OFFER_BYTES,
    MAX_WORDS_BYTES,
    Described,
    Offer,
    VaultPipe,
    serve,
)
from streamguard.vault.recording import Recordings
from tests.kept import content_of
from tests.vault.made_vaults import CLIP, STILL, evidence_id, made_vault, part, problems, subject

DEADLINE_S = 60.0


class Unheard:
    """Keeps nothing, and is never to be asked."""

    def __init__(self) -> None:
        self.is_closed = False

    def collect(self, _: Subject, parts: Sequence[Part]) -> Kept:
        pytest.fail(f"{parts} are not to be kept")

    def grow(self, _: Subject, piece: Piece) -> Kept | None:
        pytest.fail(f"{piece} is not to be kept")

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_parts_come_to_the_vault_and_their_places_come_back(
    tmp_path: Path, ends: tuple[socket.socket, socket.socket]
) -> None:
    vault = made_vault(tmp_path / "evidence")
    thread = serve(ends[0], Recordings(vault))
    pipe = VaultPipe(ends[1])
    large = CLIP * 5000  # more than a socket takes at once

    first = pipe.collect(subject(1), (part(content=large), part("still", STILL))).parts
    empty = replace(
        part(content=b""), transform="cut to nothing", derived_from="clip", ingest_ms=1_000
    )
    (second,) = pipe.collect(subject(1), (empty,)).parts
    ends[1].close()
    thread.join(DEADLINE_S)

    assert [content_of(each.model_dump()) for each in first] == [large, STILL]
    assert content_of(second.model_dump()) == b""
    items = vault.manifest_of(vault.standing(subject(1).evidence_id)).items
    assert [item.transform for item in items] == ["", "", "cut to nothing"]
    assert [item.derived_from for item in items] == ["", "", "clip"]
    assert [item.ingest_time for item in items] == ["", "", "1970-01-01T00:00:01.000Z"]
    assert not thread.is_alive()
    assert problems(tmp_path / "evidence") == []


def test_what_cannot_be_kept_is_told_and_the_next_may_be_tried(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    refusals = iter(["the disk is full"])

    class Refusing(Unheard):
        def collect(self, _: Subject, parts: Sequence[Part]) -> Kept:
            for problem in refusals:
                raise EvidenceUnavailable(problem)
            one = Artifact(uri="file:///a", sha256="0" * 64, size_bytes=1)
            return Kept(tuple(one for _ in parts), one)

    serve(ends[0], Refusing())
    pipe = VaultPipe(ends[1])

    with pytest.raises(EvidenceUnavailable, match="the disk is full"):
        pipe.collect(subject(1), (part(),))
    assert len(pipe.collect(subject(1), (part(),)).parts) == 1


def test_a_supervisor_that_is_gone_costs_the_evidence_alone(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ends[0].close()

    with pytest.raises(EvidenceUnavailable, match="takes no evidence"):
        VaultPipe(ends[1]).collect(subject(1), (part(),))


@pytest.mark.parametrize(
    "words",
    [
        b"nonsense",
        b"",
        msgspec.msgpack.encode(Offer("../../etc", "a", "b", ())),
        msgspec.msgpack.encode(Offer(evidence_id(1).upper(), "a", "b", ()))[:-1],
        msgspec.msgpack.encode(
            Offer(evidence_id(1), "a", "b", (Described("../x", "", 0, 0, True, 1),))  # noqa: FBT003  # a record
        ),
        msgspec.msgpack.encode(
            Offer(evidence_id(1), "a", "b", (Described("x", "", 0, 0, True, 1 << 40),))  # noqa: FBT003  # a record
        ),
    ],
)
def test_a_worker_that_talks_nonsense_is_heard_no_more(
    ends: tuple[socket.socket, socket.socket], words: bytes
) -> None:
    with capture_logs() as lines:
        thread = serve(ends[0], Unheard())
        ends[1].sendall(LENGTH.pack(len(words)) + words)
        ended = ends[1].recv(1)
        thread.join(DEADLINE_S)

    assert ended == b""
    assert not thread.is_alive()
    assert [line["event"] for line in lines] == ["evidence_offer_invalid"]


@pytest.mark.parametrize(
    ("n_bytes", "is_too_much"), [(MAX_OFFER_BYTES, False), (MAX_OFFER_BYTES + 1, True)]
)
def test_parts_that_are_too_much_together_are_refused_before_they_are_received(
    ends: tuple[socket.socket, socket.socket], n_bytes: int, *, is_too_much: bool
) -> None:
    """Each of them alone would do."""
    half = Described("still", "image/jpeg", 0, 0, False, n_bytes // 2)  # noqa: FBT003  # a record
    rest = Described("still", "image/jpeg", 0, 0, False, n_bytes - n_bytes // 2)  # noqa: FBT003  # as above
    words = msgspec.msgpack.encode(Offer(evidence_id(1), "a", "b", (half, rest)))

    with capture_logs() as lines:
        thread = serve(ends[0], Unheard())
        ends[1].sendall(LENGTH.pack(len(words)) + words)
        if not is_too_much:
            ends[1].shutdown(socket.SHUT_WR)  # it waits for what was announced
        thread.join(DEADLINE_S)

    assert not thread.is_alive()
    assert [line["event"] for line in lines] == ["evidence_offer_invalid"] * is_too_much


def test_a_worker_hands_over_no_more_than_is_taken(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    parts = [
        part(content=bytes(MAX_OFFER_BYTES // 2)),
        part(content=bytes(MAX_OFFER_BYTES // 2 + 1)),
    ]

    with pytest.raises(EvidenceUnavailable, match="larger than can be kept"):
        VaultPipe(ends[1]).collect(subject(1), parts)


def test_words_without_an_end_are_refused_before_they_are_read(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with capture_logs():
        thread = serve(ends[0], Unheard())
        ends[1].sendall(struct.pack("<I", MAX_WORDS_BYTES + 1))
        thread.join(DEADLINE_S)

    assert not thread.is_alive()
