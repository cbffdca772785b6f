"""How long what was taken back had held."""

from typing import Any

import pytest

from streamguard.core.event_data import utc_text
from streamguard.review.pages.case_page import held_s


def row(action: str, at_s: float) -> dict[str, Any]:
    return {"action": action, "decided_at": utc_text(at_s)}


@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        ([], None),
        ([row("none", 10)], None),
        ([row("hold", 10)], 90.0),
        ([row("hold", 10), row("cut", 40)], 90.0),  # it has been off since the hold
        ([row("hold", 10), row("restore", 20), row("cut", 40)], 60.0),
        ([row("cut", 40), row("none", 50)], 60.0),
    ],
)
def test_it_counts_from_when_the_stream_was_taken_off(
    before: list[dict[str, Any]], seconds: float | None
) -> None:
    assert held_s(before, row("restore", 100)) == seconds
    assert held_s(before, row("cut", 100)) is None
