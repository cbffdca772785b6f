import pytest

from streamguard.core.budget import ErrorBudget


def test_the_last_error_of_a_burst_uses_the_budget_up() -> None:
    budget = ErrorBudget()

    answers = [budget.spend(0.0) for _ in range(50)]

    assert answers == [*[True] * 49, False]


@pytest.mark.parametrize(("since_s", "may_go_on"), [(10.0, False), (10.001, True)])
def test_errors_count_for_the_length_of_the_window(since_s: float, *, may_go_on: bool) -> None:
    budget = ErrorBudget(max_errors=2)
    budget.spend(5.0)

    assert budget.spend(5.0 + since_s) is may_go_on


def test_only_errors_outside_the_window_are_forgotten() -> None:
    budget = ErrorBudget(max_errors=3, window_s=1.0)

    assert [budget.spend(at_s) for at_s in (0.0, 0.9, 1.1, 1.2)] == [True, True, True, False]


def test_a_budget_that_was_used_up_recovers_with_time() -> None:
    budget = ErrorBudget(max_errors=2, window_s=1.0)
    budget.spend(0.0)
    assert not budget.spend(0.0)

    assert budget.spend(1.5)


def test_steady_single_errors_never_use_it_up() -> None:
    budget = ErrorBudget()

    assert all(budget.spend(n * 0.25) for n in range(1000))
