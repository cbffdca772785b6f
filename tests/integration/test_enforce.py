"""A decision becomes a stream that is gone. All real: nginx, ffmpeg, the enforcer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.rtmp import RtmpServer, free_port, rtmp_server
from streamguard.core.event_data import utc_seconds
from tests.conftest import NginxRtmp
from tests.processes import Running, streamguard, until

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

KEY = "sk_publishers-own-key"


@contextmanager
def stage(folder: Path, rtmp: RtmpServer, form: Form | None = None) -> Iterator[EnforceStage]:
    made = EnforceStage(folder, rtmp, form)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def enforcing(made: EnforceStage) -> Iterator[Running]:
    with Running("enforce", "--config", made.config, cwd=made.folder) as running:
        running.wait_for(running.log, event="enforce_started")
        yield running
        running.process.terminate()
        running.join()


@pytest.fixture
def clip(real_clips: dict[str, Path]) -> Path:
    return real_clips["bikes"]


def test_a_decision_to_cut_ends_the_stream_and_proves_it(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made) as running, rtmp.publish(clip, KEY) as one:
        stream = made.live(KEY)
        decision = made.decide(stream, "cut")
        event = made.outcome(decision)
        one.wait(30)
        told = made.told(decision)

    data = event.data.model_dump()
    assert [row["type"].split(".")[3] for row in told] == ["requested", "verified"]
    assert (data["method"], data["window_ms"]) == ("no_media", 3000)
    assert utc_seconds(data["verified_time"]) - utc_seconds(data["effective_time"]) >= 3.0
    assert utc_seconds(data["denied_until"]) - utc_seconds(data["decided_time"]) > 3000
    assert KEY not in f"{running.log}{told}"


def test_a_publisher_that_comes_back_at_once_is_ended_again(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    """The server asks nobody who may publish: whoever comes back is found by looking."""
    with stage(tmp_path, rtmp) as made, enforcing(made) as running:
        with rtmp.publish(clip, KEY):
            made.outcome(made.decide(made.live(KEY), "cut"))
        for _ in range(2):
            with rtmp.publish(clip, KEY) as again:
                again.wait(30)

        assert running.wait_for(running.log, event="publisher_came_back", done="kicked")


def test_a_stream_that_was_replaced_meanwhile_is_left_alone(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with stage(tmp_path, rtmp) as made:
        with rtmp.publish(clip, KEY):
            stream = made.live(KEY)
        made.gone(KEY)
        with rtmp.publish(clip, KEY) as other:
            made.live(KEY)
            with enforcing(made):
                event = made.outcome(made.decide(stream, "cut"))
                assert made.paths() == [f"live/{KEY}"]
                assert other.poll() is None

    assert event.data.model_dump()["reason"] == "session_replaced"


def test_a_hold_takes_a_stream_from_its_viewers_and_restoring_gives_it_back(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made), rtmp.publish(clip, KEY) as one:
        stream = made.live(KEY)
        held = made.outcome(made.decide(stream, "hold")).data.model_dump()
        [moved] = made.paths()
        restored = made.outcome(made.decide(stream, "restore")).data.model_dump()

        assert one.poll() is None
        assert made.paths() == [f"live/{KEY}"]
    assert held["method"] == "no_media"
    assert moved.startswith("live/sg-hold-")
    assert len(moved) > len("live/sg-hold-") + 30
    assert restored["method"] == "media"


def test_a_suspended_stream_may_be_published_again_once_it_is_restored(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made):
        with rtmp.publish(clip, KEY):
            stream = made.live(KEY)
            cut = made.outcome(made.decide(stream, "cut_and_suspend")).data.model_dump()
        made.outcome(made.decide(stream, "restore"))
        with rtmp.publish(clip, KEY) as again:
            made.live(KEY)

            assert again.poll() is None
    assert cut["denied_until"] is None


def test_a_denied_publisher_is_refused_at_the_door(
    tmp_path: Path, requires_nginx_rtmp: NginxRtmp, clip: Path
) -> None:
    nginx, door = requires_nginx_rtmp, free_port()
    hook = f"on_publish http://127.0.0.1:{door}/admission/edge;"
    (tmp_path / "rtmp").mkdir()
    with rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", extra=hook) as rtmp:
        form = Form("enforce", door)
        with stage(tmp_path, rtmp, form) as made, enforcing(made):
            with rtmp.publish(clip, KEY):
                made.outcome(made.decide(made.live(KEY), "cut"))
            with rtmp.publish(clip, KEY) as again, rtmp.publish(clip, "other") as other:
                again.wait(30)
                until(lambda: made.paths() == ["live/other"])

                assert other.poll() is None


def test_the_enforcer_says_how_it_does(tmp_path: Path, rtmp: RtmpServer, clip: Path) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made) as running, rtmp.publish(clip, KEY):
        made.outcome(made.decide(made.live(KEY), "cut"))
        port = running.wait_for(running.log, event="enforce_started")["port"]
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz")

    assert 'streamguard_enforce_actions_total{act="cut",outcome="done"} 1.0' in metrics
    assert 'streamguard_enforce_actions_total{act="hold",outcome="still_live"} 0.0' in metrics
    assert "streamguard_enforce_open_actions 0.0" in metrics
    assert "streamguard_enforce_breaker_open 0.0" in metrics
    assert "streamguard_enforce_denied 1.0" in metrics
    assert ready.status_code == 200


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("[[controls]]", "[[nothing]]"), "nothing: there is no such setting"),
        (('server = "edge"', 'server = "else"'), "controls names the server 'else'"),
        (("sweep_s = 0.5", "kafka = true"), "needs [kafka] bootstrap_servers"),
        (("sweep_s = 0.5", 'webhook = "http://a"'), "needs a webhook_secret_file"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    nowhere = RtmpServer(1, tmp_path, 2)
    with stage(tmp_path, nowhere) as made:
        made.config.write_text(made.config.read_text().replace(*change))

        done = streamguard("enforce", "--config", made.config, cwd=tmp_path)

    assert done.code == 2
    assert problem in done.problem


def test_a_second_enforcer_is_refused(tmp_path: Path, rtmp: RtmpServer) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made):
        done = streamguard("enforce", "--config", made.config, cwd=tmp_path)

    assert done.code == 2
    assert "another enforcer" in done.problem


def test_who_is_kept_out_by_hand_is_ended_while_the_enforcer_works(
    tmp_path: Path, rtmp: RtmpServer, clip: Path
) -> None:
    with stage(tmp_path, rtmp) as made, enforcing(made) as running, rtmp.publish(clip, KEY) as one:
        stream_id = made.live(KEY).stream_id
        more = ("--reason", "order 7", "--config", made.config)
        done = streamguard("deny-list", "add", stream_id, *more, cwd=made.folder)
        one.wait(30)
        ended = running.wait_for(running.log, event="publisher_came_back", stream_id=stream_id)
        streamguard("deny-list", "remove", stream_id, *more, cwd=made.folder)
        port = running.wait_for(running.log, event="enforce_started")["port"]
        url = f"http://127.0.0.1:{port}/metrics"
        until(lambda: "streamguard_enforce_denied 0.0" in httpx.get(url).text)
        with rtmp.publish(clip, KEY) as again:
            made.live(KEY)

            assert again.poll() is None

    assert done.code == 0
    assert ended["done"] == "kicked"
