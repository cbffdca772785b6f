"""The real supervisor, killed with SIGKILL at each durable step, and started again.

The steps are those of append, send, acknowledge, bury, begin anew and prune, of sending and
dropping dead letters, and of keeping, uploading and erasing evidence. After each: distinct ids in
the topic are the committed ones, streams are in order, distinct flags are those planted, and
evidence verifies.
"""

import ast
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.kafka_broker import ApacheKafka
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import RETENTION_S, EventType, Topic
from tests.broker import delete_topics, set_topic_limit
from tests.chaos.conftest import AllThere
from tests.chaos.site import Committed, Screened, Site, eventually
from tests.chaos.verdict import evidence_told, problems_of_evidence
from tests.processes import ROOT, streamguard

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SOURCE, TESTS = ROOT / "streamguard", ROOT / "tests"
DELIVERY = {
    "append_written": 1,
    "append_committed": 1,
    "window_read": 3,
    "batch_under_way": 5,
    "broker_acknowledged": 3,
    "acknowledge_written": 3,
    "acknowledge_committed": 3,
}
"""At which passing of each point the supervisor is killed."""

BURYING = ("bury_written", "bury_committed")
ANEW = ("anew_written", "anew_committed", "topic_made")
LETTERS = {
    "again_written": ("send",),
    "again_committed": ("send",),
    "drop_written": ("drop", "--all"),
    "drop_committed": ("drop", "--all"),
}
"""Points of the `dead-letters` verbs, and what passes them."""

PRUNING = ("prune_written", "prune_committed")
KEEPING = {
    "evidence_file_begun": 2,
    "evidence_grown": 2,
    "evidence_part_written": 1,
    "evidence_manifest_written": 2,
    "custody_written": 2,
    "evidence_collected": 2,
    "evidence_clip_kept": 1,
    "evidence_uploaded": 1,
    "evidence_spool_freed": 1,
}
"""The first manifest says that evidence is collected; there is nothing of it yet."""

ERASING = ("evidence_erasure_ordered", "evidence_erased")
N_FLAGS, N_LATER = 2_000, 100

LARGE = {N_FLAGS + N_LATER // 2: 8}
"""Which flag is larger than what is let through where something is buried, and by what."""

LIMIT_BYTES, NO_LIMIT_BYTES = 2_500, 1_000_000


@pytest.mark.parametrize(("point", "nth"), DELIVERY.items())
def test_no_flag_is_lost_or_out_of_order_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, point: str, nth: int
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS))

    killed = site.run_until_it_dies(point, nth)
    site.append(range(N_FLAGS, N_FLAGS + N_LATER))
    with site.running():
        pass

    assert killed == -signal.SIGKILL
    all_there(site)
    n_events = 2 * (N_FLAGS + N_LATER)  # a supervisor that starts closes what nobody watches
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events, 0, 0)


@pytest.mark.parametrize("point", BURYING)
def test_what_is_refused_is_on_record_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, point: str
) -> None:
    """So little is let through that each record goes alone: of those there are few."""
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS))
    with site.running():
        pass
    set_topic_limit(apache.bootstrap, Topic.FLAGS, LIMIT_BYTES)
    site.append(range(N_FLAGS, N_FLAGS + N_LATER), LARGE)

    killed = site.run_until_it_dies(point, 1)
    with site.running():
        pass

    assert killed == -signal.SIGKILL
    all_there(site)
    n_events, n_dead = 2 * (N_FLAGS + N_LATER), 2  # its opening and its end
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events - n_dead, 0, n_dead)


@pytest.mark.parametrize(("point", "verb"), LETTERS.items())
def test_what_was_refused_is_sent_or_dropped_by_trying_again_when_that_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, point: str, verb: tuple[str, ...]
) -> None:
    """It is a command of its own, and so is the second try."""
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS))
    with site.running():
        pass
    set_topic_limit(apache.bootstrap, Topic.FLAGS, LIMIT_BYTES)
    site.append(range(N_FLAGS, N_FLAGS + N_LATER), LARGE)
    with site.running():
        pass
    n_dead, before = site.tally(Topic.FLAGS).dead, site.committed()
    set_topic_limit(apache.bootstrap, Topic.FLAGS, NO_LIMIT_BYTES)

    killed = site.run_until_it_dies(point, 1, "dead-letters", *verb)
    streamguard("dead-letters", *verb, "--config", site.config)
    with site.running():
        pass

    assert (killed, n_dead) == (-signal.SIGKILL, 2)
    all_there(site, together(before, site.committed()))
    n_events = 2 * (N_FLAGS + N_LATER)
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events, 0, 0)


