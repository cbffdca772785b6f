from pathlib import Path

import pytest

from streamguard.adapters.heap import heap_trimmer


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_between_what_is_kept_goes_back_to_the_machine() -> None:
    blocks = [bytes(20_000) for _ in range(10_000)]
    kept = blocks[::64]
    before_mb = resident_mb()
    del blocks

    heap_trimmer()()

    assert before_mb - resident_mb() > 100
    assert len(kept) == 157
