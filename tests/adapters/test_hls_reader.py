"""HLS as PyAV gets it: real segments from a real server, at real time but for a few short ones."""

import io
import struct
import time
import traceback
from collections.abc import Iterator, Sequence
from itertools import pairwise

import av
import pytest

from streamguard.adapters.hls_reader import HlsReader
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceUnavailable
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from tests.clock import FakeClock
from tests.hls_server import HOST, Site, master_playlist, media_playlist, web_site
from tests.media import TS_TICKS_S, Recipe, audio_ts, shifted, video
from tests.servers import Answer, refusing_port, serving, silent, status, whole

pytestmark = pytest.mark.integration

LIST = "/live/hidden.m3u8"
USERINFO, QUERY = "bob:hidden@", "?key=hidden"
TIMEOUTS = SourceTimeouts(open_s=0.5, read_s=0.5)
PATIENT = SourceTimeouts(open_s=30.0, read_s=5.0)
"""For what comes: on a busy machine it may take its time."""

QUICK_S = 0.05
"""Segments that say they are so short are not waited for."""

FRAME_US = 40_000
SEGMENT = Recipe(n_frames=25, bf=2)
SECOND_US = 1_000_000


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as running:
        yield running


def ts_at(seconds: float, recipe: Recipe = SEGMENT) -> bytes:
    """Make a segment of one second, whose first frame is at so many seconds."""
    return shifted(video("mpegts", recipe), round(seconds * TS_TICKS_S))


def fragmented(recipe: Recipe) -> tuple[bytes, list[bytes]]:
    """Make an init section, and a fragment for each GOP, of MP4."""
    made = io.BytesIO()
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with (
        av.open(io.BytesIO(video("mp4", recipe))) as encoded,
        av.open(made, "w", format="mp4", options=flags) as muxer,
    ):
        stream = muxer.add_stream_from_template(encoded.streams.video[0])
        for packet in encoded.demux(video=0):
            if packet.size:
                packet.stream = stream
                muxer.mux(packet)
    init, fragments = b"", []
    for kind, box in boxes(made.getvalue()):
        if kind == b"moof":
            fragments.append(box)
        elif kind == b"mdat":
            fragments[-1] += box
        elif kind in {b"ftyp", b"moov"}:
            init += box
    return init, fragments


