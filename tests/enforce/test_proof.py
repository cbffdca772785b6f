import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from streamguard.enforce.proof import SIGHT_S, VIEWER_S, WINDOW_S, Gone, gone_since, see
from streamguard.enforce.reader import Reader
from tests.enforce.stage import TickingClock

BEGIN_S = TickingClock().now_s


@dataclass
class Seen:
    """What a viewer sees, all the time."""

    ready_s: float | None = BEGIN_S
    media_s: float | None = None
    is_refused: bool = False


def proof(seen: Seen, clock: TickingClock) -> Gone | None:
    return asyncio.run(gone_since(cast("Reader", seen), BEGIN_S, clock))


@pytest.mark.parametrize(
    ("media_s", "is_refused", "is_watched"),
    [
        (None, False, True),  # the server had us wait for a stream that did not come
        (None, True, False),
        (BEGIN_S - 1.0, False, True),
        (BEGIN_S - 1.0, True, True),  # it turned us away once the stream was gone
    ],
)
def test_silence_proves_something_where_our_viewer_could_have_seen_media(
    media_s: float | None, *, is_refused: bool, is_watched: bool
) -> None:
    clock = TickingClock()

    gone = proof(Seen(media_s=media_s, is_refused=is_refused), clock)

    assert gone == Gone(BEGIN_S, is_watched)
    assert WINDOW_S <= clock.now_s - BEGIN_S < WINDOW_S + 1.0


def test_the_silence_of_a_viewer_that_never_looked_proves_nothing() -> None:
    clock = TickingClock()

    assert proof(Seen(ready_s=None), clock) == Gone(BEGIN_S, is_watched=False)
    assert clock.now_s - BEGIN_S > VIEWER_S


def test_an_order_waits_a_moment_for_media_and_no_longer() -> None:
    seen, clock = Seen(media_s=BEGIN_S), TickingClock()
    asyncio.run(see(cast("Reader", seen), clock))
    assert clock.now_s - BEGIN_S < SIGHT_S

    asyncio.run(see(cast("Reader", Seen()), clock))

    assert SIGHT_S <= clock.now_s - BEGIN_S < 3 * SIGHT_S
