from streamguard.core.location import Location
from streamguard.core.published import (
    Broadcast,
    Published,
    RenditionRule,
    SessionKey,
    broadcasts,
)

RULE = RenditionRule(("_src", "_720p", "_360p", "_160p"))


def publish(
    path: str,
    *,
    publisher: str = "1",
    height: int | None = None,
    n_viewers: int | None = None,
    address: str | None = "127.0.0.1",
) -> Published:
    place = Location("rtmp", f"rtmp://ingest/{path}", "rtmp source at ingest")
    key = SessionKey("edge", path, publisher)
    return Published(key, place, n_viewers, height, address)


def one_of(*published: Published, rule: RenditionRule = RULE) -> Broadcast:
    (broadcast,) = broadcasts(published, rule)
    return broadcast


def test_the_lowest_rendition_of_360_lines_or_more_is_screened() -> None:
    ladder = [publish(f"live/a{suffix}") for suffix in ("_160p", "_720p", "_360p")]

    chosen = one_of(*ladder)

    assert chosen.location.url == "rtmp://ingest/live/a_360p"


def test_what_the_server_says_of_the_height_counts_more_than_the_name() -> None:
    chosen = one_of(publish("live/a_360p", height=359), publish("live/a_720p", height=360))

    assert chosen.location.url == "rtmp://ingest/live/a_720p"


def test_where_all_are_lower_than_360_lines_the_highest_is_screened() -> None:
    chosen = one_of(publish("live/a_160p"), publish("live/a_src", height=240))

    assert chosen.location.url == "rtmp://ingest/live/a_src"


def test_a_rendition_of_unknown_height_comes_last() -> None:
    chosen = one_of(publish("live/a_src"), publish("live/a_160p"))

    assert chosen.location.url == "rtmp://ingest/live/a_160p"


def test_the_session_is_the_source_s_whichever_rendition_is_screened() -> None:
    source = publish("live/a", publisher="9", address="203.0.113.5")

    chosen = one_of(publish("live/a_360p", publisher="4"), source)

    assert chosen.path == "live/a"
    assert chosen.session == source.key
    assert chosen.location.url == "rtmp://ingest/live/a_360p"


def test_a_stranger_cannot_hide_behind_a_harmless_rendition_of_its_own() -> None:
    harmful = publish("live/a", address="203.0.113.5")
    harmless = publish("live/a_360p", address="203.0.113.5")

    both = broadcasts([harmful, harmless], RULE)

    assert {one.location.url for one in both} == {harmful.location.url, harmless.location.url}


def test_a_publisher_whose_address_is_not_known_has_a_broadcast_of_its_own() -> None:
    both = broadcasts([publish("live/a"), publish("live/a_360p", address=None)], RULE)

    assert len(both) == 2


def test_a_name_that_is_nothing_but_a_suffix_is_no_rendition() -> None:
    assert one_of(publish("live/_360p")).path == "live/_360p"


def test_without_suffixes_every_publish_is_a_broadcast() -> None:
    both = broadcasts([publish("live/a"), publish("live/a_360p")], RenditionRule())

    assert {one.path for one in both} == {"live/a", "live/a_360p"}


def test_the_same_name_in_another_application_is_another_broadcast() -> None:
    both = broadcasts([publish("live/a_360p"), publish("test/a_360p")], RULE)

    assert {one.path for one in both} == {"live/a", "test/a"}


def test_viewers_of_all_renditions_are_counted_together() -> None:
    chosen = one_of(publish("live/a", n_viewers=3), publish("live/a_360p", n_viewers=40))

    assert chosen.n_viewers == 43


def test_viewers_that_no_server_counts_are_not_none_at_all() -> None:
    assert one_of(publish("live/a")).n_viewers is None


def test_a_path_is_shown_nowhere() -> None:
    shown = repr(publish("live/sk_secret")) + repr(one_of(publish("live/sk_secret")))

    assert "sk_secret" not in shown
