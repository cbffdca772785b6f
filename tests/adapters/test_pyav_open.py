import errno
from pathlib import Path
from typing import get_args

import av
import pytest

from streamguard.adapters.pyav_errors import translated
from streamguard.adapters.pyav_open import Opened
from streamguard.adapters.pyav_options import (
    FILE_FORMATS,
    NO_PROTOCOL,
    PATIENT,
    file_options,
    forced_format,
    options,
    wrap_ticks,
)
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.errors import ConfigError, SourceInvalid, SourceUnavailable
from streamguard.core.location import Location, Protocol, parse_location
from tests.clock import FakeClock
from tests.media import Recipe, image, video

LIVE = [protocol for protocol in get_args(Protocol) if protocol != "file"]
TIMEOUTS = SourceTimeouts(open_s=1.5, read_s=2.5)


def location(protocol: Protocol) -> Location:
    return Location(protocol, f"{protocol}://media.example/hidden", f"{protocol} source at m")


def chosen(protocol: Protocol) -> dict[str, str]:
    return options(location(protocol), TIMEOUTS)


@pytest.mark.parametrize(
    ("protocol", "allowed"),
    [
        ("file", {"file"}),
        ("rtmp", {"rtmp", "tcp"}),
        ("rtmps", {"rtmps", "tls", "tcp"}),
        ("http", {"http", "tcp"}),
        ("https", {"https", "tls", "tcp"}),
        ("rtsp", {"tcp"}),
        ("rtsps", {"tls", "tcp"}),
        ("hls", {NO_PROTOCOL}),
        ("srt", {NO_PROTOCOL}),
    ],
)
def test_a_source_may_use_what_its_protocol_needs_and_nothing_else(
    protocol: Protocol, allowed: set[str]
) -> None:
    assert set(chosen(protocol)["protocol_whitelist"].split(",")) == allowed


@pytest.mark.parametrize("protocol", ["rtmp", "rtmps"])
def test_rtmp_is_opened_with_its_first_keyframe_whatever_comes_before_it(
    protocol: Protocol,
) -> None:
    given = chosen(protocol)

    assert given["analyzeduration"] == "1500000"
    assert int(given["probesize"]) < int(chosen("http")["probesize"])
    assert (given["fpsprobesize"], given["tcp_nodelay"]) == ("0", "1")


@pytest.mark.parametrize("protocol", ["rtmp", "http"])
def test_whoever_sends_sound_first_may_send_more_of_it(protocol: Protocol) -> None:
    patient = options(location(protocol), TIMEOUTS, is_patient=True)

    assert patient["analyzeduration"] == "1500000"
    assert int(patient["probesize"]) == PATIENT * TIMEOUTS.limits.probe_bytes


def test_no_protocol_is_named_none() -> None:
    """An unknown one would open nothing; a known one might."""
    with pytest.raises(av.error.ProtocolNotFoundError):
        av.open(f"{NO_PROTOCOL}://media.example")


@pytest.mark.parametrize("protocol", LIVE)
def test_no_live_source_may_be_a_playlist_or_wait_for_ever(protocol: Protocol) -> None:
    found = chosen(protocol)

    assert not {"hls", "concat", "sdp", "dash"} & set(found["format_whitelist"].split(","))
    waits = found["timeout" if protocol in {"rtsp", "rtsps"} else "rw_timeout"]
    assert waits == "2500000"


@pytest.mark.parametrize("protocol", ["rtmp", "rtmps"])
def test_rtmp_calls_and_does_not_listen(protocol: Protocol) -> None:
    """Its option `timeout` would mean that it listens."""
    assert "timeout" not in chosen(protocol)


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_http_follows_no_redirect(protocol: Protocol) -> None:
    assert chosen(protocol)["max_redirects"] == "0"


@pytest.mark.parametrize("protocol", ["rtsp", "rtsps"])
def test_rtsp_comes_by_tcp_and_without_sound(protocol: Protocol) -> None:
    found = chosen(protocol)

    assert (found["rtsp_transport"], found["allowed_media_types"]) == ("tcp", "video")
    assert found["format_whitelist"] == "rtsp"


@pytest.mark.parametrize(
    ("name", "ticks"),
    [
        ("mpegts", 1 << 33),
        ("rtsp", 1 << 32),
        ("flv", 1 << 32),
        ("live_flv", 1 << 32),
        ("mov,mp4,m4a,3gp,3g2,mj2", None),
    ],
)
def test_timestamps_wrap_as_their_format_says(name: str, ticks: int | None) -> None:
    assert wrap_ticks(name) == ticks


