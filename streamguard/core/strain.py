"""What looking costs whoever looks, as far as it is counted.

Rule: pure; all that was shown counts, blurred or grey as well: neither was found to protect
(Lewitzka et al. 2026). Less is seen only where less is shown.
"""

from collections.abc import Mapping

from streamguard.core.decision_data import Exposure
from streamguard.core.types import Severity

STILL_S = 2.0
"""A picture counts as so many seconds of video (our choice: about as long as it is looked at)."""

WEIGHTS: Mapping[Severity, float] = {
    Severity.P0: 2.0,
    Severity.P1: 1.5,
    Severity.P2: 1.0,
    Severity.P3: 1.0,
}
"""How heavily a second counts (our choice: what is worst twice)."""


def strain_s(exposure: Exposure, severity: Severity) -> float:
    """Give what was seen in weighted seconds; what was heard as well counts twice."""
    seconds = exposure.stills_viewed * STILL_S + (exposure.clip_ms + exposure.audio_ms) / 1000
    return seconds * WEIGHTS[severity]
