"""What a supervisor does when workers get ready, die, hang and grow, and when it is to stop."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from streamguard.core.crew import CrashBrake, CrewRules, Trouble
from streamguard.core.suspicion import Suspicion
from streamguard.runtime.board import StreamBeat
from streamguard.runtime.parts import Stream
from streamguard.runtime.placing import MOVE_EVERY_S, ORPHAN_S, PIECE_S
from streamguard.runtime.supervisor import TOGETHER_S
from streamguard.runtime.wire import HEADER, Drain, Released, Stay, Take
from tests.runtime.made_crew import KILLED, Rig, ScriptedWorker, crew, streams

RULES = CrewRules(silent_s=5, stuck_s=10, ready_s=60, drain_s=10, max_rss_bytes=1000)
FOUR = streams("a", "b", "c", "d")


def with_crew(n_workers: int, test: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    """Run a test with a crew of so many workers that take streams, and their spare."""

    async def main() -> None:
        async with crew(n_workers, RULES) as rig:
            await test(rig)

    asyncio.run(main())


def test_the_first_worker_that_is_ready_waits_for_the_others() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        await rig.ready(1)
        rig.clock.advance(TOGETHER_S - 0.1)
        rig.supervisor.look()
        alone = rig.holds()
        await rig.ready(2)

        assert alone == {}
        assert {number: len(held) for number, held in rig.holds().items()} == {1: 2, 2: 2}

    with_crew(2, test)


def test_the_first_worker_begins_without_the_others_when_they_take_too_long() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        await rig.ready(1)
        rig.clock.advance(TOGETHER_S)
        rig.supervisor.look()

        assert rig.holds() == {1: set(FOUR)}

    with_crew(2, test)


def test_the_spare_takes_over_from_a_worker_that_died_and_goes_on_with_its_sessions() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        await rig.ready(1, 2)
        await rig.kept(1, FOUR.values())
        rig.clock.advance(1.0)
        await rig.die(1)
        await rig.until(lambda: len(rig.workers[2].taken) == 4)
        taken = [one for one in rig.workers[2].heard if isinstance(one, Take)]

        assert {one.before.session_id for one in taken if one.before} == {
            f"session of {name}" for name in FOUR
        }
        assert {one.before.accounted_s for one in taken if one.before} == {1_001.0}
        assert rig.log.told("a") == ["coverage.gap"]
        assert rig.lost == ["died"]

    with_crew(1, test)


def test_who_stands_in_for_a_worker_takes_its_cores() -> None:
    async def test(rig: Rig) -> None:
        await rig.ready(1, 2, 3)
        await rig.until(lambda: stays(rig, 1) == [Stay((0,))])
        await rig.until(lambda: stays(rig, 2) == [Stay((1,))])
        assert stays(rig, 3) == []
        await rig.die(1)
        await rig.until(lambda: stays(rig, 3) == [Stay((0,))])

    def stays(rig: Rig, number: int) -> list[Stay]:
        return [one for one in rig.workers[number].heard if isinstance(one, Stay)]

    with_crew(2, test)


def test_another_worker_is_started_for_the_one_that_died() -> None:
    async def test(rig: Rig) -> None:
        await rig.ready(1, 2)
        await rig.die(1)
        rig.supervisor.look()
        await rig.until(lambda: rig.numbers() == [2, 3])

    with_crew(1, test)


def test_what_is_not_wanted_any_more_is_released_and_asked_for_once() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        await rig.ready(1, 2)
        rig.supervisor.want(streams("b", "c", "d"))
        rig.supervisor.look()
        rig.supervisor.look()
        await rig.until(lambda: bool(rig.workers[1].asked_to_release))

        assert rig.workers[1].asked_to_release == [("a", "ended")]

    with_crew(1, test)


def test_another_publish_of_a_stream_is_another_session() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1, 2)
        await rig.kept(1, streams("a").values())
        rig.supervisor.want(streams("a", session_key="publish-2"))
        rig.supervisor.look()
        await rig.until(lambda: rig.workers[1].asked_to_release == [("a", "ended")])
        rig.workers[1].link.send(Released("a"))
        await rig.look_until(lambda: rig.workers[1].taken == ["a", "a"])
        last = rig.workers[1].heard[-1]

        assert isinstance(last, Take)
        assert (last.session_key, last.before) == ("publish-2", None)

    with_crew(1, test)


def test_a_session_that_nobody_wants_after_its_worker_died_is_ended_in_the_log() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1)
        await rig.kept(1, streams("a").values())
        rig.supervisor.want({})
        await rig.die(1)
        await rig.look_until(lambda: rig.log.told("a") == ["coverage.gap", "stream.ended"], 0.5)

        assert rig.clock.monotonic() > 1_000.0 + ORPHAN_S

    with_crew(1, test)


def test_a_session_that_no_worker_is_there_to_take_waits_and_is_told_of_meanwhile() -> None:
    """All workers died, and others take long to come: what is sent in between is in gaps.

    The log takes its own time, whatever this clock says: pieces may be longer, not fewer.
    """

    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1)
        await rig.kept(1, streams("a").values())
        await rig.die(1)
        await rig.look_until(lambda: len(rig.log.told("a")) > ORPHAN_S / PIECE_S, 0.5)
        told, told_s = rig.log.told("a"), rig.clock.monotonic()
        (number, *_) = rig.numbers()
        await rig.ready(number)
        await rig.look_until(lambda: rig.workers[number].taken == ["a"])
        (taken,) = (one for one in rig.workers[number].heard if isinstance(one, Take))

        assert set(told) == {"coverage.gap"}
        assert told_s > 1_000.0 + ORPHAN_S
        assert taken.before is not None
        assert taken.before.session_id == "session of a"
        assert rig.clock.monotonic() - taken.before.accounted_s <= PIECE_S + 1.0

    with_crew(1, test)


def test_a_session_that_waits_at_a_stop_is_accounted_for_to_its_end() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1)
        await rig.kept(1, streams("a").values())
        await rig.die(1)
        rig.clock.advance(5.0)
        rig.stop.because("interrupted")
        await rig.supervisor.run(rig.stop)

        *gaps, ended = (json.loads(row.body)["data"] for row in rig.log.rows if row.key == "a")
        ends = [datetime.fromisoformat(gap["end_time"]) for gap in gaps]
        starts = [datetime.fromisoformat(gap["start_time"]) for gap in gaps]
        assert rig.log.told("a")[-1] == "stream.ended"
        assert (max(ends) - min(starts)).total_seconds() == 5.0
        assert ended["stream"]["session_id"] == "session of a"

    with_crew(1, test)


def test_a_session_waits_for_as_long_as_nobody_can_tell_whether_its_publish_goes_on() -> None:
    """An API that is down when a supervisor starts ends no session."""

    async def test(rig: Rig) -> None:
        late = {"a"}
        rig.supervisor.want(streams("a"))
        await rig.ready(1)
        await rig.kept(1, streams("a").values())
        rig.supervisor.want({}, late.__contains__)
        await rig.die(1)
        await rig.look_until(lambda: rig.clock.monotonic() > 1_000.0 + 3 * ORPHAN_S, 0.5)
        told = rig.log.told("a")
        late.clear()
        await rig.look_until(lambda: "stream.ended" in rig.log.told("a"), 0.5)

        assert told == ["coverage.gap"]

    with_crew(1, test)


@pytest.mark.parametrize(
    ("trouble", "trigger"),
    [("silent", {}), ("stuck", {"stuck_s": 10.1}), ("fat", {"rss_bytes": 1001})],
)
def test_a_worker_that_is_given_up_is_counted_once_by_its_trouble(
    trouble: Trouble, trigger: dict[str, Any]
) -> None:
    async def test(rig: Rig) -> None:
        await rig.ready(1)
        await rig.pass_time(RULES.silent_s)
        rig.workers[1].beat(**trigger)
        await rig.until(lambda: rig.member(1).beat.rss_bytes == trigger.get("rss_bytes", 0))
        await rig.until(lambda: rig.member(1).beat.stuck_s == trigger.get("stuck_s", 0))
        await rig.pass_time(0.0 if trigger else RULES.silent_s + 0.1, silent=(1,))
        rig.supervisor.look()
        await rig.until(lambda: rig.workers[1].process.was_collected)
        await rig.until(lambda: 1 not in rig.numbers())

        assert rig.lost == [trouble]
        assert rig.workers[1].process.n_kills == 1

    with_crew(1, test)


@pytest.mark.parametrize("decodes", [True, False])
def test_a_worker_whose_packets_wait_is_given_up_where_no_frame_comes_of_them(
    decodes: bool,  # noqa: FBT001
) -> None:
    """Each of its threads may be well, and none at work: only frames show that it screens."""

    async def test(rig: Rig) -> None:
        await rig.ready(1)
        for second in range(16):
            n_frames = second if decodes else 0
            rig.workers[1].beat(StreamBeat("a", "screening", n_frames=n_frames), queue_age_s=second)
            await rig.until(lambda age_s=second: rig.member(1).vitals.queue_age_s == age_s)
            await rig.pass_time(1.0, silent=(1,))
        rig.workers[1].beat(StreamBeat("a", "screening", n_frames=99 * decodes), queue_age_s=16.0)
        await rig.until(lambda: rig.member(1).vitals.queue_age_s == 16.0)
        rig.supervisor.look()

        assert rig.lost == ([] if decodes else ["stuck"])

    with_crew(1, test)


def test_a_worker_that_grew_too_fat_hands_its_streams_to_the_spare_in_order() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1, 2)
        await rig.kept(1, streams("a").values())
        await rig.pass_time(RULES.silent_s)
        rig.workers[1].beat(rss_bytes=1001)
        await rig.until(lambda: rig.member(1).vitals.rss_bytes == 1001)
        rig.supervisor.look()
        await rig.until(lambda: 1 not in rig.numbers())
        await rig.until(lambda: rig.workers[2].taken == ["a"])
        (taken,) = (one for one in rig.workers[2].heard if isinstance(one, Take))

        assert Drain("moved") in rig.workers[1].heard
        assert (taken.before is not None, rig.log.told("a")) == (True, [])
        assert (rig.workers[1].process.code, rig.workers[1].process.n_kills) == (0, 0)
        assert rig.lost == ["fat"]

    with_crew(1, test)


def test_a_worker_that_does_not_get_done_with_leaving_is_cut_short() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1, 2)
        rig.workers[1].drains_well = False
        await rig.pass_time(RULES.silent_s)
        rig.workers[1].beat(rss_bytes=1001)
        await rig.until(lambda: rig.member(1).vitals.rss_bytes == 1001)
        rig.supervisor.look()
        await rig.pass_time(RULES.drain_s)
        still = rig.workers[1].process.code
        await rig.pass_time(0.1)
        await rig.until(lambda: rig.workers[2].taken == ["a"])

        assert (still, rig.workers[1].process.code) == (None, KILLED)

    with_crew(1, test)


def test_a_worker_that_says_what_makes_no_sense_has_its_link_cut() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        await rig.ready(1, 2)
        rig.workers[1].link._writer.write(HEADER.pack(3) + b"\x93no")  # no message says this
        await rig.until(lambda: rig.workers[2].taken == ["a"])
        rig.workers[1].process.end(0)
        await rig.until(lambda: rig.workers[1].process.was_collected)

    with_crew(1, test)


def test_after_a_standstill_of_the_supervisor_itself_workers_have_time_to_be_heard() -> None:
    async def test(rig: Rig) -> None:
        await rig.ready(1, 2)
        await rig.pass_time(RULES.silent_s)
        rig.clock.advance(60.0)
        rig.supervisor.look()
        await rig.pass_time(RULES.silent_s * 2, silent=(2,))

        assert [rig.workers[one].process.n_kills for one in (1, 2)] == [0, 1]
        assert rig.lost == ["silent"]

    with_crew(1, test)


def test_workers_that_die_again_and_again_are_held_back_and_streams_wait() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(streams("a"))
        for number in range(1, CrashBrake.FREE + 2):
            await rig.ready(number)
            await rig.die(number)
            rig.supervisor.look()
        last = CrashBrake.FREE + 2
        await rig.until(lambda: rig.numbers() == [last])
        rig.clock.advance(0.4)
        rig.supervisor.look()
        early = set(rig.workers)
        rig.clock.advance(0.1)
        rig.supervisor.look()
        await rig.until(lambda: rig.numbers() == [last, last + 1])

        assert max(early) == last

    with_crew(1, test)


def test_a_worker_that_cannot_be_started_is_tried_again() -> None:
    async def test(rig: Rig) -> None:
        await rig.ready(1, 2)
        rig.n_refusals = 2
        await rig.die(1)
        await rig.look_until(lambda: rig.numbers() == [2, 5])

    with_crew(1, test)


def test_a_worker_that_does_not_get_done_with_a_stop_is_killed() -> None:
    async def main() -> None:
        async with crew(1, replace(RULES, drain_s=0.0)) as rig:
            await rig.ready(1, 2)
            rig.workers[1].drains_well = False
            rig.stop.because("interrupted")
            await rig.supervisor.run(rig.stop)

            assert [rig.workers[one].process.code for one in (1, 2)] == [KILLED, 0]

    asyncio.run(main())


def test_a_stop_lets_all_workers_close_their_streams_and_collects_them() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        await rig.ready(1, 2, 3)
        rig.stop.because("interrupted")
        await rig.supervisor.run(rig.stop)

        assert [one.process.code for one in rig.workers.values()] == [0, 0, 0]
        assert all(one.process.was_collected for one in rig.workers.values())
        assert rig.supervisor.members == ()

    with_crew(2, test)


def test_a_stream_in_hand_at_two_deaths_is_held_back_and_the_others_go_on() -> None:
    async def test(rig: Rig) -> None:
        await _quarantined(rig, "b")

        assert rig.supervisor.quarantined()["b"].n_deaths == 2
        assert set(rig.workers[3].taken) == {"a", "c", "d"}
        assert rig.quarantined == ["died"]

    with_crew(1, test)


def test_what_is_held_back_is_published_meanwhile_and_goes_on_with_its_session() -> None:
    async def test(rig: Rig) -> None:
        await _quarantined(rig, "b")
        await rig.ready(4)
        since_s = rig.clock.monotonic()
        await rig.look_until(lambda: "b" in rig.workers[3].taken, 0.5)
        back_s = rig.clock.monotonic()
        (taken,) = (
            one for one in rig.workers[3].heard if isinstance(one, Take) and one.stream_id == "b"
        )

        assert back_s - since_s == pytest.approx(Suspicion.FIRST_S, abs=2.0)
        assert rig.log.gap_reasons("b") == ["interrupted"] * 2 + ["quarantined"] * 6
        assert taken.before is not None
        assert taken.before.session_id == "session of b"
        assert taken.before.accounted_s == pytest.approx(back_s, abs=2.0)

    with_crew(1, test)


def test_a_publish_that_no_worker_lived_to_tell_of_has_a_session_of_gaps() -> None:
    async def test(rig: Rig) -> None:
        await _quarantined(rig, "b", accounted="acd")
        await rig.look_until(lambda: bool(rig.log.gap_reasons("b")), 0.5)
        account = rig.log.accounts["b"]

        assert rig.log.gap_reasons("b") == ["quarantined"]
        assert (account.session_key, account.epoch, account.detectors) == (
            "publish-1",
            0,
            ("hash",),
        )

    with_crew(1, test)


def test_a_stream_that_is_held_back_and_not_wanted_any_more_is_told_of_and_ended() -> None:
    async def test(rig: Rig) -> None:
        await _quarantined(rig, "b")
        await rig.look_until(lambda: "quarantined" in rig.log.gap_reasons("b"), 0.5)
        rig.supervisor.want(streams("a", "c", "d"))
        await rig.look_until(lambda: rig.log.told("b")[-1:] == ["stream.ended"], 0.5)

        assert rig.log.gap_reasons("b") == ["interrupted"] * 2 + ["quarantined"] * 2

    with_crew(1, test)


def test_an_operator_lets_a_stream_back_at_once() -> None:
    async def test(rig: Rig) -> None:
        await _quarantined(rig, "b")
        did = rig.supervisor.let_back("b"), rig.supervisor.let_back("b")
        await rig.look_until(lambda: "b" in rig.workers[3].taken)

        assert did == (True, False)
        assert rig.supervisor.quarantined() == {}

    with_crew(1, test)


def test_a_worker_that_leaves_by_itself_blames_no_stream() -> None:
    async def test(rig: Rig) -> None:
        rig.supervisor.want(FOUR)
        for number in (1, 2, 3):
            await rig.ready(number)
            rig.workers[number].killed_at("b")
            await rig.die(number, code=1)
            rig.supervisor.look()

        assert rig.supervisor.quarantined() == {}

    with_crew(1, test)


def test_streams_move_one_by_one_to_a_worker_that_has_far_fewer() -> None:
    many = streams(*(f"s{n}" for n in range(10)))

    async def test(rig: Rig) -> None:
        await _all_on_the_first(rig, many)
        await rig.ready(2)
        await rig.until(lambda: len(rig.workers[1].asked_to_release) == 1)
        await rig.look_until(lambda: len(rig.holds().get(2, ())) == 3, MOVE_EVERY_S / 4)
        moves_s = rig.clock.monotonic() - 1_000.0
        for _ in range(20):
            await rig.pass_time(MOVE_EVERY_S)
        accounts = [one.before for one in rig.workers[2].heard if isinstance(one, Take)]

        assert moves_s >= TOGETHER_S + 2 * MOVE_EVERY_S
        assert rig.workers[1].asked_to_release == [(f"s{n}", "moved") for n in (9, 8, 7)]
        assert [one.session_id for one in accounts if one] == [
            f"session of s{n}" for n in (9, 8, 7)
        ]
        assert rig.log.told("s9") == []

    with_crew(2, test)


def test_what_is_decoded_densely_is_not_moved_and_what_is_away_is_moved_first() -> None:
    many = streams(*(f"s{n}" for n in range(10)))

    async def test(rig: Rig) -> None:
        await _all_on_the_first(rig, many)
        beats = {one: StreamBeat(one, "screening", is_dense=True) for one in many}
        beats["s1"], beats["s2"] = StreamBeat("s1", "screening"), StreamBeat("s2", "away")
        rig.workers[1].beat(*beats.values())
        await rig.until(lambda: rig.member(1).beats() == beats)
        await rig.ready(2)
        await rig.look_until(lambda: len(rig.holds().get(2, ())) == 2, MOVE_EVERY_S / 4)
        await rig.pass_time(MOVE_EVERY_S)

        assert rig.workers[1].asked_to_release == [("s2", "moved"), ("s1", "moved")]

    with_crew(2, test)


async def _quarantined(rig: Rig, stream_id: str, accounted: str = "abcd") -> None:
    """Let two workers be killed with a stream in hand; a third one takes the others.

    accounted: the streams of which the log heard before each death.
    """
    rig.supervisor.want(FOUR)
    await rig.ready(1, 2)
    for worker in (rig.workers[1], rig.workers[2]):
        await rig.until(partial(_has_taken, worker, 4))
        await rig.kept(worker.number, [FOUR[one] for one in accounted])
        worker.killed_at(stream_id)
        await rig.die(worker.number, KILLED)
        rig.supervisor.look()
    await rig.ready(3)
    await rig.until(partial(_has_taken, rig.workers[3], 3))


def _has_taken(worker: ScriptedWorker, count: int) -> bool:
    return len(worker.taken) == count


async def _all_on_the_first(rig: Rig, wanted: Mapping[str, Stream]) -> None:
    """Let the first of two workers have all streams, for the second took too long to get ready."""
    rig.supervisor.want(wanted)
    await rig.ready(1)
    rig.clock.advance(TOGETHER_S)
    rig.supervisor.look()
    await rig.kept(1, wanted.values())
    rig.workers[1].lets_go = True
    rig.workers[1].beat(*(StreamBeat(one, "screening") for one in wanted))
    await rig.until(lambda: len(rig.member(1).beats()) == len(wanted))
