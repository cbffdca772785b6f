import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from streamguard.adapters.evidence_dir import EvidenceDir
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.types import Codec, Packet
from tests.media import Recipe, packets, video

NAME = "0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"
STILL_US = 400_000

Found = tuple[Codec, tuple[Packet, ...]]


@pytest.fixture(scope="module")
def found() -> Found:
    codec, read = packets(video("mpegts", Recipe(bf=2)))
    return codec, tuple(read)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@contextmanager
def disk_with(free_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def path_of(artifact: Artifact | None) -> Path:
    assert artifact is not None
    parts = urlsplit(artifact.uri)
    assert (parts.scheme, parts.netloc) == ("file", "")
    return Path(unquote(parts.path))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def test_a_clip_and_a_still_are_stored_as_told(root: Path, found: Found) -> None:
    evidence = EvidenceDir(root).save(NAME, *found, STILL_US)

    assert evidence.state == "ready"
    assert names_in(root) == {NAME, f"{NAME}/clip.mp4", f"{NAME}/still.jpg"}
    for artifact, name in ((evidence.clip, "clip.mp4"), (evidence.still, "still.jpg")):
        content = path_of(artifact).read_bytes()
        assert artifact is not None
        assert path_of(artifact) == root / NAME / name
        assert artifact.sha256 == hashlib.sha256(content).hexdigest()
        assert artifact.size_bytes == len(content)
    assert evidence.blurhash


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_look(root: Path, found: Found, umask: int) -> None:
    before = os.umask(umask)
    try:
        EvidenceDir(root).save(NAME, *found, STILL_US)
    finally:
        os.umask(before)

    assert mode_of(root) == mode_of(root / NAME) == 0o700
    assert mode_of(root / NAME / "clip.mp4") == mode_of(root / NAME / "still.jpg") == 0o600


def test_a_directory_that_was_open_to_others_is_closed(root: Path) -> None:
    root.mkdir(mode=0o755)

    EvidenceDir(root)

    assert mode_of(root) == 0o700


def test_a_directory_that_others_use_is_refused_and_left_open(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir(mode=0o755)
    (root / "of-somebody-else").touch()

    with pytest.raises(EvidenceUnavailable, match="chmod 700"):
        EvidenceDir(root)

    assert mode_of(root) == 0o755


def test_saving_again_replaces(root: Path, found: Found) -> None:
    store = EvidenceDir(root)
    first = store.save(NAME, *found, STILL_US)

    second = store.save(NAME, found[0], found[1][25:], 1_200_000)

    assert second.clip is not None
    assert second.clip != first.clip
    assert hashlib.sha256(path_of(second.clip).read_bytes()).hexdigest() == second.clip.sha256
    assert names_in(root) == {NAME, f"{NAME}/clip.mp4", f"{NAME}/still.jpg"}


@pytest.mark.parametrize("name", ["with space", "wie?#@=&", "ümlaut-日本", "a" * 200])
def test_a_directory_of_any_name_can_be_told(tmp_path: Path, found: Found, name: str) -> None:
    evidence = EvidenceDir(tmp_path / name).save(NAME, *found, STILL_US)

    assert path_of(evidence.clip).is_file()
    assert path_of(evidence.still).is_file()


def test_a_directory_whose_name_no_event_can_hold_is_refused_at_once(tmp_path: Path) -> None:
    too_long = tmp_path.joinpath(*["日" * 60] * 2)  # nine characters a sign in a URI

    with pytest.raises(EvidenceUnavailable):
        EvidenceDir(too_long)


def test_a_relative_directory_is_told_in_full(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    evidence = EvidenceDir(Path("here")).save(NAME, *found, STILL_US)

    assert path_of(evidence.clip) == tmp_path / "here" / NAME / "clip.mp4"


def test_a_directory_that_cannot_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EvidenceUnavailable) as caught:
        EvidenceDir(tmp_path / "file" / "evidence")

    assert "\n" not in str(caught.value)


def test_packets_that_have_left_the_ring_are_no_evidence(root: Path, found: Found) -> None:
    with pytest.raises(EvidenceUnavailable):
        EvidenceDir(root).save(NAME, found[0], (), STILL_US)

    assert names_in(root) == set()


def test_a_codec_without_clips_still_gives_a_still(root: Path) -> None:
    codec, read = packets(video("avi", Recipe(codec="mpeg4", n_frames=5)))

    evidence = EvidenceDir(root).save(NAME, codec, tuple(read), 0)

    assert (evidence.state, evidence.clip) == ("ready", None)
    assert names_in(root) == {NAME, f"{NAME}/still.jpg"}


def test_what_gives_neither_is_unavailable_and_leaves_nothing(root: Path) -> None:
    with pytest.raises(EvidenceUnavailable) as caught:
        EvidenceDir(root).save(NAME, Codec("h264", b"", 0, 0), (noise(),), 0)

    assert "\n" not in str(caught.value)
    assert names_in(root) == set()


def noise() -> Packet:
    return Packet(0, 0, 0, is_keyframe=True, read_at_s=0.0, payload=b"noise" * 20)


def test_a_full_disk_makes_evidence_unavailable_and_leaves_no_piece(
    root: Path, found: Found
) -> None:
    store = EvidenceDir(root)

    with disk_with(100), pytest.raises(EvidenceUnavailable) as caught:
        store.save(NAME, *found, STILL_US)

    assert "\n" not in str(caught.value)
    assert names_in(root) <= {NAME}


def test_a_disk_that_holds_the_still_alone_keeps_the_still(root: Path, found: Found) -> None:
    whole = EvidenceDir(root).save(NAME, *found, STILL_US)
    assert whole.still is not None
    other = NAME.replace("0", "1")

    with disk_with(whole.still.size_bytes):
        evidence = EvidenceDir(root).save(other, *found, STILL_US)

    assert evidence.clip is None
    assert evidence.still is not None
    assert evidence.still.sha256 == whole.still.sha256
    assert {path.name for path in (root / other).iterdir()} == {"still.jpg"}


def test_what_was_stored_before_the_disk_was_full_stays(root: Path, found: Found) -> None:
    store = EvidenceDir(root)
    kept = store.save(NAME, *found, STILL_US)

    with disk_with(100), pytest.raises(EvidenceUnavailable):
        store.save(NAME, *found, STILL_US)

    assert kept.clip is not None
    assert hashlib.sha256(path_of(kept.clip).read_bytes()).hexdigest() == kept.clip.sha256


def test_after_space_was_made_evidence_is_stored_again(root: Path, found: Found) -> None:
    store = EvidenceDir(root)
    with disk_with(100), pytest.raises(EvidenceUnavailable):
        store.save(NAME, *found, STILL_US)

    assert store.save(NAME, *found, STILL_US).state == "ready"
