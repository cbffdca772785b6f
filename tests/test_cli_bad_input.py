"""What people and disks get wrong: an exit code, one line that helps, and nothing lost."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import (
    DEADLINE_S,
    Finished,
    Running,
    build_bank,
    command,
    environment,
    on_time,
    short_type,
    streamguard,
    transport_stream,
)
from servers import serving

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def known_bank(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    return build_bank(tmp_path_factory.mktemp("known") / "bank", real_clips["bikes"])


def into(path: Path, *arguments: str | Path) -> Finished:
    """Run one command with its standard output in a file."""
    with path.open("w") as out:
        done = subprocess.run(
            command(*arguments),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    return Finished(done.returncode, "", done.stderr)


def test_screening_onto_a_full_disk_says_how_much_was_lost(
    known_bank: Path, real_clips: dict[str, Path], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[worker]\nstop_timeout_s = 0.5\n")

    done = into(
        Path("/dev/full"),
        *("screen", real_clips["bikes"], "--bank", known_bank, "--config", config),
    )

    logged, problem = done.err.splitlines()
    assert done.code == 3
    assert '"event": "log_unavailable"' in logged
    assert problem == (
        "streamguard: 5 events could not be committed before the stop: free the disk, then screen "
        "these streams again"
    )


def test_a_result_that_does_not_fit_on_the_disk_is_said(real_clips: dict[str, Path]) -> None:
    done = into(Path("/dev/full"), "hash", "--every-frame", real_clips["bikes"])

    assert done.code == 3
    assert done.problem == "streamguard: the disk is full: free some space, then try again"
