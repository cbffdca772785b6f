"""The importing process is killed with SIGKILL between the commit of records and the bank's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_live import open_bank
from tests.exchange.made_records import gone, pdq, record
from tests.exchange.services import PASSWORD, USERNAME, hash_list
from tests.processes import ROOT, environment, streamguard

pytestmark = pytest.mark.integration

T = 1_740_000_000

DYING_IMPORT = """
import os, signal, sys
from streamguard.verbs import exchange_verbs
from streamguard.__main__ import main
from streamguard.parts.exchange_bank import BankDirectory

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


DYING_SYNC = """
import os, signal, sys
from streamguard.verbs import exchange_sync
from streamguard.__main__ import main
from streamguard.exchange import edit, sync
from streamguard.parts.exchange_bank import BankDirectory

n_left = int(sys.argv[2])

def die_at(owner, name, *, after):
    real = getattr(owner, name)
    def dying(*args, **kwargs):
        global n_left
        n_left -= 1
        if n_left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if n_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, dying)

if sys.argv[1] == "in a page":
    die_at(sync.staging, "put", after=True)
elif sys.argv[1] == "after a page":
    die_at(sync, "_stage", after=True)
elif sys.argv[1] == "while it is taken":
    die_at(edit, "settle", after=True)
elif sys.argv[1] == "when it is taken":
    die_at(sync, "_take", after=True)
else:
    die_at(BankDirectory, "edit", after=sys.argv[1] == "after the bank")
main(sys.argv[3:])
"""
"""The real command line, with its end before, in and after the commits of a sync."""


@pytest.mark.parametrize(
    ("when", "nth"),
    [
        ("in a page", 1),
        ("in a page", 3),
        ("after a page", 1),
        ("after a page", 3),
        ("while it is taken", 1),
        ("while it is taken", 3),
        ("when it is taken", 1),
        ("before the bank", 1),
        ("after the bank", 1),
    ],
)
def test_a_sync_that_is_killed_is_finished_by_the_next(when: str, nth: int, tmp_path: Path) -> None:
    config, bank = tmp_path / "streamguard.toml", tmp_path / "bank"
    given = environment(STREAMGUARD_EXCHANGE__TAT__PASSWORD=PASSWORD)
    with hash_list() as service:
        config.write_text(
            f'[exchange.tat]\nkind = "techagainstterrorism"\nbank = "{bank}"\n'
            f'policy = "TVEC-X"\nurl = "{service.url}"\nusername = "{USERNAME}"\n'
        )
        arguments = ("bank", "sync", bank, "--exchange", "tat", "--config", config)
        service.put(9, T, pdq(9))
        assert streamguard(*arguments, env=given).code == 0
        for number in range(1, 6):
            service.put(number, T + number, pdq(number))
        service.delete(9, T + 9)

        dying = subprocess.run(
            [sys.executable, "-c", DYING_SYNC, when, str(nth), *map(str, arguments)],
            env=given,
            cwd=ROOT,
            capture_output=True,
            timeout=30,
            check=False,
        )
        done = streamguard(*arguments, env=given)

    assert dying.returncode == -signal.SIGKILL
    assert done.code == 0
    assert names(bank) == [f"tat:{number}" for number in range(1, 6)]


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
    assert "is being written by another process" in second.problem
    assert names(bank) == ["list:1"]
