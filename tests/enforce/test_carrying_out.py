import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_actions import Kept
from streamguard.core.action_data import Act, ActionFailedData, ActionVerifiedData
from streamguard.core.denials import Denial
from streamguard.core.event_data import utc_text
from streamguard.core.orders import Order
from streamguard.core.record import Record
from streamguard.core.webhook import Answer
from streamguard.enforce.broken import TRIES
from streamguard.enforce.platform import Platform
from streamguard.enforce.sweep import Sweep
from streamguard.ingest.control import OrderRefused
from streamguard.runtime.stop import Stop
from tests.enforce.stage import Stage, TickingClock, unavailable

DEADLINE_S = 30.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def carried_out(stage: Stage, *orders: Order, left: int = 0) -> None:
    """Take orders up one by one and work until all are over; left: those of an earlier life."""

    async def worked() -> None:
        stop = Stop()
        stage.actions.resume()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(stage.actions.run(stop))
            for one in orders:
                await stage.actions.take([one], '{"actor": "r-1"}')
            await stage.meter.reached(len(orders) + left)
            stop.set()
            await running

    stage.runner.run(worked())


def swept(stage: Stage, busy: Sequence[str] = ()) -> Sweep:
    sweep = Sweep(stage.site, stage.book, lambda stream_id: stream_id in busy, stage.clock)
    stage.runner.run(sweep.look())
    return sweep


def test_a_cut_denies_kicks_and_proves(stage: Stage) -> None:
    one, other = stage.publish(), stage.publish("live/b")

    carried_out(stage, stage.order(one))

    assert stage.control.kicked == [one]
    assert stage.provider.listed == [other]
    requested, verified = stage.told.events
    assert isinstance(verified.data, ActionVerifiedData)
    assert (verified.data.method, verified.data.window_ms) == ("no_media", 3000)
    assert verified.data.n_attempts == 1
    assert requested.id != verified.id
    assert len(stage.book.denied) == 1
    assert stage.store.open_actions() == []


def test_nobody_is_kicked_before_the_deny_entry_is_on_disk(stage: Stage) -> None:
    one = stage.publish()
    seen: list[list[Denial]] = []
    stage.control.after_kick = lambda: seen.append(stage.store.denials())

    carried_out(stage, stage.order(one))

    assert [len(denials) for denials in seen] == [1]


def test_a_server_that_does_not_answer_is_asked_again(stage: Stage) -> None:
    one = stage.publish()
    stage.control.troubles = [unavailable(), OrderRefused("not now"), unavailable()]

    carried_out(stage, stage.order(one))

    assert stage.ends == ["done"]
    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert last.n_attempts == 4


def test_an_action_that_breaks_us_ends_and_another_streams_cut_goes_on(stage: Stage) -> None:
    bad, good = stage.publish(), stage.publish("live/b")
    stage.control.broken_for = bad

    carried_out(
        stage, stage.order(bad, "cut", "d-1"), stage.order(good, "cut", "d-2", case_id="c-2")
    )

    assert sorted(stage.ends) == ["broke", "done"]
    assert (stage.control.kicked, stage.provider.listed) == ([good], [bad])
    [failed] = [one.data for one in stage.told.events if isinstance(one.data, ActionFailedData)]
    assert (failed.reason, failed.is_broken, failed.n_attempts) == ("not_supported", True, TRIES)
    assert stage.actions.broken.count == TRIES
    assert stage.store.open_actions() == []


def test_an_action_that_broke_less_often_is_done(stage: Stage) -> None:
    stage.control.troubles = [ValueError("odd bytes")] * (TRIES - 1)

    carried_out(stage, stage.order(stage.publish()))

    assert stage.ends == ["done"]


def test_an_end_that_cannot_be_told_is_left_for_the_next_start_and_others_go_on(
    stage: Stage,
) -> None:
    bad, good = stage.publish(), stage.publish("live/b")
    stage.told.broken_for = stage.order(bad).stream_id

    carried_out(
        stage, stage.order(bad, "cut", "d-1"), stage.order(good, "cut", "d-2", case_id="c-2")
    )

    assert sorted(stage.ends) == ["broke", "done"]
    assert [kept.order.decision_id for kept in stage.store.open_actions()] == ["d-1"]


