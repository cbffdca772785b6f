"""Clips that grow: on disk encrypted as they come, parts of the evidence when a file is full."""

import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.kept import Ends, Piece
from streamguard.core.manifest import Item
from streamguard.vault.checking import Checked, check
from streamguard.vault.growing import SIZE, TURNED, GrowingFile, GrowingReader, pieces_of
from streamguard.vault.recording import Recordings, adopt, seal
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


def test_no_clip_grows_in_the_evidence_of_another_stream(root: Path) -> None:
    vault = made_vault(root)
    vault.collect(subject(1), ())

    with pytest.raises(EvidenceUnavailable, match="another stream"):
        Recordings(vault).grow(replace(subject(1), stream_id="stream-2"), piece(FIRST))

    assert left_over(root) == []
    assert problems(root) == []


def test_it_is_on_record_before_the_first_byte_is_on_disk(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        recordings.grow(subject(1), piece(FIRST))

        [entry] = made_vault(root).entries()
        assert (entry.action, entry.evidence_id) == ("collect", evidence_id(1))
        assert items(root) == ()
        assert problems(root) == []


def test_a_file_that_becomes_a_part_is_in_memory_no_more_than_twice(root: Path) -> None:
    """Beside a few pieces: the holder of the keys may make several at a time."""
    vault, n_pieces, mebibyte = made_vault(root), 24, 1 << 20
    vault.collect(subject(1), ())
    path = vault.folder.growing(evidence_id(1), 0)
    grown(path, [piece(bytes(mebibyte))] * n_pieces, vault.data_key(evidence_id(1)))

    tracemalloc.start()
    try:
        seal(vault, evidence_id(1), 0)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most_bytes < (2 * n_pieces + 8) * mebibyte


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


def test_what_is_left_of_others_is_kept_where_one_cannot_be(root: Path) -> None:
    vault = made_vault(root)
    for number in (1, 2):
        vault.collect(subject(number), ())
        path = vault.folder.growing(evidence_id(number), 0)
        grown(path, [piece(FIRST)], vault.data_key(evidence_id(number)), number)
    vault.folder.object(evidence_id(1), "key.json").unlink()

    with pytest.raises(EvidenceUnavailable, match="is missing"):
        adopt(vault)

    assert contents(root, 2) == [FIRST]
    assert [path.parent.name for path in left_over(root)] == [evidence_id(1)]


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

    assert adopt(made_vault(root)) == 1
    assert contents(root) == [FIRST]


def test_after_a_failure_a_clip_goes_on_behind_what_is_on_disk(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    with pytest.raises(EvidenceUnavailable, match="not the next"):
        recordings.grow(subject(1), piece(SECOND, 7))
    [path] = left_over(root)
    path.write_bytes(path.read_bytes() + SIZE.pack(99, 99 ^ TURNED) + b"a piece that broke off")

    recordings.grow(subject(1), piece(SECOND))
    recordings.grow(subject(1), piece(THIRD, ends="clip"))

    assert contents(root) == [FIRST + SECOND + THIRD]
    assert left_over(root) == []
    assert problems(root) == []


@pytest.mark.parametrize("ends", ["file", "clip"])
def test_a_piece_that_is_tried_again_is_there_once(root: Path, ends: Ends) -> None:
    """It was written, and there was no room for the part that its file was to become."""
    vault = made_vault(root)
    recordings = Recordings(vault)
    recordings.grow(subject(1), piece(FIRST))
    manifests = root / "manifests"
    manifests.rename(root / "aside")
    manifests.write_bytes(b"")  # no manifest can be written

    with pytest.raises(EvidenceUnavailable):
        recordings.grow(subject(1), piece(SECOND, ends=ends))
    manifests.unlink()
    (root / "aside").rename(manifests)
    kept = recordings.grow(subject(1), piece(SECOND, ends=ends))
    if ends == "file":
        recordings.grow(subject(1), piece(THIRD, 1, "clip"))

    assert kept is not None
    assert contents(root) == [FIRST + SECOND, THIRD][: 1 + (ends == "file")]
    assert left_over(root) == []
    assert problems(root) == []


def test_two_processes_do_not_grow_one_clip(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as one:
        one.grow(subject(1), piece(FIRST))

        with pytest.raises(EvidenceUnavailable, match="cannot be stored"):
            Recordings(made_vault(root)).grow(subject(1), piece(SECOND))

    assert contents(root) == [FIRST]


def test_a_growing_file_that_was_damaged_is_not_gone_on_with(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    with pytest.raises(EvidenceUnavailable, match="not the next"):
        recordings.grow(subject(1), piece(SECOND, 7))
    [path] = left_over(root)
    flip(path, path.stat().st_size - 1)

    with pytest.raises(EvidenceUnavailable, match="not what was written"):
        recordings.grow(subject(1), piece(SECOND))
    with capture_logs():
        recordings.close()

    assert path.with_suffix(".damaged").exists()


def test_what_a_failure_left_is_a_part_when_the_process_ends(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    with pytest.raises(EvidenceUnavailable, match="not the next"):
        recordings.grow(subject(1), piece(SECOND, 7))

    recordings.close()

    assert contents(root) == [FIRST]
    assert left_over(root) == []


def test_a_check_tells_of_what_is_no_part_yet_where_nobody_writes_to_it(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    growing, left = Checked(), Checked()

    assert list(check(made_vault(root), growing)) == []
    with pytest.raises(EvidenceUnavailable):
        recordings.grow(subject(1), piece(SECOND, 7))
    assert list(check(made_vault(root), left)) == []

    assert growing.unsealed == []
    assert left.unsealed == [f"objects/{evidence_id(1)}/clip-0000.growing"]


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


def grown(path: Path, given: list[Piece], key: bytes = KEY, of: int = 1) -> None:
    with closing(GrowingFile(path, key, subject(of), 0)) as file:
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
        pieces, damage = pieces_of(file, KEY, evidence_id(1), 0)
    held = [found.content for _, found in pieces]

    assert damage is None
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
        pieces, damage = pieces_of(file, KEY, evidence_id(1), 0)
    held = [found.content for _, found in pieces]

    assert held in ([], [b"one"])
    assert damage


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << at % 8
    path.write_bytes(content)


def test_a_byte_that_changed_before_its_file_became_a_part_is_told_and_the_file_kept(
    root: Path,
) -> None:
    """Each byte of a file, each in an evidence of its own."""
    vault, pieces = made_vault(root), [piece(HEAD), piece(THIRD)]
    grown(root.parent / "measured", pieces)
    of_all = range(1, 1 + (root.parent / "measured").stat().st_size)
    for number in of_all:
        vault.collect(subject(number), ())
        path = vault.folder.growing(evidence_id(number), 0)
        grown(path, pieces, vault.data_key(evidence_id(number)), number)
        flip(path, number - 1)

    with capture_logs() as lines:
        adopt(vault)

    ids = [evidence_id(number) for number in of_all]
    told = [each for each in vault.entries() if each.action == "verify"]
    assert left_over(root) == []
    assert {each.where for each in problems(root)} == {
        f"objects/{each}/clip-0000.damaged" for each in ids
    }
    assert sorted(each["evidence_id"] for each in lines) == ids
    assert {(each["event"], each["log_level"]) for each in lines} == {
        ("evidence_clip_damaged", "error")
    }
    assert sorted(each.evidence_id for each in told) == ids
    assert {(each.detail["result"], each.detail["file"]) for each in told} == {
        ("damaged", "clip-0000.damaged")
    }


def test_what_came_before_the_damage_is_a_part_that_says_it_was_cut_short(root: Path) -> None:
    recordings = Recordings(made_vault(root))
    recordings.grow(subject(1), piece(FIRST))
    [path] = left_over(root)
    at = path.stat().st_size
    recordings.grow(subject(1), piece(SECOND))
    flip(path, at + 40)
    damaged = path.read_bytes()

    kept = recordings.grow(subject(1), piece(THIRD, ends="file"))
    recordings.grow(subject(1), piece(HEAD, 1, "clip"))

    assert kept is not None
    assert contents(root) == [FIRST, HEAD]
    cut, whole = items(root)
    assert "cut short, its file was damaged: piece 1 is not what was written" in cut.transform
    assert "cut short" not in whole.transform
    assert path.with_suffix(".damaged").read_bytes().startswith(damaged)
    assert [each.where for each in problems(root)] == [
        f"objects/{evidence_id(1)}/clip-0000.damaged"
    ]


@pytest.mark.parametrize(("n_more", "is_told"), [(0, False), (1, True)])
def test_a_file_that_lost_its_end_is_told_where_it_is_known_how_much_was_written(
    root: Path, n_more: int, *, is_told: bool
) -> None:
    vault = made_vault(root)
    vault.collect(subject(1), ())
    path = vault.folder.growing(evidence_id(1), 0)
    grown(path, [piece(FIRST)], vault.data_key(evidence_id(1)))

    seal(vault, evidence_id(1), 0, n_bytes=len(FIRST) + n_more)

    [item] = items(root)
    assert contents(root) == [FIRST]
    assert ("1 bytes at its end are missing" in item.transform) == is_told
    assert path.with_suffix(".damaged").exists() == is_told
    assert bool(problems(root)) == is_told


def test_a_damaged_file_whose_part_was_kept_before_a_crash_is_put_aside_after_it(
    root: Path,
) -> None:
    vault = made_vault(root)
    vault.collect(subject(1), ())
    path = vault.folder.growing(evidence_id(1), 0)
    grown(path, [piece(FIRST), piece(SECOND)], vault.data_key(evidence_id(1)))
    flip(path, path.stat().st_size - 1)
    adopt(vault)
    path.with_suffix(".damaged").rename(path)  # as it was between the two

    assert adopt(made_vault(root)) == 0

    assert contents(root) == [FIRST]
    assert left_over(root) == []
    assert [each.where for each in problems(root)] == [
        f"objects/{evidence_id(1)}/clip-0000.damaged"
    ]
