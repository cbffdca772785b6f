"""Clips that grow: on disk encrypted as they come, parts of the evidence when a file is full."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.kept import Ends, Piece
from streamguard.core.manifest import Item
from streamguard.vault.growing import GrowingFile, GrowingReader, pieces_of
from streamguard.vault.recording import Recordings, adopt
from tests.vault.made_vaults import evidence_id, made_vault, problems, subject

KEY = bytes(32)
HEAD, FIRST, SECOND, THIRD = b"head", b"first" * 99, b"second" * 77, b"third"


def piece(content: bytes, number: int = 0, ends: Ends = "", end_ms: int = 5000) -> Piece:
    return Piece(number, 4000 + number, end_ms, content, ends)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def items(root: Path, number: int = 1) -> tuple[Item, ...]:
    vault = made_vault(root)
    return vault.manifest_of(vault.standing(evidence_id(number))).items


def contents(root: Path, number: int = 1) -> list[bytes]:
    vault = made_vault(root)
    key = vault.data_key(evidence_id(number))
    return [vault.content_of(evidence_id(number), each, key) for each in items(root, number)]


def left_over(root: Path) -> list[Path]:
    return made_vault(root).folder.growing_files()


def test_each_file_of_a_clip_becomes_a_part_when_it_ends(root: Path) -> None:
    recordings = Recordings(made_vault(root))

    for content in (HEAD, FIRST):
        assert recordings.grow(subject(1), piece(content)) is None
    first = recordings.grow(subject(1), piece(b"", ends="file", end_ms=6000))
    recordings.grow(subject(1), piece(SECOND, 1))
    last = recordings.grow(subject(1), piece(THIRD, 1, "clip", end_ms=9000))

    assert contents(root) == [HEAD + FIRST, SECOND + THIRD]
    assert [(each.role, each.media_type, each.is_original) for each in items(root)] == [
        ("clip", "video/mp4", True)
    ] * 2
    assert [(each.start_ms, each.end_ms) for each in items(root)] == [(4000, 6000), (4001, 9000)]
    assert first is not None
    assert last is not None
    assert last.manifest is not None
    assert [first.parts[0].sha256, last.parts[0].sha256] == [each.sha256 for each in items(root)]
    assert left_over(root) == []
    assert problems(root) == []


def test_it_is_on_record_before_the_first_byte_is_on_disk(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        recordings.grow(subject(1), piece(FIRST))

        [entry] = made_vault(root).entries()
        assert (entry.action, entry.evidence_id) == ("collect", evidence_id(1))
        assert items(root) == ()
        assert problems(root) == []


def test_nothing_of_a_clip_is_ever_on_disk_in_plain(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        recordings.grow(subject(1), piece(FIRST))
        recordings.grow(subject(1), piece(SECOND, ends="file"))
        recordings.grow(subject(1), piece(THIRD, 1))

        stored = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())

    assert [word for word in (b"firstfirst", b"secondsecond", THIRD) if word in stored] == []


def test_what_a_process_that_was_killed_had_collected_is_kept_at_the_next_start(
    root: Path,
) -> None:
    vault = made_vault(root)
    vault.collect(subject(1), ())
    path = vault.folder.growing(evidence_id(1), 0)
    grown(path, [piece(FIRST), piece(SECOND)], vault.data_key(evidence_id(1)))
    path.write_bytes(path.read_bytes()[:-7])  # the last piece was cut off

    assert adopt(made_vault(root)) == 1

    assert contents(root) == [FIRST]
    assert left_over(root) == []
    assert problems(root) == []
    assert adopt(made_vault(root)) == 0


def test_what_was_kept_before_a_process_was_killed_is_not_kept_twice(root: Path) -> None:
    """It is killed between the two: the part is in the vault, and the growing file still there."""
    vault = made_vault(root)
    vault.collect(subject(1), ())
    path = vault.folder.growing(evidence_id(1), 0)
    grown(path, [piece(FIRST)], vault.data_key(evidence_id(1)))
    before = path.read_bytes()
    assert adopt(vault) == 1
    path.write_bytes(before)

    assert adopt(made_vault(root)) == 0

    assert contents(root) == [FIRST]
    assert left_over(root) == []


def test_what_another_process_still_writes_is_left_to_it(root: Path) -> None:
    writing = Recordings(made_vault(root))
    writing.grow(subject(1), piece(FIRST))

    assert adopt(made_vault(root)) == 0

    writing.grow(subject(1), piece(SECOND, ends="clip"))
    assert contents(root) == [FIRST + SECOND]


def test_when_a_worker_is_gone_its_clips_are_kept_as_far_as_they_came(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    recordings.grow(subject(2), piece(SECOND, ends="file"))

    recordings.close()
    recordings.close()

    assert contents(root, 1) == [FIRST]
    assert contents(root, 2) == [SECOND]
    assert left_over(root) == []


def test_a_piece_that_does_not_follow_is_refused_and_what_came_stays(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))

    with pytest.raises(EvidenceUnavailable, match="not the next"):
        recordings.grow(subject(1), piece(SECOND, 7))
    with pytest.raises(EvidenceUnavailable, match="cannot be stored"):
        recordings.grow(subject(1), piece(SECOND))

    assert adopt(made_vault(root)) == 1
    assert contents(root) == [FIRST]


def test_nothing_is_added_to_what_was_erased(root: Path) -> None:
    vault = made_vault(root)
    recordings = Recordings(vault)
    recordings.grow(subject(1), piece(FIRST))
    with vault.changing() as chain:
        chain.append(evidence_id(1), "delete", {}, actor="a test", purpose="to erase")
        vault.folder.erase(evidence_id(1))
        chain.append(evidence_id(1), "erased", {}, actor="a test", purpose="to erase")

    with pytest.raises(EvidenceUnavailable):
        recordings.grow(subject(1), piece(SECOND, ends="clip"))

    assert not (root / "objects" / evidence_id(1)).exists()
    assert problems(root) == []


def grown(path: Path, given: list[Piece], key: bytes = KEY) -> None:
    with closing(GrowingFile(path, key, subject(1), 0)) as file:
        for each in given:
            file.append(each)


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(min_value=0))
def test_a_growing_file_that_was_cut_off_holds_what_came_before(
    tmp_path_factory: pytest.TempPathFactory, given: list[bytes], at: int
) -> None:
    path = tmp_path_factory.mktemp("growing") / "clip"
    grown(path, [piece(content) for content in given])
    whole = path.read_bytes()
    path.write_bytes(whole[: at % (len(whole) + 1)])

    with path.open("rb") as file:
        held = [found.content for _, found in pieces_of(file, KEY, evidence_id(1), 0)]

    assert held == given[: len(held)]
    assert at % (len(whole) + 1) < len(whole) or held == given


def test_whoever_reads_on_has_each_piece_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    file = GrowingFile(path, KEY, subject(1), 3)
    reader = GrowingReader(path.open("rb", buffering=0), KEY, evidence_id(1), 3)

    assert reader.next() is None
    for content in (FIRST, b"", SECOND):
        written = replace(piece(content, 3), ends="file" if content == SECOND else "")
        file.append(written)
        assert reader.next() == (subject(1), written)
        assert reader.next() is None

    file.close()
    reader.close()


@pytest.mark.parametrize(
    ("key", "number", "other"), [(bytes([1] * 32), 0, 1), (KEY, 1, 1), (KEY, 0, 2)]
)
def test_a_growing_file_of_elsewhere_is_not_opened(
    tmp_path: Path, key: bytes, number: int, other: int
) -> None:
    path = tmp_path / "clip"
    grown(path, [piece(FIRST)])

    with path.open("rb") as file, pytest.raises(EvidenceDamaged):
        GrowingReader(file, key, evidence_id(other), number).next()


@given(st.data())
def test_a_bit_that_was_flipped_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("growing") / "clip"
    grown(path, [piece(b"one"), piece(b"two")])
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8
    path.write_bytes(whole)

    with path.open("rb") as file:
        held = [found.content for _, found in pieces_of(file, KEY, evidence_id(1), 0)]

    assert held in ([], [b"one"])
