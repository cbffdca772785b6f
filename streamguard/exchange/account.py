"""What a list did to the records: how much was added, changed, removed, set aside, passed over.

Rule: everything that came is counted somewhere; examples are shown up to a bound.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

MAX_SHOWN = 1_000
"""Records named in a report; beyond that only counted."""

Step = Literal["added", "changed", "removed", "quarantined", "unchanged", "outdated", "expired"]
"""What became of a record. `outdated`: it is older than what is known already, and was left."""

STEPS: tuple[Step, ...] = get_args(Step)

SHOWN: tuple[Step, ...] = ("added", "changed", "removed", "quarantined")
"""What a diff names."""


@dataclass(slots=True)
class Account:
    """The account of one import or sync; it grows as records come.

    steps:       how many records took which way.
    passed_over: by kind, what no bank can hold: hashes of other kinds, answers without an id.
    faults:      by reason, what was quarantined.
    shown:       (step, record, reason), at most 1,000 of them.
    shrinks:     by source, what it takes away, where that is so much that it has to be allowed.
    n_waiting:   records that came, and count when the rest of their list has come.
    """

    steps: Counter[Step] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    shown: list[tuple[Step, str, str]] = field(default_factory=list)
    shrinks: dict[str, str] = field(default_factory=dict)
    n_waiting: int = 0

    def tell(self, step: Step, record: str, reason: str = "") -> None:
        """Count what became of a record."""
        self.steps[step] += 1
        if reason:
            self.faults[reason] += 1
        if step in SHOWN and len(self.shown) < MAX_SHOWN:
            self.shown.append((step, record, reason))

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {
            **{step: self.steps[step] for step in STEPS},
            "passed_over": dict(sorted(self.passed_over.items())),
            "shrinks": self.shrinks,
            "waiting": self.n_waiting,
            "faults": dict(sorted(self.faults.items())),
            "diff": [
                {"step": step, "record": record, **({"reason": reason} if reason else {})}
                for step, record, reason in self.shown
            ],
            "diff_is_cut": sum(self.steps[step] for step in SHOWN) > len(self.shown),
        }

    def to_table(self) -> dict[str, str]:
        """Give what a person reads: a line a kind, with the reasons."""
        told = [step for step in STEPS if step in SHOWN or self.steps[step]]
        table: dict[str, str] = {step: str(self.steps[step]) for step in told}
        if self.faults:
            table["quarantined"] += f" ({_list(self.faults)})"
        if self.passed_over:
            table["passed over"] = f"{self.passed_over.total()} ({_list(self.passed_over)})"
        if self.n_waiting:
            table["waiting"] = f"{self.n_waiting} for the rest of their list: sync again"
        return table


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
