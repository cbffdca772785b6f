import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_actions import ActionStore, Hold, Kept
from streamguard.core.denials import Denial
from streamguard.core.errors import ConfigError, LogUnavailable
from tests.made_actions import order

HOLD = Hold("edge-lobby", "edge", "live/a", "h", "live/h", "d-1", 100.0)
DENIAL = Denial("edge-lobby", "publish", "d-1", 1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ActionStore]:
    made = ActionStore(tmp_path / "enforce")
    yield made
    made.close()


def test_an_order_is_taken_once(store: ActionStore) -> None:
    one, other = order(), order(scope="clips")

    assert store.take([one], "{}") == [one]
    assert store.take([one, other], "{}") == [other]
    assert [kept.order for kept in store.open_actions()] == [one, other]


def test_what_is_known_of_an_action_survives(tmp_path: Path) -> None:
    kept = Kept(order(), "struck", "live/a", 3)
    first = ActionStore(tmp_path / "enforce")
    first.take([kept.order], '{"a": 1}')
    first.note(kept, DENIAL, HOLD)
    first.close()

    again = ActionStore(tmp_path / "enforce")

    assert again.open_actions() == [kept]
    assert (again.denials(), again.holds()) == ([DENIAL], [HOLD])
    assert again.decision("d-1") == '{"a": 1}'
    again.close()


def test_an_action_that_is_over_is_not_open(store: ActionStore) -> None:
    one = order()
    store.take([one], "{}")

    store.finish(one, "done")

    assert store.open_actions() == []
    assert store.take([one], "{}") == []


def test_a_later_action_for_the_same_scope_supersedes(store: ActionStore) -> None:
    first, clips, second = order("d-1"), order("d-2", scope="clips"), order("d-2")
    other = order("d-3", stream_id="edge-other")
    store.take([first], "{}")
    store.take([clips], "{}")
    store.take([other], "{}")
    assert not store.is_superseded(first)

    store.take([second], "{}")

    assert store.is_superseded(first)
    assert not store.is_superseded(second)
    assert not store.is_superseded(clips)


def test_a_stream_may_be_published_again_and_still_not_be_watched(store: ActionStore) -> None:
    store.note(Kept(order()), DENIAL)
    store.note(Kept(order()), replace(DENIAL, kind="play"))

    store.allow("edge-lobby", ("publish",))

    assert [one.kind for one in store.denials()] == ["play"]
    store.allow("edge-lobby")
    assert store.denials() == []


def test_a_hold_is_forgotten(store: ActionStore) -> None:
    store.note(Kept(order()), hold=HOLD)

    store.let_go("edge-lobby")

    assert store.holds() == []


def test_paths_are_for_its_owner_alone(tmp_path: Path, store: ActionStore) -> None:
    store.note(Kept(order()), hold=HOLD)

    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "live/a" not in repr(HOLD)


def test_what_is_no_file_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "enforce").write_bytes(b"something else" * 100)

    with pytest.raises(LogUnavailable):
        ActionStore(tmp_path / "enforce")


def test_two_enforcers_do_not_share_a_file(tmp_path: Path) -> None:
    first = ActionStore(tmp_path / "enforce")

    with pytest.raises(ConfigError, match="another enforcer"):
        ActionStore(tmp_path / "enforce")

    first.close()
    first.close()
    ActionStore(tmp_path / "enforce").close()