@pytest.mark.parametrize("point", ANEW)
def test_all_is_sent_again_to_a_new_topic_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, point: str
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS))
    with site.running():
        pass
    delete_topics(apache.bootstrap, [Topic.FLAGS])

    killed = site.run_until_it_dies(point, 1)
    site.append(range(N_FLAGS, N_FLAGS + N_LATER))
    with site.running():
        pass

    assert killed == -signal.SIGKILL
    all_there(site)
    n_events = 2 * (N_FLAGS + N_LATER)
    assert site.tally(Topic.FLAGS) == Tally(n_events, n_events, 0, 0)


@pytest.mark.parametrize("point", PRUNING)
def test_only_what_was_acknowledged_is_pruned_when_the_supervisor_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, point: str
) -> None:
    site = Site(tmp_path, apache.bootstrap)
    site.append(range(N_FLAGS), age_s=RETENTION_S[Topic.FLAGS] + 60)
    with site.running():
        pass
    before = site.committed()

    killed = site.run_until_it_dies(point, 1)
    site.append(range(N_FLAGS, N_FLAGS + N_LATER))
    with site.running():
        eventually(lambda: len(site.events({EventType.FLAG_OPENED})) == N_LATER)

    assert killed == -signal.SIGKILL
    all_there(site, together(before, site.committed()))


def together(before: Committed, after: Committed) -> Committed:
    """Put together what a log held at two times: each id where it was first."""
    return {
        stream: list(dict.fromkeys([*before.get(stream, []), *after.get(stream, [])]))
        for stream in before | after
    }


@pytest.mark.parametrize(("point", "nth"), KEEPING.items())
def test_flags_and_evidence_stand_when_the_supervisor_is_killed_at(
    tmp_path: Path,
    apache: ApacheKafka,
    all_there: AllThere,
    flickering: Screened,
    point: str,
    nth: int,
) -> None:
    site = Site(tmp_path, apache.bootstrap, screened=flickering)
    site.append(range(N_FLAGS))

    killed = site.run_until_it_dies(point, nth)
    at_once, n_told = problems_of_evidence(site, flickering), len(evidence_told(site))
    site.append(range(N_FLAGS, N_FLAGS + N_LATER))
    with site.running():
        eventually(lambda: len(evidence_told(site)) > n_told)
        flickering.wait_for_store()

    assert killed == -signal.SIGKILL
    assert at_once == []
    all_there(site)


@pytest.mark.parametrize("point", ERASING)
def test_an_erasure_is_finished_by_the_next_one_when_it_is_killed_at(
    tmp_path: Path, apache: ApacheKafka, all_there: AllThere, screened: Screened, point: str
) -> None:
    """It is a command of its own, beside a supervisor that delivers."""
    expired = replace(screened, more="unreviewed_days = 0.000001")
    site = Site(tmp_path, apache.bootstrap, screened=expired)
    site.append(range(N_FLAGS))
    with site.running():
        eventually(lambda: bool(evidence_told(site)))
        screened.wait_for_store()
    purge = ("evidence", "purge")
    plan = plan_of(site)

    killed = site.run_until_it_dies(point, 1, *purge, "--delete", plan)
    at_once = problems_of_evidence(site, screened)
    again = streamguard(*purge, "--delete", plan_of(site), "--config", site.config)

    assert killed == -signal.SIGKILL
    assert at_once == []
    assert again.code == 0, again.err
    assert list(screened.store.rglob("*.sealed")) == []
    all_there(site)


def plan_of(site: Site) -> str:
    """Give the name of the plan of what is to be erased now."""
    told = streamguard("evidence", "purge", "--json", "--config", site.config)
    name: str = told.rows[-1]["plan"]
    return name


def test_every_failpoint_is_one_of_these_or_has_a_test_elsewhere() -> None:
    """Those of banks are found by their test as it runs; others it names."""
    named = {
        ast.literal_eval(call.args[0])
        for path in SOURCE.rglob("*.py")
        if not path.name.startswith("bank_")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id == "reach" and isinstance(call.args[0], ast.Constant)
    }
    ours = {*DELIVERY, *BURYING, *ANEW, *LETTERS, *PRUNING, *KEEPING, *ERASING}
    elsewhere = [path for path in TESTS.rglob("*.py") if path != Path(__file__)]
    words = "".join(path.read_text() for path in elsewhere)

    assert ours <= named
    assert {point for point in named - ours if f'"{point}"' not in words} == set()
