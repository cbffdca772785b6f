"""The Meter of a process whose figures nobody can ask for.

Rule: it keeps nothing. `screen` tells what matters in its events and ends; to count, to time and to
import what serves metrics would cost it as much as judging.
"""

from collections.abc import Callable, Mapping

from streamguard.core.evasion import Evasion
from streamguard.core.ports import DropReason, Stage
from streamguard.core.sampling import Level
from streamguard.core.schedule import Shed
from streamguard.core.types import Detector, GapReason, Severity


class SilentMeter:
    """Takes everything and tells nothing."""

    def stage(self, stage: Stage, seconds: float) -> None:
        """Let it go."""

    def sampled(self, *, is_judged: bool) -> None:
        """Let it go."""

    def vetoed(self, count: int) -> None:
        """Let it go."""

    def shadow_matched(self) -> None:
        """Let it go."""

    def scored(self, *, is_scored: bool) -> None:
        """Let it go."""

    def came_up(self, seconds: float) -> None:
        """Let it go."""

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Let it go."""

    def gap(self, detector: Detector, reason: GapReason, seconds: float) -> None:
        """Let it go."""

    def screened(self, seconds: float) -> None:
        """Let it go."""

    def flagged(self, severity: Severity, ingest_to_flag_s: float) -> None:
        """Let it go."""

    def evidence(self, *, is_stored: bool) -> None:
        """Let it go."""

    def connected(self, change: int) -> None:
        """Let it go."""

    def evaded(self, kind: Evasion) -> None:
        """Let it go."""

    def scheduled(self, n_streams: Mapping[Level, int], shed: Shed) -> None:
        """Let it go."""

    def reconnected(self, reason: str) -> None:
        """Let it go."""

    def describe_model(self, name: str, version: str, provider: str) -> None:
        """Let it go."""

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Let it go."""