def test_a_jpeg_is_named_and_nothing_else(tmp_path: Path) -> None:
    for name, body, forced in (
        ("a", image("mjpeg"), "jpeg_pipe"),
        ("b", image("png"), None),
        ("c", b"", None),
    ):
        (tmp_path / name).write_bytes(body)
        assert forced_format(tmp_path / name) == forced
    assert "jpeg_pipe" in FILE_FORMATS


ERRORS = [
    (av.error.ExitError(1, "hidden"), "it sent nothing in time"),
    (av.error.TimeoutError(errno.ETIMEDOUT, "hidden"), "it sent nothing in time"),
    (av.error.EOFError(1, "hidden"), "it ended before any video came"),
    (av.error.HTTPNotFoundError(1, "hidden"), "it has no such stream"),
    (av.error.HTTPUnauthorizedError(1, "hidden"), "it wants other credentials"),
    (av.error.HTTPForbiddenError(1, "hidden"), "it wants other credentials"),
    (av.error.ConnectionRefusedError(errno.ECONNREFUSED, "hidden"), "(ECONNREFUSED)"),
    (av.error.PermissionError(errno.EACCES, "hidden"), "(EACCES)"),
    (av.error.UndefinedError(-1, "hidden"), "(protocol error)"),
    (OSError("hidden"), "(protocol error)"),
]


@pytest.mark.parametrize(("error", "told"), ERRORS)
@pytest.mark.parametrize("protocol", LIVE)
def test_an_error_of_a_live_source_is_one_line_without_its_url(
    protocol: Protocol, error: Exception, told: str
) -> None:
    problem = translated(location(protocol), error, "broke off")

    assert isinstance(problem, SourceUnavailable)
    assert str(problem).startswith(f"{protocol} source at m broke off")
    assert told in str(problem)
    assert "hidden" not in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ("rtmp", "neither MPEG-TS nor FLV"),
        ("http", "neither MPEG-TS nor FLV"),
        ("rtsp", "no video that can be read, or nothing in time"),
        ("hls", "no video that can be read"),
        ("srt", "no video that can be read"),
    ],
)
def test_what_is_no_video_is_told_by_what_was_expected(protocol: Protocol, told: str) -> None:
    error = av.error.InvalidDataError(1, "hidden")

    assert told in str(translated(location(protocol), error, "cannot be opened"))


def test_a_file_that_may_not_be_read_is_a_mistake_of_the_caller() -> None:
    file = Location("file", "file:/a/clip.mp4", "/a/clip.mp4")

    for error in (PermissionError(), av.error.PermissionError(errno.EACCES, "")):
        problem = translated(file, error, "cannot be opened")
        assert isinstance(problem, ConfigError)
        assert str(problem) == "/a/clip.mp4 may not be read: check its permissions"
    assert isinstance(translated(file, av.error.InvalidDataError(1, ""), ""), SourceInvalid)


def test_what_ffmpeg_reads_itself_has_one_container(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    path.write_bytes(video("mpegts", Recipe()))
    opened = Opened(Location("file", f"file:{path}", str(path)), FakeClock(), TIMEOUTS, ())

    opened.renew()

    assert not opened.go_on()
    assert opened.wrap_ticks == 1 << 33
    opened.close()
    opened.close()


def test_an_mp4_is_opened_without_decoding_and_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "some.video"
    path.write_bytes(video("mp4", Recipe(bf=2, audio_s=2.0)))

    with av.open(str(path)) as decoded:
        wanted = decoded.streams.video[0]
        found = Opened(parse_location(str(path)), FakeClock(), TIMEOUTS, ())
        try:
            assert found.video.codec_context.pix_fmt is None  # nobody looked at a picture
            for name in ("duration", "frames", "time_base", "start_time", "index"):
                assert getattr(found.video, name) == getattr(wanted, name)
            for name in ("width", "height", "extradata"):
                ours = getattr(found.video.codec_context, name)
                assert ours == getattr(wanted.codec_context, name)
        finally:
            found.close()


@pytest.mark.parametrize("container", ["mpegts", "matroska", "flv", "avi"])
def test_only_an_mp4_is_opened_without_decoding(tmp_path: Path, container: str) -> None:
    """Others have to be asked how far their pictures are out of order."""
    path = tmp_path / "some.video"
    path.write_bytes(video(container, Recipe(bf=2)))

    assert file_options(path) == {}
    path.write_bytes(b"")
    assert file_options(path) == {}
