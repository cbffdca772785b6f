"""The sound goes along with the video into clips: AAC and Opus, copied as they came."""

import io
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from streamguard.adapters.pyav_clip import ClipMuxer
from streamguard.adapters.pyav_clip_sound import config_of, without_adts
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Codec, Packet, Sound, SoundPacket
from tests.clock import FakeClock
from tests.media import Recipe, plain_decode, source_frame, video
from tests.servers import serving, whole

RATE = 48_000
LENGTH_S = 4
PICTURE = Recipe(n_frames=25 * LENGTH_S, bf=2)
FROM = 25
"""Where clips of these tests begin: at a keyframe, with sound before it."""

SOUNDS = [
    *(("aac", container) for container in ("mp4", "flv", "mpegts", "matroska")),
    *(("libopus", container) for container in ("mp4", "mpegts", "matroska")),
]


@lru_cache(maxsize=16)
def film(codec: str, container: str, layout: str = "stereo") -> bytes:
    """Make a film whose sound is a tone."""
    made = io.BytesIO()
    with av.open(made, "w", format=container) as muxer:
        picture = cast("VideoStream", muxer.add_stream("libx264", rate=25))
        picture.width, picture.height = PICTURE.size
        picture.pix_fmt = "yuv420p"
        picture.codec_context.gop_size, picture.codec_context.max_b_frames = 25, 2
        picture.codec_context.thread_count = 1
        picture.options = {"preset": "ultrafast", "sc_threshold": "0"}
        sound = cast("AudioStream", muxer.add_stream(codec, rate=RATE, layout=layout))
        wave = 0.1 * np.sin(np.arange(LENGTH_S * RATE, dtype=np.float32) / 20)
        for index in range(PICTURE.n_frames):
            frame = source_frame(PICTURE, index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            muxer.mux(picture.encode(frame))
            at = index * RATE // 25
            heard = np.ascontiguousarray(np.tile(wave[at : at + RATE // 25], (1, 1)))
            tone = av.AudioFrame.from_ndarray(heard, format="flt", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = RATE, at, Fraction(1, RATE)
            muxer.mux(sound.encode(tone))
        muxer.mux([*picture.encode(None), *sound.encode(None)])
    return made.getvalue()


def heard(path: Path | str) -> tuple[Codec, list[Packet]]:
    """Read a film as it is read where evidence is kept."""
    with PyavSource(parse_location(str(path)), Timeline(), FakeClock()) as source:
        source.hear()
        return source.codec, list(source.packets())


def written(path: Path, payload: bytes) -> Path:
    path.write_bytes(payload)
    return path


def clip_of(codec: Codec, packets: list[Packet]) -> bytes:
    muxer = ClipMuxer(codec, packets, packets[0].dts_us)
    return muxer.add(packets) + muxer.close()


def sound_of(clip: bytes) -> list[tuple[float, bytes]]:
    """Give the packets of sound of a clip, with their times in seconds."""
    with av.open(io.BytesIO(clip)) as opened:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in opened.demux(audio=0)
            if packet.pts is not None and packet.time_base and packet.size
        ]


@pytest.mark.parametrize(("sound", "container"), SOUNDS)
def test_sound_is_in_the_clip_as_it_came_and_in_time(
    sound: str, container: str, tmp_path: Path
) -> None:
    codec, packets = heard(written(tmp_path / "film", film(sound, container)))
    start_us = packets[FROM].dts_us

    kept = sound_of(clip_of(codec, packets[FROM:]))

    given = [
        ((each.pts_us - start_us) / 1e6, without_adts(each.payload))
        for packet in packets[FROM:]
        for each in packet.sounds
        if each.pts_us >= start_us
    ]
    assert len(kept) > 25
    assert [content for _, content in kept] == [content for _, content in given]
    assert [at_s for at_s, _ in kept] == pytest.approx([at_s for at_s, _ in given], abs=0.002)


@pytest.mark.parametrize(("sound", "container"), SOUNDS)
def test_a_clip_with_sound_plays(sound: str, container: str, tmp_path: Path) -> None:
    codec, packets = heard(written(tmp_path / "film", film(sound, container)))

    clip = clip_of(codec, packets[FROM:])

    assert len(plain_decode(clip, "mp4")) == PICTURE.n_frames - FROM
    with av.open(io.BytesIO(clip)) as opened:
        tones = [frame.to_ndarray() for frame in opened.decode(audio=0)]
    loudest = np.abs(np.concatenate([tone.ravel() for tone in tones])).max()
    assert 0.05 < loudest < 0.2


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("sound", ["aac", "libopus"])
def test_its_channels_are_told(sound: str, layout: str, tmp_path: Path) -> None:
    codec, packets = heard(written(tmp_path / "film", film(sound, "matroska", layout)))

    with av.open(io.BytesIO(clip_of(codec, packets[FROM:]))) as opened:
        n_channels = opened.streams.audio[0].codec_context.layout.nb_channels

    assert n_channels == (1 if layout == "mono" else 2)


@pytest.mark.parametrize("container", ["flv", "mpegts"])
def test_a_file_whose_first_packet_brings_no_sound_has_some_if_it_is_near(
    container: str, tmp_path: Path
) -> None:
    codec, packets = heard(written(tmp_path / "film", film("aac", container)))
    packets[FROM] = replace(packets[FROM], sounds=())

    assert len(sound_of(clip_of(codec, packets[FROM:]))) > 25


@pytest.mark.parametrize(
    "sound",
    [
        Sound("mp3", 2),
        Sound("opus", 6),
        Sound("aac", 2),
        None,
    ],
)
def test_sound_that_cannot_be_copied_costs_the_sound_alone(
    sound: Sound | None, tmp_path: Path
) -> None:
    codec, packets = heard(written(tmp_path / "film", film("aac", "flv")))
    mute = [replace(packet, sounds=()) for packet in packets[FROM:]]

    clip = clip_of(replace(codec, sound=sound), mute)

    assert len(plain_decode(clip, "mp4")) == PICTURE.n_frames - FROM


def test_without_evidence_nobody_hears(tmp_path: Path) -> None:
    path = written(tmp_path / "film", film("aac", "mpegts"))
    with PyavSource(parse_location(str(path)), Timeline(), FakeClock()) as source:
        packets = list(source.packets())

    assert source.codec.sound is None
    assert all(packet.sounds == () for packet in packets)


@pytest.mark.integration
@pytest.mark.parametrize("container", ["mpegts", "flv"])
def test_the_sound_of_a_live_stream_comes_along(container: str) -> None:
    with serving(whole(film("aac", container))) as server:
        codec, packets = heard(server.url("/live"))

    assert codec.sound is not None
    assert codec.sound.name == "aac"
    assert len(sound_of(clip_of(codec, packets[FROM:]))) > 25


def test_what_has_no_sound_is_read_as_ever(tmp_path: Path) -> None:
    path = written(tmp_path / "film", video("mpegts", PICTURE))

    codec, packets = heard(path)

    assert codec.sound is None
    assert len(plain_decode(clip_of(codec, packets), "mp4")) == PICTURE.n_frames


def test_a_frame_with_a_header_of_its_own_tells_its_config() -> None:
    header = bytes((0xFF, 0xF1, 0x4C, 0x80, 0x01, 0x7F, 0xFC))  # AAC-LC, 48,000 a second, stereo
    with_crc = bytes((0xFF, 0xF0, *header[2:], 0, 0))

    assert config_of(header) == bytes((0x11, 0x90))
    assert without_adts(header + b"frame") == b"frame"
    assert without_adts(with_crc + b"frame") == b"frame"
    assert without_adts(b"frame of none") == b"frame of none"
    with pytest.raises(ValueError, match="ADTS"):
        config_of(b"frame of none")


def test_sound_counts_among_the_bytes_of_its_packet() -> None:
    sounds = (SoundPacket(0, b"abc"), SoundPacket(1, b"de"))

    assert Packet(0, 0, 0, True, 0.0, b"1234", sounds=sounds).size_bytes == 9  # noqa: FBT003  # a record
