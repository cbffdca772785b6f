"""What stands between nginx and the enforcer: when the enforcer is gone, everybody may publish."""

from pathlib import Path

import httpx
import pytest

from loadtest.enforce_stage import Form
from loadtest.rtmp import free_port, rtmp_server
from tests.conftest import NginxRtmp
from tests.integration.test_enforce import KEY, enforcing, stage
from tests.processes import DEADLINE_S, ROOT, until
from tests.servers import serving, silent

pytestmark = pytest.mark.integration

SHIM = ROOT / "configs" / "admission.conf"
HOOK = "on_publish http://127.0.0.1:{stat_port}/admission/edge; notify_method post;"


def test_publishers_do_not_feel_that_the_enforcer_is_killed(
    tmp_path: Path, requires_nginx_rtmp: NginxRtmp, real_clips: dict[str, Path]
) -> None:
    nginx, clip, door = requires_nginx_rtmp, real_clips["bikes"], free_port()
    shim = SHIM.read_text().replace("127.0.0.1:9112", f"127.0.0.1:{door}")
    (tmp_path / "rtmp").mkdir()
    server = rtmp_server(nginx.program, nginx.module, tmp_path / "rtmp", extra=HOOK, site=shim)
    with (
        server as rtmp,
        stage(tmp_path, rtmp, Form("enforce", door)) as made,
        rtmp.publish(clip, "a") as one,
    ):
        with enforcing(made) as running:
            with rtmp.publish(clip, KEY) as bad:
                made.outcome(made.decide(made.live(KEY), "cut"))
                bad.wait(DEADLINE_S)
            with rtmp.publish(clip, KEY) as refused:
                refused.wait(DEADLINE_S)  # by the enforcer, through the shim
            running.process.kill()
        with rtmp.publish(clip, "b") as other, rtmp.publish(clip, KEY) as back:
            until(lambda: sorted(made.paths()) == ["live/a", "live/b", f"live/{KEY}"])
            with enforcing(made):
                back.wait(DEADLINE_S)  # it came in while nobody looked

                assert (one.poll(), other.poll()) == (None, None)
                assert sorted(made.paths()) == ["live/a", "live/b"]


def test_a_hook_that_hangs_keeps_no_publisher_out(
    tmp_path: Path, requires_nginx_rtmp: NginxRtmp, real_clips: dict[str, Path]
) -> None:
    nginx = requires_nginx_rtmp
    with serving(silent) as hook:
        shim = SHIM.read_text().replace("127.0.0.1:9112", f"127.0.0.1:{hook.port}")
        server = rtmp_server(nginx.program, nginx.module, tmp_path, extra=HOOK, site=shim)
        with server as rtmp, rtmp.publish(real_clips["bikes"], "a") as one:
            until(lambda: b"<publishing/>" in httpx.get(rtmp.stat_url).content)

            assert one.poll() is None
    assert hook.requests
