"""Somebody publishes and is screened, unasked. All real: nginx, ffmpeg, streamguard."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.encoding import Form, Scene, encode_copy, ffmpeg
from loadtest.programs import running
from loadtest.rtmp import HOST, RtmpServer, free_ports, rtmp_server
from streamguard.core.event_data import utc_seconds
from tests.conftest import NginxRtmp
from tests.freezing_proxy import freezing_proxy
from tests.processes import Row, Running, metric, short_type, until
from tests.servers import serving, silent

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

KEY = "sk_publishers-own-key"
GOP_S = 1.0
BOUND_S = 2.0 + GOP_S
LONGEST_PAUSE_S = 15.0
SLACK_S = 3.0
"""For ffmpeg's own start, and for a machine that does much else."""

SERVER = """
[http]
port = 0
[bank]
paths = ["{bank}"]
[log]
file = "log.db"
[source]
read_timeout_s = 5.0
[[servers]]
name = "edge"
kind = "nginx_rtmp"
api = "{api}"
pull = "rtmp://{host}:{port}"
include = ["live/*"]
exclude = ["live/test*"]
exclude_reason = "a test card"
renditions = ["_360p"]
"""


@pytest.fixture
def clip(real_clips: dict[str, Path], requires_ffmpeg: Path, tmp_path: Path) -> Path:
    """Encode six seconds of a known clip anew, a keyframe each second."""
    made = tmp_path / "clip.mp4"
    encode_copy(Scene(real_clips["bikes"], 2.0, 6.0), Form.LETTERBOX, made, gop=25)
    return made


@contextmanager
def screening(folder: Path, bank: Path, rtmp: RtmpServer, more: str = "") -> Iterator[Running]:
    """Run streamguard beside a server until it is ready, and to its end."""
    config = folder / "run.toml"
    text = SERVER.format(bank=bank, api=rtmp.stat_url, host=HOST, port=rtmp.port)
    config.write_text(text + more)
    with Running("run", "--config", config, cwd=folder) as run:
        run.wait_for(run.log, event="discovery_gained", server="edge")
        until(lambda: run.get("/readyz")[0] == 200)
        yield run


def following(folder: Path) -> Running:
    return Running("events", "--follow", "--log", folder / "log.db")


def first(events: Running, kind: str, n: int = 1) -> Row:
    """Wait for the nth event of a kind."""
    until(lambda: len(of_kind(events, kind)) >= n)
    return of_kind(events, kind)[n - 1]


def of_kind(events: Running, kind: str) -> list[Row]:
    return [event for event in events.out if short_type(event) == kind]


class Publisher:
    """An ffmpeg that publishes, and writes down how it gets on."""

    def __init__(self, process: subprocess.Popen[bytes], progress: Path) -> None:
        self.process = process
        self._progress = progress

    def frames(self) -> int:
        """Count the frames that were sent."""
        return max(
            map(int, re.findall(r"^frame=(\d+)", self._progress.read_text(), re.MULTILINE)),
            default=0,
        )


@contextmanager
def publisher(
    rtmp: RtmpServer, clip: Path, name: str, application: str = "live"
) -> Iterator[Publisher]:
    """Publish a clip again and again, at its own pace."""
    progress = rtmp.folder / f"progress-{name}"
    paced = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip)]
    told = ["-stats_period", "0.2", "-progress", "pipe:1"]
    url = f"rtmp://{HOST}:{rtmp.port}/{application}/{name}"
    with running([*paced, *told, "-c", "copy", "-f", "flv", url], progress) as process:
        yield Publisher(process, progress)