def boxes(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes of MP4, kind and all bytes."""
    at = 0
    while at < len(payload):
        (size,) = struct.unpack_from(">I", payload, at)
        yield payload[at + 4 : at + 8], payload[at : at + size]
        at += size


def record(site: Site, bodies: Sequence[bytes], **tags: str) -> None:
    """Put up a recording of segments, which are named 0, 1, 2..."""
    names = [str(number) for number in range(len(bodies))]
    for name, body in zip(names, bodies, strict=True):
        site.put(f"/live/{name}", body)
    listed = {name.removeprefix("at_"): lines for name, lines in tags.items()}
    site.put(LIST, media_playlist(names, target_s=QUICK_S, is_over=True, tags=listed))


def open_source(url: str, *hosts: str) -> PyavSource:
    return PyavSource(parse_location(url), Timeline(), SystemClock(), PATIENT, hosts)


def read_all(url: str, *hosts: str) -> list[Packet]:
    with open_source(url, *hosts) as source:
        return list(source.packets())


def shown_us(packets: Sequence[Packet], epoch: int = 0) -> list[int]:
    return sorted(packet.pts_us for packet in packets if packet.epoch == epoch)


def in_frames(n_frames: int, first_us: int) -> list[int]:
    return [first_us + FRAME_US * index for index in range(n_frames)]


def test_segments_of_mpegts_are_one_stream(site: Site) -> None:
    record(site, [ts_at(second) for second in range(3)])

    packets = read_all(site.url(LIST))

    assert len(packets) == 75
    assert {packet.epoch for packet in packets} == {0}
    assert shown_us(packets) == in_frames(75, shown_us(packets)[0])
    assert sum(packet.is_keyframe for packet in packets) == 3


def test_fragments_of_mp4_are_one_stream(site: Site) -> None:
    init, fragments = fragmented(Recipe(n_frames=75, gop=25, bf=2))
    site.put("/live/init", init)
    record(site, fragments, at_0='#EXT-X-MAP:URI="init"')

    packets = read_all(site.url(LIST))

    assert len(fragments) == 3
    assert {packet.epoch for packet in packets} == {0}
    assert shown_us(packets) == in_frames(75, shown_us(packets)[0])
    assert all(one.dts_us <= other.dts_us for one, other in pairwise(packets))
    assert all(packet.payload.startswith(b"\0\0\0\1") for packet in packets if packet.is_keyframe)


def test_parts_of_one_file_are_one_stream(site: Site) -> None:
    init, fragments = fragmented(Recipe(n_frames=50, gop=25))
    site.put("/live/all", init + b"".join(fragments))
    at, listed = len(init), [f'#EXT-X-MAP:URI="all",BYTERANGE="{len(init)}@0"']
    for fragment in fragments:
        listed += [f"#EXT-X-BYTERANGE:{len(fragment)}@{at}", f"#EXTINF:{QUICK_S},", "all"]
        at += len(fragment)
    site.put(LIST, "\n".join(["#EXTM3U", *listed, "#EXT-X-ENDLIST"]))

    assert len(read_all(site.url(LIST))) == 50


@pytest.mark.parametrize("damaged", [1, 2])
@pytest.mark.parametrize("n_left", [40, 1500])
def test_a_damaged_fragment_costs_itself_alone(site: Site, damaged: int, n_left: int) -> None:
    init, fragments = fragmented(Recipe(n_frames=75, gop=25))
    fragments[damaged] = fragments[damaged][:n_left]
    site.put("/live/init", init)
    record(site, fragments, at_0='#EXT-X-MAP:URI="init"')

    packets = read_all(site.url(LIST))

    whole_us = {0, SECOND_US, 2 * SECOND_US} - {damaged * SECOND_US}
    assert whole_us <= {packet.pts_us for packet in packets if packet.is_keyframe}
    assert 50 <= len(packets) < 75


@pytest.mark.parametrize(("jump_s", "epochs"), [(2.0, {0}), (3600.0, {0, 1}), (-3600.0, {0, 1})])
def test_after_a_discontinuity_the_timestamps_decide_about_a_new_epoch(
    site: Site, jump_s: float, epochs: set[int]
) -> None:
    bodies = [ts_at(4000), ts_at(4000 + jump_s)]
    record(site, bodies, at_1="#EXT-X-DISCONTINUITY")

    packets = read_all(site.url(LIST))

    assert {packet.epoch for packet in packets} == epochs
    assert len(packets) == 50


def test_a_discontinuity_may_change_the_container_and_the_size(site: Site) -> None:
    init, fragments = fragmented(Recipe(n_frames=25, size=(320, 180), seed=2))
    site.put("/live/init", init)
    tags = '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init"'
    record(site, [ts_at(100), fragments[0]], at_1=tags)

    packets = read_all(site.url(LIST))

    assert len(packets) == 50
    assert {packet.epoch for packet in packets} == {0, 1}


def test_a_changed_codec_begins_anew(site: Site) -> None:
    hevc = Recipe(codec="libx265", n_frames=25)
    record(site, [ts_at(0), ts_at(1, hevc)], at_1="#EXT-X-DISCONTINUITY")
    found: list[Packet] = []

    with (
        open_source(site.url(LIST)) as source,
        pytest.raises(SourceUnavailable, match="changed its codec"),
    ):
        found.extend(source.packets())

    assert len(found) == 25


def test_timestamps_that_wrap_between_segments_stay_in_one_epoch(site: Site) -> None:
    wrap_s = (1 << 33) / TS_TICKS_S
    record(site, [ts_at(wrap_s - 2), ts_at(wrap_s - 1), ts_at(wrap_s)])

    packets = read_all(site.url(LIST))

    assert {packet.epoch for packet in packets} == {0}
    assert shown_us(packets) == in_frames(75, shown_us(packets)[0])


def test_a_lost_segment_is_a_hole_in_the_same_epoch(site: Site) -> None:
    record(site, [ts_at(second) for second in range(4)])
    site.take_down("/live/1")

    packets = read_all(site.url(LIST))

    assert len(packets) == 75
    assert {packet.epoch for packet in packets} == {0}
    assert max(b - a for a, b in pairwise(shown_us(packets))) == SECOND_US + FRAME_US


def test_sound_beside_the_picture_is_left_out(site: Site) -> None:
    record(site, [ts_at(0, Recipe(n_frames=25)), video("mpegts", Recipe(audio_s=2.0))])

    assert len(read_all(site.url(LIST))) == 75


def test_a_recording_is_read_at_the_pace_of_watching(site: Site) -> None:
    for name in ("a", "b"):
        site.put(f"/live/{name}", ts_at(0))
    site.put(LIST, media_playlist(["a", "b"], target_s=0.4, is_over=True))
    began_s = time.monotonic()

    with open_source(site.url(LIST)) as source:
        reading = source.packets()
        first = next(reading)
        at_once = list(site.asked)
        packets = [first, *reading]

    assert len(packets) == 50
    assert packets[-1].read_at_s - began_s >= 0.4
    assert at_once == [LIST, "/live/a"]  # the second waits until it would be watched


def test_a_host_that_was_allowed_may_hold_the_segments(site: Site) -> None:
    with web_site() as other:
        other.put("/a.ts", ts_at(0))
        site.put(LIST, media_playlist([other.url("/a.ts")], target_s=QUICK_S, is_over=True))

        with pytest.raises(SourceUnavailable, match="leads to another host or port"):
            read_all(site.url(LIST))

        assert other.asked == []
        assert len(read_all(site.url(LIST), f"{HOST}:{other.port}")) == 25


def test_sound_alone_holds_no_video(site: Site) -> None:
    record(site, [audio_ts(1.0)] * 3)

    with pytest.raises(SourceUnavailable, match="holds no video"):
        read_all(site.url(LIST))


def test_sound_that_goes_on_without_picture_does_not_keep_a_broadcast(site: Site) -> None:
    """Its patience is three seconds, and it is over after forty."""
    clock = FakeClock()
    record(site, [ts_at(0), *[audio_ts(1.0)] * 40])
    reader = HlsReader(parse_location(site.url(LIST)), clock, TIMEOUTS, ())

    pieces = 0
    while reader.read(1 << 20):
        pieces += 1
        clock.advance(1.0)
    reader.close()

    assert "sends no video any more" in str(reader.problem)
    assert pieces == 4


def test_a_reader_gives_no_more_than_it_is_asked_for(site: Site) -> None:
    bodies = [ts_at(0), ts_at(1)]
    record(site, bodies)
    reader = HlsReader(parse_location(site.url(LIST)), SystemClock(), PATIENT, ())

    pieces = []
    while piece := reader.read(1000):
        pieces.append(piece)
    reader.close()

    assert b"".join(pieces) == b"".join(bodies)
    assert max(map(len, pieces)) == 1000
    assert reader.problem is None
    assert not reader.go_on()


BAD_LISTS = {
    "loop": (master_playlist({"hidden.m3u8": 360}), "leads to another list of renditions"),
    "escape": (media_playlist(["../../../../etc/hidden"], is_over=True), "holds no video"),
    "many": (
        master_playlist({f"hidden{number}.m3u8": 360 for number in range(10_000)}),
        "names more than 100 renditions",
    ),
    "sound": ('#EXTM3U\n#EXT-X-STREAM-INF:CODECS="mp4a.40.2"\nhidden', "offers no video"),
    "file": (media_playlist(["file:///etc/passwd"]), "leads away from HTTP"),
    "port": (media_playlist(["http://127.0.0.1:9/hidden"]), "leads to another host or port"),
    "metadata": (media_playlist(["http://169.254.169.254/hidden"]), "leads to another host"),
    "encrypted": (
        media_playlist(["a"], tags={"a": '#EXT-X-KEY:METHOD=AES-128,URI="hidden"'}),
        "is of encrypted segments",
    ),
    "html": ("<!doctype html><title>hidden</title>", "is none"),
    "empty": ("", "is none"),
    "no-segment": ("#EXTM3U\n", "names no segment yet"),
    "malformed": ("#EXTM3U\n#EXTINF:hidden\nhidden", "is malformed"),
    "bad-address": (media_playlist(["http://hidden:x/"]), "names an address that is none"),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_a_bad_playlist_is_said_in_one_line_without_an_address(site: Site, name: str) -> None:
    page, problem = BAD_LISTS[name]
    site.put(LIST, page)

    with pytest.raises(SourceUnavailable) as caught:
        read_all(site.url(LIST, USERINFO) + QUERY)

    assert problem in str(caught.value)
    assert_shows_nothing(caught.value)


@pytest.mark.parametrize(
    "answer", [silent, status("404 Not Found"), whole(b"#EXTM3U\n"), whole(b"<html>")]
)
def test_a_bad_server_is_said_in_one_line_without_an_address(answer: Answer) -> None:
    with serving(answer) as server, pytest.raises(SourceUnavailable) as caught:
        read_all(server.url(LIST, USERINFO))

    assert_shows_nothing(caught.value)


def test_a_server_that_refuses_is_said_in_one_line_without_an_address() -> None:
    with pytest.raises(SourceUnavailable) as caught:
        read_all(f"http://{USERINFO}{HOST}:{refusing_port()}{LIST}")

    assert_shows_nothing(caught.value)


def test_an_address_that_cannot_be_asked_is_said_without_showing_it() -> None:
    with pytest.raises(SourceUnavailable, match="has an address that nobody can be asked for"):
        read_all(f"http://{'a' * 300}\u3002.example{LIST}" + "x" * 70_000 + ".m3u8")


def test_a_broadcast_that_breaks_off_says_so_after_what_came(site: Site) -> None:
    for name in "abcdefg":
        site.put(f"/live/{name}", b"")
    site.put("/live/a", ts_at(0))
    site.put(LIST, media_playlist([*"abcdefg"], target_s=QUICK_S, is_over=True))
    found: list[Packet] = []

    with open_source(site.url(LIST)) as source, pytest.raises(SourceUnavailable) as caught:
        found.extend(source.packets())

    assert len(found) == 25
    assert_shows_nothing(caught.value)


def assert_shows_nothing(error: BaseException) -> None:
    """Look at all that a handler may print, the errors behind the error included."""
    told = [*traceback.format_exception(error)]
    behind: BaseException | None = error
    while behind is not None:
        told += [str(behind), repr(behind.args)]
        behind = behind.__cause__ or behind.__context__
    assert str(error).startswith("hls source at 127.0.0.1:")
    assert "\n" not in str(error)
    assert "hidden" not in "".join(told)


def test_a_server_that_wants_to_be_left_alone_says_for_how_long(site: Site) -> None:
    site.refuse(LIST, 429, Retry_After="7")

    with pytest.raises(SourceUnavailable) as refused:
        HlsReader(parse_location(site.url(LIST)), SystemClock(), PATIENT, ())

    assert refused.value.retry_after_s == 7.0
