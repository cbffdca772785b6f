"""Of what comes by Kafka only decisions of those who are trusted come in."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from loadtest.made_events import opened
from streamguard.adapters.kafka_reader import Heard
from streamguard.adapters.signed_events import Trusted
from streamguard.core.events import Topic
from streamguard.core.record import Record, message_of, row_of
from streamguard.parts.decision_door import Door
from tests.made_keys import KeyFiles, come, decided, made_key, record, sent


@pytest.fixture
def console(tmp_path: Path) -> KeyFiles:
    return made_key(tmp_path, "console")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def door(console: KeyFiles, registry: CollectorRegistry) -> Door:
    return Door(Trusted([console.public]), registry)


def counted(registry: CollectorRegistry) -> dict[str, float]:
    """Give how many were refused, by reason."""
    return {
        sample.labels["reason"]: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "streamguard_decisions_refused_total"
    }


def heard(*records: Record) -> list[Heard]:
    return [Heard(one, is_old=False) for one in records]


def test_what_is_signed_comes_in_between_what_is_not(
    door: Door, console: KeyFiles, tmp_path: Path, registry: CollectorRegistry
) -> None:
    good = [sent(console.signer.row(decided(decision_id=name))) for name in ("d-1", "d-2")]
    forged = sent(row_of(decided()))
    by_other = sent(made_key(tmp_path, "other").signer.row(decided()))

    taken = door.let_in(heard(forged, good[0], by_other, good[1], forged))

    assert [one.record for one in taken] == good
    assert counted(registry) == {"unsigned": 2, "unknown_key": 1, "wrong": 0}


def test_before_anything_came_each_reason_counts_nothing(
    door: Door, registry: CollectorRegistry
) -> None:
    """Else Prometheus would not see the first one."""
    assert door.let_in([]) == []
    assert counted(registry) == {"unsigned": 0, "unknown_key": 0, "wrong": 0}


def test_what_decides_nothing_comes_in_without_a_signature(
    door: Door, registry: CollectorRegistry
) -> None:
    flag = sent(row_of(opened(1)))

    assert door.let_in(heard(flag)) == heard(flag)
    assert set(counted(registry).values()) == {0}


def test_a_decision_among_flags_is_refused_like_any_other(
    door: Door, registry: CollectorRegistry
) -> None:
    smuggled = come(message_of(record(row_of(decided()))), Topic.FLAGS)

    assert door.let_in(heard(smuggled)) == []
    assert counted(registry)["unsigned"] == 1


def test_of_what_is_refused_the_log_says_where_it_is_and_nothing_that_it_says(
    door: Door, console: KeyFiles
) -> None:
    signed = sent(console.signer.row(decided(note="a word of somebody")))
    altered = come(message_of(signed))
    said = json.loads(altered.body)
    said["data"]["note"] = "another word"
    altered = Record(7, Topic.DECISIONS, "lobby", "an-id", said["type"], 0.0, json.dumps(said))

    with capture_logs() as logs:
        door.let_in(heard(altered, sent(row_of(decided()))))

    assert logs == [
        {
            "event": "decisions_refused",
            "log_level": "error",
            "reasons": {"wrong": 1, "unsigned": 1},
            "topic": Topic.DECISIONS,
            "first_offset": 7,
        }
    ]


def test_where_nothing_is_refused_nothing_is_said(door: Door, console: KeyFiles) -> None:
    with capture_logs() as logs:
        door.let_in(heard(sent(console.signer.row(decided()))))

    assert logs == []
