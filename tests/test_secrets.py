"""URLs hold stream keys, passwords and tokens: none of them appears anywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import (
    Running,
    environment,
    metric,
    on_time,
    streamguard,
    transport_stream,
    until,
)
from tests.servers import Answer, cut_short, in_turn, redirect, refusing_port, serving, status

pytestmark = pytest.mark.integration

USER, PASSWORD, KEY, TOKEN = "ALICE", "HUNTER2", "LIVEKEY", "T0KEN"
SECRETS = (USER, PASSWORD, KEY, TOKEN)
USERINFO = f"{USER}:{PASSWORD}@"
PATH = f"/app/{KEY}?token={TOKEN}"


def leaked(text: str | bytes) -> set[str]:
    """Name the secrets in a text, in whatever case."""
    content = text if isinstance(text, str) else text.decode("latin-1")
    return {secret for secret in SECRETS if secret.lower() in content.lower()}


@pytest.fixture
def flaky(real_clips: dict[str, Path]) -> Answer:
    """Redirect, refuse, break off, send noise; then send what the bank knows."""
    channel = transport_stream(real_clips["bikes"])
    start = b"".join(payload for _, payload in channel[:60])
    return in_turn(
        redirect(f"http://{USERINFO}127.0.0.1:{refusing_port()}{PATH}"),
        status("403 Forbidden"),
        cut_short(b"G" + bytes(range(256)) * 800, 1_000_000),
        cut_short(start, 1_000_000),
        on_time(channel, burst_s=60),
    )


@pytest.fixture
def sources(flaky: Answer) -> Iterator[dict[str, str]]:
    """Give the URLs of a stream that is flaky, and of two that are not there."""
    with serving(flaky) as server:
        yield {
            "flaky": server.url(PATH, USERINFO),
            "refused": f"rtmp://{USERINFO}127.0.0.1:{refusing_port()}{PATH}",
            "unknown": f"rtmps://{USERINFO}no-such-host.invalid{PATH}",
        }


def test_the_secrets_are_found_where_they_are() -> None:
    assert (
        leaked(f"http://{USERINFO}host{PATH}")
        == leaked(PATH.encode() + b"alice:hunter2")
        == {*SECRETS}
    )


@pytest.mark.parametrize("name", ["flaky", "refused", "unknown"])
def test_a_url_on_the_command_line_is_not_repeated(name: str, sources: dict[str, str]) -> None:
    done = streamguard("screen", sources[name], "--stream-id", "it")

    assert done.code == 3
    assert leaked(done.out + done.err) == set()


@pytest.mark.parametrize("scheme", ["ftp", "x" * 13])
def test_a_url_that_cannot_be_screened_is_not_repeated(scheme: str) -> None:
    done = streamguard("screen", f"{scheme}://{USERINFO}host{PATH}", "--stream-id", "it")

    assert (done.code, leaked(done.out + done.err)) == (2, set())


def test_check_config_masks_what_the_file_holds(tmp_path: Path, sources: dict[str, str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        "".join(f'[[streams]]\nid = "{name}"\nurl = "{url}"\n' for name, url in sources.items())
    )

    done = streamguard("check-config", config)

    assert (done.code, leaked(done.out + done.err)) == (0, set())
    assert [stream["url"] for stream in json.loads(done.out)["streams"]] == ["**********"] * 3


def test_check_config_repeats_no_url_that_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[[streams]]\nid = "a"\nurl = "rtmp://{USERINFO}host:port{PATH}"\n')

    done = streamguard("check-config", config)

    assert (done.code, leaked(done.out + done.err)) == (2, set())


def test_a_service_keeps_its_urls_to_itself(
    tmp_path: Path, known_bank: Path, sources: dict[str, str]
) -> None:
    config, evidence = tmp_path / "config.toml", tmp_path / "evidence"
    config.write_text(
        f'[http]\nport = 0\n[bank]\npaths = ["{known_bank}"]\n[log]\nfile = "log/log.db"\n'
        '[evidence]\ndirectory = "evidence"\n'
    )
    streams = json.dumps([{"id": name, "url": url} for name, url in sources.items()])
    env = environment(STREAMGUARD_STREAMS=streams)

    with Running("run", "--config", config, cwd=tmp_path, env=env) as run:
        run.wait_for(run.log, event="run_started")
        until(lambda: metric(run, "evidence_total") >= 1)
        answers = [run.get(path)[1] for path in ("/metrics", "/livez", "/readyz", PATH)]
        code = run.stop()

    log = b"".join(file.read_bytes() for file in (tmp_path / "log").iterdir())
    names = [str(path.relative_to(tmp_path)) for path in evidence.rglob("*")]
    assert code == 0
    assert {row["stream_id"] for row in run.log if row["event"] == "source_lost"} == {*sources}
    assert len(names) >= 3  # a folder, a clip and a still
    assert leaked(json.dumps(run.out + run.log)) == set()
    assert leaked(log) == leaked("".join(answers)) == leaked("".join(names)) == set()
