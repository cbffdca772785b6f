import io
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import pytest
from av.video.stream import VideoStream
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.adapters.pyav_index import keyframes_of
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.errors import SourceTruncated, StreamguardError
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from tests.clock import FakeClock
from tests.media import Recipe, damaged, video, write_faststart_mp4

SOUND = Recipe(n_frames=100, bf=2, audio_s=5.0)
"""Four GOPs of 25 frames in 4 s, beside a tone that is longer."""


def always() -> bool:
    return True


def never() -> bool:
    return False


def until(n_keyframes: int) -> Callable[[], bool]:
    """Let all be passed over until so many keyframes have come; then nothing."""
    n_asked = 0

    def may_pass_over() -> bool:
        nonlocal n_asked
        n_asked += 1
        return n_asked <= n_keyframes  # asked once before the first

    return may_pass_over


def read(
    path: Path, may_pass_over: Callable[[], bool]
) -> tuple[list[Packet], StreamguardError | None]:
    """Give what a file holds, and what ended it before its time."""
    packets: list[Packet] = []
    try:
        with PyavSource(parse_location(str(path)), Timeline(), FakeClock()) as source:
            packets.extend(source.packets(may_pass_over))
    except StreamguardError as error:
        return packets, error
    return packets, None


def told(packets: list[Packet]) -> list[tuple[int, int, int, bool, bytes]]:
    return [(p.epoch, p.pts_us, p.dts_us, p.is_keyframe, p.payload) for p in packets]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.video"


def listed(path: Path) -> list[int]:
    """Give the number of packets before each keyframe that is listed; the last one is not."""
    with av.open(str(path)) as container:
        return [keyframe.n_before for keyframe in keyframes_of(container.streams.video[0])]


# ---- which files


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_the_index_of_an_mp4_tells_its_keyframes(path: Path, codec: str) -> None:
    path.write_bytes(video("mp4", Recipe(codec=codec, n_frames=100)))

    assert listed(path) == [0, 24, 24]


@pytest.mark.parametrize("container", ["mpegts", "matroska", "flv", "avi"])
def test_other_containers_are_read_whole(path: Path, container: str) -> None:
    path.write_bytes(video(container, Recipe(n_frames=100)))

    assert listed(path) == []
    assert len(read(path, always)[0]) == 100


def test_a_file_in_fragments_is_read_whole(path: Path) -> None:
    """Its index is spread over it: at the beginning nobody knows all of it."""
    made = io.BytesIO(video("mp4", Recipe(n_frames=100)))
    with (
        av.open(made) as whole,
        av.open(str(path), "w", format="mp4", options={"movflags": "frag_keyframe"}) as muxer,
    ):
        stream = muxer.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(whole.streams.video[0]):
            if packet.size:
                packet.stream = stream
                muxer.mux(packet)

    assert listed(path) == []
    assert len(read(path, always)[0]) == 100


@pytest.mark.parametrize(("gop", "is_listed"), [(62, True), (63, False)])
def test_keyframes_that_come_too_rarely_have_all_packets_read(
    path: Path, gop: int, *, is_listed: bool
) -> None:
    """2.5 s are 62.5 frames: beyond that, what lies between keyframes is to be decoded."""
    path.write_bytes(video("mp4", Recipe(n_frames=130, gop=gop)))

    assert bool(listed(path)) is is_listed


# ---- what is read


@pytest.mark.parametrize("recipe", [SOUND, Recipe(codec="libx265", n_frames=100, bf=2)])
def test_keyframes_come_as_ever_and_the_last_two_gops_whole(path: Path, recipe: Recipe) -> None:
    path.write_bytes(video("mp4", recipe))
    everything, _ = read(path, never)

    found, error = read(path, always)

    wanted = [packet for packet in everything[:50] if packet.is_keyframe] + everything[50:]
    assert error is None
    assert told(found) == told(wanted)
    assert sum(1 + packet.n_passed_over for packet in found) == len(everything) == 100
    assert [packet.n_passed_over for packet in found[:5]] == [0, 24, 24, 0, 0]


