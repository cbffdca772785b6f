"""What everybody has to know while it lasts."""

import pytest
from pydantic import ValidationError

from streamguard.core.errors import DecisionRefused
from streamguard.review.incidents import MAX_ACTIVE, MAX_HOURS, Declared, Incidents
from tests.review.bench import SENIOR, Bench

DECLARED = Declared(name="Attack in X", differs="hold what shows it", hours=2)


@pytest.fixture
def incidents(bench: Bench) -> Incidents:
    return Incidents(bench.desk)


def test_an_incident_ends_by_itself(bench: Bench, incidents: Incidents) -> None:
    made = incidents.declare(SENIOR, DECLARED)

    bench.clock.advance(7_199)
    assert incidents.active() == [made]
    bench.clock.advance(1)

    assert incidents.active() == []


def test_somebody_ends_it_and_both_are_on_record(bench: Bench, incidents: Incidents) -> None:
    made = incidents.declare(SENIOR, DECLARED)

    incidents.end(SENIOR, made.incident_id)

    assert incidents.active() == []
    assert [action for _, action, _ in bench.deeds()] == ["incident.declared", "incident.ended"]
    with pytest.raises(DecisionRefused):
        incidents.end(SENIOR, made.incident_id)


def test_there_are_no_more_than_anybody_reads(incidents: Incidents) -> None:
    for _ in range(MAX_ACTIVE):
        incidents.declare(SENIOR, DECLARED)

    with pytest.raises(DecisionRefused):
        incidents.declare(SENIOR, DECLARED)


@pytest.mark.parametrize("hours", [0, MAX_HOURS + 1])
def test_it_lasts_two_days_at_most(hours: int) -> None:
    with pytest.raises(ValidationError):
        Declared(name="x", differs="y", hours=hours)
