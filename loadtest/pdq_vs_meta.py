"""Hash real clips frame by frame and hold the hashes against Meta's own, as published with vPDQ.

Rule: the path under test is the product's: the decoder's luma plane, no copy, no conversion.
Usage: python -m loadtest pdq_vs_meta CLIPS_DIR VPDQ_DIR [--json]
Each CLIPS_DIR/name.mp4 is compared with VPDQ_DIR/name.txt, lines of frame,quality,hash,seconds.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from streamguard.core.look import views_of
from streamguard.core.types import View

MAX_MEAN_BITS = 2.0
MAX_BITS = 8
MAX_QUALITY_DIFFERENCE = 15


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far the hashes of one clip lie from the published ones, bits and quality points."""

    clip: str
    n_frames: int
    n_published: int
    mean_bits: float
    max_bits: int
    max_quality_difference: int

    @property
    def is_good(self) -> bool:
        """Say whether every frame is there and the distances keep their bars."""
        return (
            self.n_frames == self.n_published
            and self.mean_bits <= MAX_MEAN_BITS
            and self.max_bits <= MAX_BITS
            and self.max_quality_difference <= MAX_QUALITY_DIFFERENCE
        )


def full_views(clip: Path) -> Iterator[View]:
    """Hash every frame of a clip, whole, in presentation order."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for frame in container.decode(stream):
            plane = frame.planes[0]
            octets = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # PyAV's stubs hide its buffer
            luma = octets.reshape(plane.height, plane.line_size)
            is_full = frame.color_range == ColorRange.JPEG
            yield views_of(luma[:, : plane.width], full_range=is_full)[0]


def published(text: Path) -> list[tuple[NDArray[np.uint8], int]]:
    """Read Meta's hashes of a clip: (32,) uint8 and the quality, a frame an item."""
    lines = (line.split(",") for line in text.read_text().splitlines())
    return [
        (np.frombuffer(bytes.fromhex(pdq), np.uint8), int(quality)) for _, quality, pdq, _ in lines
    ]


def compare(clip: Path, text: Path) -> Comparison:
    """Hold one clip against its published hashes, frame by frame as far as both reach."""
    ours, theirs = list(full_views(clip)), published(text)
    bits = [
        int(np.bitwise_count(view.pdq ^ pdq).sum())
        for view, (pdq, _) in zip(ours, theirs, strict=False)
    ]
    qualities = [
        abs(view.quality - quality) for view, (_, quality) in zip(ours, theirs, strict=False)
    ]
    return Comparison(
        clip=clip.name,
        n_frames=len(ours),
        n_published=len(theirs),
        mean_bits=round(float(np.mean(bits)), 3),
        max_bits=max(bits),
        max_quality_difference=max(qualities),
    )


def main(arguments: Sequence[str]) -> int:
    """Compare all clips; exit 0 where all keep the bars, else 1."""
    parser = argparse.ArgumentParser(prog="python -m loadtest pdq_vs_meta")
    parser.add_argument("clips", type=Path, metavar="CLIPS_DIR")
    parser.add_argument("vpdq", type=Path, metavar="VPDQ_DIR")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    args = parser.parse_args(arguments)
    results = []
    for text in sorted(args.vpdq.glob("*.txt")):
        clip = args.clips / f"{text.stem}.mp4"
        if not clip.exists():
            print(f"{clip.name}: no such clip, left out", file=sys.stderr)
            continue
        results.append(compare(clip, text))
        print(results[-1], file=sys.stderr)
    is_good = bool(results) and all(result.is_good for result in results)
    print(json.dumps({"good": is_good, "clips": [asdict(result) for result in results]}))
    return 0 if is_good else 1
