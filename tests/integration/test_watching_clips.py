"""A clip is watched while its flag is open: nginx-rtmp, `run` and a browser as processes."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from subprocess import Popen

import av
import httpx
import pytest

from loadtest.browser import browser
from loadtest.encoding import Form, Scene, encode_copy
from loadtest.programs import stop
from loadtest.rtmp import RtmpServer
from streamguard.admin.clips import ACTOR
from tests.kept import content_of
from tests.processes import Row, Running, short_type, streamguard, until

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

KEY = "publishers-own-key"
CONFIGURATION = """
[[streams]]
id = "channel-7"
url = "{url}"
[bank]
paths = ["bank"]
[log]
file = "events.db"
[evidence]
directory = "evidence"
[http]
port = 0
[admin]
port = 0
"""
PLAYED_S = 1.0
PATIENCE_S = 60.0
"""Nothing here is judged by how fast it is: a machine may be busy."""


@pytest.fixture
def copy(real_clips: dict[str, Path], requires_ffmpeg: Path, tmp_path: Path) -> Path:
    """Encode six seconds of a known clip anew."""
    made = tmp_path / "copy.mp4"
    encode_copy(Scene(real_clips["bikes"], 2.0, 6.0), Form.LETTERBOX, made, gop=25)
    return made


class Site:
    """A publisher who shows known content over and over, and a `run` that screens him."""

    def __init__(self, publisher: "Popen[bytes]", run: Running, folder: Path) -> None:
        self.publisher, self.run = publisher, run
        port = int(run.wait_for(run.log, event="admin_started")["port"])
        self.home = f"http://127.0.0.1:{port}/"
        self._folder = folder
        until(lambda: bool(self.flags()))
        self.flag_id = self.flags()[0]["flag_id"]
        self.url = f"{self.home}v1/evidence/{self.flag_id}/clip"
        self.token = (folder / "events.db.token").read_text()
        self.headers = {"Authorization": f"Bearer {self.token}", ACTOR: "anna"}

    def flags(self, kind: str = "flag.opened") -> list[Row]:
        """Give the flags of the log, by their events of a kind."""
        told = streamguard("events", "--log", self._folder / "events.db")
        return [row["data"] for row in told.rows if short_type(row) == kind]

    def closed(self) -> list[Row]:
        """Give the end of the flag that is watched, if it has come."""
        return [flag for flag in self.flags("flag.closed") if flag["flag_id"] == self.flag_id]

    def status(self) -> int:
        """Say whether the clip has begun; nothing of it is read."""
        with httpx.stream(
            "GET", self.url, headers=self.headers, timeout=PATIENCE_S, trust_env=False
        ) as answer:
            return answer.status_code


@pytest.fixture
def site(
    real_clips: dict[str, Path], rtmp: RtmpServer, copy: Path, tmp_path: Path
) -> Iterator[Site]:
    clip, bank = real_clips["bikes"], tmp_path / "bank"
    assert streamguard("bank", "build", bank, clip, "--policy", "TVEC-TEST").code == 0
    (tmp_path / "run.toml").write_text(CONFIGURATION.format(url=rtmp.url(KEY)))
    with (
        rtmp.publish(copy, KEY) as publisher,
        Running("run", "--config", "run.toml", cwd=tmp_path) as running,
    ):
        yield Site(publisher, running, tmp_path)


def test_a_browser_plays_the_clip_of_a_segment_that_is_open(
    site: Site, requires_chromium: Path
) -> None:
    until(lambda: site.status() == httpx.codes.OK)

    with browser(site.headers, site.home) as page:
        played = page.play(site.url, PLAYED_S, PATIENCE_S)

    assert (played.error, site.closed()) == ("", [])
    assert played.played_s >= PLAYED_S


def test_what_is_watched_is_what_is_kept_and_every_look_is_on_record(
    site: Site, tmp_path: Path
) -> None:
    until(lambda: site.status() == httpx.codes.OK)

    watched = asyncio.run(watched_until_the_end(site))
    until(lambda: bool(site.closed()))
    [closed] = site.closed()
    shown = streamguard("evidence", "show", site.flag_id, "--evidence", tmp_path / "evidence")
    verified = streamguard("evidence", "verify", "--evidence", tmp_path / "evidence")

    evidence = closed["evidence"]
    assert (evidence["n_clip_files"], "is_growing" in evidence) == (1, False)
    assert hashlib.sha256(watched).hexdigest() == evidence["clip"]["sha256"]
    assert content_of(evidence["clip"]) == watched
    with av.open(BytesIO(watched)) as clip:
        assert len(list(clip.decode(video=0))) > 25
    assert verified.code == 0, verified.out
    assert '"actor": "anna"' in shown.out
    context = json.loads(shown.out)["manifest"]["stream_context"]
    assert (context["protocol"], context["epoch"]) == ("rtmp", 0)
    assert context["began_at"] < closed["window"]["end_time"]


async def watched_until_the_end(site: Site) -> bytes:
    """Watch the clip while it grows; let its publisher leave when it has grown."""
    content = b""
    is_ending = False
    async with (
        httpx.AsyncClient(headers=site.headers, timeout=PATIENCE_S, trust_env=False) as client,
        client.stream("GET", site.url) as answer,
    ):
        n_first = 0
        async for more in answer.aiter_raw():
            content += more
            n_first = n_first or len(content)
            if len(content) > n_first and not is_ending:
                is_ending = True
                stop(site.publisher)
    return content


def test_a_clip_stands_when_the_supervisor_is_killed_while_it_grows(
    site: Site, tmp_path: Path
) -> None:
    until(lambda: site.status() == httpx.codes.OK)
    site.run.process.kill()
    site.run.join()

    with Running("run", "--config", "run.toml", cwd=tmp_path):
        until(lambda: bool(site.closed()))
    [closed] = site.closed()
    verified = streamguard("evidence", "verify", "--evidence", tmp_path / "evidence")

    assert (closed["flag_id"], closed["close_reason"]) == (site.flag_id, "interrupted")
    assert closed["evidence"]["state"] == "ready"
    with av.open(BytesIO(content_of(closed["evidence"]["clip"]))) as clip:
        assert len(list(clip.decode(video=0))) >= 1
    assert verified.code == 0, verified.out


def test_without_the_token_nothing_is_shown(site: Site) -> None:
    answers = [
        httpx.get(site.url, headers=headers, trust_env=False)
        for headers in ({}, {"Authorization": "Bearer wrong"})
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert KEY not in "".join(answer.text for answer in answers)
