"""Small videos for tests: encoded and muxed with PyAV, then cut, shifted or damaged.

Rule: everything is made from seeded scenes in memory; the same recipe gives the same bytes.
"""

import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Codec, Packet
from streamguard.demo.scenes import Scene, scene_frame
from tests.clock import FakeClock

TS_PACKET_BYTES = 188
TS_TICKS_S = 90_000
SAMPLE_RATE = 48_000

_REPRODUCIBLE = {"fflags": "+bitexact"}
_QUICK = {
    "libx264": {"preset": "ultrafast", "crf": "20", "x264-params": "scenecut=0:threads=1:ref=1"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "log-level=none:pools=none:frame-threads=1:no-open-gop=1:repeat-headers=1",
    },
}
_IMAGE_FORMATS = {"mjpeg": "yuvj420p", "libwebp": "yuv420p", "bmp": "bgr24"}


@dataclass(frozen=True)
class Recipe:
    """What to encode.

    seed:      of the scene; 0 is black.
    first_pts: in frames.
    audio_s:   seconds of a quiet tone beside the picture; 0 for none.
    turned:    degrees, clockwise, by which players turn the picture.
    """

    codec: str = "libx264"
    n_frames: int = 50
    gop: int = 25
    bf: int = 0
    size: tuple[int, int] = (160, 120)
    fps: int | Fraction = 25
    pix_fmt: str = "yuv420p"
    seed: int = 1
    first_pts: int = 0
    audio_s: float = 0.0
    turned: int = 0
    options: tuple[tuple[str, str], ...] = ()


