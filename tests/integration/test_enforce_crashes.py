"""The enforcer is killed at each of its durable steps: nothing is lost, nobody else is touched."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.rtmp import RtmpServer
from tests.integration.test_enforce import KEY, enforcing, stage
from tests.processes import DEADLINE_S, ROOT, environment, until

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

POINTS = [
    ("action_taken", 1),
    ("append_committed", 1),
    ("action_denied", 1),
    ("action_struck", 1),
    ("order_given", 1),
    ("append_committed", 2),
    ("action_finished", 1),
]
"""Taken up; told so; deny entry on disk; kick about to be given; given; told how it ended; over."""


@pytest.fixture
def clip(real_clips: dict[str, Path]) -> Path:
    return real_clips["bikes"]


def die_at(point: str, nth: int, config: Path) -> None:
    """Run an enforcer until it is killed there."""
    script = ROOT / "tests" / "dying_enforcer.py"
    done = subprocess.run(
        [sys.executable, script, point, str(nth), config],
        cwd=config.parent,
        env=environment(),
        stderr=subprocess.DEVNULL,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("point", "nth"), POINTS)
def test_a_cut_is_carried_out_whenever_the_enforcer_dies(
    tmp_path: Path, rtmp: RtmpServer, clip: Path, point: str, nth: int
) -> None:
    with stage(tmp_path, rtmp) as made, rtmp.publish(clip, KEY) as one:
        decision = made.decide(made.live(KEY), "cut")
        die_at(point, nth, made.config)
        with enforcing(made):
            event = made.outcome(decision)
            one.wait(DEADLINE_S)
            with rtmp.publish(clip, KEY) as again:
                again.wait(DEADLINE_S)
        told = [row["type"].split(".")[3] for row in made.told(decision)]

    assert event.data.model_dump()["method"] in {"no_media", "not_published"}
    assert told == ["requested", "verified"]


@pytest.mark.parametrize("point", ["action_taken", "action_denied"])
def test_who_took_the_place_of_a_stream_while_we_were_dead_is_left_alone(
    tmp_path: Path, rtmp: RtmpServer, clip: Path, point: str
) -> None:
    with stage(tmp_path, rtmp) as made:
        with rtmp.publish(clip, KEY):
            decision = made.decide(made.live(KEY), "cut")
            die_at(point, 1, made.config)
        made.gone(KEY)
        with rtmp.publish(clip, KEY) as other:
            made.live(KEY)
            with enforcing(made):
                event = made.outcome(decision)
            assert other.poll() is None
            assert made.paths() == [f"live/{KEY}"]

    assert event.data.model_dump()["reason"] == "session_replaced"


def test_who_came_back_while_we_were_dead_is_ended(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    """The kick may have been given before: the deny entry stood already."""
    with stage(tmp_path, rtmp) as made:
        with rtmp.publish(clip, KEY):
            decision = made.decide(made.live(KEY), "cut")
            die_at("order_given", 1, made.config)
        with rtmp.publish(clip, KEY) as again, enforcing(made):
            again.wait(DEADLINE_S)
            assert made.outcome(decision).data.model_dump()["method"] == "no_media"


@pytest.mark.parametrize("point", ["action_struck", "order_given"])
def test_a_held_stream_is_found_again_and_given_back(
    tmp_path: Path, rtmp: RtmpServer, clip: Path, point: str
) -> None:
    with stage(tmp_path, rtmp) as made, rtmp.publish(clip, KEY) as one:
        stream = made.live(KEY)
        decision = made.decide(stream, "hold")
        die_at(point, 1, made.config)
        with enforcing(made):
            held = made.outcome(decision).data.model_dump()
            [moved] = made.paths()
            made.outcome(made.decide(stream, "restore"))
        until(lambda: made.paths() == [f"live/{KEY}"])

        assert one.poll() is None
    assert held["method"] == "no_media"
    assert moved.startswith("live/sg-hold-")
