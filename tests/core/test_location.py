from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError
from streamguard.core.location import REMEDY, SCHEMES, Location, Protocol, parse_location


@pytest.mark.parametrize("path", ["clip.mp4", "/clips/a b.mp4", "C:\\clips\\a.mp4", "a:b?c#d", "-"])
def test_what_has_no_scheme_is_a_file(path: str) -> None:
    location = parse_location(path)

    assert location == Location("file", f"file:{path}", path)
    assert not location.is_live


@pytest.mark.parametrize("protocol", SCHEMES)
def test_each_live_protocol_is_read(protocol: Protocol) -> None:
    url = f"{protocol}://media.example:9000/live/name"

    location = parse_location(url)

    assert (location.protocol, location.url) == (protocol, url)
    assert location.label == f"{protocol} source at media.example:9000"
    assert location.is_live


def test_every_protocol_can_be_asked_for() -> None:
    assert set(get_args(Protocol)) == {*SCHEMES.values(), "file", "hls"}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "rest", ["/hidden.m3u8", "/live/HIDDEN.M3U8", "/hidden.m3u8?hidden#hidden"]
)
def test_a_playlist_over_http_is_hls(scheme: str, rest: str) -> None:
    url = f"{scheme}://user:hidden@media.example{rest}"

    location = parse_location(url)

    assert (location.protocol, location.url) == ("hls", url)
    assert location.label == "hls source at media.example"
    assert location.is_live


@pytest.mark.parametrize("rest", ["/live.ts?list=a.m3u8", "/live#a.m3u8", "/a.m3u8/", "/am3u8"])
def test_what_has_no_path_of_a_playlist_is_no_hls(rest: str) -> None:
    assert parse_location(f"http://media.example{rest}").protocol == "http"


def test_a_playlist_that_is_a_file_is_a_file() -> None:
    assert parse_location("clips/list.m3u8").protocol == "file"


def test_a_mistake_in_an_srt_address_is_found_at_once() -> None:
    with pytest.raises(ConfigError, match=r"the srt source names no port: give srt://host:port$"):
        parse_location("srt://media.example?streamid=x")


def test_a_scheme_is_read_in_any_case() -> None:
    assert parse_location("RTMP://media.example/live").protocol == "rtmp"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("media.example:1936", "media.example:1936"),
        ("media.example:", "media.example"),
        ("Media.Example", "media.example"),
        ("10.0.0.7:80", "10.0.0.7:80"),
        ("[::1]", "::1"),
    ],
)
def test_a_label_names_host_and_port(host: str, shown: str) -> None:
    assert parse_location(f"rtmp://{host}/live/x").label == f"rtmp source at {shown}"


def test_no_key_or_password_shows() -> None:
    location = parse_location("rtmp://user:hidden1@media.example/hidden2/hidden3?hidden4#hidden5")

    assert "hidden" not in f"{location!r} {location} {location.label}"
    assert "user" not in f"{location!r} {location.label}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("udp://media.example:9000", "udp://"),
        ("hls://media.example/live.m3u8", "hls://"),
        ("file:///clips/a.mp4", "file://"),
        ("abcdefghijkl://x", "abcdefghijkl://"),
        ("abcdefghijklm://x", "this://"),
        ("clips/rtmp://x", "this://"),
        ("://x", "this://"),
    ],
)
def test_other_schemes_are_refused_with_the_remedy(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_location(text)

    assert str(caught.value) == f"cannot screen {named} sources: {REMEDY}"


def test_an_empty_source_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="the source is empty: use a file path"):
        parse_location("")


@pytest.mark.parametrize("url", ["rtmp://", "rtmp:///live/hidden", "http://user:hidden@/live"])
def test_a_missing_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"source names no host$") as caught:
        parse_location(url)

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["rtmp://media.example:hidden/live", "http://[hidden/live", "http://h:65536/hidden"]
)
def test_a_malformed_host_or_port_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"source has a malformed host or port$") as caught:
        parse_location(url)

    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__  # its message would hold the URL


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("clip.mp4", "clip.mp4"),
        ("/clips/clip.mp4", "clip.mp4"),
        ("C:\\clips\\clip.mp4", "clip.mp4"),
    ],
)
def test_a_file_names_its_stream(path: str, name: str) -> None:
    assert parse_location(path).default_stream_id == name


def test_a_live_stream_names_none_since_its_name_may_be_its_key() -> None:
    assert parse_location("rtmp://media.example/live/name").default_stream_id is None


ODD = ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\udcff"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("around", ["clips/{}a.mp4", "rtmp://media.example{}/hidden", "a{}b://x"])
def test_what_does_not_fit_on_one_line_of_text_is_refused(odd: str, around: str) -> None:
    with pytest.raises(ConfigError, match="a control character, a line break or bytes") as caught:
        parse_location(around.format(odd))

    assert "hidden" not in str(caught.value)


def test_any_script_may_name_a_file() -> None:
    name = "\u914d\u4fe1\u3000\u0410\u0411 \u00e9\u00a0\U0001f3a5.mp4"

    assert parse_location(name).default_stream_id == name


@given(st.sampled_from(["rtmp://", "http://", "srt://", "://", ""]), st.text(max_size=40))
def test_any_text_is_a_location_with_a_label_of_one_line_or_an_error_of_one(
    scheme: str, rest: str
) -> None:
    try:
        shown = parse_location(scheme + rest).label
    except ConfigError as error:
        shown = str(error)

    assert len(shown.splitlines()) == 1
