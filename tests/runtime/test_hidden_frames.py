"""Streams whose keyframes are rare, missing or blank, from their packets to their account."""

import io
from functools import lru_cache
from typing import Any

import av
import numpy as np
import pytest

from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.core.evasion import Evasion
from streamguard.core.events import EventType
from streamguard.core.sampling import Level, Sampler, Sampling
from streamguard.core.types import Codec, Packet
from streamguard.runtime.worker import screen_once
from tests.clock import FakeClock
from tests.media import Recipe, filmed, packets, video
from tests.runtime.fakes import FakeSource
from tests.runtime.stage import FILE, Stage

Clip = tuple[Codec, list[Packet]]
FPS, GOP = 25, 50
ONE_THREAD = "pools=none:frame-threads=1:log-level=none"
ROUND = 100


@lru_cache
def refreshed(container: str = "mpegts") -> Clip:
    """Give 12 s that are renewed every 4 s, joined 0.4 s after the only keyframe.

    Ten blocks wide, of which each frame renews one column, they are whole 0.4 s later.
    """
    params = f"keyint={ROUND}:min-keyint={ROUND}:intra-refresh=1:scenecut=0:threads=1:ref=1"
    recipe = Recipe(n_frames=12 * FPS, gop=ROUND, options=(("x264-params", params),))
    codec, all_packets = packets(video(container, recipe))
    return codec, all_packets[10:]


@lru_cache
def refreshed_hevc() -> Clip:
    """Give 12 s that are renewed every 2 s, joined 0.4 s after the only keyframe."""
    params = f"keyint={GOP}:min-keyint={GOP}:intra-refresh=1:scenecut=0:bframes=0:{ONE_THREAD}"
    options = (("preset", "fast"), ("x265-params", params))
    recipe = Recipe("libx265", n_frames=12 * FPS, gop=GOP, options=options)
    codec, all_packets = packets(video("mpegts", recipe))
    return codec, all_packets[10:]


@lru_cache
def midway(codec: str) -> Clip:
    """Give the last 14 s of a GOP of 16 s, as a source gives them that was joined there.

    Its head holds the parameter sets: servers of RTMP send it to whoever joins.
    """
    recipe = Recipe(codec, n_frames=16 * FPS, gop=16 * FPS, size=(96, 64))
    made = io.BytesIO()
    options = {"movflags": "frag_every_frame+empty_moov"}
    with (
        av.open(io.BytesIO(video("mp4", recipe))) as whole,
        av.open(made, "w", format="mp4", options=options) as muxer,
    ):
        ticks_s = whole.streams.video[0].time_base or 1
        stream = muxer.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size and packet.pts is not None and packet.pts * ticks_s > 2:
                packet.stream = stream
                muxer.mux(packet)
    return packets(made.getvalue())


@lru_cache
def stretched() -> Clip:
    """Give 250 s of one GOP."""
    return packets(video("mpegts", Recipe(n_frames=1000, gop=1000, fps=4, size=(96, 64))))


