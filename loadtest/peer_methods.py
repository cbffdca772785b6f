"""Other ways to look for known clips in a video, each a program of its own, as peers runs them.

    python -m loadtest.peer_methods decode_all|pyav_pdqhash|vpdq VIDEO LIST

The last line of stdout is JSON: [[seconds, content], ...], each a frame that matched an original.

Rule: the methods are others', the parts the fastest at hand: where a peer leaves open what hashes,
it gets streamguard's own hash and faiss's flat index, which flatters it; pdqhash is the reference.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import faiss
import numpy as np
from numpy.typing import NDArray

from loadtest.programs import find
from loadtest.vpdq_method import MIN_QUERY_PERCENT, Feature, features, matched_percent
from streamguard.core.pdq import hash_luma
from streamguard.core.types import HASH_BYTES, MATCH_DISTANCE_BITS, MIN_QUALITY

SAMPLES_S = 5
"""Frames a second that camera recorders look at, as Frigate does by default."""

VPDQ_WINDOW_S = 6
"""Seconds of a stream held against each original at once; vPDQ itself knows whole files."""

Found = list[tuple[float, str]]


def main(arguments: Sequence[str]) -> int:
    """Look through one video by one method."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.peer_methods", description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("video", type=Path)
    parser.add_argument("list", type=Path)
    options = parser.parse_args(arguments)
    print(json.dumps(METHODS[options.method](options.video, options.list)))
    return 0


class Originals:
    """Hashes of every frame of the originals, in a flat index."""

    def __init__(self, path: Path) -> None:
        """Read `hashes` (N, 32) uint8 and `names` (N,) of an npz file."""
        with np.load(path) as kept:
            self._names = kept["names"]
            self._index = faiss.IndexBinaryFlat(HASH_BYTES * 8)
            self._index.add(kept["hashes"])

    def near(self, pdq: NDArray[np.uint8]) -> set[str]:
        """Name the originals that have a frame within the match distance."""
        _, _, found = self._index.range_search(pdq[None], MATCH_DISTANCE_BITS + 1)
        return {str(self._names[at]) for at in found}


def decode_all(video: Path, hash_list: Path) -> Found:
    """Look as camera recorders do: ffmpeg decodes all, raw pictures come by a pipe, 5 a second."""
    originals = Originals(hash_list)
    found: Found = []
    for number, luma in enumerate(_piped(video)):
        view = hash_luma(luma, full_range=False)
        if view.quality >= MIN_QUALITY:
            found += ((number / SAMPLES_S, name) for name in originals.near(view.bits))
    return found


def _piped(video: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the luma planes of the pictures that ffmpeg writes to a pipe."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        width, height = stream.width, stream.height
    n_bytes = width * height * 3 // 2
    command = [str(find("ffmpeg")), "-v", "error", "-nostdin", "-threads", "1", "-i", str(video)]
    raw = ["-an", "-r", str(SAMPLES_S), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    with subprocess.Popen([*command, *raw], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        while len(picture := process.stdout.read(n_bytes)) == n_bytes:
            yield np.frombuffer(picture, np.uint8, width * height).reshape(height, width)


def pyav_pdqhash(video: Path, hash_list: Path) -> Found:
    """Decode keyframes with PyAV, hash them with pdqhash, look them up with faiss."""
    import pdqhash  # noqa: PLC0415  # built from source where it is wanted

    originals = Originals(hash_list)
    found: Found = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            bits, quality = pdqhash.compute(frame.to_ndarray(format="rgb24"))
            if quality >= MIN_QUALITY:
                found += ((frame.time or 0.0, name) for name in originals.near(np.packbits(bits)))
    return found


def vpdq(video: Path, hash_list: Path) -> Found:
    """Decode all, hash a frame a second, and hold each window of seconds against each original.

    hash_list: beside it stand the originals' own files, a path and a name a line.
    """
    originals = [
        (name, features(Path(path)))
        for path, name in (line.split("\t") for line in hash_list.read_text().splitlines())
    ]
    seen = _vpdq_features(video)
    found: Found = []
    for at in range(len(seen)):
        window = [each for each in seen[at:] if each.at_us < seen[at].at_us + VPDQ_WINDOW_S * 1e6]
        for name, original in originals:
            if matched_percent(window, original) >= MIN_QUERY_PERCENT:
                found.append((seen[at].at_us / 1e6, name))
    return found


def _vpdq_features(video: Path) -> list[Feature]:
    """Decode all and hash a frame a second, as vPDQ does: whole, by the reference hash."""
    import pdqhash  # noqa: PLC0415  # as above

    made = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        step = max(1, int(stream.average_rate or 30))
        for number, frame in enumerate(container.decode(stream)):
            if number % step == 0:
                bits, quality = pdqhash.compute(frame.to_ndarray(format="rgb24"))
                if quality >= MIN_QUALITY:
                    at_us = round(number / step * 1e6)
                    made.append(Feature(number, at_us, quality, np.packbits(bits)))
    return made


METHODS: dict[str, Callable[[Path, Path], Found]] = {
    "decode_all": decode_all,
    "pyav_pdqhash": pyav_pdqhash,
    "vpdq": vpdq,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
