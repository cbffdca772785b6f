import json
import stat
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.deny_file import DenyFile
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.cli import main
from streamguard.core.audit_data import AuditData
from streamguard.core.denials import BY_HAND, Denial
from streamguard.core.events import Event, Topic

DECIDED = Denial("edge-a", "publish", "3f0c8a9e-1b2d-4c5e-8f70-a1b2c3d4e5f6", "d-1", 100.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "enforce.toml"
    file.write_text(
        f"[log]\nfile = '{tmp_path}/log.db'\n[[servers]]\nname = 'edge'\nkind = 'srs'\n"
        "api = 'http://127.0.0.1:1'\npull = 'rtmp://127.0.0.1'\n"
    )
    SqliteLog(tmp_path / "log.db").close()
    return file


def done(config: Path, *arguments: str) -> int:
    return main(["deny-list", *arguments, "--config", str(config)])


def listed(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert done(config, "list", "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def audited(config: Path) -> list[AuditData]:
    with SqliteLog.open_reader(config.with_name("log.db")) as log:
        records = log.read(1, Topic.AUDIT)
    found = [Event.model_validate_json(one.body).data for one in records]
    return [one for one in found if isinstance(one, AuditData)]


def decided(config: Path) -> None:
    """Have a decision keep a stream out."""
    file = DenyFile(config.with_name("log.db.enforce"))
    file.add(DECIDED)
    file.close()


def test_a_stream_is_kept_out_by_hand_and_on_record(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert done(config, "add", "edge-a", "--reason", "order 7", "--by", "anna") == 0

    [entry] = listed(config, capsys)
    assert (entry["stream_id"], entry["kind"], entry["case_id"]) == ("edge-a", "publish", BY_HAND)
    assert entry["until"] is None
    [record] = audited(config)
    assert (record.actor, record.action, record.about) == ("anna", "deny.added", "edge-a")
    assert {one.name: one.value for one in record.details}["reason"] == "order 7"
    assert stat.S_IMODE(config.with_name("log.db.enforce").stat().st_mode) == 0o600


def test_viewers_may_be_refused_for_a_time(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done(config, "add", "edge-a", "--reason", "r", "--viewers", "--hours", "2")

    [entry] = listed(config, capsys)
    assert entry["kind"] == "play"
    assert entry["until"] is not None


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_a_dry_run_changes_nothing(
    config: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    decided(config)
    more = ["--all"] if verb == "remove" else []

    assert done(config, verb, "edge-a", "--reason", "r", "--dry-run", "--json", *more) == 0

    assert json.loads(capsys.readouterr().out)["done"] is False
    assert [one["decision_id"] for one in listed(config, capsys)] == ["d-1"]
    assert audited(config) == []


def test_what_was_kept_out_by_hand_is_let_in_and_what_was_decided_is_not(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(config)
    done(config, "add", "edge-a", "--reason", "r")

    assert done(config, "remove", "edge-a", "--reason", "lifted") == 0
    assert [one["decision_id"] for one in listed(config, capsys)] == ["d-1"]
    assert done(config, "remove", "edge-a", "--reason", "lifted") == 2
    assert "restore it in the console" in capsys.readouterr().err

    assert done(config, "remove", "edge-a", "--reason", "a mistake", "--all") == 0
    assert listed(config, capsys) == []
    assert [one.case_id for one in audited(config)] == [None, None, DECIDED.case_id]


@pytest.mark.parametrize(
    "wrong",
    [
        ["add", "studio-a", "--reason", "r"],
        ["remove", "edge-a", "--reason", "r"],
    ],
)
def test_what_cannot_be_is_told(config: Path, wrong: list[str]) -> None:
    assert done(config, *wrong) == 2


@pytest.mark.parametrize("more", [["--hours", "0"], ["--hours", "x"], ["--by", "two words"]])
def test_arguments_are_checked(config: Path, more: list[str]) -> None:
    with pytest.raises(SystemExit):
        done(config, "add", "edge-a", "--reason", "r", *more)
