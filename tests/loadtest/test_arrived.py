from loadtest.arrived import judged

LOBBY, ROOF = ("flags", "lobby"), ("flags", "roof")


def test_all_that_arrived_in_order_is_good_whatever_came_twice() -> None:
    judgement = judged({LOBBY: ["a", "b"], ROOF: ["c"]}, {LOBBY: ["a", "a", "b", "a"], ROOF: ["c"]})

    assert judgement.is_good
    assert (judgement.committed, judgement.arrived, judgement.twice) == (3, 5, 2)


def test_what_did_not_arrive_is_lost() -> None:
    judgement = judged({LOBBY: ["a", "b"], ROOF: ["c"]}, {LOBBY: ["a"]})

    assert (judgement.lost, judgement.streams_out_of_order) == (2, 2)
    assert not judgement.is_good


def test_what_first_appears_in_another_order_is_out_of_order_and_nothing_lost() -> None:
    judgement = judged({LOBBY: ["a", "b"]}, {LOBBY: ["b", "a", "b"]})

    assert (judgement.lost, judgement.streams_out_of_order) == (0, 1)
    assert not judgement.is_good


def test_what_nobody_committed_is_not_good() -> None:
    judgement = judged({LOBBY: ["a"]}, {LOBBY: ["a"], ROOF: ["b"]})

    assert (judgement.unknown, judgement.lost, judgement.streams_out_of_order) == (1, 0, 0)
    assert not judgement.is_good
