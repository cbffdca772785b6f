from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.checks.control_check import checked_controls, checked_credentials
from streamguard.cli import main
from streamguard.core.check import CONFIGURATION, DEPENDENCY, Check, State
from streamguard.settings import load_settings
from tests.ingest.stand_ins import MediaMtxServer, SrsServer
from tests.servers import HOST, refusing_port, serving, whole


def found(folder: Path, kind: str, url: str, more: str = "") -> list[Check]:
    file = written(folder, kind, url, more)
    settings = load_settings(file)
    return [*checked_credentials(settings), *checked_controls(settings)]


def written(folder: Path, kind: str, url: str, more: str = "") -> Path:
    """Write a configuration with one server that takes orders."""
    scheme = "rtsp" if kind == "mediamtx" else "rtmp"
    file = folder / "enforce.toml"
    file.write_text(
        f"[[servers]]\nname = 'edge'\nkind = '{kind}'\napi = '{url}'\n"
        f"pull = '{scheme}://{HOST}'\n[[controls]]\nserver = 'edge'\napi = '{url}'\n{more}"
    )
    return file


@pytest.fixture
def mediamtx() -> Iterator[MediaMtxServer]:
    server = MediaMtxServer()
    yield server
    server.close()


@pytest.fixture
def srs() -> Iterator[SrsServer]:
    server = SrsServer()
    yield server
    server.close()


def test_a_server_that_takes_orders_is_well_and_nobody_is_ended(
    tmp_path: Path, mediamtx: MediaMtxServer, srs: SrsServer
) -> None:
    for kind, url in (("mediamtx", mediamtx.url), ("srs", srs.url)):
        [check] = found(tmp_path, kind, url)

        assert (check.state, check.what) == (State.OK, "edge takes orders")


def test_nginx_is_given_an_order_about_nobody(tmp_path: Path) -> None:
    with serving(whole(b"0")) as server:
        [check] = found(tmp_path, "nginx_rtmp", f"http://{HOST}:{server.port}/control")

    assert check.state is State.OK
    [asked] = server.requests
    assert "/control/drop/publisher?clientid=0&app=sg-doctor&name=" in asked


def test_a_server_that_takes_no_orders_is_told(tmp_path: Path) -> None:
    [check] = found(tmp_path, "srs", f"http://{HOST}:{refusing_port()}")

    assert (check.state, check.exit_code) == (State.FAIL, DEPENDENCY)


def test_a_password_that_is_not_there_is_told_once_and_by_check_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "user = 'u'\npassword_file = 'nowhere'\n"
    url = f"http://{HOST}:{refusing_port()}"

    [check] = found(tmp_path, "srs", url, more)
    exit_code = main(["check-config", str(written(tmp_path, "srs", url, more))])

    assert (check.state, check.exit_code) == (State.FAIL, CONFIGURATION)
    assert exit_code == CONFIGURATION
    assert "control edge: the password_file" in capsys.readouterr().err


def test_a_password_that_others_can_read_is_told(tmp_path: Path, srs: SrsServer) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    more = f"user = 'u'\npassword_file = '{password}'\n"

    password.chmod(0o640)
    open_to_others, _ = found(tmp_path, "srs", srs.url, more)
    password.chmod(0o600)
    private = found(tmp_path, "srs", srs.url, more)

    assert open_to_others.state is State.WARN
    assert [one.state for one in private] == [State.OK]
