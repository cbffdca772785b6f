"""Evidence is hashed by a process that has nothing to lose."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from streamguard.core.errors import BankError
from streamguard.parts.evidence_hash import entry_of
from tests.media import image
from tests.processes import DEADLINE_S, environment

PLAN = EntryPlan("e", "TVEC-TEST")


def test_an_entry_is_that_of_the_same_file(real_clips: dict[str, Path]) -> None:
    clip = real_clips["carphone_pristine"]
    plain = make_entry(str(clip), PLAN, SystemClock(), lambda *_: None)

    made = entry_of(clip.read_bytes(), PLAN)

    assert (made.name, made.policy, made.kind) == ("e", "TVEC-TEST", "video")
    assert made.duration_us == plain.duration_us
    assert np.array_equal(made.hashes, plain.hashes)
    assert np.array_equal(made.offsets_us, plain.offsets_us)
    assert np.array_equal(made.variants, plain.variants)


def test_a_still_becomes_an_entry_as_well() -> None:
    assert entry_of(image("mjpeg"), PLAN).kind == "image"


@pytest.mark.parametrize("content", [b"", b"no video", os.urandom(10_000)])
def test_what_is_no_video_is_refused_in_words_of_ours(content: bytes) -> None:
    with pytest.raises(BankError, match="cannot be read"):
        entry_of(content, PLAN)


def test_what_takes_too_long_is_ended(real_clips: dict[str, Path]) -> None:
    with pytest.raises(BankError, match="was ended"):
        entry_of(real_clips["bikes"].read_bytes(), PLAN, patience_s=0.01)


def test_the_process_may_neither_gain_anything_nor_take_all() -> None:
    """It is asked in its own words: what it looks like once it reads from its input."""
    script = (
        "import resource, streamguard.hash_child as child\n"
        "def told(*_):\n"
        "    status = open('/proc/self/status').read()\n"
        "    print('NoNewPrivs:\\t1' in status,\n"
        "          resource.getrlimit(resource.RLIMIT_AS)[1] == child.MAX_MEMORY_BYTES,\n"
        "          resource.getrlimit(resource.RLIMIT_CPU)[1] == child.MAX_CPU_S,\n"
        "          resource.getrlimit(resource.RLIMIT_FSIZE)[1] == child.MAX_RESULT_BYTES,\n"
        "          resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, flush=True)\n"
        "    raise child.StreamguardError\n"
        "child.make_entry = told\n"
        "child.main()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=DEADLINE_S,
        check=False,
    )

    assert done.stdout.split() == ["True"] * 5, done.stderr
