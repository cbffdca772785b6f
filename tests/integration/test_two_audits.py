"""A console with a log of its own, and an enforcer with rules: two audits, each of them whole."""

import json
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.rtmp import RtmpServer
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Event, Topic
from tests.integration.test_enforce import KEY, enforcing
from tests.integration.test_enforce_rules import RULE, flagged
from tests.processes import DEADLINE_S, Running, streamguard, until
from tests.test_cli_review import PASSWORD, account

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
pytest_plugins = ["tests.rtmp"]

PATIENCE_S = 120.0


def copied(of: Path, to: Path) -> None:
    """Bring flags and decisions from one log into another, as Kafka does."""
    with SqliteLog.open_reader(of) as one, SqliteLog(to) as other:
        records = [*one.read(1, Topic.FLAGS), *one.read(1, Topic.DECISIONS)]
        other.append([Event.model_validate_json(record.body) for record in records])


def rejected(port: int) -> int:
    """Have somebody say that nothing was found; give the answer's status."""
    url = f"http://127.0.0.1:{port}/api/v1"
    with httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
        said = client.post("/sign-in", json={"name": "anna", "password": PASSWORD}).json()
        client.headers["x-csrf-token"] = said["csrf"]
        case = client.post("/claim", json={}).json()["case"]
        choice = {"outcome": "rejected", "reason_code": "NOTHING.FOUND", "token": case["token"]}
        return client.post(f"/cases/{case['case_id']}/decision", json=choice).status_code


def actions_in(log: Path) -> list[str]:
    """Give what an audit tells."""
    return [row["action"] for row in streamguard("audit", "export", "--log", log).rows]


def test_after_a_rules_hold_and_a_persons_decision_both_audits_are_as_they_were_written(
    tmp_path: Path, rtmp: RtmpServer, real_clips: dict[str, Path]
) -> None:
    screening, console = tmp_path / "log.db", tmp_path / "console.db"
    config = tmp_path / "console.toml"
    config.write_text('[log]\nfile = "console.db"\n[review]\nport = 0\nmetrics_port = 0\n')
    with (
        closing(EnforceStage(tmp_path, rtmp, Form(more=RULE))) as made,
        enforcing(made) as enforcer,
        rtmp.publish(real_clips["bikes"], KEY),
    ):
        flagged(made, made.live(KEY), 8)
        enforcer.wait_for(enforcer.log, event="hold_by_rule", rule="exact")
        until(lambda: bool(list(made.log.read(1, Topic.AUDIT))), PATIENCE_S)
        copied(screening, console)
        account(config, "add", "anna", "--role", "reviewer", "--clearance", "*")
        with Running("review", "--config", config, cwd=tmp_path) as review:
            status = rejected(review.wait_for(review.log, event="review_started")["port"])
            code = review.stop()

    heads = [
        json.loads(streamguard("audit", "verify", "--log", log, "--json").out)
        for log in (screening, console)
    ]
    assert (status, code) == (200, 0)
    assert [one["problem"] for one in heads] == [None, None]
    assert heads[0]["head"] != heads[1]["head"]
    assert actions_in(screening) == ["decision.made"]
    of_people = [action for action in actions_in(console) if not action.startswith("paging.")]
    assert of_people[-1] == "case.decided"  # paging tells by itself, before or after, who came
    crossed = streamguard("audit", "verify", "--log", console, "--head", heads[0]["head"])
    assert crossed.code == 2
