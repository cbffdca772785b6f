"""Workers of a real run stay on their cores, and so does who stands in for one."""

import os
import signal
from pathlib import Path

import pytest

from streamguard.adapters.cores import shares
from tests.processes import Running, until
from tests.test_run import configure

PLACES = shares(2)
NOBODY = "http://127.0.0.1:9/away.ts"


@pytest.mark.skipif(not PLACES, reason="a quota grants less than the cores that are seen")
@pytest.mark.parametrize("stays", [True, False])
def test_each_worker_has_its_cores_and_a_spare_takes_those_of_the_dead(
    tmp_path: Path, known_bank: Path, *, stays: bool
) -> None:
    config = configure(tmp_path, known_bank, {"away": NOBODY})
    more = f"[worker]\ncount = 2\nstays_on_cores = {str(stays).lower()}\n"
    config.write_text(config.read_text().replace("[worker]\n", more))
    everywhere = {tuple(sorted(os.sched_getaffinity(0)))}
    expected = [{place} if stays else everywhere for place in PLACES]

    with Running("run", "--config", config, cwd=tmp_path) as run:
        until(lambda: len(active(run)) == 2)
        first, second = active(run)
        until(lambda: [cores_of(first), cores_of(second)] == expected)
        os.kill(first, signal.SIGKILL)
        until(lambda: len(active(run)) == 3)
        third = active(run)[2]
        until(lambda: cores_of(third) == expected[0])
        code = run.stop(signal.SIGTERM)

    assert code == 0


def active(run: Running) -> list[int]:
    """Give the processes that became active, in order."""
    return [int(row["pid"]) for row in run.log if row.get("event") == "worker_active"]


def cores_of(pid: int) -> set[tuple[int, ...]]:
    """Say on which cores the threads of a process may run; nothing while one of them ends."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    try:
        return {tuple(sorted(os.sched_getaffinity(int(one.name)))) for one in threads}
    except ProcessLookupError:
        return set()
