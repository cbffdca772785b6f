"""What is done about a worker that is gone: its process is collected, and who ended it is found.

Rule: whatever a worker does, it leaves no zombie and no memory behind; the loop waits for none.
"""

import asyncio

import structlog

from streamguard.core.crew import Trouble
from streamguard.core.hands import LastWords
from streamguard.core.suspicion import Suspicion, in_hand
from streamguard.runtime.member import Member, Process

SOON_S = 0.5
"""How long the streams of a worker whose link is over wait for its end: the kernel closes the link
of a process that was killed 1 ms before it tells the end (measured); one that takes longer leaves
by itself."""

EXIT_S = 2.0
"""How long a worker whose link is over has to end by itself, seconds: it takes 0.1 s to leave the
interpreter (measured); one that is killed earlier would be a crash in the log."""

KILLED_S = 10.0
"""How long the kernel may take to end a process that was killed: freeing 2 GiB takes 0.2 s; one
that is blocked in a disk's driver takes until the disk answers."""

log = structlog.get_logger()


async def ended_soon(process: Process) -> int | None:
    """Give how a process ended whose link is over; None where it takes its time."""
    return await asyncio.to_thread(process.wait, SOON_S)


async def collected(process: Process, code: int | None) -> int | None:
    """Wait for the end of a process, and leave nothing of it; `code` is from `ended_soon`."""
    if code is None:
        code = await asyncio.to_thread(process.wait, EXIT_S)
    if code is None:
        process.kill()
        code = await asyncio.to_thread(process.wait, KILLED_S)
    process.close()
    return code


def blame(member: Member, words: LastWords, suspicion: Suspicion, now_s: float) -> Trouble | None:
    """Find out whose stream ended a worker; hold back what did so before.

    Returns:
        The trouble for which a stream is held back; None where none is.
    """
    trouble = member.trouble or "died"
    what = {"worker": member.number, "trouble": trouble, "crash": words.crash}
    suspects = in_hand(words, trouble, member.streams, now_s)
    for stream_id in suspects:
        log.warning("stream_suspected", stream_id=stream_id, **what)
    hold = suspicion.died(suspects, now_s)
    if hold is None:
        return None
    seconds = round(hold.until_s - now_s, 3)
    log.error("stream_quarantined", stream_id=hold.stream_id, seconds=seconds, **what)
    return trouble
