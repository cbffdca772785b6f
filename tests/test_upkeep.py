import asyncio
import fcntl
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamguard.adapters import bank_generation
from streamguard.adapters.bank_check import verify_bank
from streamguard.adapters.bank_file import add_entry, configure_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank_values import BankSettings
from streamguard.live_banks import LiveBanks
from streamguard.upkeep import compacting
from streamguard.upkeep.compacting import keep_compact
from tests.made_banks import base_of, entry
from tests.processes import until

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0


@pytest.fixture
def due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a bank that is due after an edit that compacts nothing."""
    monkeypatch.setattr(compacting, "LOOK_EVERY_S", 0.01)
    add_entry(tmp_path / "bank", entry("a"))
    configure_bank(tmp_path / "bank", BankSettings("negative"))
    monkeypatch.setattr(bank_generation, "MAX_EDITS", 1)
    return tmp_path / "bank"


def keep_until(directories: Sequence[Path], event: str) -> list[str]:
    """Keep banks compact until something is logged; give all that was."""

    async def main() -> None:
        keeping = asyncio.create_task(keep_compact(directories, LiveBanks(directories)))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(until, lambda: event in [line["event"] for line in lines])
        keeping.cancel()

    with capture_logs() as lines:
        asyncio.run(main())
    return [line["event"] for line in lines]


def test_a_bank_that_is_due_is_put_in_order(due: Path) -> None:
    lines = keep_until([due], "bank_compacted")

    bank = open_bank(due)
    assert lines[0] == "bank_compacted"
    assert (bank.base.revision, bank.settings.role) == (2, "negative")


def test_a_bank_that_is_not_due_is_left_alone(due: Path, tmp_path: Path) -> None:
    """By the time the bank after it is done, it has been looked at."""
    calm = tmp_path / "calm"
    add_entry(calm, entry("a"))

    keep_until([calm, due], "bank_compacted")

    assert base_of(calm).name == "base-1.sgb"


def test_a_compaction_that_fails_is_told_and_the_next_bank_is_looked_at(
    due: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    add_entry(broken, entry("a"))
    configure_bank(broken, BankSettings("negative"))
    (broken / "compaction.lock").mkdir()

    lines = keep_until([broken, due], "bank_compacted")

    assert "bank_compaction_failed" in lines


def test_a_stop_ends_the_child_and_leaves_the_bank_whole(due: Path) -> None:
    """The lock is held, so that the child is still at it when the stop comes."""

    async def main() -> None:
        keeping = asyncio.create_task(keep_compact([due], LiveBanks([due])))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(until, (due / "compaction.lock").exists)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    with (due / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asyncio.run(main())

    assert base_of(due).name == "base-1.sgb"
    assert verify_bank(due).problems == ()
