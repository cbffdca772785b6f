"""The importing process is killed with SIGKILL between the commit of records and the bank's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_live import open_bank
from tests.exchange.made_records import gone, record
from tests.processes import ROOT, environment, streamguard

pytestmark = pytest.mark.integration

DYING_IMPORT = """
import os, signal, sys
from streamguard import exchange_verbs
from streamguard.__main__ import main
from streamguard.exchange_bank import BankDirectory

class DyingBank(BankDirectory):
    def edit(self, add, remove):
        if sys.argv[1] == "after":
            super().edit(add, remove)
        os.kill(os.getpid(), signal.SIGKILL)

exchange_verbs.BankDirectory = DyingBank
main(sys.argv[2:])
"""
"""The real command line over a bank whose edit is its last act."""


def imports(bank: Path, file: Path, *more: str) -> tuple[str | Path, ...]:
    return ("bank", "import", bank, file, "--format", "jsonl", *more)


def names(bank: Path) -> list[str]:
    assert verify_bank(bank).problems == ()
    return sorted(open_bank(bank).names())


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_import_that_is_killed_is_finished_by_the_next(when: str, tmp_path: Path) -> None:
    bank, first, second, third = (tmp_path / name for name in ("bank", "1", "2", "3"))
    first.write_text("\n".join(record(str(n), n).to_json() for n in (1, 2)))
    second.write_text("\n".join([gone("1").to_json(), record("3", 3).to_json()]))
    third.write_text("")
    assert streamguard(*imports(bank, first)).code == 0

    dying = subprocess.run(
        [sys.executable, "-c", DYING_IMPORT, when, *map(str, imports(bank, second))],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    at_death = names(bank)
    done = streamguard(*imports(bank, third, "--json"))

    assert dying.returncode == -signal.SIGKILL
    assert at_death == (["list:1", "list:2"] if when == "before" else ["list:2", "list:3"])
    assert (done.code, done.rows[0]["entries_changed"]) == (0, 2)
    assert names(bank) == ["list:2", "list:3"]


def test_a_second_import_at_the_same_time_is_turned_away(tmp_path: Path) -> None:
    """The first one waits on a pipe for the rest of its list."""
    bank, pipe, other = tmp_path / "bank", tmp_path / "pipe", tmp_path / "other"
    os.mkfifo(pipe)
    other.write_text(record("2", 2).to_json())
    command = [sys.executable, "-m", "streamguard", *map(str, imports(bank, pipe))]
    with subprocess.Popen(command, env=environment(), cwd=ROOT) as first:
        with pipe.open("w") as rest:  # opens once the other end is being read
            rest.write(record("1", 1).to_json())
            second = streamguard(*imports(bank, other))
        first.wait(30)

    assert (first.returncode, second.code) == (0, 2)
    assert "another process is taking records into" in second.problem
    assert names(bank) == ["list:1"]
