"""Counts what became of evidence that was to go into banks.

Rule: into a registry of its own, which the console shows beside the others.
"""

from prometheus_client import CollectorRegistry, Counter


class BankingMeter:
    """Counts tries; one console of several makes them, and counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._bankings = Counter(
            "streamguard_review_bankings",
            "Tries to put evidence of a case into a bank (bank.added) or to take it out"
            " (bank.removed), by what came of them.",
            ["act", "outcome"],
            registry=self.registry,
        )
        for act in ("bank.added", "bank.removed"):
            for outcome in ("done", "failed"):
                self._bankings.labels(act, outcome)

    def tried(self, act: str, is_done: bool) -> None:  # noqa: FBT001  # whoever tries calls us
        """Count a try."""
        self._bankings.labels(act, "done" if is_done else "failed").inc()
