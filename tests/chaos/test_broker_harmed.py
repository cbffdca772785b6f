"""What happens to Apache Kafka under thousands of flags, and to the real supervisor beside it.

After each: distinct ids in the topic are the committed ids, and streams are in order.
"""

import os
from pathlib import Path

import pytest

from loadtest.kafka_broker import PASSWORD, USER, ApacheKafka
from streamguard.core.events import Topic
from tests.broker import delete_topics, grant, withdraw
from tests.chaos.conftest import AllThere
from tests.chaos.site import Site, eventually, lasting

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

N_FLAGS = 2_000
USED = (Topic.FLAGS, Topic.COVERAGE)
"""Topics that have something in them."""

IS_PATIENT = bool(os.environ.get("STREAMGUARD_CHAOS_LONG"))
"""Ten minutes without a broker are too long for CI."""


@pytest.mark.parametrize(
    ("line", "outage_s"),
    [
        ("apache", 1),
        ("old_apache", 1),
        ("apache", 60),
        *([pytest.param("apache", 600, marks=pytest.mark.timeout(900))] if IS_PATIENT else []),
    ],
)
def test_a_broker_that_is_killed_and_comes_back(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    all_there: AllThere,
    line: str,
    outage_s: float,
) -> None:
    """Of both lines of Apache Kafka; all other harm is done to the newer one."""
    apache: ApacheKafka = request.getfixturevalue(line)
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running():
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        apache.kill()
        site.append(range(N_FLAGS // 2, N_FLAGS))
        lasting(outage_s)
        apache.start()

    all_there(site)


def test_a_broker_that_takes_connections_and_never_answers(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running() as run:
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        apache.freeze()
        site.append(range(N_FLAGS // 2, N_FLAGS))
        run.wait_for(run.log, event="delivery_stalled")
        lasting(10)
        apache.thaw()

    all_there(site)


def test_topics_that_are_deleted_under_us(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere
) -> None:
    """What was acknowledged before is still in the log, so it comes again as well."""
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running() as run:
        eventually(lambda: all(site.tally(topic).acknowledged for topic in USED))
        delete_topics(apache.bootstrap, list(Topic))
        site.append(range(N_FLAGS // 2, N_FLAGS))
        for topic in USED:
            run.wait_for(run.log, event="topic_forgotten", topic=str(topic))

    all_there(site)


def test_rights_that_are_withdrawn_and_given_back(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere
) -> None:
    grant(apache.bootstrap)
    login = f'security_protocol = "SASL_PLAINTEXT"\nsasl_username = "{USER}"'
    site = Site(tmp_path, apache.sasl_bootstrap, kafka=login, open_to=apache.bootstrap)
    site.append(range(N_FLAGS // 2))

    with site.running(STREAMGUARD_KAFKA__SASL_PASSWORD=PASSWORD) as run:
        eventually(lambda: site.tally(Topic.FLAGS).acknowledged > 0)
        withdraw(apache.bootstrap)
        site.append(range(N_FLAGS // 2, N_FLAGS))
        run.wait_for(run.log, event="delivery_stalled", reason="broker_denied")
        grant(apache.bootstrap)

    all_there(site)


def test_a_supervisor_and_a_broker_that_are_killed_together(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS))

    site.run_until_it_dies("broker_acknowledged", 4)
    apache.kill()
    apache.start()
    with site.running():
        pass

    assert all_there(site).twice > 0