def test_a_look_that_breaks_is_told_and_the_next_one_is_made(stage: Stage) -> None:
    carried_out(stage, stage.order(stage.publish()))
    back = stage.publish("live/a", "7")
    stage.control.troubles = [ValueError("odd bytes")]
    sweep = Sweep(stage.site, stage.book, lambda _: False, stage.clock)
    seen: list[str | None] = []

    async def watched() -> None:
        stop = Stop()

        def kicked() -> None:
            seen.append(sweep.problem)
            stop.set()

        stage.control.after_kick = kicked
        async with asyncio.timeout(DEADLINE_S):
            await sweep.run(stop, 0.01)

    stage.runner.run(watched())

    assert seen == ["server edge: the sweep broke"]
    assert stage.control.kicked[-1] == back
    assert (sweep.problem, sweep.broken.count) == (None, 1)


def test_nobody_is_kicked_while_the_disk_is_full_and_all_is_done_afterwards(stage: Stage) -> None:
    one = stage.publish()
    stage.store.n_full = 2
    left: list[int] = []
    stage.control.after_kick = lambda: left.append(stage.store.n_full)

    carried_out(stage, stage.order(one))

    assert left == [0]
    assert stage.ends == ["done"]
    assert stage.store.open_actions() == []


def test_the_end_of_an_action_is_kept_once_there_is_room(stage: Stage) -> None:
    def fill() -> None:
        stage.store.n_full = 1

    stage.control.after_kick = fill

    carried_out(stage, stage.order(stage.publish()))

    assert stage.ends == ["done"]
    assert stage.store.open_actions() == []


def test_who_comes_back_while_it_is_proved_is_kicked_again(stage: Stage) -> None:
    one = stage.publish()
    back = [("2",), ("3",)]

    def come_back() -> None:
        if back:
            stage.publish("live/a", *back.pop(0))

    stage.control.after_kick = come_back

    carried_out(stage, stage.order(one))

    assert [gone.key.publisher for gone in stage.control.kicked] == ["1", "2", "3"]
    assert stage.ends == ["done"]
    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert last.n_returned == 2


def test_a_publisher_that_cannot_be_ended_at_once_did_not_come_back(stage: Stage) -> None:
    one = stage.publish()
    stays = [one]

    def stay() -> None:
        if stays:
            stage.provider.listed.append(stays.pop())

    stage.control.after_kick = stay

    carried_out(stage, stage.order(one))

    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert (last.n_attempts, last.n_returned) == (2, 0)


def test_each_event_of_an_action_tells_when_its_case_was_flagged(stage: Stage) -> None:
    one = stage.publish()

    too_late = {"flagged_s": 50.0, "expires_s": stage.clock.now_s}
    carried_out(stage, stage.order(one, decision="d-1", **too_late))
    carried_out(stage, stage.order(one, decision="d-2", flagged_s=60.0), left=1)

    told = [one.data for one in stage.told.events]
    assert [type(one).__name__.removeprefix("Action") for one in told] == [
        *("RequestedData", "FailedData", "RequestedData", "VerifiedData"),
    ]
    instants = [utc_text(50.0)] * 2 + [utc_text(60.0)] * 2
    assert [one.flagged_time for one in told] == instants  # type: ignore[union-attr]  # of actions alone


def test_a_restore_counts_nobody_who_came_back(stage: Stage) -> None:
    one = stage.publish()

    carried_out(stage, stage.order(one, "hold"))
    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "restore", "d-2"))

    counts = [
        one.data.n_returned for one in stage.told.events if isinstance(one.data, ActionVerifiedData)
    ]
    assert counts == [0, None]


def test_media_that_goes_on_until_the_end_is_told_as_such(stage: Stage) -> None:
    one = stage.publish()
    stage.control.after_kick = lambda: stage.provider.listed.append(one)

    carried_out(stage, stage.order(one, expires_s=stage.clock.now_s + 20.0))

    assert stage.ends == ["still_live"]


def test_a_server_that_never_answers_is_told_as_such(stage: Stage) -> None:
    one = stage.publish()
    stage.provider.problem = "server edge: it does not answer"

    carried_out(stage, stage.order(one, expires_s=stage.clock.now_s + 0.5))

    assert stage.ends == ["server_unavailable"]
    failed = stage.told.events[-1].data
    assert isinstance(failed, ActionFailedData)
    assert failed.server == "edge"
    assert len(stage.book.denied) == 0


