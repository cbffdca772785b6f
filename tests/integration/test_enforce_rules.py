"""A rule holds an exact match, a hold ends by itself, and the platform does what no server can."""

import base64
import json
import time
from pathlib import Path
from uuid import uuid4

import pytest

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.rtmp import RtmpServer
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.decision_data import DecidedStream
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.events import Topic, flag_event
from tests.core.test_events import SOURCE, flag_fields
from tests.core.test_holding import MATCH
from tests.integration.test_enforce import KEY, enforcing, stage
from tests.processes import until
from tests.webhook_receiver import receiving

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

RULE = '[[hold_rules]]\nname = "exact"\nbanks = ["shared"]\n'
SECRET = b"s" * 32


@pytest.fixture
def clip(real_clips: dict[str, Path]) -> Path:
    return real_clips["bikes"]


def flagged(
    made: EnforceStage, stream: DecidedStream, distance_bits: int, severity: str = "P1"
) -> None:
    """Put a flag on record, as screening does."""
    signal = {"detector": "hash", "match": MATCH | {"distance_bits": distance_bits}}
    where = {**stream.model_dump(), "epoch": 0, "protocol": "rtmp"}
    policy = {"code": "tvec", "severity": severity}
    fields = flag_fields(flag_id=str(uuid4()), stream=where, signals=[signal], policy=policy)
    now_s = time.time()
    data = FlagData.model_validate(fields)
    made.log.append([flag_event(SOURCE, "opened", data, time_s=now_s, recorded_s=now_s)])


def test_an_exact_match_is_held_by_rule_until_a_person_decides(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with (
        stage(tmp_path, rtmp, Form(more=RULE)) as made,
        enforcing(made) as running,
        rtmp.publish(clip, KEY),
        rtmp.publish(clip, "near"),
    ):
        near, exact = made.live("near"), made.live(KEY)
        flagged(made, near, 9)
        flagged(made, exact, 8)
        running.wait_for(running.log, event="hold_by_rule", rule="exact")
        until(lambda: f"live/{KEY}" not in made.paths())
        [record] = made.log.read(1, Topic.DECISIONS)
        until(lambda: len(made.told()) == 2)
        verified = made.told()[1]

    assert record.key == exact.stream_id
    assert verified["type"] == "org.streamguard.action.verified.v1"
    assert verified["data"]["action"]["actor"] == "rule:exact"


def test_a_rule_that_would_cut_is_refused(tmp_path: Path, rtmp: RtmpServer, clip: Path) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made), rtmp.publish(clip, KEY) as one:
        automation = {"detection_automated": True, "decision": "FULLY"}
        changes = {"actor": "rule:eager", "reviewer": None, "automation": automation}
        event = made.outcome(made.decide(made.live(KEY), "cut", **changes))

        assert one.poll() is None
    assert event.data.model_dump()["reason"] == "not_allowed"


def test_a_hold_ends_when_its_time_is_over(tmp_path: Path, rtmp: RtmpServer, clip: Path) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made), rtmp.publish(clip, KEY) as one:
        stream = made.live(KEY)
        made.outcome(made.decide(stream, "hold", expires_at=utc_text(time.time() + 6)))
        until(lambda: made.paths() == [f"live/{KEY}"])
        until(lambda: len(made.told()) == 4)

        assert one.poll() is None
    [*_, last] = made_told = made_rows(tmp_path)
    assert len(made_told) == 4
    assert last["data"]["action"]["actor"] == "rule:hold-over"


def made_rows(folder: Path) -> list[dict[str, object]]:
    """Read what was told of actions, once all is over."""
    with SqliteLog.open_reader(folder / "log.db") as log:
        return [json.loads(one.body) for one in log.read(1, Topic.ACTIONS)]


def test_the_platform_is_asked_for_what_no_server_can_do(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with receiving(SECRET) as platform:
        (tmp_path / "hook").write_text(base64.b64encode(SECRET).decode())
        hook = f'webhook = "{platform.url}"\nwebhook_secret_file = "hook"'
        with (
            stage(tmp_path, rtmp, Form(enforce=hook)) as made,
            enforcing(made),
            rtmp.publish(clip, KEY),
        ):
            decision = made.decide(made.live(KEY), "cut", scopes=["live", "recording", "clips"])
            methods = [
                made.outcome(decision, scope).data.model_dump()["method"]
                for scope in ("live", "recording", "clips")
            ]
            elsewhere = DecidedStream(stream_id="studio-7", session_id="s-1")
            alone = made.outcome(made.decide(elsewhere, "limit_reach")).data.model_dump()
            platform.status = 422
            refused = made.outcome(made.decide(elsewhere, "cut")).data.model_dump()

    assert methods == ["no_media", "answer", "answer"]
    assert alone["method"] == "answer"
    assert refused["reason"] == "refused"
    first, second, last = (one["data"]["action"]["scope"] for one in platform.taken)
    assert ({first, second}, last) == ({"recording", "clips"}, "live")
    assert platform.n_forged == 0


def test_what_nobody_can_do_is_told(tmp_path: Path, rtmp: RtmpServer, clip: Path) -> None:
    elsewhere = DecidedStream(stream_id="studio-7", session_id="s-1")
    unknown = DecidedStream(stream_id="edge-unknown", session_id="s-1")
    with stage(tmp_path, rtmp) as made, enforcing(made), rtmp.publish(clip, KEY):
        stream = made.live(KEY)
        reasons = [
            made.outcome(made.decide(of, act, **changes)).data.model_dump()["reason"]
            for of, act, changes in (
                (elsewhere, "cut", {}),
                (unknown, "cut", {}),
                (stream, "cut", {"decided_at": utc_text(time.time() - 1000)}),
                (stream, "limit_reach", {}),
            )
        ]

    assert reasons == ["no_control", "session_unknown", "expired", "not_supported"]
