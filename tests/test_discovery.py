"""What the settings say of ingest servers comes to life as they say."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.core.location import parse_location
from streamguard.core.published import Broadcast, SessionKey
from streamguard.core.sampling import Sampling
from streamguard.discovery import registry_of, show
from streamguard.ingest.mediamtx import MediaMtx
from streamguard.ingest.nginx_rtmp import NginxRtmp
from streamguard.ingest.registry import Registry
from streamguard.ingest.srs import Srs
from streamguard.ingest.watch import Listed
from streamguard.settings import Settings, load_settings
from tests.processes import ROOT, streamguard

EXAMPLE = ROOT / "configs" / "discovery.toml"
SERVER = {
    "name": "edge",
    "kind": "nginx_rtmp",
    "api": "http://127.0.0.1:8080/stat",
    "pull": "rtmp://127.0.0.1",
}


def settings_of(folder: Path, **server: Any) -> Settings:
    return Settings.model_validate(
        {"servers": [SERVER | server], "log": {"file": folder / "log" / "events.db"}}
    )


def registry(settings: Settings) -> Registry:
    async def made() -> Registry:
        made = registry_of(settings, (), SystemClock())
        for watch in made.watches:
            await watch.watched.provider.close()
        return made

    return asyncio.run(made())


def test_the_example_has_one_server_of_every_kind(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("/run/secrets/streamguard", str(tmp_path))
    text = text.replace("/etc/streamguard", str(ROOT / "configs"))
    text = text.replace("/var/lib/streamguard/events", str(tmp_path))
    (tmp_path / "deployment").write_text("s" * 32)
    (tmp_path / "mediamtx-password").write_text("made up\n")
    (tmp_path / "discovery.toml").write_text(text)

    made = registry(load_settings(tmp_path / "discovery.toml"))

    providers = [watch.watched.provider for watch in made.watches]
    assert [type(provider) for provider in providers] == [NginxRtmp, MediaMtx, Srs]
    assert [provider.name for provider in providers] == ["edge", "studio", "mobile"]


def test_without_a_secret_one_is_made_beside_the_log(tmp_path: Path) -> None:
    registry(settings_of(tmp_path))

    assert (tmp_path / "log" / "events.db.secret").exists()


def test_without_servers_no_secret_is_made(tmp_path: Path) -> None:
    registry(Settings.model_validate({"log": {"file": tmp_path / "events.db"}}))

    assert not list(tmp_path.iterdir())


def test_a_found_stream_is_screened_as_its_server_s_settings_say(tmp_path: Path) -> None:
    made = registry(settings_of(tmp_path, sampling="keyframes"))

    stream = made.watches[0].watched.make("edge-1", parse_location("rtmp://h/a"), "key")

    assert (stream.sampling, stream.session_key) == (Sampling.KEYFRAMES, "key")


def test_how_discovery_does_can_be_scraped(tmp_path: Path) -> None:
    made, metrics = registry(settings_of(tmp_path)), CollectorRegistry()
    show(made, metrics)
    watch = made.watches[0]
    key = SessionKey("edge", "live/a", "1")
    one = Broadcast("live/a", key, parse_location("rtmp://h/live/a"), None)
    before = metrics.get_sample_value("streamguard_discovery_up", {"server": "edge"})

    watch.problem, watch.listed = None, Listed((one,), {"test/a": "a test card", "test/b": "too"})

    figures = ("up", "streams", "left_out")
    values = [
        metrics.get_sample_value(f"streamguard_discovery_{figure}", {"server": "edge"})
        for figure in figures
    ]
    assert before == 0
    assert values == [1, 1, 2]


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("name", "Edge", "give up to 32 small letters"),
        ("name", "edge-1", "name"),
        ("kind", "wowza", "kind"),
        ("api", "http://user:key@h/stat", "give http://host:port/path"),
        ("api", "http:///stat", "give http://host:port/path"),
        ("api", "ftp://h/stat", "api"),
        ("pull", "rtsp://127.0.0.1:8554", "pulled by rtmp://"),
        ("pull", "rtmp://127.0.0.1/live", "give rtmp://host:port"),
        ("password_file", "secret", "needs a user"),
        ("renditions", ["_720p "], "renditions"),
        ("include", [], "include"),
        ("banks", ["none"], "there is none"),
    ],
)
def test_a_mistake_is_told_without_its_value(
    tmp_path: Path, setting: str, value: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as refusal:
        settings_of(tmp_path, **{setting: value})

    assert "user:key" not in str(refusal.value)


def test_two_servers_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two servers have the name 'edge'"):
        Settings.model_validate({"servers": [SERVER, SERVER]})


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, user="a", password_file=tmp_path / "none")

    with pytest.raises(ConfigError, match="server edge: the password_file cannot be read"):
        registry(settings)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("user = 'a'\npassword_file = 'none'", "server edge: the password_file cannot be read"),
        ("policy_file = 'none.toml'", "none.toml cannot be read"),
        ("[deployment]\nsecret_file = 'none'", "none: the secret of this deployment"),
        ("[admin]\ntoken_file = 'none'", "none: the token cannot be read"),
    ],
)
def test_check_config_reads_the_files_that_it_names(
    tmp_path: Path, setting: str, problem: str
) -> None:
    server = "\n".join(f"{name} = '{value}'" for name, value in SERVER.items())
    (tmp_path / "c.toml").write_text(f"[[servers]]\n{server}\n{setting}\n")

    done = streamguard("check-config", "c.toml", cwd=tmp_path)

    assert (done.code, done.out) == (2, "")
    assert problem in done.problem
    assert [file.name for file in tmp_path.iterdir()] == ["c.toml"]
