from dataclasses import replace

import pytest

from streamguard.core.enforcing import (
    Found,
    Reading,
    Sight,
    Stage,
    Wanted,
    broadcast_path,
    find,
    may_strike,
)
from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.published import Published, RenditionRule, SessionKey
from tests.ingest.fakes import published

SECRET = b"s" * 32
PLAIN = Reading(SECRET, RenditionRule())


def wanted(path: str = "live/a", publisher: str | None = "1") -> Wanted:
    publish = None
    if publisher is not None:
        publish = session_text(SECRET, SessionKey("edge", path, publisher))
    return Wanted("edge", stream_id_of(SECRET, "edge", path), publish)


@pytest.mark.parametrize(
    ("sight", "stage", "may"),
    [
        ("current", "taken", True),
        ("absent", "taken", True),
        ("replaced", "taken", False),
        ("replaced", "denied", False),
        ("replaced", "struck", True),
        ("current", "struck", True),
    ],
)
def test_only_who_was_decided_on_is_touched_or_who_came_back(
    sight: Sight, stage: Stage, *, may: bool
) -> None:
    assert may_strike(sight, stage) == may


def test_a_publish_is_found_among_others() -> None:
    mine, other = published("live/a"), published("live/b")

    assert find([other, mine], wanted(), PLAIN, {}) == Found("current", mine)


def test_nothing_is_found_where_nobody_publishes() -> None:
    assert find([published("live/b")], wanted(), PLAIN, {}) == Found("absent")


@pytest.mark.parametrize("publisher", ["2", None])
def test_another_publisher_is_not_the_one_decided_on(publisher: str | None) -> None:
    one = published("live/a", "1")

    assert find([one], wanted(publisher=publisher), PLAIN, {}) == Found("replaced", one)


def test_a_server_of_another_name_has_other_streams() -> None:
    assert find([published("live/a", server="else")], wanted(), PLAIN, {}).sight == "absent"


def test_a_publisher_may_be_called_otherwise_by_who_asked_before() -> None:
    one = published("live/a", "2")
    reading = replace(PLAIN, called=lambda name: (str(int(name) - 1), name))

    assert find([one], wanted(), reading, {}).sight == "current"


def test_a_stream_that_was_moved_is_the_one_that_it_was() -> None:
    held = published("live/held", "1")

    assert find([held], wanted(), PLAIN, {"live/held": "live/a"}) == Found("current", held)
    assert find([held], wanted(), PLAIN, {}).sight == "absent"


def test_who_takes_the_place_of_a_stream_that_is_held_is_not_taken_for_it() -> None:
    held, new = published("live/held", "1"), published("live/a", "2")

    found = find([new, held], wanted(), PLAIN, {"live/held": "live/a"})

    assert found == Found("current", held, (new,))


def copy_of(path: str, address: str) -> Published:
    return replace(published(path, "9"), address=address)


def test_copies_of_a_broadcast_go_with_it() -> None:
    reading = Reading(SECRET, RenditionRule(("_360p",)))
    source, copy = copy_of("live/a", "203.0.113.5"), copy_of("live/a_360p", "127.0.0.1")
    stranger = copy_of("live/a_360p", "203.0.113.5")

    assert find([copy, source], wanted(publisher="9"), reading, {}) == Found(
        "current", source, (copy,)
    )
    assert find([stranger], wanted(publisher="9"), reading, {}).sight == "absent"


def test_a_path_loses_the_suffix_of_a_copy_where_one_is_made() -> None:
    rule = RenditionRule(("_360p",))

    assert broadcast_path("live/a_360p", "127.0.0.1", rule) == "live/a"
    assert broadcast_path("live/a_360p", "203.0.113.5", rule) == "live/a_360p"
    assert broadcast_path("live/a_360p", "127.0.0.1", RenditionRule()) == "live/a_360p"
