"""The demo as somebody sees it who types its one command."""

import hashlib
import json
import re
import signal
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from tests.processes import Running, short_type

pytestmark = pytest.mark.integration

PROMISE_MS = 2_000
"""A flag is committed so soon after the channel sent the known scene's first keyframe."""


def told(demo: Running) -> list[str]:
    """Give what the demo says to people."""
    return [str(row["text"]).removeprefix("demo: ") for row in demo.log if "text" in row]


def test_the_demo_flags_the_known_scene_in_time_and_keeps_evidence(tmp_path: Path) -> None:
    with Running("demo", "--seconds", "8", "--json", "--directory", tmp_path / "demo") as demo:
        code = demo.join()

    said = "\n".join(told(demo))
    types = [short_type(event) for event in demo.out]
    closed, ended = (event["data"] for event in demo.out[-2:])
    latency = re.search(r"committed (\d+) ms after the origin sent the scene's first key", said)
    assert code == 0
    assert types[:2] == ["stream.started", "flag.opened"]
    assert types[-2:] == ["flag.closed", "stream.ended"]
    assert types.count("flag.opened") == 1
    assert latency
    assert 0 < int(latency[1]) <= PROMISE_MS
    assert "shown as letterbox" in said
    for name in ("clip", "still"):
        artifact = closed["evidence"][name]
        path = Path(unquote(urlsplit(artifact["uri"]).path))
        assert str(path) in said
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact["sha256"]
    assert (ended["reason"], ended["n_flags"], ended["n_dropped"]) == ("ended", 1, 0)
    assert ended["screened_ms"] >= 7_000
    assert f"1 flag, slowest {latency[1]} ms after the origin's send" in said


def test_the_log_of_the_demo_can_be_read_again(tmp_path: Path) -> None:
    """Ctrl-C ends the demo early, with all that it had to say."""
    with Running("demo", "--json", "--directory", tmp_path / "demo") as demo:
        demo.wait_for_type("stream.started")
        code = demo.stop(signal.SIGINT)

    *_, summary, again = told(demo)
    with SqliteLog.open_reader(tmp_path / "demo" / "events.db") as event_log:
        logged = [json.loads(record.body) for record in event_log.read(1)]
    assert code == 130
    assert logged == demo.out
    assert short_type(logged[-1]) == "stream.ended"
    assert logged[-1]["data"]["reason"] == "interrupted"
    assert summary.startswith("no flag: the programme was stopped before the known scene")
    assert str(tmp_path / "demo" / "events.db") in again
