import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.core.errors import ConfigError
from streamguard.core.location import Location, parse_location
from streamguard.core.sampling import Sampling
from streamguard.ingest.added import AddedStreams
from streamguard.ingest.paths import NOT_INCLUDED, PathFilter
from streamguard.ingest.registry import Registry
from streamguard.ingest.watch import Watched
from streamguard.runtime.parts import Stream
from tests.clock import FakeClock
from tests.ingest.fakes import FakeProvider, published, stream

SECRET = b"s" * 32
FILE = "log.db.streams.json"


def configured(stream_id: str, url: str = "rtmp://camera/live/a") -> Stream:
    return Stream(stream_id, parse_location(url), Sampling.AUTO)


class Site:
    """A registry with one server, asked by hand."""

    def __init__(
        self,
        folder: Path,
        *streams: Stream,
        paths: PathFilter | None = None,
        interval_s: float = 1.0,
    ) -> None:
        self.folder = folder
        self.provider = FakeProvider()
        watched = Watched(self.provider, stream, paths or PathFilter(), interval_s=interval_s)
        file = AddedStreams(folder / FILE, {"known"})
        self.clock = FakeClock()
        self.registry = Registry(streams, [watched], SECRET, file, self.clock)

    def look(self) -> None:
        asyncio.run(self.registry.watches[0].look())

    def lists(self, *paths: str, publisher: str = "1") -> None:
        self.provider.listed = [published(path, publisher) for path in paths]
        self.look()

    @property
    def ids(self) -> set[str]:
        return set(self.registry.wanted())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_configured_stream_is_wanted_from_the_start(tmp_path: Path) -> None:
    site = Site(tmp_path, configured("camera-1"))

    wanted = site.registry.wanted()["camera-1"]

    assert not wanted.is_discovered
    assert wanted.session_key == ""
    assert site.registry.changed.is_set()


def test_what_a_server_lists_is_wanted_until_it_no_longer_does(site: Site) -> None:
    site.lists("live/a", "live/b")
    found = site.ids

    site.lists("live/b")

    assert len(found) == 2
    assert len(site.ids) == 1
    assert site.ids < found


def test_an_id_and_a_session_do_not_tell_the_path(site: Site) -> None:
    site.lists("live/sk_secret")

    (wanted,) = site.registry.wanted().values()

    assert wanted.is_discovered
    assert wanted.stream.stream_id.startswith("edge-")
    assert "sk_secret" not in f"{wanted}"


def test_a_path_that_somebody_else_takes_over_is_another_session(site: Site) -> None:
    site.lists("live/a", publisher="7")
    (first,) = site.registry.wanted().values()

    site.lists("live/a", publisher="8")

    (second,) = site.registry.wanted().values()
    assert second.stream.stream_id == first.stream.stream_id
    assert second.session_key != first.session_key


def found_s(site: Site) -> list[float | None]:
    return [wanted.stream.found_s for _, wanted in sorted(site.registry.wanted().items())]


def test_a_publish_was_found_when_it_was_first_listed(site: Site) -> None:
    site.clock.advance(1.0)
    site.lists("live/a")
    site.clock.advance(5.0)

    site.lists("live/a", "live/b")

    assert set(found_s(site)) == {1.0, 6.0}


@pytest.mark.parametrize(("age_s", "expected"), [(0.5, 9.5), (3.0, 7.0), (8.0, 4.0)])
def test_a_publish_whose_age_is_known_is_there_since_then_but_not_longer_than_we_looked(
    site: Site, age_s: float, expected: float
) -> None:
    site.clock.advance(4.0)
    site.lists()
    site.clock.advance(6.0)

    site.provider.listed = [replace(published("live/a"), age_s=age_s)]
    site.look()

    assert found_s(site) == [expected]


def test_what_was_published_before_we_first_looked_was_found_then(site: Site) -> None:
    site.clock.advance(4.0)
    site.provider.listed = [replace(published("live/a"), age_s=3.0)]

    site.look()

    assert found_s(site) == [4.0]


def test_a_path_that_somebody_else_takes_over_was_found_then(site: Site) -> None:
    site.clock.advance(1.0)
    site.lists("live/a", publisher="7")
    site.clock.advance(5.0)

    site.lists("live/a", publisher="8")

    assert found_s(site) == [6.0]