def source_frame(recipe: Recipe, index: int) -> av.VideoFrame:
    """Give the picture that goes into the encoder, in limited range."""
    width, height = recipe.size
    if not recipe.seed:
        black = av.VideoFrame(width, height, recipe.pix_fmt)
        for plane, value in zip(black.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        return black
    scene = Scene("test", recipe.seed)
    frame = scene_frame(scene, float(index / recipe.fps), width, height).to_video_frame()
    return VideoReformatter().reformat(frame, format=recipe.pix_fmt, threads=1)


@lru_cache(maxsize=64)
def video(container: str, recipe: Recipe) -> bytes:
    """Encode a recipe into a container: "mpegts", "flv", "mp4", "h264", "matroska", "avi"..."""
    made = io.BytesIO()
    _write(made, container, recipe, {})
    return made.getvalue()


def write_faststart_mp4(path: Path, recipe: Recipe) -> None:
    """Write MP4 with its index in front, as web servers have it."""
    _write(str(path), "mp4", recipe, {"movflags": "faststart"})


def _write(made: io.BytesIO | str, container: str, recipe: Recipe, options: dict[str, str]) -> None:
    with (
        _usual_priority(),
        av.open(made, "w", format=container, options=_REPRODUCIBLE | options) as muxer,
    ):
        stream = cast("VideoStream", muxer.add_stream(recipe.codec, rate=recipe.fps))
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pix_fmt
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = recipe.gop
        stream.codec_context.max_b_frames = recipe.bf
        stream.codec_context.time_base = Fraction(1, recipe.fps)
        stream.options = _QUICK.get(recipe.codec, {}) | dict(recipe.options)
        if recipe.turned:
            stream.set_display_rotation(recipe.turned)
        sound = muxer.add_stream("aac", rate=SAMPLE_RATE) if recipe.audio_s else None
        for index in range(recipe.n_frames):
            frame = source_frame(recipe, index)
            frame.pts, frame.time_base = recipe.first_pts + index, Fraction(1, recipe.fps)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
        if sound is not None:
            for at in range(0, int(recipe.audio_s * SAMPLE_RATE), 1024):
                muxer.mux(sound.encode(_tone(at)))
            muxer.mux(sound.encode(None))


@contextmanager
def _usual_priority() -> Iterator[None]:
    """Take a priority back that was not asked for.

    SVT-AV1, where root runs it, leaves whoever calls it scheduled in real time, before all others
    and with all that it starts: a whole run of tests would starve the machine.
    """
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def beside(container: str, *videos: bytes) -> bytes:
    """Put the tracks of several videos beside each other into one container."""
    made = io.BytesIO()
    with (
        av.open(made, "w", format=container, options=_REPRODUCIBLE) as muxer,
        ExitStack() as inputs,
    ):
        given = [inputs.enter_context(av.open(io.BytesIO(one))) for one in videos]
        tracks = [muxer.add_stream_from_template(one.streams.video[0]) for one in given]
        for one, track in zip(given, tracks, strict=True):
            for packet in one.demux(video=0):
                if packet.dts is not None:
                    packet.stream = track
                    muxer.mux(packet)
    return made.getvalue()


def filmed(pictures: Sequence[NDArray[np.uint8]], gop: int, crf: int) -> bytes:
    """Encode grey pictures, (H, W) uint8 in full range, as MP4 with 25 a second."""
    made = io.BytesIO()
    height, width = pictures[0].shape
    with av.open(made, "w", format="mp4", options=_REPRODUCIBLE) as muxer:
        stream = cast("VideoStream", muxer.add_stream("libx264", rate=25))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = gop
        stream.options = _QUICK["libx264"] | {"crf": str(crf)}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
    return made.getvalue()


def _tone(at: int) -> av.AudioFrame:
    wave = 0.1 * np.sin(np.arange(at, at + 1024, dtype=np.float32) / 20)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, at, Fraction(1, SAMPLE_RATE)
    return frame


@lru_cache(maxsize=4)
def audio_ts(seconds: float) -> bytes:
    """Make MPEG-TS that carries sound alone."""
    made = io.BytesIO()
    with av.open(made, "w", format="mpegts") as muxer:
        sound = muxer.add_stream("aac", rate=SAMPLE_RATE)
        for at in range(0, int(seconds * SAMPLE_RATE), 1024):
            muxer.mux(sound.encode(_tone(at)))
        muxer.mux(sound.encode(None))
    return made.getvalue()


def image(codec: str, size: tuple[int, int] = (160, 120)) -> bytes:
    """Encode one picture: "mjpeg", "png", "bmp", "libwebp"..."""
    encoder = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
    encoder.width, encoder.height = size
    encoder.pix_fmt = _IMAGE_FORMATS.get(codec, "rgb24")
    encoder.time_base = Fraction(1, 25)
    frame = source_frame(Recipe(size=size, pix_fmt=encoder.pix_fmt), 7)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def shifted(ts: bytes, ticks: int) -> bytes:
    """Mux MPEG-TS anew with all times moved; past 2**33 ticks they wrap, as in a real stream."""
    made = io.BytesIO()
    options = {"avoid_negative_ts": "disabled"}
    with (
        av.open(io.BytesIO(ts), format="mpegts") as whole,
        av.open(made, "w", format="mpegts", options=options) as muxer,
    ):
        stream = muxer.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = stream
            muxer.mux(packet)
    return made.getvalue()


def packets(payload: bytes) -> tuple[Codec, list[Packet]]:
    """Read a video as streamguard does, from a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        with PyavSource(parse_location(file.name), Timeline(), FakeClock()) as source:
            return source.codec, list(source.packets())


def damaged(payload: bytes, seed: int, n_flips: int, start: int = 0) -> bytes:
    """Flip bits here and there, from byte `start` on."""
    flipped = bytearray(payload)
    rng = np.random.default_rng(seed)
    for at in rng.integers(start, len(payload), n_flips):
        flipped[at] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def plain_decode(payload: bytes, container: str, **codec_options: str) -> list[av.VideoFrame]:
    """Decode every frame of a video the ordinary way, one thread."""
    with av.open(io.BytesIO(payload), format=container) as opened:
        context = opened.streams.video[0].codec_context
        context.thread_count = 1
        context.options = codec_options
        return list(opened.decode(video=0))
