"""A broadcast on a real server, at times that the test sets: waiting turns the clock."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from streamguard.adapters.hls_fetch import FetchFailed, FetchRefused
from streamguard.adapters.hls_follow import (
    MAX_LOST,
    MAX_PLAYLIST_BYTES,
    HlsFollower,
    Part,
)
from streamguard.adapters.hls_playlist import PlaylistInvalid
from streamguard.adapters.source_timeouts import SourceTimeouts
from tests.clock import FakeClock
from tests.hls_server import Site, master_playlist, media_playlist, web_site

pytestmark = pytest.mark.integration

TS = b"\x47" + bytes(187)
INIT, FRAGMENT = bytes(4) + b"ftypinit", bytes(4) + b"moofdata"
LIST = "/live/list.m3u8"
TARGET_S = 4.0
READ_S = 10.0
PATIENCE_S = 12.0

Change = Callable[[], object]


class Waits:
    """Lets time pass at once; before the nth wait ends, the nth change happens."""

    def __init__(self, clock: FakeClock, *changes: Change) -> None:
        self._clock = clock
        self._changes = list(changes)
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._clock.advance(seconds)
        if self._changes:
            self._changes.pop(0)()


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


def ts(name: str) -> bytes:
    """Make a segment that holds its name."""
    return TS + name.encode()


def show(site: Site, first: int, end: int, *, is_over: bool = False, **tags: str) -> None:
    """Put up segments and the list that names them, as a packager does."""
    names = [f"{number}.ts" for number in range(first, end)]
    for name in names:
        site.put(f"/live/{name}", ts(name))
    site.put(
        LIST,
        media_playlist(
            names,
            target_s=TARGET_S,
            first=first,
            is_over=is_over,
            tags={f"{name.removeprefix('at_')}.ts": lines for name, lines in tags.items()},
        ),
    )


class Following:
    """A follower, and what it gave."""

    def __init__(self, site: Site, clock: FakeClock, *changes: Change, path: str = LIST) -> None:
        self.wait = Waits(clock, *changes)
        self.follower = HlsFollower(
            httpx.URL(site.url(path)),
            (),
            clock,
            SourceTimeouts(30.0, READ_S),
            wait=self.wait,
            chance=lambda: 0.5,
        )
        self.given: list[Part] = []

    def run(self) -> list[str]:
        """Follow to the end; give the names of the segments, as read from their bytes."""
        try:
            self.given.extend(self.follower.parts())
        finally:
            self.follower.close()
        return self.names

    @property
    def names(self) -> list[str]:
        return [part.payload.removeprefix(TS).decode() for part in self.given]

    @property
    def breaks(self) -> list[str]:
        return [name for name, part in zip(self.names, self.given, strict=True) if part.is_break]


def test_a_live_broadcast_begins_with_its_newest_segment(site: Site, clock: FakeClock) -> None:
    show(site, 5, 8)
    following = Following(
        site, clock, lambda: show(site, 6, 9), lambda: show(site, 7, 10, is_over=True)
    )

    names = following.run()

    assert names == ["7.ts", "8.ts", "9.ts"]
    assert following.breaks == []
    assert {part.format_name for part in following.given} == {"mpegts"}
    assert sum(site.sent[f"/live/{number}.ts"] for number in (5, 6)) == 0


def test_its_list_is_asked_for_at_half_the_length_of_a_segment(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3)
    following = Following(site, clock, lambda: None, lambda: show(site, 1, 4, is_over=True))

    following.run()

    assert following.wait.seconds == [TARGET_S / 2] * 2
    assert "If-None-Match" in site.heads[-2]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 1.6), (0.5, 2.0), (1.0, 2.4)])
def test_chance_spreads_the_questions_by_a_fifth(
    site: Site, clock: FakeClock, chance: float, seconds: float
) -> None:
    show(site, 0, 3)
    wait = Waits(clock, lambda: show(site, 0, 3, is_over=True))
    follower = HlsFollower(
        httpx.URL(site.url(LIST)), (), clock, SourceTimeouts(30.0, READ_S), wait, lambda: chance
    )

    list(follower.parts())
    follower.close()

    assert wait.seconds == [pytest.approx(seconds)]


def test_a_recording_is_read_from_its_beginning_at_the_pace_of_watching(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3, is_over=True)
    following = Following(site, clock)

    names = following.run()

    assert names == ["0.ts", "1.ts", "2.ts"]
    assert following.wait.seconds == [0.0, TARGET_S, TARGET_S]
    assert site.asked.count(LIST) == 1


def test_a_recording_that_was_fetched_slowly_is_not_waited_for(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3, is_over=True)
    following = Following(site, clock)
    parts = following.follower.parts()

    next(parts)
    clock.advance(TARGET_S + 1)
    next(parts)
    next(parts)
    following.follower.close()

    assert following.wait.seconds == [0.0, 0.0, TARGET_S - 1]


def test_a_list_that_stands_still_is_given_up_when_patience_ends(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3)
    following = Following(site, clock)

    with pytest.raises(FetchFailed, match="adds nothing more"):
        following.run()

    assert following.names == ["2.ts"]
    assert sum(following.wait.seconds) == PATIENCE_S
    assert following.follower.patience_s == PATIENCE_S


def test_patience_is_no_shorter_than_the_read_timeout(site: Site, clock: FakeClock) -> None:
    site.put("/live/a.ts", ts("a.ts"))
    site.put(LIST, media_playlist(["a.ts"], target_s=2))
    following = Following(site, clock)

    with pytest.raises(FetchFailed):
        following.run()

    assert sum(following.wait.seconds) == READ_S


def test_a_list_that_fails_for_a_while_is_asked_for_again(site: Site, clock: FakeClock) -> None:
    show(site, 0, 3)
    following = Following(
        site,
        clock,
        lambda: site.refuse(LIST, 500),
        lambda: site.put(LIST, ""),
        lambda: show(site, 1, 4, is_over=True),
    )

    assert following.run() == ["2.ts", "3.ts"]
    assert following.breaks == []


def test_a_list_that_is_gone_is_given_up_for_that_reason(site: Site, clock: FakeClock) -> None:
    show(site, 0, 3)
    following = Following(site, clock, lambda: site.take_down(LIST))

    with pytest.raises(FetchFailed, match="answers with HTTP 404"):
        following.run()

    assert sum(following.wait.seconds) == PATIENCE_S


def test_segments_that_left_the_list_unread_are_a_break(site: Site, clock: FakeClock) -> None:
    show(site, 0, 3)
    following = Following(site, clock, lambda: show(site, 5, 8, is_over=True))

    assert following.run() == ["2.ts", "5.ts", "6.ts", "7.ts"]
    assert following.breaks == ["5.ts"]


def test_a_packager_that_counts_anew_is_followed_from_its_newest(
    site: Site, clock: FakeClock
) -> None:
    show(site, 100, 103)
    following = Following(
        site, clock, lambda: show(site, 0, 2), lambda: show(site, 0, 3, is_over=True)
    )

    assert following.run() == ["102.ts", "1.ts", "2.ts"]
    assert following.breaks == ["1.ts"]


@pytest.mark.parametrize(
    ("first", "names"),
    [(4, ["9.ts", "10.ts"]), (3, ["9.ts", "5.ts", "8.ts", "9.ts", "10.ts"])],
)
def test_an_older_copy_of_the_list_is_no_new_beginning(
    site: Site, clock: FakeClock, first: int, names: list[str]
) -> None:
    """Of three segments, a copy ends at most three before the one that is wanted."""
    show(site, 7, 10)
    following = Following(
        site, clock, lambda: show(site, first, first + 3), lambda: show(site, 8, 11, is_over=True)
    )

    assert following.run() == names


def test_a_missing_segment_is_passed_over_and_a_break(site: Site, clock: FakeClock) -> None:
    show(site, 0, 5, is_over=True)
    site.take_down("/live/1.ts")
    following = Following(site, clock)

    assert following.run() == ["0.ts", "2.ts", "3.ts", "4.ts"]
    assert following.breaks == ["2.ts"]


def test_a_gap_is_not_asked_for(site: Site, clock: FakeClock) -> None:
    show(site, 0, 3, is_over=True, at_1="#EXT-X-GAP")
    following = Following(site, clock)

    assert following.run() == ["0.ts", "2.ts"]
    assert following.breaks == ["2.ts"]
    assert "/live/1.ts" not in site.asked


def test_a_discontinuity_is_a_break(site: Site, clock: FakeClock) -> None:
    show(site, 0, 3, is_over=True, at_1="#EXT-X-DISCONTINUITY")
    following = Following(site, clock)

    following.run()

    assert following.breaks == ["1.ts"]


def test_a_discontinuity_on_a_lost_segment_is_a_break_of_the_next(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3, is_over=True, at_1="#EXT-X-DISCONTINUITY")
    site.take_down("/live/1.ts")
    following = Following(site, clock)

    following.run()

    assert following.breaks == ["2.ts"]


@pytest.mark.parametrize(("n_lost", "is_too_many"), [(MAX_LOST - 1, False), (MAX_LOST, True)])
def test_so_many_segments_may_be_lost_and_no_more(
    site: Site, clock: FakeClock, n_lost: int, *, is_too_many: bool
) -> None:
    show(site, 0, 10, is_over=True)
    for number in range(1, n_lost + 1):
        site.take_down(f"/live/{number}.ts")
    following = Following(site, clock)

    if is_too_many:
        with pytest.raises(FetchFailed, match="answers with HTTP 404"):
            following.run()
    else:
        following.run()

    assert len(following.given) == (1 if is_too_many else 10 - n_lost)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_too_busy_is_left_alone_as_long_as_it_wants(
    site: Site, clock: FakeClock, status: int
) -> None:
    show(site, 0, 2, is_over=True)
    site.refuse("/live/1.ts", status, Retry_After="5")
    following = Following(
        site, clock, lambda: None, lambda: None, lambda: site.put("/live/1.ts", ts("1.ts"))
    )

    assert following.run() == ["0.ts", "1.ts"]
    assert following.wait.seconds == [0.0, TARGET_S, 5.0]
    assert following.breaks == []


def test_a_server_that_stays_too_busy_is_given_up_when_patience_ends(
    site: Site, clock: FakeClock
) -> None:
    show(site, 0, 3)
    following = Following(site, clock, lambda: site.refuse(LIST, 503, Retry_After="60"))

    with pytest.raises(FetchFailed, match="answers with HTTP 503"):
        following.run()

    assert sum(following.wait.seconds) == PATIENCE_S


def test_a_fragment_comes_behind_its_init_section_which_is_fetched_once(
    site: Site, clock: FakeClock
) -> None:
    for name, body in (("a", FRAGMENT), ("b", FRAGMENT), ("c", FRAGMENT), ("x", INIT)):
        site.put(f"/live/{name}.mp4", body)
    site.put("/live/y.mp4", INIT + b"other")
    tags = {"a.mp4": '#EXT-X-MAP:URI="x.mp4"', "c.mp4": '#EXT-X-MAP:URI="y.mp4"'}
    names = ["a.mp4", "b.mp4", "c.mp4"]
    site.put(LIST, media_playlist(names, is_over=True, tags=tags))
    following = Following(site, clock)

    parts = list(following.follower.parts())
    following.follower.close()

    assert [part.payload for part in parts] == [
        INIT + FRAGMENT,
        INIT + FRAGMENT,
        INIT + b"other" + FRAGMENT,
    ]
    assert {part.format_name for part in parts} == {"mov"}
    assert site.asked.count("/live/x.mp4") == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"ID3\4sound", bytes(188), b"WEBVTT\n"])
def test_what_is_neither_mpegts_nor_mp4_is_lost(site: Site, clock: FakeClock, body: bytes) -> None:
    show(site, 0, 10, is_over=True)
    for number in range(10):
        site.put(f"/live/{number}.ts", body)

    with pytest.raises(FetchFailed, match="neither MPEG-TS nor MP4"):
        Following(site, clock).run()


def test_of_a_ladder_the_smallest_that_serves_is_fetched_and_nothing_else(
    site: Site, clock: FakeClock
) -> None:
    heights = (1080, 720, 480, 360, 240)
    for height in heights:
        site.put(f"/live/{height}/0.ts", ts(str(height)))
        site.put(f"/live/{height}/list.m3u8", media_playlist(["0.ts"], is_over=True))
    site.put(LIST, master_playlist({f"{height}/list.m3u8": height for height in heights}))

    names = Following(site, clock).run()

    assert names == ["360"]
    assert site.asked == [LIST, "/live/360/list.m3u8", "/live/360/0.ts"]


@pytest.mark.parametrize("inner", [LIST, "/live/other.m3u8"])
def test_a_ladder_within_a_ladder_is_refused(site: Site, clock: FakeClock, inner: str) -> None:
    site.put(LIST, master_playlist({inner: 360}))
    site.put("/live/other.m3u8", master_playlist({"list.m3u8": 360}))

    with pytest.raises(PlaylistInvalid, match="leads to another list of renditions"):
        Following(site, clock).run()

    assert site.asked == [LIST, inner]


def test_a_list_without_a_segment_is_not_waited_for(site: Site, clock: FakeClock) -> None:
    site.put(LIST, media_playlist([]))

    with pytest.raises(PlaylistInvalid, match="names no segment yet"):
        Following(site, clock).run()


@pytest.mark.parametrize(
    "uri",
    ["file:///etc/passwd", "http://127.0.0.1:9/x.ts", "http://169.254.169.254/x", "//elsewhere/x"],
)
def test_what_leads_elsewhere_is_refused(site: Site, clock: FakeClock, uri: str) -> None:
    site.put("/live/a.ts", ts("a"))
    site.put("/live/a.mp4", FRAGMENT)
    mapped = {"a.mp4": f'#EXT-X-MAP:URI="{uri}"'}
    for page in (
        media_playlist([uri]),
        media_playlist(["a.mp4"], tags=mapped),
        master_playlist({uri: 360}),
    ):
        site.put(LIST, page)
        with pytest.raises(FetchRefused):
            Following(site, clock).run()


def test_a_list_may_have_so_many_bytes_and_no_more(site: Site, clock: FakeClock) -> None:
    show(site, 0, 1, is_over=True)
    page = media_playlist(["0.ts"], is_over=True)
    site.put(LIST, page.ljust(MAX_PLAYLIST_BYTES))
    assert Following(site, clock).run() == ["0.ts"]

    site.put(LIST, page.ljust(MAX_PLAYLIST_BYTES + 1))
    with pytest.raises(FetchFailed, match="sends more than 1048576 bytes"):
        Following(site, clock).run()


def test_a_password_in_the_address_goes_with_every_question(site: Site, clock: FakeClock) -> None:
    show(site, 0, 1, is_over=True)
    wait = Waits(clock)
    url = httpx.URL(site.url(LIST, "bob:hidden@"))
    follower = HlsFollower(url, (), clock, SourceTimeouts(30.0, READ_S), wait, lambda: 0.5)

    list(follower.parts())
    follower.close()

    assert [head["Authorization"] for head in site.heads] == ["Basic Ym9iOmhpZGRlbg=="] * 2
