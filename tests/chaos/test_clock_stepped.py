"""The wall clock of the real supervisor steps by an hour, ahead or back, while flags are delivered.

Debian's faketime does it to a process. Monotonic time goes on, as it does when a clock is set.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.events import Topic
from tests.chaos.conftest import AllThere
from tests.chaos.site import Screened, Site, eventually
from tests.chaos.verdict import evidence_told

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

N_FLAGS = 2_000

FAR_S = 1800
"""The test does not take so long: a clock that is off by more was set."""


class SetClock:
    """The clock of processes that start with `variables`; `step` sets it."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "clock"
        self.step(0)
        self.variables = {
            "LD_PRELOAD": f"{library}",
            "FAKETIME_TIMESTAMP_FILE": f"{self._file}",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, seconds: int) -> None:
        """Set it to so many seconds after the true time; before it, where that is negative."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds:+d}\n")
        aside.replace(self._file)


@pytest.mark.parametrize("set_by_s", [3600, -3600])
def test_a_clock_that_is_set_loses_no_flag_and_no_evidence(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    screened: Screened,
    requires_faketime: Path,
    set_by_s: int,
) -> None:
    """Twice: away from the truth with a broker, and back to it while there is none."""
    clock = SetClock(tmp_path, requires_faketime)
    site = Site(tmp_path, apache.bootstrap, screened=screened)
    site.append(range(N_FLAGS // 2))

    with site.running(**clock.variables) as run:
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0 and bool(evidence_told(site)))
        clock.step(set_by_s)
        site.append(range(N_FLAGS // 2, N_FLAGS))
        eventually(lambda: not site.n_waiting())
        apache.kill()
        stalled = run.wait_for(run.log, event="delivery_stalled")
        clock.step(0)
        site.append(range(N_FLAGS, N_FLAGS + 100))
        apache.start()

    said_at = datetime.fromisoformat(stalled["timestamp"])
    off_by_s = (said_at - datetime.now(UTC)).total_seconds()
    assert abs(off_by_s - set_by_s) < FAR_S
    all_there(site)
