"""Tells a stream's task to end, and why.

Rule: set once; the first reason counts.
"""

import asyncio
from typing import Literal

StopReason = Literal["interrupted", "ended", "moved"]
"""`interrupted`: this process ends; `ended`: the publish is over, or nobody wants it screened any
more; `moved`: another process goes on with the session."""


class Stop(asyncio.Event):
    """An event with a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: StopReason = "interrupted"

    def because(self, reason: StopReason) -> None:
        """Set it, with a reason."""
        if not self.is_set():
            self.reason = reason
        self.set()

    @property
    def is_cut(self) -> bool:
        """Say whether it stops something that would have gone on."""
        return self.is_set() and self.reason != "ended"
