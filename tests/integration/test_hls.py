"""HLS as ffmpeg packages it, screened by the real process."""

from pathlib import Path

import pytest

from tests.conftest import NginxRtmp
from tests.hls_server import Site, media_playlist, web_site
from tests.live_servers import hls_ladder, hls_packager, web_server
from tests.processes import streamguard

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("requires_ffmpeg")]

HEIGHTS = (1080, 720, 480, 360, 240)
CHOSEN = HEIGHTS.index(360)


def put_all(site: Site, directory: Path) -> None:
    """Put up every file of a directory."""
    for path in directory.rglob("*"):
        if path.is_file():
            site.put(f"/{path.relative_to(directory)}", path.read_bytes())


def test_a_ladder_is_fetched_at_the_cost_of_its_smallest_that_serves(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    hls_ladder(real_clips["bikes"], tmp_path, HEIGHTS, seconds=3)

    with web_site() as site:
        put_all(site, tmp_path)
        url = f"{site.url('/master.m3u8', 'bob:hidden@')}?key=hidden"
        done = streamguard("screen", url, "--stream-id", "studio", "--bank", known_bank)

    assert done.code == 0, done.err
    assert "flag.opened" in done.types
    assert done.rows[0]["data"]["stream"]["protocol"] == "hls"
    assert "hidden" not in done.out + done.err
    chosen = {
        f"/{CHOSEN}/{path.name}": path.stat().st_size for path in (tmp_path / str(CHOSEN)).iterdir()
    }
    master = (tmp_path / "master.m3u8").stat().st_size
    assert dict(site.sent) == {"/master.m3u8": master, **chosen}


def test_a_live_broadcast_is_flagged_and_ends_with_its_packager(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path], requires_nginx_rtmp: NginxRtmp
) -> None:
    playlist = tmp_path / "live.m3u8"

    with (
        web_server(requires_nginx_rtmp.program, tmp_path) as url,
        hls_packager(real_clips["bikes"], playlist, seconds=8),
    ):
        arguments = ("screen", f"{url}/live.m3u8", "--stream-id", "studio", "--bank", known_bank)
        done = streamguard(*arguments)

    assert done.code == 0, done.err
    assert "flag.opened" in done.types
    assert done.types[-1] == "stream.ended"


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (media_playlist(["file:///etc/passwd"]), "leads away from HTTP"),
        ("<html>hidden</html>", "is none"),
    ],
    ids=["file", "html"],
)
def test_a_bad_playlist_ends_the_command_with_one_line(page: str, problem: str) -> None:
    with web_site() as site:
        site.put("/live/hidden.m3u8", page)
        done = streamguard("screen", site.url("/live/hidden.m3u8"), "--stream-id", "studio")

    assert (done.code, done.out) == (3, "")
    assert problem in done.problem
    assert "hidden" not in done.err
