import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from streamguard.adapters.sqlite_actions import ActionStore, Hold, Kept
from streamguard.core.denials import Denial
from streamguard.core.errors import ConfigError, LogUnavailable
from tests.made_actions import order

HOLD = Hold("edge-lobby", "c-1", "edge", "live/a", "h", "live/h", "d-1", 100.0)
DENIAL = Denial("edge-lobby", "publish", "c-1", "d-1", 1.0)


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
    assert not store.is_superseded(first, by_others=True)

    store.take([second], "{}")

    assert store.is_superseded(first, by_others=True)
    assert not store.is_superseded(second, by_others=True)
    assert not store.is_superseded(clips, by_others=True)


def test_an_old_restore_that_comes_again_undoes_no_later_cut(store: ActionStore) -> None:
    """It is not known here: its action was done before this file began, or is long forgotten."""
    cut = order("d-3")
    store.take([cut], "{}")
    again = order("d-2", act="restore", decided_s=10.0, expires_s=70.0)

    assert store.take([again], "{}") == [again]

    assert store.is_superseded(again, by_others=True)
    assert not store.is_superseded(cut, by_others=True)


def test_a_cut_in_another_case_supersedes_where_other_cases_count(store: ActionStore) -> None:
    hold = order("d-1", act="hold")
    store.take([hold], "{}")

    store.take([order("d-2", case_id="c-2")], "{}")

    assert store.is_superseded(hold, by_others=True)
    assert not store.is_superseded(hold, by_others=False)


def test_an_entry_is_of_one_case_and_one_kind(store: ActionStore) -> None:
    others = [replace(DENIAL, kind="play"), replace(DENIAL, case_id="c-2")]
    for one in (DENIAL, *others):
        store.note(Kept(order()), one)

    store.allow(DENIAL.place)

    assert sorted(store.denials(), key=lambda one: one.kind) == others


def test_a_restore_ends_what_its_case_does_and_nothing_else(store: ActionStore) -> None:
    other = replace(HOLD, case_id="c-2")
    store.note(Kept(order()), DENIAL, HOLD)
    store.note(Kept(order()), replace(DENIAL, case_id="c-2"), other)

    store.release(Kept(order(act="restore"), "struck"))

    assert [one.case_id for one in store.denials()] == ["c-2"]
    assert store.holds() == [replace(HOLD, is_ending=True), other]


def test_a_hold_is_forgotten_with_all_that_are_ending(store: ActionStore) -> None:
    ending = replace(HOLD, case_id="c-2", is_ending=True)
    stands = replace(HOLD, case_id="c-3")
    elsewhere = replace(HOLD, stream_id="edge-other")
    for one in (HOLD, ending, stands, elsewhere):
        store.note(Kept(order()), hold=one)

    store.let_go("edge-lobby", "c-1")

    assert store.holds() == [stands, elsewhere]


def test_a_file_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "enforce"
    ActionStore(file).close()
    connection = apsw.Connection(str(file))
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    for _ in range(2):
        with pytest.raises(ConfigError, match="another version"):
            ActionStore(file)


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


def test_a_decision_is_kept_until_what_it_did_is_ended(store: ActionStore) -> None:
    store.take([order("d-1", until_s=100.0), order("d-1", scope="clips", until_s=100.0)], "first")
    store.take([order("d-2")], "for ever")

    assert store.over(99.9) == []
    assert store.over(100.0) == [("d-1", "first")]
    store.forget_ending("d-1")
    assert store.over(1e9) == []


def test_actions_that_are_over_are_forgotten_and_others_are_not(store: ActionStore) -> None:
    old, still_open, new = order("d-1"), order("d-2"), order("d-3", taken_s=200.0)
    for one in (old, still_open, new):
        store.take([one], "{}")
    store.finish(old, "done")
    store.finish(new, "done")

    store.forget_actions(200.0)

    assert store.take([old, still_open, new], "{}") == [old]


def test_what_still_keeps_somebody_out_is_known_however_old(store: ActionStore) -> None:
    suspension = order("d-3", act="cut_and_suspend")
    [kept] = store.take([suspension], "{}")
    denial = Denial("lobby", "publish", suspension.case_id, "d-3", 100.0)
    store.note(Kept(kept, "struck"), denial)
    store.finish(suspension, "done")
    again = order("d-2", act="restore", decided_s=10.0, expires_s=70.0)

    store.forget_actions(1e9)
    store.take([again], "{}")

    assert store.is_superseded(again, by_others=False)


def test_what_the_platform_did_is_the_platforms_to_take_back_once(store: ActionStore) -> None:
    restore, again = order("d-2", act="restore"), order("d-3", act="restore")
    hold = order("d-1", act="hold")
    for one in (hold, restore, again):
        store.take([one], "{}")
    assert not store.is_platforms(restore)

    store.finish(hold, "answer")

    assert store.is_platforms(restore)
    assert not store.is_platforms(replace(restore, case_id="c-2"))
    store.finish(restore, "answer")
    assert not store.is_platforms(again)
