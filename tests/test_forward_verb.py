"""What `forward` exports; tests/integration/test_forward.py runs it."""

import math

from streamguard.core.errors import LogUnavailable
from streamguard.verbs.forward_verb import Meter


def unreadable() -> float:
    raise LogUnavailable("the disk is gone")


def test_a_log_that_cannot_be_read_keeps_no_other_metric_back() -> None:
    meter = Meter()
    meter.watch(backlog=unreadable, oldest_s=lambda: 7.0, aside=unreadable)

    meter.put_aside()

    told = meter.registry.get_sample_value
    assert math.isnan(told("streamguard_forward_backlog") or 0.0)
    assert math.isnan(told("streamguard_forward_aside") or 0.0)
    assert told("streamguard_forward_oldest_seconds") == 7.0
    assert told("streamguard_forward_put_aside_total") == 1.0


def test_every_outcome_is_there_from_the_start_so_that_its_first_is_an_increase() -> None:
    meter = Meter()

    meter.forwarded("refused", 5.0)
    meter.forwarded("done", 2.0)

    told = {
        outcome: meter.registry.get_sample_value(
            "streamguard_forward_tries_total", {"outcome": outcome}
        )
        for outcome in ("done", "again", "refused")
    }
    assert told == {"done": 1.0, "again": 0.0, "refused": 1.0}
    assert meter.registry.get_sample_value("streamguard_forward_seconds_sum") == 2.0
