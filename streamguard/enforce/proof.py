"""Proves that a stream is gone, or back, by watching it as a viewer does.

Rule: silence counts from the last media, from the order, or from when our viewer began to look,
whichever was last; of a viewer that could not watch it proves nothing. nginx-rtmp gives a viewer
who comes late nothing before the next keyframe: a publisher that went on is seen in the server's
list, one that comes anew begins with a keyframe.
"""

import asyncio
from dataclasses import dataclass

from streamguard.core.ports import Clock
from streamguard.enforce.reader import Reader

WINDOW_S = 3.0
"""No media for so long is proof."""

PATIENCE_S = 3.0
"""What was under way may arrive for so long after an order; then it has failed (our choice: players
buffer less on loopback)."""

VIEWER_S = 20.0
"""A viewer that is not up by then proves nothing; it takes 0.1 s, and seconds on a busy machine."""

BACK_S = 12.0
"""How long media may take to come back: its publisher sends a keyframe within ten seconds."""

SETTLED_S = 0.5
"""After so long without media what was under way has arrived: more of it is of who came back."""

SIGHT_S = 0.3
"""An order waits so long for our viewer to see the stream (our choice: little of the two seconds
that it may take): where a server turns viewers away once a stream is gone, silence proves something
of a viewer alone that saw it."""

LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing came since an instant, Clock.monotonic().

    is_watched: our viewer could have seen it; if not, there is the server's list alone.
    """

    since_s: float
    is_watched: bool


async def see(reader: Reader, clock: Clock) -> None:
    """Wait a moment for media that goes on."""
    end_s = clock.monotonic() + SIGHT_S
    while reader.media_s is None and clock.monotonic() < end_s:  # noqa: ASYNC110  # until then alone
        await asyncio.sleep(LOOK_EVERY_S)


async def gone_since(reader: Reader, ordered_s: float, clock: Clock) -> Gone | None:
    """Wait for proof; give since when nothing came, or None where media goes on.

    ordered_s: when the server took the order, Clock.monotonic().
    """
    settled_s: float | None = None
    while True:
        now_s = clock.monotonic()
        media_s, ready_s = reader.media_s, reader.ready_s
        if media_s is not None and media_s - ordered_s > PATIENCE_S:
            return None
        if settled_s is not None and media_s is not None and media_s > settled_s:
            return None
        if ready_s is None and now_s - ordered_s > VIEWER_S:
            return Gone(max(ordered_s, media_s or ordered_s), is_watched=False)
        if ready_s is not None:
            since_s = max(ordered_s, media_s or ordered_s)
            if settled_s is None and now_s - max(since_s, ready_s) >= SETTLED_S:
                settled_s = now_s
            if now_s - max(since_s, ready_s) >= WINDOW_S:
                return Gone(since_s, is_watched=media_s is not None or not reader.is_refused)
        await asyncio.sleep(LOOK_EVERY_S)


async def back_since(reader: Reader, ordered_s: float, clock: Clock) -> float | None:
    """Wait for media; give when it came, Clock.monotonic(), or None where none does."""
    while clock.monotonic() - ordered_s < BACK_S:
        if reader.media_s is not None and reader.media_s >= ordered_s:
            return reader.media_s
        await asyncio.sleep(LOOK_EVERY_S)
    return None
