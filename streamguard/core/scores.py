"""Turns a model's scores of one stream into decisions.

Rule: one high score alone is noise; two of three samples in a row are a decision. Scores come in
the order of time within an epoch; a sample that was not scored counts neither way, so that a model
that cannot keep up still flags.
"""

from collections import deque
from dataclasses import dataclass

from streamguard.core.decision import Decision, Key, ModelFinding
from streamguard.core.model import ModelSpec, Scores
from streamguard.core.policy import CategoryRule, Policy
from streamguard.core.types import Severity

WINDOW = 3
"""Samples in a row that are looked at together."""

NEEDED = 2
"""...of which so many must reach the threshold."""


@dataclass(frozen=True, slots=True)
class _Category:
    name: str
    severity: Severity
    threshold: float
    exonerating: tuple[str, ...]
    recent: deque[bool]


class ScoreJudge:
    """Judges the scores that one model gives one stream."""

    def __init__(self, spec: ModelSpec, policy: Policy) -> None:
        """Judge by the policy's thresholds where it has one, else by the pack's."""
        self._spec = spec
        self._epoch = -1
        self._categories = []
        for name, threshold in spec.thresholds.items():
            rule = policy.categories.get(name, CategoryRule())
            wanted = threshold if rule.threshold is None else rule.threshold
            recent: deque[bool] = deque(maxlen=WINDOW)
            known = tuple(label for label in rule.exonerating if label in spec.labels)
            self._categories.append(_Category(name, rule.severity, wanted, known, recent))

    def judge(self, scores: Scores) -> list[Decision]:
        """Take the scores of the next sample; give the decisions that are positive on it."""
        if scores.epoch != self._epoch:
            self._epoch = scores.epoch
            for category in self._categories:
                category.recent.clear()
        decisions = []
        for category in self._categories:
            score = scores.by_category[category.name]
            category.recent.append(score >= category.threshold)
            votes = sum(category.recent)
            if category.recent[-1] and votes >= NEEDED:
                decisions.append(self._decision(category, scores, score, votes))
        return decisions

    def weaknesses(self, scores: Scores) -> dict[Key, float]:
        """Say how weak a sample is in each category, as Decision ranks findings."""
        name = self._spec.name
        return {(name, category): -score for category, score in scores.by_category.items()}

    def _score_of(self, label: str, scores: Scores) -> float:
        category = self._spec.categories.get(label)
        return scores.by_label[label] if category is None else scores.by_category[category]

    def _decision(self, category: _Category, scores: Scores, score: float, votes: int) -> Decision:
        return Decision(
            category=category.name,
            severity=category.severity,
            epoch=scores.epoch,
            pts_us=scores.pts_us,
            read_at_s=scores.read_at_s,
            finding=ModelFinding(
                model=self._spec.name,
                version=self._spec.version,
                category=category.name,
                score=score,
                threshold=category.threshold,
                against=tuple((one, self._score_of(one, scores)) for one in category.exonerating),
            ),
            votes=votes,
        )