def test_a_server_that_does_not_answer_ends_no_stream(site: Site) -> None:
    site.lists("live/a")
    before = site.registry.wanted()
    site.registry.changed.clear()

    site.provider.problem = "it does not answer"
    site.look()

    assert site.registry.wanted() is before
    assert not site.registry.changed.is_set()
    assert site.registry.watches[0].problem == "it does not answer"
    assert not site.registry.watches[0].is_up


def test_after_an_outage_the_truth_holds_again(site: Site) -> None:
    site.lists("live/a")
    site.provider.problem = "it does not answer"
    site.look()
    site.provider.problem = None

    site.lists("live/b")

    assert site.registry.watches[0].is_up
    assert len(site.ids) == 1


def test_an_answer_like_the_one_before_changes_nothing(site: Site) -> None:
    site.lists("live/a")
    site.registry.changed.clear()

    site.lists("live/a")

    assert not site.registry.changed.is_set()


def test_before_its_server_has_answered_a_stream_may_only_be_late(site: Site) -> None:
    site.lists("live/a")
    (found,) = site.ids
    again = Site(site.folder)
    again.provider.problem = "it does not answer"
    again.look()
    before = [again.registry.may_be_late(one) for one in (found, "camera-1")]
    again.provider.problem = None
    again.look()

    assert before == [True, False]
    assert not again.registry.may_be_late(found)


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    paths = PathFilter(("live/*",), ("live/test*",), "test channels")
    site = Site(tmp_path, paths=paths)

    site.lists("live/a", "live/test1", "other/b")

    assert len(site.ids) == 1
    assert sorted(site.registry.excluded().values()) == [NOT_INCLUDED, "test channels"]


def test_a_found_stream_that_is_configured_too_is_screened_once(tmp_path: Path) -> None:
    site = Site(tmp_path, configured("camera-1", "rtmp://ingest/live/a"))

    site.lists("live/a", "live/b")

    assert len(site.ids) == 2
    assert "camera-1" in site.ids


def test_a_found_stream_whose_name_no_url_need_hold_is_screened_once_if_configured(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, configured("camera-1", "rtmp://ingest/live/a"))
    where = Location("rtmp", "rtmp://ingest/live", "rtmp source at ingest", ("live", "a"))

    site.provider.listed = [replace(published("live/a", "1"), location=where)]
    site.look()

    assert site.ids == {"camera-1"}


def test_an_added_stream_is_wanted_after_a_restart_as_well(tmp_path: Path) -> None:
    added = Stream("camera-2", parse_location("srt://camera:9000"), Sampling.DENSE, ("known",))
    Site(tmp_path).registry.add(added)

    again = Site(tmp_path)

    assert again.registry.wanted()["camera-2"].stream == added


def test_a_removed_stream_stays_away_after_a_restart_as_well(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.registry.add(configured("camera-2"))

    was_there = site.registry.remove("camera-2")

    assert was_there
    assert not site.ids
    assert not Site(tmp_path).ids


def test_a_configured_stream_cannot_be_removed(tmp_path: Path) -> None:
    site = Site(tmp_path, configured("camera-1"))

    assert not site.registry.remove("camera-1")
    assert site.ids == {"camera-1"}


def test_an_id_that_is_taken_cannot_be_added(tmp_path: Path) -> None:
    site = Site(tmp_path, configured("camera-1"))

    with pytest.raises(ConfigError, match="camera-1"):
        site.registry.add(configured("camera-1"))


async def run_and_hint(site: Site, hint: Callable[[], None]) -> int:
    """Hint after the first answer; give how often the server was asked when the second came."""
    running = asyncio.create_task(site.registry.run())
    async with asyncio.timeout(30):
        for _ in range(2):
            await site.provider.asked.wait()
            site.provider.asked.clear()
            hint()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return site.provider.n_asked


def test_a_hint_brings_the_next_question_forward(tmp_path: Path) -> None:
    site = Site(tmp_path, interval_s=60.0)

    n_asked = asyncio.run(run_and_hint(site, lambda: site.registry.look_now("edge")))

    assert n_asked == 2
    assert site.provider.is_closed


def test_a_source_that_ended_makes_its_own_server_be_asked(tmp_path: Path) -> None:
    site = Site(tmp_path, interval_s=60.0)
    site.lists("live/a")
    (stream_id,) = site.ids
    site.provider.asked.clear()

    n_asked = asyncio.run(run_and_hint(site, lambda: site.registry.look_for(stream_id)))

    assert n_asked == 3
