"""An RTMP server for tests: a fixture for `pytest_plugins = ["tests.rtmp"]`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.rtmp import RtmpServer, rtmp_server
from tests.conftest import NginxRtmp


@pytest.fixture
def rtmp(requires_nginx_rtmp: NginxRtmp, tmp_path: Path) -> Iterator[RtmpServer]:
    """Run nginx with RTMP on a free port of loopback."""
    folder = tmp_path / "rtmp"
    folder.mkdir()
    with rtmp_server(requires_nginx_rtmp.program, requires_nginx_rtmp.module, folder) as server:
        yield server
