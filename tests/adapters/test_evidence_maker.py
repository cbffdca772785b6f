"""Clips and stills are made and kept, in a vault and, for the demo, in plain files."""

import hashlib
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from streamguard.adapters import evidence_maker
from streamguard.adapters.evidence_dir import EvidenceDir
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.core.custody import instant
from streamguard.core.errors import EvidenceUnavailable, EvidenceWaits
from streamguard.core.event_data import Artifact
from streamguard.core.types import Codec, Packet
from streamguard.vault.growing import pieces_of
from streamguard.vault.live_clip import LiveClip
from streamguard.vault.recording import Recordings
from tests.clock import EPOCH_S, FakeClock
from tests.kept import content_of, path_of
from tests.media import Recipe, packets, plain_decode, video
from tests.vault.made_vaults import made_vault, problems, subject

STILL_US = 400_000

Found = tuple[Codec, tuple[Packet, ...]]


@pytest.fixture(scope="module")
def found() -> Found:
    codec, read = packets(video("mpegts", Recipe(bf=2)))
    return codec, tuple(read)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@dataclass(frozen=True)
class Saved:
    clip: Artifact | None
    still: Artifact | None
    blurhash: str | None


def maker(root: Path) -> EvidenceMaker:
    return EvidenceMaker(Recordings(made_vault(root)), FakeClock())


def saved(
    store: EvidenceMaker, n: int, codec: Codec, found: tuple[Packet, ...], at_us: int = STILL_US
) -> Saved:
    """Make clip and still as far as they can be made; raise where neither can."""
    still = clip = problem = None
    try:
        still = store.still(subject(n), codec, found, at_us)
    except EvidenceUnavailable as error:
        problem = error
    try:
        growing = store.clip(subject(n), codec)
        assert growing.add(found) == []
        clip = next(iter(growing.close()), None)
    except EvidenceUnavailable as error:
        problem = error
    if problem and not (still or clip):
        raise problem
    return Saved(clip and clip.parts[0], still and still.kept.parts[0], still and still.blurhash)


