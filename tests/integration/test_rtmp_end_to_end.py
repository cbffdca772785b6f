"""A live stream in, a flag out: nginx-rtmp, ffmpeg and streamguard as processes of their own."""

import signal
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from loadtest.encoding import Form, Scene, encode_copy
from loadtest.programs import stop
from loadtest.rtmp import RtmpServer
from streamguard.core.event_data import utc_seconds
from tests.kept import content_of
from tests.processes import Row, Running, short_type, streamguard

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

KEY = "publishers-own-key"
READ_TIMEOUT_S = 2.0
COPY_S = 6.0

CONFIGURATION = """
[[streams]]
id = "channel-7"
url = "{url}"
[source]
read_timeout_s = {read_timeout_s}
[bank]
paths = ["bank"]
[log]
file = "events.db"
[evidence]
directory = "evidence"
[http]
port = 0
"""


class Follower(Running):
    """`streamguard events --follow`, asked for the first event that is like this."""

    def __init__(self, folder: Path) -> None:
        super().__init__("events", "--follow", "--log", folder / "events.db")

    def first(self, kind: str, is_wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for an event of a kind, as `flag.opened`, and give its data."""
        for event in self._coming():
            if short_type(event) == kind and is_wanted(event["data"]):
                return event["data"]
        raise AssertionError

    def _coming(self) -> Iterator[Row]:
        n_seen = 0
        while True:
            if n_seen == len(self.out):
                self._news.get(timeout=60)
                continue
            n_seen += 1
            yield self.out[n_seen - 1]


@pytest.fixture
def copy(real_clips: dict[str, Path], requires_ffmpeg: Path, tmp_path: Path) -> Path:
    """Encode six seconds of a known clip anew, with bars above and below."""
    made = tmp_path / "copy.mp4"
    encode_copy(Scene(real_clips["bikes"], 2.0, COPY_S), Form.LETTERBOX, made, gop=25)
    return made


@pytest.fixture
def folder(real_clips: dict[str, Path], rtmp: RtmpServer, tmp_path: Path) -> Path:
    """Make a folder with a bank of the known clip, and a configuration."""
    built = streamguard(
        "bank", "build", tmp_path / "bank", real_clips["bikes"], "--policy", "TVEC-ATTACK-FOOTAGE"
    )
    assert built.code == 0
    text = CONFIGURATION.format(url=rtmp.url(KEY), read_timeout_s=READ_TIMEOUT_S)
    (tmp_path / "run.toml").write_text(text)
    return tmp_path


def test_a_copy_that_is_published_live_is_flagged_and_again_when_its_publisher_is_back(
    folder: Path, copy: Path, rtmp: RtmpServer
) -> None:
    with (
        rtmp.publish(copy, KEY) as publisher,
        Running("run", "--config", "run.toml", cwd=folder) as run,
    ):
        run.wait_for(run.log, event="run_started")
        with Follower(folder) as follower:
            flag = follower.first("flag.opened")
            still = follower.first("flag.updated", has_evidence)["evidence"]

            stop(publisher)
            stopped_s = time.time()
            run.wait_for(run.log, event="source_lost")
            with rtmp.publish(copy, KEY):
                again = follower.first("flag.opened", lambda data: data["stream"]["epoch"] == 1)
                code = run.stop(signal.SIGTERM)
            account = follower.first("stream.ended")
            gap = follower.first("coverage.gap", is_about_source)
            closed = follower.first("flag.closed")

    evidence = closed["evidence"]
    assert_names_the_clip(flag)
    assert_is_video(evidence["clip"], copy)
    assert_is_picture(evidence["still"], copy)
    assert still["is_growing"]
    assert still["still"] in (evidence["still"], *evidence.get("other_stills", ()))
    assert (closed["flag_id"], closed["close_reason"]) == (flag["flag_id"], "stream_ended")
    # since the last packet that came, not since its absence was noticed
    assert utc_seconds(gap["start_time"]) <= stopped_s + 1
    assert utc_seconds(gap["end_time"]) >= stopped_s + READ_TIMEOUT_S - 1
    assert_names_the_clip(again)
    assert again["stream"]["session_id"] == flag["stream"]["session_id"]
    assert again["flag_id"] != flag["flag_id"]
    assert (code, account["reason"], account["n_flags"]) == (0, "interrupted", 2)
    assert KEY not in f"{run.log}{run.out}{follower.out}"


def has_evidence(flag: Row) -> bool:
    return bool(flag["evidence"]["state"] == "ready")


def is_about_source(gap: Row) -> bool:
    return bool(gap["reason"] == "source_unavailable")


def assert_names_the_clip(flag: Row) -> None:
    match = flag["signals"][0]["match"]
    assert (match["entry"], match["region"]) == ("bikes.mp4", "content")
    assert flag["stream"]["stream_id"] == "channel-7"
    assert flag["stream"]["protocol"] == "rtmp"


def assert_is_video(artifact: Row, copy: Path) -> None:
    with av.open(BytesIO(content_of(artifact))) as clip, av.open(str(copy)) as source:
        frames = list(clip.decode(video=0))
        assert source.streams.video[0].average_rate == 25
        assert len(frames) >= 25  # the publisher was stopped soon after its flag
        assert frames[0].height == source.streams.video[0].height


def assert_is_picture(artifact: Row, copy: Path) -> None:
    with av.open(BytesIO(content_of(artifact))) as still, av.open(str(copy)) as source:
        (picture,) = still.decode(video=0)
        assert (picture.width, picture.height) == (
            source.streams.video[0].width,
            source.streams.video[0].height,
        )
