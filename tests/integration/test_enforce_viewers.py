"""A stream whose reach is limited: who watches goes on, nobody new may begin. All real."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.enforce_stage import Form
from loadtest.programs import running
from loadtest.rtmp import RtmpServer, free_port, rtmp_server
from tests.conftest import NginxRtmp
from tests.integration.test_enforce import KEY, enforcing, stage
from tests.processes import DEADLINE_S, until

pytestmark = pytest.mark.integration


@contextmanager
def viewer(
    rtmp: RtmpServer, folder: Path, name: str = KEY
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Watch, and write down each packet."""
    seen = folder / "packets"
    asked = ["-v", "quiet", "-probesize", "32", "-analyzeduration", "0", "-show_entries"]
    command = ["ffprobe", *asked, "packet=size", "-of", "csv=p=0", rtmp.url(name)]
    with running(command, seen) as process:
        yield process, seen


def test_nobody_new_may_watch_and_who_watches_goes_on(
    tmp_path: Path, requires_nginx_rtmp: NginxRtmp, real_clips: dict[str, Path]
) -> None:
    nginx, door = requires_nginx_rtmp, free_port()
    for name in ("rtmp", "first", "second"):
        (tmp_path / name).mkdir()
    hook = f"on_play http://127.0.0.1:{door}/admission/edge;"
    form = Form("enforce", door, enforce="admission_exempt = []")
    with (
        rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", extra=hook) as rtmp,
        stage(tmp_path, rtmp, form) as made,
        enforcing(made),
        rtmp.publish(real_clips["bikes"], KEY),
    ):
        stream = made.live(KEY)
        with viewer(rtmp, tmp_path / "first") as (first, seen):
            until(lambda: seen.stat().st_size > 0)
            event = made.outcome(made.decide(stream, "limit_reach"))
            with viewer(rtmp, tmp_path / "second") as (second, _):
                second.wait(DEADLINE_S)  # refused
            size = seen.stat().st_size
            until(lambda: seen.stat().st_size > size)

            assert first.poll() is None
        made.outcome(made.decide(stream, "restore"))
        with viewer(rtmp, tmp_path / "second") as (_, again):
            until(lambda: again.stat().st_size > 0)

    assert event.data.model_dump()["method"] == "deny_list"


@pytest.mark.parametrize(("exempt", "is_seen"), [("[]", False), ('["127.0.0.1"]', True)])
def test_who_knows_where_a_stream_is_held_may_not_watch_it_unless_it_screens(
    tmp_path: Path,
    requires_nginx_rtmp: NginxRtmp,
    real_clips: dict[str, Path],
    exempt: str,
    *,
    is_seen: bool,
) -> None:
    nginx, door = requires_nginx_rtmp, free_port()
    hook = f"on_play http://127.0.0.1:{door}/admission/edge;"
    for name in ("rtmp", "viewer"):
        (tmp_path / name).mkdir()
    form = Form("enforce", door, enforce=f"admission_exempt = {exempt}")
    with (
        rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", extra=hook) as rtmp,
        stage(tmp_path, rtmp, form) as made,
        enforcing(made),
        rtmp.publish(real_clips["bikes"], KEY),
    ):
        made.outcome(made.decide(made.live(KEY), "hold"))
        [path] = made.paths()
        with viewer(rtmp, tmp_path / "viewer", path.partition("/")[2]) as (process, seen):
            until(lambda: process.poll() is not None or seen.stat().st_size > 0)

            assert (seen.stat().st_size > 0) is is_seen
