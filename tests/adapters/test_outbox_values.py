from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from streamguard.adapters.outbox_values import OutboxValues
from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import LogUnavailable
from tests.processes import until


def shown(registry: CollectorRegistry, topic: str) -> list[float | None]:
    return [
        registry.get_sample_value("streamguard_outbox_records", {"topic": topic, "state": state})
        for state in ("committed", "acknowledged", "waiting", "dead")
    ]


def values_of(registry: CollectorRegistry, tallies: Mapping[str, Tally]) -> OutboxValues:
    """Show some topics; one that is not there cannot be read."""

    def tally(topic: str) -> Tally:
        if topic not in tallies:
            raise LogUnavailable("the disk is gone")
        return tallies[topic]

    return OutboxValues(registry, ["flags", "coverage"], tally)


def test_each_topic_shows_what_became_of_its_records() -> None:
    registry = CollectorRegistry()
    tallies = {"flags": Tally(9, 6, 2, 1), "coverage": Tally(1, 0, 1, 0)}

    values_of(registry, tallies).count()

    assert shown(registry, "flags") == [9, 6, 2, 1]
    assert shown(registry, "coverage") == [1, 0, 1, 0]


def test_a_scrape_counts_nothing_itself() -> None:
    registry = CollectorRegistry()
    tallies = {"flags": Tally(9, 6, 2, 1)}
    values = values_of(registry, tallies)
    values.count()

    tallies["flags"] = Tally(9, 8, 0, 1)

    assert shown(registry, "flags") == [9, 6, 2, 1]
    values.count()
    assert shown(registry, "flags") == [9, 8, 0, 1]


def test_a_log_that_cannot_be_read_shows_nothing() -> None:
    registry = CollectorRegistry()
    tallies = {"flags": Tally(9, 6, 2, 1)}
    values = values_of(registry, tallies)
    values.count()

    tallies.clear()
    values.count()

    assert [metric.samples for metric in registry.collect()] == [[]]


def test_it_counts_again_and_again_whatever_happens() -> None:
    registry = CollectorRegistry()
    n_counted = 0

    def tally(_: str) -> Tally:
        nonlocal n_counted
        n_counted += 1
        if n_counted == 1:
            raise ZeroDivisionError
        return Tally(n_counted, n_counted, 0, 0)

    with OutboxValues(registry, ["flags"], tally).counting():
        until(lambda: n_counted > 1)

    assert shown(registry, "flags") == [n_counted, n_counted, 0, 0]
