import math
from collections.abc import Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.hls_playlist import (
    MAX_DURATION_S,
    MAX_LINES,
    MAX_RENDITIONS,
    Ladder,
    PlaylistInvalid,
    Section,
    SegmentList,
    parse_playlist,
)

BASE = httpx.URL("http://media.example/live/list.m3u8?token=hidden")


def ladder(*streams: str) -> Ladder:
    """Read a master playlist of renditions, given by their attributes; the nth is n.m3u8."""
    lines = [f"#EXT-X-STREAM-INF:{stated}\n{index}.m3u8" for index, stated in enumerate(streams)]
    found = parse_playlist("\n".join(["#EXTM3U", *lines]), BASE)
    assert isinstance(found, Ladder)
    return found


def choice(*streams: str) -> str:
    return ladder(*streams).choice.playlist.uri


def segments(*lines: str) -> SegmentList:
    found = parse_playlist("\n".join(["#EXTM3U", *lines]), BASE)
    assert isinstance(found, SegmentList)
    return found


def heights(*numbers: int) -> Sequence[str]:
    return [f"BANDWIDTH={number * 1000},RESOLUTION=640x{number}" for number in numbers]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((1080, 720, 480, 360, 240), 360),
        ((240, 480, 1080), 480),
        ((359, 361), 361),
        ((240, 144), 240),
        ((2160,), 2160),
    ],
)
def test_the_smallest_rendition_of_360_lines_or_more_is_chosen_else_the_tallest(
    offered: tuple[int, ...], chosen: int
) -> None:
    assert choice(*heights(*offered)) == f"{offered.index(chosen)}.m3u8"


def test_of_equal_heights_the_leanest_is_chosen() -> None:
    wide, lean = "BANDWIDTH=900000,RESOLUTION=640x360", "BANDWIDTH=500000,RESOLUTION=640x360"

    assert choice(wide, lean) == "1.m3u8"
    assert choice(lean, wide) == "0.m3u8"


def test_without_a_resolution_the_leanest_is_chosen() -> None:
    assert choice("BANDWIDTH=900000", "BANDWIDTH=500000", "BANDWIDTH=700000") == "1.m3u8"


def test_what_states_a_height_is_preferred_to_what_states_none() -> None:
    assert choice("BANDWIDTH=1", "BANDWIDTH=900000,RESOLUTION=1920x1080") == "1.m3u8"


@pytest.mark.parametrize("sound", ["mp4a.40.2", "ac-3", "mp4a.40.2,wvtt", "Opus", "fLaC, stpp"])
def test_a_rendition_of_sound_alone_is_none(sound: str) -> None:
    stated = ladder(f'BANDWIDTH=1,CODECS="{sound}"', 'BANDWIDTH=2,CODECS="avc1.4d401e,mp4a.40.2"')

    assert [one.playlist.uri for one in stated.renditions] == ["1.m3u8"]


def test_what_shows_a_picture_of_some_size_is_video_whatever_its_codecs() -> None:
    assert choice('BANDWIDTH=1,RESOLUTION=640x360,CODECS="mp4a.40.2"') == "0.m3u8"


def test_a_ladder_of_sound_alone_offers_no_video() -> None:
    with pytest.raises(PlaylistInvalid, match=r"^offers no video$"):
        ladder('BANDWIDTH=1,CODECS="mp4a.40.2"')


