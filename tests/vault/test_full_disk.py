"""A store of evidence on a disk that ends at any of its writes."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.disk_probe import room
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Piece
from streamguard.core.shedding import scarcity
from streamguard.core.types import Severity
from streamguard.parts.evidence_parts import open_vault
from streamguard.runtime.shedder import Shedder
from streamguard.sections.evidence_section import EvidenceSection
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


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk_at(tmp_path / "shared", 64 << 20) as mounted:
        yield mounted


def refused(recordings: Recordings, piece: Piece) -> str:
    """Let a clip grow until it is refused; say why."""
    for _ in range(1000):
        try:
            recordings.grow(subject(1), piece)
        except EvidenceUnavailable as error:
            return str(error)
    return ""


def test_evidence_that_fills_the_disk_of_the_log_leaves_it_room_for_flags(
    shared: SmallDisk,
) -> None:
    """No flag goes for a clip, of whatever severity, and clips go on once there is room again."""
    section = EvidenceSection(directory=shared.path / "evidence")
    recordings = Recordings(open_vault(section, "studio"))
    minute = Piece(0, 0, 1000, bytes(1 << 20), "")
    with SqliteLog(shared.path / "log.db") as event_log:
        gone: list[Severity] = []
        room_of_log = partial(room, shared.path)
        shedder = Shedder(event_log, room_of_log, SystemClock(), gone.append)
        assert "left to the event log" in refused(recordings, minute)
        with pytest.raises(EvidenceUnavailable, match="left to the event log"):
            recordings.collect(subject(1), (part(content=bytes(1 << 20)),))

        for first in range(0, 1000, 100):
            shedder.append([opened(n, severity=f"P{n % 4}") for n in range(first, first + 100)])
        assert gone == []
        assert event_log.end_offset() == 1001

    recordings.close()
    assert scarcity(room_of_log()) is None
    assert problems(shared.path / "evidence") == []


def test_where_there_is_room_again_a_clip_goes_on(tmp_path: Path) -> None:
    free_bytes = [2000]
    vault = made_vault(tmp_path / "evidence", has_room=lambda n_bytes: n_bytes <= free_bytes[0])
    recordings = Recordings(vault)
    recordings.grow(subject(1), Piece(0, 0, 1000, bytes(2000), ""))

    with pytest.raises(EvidenceUnavailable, match="left to the event log"):
        recordings.grow(subject(1), Piece(0, 0, 2000, bytes(2001), "clip"))
    free_bytes[0] = 2001
    with pytest.raises(EvidenceUnavailable, match="left to the event log"):
        recordings.grow(subject(1), Piece(0, 0, 2000, bytes(2001), "clip"))  # it is there twice
    free_bytes[0] = 5000
    recordings.grow(subject(1), Piece(0, 0, 2000, bytes(2001), "clip"))

    [item] = vault.manifest_of(vault.standing(evidence_id(1))).items
    assert item.size_bytes == 4001
