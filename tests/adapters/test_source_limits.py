"""What a stranger may send of one stream; more is refused by a line that names the setting."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest

from loadtest.hostile_clips import SIZES, Case, Kind, whole_case
from loadtest.hostile_server import HostileServer
from loadtest.rtmp_wire import messages_of_flv
from streamguard.adapters.pyav_options import RTMP_PROBE_BYTES
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceCorrupt, SourceInvalid, SourceUnavailable
from streamguard.core.limits import MAX_SIDE, Limits
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from streamguard.sections.limits_section import LimitsSection
from tests.media import Recipe, image, video
from tests.servers import serving, whole

RECIPE = Recipe(size=(160, 120), n_frames=50, audio_s=2.0)
N_PIXELS = 160 * 120
N_STREAMS = 2
LARGE = (8192, 4320)
"""Pixels: so large that memory for one comes from the machine and goes back to it at once."""
N_LARGE = 8192 * 4320


def taken(payload: bytes, limits: Limits) -> list[Packet]:
    """Read a live stream within these bounds."""
    with serving(whole(payload)) as server:
        location = parse_location(server.url())
        timeouts = SourceTimeouts(30.0, 30.0, limits)
        with PyavSource(location, Timeline(), SystemClock(), timeouts) as source:
            return list(source.packets())


@pytest.mark.parametrize("container", ["mpegts", "flv"])
def test_a_stream_at_every_bound_is_taken(container: str) -> None:
    payload = video(container, RECIPE)
    largest = max(len(packet.payload) for packet in taken(payload, Limits()))

    found = taken(payload, Limits(N_PIXELS, N_STREAMS, largest))

    assert len(found) == RECIPE.n_frames


@pytest.mark.parametrize("container", ["mpegts", "flv"])
def test_pictures_that_are_too_large_are_refused_when_a_stream_opens(container: str) -> None:
    with pytest.raises(
        SourceUnavailable, match=r"pictures of 160x120: more than limits\.max_pixels"
    ):
        taken(video(container, RECIPE), Limits(max_pixels=N_PIXELS - 1))


@pytest.mark.parametrize("kind", ["rtmp", "rtsp"])
def test_the_bound_on_pixels_holds_for_what_comes_without_http(kind: Kind) -> None:
    case, server = whole_case(kind, 0), HostileServer()
    width, height = SIZES[0]

    def opened(max_pixels: int) -> PyavSource:
        location = parse_location(server.url(case))
        timeouts = SourceTimeouts(30.0, 30.0, Limits(max_pixels))
        return PyavSource(location, Timeline(), SystemClock(), timeouts)

    with opened(width * height) as source:
        assert (source.codec.width, source.codec.height) == (width, height)
    with pytest.raises(SourceUnavailable, match=r"limits\.max_pixels"):
        opened(width * height - 1)


def test_the_size_is_known_where_the_first_keyframe_is_more_than_is_read_to_open_rtmp() -> None:
    recipe = Recipe(size=(640, 480), n_frames=25, options=(("crf", "1"),))
    live = messages_of_flv(video("flv", recipe))
    case, server = Case("rtmp", "live", {"live": live}), HostileServer()

    location = parse_location(server.url(case))
    with PyavSource(location, Timeline(), SystemClock(), SourceTimeouts(30.0, 30.0)) as source:
        first = next(source.packets())

    assert len(first.payload) > RTMP_PROBE_BYTES
    assert (source.codec.width, source.codec.height) == (640, 480)


@pytest.mark.parametrize("longer", [MAX_SIDE, MAX_SIDE + 16])
def test_pictures_may_have_a_side_so_long_and_no_longer(tmp_path: Path, longer: int) -> None:
    path = tmp_path / "strip"
    path.write_bytes(image("bmp", (longer, 16)))

    if longer <= MAX_SIDE:
        with PyavSource(parse_location(str(path)), Timeline(), SystemClock()) as source:
            assert source.codec.width == longer
    else:
        with pytest.raises(SourceInvalid, match="pictures of 16400x16: a longer side than 16384"):
            PyavSource(parse_location(str(path)), Timeline(), SystemClock())


@pytest.mark.parametrize("container", ["mpegts", "flv"])
def test_more_streams_than_allowed_are_refused(container: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"more streams in one than limits\.max_streams"):
        taken(video(container, RECIPE), Limits(max_streams=N_STREAMS - 1))


def test_a_packet_that_is_too_large_ends_the_source() -> None:
    payload = video("flv", RECIPE)
    largest = max(len(packet.payload) for packet in taken(payload, Limits()))

    with pytest.raises(SourceCorrupt, match=r"more than limits\.max_packet_bytes allows"):
        taken(payload, Limits(max_packet_bytes=largest // 2))


def test_a_file_has_the_bound_on_pixels_alone(tmp_path: Path) -> None:
    """An operator chose it; a bomb of a picture is one all the same."""
    path = tmp_path / "film.mp4"
    path.write_bytes(video("mp4", RECIPE))

    def n_packets(limits: Limits) -> int:
        timeouts = SourceTimeouts(limits=limits)
        with PyavSource(parse_location(str(path)), Timeline(), SystemClock(), timeouts) as source:
            return len(list(source.packets()))

    assert n_packets(Limits(N_PIXELS, max_streams=1, max_packet_bytes=1)) == RECIPE.n_frames
    with pytest.raises(SourceInvalid, match=r"limits\.max_pixels"):
        n_packets(Limits(N_PIXELS - 1))


def test_a_file_that_says_it_is_mp4_and_has_no_stream_holds_no_video(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    brand = b"\0\0\0\x10ftypisom\0\0\0\0"
    path.write_bytes(brand + b"\0\0\0\x74moov\0\0\0\x6cmvhd" + bytes(100))

    with pytest.raises(SourceInvalid):
        PyavSource(parse_location(str(path)), Timeline(), SystemClock())


def test_the_configuration_has_every_bound_and_its_default() -> None:
    assert LimitsSection().values == Limits()
    assert {field.name for field in fields(Limits)} == set(LimitsSection.model_fields)


def peak_bytes(work: Callable[[], object]) -> int:
    """Say how much more memory this process held at most while it did a piece of work."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak. Source: proc(5)
    before = _status_bytes("VmRSS")
    work()
    return _status_bytes("VmHWM") - before


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("container", ["mpegts", "flv"])
@pytest.mark.parametrize("limits", [Limits(N_LARGE), Limits(N_LARGE - 1)], ids=["at", "beyond"])
def test_no_picture_is_made_while_a_stream_opens(container: str, limits: Limits) -> None:
    """Not even one within the bound: what would be too large for memory is not tried."""
    payload = video(container, Recipe(size=LARGE, n_frames=1, options=(("preset", "ultrafast"),)))

    with serving(whole(payload)) as server:
        location = parse_location(server.url())
        timeouts = SourceTimeouts(30.0, 30.0, limits)

        def open_it() -> None:
            with suppress(SourceUnavailable):
                PyavSource(location, Timeline(), SystemClock(), timeouts).__exit__(None, None, None)

        open_it()  # what is made once for all sources
        assert peak_bytes(open_it) < N_LARGE // 2  # a picture in 4:2:0 takes three times that
