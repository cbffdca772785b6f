"""The demo as somebody sees it who types its one command."""

import json
import re
import signal
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from tests.conftest import NginxRtmp
from tests.processes import Row, Running, short_type, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LONGEST_S = 180.0
"""A demo makes and hashes a clip and starts four processes: a minute where much else is done."""


def told(demo: Running) -> list[str]:
    """Give what the demo says to people."""
    return [str(row["text"]).removeprefix("demo: ") for row in demo.log if "text" in row]


def of_channel(demo: Running) -> list[Row]:
    """Give the events of the channel: not who did what at the console."""
    return [event for event in demo.out if not short_type(event).startswith("audit")]


def has_said(demo: Running, words: str) -> bool:
    return any(words in line for line in told(demo))


@pytest.mark.parametrize("way", ["--ingest", "--no-ingest"])
def test_the_demo_flags_the_known_scene_and_keeps_evidence(
    tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    if way == "--ingest":
        request.getfixturevalue("requires_nginx_rtmp")
    folder = tmp_path / "demo"
    asked = ("--seconds", "12", "--json", "--no-stay", way)
    with Running("demo", *asked, "--directory", folder) as demo:
        code = demo.join(LONGEST_S)

    said = "\n".join(told(demo))
    events = of_channel(demo)
    types = [short_type(event) for event in events]
    latency = re.search(r"committed (\d+) ms after the origin sent the scene's first key", said)
    closed = next(event["data"] for event in events if short_type(event) == "flag.closed")
    ended = events[-1]["data"]
    assert code == 0
    assert types[:2] == ["stream.started", "flag.opened"]
    assert types[-1] == "stream.ended"
    assert types.count("flag.opened") == 1
    assert latency
    assert "shown as letterbox" in said
    assert f"1 flag, slowest {latency[1]} ms after the origin's send" in said
    assert closed["evidence"]["clip"]
    assert closed["evidence"]["still"]
    assert (ended["reason"], ended["n_flags"]) == ("ended", 1)
    assert ("nothing can be cut" in said) == (way == "--no-ingest")
    assert re.search(r"console: http://127\.0\.0\.1:\d+/  sign in as demo with \S+", said)


def test_the_log_of_the_demo_can_be_read_again(tmp_path: Path) -> None:
    """Ctrl-C ends the demo early, with all that it had to say."""
    folder = tmp_path / "demo"
    with Running("demo", "--json", "--stay", "--no-ingest", "--directory", folder) as demo:
        until(lambda: "stream.started" in map(short_type, demo.out), LONGEST_S)
        demo.process.send_signal(signal.SIGINT)
        code = demo.join(LONGEST_S)

    *_, summary, again = told(demo)
    with SqliteLog.open_reader(folder / "events.db") as event_log:
        logged = [json.loads(record.body) for record in event_log.read(1)]
    assert code == 130
    assert logged == demo.out
    assert short_type(of_channel(demo)[-1]) == "stream.ended"
    assert summary.startswith("no flag: the programme was stopped before the known scene")
    assert str(folder / "events.db") in again


def test_what_was_started_ends_with_a_demo_that_is_killed(
    tmp_path: Path, requires_nginx_rtmp: NginxRtmp
) -> None:
    del requires_nginx_rtmp
    with Running("demo", "--json", "--stay", "--directory", tmp_path / "demo") as demo:
        until(lambda: has_said(demo, "console:"), LONGEST_S)
        begun = _processes_below(tmp_path)
        demo.process.kill()
        demo.process.wait()
        until(lambda: _processes_below(tmp_path) == [], LONGEST_S)

    assert len(begun) >= 4  # nginx, run, enforce, review


def _processes_below(folder: Path) -> list[int]:
    """Find the processes whose command line names a folder, but the demo itself."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            words = (one / "cmdline").read_bytes().split(b"\0") if one.name.isdigit() else []
        except OSError:
            continue  # it has just ended
        named = any(str(folder).encode() in word for word in words)
        if named and b"demo" not in words:
            found.append(int(one.name))
    return found