@pytest.mark.parametrize("act", ["cut", "hold", "cut_and_suspend", "limit_reach"])
def test_somebody_else_is_left_alone_whatever_was_decided(tmp_path: Path, act: str) -> None:
    stage = Stage(tmp_path, refuses=True)
    one = stage.publish()
    decided = stage.order(one, act)  # type: ignore[arg-type]  # of the list above
    stage.provider.listed.clear()
    other = stage.publish("live/a", "2")

    carried_out(stage, decided)

    assert stage.ends == ["session_replaced"]
    assert stage.provider.listed == [other]
    assert (len(stage.book.denied), dict(stage.book.held)) == (0, {})
    stage.close()


def test_a_stream_that_is_gone_is_denied_all_the_same(stage: Stage) -> None:
    decided = stage.order(stage.publish())
    stage.provider.listed.clear()

    carried_out(stage, decided)

    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert last.method == "not_published"
    assert len(stage.book.denied) == 1


@pytest.mark.parametrize("act", ["hold", "limit_reach"])
def test_of_a_stream_that_is_gone_there_is_nothing_to_hold(tmp_path: Path, act: str) -> None:
    stage = Stage(tmp_path, refuses=True)
    decided = stage.order(stage.publish(), act)  # type: ignore[arg-type]  # of the list above
    stage.provider.listed.clear()

    carried_out(stage, decided)

    assert stage.ends == ["session_ended"]
    stage.close()


def test_what_was_left_by_an_earlier_life_is_done(stage: Stage) -> None:
    left = stage.order(stage.publish())
    stage.store.take([left], "{}")

    carried_out(stage, left=1)

    assert stage.ends == ["done"]


def test_who_came_while_a_kick_was_under_way_is_taken_for_who_came_back(stage: Stage) -> None:
    left = stage.order(stage.publish())
    stage.store.take([left], "{}")
    stage.store.note(Kept(left, "struck", "live/a"))
    stage.provider.listed.clear()
    again = stage.publish("live/a", "2")

    carried_out(stage, left=1)

    assert stage.control.kicked == [again]
    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert last.n_returned == 1


def test_a_restore_takes_back_what_a_later_decision_finds(stage: Stage) -> None:
    one = stage.publish()

    carried_out(
        stage,
        stage.order(one, "hold", "d-1"),
        stage.order(one, "restore", "d-2"),
        stage.order(one, "cut_and_suspend", "d-3"),
        stage.order(one, "restore", "d-4"),
    )

    assert stage.ends[-1] == "done"
    assert set(stage.ends) <= {"done", "superseded"}
    assert (len(stage.book.denied), dict(stage.book.held)) == (0, {})


def test_a_held_stream_goes_on_elsewhere_and_comes_back(stage: Stage) -> None:
    one = stage.publish()

    carried_out(stage, stage.order(one, "hold"))
    [held] = stage.provider.listed
    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "restore", "d-2"))

    assert held.key.path.startswith("live/sg-hold-")
    assert stage.provider.listed == [one]


