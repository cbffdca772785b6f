"""The real supervisor, killed with SIGKILL at each durable step of delivery, and started again.

After each: distinct ids in the topic are the committed ids, and streams are in order.
"""

import ast
import signal
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from streamguard.kafka_parts import make_topics
from streamguard.kafka_section import KafkaSection
from tests.broker import set_topic_limit
from tests.chaos.site import N_PARTITIONS, Site
from tests.processes import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SOURCE = ROOT / "streamguard"
POINTS = {
    "append_written": 1,
    "append_committed": 1,
    "window_read": 3,
    "batch_under_way": 5,
    "broker_acknowledged": 3,
    "acknowledge_written": 3,
    "acknowledge_committed": 3,
    "bury_written": 1,
    "bury_committed": 1,
    "prune_written": 1,
    "prune_committed": 1,
}
"""At which passing of each point the supervisor is killed."""

N_FLAGS, N_LATER = 2_000, 100

N_REFUSED_AMONG, LARGE = 200, {150: 8}
"""Where something is buried: so few flags, each sent by itself, and which one is too large."""

LIMIT_BYTES = 2_500


@pytest.mark.parametrize(("point", "nth"), POINTS.items())
def test_no_flag_is_lost_or_out_of_order_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, point: str, nth: int
) -> None:
    section = KafkaSection(
        bootstrap_servers=apache.bootstrap, replication_factor=1, partitions=N_PARTITIONS
    )
    make_topics(section, dry_run=False)
    is_refused = point.startswith("bury")
    n_flags = N_REFUSED_AMONG if is_refused else N_FLAGS
    if is_refused:
        set_topic_limit(apache.bootstrap, Topic.FLAGS, LIMIT_BYTES)
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(n_flags), LARGE)

    killed = site.run_until_it_dies(point, nth)
    site.append(range(n_flags, n_flags + N_LATER))
    with site.running():
        pass

    assert killed == -signal.SIGKILL
    judgement = site.judged(apache.bootstrap)
    assert judgement.is_good, judgement
    n_events = 2 * (n_flags + N_LATER)  # a supervisor that starts closes what nobody watches
    n_dead = 2 * is_refused
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events - n_dead, 0, n_dead)


def test_every_failpoint_of_delivery_is_one_of_these() -> None:
    """Those of banks and of evidence have tests of their own."""
    found = {
        ast.literal_eval(call.args[0])
        for path in SOURCE.rglob("*.py")
        if not path.name.startswith("bank_")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id == "reach" and isinstance(call.args[0], ast.Constant)
        if not call.args[0].value.startswith("evidence_")
    }

    assert found == POINTS.keys()
