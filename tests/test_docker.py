import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from streamguard.adapters.host_probe import judged_memory
from streamguard.core.check import State
from streamguard.settings import Settings, load_settings
from tests.conftest import IN_CI, NginxRtmp
from tests.processes import ROOT
from tests.servers import refusing_port

DOCKER = ROOT / "docker"
TEXT = (DOCKER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TOLD_TO_BUILD = "STREAMGUARD_TEST_IMAGES"

IMAGE_TAG = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-slim)?")
SECRET_WORDS = re.compile(r"passw|secret|token|credential|private", re.IGNORECASE)


def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docker_check", DOCKER / "check.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


INSTRUCTIONS: list[tuple[str, str]] = list(checker().instructions(TEXT))


def stage(name: str) -> list[tuple[str, str]]:
    """Give the instructions of one stage."""
    begins = [i for i, (keyword, _) in enumerate(INSTRUCTIONS) if keyword == "FROM"]
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        if INSTRUCTIONS[begin][1].endswith(f" AS {name}"):
            return INSTRUCTIONS[begin + 1 : end]
    raise LookupError(name)


def last(name: str, keyword: str) -> str:
    """Give the last instruction of its kind in a stage."""
    return [rest for word, rest in stage(name) if word == keyword][-1]


# ---- Dockerfile


def test_instructions_are_read_across_lines_and_comments() -> None:
    text = "# c\nFROM a AS b\nRUN one \\\n    && two\n\nrun three\n"

    assert list(checker().instructions(text)) == [
        ("FROM", "a AS b"),
        ("RUN", "one && two"),
        ("RUN", "three"),
    ]


def test_unknown_instruction_is_an_error_of_the_check(tmp_path: Path) -> None:
    module = checker()

    with pytest.raises(SystemExit, match="SHELL"):
        module.follow(module.Stage(tmp_path), "SHELL", '["bash"]', {})


def test_base_image_is_pinned_and_nothing_is_fetched_behind_the_lock() -> None:
    ((_, base),) = [item for item in INSTRUCTIONS if item[0] == "ARG"]
    own = {rest.rpartition(" AS ")[2] for keyword, rest in INSTRUCTIONS if keyword == "FROM"}
    parents = {rest.split()[0] for keyword, rest in INSTRUCTIONS if keyword == "FROM"}

    assert IMAGE_TAG.fullmatch(base.removeprefix("BASE="))
    assert parents <= own | {"${BASE}"}
    assert {keyword for keyword, _ in INSTRUCTIONS} <= {
        *("ARG", "FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "VOLUME", "EXPOSE"),
        *("HEALTHCHECK", "ENTRYPOINT", "CMD", "STOPSIGNAL"),  # no ADD
    }
    pip = [rest for keyword, rest in INSTRUCTIONS if keyword == "RUN" and "/pip " in rest]
    assert ["--require-hashes" in line or "--no-index" in line for line in pip] == [True, True]
    assert not re.search(r"curl|wget|://", TEXT.replace("http://127.0.0.1", ""))


def test_packages_of_debian_leave_no_lists_and_nothing_unasked() -> None:
    installs = [rest for keyword, rest in INSTRUCTIONS if "apt-get" in rest]

    assert installs
    for line in installs:
        assert "--no-install-recommends" in line
        assert "rm -rf /var/lib/apt/lists/*" in line


@pytest.mark.parametrize("name", ["streamguard", "ingest"])
def test_image_is_not_root_watched_and_started_without_a_shell(name: str) -> None:
    assert last(name, "USER") not in {"root", "0", "0:0"}
    assert last(name, "HEALTHCHECK").partition(" CMD ")[2].startswith("[")
    assert last(name, "ENTRYPOINT").startswith("[")
    words = [keyword for keyword, _ in stage(name)]
    assert "RUN" not in words[words.index("USER") :]


def test_streamguard_is_the_default_image() -> None:
    names = [rest for keyword, rest in INSTRUCTIONS if keyword == "FROM"]

    assert names[-1].endswith(" AS streamguard")


def test_image_sets_only_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = dict(word.split("=", 1) for word in last("streamguard", "ENV").split())
    ours = {name: value for name, value in pairs.items() if name.startswith("STREAMGUARD_")}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)

    settings = load_settings(None)

    assert len(ours) >= 3
    assert str(settings.log.file).startswith(last("streamguard", "VOLUME"))
    assert f"http://127.0.0.1:{settings.http.port}/livez" in last("streamguard", "HEALTHCHECK")
    assert last("streamguard", "EXPOSE") == str(settings.http.port)


def test_builder_gets_what_is_copied_and_nothing_else() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source.removeprefix("./")
        for keyword, rest in INSTRUCTIONS
        if keyword == "COPY" and "--from=" not in rest
        for source in rest.split()[:-1]
    }

    assert let_in == copied
    assert all((ROOT / source).exists() for source in copied)


# ---- compose.yaml


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_pinned_limited_watched_and_without_rights(name: str) -> None:
    service = SERVICES[name]

    assert IMAGE_TAG.fullmatch(service["image"])
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    has_its_own = service.get("build", {}).get("target") in {"streamguard", "ingest"}
    assert "healthcheck" in service or has_its_own
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "devices", "cap_add"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        host, _, _ = port.split(":")
        assert ip_address(host).is_loopback