def test_a_held_stream_may_be_cut(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold"))
    stage.meter.ends.clear()

    carried_out(stage, stage.order(one, "cut", "d-2"))

    assert stage.ends == ["done"]
    assert stage.provider.listed == []
    assert dict(stage.book.held) == {}


def test_viewers_are_refused_where_a_hook_asks_and_nowhere_else(tmp_path: Path) -> None:
    for refuses, end in ((True, "done"), (False, "not_supported")):
        folder = tmp_path / end
        folder.mkdir()
        stage = Stage(folder, refuses=refuses)
        carried_out(stage, stage.order(stage.publish(), "limit_reach"))

        assert stage.ends == [end]
        assert len(stage.book.denied) == refuses
        stage.close()


def test_a_rule_may_hold_so_often_and_never_cut(stage: Stage) -> None:
    first, second = stage.publish(), stage.publish("live/b")
    rule = {"actor": "rule:exact"}

    carried_out(
        stage,
        stage.order(first, "cut", "d-1", **rule),
        stage.order(first, "hold", "d-2", **rule),
        stage.order(second, "hold", "d-3", **rule),
    )

    assert sorted(stage.ends) == ["done", "not_allowed", "over_limit"]
    assert second in stage.provider.listed


def test_the_platform_is_asked_where_a_server_cannot_hold(tmp_path: Path) -> None:
    asked: list[Record] = []

    async def send(record: Record) -> Answer:
        asked.append(record)
        return Answer("done" if len(asked) > 1 else "again", "said")

    stage = Stage(tmp_path, Platform(send, TickingClock()))
    stage.control.can_hold = False

    carried_out(stage, stage.order(stage.publish(), "hold"))

    assert stage.ends == ["done"]
    assert [one.type for one in asked] == ["org.streamguard.action.requested.v1"] * 2
    stage.close()


def test_who_came_back_is_ended_and_all_others_are_not(stage: Stage) -> None:
    carried_out(stage, stage.order(stage.publish()))
    back, other = stage.publish("live/a", "7"), stage.publish("live/b")

    sweep = swept(stage)

    assert stage.provider.listed == [other]
    assert stage.control.kicked[-1] == back
    assert sweep.n_returned == 1


def test_a_stream_about_which_something_is_done_is_left_to_that(stage: Stage) -> None:
    one = stage.order(stage.publish())
    carried_out(stage, one)
    stage.publish("live/a", "7")

    assert swept(stage, [one.stream_id]).n_returned == 0


def test_who_comes_back_to_a_held_stream_is_held_too(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold"))
    stage.provider.listed.clear()
    stage.publish("live/a", "7")

    swept(stage)

    [held] = stage.provider.listed
    assert held.key.path.startswith("live/sg-hold-")


def test_a_second_publisher_of_a_held_stream_is_ended(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold"))
    second = stage.publish("live/a", "7")

    swept(stage)

    assert stage.control.kicked == [second]
    assert len(stage.provider.listed) == 1


def test_who_was_cut_may_come_back_when_the_time_is_over(stage: Stage) -> None:
    carried_out(stage, stage.order(stage.publish()))
    stage.clock.now_s += 3600.0
    back = stage.publish("live/a", "7")

    swept(stage)

    assert stage.provider.listed == [back]
    assert len(stage.book.denied) == 0


def test_a_milder_decision_in_another_case_leaves_a_suspension_as_it_is(stage: Stage) -> None:
    one = stage.publish()
    suspended = stage.order(one, "cut_and_suspend", "d-1")
    carried_out(stage, suspended)

    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "cut", "d-2", case_id="c-2"))

    denied = stage.book.denied.find(suspended.stream_id, "publish", 1e12)
    assert denied is not None
    assert denied.decision_id == "d-1"


def test_to_restore_what_one_case_did_leaves_what_another_one_did(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "cut_and_suspend", "d-1"))
    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "restore", "d-2", case_id="c-2"))

    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert last.method == "other_case"
    assert [denial.decision_id for denial in stage.store.denials()] == ["d-1"]


def test_a_stream_is_held_until_the_last_case_gives_it_back(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold", "d-1"))
    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "hold", "d-2", case_id="c-2", until_s=1e9))
    assert {hold.until_s for hold in stage.book.holds} == {None, 1e9}

    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "restore", "d-3", case_id="c-2"))
    held = [published.key.path for published in stage.provider.listed]
    stage.meter.ends.clear()
    carried_out(stage, stage.order(one, "restore", "d-4"))

    assert all(path.startswith("live/sg-hold-") for path in held)
    assert stage.provider.listed == [one]
    assert stage.store.holds() == []


def test_a_cut_that_is_under_way_is_not_given_up_for_a_hold_in_another_case(stage: Stage) -> None:
    one = stage.publish()
    stage.control.troubles = [unavailable(), unavailable()]

    carried_out(
        stage,
        stage.order(one, "cut", "d-1"),
        stage.order(one, "hold", "d-2", case_id="c-2"),
    )

    assert stage.ends == ["done", "session_ended"]
    assert stage.provider.listed == []


def test_what_somebody_else_was_suspended_for_stands_though_another_case_found_nobody(
    stage: Stage,
) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "cut_and_suspend", "d-1"))
    late = stage.order(one, "cut", "d-2", case_id="c-2")
    stage.store.take([late], "{}")
    denial = Denial(late.stream_id, "publish", "c-2", "d-2", 0.0, 1e9)
    stage.runner.run(stage.book.note(Kept(late, "denied"), denial))
    stage.publish("live/a", "2")

    stage.meter.ends.clear()
    carried_out(stage, left=1)

    assert stage.ends == ["session_replaced"]
    assert [denial.decision_id for denial in stage.store.denials()] == ["d-1"]


