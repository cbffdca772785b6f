"""A store of evidence on a disk that ends at any of its writes."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Piece
from streamguard.vault.object_store import ObjectStore
from streamguard.vault.recording import Recordings, adopt
from streamguard.vault.spool import upload, waiting
from tests.small_disk import PAGE_BYTES, SmallDisk, small_disk_at
from tests.vault.made_vaults import evidence_id, made_vault, part, problems, subject

CLIP = b"a clip, " * 2_000
STILL = b"a still, " * 1_000
PARTS = (part(content=CLIP), part("still", STILL))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk_at(tmp_path / "disk", 4 << 20) as mounted:
        yield mounted


def test_evidence_is_kept_whole_or_not_at_all_wherever_the_disk_ends(disk: SmallDisk) -> None:
    """From no room at all, a page more each time, to where there is room for everything."""
    left_behind = set()
    for n_pages in count():
        directory = disk.path / f"{n_pages}" / "evidence"
        vault = made_vault(directory)
        disk.fill(n_pages)
        try:
            vault.keep(subject(1), PARTS)
        except EvidenceUnavailable:
            left_behind.add(frozenset(path.name for path in directory.rglob("*")))
        else:
            break
        assert problems(directory) == []
        disk.free()

        made_vault(directory).keep(subject(1), PARTS)
        assert vault.read(evidence_id(1), 0, "view", actor="anna", purpose="") == CLIP
        assert problems(directory) == []

    assert n_pages * PAGE_BYTES > len(CLIP) + len(STILL)
    assert len(left_behind) > len(("nothing", "keys", "data key", "clip", "still"))


def test_what_a_full_store_does_not_take_waits_until_there_is_room(
    tmp_path: Path, disk: SmallDisk
) -> None:
    for n_pages in count():
        directory = tmp_path / f"{n_pages}" / "evidence"
        store = ObjectStore((disk.path / f"{n_pages}").as_uri(), {})
        vault = made_vault(directory, store=store)
        vault.keep(subject(1), PARTS)
        disk.fill(n_pages)
        try:
            upload(vault)
        except EvidenceUnavailable:
            assert waiting(vault).n_parts > 0
        else:
            break
        assert vault.read(evidence_id(1), 0, "view", actor="anna", purpose="") == CLIP
        disk.free()

        upload(vault)
        assert waiting(vault).n_parts == 0
        assert vault.read(evidence_id(1), 1, "view", actor="anna", purpose="") == STILL

    assert n_pages * PAGE_BYTES > len(CLIP) + len(STILL)


def test_a_clip_that_grows_ends_with_a_whole_piece_wherever_the_disk_ends(disk: SmallDisk) -> None:
    """What it came to is kept as a part once there is room."""
    pieces = [Piece(0, 0, 1000, CLIP, ""), Piece(0, 1000, 2000, STILL, "clip")]
    came_to = set()
    for n_pages in count():
        directory = disk.path / f"{n_pages}" / "evidence"
        recordings = Recordings(made_vault(directory))
        disk.fill(n_pages)
        try:
            for piece in pieces:
                recordings.grow(subject(1), piece)
        except EvidenceUnavailable:
            assert problems(directory) == []
        else:
            break
        recordings.close()
        disk.free()

        vault = made_vault(directory)
        adopt(vault)
        kept = vault.ledger().evidence.get(evidence_id(1))
        items = vault.manifest_of(kept).items if kept else ()
        came_to.add(tuple(item.size_bytes for item in items))
        assert vault.folder.growing_files() == []
        assert problems(directory) == []

    assert came_to == {(), (len(CLIP),), (len(CLIP) + len(STILL),)}


def test_a_clip_that_the_disk_stopped_goes_on_where_it_stood_once_there_is_room(
    disk: SmallDisk,
) -> None:
    """Each piece is there once, wherever the disk ended."""
    pieces = [
        Piece(0, 0, 1000, CLIP, ""),
        Piece(0, 1000, 2000, STILL, "file"),
        Piece(1, 2000, 3000, CLIP, "clip"),
    ]
    n_stops = set()
    for n_pages in count():
        directory = disk.path / f"{n_pages}" / "evidence"
        recordings, stopped = Recordings(made_vault(directory)), []
        disk.fill(n_pages)
        for piece in pieces:
            try:
                recordings.grow(subject(1), piece)
            except EvidenceUnavailable:
                stopped.append(piece)
                disk.free()
                recordings.grow(subject(1), piece)
        disk.free()

        vault = made_vault(directory)
        items = vault.manifest_of(vault.standing(evidence_id(1))).items
        assert [item.size_bytes for item in items] == [len(CLIP) + len(STILL), len(CLIP)]
        assert vault.folder.growing_files() == []
        assert problems(directory) == []
        if not stopped:
            break
        n_stops.update(pieces.index(piece) for piece in stopped)

    assert n_stops == {0, 1, 2}