def test_own_images_are_read_only() -> None:
    own = [service for service in SERVICES.values() if "build" in service]

    assert len(own) == 2
    for service in own:
        assert service["read_only"] is True
        assert service["build"]["dockerfile"] == "docker/Dockerfile"
        assert (DOCKER / service["build"]["context"]).resolve() == ROOT
        assert service["image"].endswith(f":{version()}")


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_mounted_files_are_there_and_volumes_are_named() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]

    for mount in mounts:
        source, _, _ = mount.partition(":")
        if source.startswith("."):
            assert (DOCKER / source).exists(), source
            assert mount.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_no_secret_stands_in_a_file() -> None:
    for service in SERVICES.values():
        named = [name for name in service.get("environment", {}) if SECRET_WORDS.search(name)]
        assert named == []
    assert "secrets" not in COMPOSE


def test_services_find_each_other() -> None:
    settings: Settings = load_settings(DOCKER / "streamguard.toml")
    targets = yaml.safe_load((DOCKER / "prometheus-targets.yml").read_text())
    kafka = SERVICES["kafka"]["environment"]

    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert "INSIDE://kafka:9092" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert settings.kafka.replication_factor == 1
    assert [(s.api, s.pull) for s in settings.servers] == [
        ("http://ingest:8080/stat", "rtmp://ingest:1935")
    ]
    acting = load_settings(DOCKER / "enforce.toml")
    scraped = {
        "streamguard": settings.http.port,
        "enforcer": acting.enforce.port,
        "review": settings.review.metrics_port,
    }
    assert targets == [{"targets": [f"{name}:{port}" for name, port in scraped.items()]}]
    assert set(scraped) <= set(SERVICES)
    assert SERVICES["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert {"ingest", "kafka", "prometheus", "streamguard"} <= set(SERVICES)


def test_the_enforcer_acts_on_what_is_screened() -> None:
    settings = load_settings(DOCKER / "enforce.toml")
    screening = load_settings(DOCKER / "streamguard.toml")
    nginx = (DOCKER / "nginx-rtmp.conf").read_text()

    assert settings.servers == screening.servers
    assert settings.deployment == screening.deployment
    assert [one.api for one in settings.controls] == ["http://ingest:8080/control"]
    assert f"enforcer:{settings.enforce.admission_port};" in nginx
    assert "/admission/ingest;" in nginx
    assert SERVICES["enforcer"]["image"] == SERVICES["streamguard"]["image"]
    assert f"127.0.0.1:{settings.enforce.port}/livez" in str(SERVICES["enforcer"]["healthcheck"])
    assert SERVICES["enforcer"]["read_only"] is True


def test_reviewers_see_what_is_screened() -> None:
    settings = load_settings(DOCKER / "streamguard.toml")
    review, screening = SERVICES["review"], SERVICES["streamguard"]

    assert review["image"] == screening["image"]
    assert set(review["volumes"]) == set(screening["volumes"])
    assert review["ports"] == [f"127.0.0.1:{settings.review.port}:{settings.review.port}"]
    assert f"127.0.0.1:{settings.review.port}/sign-in" in str(review["healthcheck"])
    assert review["read_only"] is True


def test_stop_has_time_to_finish() -> None:
    settings = load_settings(DOCKER / "streamguard.toml")

    grace_s = float(SERVICES["streamguard"]["stop_grace_period"].removesuffix("s"))

    assert grace_s > settings.worker.stop_timeout_s


def test_workers_are_ended_by_us_before_the_container_is_full() -> None:
    settings = load_settings(DOCKER / "streamguard.toml")
    limits = SERVICES["streamguard"]["deploy"]["resources"]["limits"]
    limit_mb = int(limits["memory"].removesuffix("g")) << 10

    check = judged_memory(limit_mb, int(limits["cpus"]) + 1, settings.worker.max_rss_mb)

    assert check.state is State.OK


# ---- real programs


@pytest.mark.integration
def test_nginx_accepts_the_configuration(requires_nginx_rtmp: NginxRtmp, tmp_path: Path) -> None:
    text = (DOCKER / "nginx-rtmp.conf").read_text()
    for shipped, ours in {
        "/usr/lib/nginx/modules/ngx_rtmp_module.so": str(requires_nginx_rtmp.module),
        "listen 1935": f"listen {refusing_port()}",
        "listen 8080": f"listen {refusing_port()}",
        " /tmp": f" {tmp_path}",
    }.items():
        assert shipped in text
        text = text.replace(shipped, ours)
    (tmp_path / "nginx.conf").write_text(text)
    command = [requires_nginx_rtmp.program, "-t", "-e", "stderr", "-c", tmp_path / "nginx.conf"]

    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_images_are_built_and_run_in_a_clean_debian() -> None:
    if not (IN_CI or os.environ.get(TOLD_TO_BUILD)):
        pytest.skip(f"it takes two minutes and 300 MB of downloads: set {TOLD_TO_BUILD}=1")
    if os.geteuid() != 0:
        pytest.skip("making a Debian root needs root")
    if shutil.which("debootstrap") is None:
        pytest.skip("no debootstrap here: install debootstrap")

    done = subprocess.run(
        [sys.executable, str(DOCKER / "check.py")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=880,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
    assert "opennsfw" in done.stdout
    assert done.stdout.rstrip().endswith("all well")
