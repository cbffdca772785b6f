import math
from functools import partial
from pathlib import Path

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.core.errors import LogUnavailable
from streamguard.enforce.brake import OPEN_S, Brake, BrakeRule
from streamguard.parts.enforce_parts import EnforceMeter, breaker
from tests.clock import FakeClock


class Away(ActionStore):
    """A file on a disk that is gone."""

    def breaker_until(self) -> float:
        raise LogUnavailable("the disk is gone")


def test_an_open_breaker_is_shown_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    store, clock, meter = ActionStore(tmp_path / "enforce"), FakeClock(), EnforceMeter()
    meter.show("breaker_open", "As it is.", partial(breaker, Brake(BrakeRule(1), store), clock))

    def shown() -> float | None:
        return meter.registry.get_sample_value("streamguard_enforce_breaker_open")

    closed = shown()
    store.open_breaker(clock.wall() + OPEN_S)
    opened = shown()
    clock.advance(OPEN_S)

    assert (closed, opened, shown()) == (0, 1, 0)
    store.close()


def test_a_file_that_cannot_be_read_says_nothing_of_the_breaker(tmp_path: Path) -> None:
    store = Away(tmp_path / "enforce")

    assert math.isnan(breaker(Brake(BrakeRule(1), store), FakeClock()))
    store.close()
