"""What Kafka refused for good is looked at, and sent again when the cause is gone."""

from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from tests.broker import Reader, set_topic_limit
from tests.chaos.site import Site
from tests.processes import streamguard

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

N_BEFORE, N_FLAGS, LARGE = 5, 2_000, {7: 8}
REASON = "Kafka will not take it: MessageSizeTooLargeError"
UNKNOWN = "no dead letter nobody: see `dead-letters list`"
TOO_LITTLE_BYTES, ENOUGH_BYTES = 2_500, 1_000_000


def test_what_was_refused_is_listed_and_arrives_whole_once_there_is_room_for_it(
    tmp_path: Path, apache: ApacheKafka, reader: Reader
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_BEFORE))
    with site.running():
        pass
    set_topic_limit(apache.bootstrap, Topic.FLAGS, TOO_LITTLE_BYTES)
    site.append(range(N_BEFORE, N_FLAGS), LARGE)
    with site.running():
        pass
    after_refusal = site.tally(Topic.FLAGS)
    letters = streamguard("dead-letters", "list", "--config", site.config).rows

    set_topic_limit(apache.bootstrap, Topic.FLAGS, ENOUGH_BYTES)
    wrong = streamguard("dead-letters", "send", "nobody", "--config", site.config)
    with site.running():
        sent = streamguard("dead-letters", "send", "--config", site.config)

    n_events, n_dead = (
        2 * N_FLAGS,
        2,
    )  # its opening; its end, for a start closes what nobody watches
    ids = [letter["id"] for letter in letters]
    arrived = reader.read(Topic.FLAGS, n_events + n_dead)
    reduced = [got.headers["ce_id"] for got in arrived if "ce_reduced" in got.headers]
    whole = [got.headers["ce_id"] for got in arrived if "ce_reduced" not in got.headers]
    assert [letter["event"]["id"] for letter in letters] == ids == reduced
    assert {letter["reason"] for letter in letters} == {REASON}
    assert after_refusal == Tally(n_events, n_events - n_dead, 0, n_dead)
    assert (wrong.code, wrong.problem) == (2, f"streamguard: {UNKNOWN}")
    assert (sent.code, sent.out) == (0, "2 of 2 wait to be sent again\n")
    assert len(whole) == n_events
    assert [one for one in whole if one in ids] == ids
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events, 0, 0)
