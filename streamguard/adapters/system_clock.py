"""The clock of this host.

Rule: durations come from `monotonic`, which is shared by all processes of a host; `wall` is for the
wire only.
"""

import time


class SystemClock:
    """Real time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()
