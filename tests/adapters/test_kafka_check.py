from dataclasses import replace

import pytest

from streamguard.adapters.kafka_check import Difference, Partition, TopicState, differences
from streamguard.adapters.kafka_topics import SAFE_REPLICAS, topic_spec
from streamguard.core.events import Topic

SPEC = topic_spec(Topic.FLAGS, 2, SAFE_REPLICAS)
WELL = Partition(has_leader=True, n_replicas=SAFE_REPLICAS, n_in_sync=SAFE_REPLICAS)
STATE = TopicState({0: WELL, 1: WELL}, SPEC.policy)


def test_a_topic_as_specified_has_no_difference() -> None:
    assert differences(SPEC, STATE) == []


def test_a_topic_that_is_missing_is_one_difference() -> None:
    assert differences(SPEC, None) == [Difference("topic", "missing", "there")]


@pytest.mark.parametrize("name", sorted(SPEC.policy))
def test_each_setting_that_is_another_or_unset_is_named(name: str) -> None:
    others = {key: value for key, value in SPEC.policy.items() if key != name}

    unset = differences(SPEC, replace(STATE, policy=others))
    other = differences(SPEC, replace(STATE, policy={**others, name: "7"}))

    assert unset == [Difference(name, "unset", SPEC.policy[name])]
    assert other == [Difference(name, "7", SPEC.policy[name])]


def test_settings_that_nobody_asked_for_are_no_difference() -> None:
    policy = {**SPEC.policy, "segment.ms": "1"}

    assert differences(SPEC, replace(STATE, policy=policy)) == []


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_and_more_partitions_are_named(count: int) -> None:
    state = replace(STATE, partitions=dict.fromkeys(range(count), WELL))

    assert differences(SPEC, state) == [Difference("partitions", f"{count}", "2")]


def test_copies_are_those_of_every_partition() -> None:
    alone = Partition(has_leader=True, n_replicas=1, n_in_sync=1)

    found = differences(SPEC, replace(STATE, partitions={0: WELL, 1: alone}))

    assert found == [Difference("replication_factor", "1, 3", "3")]


def test_partitions_without_a_leader_or_with_lagging_copies_are_named() -> None:
    behind = replace(WELL, n_in_sync=SAFE_REPLICAS - 1)
    dead = replace(WELL, has_leader=False, n_in_sync=0)

    found = differences(SPEC, replace(STATE, partitions={0: dead, 1: behind}))

    assert found == [
        Difference("partitions without a leader", "0", "none"),
        Difference("partitions with copies out of sync", "0, 1", "none"),
    ]


@pytest.mark.parametrize(("n_replicas", "needed"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_from_three_copies_on_a_write_needs_two(n_replicas: int, needed: str) -> None:
    assert topic_spec(Topic.FLAGS, 1, n_replicas).policy["min.insync.replicas"] == needed