@lru_cache
def of_gops(seconds: int) -> Clip:
    """Give GOPs so long, for a minute, the last keyframe at its end."""
    n_frames = (60 // seconds * seconds) * 5 + 1
    return packets(
        video("mpegts", Recipe(n_frames=n_frames, gop=seconds * 5, fps=5, size=(96, 64)))
    )


@lru_cache
def blacked() -> Clip:
    """Give 12 s whose keyframes are black, and nothing else is."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (12 * FPS, 6, 8), dtype=np.uint8)
    pictures = [np.kron(one, np.ones((20, 20), np.uint8)) for one in coarse]
    for number in range(0, len(pictures), GOP):
        pictures[number][:] = 16
    return packets(filmed(pictures, GOP, 28))


@lru_cache
def black() -> Clip:
    """Give a minute that shows nothing."""
    return packets(video("mpegts", Recipe(n_frames=240, gop=8, fps=4, seed=0)))


def account(clip: Clip, sampling: Sampling) -> Any:  # what the event holds
    """Screen a clip; give the account of its session."""
    return screened(clip, sampling)[0]


def screened(clip: Clip, sampling: Sampling) -> tuple[Any, list[tuple[int, int, str]]]:
    """Screen a clip; give its account, and its gaps: (start and end in ms since its start, why)."""
    stage = Stage(make_decoder=lambda: PyavDecoder(FakeClock()))
    codec, given = clip
    source = FakeSource(given, codec=codec)
    stream = stage.stream(lambda _: source, location=FILE, sampling=sampling)
    error = stage.run(lambda parts, stop: screen_once(stream, parts, stop))
    assert error is None
    [ended] = stage.told(EventType.STREAM_ENDED)
    first_ms = given[0].pts_us // 1000
    return ended, [
        (gap.start_pts_ms - first_ms, gap.end_pts_ms - first_ms, gap.reason)
        for gap in stage.told(EventType.COVERAGE_GAP)
    ]


def met(clip: Clip) -> list[Evasion]:
    """Give the evasions that a stream's packets alone show."""
    sampler = Sampler(Sampling.AUTO)
    for each in clip[1]:
        sampler.step(each)
    return sampler.take_evasions()


@pytest.mark.parametrize("container", ["mpegts", "flv", "mp4"])
def test_a_picture_that_is_renewed_piece_by_piece_is_screened_once_it_is_whole(
    container: str,
) -> None:
    """It is whole 4.0 s after we came, and looked at soon; the verdict reaches 2.5 s back."""
    clip = refreshed(container)

    ended = account(clip, Sampling.AUTO)

    assert met(clip) == [Evasion.INTRA_REFRESH]
    assert ended.n_samples >= 4 * 7
    assert 1_400 <= ended.gap_ms <= 1_500 + 250


def test_a_picture_of_h265_is_screened_when_it_was_renewed_twice() -> None:
    """That begins 1.6 s after we came, and takes 4 s; the verdict reaches 2.5 s back."""
    clip = refreshed_hevc()

    ended = account(clip, Sampling.AUTO)

    assert met(clip) == [Evasion.INTRA_REFRESH]
    assert ended.n_samples >= 4 * 5
    assert 3_000 <= ended.gap_ms <= 3_100 + 250


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_where_no_keyframe_ever_comes_it_looks_all_the_same_and_calls_it_a_gap(codec: str) -> None:
    clip = midway(codec)

    ended, gaps = screened(clip, Sampling.AUTO)

    assert ended.n_samples >= 4 * 5
    assert ended.screened_ms == 0
    assert sum(end - start for start, end, _ in gaps) == ended.gap_ms > 13_000
    assert {reason for _, _, reason in gaps} == {"no_keyframe"}
    assert met(clip) == [Evasion.STRETCHED_GOP]


def test_keyframes_alone_never_screen_what_has_none() -> None:
    ended = account(refreshed(), Sampling.KEYFRAMES)

    assert (ended.n_samples, ended.screened_ms) == (0, 0)


def test_a_stretched_gop_is_screened_whole() -> None:
    clip = stretched()

    ended = account(clip, Sampling.AUTO)

    assert met(clip) == [Evasion.STRETCHED_GOP]
    assert ended.gap_ms == 0
    assert ended.screened_ms > 249_000


@pytest.mark.parametrize(("gop_s", "sampling"), [(4, "keyframes"), (5, "keyframes"), (4, "auto")])
def test_keyframes_of_gops_up_to_five_seconds_reach_each_other(gop_s: int, sampling: str) -> None:
    ended, gaps = screened(of_gops(gop_s), Sampling(sampling))

    assert (gaps, ended.gap_ms, ended.screened_ms) == ([], 0, 60_000)


def test_of_longer_gops_keyframes_alone_leave_the_middle_to_a_gap_each() -> None:
    ended, gaps = screened(of_gops(6), Sampling.KEYFRAMES)

    assert gaps == [(at + 2_500, at + 3_500, "long_gop") for at in range(0, 60_000, 6_000)]
    assert (ended.gap_ms, ended.screened_ms) == (10_000, 50_000)


def test_of_longer_gops_what_lies_between_keyframes_is_looked_at() -> None:
    ended, gaps = screened(of_gops(6), Sampling.AUTO)

    assert (gaps, ended.gap_ms, ended.screened_ms) == ([], 0, 60_000)
    assert met(of_gops(6)) == []  # common, and no evasion


def test_a_stretched_gop_is_a_gap_to_keyframes_alone() -> None:
    ended, gaps = screened(stretched(), Sampling.KEYFRAMES)

    assert gaps == [(2_500, 249_750, "long_gop")]
    assert (ended.gap_ms, ended.screened_ms) == (247_250, 2_500)


def test_between_black_keyframes_it_looks_at_once() -> None:
    clip = blacked()

    alone, ended = account(clip, Sampling.KEYFRAMES), account(clip, Sampling.AUTO)

    assert alone.screened_ms == 0
    assert ended.gap_ms == 0
    assert met(clip) == []  # it shows in what the keyframes show, not in the packets


def test_a_black_stream_is_looked_into_now_and_then_and_stays_a_gap() -> None:
    ended = account(black(), Sampling.AUTO)

    assert ended.screened_ms == 0
    assert 30 < ended.n_samples < 150  # of 30 keyframes and 240 frames


def test_at_the_floor_a_stretched_gop_is_a_gap() -> None:
    sampler = Sampler(Sampling.AUTO)
    sampler.level = Level.FLOOR
    taken = [sampler.step(each).name for each in stretched()[1]]

    assert taken[0] == "KEYFRAME"
    assert set(taken[1:]) == {"SKIP"}
