from prometheus_client import CollectorRegistry

from streamguard.adapters.outbox_values import OutboxValues
from streamguard.core.delivery_ports import Tally
from streamguard.core.errors import LogUnavailable


def test_each_topic_shows_what_became_of_its_records() -> None:
    registry = CollectorRegistry()
    tallies = {"flags": Tally(9, 6, 2, 1), "coverage": Tally(1, 0, 1, 0)}

    OutboxValues(registry, list(tallies), tallies.__getitem__)

    shown = {
        (topic, state): registry.get_sample_value(
            "streamguard_outbox_records", {"topic": topic, "state": state}
        )
        for topic in tallies
        for state in ("committed", "acknowledged", "waiting", "dead")
    }
    assert [value for (topic, _), value in shown.items() if topic == "flags"] == [9, 6, 2, 1]
    assert [value for (topic, _), value in shown.items() if topic == "coverage"] == [1, 0, 1, 0]


def test_a_log_that_cannot_be_read_shows_nothing() -> None:
    registry = CollectorRegistry()

    def unreadable(_: str) -> Tally:
        raise LogUnavailable("the disk is gone")

    OutboxValues(registry, ["flags"], unreadable)

    assert [metric.samples for metric in registry.collect()] == [[]]
