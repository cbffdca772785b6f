"""A whole service beside hostile streams: it lives, and its other stream does not notice."""

import signal
from pathlib import Path

import pytest

from loadtest.hostile_damage import hostile_case
from tests.processes import Running, metric, on_time, transport_stream, until
from tests.servers import Answer, endless, in_turn, serving
from tests.test_run import configure, events_in, types_of, wait_for_events

pytestmark = pytest.mark.integration

SEED = 4
FLOWS, N_CASES = {"ts", "flv"}, 300
HOSTILE = ("a.ts", "b.ts", "c.flv", "d.flv")
N_CONNECTIONS = 20
"""So many come within some seconds: who fails is tried again at once, then ever more slowly."""


def every_time_another() -> Answer:
    """Send every client another damaged MPEG-TS or FLV."""
    cases = (hostile_case(SEED, number) for number in range(N_CASES))
    return in_turn(*(endless(case.pages[case.first]) for case in cases if case.kind in FLOWS))


def test_a_service_outlives_hostile_streams_and_screens_the_others(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    channel = on_time(transport_stream(real_clips["bikes"], n_rounds=30), burst_s=6)
    with serving(channel) as good, serving(every_time_another()) as bad:
        urls = {"good": good.url()} | {name[0]: bad.url(f"/{name}") for name in HOSTILE}
        config = configure(tmp_path, known_bank, urls)
        with Running("run", "--config", config, cwd=tmp_path) as run:
            run.wait_for(run.log, event="run_started")
            wait_for_events(tmp_path / "log.db", ("good", "flag.opened"))
            until(lambda: len(bad.requests) >= N_CONNECTIONS)
            screened_s = metric(run, "screened_seconds_total")
            until(lambda: metric(run, "screened_seconds_total") > screened_s)
            live = run.get("/livez")
            code = run.stop(signal.SIGTERM)

    assert (code, live) == (0, (200, "ok\n"))
    assert types_of(events_in(tmp_path / "log.db"), "good").count("stream.started") == 1
    assert len(good.requests) == 1
    assert not [row for row in run.log if row["event"] == "worker_died"]
