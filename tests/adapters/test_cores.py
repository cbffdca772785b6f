"""Cores that are shared out, and threads that stay on them."""

import os
import subprocess
import sys
from itertools import chain, pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.cores import share, shares

CORES = st.lists(st.integers(0, 300), min_size=1, max_size=64, unique=True).map(sorted)


@given(CORES, st.integers(1, 64))
def test_all_cores_are_shared_out_and_none_twice_where_there_are_enough(
    cores: list[int], n_workers: int
) -> None:
    places = [share(place, n_workers, cores) for place in range(n_workers)]

    if n_workers <= len(cores):
        assert list(chain.from_iterable(places)) == cores
        assert {len(place) for place in places} <= {
            len(cores) // n_workers,
            -(-len(cores) // n_workers),
        }
    else:
        assert all(len(place) == 1 for place in places)
        assert all(one != other for one, other in pairwise(places)) or len(cores) == 1


def test_without_a_quota_all_cores_that_are_seen_are_shared_out(tmp_path: Path) -> None:
    seen = sorted(os.sched_getaffinity(0))

    assert shares(1, tmp_path / "none") == (tuple(seen),)


def test_where_a_quota_grants_less_than_is_seen_the_system_places(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000")

    assert shares(1, quota) == ()


SHOWN = """
import os, sys, threading
from streamguard.adapters.cores import stay_on
ends = threading.Event()
def waits(): ends.wait()
before = threading.Thread(target=waits); before.start()
stay_on([int(sys.argv[1])])
after = threading.Thread(target=waits); after.start()
print([sorted(os.sched_getaffinity(t)) for t in (0, before.native_id, after.native_id)])
ends.set()
"""


def test_threads_that_run_and_threads_that_come_stay_there() -> None:
    core = max(os.sched_getaffinity(0))

    done = subprocess.run(
        [sys.executable, "-c", SHOWN, str(core)], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str([[core]] * 3)
