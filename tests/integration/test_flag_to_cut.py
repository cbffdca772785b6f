"""From a flag of a stream that was found to its cut: screening, log and enforcer, all real."""

import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from loadtest.enforce_stage import decided
from loadtest.rtmp import HOST, RtmpServer
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.decision_data import DecidedStream
from streamguard.core.review_events import decision_event
from streamguard.review.desk import cases_where
from streamguard.review.desk_file import DeskFile
from streamguard.review.projection import Projection
from tests.integration.test_found_streams import SERVER, first, following, of_kind
from tests.processes import DEADLINE_S, Running, until

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

KEY = "sk_publishers-own-key"
CONTROL = """
[enforce]
port = 0
admission_port = 0
[[controls]]
server = "edge"
api = "{control}"
"""


def test_what_screening_flags_is_what_the_enforcer_cuts(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, real_clips: dict[str, Path]
) -> None:
    """They name the publish alike, though each asks the server by itself."""
    config = tmp_path / "both.toml"
    text = SERVER.format(bank=known_bank, api=rtmp.stat_url, host=HOST, port=rtmp.port)
    config.write_text(text + CONTROL.format(control=rtmp.control_url))
    with (
        Running("run", "--config", config, cwd=tmp_path) as run,
        rtmp.publish(real_clips["bikes"], KEY) as publisher,
    ):
        run.wait_for(run.log, event="discovery_gained", server="edge")
        with (
            following(tmp_path) as events,
            Running("enforce", "--config", config, cwd=tmp_path) as enforce,
        ):
            opened = first(events, "flag.opened")
            flag = opened["data"]["stream"]
            stream = DecidedStream(stream_id=flag["stream_id"], session_id=flag["session_id"])
            decision = decided(stream, "cut", flag_ids=[opened["data"]["flag_id"]])
            with SqliteLog(tmp_path / "log.db", "write") as log:
                log.append([decision_event("/streamguard/a", decision, recorded_s=time.time())])
            verified = first(events, "action.verified")["data"]
            publisher.wait(DEADLINE_S)
            ended = first(events, "stream.ended")["data"]
            enforce.stop()
        run.stop()

    assert verified["action"]["decision_id"] == decision.decision_id
    assert verified["method"] == "no_media"
    assert verified["flagged_time"] == opened["recordedtime"]
    assert verified["flagged_time"] < verified["decided_time"] < verified["verified_time"]
    assert verified["n_returned"] == 0
    assert ended["stream"]["session_id"] == flag["session_id"]
    assert KEY not in f"{run.log}{enforce.log}{events.out}"


def test_a_publisher_who_reconnected_before_the_cut_is_left_alone_and_has_a_case(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, real_clips: dict[str, Path]
) -> None:
    config = tmp_path / "both.toml"
    text = SERVER.format(bank=known_bank, api=rtmp.stat_url, host=HOST, port=rtmp.port)
    config.write_text(text + CONTROL.format(control=rtmp.control_url))
    with ExitStack() as stack:
        run = stack.enter_context(Running("run", "--config", config, cwd=tmp_path))
        run.wait_for(run.log, event="discovery_gained", server="edge")
        events = stack.enter_context(following(tmp_path))
        with rtmp.publish(real_clips["bikes"], KEY):
            first(events, "flag.opened")
        log = stack.enter_context(SqliteLog(tmp_path / "log.db", "write"))
        file = stack.enter_context(closing(DeskFile(tmp_path / "desk.db")))
        projection = Projection(file, log, time.time)
        projection.catch_up()
        [before] = cases_where(file, "stage = 'open'")
        again = stack.enter_context(rtmp.publish(real_clips["bigbuckbunny"], KEY))
        until(lambda: sessions(events) - {before.session_id} != set())
        stack.enter_context(Running("enforce", "--config", config, cwd=tmp_path))
        stream = DecidedStream(stream_id=before.stream_id, session_id=before.session_id)
        decision = decided(stream, "cut", case_id=before.case_id)
        log.append([decision_event("/streamguard/a", decision, recorded_s=time.time())])
        failed = first(events, "action.failed")["data"]
        was_live = again.poll() is None
        projection.catch_up()
        [follows] = cases_where(file, "stage = 'open'")

    assert (failed["reason"], was_live) == ("session_replaced", True)
    assert follows.session_id in sessions(events) - {before.session_id}
    assert (follows.follows, follows.is_live) == (before.case_id, True)
    assert follows.severity == before.severity


def sessions(events: Running) -> set[str]:
    """Give the sessions whose screening began."""
    return {one["data"]["stream"]["session_id"] for one in of_kind(events, "stream.started")}