def test_a_ladder_may_have_so_many_renditions_and_no_more() -> None:
    assert len(ladder(*heights(*range(1, MAX_RENDITIONS + 1))).renditions) == MAX_RENDITIONS
    for number in (MAX_RENDITIONS + 1, 10_000):
        with pytest.raises(PlaylistInvalid, match=r"^names more than 100 renditions$"):
            ladder(*heights(*range(1, number + 1)))


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\x85"])
def test_a_playlist_may_have_so_many_lines_and_no_more(line_end: str) -> None:
    """Whatever the parser takes for the end of a line counts."""
    lines = ["#EXTM3U", *["#EXTINF:1,", "a.ts"] * ((MAX_LINES - 1) // 2)]
    lines += [""] * (MAX_LINES - len(lines))

    found = parse_playlist(line_end.join([*lines, ""]), BASE)

    assert isinstance(found, SegmentList)
    assert len(found.segments) == (MAX_LINES - 1) // 2
    with pytest.raises(PlaylistInvalid, match=r"^has more than 20000 lines$"):
        parse_playlist(line_end.join([*lines, "", ""]), BASE)


def test_segments_are_numbered_and_resolved_against_their_playlist() -> None:
    found = segments(
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:41",
        "#EXTINF:5.5,title",
        "a.ts",
        "#EXTINF:4,",
        "/b.ts?x=1",
    )

    assert (found.target_s, found.is_over) == (6.0, False)
    assert [one.number for one in found.segments] == [41, 42]
    assert [one.duration_s for one in found.segments] == [5.5, 4.0]
    assert [str(one.section.url) for one in found.segments] == [
        "http://media.example/live/a.ts",
        "http://media.example/b.ts?x=1",
    ]
    assert not any(one.init or one.is_break or one.is_missing for one in found.segments)


def test_an_end_is_read() -> None:
    assert segments("#EXTINF:4,", "a.ts", "#EXT-X-ENDLIST").is_over


def test_breaks_gaps_and_init_sections_are_told() -> None:
    found = segments(
        '#EXT-X-MAP:URI="init.mp4",BYTERANGE="800@12"',
        "#EXTINF:4,",
        "a.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="other.mp4"',
        "#EXTINF:4,",
        "b.m4s",
        "#EXT-X-GAP",
        "#EXTINF:4,",
        "c.m4s",
    )

    assert [one.init for one in found.segments] == [
        Section(BASE, "init.mp4", 12, 800),
        Section(BASE, "other.mp4"),
        Section(BASE, "other.mp4"),
    ]
    assert [one.is_break for one in found.segments] == [False, True, False]
    assert [one.is_missing for one in found.segments] == [False, False, True]


def test_byte_ranges_without_a_start_follow_each_other() -> None:
    found = segments(
        *("#EXT-X-BYTERANGE:100@20", "#EXTINF:4,", "a.ts"),
        *("#EXT-X-BYTERANGE:50", "#EXTINF:4,", "a.ts"),
        *("#EXTINF:4,", "b.ts"),
    )

    places = [(one.section.start, one.section.length) for one in found.segments]
    assert places == [(20, 100), (120, 50), (0, None)]


@pytest.mark.parametrize(
    ("stated", "target_s"),
    [
        ("6", 6.0),
        ("6.006", 6.006),
        ("0", 4.0),
        ("-6", 4.0),
        ("nan", 4.0),
        ("inf", MAX_DURATION_S),
        ("9" * 400, MAX_DURATION_S),
        ("six", 4.0),
    ],
)
def test_a_target_that_is_none_or_beyond_reason_is_not_believed(
    stated: str, target_s: float
) -> None:
    assert segments(f"#EXT-X-TARGETDURATION:{stated}", "#EXTINF:4,", "a.ts").target_s == target_s


def test_no_target_is_less_than_a_second() -> None:
    assert segments("#EXTINF:0.1,", "a.ts").target_s == 1.0
    assert segments().target_s == 1.0


@pytest.mark.parametrize(
    ("stated", "duration_s"), [("nan", 0.0), ("-1", 0.0), ("inf", 60.0), ("61", 60.0)]
)
def test_a_duration_beyond_reason_is_not_believed(stated: str, duration_s: float) -> None:
    found = segments(f"#EXTINF:{stated},", "a.ts").segments[0].duration_s

    assert found == duration_s
    assert not math.isnan(found)


@pytest.mark.parametrize(
    "key",
    [
        'METHOD=AES-128,URI="k"',
        'METHOD=SAMPLE-AES,URI="k"',
        'URI="k",METHOD=AES-128',
        'METHOD=NONES,URI="k"',
        'URI="METHOD=NONE"',
        "",
    ],
)
def test_encrypted_segments_are_refused(key: str) -> None:
    with pytest.raises(PlaylistInvalid, match=r"^is of encrypted segments, which cannot be scr"):
        segments(f"#EXT-X-KEY:{key}", "#EXTINF:4,", "a.ts")


@pytest.mark.parametrize("key", ["METHOD=NONE", 'METHOD=NONE,URI="k"', "IV=0x0,METHOD=NONE"])
def test_segments_that_are_said_not_to_be_encrypted_are_taken(key: str) -> None:
    assert segments(f"#EXT-X-KEY:{key}", "#EXTINF:4,", "a.ts").segments


@pytest.mark.parametrize(
    "text", ["", "\n\n", "<html><body>#EXTM3U</body></html>", "EXTM3U", "# EXTM3U", "\0" * 100]
)
def test_what_is_no_playlist_is_said_to_be_none(text: str) -> None:
    with pytest.raises(PlaylistInvalid, match=r"^is none: it does not begin with #EXTM3U$"):
        parse_playlist(text, BASE)


@pytest.mark.parametrize(
    "lines",
    [
        ["#EXT-X-MEDIA-SEQUENCE:x", "#EXTINF:4,", "a.ts"],
        ["#EXT-X-STREAM-INF:BANDWIDTH=inf", "a.m3u8"],
        ["#EXT-X-STREAM-INF:BANDWIDTH=x", "a.m3u8"],
        ["#EXTINF:x,", "a.ts"],
        ["#EXT-X-BYTERANGE:x@1", "#EXTINF:4,", "a.ts"],
        ["#EXT-X-BYTERANGE:-5@1", "#EXTINF:4,", "a.ts"],
        ["#EXT-X-MAP:BYTERANGE=1@1", "#EXTINF:4,", "a.ts"],
    ],
)
def test_what_cannot_be_read_is_malformed(lines: list[str]) -> None:
    with pytest.raises(PlaylistInvalid, match=r"^is malformed$"):
        parse_playlist("\n".join(["#EXTM3U", *lines]), BASE)


def test_a_byte_order_mark_and_carriage_returns_do_no_harm() -> None:
    found = parse_playlist("\ufeff#EXTM3U\r\n#EXTINF:4,\r\na.ts\r\n", BASE)

    assert isinstance(found, SegmentList)
    assert found.segments[0].section.uri == "a.ts"


def test_tags_that_do_not_matter_are_not_read() -> None:
    found = segments(
        "#EXT-X-PROGRAM-DATE-TIME:never",
        "#EXT-X-DATERANGE:x",
        "#EXT-X-SKIP:x",
        "#EXTINF:4,",
        "a.ts",
    )

    assert len(found.segments) == 1


@pytest.mark.parametrize("uri", ["http://hidden:x/", "\thidden", "http://\uff41hidden/"])
def test_an_address_that_is_none_is_said_to_be_none_without_showing_it(uri: str) -> None:
    with pytest.raises(PlaylistInvalid) as caught:
        _ = Section(BASE, uri).url

    assert str(caught.value) == "names an address that is none"


def test_no_address_shows() -> None:
    section = Section(BASE, "hidden.ts")
    found = segments("#EXTINF:4,", "hidden.ts")

    assert "hidden" not in f"{section!r} {found!r} {ladder(*heights(360))!r}"


LINES = st.sampled_from(
    [
        *("#EXTINF:", "#EXTINF:4,", "#EXT-X-STREAM-INF:", "#EXT-X-MAP:", "#EXT-X-BYTERANGE:"),
        *("#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-KEY:", "#EXT-X-TARGETDURATION:", "#EXT-X-GAP"),
        *("#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST", "a.ts", 'URI="a"', "BANDWIDTH=", "=,=,"),
        *("BYTERANGE=", "RESOLUTION=1x1", 'CODECS="', "1@2", "METHOD=NONE", "\n", ":", '"'),
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=8)), max_size=30))
def test_any_text_is_a_playlist_or_is_refused_in_one_line(pieces: list[str]) -> None:
    text = "#EXTM3U\n" + "".join(pieces)

    try:
        found: Ladder | SegmentList | str = parse_playlist(text, BASE)
    except PlaylistInvalid as error:
        found = str(error)

    match found:
        case str():
            assert len(found.splitlines()) == 1
        case Ladder():
            assert found.choice in found.renditions
        case SegmentList():
            assert 1 <= found.target_s <= MAX_DURATION_S
            assert all(0 <= one.duration_s <= MAX_DURATION_S for one in found.segments)
