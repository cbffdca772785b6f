"""A clock whose hands the test turns."""

EPOCH_S = 1_767_323_045.0
"""Wall time when `monotonic` is 0: 2026-01-02T03:04:05Z."""


class FakeClock:
    """Stands still but for `advance`; any thread may read it."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return EPOCH_S + self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
