import pytest

from loadtest.console_reviewers import Plan, measured


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_decided_twice_while_cases_arrive_and_consoles_are_killed() -> None:
    plan = Plan(n_cases=60, n_reviewers=12, n_waiting=30, kill_every=25)

    figures = measured(plan)

    assert figures["pass"] is True, figures
    assert (figures["cases"], figures["lost"], figures["out_of_order"]) == (60, 0, 0)
    assert figures["consoles_killed"] >= 1
    assert figures["leases_ended"] >= 1
    assert figures["claims_checked"] >= 60 - 2 * plan.n_reviewers * figures["consoles_killed"]
