import subprocess
import sys
import time

import pytest

from streamguard.adapters.system_clock import SystemClock


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()

    readings = [clock.monotonic() for _ in range(1_000)]

    assert readings == sorted(readings)


def test_wall_time_is_seconds_since_1970() -> None:
    assert SystemClock().wall() == pytest.approx(time.time(), abs=5)


@pytest.mark.integration
def test_processes_of_one_host_share_their_monotonic_time() -> None:
    program = (
        "from streamguard.adapters.system_clock import SystemClock\n"
        "print(SystemClock().monotonic())"
    )
    clock = SystemClock()

    before_s = clock.monotonic()
    told_s = float(subprocess.check_output([sys.executable, "-c", program], text=True))
    after_s = clock.monotonic()

    assert before_s < told_s < after_s
