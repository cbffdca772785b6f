"""What is published to a real nginx with its RTMP module."""

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from loadtest.programs import running
from loadtest.rtmp import HOST, RtmpServer, rtmp_server
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.timeline import Timeline
from streamguard.ingest.asking import Service
from streamguard.ingest.nginx_rtmp import TWINS, Connections, NginxRtmp, Processes
from streamguard.ingest.stat_page import Publish, StatPage
from tests.conftest import NginxRtmp as Programs
from tests.ingest.watching import Watching, watching
from tests.processes import until
from tests.servers import Answer, Connection, refusing_port, serving, silent, status, whole

pytest_plugins = ["tests.rtmp"]

DEADLINE_S = 60.0
PULL = f"rtmp://{HOST}:1935"


def watching_stat(url: str, pull: str = PULL) -> AbstractContextManager[Watching]:
    return watching(NginxRtmp(Service("edge", url, timeout_s=5.0), pull, SystemClock()))


def watching_server(server: RtmpServer) -> AbstractContextManager[Watching]:
    return watching_stat(server.stat_url, f"rtmp://{HOST}:{server.port}")


@contextmanager
def publishing(server: RtmpServer, clip: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Publish under a name that no URL need be able to hold."""
    source = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip)]
    place = ["-rtmp_playpath", name, f"rtmp://{HOST}:{server.port}/live"]
    with running([*source, "-an", "-c", "copy", "-f", "flv", *place], server.folder / "log") as it:
        yield it


@pytest.mark.integration
def test_a_publish_is_found_and_can_be_pulled_whatever_its_name(
    rtmp: RtmpServer, real_clips: dict[str, Path], requires_ffmpeg: Path
) -> None:
    names = ("a b", "x.flv", "mp4:y", "a/../b")
    timeouts = SourceTimeouts(DEADLINE_S, DEADLINE_S)
    with ExitStack() as publishers, watching_server(rtmp) as server:
        for name in names:
            publishers.enter_context(publishing(rtmp, real_clips["bikes"], name))
        found = server.until(lambda listed: len(listed) == len(names))

        for one in found:
            with PyavSource(one.location, Timeline(), SystemClock(), timeouts) as source:
                assert next(source.packets(lambda: False)).is_keyframe

    assert {one.path for one in found} == {f"live/{name}" for name in names}


@pytest.mark.integration
def test_publishes_that_are_shown_by_one_name_hide_none_of_them(
    rtmp: RtmpServer, real_clips: dict[str, Path], requires_ffmpeg: Path
) -> None:
    """By that name the harmless one is had, and the other would pass for screened."""
    clip = real_clips["bikes"]
    with publishing(rtmp, clip, "a "), watching_server(rtmp) as server:
        (alone,) = server.until(lambda listed: len(listed) == 1)
        with publishing(rtmp, clip, "a\x01"):
            server.until(lambda listed: not listed)
            left_out = server.watch.listed.left_out

    assert alone.path == "live/a "
    assert left_out == {"live/a ": TWINS}


@pytest.mark.integration
def test_a_publish_that_ends_is_no_longer_listed_and_the_next_is_another_session(
    rtmp: RtmpServer, real_clips: dict[str, Path], requires_ffmpeg: Path
) -> None:
    with watching_server(rtmp) as server:
        with publishing(rtmp, real_clips["bikes"], "a"):
            (first,) = server.until(lambda listed: len(listed) == 1)
        server.until(lambda listed: not listed)
        with publishing(rtmp, real_clips["bikes"], "a"):
            (second,) = server.until(lambda listed: len(listed) == 1)

    assert second.path == first.path
    assert second.session != first.session


@pytest.mark.integration
def test_several_processes_of_nginx_are_found_out(
    requires_nginx_rtmp: Programs, tmp_path: Path
) -> None:
    program, module = requires_nginx_rtmp.program, requires_nginx_rtmp.module
    with rtmp_server(program, module, tmp_path, n_processes=2) as rtmp, watching_server(rtmp) as it:

        def is_found_out() -> bool:
            """Ask again: the kernel chooses who answers, each time anew."""
            it.look()
            return "worker_processes 1" in (it.watch.problem or "")

        until(is_found_out)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (whole(b"<html>hello</html>"), "rtmp_stat"),
        (whole(b"<rtmp><pid>1</pid>"), "rtmp_stat"),
        (status("403 Forbidden"), "403"),
        (status("302 Found"), "302"),
        (silent, "5 s"),
    ],
)
def test_what_cannot_be_used_is_told_without_its_address(answer: Answer, problem: str) -> None:
    with serving(answer) as web, watching_stat(web.url("/stat-page")) as server:
        server.look()

        assert problem in (server.watch.problem or "")
        assert "stat-page" not in (server.watch.problem or "")


def test_a_server_that_is_down_is_told() -> None:
    with watching_stat(f"http://127.0.0.1:{refusing_port()}/stat") as server:
        server.look()

        assert server.watch.problem == (
            "server edge: it does not answer: is it up, and is its API enabled?"
        )


def test_an_answer_without_end_is_given_up() -> None:
    def endless(connection: Connection) -> None:
        connection.head()
        while True:
            connection.send(b"x" * (1 << 20))

    with serving(endless) as web, watching_stat(web.url()) as server:
        server.look()

        assert not server.watch.is_up


def test_a_process_that_started_after_the_last_answer_is_a_restart() -> None:
    processes = Processes()
    processes.note(7, uptime_s=100, now_s=1000.0)
    processes.note(8, uptime_s=1, now_s=1003.0)

    assert not processes.are_several


def test_a_process_that_was_there_all_along_is_a_second_one() -> None:
    processes = Processes()
    processes.note(7, uptime_s=100, now_s=1000.0)
    processes.note(8, uptime_s=101, now_s=1001.0)

    assert processes.are_several


def test_a_process_that_comes_back_was_there_all_along() -> None:
    processes = Processes()
    for pid, now_s in ((7, 0.5), (8, 1.0), (7, 2.0)):
        processes.note(pid, uptime_s=int(now_s), now_s=now_s)

    assert processes.are_several


def test_two_processes_stay_a_problem_until_nginx_is_restarted() -> None:
    processes = Processes()
    processes.note(7, uptime_s=100, now_s=1000.0)
    processes.note(8, uptime_s=101, now_s=1001.0)
    processes.note(7, uptime_s=102, now_s=1002.0)
    were_several = processes.are_several

    processes.note(9, uptime_s=0, now_s=1005.0)

    assert were_several
    assert not processes.are_several


def test_a_process_that_keeps_its_number_across_a_restart_is_no_second_one() -> None:
    processes = Processes()
    processes.note(7, uptime_s=100, now_s=1000.0)
    processes.note(7, uptime_s=1, now_s=1003.0)

    assert not processes.are_several


def at(age_ms: int, *, pid: int = 7, client: str = "1") -> StatPage:
    return StatPage(pid, 1, (Publish("live", "a", client, age_ms, "", 0, None),))


def test_a_connection_keeps_its_name_while_it_lasts() -> None:
    connections = Connections()

    names = {connections.name_all(at(1000 * age), 50.9 + age)[0] for age in range(1, 9)}

    assert len(names) == 1


def test_a_connection_keeps_its_name_when_we_begin_anew() -> None:
    before, after = Connections(), Connections()

    assert before.name_all(at(1000), 51.0) == after.name_all(at(9000), 59.0)


def test_a_slow_answer_makes_no_new_connection() -> None:
    connections = Connections()
    (first,) = connections.name_all(at(1000), 51.0)

    (second,) = connections.name_all(at(2000), 53.9)

    assert second == first


def test_the_first_connection_after_a_restart_is_another_one() -> None:
    connections = Connections()
    (first,) = connections.name_all(at(60_000), 100.0)

    (second,) = connections.name_all(at(500), 105.0)

    assert second != first
