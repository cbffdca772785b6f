"""Files, one by one; what comes over a network is in test_pyav_source_live.py."""

import io
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamguard.adapters.annexb import parameter_sets
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.budget import MAX_ERRORS
from streamguard.core.errors import ConfigError, SourceCorrupt, SourceInvalid, SourceTruncated
from streamguard.core.location import parse_location
from streamguard.core.timeline import FALLBACK_STEP_US, Timeline
from streamguard.core.types import Codec, Packet
from tests.clock import FakeClock
from tests.media import (
    TS_PACKET_BYTES,
    TS_TICKS_S,
    Recipe,
    audio_ts,
    beside,
    damaged,
    image,
    packets,
    shifted,
    video,
    write_faststart_mp4,
)

START_CODE = b"\x00\x00\x00\x01"
FRAME_US = 40_000
WRAP_TICKS = 1 << 33
H264 = Recipe(bf=2)
HEVC = Recipe(codec="libx265", bf=2)


class Read:
    """What a source gave, to its end or to the error that ended it."""

    def __init__(self, path: Path, clock: FakeClock | None = None) -> None:
        self.packets: list[Packet] = []
        self.error: Exception | None = None
        with PyavSource(parse_location(str(path)), Timeline(), clock or FakeClock()) as source:
            self.codec: Codec = source.codec
            try:
                self.packets.extend(source.packets())
            except (SourceCorrupt, SourceInvalid) as error:
                self.error = error

    @property
    def keyframes(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.is_keyframe]

    @property
    def epochs(self) -> set[int]:
        return {packet.epoch for packet in self.packets}

    def shown_us(self, epoch: int = 0) -> list[int]:
        return sorted(packet.pts_us for packet in self.packets if packet.epoch == epoch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.video"


def read(path: Path, payload: bytes) -> Read:
    path.write_bytes(payload)
    return Read(path)


def in_frames(n_frames: int, step_us: int = FRAME_US, first_us: int = 0) -> list[int]:
    return [first_us + step_us * index for index in range(n_frames)]


def keyframe_sizes(found: Read) -> list[tuple[int, int]]:
    """Decode each keyframe alone; give (height, width)."""
    decoder = PyavDecoder(FakeClock())
    shapes = [decoder.keyframe(found.codec, packet).luma.shape for packet in found.keyframes]
    return [(height, width) for height, width in shapes]


@pytest.mark.parametrize("recipe", [H264, HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4", "matroska"])
def test_packets_come_in_annex_b_with_parameter_sets_on_each_keyframe(
    path: Path, container: str, recipe: Recipe
) -> None:
    found = read(path, video(container, recipe))

    name = "hevc" if recipe is HEVC else "h264"
    assert (found.codec.name, found.codec.extradata) == (name, b"")
    assert (found.codec.width, found.codec.height) == recipe.size
    assert found.error is None
    assert len(found.packets) == recipe.n_frames
    assert all(packet.payload.startswith((START_CODE, START_CODE[1:])) for packet in found.packets)
    assert [found.packets.index(packet) for packet in found.keyframes] == [0, 25]
    assert all(parameter_sets(name, packet.payload) for packet in found.keyframes)
    assert keyframe_sizes(found) == [(120, 160)] * 2


@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_times_are_microseconds_of_media_and_decode_times_do_not_go_back(
    path: Path, container: str
) -> None:
    found = read(path, video(container, H264))

    assert found.shown_us() == in_frames(50, first_us=found.shown_us()[0])
    assert all(one.dts_us <= other.dts_us for one, other in pairwise(found.packets))
    assert all(packet.pts_us >= packet.dts_us for packet in found.packets)
    assert found.epochs == {0}


def test_a_packet_says_when_it_was_read(path: Path) -> None:
    path.write_bytes(video("mpegts", H264))
    clock = FakeClock(7.0)

    with PyavSource(parse_location(str(path)), Timeline(), clock) as source:
        packets = source.packets()
        first = next(packets)
        clock.advance(2.5)
        second = next(packets)

    assert (first.read_at_s, second.read_at_s) == (7.0, 9.5)


@pytest.mark.parametrize("container", ["flv", "mp4"])
def test_keyframes_of_an_open_gop_carry_their_parameter_sets_too(
    path: Path, container: str
) -> None:
    """The filter to Annex B gives them to IDR pictures alone."""
    params = "scenecut=0:threads=1:open-gop=1"
    recipe = replace(H264, options=(("x264-params", params), ("preset", "veryfast")))

    found = read(path, video(container, recipe))

    assert len(found.keyframes) == 2
    assert all(parameter_sets("h264", packet.payload) for packet in found.keyframes)
    assert keyframe_sizes(found) == [(120, 160)] * 2


def test_a_stream_joined_in_the_middle_begins_before_its_first_keyframe(path: Path) -> None:
    whole = video("mpegts", Recipe())
    middle = len(whole) // 4 // TS_PACKET_BYTES * TS_PACKET_BYTES
    tables = whole[: 3 * TS_PACKET_BYTES]

    found = read(path, tables + whole[middle:])

    first_key = found.packets.index(found.keyframes[0])
    assert 0 < first_key < 25
    assert found.keyframes[0].pts_us == 25 * FRAME_US
    assert keyframe_sizes(found) == [(120, 160)]


@pytest.mark.parametrize(
    ("container", "name"), [("mp4", b"VideoHandler"), ("flv", b"videocodecid")]
)
def test_names_in_another_encoding_do_not_keep_a_video_from_being_read(
    path: Path, container: str, name: bytes
) -> None:
    payload = video(container, H264)
    assert name in payload

    found = read(path, payload.replace(name, b"\xe9" + name[1:]))

    assert len(found.packets) == 50


def test_parameter_sets_that_nobody_can_read_make_a_file_no_video(path: Path) -> None:
    payload = bytearray(video("matroska", H264))
    at = payload.index(b"\xff\xe1", payload.index(b"V_MPEG4/ISO/AVC"))
    payload[at + 2 : at + 4] = b"\xff\xff"  # the length of the sequence set

    found = read(path, bytes(payload))

    assert isinstance(found.error, SourceInvalid)
    assert found.packets == []


def test_other_streams_of_a_file_are_left_out(path: Path) -> None:
    found = read(path, video("mp4", Recipe(audio_s=2.0)))

    assert len(found.packets) == 50
    assert found.error is None


@pytest.mark.parametrize("container", ["mpegts", "mp4"])
@pytest.mark.parametrize("n_tracks", [1, 2, 3])
def test_tracks_of_video_are_counted_and_the_first_is_read(
    path: Path, container: str, n_tracks: int
) -> None:
    small = [video("mpegts", Recipe(size=(64, 64), n_frames=25))] * (n_tracks - 1)
    path.write_bytes(beside(container, video("mpegts", Recipe()), *small))

    with PyavSource(parse_location(str(path)), Timeline(), FakeClock()) as source:
        n_packets = len(list(source.packets(lambda: False)))

    assert (source.codec.n_tracks, source.codec.width) == (n_tracks, 160)
    assert n_packets == 50


def test_packets_without_timestamps_follow_each_other(path: Path) -> None:
    found = read(path, video("h264", Recipe()))

    assert [packet.dts_us for packet in found.packets] == in_frames(50, FALLBACK_STEP_US)
    assert found.epochs == {0}


@pytest.mark.parametrize("before_wrap_s", [1, 70])
def test_mpegts_timestamps_that_wrap_stay_in_one_epoch(path: Path, before_wrap_s: int) -> None:
    """FFmpeg unwraps what begins within a minute of the wrap in another way than the rest."""
    slow = Recipe(fps=1, n_frames=80, gop=5)
    ticks = WRAP_TICKS - before_wrap_s * TS_TICKS_S

    found = read(path, shifted(video("mpegts", slow), ticks))

    assert found.epochs == {0}
    first_us = found.shown_us()[0]
    assert found.shown_us() == in_frames(80, 1_000_000, first_us)
    assert found.error is None


@pytest.mark.parametrize(
    ("shift_s", "epochs"), [(11.9, {0}), (12.1, {0, 1}), (3600.0, {0, 1}), (-100.0, {0, 1})]
)
def test_a_jump_breaks_the_timeline_and_a_pause_does_not(
    path: Path, shift_s: float, epochs: set[int]
) -> None:
    """Of the shift, 2 s are the length of the first part: a pause is 10 s at most."""
    first = shifted(video("mpegts", Recipe()), 200 * TS_TICKS_S)
    second = shifted(video("mpegts", Recipe()), round((200 + shift_s) * TS_TICKS_S))

    found = read(path, first + second)

    assert found.epochs == epochs
    assert len(found.packets) == 100
    assert found.error is None


def test_a_change_of_resolution_is_a_new_epoch_with_frames_of_both_sizes(path: Path) -> None:
    small = video("mpegts", Recipe())
    large = shifted(video("mpegts", Recipe(size=(320, 180), seed=2)), 2 * TS_TICKS_S)

    found = read(path, small + large)

    assert found.epochs == {0, 1}
    assert keyframe_sizes(found) == [(120, 160)] * 2 + [(180, 320)] * 2
    assert [packet.epoch for packet in found.keyframes] == [0, 0, 1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_transport_packets_are_survived(path: Path, seed: int) -> None:
    payload = damaged(video("mpegts", Recipe()), seed, n_flips=40, start=3 * TS_PACKET_BYTES)

    found = read(path, payload)

    assert len(found.packets) > 25
    assert found.error is None


@given(
    st.sampled_from(["mpegts", "mp4", "flv", "matroska", "avi"]),
    st.integers(0, 2**32),
    st.integers(1, 60),
)
@example("mpegts", 47, 30)  # a stream that appears in the middle
@example("mp4", 29, 30)  # a codec that nobody knows
def test_whatever_is_damaged_gives_packets_or_an_error_of_ours(
    container: str, seed: int, n_flips: int
) -> None:
    payload = damaged(video(container, H264), seed, n_flips, start=1_000)

    with suppress(SourceCorrupt, SourceInvalid):
        codec, found = packets(payload)
        assert codec.name
        assert all(packet.payload for packet in found)


def with_broken_units(recipe: Recipe, n_broken: int, every: int = 1) -> bytes:
    """Spoil the unit length of some packets, so that the filter to Annex B refuses them."""
    payload = bytearray(video("mp4", recipe))
    with av.open(io.BytesIO(bytes(payload)), format="mp4") as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    for at in places[::every][:n_broken]:
        assert at is not None
        payload[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(payload)


def test_damaged_packets_within_the_budget_are_passed_over(path: Path) -> None:
    recipe = Recipe(n_frames=80)

    found = read(path, with_broken_units(recipe, MAX_ERRORS - 1))

    assert found.error is None
    assert len(found.packets) == 80 - (MAX_ERRORS - 1)


def test_too_many_damaged_packets_end_the_source(path: Path) -> None:
    recipe = Recipe(n_frames=80)

    found = read(path, with_broken_units(recipe, MAX_ERRORS))

    assert isinstance(found.error, SourceCorrupt)
    assert str(found.error).count("\n") == 0


def test_damage_that_is_spread_over_a_file_does_not_end_it_however_fast_it_is_read(
    path: Path,
) -> None:
    recipe = Recipe(fps=1, n_frames=140, gop=10)

    found = read(path, with_broken_units(recipe, MAX_ERRORS + 10, every=2))

    assert found.error is None
    assert len(found.packets) == 140 - (MAX_ERRORS + 10)


def test_a_file_cut_in_the_middle_is_read_to_there_and_then_said_to_be_cut(path: Path) -> None:
    write_faststart_mp4(path, Recipe(n_frames=100))
    payload = path.read_bytes()

    found = read(path, payload[: len(payload) // 2])

    assert isinstance(found.error, SourceTruncated)
    assert 30 < len(found.packets) < 70
    end_us = found.shown_us()[-1] + FRAME_US
    assert found.error.missing_us == pytest.approx(4_000_000 - end_us, abs=FRAME_US)


def test_a_file_cut_before_its_first_picture_is_cut(path: Path) -> None:
    write_faststart_mp4(path, Recipe(n_frames=100))
    payload = path.read_bytes()

    found = read(path, payload[: payload.index(b"mdat") + 100])

    assert isinstance(found.error, SourceTruncated)
    assert found.error.missing_us >= 4_000_000 - FRAME_US


@pytest.mark.parametrize("container", ["mp4", "flv", "mpegts", "matroska"])
def test_sound_that_goes_on_after_the_picture_is_no_cut(path: Path, container: str) -> None:
    found = read(path, video(container, Recipe(audio_s=5.0)))

    assert found.error is None
    assert len(found.packets) == 50


@pytest.mark.parametrize("container", ["mp4", "flv", "matroska"])
def test_a_last_picture_that_stands_long_is_no_cut(path: Path, container: str) -> None:
    found = read(path, video(container, Recipe(fps=Fraction(1, 3), n_frames=4, gop=2)))

    assert found.error is None
    assert found.shown_us() == in_frames(4, 3_000_000)


IMAGES = {"png": "png", "bmp": "bmp", "webp": "libwebp"}


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.png", "a.bmp", "a.webp", "a.bin", "%d.jpg"])
def test_an_image_is_one_keyframe_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    codec = IMAGES.get(name.rsplit(".", maxsplit=1)[-1], "mjpeg")

    found = read(tmp_path / name, image(codec))

    assert [packet.is_keyframe for packet in found.packets] == [True]
    assert keyframe_sizes(found) == [(120, 160)]


@pytest.mark.parametrize("name", ["list.m3u8", "list.txt", "1.ts", "list.mp4", "%d.jpg"])
@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {target}\n",
        "ffconcat version 1.0\nfile secret.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    ],
    ids=["hls", "concat", "concat-relative", "sdp", "dash"],
)
def test_a_file_that_names_other_files_is_refused(tmp_path: Path, playlist: str, name: str) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(video("mpegts", Recipe()))

    with pytest.raises(SourceInvalid):
        read(tmp_path / name, playlist.format(target=secret).encode())


def test_a_name_that_looks_like_a_pattern_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(image("mjpeg"))

    with pytest.raises(ConfigError):
        Read(tmp_path / "%d.jpg")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\n", b"not a video\n" * 400, np.random.default_rng(3).bytes(20_000), audio_ts(1.0)],
    ids=["empty", "line", "text", "noise", "sound"],
)
def test_what_holds_no_video_is_said_in_one_line(path: Path, payload: bytes) -> None:
    with pytest.raises(SourceInvalid) as caught:
        read(path, payload)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_index_that_never_came_makes_a_file_no_video(path: Path) -> None:
    payload = video("mp4", Recipe())  # its index stands at the end

    with pytest.raises(SourceInvalid):
        read(path, payload[: len(payload) // 2])


def test_a_file_that_is_not_there_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(ConfigError, match="no such file"):
            Read(missing)


def test_how_a_picture_was_turned_is_seen_up_to_the_bound_on_its_size(path: Path) -> None:
    found = read(path, video("mp4", Recipe(size=(8192, 4320), n_frames=1, turned=90, seed=0)))

    assert found.codec.quarter_turns == 1