@pytest.mark.parametrize("n_keyframes", [0, 1, 2, 3, 4])
def test_from_the_keyframe_after_which_all_is_wanted_all_comes(
    path: Path, n_keyframes: int
) -> None:
    path.write_bytes(video("mp4", SOUND))
    everything, _ = read(path, never)

    found, _ = read(path, until(n_keyframes))

    whole_from = min(2, max(0, n_keyframes - 1)) * 25
    keyframes = [packet for packet in everything[:whole_from] if packet.is_keyframe]
    assert told(found) == told([*keyframes, *everything[whole_from:]])
    assert sum(1 + packet.n_passed_over for packet in found) == 100


def test_intra_video_loses_nothing(path: Path) -> None:
    path.write_bytes(video("mp4", Recipe(gop=1)))

    assert told(read(path, always)[0]) == told(read(path, never)[0])


def test_where_parameter_sets_change_the_old_epoch_is_read_to_its_end(path: Path) -> None:
    """Its last seconds would be accounted for nowhere."""
    _write_joined(path, Recipe(n_frames=50), Recipe(n_frames=50, size=(192, 144)))
    everything, _ = read(path, never)

    found, _ = read(path, always)

    assert {packet.epoch for packet in everything} == {0, 1}
    assert listed(path) == [0, 24, 24]
    for epoch in (0, 1):
        ends = [[p.pts_us for p in run if p.epoch == epoch][-1] for run in (everything, found)]
        assert ends[0] == ends[1]
    assert [p.pts_us for p in found if p.is_keyframe] == [
        p.pts_us for p in everything if p.is_keyframe
    ]
    assert sum(1 + packet.n_passed_over for packet in found) == 100


def _write_joined(path: Path, *recipes: Recipe) -> None:
    """Write videos after each other into one MP4, parameter sets within their keyframes."""
    raw = io.BytesIO(b"".join(video("h264", recipe) for recipe in recipes))
    with (
        av.open(raw, format="h264") as source,
        av.open(str(path), "w", format="mp4") as muxer,
    ):
        given = source.streams.video[0]
        stream = cast("VideoStream", muxer.add_stream_from_template(given))
        at = 0
        for packet in source.demux(given):
            if packet.size:
                packet.stream = stream
                packet.pts = packet.dts = at
                packet.time_base = Fraction(1, 25)
                packet.duration = 1
                muxer.mux(packet)
                at += 1


# ---- damage


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.93, 0.99])
def test_a_file_that_was_cut_is_read_and_missed_as_far_as_if_all_were_read(
    path: Path, share: float
) -> None:
    write_faststart_mp4(path, Recipe(n_frames=200, bf=2, audio_s=8.0))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    everything, whole_error = read(path, never)

    found, error = read(path, always)

    assert isinstance(error, SourceTruncated) == isinstance(whole_error, SourceTruncated)
    if isinstance(error, SourceTruncated) and isinstance(whole_error, SourceTruncated):
        assert error.missing_us == whole_error.missing_us
    assert found[-1].pts_us == everything[-1].pts_us
    assert sum(1 + packet.n_passed_over for packet in found) == len(everything)


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_damage_hides_no_keyframe_that_would_be_read_otherwise(seed: int, n_flips: int) -> None:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(damaged(video("mp4", SOUND), seed, n_flips, start=100))
        file.flush()
        everything, whole_error = read(Path(file.name), never)
        found, error = read(Path(file.name), always)

    if whole_error is None:  # else what is not read may be what would have ended it
        assert error is None
        assert [packet.pts_us for packet in found if packet.is_keyframe] == [
            packet.pts_us for packet in everything if packet.is_keyframe
        ]
        assert [packet.pts_us for packet in found[-1:]] == [
            packet.pts_us for packet in everything[-1:]
        ]