def test_a_stream_that_was_given_back_is_not_moved_again_though_nobody_saw_it(
    stage: Stage,
) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold", "d-1"))
    stage.meter.ends.clear()
    stage.sees_nothing = True

    carried_out(stage, stage.order(one, "restore", "d-2", expires_s=stage.clock.now_s + 20.0))
    swept(stage)

    assert stage.ends == ["not_seen"]
    assert stage.provider.listed == [one]
    assert (dict(stage.book.held), stage.store.holds()) == ({}, [])


def test_a_stream_is_given_back_however_long_its_server_was_away(stage: Stage) -> None:
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold", "d-1"))
    stage.meter.ends.clear()
    stage.provider.problem = "server edge: it does not answer"
    late = stage.order(one, "restore", "d-2", expires_s=stage.clock.now_s)

    async def back() -> None:
        stop = Stop()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(stage.actions.run(stop))
            await stage.actions.take([late], "{}")
            stage.provider.asked.clear()
            await stage.provider.asked.wait()
            assert dict(stage.book.held) == {}  # already, so that nobody is moved there any more
            stage.provider.problem = None
            await stage.meter.reached(1)
            stop.set()
            await running

    stage.runner.run(back())

    assert stage.provider.listed == [one]


def test_servers_that_do_not_answer_keep_no_other_one_waiting(stage: Stage) -> None:
    dead = [
        stage.order(stage.publish(f"live/{number}"), "cut", f"d-{number}") for number in range(20)
    ]
    stage.provider.problem = "server edge: it does not answer"
    west = stage.order(stage.publish_west(), "cut", "d-west")

    async def cut() -> None:
        stop = Stop()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(stage.actions.run(stop))
            for one in [*dead, west]:
                await stage.actions.take([one], "{}")
            await stage.meter.reached(1)
            stop.set()
            await running

    stage.runner.run(cut())

    assert stage.ends == ["done"]
    assert stage.west.listed == []


def test_a_recording_that_nobody_can_end_keeps_no_stream_held(tmp_path: Path) -> None:
    async def send(record: Record) -> Answer:
        return Answer("again", "")

    stage = Stage(tmp_path, Platform(send, TickingClock()))
    one = stage.publish()
    recording = stage.order(one, "hold", scope="recording")
    live = stage.order(one, "hold", "d-2")

    async def held() -> None:
        stop = Stop()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(stage.actions.run(stop))
            await stage.actions.take([recording], "{}")
            await stage.actions.take([live], "{}")
            await stage.meter.reached(1)
            stop.set()
            await running

    stage.runner.run(held())

    assert stage.ends == ["done"]
    assert list(stage.book.held) == [live.stream_id]
    stage.close()


def test_the_platform_takes_back_what_it_did(tmp_path: Path) -> None:
    asked: list[Record] = []

    async def send(record: Record) -> Answer:
        asked.append(record)
        return Answer("done", "said")

    stage = Stage(tmp_path, Platform(send, TickingClock()))
    stage.control.can_hold = False
    one = stage.publish()
    carried_out(stage, stage.order(one, "hold", until_s=stage.clock.now_s + 60.0))
    stage.meter.ends.clear()

    carried_out(stage, stage.order(one, "restore", "d-2"))

    told = [json.loads(record.body)["data"] for record in asked]
    assert [data["action"]["act"] for data in told] == ["hold", "restore"]
    assert ["until_time" in data for data in told] == [True, False]
    stage.close()


@pytest.mark.parametrize("act", ["cut", "hold"])
def test_where_our_viewer_could_not_watch_the_list_alone_is_named_as_proof(
    stage: Stage, act: Act
) -> None:
    stage.sees_nothing = True

    carried_out(stage, stage.order(stage.publish(), act))

    last = stage.told.events[-1].data
    assert isinstance(last, ActionVerifiedData)
    assert (last.method, last.window_ms) == ("not_listed", 0)


def test_a_cut_takes_the_place_of_the_limit_before_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, refuses=True)
    one = stage.publish()
    carried_out(stage, stage.order(one, "limit_reach"))
    stage.meter.ends.clear()

    carried_out(stage, stage.order(one, "cut", "d-2"))

    assert [denial.kind for denial in stage.book.denied] == ["publish"]
    stage.close()