def family(pid: int) -> list[int]:
    """Give a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def test_a_publish_is_found_screened_and_ended_with_its_publisher(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with screening(tmp_path, known_bank, rtmp) as run, following(tmp_path) as events:
        published_s = time.time()
        with rtmp.publish(clip, KEY):
            flag = first(events, "flag.opened")
        ended = first(events, "stream.ended")
        with rtmp.publish(clip, KEY):
            again = first(events, "flag.opened", 2)
        up = metric(run, 'discovery_up{server="edge"}')
        run.stop(signal.SIGTERM)

    assert utc_seconds(flag["recordedtime"]) - published_s < BOUND_S + SLACK_S
    assert flag["data"]["stream"]["stream_id"].startswith("edge-")
    assert ended["data"]["reason"] == "ended"
    assert again["data"]["stream"]["stream_id"] == flag["data"]["stream"]["stream_id"]
    assert again["data"]["stream"]["session_id"] != flag["data"]["stream"]["session_id"]
    assert up == 1
    away = [gap["data"] for gap in of_kind(events, "coverage.gap")]
    away = [gap for gap in away if gap["reason"] == "source_unavailable"]
    assert all(gap["end_pts_ms"] <= 0 for gap in away), "lost after its first packet"
    assert len(away) <= 2, "one for each publish that was slow to be found"
    assert KEY not in f"{run.log}{run.out}{events.out}"


def test_a_publish_that_refuses_to_be_played_is_a_gap_while_it_lasts(
    tmp_path: Path, known_bank: Path, requires_nginx_rtmp: NginxRtmp, clip: Path
) -> None:
    """A piece is told meanwhile; after a restart of ours the same session goes on from there."""
    nginx = requires_nginx_rtmp
    (tmp_path / "rtmp").mkdir()
    server = rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", extra="deny play all;")
    with server as rtmp, rtmp.publish(clip, KEY):
        with screening(tmp_path, known_bank, rtmp) as run, following(tmp_path) as events:
            first(events, "coverage.gap")
            run.process.kill()
        with screening(tmp_path, known_bank, rtmp) as run, following(tmp_path) as events:
            again = first(events, "coverage.gap", 2)
            run.stop(signal.SIGTERM)

    gap = first(events, "coverage.gap")["data"]
    assert gap["reason"] == "source_unavailable"
    length_s = utc_seconds(gap["end_time"]) - utc_seconds(gap["start_time"])
    assert 10.0 <= length_s < 10.0 + LONGEST_PAUSE_S + SLACK_S
    assert again["data"]["stream"]["session_id"] == gap["stream"]["session_id"]
    assert again["data"]["start_time"] == gap["end_time"]
    assert of_kind(events, "stream.started") == []


def test_what_is_excluded_is_on_record_and_not_screened(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with screening(tmp_path, known_bank, rtmp) as run, following(tmp_path) as events:
        with rtmp.publish(clip, "test1"), rtmp.publish(clip, "a"):
            excluded = first(events, "stream.excluded")
            started = first(events, "stream.started")
        run.stop(signal.SIGTERM)

    assert excluded["data"]["reason"] == "a test card"
    assert excluded["data"]["stream_id"] != started["data"]["stream"]["stream_id"]


def test_a_broadcast_is_screened_once_and_goes_on_by_the_rendition_that_serves_best(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, clip: Path
) -> None:
    """The source has 540 lines; a copy of 360 comes up beside it, and goes away again."""
    larger = tmp_path / "larger.mp4"
    ffmpeg("-i", clip, "-vf", "scale=960:540", "-preset", "ultrafast", "-g", "25", "-an", larger)
    with screening(tmp_path, known_bank, rtmp) as run, following(tmp_path) as events:
        with rtmp.publish(larger, "a"):
            source = first(events, "stream.started")["data"]
            with rtmp.publish(clip, "a_360p"):
                smaller = first(events, "stream.started", 2)["data"]
            again = first(events, "stream.started", 3)["data"]
        run.stop(signal.SIGTERM)

    assert [one["height"] for one in (source, smaller, again)] == [540, 360, 540]
    assert len({one["stream"]["session_id"] for one in (source, smaller, again)}) == 1


def test_an_api_that_is_down_ends_no_stream(
    tmp_path: Path, known_bank: Path, rtmp: RtmpServer, clip: Path
) -> None:
    """The API is asked through a way of its own, which is cut; the stream goes on."""
    with (
        freezing_proxy(rtmp.stat_port) as way,
        screening(tmp_path, known_bank, replace(rtmp, stat_port=way.port)) as run,
        following(tmp_path) as events,
        rtmp.publish(clip, KEY),
    ):
        first(events, "stream.started")
        way.freeze()
        until(lambda: metric(run, "discovery_up") == 0)
        n_screened = metric(run, "samples_total")
        until(lambda: metric(run, "samples_total") > n_screened + 2)

        assert of_kind(events, "stream.ended") == []
        run.stop(signal.SIGTERM)


def test_streams_are_back_when_their_server_is(
    tmp_path: Path, known_bank: Path, requires_nginx_rtmp: NginxRtmp, clip: Path
) -> None:
    """One that was found, and one that is configured, of which nobody tells that it is back."""
    nginx = requires_nginx_rtmp
    port, stat_port = free_ports(2)
    (tmp_path / "rtmp").mkdir()

    def server() -> AbstractContextManager[RtmpServer]:
        return rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", ports=(port, stat_port))

    configured = f'[[streams]]\nid = "configured"\nurl = "rtmp://{HOST}:{port}/other/b"\n'
    with ExitStack() as first_life, ExitStack() as screened:
        rtmp = first_life.enter_context(server())
        run = screened.enter_context(screening(tmp_path, known_bank, rtmp, configured))
        events = screened.enter_context(following(tmp_path))
        publish_both(first_life, rtmp, clip)
        until(lambda: len(of_kind(events, "stream.started")) == 2)
        first_life.close()
        until(lambda: metric(run, "discovery_up") == 0)
        until(lambda: metric(run, "connections_lost_total") >= 7)  # tries are far apart by now
        with server() as rtmp, ExitStack() as second_life:
            back_s = time.time()
            publish_both(second_life, rtmp, clip)
            until(lambda: len(of_kind(events, "stream.started")) >= 4)
            run.stop(signal.SIGTERM)

    again = [event["data"] for event in of_kind(events, "stream.started")][2:]
    assert max(utc_seconds(one["start_time"]) for one in again) - back_s < BOUND_S + SLACK_S
    assert {one["stream"]["stream_id"].partition("-")[0] for one in again} == {"edge", "configured"}


def publish_both(until_the_end: ExitStack, rtmp: RtmpServer, clip: Path) -> None:
    """Publish what is found, and what is configured."""
    until_the_end.enter_context(rtmp.publish(clip, KEY))
    until_the_end.enter_context(publisher(rtmp, clip, "b", application="other"))


def test_a_publisher_feels_nothing_of_us_when_we_stand_still(
    tmp_path: Path, known_bank: Path, requires_nginx_rtmp: NginxRtmp, clip: Path
) -> None:
    """Stopped by SIGSTOP, with all our connections open; the hook that nginx runs hangs as well."""
    nginx = requires_nginx_rtmp
    with (
        serving(silent) as hook,
        rtmp_server(
            nginx.program, nginx.module, tmp_path, extra=hint_to(hook.url("/hooks/edge"))
        ) as rtmp,
        screening(tmp_path, known_bank, rtmp) as run,
        following(tmp_path) as events,
        publisher(rtmp, clip, "a") as one,
    ):
        first(events, "stream.started")
        with standing_still(run.process.pid):
            before = one.frames()
            with publisher(rtmp, clip, "b") as other:
                until(lambda: one.frames() > before + 100)
                until(lambda: other.frames() > 50)

                assert (one.process.poll(), other.process.poll()) == (None, None)
        run.stop(signal.SIGTERM)


def hint_to(url: str) -> str:
    """Tell nginx to call a hook that nobody waits for."""
    return f"exec_publish {sys.executable} -c 'import urllib.request as r; r.urlopen(\"{url}\")';"


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Stop a process and its children as they are, and let them go on at the end."""
    pids = family(pid)
    for one in pids:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in pids:
            os.kill(one, signal.SIGCONT)
