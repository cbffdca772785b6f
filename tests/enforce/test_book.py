import asyncio
from dataclasses import replace
from pathlib import Path

from streamguard.adapters.deny_file import DenyFile
from streamguard.core.denials import Denial
from streamguard.runtime.stop import Stop
from tests.enforce.stage import Stage

BY_HAND = Denial("edge-a", "publish", "by-hand", "d-hand", 0.0)


def test_what_is_changed_by_hand_is_seen_while_the_enforcer_works(tmp_path: Path) -> None:
    stage, file = Stage(tmp_path), DenyFile(tmp_path / "enforce")
    stage.runner.run(stage.book.look())

    file.add(BY_HAND)
    stage.runner.run(stage.book.look())
    assert list(stage.book.denied) == [BY_HAND]
    ending = replace(BY_HAND, until_s=1e9)
    file.add(ending)
    stage.runner.run(stage.book.look())
    assert list(stage.book.denied) == [ending]

    file.remove(BY_HAND.place)
    stage.runner.run(stage.book.look())

    assert list(stage.book.denied) == []
    file.close()
    stage.close()


def test_what_the_enforcer_does_meanwhile_stands(tmp_path: Path) -> None:
    stage, file = Stage(tmp_path), DenyFile(tmp_path / "enforce")
    one, stop = stage.publish(), Stop()

    async def both() -> None:
        await stage.actions.take([stage.order(one, "cut_and_suspend")], "{}")
        running = asyncio.create_task(stage.actions.run(stop))
        file.add(BY_HAND)
        await stage.meter.reached(1)
        await stage.book.look()
        stop.set()
        await running

    stage.runner.run(both())

    assert sorted(denial.decision_id for denial in stage.book.denied) == ["d-1", "d-hand"]
    file.close()
    stage.close()
