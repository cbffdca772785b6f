"""What was seen is counted in weighted seconds."""

import pytest

from streamguard.core.decision_data import Exposure
from streamguard.core.strain import strain_s
from streamguard.core.types import Severity


@pytest.mark.parametrize(
    ("seen", "severity", "seconds"),
    [
        (Exposure(), Severity.P0, 0.0),
        (Exposure(stills_viewed=3), Severity.P3, 6.0),
        (Exposure(clip_ms=6_000), Severity.P2, 6.0),
        (Exposure(clip_ms=6_000, audio_ms=6_000), Severity.P2, 12.0),
        (Exposure(clip_ms=6_000), Severity.P1, 9.0),
        (Exposure(stills_viewed=1, clip_ms=500), Severity.P0, 5.0),
        (Exposure(clip_ms=1_000, unblurred_ms=1_000), Severity.P2, 1.0),
    ],
)
def test_what_is_worse_and_what_is_heard_count_more(
    seen: Exposure, severity: Severity, seconds: float
) -> None:
    assert strain_s(seen, severity) == pytest.approx(seconds)
