"""A clip as one stream of fragmented MP4, from its beginning to wherever it has come."""

from contextlib import closing
from pathlib import Path

import pytest

from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.kept import Ends, Piece
from streamguard.vault.live_clip import SLICE_BYTES, LiveClip
from streamguard.vault.recording import Recordings
from tests.vault.made_vaults import STILL, evidence_id, made_vault, part, problems, subject


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


HEAD = box(b"ftyp", b"iso5") + box(b"moov", bytes(50))
SIZES = (1, 2, 3, 4)
FRAGMENTS = [box(b"moof", bytes(9)) + box(b"mdat", bytes([n]) * n * 1000) for n in SIZES]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def look(root: Path) -> LiveClip:
    return LiveClip(made_vault(root), evidence_id(1), actor="anna", purpose="to see")


def grow(recordings: Recordings, number: int, content: bytes, ends: Ends = "") -> None:
    start_ms = 60_000 * number  # as of a real clip: two files never begin at the same time
    recordings.grow(subject(1), Piece(number, start_ms, start_ms + 1, content, ends))


def all_of(clip: LiveClip) -> tuple[bytes, bool]:
    """Read until nothing comes for now; say whether it is over."""
    content = b""
    while more := clip.read():
        content += more
    return content, more is None


def test_whoever_looks_on_sees_it_grow_over_the_ends_of_files(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    grow(recordings, 0, HEAD + FRAGMENTS[0])
    clip = look(root)

    assert all_of(clip) == (HEAD + FRAGMENTS[0], False)
    assert all_of(clip) == (b"", False)
    grow(recordings, 0, FRAGMENTS[1], "file")
    assert all_of(clip) == (FRAGMENTS[1], False)
    grow(recordings, 1, HEAD + FRAGMENTS[2])
    assert all_of(clip) == (FRAGMENTS[2], False)
    grow(recordings, 1, FRAGMENTS[3], "clip")
    assert all_of(clip) == (FRAGMENTS[3], True)
    assert clip.read() is None
    clip.close()


@pytest.mark.parametrize("n_files", [1, 2, 3])
def test_whoever_comes_late_sees_all_of_it_from_its_beginning(root: Path, n_files: int) -> None:
    recordings = Recordings(made_vault(root))
    for number in range(n_files):
        grow(recordings, number, HEAD + FRAGMENTS[number], "file")
    grow(recordings, n_files, HEAD + FRAGMENTS[3])
    clip = look(root)

    assert all_of(clip) == (HEAD + b"".join([*FRAGMENTS[:n_files], FRAGMENTS[3]]), False)
    grow(recordings, n_files, b"", "clip")
    assert all_of(clip) == (b"", True)


def test_a_clip_that_is_complete_is_given_in_slices(root: Path) -> None:
    large = box(b"moof") + box(b"mdat", bytes(2 * SLICE_BYTES))
    recordings = Recordings(made_vault(root))
    grow(recordings, 0, HEAD + large, "file")
    grow(recordings, 1, HEAD + large, "clip")
    clip = look(root)

    slices = []
    while content := clip.read():
        slices.append(content)

    assert b"".join(slices) == HEAD + large + large
    assert max(map(len, slices)) == SLICE_BYTES


def test_other_parts_of_the_evidence_are_no_part_of_the_clip(root: Path) -> None:
    vault = made_vault(root)
    recordings = Recordings(vault)
    vault.keep(subject(1), (part("still", STILL),))
    grow(recordings, 0, HEAD + FRAGMENTS[0], "file")
    vault.keep(subject(1), (part("still", STILL),))
    grow(recordings, 1, HEAD + FRAGMENTS[1], "clip")

    assert all_of(look(root)) == (HEAD + FRAGMENTS[0] + FRAGMENTS[1], True)


def test_who_looks_is_on_record_before_the_first_byte(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        grow(recordings, 0, HEAD)

        look(root).close()

        *_, entry = made_vault(root).entries()
        assert (entry.action, entry.actor, entry.purpose) == ("view", "anna", "to see")
    assert problems(root) == []


def test_where_there_is_no_clip_there_is_nothing_to_look_at(root: Path) -> None:
    vault = made_vault(root)
    with pytest.raises(ConfigError):
        look(root)
    vault.keep(subject(1), (part("still", STILL),))

    with pytest.raises(EvidenceUnavailable, match="no clip"):
        look(root)

    assert [entry.action for entry in vault.entries()] == ["collect"]


def test_what_was_erased_is_not_shown(root: Path) -> None:
    vault = made_vault(root)
    vault.keep(subject(1), (part(),))
    vault.note(evidence_id(1), "delete", {}, actor="anna", purpose="to erase")

    with pytest.raises(EvidenceUnavailable, match="erased"):
        look(root)
