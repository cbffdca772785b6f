"""Puts the banks of a running service in order, where whoever edited them did not.

Rule: a child process does it: a large bank takes a core for seconds and as much memory again as it
holds, neither of which screening should feel.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from streamguard.adapters.bank_generation import is_compaction_due
from streamguard.core.banks import Banks

LOOK_EVERY_S = 60.0
"""Seconds between two looks whether a bank is due: edits come in hours, not in seconds."""

log = structlog.get_logger()


async def keep_compact(directories: Sequence[Path], banks: Callable[[], Banks]) -> None:
    """Compact the banks that are due, and that this process may write, for ever."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        for directory, bank in zip(directories, banks().banks, strict=True):
            if is_compaction_due(bank) and os.access(directory, os.W_OK):
                await _compact(directory, bank.name)


async def _compact(directory: Path, name: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamguard", "bank", "compact", str(directory)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await child.communicate()
    finally:
        if child.returncode is None:  # the service stops: what is half done is left behind
            child.kill()
            await child.wait()
    if child.returncode:
        log.warning("bank_compaction_failed", bank=name, problem=said.decode(errors="replace"))
    else:
        log.info("bank_compacted", bank=name)
