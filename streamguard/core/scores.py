"""Turns a model's scores of one stream into decisions.

Rule: one high score alone is noise; two of three samples in a row are a decision. Time is the
stream's own; scores come in the order of time within an epoch.
"""

from collections import deque
from dataclasses import dataclass

from streamguard.core.decision import Decision, ModelFinding
from streamguard.core.model import ModelSpec, Scores
from streamguard.core.policy import CategoryRule, Policy

WINDOW = 3
"""Samples in a row that are looked at together."""

NEEDED = 2
"""...of which so many must reach the threshold."""


@dataclass(frozen=True, slots=True)
class _Category:
    name: str
    rule: CategoryRule
    recent: deque[bool]


class ScoreJudge:
    """Judges the scores that one model gives one stream."""

    def __init__(self, spec: ModelSpec, policy: Policy) -> None:
        """Take the thresholds from the policy, where it names a category, else from the pack."""
        self._spec = spec
        self._epoch = -1
        self._categories = [
            _Category(
                name,
                policy.categories.get(name, CategoryRule(threshold=spec.thresholds[name])),
                deque(maxlen=WINDOW),
            )
            for name in spec.thresholds
        ]

    def judge(self, scores: Scores) -> list[Decision]:
        """Take the scores of the next sample; give the decisions that are positive on it."""
        if scores.epoch != self._epoch:
            self._epoch = scores.epoch
            for category in self._categories:
                category.recent.clear()
        decisions = []
        for category in self._categories:
            score = scores.by_category[category.name]
            category.recent.append(score >= category.rule.threshold)
            votes = sum(category.recent)
            if category.recent[-1] and votes >= NEEDED:
                decisions.append(self._decision(category, scores, score, votes))
        return decisions

    def _decision(self, category: _Category, scores: Scores, score: float, votes: int) -> Decision:
        return Decision(
            category=category.name,
            severity=category.rule.severity,
            epoch=scores.epoch,
            pts_us=scores.pts_us,
            read_at_s=scores.read_at_s,
            finding=ModelFinding(
                model=self._spec.name,
                version=self._spec.version,
                category=category.name,
                score=score,
                threshold=category.rule.threshold,
            ),
            votes=votes,
        )
