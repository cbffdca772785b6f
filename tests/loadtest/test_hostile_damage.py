from loadtest.hostile_clips import KINDS, whole_case
from loadtest.hostile_damage import MAX_BYTES, hostile_case

N_CASES = 100


def test_a_seed_and_a_number_give_the_same_case_always() -> None:
    first = [hostile_case(7, number) for number in range(N_CASES)]
    again = [hostile_case(7, number) for number in range(N_CASES)]
    other = [hostile_case(8, number) for number in range(N_CASES)]

    assert first == again
    assert first != other


def test_the_kinds_come_in_turn_and_are_damaged() -> None:
    cases = [hostile_case(7, number) for number in range(N_CASES)]
    wholes = [whole_case(kind, variant) for kind in KINDS for variant in range(12)]

    assert [case.kind for case in cases[: len(KINDS)]] == list(KINDS)
    n_damaged = sum(case not in wholes for case in cases)
    assert n_damaged > 0.9 * N_CASES  # a parameter set may be overwritten with itself


def test_a_case_stays_small() -> None:
    sizes = [
        len(page) for number in range(N_CASES) for page in hostile_case(7, number).pages.values()
    ]

    assert max(sizes) <= MAX_BYTES