@contextmanager
def disk_with(free_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def told(artifact: Artifact | None) -> dict[str, object]:
    assert artifact is not None
    return artifact.model_dump()


def test_a_clip_and_a_still_are_kept_as_told(root: Path, found: Found) -> None:
    evidence = saved(maker(root), 1, *found)

    assert content_of(told(evidence.clip))[4:8] == b"ftyp"
    assert content_of(told(evidence.still)).startswith(b"\xff\xd8")
    assert evidence.blurhash
    assert problems(root) == []


def test_the_manifest_says_what_they_show(root: Path, found: Found) -> None:
    vault = made_vault(root)
    saved(EvidenceMaker(Recordings(vault), FakeClock()), 1, *found)

    manifest = vault.manifest_of(vault.standing(subject(1).evidence_id))

    still, clip = manifest.items
    times_us = [packet.pts_us for packet in found[1]]
    assert (clip.start_ms, clip.end_ms) == (min(times_us) // 1000, max(times_us) // 1000)
    assert (still.start_ms, still.end_ms) == (400, 400)
    assert (clip.is_original, still.is_original) == (True, False)
    shown = next(packet for packet in found[1] if packet.pts_us == STILL_US)
    read_s = [found[1][0].read_at_s, shown.read_at_s]
    assert [clip.ingest_time, still.ingest_time] == [instant(EPOCH_S + at) for at in read_s]
    assert (clip.clock_basis, clip.derived_from, still.derived_from) == ("ingest", "", "clip")
    assert (manifest.stream_id, manifest.session_id) == ("stream-1", subject(1).session_id)


@pytest.mark.parametrize("name", ["with space", "wie?#@=&", "ümlaut-日本", "a" * 200])
def test_a_directory_of_any_name_can_be_told(tmp_path: Path, found: Found, name: str) -> None:
    evidence = saved(maker(tmp_path / name), 1, *found)

    assert path_of(told(evidence.clip)).is_file()
    assert path_of(told(evidence.still)).is_file()


def test_a_directory_whose_name_no_event_can_hold_is_refused_at_once(tmp_path: Path) -> None:
    too_long = tmp_path.joinpath(*["日" * 60] * 2)  # nine characters a sign in a URI

    with pytest.raises(EvidenceUnavailable):
        maker(too_long)


def test_a_relative_directory_is_told_in_full(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    evidence = saved(maker(Path("here")), 1, *found)

    assert path_of(told(evidence.clip)).is_relative_to(tmp_path / "here")


def test_packets_that_have_left_the_ring_are_no_evidence(root: Path, found: Found) -> None:
    with pytest.raises(EvidenceUnavailable):
        saved(maker(root), 1, found[0], ())

    assert not root.exists()


def test_a_codec_without_clips_still_gives_a_still(root: Path) -> None:
    codec, read = packets(video("avi", Recipe(codec="mpeg4", n_frames=5)))

    evidence = saved(maker(root), 1, codec, tuple(read), 0)

    assert evidence.clip is None
    assert content_of(told(evidence.still))


def test_what_gives_neither_is_unavailable_and_leaves_nothing(root: Path) -> None:
    with pytest.raises(EvidenceUnavailable) as caught:
        saved(maker(root), 1, Codec("h264", b"", 0, 0), (noise(),), 0)

    assert "\n" not in str(caught.value)
    assert not root.exists()


def noise() -> Packet:
    return Packet(0, 0, 0, is_keyframe=True, read_at_s=0.0, payload=b"noise" * 20)


def test_a_full_disk_makes_evidence_unavailable_and_damages_nothing(
    root: Path, found: Found
) -> None:
    kept = saved(maker(root), 1, *found)

    with disk_with(100), pytest.raises(EvidenceUnavailable) as caught:
        saved(maker(root), 2, *found)

    assert "\n" not in str(caught.value)
    assert problems(root) == []
    assert content_of(told(kept.clip))


def test_a_disk_that_holds_the_still_alone_keeps_the_still(root: Path, found: Found) -> None:
    whole = saved(maker(root), 1, *found)
    assert whole.clip is not None
    assert whole.still is not None

    with disk_with(max(whole.still.size_bytes + 100, 8_000)):
        evidence = saved(maker(root), 2, *found)

    assert whole.clip.size_bytes > 8_000
    assert evidence.clip is None
    assert evidence.still is not None
    assert evidence.still.sha256 == whole.still.sha256
    assert problems(root) == []


def test_after_space_was_made_evidence_is_stored_again(root: Path, found: Found) -> None:
    store = maker(root)
    with disk_with(100), pytest.raises(EvidenceUnavailable):
        saved(store, 1, *found)

    assert saved(store, 1, *found).clip is not None
    assert problems(root) == []


def test_the_demo_keeps_plain_files(root: Path, found: Found) -> None:
    evidence = saved(EvidenceMaker(EvidenceDir(root), FakeClock()), 1, *found)

    for artifact, name in ((evidence.clip, "clip.mp4"), (evidence.still, "still.jpg")):
        path = path_of(told(artifact))
        assert path == root / subject(1).evidence_id / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == told(artifact)["sha256"]
    assert root.stat().st_mode & 0o777 == 0o700


def test_plain_files_that_cannot_be_stored_are_said_in_one_line(root: Path, found: Found) -> None:
    root.touch()

    with pytest.raises(EvidenceUnavailable, match="cannot be stored"):
        saved(EvidenceMaker(EvidenceDir(root), FakeClock()), 1, *found)


def test_a_clip_is_kept_in_files_of_a_minute_that_are_watched_as_one(root: Path) -> None:
    codec, read = packets(video("mpegts", Recipe(bf=2, n_frames=75)))
    slow = [  # a second of the video takes thirty
        replace(each, pts_us=each.pts_us * 30, dts_us=each.dts_us * 30) for each in read
    ]
    vault = made_vault(root)
    clip = EvidenceMaker(Recordings(vault), FakeClock()).clip(subject(1), codec)

    [first] = clip.add(slow[:60])
    assert clip.add(slow[60:]) == []
    [second] = clip.close()

    look = LiveClip(vault, subject(1).evidence_id, actor="a test", purpose="to look")
    watched = b"".join(iter(look.read, None))
    files = [content_of(told(each.parts[0])) for each in (first, second)]
    assert [len(plain_decode(file, "mp4")) for file in files] == [50, 25]
    assert watched.startswith(files[0])
    assert len(plain_decode(watched, "mp4")) == 75


@pytest.mark.parametrize("n_bytes", [0, 1, 4000, 9000])
def test_a_clip_whose_disk_was_full_for_a_while_lacks_nothing(
    root: Path, found: Found, monkeypatch: pytest.MonkeyPatch, n_bytes: int
) -> None:
    monkeypatch.setattr(evidence_maker, "PIECE_BYTES", 3000)
    whole = content_of(told(saved(maker(root), 1, *found).clip))
    clip = EvidenceMaker(Recordings(made_vault(root)), FakeClock()).clip(subject(2), found[0])

    with disk_with(n_bytes), pytest.raises(EvidenceWaits):
        clip.add(found[1][:40])
    assert clip.add(found[1][40:]) == []
    [kept] = clip.close()

    assert content_of(told(kept.parts[0])) == whole
    assert problems(root) == []


def test_a_clip_that_cannot_be_ended_for_a_while_is_ended_later(root: Path, found: Found) -> None:
    clip = EvidenceMaker(Recordings(made_vault(root)), FakeClock()).clip(subject(1), found[0])
    clip.add(found[1])

    for _ in range(2):
        with disk_with(0), pytest.raises(EvidenceWaits):
            clip.close()
    [kept] = clip.close()

    assert len(plain_decode(content_of(told(kept.parts[0])), "mp4")) == len(found[1])
    assert clip.close() == []
    assert problems(root) == []


def test_a_clip_begins_where_decoding_may_begin(root: Path, found: Found) -> None:
    clip = EvidenceMaker(Recordings(made_vault(root)), FakeClock()).clip(subject(1), found[0])

    assert clip.add(found[1][1:25]) == []
    assert not root.exists()
    clip.add(found[1][25:])
    [kept] = clip.close()

    assert len(plain_decode(content_of(told(kept.parts[0])), "mp4")) == 25


def test_what_was_before_a_flag_is_handed_over_a_piece_at_a_time(
    root: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_maker, "PIECE_BYTES", 3000)
    whole = saved(maker(root), 1, *found)
    with closing(Recordings(made_vault(root))) as recordings:
        EvidenceMaker(recordings, FakeClock()).clip(subject(2), found[0]).add(found[1])
        [path] = made_vault(root).folder.growing_files()
        key = made_vault(root).data_key(subject(2).evidence_id)
        with path.open("rb") as file:
            pieces, damage = pieces_of(file, key, subject(2).evidence_id, 0)

    assert damage is None
    grown = b"".join(piece.content for _, piece in pieces)
    assert len(pieces) > 1
    assert content_of(told(whole.clip)).startswith(grown)
