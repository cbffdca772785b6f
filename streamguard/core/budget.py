"""How many damaged packets a stream may have before starting anew is the better choice.

Rule: single errors are counted and passed over; only a burst ends a connection.
"""

from collections import deque

MAX_ERRORS = 50
"""Errors that end a connection when they come within WINDOW_S."""

WINDOW_S = 10.0


class ErrorBudget:
    """Counts errors in a sliding window; one thread."""

    def __init__(self, max_errors: int = MAX_ERRORS, window_s: float = WINDOW_S) -> None:
        self._max_errors = max_errors
        self._window_s = window_s
        self._at_s: deque[float] = deque()

    def spend(self, now_s: float) -> bool:
        """Count one error; return False when the budget is used up."""
        self._at_s.append(now_s)
        while self._at_s[0] < now_s - self._window_s:
            self._at_s.popleft()
        return len(self._at_s) < self._max_errors
